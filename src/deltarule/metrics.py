"""Metrics of predictions: accuracy, log loss and AUC of classes; RMSE, MAE and R² of numbers.

Of intervals: how many true values they hold, and a score of their width and their misses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from deltarule.arrays import Array

Parts: TypeAlias = Callable[[Array, Array, Array], list[Array]]


@dataclass(frozen=True)
class Figure:
    """One figure: a function of weighted sums over rows, so that it can be resampled.

    Parameters
    ----------
    name : str
        What machines read: ``"log_loss"``.
    label : str
        What people read: ``"log loss"``.
    parts : function
        Of targets, predictions and weights ``(m,)`` to what is summed: arrays ``(m,)``. For
        classes, the targets are their numbers ``(m,)`` and the predictions probabilities
        ``(m, classes)``; for numbers, both are ``(m, targets)`` in the target's own units.
    value : function
        Of the weighted sum of each part to the figure. Also of arrays of sums.
    more_is_better : bool
    two_classes : bool
        Whether it needs exactly two classes.
    target : str
        Of several targets, the one that it is of; empty for a figure of all.
    """

    name: str
    label: str
    parts: Parts
    value: Callable[..., Array]
    more_is_better: bool
    two_classes: bool = False
    target: str = ""

    @property
    def title(self) -> str:
        """What people read where no table says which target it is of."""
        return f"{self.label} of {self.target}" if self.target else self.label

    def of_target(self, k: int, name: str) -> Figure:
        """The same of one target, in its own unit."""

        def parts(Y: Array, P: Array, s: Array) -> list[Array]:
            return self.parts(Y[:, [k]], P[:, [k]], s)

        return replace(self, name=f"{self.name}_{name}", parts=parts, target=name)

    def of_sums(self, sums: Array) -> Array:
        """The figure of the weighted sums of its parts, ``(parts, …)``; NaN where it has none."""
        with np.errstate(all="ignore"):
            return self.value(*sums)

    def is_better(self, a: float, b: float) -> bool:
        """Whether one value is better than another."""
        return a > b if self.more_is_better else a < b


_TINY = 1e-7  # a float32 sigmoid cannot tell 1 − 1e-8 from 1: no figure should either

RARE = 0.2
"""The share of rows below which a class is rare, and its average precision is shown."""


def _mean_of(loss: Callable[[Array, Array], Array]) -> Parts:
    """The parts of a mean over rows."""
    return lambda targets, P, s: [np.ones(len(s)), loss(targets, P)]


def _mean(count: Array, total: Array) -> Array:
    return total / count


def _root_mean(count: Array, total: Array) -> Array:
    return np.sqrt(total / count)


def _hits(labels: Array, P: Array) -> Array:
    return P.argmax(axis=1) == labels


def _log_loss(labels: Array, P: Array) -> Array:
    return -np.log(np.clip(P[np.arange(len(labels)), labels], _TINY, 1.0))


def _squares(Y: Array, P: Array) -> Array:
    squares: Array = ((Y - P) ** 2).mean(axis=1)
    return squares


def _absolutes(Y: Array, P: Array) -> Array:
    absolutes: Array = abs(Y - P).mean(axis=1)
    return absolutes


def _auc(labels: Array, P: Array, s: Array) -> list[Array]:
    """The share of pairs (one of each class) that the probability puts in the right order.

    Per row of one class, the share of the other class that it stands right to: DeLong, DeLong and
    Clarke-Pearson 1988. Half of the whole is taken off each, since a value is the sum of two means.
    """
    _, at = np.unique(P[:, 1], return_inverse=True)
    is_positive, is_negative = labels == 1, labels == 0
    positive = np.bincount(at, weights=s * is_positive)
    negative = np.bincount(at, weights=s * is_negative)
    below, above = np.cumsum(negative) - 0.5 * negative, positive.sum() - np.cumsum(positive)
    right = (below / negative.sum())[at] * is_positive
    left = ((above + 0.5 * positive) / positive.sum())[at] * is_negative
    half = 0.5 * (s * right).sum() / positive.sum()
    return [right - half * is_positive, is_positive, left - half * is_negative, is_negative]


def _both_means(right: Array, positive: Array, left: Array, negative: Array) -> Array:
    return np.clip(right / positive + left / negative, 0.0, 1.0)


def _average_precision(labels: Array, P: Array, s: Array) -> list[Array]:
    """The mean precision at the rows of the rarer class; of a class that is not rare, none.

    The second term of the first part is the derivative with respect to a row's weight through the
    precisions of others. Its weighted sum is 0.
    """
    rarer = int((s * (labels == 1)).sum() <= (s * (labels == 0)).sum())
    is_rare = (labels == rarer).astype(float)
    if not (s * is_rare).sum() < RARE * s.sum():
        return [np.zeros(len(s)), np.zeros(len(s))]
    _, at = np.unique(-P[:, rarer], return_inverse=True)
    found = np.bincount(at, weights=s * is_rare)
    hits, alarms = np.cumsum(found), np.maximum(np.cumsum(np.bincount(at, weights=s)), 1e-300)
    own = np.cumsum((found / alarms)[::-1])[::-1]
    others = np.cumsum((found * hits / alarms**2)[::-1])[::-1]
    return [is_rare * (hits / alarms + own)[at] - others[at], is_rare]


def _share(total: Array, count: Array) -> Array:
    return np.clip(total / count, 0.0, 1.0)


def _variances(Y: Array, P: Array, s: Array) -> list[Array]:
    """Of each target the squared error, the distance from the mean and its square."""
    apart = Y - np.average(Y, axis=0, weights=s)
    return [np.ones(len(s)), *((Y - P) ** 2).T, *apart.T, *(apart**2).T]


def _r2(count: Array, *sums: Array) -> Array:
    """The share of the variance explained, averaged over targets."""
    left, apart, squares = np.split(np.array(sums), 3)
    spread = squares - apart**2 / count
    found: Array = np.where(spread > 0, 1.0 - left / spread, np.nan).mean(axis=0)
    return found


def _mean_r2(count: Array, *sums: Array) -> Array:
    """The mean R² of the targets that vary."""
    own = np.array([_r2(count, *each) for each in zip(*np.split(np.array(sums), 3), strict=True)])
    known = np.isfinite(own)
    found: Array = np.where(known, own, 0.0).sum(axis=0) / known.sum(axis=0)
    return found


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "classification": (
        Figure("accuracy", "accuracy", _mean_of(_hits), _mean, True),
        Figure("log_loss", "log loss", _mean_of(_log_loss), _mean, False),
        Figure("auc", "AUC", _auc, _both_means, True, two_classes=True),
        Figure(
            "average_precision",
            "average precision",
            _average_precision,
            _share,
            True,
            two_classes=True,
        ),
    ),
    "regression": (
        Figure("rmse", "RMSE", _mean_of(_squares), _root_mean, False),
        Figure("mae", "MAE", _mean_of(_absolutes), _mean, False),
        Figure("r2", "R²", _variances, _r2, True),
    ),
}
"""The figures of each task; the first decides a verdict."""


def figures_of(task: str, names: Sequence[str] = ()) -> tuple[Figure, ...]:
    """The figures of a task; the first decides a verdict.

    Several targets have units that differ: each has its own figures, and the first is the mean R²
    of all, which has no unit.

    Parameters
    ----------
    task : str
    names : sequence of str
        The targets.

    Examples
    --------
    >>> [figure.name for figure in figures_of("regression", ["rent", "area"])][:4]
    ['r2', 'rmse_rent', 'mae_rent', 'r2_rent']
    """
    rows = FIGURES[task]
    if task != "regression" or len(names) < 2:
        return rows
    each = (row.of_target(k, name) for k, name in enumerate(names) for row in rows)
    return Figure("r2", "mean R²", _variances, _mean_r2, True), *each


def figures(
    task: str,
    targets: Array,
    predictions: Array,
    weights: Array | None = None,
    names: Sequence[str] = (),
) -> dict[str, float]:
    """Every figure of a task.

    Parameters
    ----------
    task : str
        ``"classification"`` or ``"regression"``.
    targets, predictions : arrays
        As :class:`Figure` says.
    weights : array, shape (m,), optional
    names : sequence of str
        Of several targets, so that each has figures in its unit (:func:`figures_of`); without
        names, figures are means over the outputs.

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
    return {
        figure.name: value
        for figure, parts in parts_of(task, targets, predictions, weights, names)
        if np.isfinite(value := float(figure.of_sums(parts.sum(axis=1))))
    }


def parts_of(
    task: str,
    targets: Array,
    predictions: Array,
    weights: Array | None = None,
    names: Sequence[str] = (),
) -> Iterator[tuple[Figure, Array]]:
    """Every figure of a task with its parts, ``(parts, m)``, times the weights.

    Parameters
    ----------
    task, targets, predictions, weights, names
        As of :func:`figures`.
    """
    targets, predictions = np.asarray(targets), np.asarray(predictions, dtype=np.float64)
    s = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    for figure in figures_of(task, names):
        if not figure.two_classes or predictions.shape[1] == 2:
            with np.errstate(all="ignore"):  # of predictions that overflow, of classes without rows
                parts = np.array([part * s for part in figure.parts(targets, predictions, s)])
            yield figure, parts


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
