"""What one column does over many rows: how much it contributes, and to which values what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
_CLEAR = 0.3  # rank correlation, ρ, from which on a direction is named


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
        'raises (ρ = 0.98)'
        >>> ColumnEffect("floor", "rent", 3.0, -0.004, ()).summary
        'no clear direction'
        >>> ends = (CurvePoint("A", 30.0, 5), CurvePoint("B", -4.0, 9))
        >>> ColumnEffect("town", "rent", 12.0, None, ends).summary
        "highest 'A' (+30), lowest 'B' (-4)"
        """
        if self.direction is not None:
            if abs(self.direction) < _CLEAR:
                return "no clear direction"
            return f"{'raises' if self.direction > 0 else 'lowers'} (ρ = {self.direction:.2f})"
        if len(self.curve) < 2:
            return "–"
        first, last = self.curve[0], self.curve[-1]
        return (
            f"highest {first.value!r} ({first.contribution:+.3g}), lowest {last.value!r} "
            f"({last.contribution:+.3g})"
        )


def column_effects(
    column: Column,
    cells: Any,
    reading: Reading | None,
    outputs: Sequence[str],
    contributions: Array,
) -> list[ColumnEffect]:
    """What a column does to each output over some rows; its cells are read once.

    Parameters
    ----------
    column : Column
    cells : polars.Series
        The rows' values.
    reading : Reading or None
        How text is read.
    outputs : sequence of str
    contributions : array, shape (outputs, m)
        Of the column to each output.
    """
    directions: list[float | None] = [None] * len(outputs)
    curves: list[tuple[CurvePoint, ...]] = [()] * len(outputs)
    if isinstance(column, Category | Boolean):
        curves = _of_levels(column, cells, reading, contributions)
    for kind, read in _NUMBERS.items():
        if isinstance(column, kind):
            values = read(column, cells, reading)
            there = ~np.isnan(values)
            values, given = values[there], [own[there] for own in contributions]
            directions, curves = _rank_correlations(values, given), _of_values(values, given)
    means, is_date = (float(abs(own).mean()) for own in contributions), isinstance(column, Date)
    return [
        ColumnEffect(column.name, output, mean, direction, curve, is_date)
        for output, mean, direction, curve in zip(outputs, means, directions, curves, strict=True)
    ]


_NUMBERS: dict[type, Callable[[Any, Any, Reading | None], Array]] = {
    Numeric: lambda column, cells, reading: numbers_of(cells, reading).to_numpy(),
    Date: lambda column, cells, reading: days_of(cells, column.format, reading),
}
"""By kind of column, its values as numbers; missing ones as NaN."""


def _of_levels(
    column: Category | Boolean, cells: Any, reading: Reading | None, contributions: Iterable[Array]
) -> list[tuple[CurvePoint, ...]]:
    """Of the most frequent levels, the one that raises most first; a curve per output."""
    levels, codes = numbered(cells, reading, getattr(column, "known", column.levels))
    counts = np.bincount(codes, minlength=len(levels) + 1)
    often = [i for i in np.argsort(-counts, kind="stable")[:_MOST_POINTS] if counts[i]]
    names = [*levels, "(missing)"]
    curves = []
    for own in contributions:
        sums = np.bincount(codes, own, minlength=len(levels) + 1)
        points = (CurvePoint(names[i], float(sums[i] / counts[i]), int(counts[i])) for i in often)
        curves.append(tuple(sorted(points, key=lambda point: -point.contribution)))
    return curves


def _of_values(values: Array, contributions: Sequence[Array]) -> list[tuple[CurvePoint, ...]]:
    """Of about equally many rows each; rows of one value stay together. A curve per output."""
    if not len(values):
        return [()] * len(contributions)
    different, which = np.unique(values, return_inverse=True)
    if len(different) > _MOST_POINTS:
        edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, _MOST_POINTS + 1)[1:-1]))
        which = np.asarray(np.searchsorted(edges, values, side="right"))
    counts = np.bincount(which)
    means = [np.bincount(which, own) / np.maximum(counts, 1) for own in (values, *contributions)]
    return [
        tuple(
            CurvePoint(float(v), float(c), int(n))
            for v, c, n in zip(means[0], own, counts, strict=True)
            if n
        )
        for own in means[1:]
    ]


def _rank_correlations(x: Array, several: Sequence[Array]) -> list[float | None]:
    """Spearman's of x and each of the others; 0 where either is constant."""
    if len(x) < 2:
        return [0.0] * len(several)
    centered = _centered_ranks(x)
    spread = float(centered.std())
    found: list[float | None] = []
    for y in several:
        own = _centered_ranks(y)
        spreads = spread * float(own.std())
        found.append(float((centered * own).mean()) / spreads if spreads else 0.0)
    return found


def _centered_ranks(values: Array) -> Array:
    """Less their mean; equal values have the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Array = (ends - (counts - 1) / 2)[which]
    return ranks - ranks.mean()
