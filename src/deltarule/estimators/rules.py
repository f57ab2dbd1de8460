"""scikit-learn's stopping rules: when an epoch counts as better, what ends a fit, how rates go."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.training.events import EpochEnded
from deltarule.training.stopping import Decision, StoppingRule, Verdict

_SMALLEST_RATE = 1e-6  # below it, an adaptive rate is not divided again
_DIVISOR = 5.0


@dataclass(frozen=True)
class Scale:
    """From a cost of deltarule's to scikit-learn's loss.

    Its squared error is averaged over the outputs (its gradient is not, so nor is the cost), and
    its Poisson loss is the half deviance, ahead by what depends on the targets alone.
    """

    outputs: int = 1
    constant: float = 0.0

    def loss(self, cost: float, penalty: float | None = None) -> float:
        """The loss that scikit-learn gives for a cost that contains a penalty."""
        if self.outputs == 1:
            return cost + self.constant
        penalty = penalty or 0.0
        return (cost - penalty) / self.outputs + penalty + self.constant


def half_deviance_constant(Y: Array, weights: Array | None) -> float:
    """What the half Poisson deviance has beyond the cost: the mean of Σ(y log y − y)."""
    logs = np.where(Y > 0, Y * np.log(np.where(Y > 0, Y, 1.0)), 0.0)
    return float(np.average((logs - Y).sum(axis=1), weights=weights))


class Progress(NamedTuple):
    """What :class:`SklearnRule` remembers, from one fit to the next as well.

    Attributes
    ----------
    waited : int
        Epochs in a row that were no better.
    best_loss, best_score : float
    samples : int
        Rows that have been trained on, each as often as it was.
    rate_scale : float
        What the schedule's rate is multiplied by.
    """

    waited: int = 0
    best_loss: float = math.inf
    best_score: float = -math.inf
    samples: int = 0
    rate_scale: float = 1.0


@dataclass(frozen=True)
class SklearnRule(StoppingRule):
    """When a fit ends, and how its learning rate goes.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs.
    rows : int
        To train on.
    scale : Scale
    tolerance : float
        An epoch is better where it beats the best by at least this.
    patience : float
        More epochs than this without a better one end the fit; infinity for none.
    early : bool
        Whether the validation score decides, else the training loss.
    rate : str
        ``"constant"``, ``"invscaling"``, ``"adaptive"``.
    power : float
        Of ``"invscaling"``.
    steps : bool
        Whether the optimizer steps by batches; no rule here ends one that does not.
    restores_best : bool
        Whether the best epoch by validation score is restored.
    on_divergence : str
        As of :class:`~deltarule.Stopping`.
    seconds : float or None
        Limit of time.
    """

    epochs: int
    rows: int = 0
    scale: Scale = field(default_factory=Scale)
    tolerance: float = 1e-4
    patience: float = 10
    early: bool = False
    rate: str = "constant"
    power: float = 0.5
    steps: bool = True
    restores_best: bool = True
    on_divergence: str = "stop"
    seconds: float | None = None

    @property
    def decides(self) -> Mapping[str, Any]:
        """All but the limits."""
        names = ("tolerance", "early", "rate", "power", "restores_best", "on_divergence")
        return {name: getattr(self, name) for name in names}

    @property
    def wants(self) -> frozenset[str]:
        """The penalty, where scikit-learn's loss takes it apart from the rest."""
        return frozenset({"penalty"} if self.scale.outputs > 1 else ())

    def start(self, earlier: Progress | None = None) -> Progress:
        """What an earlier fit has left."""
        return earlier or Progress()

    def loss(self, event: EpochEnded) -> float:
        """An epoch's training loss, as scikit-learn gives it."""
        return self.scale.loss(event.cost, event.penalty)

    def validation_loss(self, event: EpochEnded) -> float | None:
        """The same of the validation data, where there are any."""
        cost = event.validation_cost
        return None if cost is None else self.scale.loss(cost)

    def score(self, event: EpochEnded) -> float | None:
        """An epoch's validation score where that decides: the metric, else the loss, negated."""
        if not self.early or event.figure is not None:
            return event.figure if self.early else None
        loss = self.validation_loss(event)
        return None if loss is None else -loss

    def after_epoch(self, memory: Progress, event: EpochEnded) -> tuple[Progress, Decision]:
        """What it remembers after an epoch, and what it decides."""
        waited, best_loss, best_score, samples, rate_scale = memory
        loss, score = self.loss(event), self.score(event)
        better = score is not None and score > best_score
        if score is not None:
            waited = waited + 1 if score < best_score + self.tolerance else 0
            best_score = score if better else best_score
        else:
            waited = waited + 1 if loss > best_loss - self.tolerance else 0
            best_loss = min(best_loss, loss)
        if self.steps:
            samples += self.rows
            if self.rate == "invscaling":
                rate_scale = (samples + 1) ** -self.power
            adapts = self.rate == "adaptive" and event.learning_rate > _SMALLEST_RATE
            if waited > self.patience and adapts:
                waited, rate_scale = 0, rate_scale / _DIVISOR
        memory = Progress(waited, best_loss, best_score, samples, rate_scale)
        return memory, Decision(better, self.verdict(memory, event), rate_scale)

    def verdict(self, memory: Progress, event: EpochEnded) -> Verdict | None:
        """Why a fit ends after an epoch."""
        if self.steps and memory.waited > self.patience:
            what = "Validation score" if self.early else "Training loss"
            small = " Learning rate too small." if self.rate == "adaptive" else ""
            return Verdict(
                "patience",
                f"{what} did not improve more than tol={self.tolerance:f} for {self.patience:g} "
                f"consecutive epochs.{small} Stopping.",
            )
        if self.seconds is not None and event.seconds >= self.seconds:
            return Verdict("seconds", f"time limit of {self.seconds:g} s reached")
        if event.epoch >= self.epochs:
            return Verdict("epochs", f"epoch limit {self.epochs} reached")
        return None

    def after_recovery(self, memory: Progress) -> Progress:
        """Its patience restarts."""
        return memory._replace(waited=0)
