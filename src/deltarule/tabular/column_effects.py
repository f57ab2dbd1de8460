"""What one column does over many rows: how much it contributes, and to which values what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import numbered, numbers_of
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.numeric import Numeric

_MOST_POINTS = 20  # of a curve


class CurvePoint(NamedTuple):
    """Rows of nearly one value.

    Attributes
    ----------
    value : float or str
        The rows' mean; of dates in days since 1970; a level.
    contribution : float
        The mean contribution.
    rows : int
    """

    value: float | str
    contribution: float
    rows: int


@dataclass(frozen=True)
class ColumnEffect:
    """What a column does to one output over the rows of a table.

    Attributes
    ----------
    column, output : str
    mean_absolute : float
        Mean absolute contribution.
    direction : float or None
        Rank correlation of value and contribution, −1 to 1: its sign says whether larger values
        raise the prediction. None for categories and text.
    curve : tuple of CurvePoint
        Mean contribution by value, ascending; of levels the one that raises most first. Empty for
        text.
    is_date : bool
        Whether the values of the curve are days since 1970.
    """

    column: str
    output: str
    mean_absolute: float
    direction: float | None
    curve: tuple[CurvePoint, ...]
    is_date: bool = False

    @property
    def summary(self) -> str:
        """The direction in a phrase.

        Examples
        --------
        >>> ColumnEffect("area", "rent", 120.0, 0.98, ()).summary
        'raises (0.98)'
        >>> ends = (CurvePoint("A", 30.0, 5), CurvePoint("B", -4.0, 9))
        >>> ColumnEffect("town", "rent", 12.0, None, ends).summary
        "highest 'A' (+30), lowest 'B' (-4)"
        """
        if self.direction is not None:
            word = "raises" if self.direction > 0 else "lowers" if self.direction < 0 else "neither"
            return f"{word} ({self.direction:.2f})"
        if len(self.curve) < 2:
            return "–"
        first, last = self.curve[0], self.curve[-1]
        return (
            f"highest {first.value!r} ({first.contribution:+.3g}), lowest {last.value!r} "
            f"({last.contribution:+.3g})"
        )


def column_effect(
    column: Column, output: str, cells: Any, reading: Reading | None, contributions: Array
) -> ColumnEffect:
    """What a column does over some rows.

    Parameters
    ----------
    column : Column
    output : str
    cells : polars.Series
        The rows' values.
    reading : Reading or None
        How text is read.
    contributions : array, shape (m,)
        Of the column to the output.
    """
    mean_absolute = float(abs(contributions).mean())
    if isinstance(column, Category | Boolean):
        curve = _of_levels(column, cells, reading, contributions)
        return ColumnEffect(column.name, output, mean_absolute, None, curve)
    read = next((own for kind, own in _NUMBERS.items() if isinstance(column, kind)), None)
    if read is None:
        return ColumnEffect(column.name, output, mean_absolute, None, ())
    values = read(column, cells, reading)
    there = ~np.isnan(values)
    values, contributions = values[there], contributions[there]
    direction, curve = _rank_correlation(values, contributions), _of_values(values, contributions)
    is_date = isinstance(column, Date)
    return ColumnEffect(column.name, output, mean_absolute, direction, curve, is_date)


_NUMBERS: dict[type, Callable[[Any, Any, Reading | None], Array]] = {
    Numeric: lambda column, cells, reading: numbers_of(cells, reading).to_numpy(),
    Date: lambda column, cells, reading: days_of(cells, column.format, reading),
}
"""By kind of column, its values as numbers; missing ones as NaN."""


def _of_levels(
    column: Category | Boolean, cells: Any, reading: Reading | None, contributions: Array
) -> tuple[CurvePoint, ...]:
    """Of the most frequent levels, the one that raises most first."""
    levels, codes = numbered(cells, reading, getattr(column, "known", column.levels))
    counts = np.bincount(codes, minlength=len(levels) + 1)
    sums = np.bincount(codes, contributions, minlength=len(levels) + 1)
    often = [i for i in np.argsort(-counts, kind="stable")[:_MOST_POINTS] if counts[i]]
    names = [*levels, "(missing)"]
    points = (CurvePoint(names[i], float(sums[i] / counts[i]), int(counts[i])) for i in often)
    return tuple(sorted(points, key=lambda point: -point.contribution))


def _of_values(values: Array, contributions: Array) -> tuple[CurvePoint, ...]:
    """Of about equally many rows each; rows of one value stay together."""
    if not len(values):
        return ()
    different, which = np.unique(values, return_inverse=True)
    if len(different) > _MOST_POINTS:
        edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, _MOST_POINTS + 1)[1:-1]))
        which = np.asarray(np.searchsorted(edges, values, side="right"))
    counts = np.bincount(which)
    means = (np.bincount(which, each) / np.maximum(counts, 1) for each in (values, contributions))
    points = zip(*means, counts, strict=True)
    return tuple(CurvePoint(float(v), float(c), int(n)) for v, c, n in points if n)


def _rank_correlation(x: Array, y: Array) -> float:
    """Spearman's; 0 where either is constant."""
    if len(x) < 2:
        return 0.0
    ranks = [_ranks(each) for each in (x, y)]
    spreads = [float(each.std()) for each in ranks]
    if not all(spreads):
        return 0.0
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean()) / (
        spreads[0] * spreads[1]
    )


def _ranks(values: Array) -> Array:
    """Equal values have the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Array = (ends - (counts - 1) / 2)[which]
    return ranks
