"""Labels as a caller passes them: checked, their names learned, weighed by class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from deltarule.arrays import Array
from deltarule.data.objects import cells_of, kinds_of
from deltarule.errors import DataError, SettingError

_DURATIONS = (
    "y: Unknown label type: durations; expected text, booleans or whole numbers. Write them as "
    "seconds, or take a regressor."
)


def check_labels(y: Array) -> None:
    """Refuse missing labels, which scikit-learn would trip over, and numbers that are not classes.

    Raises
    ------
    ValueError
        With the row.
    """
    if y.dtype == object and y.ndim == 1:
        missing = [i for i, label in enumerate(y) if label is None]
        if missing:
            raise DataError(
                f"y: expected a class in every row, got None in row {missing[0]} "
                f"({len(missing)} such in all). Drop these rows, or give them a separate class."
            )
    check_classification_targets(y)


def check_one_type(y: Any) -> None:
    """Refuse labels of several types, which NumPy would merge or could not order, and durations.

    Parameters
    ----------
    y : array_like
        As the caller passes it.

    Raises
    ------
    ValueError
        With a label of each type.

    Examples
    --------
    >>> check_one_type([1, 2.0, 1])
    >>> check_one_type([1, "1"])
    Traceback (most recent call last):
        ...
    deltarule.errors.DataError: y: Unknown label type: mixed, such as 1 (number) and '1' (text); ...
    """
    labels = getattr(getattr(y, "array", y), "categories", y)
    otherwise = "object" if isinstance(labels, list | tuple) else ""
    dtype = str(getattr(labels, "dtype", otherwise)).lower()
    if dtype.startswith(("timedelta", "duration")):
        raise DataError(_DURATIONS)
    if dtype != "object":
        return
    cells = cells_of(np.asarray(labels, dtype=object).ravel().tolist())
    of_kind = {next(iter(kinds_of([cell]))): cell for cell in cells if cell is not None}
    if "duration" in of_kind:
        raise DataError(_DURATIONS)
    if len(of_kind) > 1:
        shown = " and ".join(f"{label!r} ({kind})" for kind, label in list(of_kind.items())[:2])
        raise DataError(
            f"y: Unknown label type: mixed, such as {shown}; expected labels of one type. Write "
            "them all as text, or as numbers."
        )


def binarizer_for(y: Any, classes: Any) -> LabelBinarizer:
    """From classes, which need not all be in y, to columns; labels are columns already."""
    return LabelBinarizer().fit(y if type_of_target(y).startswith("multilabel") else classes)


def weights_by_class(class_weight: Any, y: Array, classes: Array, incremental: bool) -> Array:
    """The weight of each example by its class; of several labels, the product of theirs.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
        A class that it does not name weighs 1.
    y : array, shape (m,) or (m, n_labels)
    classes : array
        All there are, of which y may lack some; sorted, where y is a vector.
    incremental : bool
        Whether y is but a part.

    Returns
    -------
    float64 array, shape (m,)

    Raises
    ------
    SettingError
        For what does not fit y, unknown classes, and weights that are not finite numbers from 0.

    Examples
    --------
    >>> import numpy as np
    >>> classes = np.array(["a", "b", "c"])
    >>> weights_by_class({"b": 2.0}, np.array(["a", "b", "b"]), classes, True).tolist()
    [1.0, 2.0, 2.0]
    """
    if isinstance(class_weight, str):
        if incremental:
            raise SettingError(
                "class_weight='balanced' needs all of y at once; with partial_fit pass a "
                "dictionary of class to weight."
            )
        balanced: Array = compute_sample_weight(class_weight, y)
        return balanced
    if y.ndim == 2:
        _check_one_a_label(class_weight, y.shape[1])
        columns = zip(class_weight, y.T, strict=True)
        return np.prod([_of(own, column, np.arange(2)) for own, column in columns], axis=0)
    if not isinstance(class_weight, Mapping):
        raise SettingError(
            f"class_weight: a list is for several labels; expected a dictionary of class to "
            f"weight, got {class_weight!r}."
        )
    return _of(class_weight, y, classes)


def _of(class_weight: Mapping[Any, Any], y: Array, classes: Array) -> Array:
    known = classes.tolist()
    for label, weight in class_weight.items():
        if label not in known:
            raise SettingError(f"class_weight: {label!r} is not among the classes {classes}.")
        if not isinstance(weight, Real) or not 0 <= float(weight) < math.inf:
            raise SettingError(
                f"class_weight: expected a finite number, at least 0, for class {label!r}; got "
                f"{weight!r}."
            )
    of_each = np.array([float(class_weight.get(label, 1.0)) for label in known])
    if not of_each.any():
        raise SettingError("class_weight: all classes weigh 0, so there is nothing to learn from.")
    return of_each[np.searchsorted(classes, y)]


def _check_one_a_label(class_weight: Any, labels: int) -> None:
    one_each = not isinstance(class_weight, Mapping) and len(class_weight) == labels
    if not one_each or not all(isinstance(own, Mapping) for own in class_weight):
        raise SettingError(
            f"class_weight: y has {labels} columns of labels; expected a list of as many "
            f"dictionaries of 0 and 1 to weight, got {class_weight!r}."
        )
