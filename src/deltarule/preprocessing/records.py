"""Columns from a model file: nothing is believed that no column could have written."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltarule.errors import DataError
from deltarule.preprocessing.columns import KINDS, Boolean, Column


def restored(state: Any) -> Column:
    """A column from what a model file holds.

    Raises
    ------
    DataError
        For anything that no column could have written.
    """
    if not isinstance(state, dict) or str(state.get("kind")) not in KINDS:
        raise DataError(f"a column's record is damaged: {str(state)[:80]!r}")
    kind = KINDS[str(state["kind"])]
    fields: dict[str, Any] = kind.__dataclass_fields__
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "kind":
            continue
        value = state.get(name)
        if field.type.startswith("tuple"):
            good = isinstance(value, list) and all(isinstance(v, str) for v in value)
            value = tuple(value) if good and isinstance(value, list) else value
        else:
            good = _PLAIN[field.type](value)
        if not good:
            raise DataError(f"a column's record is damaged: {name} is {str(value)[:80]!r}")
        values[name] = value
    levels = values.get("levels", ())
    if len(set(levels)) < len(levels) or (kind is Boolean and len(levels) != 2):
        raise DataError(f"a column's record is damaged: levels is {str(levels)[:80]!r}")
    if values.get("std", 1.0) <= 0:
        raise DataError(f"a column's record is damaged: std is {values['std']!r}")
    return kind(**values)


_PLAIN = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int and value >= 0,
    "float": lambda value: type(value) in (int, float) and bool(np.isfinite(value)),
}
