"""Tables from memory: data frames, arrays, mappings, and the built-in sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.errors import DataError, FileError, require
from deltarule.tables import nearest

if TYPE_CHECKING:
    import polars as pl

BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes")
"""Names of the built-in sets; scikit-learn ships them."""

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
            f"{name!r} is no built-in set.{nearest(name, list(BUILT_IN))} "
            f"There are: {', '.join(BUILT_IN)}."
        )
    polars = require("polars", "table", "reading tables")
    datasets = require("sklearn.datasets", "sklearn", "the built-in sets")
    found = getattr(datasets, f"load_{name}")()
    target = {"iris": "species", "digits": "digit", "breast_cancer": "diagnosis"}.get(
        name, "target"
    )
    columns: dict[str, Any] = {
        str(feature): np.ascontiguousarray(found.data[:, i])
        for i, feature in enumerate(found.feature_names)
    }
    names = getattr(found, "target_names", None)
    textual = names is not None and np.asarray(names).dtype.kind == "U" and name != "digits"
    values = np.asarray(names)[found.target].tolist() if textual else found.target
    return polars.DataFrame({**columns, target: values}), target


def frame_of(table: Any) -> pl.DataFrame:
    """A table in memory as a polars frame.

    Parameters
    ----------
    table : data frame, array, sparse matrix or mapping
        pandas, polars or arrow; an array or a SciPy sparse matrix ``(m, n)``, whose columns are
        named ``column_1`` …; a mapping of names to columns.

    Raises
    ------
    DataError
        For anything else, or repeated column names.

    Examples
    --------
    >>> frame_of(np.array([[1.0, 2.0]])).columns
    ['column_1', 'column_2']
    """
    polars = require("polars", "table", "reading tables")
    if isinstance(table, polars.DataFrame):
        return table
    if hasattr(table, "toarray"):
        table = table.toarray()
    if isinstance(table, np.ndarray):
        return _frame_of_array(table)
    if isinstance(table, dict):
        return polars.DataFrame(table, strict=False)
    columns = list(getattr(table, "columns", []))
    repeated = sorted({str(c) for c in columns if columns.count(c) > 1})
    if repeated:
        raise DataError(f"the column name {repeated[0]!r} stands more than once; expected once.")
    narwhals = require("narwhals", "table", "reading data frames")
    try:
        eager = narwhals.from_native(table, eager_only=True)
    except TypeError:
        raise DataError(
            "table: expected a data frame, an array (rows, columns), a sparse matrix or a mapping "
            f"of columns; got {type(table).__name__}."
        ) from None
    return polars.DataFrame({str(name): eager[name].to_arrow() for name in eager.columns})


def _frame_of_array(array: np.ndarray) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    if array.ndim != 2:
        raise DataError(f"table: expected shape (rows, columns), got {array.shape}.")
    names: Iterable[str] = (f"column_{i}" for i in range(1, array.shape[1] + 1))
    columns = (np.ascontiguousarray(array[:, i]) for i in range(array.shape[1]))
    if array.dtype.kind == "O":
        columns = (column.tolist() for column in columns)
    return polars.DataFrame(dict(zip(names, columns, strict=True)), strict=False)
