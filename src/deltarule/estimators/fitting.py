"""One fit: the training process of :mod:`deltarule.training`, led by scikit-learn's rules."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import DivergenceError
from deltarule.estimators.course import Course, Orders, Rules
from deltarule.estimators.fitted import dense_of
from deltarule.network import Network, Parameters
from deltarule.optimizers import Optimizer
from deltarule.regularization import Regularization
from deltarule.training import Training
from deltarule.training.checkpoints import Checkpoints, named_arrays, parameters_in
from deltarule.training.events import Callback, EpochEnded, RateReduced, StopTraining
from deltarule.training.examples import Examples
from deltarule.training.interruption import signals_heard
from deltarule.training.stopping import Stopping


@dataclass(frozen=True)
class Scale:
    """From a cost of deltarule's to scikit-learn's loss.

    Its squared error is averaged over the outputs (its gradient is not, so nor is the cost), and
    its Poisson loss is the half deviance, ahead by what depends on the targets alone.
    """

    outputs: int = 1
    constant: float = 0.0

    def loss(self, cost: float, penalty: float = 0.0) -> float:
        """The loss that scikit-learn gives for a cost that contains a penalty."""
        if self.outputs == 1:
            return cost + self.constant
        return (cost - penalty) / self.outputs + penalty + self.constant


@dataclass(frozen=True)
class Task:
    """All that a fit needs but the course that it goes on with.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
    regularization : Regularization
    data, validation : Examples
    score : function or None
        Of a runner to the validation score.
    batch_size : int
    shuffle : bool
    engine, options
        As of :func:`deltarule.train`.
    dtype : dtype
    scale : Scale
    after_epoch : sequence of function
        Called with this fit and the runner; a true answer ends the fit.
    callbacks : sequence of Callback
    threads : int
        Of this fit alone; 0 leaves it to the engine.
    checkpoints : Checkpoints or None
        Where the fit is kept.
    """

    network: Network
    optimizer: Optimizer
    regularization: Regularization
    data: Examples
    validation: Examples | None
    score: Callable[[Runner], float] | None
    batch_size: int
    shuffle: bool
    engine: str
    options: EngineOptions | None
    dtype: Any
    scale: Scale
    after_epoch: Sequence[Callable[[Fit, Runner], Any]] = ()
    callbacks: Sequence[Callback] = ()
    threads: int = 0
    checkpoints: Checkpoints | None = None


class Outcome(NamedTuple):
    """A trained network: its plan, the runner that trained it, the parameters to predict with.

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


class Fit:
    """A task on its way.

    Parameters
    ----------
    task : Task
    rules : Rules
    course : Course
        Changed as the fit goes on.
    parameters : Parameters
        To begin from.
    """

    def __init__(self, task: Task, rules: Rules, course: Course, parameters: Parameters) -> None:
        self.task, self.rules, self.course = task, rules, course
        self.parameters = parameters
        self.epochs = 0
        self._weights = parameters  # at the epoch's start
        self._stops = task.optimizer.full_batch  # by itself: no rule of ours ends it
        self._end: tuple[str, str] | None = None

    @property
    def ending(self) -> str | None:
        """Why it ends after this epoch, where a rule says so."""
        return None if self._end is None else self._end[1]

    def run(self) -> Outcome:
        """Train until a rule, a callback, the time or the user ends it.

        Raises
        ------
        DivergenceError
            Where numbers stop being finite and the rules do not say otherwise.
        InterruptionError
            Where a signal ended a fit with checkpoints.
        """
        training = self._training()
        kept = self.task.checkpoints is not None
        heard = signals_heard(training.interrupt) if kept else nullcontext()
        try:
            with closing(training), heard:
                for event in training:
                    for callback in self.task.callbacks:
                        training.act(callback(event))
                    if isinstance(event, EpochEnded):
                        self._epoch(training, event)
                    elif isinstance(event, RateReduced):
                        self.course.go_back(event.undone, len(self.task.data.X))
                        self.epochs -= event.undone
                    training.resolve_wish()
            return self._outcome(training)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
            self._end = "interrupted", "interrupted by the user"
            return self._outcome(training)
        except DivergenceError as error:
            return self._diverged(training, error)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, beside the training."""
        values, arrays = self.course.figures()
        own = named_arrays("weights", self._weights)
        return {"epochs": self.epochs, "end": self._end, **values, **arrays, **own}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        self.epochs = state["epochs"]
        self._end = None if state["end"] is None else tuple(state["end"])
        self.course.set_figures(state, self.parameters)
        self._weights = parameters_in(state, "weights", self.parameters)

    def _training(self) -> Training:
        task, course, rules = self.task, self.course, self.rules
        own = rules.on_divergence == "stop"  # the best epoch is known here, not there
        training = Training(
            task.network,
            task.data.X,
            task.data.Y,
            weights=task.data.weights,
            optimizer=task.optimizer,
            batch_size=task.batch_size,
            regularization=task.regularization,
            stopping=Stopping(
                epochs=rules.epochs,
                seconds=rules.seconds,
                on_divergence="raise" if own else rules.on_divergence,
            ),
            shuffle=Orders(course, len(task.data.X)).of_epoch if task.shuffle else False,
            engine=task.engine,
            options=task.options,
            dtype=task.dtype,
            seed=course.seed,
            parameters=self.parameters,
            state=course.state,
            checkpoints=task.checkpoints,
        )
        training.listeners = (self, *task.callbacks)
        training.rate_scale = course.rate_scale * course.asked_scale
        if task.threads and hasattr(training.runner, "n_threads"):
            training.runner.n_threads = task.threads
        return training

    def _epoch(self, training: Training, event: EpochEnded) -> None:
        """What follows an epoch: its figures, the rules, whoever listens."""
        task, rules, course, runner = self.task, self.rules, self.course, training.runner
        self.epochs += 1
        loss = task.scale.loss(event.cost, self._penalty(runner, training.steps_per_epoch))
        score = None
        if task.validation is not None:
            cost = runner.cost(*task.validation, penalised=False)
            course.validation_losses.append(task.scale.loss(cost))
        if task.score is not None:
            score = task.score(runner)
            course.scores.append(score)
        course.judge(rules, loss, score, runner.parameters)
        if rules.average is not None:
            course.take_in(rules, runner.parameters())
        if not self._stops:
            course.asked_scale = training.rate_scale / course.rate_scale
            why = course.advance(rules, len(task.data.X), event.learning_rate)
            training.rate_scale = course.rate_scale * course.asked_scale
            if why is not None:
                self._end = "patience", why
        answers = [listen(self, runner) for listen in task.after_epoch]
        if any(answers):
            self._end = self._end or ("callback", "a callback asked for it")
        if self._end is not None:
            training.act(StopTraining(self._end[1]))

    def _penalty(self, runner: Runner, batches: int) -> float:
        """An epoch's mean penalty, from the weights before and after, where the scale needs it."""
        rule = self.task.regularization
        if self.task.scale.outputs == 1 or not rule.penalised:
            return 0.0
        share = 1.0
        if rule.over_batch:
            weights = self.task.data.weights
            share = batches / (len(self.task.data.X) if weights is None else float(weights.sum()))
        before, self._weights = self._weights, runner.parameters()
        mean = 0.5 * (_penalty(rule, before) + _penalty(rule, self._weights))
        return share * mean

    def _outcome(self, training: Training) -> Outcome:
        course, runner = self.course, training.runner
        end = self._end
        if end is None:
            result = training.result
            end = result.stopped_because, result.stopped_text
        parameters = runner.parameters()
        if not self._stops:
            course.state = runner.state()
        course.raw = None
        if course.best is not None:
            parameters = course.best
        elif course.mean is not None:
            course.raw, parameters = parameters, course.mean
        runner.set_parameters(parameters)
        return Outcome(training.plan, runner, parameters, self.epochs, *end)

    def _diverged(self, training: Training, error: DivergenceError) -> Outcome:
        course = self.course
        if self.rules.on_divergence != "stop" or course.best is None:
            told = DivergenceError(
                f"Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. In detail: {error}",
                step=error.step,
                layer=error.layer,
                quantity=error.quantity,
            )
            told.parameters = error.parameters
            raise told from None
        self.epochs += 1
        course.losses.append(math.nan)
        course.scores.append(math.nan)
        self._end = "diverged", str(error)
        outcome = self._outcome(training)
        course.state = None  # it may hold numbers that are not finite
        return outcome


def _penalty(rule: Regularization, parameters: Parameters) -> float:
    with np.errstate(over="ignore"):  # of a fit on its way to infinity
        return sum(float(rule.penalty(layer["W"])) for layer in dense_of(parameters))


def half_deviance_constant(Y: Array, weights: Array | None) -> float:
    """What the half Poisson deviance has beyond the cost: the mean of Σ(y log y − y)."""
    logs = np.where(Y > 0, Y * np.log(np.where(Y > 0, Y, 1.0)), 0.0)
    return float(np.average((logs - Y).sum(axis=1), weights=weights))
