"""Names of the months, in the languages that tables are often written in."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

_NAMES = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november desember",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada "
    "grudnia",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
)
WEEKDAY = (
    r"(?i:mon|tues?|wed|thu(?:rs)?|fri|sat|sun|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
    r"sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|mi\u00e9rcoles|jueves|"
    r"viernes|s\u00e1bado|domingo|mo|di|mi|do|fr|sa|so)(?:day|sday|nesday|rsday|urday)?\.?,?\s+"
)
"""A pattern for the day of the week that may stand before a date."""

_SHORT = {"mrt": 3, "май": 5, "sept": 9}  # which no name begins with, or two languages' do


def month_of(name: str) -> int:
    """The number of the month with this name, or with its first three or four letters; 0 for none.

    Examples
    --------
    >>> month_of("Dec"), month_of("März"), month_of("aout"), month_of("juil."), month_of("soon")
    (12, 3, 8, 7, 0)
    """
    return MONTHS.get(_folded(name).rstrip("."), 0)


def _folded(name: str) -> str:
    """A name in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", name.lower())
    return parts if parts.isascii() else "".join(c for c in parts if not unicodedata.combining(c))


def _months() -> dict[str, int]:
    """The names and their beginnings that stand for one month in all languages."""
    found = defaultdict(set)
    for names in _NAMES:
        for number, name in enumerate(map(_folded, names.split()), start=1):
            for length in (3, 4, len(name)):
                found[name[:length]].add(number)
    found.update({_folded(name): {number} for name, number in _SHORT.items()})
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1}


MONTHS = _months()
"""The number of the month by its name or a beginning of it, in lower case, without accents."""
