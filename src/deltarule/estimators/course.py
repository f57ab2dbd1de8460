"""The course of a fit: what is carried from epoch to epoch, and from one fit into the next.

The rules are scikit-learn's: when an epoch counts as no better, when that ends the fit, and what
the learning rate does between epochs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import RunnerState
from deltarule.network import Parameters
from deltarule.training.checkpoints import named_arrays, parameters_in

_SMALLEST_RATE = 1e-6  # below it, an adaptive rate is not divided again
_DIVISOR = 5.0
_NUMBERS = ("rate_scale", "asked_scale", "best_loss", "best_score")
_CURVES = ("losses", "validation_losses", "scores")


@dataclass(frozen=True)
class Rules:
    """When a fit ends, and how its learning rate goes.

    Parameters
    ----------
    epochs : int
        At most so many.
    tolerance : float
        An epoch is better where it beats the best by at least this.
    patience : float
        More epochs than this without a better one end the fit; infinity for none.
    early : bool
        Whether the validation score judges, else the training loss.
    rate : str
        ``"constant"``, ``"invscaling"``, ``"adaptive"``.
    power : float
        Of ``"invscaling"``.
    restore_best : bool
        Whether the best epoch by validation score is restored.
    average : float or None
        Share of the old mean in each epoch's running mean of the parameters.
    on_divergence : str
        As of :class:`~deltarule.Stopping`.
    seconds : float or None
        Limit of time.
    """

    epochs: int
    tolerance: float = 1e-4
    patience: float = 10
    early: bool = False
    rate: str = "constant"
    power: float = 0.5
    restore_best: bool = True
    average: float | None = None
    on_divergence: str = "stop"
    seconds: float | None = None

    @property
    def text(self) -> str:
        """Why a fit that ran out of patience ended."""
        what = "Validation score" if self.early else "Training loss"
        return (
            f"{what} did not improve more than tol={self.tolerance:f} for {self.patience:g} "
            "consecutive epochs."
        )


@dataclass
class Course:
    """Where a fit stands, so that another goes on from there bit for bit.

    Parameters
    ----------
    generator : numpy.random.RandomState
        Of initial parameters, split and order, drawn from as scikit-learn does.
    seed : int
        Of the dropout masks.

    Attributes
    ----------
    rate_scale : float
        What the rules have made of the learning rate.
    asked_scale : float
        What callbacks and divergence have, beside that.
    """

    generator: np.random.RandomState | Any
    seed: int
    optimizer: type | None = None
    state: RunnerState | None = None
    raw: Parameters | None = None
    mean: Parameters | None = None
    best: Parameters | None = None
    order: Array | None = None
    split: tuple[int, np.random.RandomState] | None = None
    rate_scale: float = 1.0
    asked_scale: float = 1.0
    waited: int = 0
    best_loss: float = math.inf
    best_score: float = -math.inf
    samples: int = 0
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def for_optimizer(self, kind: type) -> Course:
        """Itself, with the optimizer's state only where that is of the same kind."""
        if self.optimizer is not kind:
            self.optimizer, self.state = kind, None
        return self

    @classmethod
    def begun(cls, generator: np.random.RandomState) -> Course:
        """A new one; its seed is what the generator would give, which stays where it is."""
        return cls(generator, int(copy.deepcopy(generator).randint(2**31 - 1)))

    def branched(self) -> Course:
        """A copy to go on with: a fit that fails leaves this one as it is."""
        new = replace(self)
        for name in ("losses", "validation_losses", "scores"):
            setattr(new, name, list(getattr(self, name)))
        return new

    def reordered(self, rows: int) -> Array:
        """The next epoch's order: the last one's, shuffled again."""
        chosen = np.arange(rows)
        self.generator.shuffle(chosen)
        before = self.order
        self.order = chosen if before is None or len(before) != rows else before[chosen]
        return self.order

    def go_back(self, epochs: int, rows: int) -> None:
        """Forget the newest epochs, which are done again at a lower rate."""
        undone = self.scores[len(self.scores) - epochs :]
        if undone and max(undone) == self.best_score:
            self.best, self.best_score = None, -math.inf
        for name in _CURVES:
            curve = getattr(self, name)
            del curve[max(len(curve) - epochs, 0) :]
        if self.best_loss < math.inf:
            self.best_loss = min(self.losses, default=math.inf)
        self.samples -= epochs * rows
        self.waited, self.mean = 0, None

    def figures(self) -> tuple[dict[str, int], dict[str, Array]]:
        """What it knows, for a checkpoint: JSON values, and arrays.

        Not the generator: a fit that begins with the same one draws the same orders again.
        """
        curves = {name: np.array(getattr(self, name), np.float64) for name in _CURVES}
        curves["numbers"] = np.array([getattr(self, name) for name in _NUMBERS])
        kept = {name: getattr(self, name) for name in ("best", "mean")}
        known = {n: named_arrays(n, p) for n, p in kept.items() if p is not None}
        return (
            {"samples": self.samples, "waited": self.waited},
            {**curves, **{name: W for own in known.values() for name, W in own.items()}},
        )

    def set_figures(self, state: Mapping[str, Any], like: Parameters) -> None:
        """Put them back; `like` has the network's shapes."""
        self.samples, self.waited = state["samples"], state["waited"]
        for name in _CURVES:
            setattr(self, name, state[name].tolist())
        for name, value in zip(_NUMBERS, state["numbers"].tolist(), strict=True):
            setattr(self, name, value)
        for name in ("best", "mean"):
            there = any(key.startswith(f"{name}.") for key in state)
            setattr(self, name, parameters_in(state, name, like) if there else None)

    def judge(self, rules: Rules, loss: float, score: float | None, parameters: Any) -> bool:
        """Take an epoch in; whether it is the best so far by validation score.

        `parameters` is a function to the parameters of now.
        """
        self.losses.append(loss)
        if not rules.early:
            self.waited = self.waited + 1 if loss > self.best_loss - rules.tolerance else 0
            self.best_loss = min(self.best_loss, loss)
            return False
        assert score is not None
        self.waited = self.waited + 1 if score < self.best_score + rules.tolerance else 0
        better = score > self.best_score
        if better:
            self.best_score = score
            self.best = parameters() if rules.restore_best else None
        return better

    def advance(self, rules: Rules, rows: int, rate: float) -> str | None:
        """The learning rate of the next epoch; why there is none, where patience has run out."""
        self.samples += rows
        if rules.rate == "invscaling":
            self.rate_scale = (self.samples + 1) ** -rules.power
        if self.waited <= rules.patience:
            return None
        if rules.rate != "adaptive":
            return f"{rules.text} Stopping."
        if rate <= _SMALLEST_RATE:
            return f"{rules.text} Learning rate too small. Stopping."
        self.reduce_rate()
        return None

    def reduce_rate(self) -> None:
        """Divide the learning rate, and wait anew."""
        self.rate_scale /= _DIVISOR
        self.waited = 0

    def take_in(self, rules: Rules, parameters: Parameters) -> None:
        """The running mean with an epoch's parameters."""
        keep = rules.average
        if keep is None:
            return
        if self.mean is None:
            self.mean = parameters
            return
        self.mean = tuple(
            {name: keep * old[name] + (1 - keep) * new[name] for name in old}
            for old, new in zip(self.mean, parameters, strict=True)
        )


class Orders:
    """The order of each epoch of a fit: the last one's, shuffled again.

    Parameters
    ----------
    course : Course
        Whose generator shuffles.
    rows : int
    """

    def __init__(self, course: Course, rows: int) -> None:
        self._course, self._rows = course, rows
        self._begun = copy.deepcopy(course.generator.get_state()), course.order
        self._epoch = 0

    def of_epoch(self, epoch: int) -> Array:
        """The order of an epoch, from 1: the same whenever it is asked for."""
        if epoch < self._epoch:  # where a run goes back
            state, self._course.order = self._begun
            self._course.generator.set_state(state)
            self._epoch = 0
        while self._epoch < epoch:
            self._course.reordered(self._rows)
            self._epoch += 1
        return self._course.order
