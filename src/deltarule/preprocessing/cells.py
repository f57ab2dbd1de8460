"""What the cells of a column hold: numbers or values that recur, whatever their type.

Where a column comes as text, a :class:`~deltarule.data.Reading` says how its cells are read; None
takes them as they are. A prediction calls nearly all of this, also in a forked process, where
polars has no threads. So of polars there is only what needs none: casts, slices, conversions to and
from NumPy and lists. What is left, :func:`coded`, only training calls.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.data.values import has_nan, number_read, seconds_of, texts_read
from deltarule.errors import CellError, DataError, require, setting
from deltarule.forks import is_inherited

if TYPE_CHECKING:
    import polars as pl

_polars = partial(require, "polars", "table", "preprocessing", threads=False)
_BLOCK = 1 << 16  # rows
_PLAIN = re.compile(r"[+-]?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d{1,2})?")  # not 007, a code

DAY = 86_400_000.0
"""The milliseconds of a day."""


def check_type(column: pl.Series) -> None:
    """Refuse a column whose cells are lists, records, bytes or objects.

    Raises
    ------
    DataError
        With the column and its type.
    """
    polars = _polars()
    if column.dtype.is_nested() or column.dtype in (polars.Binary, polars.Object):
        found = str(column.dtype)
        if column.dtype == polars.Object:
            found = type(next(cell for cell in column if cell is not None)).__name__
        raise DataError(
            f"column {column.name!r} holds cells of type {found}; expected numbers, text, "
            "booleans or dates. Unpack or drop it."
        )


def is_date(column: pl.Series) -> bool:
    """Whether a column's type is that of dates or moments."""
    polars = _polars()
    return column.dtype == polars.Date or isinstance(column.dtype, polars.Datetime)


def is_numeric(column: pl.Series) -> bool:
    """Whether a column's type is that of numbers; times of day and durations are."""
    polars = _polars()
    is_span = column.dtype == polars.Time or isinstance(column.dtype, polars.Duration)
    return is_span or bool(column.dtype.is_numeric())


def is_whole(column: pl.Series) -> bool:
    """Whether a column's type is that of whole numbers which processors know."""
    polars = _polars()
    is_long = column.dtype in (polars.Int128, polars.UInt128)
    return bool(column.dtype.is_integer()) and not is_long


def numbers_of(column: pl.Series, reading: Reading | None = None) -> pl.Series:
    """A column as Float64, missing values as nulls; durations and times in seconds.

    Parameters
    ----------
    column : polars.Series
    reading : Reading, optional
        How text is read.

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
    polars = _polars()
    if column.dtype == polars.Time:
        return column.cast(polars.Int64).cast(polars.Float64) / 1e9
    if isinstance(column.dtype, polars.Duration):
        return seconds_of(column)
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        numbers = column.cast(polars.Float64)
    else:
        numbers = _numbers_in_text(column, reading)
    if column.dtype.is_integer() or column.dtype == polars.Boolean:
        return numbers
    return _finite(numbers)


def days_in(column: pl.Series) -> Array:
    """The days since 1970 of dates or moments, with their fraction; missing ones as NaN.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import datetime
    >>> days_in(pl.Series([datetime(1970, 1, 2, 12), None])).tolist()
    [1.5, nan]
    """
    polars = _polars()
    if column.dtype == polars.Date:
        whole: Array = column.cast(polars.Int32).cast(polars.Float64).to_numpy()
        return whole
    numbers = column.cast(polars.Int64)  # of moments with a time zone those of UTC
    ticks = numbers.cast(polars.Datetime(column.dtype.time_unit)).cast(polars.Datetime("ms"))
    days: Array = ticks.cast(polars.Int64).cast(polars.Float64).to_numpy() / DAY
    return days


def narrow_numbers_of(column: pl.Series, reading: Reading | None = None) -> pl.Series:
    """The same in as few bytes as the column has: whole numbers, and floats of any precision.

    Examples
    --------
    >>> import polars as pl
    >>> narrow_numbers_of(pl.Series("a", [1, None])).to_list()
    [1, None]
    """
    if column.dtype.is_float():
        return _finite(column)
    return column if is_whole(column) else numbers_of(column, reading)


def _finite(numbers: pl.Series) -> pl.Series:
    """NaN as null; refuses infinity."""
    polars = _polars()
    if math.isfinite(numbers.sum()):
        return numbers
    values = numbers.to_numpy()
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise CellError(
            f"column {numbers.name!r} holds {numbers[row]}",
            row,
            "; expected finite numbers. Correct it, or leave it empty: missing inputs are filled.",
        )
    return polars.Series(numbers.name, values, nan_to_null=True)


def _numbers_in_text(column: pl.Series, reading: Reading | None) -> pl.Series:
    polars = _polars()
    if is_date(column):
        raise DataError(f"column {column.name!r} holds dates; expected numbers, as in training.")
    text = text_of(column)
    numbers = text.cast(polars.Float64, strict=False)
    unusual = reading is not None and (reading.decimal_comma or reading.of(column.name).is_measured)
    if numbers.null_count() == text.null_count() and not unusual:
        return numbers
    levels, codes = numbered(text)
    if reading is None:
        meant = polars.Series(levels, dtype=polars.String).cast(polars.Float64, strict=False)
        found = meant.to_list()
    else:
        found = [number_read(level, reading, column.name) for level in levels]
    odd = np.append([number is None for number in found], False)[codes]
    if odd.any():
        row = int(odd.argmax())
        expected = "numbers" if reading is None else reading.of(column.name).describe()
        raise CellError(
            f"column {column.name!r} holds text",
            row,
            f" ({text[row]!r}); expected {expected}. {as_missing(text[row])}.",
        )
    values = np.append(np.array(found, dtype=float), np.nan)[codes]
    return polars.Series(column.name, values, nan_to_null=True)


def as_missing(marker: str) -> str:
    """What to do where cells say that there is no value."""
    return setting(
        "Replace it by None to make it missing",
        f"Pass --missing {shlex.quote(marker)} to read it as missing",
    )


def as_category(name: str) -> str:
    """The setting that declares a column as a category."""
    return setting(f"kinds={{{name!r}: 'category'}}", f"--kind {shlex.quote(name)}=category")


def text_of(column: pl.Series) -> pl.Series:
    """A column as text; whole numbers without a point, so that 1.0 and 1 are one level."""
    polars = _polars()
    if column.dtype == polars.String:
        return column
    if isinstance(column.dtype, polars.Duration):
        column = seconds_of(column)
    if column.dtype.is_float() or isinstance(column.dtype, polars.Decimal):
        values = column.cast(polars.Float64).to_numpy()
        column = polars.Series(column.name, values, nan_to_null=True)
        if (np.isnan(values) | (values == np.floor(values))).all():
            short = column.cast(polars.Int64, strict=False)
            column = short if short.null_count() == column.null_count() else column
    return column.cast(polars.String)


def is_number(text: str) -> bool:
    """Whether a text is a number, and no code such as 007."""
    return _PLAIN.fullmatch(text) is not None


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
    polars = require("polars", "table", "preprocessing")
    if column.dtype == polars.Categorical:
        return _coded_physical(column)
    if not isinstance(column.dtype, polars.Enum):
        column = text_of(column)
        column = column.cast(polars.Enum(column.drop_nulls().unique().cast(polars.String).sort()))
    levels, codes = numbered(column)
    counts = _tallied(codes, len(levels))
    used = counts > 0
    if used.all() and counts.sum() == len(codes):
        return Coded(levels, codes, counts)
    signed = np.int16 if len(levels) < 1 << 15 else np.int32
    number_of = np.append(np.where(used, np.cumsum(used) - 1, -1), -1).astype(signed)
    levels = [level for level, is_used in zip(levels, used, strict=True) if is_used]
    return Coded(levels, number_of.take(codes), counts[used])


def _coded_physical(column: pl.Series) -> Coded:
    """:func:`coded` of a Categorical: its own numbers are renamed, no row's text is looked at."""
    polars = require("polars", "table", "preprocessing")
    used = column.drop_nulls().unique()
    texts = used.cast(polars.String)
    places = used.to_physical().gather(texts.arg_sort()).to_numpy()
    physical, absent = column.to_physical(), int(places.max(initial=0)) + 1
    physical = physical.fill_null(absent) if physical.null_count() else physical
    number_of = np.full(absent + 1, -1, np.int16 if len(places) < 1 << 15 else np.int32)
    number_of[places] = np.arange(len(places))
    codes = number_of.take(physical.to_numpy())
    counts = np.bincount(codes + 1, minlength=len(places) + 1)[1:]
    return Coded(texts.sort().to_list(), codes, counts)


def numbered(
    column: pl.Series, reading: Reading | None = None, known: Sequence[str] = ()
) -> tuple[list[str], Array]:
    """Texts, among them all of a column's values, and each row's number.

    A missing one has the number after the last.

    Parameters
    ----------
    column : polars.Series
    reading : Reading, optional
        How text is read; then a text may stand twice.
    known : sequence of str
        What training has learned. Where that is numbers, others are written likewise.

    Examples
    --------
    >>> import polars as pl
    >>> levels, codes = numbered(pl.Series(["b", None], dtype=pl.Enum(["a", "b"])))
    >>> levels, codes.tolist()
    (['a', 'b'], [1, 2])
    >>> levels, codes = numbered(pl.Series(["1.0", None, "NA", " 2"]), Reading(), ["1", "2"])
    >>> levels, codes.tolist()
    (['1', '2'], [0, 2, 2, 1])
    """
    levels, codes = _numbered(column)
    if reading is None:
        return levels, codes
    read = texts_read(levels, reading, column.name)
    kept = [text for text in read if text is not None]
    if len(kept) < len(levels):
        number = np.cumsum([text is not None for text in read]) - 1
        number[[text is None for text in read]] = len(kept)
        codes = np.append(number, len(kept)).astype(np.int32).take(codes)
    return _as_known(kept, set(known)), codes


def has_gaps(column: pl.Series, reading: Reading | None = None) -> bool:
    """Whether a column lacks a value in some row.

    Examples
    --------
    >>> import polars as pl
    >>> has_gaps(pl.Series(["a", "?"])), has_gaps(pl.Series(["a", "?"]), Reading())
    (False, True)
    """
    polars = _polars()
    if column.null_count() or column.dtype.is_float():
        return bool(column.null_count()) or has_nan(column)
    if reading is None or not (
        column.dtype in (polars.String, polars.Categorical) or isinstance(column.dtype, polars.Enum)
    ):
        return False
    levels, codes = numbered(column, reading)
    return bool((codes == len(levels)).any())


def _as_known(levels: list[str], known: Collection[str]) -> list[str]:
    """Texts as training wrote them, where it learned numbers; others as they are."""
    if not known or all(level in known for level in levels) or not all(map(is_number, known)):
        return levels
    short = (_shortest(text) if is_number(text) else text for text in levels)
    return [s if s in known else text for text, s in zip(levels, short, strict=True)]


def _shortest(number: str) -> str:
    value = float(number)
    return str(int(value)) if value == math.floor(value) else repr(value)


def _numbered(column: pl.Series) -> tuple[list[str], Array]:
    if not isinstance(column.dtype, _polars().Enum) or is_inherited("polars"):
        return _numbered_text(text_of(column))
    levels = column.dtype.categories.to_list()
    numbers = column.to_physical()  # which may need threads
    if not numbers.null_count():
        return levels, numbers.to_numpy()
    codes = np.empty(len(column), np.min_scalar_type(len(levels)))
    for first in range(0, len(codes), _BLOCK):
        some = numbers[first : first + _BLOCK].to_numpy()  # a missing one is NaN
        codes[first : first + _BLOCK] = np.nan_to_num(some, nan=len(levels))
    return levels, codes


def _numbered_text(text: pl.Series) -> tuple[list[str], Array]:
    """The same of text, some rows at a time: as Python's objects all would need memory."""
    number_of: defaultdict[str, int] = defaultdict()
    number_of.default_factory = number_of.__len__
    codes = np.empty(len(text), dtype=np.int32)
    for first in range(0, len(text), _BLOCK):
        some = text[first : first + _BLOCK].to_list()
        codes[first : first + _BLOCK] = [-1 if t is None else number_of[t] for t in some]
    codes[codes < 0] = len(number_of)
    return list(number_of), codes


def _tallied(codes: Array, n: int) -> Array:
    """How often each of 0 … n − 1 stands among codes of 0 … n.

    Some at a time: NumPy counts a copy of eight bytes each.
    """
    counts = np.zeros(n + 1, dtype=np.int64)
    step = max(_BLOCK, n)
    for first in range(0, len(codes), step):
        counts += np.bincount(codes[first : first + step], minlength=n + 1)
    return counts[:n]
