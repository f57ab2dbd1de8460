"""A table's rows as exported models take them: an array per column of a graph, or cells for C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import numbered, numbers_of
from deltarule.preprocessing.columns import Boolean
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.text_columns import Text, words_of


def readings(
    preprocessing: Preprocessing, targets: Sequence[str] = ()
) -> dict[str, dict[str, str]]:
    """How training read text as numbers or days: what :func:`feeds` and :func:`cells` apply.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model.
    targets : sequence of str
        The names of its targets.

    Returns
    -------
    dict of str to dict
        By column, its ``"reading"`` and ``"unit"``; only of columns that are not plain numbers.

    Examples
    --------
    >>> readings(Preprocessing.fit({"area": ["52 m2", "34 m2"], "on": ["1.5.2024", "2.5.2024"]}))
    {'area': {'reading': "numbers with 'm2' behind", 'unit': 'm2'}, \
'on': {'reading': '%d.%m.%Y', 'unit': 'days since 1970-01-01'}}
    """
    found, written = {}, preprocessing.reading or Reading()
    dates = {each.name: each for each in preprocessing.used if isinstance(each, Date)}
    for name in (*(column.name for column in preprocessing.used), *targets):
        one = written.of(name)
        if name in dates and dates[name].written:
            found[name] = {"reading": dates[name].written, "unit": "days since 1970-01-01"}
        elif one.is_measured:
            found[name] = {"reading": one.describe(), "unit": one.unit}
    return found


def feeds(preprocessing: Preprocessing, table: Any) -> dict[str, Array]:
    """A table's columns as the inputs of the graph.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model.
    table : data frame, array or mapping
        With the training's columns.

    Returns
    -------
    dict of str to array, shape (m,)
        float64, or text as objects.

    Examples
    --------
    >>> table = {"area": [50.0, None, 70.0], "town": ["A", None, "B"]}
    >>> feeds(Preprocessing.fit(table), table)
    {'area': array([50., nan, 70.]), 'town': array(['A', '', 'B'], dtype=object)}
    """
    frame, reading = preprocessing.frame(table), preprocessing.reading
    found: dict[str, Array] = {}
    for column in preprocessing.used:
        if isinstance(column, Boolean | Category):
            levels, codes = numbered(frame[column.name], reading, _known(column))
            found[column.name] = np.array([*levels, ""], dtype=object)[codes]
        elif isinstance(column, Text):
            texts, codes = numbered(frame[column.name], reading)
            cleaned = [" ".join(words_of(text)) for text in texts]
            found[column.name] = np.array([*cleaned, ""], dtype=object)[codes]
        else:
            found[column.name] = _numbers(column, frame[column.name], reading)
    return found


def cells(preprocessing: Preprocessing, table: Any) -> Array:
    """A table's rows as the cells of an exported C file.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model.
    table : data frame, array or mapping
        With the training's columns.

    Returns
    -------
    float64 array, shape (m, columns)
        The columns that the model uses, in the training table's order: a number, a date as days
        since 1970, the number of a level. NaN is a missing value, −1 is none of the levels.

    Examples
    --------
    >>> table = {"area": [50.0, None, 70.0], "town": ["A", None, "B"]}
    >>> cells(Preprocessing.fit(table), {"area": [60.0, None], "town": ["C", "B"]})
    array([[60., -1.],
           [nan,  1.]])
    """
    frame, reading = preprocessing.frame(table), preprocessing.reading
    made = np.empty((len(frame), len(preprocessing.used)))
    for i, column in enumerate(preprocessing.used):
        write = _codes if isinstance(column, Boolean | Category) else _numbers
        made[:, i] = write(column, frame[column.name], reading)
    return made


def _known(column: Boolean | Category) -> tuple[str, ...]:
    """The texts that a model distinguishes."""
    return column.known if isinstance(column, Category) else column.levels


def _numbers(column: Any, values: Any, reading: Reading | None) -> Array:
    """Numbers or days of each row, missing ones NaN."""
    if isinstance(column, Date):
        return days_of(values, column.format, reading)
    assert isinstance(column, Numeric)
    numbers: Array = numbers_of(values, reading).to_numpy()
    return numbers


def _codes(column: Any, values: Any, reading: Reading | None) -> Array:
    """The number of each row's level, −1 where it is none, NaN where it is missing."""
    levels, codes = numbered(values, reading, _known(column))
    if isinstance(column, Boolean):
        known, levels = column.spellings, [level.lower() for level in levels]
    else:
        known = column.numbers
    return np.array([*(known.get(level, -1) for level in levels), np.nan])[codes]
