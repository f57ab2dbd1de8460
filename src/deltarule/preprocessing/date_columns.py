"""Columns of dates: as days since 1970, and as the kind of column that a network reads."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.data.objects import cells_of
from deltarule.data.values import texts_read
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
from deltarule.preprocessing.numeric import ENOUGH
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

_polars = partial(require, "polars", "table", "preprocessing", threads=False)
_UNIX = {"seconds since 1970": 86_400, "milliseconds since 1970": 86_400_000}
"""How many there are in a day."""

_EXCEL, _YMD, _MY = "days of Excel", "YYYYMMDD", "MM.YYYY"
_EXCEL_1970 = 25_569
_BEGIN, _MILLISECOND = datetime(1970, 1, 1), timedelta(milliseconds=1)

_RECENT = 10_957, 25_568  # the days of 2000 to 2039
_YEARS = 1900_00_00, 2100_00_00
_DATE_NAMES = r"date|datum|fecha|dato|jour|giorno|dag|day|created|updated"
_DATE_NAMES += "|month|monat|mois|mes|mese|mês|maand|period|periode"
_DATES_NAMED = re.compile(rf"(^|[\W_])({_DATE_NAMES})($|[\W_])")
_TIMES = re.compile(rf"(^|[\W_])(unix|epoch|time|timestamp|ts|at|when|{_DATE_NAMES})($|[\W_])")


def date_format(column: pl.Series, order: str | None = None) -> str | None:
    """The format of a column's dates: empty for dates proper, None where it holds none.

    Parameters
    ----------
    column : polars.Series
    order : str, optional
        Of day and month, where both fit: ``"day-first"`` or ``"month-first"``.
    """
    if is_date(column):
        return ""
    if is_numeric(column):
        return _number_format(column)
    return format_of(coded(column).levels, order)


def are_dates(column: pl.Series) -> bool:
    """Whether numbers are certainly Unix times or dates: the column's name says so as well.

    Examples
    --------
    >>> import polars as pl
    >>> are_dates(pl.Series("created_at", [1_700_000_000, 1_712_345_678]))
    True
    >>> are_dates(pl.Series("price", [1_700_000_000, 1_712_345_678]))
    False
    >>> are_dates(pl.Series("date", [20240131, 20240201])), are_dates(pl.Series("month", [5.2024]))
    (True, True)
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name).lower()
    form = _number_format(column) if _TIMES.search(name) else None
    return form is not None and (form in _UNIX or _DATES_NAMED.search(name) is not None)


def _number_format(column: pl.Series) -> str | None:
    """What all numbers count or spell, where they lie in a range that hardly anything else has."""
    if column.null_count() == len(column):
        return None
    if column.dtype.is_float():
        return None if np.isnan(_months(column.drop_nulls().to_numpy())).any() else _MY
    if not column.dtype.is_integer():
        return None
    low, high = int(column.min()), int(column.max())
    for form, n in _UNIX.items():
        if low >= _RECENT[0] * n and high < _RECENT[1] * n:
            return form
    if low >= _RECENT[0] + _EXCEL_1970 and high < _RECENT[1] + _EXCEL_1970:
        return _EXCEL
    spelled = low >= _YEARS[0] and high < _YEARS[1]
    return (
        _YMD if spelled and not np.isnan(_spelled(column.drop_nulls().to_numpy())).any() else None
    )


def _counted(n: int, numbers: Array) -> Array:
    """Days since 1970 of numbers that count parts of a day, of which it has `n`."""
    days: Array = numbers / n
    return days


def _months(numbers: Array) -> Array:
    """Days since 1970 of numbers such as 5.2024, the first of a month; NaN where that is none."""
    month = np.floor(np.nan_to_num(numbers))
    part = (np.nan_to_num(numbers) - month) * 10_000
    year = np.round(part)
    spelled = year * 10_000 + month * 100 + 1
    certain = (np.abs(part - year) < 1e-6) & (spelled >= _YEARS[0]) & (spelled < _YEARS[1])
    return _spelled(np.where(certain, spelled, 0))


def _spelled(numbers: Array) -> Array:
    """Days since 1970 of numbers such as 20240531; NaN for what no calendar has."""
    whole = np.nan_to_num(numbers).astype(np.int64)
    year, month, day = whole // 10_000, whole // 100 % 100, whole % 100
    there = (year > 0) & (year < 10_000) & (month > 0) & (month < 13) & (day > 0)
    months = (np.where(there, year, 1970) - 1970) * 12 + np.where(there, month, 1) - 1
    starts, ends = (
        each.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for each in (months, months + 1)
    )
    found: Array = np.where(there & (day <= ends - starts), starts + day - 1.0, np.nan)
    return found


DAYS: dict[str, Callable[[Array], Array]] = {
    **{form: partial(_counted, n) for form, n in _UNIX.items()},
    _EXCEL: lambda numbers: numbers - _EXCEL_1970,
    _YMD: _spelled,
    _MY: _months,
}
"""Days since 1970 of numbers, by what these count or spell; NaN where they spell none."""


def days_of(column: pl.Series, form: str, reading: Reading | None = None) -> Array:
    """Days since 1970 with their fraction, missing ones as NaN.

    Parameters
    ----------
    column : polars.Series
        Dates, text, or Unix times.
    form : str
        The format of text or of numbers; empty for the international format.
    reading : Reading, optional
        How text is read.

    Raises
    ------
    DataError
        For text of another format, with its row; for numbers.
    """
    if is_date(column):
        return days_in(column)
    if form in DAYS:
        return _days_of_numbers(column, form, numbers_of(column, reading).to_numpy())
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


def _days_of_numbers(column: pl.Series, form: str, numbers: Array) -> Array:
    days = DAYS[form](numbers)
    odd = np.isnan(days) & ~np.isnan(numbers)
    if odd.any():
        row = int(odd.argmax())
        raise CellError(f"column {column.name!r} holds {column[row]!r}", row, f"; expected {form}.")
    return days


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
    median : float, optional
        Of the training rows, in days since 1970; older model files lack it.
    """

    name: str
    format: str
    mean: float
    std: float
    hours: bool
    missing: int
    low: float = -sys.float_info.max
    high: float = sys.float_info.max
    median: float | None = None
    kind: ClassVar[str] = "date"

    @classmethod
    def fit(cls, column: pl.Series, order: str | None = None) -> Date:
        """Learn from the training rows."""
        check_type(column)
        form = date_format(column, order)
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
        some = present[:: max(1, len(present) // ENOUGH)]
        median = float(np.quantile(some, 0.5, method="lower"))  # a day of theirs
        return cls(column.name, form, float(present.mean()), std, hours, missing, low, high, median)

    def refined(self, totals: Totals) -> Date:
        """The same, missing where any of more rows than it was fitted on is."""
        low, high = Date.low, Date.high
        if math.isfinite(totals.low) and self.format != _MY:  # whose numbers do not rise with time
            ends = np.array([totals.low, totals.high])
            first, last = DAYS[self.format](ends) if self.format in DAYS else ends
            low, high = min(self.low, float(first)), max(self.high, float(last))
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

    def day_of(self, cell: Any, reading: Reading | None) -> float | None:
        """Days since 1970 of one cell, as :func:`days_of`; None for what it has to read or refuse.

        Examples
        --------
        >>> column = Date("sold", "%d.%m.%Y", 0.0, 1.0, False, 0)
        >>> column.day_of("2.1.1970", None), column.day_of(date(1970, 1, 3), None)
        (1.0, 2.0)
        >>> column.day_of("soon", None) is column.day_of(None, None) is None
        True
        """
        if isinstance(cell, np.datetime64):
            (cell,) = cells_of([cell])
        if isinstance(cell, datetime):
            local = cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None)
            days = (local - _BEGIN) // _MILLISECOND / DAY  # of pandas' NaT it is NaN
        elif isinstance(cell, date):
            days = float(cell.toordinal() - _BEGIN.toordinal())
        elif isinstance(cell, str) and self.format not in DAYS:
            (text,) = [cell] if reading is None else texts_read([cell], reading, self.name)
            days = math.nan if text is None else milliseconds([text], self.format).item() / DAY
        else:
            return None
        return None if math.isnan(days) else days

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
