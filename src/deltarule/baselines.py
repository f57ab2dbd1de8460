"""Baselines: simple models that a network is compared with, on the same preprocessed columns."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.bootstrap import ConfidenceInterval, Resampling, interval_of
from deltarule.consequences import Consequences, TypicalErrors
from deltarule.errors import require
from deltarule.metrics import Figure, figures_of, parts_of
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


NO_BETTER = "no better than guessing"
"""The kind of alert about a network that no metric distinguishes from a guess."""

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


class Evaluation(NamedTuple):
    """A model and its figures on rows it has not seen.

    Attributes
    ----------
    name : str
    figures : dict of str to float
    seconds : float
        What its fit took.
    rows : int
    units : int
        How many rows or groups are drawn from.
    draws : dict of str to array
        Each figure in each draw of these rows, by :class:`~deltarule.bootstrap.Resampling`.
    consequences : Alarms or TypicalErrors, optional
        What the errors are in plain words.
    targets : tuple of str
        Of several targets the names.
    """

    name: str
    figures: dict[str, float]
    seconds: float
    rows: int
    units: int
    draws: dict[str, Array]
    consequences: Consequences | None = None
    targets: tuple[str, ...] = ()

    @property
    def target_units(self) -> dict[str, str]:
        """The unit of each target that is a number, by name; empty where it is not known."""
        found = self.consequences
        if not isinstance(found, TypicalErrors):
            return dict.fromkeys(self.targets, "")
        return dict(zip(found.names, found.units, strict=True))

    def first(self, task: str) -> Figure:
        """The figure that decides: the first that there is."""
        rows = figures_of(task, self.targets)
        return next((row for row in rows if row.name in self.figures), rows[0])

    @property
    def intervals(self) -> dict[str, ConfidenceInterval]:
        """The 95 % confidence interval of each figure that has one."""
        trials = {"accuracy": self.units}
        found = {
            name: interval_of(own, trials.get(name))
            for name, own in self.draws.items()
            if name not in _RANKS or np.ptp(own) > 0  # of a perfect order, draws tell nothing
        }
        return {name: interval for name, interval in found.items() if interval is not None}


_RANKS = ("auc", "average_precision")


class Difference(NamedTuple):
    """A figure of one model less that of another on the same rows, with its interval."""

    value: float
    interval: ConfidenceInterval | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval does not span zero."""
        return self.interval is not None and 0.0 not in self.interval


def evaluated(
    name: str,
    task: str,
    test: Examples,
    predictions: Array,
    seconds: float,
    consequences: Consequences | None = None,
) -> Evaluation:
    """A model's figures on the test rows, each with its draws.

    Parameters
    ----------
    name, task : str
    test : Examples
        Its X is not used.
    predictions : array
        As :class:`~deltarule.metrics.Figure` says.
    seconds : float
        What the model's fit took.
    consequences : Alarms or TypicalErrors, optional

    Examples
    --------
    >>> Y = np.repeat([0.0, 4.0], 50)[:, None]
    >>> found = evaluated("mean", "regression", Examples(Y, Y, None), np.full((100, 1), 2.0), 0.1)
    >>> found.figures["mae"], found.intervals["mae"]
    (2.0, ConfidenceInterval(low=2.0, high=2.0))
    """
    resampling = Resampling(len(predictions), test.groups)
    figures: dict[str, float] = {}
    draws: dict[str, Array] = {}
    for figure, parts in parts_of(task, test.targets, predictions, test.weights, test.names):
        value = float(figure.of_sums(parts.sum(axis=1)))
        if np.isfinite(value):
            figures[figure.name] = value
            own = resampling.draws(figure, parts)
            draws |= {} if own is None else {figure.name: own}
    rows, units = len(predictions), resampling.units
    return Evaluation(name, figures, seconds, rows, units, draws, consequences, test.names)


def difference(one: Evaluation, other: Evaluation, name: str) -> Difference:
    """A figure of one model less that of another, with the interval of the paired difference.

    Both are of the same rows, so their draws are too.

    Examples
    --------
    >>> rows = Examples(np.zeros((40, 1)), np.arange(40.0)[:, None], None)
    >>> near = evaluated("near", "regression", rows, rows.targets + 1.0, 0.1)
    >>> far = evaluated("far", "regression", rows, rows.targets + 3.0, 0.1)
    >>> difference(near, far, "mae")
    Difference(value=-2.0, interval=ConfidenceInterval(low=-2.0, high=-2.0))
    """
    paired = name in one.draws and name in other.draws
    draws = one.draws[name] - other.draws[name] if paired else None
    return Difference(one.figures[name] - other.figures[name], interval_of(draws))


def differences(one: Evaluation, other: Evaluation) -> dict[str, Difference]:
    """:func:`difference` of every figure that both models have."""
    shared = [name for name in one.figures if name in other.figures]
    return {name: difference(one, other, name) for name in shared}


def averaged(folds: list[Evaluation]) -> Evaluation:
    """One model evaluated on several folds: mean metrics, drawn from within each fold.

    Examples
    --------
    >>> draws = {"mae": np.arange(3.0)}
    >>> folds = [Evaluation("mean", {"mae": mae}, 1.0, 5, 5, draws) for mae in (1.0, 3.0)]
    >>> together = averaged(folds)
    >>> together.figures, together.seconds, together.rows
    ({'mae': 2.0}, 2.0, 10)
    """
    first = folds[0]
    names = [name for name in first.figures if all(name in fold.figures for fold in folds)]
    drawn = [name for name in names if all(name in fold.draws for fold in folds)]
    own = [fold.consequences for fold in folds if fold.consequences is not None]
    return Evaluation(
        first.name,
        {name: float(np.mean([fold.figures[name] for fold in folds])) for name in names},
        sum(fold.seconds for fold in folds),
        sum(fold.rows for fold in folds),
        sum(fold.units for fold in folds),
        {name: _mean_draws([fold.draws[name] for fold in folds]) for name in drawn},
        own[0].joined(own) if own else None,
        first.targets,
    )


def _mean_draws(folds: list[Array]) -> Array:
    """The mean of another draw of each fold: folds of one size are drawn alike."""
    mean: Array = np.mean([np.roll(draws, k) for k, draws in enumerate(folds)], axis=0)
    return mean


class Examples(NamedTuple):
    """Preprocessed rows: ``X`` ``(m, width)``, targets as :class:`Figure` says, weights or None.

    With the numbers of their groups, where rows of one group belong together, and the names of the
    targets, where they are numbers.
    """

    X: Array
    targets: Array
    weights: Array | None
    groups: Array | None = None
    names: tuple[str, ...] = ()


def judge_baseline(
    baseline: Baseline, task: str, classes: int, train: Examples, test: Examples, seed: int
) -> Evaluation:
    """Fit one baseline on the training rows and evaluate it on the test rows.

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
    Evaluation

    Raises
    ------
    MissingExtraError
        Where scikit-learn is not installed.

    Examples
    --------
    >>> rows = Examples(np.arange(4.0)[:, None], np.arange(4.0)[:, None], None)
    >>> found = judge_baseline(BASELINES["regression"][0], "regression", 0, rows, rows, 0)
    >>> found.name, found.figures["mae"]
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
    return evaluated(baseline.name, task, test, predictions, seconds)


def _predictions(estimator: Any, task: str, classes: int, X: Array) -> Array:
    if task == "regression":
        predicted = estimator.predict(X)
        return predicted.reshape(len(X), -1)
    P = np.zeros((len(X), classes))
    P[:, estimator.classes_] = estimator.predict_proba(X)  # a class may be missing in training
    return P


# ------------------------------------------------------------------------------------ tables

_ENDS = ("  95 % interval from", "  to")


class MetricTable(NamedTuple):
    """Metrics of some models, a row each: of all targets, or of one of several."""

    target: str
    heads: list[str]
    rows: list[list[str]]


def metric_tables(
    task: str,
    figures: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Sequence[float]],
    seconds: Sequence[float] = (),
    targets: Sequence[str] = (),
) -> list[MetricTable]:
    """Tables of metrics, the network first, with its intervals below it.

    Of several targets each has a table, in its unit, behind the one of what has no unit.

    Parameters
    ----------
    task : str
    figures : mapping of str to mapping
        Of each model its metrics by name.
    intervals : mapping of str to pair of float
        Of the network's metrics.
    seconds : sequence of float
        How long each model took to fit, where that is shown.
    targets : sequence of str

    Examples
    --------
    >>> metric_tables("regression", {"network": {"mae": 2.0}}, {"mae": (1.5, 2.5)})[0].rows
    [['network', '2.000'], ['  95 % interval from', '1.500'], ['  to', '2.500']]
    """
    by_target: dict[str, list[Figure]] = {}
    for row in figures_of(task, targets):
        if row.name in next(iter(figures.values())):
            by_target.setdefault(row.target, []).append(row)
    return [
        _metric_table(target, used, figures, intervals, [] if target else seconds)
        for target, used in by_target.items()
    ]


def _metric_table(
    target: str,
    used: Sequence[Figure],
    figures: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Sequence[float]],
    seconds: Sequence[float],
) -> MetricTable:
    times = [[shown_seconds(each)] for each in seconds] or [[] for _ in figures]
    rows = [
        [name, *(shown(of[row.name]) if row.name in of else "–" for row in used), *time]
        for (name, of), time in zip(figures.items(), times, strict=True)
    ]
    for place, end in enumerate(_ENDS if intervals else ()):
        ends = [intervals.get(row.name) for row in used]
        cells = ["–" if own is None else shown(own[place]) for own in ends]
        rows.insert(1 + place, [end, *cells, *([""] if seconds else [])])
    heads = ["", *(row.label for row in used), *(["fit"] if seconds else [])]
    return MetricTable(target, heads, rows)


def comparison_table(
    task: str, evaluations: Sequence[Evaluation]
) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table of the network less each other model, by the first metric."""
    network, *others = evaluations
    first, rows = network.first(task), []
    for other in others:
        found = difference(network, other, first.name)
        ends = "–" if found.interval is None else " to ".join(map(_signed, found.interval))
        rows.append([other.name, _signed(found.value), ends, comparison(found, first)])
    what = f"{first.title[:1].upper()}{first.title[1:]} of the network less that of"
    return [what, "difference", "95 % interval", "the network is"], rows


def _signed(value: float) -> str:
    """A difference, with its sign."""
    sign = "-" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{shown(abs(value))}"


# ----------------------------------------------------------------------------------- verdict


def verdict(task: str, network: Evaluation, baselines: list[Evaluation]) -> str:
    """One plain sentence: whether the network wins, loses, or it is too close to call.

    Two models are too close where the interval of their difference on the same rows spans zero.

    Examples
    --------
    >>> rows = Examples(np.zeros((4, 1)), np.array([0, 0, 1, 1]), None)
    >>> sure, unsure = np.eye(2), np.array([[0.6, 0.4], [0.6, 0.4]])
    >>> network = evaluated("network", "classification", rows, sure[[0, 0, 1, 0]], 1.0)
    >>> majority = evaluated("majority class", "classification", rows, unsure[[0, 0, 1, 1]], 0.1)
    >>> print(verdict("classification", network, [majority]))
    Too close to call: accuracy 0.750 for the network, 0.500 for the majority class, on 4 rows.
    """
    first = network.first(task)
    best = (max if first.more_is_better else min)(baselines, key=lambda of: of.figures[first.name])
    numbers = (
        f"{first.title} {_said(network, first)} for the network, {_said(best, first)} for "
        f"{_with_article(best)}, on {network.rows:,} rows."
    )
    beaten = [
        _with_article(other)
        for other in baselines
        if other is not best and _compared(network, other, first) == BETTER
    ]
    but = f" The network beats {' and '.join(beaten)}." if beaten else ""
    compared = _compared(network, best, first)
    if compared == BETTER:
        return f"The network wins: {numbers}"
    if compared == WORSE:
        name = _with_article(best)
        return f"{name[0].upper()}{name[1:]} wins: {numbers}{but}"
    if compared == UNKNOWN:
        return f"No verdict without an interval: {numbers}"
    return f"Too close to call: {numbers}{but}"


def update_verdict(task: str, after: Evaluation, before: Evaluation) -> str:
    """One plain sentence: whether a model's update helped, by the rule of :func:`verdict`.

    Examples
    --------
    >>> rows = Examples(np.zeros((4, 1)), np.array([0, 0, 1, 1]), None)
    >>> after = evaluated("network", "classification", rows, np.eye(2)[[0, 0, 1, 0]], 1.0)
    >>> before = evaluated("before", "classification", rows, np.eye(2)[[0, 0, 0, 0]], 0.0)
    >>> update_verdict("classification", after, before)
    'No clear difference: accuracy 0.750 after the update, 0.500 before, on 4 held-out new rows.'
    """
    first = after.first(task)
    helped = {BETTER: "The update helped", WORSE: "The update made the model worse"}
    return (
        f"{helped.get(_compared(after, before, first), 'No clear difference')}: {first.title} "
        f"{_said(after, first)} after the update, {_said(before, first)} before, on "
        f"{after.rows:,} held-out new rows."
    )


BETTER, WORSE, TOO_CLOSE, UNKNOWN = "better", "worse", "too close to call", "–"
"""What a paired difference says."""


def comparison(found: Difference, figure: Figure) -> str:
    """What a difference says: too close to call exactly where its interval spans zero."""
    if found.interval is None:
        return UNKNOWN
    if not found.is_clear:
        return TOO_CLOSE
    return BETTER if figure.is_better(found.value, 0.0) else WORSE


def _compared(one: Evaluation, other: Evaluation, figure: Figure) -> str:
    return comparison(difference(one, other, figure.name), figure)


def _with_article(of: Evaluation) -> str:
    """A model's name within a sentence."""
    return f"the {of.name}" if of.name in ("mean", "majority class") else of.name


def _said(of: Evaluation, figure: Figure) -> str:
    return shown(of.figures[figure.name])


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
