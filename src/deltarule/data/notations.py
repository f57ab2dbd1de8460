"""How a column writes its numbers: found from some of its cells, by what nearly all agree on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from deltarule.data.forms import (
    APPROXIMATELY,
    BOUNDS,
    FORMS,
    MARK,
    PLAINER,
    UNITS,
    plainly,
    replaced,
)
from deltarule.data.readings import GROUPS, MAGNITUDES, MARKERS, ColumnReading
from deltarule.data.values import float_holds

ODD = 5
"""Cells without a digit that a column of numbers may have, all different."""

_AGREED = 0.9  # of the cells with digits
_FIRST = 64  # cells, which nearly always show that a column holds no numbers
_LONGEST = 350  # characters that the patterns see; a float has up to 309 digits before the point
_DIGIT = re.compile("[0-9]")
_PADDED = re.compile(r"[^0-9]*0[0-9]+(?![0-9]*[.,:h])")
_NOT_A_CODE = re.compile("[:h\u00b0\u00b1]|[0-9]'")
_BODY = r"([.,]?[0-9]+(?:[.,'\u2019 \u00a0\u202f\u2009_][0-9]+)*(?:[eE][+-]?[0-9]+)?)"
_SHAPE = re.compile(
    rf"{APPROXIMATELY}?\s*[-+(\u2212\u2013]?\s*(?P<prefix>[^0-9.,()]*?(?:(?<=[A-Za-z])\.)?)\s*"
    rf"[-+(\u2212\u2013]?\s*(?P<body>{_BODY})\s*(?P<suffix>.*?)"
)
_UNIT = re.compile(
    r"[^\W\d_][^0-9|<>:;=]{0,14}[0-9\u00b2\u00b3]?|[%\u2030\u00b0\u00b5\u2033\u2032\"'][^0-9|]{0,3}"
    r"|(?:/|of|von|out of)\s*[0-9]{1,4}(?:\s*[a-z]+)?|[$\u00a2-\u00a5\u20a0-\u20cf]?\s*/\s*"
    r"[A-Za-z\u00b5]{1,8}[0-9\u00b2\u00b3]?"
)
_SIGN_OF_MONEY = re.compile(r"[A-Z]{0,3}[$\u00a2-\u00a5\u0e3f\u20a0-\u20cf]")
_MONEY = frozenset(
    {
        *("AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK"),
        *("EGP", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KRW", "MXN"),
        *("MYR", "NOK", "NZD", "PEN", "PHP", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB"),
        *("TRY", "TWD", "UAH", "USD", "VND", "ZAR", "Rs", "Rs.", "kr", "kr.", "Fr.", "Kč", "zł"),
        *("Ft", "US", "AU", "RM"),
    }
)
_LEADS = _MONEY | {
    *("ca", "ca.", "circa", "approx", "approx.", "about", "PT", "from", "ab", "desde"),
    *("under", "below", "less", "fewer", "over", "above", "more", "unter", "mehr", "plus"),
}
_WORD = re.compile(r"[^\W\d_]{2,}\.?(?![$\u00a2-\u00a5\u20a0-\u20cf])")
_AMBIGUOUS = frozenset({"m", "b", "B", "t", "T", "cr"})  # metres, bytes, tons
_RANGE = re.compile(
    rf"(?P<low>[^0-9]*{_BODY}\D*?)\s*(?:-|\u2013|\u2014|to|bis)\s*(?P<high>\D*{_BODY}.*)"
)
_TIME = re.compile(
    r"([0-9]{1,4})([:.h])([0-5][0-9])(?:[:.]([0-5][0-9])(\.[0-9]+)?)?\s*((?i:[ap]\.?m\.?)|h|Uhr)?"
)
_DATE = re.compile(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}\.?(?:[ T].*)?|"
    r"[0-9]{1,2}[- .]+(?!days?\b)[A-Za-z]{3,9}\.?[- ,]+[0-9]{2,4}.*|"
    r"[A-Za-z]{3,9}\.? [0-9]{1,2},? [0-9]{4}.*"
)
_PROPER = re.compile(r"(?:([0-9]+)[\s-]+)?([0-9]+)\s*/\s*([0-9]+)")
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_CLEAR_UNIT = re.compile(r"[0-9][\s\u00b0]+\D|[0-9][.,][0-9]|[^\W\d_]{2}")


def detected(levels: Sequence[str], decimal_comma: bool = False) -> ColumnReading | None:
    """How most of some different cells are written as numbers; None where they are not.

    A few cells may be something else: which, :func:`unread` says.

    Parameters
    ----------
    levels : sequence of str
    decimal_comma : bool
        Whether other columns of the table have a decimal comma.

    Examples
    --------
    >>> detected(["52 m2", "34 m2", "n/a"])
    ColumnReading(form='number', decimal='.', group='', prefix='', suffix='m2', magnitudes=False, \
marks=False, markers=(), foreign=False)
    >>> detected(["C85", "D12"]) is None
    True
    """
    if len(levels) > 2 * _FIRST and detected(levels[:_FIRST], decimal_comma) is None:
        return None
    plain = [plainly(level).strip() for level in levels]
    if plain != list(levels):
        found = detected(plain, decimal_comma)
        is_written = found is not None and (
            found.is_measured or _are_plain([cell for cell in plain if cell not in MARKERS])
        )
        form = "number" if found is not None and not found.is_measured else None
        return (
            replace(found, foreign=True, form=form or found.form) if found and is_written else found
        )
    cells = [level for level in levels if _DIGIT.search(level) and level not in MARKERS]
    others = sum(level not in MARKERS for level in levels) - len(cells)
    if len(cells) < 2 or others > ODD or others > len(cells):
        return None
    if _agreed(map(_DATE.fullmatch, cells), len(cells)) and not _is_dotted_clock(cells):
        return ColumnReading()
    words = [match[0] for match in map(_WORD.match, cells) if match]
    if sum(word not in _LEADS for word in words) > (1 - _AGREED) * len(cells):
        return None
    if any(map(_PADDED.match, cells)) and not any(map(_NOT_A_CODE.search, cells)):
        return None  # codes
    shown = [cell[:_LONGEST] for cell in cells]  # the patterns take quadratic time
    for find in _FINDERS:
        found = find(shown, decimal_comma)
        if found is not None and len(unread(cells, found)) <= (1 - _AGREED) * len(cells):
            return found
    return None


def unread(levels: Sequence[str], reading: ColumnReading) -> list[int]:
    """The numbers of the cells that a reading does not explain, and no known marker does."""
    if reading.is_measured:
        known = [reading.value(level) is not None for level in levels]
    else:
        plain = _DATE if sum(map(bool, map(_DATE.fullmatch, levels))) > len(levels) / 2 else _PLAIN
        known = [plain.fullmatch(level) is not None for level in levels]
    return [i for i, level in enumerate(levels) if not known[i] and level not in MARKERS]


def is_ambiguous(levels: Iterable[str], reading: ColumnReading) -> bool:
    """Whether a comma that groups thousands may as well be a decimal one."""
    if reading.group != "," or reading.form not in ("number", "range"):
        return False
    bodies = [match["body"] for match in map(_SHAPE.fullmatch, levels) if match]
    short = any(body.isdigit() and len(body) < 4 for body in bodies)
    round_ones = sum(body.endswith("0") for body in bodies) > len(bodies) / 3
    return (
        not short
        and not round_ones
        and not any("." in body or body.count(",") > 1 for body in bodies)
    )


def _agreed(found: Iterable[object], count: int) -> bool:
    return sum(each is not None for each in found) >= _AGREED * count


# --------------------------------------------------------------------------------- the forms


def _clock(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    times = [match for match in map(_TIME.fullmatch, cells) if match]
    if len(times) < _AGREED * len(cells):
        return None
    if any(match[2] == "." and not match[6] for match in times) and not _is_dotted_clock(cells):
        return None
    if any(match[2] == "h" and match[4] is None for match in times):
        return ColumnReading("clock")
    long = [match for match in times if match[4]]
    short = [match for match in times if not match[4]]
    is_mixed = bool(long) and any(int(match[1]) > 23 for match in short)
    return ColumnReading("minutes" if is_mixed else "clock")


def _is_dotted_clock(cells: Sequence[str]) -> bool:
    """Whether cells such as 18.00.00 are times, since not all can be dates."""
    parts = [cell.split(".") for cell in cells if re.fullmatch(r"[0-9]{1,2}(\.[0-9]{2}){2}", cell)]
    if len(parts) < _AGREED * len(cells):
        return False
    times = all(int(h) < 24 and int(m) < 60 and int(s) < 60 for h, m, s in parts)
    return times and not all(1 <= int(d) <= 31 and 1 <= int(m) <= 12 for d, m, _ in parts)


def _units(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    """Amounts whose units differ, such as kg and g, or that have several, such as 1h 20m."""
    for form in UNITS:
        cut = [_cut(cell, form) for cell in cells]
        places = [[i for i, part in enumerate(parts) if part.strip("-0")] for parts in cut]
        several = any(len(own) > 1 for own in places) or all(cell[0] == "P" for cell in cells)
        clear = several or any(map(_CLEAR_UNIT.search, cells))
        kinds = {i for own in places for i in own}
        if not clear or _are_few(cut, cells) or (len(kinds) < 2 and cells[0][0] != "P"):
            continue
        marks = _separators([part for parts in cut for part in parts if part], decimal_comma)
        if marks is not None:
            return ColumnReading(form, *marks)
    return None


def _cut(cell: str, form: str) -> list[str]:
    """The parts of a cell of some form, without the zeros in front; none where it has another."""
    parts = replaced(cell, FORMS[form].cut).split("|")
    if len(parts) != len(FORMS[form].weights):
        return []
    return [re.sub("^([-+]?)0+(?=[0-9])", r"\1", part) for part in parts]


def _are_few(cut: Sequence[Sequence[str]], cells: Sequence[str]) -> bool:
    return sum(map(bool, cut)) < _AGREED * len(cells)


def _arc(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    """Degrees with minutes, or of both hemispheres."""
    cut = [_cut(cell, "arc") for cell in cells]
    is_arc = any(parts[1].strip("-0") for parts in cut if parts) or any(
        "S" in c or "W" in c for c in cells
    )
    return ColumnReading("arc") if is_arc and not _are_few(cut, cells) else None


def _fraction(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    """Fractions of several denominators below 1, perhaps behind a whole number."""
    cut = [_cut(cell, "fraction") for cell in cells]
    found = [match for match in map(_PROPER.fullmatch, cells) if match]
    proper = all(int(match[2]) < int(match[3]) for match in found)
    several = len({match[3] for match in found}) > 1 or any(match[1] for match in found)
    is_fraction = len(found) > len(cells) / 3 and proper and several
    return ColumnReading("fraction") if is_fraction and not _are_few(cut, cells) else None


def _uncertain(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    """Numbers, each with its uncertainty."""
    cut = [replaced(cell, FORMS["uncertain"].cut) for cell in cells]
    if sum(a != b for a, b in zip(cells, cut, strict=True)) < len(cells) / 2:
        return None
    found = _number(cut, decimal_comma)
    return found and replace(found, form="uncertain")


def _range(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    ranges = [match for match in map(_RANGE.fullmatch, cells) if match]
    bounds = [end for end in map(_bound, cells) if end]
    plain = [c for c in cells if not _bound(c) and not _RANGE.fullmatch(c)]
    if not ranges and not bounds:
        return None
    if len(plain) < len(cells) / 2 and (len(ranges) < len(cells) / 2 or len(cells) <= 24):
        return None
    parts = [part.strip() for match in ranges for part in (match["low"], match["high"])]
    found = _number([*plain, *bounds, *parts], decimal_comma)
    if found is None:
        return None
    pairs = [(found.value(m["low"].strip()), found.value(m["high"].strip())) for m in ranges]
    rising = all(low is not None and high is not None and low <= high for low, high in pairs)
    near = sum(1 for low, high in pairs if low and high and high > 10 * max(low, 1)) * 2
    return replace(found, form="range") if rising and near <= len(pairs) else None


def _bound(cell: str) -> str:
    """The number of a cell such as <5 or 10 or more; empty for others."""
    found = replaced(cell, BOUNDS)
    return found.rpartition("|")[2].strip() if found != cell else ""


def _are_plain(cells: Sequence[str]) -> bool:
    return all(map(_PLAIN.fullmatch, cells))


class _Cell(NamedTuple):
    """The parts of a cell."""

    prefix: str
    body: str
    suffix: str


def _number(cells: Sequence[str], decimal_comma: bool) -> ColumnReading | None:
    plain = [replaced(cell, PLAINER) for cell in cells]
    stripped = [_without_mark(cell) for cell in plain]
    marked = sum(a != b for a, b in zip(plain, stripped, strict=True))
    parts = [
        _Cell(
            match["prefix"].strip(), match["body"], match["suffix"].strip(" )-\u2212\u00a0\u202f")
        )
        for match in map(_SHAPE.fullmatch, stripped)
        if match
    ]
    if len(parts) < _AGREED * len(cells):
        return None
    prefix = _prefix(part.prefix for part in parts if part.prefix)
    suffixes = [part.suffix for part in parts if part.suffix]
    ending = _suffix(suffixes, len(parts), bool(prefix))
    marks = _separators([part.body for part in parts], decimal_comma)
    if prefix is None or ending is None or marks is None:
        return None
    suffix, magnitudes = ending
    if prefix and is_money(suffix) and not any(part.prefix and part.suffix for part in parts):
        return None  # two currencies
    if any(_is_longer(part.body) for part in parts) and not _are_plain(cells):
        return None
    found = ColumnReading("number", *marks, prefix, suffix, magnitudes, marked > 0)
    return ColumnReading() if _are_plain(cells) and marks == (".", "") else found


def _is_longer(body: str) -> bool:
    """Whether groups of digits are a whole number that no float holds: an identifier."""
    digits = re.sub("[^0-9]", "", body)
    is_grouped = re.fullmatch("[0-9]{1,3}(?:[^0-9eE][0-9]{3})*|[0-9]+", body)
    return is_grouped is not None and not float_holds(digits)


def _without_mark(cell: str) -> str:
    return re.sub(rf"^(.*[0-9].*?)\s*{MARK}$|^(.*[0-9])[\u00b9\u00b2\u00b3]$", r"\1\2", cell)


def _usual(texts: Iterable[str]) -> str | None:
    """What nearly all of some texts are; empty where there are none."""
    counts = Counter(texts)
    if not counts:
        return ""
    text, count = counts.most_common(1)[0]
    return text if count >= _AGREED * counts.total() else None


def _prefix(prefixes: Iterable[str]) -> str | None:
    """The currency in front; None for what is none, or for several."""
    found = _usual(prefixes)
    return found if not found or is_money(found) else None


def is_money(text: str) -> bool:
    """Whether a text is a currency, by its code or its sign."""
    return text in _MONEY or _SIGN_OF_MONEY.fullmatch(text) is not None


def _suffix(suffixes: Sequence[str], cells: int, is_money: bool) -> tuple[str, bool] | None:
    """The unit behind, and whether words multiply; None where they do not agree."""
    if not suffixes:
        return "", False
    multiplied = [_multiplied(suffix) for suffix in suffixes]
    words = {word for word, _ in multiplied if word}
    if words and (len(words) > 1 or is_money or not words <= _AMBIGUOUS):
        rest = _usual(unit for _, unit in multiplied if unit)
        if rest is not None and (not rest or _UNIT.fullmatch(rest) or _SIGN_OF_MONEY.match(rest)):
            return rest, True
    unit = _usual(_singular(suffixes)) if 2 * len(suffixes) >= cells else None  # 12, 12A are codes
    is_unit = unit and (_UNIT.fullmatch(unit) or _SIGN_OF_MONEY.fullmatch(unit))
    return (unit, False) if unit and is_unit else None


def _multiplied(suffix: str) -> tuple[str, str]:
    """The word that multiplies, and the unit behind it."""
    word = re.match(r"[A-Za-z]+\.?", suffix)
    found = word[0] if word else ""
    return (found, suffix[len(found) :].strip()) if found.lower() in MAGNITUDES else ("", suffix)


def _singular(units: Sequence[str]) -> list[str]:
    """Units as they stand, plurals as the singular where that stands, too."""
    known = {unit.lower(): unit for unit in units}
    single = {unit: unit.removesuffix("s") for unit in known if len(unit) > 2}
    return [known.get(single.get(u.lower(), ""), known[u.lower()]) for u in units]


def _separators(bodies: Sequence[str], decimal_comma: bool) -> tuple[str, str] | None:
    """The decimal mark and the mark between groups; None where cells contradict each other."""
    decimals: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    for body in bodies:
        mantissa = re.split("[eE]", body)[0]
        marks = [_canonical(mark) for mark in re.findall("[^0-9]", mantissa)]
        first, last = re.split("[^0-9]", mantissa)[0], re.split("[^0-9]", mantissa)[-1]
        if len(set(marks)) == 2:
            groups[marks[0]] += 1
            decimals[marks[-1]] += 1
        elif len(marks) > 1 or (marks and marks[0] not in ".,"):
            groups[marks[0]] += 1
        elif marks and (len(last) != 3 or not 0 < len(first) < 4 or first[0] == "0"):
            decimals[marks[0]] += 1
        elif marks:
            unsure[marks[0]] += 1
    if len(decimals) > 1 or len(groups) > 1 or decimals.keys() & groups.keys():
        return None
    decimal, group = next(iter(decimals), ""), next(iter(groups), "")
    for mark in unsure.keys() - {decimal, group}:
        is_group = mark == "," if not decimal_comma else mark == "."
        if decimal or (not group and is_group):
            group = group or mark
        else:
            decimal = mark
    return decimal or ("," if group == "." else "."), group


def _canonical(mark: str) -> str:
    """The key of :data:`GROUPS` that a character belongs to."""
    return next(key for key, pattern in GROUPS.items() if re.fullmatch(pattern, mark))


_FINDERS: tuple[Callable[[Sequence[str], bool], ColumnReading | None], ...] = (
    _clock,
    _units,
    _arc,
    _fraction,
    _uncertain,
    _range,
    _number,
)
