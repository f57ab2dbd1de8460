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
from deltarule.data.reading_settings import ORDERS
from deltarule.preprocessing.months import WEEKDAY, month_of

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%y", "%d.%m.%Y"),
    *("%m/%d/%y", "%m/%d/%Y", "%d/%m/%y", "%d/%m/%Y"),
    *("%d-%m-%y", "%d-%m-%Y", "%m-%d-%y", "%m-%d-%Y"),
    *("%d-%B-%y", "%d-%B-%Y", "%d %B %y", "%d %B %Y"),
    *("%d. %B %Y", "%d de %B de %Y", "%B %d, %Y", "%B %d %Y"),
    *("%Y-%B-%d", "%Y\u5e74%m\u6708%d\u65e5"),
)
_OTHERS = (
    *("%d%B%y:%H:%M:%S", "%d%B%Y:%H:%M:%S", "%Y%m%dT%H%M%S", "%d/%B/%Y:%H:%M:%S"),
    *("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%B %Y", "%B-%Y", "%B-%y", "%Y-%B", "%Y %B"),
    *("%Y-W%V", "%YW%V", "%Y-W%V-%u", "%Y\u5e74%m\u6708"),
    *("Q%q %Y", "Q%q-%Y", "Q%q/%Y", "%YQ%q", "%Y-Q%q", "%Y Q%q"),
)
"""Of server logs and SAS; months, weeks and quarters, which are their first day."""
_HOURS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")

DATE_FORMATS = (*(date + hour for date in _DATES for hour in _HOURS), *_OTHERS)
"""Formats of dates; where several fit a column, the first is taken. A time may have a zone."""

_BEGIN_OF = dict(zip(ORDERS, (("%d/%m", "%d-%m"), ("%m/%d", "%m-%d")), strict=True))
"""How the forms of dates of each order begin."""

_BEGINS = re.compile(  # as all of them do
    r"\d{1,4}[-/. \u5e74]|\d{4}[QW]\d|\d{8}T\d|Q[1-4]|\d\d?(?P<month>[^\W\d_]{3,})\d"
    r"|(?P<name>[^\W\d_]{3,})\.?[ -]\d"
)
_WEEKDAY = re.compile(f"^{WEEKDAY}")
_SEASON = re.compile(r"\d\d(\d\d)[-/](\d\d)")
_FIRST = 50  # texts looked at before all are
_MOST = 4  # forms of one column
_CONTRARY = [("%d/%m/", "%m/%d/"), ("%d-%m-", "%m-%d-")]  # of which one column has one
_FIELDS = {
    "%Y": r"\s*(?P<year>\d{1,4})",
    "%y": r"\s*(?P<short>\d{1,2})",
    "%m": r"\s*(?P<month>\d{1,2})",
    "%B": r"(?P<name>[^\W\d_]+)\.?",
    "%d": r"\s*(?P<day>\d{1,2})",
    "%V": r"(?P<week>\d{1,2})",
    "%u": r"(?P<weekday>[1-7])",
    "%q": r"(?P<quarter>[1-4])",
    "%H": r"\s*(?P<hour>2[0-3]|[01]?\d)",
    "%I": r"\s*(?P<half>1[0-2]|0?[1-9])",
    "%M": r"\s*(?P<minute>[0-5]?\d)",
    "%S": r"\s*(?P<second>60|[0-5]?\d)",
    "%p": r"(?P<noon>[AaPp][Mm])",
    " ": r"\s*",
}
_OFFSET = r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)"
_ZONE = rf"(?:\s*(?:Z|UTC|GMT|{_OFFSET}))?"
_ISO = re.sub(
    "%.",
    lambda field: _FIELDS[field[0]],
    rf"%Y-%m-%d(?:[T ]%H:%M(?::%S(?P<fraction>\.\d+)?)?(?:Z|{_OFFSET})?)?",
)
_EPOCH = date(1970, 1, 1).toordinal()


def format_of(levels: Sequence[str], order: str | None = None) -> str | None:
    """The format in which all of some texts are dates; None where there is none.

    Of a column whose dates are written in several forms, these are joined by ``|``.

    Parameters
    ----------
    levels : sequence of str
    order : str, optional
        ``"day-first"`` or ``"month-first"``, taken where both fit.

    Examples
    --------
    >>> format_of(["31.05.2024", "01.06.2024"])
    '%d.%m.%Y'
    >>> format_of(["31.05.2024", "2024-06-01"])
    '%Y-%m-%d|%d.%m.%Y'
    """
    if not all(map(_begins, levels[:_FIRST])) or _are_seasons(levels):
        return None
    for form in _ordered(order):
        if all(not _absent(part, form).any() for part in (levels[:_FIRST], levels)):
            return form
    form, odd = no_dates(levels, order)
    return form if form and not odd else None


def _ordered(order: str | None) -> list[str]:
    """The formats, those of another order last."""
    last = [begin for name, own in _BEGIN_OF.items() if order and name != order for begin in own]
    return sorted(DATE_FORMATS, key=lambda form: form[:5] in last)


def _are_seasons(levels: Sequence[str]) -> bool:
    """Whether texts are seasons, such as 2010-11, and no months."""
    parts = [_SEASON.fullmatch(level) for level in levels]
    return all(part and (int(part[1]) + 1) % 100 == int(part[2]) for part in parts)


def no_dates(levels: Sequence[str], order: str | None = None) -> tuple[str, list[int]]:
    """Where most of some texts are dates, their format and the numbers of those that are none.

    Examples
    --------
    >>> no_dates(["1.5.2024", "2.5.2024", "3.5.2024", "soon"])
    ('%d.%m.%Y', [3])
    """
    some = levels[:: max(1, len(levels) // _FIRST)]
    if sum(map(_begins, some)) <= len(some) / 2:
        return "", []
    forms: list[str] = []
    odd, formats = list(range(len(levels))), _ordered(order)
    while odd and len(forms) < _MOST:
        left = [levels[i] for i in odd[:: max(1, len(odd) // _FIRST)]]
        absent = [_absent(left, form).sum() for form in formats]
        form = formats[int(np.argmin(absent))]
        known = "|".join([*forms, form])
        if min(absent) == len(left) or any(a in known and b in known for a, b in _CONTRARY):
            break
        fits = ~_absent([levels[i] for i in odd], form)
        forms.append(form)
        odd = [i for i, is_date in zip(odd, fits, strict=True) if not is_date]
    forms.sort(key=formats.index)
    return ("|".join(forms), odd) if len(odd) <= len(levels) / 2 else ("", [])


def also_fits(levels: Sequence[str], form: str) -> tuple[str, str] | None:
    """Two forms that texts have, day first and month first, where nothing decides between them.

    Parameters
    ----------
    levels : sequence of str
    form : str
        Of :func:`format_of`.

    Examples
    --------
    >>> also_fits(["1/2/2024", "3/4/2024"], "%m/%d/%Y")
    ('%m/%d/%Y', '%d/%m/%Y')
    >>> also_fits(["1/2/2024", "3/14/2024"], "%m/%d/%Y")
    """
    for each in form.split("|"):
        other = each.replace("%d", "%D").replace("%m", "%d").replace("%D", "%m")
        if other in DATE_FORMATS:
            found, swapped = (_read(levels, order, strict=True) for order in (each, other))
            there = ~np.isnan(found)
            if not np.isnan(swapped[there]).any() and (found != swapped)[there].any():
                return each, other
    return None


def milliseconds(texts: Sequence[str], form: str) -> Array:
    """Milliseconds since 1970 as float64; NaN where a text is not a date of that format.

    A year of two digits is one of 1970 to 2069.

    Parameters
    ----------
    texts : sequence of str
    form : str
        One of :data:`DATE_FORMATS`, or several, joined by ``|``; empty for the international one,
        whose offset is applied.

    Examples
    --------
    >>> milliseconds(["1.1.1970 0:01", "soon"], "%d.%m.%Y %H:%M").tolist()
    [60000.0, nan]
    >>> milliseconds(["1970-01-02", "1970-01-01T01:00:00.5+01:00"], "").tolist()
    [86400000.0, 500.0]
    """
    if "|" not in form:
        return _read(texts, form)
    found = np.full(len(texts), np.nan)
    for each in form.split("|"):
        found = np.where(np.isnan(found), _read(texts, each, strict=True), found)
    return found


def _begins(text: str) -> bool:
    """Whether a text begins as a date does: most text is recognized as no date by this alone."""
    found = _BEGINS.match(_WEEKDAY.sub("", text))
    if found is None:
        return False
    name = found["name"] or found["month"]
    return name is None or month_of(name) > 0


def _absent(texts: Sequence[str], form: str) -> Array:
    return np.isnan(_read(texts, form, strict=True))


def _read(texts: Sequence[str], form: str, *, strict: bool = False) -> Array:
    """Milliseconds since 1970; `strict` demands all digits of a year."""
    matches = map(pattern_of(form, strict).fullmatch, texts)
    found = (math.nan if match is None else _since_1970(match.groupdict("0")) for match in matches)
    return np.fromiter(found, np.float64, len(texts))


@cache
def pattern_of(form: str, strict: bool) -> re.Pattern[str]:
    """What a whole text looks like that is a date of a format; its groups are the date's parts."""
    parts = re.split("(%.| )", form)
    pattern = "".join(_FIELDS.get(part, re.escape(part)) for part in parts)
    pattern = f"{pattern}{_ZONE}" if "%M" in form else pattern or _ISO
    pattern = f"(?:{WEEKDAY})?{pattern}" if form else pattern
    return re.compile(pattern.replace(r"\d{1,4}", r"\d{4}") if strict else pattern)


def _day(year: int, parts: Mapping[str, str]) -> date:
    """The day, or the first one of a week, month or quarter."""
    if "week" in parts:
        return date.fromisocalendar(year, int(parts["week"]), int(parts.get("weekday", 1)))
    if "quarter" in parts:
        return date(year, 3 * int(parts["quarter"]) - 2, 1)
    month = month_of(parts["name"]) if "name" in parts else int(parts["month"])
    return date(year, month, int(parts.get("day", 1)))


def _since_1970(parts: Mapping[str, str]) -> float:
    """Milliseconds from the parts of a date; NaN for a day that no calendar has."""
    year = int(parts.get("year") or parts["short"])
    if "short" in parts:
        year += 2000 if year < 70 else 1900
    try:
        days = _day(year, parts).toordinal() - _EPOCH
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
