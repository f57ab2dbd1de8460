"""Rows for a fit: checked weights, data to judge by, and the split where there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

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
    estimator: Any, validation: tuple[Any, Any, Any], data: Examples
) -> tuple[Examples | None, Any]:
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
    weights = weights_of(weights, X)
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
