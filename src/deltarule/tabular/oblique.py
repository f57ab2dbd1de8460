"""Pairs of columns that interact on a fine scale: columns between the two.

A place on a map is two columns, and bins of each see stripes of the map. Bins of oblique features,
such as half the one and nine tenths of the other, see stripes across, and all stripes together the
place. A table of the rows by both columns shows which pairs need them (Lou, Caruana, Gehrke and
Hooker, *Accurate intelligible models with pairwise interactions*, 2013): by how much better
small cells predict than large ones, what columns alone leave open. What large cells tell as well,
a network finds without help.
"""

from __future__ import annotations

import math

import numpy as np

from deltarule.arrays import Array

_CELLS = 16  # of a column; a large one holds 2 x 2 small ones
_MERGED = 2
_ROWS_A_CELL = 16  # of a pair's, at least: fewer tell noise
_MOST_ROWS = 10_000
_MOST_OUTPUTS = 16  # of many classes, those that columns alone tell least of
_PRIOR = 4.0  # rows of nothing that each cell counts besides its own
_LEAST_GAIN = 0.02  # of the variance that columns alone leave open
_MOST_PAIRS = 4
_DIRECTIONS = 10  # between two axes and their opposites, evenly


def oblique_features(X: Array, Y: Array, among: Array) -> Array | None:
    """Weights of the oblique features ``(k, n)``; None where no pair of columns needs them.

    Parameters
    ----------
    X : array, shape (m, n)
        The training rows, finite.
    Y : array, shape (m, outputs)
        Their targets.
    among : int array
        The columns that may be paired.

    Examples
    --------
    A ring, by two coordinates; a third column tells nothing:

    >>> X = np.random.default_rng(0).uniform(-2.0, 2.0, (6000, 3))
    >>> Y = (X[:, :1] ** 2 + X[:, 1:2] ** 2 < 2.0) * 1.0
    >>> oblique_features(X, Y, np.arange(3)).round(2)[:3] + 0.0
    array([[0.97, 0.26, 0.  ],
           [0.87, 0.5 , 0.  ],
           [0.71, 0.71, 0.  ]])
    """
    if len(X) < _ROWS_A_CELL * _CELLS**2 or len(among) < 2:
        return None
    some = slice(None, None, -(-len(X) // _MOST_ROWS))
    gains = np.triu(_gains(X[some][:, among], np.asarray(Y[some], np.float32)), 1)
    best = [k for k in np.argsort(-gains, axis=None)[:_MOST_PAIRS] if gains.flat[k] > _LEAST_GAIN]
    if not best:
        return None
    pairs = among[np.array(np.unravel_index(best, gains.shape))].T
    W = np.zeros((len(pairs), _DIRECTIONS, X.shape[1]))
    for own, (first, second) in zip(W, pairs, strict=True):
        for row, angle in zip(own, _angles(), strict=True):
            row[[first, second]] = math.cos(angle), math.sin(angle)
    return W.reshape(-1, X.shape[1])


def pairs_of(oblique: Array) -> tuple[tuple[int, int], ...]:
    """The columns that oblique features combine, by their weights.

    Examples
    --------
    >>> pairs_of(np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]]))
    ((0, 2),)
    """
    pairs = {(int(first), int(second)) for first, second in map(np.flatnonzero, oblique)}
    return tuple(sorted(pairs))


def _angles() -> list[float]:
    """Between 0 and π, the axes left out."""
    parts = _DIRECTIONS + 2
    return [math.pi * k / parts for k in range(parts) if 2 * k % parts]


def _gains(X: Array, Y: Array) -> Array:
    """How much better small cells of each pair predict than large ones, ``(n, n)``.

    Both are evaluated on the half of the rows that they are not means of, as shares of the variance
    that the columns alone leave open; cells that predict worse than none count as none.
    """
    H = np.concatenate([_cells(column) for column in X.T], axis=1)
    left = Y - Y.mean(axis=0)
    ridge = _PRIOR * np.eye(H.shape[1]) + H.T @ H
    left -= H @ np.linalg.solve(ridge, H.T @ left).astype(H.dtype)
    left = left[:, np.argsort(-(left**2).sum(axis=0), kind="stable")[:_MOST_OUTPUTS]]
    halves = [(H[k::2].T @ H[k::2], left[k::2], H[k::2]) for k in (0, 1)]
    total = np.zeros((2, X.shape[1], X.shape[1]))
    for r in range(left.shape[1]):
        counted = [(N, h.T @ (own[:, r : r + 1] * h)) for N, own, h in halves]
        for known, evaluated in (counted, counted[::-1]):
            total[0] += _explained(known, evaluated, 1)
            total[1] += _explained(known, evaluated, _MERGED)
    fine, coarse = total / max(float((left**2).sum()), np.finfo(np.float32).tiny)
    return np.asarray(fine - np.maximum(coarse, 0.0))


def _cells(column: Array) -> Array:
    """In which of its cells, of about equally many rows, each row is: ``(m, cells)``, 0 or 1."""
    inner = np.quantile(column, np.linspace(0.0, 1.0, _CELLS + 1)[1:-1])
    return np.eye(_CELLS, dtype=np.float32)[np.searchsorted(inner, column, side="right")]


def _explained(known: tuple[Array, Array], evaluated: tuple[Array, Array], merged: int) -> Array:
    """How much squared error the known rows' means of cells save on the evaluated rows, ``(n, n)``.

    Both as how many rows each cell of a pair has, and the sum of what is left of their targets.
    """
    (counts, sums), (others, others_sums) = (
        [_merged(values, merged) for values in part] for part in (known, evaluated)
    )
    means = sums / (counts + _PRIOR)
    return (means * (2.0 * others_sums - means * others)).sum(axis=(1, 3), dtype=np.float64)


def _merged(values: Array, merged: int) -> Array:
    """Cells as ``(n, cells, n, cells)``, `k` by `k` of them as one."""
    n, cells = len(values) // _CELLS, _CELLS // merged
    return values.reshape(n, cells, merged, n, cells, merged).sum(axis=(2, 5))
