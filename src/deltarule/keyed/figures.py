"""Held-out figures of every key, beside what its own mean or most frequent class would get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array

FIGURES = {
    "regression": ("rmse", "r2", "baseline_rmse"),
    "classification": ("accuracy", "log_loss", "baseline_accuracy"),
}
"""What is known of each key, by task: the first is compared with the last."""

LABELS = {
    "rmse": "RMSE",
    "r2": "R², relative to the key's mean",
    "baseline_rmse": "RMSE of the key's mean",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "baseline_accuracy": "accuracy of the key's most frequent class",
}

_TINY = 1e-15  # a probability that was wrong is not punished beyond this
_SHARES = (0.1, 0.5, 0.9)
_WORST = 5


def regression_figures(y: Array, predicted: Array, means: Array, starts: Array) -> Array:
    """RMSE, R² and the RMSE of the key's mean, ``(keys, 3)``, in the target's units.

    Parameters
    ----------
    y, predicted : float64 arrays, shape (m, targets)
        Of the held-out rows, a key's together.
    means : float64 array, shape (keys, targets)
        Of each key's other rows.
    starts : int array, shape (keys + 1,)

    Examples
    --------
    >>> y = np.array([[0.0], [2.0]])
    >>> regression_figures(y, np.ones((2, 1)), np.zeros((1, 1)), np.array([0, 2])).round(3)
    array([[1.   , 0.5  , 1.414]])
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        own = _mean_by_key((y - predicted) ** 2, starts)
        plain = _mean_by_key((y - np.repeat(means, np.diff(starts), axis=0)) ** 2, starts)
        r2 = np.where(plain > 0, 1 - own / plain, np.nan).mean(axis=1)
        return np.stack([np.sqrt(own.mean(axis=1)), r2, np.sqrt(plain.mean(axis=1))], axis=1)


def classification_figures(labels: Array, P: Array, usual: Array, starts: Array) -> Array:
    """Accuracy, log loss and the accuracy of the key's most frequent class, ``(keys, 3)``.

    Parameters
    ----------
    labels : int array, shape (m,)
    P : float array, shape (m, classes)
    usual : int array, shape (keys,)
        The most frequent class of each key's other rows.
    starts : int array, shape (keys + 1,)

    Examples
    --------
    >>> P = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> classification_figures(np.array([0, 1]), P, np.array([0]), np.array([0, 2])).round(3)
    array([[1.   , 0.164, 0.5  ]])
    """
    said = P[np.arange(len(P)), labels].astype(np.float64)
    by_row = [
        P.argmax(axis=1) == labels,
        -np.log(np.clip(said, _TINY, 1.0)),
        np.repeat(usual, np.diff(starts)) == labels,
    ]
    return _mean_by_key(np.stack(by_row, axis=1).astype(np.float64), starts)


class Summary(NamedTuple):
    """The figures of all keys together.

    Attributes
    ----------
    spread : dict of str to tuple of float
        Of each figure: what 10 %, 50 % and 90 % of the keys are below.
    better, evaluated : int
        Keys that beat their own mean or most frequent class, and keys that were evaluated.
    worst : list of (str, float, float)
        Keys with the least R², or accuracy: the figure, and the baseline's RMSE or accuracy.
    """

    spread: dict[str, tuple[float, ...]]
    better: int
    evaluated: int
    worst: list[tuple[str, float, float]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "spread": {name: list(values) for name, values in self.spread.items()},
            "better": self.better,
            "evaluated": self.evaluated,
            "worst": [list(row) for row in self.worst],
        }


def summary(task: str, keys: Sequence[str], figures: Array) -> Summary:
    """What the keys' figures come to.

    Parameters
    ----------
    task : str
    keys : sequence of str
    figures : float64 array, shape (keys, 3)
        As :data:`FIGURES` names them; NaN where there is none.

    Examples
    --------
    >>> found = summary("regression", ["a", "b"], np.array([[1.0, 0.75, 2.0], [3.0, -1.25, 2.0]]))
    >>> found.spread["rmse"], found.better, found.worst[0]
    ((1.2, 2.0, 2.8), 1, ('b', -1.25, 2.0))
    """
    names = FIGURES[task]
    known = np.isfinite(figures)
    spread = {
        name: tuple(np.quantile(column[there], _SHARES).round(12).tolist())
        for name, column, there in zip(names, figures.T, known.T, strict=True)
        if there.any()
    }
    own, base = figures[:, 0], figures[:, 2]
    better = own < base if task == "regression" else own > base
    ranked = figures[:, 1 if task == "regression" else 0]
    order = np.argsort(ranked, kind="stable")[:_WORST]
    worst = [
        (keys[k], float(ranked[k]), float(base[k]))
        for k in order.tolist()
        if np.isfinite(ranked[k])
    ]
    return Summary(spread, int(better.sum()), int(known[:, 0].sum()), worst)


def _mean_by_key(values: Array, starts: Array) -> Array:
    """The mean of each key's rows; no key is without."""
    sums: Array = np.add.reduceat(values, starts[:-1], axis=0)
    return sums / np.diff(starts)[:, None]
