"""What scores an epoch by validation data: accuracy or R², the loss, a scorer, a function."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.metrics import get_scorer

from deltarule.engines.plan import Runner
from deltarule.errors import SettingError
from deltarule.estimators.options import StoppingOptions
from deltarule.estimators.rules import SklearnRule
from deltarule.sparse import CompressedRows
from deltarule.training.examples import Examples
from deltarule.training.run import RunnerMetric


def metric_of(
    estimator: Any, rule: SklearnRule, held: Examples | None, labels: Any
) -> RunnerMetric | None:
    """What scores an epoch by validation data; None where the loss does, or nothing."""
    metric = (estimator.stopping or StoppingOptions()).metric
    if not rule.early or metric == "loss":
        return None
    assert held is not None
    if metric is not None:
        return RunnerMetric(_named_metric(metric, estimator, held, labels))

    def default(runner: Runner) -> float:
        outputs = runner.predict(held.X)
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(estimator._score_outputs(outputs, labels, held.weights))

    return RunnerMetric(default)


def _named_metric(
    metric: str | Callable[..., float], estimator: Any, held: Examples, labels: Any
) -> Callable[[Runner], float]:
    """A runner's score on validation data, by a scorer's name or by a custom function.

    Raises
    ------
    SettingError
        For a name there is not, and for a metric of probabilities where there are none.
    """
    scorer = metric
    if isinstance(metric, str):
        try:
            scorer = get_scorer(metric)
        except (KeyError, ValueError) as error:
            raise SettingError(
                f"stopping metric {metric!r}: no scorer has that name. Expected 'loss' or one of "
                "sklearn.metrics.get_scorer_names()."
            ) from error
        wanted = getattr(scorer, "_response_method", "predict")
        ways = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        if not any(hasattr(estimator, way) for way in ways):
            raise SettingError(
                f"stopping metric {metric!r} needs {' or '.join(ways)}, which "
                f"{type(estimator).__name__} does not have here: its outputs are not probabilities."
            )

    X: Any = held.X
    if isinstance(X, CompressedRows):  # a scorer knows SciPy's own
        X = csr_matrix((X.data, X.indices, X.indptr), X.shape)

    def score(runner: Runner) -> float:
        view = estimator._view(runner.plan, runner.parameters(), runner)
        weights = {} if held.weights is None else {"sample_weight": held.weights}
        try:
            found: Any = scorer(view, X, labels, **weights)  # type: ignore[operator]
        except ValueError as error:
            found = error
        if isinstance(found, Real) and math.isfinite(found):
            return float(found)
        if not np.isfinite(runner.predict(held.X)).all():  # the fit's trouble, not the metric's
            return float("nan")
        why = found if isinstance(found, ValueError) else None
        raise SettingError(
            f"stopping metric {metric!r}: expected a finite number for the validation data, got "
            f"{found!r}. Choose a metric that suits the task and its {len(labels)} validation rows."
        ) from why

    return score
