"""Curves of predicted probabilities over every threshold, and what became of them.

Positives are booleans, scores the probabilities given to them, `s` the rows' weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array


class Curve(NamedTuple):
    """Points of a curve and the area under it."""

    x: Array
    y: Array
    area: float


def confusion(labels: Array, taken: Array, k: int, s: Array) -> Array:
    """How often (by weight) each of `k` classes, a row, was taken for each, a column: ``(k, k)``.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2, np.ones(3))
    array([[1., 1.],
           [0., 1.]])
    """
    cells = np.asarray(labels) * k + taken
    return np.bincount(cells, weights=s, minlength=k * k).reshape(k, k)


def roc(positive: Array, score: Array, s: Array) -> Curve:
    """True positives against false positives, as shares, over every threshold.

    Examples
    --------
    >>> roc(np.array([False, True, True]), np.array([0.4, 0.3, 0.9]), np.ones(3)).area
    0.5
    """
    hits, misses = _counted(positive, score, s)
    x, y = (np.concatenate([[0.0], c / c[-1]]) if c[-1] else c for c in (misses, hits))
    area = float(np.trapezoid(y, x)) if len(x) == len(y) else float("nan")
    return Curve(x, y, area)


def precision_recall(positive: Array, score: Array, s: Array) -> Curve:
    """Precision against recall over every threshold; the area is the average precision.

    Examples
    --------
    >>> positive, score = np.array([False, True, True]), np.array([0.4, 0.3, 0.9])
    >>> curve = precision_recall(positive, score, np.ones(3))
    >>> curve.x.round(2).tolist(), curve.y.round(2).tolist(), round(curve.area, 2)
    ([0.0, 0.5, 0.5, 1.0], [1.0, 1.0, 0.5, 0.67], 0.83)
    """
    hits, misses = _counted(positive, score, s)
    recall = hits / hits[-1] if hits[-1] else hits
    precision = hits / np.maximum(hits + misses, np.finfo(float).tiny)
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return Curve(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area)


def _counted(positive: Array, score: Array, s: Array) -> tuple[Array, Array]:
    """Weights of the hits and of the misses above each different score, the highest first."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits, misses = np.cumsum(s[order] * positive[order]), np.cumsum(s[order] * ~positive[order])
    return hits[last], misses[last]


class Calibration(NamedTuple):
    """Bins of equal numbers of rows: what was predicted, what came, how much weight."""

    predicted: Array
    came: Array
    weight: Array


def calibration(positive: Array, p: Array, s: Array, bins: int = 10) -> Calibration:
    """What became of rows with about the same predicted probability.

    Examples
    --------
    >>> p, came = np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0])
    >>> calibration(came, p, np.ones(8), bins=2).came.tolist()
    [0.25, 0.75]
    """
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part) and s[part].sum() > 0]
    return Calibration(
        np.array([np.average(p[part], weights=s[part]) for part in parts]),
        np.array([np.average(positive[part], weights=s[part]) for part in parts]),
        np.array([s[part].sum() for part in parts]),
    )
