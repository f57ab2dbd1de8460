"""Sentinels: numbers such as -999 that stand for missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deltarule.preprocessing.cells import is_numeric

if TYPE_CHECKING:
    import polars as pl

_DIGITS = range(2, 7)
SENTINELS = frozenset(sign * (10**n - 1) for n in _DIGITS for sign in (-1, 1)) - {99}
"""Numbers that people write for a missing value: nines throughout; 99 may be one of many."""

_FEWEST = 3  # rows
_APART = 1.0  # ranges of all other values, at least, between a sentinel and the nearest


class Sentinel(NamedTuple):
    """A number that looks like a marker of missing values.

    Attributes
    ----------
    column : str
    value : int
    rows : int
    """

    column: str
    value: int
    rows: int


def sentinels(frame: pl.DataFrame) -> list[Sentinel]:
    """Extreme numbers of nines that recur and stand apart from all others of their column.

    Examples
    --------
    >>> import polars as pl
    >>> sentinels(pl.DataFrame({"area": [52, 34, -999, 61, -999, -999], "n": [1, 2, 3, 4, 5, 6]}))
    [Sentinel(column='area', value=-999, rows=3)]
    """
    found = []
    for column in frame.get_columns():
        if not is_numeric(column) or column.dtype.is_temporal():
            continue
        for extreme in (column.min(), column.max()):
            if extreme in SENTINELS:
                others = column.filter(column != extreme)
                rows = len(column) - column.null_count() - len(others)
                if rows >= _FEWEST and _is_apart(float(extreme), others):
                    found.append(Sentinel(column.name, int(extreme), rows))
    return found


def _is_apart(value: float, others: pl.Series) -> bool:
    if not len(others.drop_nulls()):
        return False
    low, high = float(others.min()), float(others.max())
    return min(abs(value - low), abs(value - high)) > max(_APART * (high - low), 1.0)
