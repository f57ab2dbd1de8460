"""Metrics that judge an epoch: scikit-learn's scorers by name, and functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.metrics import get_scorer

from deltarule.engines.plan import Runner
from deltarule.errors import SettingError
from deltarule.estimators.fitting import Data


def named_metric(
    metric: str | Callable[..., float], estimator: Any, held: Data, labels: Any
) -> Callable[[Runner], float]:
    """A runner's score on validation data, by a scorer's name or by a function of one's own.

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
                f"{type(estimator).__name__} does not have here: its outputs are no probabilities."
            )

    def score(runner: Runner) -> float:
        view = estimator._view(runner.plan, runner.parameters(), runner)
        weights = {} if held.weights is None else {"sample_weight": held.weights}
        return float(scorer(view, held.X, labels, **weights))  # type: ignore[operator]

    return score
