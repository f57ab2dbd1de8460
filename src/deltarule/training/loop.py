"""The loop of a run: batches, steps, *converged?* (the source's last figure).

Forward, cache, back propagation and gradient descent run in the engine; here is what goes round
them: the order of the examples, the validation data, the question whether to go on. The loop
yields typed events and holds no mathematics of the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from deltarule.arrays import Array, checked_dtype, checked_number
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import EngineOptions, Plan, RunnerState
from deltarule.errors import DivergenceError, SettingError, TypeMismatchError
from deltarule.events import (
    Action,
    Ended,
    EpochEnded,
    Event,
    Progressed,
    ScaleRate,
    Started,
    StopTraining,
)
from deltarule.network import Network, Parameters
from deltarule.optimizers import LBFGS, OPTIMIZERS, Optimizer
from deltarule.regularisation import Regularisation
from deltarule.rng import checked_seed, generator
from deltarule.schedules import Schedule, Warmup
from deltarule.sparse import gathered
from deltarule.stopping import Stopping, Verdict, needs_validation
from deltarule.training.divergence import first_infinite
from deltarule.training.examples import checked_examples, split_examples
from deltarule.training.lbfgs import minimising
from deltarule.training.result import Result

Metric: TypeAlias = Callable[[Array, Array], float]
"""Of targets and predictions, both ``(m, n[L])``, to a figure of which more is better."""

Order: TypeAlias = Callable[[int], Array]
"""Of an epoch, from 1, to the order of its rows: each row's number once."""

_CHUNK_SECONDS = 0.5  # how long the engine may work before the loop looks at the clock
_FIRST_CHUNK = 1024  # steps; later chunks are powers of two, so that a compiler sees few lengths


class Training:
    """One run, to be iterated over: ``for event in Training(...)``; then :attr:`result`.

    The parameters are those of :func:`train`.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: Any,
        *,
        optimizer: Optimizer | str = "adam",
        epochs: int | None = None,
        batch_size: int | None = 32,
        validation: Any = None,
        weights: Any = None,
        regularisation: Regularisation | None = None,
        stopping: Stopping | None = None,
        metric: Metric | None = None,
        shuffle: bool | Order = True,
        engine: str = "auto",
        options: EngineOptions | None = None,
        dtype: Any = "float32",
        seed: int = 0,
        parameters: Parameters | None = None,
        state: RunnerState | None = None,
        statistics: bool = False,
    ) -> None:
        if not isinstance(network, Network):
            raise TypeMismatchError(f"network: expected a Network, got {type(network).__name__}.")
        checked_seed("train", seed)
        dtype = checked_dtype(dtype)
        if batch_size is not None:
            checked_number("train", "batch_size", batch_size, low=1, whole=True)
        self.stopping = stopping or Stopping()
        if epochs is not None:
            self.stopping = replace(self.stopping, epochs=epochs)
        needs_validation(self.stopping, validation is not None)
        self.network, self.metric, self.statistics = network, metric, statistics
        self.seed, self.shuffle = seed, shuffle
        data = checked_examples(network, X, Y, weights, dtype)
        self.data, self.validation = split_examples(network, data, validation, seed, dtype)

        m = len(self.data.X)
        optimizer = OPTIMIZERS(optimizer)
        self.batch_size = m if batch_size is None or optimizer.full_batch else min(batch_size, m)
        self.steps_per_epoch = -(-m // self.batch_size)
        begins_anew = state is None or optimizer.schedule.horizon
        optimizer = optimizer.bound(self.steps_per_epoch * self.stopping.epochs)
        self.plan = Plan(network, optimizer, regularisation or Regularisation(), dtype, seed)
        self.engine = choose(self.plan, engine, options)
        self.runner = start_plan(self.plan, self.engine.name, parameters, options)
        self._steps_before = 0 if state is None or begins_anew else state.step
        if state is not None:
            self.runner.set_state(state)

        self.history: list[EpochEnded] = []
        self.rate_scale = 1.0
        self._wish: str | None = None
        self._best: tuple[float, int, Parameters] | None = None
        self._verdict: Verdict | None = None
        self._chunk = _FIRST_CHUNK

    def act(self, action: Action | None) -> None:
        """Do what a callback answered.

        Raises
        ------
        TypeMismatchError
            For an answer that is no action.
        """
        if isinstance(action, ScaleRate):
            checked_number("ScaleRate", "factor", action.factor, low=0, open_low=True)
            self.rate_scale *= action.factor
        elif isinstance(action, StopTraining):
            self._wish = action.text
        elif action is not None:
            raise TypeMismatchError(
                f"callback: expected None, StopTraining or ScaleRate, got {action!r}."
            )

    def __iter__(self) -> Iterator[Event]:
        self._begun = time.perf_counter()
        yield Started(
            self.plan,
            *self.engine,
            rows=len(self.data.X),
            validation_rows=0 if self.validation is None else len(self.validation.X),
            batch_size=self.batch_size,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.stopping.epochs,
            runner=self.runner,
            X=self.data.X,
            Y=self.data.Y,
            weights=self.data.weights,
        )
        if isinstance(self.plan.optimizer_row, LBFGS):
            yield from self._drive(self.plan.optimizer_row)
        else:
            yield from self._step_by_batches()
        if self._best is not None:
            self.runner.set_parameters(self._best[2])
        assert self._verdict is not None
        best = None if self._best is None else self._best[1]
        yield Ended(*self._verdict, len(self.history), best, self._seconds())

    @property
    def result(self) -> Result:
        """The result, once the iteration is over."""
        if self._verdict is None:
            raise SettingError("Training.result: the run is not over; iterate over it first.")
        return Result(
            self.network,
            self.runner.parameters(),
            tuple(self.history),
            self._verdict.reason,
            self._verdict.text,
            None if self._best is None else self._best[1],
            self.engine.name,
            self.runner,
        )

    # -------------------------------------------------------------------- batches and steps

    def _step_by_batches(self) -> Iterator[Event]:
        while self._verdict is None:
            epoch = len(self.history) + 1
            costs: list[np.ndarray] = []
            found: list[Any] = []
            order = self._order(epoch)
            for first, rates in self._chunks():
                last = first + len(rates)
                rows = order[first * self.batch_size : last * self.batch_size]
                done = self.runner.train(
                    self.data.X,
                    self.data.Y,
                    rows,
                    self.batch_size,
                    rates,
                    self.data.weights,
                    self.statistics,
                )
                costs.append(done.costs)
                found.append(done.statistics)
                if not np.isfinite(done.costs[-1]):
                    failed = first + len(done.costs) - 1
                    batch = order[failed * self.batch_size : (failed + 1) * self.batch_size]
                    self._raise_diverged(epoch, failed, batch, float(rates[len(done.costs) - 1]))
                if self._out_of_time():
                    break
                if last < self.steps_per_epoch:
                    yield Progressed(epoch, last, self.steps_per_epoch, float(done.costs.mean()))
            if not all(np.isfinite(W).all() for p in self.runner.parameters() for W in p.values()):
                self._raise_diverged(epoch, last - 1, rows[-self.batch_size :], float(rates[-1]))
            statistics = _joined(found) if self.statistics else None
            cost = self._epoch_cost(np.concatenate(costs), order)
            step = (epoch - 1) * self.steps_per_epoch + last
            yield self._ended(epoch, step, cost, float(rates[-1]), statistics)

    def _order(self, epoch: int) -> np.ndarray:
        m = len(self.data.X)
        if not self.shuffle or self.batch_size == m:
            return np.arange(m)
        if callable(self.shuffle):
            return np.asarray(self.shuffle(epoch))
        return generator(self.seed, "order", epoch).permutation(m)

    def _chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The epoch's steps in runs of about half a second: first step, learning rates."""
        schedule: Schedule | Warmup = self.plan.optimizer_row.schedule
        offset = self._steps_before + len(self.history) * self.steps_per_epoch
        first = 0
        while first < self.steps_per_epoch:
            count = min(self._chunk, self.steps_per_epoch - first)
            begun = time.perf_counter()
            rates = np.asarray(schedule(offset + np.arange(first, first + count)))
            yield first, rates * self.rate_scale
            seconds = max(time.perf_counter() - begun, 1e-6)
            wanted = max(count * _CHUNK_SECONDS / seconds, 1.0)
            self._chunk = 2 ** int(np.log2(wanted))
            first += count

    def _epoch_cost(self, costs: np.ndarray, order: np.ndarray) -> float:
        """The mean of the batches' costs, by the weight of each."""
        weights = np.ones(len(order)) if self.data.weights is None else self.data.weights[order]
        starts = np.arange(len(costs)) * self.batch_size
        used = weights[: len(costs) * self.batch_size].astype(np.float64)
        share = np.add.reduceat(used, starts)
        return float(np.average(costs, weights=share)) if share.any() else 0.0

    # --------------------------------------------------------------- the end of an epoch

    def _ended(
        self, epoch: int, step: int, cost: float, rate: float, statistics: Any
    ) -> EpochEnded:
        validation_cost = figure = norm = None
        best = False
        if self.validation is not None:
            validation_cost = self.runner.cost(*self.validation, penalised=False)
            if self.metric is not None:
                figure = float(
                    self.metric(self.validation.Y, self.runner.predict(self.validation.X))
                )
            best = self._keep_if_best(-validation_cost if figure is None else figure, epoch)
        if self.stopping.gradient_norm is not None:
            gradients = self.runner.gradients(*self.data)
            norm = float(np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values())))
        event = EpochEnded(
            epoch,
            step,
            cost,
            validation_cost,
            figure,
            rate,
            norm,
            self._seconds(),
            best,
            statistics,
        )
        self.history.append(event)
        self._verdict = self.stopping.verdict(self.history)
        return event

    def resolve_wish(self) -> None:
        """End the run where a callback wished so; :func:`train` calls it after each event."""
        if self._wish is not None and self.history:
            self._verdict = self._verdict or Verdict("callback", self._wish)

    def _keep_if_best(self, figure: float, epoch: int) -> bool:
        if self._best is not None and not figure > self._best[0] + self.stopping.improvement:
            return False
        self._best = (figure, epoch, self.runner.parameters())
        return True

    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    def _out_of_time(self) -> bool:
        return self.stopping.seconds is not None and self._seconds() >= self.stopping.seconds

    def _raise_diverged(self, epoch: int, failed: int, batch: Array, rate: float) -> None:
        step = (epoch - 1) * self.steps_per_epoch + failed + 1
        layer, quantity = first_infinite(
            self.network, self.runner.parameters(), gathered(self.data.X, batch)
        )
        where = "the cost" if layer is None else f"{quantity} of layer {layer}"
        raise DivergenceError(
            f"training diverged at step {step} (epoch {epoch}): {where} is not finite. Lower the "
            f"learning rate (it was {rate:g}), standardise the inputs, or clip the gradients "
            "(Regularisation(clip_norm=1)).",
            step=step,
            layer=layer,
            quantity=quantity,
        )

    # ------------------------------------------------------------------------ all the data

    def _drive(self, optimizer: LBFGS) -> Iterator[Event]:
        driver = minimising(optimizer, self.runner, self.data, self.stopping.epochs)
        try:
            parameters = next(driver)
            while True:
                yield self._iterated(parameters)
                parameters = driver.send(self._verdict is None)
        except StopIteration as done:
            last, why = done.value
        finally:
            driver.close()
        self.runner.set_parameters(last)
        if not self.history:
            yield self._iterated(last)
        if self._verdict is None or (self._verdict.reason == "epochs" and "CONVERGENCE" in why):
            self._verdict = Verdict("driver", f"L-BFGS: {why.capitalize()}")

    def _iterated(self, parameters: Parameters) -> EpochEnded:
        """The event of one iteration over all the data."""
        self.runner.set_parameters(parameters)
        epoch = len(self.history) + 1
        cost = self.runner.cost(*self.data)
        if not np.isfinite(cost):
            self._raise_diverged(epoch, 0, np.arange(len(self.data.X)), 1.0)
        return self._ended(epoch, epoch, cost, 1.0, None)


def _joined(found: list[Any]) -> Any:
    """Statistics of several chunks as one."""
    return type(found[0])(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
