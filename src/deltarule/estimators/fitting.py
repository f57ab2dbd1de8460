"""One fit: a run by scikit-learn's rules, and what the next one continues from."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Plan, Runner
from deltarule.errors import DivergenceError
from deltarule.estimators.rules import Progress, SklearnRule
from deltarule.network import Parameters
from deltarule.training import Training, TrainingState
from deltarule.training.events import Callback, EpochEnded


@dataclass
class Curves:
    """Losses and scores, epoch by epoch, of all fits that continue one another."""

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def with_epochs(self, rule: SklearnRule, events: Sequence[EpochEnded]) -> Curves:
        """These, and those of more epochs."""
        found = Curves(*(list(curve) for curve in vars(self).values()))
        for event in events:
            found.losses.append(rule.loss(event))
            for curve, value in (
                (found.validation_losses, rule.validation_loss(event)),
                (found.scores, rule.score(event)),
            ):
                if value is not None:
                    curve.append(value)
        return found


@dataclass
class Continuation:
    """Where a fit stands, so that another continues from there bit for bit.

    Attributes
    ----------
    generator : numpy.random.RandomState
        Of initial parameters, split and order, drawn from as scikit-learn does.
    seed : int or None
        Of the dropout masks; None before the first fit has drawn its initial parameters.
    optimizer : type or None
        The optimizer's kind: another begins without the state of this one.
    state : TrainingState
    order : array or None
        Of the newest epoch.
    split : tuple or None
        How many rows were split, and the generator as it was before.
    curves : Curves
    """

    generator: np.random.RandomState | Any
    seed: int | None = None
    optimizer: type | None = None
    state: TrainingState = field(default_factory=lambda: TrainingState((), rule=Progress()))
    order: Array | None = None
    split: tuple[int, np.random.RandomState] | None = None
    curves: Curves = field(default_factory=Curves)

    def masks(self) -> int:
        """The seed of the masks: what the generator would give next, which stays where it is."""
        if self.seed is None:
            self.seed = int(copy.deepcopy(self.generator).randint(2**31 - 1))
        return self.seed

    def start(self, kind: type, parameters: Parameters) -> TrainingState:
        """Where a further fit begins."""
        optimizer = self.state.optimizer if self.optimizer is kind else None
        self.optimizer = kind
        return replace(self.state, parameters=parameters, optimizer=optimizer)

    def forget(self) -> None:
        """What only a fit that continues another needs."""
        self.order = self.split = None
        if self.state.best is not None:
            self.state = replace(self.state, best=None, average=None)

    @property
    def raw(self) -> Parameters | None:
        """The newest parameters, where the fit has given their mean instead."""
        state = self.state
        return state.parameters if state.best is None and state.average is not None else None


class Orders:
    """The order of each epoch of a fit: the last one's, shuffled again.

    Parameters
    ----------
    kept : Continuation
        Whose generator shuffles.
    rows : int
    """

    def __init__(self, kept: Continuation, rows: int) -> None:
        self._kept, self._rows = kept, rows
        self._begun = copy.deepcopy(kept.generator.get_state()), kept.order
        self._epoch = 0

    def of_epoch(self, epoch: int) -> Array:
        """The order of an epoch, from 1: the same whenever it is asked for."""
        kept = self._kept
        if epoch < self._epoch:  # where a run goes back
            state, kept.order = self._begun
            kept.generator.set_state(state)
            self._epoch = 0
        while self._epoch < epoch:
            before = kept.order
            begins = before is None or len(before) != self._rows
            order = np.arange(self._rows) if begins else np.array(before)
            kept.generator.shuffle(order)
            kept.order = order
            self._epoch += 1
        return kept.order


class Outcome(NamedTuple):
    """A trained network: its plan, the runner that holds the parameters to predict with.

    Attributes
    ----------
    epochs : int
    reason : str
        What ended it: ``"patience"``, ``"epochs"``, ``"seconds"``, ``"callback"``, ``"driver"``,
        ``"interrupted"``, ``"diverged"``.
    text : str
    """

    plan: Plan
    runner: Runner
    parameters: Parameters
    epochs: int
    reason: str
    text: str


def fitted(training: Training, kept: Continuation, callbacks: Sequence[Callback]) -> Outcome:
    """Train until a rule, a callback, the time or the user ends it.

    Parameters
    ----------
    training : Training
        Of a :class:`SklearnRule`.
    kept : Continuation
        Takes over where the fit ends.
    callbacks : sequence of Callback

    Raises
    ------
    DivergenceError
        Where numbers stop being finite and the rules do not say otherwise.
    InterruptionError
        Where a signal ended a fit with checkpoints.
    """
    runner, rule = training.runner, training.run.stopping
    assert isinstance(rule, SklearnRule)
    try:
        training.finish(callbacks)
        reason, text = training.state.verdict or ("", "")
        state = training.state
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
        reason, text = "interrupted", "interrupted by the user"
        state = training.snapshot()
    except DivergenceError as error:
        raise _in_their_words(error) from None
    curves = kept.curves.with_epochs(rule, state.history)
    epochs = state.epochs
    if reason == "diverged":
        epochs += 1
        curves.losses.append(math.nan)
        curves.scores.append(math.nan)
    elif state.best is None and state.average is None:
        state = replace(state, parameters=runner.parameters())
    runner.set_parameters(state.trained)
    # of a fit that diverged it may hold numbers that are not finite
    optimizer = runner.state() if rule.steps and reason != "diverged" else None
    kept.curves, kept.state = (
        curves,
        replace(state, optimizer=optimizer, events=[], epochs=0, good=None),
    )
    return Outcome(training.run.plan, runner, state.trained, epochs, reason, text)


def _in_their_words(error: DivergenceError) -> DivergenceError:
    """The error as scikit-learn begins it."""
    told = DivergenceError(
        "Solver produced non-finite parameter weights. The input data may contain large values and "
        f"need to be preprocessed. In detail: {error}",
        step=error.step,
        layer=error.layer,
        quantity=error.quantity,
    )
    told.parameters = error.parameters
    return told
