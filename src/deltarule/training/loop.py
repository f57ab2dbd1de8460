"""The loop of a run: batches, steps, *converged?* (the source's last figure).

Forward, cache, back propagation and gradient descent run in the engine; here is what goes round
them: the order of the examples, the validation data, the question whether to continue. The loop
yields typed events and holds no mathematics of the network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deltarule.engines import choose, start_plan
from deltarule.engines.plan import RunnerState, Statistics
from deltarule.errors import DataError, DivergenceError, FileError, SettingError
from deltarule.network import Network, Parameters
from deltarule.optimizers import LBFGS
from deltarule.system.processes import group
from deltarule.training.averaging import Average
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.divergence import Last, check_sound, diverged
from deltarule.training.evaluation import Evaluation
from deltarule.training.events import (
    Action,
    Callback,
    Ended,
    EpochEnded,
    Event,
    Progressed,
    Resumed,
    Started,
)
from deltarule.training.history import History
from deltarule.training.interruption import signals_heard
from deltarule.training.keeping import Keeping, check_engine, identity_of
from deltarule.training.lbfgs import Search
from deltarule.training.predictions import Labels
from deltarule.training.recovery import Recovery
from deltarule.training.result import Result
from deltarule.training.run import Run
from deltarule.training.state import TrainingState
from deltarule.training.steps import Steps
from deltarule.training.stopping import Verdict, needs_validation
from deltarule.training.windows import Window, check_run_memory, data_of, lost
from deltarule.training.wishes import Wishes


class Training:
    """One run, to be iterated over: ``for event in Training(...)``; then :attr:`result`.

    Whoever leaves the iteration before its end calls :meth:`close`, so that another run may use
    the folder of its checkpoints.

    Parameters
    ----------
    network : Network or Run
        The layers and the cost; or a run, which brings its own settings.
    X, Y, weights : array_like, shapes (m, n[0]), (m, n[L]) and (m,)
        Examples, targets and the weights of the examples, as of :func:`train`.
    validation : float, tuple or None
        A share of the rows to hold out, or separate data, as of :func:`train`.
    parameters : Parameters, optional
        To begin from.
    state : RunnerState or TrainingState, optional
        What the run resumes from, as of :func:`train`.
    checkpoints : Checkpoints, optional
        Where the run is kept.
    **settings
        What else :func:`train` takes, such as `optimizer` and `epochs`, except `callbacks` and
        `verbose`; not beside a run.

    Attributes
    ----------
    run : Run
        With its schedule bound to the data.
    state : TrainingState
        Where it stands.
    runner : Runner
        What computes it.
    data, validation : Examples
        The training rows and the validation rows.
    labels : Labels or None
        The classes, where it trains on labels.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError, SettingError
        For data or settings that cannot be.
    OutOfMemoryError
        Where this process has too little memory for it.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> run = dr.Training(network, [[0.0], [1.0]], [1.0, 3.0], epochs=2)
    >>> [type(event).__name__ for event in run]
    ['Started', 'EpochEnded', 'EpochEnded', 'Ended']
    >>> run.result.predict([[0.5]]).shape
    (1, 1)
    """

    def __init__(
        self,
        network: Network | Run,
        X: Any,
        Y: Any = None,
        *,
        weights: Any = None,
        validation: Any = None,
        parameters: Parameters | None = None,
        state: RunnerState | TrainingState | None = None,
        checkpoints: Checkpoints | None = None,
        **settings: Any,
    ) -> None:
        run = network if isinstance(network, Run) else Run.of(network, **settings)
        needs_validation(run.stopping, validation is not None)
        check_run_memory(run, X, Y, validation)
        self.labels = None if Y is None else Labels.of(run.plan.network, Y)
        if self.labels is not None:
            Y, validation = self.labels.codes(Y), self.labels.of_validation(validation)
        self.data, self.validation, self._reader = data_of(run, X, Y, weights, validation)
        self.rows = len(self.data.X) if self._reader is None else self._reader.rows
        self.run = run.bound(self.rows)
        plan, self.group = self.run.plan, group()
        self.engine = choose(plan, run.engine, run.options)
        check_engine(self.engine.name, self.group)
        earlier = state if isinstance(state, TrainingState) else TrainingState((), state)
        optimizer = earlier.optimizer
        if isinstance(state, TrainingState):
            parameters = state.parameters
        self.runner = start_plan(plan, self.engine.name, parameters, run.options)
        if optimizer is not None:
            self.runner.set_state(optimizer)
        goes_on = optimizer is not None and not run.plan.optimizer_row.schedule.horizon
        steps_before = optimizer.step if goes_on and optimizer is not None else 0
        own = self.runner.parameters()
        self.state = earlier.begun(own, run.stopping.start(earlier.rule))
        self._recovery = Recovery(run.stopping, self.state, self.runner)
        self.steps = Steps(self.run, self.rows, self.group, steps_before)
        self.batch_size, self.steps_per_epoch = self.steps.batch_size, self.steps.per_epoch
        self._evaluation = Evaluation(self.run, self.data, self.validation, self.steps_per_epoch)
        self.listeners: Sequence[object] = ()  # whoever may remember something
        self._wishes = Wishes(self.group)
        self._begun = time.perf_counter()

        given = None if parameters is None else self.state.parameters
        start = given, None if optimizer is None else self.runner.state(), repr(earlier.rule)
        known = self.run, self.engine.name, self.data, self.validation, self._reader, start
        self.keeping = Keeping(
            *(self.run, checkpoints, partial(identity_of, *known)),
            *(self.group, self.rows, self.runner),
        )

    # ------------------------------------------------------------------------- what is known

    @property
    def history(self) -> list[EpochEnded]:
        """The events of all epochs that are done."""
        return self.state.events

    @property
    def result(self) -> Result:
        """The result, once the iteration is over."""
        state = self.state
        if state.verdict is None:
            raise SettingError("Training.result: the run is not over; iterate over it first.")
        return Result(
            self.run.plan.network,
            self.runner.parameters(),
            History(state.history),
            *state.verdict,
            state.best_epoch,
            self.engine.name,
            self.runner,
            self.labels,
            self.validation,
        )

    def snapshot(self) -> TrainingState:
        """Where it stands now, with the parameters and the state that the runner holds."""
        return self.state.but(
            parameters=self.runner.parameters(),
            optimizer=self.runner.state(),
            good=self._recovery.good,
            seconds=self._seconds(),
            **self.steps.under_way(),
        )

    # ------------------------------------------------------------------------- from outside

    def _started(self) -> Started:
        return Started(
            self.run.plan,
            *self.engine,
            rows=self.rows,
            validation_rows=0 if self.validation is None else len(self.validation.X),
            batch_size=self.batch_size,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.run.stopping.epochs,
            runner=self.runner,
            X=self.data.X,
            Y=self.data.Y,
            weights=self.data.weights,
        )

    def act(self, action: Action | None) -> None:
        """Do what a callback answered.

        Raises
        ------
        TypeMismatchError
            For an answer that is not an action.
        """
        self.state = self._wishes.after_action(action, self.state)

    def resolve_wish(self) -> None:
        """End the run where a callback wished so; :meth:`finish` calls it after each event."""
        self.state = self._wishes.resolved(self.state)

    def interrupt(self, signal: int) -> None:
        """End the run at the next chance, with a checkpoint; needs checkpoints."""
        self.keeping.signal = signal

    def close(self) -> None:
        """Let the folder of the checkpoints go, also where whoever listened has left early."""
        self.keeping.close()

    def finish(self, callbacks: Sequence[Callback] = ()) -> Result:
        """Train to the end; every event goes to the callbacks.

        With checkpoints, Ctrl-C and SIGTERM finish the step, write one and raise.
        """
        self.listeners = callbacks
        with closing(self), signals_heard(self.interrupt) if self.keeping else nullcontext():
            for event in self:
                for callback in callbacks:
                    self.act(callback(event))
                self.resolve_wish()
        return self.result

    # ------------------------------------------------------------------------------ the loop

    def __iter__(self) -> Iterator[Event]:
        self._begun = time.perf_counter()
        resumed = self._resumed()
        yield self._started()
        if resumed is not None:
            yield resumed
        optimizer = self.run.plan.optimizer_row
        try:
            if isinstance(optimizer, LBFGS):
                yield from self._iterations(optimizer)
            else:
                yield from self._epochs()
        except DivergenceError as error:
            self._stopped(error)
        if self.keeping:
            self._save()
            self.close()
        if self.state.best is not None or self.state.average is not None:
            self.runner.set_parameters(self.state.trained)
        state = self.state
        assert state.verdict is not None
        yield Ended(*state.verdict, state.epochs, state.best_epoch, self._seconds())

    def _epochs(self) -> Iterator[Event]:
        """Epochs until the stopping rule says *converged*."""
        while self.state.verdict is None:
            epoch = self.state.epochs + 1
            try:
                yield from self._epoch(epoch)
            except DivergenceError as error:
                self.state, event = self._recovery.back(self.state, self.runner, epoch, error)
                self.steps.begin_epoch()
                yield event
                continue
            self.state = self._recovery.after_epoch(self.state, self.runner)
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
        steps, after = self.steps, self.runner.parameters()
        cost, statistics = steps.cost, steps.statistics
        if self.run.stopping.on_divergence != "ignore":
            first = self.state.events[0].cost if self.state.epochs else steps.first_cost
            check_sound(self.runner, last, after, cost, first)
        average, mean = self.state.average, self.run.mean
        if mean.on:
            average = mean.with_newest(average, after)
        steps.begin_epoch()
        yield self._ended(epoch, last.step, cost, last.rate, after, average, statistics)

    def _trained_on(self, window: Window, epoch: int) -> Generator[Event, None, Last]:
        """The steps that a window's rows give, and the last of them."""
        steps, ignores = self.steps, self.run.stopping.on_divergence == "ignore"
        end = steps.end_of(window)
        while steps.first < end:
            scale = self.state.rule_scale * self.state.rate_scale
            most = self.keeping.steps_until(self._step)
            last, costs = steps.make(self.runner, window, epoch, scale, most)
            if not ignores and not math.isfinite(costs[-1]):
                raise diverged(self.runner, last)
            if self._out_of_time():
                break
            if steps.first < steps.per_epoch:
                yield Progressed(epoch, steps.first, steps.per_epoch, float(costs.mean()))
                self._save_if_due()
        return last

    def _windows(self, epoch: int) -> Generator[Window]:
        """What an epoch trains on, one after another, from the step on that comes next."""
        if self._reader is None:
            yield Window(self.data, self.keeping.orders(epoch), 0)
            return
        order = self._reader.order(self.run)
        try:
            yield from self._reader.windows(order, epoch, self.batch_size, self.steps.first)
        except (FileError, DataError) as error:
            saved = self._save() if self.keeping else None
            raise lost(error, self._step, self.runner.parameters(), saved) from error

    # --------------------------------------------------------------------- the end of an epoch

    def _ended(
        self,
        epoch: int,
        step: int,
        cost: float,
        rate: float,
        parameters: Parameters,
        average: Average | None = None,
        statistics: Statistics | None = None,
    ) -> EpochEnded:
        """The event of an epoch, evaluated, and decided on by the stopping rule."""
        mean_counts = average is not None and self.run.mean.evaluated
        evaluated = average.parameters if average and mean_counts else parameters
        found = self._evaluation.of(self.runner, self.state.parameters, parameters, evaluated)
        (validation_cost, figure, norm, penalty), seconds = self.group.agreed(
            (tuple(found), self._seconds())
        )
        event = EpochEnded(
            *(epoch, step, cost, validation_cost, figure, rate, norm, seconds),
            statistics=statistics,
            penalty=penalty,
        )
        rule = self.run.stopping
        self.state = self.state.with_epoch(rule, event, parameters, average, evaluated)
        return self.state.events[-1]

    def _out_of_time(self) -> bool:
        limit = self.run.stopping.seconds
        return limit is not None and self.group.agreed(self._seconds()) >= limit

    def _seconds(self) -> float:
        return self.state.seconds + time.perf_counter() - self._begun

    def _stopped(self, error: DivergenceError) -> None:
        """End the run with the best epoch's parameters, where that is asked for and there is one.

        Raises
        ------
        DivergenceError
            Otherwise.
        """
        best = self.state.best
        if self.run.stopping.on_divergence != "stop" or best is None or best.parameters is None:
            raise error
        self.state = self.state.but(verdict=Verdict("diverged", str(error)))
        self.steps.begin_epoch()

    # ------------------------------------------------------------------------- checkpoints

    @property
    def _step(self) -> int:
        """How many steps of the run are done."""
        return self.state.epochs * self.steps_per_epoch + self.steps.first

    def _save(self) -> Path:
        verdict = self.state.verdict
        lasting = verdict is not None and verdict.reason in ("callback", "diverged")
        kept = replace(self.snapshot(), verdict=verdict if lasting else None)
        return self.keeping.save(kept, self._step, self.listeners)

    def _save_if_due(self) -> None:
        """After a step whose event has been heard: a checkpoint, and the end where one is asked."""
        if self.keeping.due(self._step):
            self.keeping.end_if_asked(self._save())

    def _resumed(self) -> Resumed | None:
        """Take over the newest checkpoint's state."""
        found = self.keeping.newest(self.snapshot(), self.steps_per_epoch)
        if found is None:
            return None
        path, state, around, notes = found
        assert state.optimizer is not None
        self.runner.set_parameters(state.parameters)
        self.runner.set_state(state.optimizer)
        self.steps.resume_epoch(state)
        if state.verdict is None and state.epochs and not state.first:
            verdict = self.run.stopping.verdict(state.rule, state.events[-1])
            state = state.but(verdict=verdict)
        self.state = state.at_epoch_end()
        self._recovery = Recovery(self.run.stopping, self.state, self.runner, state.good)
        around.give_back(self.listeners)
        return Resumed(str(path), state.epochs, self._step, tuple(notes))

    # ------------------------------------------------------------------------ all the data

    def _iterations(self, optimizer: LBFGS) -> Iterator[Event]:
        """Iterations of an optimizer that takes all data at once; each is an epoch."""
        search = Search(optimizer, self.runner, self.data, self.run.stopping.epochs)
        with closing(search.iterations(lambda: self.state.verdict is not None)) as iterations:
            for _ in iterations:
                yield self._iterated()
        verdict = self.state.verdict
        if verdict is None or (verdict.reason == "epochs" and "CONVERGENCE" in search.why):
            own = Verdict("driver", f"L-BFGS: {search.why.capitalize()}")
            self.state = self.state.but(verdict=own)

    def _iterated(self) -> EpochEnded:
        """The event of one iteration over all the data."""
        epoch = self.state.epochs + 1
        cost = self.runner.cost(*self.data)
        if not np.isfinite(cost):
            raise diverged(self.runner, Last(epoch, epoch, self.data, np.arange(self.rows), 1.0))
        return self._ended(epoch, epoch, cost, 1.0, self.runner.parameters())
