"""Columns of dates: as days since 1970, and as the kind of column that a network reads."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.errors import CellError, DataError, require
from deltarule.preprocessing.assembly import FARTHEST, Made, Rows
from deltarule.preprocessing.cells import (
    DAY,
    check_type,
    coded,
    days_in,
    is_date,
    is_numeric,
    numbered,
    numbers_of,
)
from deltarule.preprocessing.dates import format_of, milliseconds
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

_polars = partial(require, "polars", "table", "preprocessing", threads=False)
_UNIX = {"seconds since 1970": 86_400, "milliseconds since 1970": 86_400_000}
"""How many there are in a day."""

_RECENT = 10_957, 25_568  # the days of 2000 to 2039
_TIMES = re.compile(r"(^|[\W_])(unix|epoch|time|timestamp|ts|at|date|created|updated)($|[\W_])")


def date_format(column: pl.Series) -> str | None:
    """The format of a column's dates: empty for dates proper, None where it holds none."""
    if is_date(column):
        return ""
    if is_numeric(column):
        return _unix_format(column)
    return format_of(coded(column).levels)


def are_unix_times(column: pl.Series) -> bool:
    """Whether numbers are certainly Unix times: the column's name is that of a time as well.

    Examples
    --------
    >>> import polars as pl
    >>> are_unix_times(pl.Series("created_at", [1_700_000_000, 1_712_345_678]))
    True
    >>> are_unix_times(pl.Series("price", [1_700_000_000, 1_712_345_678]))
    False
    """
    named = _TIMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name).lower())
    return named is not None and _unix_format(column) is not None


def _unix_format(column: pl.Series) -> str | None:
    """The unit in which all numbers are moments of 2000 to 2039, where there is one."""
    if not column.dtype.is_integer() or column.null_count() == len(column):
        return None
    low, high = int(column.min()), int(column.max())
    fits = (low >= _RECENT[0] * n and high < _RECENT[1] * n for n in _UNIX.values())
    return next((form for form, fit in zip(_UNIX, fits, strict=True) if fit), None)


def days_of(column: pl.Series, form: str, reading: Reading | None = None) -> Array:
    """Days since 1970 with their fraction, missing ones as NaN.

    Parameters
    ----------
    column : polars.Series
        Dates, text, or Unix times.
    form : str
        The format of text, or the unit of Unix times; empty for the international format.
    reading : Reading, optional
        How text is read.

    Raises
    ------
    DataError
        For text of another format, with its row; for numbers.
    """
    if is_date(column):
        return days_in(column)
    if form in _UNIX:
        days: Array = numbers_of(column, reading).to_numpy() / _UNIX[form]
        return days
    if is_numeric(column):
        raise DataError(
            f"column {column.name!r} holds numbers; expected dates{f' ({form})' if form else ''}."
        )
    levels, codes = numbered(column, reading)
    days = milliseconds(levels, form) / DAY
    absent = np.isnan(days)
    if absent.any() and np.append(absent, False)[codes].any():
        row = int(np.append(absent, False)[codes].argmax())
        raise CellError(
            f"column {column.name!r} holds {column[row]!r}",
            row,
            f"; expected a date ({form or '%Y-%m-%d'}).",
        )
    return np.append(days, np.nan)[codes]


def distinct_days(
    column: pl.Series, form: str, reading: Reading | None = None
) -> tuple[Array, Array | None]:
    """Days since 1970 that lie close together, once each, and which of them each row has.

    A missing one is the last. Other moments stay a row each, and then there are no numbers.

    Examples
    --------
    >>> import polars as pl
    >>> days, codes = distinct_days(pl.Series(["1970-01-03", None, "1970-01-02"]), "")
    >>> days.tolist(), codes.tolist()
    ([1.0, 2.0, nan], [1, 2, 0])
    """
    return _calendar(column) or _distinct(days_of(column, form, reading))


def _calendar(column: pl.Series) -> tuple[Array, Array] | None:
    """The same of dates proper, from the four bytes that each of them is."""
    if column.dtype != _polars().Date or column.null_count() == len(column):
        return None
    numbers = column.cast(_polars().Int32)
    low, high = int(numbers.min()), int(numbers.max())
    if high - low >= len(numbers):
        return None
    codes = numbers.to_numpy() - low
    if numbers.null_count():
        codes = np.where(np.isnan(codes), high + 1 - low, codes).astype(np.int32)
    return np.append(np.arange(low, high + 1.0), np.nan), codes


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


@dataclass(frozen=True)
class Date:
    """Dates: time elapsed, season and weekday as points of a circle, and hour where there is one.

    Attributes
    ----------
    name : str
    format : str
        Of the text, or the unit of Unix times; empty where the column held dates.
    mean, std : float
        Of the training rows, in days since 1970.
    hours : bool
        Whether the time of day varies.
    missing : int
    low, high : float
        The training range in days since 1970; unbounded where it is not known of all rows.
    """

    name: str
    format: str
    mean: float
    std: float
    hours: bool
    missing: int
    low: float = -sys.float_info.max
    high: float = sys.float_info.max
    kind: ClassVar[str] = "date"

    @classmethod
    def fit(cls, column: pl.Series) -> Date:
        """Learn from the training rows."""
        check_type(column)
        form = date_format(column)
        if form is None or column.null_count() == len(column):
            present = column.drop_nulls()
            raise DataError(
                f"column {column.name!r}: holds {present[0] if len(present) else None!r}; expected "
                "dates such as 2024-05-31."
            )
        days = days_of(column, form)
        absent = np.isnan(days)
        missing = int(absent.sum())
        present = days[~absent] if missing else days
        hours = bool((present != np.floor(present)).any())
        std = float(present.std()) or 1.0
        low, high = float(present.min()), float(present.max())
        return cls(column.name, form, float(present.mean()), std, hours, missing, low, high)

    def refined(self, totals: Totals) -> Date:
        """The same, missing where any of more rows than it was fitted on is."""
        unit = _UNIX.get(self.format, 1)
        low, high = self.low, self.high
        if math.isfinite(totals.low):
            low, high = min(low, totals.low / unit), max(high, totals.high / unit)
        else:
            low, high = Date.low, Date.high
        return replace(self, missing=totals.missing, low=low, high=high)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        parts = ["elapsed", "season sin", "season cos", "weekday sin", "weekday cos"]
        parts += ["hour sin", "hour cos"] if self.hours else []
        parts += ["is missing"] if self.missing else []
        return [f"{self.name} {part}" for part in parts]

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """The parts; those of a missing date are 0."""
        days, codes = distinct_days(column, self.format, reading)
        return Rows(self._parts(days), codes)

    def _parts(self, days: Array) -> Array:
        """The outputs of some days, one below the other."""
        turns = [days / 365.2425, np.floor(days + 3) / 7]  # 1970-01-01 was a Thursday
        turns += [days] if self.hours else []
        circles = [f(2 * np.pi * turn) for turn in turns for f in (np.sin, np.cos)]
        with np.errstate(over="ignore"):
            elapsed = np.clip((days - self.mean) / self.std, -FARTHEST, FARTHEST)
        parts = [elapsed, *circles]
        parts += [np.isnan(days)] if self.missing else []
        made = np.empty((len(days), len(parts)), dtype=np.float32)
        for column, part in zip(made.T, parts, strict=True):
            column[:] = np.nan_to_num(part)
        return made

    @property
    def bounds(self) -> str:
        """What is outside the training range, and the range."""
        low, high = (np.datetime64(math.floor(day), "D") for day in (self.low, self.high))
        return f"a date outside the training range, {low} to {high}"

    @property
    def written(self) -> str:
        """The forms of the text; empty for dates proper."""
        years = ", years 1970 to 2069" if "%y" in self.format else ""
        return self.format.replace("|", " or ") + years

    def describe(self) -> str:
        """What was done, in one clause."""
        flagged = f", {self.missing} missing flagged" if self.missing else ""
        written = f" (written {self.written})" if self.format else ""
        return f"elapsed time, season, weekday{', hour' if self.hours else ''}{written}{flagged}"
