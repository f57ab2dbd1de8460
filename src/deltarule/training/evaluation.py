"""What an epoch is evaluated by: validation data, the gradient, the share of penalties."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.engines.plan import Runner
from deltarule.network import Parameters
from deltarule.training.examples import Examples
from deltarule.training.run import Run, RunnerMetric


class Measured(NamedTuple):
    """After an epoch; None for what is not asked for.

    Attributes
    ----------
    validation_cost, figure : float or None
        Cost and metric of the validation data.
    gradient_norm : float or None
        Over all training data.
    """

    validation_cost: float | None = None
    figure: float | None = None
    gradient_norm: float | None = None


def measured(run: Run, runner: Runner, data: Examples, validation: Examples | None) -> Measured:
    """What the runner's parameters give.

    Parameters
    ----------
    run : Run
    runner : Runner
    data, validation : Examples
    """
    cost = figure = norm = None
    if validation is not None:
        X, Y, weights = validation
        cost, metric = runner.cost(X, Y, weights, penalised=False), run.metric
        if isinstance(metric, RunnerMetric):
            figure = float(metric.of(runner))
        elif metric is not None:
            figure = float(metric(Y, runner.predict(X)))
    if "gradient_norm" in run.stopping.wants:
        gradients = runner.gradients(*data)
        norm = float(np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values())))
    return Measured(cost, figure, norm)


def mean_penalty(
    run: Run, before: Parameters, after: Parameters, steps: int, data: Examples
) -> float:
    """What penalties have added to an epoch's cost, by the mean of its first and last weights.

    Parameters
    ----------
    run : Run
    before, after : Parameters
        At the epoch's start and end.
    steps : int
        Of the epoch.
    data : Examples
    """
    rules = run.plan.regularization
    if not rules.penalised:
        return 0.0
    share = 1.0
    if rules.over_batch:
        weight = len(data.Y) if data.weights is None else float(data.weights.sum())
        share = steps / weight
    return share * (0.5 * (_penalty(run, before) + _penalty(run, after)))


def _penalty(run: Run, parameters: Parameters) -> float:
    network, rules = run.plan.network, run.plan.regularization
    with np.errstate(over="ignore"):  # of a run on its way to infinity
        return sum(
            float(rules.penalty(own[name]))
            for layer, own in zip(network.layers, parameters, strict=True)
            for name in layer.penalised
        )
