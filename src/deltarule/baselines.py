"""Baselines: simple models that a network is compared with, on the same preprocessed columns."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import require
from deltarule.metrics import FIGURES, errors_by_row, figures
from deltarule.system.threads import few_threads


@dataclass(frozen=True)
class Baseline:
    """One model to compare with.

    Parameters
    ----------
    name : str
        What people read.
    make : function
        Of a seed to an estimator of scikit-learn.
    one_target : bool
        Whether the estimator takes one target at a time.
    """

    name: str
    make: Callable[[int], Any]
    one_target: bool = False


def _sklearn(path: str, **settings: Any) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(require(f"sklearn.{module}", "sklearn", "a baseline"), name)(**settings)


def _boosting(kind: str) -> Callable[[int], Any]:
    return lambda seed: _sklearn(f"ensemble.HistGradientBoosting{kind}", random_state=seed)


_WORTH_THREADS = 1_000_000  # cells of a table

BASELINES: Mapping[str, tuple[Baseline, ...]] = {
    "classification": (
        Baseline("majority class", lambda seed: _sklearn("dummy.DummyClassifier")),
        Baseline(
            "logistic regression",
            lambda seed: _sklearn("linear_model.LogisticRegression", max_iter=1000),
        ),
        Baseline("HistGradientBoosting", _boosting("Classifier")),
    ),
    "regression": (
        Baseline("mean", lambda seed: _sklearn("dummy.DummyRegressor")),
        Baseline("ridge regression", lambda seed: _sklearn("linear_model.Ridge")),
        Baseline("HistGradientBoosting", _boosting("Regressor"), one_target=True),
    ),
}
"""The baselines of each task, the plainest first."""


class Judged(NamedTuple):
    """A model and its figures on rows it has not seen.

    Attributes
    ----------
    name : str
    figures : dict of str to float
    seconds : float
        What its fit took.
    errors : array, shape (m,)
        See :func:`errors_by_row`.
    spread : dict of str to float, optional
        Of figures that are means over folds: their standard deviation.
    """

    name: str
    figures: dict[str, float]
    seconds: float
    errors: Array
    spread: dict[str, float] | None = None


def averaged(folds: list[Judged]) -> Judged:
    """One model judged on several folds: mean figures with their spread, all rows' errors.

    Examples
    --------
    >>> folds = [Judged("mean", {"mae": mae}, 1.0, np.zeros(2)) for mae in (1.0, 3.0)]
    >>> together = averaged(folds)
    >>> together.figures, together.spread, together.seconds
    ({'mae': 2.0}, {'mae': 1.0}, 2.0)
    """
    names = [name for name in folds[0].figures if all(name in fold.figures for fold in folds)]
    values = {name: [fold.figures[name] for fold in folds] for name in names}
    return Judged(
        folds[0].name,
        {name: float(np.mean(of_name)) for name, of_name in values.items()},
        sum(fold.seconds for fold in folds),
        np.concatenate([fold.errors for fold in folds]),
        {name: float(np.std(of_name)) for name, of_name in values.items()},
    )


class Examples(NamedTuple):
    """Preprocessed rows: ``X`` ``(m, width)``, targets as :class:`Figure` says, weights or None."""

    X: Array
    targets: Array
    weights: Array | None


def judge_baseline(
    baseline: Baseline, task: str, classes: int, train: Examples, test: Examples, seed: int
) -> Judged:
    """Fit one baseline on the training rows and judge it on the test rows.

    Parameters
    ----------
    baseline : Baseline
    task : str
    classes : int
        How many, where the task is classification.
    train, test : Examples
    seed : int

    Returns
    -------
    Judged

    Raises
    ------
    MissingExtraError
        Where scikit-learn is not installed.

    Examples
    --------
    >>> rows = Examples(np.arange(4.0)[:, None], np.arange(4.0)[:, None], None)
    >>> judged = judge_baseline(BASELINES["regression"][0], "regression", 0, rows, rows, 0)
    >>> judged.name, judged.figures["mae"]
    ('mean', 1.0)
    """
    estimator = baseline.make(seed % 2**32)
    y = train.targets
    if task == "regression" and y.shape[1] == 1:
        y = y[:, 0]
    elif baseline.one_target and task == "regression":
        estimator = _sklearn("multioutput.MultiOutputRegressor", estimator=estimator)
    begun = time.perf_counter()
    with warnings.catch_warnings(), few_threads(train.X.size < _WORTH_THREADS):
        warnings.simplefilter("ignore")  # a baseline that stops early is still a baseline
        estimator.fit(train.X, y, sample_weight=train.weights)
    seconds = time.perf_counter() - begun
    predictions = _predictions(estimator, task, classes, test.X)
    return Judged(
        baseline.name,
        figures(task, test.targets, predictions, test.weights),
        seconds,
        errors_by_row(task, test.targets, predictions),
    )


def _predictions(estimator: Any, task: str, classes: int, X: Array) -> Array:
    if task == "regression":
        predicted = estimator.predict(X)
        return predicted.reshape(len(X), -1)
    P = np.zeros((len(X), classes))
    P[:, estimator.classes_] = estimator.predict_proba(X)  # a class may be missing in training
    return P


# ----------------------------------------------------------------------------------- verdict


def verdict(task: str, network: Judged, baselines: list[Judged]) -> str:
    """One plain sentence: whether the network wins, loses, or it is too close to call.

    Two models are too close where their errors, row by row on the same test rows, differ by
    less than twice the standard error of that difference.

    Examples
    --------
    >>> network = Judged("network", {"accuracy": 0.75}, 1.0, np.array([0.0, 0, 0, 1]))
    >>> majority = Judged("majority class", {"accuracy": 0.5}, 0.1, np.array([0.0, 0, 1, 1]))
    >>> print(verdict("classification", network, [majority]))
    Too close to call: accuracy 0.750 for the network, 0.500 for majority class, on 4 rows.
    """
    first = FIGURES[task][0]

    def figure(judged: Judged) -> float:
        return judged.figures[first.name]

    def said(judged: Judged) -> str:
        return shown(figure(judged))

    best = (max if first.more_is_better else min)(baselines, key=figure)
    numbers = (
        f"{first.label} {said(network)} for the network, {said(best)} for {best.name}, on "
        f"{len(network.errors):,} rows."
    )
    beaten = [
        other.name
        for other in baselines
        if other is not best
        and first.is_better(figure(network), figure(other))
        and _differ(network.errors, other.errors)
    ]
    but = f" The network beats {' and '.join(beaten)}." if beaten else ""
    if figure(network) == figure(best) or not _differ(network.errors, best.errors):
        return f"Too close to call: {numbers}{but}"
    if first.is_better(figure(network), figure(best)):
        return f"The network wins: {numbers}"
    return f"{best.name[0].upper()}{best.name[1:]} wins: {numbers}{but}"


def update_verdict(task: str, after: Judged, before: Judged) -> str:
    """One plain sentence: whether a model's update helped, by the rule of :func:`verdict`.

    Examples
    --------
    >>> after = Judged("network", {"accuracy": 0.75}, 1.0, np.array([0.0, 0, 0, 1]))
    >>> before = Judged("before the update", {"accuracy": 0.5}, 0.0, np.array([0.0, 0, 1, 1]))
    >>> update_verdict("classification", after, before)
    'No clear difference: accuracy 0.750 after the update, 0.500 before, on 4 held-out new rows.'
    """
    first = FIGURES[task][0]
    new, old = after.figures[first.name], before.figures[first.name]
    told = "No clear difference"
    if new != old and _differ(after.errors, before.errors):
        helped = first.is_better(new, old)
        told = "The update helped" if helped else "The update made the model worse"
    return (
        f"{told}: {first.label} {shown(new)} after the update, {shown(old)} before, on "
        f"{len(after.errors):,} held-out new rows."
    )


def _differ(a: Array, b: Array) -> bool:
    difference = a - b
    return bool(abs(difference.mean()) > 2.0 * difference.std() / np.sqrt(len(difference)))


def shown(value: float) -> str:
    """A figure for people: three decimals, or four digits where it is large.

    Examples
    --------
    >>> shown(0.97251), shown(48771.26), shown(0.00041)
    ('0.973', '48,771', '0.00041')
    """
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.4g}"
    return f"{value:.3f}" if size >= 0.01 or size == 0 else f"{value:.2g}"


def shown_seconds(seconds: float) -> str:
    """A duration for people.

    Examples
    --------
    >>> shown_seconds(0.0123), shown_seconds(4.56), shown_seconds(91.0)
    ('12 ms', '4.6 s', '91.0 s')
    """
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms"
