"""The loop of a run: batches, steps, *converged?* (the source's last figure).

Forward, cache, back propagation and gradient descent run in the engine; here is what goes round
them: the order of the examples, the validation data, the question whether to go on. The loop
yields typed events and holds no mathematics of the network.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_dtype, checked_number
from deltarule.engines import choose, start_plan
from deltarule.engines.footprint import check_memory
from deltarule.engines.plan import EngineOptions, Plan, RunnerState, Trained
from deltarule.errors import DivergenceError, SettingError, TypeMismatchError, setting
from deltarule.network import Network, Parameters
from deltarule.optimizers import LBFGS, OPTIMIZERS, Optimizer
from deltarule.regularization import Regularization
from deltarule.rng import checked_seed
from deltarule.schedules import Schedule, Warmup
from deltarule.system.processes import group
from deltarule.training.averaging import Average, checked_averaging
from deltarule.training.blocks import Blocks
from deltarule.training.checkpoints import Checkpoints, Folder
from deltarule.training.divergence import Last, Recoverable
from deltarule.training.events import (
    Action,
    Ended,
    EpochEnded,
    Event,
    Progressed,
    ScaleRate,
    Started,
    StopTraining,
)
from deltarule.training.examples import Examples, checked_examples, data_memory, split_examples
from deltarule.training.lbfgs import minimising
from deltarule.training.result import Result
from deltarule.training.resuming import Metric, Order, joined
from deltarule.training.stopping import Stopping, Verdict, needs_validation
from deltarule.training.windows import Reader, Window, check_streamed

_CHUNK_SECONDS = 0.5  # how long the engine may work before the loop looks at the clock
_GOOD = 10.0  # an epoch this many times worse than the best may be diverging already
_FIRST_CHUNK = 1024  # steps; later chunks are powers of two, so that a compiler sees few lengths


class Training(Recoverable):
    """One run, to be iterated over: ``for event in Training(...)``; then :attr:`result`.

    The parameters are those of :func:`train`. Whoever leaves the iteration before its end calls
    :meth:`close`, so that another run may use the folder of its checkpoints.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: Any = None,
        *,
        optimizer: Optimizer | str = "adam",
        epochs: int | None = None,
        batch_size: int | None = 32,
        validation: Any = None,
        weights: Any = None,
        regularization: Regularization | None = None,
        stopping: Stopping | None = None,
        metric: Metric | None = None,
        shuffle: bool | Order = True,
        averaging: float = 1.0,
        engine: str = "auto",
        options: EngineOptions | None = None,
        dtype: Any = "float32",
        seed: int = 0,
        parameters: Parameters | None = None,
        state: RunnerState | None = None,
        statistics: bool = False,
        checkpoints: Checkpoints | None = None,
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
        self.options = options or EngineOptions()
        optimizer = OPTIMIZERS(optimizer)
        self.averaging = checked_averaging(averaging, optimizer)
        self._check_memory(optimizer, engine, X, Y, batch_size, validation, dtype)
        self._reader = Reader(X, network, dtype) if isinstance(X, Blocks) else None
        if self._reader is None:
            data = checked_examples(network, X, Y, weights, dtype)
        else:
            check_streamed(Y, weights, validation, shuffle, optimizer, self.stopping)
            data = self._reader.first()
        self.data, self.validation = split_examples(network, data, validation, seed, dtype)

        m = self.rows = len(self.data.X) if self._reader is None else self._reader.rows
        self.batch_size = m if batch_size is None or optimizer.full_batch else min(batch_size, m)
        self.steps_per_epoch = -(-m // self.batch_size)
        begins_anew = state is None or optimizer.schedule.horizon
        optimizer = optimizer.bound(self.steps_per_epoch * self.stopping.epochs)
        self._schedule: Schedule | Warmup = optimizer.schedule
        self.plan = Plan(network, optimizer, regularization or Regularization(), dtype, seed)
        self.group = group()
        self.engine = choose(self.plan, engine, options)
        if self.group.count > 1 and self.engine.name != "jax":
            jax = setting("engine='jax'", "--engine jax")
            raise SettingError(
                f"engine {self.engine.name!r} computes in one process, and this is one of "
                f"{self.group.count}. Pass {jax}."
            )
        self.runner = start_plan(self.plan, self.engine.name, parameters, options)
        self._steps_before = 0 if state is None or begins_anew else state.step
        if state is not None:
            self.runner.set_state(state)
        self._begun_at = self.runner.state().step
        self._after = self.runner.parameters()  # at the end of the newest epoch
        given = None if parameters is None else self._after
        self._start = given, None if state is None else self.runner.state()

        self.history: list[EpochEnded] = []
        self.rate_scale = 1.0
        self._wish: str | None = None
        self._best: tuple[float, int, Parameters] | None = None
        self._average: Average | None = None
        self._verdict: Verdict | None = None
        self._chunk = _FIRST_CHUNK
        self.listeners: Sequence[object] = ()  # whoever may remember something
        self._forget_epoch()
        self._worked = 0.0
        self._reductions = 0
        self._signal: int | None = None
        self._good = self._kept()
        self._orders: list[str] = []
        self._folder: Folder | None = None
        if checkpoints is not None or self.group.count > 1:
            identity = self._identity()
            self._check_shared(identity)
            if checkpoints is not None:
                self._folder = self._opened_folder(checkpoints, identity)

    def _check_memory(
        self,
        optimizer: Optimizer,
        engine: str,
        X: Any,
        Y: Any,
        batch_size: int | None,
        validation: Any,
        dtype: np.dtype[Any],
    ) -> None:
        splits = validation is not None and not isinstance(validation, (tuple, list))
        if isinstance(X, Blocks):
            rows, copies = Reader(X, self.network, dtype).memory
        else:
            rows, copies = data_memory(self.network, X, Y, dtype, splits=splits)
        whole = batch_size is None or optimizer.full_batch
        check_memory(
            self.network,
            optimizer,
            dtype,
            engine,
            self.options,
            batch_size=rows if whole else min(batch_size or rows, rows),
            data=copies,
            copies=1 + (validation is not None) + (self.averaging > 1),  # last good, best, mean
        )

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
        resumed = None if self._folder is None else self._resumed(self._folder)
        yield Started(
            self.plan,
            *self.engine,
            rows=self.rows,
            validation_rows=0 if self.validation is None else len(self.validation.X),
            batch_size=self.batch_size,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.stopping.epochs,
            runner=self.runner,
            X=self.data.X,
            Y=self.data.Y,
            weights=self.data.weights,
        )
        if resumed is not None:
            yield resumed
        optimizer = self.plan.optimizer_row
        try:
            if isinstance(optimizer, LBFGS):
                yield from self._drive(optimizer)
            else:
                yield from self._step_by_batches()
        except DivergenceError as error:
            self._stopped(error)
        if self._folder is not None:
            self._save(self._folder)
            self.close()
        if self._best is not None:
            self.runner.set_parameters(self._best[2])
        elif self._average is not None:
            self.runner.set_parameters(self._average.parameters)
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
        least = min((event.cost for event in self.history), default=np.inf)
        while self._verdict is None:
            epoch = len(self.history) + 1
            try:
                yield from self._epoch(epoch)
            except DivergenceError as error:
                yield self._reduced(epoch, error)
                continue
            least = min(least, self.history[-1].cost)
            if self.history[-1].cost <= _GOOD * least:
                self._good, self._reductions = self._kept(), 0
            self._save_if_due()

    def _epoch(self, epoch: int) -> Iterator[Event]:
        with closing(self._windows(epoch)) as windows:
            last: Last | None = None
            for window in windows:
                last = None  # its examples make room for those that are being read
                last = yield from self._trained_on(window, epoch)
                if self._out_of_time():
                    break
        assert last is not None
        cost = self._epoch_cost()
        self._after = self.runner.parameters()
        if self.stopping.on_divergence != "ignore":
            self._check_sound(epoch, last, cost)
        if self.averaging > 1:
            average = self._average or Average(0, self._after)
            self._average = average.with_newest(self._after, self.averaging)
        statistics = joined(self._found) if self.statistics else None
        step = (epoch - 1) * self.steps_per_epoch + last.step
        self._forget_epoch()
        yield self._ended(epoch, step, cost, last.rate, statistics)

    def _trained_on(self, window: Window, epoch: int) -> Generator[Event, None, Last]:
        """The steps that a window's rows give, and the last of them."""
        examples, order, begun = window
        m = self.batch_size
        for first, rates in self._chunks(begun + -(-len(order) // m)):
            rows = order[(first - begun) * m : (first - begun + len(rates)) * m]
            done = self._stepped(examples, rows, rates)
            made = len(done.costs)
            self._costs.append(done.costs)
            self._shares.append(self._share(examples, rows[: made * m]))
            self._found.append(done.statistics)
            self._first = first + made
            batch = rows[(made - 1) * m : made * m]
            last = Last(self._first, examples, batch, float(rates[made - 1]))
            if not np.isfinite(done.costs[-1]) and self.stopping.on_divergence != "ignore":
                self._raise_diverged(epoch, last)
            if self._out_of_time():
                break
            if self._first < self.steps_per_epoch:
                cost = float(done.costs.mean())
                yield Progressed(epoch, self._first, self.steps_per_epoch, cost)
                self._save_if_due()
        return last

    def _stepped(self, examples: Examples, rows: Array, rates: Array) -> Trained:
        """The steps of a chunk; an engine ends at a cost that is not finite."""
        done = self._run(examples, rows, rates)
        while self.stopping.on_divergence == "ignore" and len(done.costs) < len(rates):
            made = len(done.costs)
            more = self._run(examples, rows[made * self.batch_size :], rates[made:])
            found = [done.statistics, more.statistics] if self.statistics else None
            costs = np.concatenate([done.costs, more.costs])
            done = Trained(costs, joined(found) if found else None)
        return done

    def _run(self, examples: Examples, rows: Array, rates: Array) -> Trained:
        X, Y, weights = examples
        return self.runner.train(X, Y, rows, self.batch_size, rates, weights, self.statistics)

    def _chunks(self, end: int) -> Iterator[tuple[int, np.ndarray]]:
        """The epoch's steps up to one in runs of about half a second: first step, rates."""
        epochs_before = len(self.history) * self.steps_per_epoch
        offset = self._steps_before + epochs_before
        first = self._first
        while first < end:
            count = min(self._chunk, end - first)
            if self._folder is not None:
                until = self._folder.settings.steps_until(epochs_before + first)
                count = count if until is None else min(count, until)
            begun = time.perf_counter()
            rates = np.asarray(self._schedule(offset + np.arange(first, first + count)))
            yield first, rates * self.rate_scale
            seconds = max(self.group.agreed(time.perf_counter() - begun), 1e-6)
            wanted = max(count * _CHUNK_SECONDS / seconds, 1.0)
            self._chunk = 2 ** int(np.log2(wanted))
            first += count

    def _share(self, examples: Examples, rows: Array) -> np.ndarray:
        """The weight of each batch of some rows."""
        starts = np.arange(0, len(rows), self.batch_size)
        if examples.weights is None:
            return np.minimum(len(rows) - starts, self.batch_size).astype(np.float64)
        return np.add.reduceat(examples.weights[rows].astype(np.float64), starts)

    def _epoch_cost(self) -> float:
        """The mean of the batches' costs, by the weight of each."""
        costs, share = np.concatenate(self._costs), np.concatenate(self._shares)
        if self.stopping.on_divergence == "ignore":
            share, costs = share * np.isfinite(costs), np.nan_to_num(costs, posinf=0, neginf=0)
        whole = share.sum()
        return float((costs * share).sum() / whole) if whole else 0.0

    # --------------------------------------------------------------- the end of an epoch

    def _ended(
        self, epoch: int, step: int, cost: float, rate: float, statistics: Any
    ) -> EpochEnded:
        validation_cost, figure, norm, seconds = self.group.agreed(
            (*self._measured(), self._seconds())
        )
        best = False
        if validation_cost is not None:
            best = self._keep_if_best(-validation_cost if figure is None else figure, epoch)
        event = EpochEnded(
            epoch,
            step,
            cost,
            validation_cost,
            figure,
            rate,
            norm,
            seconds,
            best,
            statistics,
        )
        self.history.append(event)
        self._verdict = self.stopping.verdict(self.history)
        return event

    @property
    def _judged(self) -> Parameters:
        """What an epoch is judged by: its parameters, or the average they have gone into."""
        return self._after if self._average is None else self._average.parameters

    def _measured(self) -> tuple[float | None, float | None, float | None]:
        """Validation cost, figure and gradient norm; the runner then goes on where it was."""
        cost = figure = norm = None
        if self._average is not None:
            self.runner.set_parameters(self._judged)
        if self.validation is not None:
            X, Y, weights = self.validation
            cost = self.runner.cost(X, Y, weights, penalised=False)
            figure = None if self.metric is None else float(self.metric(Y, self.runner.predict(X)))
        if self.stopping.gradient_norm is not None:
            gradients = self.runner.gradients(*self.data)
            norm = float(np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values())))
        if self._average is not None:
            self.runner.set_parameters(self._after)
        return cost, figure, norm

    def resolve_wish(self) -> None:
        """End the run where a callback wished so; :func:`train` calls it after each event.

        In a group of processes, what process 0's callbacks wished counts for all.
        """
        self._wish, self.rate_scale = self.group.agreed((self._wish, self.rate_scale))
        if self._wish is not None and self.history:
            self._verdict = self._verdict or Verdict("callback", self._wish)

    def _keep_if_best(self, figure: float, epoch: int) -> bool:
        if self._best is not None and not figure > self._best[0] + self.stopping.improvement:
            return False
        self._best = (figure, epoch, self._judged)
        return True

    def _out_of_time(self) -> bool:
        limit = self.stopping.seconds
        return limit is not None and self.group.agreed(self._seconds()) >= limit

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
        self._after = self.runner.parameters()
        epoch = len(self.history) + 1
        cost = self.runner.cost(*self.data)
        if not np.isfinite(cost):
            self._raise_diverged(epoch, Last(1, self.data, np.arange(self.rows), 1.0))
        return self._ended(epoch, epoch, cost, 1.0, None)
