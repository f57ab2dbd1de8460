"""A run as TensorBoard shows it: a callback that writes its event files."""

from __future__ import annotations

import os
from typing import Any

from deltarule.errors import FileError, require
from deltarule.system.storage import reason
from deltarule.training.events import Ended, EpochEnded, Event, Started


class TensorBoard:
    """A callback that writes costs, metric, learning rate and statistics for TensorBoard.

    Look at it with ``tensorboard --logdir FOLDER``; several runs in folders of one folder stand
    side by side.

    Parameters
    ----------
    folder : path
        Made where it is missing; a run adds a file to it.

    Raises
    ------
    MissingExtraError
        Where tensorboardX is not installed.
    FileError
        Where the folder cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = TensorBoard(folder)
    ...     _ = dr.train(network, [[0.0], [1.0]], [0.0, 1.0], epochs=2, callbacks=[board])
    ...     len(list(Path(folder).glob("events.out.tfevents.*")))
    1
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        self._make: Any = require("tensorboardX", "tensorboard", "TensorBoard").SummaryWriter
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write one event of a run."""
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, EpochEnded):
            for name, value in scalars(event).items():
                self._writer.add_scalar(name, value, event.step)
            self._writer.flush()
        elif isinstance(event, Ended):
            self._writer.add_text("ended", event.text, 0)
            self._writer.close()

    def _begin(self, event: Started) -> None:
        try:
            self._writer = self._make(self.folder)
        except OSError as error:
            raise FileError(f"{self.folder}: cannot be written: {reason(error)}.") from error
        network = event.plan.network
        sizes = "-".join(map(str, network.sizes))
        about = f"{sizes}, {network.cost_row.name}, {event.plan.optimizer_row!r}"
        self._writer.add_text("plan", f"{about}, engine {event.engine}, seed {event.plan.seed}", 0)


def scalars(event: EpochEnded) -> dict[str, float]:
    """What is written of an epoch, by TensorBoard's names; what is not known is left out.

    Examples
    --------
    >>> scalars(EpochEnded(1, 4, 0.5, validation_cost=0.7, learning_rate=0.1))
    {'cost/training': 0.5, 'cost/validation': 0.7, 'learning_rate': 0.1}
    """
    known = {
        "cost/training": event.cost,
        "cost/validation": event.validation_cost,
        "metric/validation": event.figure,
        "gradient_norm": event.gradient_norm,
        "learning_rate": event.learning_rate,
    }
    found = {name: float(value) for name, value in known.items() if value is not None}
    if event.statistics is not None:
        for what, values in event.statistics._asdict().items():
            means = values.mean(axis=0)
            found |= {f"{what}/layer_{l}": float(mean) for l, mean in enumerate(means, 1)}
    return found
