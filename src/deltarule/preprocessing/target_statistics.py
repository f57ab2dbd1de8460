"""What the rows of each level of a category say of the targets: smoothed means and log counts.

A level's mean is drawn toward that of all rows, the more so the fewer rows it has.
Rows that are learned from are encoded by other rows, so that no row's own target is among its
inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array

MOST_KNOWN = 10_000
"""Levels of a category that have statistics: the most frequent; others count as unseen."""

MOST_OUTCOMES = 8
"""Classes or targets that statistics are taken of, at most."""

_TINY = float(np.finfo(np.float64).tiny)


class Outcomes(NamedTuple):
    """What statistics are taken of: the targets of some rows.

    Attributes
    ----------
    names : tuple of str
        Of each column of Y, such as ``"mean of price"``.
    Y : array, shape (m, k)
    s : array, shape (m,), or None
        The rows' weights.
    """

    names: tuple[str, ...]
    Y: Array
    s: Array | None = None

    def take(self, rows: Any) -> Outcomes:
        """Those of some rows."""
        return Outcomes(self.names, self.Y[rows], None if self.s is None else self.s[rows])


@dataclass(frozen=True)
class Statistics:
    """Numbers of each level, stored in the model.

    Attributes
    ----------
    names : tuple of str
        Of the numbers.
    further : tuple of str
        Levels that have statistics, but no one-hot column; most frequent first.
    values : tuple of tuple of float
        A row for each level with a one-hot column, each further one, a missing value, and any
        other level.
    """

    names: tuple[str, ...]
    further: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    @cached_property
    def table(self) -> Array:
        """The values as float32 ``(rows, names)``."""
        return np.array(self.values, dtype=np.float32).reshape(-1, len(self.names))


def smoothed(codes: Array, size: int, outcomes: Outcomes, times: float = 1.0) -> Array:
    """Of each level the smoothed means, as deviations in standard deviations, and ln(1 + rows).

    The variances within and between levels are estimated from the rows (analysis of variance). A
    level without rows has zeros.

    Parameters
    ----------
    codes : int array, shape (m,)
        The level of each row.
    size : int
        How many levels there are.
    outcomes : Outcomes
        Of the rows.
    times : float
        How many rows each of these stands for: a part of a table counts as the whole.

    Returns
    -------
    float64 array, shape (size, k + 1)

    Examples
    --------
    >>> y = np.array([1.0, 1.1, 0.9, 5.0, 5.2, 2.0])[:, None]
    >>> smoothed(np.array([0, 0, 0, 1, 1, 2]), 4, Outcomes(("mean of y",), y)).round(2)
    array([[-0.83,  1.39],
           [ 1.39,  1.1 ],
           [-0.29,  0.69],
           [ 0.  ,  0.  ]])
    """
    Y = np.asarray(outcomes.Y, dtype=np.float64)
    s = np.ones(len(Y)) if outcomes.s is None else np.asarray(outcomes.s, dtype=np.float64)
    s = s / max(s.mean(), _TINY) if len(s) else s
    n = np.bincount(codes, s, minlength=size)[:, None]
    made = np.zeros((size, Y.shape[1] + 1))
    made[:, -1:] = np.log1p(times * n)
    m = n.sum()
    if not m:
        return made
    Y = Y - s @ Y / m
    sums = np.stack([np.bincount(codes, s * y, minlength=size) for y in Y.T], axis=1)
    means = sums / np.maximum(n, _TINY)
    total, between = s @ Y**2, (n * means**2).sum(axis=0)
    levels = np.count_nonzero(n)
    inner = np.maximum(total - between, 0.0) / max(m - levels, 1)
    spread = (between - (levels - 1) * inner) / max(m - (n**2).sum() / m, _TINY)
    spread = np.maximum(spread, 0.0) if m > levels else np.zeros_like(inner)
    share = n * spread / np.maximum(n * spread + inner, _TINY)
    made[:, :-1] = share * means / np.sqrt(np.maximum(total / m, _TINY))
    return made


def statistics(codes: Array, known: int, further: Sequence[str], outcomes: Outcomes) -> Statistics:
    """The statistics of a column's levels.

    Parameters
    ----------
    codes : int array, shape (m,)
        Each row's row among the values; `known` is a missing one, `known` + 1 any other level.
    known : int
        How many levels have statistics.
    further : sequence of str
        Those without a one-hot column.
    outcomes : Outcomes
        Of the rows.
    """
    found = _without_others(smoothed(codes, known + 2, outcomes))
    found[:, -1] -= found[codes, -1].mean()
    values = tuple(tuple(row) for row in found.astype(np.float32).tolist())
    return Statistics((*outcomes.names, "rows"), tuple(further), values)


def cross_fitted(
    codes: Array, known: int, outcomes: Outcomes, folds: Sequence[tuple[Array, Array]]
) -> Array:
    """The same numbers of each row, from other rows: float32 ``(m, k + 1)``.

    Parameters
    ----------
    codes, known, outcomes
        As of :func:`statistics`.
    folds : sequence of pairs of int arrays
        Rows that statistics are taken from, and rows that they encode; a row that none encodes is
        one whose level is unseen.

    Examples
    --------
    >>> codes, y = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 8, 4, 4, 4, 4.0])
    >>> even, odd = np.arange(0, 8, 2), np.arange(1, 8, 2)
    >>> outcomes = Outcomes(("mean of y",), y[:, None])
    >>> cross_fitted(codes, 2, outcomes, [(even, odd), (odd, even)])[:, 0] + 0.0
    array([ 0., -1.,  0., -1.,  0.,  1.,  0.,  1.], dtype=float32)
    """
    made = np.zeros((len(codes), outcomes.Y.shape[1] + 1))
    for rows, others in folds:
        times = len(codes) / max(len(rows), 1)  # else new rows would all seem more frequent
        own = _without_others(smoothed(codes[rows], known + 2, outcomes.take(rows), times))
        made[others] = own[codes[others]]
    made[:, -1] -= _without_others(smoothed(codes, known + 2, outcomes))[codes, -1].mean()
    return made.astype(np.float32)


def _without_others(found: Array) -> Array:
    """Levels beyond those that are known are to each other what an unseen one is."""
    found[-1] = 0.0
    return found
