"""Confidence intervals of metrics: the bootstrap over rows, or over groups of rows.

Rows are drawn with replacement (Efron 1979); rows of one group are drawn together. Every metric is
a function of sums over rows, so a draw needs sums only: AUC and average precision are linearized in
the rows' weights (DeLong 1988). Of more than 2,000 rows or groups, 2,000 parts of equal size, put
together at random, are drawn in their place: the spread is the same. The seed is fixed, and the
same rows are drawn the same way, so that two models on the same rows are compared draw by draw.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.metrics import Figure
from deltarule.rng import generator

ENDS = 0.025, 0.975
"""Of an interval of 95 %: the shares of draws below its ends."""

DRAWS = 1000

_MOST_UNITS = 2000
_SEED = 0


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


class Resampling:
    """The draws of some rows: each with replacement, as many as there are.

    Parameters
    ----------
    rows : int
    groups : int array, shape (rows,), optional
        The number of each row's group, from 0.

    Examples
    --------
    >>> from deltarule.metrics import FIGURES
    >>> accuracy = FIGURES["classification"][0]
    >>> hits = np.repeat([0.0, 1.0], 50)
    >>> draws = Resampling(100).draws(accuracy, np.array([np.ones(100), hits]))
    >>> draws.shape, float(draws.std().round(2))  # 0.5 / √100
    ((1000,), 0.05)
    """

    def __init__(self, rows: int, groups: Array | None = None) -> None:
        units = _units(rows if groups is None else int(groups.max(initial=-1)) + 1)
        self._unit = units if groups is None else units[groups]
        there, self._unit = np.unique(self._unit, return_inverse=True)
        self.count = len(there)
        """How many rows, groups or parts are drawn."""

    def draws(self, figure: Figure, parts: Array) -> Array | None:
        """A metric in each draw, NaN where it has none; None for fewer than two rows or groups.

        Parameters
        ----------
        figure : Figure
        parts : array, shape (parts, rows)
            By :func:`deltarule.metrics.parts_of`.
        """
        if self.count < 2:
            return None
        sums = np.array([np.bincount(self._unit, part, self.count) for part in parts])
        with np.errstate(all="ignore"):
            return figure.of_sums(sums @ _counts(self.count))


def interval_of(draws: Array | None, trials: int | None = None) -> Interval | None:
    """The middle 95 % of draws; None where there are none.

    Parameters
    ----------
    draws : array, optional
    trials : int, optional
        Of a share: of how many. A share of 1 or 0 is drawn as nothing else, though another sample
        may have another: its interval is that of Clopper and Pearson (1934).

    Examples
    --------
    >>> interval_of(np.arange(41.0))
    Interval(low=1.0, high=39.0)
    >>> interval_of(np.ones(1000), trials=30)
    Interval(low=0.884, high=1.0)
    """
    finite = np.empty(0) if draws is None else draws[np.isfinite(draws)]
    if not len(finite):
        return None
    low, high = map(float, np.quantile(finite, ENDS))
    if trials is not None and low == high in (0.0, 1.0):
        least = round(ENDS[0] ** (1.0 / trials), 3)
        return Interval(least, 1.0) if high else Interval(0.0, round(1.0 - least, 3))
    return Interval(low, high)


def _units(count: int) -> Array:
    """The number of what is drawn with each row or group: of many, a part of equal size."""
    if count <= _MOST_UNITS:
        return np.arange(count)
    return generator(_SEED, "bootstrap", 0, count).permutation(count) % _MOST_UNITS


@lru_cache(maxsize=1)  # the models on the same rows follow each other
def _counts(units: int) -> Array:
    """How often each unit is in each draw, ``(units, draws)``."""
    drawn = generator(_SEED, "bootstrap", 1, units).integers(0, units, (DRAWS, units))
    places = drawn + units * np.arange(DRAWS)[:, None]
    counts = np.bincount(places.ravel(), minlength=DRAWS * units).reshape(DRAWS, units)
    return np.ascontiguousarray(counts.T, dtype=float)
