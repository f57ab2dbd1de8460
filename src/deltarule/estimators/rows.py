"""Rows for a fit: checked weights, validation data, and the split where there is none."""

from __future__ import annotations

import copy
import datetime
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from deltarule.arrays import Array, proportions
from deltarule.errors import DataError, SettingError, ShapeError, TypeMismatchError
from deltarule.estimators.fitting import Continuation
from deltarule.estimators.options import StoppingOptions
from deltarule.sparse import CompressedRows, is_sparse
from deltarule.training.examples import Examples

_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def rows_of(X: Any, dtype: Any = None) -> Array | CompressedRows:
    """Checked rows as an engine reads them: a C-ordered array; compressed rows of a sparse X."""
    if is_sparse(X):
        X = CompressedRows.of(X if X.format == "csr" else X.tocsr())
        return replace(X, data=np.asarray(X.data, dtype))
    return np.ascontiguousarray(X, dtype)


def check_numbers(**arrays: Any) -> None:
    """Refuse what NumPy would read as other numbers: dates, durations, cells that are masked.

    The unit of dates and durations may change between fit and predict.

    Parameters
    ----------
    arrays : array_like
        By name: X, y.

    Raises
    ------
    TypeMismatchError
        For ``datetime64`` and ``timedelta64``, in data frames and among objects as well.
    DataError
        For masked cells.
    """
    for name, values in arrays.items():
        if np.ma.is_masked(values):
            raise DataError(
                f"{name}: expected a number in each cell, got masked ones. Fill or drop them first."
            )
        if isinstance(values, np.ndarray) or not hasattr(values, "dtypes"):
            found = _times_in(values)
        else:
            found = next(filter(None, map(_times_in, _columns_of(values))), None)
        if found is not None:
            raise TypeMismatchError(
                f"{name}: expected numbers, got {found}. Convert dates and durations to numbers in "
                "a unit of your choice, such as days: (t - t0) / numpy.timedelta64(1, 'D')."
            )


def _columns_of(frame: Any) -> list[Any]:
    """A data frame's columns; a series is one."""
    columns = getattr(frame, "columns", None)
    return [frame] if columns is None else [frame[name] for name in columns]


def _times_in(values: Any) -> str | None:
    """The type of dates or durations among some values; None where there are none."""
    dtype = str(getattr(values, "dtype", ""))
    if dtype.lower().startswith(("date", "time", "duration", "period")):
        return dtype
    if dtype and dtype != "object":
        return None
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length, which scikit-learn refuses
        return None
    if array.dtype.kind in "mM":
        return str(array.dtype)
    kinds = {type(cell) for cell in array.ravel().tolist()} if array.dtype.kind == "O" else set()
    times = [kind.__name__ for kind in kinds if issubclass(kind, _TIMES)]
    return f"objects of type {min(times)}" if times else None


def weights_of(sample_weight: Any, X: Array, name: str = "sample_weight") -> Array | None:
    """Checked example weights, None where there are none; `name` is theirs in messages.

    Raises
    ------
    ValueError
        For another number of weights than of rows, NaN, infinity, a weight below zero, none above.
    """
    if sample_weight is None:
        return None
    if not np.any(np.asarray(sample_weight)):
        raise DataError(f"{name}: all are zero, so no row counts.")
    shape = np.asarray(sample_weight).shape
    if len(shape) > 1:
        raise ShapeError(
            f"{name}: expected one number per row, shape ({X.shape[0]},), got {shape}."
        )
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if weights.min() < 0:
        raise DataError(
            f"{name}: expected none below zero, got {weights.min()} in row {int(weights.argmin())}."
        )
    return proportions(weights, X.dtype).astype(X.dtype, copy=False)


def checked_validation(
    estimator: Any, validation: tuple[Any, Any, Any], data: Examples
) -> tuple[Examples | None, Any]:
    """Custom validation data, from ``fit`` or the stopping options, and its labels.

    Raises
    ------
    SettingError
        For one of X and y without the other, or weights without them.
    DataError
        For data that the training data's rules refuse.
    """
    X, y, weights = validation
    own = (estimator.stopping or StoppingOptions()).validation
    if X is None and y is None and isinstance(own, (tuple, list)):
        X, y, weights = (*own, None)[:3]
    if X is None and y is None and weights is None:
        return None, None
    if X is None or y is None:
        raise SettingError(
            "X_val and y_val go together: expected both, with sample_weight_val or without, or "
            "none of the three."
        )
    try:
        X, y = estimator._checked(X, y, reset=False)
        estimator._learn_targets(y, keep=True)
    except ValueError as error:
        raise DataError(f"validation data: {error}") from error
    weights = weights_of(weights, X, "sample_weight_val")
    return Examples(rows_of(X, data.X.dtype), estimator._encoded(y, data.X.dtype), weights), y


def held_out(
    estimator: Any, data: Examples, labels: Array, kept: Continuation
) -> tuple[Examples, Array, Examples, Array]:
    """Training data, its labels, and the part held out of it, drawn as scikit-learn draws it.

    A fit that continues another on as many rows holds out the same ones.

    Raises
    ------
    SettingError
        Where fewer than two rows are held out.
    """
    share = (estimator.stopping or StoppingOptions()).validation or estimator.validation_fraction
    if share == 0:
        raise SettingError(
            "validation_fraction=0.0 holds nothing out to stop by. Give it a share such as 0.1, "
            "pass X_val and y_val, or leave early stopping out."
        )
    rows = len(data.X)
    generator = kept.generator
    if kept.split is not None and kept.split[0] == rows:
        generator = copy.deepcopy(kept.split[1])
    else:
        kept.split = rows, copy.deepcopy(generator)
    train, held = train_test_split(
        np.arange(rows),
        random_state=generator,
        test_size=share,
        stratify=estimator._stratified(data.Y),
    )
    if len(held) < 2:
        raise SettingError(
            f"The validation set is too small: {len(held)} of {rows} rows. Increase "
            "validation_fraction, pass X_val and y_val, or leave early stopping out."
        )
    return data.take(train), labels[train], data.take(held), labels[held]
