"""Rows for a fit: checked weights, data to judge by, and the split where there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from deltarule.arrays import Array
from deltarule.errors import DataError, SettingError
from deltarule.estimators.course import Course
from deltarule.estimators.options import StoppingOptions
from deltarule.sparse import CompressedRows, is_sparse
from deltarule.training.examples import Examples


def rows_of(X: Any, dtype: Any = None) -> Array | CompressedRows:
    """Checked rows as an engine reads them: a C-ordered array; compressed rows of a sparse X."""
    if is_sparse(X):
        X = CompressedRows.of(X if X.format == "csr" else X.tocsr())
        return replace(X, data=np.asarray(X.data, dtype))
    return np.ascontiguousarray(X, dtype)


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
    weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    if weights.min() < 0:
        raise DataError(
            f"{name}: expected none below zero, got {weights.min()} in row {int(weights.argmin())}."
        )
    return weights


def checked_validation(
    estimator: Any, validation: tuple[Any, Any, Any], data: Examples
) -> tuple[Examples | None, Any]:
    """Validation data of one's own, from ``fit`` or the stopping options, and its labels.

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
    estimator: Any, data: Examples, labels: Array, course: Course
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
    return data.take(train), labels[train], data.take(held), labels[held]
