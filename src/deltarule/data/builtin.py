"""The built-in tables: data sets that scikit-learn ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.errors import FileError, require
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes")
"""Their names."""

_TARGETS = {"iris": "species", "digits": "digit", "breast_cancer": "diagnosis"}


def built_in(name: str) -> tuple[pl.DataFrame, str]:
    """A built-in set and the name of its target column.

    Raises
    ------
    FileError
        For a name that is none of :data:`BUILT_IN`.
    MissingExtraError
        Where scikit-learn or polars is not installed.

    Examples
    --------
    >>> frame, target = built_in("iris")
    >>> frame.shape, target
    ((150, 5), 'species')
    """
    if name not in BUILT_IN:
        raise FileError(
            f"{name!r} is not a built-in set.{nearest(name, list(BUILT_IN))} "
            f"There are: {', '.join(BUILT_IN)}."
        )
    polars = require("polars", "table", "reading tables")
    datasets = require("sklearn.datasets", "sklearn", "the built-in sets")
    found = getattr(datasets, f"load_{name}")()
    target = _TARGETS.get(name, "target")
    columns: dict[str, Any] = {
        str(feature): np.ascontiguousarray(found.data[:, i])
        for i, feature in enumerate(found.feature_names)
    }
    names = getattr(found, "target_names", None)
    textual = names is not None and np.asarray(names).dtype.kind == "U" and name != "digits"
    values = np.asarray(names)[found.target].tolist() if textual else found.target
    return polars.DataFrame({**columns, target: values}), target
