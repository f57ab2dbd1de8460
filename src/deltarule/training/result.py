"""What a run leaves: the trained network and its history."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from deltarule.arrays import Array
from deltarule.engines.plan import Runner
from deltarule.network import Network, Parameters
from deltarule.sparse import checked_rows
from deltarule.system.markup import chart
from deltarule.training.events import EpochEnded


@dataclass(frozen=True, repr=False)
class Result:
    """A trained network.

    Attributes
    ----------
    network : Network
    parameters : Parameters
        Of the best epoch where there was validation data, else of the last.
    history : tuple of EpochEnded
        Epoch by epoch.
    stopped_because : str
        The name of the rule that ended the run; see :class:`~deltarule.training.events.Ended`.
    stopped_text : str
        The same as a sentence.
    best_epoch : int or None
    engine : str
    runner : Runner
        To go on with: it holds the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> result = dr.train(dr.Network(1, [dr.Dense(1)]), X, 2 * X + 1, optimizer=dr.SGD(0.1))
    >>> result.predict([[0.5]]).round(2), result.stopped_because
    (array([[2.]], dtype=float32), 'epochs')
    """

    network: Network
    parameters: Parameters
    history: tuple[EpochEnded, ...]
    stopped_because: str
    stopped_text: str
    best_epoch: int | None
    engine: str
    runner: Runner

    def predict(self, X: Any) -> Array:
        """A[L] as rows, ``(m, n[L])``, from rows ``(m, n[0])``.

        Raises
        ------
        ShapeError, TypeMismatchError, DataError
            As :func:`~deltarule.arrays.checked_matrix`.
        """
        dtype = self.runner.plan.dtype
        return self.runner.predict(checked_rows("X", X, width=self.network.inputs, dtype=dtype))

    def __repr__(self) -> str:
        last = self.history[-1]
        sizes = "-".join(map(str, self.network.sizes))
        figures = f"cost {last.cost:.4g}"
        if self.best_epoch is not None:
            best = self.history[self.best_epoch - 1].validation_cost
            figures += f", validation cost {best:.4g} of epoch {self.best_epoch}"
        return f"Result({sizes}, {last.epoch} epochs, {figures}; {self.stopped_text})"

    def _repr_html_(self) -> str:
        curves = {"training": [each.cost for each in self.history]}
        held = [each.validation_cost for each in self.history]
        if held[0] is not None:
            curves["validation"] = [cost for cost in held if cost is not None]
        return f"<p>{escape(repr(self))}</p>{chart(curves)}{self.network._repr_html_()}"
