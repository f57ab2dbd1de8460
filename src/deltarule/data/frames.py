"""Tables in memory as polars frames: data frames, arrays, sparse matrices, mappings, records.

Cells stay as they are; :mod:`deltarule.data.values` reads what text among them means. A prediction
calls this too, also in a forked process, where polars has no threads: so nothing here needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.data.objects import cells_of, series_of_cells
from deltarule.errors import DataError, require

if TYPE_CHECKING:
    import polars as pl

_polars = partial(require, "polars", "table", "reading tables", threads=False)

_UNITS = {"M": ("D", "ms", "us", "ns"), "m": ("ms", "us", "ns")}
_EXPECTED = (
    "a data frame, an array (rows, columns), a sparse matrix or a mapping of columns, or a list of "
    "rows or records"
)


def frame_of(table: Any) -> pl.DataFrame:
    """A table in memory as a polars frame.

    Parameters
    ----------
    table : data frame, array, sparse matrix, mapping, or list of rows or mappings
        pandas, polars or arrow; an array, a list of rows or a SciPy sparse matrix ``(m, n)``, whose
        columns are named ``column_1`` …; a mapping of names to columns; records, each a mapping of
        names to values.

    Raises
    ------
    DataError
        For anything else, or repeated column names.

    Examples
    --------
    >>> frame_of(np.array([[1.0, 2.0]])).columns
    ['column_1', 'column_2']
    >>> frame_of([{"a": 1, "b": "x"}, {"a": 2}]).rows()
    [(1, 'x'), (2, None)]
    """
    polars = _polars()
    if isinstance(table, polars.LazyFrame):
        _polars(threads=True)
        table = table.collect()
    if isinstance(table, polars.DataFrame):
        return table
    if hasattr(table, "toarray"):
        table = table.toarray()
    if isinstance(table, Mapping):
        return _frame_of_columns(table.items())
    if hasattr(table, "columns"):
        return _frame_of_native(table)
    if isinstance(table, list | tuple):
        if table and all(isinstance(row, Mapping) for row in table):
            names = dict.fromkeys(name for row in table for name in row)
            return _frame_of_columns((name, [row.get(name) for row in table]) for name in names)
        table = _array_of_rows(table)
    if not hasattr(table, "__array__"):
        raise DataError(f"table: expected {_EXPECTED}; got {type(table).__name__}.")
    return _frame_of_columns(_columns_of_array(np.asanyarray(table)))


def has_names(table: Any) -> bool:
    """Whether a table's columns come with names, by which they are found.

    Examples
    --------
    >>> has_names({"a": [1]}), has_names([{"a": 1}]), has_names([[1]])
    (True, True, False)
    """
    if isinstance(table, list | tuple):
        return bool(table) and isinstance(table[0], Mapping)
    named = isinstance(table, Mapping) or hasattr(table, "columns")
    return named or bool(getattr(getattr(table, "dtype", None), "names", None))


def column_of(name: str, values: Any) -> pl.Series:
    """One value for each row as a polars column; of a categorical its values.

    Parameters
    ----------
    name : str
    values : series, array or sequence
        Of polars, pandas, arrow or NumPy, with its mask; a list, a range.

    Raises
    ------
    DataError
        For what makes no column: a single value, complex numbers, several values in a row.

    Examples
    --------
    >>> column_of("a", np.ma.array([1, 2], mask=[False, True])).to_list()
    [1, None]
    """
    polars = _polars()
    try:
        if isinstance(values, polars.Series):
            return values.alias(name)
        if isinstance(values, np.ndarray):
            return _column_of_array(name, values)
        if hasattr(values, "isna") and hasattr(values, "dtype"):
            return _column_of_pandas(name, values)
        if hasattr(values, "combine_chunks") or hasattr(values, "__arrow_c_array__"):
            return polars.Series(name, values)
        if hasattr(values, "__array__"):
            return _column_of_array(name, np.asanyarray(values))
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise TypeError(f"{type(values).__name__}")
        return series_of_cells(name, cells_of(values))
    except (TypeError, ValueError, OverflowError, polars.exceptions.PolarsError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"column {name!r}: expected numbers, text, booleans or dates; got values that "
            f"make no column ({str(error).splitlines()[0]})."
        ) from None


# ------------------------------------------------------------------------------- whole tables


def _frame_of_columns(columns: Iterable[tuple[Any, Any]]) -> pl.DataFrame:
    polars = _polars()
    named = [(str(name), values) for name, values in columns]
    _check_names([name for name, _ in named])
    series = [_declared(column_of(name, values), values) for name, values in named]
    odd = [column for column in series if len(column) != len(series[0])]
    if odd:
        raise DataError(
            f"column {odd[0].name!r} has {len(odd[0])} rows and {series[0].name!r} "
            f"{len(series[0])}; expected as many in each."
        )
    return polars.DataFrame(series)


def _check_names(names: Sequence[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise DataError(
            f"table: the column name {repeated[0]!r} stands {names.count(repeated[0])} times; "
            "expected each once. Rename them."
        )


def _array_of_rows(rows: Sequence[Any]) -> Any:
    """Rows as an array: of numbers, where they all are; else of objects, each as it is."""
    if any(isinstance(row, np.ma.MaskedArray) for row in rows):
        return np.ma.stack(rows)
    try:
        array = np.asanyarray(rows)
        return np.array(rows, dtype=object) if array.dtype.kind in "US" else array
    except ValueError:
        raise DataError(
            f"table: expected {_EXPECTED}; got a list whose rows differ in length."
        ) from None


def _columns_of_array(array: np.ndarray) -> Iterable[tuple[str, Any]]:
    if array.dtype.names:
        return ((name, array[name]) for name in array.dtype.names)
    if array.ndim != 2:
        raise DataError(
            f"table: expected an array of shape (rows, columns), got {array.shape}. Reshape your "
            "data: one example in each row."
        )
    if isinstance(array, np.matrix):
        array = np.asarray(array)
    return ((f"column_{i}", column) for i, column in enumerate(array.T, start=1))


def _frame_of_native(table: Any) -> pl.DataFrame:
    """A data frame of another library; of pandas column by column."""
    narwhals = require("narwhals", "table", "reading data frames")
    named = getattr(table, "column_names", None) or table.columns  # of arrow, or of others
    names = [str(name) for name in named]
    _check_names(names)
    try:
        eager = narwhals.from_native(table, eager_only=True)
    except TypeError:
        raise DataError(f"table: expected {_EXPECTED}; got {type(table).__name__}.") from None
    if eager.implementation.is_pandas_like():  # by place: a name that is a number would be one
        columns = (narwhals.to_native(eager[:, i]) for i in range(len(names)))
        return _frame_of_columns(zip(names, columns, strict=True))
    _polars(threads=True)
    frame: pl.DataFrame = eager.to_polars()
    return frame


def _declared(column: pl.Series, values: Any) -> pl.Series:
    """A column whose type says that it is a category, as one of levels, which are text."""
    polars = _polars()
    dtype = getattr(values, "dtype", None)
    if not (hasattr(dtype, "categories") and hasattr(dtype, "ordered")):
        return column
    if column.dtype.is_float():
        whole = column.cast(polars.Int64, strict=False)
        column = whole if (whole.cast(column.dtype) - column).sum() == 0 else column
    levelled = column.dtype.is_numeric() or column.dtype == polars.String
    return column.cast(polars.String).cast(polars.Categorical) if levelled else column


# --------------------------------------------------------------------------------- one column


def _column_of_array(name: str, array: np.ndarray) -> pl.Series:
    polars = _polars()
    if array.ndim != 1:
        raise DataError(
            f"column {name!r}: expected one value for each row, got an array of shape "
            f"{array.shape}. Give each of its columns a name."
        )
    kind = array.dtype.kind
    if kind == "c":
        raise DataError(f"column {name!r}: Complex data not supported; expected real numbers.")
    if isinstance(array, np.ma.MaskedArray):
        array, mask = array.data, np.ma.getmaskarray(array)
        if mask.any() and kind in "OUS":
            array = array.astype(object)
            array[mask] = None
        elif mask.any():
            return _with_gaps(_column_of_array(name, array), mask)
    if array.dtype.kind in "OUS":
        return series_of_cells(name, cells_of(array.tolist()))
    if kind in "mM" and np.datetime_data(array.dtype)[0] not in _UNITS[kind]:
        array = array.astype(f"{kind}8[us]")  # such as the seconds that pandas keeps
    if kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return polars.Series(name, np.ascontiguousarray(array), strict=False, nan_to_null=True)


def _with_gaps(column: pl.Series, absent: np.ndarray) -> pl.Series:
    """The same, missing where a mask says so."""
    polars = _polars()
    return column.zip_with(polars.Series(~absent), polars.Series([None], dtype=column.dtype))


def _column_of_pandas(name: str, values: Any) -> pl.Series:
    """A series, index or array of pandas, whatever keeps its values."""
    polars = _polars()
    dtype = values.dtype
    values = getattr(values, "array", values)
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        levels = _levels(name, values.categories)
        places = polars.Series(values.codes.astype(np.int64))
        return levels.gather(places.set(places < 0, None))
    if hasattr(dtype, "pyarrow_dtype"):
        return polars.Series(name, values.__arrow_array__().combine_chunks())
    if hasattr(dtype, "numpy_dtype"):  # which has a mask
        absent = np.asarray(values.isna())
        if not absent.any():
            return _column_of_array(name, values.to_numpy(dtype=dtype.numpy_dtype))
        filled = values.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
        return _with_gaps(_column_of_array(name, filled), absent)
    if hasattr(dtype, "tz"):
        return _column_of_array(name, values.to_numpy(dtype=f"M8[{dtype.unit}]"))
    return _column_of_array(name, np.asarray(values))


def _levels(name: str, categories: Any) -> pl.Series:
    """The categories of a categorical; those of no type that columns have, as text."""
    found = column_of(name, categories)
    if found.dtype != _polars().Object:
        return found
    return column_of(name, list(map(str, categories)))
