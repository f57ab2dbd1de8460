"""Rows for a fit: checked weights, data to judge by, and the split where there is none."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from deltarule.arrays import Array
from deltarule.errors import DataError, SettingError
from deltarule.estimators.course import Course
from deltarule.estimators.fitting import Data
from deltarule.estimators.options import StoppingOptions


def dense(X: Any) -> Array:
    """A C-ordered array, also of a sparse matrix."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X)


def weights_of(sample_weight: Any, X: Array) -> Array | None:
    """Checked example weights, None where there are none.

    Raises
    ------
    ValueError
        For another number of weights than of rows, NaN, infinity, a weight below zero, none above.
    """
    if sample_weight is None:
        return None
    if not np.any(np.asarray(sample_weight)):
        raise DataError("sample_weight: all are zero, so there is nothing to learn from.")
    weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    if weights.min() < 0:
        raise DataError(
            f"sample_weight: expected none below zero, got {weights.min()} in row "
            f"{int(weights.argmin())}."
        )
    return weights


def checked_validation(
    estimator: Any, validation: tuple[Any, Any, Any], data: Data
) -> tuple[Data | None, Any]:
    """Validation data of one's own, from ``fit`` or the stopping options, and its labels.

    Raises
    ------
    SettingError
        For one of X and y without the other.
    """
    X, y, weights = validation
    own = (estimator.stopping or StoppingOptions()).validation
    if X is None and y is None and isinstance(own, (tuple, list)):
        X, y, weights = (*own, None)[:3]
    if X is None and y is None:
        return None, None
    if X is None or y is None:
        raise SettingError("X_val and y_val go together: expected both or neither.")
    X, y = estimator._checked(X, y, reset=False)
    check_consistent_length(X, y)
    estimator._learn_targets(y, keep=True)
    Y = estimator._encoded(y, data.X.dtype)
    X = dense(X).astype(data.X.dtype, copy=False)
    return Data(X, Y, weights_of(weights, X)), y


def held_out(
    estimator: Any, data: Data, labels: Array, course: Course
) -> tuple[Data, Array, Data, Array]:
    """Training data, its labels, and the part held out of it, drawn as scikit-learn draws it.

    A fit that continues another on as many rows holds out the same ones.

    Raises
    ------
    SettingError
        Where fewer than two rows are held out.
    """
    share = (estimator.stopping or StoppingOptions()).validation or estimator.validation_fraction
    rows = len(data.X)
    generator = course.generator
    if course.split is not None and course.split[0] == rows:
        generator = copy.deepcopy(course.split[1])
    else:
        course.split = rows, copy.deepcopy(generator)
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
    parts = [
        Data(data.X[chosen], data.Y[chosen], None if data.weights is None else data.weights[chosen])
        for chosen in (train, held)
    ]
    return parts[0], labels[train], parts[1], labels[held]
