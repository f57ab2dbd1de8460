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
    penalty : float or None
        What penalties have added to the epoch's cost.
    """

    validation_cost: float | None = None
    figure: float | None = None
    gradient_norm: float | None = None
    penalty: float | None = None


class Evaluation:
    """What evaluates the epochs of a run.

    Parameters
    ----------
    run : Run
    data, validation : Examples
    steps : int
        Of an epoch.
    """

    def __init__(self, run: Run, data: Examples, validation: Examples | None, steps: int) -> None:
        self._run, self._data, self._validation = run, data, validation
        self._steps = steps
        self._needs_gradient = "gradient_norm" in run.stopping.wants
        self._needs_penalty = "penalty" in run.stopping.wants

    def of(
        self, runner: Runner, before: Parameters, after: Parameters, evaluated: Parameters
    ) -> Measured:
        """What an epoch's event carries; the runner then holds `after` again.

        Parameters
        ----------
        runner : Runner
        before, after : Parameters
            At the epoch's start and end; the runner holds the latter.
        evaluated : Parameters
            What is evaluated: `after`, or a mean of parameters.
        """
        penalty = self._mean_penalty(before, after) if self._needs_penalty else None
        if self._validation is None and not self._needs_gradient:
            return Measured(penalty=penalty)
        if evaluated is not after:
            runner.set_parameters(evaluated)
        found = Measured(*self._validated(runner), self._gradient_norm(runner), penalty)
        if evaluated is not after:
            runner.set_parameters(after)
        return found

    def _validated(self, runner: Runner) -> tuple[float | None, float | None]:
        """Cost and metric of the validation data."""
        if self._validation is None:
            return None, None
        X, Y, weights = self._validation
        cost, metric = runner.cost(X, Y, weights, penalised=False), self._run.metric
        if metric is None:
            return cost, None
        if isinstance(metric, RunnerMetric):
            return cost, float(metric.of(runner))
        return cost, float(metric(Y, runner.predict(X)))

    def _gradient_norm(self, runner: Runner) -> float | None:
        if not self._needs_gradient:
            return None
        gradients = runner.gradients(*self._data)
        return float(np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values())))

    def _mean_penalty(self, before: Parameters, after: Parameters) -> float:
        """What penalties have added to an epoch's cost, by its first and last weights' mean."""
        rules = self._run.plan.regularization
        if not rules.penalised:
            return 0.0
        share = 1.0
        if rules.over_batch:  # divided by a batch's weight, here by the mean of all batches'
            weights = self._data.weights
            share = self._steps / (len(self._data.Y) if weights is None else float(weights.sum()))
        return share * (0.5 * (self._penalty(before) + self._penalty(after)))

    def _penalty(self, parameters: Parameters) -> float:
        network, rules = self._run.plan.network, self._run.plan.regularization
        with np.errstate(over="ignore"):  # of a run on its way to infinity
            return sum(
                float(rules.penalty(own[name]))
                for layer, own in zip(network.layers, parameters, strict=True)
                for name in layer.penalised
            )
