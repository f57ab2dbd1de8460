"""What the page's script needs of each column beside its record: how cells are read and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltarule.data import Reading
from deltarule.data.forms import ASCII, FORMS
from deltarule.data.layout.records import BLANKS
from deltarule.data.readings import GROUPS, MARKERS, ColumnReading
from deltarule.data.values import COMMAS, NUMBERS, number_read
from deltarule.model_page.patterns import in_javascript
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import DAYS, Date
from deltarule.preprocessing.dates import pattern_of
from deltarule.preprocessing.embedded_columns import EmbeddedCategory
from deltarule.preprocessing.months import MONTHS
from deltarule.preprocessing.text_columns import Text, words_of

_UNITS = ("", " s", " years", " m", " in", " g", " lb", " l", " B", "°", " °C")
"""What may stand behind a number so that a column's reading takes it."""


def reading_facts(preprocessing: Preprocessing) -> dict[str, Any]:
    """What all columns are read by."""
    reading = preprocessing.reading or Reading()
    return {"blanks": BLANKS, "markers": list(reading.markers), "months": MONTHS}


def column_facts(column: Column, reading: Reading, typical: Any) -> dict[str, Any]:
    """What the script needs of a column beside its record in the model file.

    Parameters
    ----------
    column : Column
        That the model uses.
    reading : Reading
    typical : value
        The column's cell in the reference row.
    """
    own = reading.of(column.name)
    known = MARKERS if column.name in (reading.columns or {}) else ()
    return {
        "name": column.name,
        "outputs": column.outputs,
        "about": column.describe(),
        "markers": sorted({*own.markers, *known}),
        "numbers": _numbers(own, bool(reading.decimal_comma)),
        "typical": _wordless(column)
        if isinstance(column, Text)
        else _written(column.name, typical, reading),
        **_of_kind(column),
    }


def _of_kind(column: Column) -> dict[str, Any]:
    if isinstance(column, Boolean):
        return {"spellings": column.spellings}
    if isinstance(column, Category):
        is_code = isinstance(column, EmbeddedCategory)
        return {"codes": list(column.codes), "width": column.width, "first": int(is_code)}
    return {"dates": _dates(column)} if isinstance(column, Date) else {}


def _numbers(own: ColumnReading, decimal_comma: bool) -> dict[str, Any]:
    """How numbers are read: a pattern, and of measured ones the rules that cut cells into them."""
    if not own.is_measured:
        pattern = COMMAS if decimal_comma else NUMBERS
        says = "a number such as 3,5" if decimal_comma else "a number"
        return {"number": in_javascript(pattern), "comma": decimal_comma, "says": says}
    cut, clean = ([[in_javascript(old), new] for old, new in rules] for rules in own.rules)
    return {
        "cut": cut,
        "clean": clean,
        "number": in_javascript(own.number_pattern),
        "group": in_javascript(GROUPS[own.group]) if own.group else "",
        "comma": own.decimal == ",",
        "weights": list(FORMS[own.form].weights),
        "foreign": dict(ASCII) if own.foreign else None,
        "says": own.describe(),
    }


def _dates(column: Date) -> dict[str, Any]:
    """How moments are read: from numbers that count or spell days, or from text."""
    counts = column.format if column.format in DAYS else ""
    forms = [] if counts else column.format.split("|")
    patterns = [pattern_of(form, len(forms) > 1).pattern for form in forms]
    says = counts or f"a date ({column.written or 'YYYY-MM-DD'})"
    return {
        "counts": counts,
        "forms": list(map(in_javascript, patterns)),
        "iso": in_javascript(pattern_of("", True).pattern),
        "says": says,
        "hours": column.hours,
    }


def _written(name: str, typical: Any, reading: Reading) -> str:
    """A cell of the reference row as text that the column's reading takes; empty where none is."""
    if not isinstance(typical, float):
        return str(typical)
    plain = str(int(typical)) if typical.is_integer() else repr(typical)
    hours, seconds = divmod(typical, 3600)
    clock = f"{hours:.0f}:{seconds // 60:02.0f}:{seconds % 60:02g}"
    texts = [plain, clock, *(text + unit for text in _comma(plain) for unit in _UNITS)]
    return next((text for text in texts if number_read(text, reading, name) == typical), "")


def _wordless(column: Text) -> str:
    """A text that has words, and none of the vocabulary."""
    others = ("no known word", *("x" * n for n in range(1, len(column.words) + 2)))
    return next(text for text in others if not set(words_of(text)) & set(column.words))


def _comma(plain: str) -> Mapping[str, None]:
    """A number with either decimal mark."""
    return dict.fromkeys((plain, plain.replace(".", ",")))
