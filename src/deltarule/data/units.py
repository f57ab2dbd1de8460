"""The unit of a column: as its cells have it, or as its header says in brackets."""

from __future__ import annotations

import re

from deltarule.data.notations import is_money
from deltarule.data.reading_settings import Reading

_BRACKETS = re.compile(r".*\S\s*(?:\(([^()\[\]]{1,12})\)|\[([^()\[\]]{1,12})\])\s*", re.DOTALL)
_SIGNS = re.compile("[%‰°²³µμ€$£¥₹Ω]|[^\\W\\d_]/[^\\W\\d_]")
_UNITS = frozenset(
    (
        *("m", "mm", "cm", "dm", "km", "ft", "in", "yd", "mi", "m2", "cm2", "km2", "ha", "sqft"),
        *("m3", "cm3", "l", "L", "ml", "mL", "dl", "gal", "g", "mg", "kg", "t", "lb", "lbs", "oz"),
        *("s", "sec", "ms", "ns", "min", "h", "hr", "hrs", "d", "seconds", "minutes", "hours"),
        *("days", "weeks", "months", "years", "yrs", "Hz", "kHz", "MHz", "GHz", "K", "C", "F"),
        *("W", "kW", "MW", "GW", "Wh", "kWh", "MWh", "J", "kJ", "MJ", "cal", "kcal", "hp", "PS"),
        *("V", "mV", "kV", "A", "mA", "N", "kN", "Pa", "hPa", "kPa", "MPa", "bar", "mbar", "psi"),
        *("mmHg", "mol", "mmol", "ppm", "ppb", "B", "kB", "KB", "MB", "GB", "TB", "bit", "dB"),
        *("mph", "kmh", "percent", "pct", "kilometers", "miles", "euros", "dollars"),
    )
)


def unit_of(name: str, reading: Reading | None) -> str:
    """The unit of a column; empty where neither its cells nor its header name one.

    Parameters
    ----------
    name : str
        The column's header.
    reading : Reading or None
        How its cells are read.

    Examples
    --------
    >>> unit_of("rent (EUR)", None), unit_of("speed [km/h]", None), unit_of("score (mean)", None)
    ('EUR', 'km/h', '')
    >>> from deltarule.data.readings import ColumnReading
    >>> unit_of("rent", Reading(columns={"rent": ColumnReading("number", suffix="€")}))
    '€'
    """
    of_cells = "" if reading is None else reading.of(name).unit
    found = _BRACKETS.fullmatch(name)
    if of_cells or found is None:
        return of_cells
    text = (found[1] or found[2]).strip()
    return text if text in _UNITS or is_money(text) or _SIGNS.search(text) else ""


def with_unit(name: str, unit: str) -> str:
    """A column's name with its unit, unless the name says it.

    Examples
    --------
    >>> with_unit("rent", "EUR"), with_unit("rent (EUR)", "EUR"), with_unit("rent", "")
    ('rent, in EUR', 'rent (EUR)', 'rent')
    """
    return f"{name}, in {unit}" if unit and unit not in name else name
