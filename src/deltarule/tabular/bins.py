"""Where columns of numbers are cut, so that a network sees detail: edges from the training rows.

:class:`~deltarule.layers.PiecewiseLinear` makes the piecewise-linear encoding of each column. A
column that is not cut has one bin from 0 to 1 and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deltarule.arrays import Array, checked_number

_MOST_ROWS = 100_000  # to find quantiles by
_MOST_UNITS = 400  # of all columns together
_ROWS_A_BIN = 512  # of a column whose values never recur, at least
_REPEATS_A_BIN = 8  # values that recur lie on a grid: few rows tell what each is good for
_FEWEST_BINS = 8  # below, steps hide more than they show
_UNCUT = (0.0, 1.0)

Edges = tuple[tuple[float, ...], ...]


def edges(
    X: Array, most: int, uncut: Array | None = None, values: Sequence[Array] | None = None
) -> Edges | None:
    """The edges of every column, ascending; None where no column has enough values to be cut.

    Parameters
    ----------
    X : array, shape (m, n)
        The training rows, finite.
    most : int
        Bins of a column, at most; fewer where rows are few or columns many.
    uncut : bool array, shape (n,), optional
        Columns that are not cut.
    values : sequence of arrays, optional
        Each column's, by :func:`distinct`, where they are known already.

    Raises
    ------
    SettingError
        For no number of bins.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0], [1.0, 4.0]]).repeat(8, axis=0)
    >>> edges(X, 48)
    ((0.0, 1.0), (0.0, 1.0, 2.0, 4.0))
    """
    checked_number("edges", "most", most, low=0, whole=True)
    X = sampled(X)
    whole = np.zeros(X.shape[1], dtype=bool) if uncut is None else uncut
    values = distinct(X) if values is None else values
    cut = sum(len(own) > 2 and not kept for own, kept in zip(values, whole, strict=True))
    most = min(most, _MOST_UNITS // max(cut, 1))
    found = tuple(
        _UNCUT if kept else _edges(column, own, most)
        for column, own, kept in zip(X.T, values, whole, strict=True)
    )
    return None if all(own == _UNCUT for own in found) else found


def distinct(X: Array) -> list[Array]:
    """The different values of each column, ascending; of very many rows those of some."""
    return [np.unique(column) for column in sampled(X).T]


def sampled(X: Array) -> Array:
    """As many of the rows, evenly, as quantiles are found by."""
    return X[:: -(-len(X) // _MOST_ROWS)]


def _edges(column: Array, values: Array, most: int) -> tuple[float, ...]:
    """All values where they are few; else quantiles, and each value that fills a bin alone.

    Quantiles of such a column would mostly fall together on that value.
    """
    m, repeats = len(column), len(column) - len(values)
    most = min(most, m // _ROWS_A_BIN + repeats // _REPEATS_A_BIN)
    if len(values) < 3 or most < min(_FEWEST_BINS, len(values) - 1):
        return _UNCUT
    if len(values) > most + 1:
        counts = np.bincount(np.searchsorted(values, column))
        full = counts * most > m
        rest = column[~full[np.searchsorted(values, column)]]
        places = np.linspace(0.0, 1.0, max(most - int(full.sum()), 1) + 1)
        ends = values[[0, -1]]
        values = np.unique(np.concatenate([values[full], np.quantile(rest, places), ends]))
    return tuple(map(float, values))
