"""A column of numbers with values far from all others: as normal scores.

Of such a column mean and standard deviation are those of a few values, and all others lie so close
together that no network tells them apart. The normal score of a value is the quantile of N(0, 1)
with as many of the values below it (van der Waerden 1952); between values that training saw it is
a straight line, beyond them it stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.errors import DataError, setting
from deltarule.preprocessing.assembly import Made, Scaled
from deltarule.preprocessing.cells import narrow_numbers_of
from deltarule.preprocessing.numeric import ENOUGH, Numeric, some

if TYPE_CHECKING:
    import polars as pl

_APART = 10.0  # standard deviations from the mean that make it that of a few values,
_MOST_APART = 0.9  # or so much of the square root of the rows, which bounds them
_FEWEST_VALUES = 11
MOST_KNOTS = 65
"""Of a column."""

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Scores(Numeric):
    """Numbers as normal scores; missing ones take the training median.

    Attributes
    ----------
    knots : tuple of (float, float)
        Values and their scores, ascending.
    """

    knots: tuple[tuple[float, float], ...] = ()
    kind: ClassVar[str] = "scores"
    scale: ClassVar[str] = "as normal scores"

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Learn from the training rows."""
        return cls.of(Numeric.fit(column), column)

    @classmethod
    def of(cls, fitted: Numeric, column: pl.Series) -> Self:
        """The scores of a column of numbers that is fitted already."""
        numbers = _sampled(column)
        if numbers.n_unique() < 2:
            raise DataError(
                f"column {column.name!r}: holds one value; expected at least two for scores. "
                f"Drop it ({setting('drop', '--drop')})."
            )
        known = {field.name: getattr(fitted, field.name) for field in fields(fitted)}
        return cls(**known, knots=knots(numbers.to_numpy()))

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """The values, to be filled, flagged and scored."""
        numbers = narrow_numbers_of(column, reading)
        return Scaled(numbers, self.fill, self.mean, self.std, self.flagged, self.knots)


def is_far(fitted: Numeric, column: pl.Series) -> bool:
    """Whether a column has values far from the mean, and enough of them for scores.

    Parameters
    ----------
    fitted : Numeric
    column : polars.Series
    """
    apart = min(_APART, _MOST_APART * math.sqrt(len(column)))
    most = max(fitted.high - fitted.mean, fitted.mean - fitted.low)
    return most > apart * fitted.std and _sampled(column).n_unique() >= _FEWEST_VALUES


def _sampled(column: pl.Series) -> pl.Series:
    """The numbers of which knots are made: of very many rows some."""
    return some(narrow_numbers_of(column, None), max(1, len(column) // ENOUGH))


def knots(values: Array) -> tuple[tuple[float, float], ...]:
    """Values and their normal scores, about evenly over the scores: the ends are among them.

    Of values that recur it is the score of the middle one.

    Parameters
    ----------
    values : array, shape (m,)
        Finite, at least two different.

    Examples
    --------
    >>> [(value, round(score, 2)) for value, score in knots(np.array([1.0, 1.0, 2.0, 1000.0]))]
    [(1.0, -0.67), (2.0, 0.32), (1000.0, 1.15)]
    """
    different, counts = np.unique(values.astype(np.float64), return_counts=True)
    below = (np.cumsum(counts) - counts / 2) / len(values)
    first, last = (_NORMAL.inv_cdf(below[i]) for i in (0, -1))
    wanted = [_NORMAL.cdf(score) for score in np.linspace(first, last, MOST_KNOTS)[1:-1]]
    places = np.unique([0, *np.searchsorted(below, wanted), len(different) - 1])
    return tuple((float(different[i]), _NORMAL.inv_cdf(below[i])) for i in places)
