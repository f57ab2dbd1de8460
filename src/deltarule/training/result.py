"""What a run leaves: the trained network, its history, and what people do with both."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from html import escape
from typing import Any

from deltarule.arrays import Array
from deltarule.engines.plan import Runner
from deltarule.errors import SettingError
from deltarule.network import Network, Parameters
from deltarule.sparse import checked_rows
from deltarule.spec import OneLine
from deltarule.system.markup import chart
from deltarule.training.examples import Examples, checked_examples
from deltarule.training.history import History
from deltarule.training.predictions import Labels, checked_probabilities, evaluated

_ABOVE = {
    "model": "deltarule.modelfile",
    "plot": "deltarule.report.plots",
    "report": "deltarule.report",
}
"""Methods of a result from higher modules: loaded when first used."""


@dataclass(frozen=True, repr=False)
class Result(OneLine):
    """A trained network.

    Attributes
    ----------
    network : Network
        The layers and the cost.
    parameters : Parameters
        Of the best epoch where there was validation data, else of the last.
    history : History
        Epoch by epoch: ``history[0]`` is an event, ``history["cost"]`` a column, and
        ``pandas.DataFrame(history)`` a table.
    stopped_because : str
        The name of the rule that ended the run; see :class:`~deltarule.training.events.Ended`.
    stopped_text : str
        The same as a sentence.
    best_epoch : int or None
        The epoch whose parameters these are, from 1; None without validation data.
    engine : str
        The engine that computed it.
    runner : Runner
        To continue with: it holds the parameters.
    labels : Labels or None
        The classes, where the network was trained on labels.
    validation : Examples or None
        The validation rows.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> result = dr.train(dr.Network(1, [dr.Dense(1)]), X, 2 * X + 1, optimizer=dr.SGD(0.1))
    >>> result.predict([[0.5]]).round(2), result.stopped_because
    (array([[2.]], dtype=float32), 'epochs')
    >>> sorted(result.evaluate(X, 2 * X + 1))
    ['cost', 'mae', 'r2', 'rmse']
    """

    network: Network
    parameters: Parameters
    history: History
    stopped_because: str
    stopped_text: str
    best_epoch: int | None
    engine: str
    runner: Runner
    labels: Labels | None = None
    validation: Examples | None = field(default=None, repr=False)

    @property
    def classes(self) -> Array | None:
        """The class labels in the order of the probabilities; None without labels."""
        return None if self.labels is None else self.labels.classes

    def outputs(self, X: Any) -> Array:
        """A[L] as rows, ``(m, n[L])``, from rows ``(m, n[0])``.

        Raises
        ------
        ShapeError, TypeMismatchError, DataError
            As :func:`~deltarule.arrays.checked_matrix`.
        """
        dtype = self.runner.plan.dtype
        return self.runner.predict(checked_rows("X", X, width=self.network.inputs, dtype=dtype))

    def predict(self, X: Any) -> Array:
        """Predictions, one per row: class labels ``(m,)`` where the network was trained on labels.

        Else A[L] as rows, ``(m, n[L])``. Labels are a vector of whole numbers, booleans or text.

        Parameters
        ----------
        X : array_like or sparse CSR matrix, shape (m, n[0])

        Raises
        ------
        ShapeError, TypeMismatchError, DataError
            As :func:`~deltarule.arrays.checked_matrix`.

        Examples
        --------
        >>> import deltarule as dr
        >>> network = dr.Network(1, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
        >>> X, Y = [[-2.0], [-1.0], [1.0], [2.0]], ["cold", "cold", "warm", "warm"]
        >>> result = dr.train(network, X, Y, optimizer=dr.SGD(1.0))
        >>> result.predict([[-3.0], [3.0]]).tolist(), result.predict_proba([[3.0]]).shape
        (['cold', 'warm'], (1, 2))
        """
        outputs = self.outputs(X)
        return outputs if self.labels is None else self.labels.decoded(outputs)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, ``(m, k)``, in the order of :attr:`classes`.

        Raises
        ------
        TypeMismatchError
            For a network whose outputs are not classes.
        """
        return checked_probabilities(self.network, self.outputs(X))

    def evaluate(self, X: Any = None, Y: Any = None, weights: Any = None) -> dict[str, float]:
        """The cost and the metrics on some rows; without rows, on the validation data.

        Parameters
        ----------
        X, Y, weights
            As :func:`~deltarule.train` takes them.

        Returns
        -------
        dict of str to float
            ``cost``, without penalties; ``accuracy``, ``log_loss`` and for two classes ``auc``; or
            ``rmse``, ``mae`` and ``r2``. What cannot be computed is left out.

        Raises
        ------
        SettingError
            Without rows, where there was no validation data.
        ShapeError, TypeMismatchError, DataError
            For data that does not fit the network.
        """
        return evaluated(self.runner, self._examples("evaluate", X, Y, weights))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trained network to one file, atomically; :func:`deltarule.load` reads it.

        Raises
        ------
        FileError
            Where the file cannot be written; what was there before is as it was.
        """
        about: dict[str, Any] = {
            "training": {"epochs": len(self.history), "stopped_because": self.stopped_because}
        }
        if self.labels is not None:
            about["classes"] = self.labels.classes.tolist()
        modelfile = importlib.import_module(_ABOVE["model"])
        modelfile.save_model(path, modelfile.Model(self.network, self.parameters, about=about))

    def plot(self, ax: Any = None) -> Any:
        """Cost and validation cost by epoch, on axes of matplotlib.

        Raises
        ------
        MissingExtraError
            Where matplotlib is not installed.
        """
        plots = importlib.import_module(_ABOVE["plot"])
        return plots.plot_history(self.history, self.best_epoch, ax)

    def report(
        self,
        path: str | os.PathLike[str] | None = None,
        X: Any = None,
        Y: Any = None,
        **settings: Any,
    ) -> Any:
        """The training report, evaluated on rows the network was not trained on.

        Parameters
        ----------
        path : path, optional
            The file to write the page to.
        X, Y : array_like, optional
            As :func:`~deltarule.train` takes them. Default: the validation data.
        **settings
            As of :func:`deltarule.report.report`: names of columns and classes, a title.

        Returns
        -------
        Report

        Raises
        ------
        SettingError
            Without rows, where there was no validation data.
        MissingExtraError, FileError
            Where matplotlib or Jinja is not installed; where the file cannot be written.
        """
        rows = self._examples("report", X, Y, settings.pop("weights", None))
        if self.labels is not None:
            settings.setdefault("names", [str(label) for label in self.labels.classes.tolist()])
        module = importlib.import_module(_ABOVE["report"])
        page = module.report(self, rows.X, rows.Y, weights=rows.weights, **settings)
        if path is not None:
            page.save(path)
        return page

    def _examples(self, what: str, X: Any, Y: Any, weights: Any) -> Examples:
        """A caller's rows, checked, or the validation data."""
        if X is not None:
            if self.labels is not None:
                Y = self.labels.codes(Y)
            return checked_examples(self.network, X, Y, weights, self.runner.plan.dtype)
        if self.validation is None:
            raise SettingError(
                f"{what}: expected rows the network was not trained on, and there was no "
                f"validation data. Give X and Y, or train with validation=0.2."
            )
        return self.validation

    def __repr__(self) -> str:
        last = self.history[-1]
        sizes = "-".join(map(str, self.network.sizes))
        metrics = f"cost {last.cost:.4g}"
        if self.best_epoch is not None:
            best = self.history[self.best_epoch - 1].validation_cost
            metrics += f", validation cost {best:.4g} of epoch {self.best_epoch}"
        return f"Result({sizes}, {last.epoch} epochs, {metrics}; {self.stopped_text})"

    def _repr_html_(self) -> str:
        curves = {"training": [each.cost for each in self.history]}
        held = [each.validation_cost for each in self.history]
        if held[0] is not None:
            curves["validation"] = [cost for cost in held if cost is not None]
        return f"<p>{escape(repr(self))}</p>{chart(curves)}{self.network._repr_html_()}"
