"""Which rows of a table to show: by their numbers, by a comparison, by the model's errors."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, SettingError, rows_of
from deltarule.modelfile import Model
from deltarule.network import feed_forward, output_loss
from deltarule.preprocessing import Preprocessing, with_targets
from deltarule.preprocessing.cells import numbers_of, text_of
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.numeric import Numeric
from deltarule.registry import nearest

_BLOCK = 4096  # rows that the errors of are computed at once
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_EQUALITY = ("=", "==", "!=")


def rows_between(rows: str, of: int) -> tuple[int, int]:
    """FIRST:END as two numbers, within the number of rows of a table.

    Raises
    ------
    SettingError
        For what is not such a range, or an empty one.

    Examples
    --------
    >>> rows_between("2:5", 10), rows_between(":", 10)
    ((2, 5), (0, 10))
    """
    first, colon, end = rows.partition(":")
    bounds = [part.strip() or default for part, default in ((first, "0"), (end, str(of)))]
    if not colon or not all(part.isdecimal() for part in bounds):
        raise SettingError(f"--rows {rows}: expected FIRST:END, as 0:4; rows count from 0.")
    start, stop = map(int, bounds)
    if not start < stop <= of:
        raise SettingError(
            f"--rows {rows}: expected 0 ≤ FIRST < END ≤ {of}; there are {of} rows to choose from."
        )
    return start, stop


def rows_where(condition: str, frame: Any, preprocessing: Preprocessing) -> Array:
    """The numbers of the rows that one comparison of a column holds of; missing cells never match.

    Parameters
    ----------
    condition : str
        ``"tenure<3"``, ``"plan=month"``, ``"joined>=2024-01-01"``.
    frame : polars.DataFrame
    preprocessing : Preprocessing
        How the model reads the columns.

    Raises
    ------
    SettingError
        For what is not a comparison, an unknown column, a value of another kind, no matching row.
    """
    name, sign, value = _parted(condition, frame.columns)
    columns = {column.name: column for column in preprocessing.columns}
    column = columns.get(name)
    read = _reader(column, frame[name], preprocessing)
    if isinstance(column, Boolean):
        codes = _codes(column, text_of(frame[name]).to_list())
        is_there = ~np.isnan(codes)
        is_such = _OPERATORS[sign](codes, _wanted_code(condition, sign, value, column))
    elif read is None:
        if sign not in _EQUALITY:
            raise SettingError(
                f"--where {condition!r}: column {name!r} holds text; expected = or != there, got "
                f"{sign}."
            )
        is_there = frame[name].is_not_null().to_numpy()
        values = np.array([str(cell).strip() for cell in frame[name].to_list()])
        is_such = _OPERATORS[sign](values, value)
    else:
        values = np.asarray(read(frame[name]), dtype=np.float64)
        is_there = ~np.isnan(values)
        is_such = _OPERATORS[sign](values, _wanted(condition, name, value, frame[name], read))
    found = np.flatnonzero(is_there & is_such)
    if not len(found):
        raise SettingError(f"--where {condition!r}: no row of {len(frame)} matches.")
    return found


def _parted(condition: str, columns: list[str]) -> tuple[str, str, str]:
    """Column, operator and value: at the first operator after the name of a column."""
    splits = [
        (condition[: at.start()].strip(), at[0], condition[at.end() :].strip())
        for at in re.finditer("<=|>=|!=|==|<|>|=", condition)
    ]
    for name, sign, value in splits:
        if name in columns and value:
            return name, sign, value.strip("'\"") if value[0] in "'\"" else value
    if not splits or not splits[0][0] or not splits[0][2]:
        raise SettingError(
            f"--where {condition!r}: expected a comparison of a column, as 'tenure<3' or "
            "'plan=month'; operators are <, <=, >, >=, = and !=."
        )
    name = splits[0][0]
    raise SettingError(
        f"--where {condition!r}: the table has no column {name!r}.{nearest(name, columns)}"
    )


def _reader(
    column: Column | None, cells: Any, preprocessing: Preprocessing
) -> Callable[[Any], Any] | None:
    """How a column becomes numbers to compare, as the model reads it; None for text."""
    reading = preprocessing.reading
    if isinstance(column, Date):
        return lambda given: days_of(given, column.format, reading)
    if isinstance(column, Numeric) or cells.dtype.is_numeric():
        return lambda given: numbers_of(given, reading).to_numpy()
    return None


def _codes(column: Boolean, cells: list[str | None]) -> Array:
    """0 and 1 for the two values, however they are written; NaN for missing and other cells."""
    spellings = column.spellings
    found = ("" if cell is None else cell.strip().lower() for cell in cells)
    return np.array([spellings.get(cell, np.nan) for cell in found])


def _wanted_code(condition: str, sign: str, value: str, column: Boolean) -> float:
    """The code of the value to compare with."""
    low, high = column.levels
    if sign not in _EQUALITY:
        raise SettingError(
            f"--where {condition!r}: column {column.name!r} holds {low} and {high}; expected = or "
            f"!= there, got {sign}."
        )
    code = float(_codes(column, [value])[0])
    if np.isnan(code):
        raise SettingError(
            f"--where {condition!r}: column {column.name!r} holds {low} and {high}; expected one "
            f"of them, got {value!r}."
        )
    return code


def _wanted(condition: str, name: str, value: str, cells: Any, read: Callable[[Any], Any]) -> float:
    """The value to compare with, read as the column's cells."""
    try:
        wanted = float(read(type(cells)(name, [value]))[0])
    except DataError as error:
        raise SettingError(f"--where {condition!r}: {error}") from None
    if np.isnan(wanted):
        raise SettingError(
            f"--where {condition!r}: {value!r} is read as missing; expected a value of column "
            f"{name!r}."
        )
    return wanted


def largest_errors(model: Model, frame: Any, rows: Array, count: int) -> Array:
    """Of some rows those with the largest losses, largest first; rows without a target have none.

    Parameters
    ----------
    model : Model
        Of a table.
    frame : polars.DataFrame
    rows : int array
        The rows' numbers in the frame.
    count : int
    """
    assert model.targets is not None
    assert model.preprocessing is not None
    rows = rows[with_targets(frame[rows], model.targets.names)[1]]
    losses = np.empty(len(rows))
    for first in range(0, len(rows), _BLOCK):
        own = rows[first : first + _BLOCK]
        part = frame[own]
        with rows_of(own.tolist()):
            X, Y = model.preprocessing.transform(part), model.targets.encode(part)
        output = feed_forward(model.network, model.parameters, X.T)[-1]
        losses[first : first + _BLOCK] = output_loss(model.network, output, Y.T)
    return rows[np.argsort(-losses, kind="stable")[:count]]
