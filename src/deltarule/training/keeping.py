"""A run's folder of checkpoints, and what the processes of a run must agree on."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deltarule.engines.plan import Runner
from deltarule.errors import (
    FileError,
    InterruptionError,
    SettingError,
    TypeMismatchError,
    setting,
)
from deltarule.system.processes import Group
from deltarule.training.checkpoints import (
    Checkpoints,
    Folder,
    Identity,
    Surroundings,
    data_identity,
    differing,
    plan_identity,
)
from deltarule.training.examples import Examples
from deltarule.training.orders import Orders
from deltarule.training.run import Run
from deltarule.training.state import TrainingState
from deltarule.training.windows import Reader


class Keeping:
    """Where a run is kept, if anywhere.

    Parameters
    ----------
    run : Run
    checkpoints : Checkpoints or None
    identity : function
        To what decides the run's numbers, where a checkpoint or another process needs it.
    group : Group
    rows : int
    runner : Runner

    Attributes
    ----------
    orders : Orders
        Of the epochs' rows.
    signal : int or None
        The signal that asks the run to end.
    """

    def __init__(
        self,
        run: Run,
        checkpoints: Checkpoints | None,
        identity: Callable[[], Identity],
        group: Group,
        rows: int,
        runner: Runner,
    ) -> None:
        self.group = group
        self.signal: int | None = None
        # of the kernels in use; of the machine, where an engine has none of its own
        self._instruction_set = str(getattr(runner, "isa", platform.machine()))
        self.orders = Orders(run, rows)
        self._folder: Folder | None = None
        if checkpoints is not None or group.count > 1:
            known = identity()
            check_agreed(group, known)
            self.orders = Orders(run, rows, lambda d: check_agreed(group, {"data.order": d}))
            if checkpoints is not None:
                self._folder = _opened(run, checkpoints, known, group)

    def __bool__(self) -> bool:
        return self._folder is not None

    def steps_until(self, step: int) -> int | None:
        """How many steps after one of the run the next checkpoint is due, by number."""
        return None if self._folder is None else self._folder.settings.steps_until(step)

    def newest(
        self, like: TrainingState, steps_per_epoch: int
    ) -> tuple[Path, TrainingState, Surroundings, Sequence[str]] | None:
        """The newest checkpoint, and what is worth knowing of it; None where there is none.

        Raises
        ------
        FileError
            Where none can be read, or it is of another plan, other data or another order.
        """
        folder = self._folder
        if folder is None:
            return None
        found = folder.newest(like)
        check_agreed(
            self.group,
            {"the newest checkpoint": None if found is None else found[0].name},
            f"See that all of them see {folder.path}, as one folder",
        )
        if found is None:
            return None
        path, state, around = found
        if state.first >= steps_per_epoch:
            raise FileError(
                f"{path}: its contents do not fit each other: {state.first} steps of an epoch are "
                f"done, and there are {steps_per_epoch}. Remove it."
            )
        self._check_orders(path, around.orders)
        if around.instruction_set != self._instruction_set:
            folder.notes.append(
                f"{path} was written on {around.instruction_set or 'another machine'}, and this is "
                f"{self._instruction_set}: the numbers agree with those of an unbroken run to "
                "rounding, not bit for bit."
            )
        return path, state, around, folder.notes

    def _check_orders(self, path: Path, known: Sequence[str]) -> None:
        """Refuse a custom order that is another now, in any epoch of the past."""
        for epoch, digest in enumerate(known, 1):
            self.orders(epoch)
            if self.orders.digests[epoch - 1] != digest:
                raise FileError(
                    f"{path}: belongs to another run: data.order, what shuffle gives for epoch "
                    f"{epoch}, differs there. Resume with the original settings, or name another "
                    "folder."
                )

    def save(self, state: TrainingState, step: int, listeners: Sequence[object]) -> Path:
        """Write a checkpoint after a step of the run.

        Parameters
        ----------
        state : TrainingState
            With the optimizer's.
        step : int
        listeners : sequence
            Whoever may remember something, by a method ``state``.
        """
        assert self._folder is not None
        memories = tuple(l.state() if hasattr(l, "state") else None for l in listeners)
        around = Surroundings(memories, self._instruction_set, tuple(self.orders.digests))
        return self._folder.save(step, state, around)

    def due(self, step: int) -> bool:
        """Whether a checkpoint is due after a step of the run: by its settings or by a signal."""
        if self._folder is None:
            return False
        if self.group.count > 1:  # one that is told to end, tells all
            signals = self.group.gathered(self.signal)
            self.signal = next((number for number in signals if number is not None), None)
        return self.signal is not None or self._folder.due(step)

    def end_if_asked(self, path: Path) -> None:
        """End a run that a signal asks to end, once it is kept.

        Raises
        ------
        InterruptionError
        """
        if self.signal is not None:
            raise InterruptionError(
                f"interrupted; the run is saved in {path}. Resume it with "
                f"{setting('resume=True', '--resume')} and the same settings.",
                signal=self.signal,
                checkpoint=str(path),
            )

    def close(self) -> None:
        """Let the folder go."""
        if self._folder is not None:
            self._folder.close()


def _opened(run: Run, checkpoints: Any, identity: Identity, group: Group) -> Folder:
    if not isinstance(checkpoints, Checkpoints):
        raise TypeMismatchError(
            f"checkpoints: expected Checkpoints(folder), got {type(checkpoints).__name__}."
        )
    optimizer = run.plan.optimizer_row
    if optimizer.full_batch:
        raise SettingError(
            f"checkpoints: {type(optimizer).__name__} keeps its curvature inside SciPy, so that a "
            "run cannot be resumed. Leave them out, or choose an optimizer that steps, such as "
            "Adam."
        )
    return Folder(checkpoints, identity, writes=group.first)


def identity_of(
    run: Run,
    engine: str,
    data: Examples,
    validation: Examples | None,
    reader: Reader | None,
    start: tuple[Any, ...],
) -> Identity:
    """What decides a run's numbers: the same in its checkpoints and in all processes.

    Parameters
    ----------
    run : Run
        Bound to its rows.
    engine : str
        That was chosen.
    data, validation : Examples
    reader : Reader or None
        Of blocks.
    start : tuple
        What it begins from, where that is given.
    """
    rows = len(data.X) if reader is None else reader.rows
    identity = plan_identity(
        run.plan,
        batch_size=run.batch_rows(rows),
        shuffle=run.shuffle,
        averaging=run.mean.horizon if run.mean.keep is None else run.mean.keep,
        order_seed=run.plan.seed,
        statistics=run.statistics,
        metric=run.metric,
        **run.stopping.decides,
        engine=engine,
        # Any number of threads gives the same bits, any number of devices the same to rounding.
        options=replace(run.options, n_threads=None, devices=None),
        start=start,
    )
    held = validation or (None, None, None)
    for name, arrays in (("data", data), ("validation", held)):
        parts = zip(("X", "Y", "weights"), arrays, strict=True)
        identity |= data_identity(**{f"{name}.{part}": array for part, array in parts})
    return identity if reader is None else identity | reader.identity


def check_engine(engine: str, group: Group) -> None:
    """Refuse an engine that cannot share a run with other processes.

    Raises
    ------
    SettingError
    """
    if group.count > 1 and engine != "jax":
        jax = setting("engine='jax'", "--engine jax")
        raise SettingError(
            f"engine {engine!r} computes in one process, and this is one of {group.count}. "
            f"Pass {jax}."
        )


def check_agreed(
    group: Group,
    identity: Identity,
    advice: str = "Give every process the same settings and the same data",
) -> None:
    """Refuse a run that another process of the group would run differently.

    Raises
    ------
    SettingError
        It names the field.
    """
    ours, *others = group.gathered(identity)
    for process, theirs in enumerate(others, 1):
        name = differing(ours, theirs)
        if name is not None:
            raise SettingError(
                f"the processes disagree on {name}: {ours.get(name)!r} in process 0, "
                f"{theirs.get(name)!r} in process {process}. {advice}."
            )
