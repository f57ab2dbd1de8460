"""Dates written as text: their formats, and what they mean in milliseconds since 1970.

Plain Python, since a prediction may be made in a forked process, where polars has no threads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

import numpy as np

from deltarule.arrays import Array

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d"),
    *("%d.%m.%y", "%d.%m.%Y"),  # a year of two digits first: %Y would read 24 as the year 24
    *("%m/%d/%y", "%m/%d/%Y", "%d/%m/%y", "%d/%m/%Y"),
    *("%d-%m-%y", "%d-%m-%Y", "%d-%B-%Y", "%d %B %Y", "%B %d, %Y"),
)
_HOURS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")

DATE_FORMATS = tuple(date + hour for date in _DATES for hour in _HOURS)
"""Formats of dates; where several fit a column, the first is taken."""

_BEGINS = re.compile(  # as all of them do: most text is recognized as no date by this alone
    r"\d{1,4}[-/. ]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d"
)
_FIRST = 50  # texts looked at before all are
_NAMES = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTHS = {name[:end]: i for i, name in enumerate(_NAMES, 1) for end in (3, None)}
_FIELDS = {
    "%Y": r"\s*(?P<year>\d{1,4})",
    "%y": r"\s*(?P<short>\d{1,2})",
    "%m": r"\s*(?P<month>\d{1,2})",
    "%B": r"(?P<name>[A-Za-z]+)",
    "%d": r"\s*(?P<day>\d{1,2})",
    "%H": r"\s*(?P<hour>2[0-3]|[01]?\d)",
    "%I": r"\s*(?P<half>1[0-2]|0?[1-9])",
    "%M": r"\s*(?P<minute>[0-5]?\d)",
    "%S": r"\s*(?P<second>60|[0-5]?\d)",
    "%p": r"(?P<noon>[AaPp][Mm])",
    " ": r"\s*",
}
_ISO = re.sub(
    "%.",
    lambda field: _FIELDS[field[0]],
    r"%Y-%m-%d(?:[T ]%H:%M(?::%S(?P<fraction>\.\d+)?)?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d))?)?",
)
_EPOCH = date(1970, 1, 1).toordinal()


def format_of(levels: Sequence[str]) -> str | None:
    """The format in which all of some texts are dates; None where there is none.

    Examples
    --------
    >>> format_of(["31.05.2024", "01.06.2024"])
    '%d.%m.%Y'
    """
    if not all(map(_BEGINS.match, levels[:_FIRST])):
        return None
    for form in DATE_FORMATS:
        if all(not _absent(part, form).any() for part in (levels[:_FIRST], levels)):
            return form
    return None


def no_dates(levels: Sequence[str]) -> tuple[str, list[int]]:
    """Where most of some texts are dates, their format and the numbers of those that are none.

    Examples
    --------
    >>> no_dates(["1.5.2024", "2.5.2024", "3.5.2024", "soon"])
    ('%d.%m.%Y', [3])
    """
    some = levels[:: max(1, len(levels) // _FIRST)]
    if sum(map(bool, map(_BEGINS.match, some))) <= len(some) / 2:
        return "", []
    for form in DATE_FORMATS:
        if _absent(some, form).sum() < len(some) / 2:
            return form, np.flatnonzero(_absent(levels, form)).tolist()
    return "", []


def milliseconds(texts: Sequence[str], form: str) -> Array:
    """Milliseconds since 1970 as float64; NaN where a text is no date of that format.

    Parameters
    ----------
    texts : sequence of str
    form : str
        One of :data:`DATE_FORMATS`; empty for the international one, whose offset is applied.

    Examples
    --------
    >>> milliseconds(["1.1.1970 0:01", "soon"], "%d.%m.%Y %H:%M").tolist()
    [60000.0, nan]
    >>> milliseconds(["1970-01-02", "1970-01-01T01:00:00.5+01:00"], "").tolist()
    [86400000.0, 500.0]
    """
    matches = map(_pattern(form).fullmatch, texts)
    found = (math.nan if match is None else _since_1970(match.groupdict("0")) for match in matches)
    return np.fromiter(found, np.float64, len(texts))


def _absent(texts: Sequence[str], form: str) -> Array:
    return np.isnan(milliseconds(texts, form))


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split("(%.| )", form)
    return re.compile("".join(_FIELDS.get(part, re.escape(part)) for part in parts) or _ISO)


def _since_1970(parts: Mapping[str, str]) -> float:
    """Milliseconds from the parts of a date; NaN for a day that no calendar has."""
    year = int(parts.get("year") or parts["short"])
    if "short" in parts:
        year += 2000 if year < 70 else 1900
    month = _MONTHS.get(parts["name"].lower(), 0) if "name" in parts else int(parts["month"])
    try:
        days = date(year, month, int(parts["day"])).toordinal() - _EPOCH
    except ValueError:
        return math.nan
    hour = int(parts.get("hour", 0))
    if "half" in parts:
        hour = int(parts["half"]) % 12 + 12 * (parts["noon"].lower() == "pm")
    seconds = 3600 * hour + 60 * int(parts.get("minute", 0)) + int(parts.get("second", 0))
    offset = 3600 * int(parts.get("hours", 0)) + 60 * int(parts.get("minutes", 0))
    seconds += offset if parts.get("sign") == "-" else -offset
    fraction = parts.get("fraction", "")[1:4]
    return 1000.0 * (86_400 * days + seconds) + int(fraction.ljust(3, "0"))
