"""Metrics of predictions: accuracy, log loss and AUC of classes; RMSE, MAE and R² of numbers.

Of intervals: how many true values they hold, and a score of their width and their misses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from deltarule.arrays import Array


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    name : str
        What machines read: ``"log_loss"``.
    label : str
        What people read: ``"log loss"``.
    of : function
        Of targets, predictions and weights ``(m,)`` to a number. For classes, the targets are
        their numbers ``(m,)`` and the predictions probabilities ``(m, classes)``; for numbers,
        both are ``(m, targets)`` in the target's own units.
    more_is_better : bool
    two_classes : bool
        Whether it needs exactly two classes.
    """

    name: str
    label: str
    of: Callable[[Array, Array, Array], float]
    more_is_better: bool
    two_classes: bool = False

    def is_better(self, a: float, b: float) -> bool:
        """Whether one value beats another."""
        return a > b if self.more_is_better else a < b


_TINY = 1e-7  # a float32 sigmoid cannot tell 1 − 1e-8 from 1: no figure should either


def _hits(labels: Array, P: Array) -> Array:
    return P.argmax(axis=1) == labels


def _accuracy(labels: Array, P: Array, s: Array) -> float:
    return float(np.average(_hits(labels, P), weights=s))


def _log_loss(labels: Array, P: Array, s: Array) -> float:
    given = np.clip(P[np.arange(len(labels)), labels], _TINY, 1.0)
    return float(np.average(-np.log(given), weights=s))


def _auc(labels: Array, P: Array, s: Array) -> float:
    """The share of pairs (one of each class) that the probability puts in the right order."""
    _, at = np.unique(P[:, 1], return_inverse=True)
    positive = np.bincount(at, weights=s * (labels == 1))
    negative = np.bincount(at, weights=s * (labels == 0))
    below = np.cumsum(negative) - negative
    pairs = positive.sum() * negative.sum()
    return float((positive * (below + 0.5 * negative)).sum() / pairs) if pairs else float("nan")


def _rmse(Y: Array, P: Array, s: Array) -> float:
    return float(np.sqrt(np.average(((Y - P) ** 2).mean(axis=1), weights=s)))


def _mae(Y: Array, P: Array, s: Array) -> float:
    return float(np.average(abs(Y - P).mean(axis=1), weights=s))


def _r2(Y: Array, P: Array, s: Array) -> float:
    """The share of the variance explained, averaged over targets."""
    mean = np.average(Y, axis=0, weights=s)
    left = np.average((Y - P) ** 2, axis=0, weights=s)
    spread = np.average((Y - mean) ** 2, axis=0, weights=s)
    return float(np.mean(1.0 - left / spread)) if (spread > 0).all() else float("nan")


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "classification": (
        Figure("accuracy", "accuracy", _accuracy, True),
        Figure("log_loss", "log loss", _log_loss, False),
        Figure("auc", "AUC", _auc, True, two_classes=True),
    ),
    "regression": (
        Figure("rmse", "RMSE", _rmse, False),
        Figure("mae", "MAE", _mae, False),
        Figure("r2", "R²", _r2, True),
    ),
}
"""The figures of each task; the first decides a verdict."""


def figures(
    task: str, targets: Array, predictions: Array, weights: Array | None = None
) -> dict[str, float]:
    """Every figure of a task.

    Parameters
    ----------
    task : str
        ``"classification"`` or ``"regression"``.
    targets, predictions : arrays
        As :class:`Figure` says.
    weights : array, shape (m,), optional

    Returns
    -------
    dict of str to float
        By the figure's name; figures that cannot be computed (R² of a constant) are left out.

    Examples
    --------
    >>> P = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> {name: round(value, 3) for name, value in figures("classification", [0, 0, 1], P).items()}
    {'accuracy': 0.667, 'log_loss': 0.415, 'auc': 1.0}
    """
    targets, predictions = np.asarray(targets), np.asarray(predictions, dtype=np.float64)
    s = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # of predictions that overflow
        found = {
            figure.name: figure.of(targets, predictions, s)
            for figure in FIGURES[task]
            if not figure.two_classes or predictions.shape[1] == 2
        }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def errors_by_row(task: str, targets: Array, predictions: Array) -> Array:
    """What the first figure averages, ``(m,)``: misses for classes, squared errors for numbers."""
    if task == "classification":
        return 1.0 - _hits(np.asarray(targets), predictions)
    with np.errstate(over="ignore", invalid="ignore"):
        return ((targets - predictions) ** 2).mean(axis=1)


def interval_coverage(Y: Array, low: Array, high: Array) -> float:
    """The share of true values that lie between the ends of their intervals.

    Examples
    --------
    >>> interval_coverage(np.array([1.0, 2.0]), np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    0.5
    """
    return float(np.mean((low <= Y) & (high >= Y)))


def interval_score(Y: Array, low: Array, high: Array, coverage: float) -> Array:
    """Width, and for what lies outside its distance times 2/(1 − coverage): less is better.

    Its mean is least where the ends are the quantiles of the true values (Gneiting and Raftery
    2007).

    Parameters
    ----------
    Y, low, high : array
        Of one shape.
    coverage : float

    Examples
    --------
    >>> interval_score(np.array([1.0, 5.0]), np.zeros(2), np.full(2, 4.0), 0.8).round(6)
    array([ 4., 14.])
    """
    missed = np.maximum(low - Y, 0.0) + np.maximum(Y - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - coverage) * missed)


def pinball_loss(Y: Array, quantiles: Array, level: float) -> Array:
    """What a predicted quantile costs, by value: less is better.

    Its mean is least for the true quantile of that level (Koenker and Bassett 1978).

    Parameters
    ----------
    Y, quantiles : array
        Of one shape.
    level : float

    Examples
    --------
    >>> pinball_loss(np.array([1.0, -1.0]), np.zeros(2), 0.9).round(6)
    array([0.9, 0.1])
    """
    errors = Y - quantiles
    return np.asarray(np.maximum(level * errors, (level - 1.0) * errors))
