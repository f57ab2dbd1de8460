"""What a cell means: missing, a number, a date, or the text that it is.

A whole column of text is converted or none of it: a cell that is not a number keeps a column text.
Files and tables in memory are read alike when a model is trained. When it predicts, its columns
have their kinds already, and each text is read separately (:func:`texts_read`,
:func:`number_read`), without the threads of polars.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deltarule.data.layout.records import BLANKS
from deltarule.data.parallel import at_once
from deltarule.data.reading_settings import MISSING, Reading
from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

_SAMPLE = 100
_MANY = 10_000
_BLOCK = 1 << 16  # rows
NUMBERS = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
COMMAS = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d*)?$"
_PADDED = r"^0\d+$"
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_EXACT = 2**53  # up to it, floats hold whole numbers
_DIGITS = 308  # of a whole number that is surely no larger than the largest float
_DATES = r"^\d{4}-\d{2}-\d{2}$"
_MOMENTS = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$"


def tidied(
    frame: pl.DataFrame,
    missing: Sequence[str] = (),
    *,
    decimal_comma: bool = False,
    texts: Sequence[str] = (),
    typed: bool = False,
) -> pl.DataFrame:
    """Text without blanks around it, markers as nulls; numbers and ISO dates where all are.

    Text whose values recur becomes an enumeration: a number a row, each value kept once.

    Parameters
    ----------
    frame : polars.DataFrame
    missing : sequence of str
        Markers of missing values beside :data:`MISSING`.
    decimal_comma : bool
        Whether ``3,5`` is a number.
    texts : sequence of str
        Columns of text that stay text, whatever their cells look like.
    typed : bool
        Whether the columns' types are their owner's: then a Categorical or Enum keeps its levels,
        be they digits, as a Categorical. Of a text file it is text that recurs.

    Examples
    --------
    >>> import polars as pl
    >>> tidied(pl.DataFrame({"a": [" 1", "? "], "b": [" x ", "y"], "c": ["007", "008"]})).rows()
    [(1, 'x', '007'), (None, 'y', '008')]
    >>> zips = pl.DataFrame({"zip": pl.Series(["1", "?"], dtype=pl.Categorical)})
    >>> tidied(zips, typed=True).rows(), tidied(zips).rows()
    ([('1',), (None,)], [(1,), (None,)])
    """
    polars = require("polars", "table", "reading tables")
    markers = [*MISSING, *missing]

    def tidy(column: pl.Series) -> pl.Series:
        levelled = column.dtype == polars.Categorical or isinstance(column.dtype, polars.Enum)
        if levelled and typed:
            if isinstance(column.dtype, polars.Enum):
                levels = column.dtype.categories
            else:
                levels = column.drop_nulls().unique().cast(polars.String)
            if not _unmarked(levels, markers).equals(levels):
                column = _unmarked(column.cast(polars.String), markers)
            return column.cast(polars.Categorical)
        if column.name in texts and (levelled or column.dtype == polars.String):
            return _unmarked(column.cast(polars.String), markers)
        if column.dtype in (polars.String, polars.Categorical):
            return _tidied(column, markers, decimal_comma)
        return computable(column)

    cells = frame.height * frame.width
    return frame.with_columns(at_once(tidy, frame.get_columns(), cells=cells))


def computable(column: pl.Series) -> pl.Series:
    """NaN as null, durations as seconds, decimals and other odd numbers as usual ones.

    Examples
    --------
    >>> import polars as pl
    >>> from decimal import Decimal
    >>> computable(pl.Series([Decimal(1), None])).to_list()
    [1, None]
    """
    polars = require("polars", "table", "reading tables", threads=False)
    if has_nan(column):
        return column.fill_nan(None)
    if isinstance(column.dtype, polars.Duration):
        return seconds_of(column)
    if isinstance(column.dtype, polars.Decimal) and column.dtype.scale:
        numbers = column.cast(polars.Float64)
        whole = numbers.cast(polars.Int64, strict=False)
        return whole if whole.cast(polars.Float64).equals(numbers) else numbers
    if isinstance(column.dtype, polars.Decimal) or column.dtype in (polars.Int128, polars.UInt128):
        whole = column.cast(polars.Int64, strict=False)
        if whole.null_count() == column.null_count():
            return whole
        return column.cast(polars.Float64) if is_exact(column) else column.cast(polars.String)
    return column


def is_exact(whole: pl.Series) -> bool:
    """Whether floats of 64 bits hold every digit of a column's whole numbers.

    Where they do not, these number nothing: they are identifiers.

    Examples
    --------
    >>> import polars as pl
    >>> is_exact(pl.Series([2**60, None])), is_exact(pl.Series([2**60 + 1]))
    (True, False)
    """
    low, high = whole.min(), whole.max()
    if low is None or max(-int(low), int(high)) <= _EXACT:
        return True
    return all(int(float(number)) == number for number in map(int, whole.drop_nulls().unique()))


def seconds_of(durations: pl.Series) -> pl.Series:
    """Durations in seconds, to the millisecond.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import timedelta
    >>> seconds_of(pl.Series([timedelta(minutes=1)])).to_list()
    [60.0]
    """
    polars = require("polars", "table", "reading tables", threads=False)
    ticks = durations.cast(polars.Duration("ms")).cast(polars.Int64)
    return ticks.cast(polars.Float64) / 1000


def _tidied(column: pl.Series, markers: list[str], decimal_comma: bool) -> pl.Series:
    """One column of text; where values recur, each is looked at once."""
    polars = require("polars", "table", "reading tables")
    sample = column.head(_MANY)
    if column.dtype == polars.String and sample.n_unique() > len(sample) / 2:
        return meant(_unmarked(column, markers), decimal_comma=decimal_comma)
    column = column.cast(polars.Categorical)
    codes = column.to_physical()
    absent = int(codes.max() or 0) + 1
    row_of = np.full(absent + 1, -1)  # some row of each code
    step = max(_BLOCK, absent)
    for first in range(0, len(codes), step):  # a copy of all codes would need memory
        some = codes.slice(first, step)
        some = (some.fill_null(absent) if some.null_count() else some).to_numpy()
        here = np.bincount(some, minlength=absent + 1) > 0
        if (row_of[here] < 0).any():
            row_of[some] = np.arange(first, first + len(some))
    used = np.flatnonzero(row_of[:absent] >= 0)
    levels = column.gather(row_of[used]).cast(polars.String)
    found = meant(_unmarked(levels, markers), decimal_comma=decimal_comma)
    if found.dtype == polars.String:
        some = found.to_frame().select_seq(polars.first().drop_nulls().unique().sort()).to_series()
        found = found.cast(polars.Enum(some))
    level_of = np.zeros(absent, dtype=np.uint32)
    level_of[used] = np.arange(len(used))
    values = found.gather(polars.Series(level_of)) if len(found) else found
    return values.gather(codes).alias(column.name)


def has_nan(column: pl.Series) -> bool:
    """Whether a column holds NaN, which is not null.

    Examples
    --------
    >>> import polars as pl
    >>> has_nan(pl.Series([1.0, float("nan")])), has_nan(pl.Series([1, None]))
    (True, False)
    """
    if not column.dtype.is_float() or not math.isnan(column.sum()):  # which needs no memory
        return False
    return bool(column.is_nan().any())  # the sum of both infinities is NaN as well


def meant(text: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """A text column as whole numbers, decimals, dates or moments, where every cell is one.

    Numbers padded with zeros are codes, and whole numbers with more digits than 64 bits hold are
    identifiers: both stay text.

    Examples
    --------
    >>> import polars as pl
    >>> meant(pl.Series(["1", "2.5", None])).to_list()
    [1.0, 2.5, None]
    """
    polars = require("polars", "table", "reading tables")
    some = text.drop_nulls() if text.null_count() else text
    sample = some.head(_SAMPLE).cast(polars.String).to_list()

    def look(pattern: str) -> bool:
        return all(map(re.compile(pattern).match, sample))

    if not sample:
        return text
    if look(COMMAS if decimal_comma else NUMBERS):
        return _numbers(text, decimal_comma)
    if look(_DATES):
        return _all_or_none(text, text.str.to_date("%Y-%m-%d", strict=False))
    if look(_MOMENTS):
        return _all_or_none(text, moments(text))
    return text.cast(polars.String)


def moments(text: pl.Series) -> pl.Series:
    """ISO dates with times as moments, those with an offset in UTC; others are null."""
    polars = require("polars", "table", "reading tables")
    parts = text.str.replace("T", " ", literal=True).to_frame("text")
    cell = polars.col("text")
    offset = cell.str.extract(r"([+-]\d{2}:?\d{2})$").str.replace(":", "", literal=True)
    local = cell.str.replace(r"(Z|[+-]\d{2}:?\d{2})$", "")
    full = polars.when(local.str.len_chars() == 16).then(local + ":00").otherwise(local)
    minutes = offset.str.slice(1, 2).cast(polars.Int64) * 60 + offset.str.slice(3, 2).cast(
        polars.Int64
    )
    signed = polars.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    moment = full.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    found = parts.select(moment - polars.duration(minutes=signed.fill_null(0)))
    return found.to_series().alias(text.name)


def _unmarked(column: pl.Series, markers: list[str]) -> pl.Series:
    """Blanks around text taken off, markers as nulls."""
    polars = require("polars", "table", "reading tables")
    cell = polars.col(column.name).str.strip_chars(BLANKS)
    found = column.to_frame().select_seq(
        polars.when(cell.is_in(markers)).then(None).otherwise(cell).alias(column.name)
    )
    return found.to_series()


def _numbers(text: pl.Series, decimal_comma: bool) -> pl.Series:
    polars = require("polars", "table", "reading tables")
    if text.str.contains(_PADDED).any():
        return text
    cells = text
    if decimal_comma:
        cells = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    for dtype in (polars.Int64, polars.Float64):
        numbers = cells.cast(dtype, strict=False)
        if numbers.null_count() == text.null_count():
            if dtype == polars.Int64:
                return numbers
            return text if _are_longer(cells) else numbers.fill_nan(None)
    return text


def _are_longer(cells: pl.Series) -> bool:
    """Whether numbers are whole ones with more digits than floats hold: identifiers."""
    found = cells.drop_nulls().unique().to_list()
    return all(map(_WHOLE.fullmatch, found)) and not all(map(float_holds, found))


def float_holds(whole: str) -> bool:
    """Whether a float of 64 bits holds every digit of a whole number that is written out.

    Examples
    --------
    >>> float_holds("9007199254740992"), float_holds("9007199254740993"), float_holds("1" * 400)
    (True, False, False)
    """
    return len(whole) <= _DIGITS and int(float(whole)) == int(whole)


def _all_or_none(text: pl.Series, found: pl.Series) -> pl.Series:
    return found if found.null_count() == text.null_count() else text


# --------------------------------------------------------- one text at a time, for predictions


def texts_read(texts: Sequence[str], reading: Reading, name: str = "") -> list[str | None]:
    """Texts without blanks around them; missing markers, also those of a column, as None.

    Examples
    --------
    >>> texts_read([" a", "NA "], Reading())
    ['a', None]
    """
    markers = reading.markers_of(name)
    stripped = (text.strip(BLANKS) for text in texts)
    return [None if text in markers else text for text in stripped]


def number_read(text: str, reading: Reading, name: str = "") -> float | None:
    """The number that a text of a column is, NaN for a missing marker; None for other text.

    Examples
    --------
    >>> number_read(" 1.5", Reading()), number_read("1.234,5", Reading(decimal_comma=True))
    (1.5, 1234.5)
    >>> number_read("?", Reading()), number_read("1,234", Reading())
    (nan, None)
    """
    (found,) = texts_read([text], reading, name)
    if found is None:
        return math.nan
    written = reading.of(name)
    if written.is_measured:
        return written.value(found)
    if not re.match(COMMAS if reading.decimal_comma else NUMBERS, found, re.ASCII):
        return None
    return float(found.replace(".", "").replace(",", ".") if reading.decimal_comma else found)
