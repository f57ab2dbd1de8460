"""Predictions of one row from a mapping of column names to cells, in microseconds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Runner
from deltarule.errors import SettingError, TypeMismatchError
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
    roles : mapping, optional
        What training used columns for; a row may have them beside those that are predicted from.

    Raises
    ------
    SettingError
        Where there is no preprocessing or no targets.
    """

    def __init__(
        self,
        preprocessing: Preprocessing | None,
        targets: Targets | None,
        runner: Runner,
        roles: Any = None,
    ) -> None:
        if preprocessing is None or targets is None:
            raise SettingError(
                "row_predictor: expected a model of a table; this one is of arrays. Take "
                "predict_into of deltarule.start for single rows of arrays."
            )
        dtype = runner.plan.dtype
        self._encoder = RowEncoder(preprocessing, {*targets.names, *_named(roles)})
        self._targets = targets
        self._X = self._encoder.X if dtype == np.float32 else self._encoder.X.astype(dtype)
        self._out = np.empty((1, targets.outputs), dtype)
        self._predict_into = runner.predict_into
        self._scales = list(zip(targets.stds, targets.means, strict=True))
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
            The predicted class, or a number; of several targets a number for each name.

        Raises
        ------
        DataError
            For a name that is missing or unknown, and for a cell that cannot be read.
        """
        outputs, scales = self._outputs(row), self._scales
        if len(scales) == 1:
            ((std, mean),) = scales
            return outputs.item() * std + mean
        if not scales:
            return self._targets.classes[self._targets.codes(outputs).item()]
        values = zip(self._targets.names, outputs[0].tolist(), scales, strict=True)
        return {name: value * std + mean for name, value, (std, mean) in values}

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


def _named(roles: Any) -> set[str]:
    """The columns that a record of roles names, alone or in lists."""
    values = list(roles.values()) if isinstance(roles, Mapping) else []
    lists = [value if isinstance(value, list | tuple) else [value] for value in values]
    return {name for names in lists for name in names if isinstance(name, str)}
