"""How the rows of a table differ from those of training: column by column, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import has_gaps, numbered, numbers_of
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.numeric import Numeric

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class ColumnDifference:
    """One thing in which rows of a column differ from training.

    Attributes
    ----------
    column : str
    what : str
        One of :data:`DIFFERENCES`.
    rows : bool array, shape (m,)
        Which rows differ.
    values : Counter of str
        Of unseen values, how many rows hold each.
    """

    column: str
    what: str
    rows: Array
    values: Counter[str] = field(default_factory=Counter)


def differences(
    columns: Iterable[Column],
    frame: pl.DataFrame,
    reading: Reading | None,
    which: Collection[str] = (),
) -> list[ColumnDifference]:
    """What differs from training in the columns that are there.

    Parameters
    ----------
    columns : iterable of Column
        As fitted.
    frame : polars.DataFrame
    reading : Reading or None
        How text is read.
    which : collection of str
        Of :data:`DIFFERENCES`; all by default.

    Examples
    --------
    >>> import polars as pl
    >>> from deltarule.preprocessing import Preprocessing
    >>> fitted = Preprocessing.fit({"area": [40.0, 60.0, 50.0], "town": ["A", "B", "A"]})
    >>> frame = pl.DataFrame({"area": [90.0, None, 50.0], "town": ["A", "C", "C"]})
    >>> for found in differences(fitted.columns, frame, fitted.reading):
    ...     print(found.column, found.what, found.rows.tolist(), dict(found.values))
    area outside [True, False, False] {}
    area missing [False, True, False] {}
    town unseen [False, True, True] {'C': 2}
    """
    there = frozenset(frame.columns)
    used = [column for column in columns if column.outputs and column.name in there]
    found = (
        find(column, frame[column.name], reading)
        for column in used
        for what, find in DIFFERENCES.items()
        if not which or what in which
    )
    return [each for each in found if each is not None]


def flags(found: Iterable[ColumnDifference], rows: int) -> list[str]:
    """What differs in each row, such as ``area outside; town unseen``; empty where nothing does.

    Examples
    --------
    >>> flags([ColumnDifference("area", "missing", np.array([False, True]))], 2)
    ['', 'area missing']
    """
    of_rows: list[list[str]] = [[] for _ in range(rows)]
    for each in found:
        for row in np.flatnonzero(each.rows):
            of_rows[row].append(f"{each.column} {each.what}")
    return ["; ".join(some) for some in of_rows]


def counts(found: Iterable[ColumnDifference], rows: int) -> Array:
    """In how many columns each row differs, ``(rows,)``.

    Examples
    --------
    >>> counts([ColumnDifference("area", "missing", np.array([False, True]))], 2)
    array([0, 1])
    """
    return sum((each.rows.astype(np.int64) for each in found), np.zeros(rows, np.int64))


def _unseen(column: Column, cells: pl.Series, reading: Reading | None) -> ColumnDifference | None:
    """Values that no level stands for; of a category with rare levels these are not known."""
    if not isinstance(column, Boolean | Category):
        return None
    known = column.known if isinstance(column, Category) else column.levels
    levels, codes = numbered(cells, reading, known)
    strange = np.array([not column.knows(level) for level in levels] + [False])
    rows = strange[codes]
    if not rows.any():
        return None
    values: Counter[str] = Counter()
    for code, count in zip(*np.unique(codes[rows], return_counts=True), strict=True):
        values[levels[code]] += int(count)
    return ColumnDifference(column.name, "unseen", rows, values)


def _outside(column: Column, cells: pl.Series, reading: Reading | None) -> ColumnDifference | None:
    """Numbers and dates below the least or above the greatest of training."""
    if isinstance(column, Numeric):
        values = numbers_of(cells, reading).to_numpy()  # a missing one is NaN
    elif isinstance(column, Date):
        values = days_of(cells, column.format, reading)
    else:
        return None
    rows = (values < column.low) | (values > column.high)
    return ColumnDifference(column.name, "outside", rows) if rows.any() else None


def _missing(column: Column, cells: pl.Series, reading: Reading | None) -> ColumnDifference | None:
    """No values, where every row of training had one: they are filled, unflagged."""
    if getattr(column, "missing", 0) or not has_gaps(cells, reading):
        return None
    levels, codes = numbered(cells, reading)
    return ColumnDifference(column.name, "missing", codes == len(levels))


DIFFERENCES: dict[str, Callable[[Any, pl.Series, Reading | None], ColumnDifference | None]] = {
    "unseen": _unseen,
    "outside": _outside,
    "missing": _missing,
}
"""By name, what finds the rows of a column that differ so."""
