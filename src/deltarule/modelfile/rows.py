"""Predictions of one row from a mapping of column names to cells, in microseconds."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Runner
from deltarule.errors import TypeMismatchError
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.preprocessing.single_rows import RowEncoder
from deltarule.training.predictions import probabilities


class RowPredictor:
    """Predicts one row at a time, to the same bits as ``predict`` of a table of that row.

    Calls from several threads take turns. Made by :meth:`Model.row_predictor
    <deltarule.modelfile.Model.row_predictor>`.

    Parameters
    ----------
    preprocessing : Preprocessing
    targets : Targets
    runner : Runner
        Of the network, with its parameters; no one else's.
    further : collection of str
        Names that a row may have beside the columns of the preprocessing.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        targets: Targets,
        runner: Runner,
        further: Collection[str] = (),
    ) -> None:
        dtype = runner.plan.dtype
        self._encoder = RowEncoder(preprocessing, {*targets.names, *further})
        self._targets = targets
        self._X = self._encoder.X if dtype == np.float32 else self._encoder.X.astype(dtype)
        self._out = np.empty((1, targets.outputs), dtype)
        quiet = np.errstate(over="ignore", under="ignore", invalid="ignore")
        self._predict_into = quiet(runner.predict_into)
        self._lock = threading.Lock()

    def __call__(self, row: Mapping[str, Any]) -> Any:
        """The prediction of a row.

        Parameters
        ----------
        row : mapping of str to cell
            A cell for each column of training: a number, text, a boolean or a date, in the types or
            the text that ``predict`` takes; None for a missing value.

        Returns
        -------
        label, float or dict
            The likeliest class, or a number; of several targets a number for each name.

        Raises
        ------
        DataError
            For a name that is missing or unknown, and for a cell that cannot be read.
        """
        outputs, targets = self._outputs(row), self._targets
        if targets.task == "classification":
            return targets.classes[targets.codes(outputs).item()]
        scales = zip(outputs[0].tolist(), targets.stds, targets.means, strict=True)
        values = [value * std + mean for value, std, mean in scales]
        return values[0] if len(values) == 1 else dict(zip(targets.names, values, strict=True))

    def predict_proba(self, row: Mapping[str, Any]) -> dict[Any, float]:
        """The probability of each class, in the order of the classes.

        Parameters
        ----------
        row : mapping of str to cell

        Raises
        ------
        TypeMismatchError
            For a model that predicts numbers.
        """
        if self._targets.task != "classification":
            raise TypeMismatchError(
                "predict_proba: expected a model that was trained on classes; this one predicts "
                "numbers. Call the predictor itself."
            )
        (found,) = probabilities(self._outputs(row)).tolist()
        return dict(zip(self._targets.classes, found, strict=True))

    def _outputs(self, row: Mapping[str, Any]) -> Array:
        """A[L], ``(1, n[L])``: a copy, since the next row takes its place."""
        with self._lock:
            self._encoder.encode(row)
            if self._X is not self._encoder.X:
                self._X[:] = self._encoder.X
            self._predict_into(self._X, self._out)
            return self._out.copy()
