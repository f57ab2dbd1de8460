"""What the cells of a column hold: numbers, dates, or values that recur, whatever their type."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data.values import moments
from deltarule.errors import CellError, DataError, require

if TYPE_CHECKING:
    import polars as pl

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d"),
    *("%d.%m.%y", "%d.%m.%Y"),  # a year of two digits first: %Y would read 24 as the year 24
    *("%m/%d/%y", "%m/%d/%Y", "%d/%m/%y", "%d/%m/%Y"),
    *("%d-%m-%y", "%d-%m-%Y", "%d-%B-%Y", "%d %B %Y", "%B %d, %Y"),
)
_HOURS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")

DATE_FORMATS = tuple(date + hour for date in _DATES for hour in _HOURS)
"""How dates are written; where several fit a column, the first."""

_BEGINS = (  # how every one of them does: most text is told from dates by this alone
    r"^(\d{1,4}[-/. ]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d)"
)
_DAY = 86_400_000.0  # milliseconds
_FIRST = 50  # texts looked at before all are
_BLOCK = 1 << 16  # rows


def check_type(column: pl.Series) -> None:
    """Refuse a column whose cells are lists, records, bytes or objects.

    Raises
    ------
    DataError
        With the column and its type.
    """
    polars = require("polars", "table", "preprocessing")
    if column.dtype.is_nested() or column.dtype in (polars.Binary, polars.Object):
        raise DataError(
            f"column {column.name!r} holds cells of type {column.dtype}; expected numbers, text, "
            "booleans or dates. Unpack or drop it."
        )


def is_date(column: pl.Series) -> bool:
    """Whether a column's type is that of dates or moments."""
    polars = require("polars", "table", "preprocessing")
    return column.dtype == polars.Date or isinstance(column.dtype, polars.Datetime)


def is_numeric(column: pl.Series) -> bool:
    """Whether a column's type is that of numbers; times of day and durations are."""
    polars = require("polars", "table", "preprocessing")
    is_span = column.dtype == polars.Time or isinstance(column.dtype, polars.Duration)
    return is_span or bool(column.dtype.is_numeric())


def is_whole(column: pl.Series) -> bool:
    """Whether a column's type is that of whole numbers which processors know."""
    polars = require("polars", "table", "preprocessing")
    is_long = column.dtype in (polars.Int128, polars.UInt128)
    return bool(column.dtype.is_integer()) and not is_long


def numbers_of(column: pl.Series) -> pl.Series:
    """A column as Float64, missing values as nulls; durations and times in seconds.

    Raises
    ------
    DataError
        For text, with its row, or for infinity.

    Examples
    --------
    >>> import polars as pl
    >>> numbers_of(pl.Series("a", [1.5, float("nan")])).to_list()
    [1.5, None]
    """
    polars = require("polars", "table", "preprocessing")
    if column.dtype == polars.Time:
        return column.cast(polars.Int64).cast(polars.Float64) / 1e9
    if isinstance(column.dtype, polars.Duration):
        return column.dt.total_milliseconds().cast(polars.Float64) / 1000
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        numbers = column.cast(polars.Float64)
    else:
        numbers = _numbers_in_text(column)
    if column.dtype.is_integer() or column.dtype == polars.Boolean:
        return numbers
    return _finite(numbers)


def narrow_numbers_of(column: pl.Series) -> pl.Series:
    """The same in as few bytes as the column has: whole numbers, and floats of any precision.

    Examples
    --------
    >>> import polars as pl
    >>> narrow_numbers_of(pl.Series("a", [1, None])).to_list()
    [1, None]
    """
    if column.dtype.is_float():
        return _finite(column)
    return column if is_whole(column) else numbers_of(column)


def _finite(numbers: pl.Series) -> pl.Series:
    """NaN as null; refuses infinity."""
    if math.isfinite(numbers.sum()):
        return numbers
    numbers = numbers.fill_nan(None)
    if numbers.is_infinite().any():
        row = int(numbers.is_infinite().arg_max() or 0)
        raise CellError(
            f"column {numbers.name!r} holds {numbers[row]}",
            row,
            "; expected finite numbers. Correct it, or leave it empty: missing inputs are filled.",
        )
    return numbers


def _numbers_in_text(column: pl.Series) -> pl.Series:
    polars = require("polars", "table", "preprocessing")
    if is_date(column):
        raise DataError(f"column {column.name!r} holds dates; expected numbers, as in training.")
    text = text_of(column)
    numbers = text.cast(polars.Float64, strict=False)
    if numbers.null_count() > text.null_count():
        row = int((numbers.is_null() & text.is_not_null()).arg_max() or 0)
        raise CellError(
            f"column {column.name!r} holds text",
            row,
            f" ({text[row]!r}); expected numbers. Pass --missing {shlex.quote(text[row])} to read "
            "it as missing.",
        )
    return numbers


def text_of(column: pl.Series) -> pl.Series:
    """A column as text; whole numbers without a point, so that 1.0 and 1 are one level."""
    polars = require("polars", "table", "preprocessing")
    if column.dtype == polars.String:
        return column
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = column.drop_nulls()
        if len(whole) == 0 or bool((whole == whole.floor()).all()):
            short = column.cast(polars.Int64, strict=False)
            column = short if short.null_count() == column.null_count() else column
    return column.cast(polars.String)


class Coded(NamedTuple):
    """A column's values as numbers of its different values.

    Attributes
    ----------
    levels : list of str
        Its different values as text, in order.
    codes : int array, shape (m,)
        Each row's level; −1 is missing.
    counts : int array, shape (len(levels),)
        In how many rows each stands.
    """

    levels: list[str]
    codes: Array
    counts: Array

    @property
    def missing(self) -> int:
        """How many rows have no value."""
        return len(self.codes) - int(self.counts.sum())


def coded(column: pl.Series) -> Coded:
    """A column's different values as text, in order, and each row's number.

    Examples
    --------
    >>> import polars as pl
    >>> levels, codes, counts = coded(pl.Series(["b", "a", None, "b"]))
    >>> levels, codes.tolist(), counts.tolist()
    (['a', 'b'], [1, 0, -1, 1], [1, 2])
    """
    levels, codes = numbered(column)
    counts = _tallied(codes, len(levels))
    used = counts > 0
    if used.all() and counts.sum() == len(codes):
        return Coded(levels, codes, counts)
    signed = np.int16 if len(levels) < 1 << 15 else np.int32
    number_of = np.append(np.where(used, np.cumsum(used) - 1, -1), -1).astype(signed)
    levels = [level for level, is_used in zip(levels, used, strict=True) if is_used]
    return Coded(levels, number_of.take(codes), counts[used])


def numbered(column: pl.Series) -> tuple[list[str], Array]:
    """Texts in order, among them all of a column's values, and each row's number.

    A missing one has the number after the last.

    Examples
    --------
    >>> import polars as pl
    >>> levels, codes = numbered(pl.Series(["b", None], dtype=pl.Enum(["a", "b"])))
    >>> levels, codes.tolist()
    (['a', 'b'], [1, 2])
    """
    polars = require("polars", "table", "preprocessing")
    if not isinstance(column.dtype, polars.Enum):
        column = text_of(column)
        values = column.drop_nulls().unique().sort()
        column = column.cast(polars.Enum(values))
    levels, codes = column.dtype.categories.to_list(), column.to_physical()
    if codes.null_count():  # codes of a byte are of 255 levels at most
        absent = polars.Series([len(levels)], dtype=codes.dtype)
        codes = codes.zip_with(codes.is_not_null(), absent)
    return levels, codes.to_numpy()


def _tallied(codes: Array, n: int) -> Array:
    """How often each of 0 … n − 1 stands among codes of 0 … n.

    Some at a time: NumPy counts a copy of eight bytes each.
    """
    counts = np.zeros(n + 1, dtype=np.int64)
    step = max(_BLOCK, n)
    for first in range(0, len(codes), step):
        counts += np.bincount(codes[first : first + step], minlength=n + 1)
    return counts[:n]


def date_format(column: pl.Series) -> str | None:
    """The format of a column's dates: empty for dates proper, None where it holds none."""
    if is_date(column):
        return ""
    if is_numeric(column):
        return None
    return format_of(coded(column).levels)


def format_of(levels: list[str]) -> str | None:
    """The format of which all of some texts are dates; None where there is none.

    Examples
    --------
    >>> format_of(["31.05.2024", "01.06.2024"])
    '%d.%m.%Y'
    """
    polars = require("polars", "table", "preprocessing")
    texts = polars.Series(levels, dtype=polars.String)
    if not texts.head(_FIRST).str.contains(_BEGINS).all():
        return None
    for form in DATE_FORMATS:
        if all(_parsed(part, form).null_count() == 0 for part in (texts.head(_FIRST), texts)):
            return form
    return None


def no_dates(levels: list[str]) -> tuple[str, list[int]]:
    """Where most of some texts are dates, their format and the numbers of those that are none.

    Examples
    --------
    >>> no_dates(["1.5.2024", "2.5.2024", "3.5.2024", "soon"])
    ('%d.%m.%Y', [3])
    """
    polars = require("polars", "table", "preprocessing")
    texts = polars.Series(levels, dtype=polars.String)
    some = texts.gather_every(max(1, len(texts) // _FIRST))
    if some.str.contains(_BEGINS).sum() <= len(some) / 2:
        return "", []
    for form in DATE_FORMATS:
        if _parsed(some, form).null_count() < len(some) / 2:
            return form, _parsed(texts, form).is_null().arg_true().to_list()
    return "", []


def days_of(column: pl.Series, form: str) -> Array:
    """Days since 1970 with their fraction, missing ones as NaN.

    Parameters
    ----------
    column : polars.Series
        Dates, or text.
    form : str
        The format of text; empty for the international one.

    Raises
    ------
    DataError
        For text of another format, with its row; for numbers.
    """
    polars = require("polars", "table", "preprocessing")
    if is_date(column):
        return _days(column)
    if is_numeric(column):
        raise DataError(
            f"column {column.name!r} holds numbers; expected dates{f' ({form})' if form else ''}."
        )
    levels, codes, _ = coded(column)
    days = _days(_parsed(polars.Series(levels, dtype=polars.String), form))
    if np.isnan(days).any():
        row = int(np.isin(codes, np.flatnonzero(np.isnan(days))).argmax())
        raise CellError(
            f"column {column.name!r} holds {column[row]!r}",
            row,
            f"; expected a date ({form or '%Y-%m-%d'}).",
        )
    return np.append(days, np.nan)[codes]


def distinct_days(column: pl.Series, form: str) -> tuple[Array, Array | None]:
    """Days since 1970 that lie close together, once each, and which of them each row has.

    A missing one is the last. Other moments stay a row each, and then there are no numbers.

    Examples
    --------
    >>> import polars as pl
    >>> days, codes = distinct_days(pl.Series(["1970-01-03", None, "1970-01-02"]), "")
    >>> days.tolist(), codes.tolist()
    ([1.0, 2.0, nan], [1, 2, 0])
    """
    return _calendar(column) or _distinct(days_of(column, form))


def _calendar(column: pl.Series) -> tuple[Array, Array] | None:
    """The same of dates proper, from the four bytes that each of them is."""
    polars = require("polars", "table", "preprocessing")
    if column.dtype != polars.Date or column.null_count() == len(column):
        return None
    numbers = column.to_physical()
    low, high = int(numbers.min()), int(numbers.max())
    if high - low >= len(numbers):
        return None
    codes = numbers - low
    codes = codes.fill_null(high + 1 - low) if codes.null_count() else codes
    return np.append(np.arange(low, high + 1.0), np.nan), codes.to_numpy()


def _distinct(days: Array) -> tuple[Array, Array | None]:
    low, high = (f.reduce(days, initial=np.nan) for f in (np.fmin, np.fmax))
    if not high - low < len(days):  # nor where there is none
        return days, None
    absent = np.isnan(days)
    places = np.where(absent, high + 1 - low, days - low) if absent.any() else days - low
    codes = places.astype(np.int32)
    if (codes != places).any():
        return days, None
    return np.append(np.arange(low, high + 1), np.nan), codes


def _parsed(text: pl.Series, form: str) -> pl.Series:
    polars = require("polars", "table", "preprocessing")
    if not form:
        dates = text.str.to_date("%Y-%m-%d", strict=False).cast(polars.Datetime("us"))
        return moments(text).fill_null(dates)
    if "%M" in form:
        return text.str.to_datetime(form, strict=False)
    return text.str.to_date(form, strict=False).cast(polars.Datetime)


def _days(column: pl.Series) -> Array:
    polars = require("polars", "table", "preprocessing")
    if column.dtype == polars.Date:
        whole: Array = column.to_physical().cast(polars.Float64).to_numpy()
        return whole
    if getattr(column.dtype, "time_zone", None):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    ticks = column.cast(polars.Datetime("ms")).cast(polars.Int64).cast(polars.Float64)
    days: Array = ticks.to_numpy() / _DAY
    return days
