"""Tables from memory: data frames, arrays, mappings, and the built-in sets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.errors import DataError, FileError, require
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes")
"""Names of the built-in sets; scikit-learn ships them."""

_polars = partial(require, "polars", "table", "reading tables", threads=False)
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
    target = _TARGETS.get(name, "target")
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
    polars = _polars()
    if isinstance(table, polars.DataFrame):
        return table
    if isinstance(table, polars.LazyFrame):
        _polars(threads=True)
        return table.collect()
    if hasattr(table, "toarray"):
        table = table.toarray()
    if isinstance(table, np.ma.MaskedArray):
        table = _without_mask(table)
    if isinstance(table, np.ndarray):
        return _frame_of_columns(_columns_of_array(table))
    if isinstance(table, Mapping):
        return _frame_of_columns({str(name): values for name, values in table.items()})
    return _frame_of_native(table)


_UNITS = {"M": ("D", "ms", "us", "ns"), "m": ("ms", "us", "ns")}
_ABSENT = frozenset({"NAType", "NaTType"})
"""What pandas calls the types of its missing values, among other objects."""


def _without_mask(table: Any) -> Any:
    """A masked array as one whose masked cells are missing."""
    if not np.ma.is_masked(table):
        return table.data
    is_float = table.dtype.kind == "f"
    return table.filled(np.nan) if is_float else table.astype(object).filled(None)


def _columns_of_array(array: np.ndarray) -> dict[str, Any]:
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim != 2:
        raise DataError(
            f"table: expected an array of shape (rows, columns), got {array.shape}. Reshape your "
            "data: one example in each row."
        )
    return {f"column_{i}": column for i, column in enumerate(array.T, start=1)}


def _frame_of_native(table: Any) -> pl.DataFrame:
    """A data frame of another library, column by column."""
    narwhals = require("narwhals", "table", "reading data frames")
    names = [str(name) for name in getattr(table, "columns", [])]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"table: the column name {repeated[0]!r} stands {names.count(repeated[0])} times; "
            "expected each once. Rename them."
        )
    try:
        eager = narwhals.from_native(table, eager_only=True)
    except TypeError:
        raise DataError(
            "table: expected a data frame, an array (rows, columns), a sparse matrix or a mapping "
            f"of columns; got {type(table).__name__}."
        ) from None
    if not eager.implementation.is_pandas_like():
        _polars(threads=True)
        frame: pl.DataFrame = eager.to_polars()
        return frame
    columns = enumerate(eager.columns)  # by place: a name that is a number would be one
    return _frame_of_columns({str(name): _values(eager[:, i]) for i, name in columns})


def _values(column: Any) -> Any:
    """A pandas column as an array, or as a list where its cells are objects."""
    values = column.to_numpy()
    if values.dtype.kind != "O":
        return values
    return [
        None if absent else value
        for value, absent in zip(values.tolist(), column.is_null().to_list(), strict=True)
    ]


def _in_known_unit(values: np.ndarray) -> np.ndarray:
    """Dates and durations in a unit that polars has, such as those that pandas keeps in seconds."""
    kind = values.dtype.kind
    if kind not in "mM" or np.datetime_data(values.dtype)[0] in _UNITS[kind]:
        return values
    return values.astype(f"{kind}8[us]")


def _cell(value: Any) -> Any:
    """A value among others: missing as None, and NumPy's as Python's, or all take one's type."""
    if isinstance(value, np.generic):
        value = value.item()
    is_nan = isinstance(value, float) and value != value
    return None if is_nan or type(value).__name__ in _ABSENT else value


def _frame_of_columns(columns: Mapping[str, Any]) -> pl.DataFrame:
    polars = _polars()
    series = []
    for name, values in columns.items():
        if isinstance(values, np.ma.MaskedArray):
            values = _without_mask(values)
        if isinstance(values, np.ndarray):
            is_object = values.dtype.kind == "O"
            values = values.tolist() if is_object else np.ascontiguousarray(_in_known_unit(values))
        if isinstance(values, (list, tuple)):
            values = [_cell(value) for value in values]
        if isinstance(values, np.ndarray) and values.dtype.kind == "c":
            raise DataError(f"column {name!r}: Complex data not supported; expected real numbers.")
        try:
            series.append(polars.Series(name, values, strict=False, nan_to_null=True))
        except (TypeError, ValueError, polars.exceptions.PolarsError) as error:
            raise DataError(
                f"column {name!r}: expected numbers, text, booleans or dates; got values that "
                f"make no column ({str(error).splitlines()[0]})."
            ) from None
    lengths = {name: len(column) for name, column in zip(columns, series, strict=True)}
    odd = [name for name, length in lengths.items() if length != next(iter(lengths.values()))]
    if odd:
        raise DataError(
            f"column {odd[0]!r} has {lengths[odd[0]]} rows and {next(iter(lengths))!r} "
            f"{next(iter(lengths.values()))}; expected as many in each."
        )
    return polars.DataFrame(series)
