"""Forms of numbers in text: what a cell consists of, and the rules that cut it into plain numbers.

A rule is a pattern that polars and ``re`` both take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import NamedTuple

ASCII: Mapping[str, str] = {
    **{
        chr(zero + digit): str(digit)
        for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10)
        for digit in range(10)
    },
    "\u066b": ".",
    "\u066c": ",",
    "\u066a": "%",
    "\uff0e": ".",
    "\uff0c": ",",
    "\uff05": "%",
    "\uff0d": "-",
    "\uff0b": "+",
    "\uff0f": "/",
    "\uff1a": ":",
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e", ""),
    "&nbsp;": " ",
    "&#160;": " ",
    "&euro;": "\u20ac",
    "&pound;": "\u00a3",
    "&minus;": "-",
    "\u00bd": " 1/2",
    "\u00bc": " 1/4",
    "\u00be": " 3/4",
    "\u2153": " 1/3",
    "\u2154": " 2/3",
    "\u215b": " 1/8",
    "\u215c": " 3/8",
    "\u215d": " 5/8",
    "\u215e": " 7/8",
}
"""Digits and marks of other scripts, fractions, entities, and characters that nobody sees."""

APPROXIMATELY = r"(?:[~\u2248]|(?i:ca\.?|circa|approx\.?|about|from|ab|desde)(?:\s|$))"
MARK = r"(?:[*\u2020\u2021\u00a7]+|\[[A-Za-z0-9]{1,3}\]|\([a-z]\))"

_DASH = r"(?:-|\u2013|\u2014|to|bis)"
_CLOCK = r"([0-9]{1,4})[:.h]([0-5]?[0-9])(?:[:.]([0-5]?[0-9](?:\.[0-9]+)?))?"
_AMOUNT = r"([0-9][0-9.,]*)"
_DEGREES = r"([0-9]+(?:\.[0-9]+)?)\s*[\u00b0\u00ba]\s*"
_MINUTES = r"(?:([0-9]+(?:\.[0-9]+)?)\s*['\u2019\u2032]?\s*)?"
_ARC = rf"{_DEGREES}{_MINUTES}(?:([0-9]+(?:\.[0-9]+)?)\s*(?:[\"\u201d\u2033]|'')?\s*)?"

Rule = tuple[str, str]
"""A pattern, and what replaces its first match: ``${1}`` is its first group."""

PLAINER: tuple[Rule, ...] = (
    (r'^="(.*)"$', "${1}"),
    (r"^'([-+]?[0-9.,]+)$", "${1}"),
    (r"([0-9])[.,]\s*[-\u2013\u2014]+", "${1}"),
    (r"\s*[xX*\u00d7\u00b7]\s*10\s*\^\s*([-+]?[0-9]{1,2})", "e${1}"),
    (r"^10\s*\^\s*([-+]?[0-9]{1,2})$", "1e${1}"),
)
"""Of a number: Excel's signs of text are left out, so is the end of 120,-; powers of ten as e3."""

BOUNDS: tuple[Rule, ...] = (
    (
        r"^(?:(?:<|\u2264)=?|(?i:under|below|less than|fewer than|up to|at most|unter|bis zu|"
        r"weniger als|moins de|menos de)\s)\s*([^|]+)$",
        "0|${1}",
    ),
    (
        r"^(?:(?:>|\u2265)=?|(?i:over|above|more than|at least|\u00fcber|mehr als|mindestens|"
        r"plus de|m\u00e1s de)\s)\s*([^|]+)$",
        "${1}|${1}",
    ),
    (
        r"^([^|]*[0-9][^|]*?)\s*(?:\+|(?i:(?:or|and) (?:more|over|above|older|up|higher)|plus|"
        r"(?:oder|und) (?:mehr|\u00e4lter)|et plus|[oy] m\u00e1s))$",
        "${1}|${1}",
    ),
    (
        r"^([^|]*[0-9][^|]*?)\s*(?i:(?:or|and) (?:less|fewer|under|below|younger|lower)|"
        r"(?:oder|und) weniger|et moins|[oy] menos)$",
        "0|${1}",
    ),
)
"""What has one end of a range: below is from 0, above is the end itself."""


class Form(NamedTuple):
    """What a cell consists of.

    Attributes
    ----------
    weights : tuple of float
        Of each of the numbers that it is cut into.
    cut : tuple of Rule
        What cuts it, by ``|``.
    says : str
        In a phrase.
    unit : str
        Of the number, where the form fixes it; else empty.
    """

    weights: tuple[float, ...]
    cut: tuple[Rule, ...]
    says: str
    unit: str = ""


_DENOMINATORS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 32, 64)


def _fraction(denominator: int) -> Rule:
    """What cuts 1 1/2: the whole, and the numerator at the place of its denominator."""
    numerators = ("0${2}" if n == denominator else "0" for n in _DENOMINATORS)
    pattern = rf"^(?:([0-9]+)[\s-]+)?([0-9]+)\s*/\s*{denominator}$"
    return pattern, "|".join(["0${1}", *numerators])


def _amounts(*units: str, marks: tuple[str, ...] = ()) -> Rule:
    """What cuts 5 ft 11 in: an amount of each unit, from the largest down."""
    between = r"(?:[\s,]+(?:and|und|et|y)\s+|[\s,]*)"
    parts = [
        rf"{mark}(?:{_AMOUNT}\s*(?i:{unit}){between})?"
        for unit, mark in zip_longest(units, marks, fillvalue="")
    ]
    return f"^{''.join(parts)}$", "|".join(f"0${{{i}}}" for i in range(1, len(units) + 1))


FORMS: Mapping[str, Form] = {
    "plain": Form((1.0,), (), "numbers"),
    "number": Form((1.0,), (), "numbers"),
    "range": Form(
        (0.5, 0.5),
        (
            *BOUNDS,
            (
                rf"^([^|]*?[0-9][^|\u2013\u2014-]*?)\s*{_DASH}\s*([^|\u2013\u2014-]*[0-9][^|]*)$",
                "${1}|${2}",
            ),
            (r"^([^|]+)$", "${1}|${1}"),
        ),
        "numbers (of a range the middle, of <x half of x, of >x x itself)",
    ),
    "clock": Form(
        (3600.0, 60.0, 1.0, 43200.0),
        (
            (r"^12([:.].*)(?i:a\.?m\.?)$", "0${1}"),
            (r"^12([:.].*)(?i:p\.?m\.?)$", "12${1}"),
            (rf"^{_CLOCK}\s*(?i:p\.?m\.?)$", "${1}|${2}|0${3}|1"),
            (rf"^{_CLOCK}\s*(?i:a\.?m\.?|h|uhr)?$", "${1}|${2}|0${3}|0"),
        ),
        "hours:minutes in seconds",
        "seconds",
    ),
    "minutes": Form(
        (3600.0, 60.0, 1.0),
        (
            (r"^([0-9]+):([0-5]?[0-9](?:\.[0-9]+)?)$", "0|${1}|${2}"),
            (rf"^{_CLOCK}$", "${1}|${2}|${3}"),
        ),
        "minutes:seconds in seconds",
        "seconds",
    ),
    "fraction": Form(
        (1.0, *(1 / n for n in _DENOMINATORS)),
        (*map(_fraction, _DENOMINATORS), (r"^([^|]+)$", "${1}" + "|0" * len(_DENOMINATORS))),
        "fractions such as 1 1/2",
    ),
    "uncertain": Form(
        (1.0,),
        ((r"^([^|]*?[0-9][^|]*?)\s*(?:\u00b1|\+/-)[^|]*$", "${1}"),),
        "numbers (what stands behind \u00b1 left out)",
    ),
    "arc": Form(
        (1.0, 1 / 60, 1 / 3600),
        (
            (r"^([NSEW])\s*([0-9].*)$", "${2}${1}"),
            (rf"^-\s*{_ARC}[NE]?$", "-${1}|-0${2}|-0${3}"),
            (rf"^{_ARC}[SW]$", "-${1}|-0${2}|-0${3}"),
            (rf"^{_ARC}[NE]?$", "${1}|0${2}|0${3}"),
        ),
        "degrees, minutes and seconds of arc in degrees, south and west negative",
        "degrees",
    ),
    "temperature": Form(
        (1.0, 5 / 9, -160 / 9),
        (
            (r"^([-+\u2212]?[0-9][0-9.,]*)[\s\u00b0\u00ba]+(?i:C|Celsius)$", "${1}|0|0"),
            (r"^([-+\u2212]?[0-9][0-9.,]*)[\s\u00b0\u00ba]+(?i:F|Fahrenheit)$", "0|${1}|1"),
        ),
        "temperatures in degrees Celsius",
        "degrees Celsius",
    ),
    "duration": Form(
        (86400.0, 3600.0, 60.0, 1.0),
        (
            (
                r"^([-+]?[0-9]+)\s*days?,?\s+\+?([0-9]+):([0-9]+):([0-9]+(?:\.[0-9]+)?)$",
                "${1}|${2}|${3}|${4}",
            ),
            (r"^([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)$", "0|${1}|${2}|${3}"),
            _amounts(
                *("d|days?|tage?|jours?", "h|hrs?|hours?|std\\.?|stunden?|heures?"),
                *("m|mins?|minutes?|min\\.|minuten", "s|secs?|seconds?|sek\\.?|sekunden?"),
                marks=("P?", "T?"),
            ),
        ),
        "durations in seconds",
        "seconds",
    ),
    "years": Form(
        (1.0, 1 / 12, 7 / 365.2425, 1 / 365.2425),
        (
            _amounts(
                *(
                    "y|yrs?|years?|years? old|jahre?|ans?|a\u00f1os?",
                    "mo|mos|mths?|months?|monate?|mois|mes(?:es)?",
                ),
                *("w|wks?|weeks?|wochen?|semaines?|semanas?", "d|days?|tage?|jours?|d\u00edas?"),
            ),
        ),
        "durations in years",
        "years",
    ),
    "length": Form(
        (1000.0, 1.0, 0.01, 0.001),
        (_amounts("km", "m|meters?|metres?", "cm", "mm"),),
        "lengths in meters",
        "meters",
    ),
    "feet": Form(
        (12.0, 1.0),
        (_amounts("'|\u2019|\u2032|ft\\.?|feet|foot", "\"|''|\u201d|\u2033|in\\.?|inch(?:es)?"),),
        "feet and inches in inches",
        "inches",
    ),
    "mass": Form(
        (1e6, 1e3, 1.0, 1e-3, 1e-6),
        (
            _amounts(
                "t|tons?|tonnes?",
                "kg|kgs|kilos?",
                "g|gr|grams?|gramm",
                "mg",
                "\u00b5g|\u03bcg|ug|mcg",
            ),
        ),
        "masses in grams",
        "grams",
    ),
    "pounds": Form(
        (1.0, 1 / 16),
        (_amounts(r"lbs?\.?|pounds?", r"oz\.?|ounces?"),),
        "pounds and ounces in pounds",
        "pounds",
    ),
    "volume": Form(
        (100.0, 1.0, 0.1, 0.01, 0.001),
        (_amounts("hl", "l|lit(?:er|re)s?|ltr", "dl", "cl", "ml"),),
        "volumes in liters",
        "liters",
    ),
    "bytes": Form(
        (1e12, 1e9, 1e6, 1e3, 1.0),
        (_amounts("tb|to", "gb|go", "mb|mo", "kb|ko", "b|bytes?|octets?"),),
        "sizes in bytes",
        "bytes",
    ),
}
"""The forms by name. Those that consist of several numbers have no unit beside their own."""

UNITS = ("duration", "years", "length", "feet", "mass", "pounds", "volume", "bytes", "temperature")
"""Forms whose cells differ in unit."""


def plainly(text: str) -> str:
    """A text with the characters of :data:`ASCII` written as there.

    Examples
    --------
    >>> plainly("\u0661\u0662"), plainly("1\u00bd")
    ('12', '1 1/2')
    """
    return _FOREIGN.sub(lambda found: ASCII[found[0]], text)


_FOREIGN = re.compile("|".join(map(re.escape, ASCII)))


def replaced(text: str, rules: tuple[Rule, ...]) -> str:
    """A text after the first match of each rule was replaced, one rule after the other.

    Examples
    --------
    >>> replaced("1.2 x 10^3", PLAINER)
    '1.2e3'
    """
    for pattern, new in rules:
        text = re.sub(pattern, new.replace("${", r"\g<").replace("}", ">"), text, count=1)
    return text
