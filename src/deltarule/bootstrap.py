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

_MOST_PARTS = 2000
_SEED = 0


class ConfidenceInterval(NamedTuple):
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
        own = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
        self.units = int(own.max(initial=-1)) + 1
        """How many rows or groups there are."""
        self._part = _parts(self.units)[own]

    def draws(self, figure: Figure, parts: Array) -> Array | None:
        """A metric in each draw, NaN where it has none; None for fewer than two rows or groups.

        Parameters
        ----------
        figure : Figure
        parts : array, shape (parts, rows)
            By :func:`deltarule.metrics.parts_of`.
        """
        if self.units < 2:
            return None
        sums = np.array([np.bincount(self._part, part) for part in parts])
        return figure.of_sums(sums @ _counts(sums.shape[1]))


def interval_of(draws: Array | None, trials: int | None = None) -> ConfidenceInterval | None:
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
    ConfidenceInterval(low=1.0, high=39.0)
    >>> interval_of(np.ones(1000), trials=30)
    ConfidenceInterval(low=0.884, high=1.0)
    """
    finite = np.empty(0) if draws is None else draws[np.isfinite(draws)]
    if not len(finite):
        return None
    low, high = map(float, np.quantile(finite, ENDS))
    if trials is not None and low == high in (0.0, 1.0):
        least = round(ENDS[0] ** (1.0 / trials), 3)
        return (
            ConfidenceInterval(least, 1.0)
            if high
            else ConfidenceInterval(0.0, round(1.0 - least, 3))
        )
    return ConfidenceInterval(low, high)


def _parts(count: int) -> Array:
    """What each row or group is drawn with: itself, or of many, a part of equal size."""
    if count <= _MOST_PARTS:
        return np.arange(count)
    return generator(_SEED, "bootstrap", 0, count).permutation(count) % _MOST_PARTS


@lru_cache(maxsize=1)  # the models on the same rows follow each other
def _counts(parts: int) -> Array:
    """How often each part is in each draw, ``(parts, draws)``."""
    drawn = generator(_SEED, "bootstrap", 1, parts).integers(0, parts, (DRAWS, parts))
    places = drawn + parts * np.arange(DRAWS)[:, None]
    counts = np.bincount(places.ravel(), minlength=DRAWS * parts).reshape(DRAWS, parts)
    return np.ascontiguousarray(counts.T, dtype=float)
