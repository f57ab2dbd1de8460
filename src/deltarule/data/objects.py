"""A column of Python objects: one type for all of them, as a text file of the same values has.

Numbers stay numbers, dates dates. Where several kinds meet, all are text, which is read later like
the text of a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

_polars = partial(require, "polars", "table", "reading tables", threads=False)

_KINDS: tuple[tuple[type, str], ...] = (  # a subclass before its base
    (bool, "boolean"),
    (int, "number"),
    (float, "number"),
    (Decimal, "number"),
    (str, "text"),
    (bytes, "bytes"),
    (datetime, "moment"),
    (date, "moment"),
    (timedelta, "duration"),
    (time, "time"),
)
_ABSENT = frozenset({"NAType", "NaTType"})
"""What pandas calls the types of its missing values."""


def kinds_of(cells: Iterable[Any]) -> set[str]:
    """What some of Python's own values are: ``"number"``, ``"text"``, … or a type's name.

    Examples
    --------
    >>> sorted(kinds_of([2.5, Decimal(1), None, "1", {1}]))
    ['number', 'set', 'text']
    """
    return {_kind(found) for found in set(map(type, cells)) - {type(None)}}


def _kind(found: type) -> str:
    return next((kind for base, kind in _KINDS if issubclass(found, base)), found.__name__)


def cells_of(values: Iterable[Any]) -> list[Any]:
    """Python's own values: NumPy's as Python's, missing ones as None.

    Examples
    --------
    >>> cells_of([np.float32(1.5), float("nan"), np.timedelta64("NaT"), "a"])
    [1.5, None, None, 'a']
    """
    return [_cell(value) for value in values]


def series_of_cells(name: str, cells: Sequence[Any]) -> pl.Series:
    """A column of what :func:`cells_of` made.

    Examples
    --------
    >>> series_of_cells("a", [1, "b", None, True]).to_list()
    ['1', 'b', None, 'true']
    """
    polars = _polars()
    kinds = kinds_of(cells)
    known = {kind for _, kind in _KINDS}
    if not kinds <= known:
        return polars.Series(name, cells, dtype=None if kinds == {"list"} else polars.Object)
    if kinds <= {"boolean", "number"} and "number" in kinds:
        return _numbers(name, cells)
    if kinds == {"moment"}:
        return _moments(name, cells)
    if len(kinds) > 1 or kinds == {"text"}:
        return polars.Series(name, [_text(cell) for cell in cells], dtype=polars.String)
    return polars.Series(name, cells, strict=False)


def _cell(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = _plain(value)
    is_nan = isinstance(value, float | Decimal) and value != value
    return None if is_nan or type(value).__name__ in _ABSENT or value is np.ma.masked else value


def _plain(value: np.generic) -> Any:
    """NumPy's scalar as Python's; what it counts in nanoseconds would become a whole number."""
    if isinstance(value, np.datetime64):
        return value.astype("M8[us]").item()
    if isinstance(value, np.timedelta64):
        return value.astype("m8[us]").item()
    return float(value) if isinstance(value, np.longdouble) else value.item()


def _numbers(name: str, cells: Sequence[Any]) -> pl.Series:
    """Whole numbers, where they all are and processors know them; else floats."""
    polars = _polars()
    numbers = [_whole(cell) if isinstance(cell, Decimal) else cell for cell in cells]
    present = [number for number in numbers if number is not None]
    if all(isinstance(number, int) for number in present):
        low, high = min(present), max(present)
        for dtype, least, most in (
            (polars.Int64, -(1 << 63), 1 << 63),
            (polars.UInt64, 0, 1 << 64),
        ):
            if least <= low and high < most:
                return polars.Series(name, numbers, dtype=dtype)
    floats = [None if number is None else _float(number) for number in numbers]
    return polars.Series(name, floats, dtype=polars.Float64)


def _whole(number: Decimal) -> int | float:
    finite = number.is_finite() and number == number.to_integral_value()
    return int(number) if finite else float(number)


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number beyond all floats
        return float("inf") if number > 0 else float("-inf")


def _moments(name: str, cells: Sequence[Any]) -> pl.Series:
    """Dates where they all are; else moments, those with a time zone in UTC."""
    polars = _polars()
    if not any(isinstance(cell, datetime) for cell in cells):
        return polars.Series(name, cells, dtype=polars.Date)
    moments = [None if cell is None else _moment(cell) for cell in cells]
    return polars.Series(name, moments, dtype=polars.Datetime("us"))


def _moment(cell: date) -> datetime:
    if not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)
    return cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None)


def _text(cell: Any) -> str | None:
    if cell is None:
        return None
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
