"""Columns from a model file: nothing is believed that no column could have written."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any

from deltarule.data import Reading
from deltarule.data.readings import restored_readings
from deltarule.errors import DataError
from deltarule.preprocessing.columns import KINDS, Boolean, Column
from deltarule.preprocessing.target_statistics import Statistics


def restored(state: Any) -> Column:
    """A column from what a model file holds.

    Raises
    ------
    DataError
        For anything that no column could have written.
    """
    if not isinstance(state, dict) or str(state.get("kind")) not in KINDS:
        raise DataError(f"a column's record is damaged: {reprlib.repr(state)}")
    kind = KINDS[str(state["kind"])]
    values: dict[str, Any] = {}
    for name, (good, read) in _FIELDS[kind.kind].items():
        value = state.get(name, _DEFAULTS.get((kind.kind, name)))
        if not good(value):
            raise DataError(f"a column's record is damaged: {name} is {reprlib.repr(value)}")
        values[name] = read(value)
    levels, words = values.get("levels", ()), values.get("words", ())
    statistics = values.get("statistics")
    if statistics is not None:
        levels += statistics.further
        if len(statistics.values) != len(levels) + 2:
            given = len(statistics.values)
            raise DataError(
                f"a column's record is damaged: {given} rows of statistics of {len(levels)} levels"
            )
    if len(set(levels)) < len(levels) or (kind is Boolean and len(levels) != 2):
        raise DataError(f"a column's record is damaged: levels is {reprlib.repr(levels)}")
    if len(set(words)) < len(words) or len(words) != len(values.get("weights", ())):
        raise DataError(f"a column's record is damaged: words is {reprlib.repr(words)}")
    if values.get("common", 0) > len(values.get("levels", ())):
        raise DataError(f"a column's record is damaged: common is {values['common']!r}")
    if values.get("std", 1.0) <= 0:
        raise DataError(f"a column's record is damaged: std is {values['std']!r}")
    if kind is Boolean and not 0 <= values["fill"] <= 1:
        raise DataError(f"a column's record is damaged: fill is {values['fill']!r}")
    return kind(**values)


def restored_reading(state: Any) -> Reading | None:
    """How values are read, from what a model file holds; None where it holds nothing.

    Raises
    ------
    DataError
        For anything that no preprocessing could have written.
    """
    if state is None:
        return None
    good = isinstance(state, dict) and set(state) - {"columns"} == {"missing", "decimal_comma"}
    if good:
        good = _is_texts(state["missing"]) and isinstance(state["decimal_comma"], bool)
    columns = restored_readings(state.get("columns", {})) if good else None
    if columns is None:
        raise DataError(f"the record of the reading is damaged: {reprlib.repr(state)}")
    return Reading(
        missing=tuple(state["missing"]), decimal_comma=state["decimal_comma"], columns=columns
    )


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _are_positive(value: Any) -> bool:
    return isinstance(value, list) and all(_is_finite(v) and v > 0 for v in value)


def _ascend(value: Any) -> bool:
    """Whether a value is a list of pairs that ascend, the one as the other."""
    pairs = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_finite, pair)) for pair in value
    )
    return pairs and all(a < c and b < d for (a, b), (c, d) in pairwise(value)) and len(value) > 1


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _is_statistics(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or set(value) != {"names", "further", "values"}:
        return False
    names, further, rows = value["names"], value["further"], value["values"]
    return (
        _is_texts(names)
        and _is_texts(further)
        and isinstance(rows, list)
        and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        and all(_is_finite(number) for row in rows for number in row)
    )


def _statistics(value: Any) -> Statistics | None:
    if value is None:
        return None
    values = tuple(map(tuple, value["values"]))
    return Statistics(tuple(value["names"]), tuple(value["further"]), values)


_TYPES: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "str": (lambda value: isinstance(value, str), str),
    "bool": (lambda value: isinstance(value, bool), bool),
    "int": (lambda value: type(value) is int and value >= 0, int),
    "float": (_is_finite, float),
    "float | None": (
        lambda value: value is None or _is_finite(value),
        lambda value: None if value is None else float(value),
    ),
    "tuple[str, str]": (_is_texts, tuple),
    "tuple[str, ...]": (_is_texts, tuple),
    "tuple[float, ...]": (_are_positive, tuple),
    "tuple[tuple[float, float], ...]": (_ascend, lambda value: tuple(map(tuple, value))),
    "Statistics | None": (_is_statistics, _statistics),
}
"""By type of a field, what a file may hold there, and how it is read."""

_FIELDS = {
    name: {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    for name, kind in KINDS.items()
}
"""By kind of column, its fields."""

_DEFAULTS = {
    (name, field.name): field.default
    for name, kind in KINDS.items()
    for field in fields(kind)
    if field.default is not MISSING
}
"""Of fields that older model files lack."""
