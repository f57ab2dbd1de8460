"""The steps of an epoch, in chunks: as many at once as the engine makes in about half a second."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Runner, Statistics, Trained
from deltarule.schedules import Constant
from deltarule.system.processes import Group
from deltarule.training.divergence import Last
from deltarule.training.examples import Examples
from deltarule.training.run import Run
from deltarule.training.state import TrainingState
from deltarule.training.windows import Window

_CHUNK_SECONDS = 0.5  # how long the engine may work before the loop looks at the clock
_FIRST_CHUNK = 1024  # steps; later chunks are powers of two, so that a compiler sees few lengths


class Steps:
    """What makes the steps of a run, and remembers those of the epoch under way.

    Parameters
    ----------
    run : Run
        Bound to its rows.
    rows : int
    group : Group
    before : int
        How many steps the schedule had made before the run.

    Attributes
    ----------
    batch_size, per_epoch : int
        Rows of a batch, and steps of an epoch.
    first : int
        How many steps of the epoch under way are done.
    """

    def __init__(self, run: Run, rows: int, group: Group, before: int) -> None:
        self.batch_size, self.per_epoch = run.batch_rows(rows), run.steps_per_epoch(rows)
        self._group, self._before = group, before
        self._schedule = run.plan.optimizer_row.schedule
        self._statistics_wanted = run.statistics
        self._ignores = run.stopping.on_divergence == "ignore"
        self._chunk = _FIRST_CHUNK
        self.begin_epoch()

    # ------------------------------------------------------------------ the epoch under way

    def begin_epoch(self) -> None:
        """Forget the steps of the last one."""
        self.first = 0
        self._costs: list[Array] = []
        self._shares: list[Array] = []
        self._statistics: list[Statistics] = []

    def resume_epoch(self, state: TrainingState) -> None:
        """Take over what a checkpoint holds of one."""
        self.first = state.first
        self._costs, self._shares = [state.costs], [state.shares]
        self._statistics = [] if state.statistics is None else [state.statistics]

    def under_way(self) -> dict[str, Any]:
        """What a checkpoint holds of one: fields of a state."""
        return {
            "first": self.first,
            "costs": np.concatenate([np.zeros(0), *self._costs]),
            "shares": np.concatenate([np.zeros(0), *self._shares]),
            "statistics": self.statistics,
        }

    @property
    def first_cost(self) -> float:
        """The cost of the epoch's first step."""
        return float(self._costs[0][0])

    @property
    def cost(self) -> float:
        """The mean of the batches' costs, by the weight of each."""
        costs, shares = _joined(self._costs), _joined(self._shares)
        if self._ignores:
            shares, costs = shares * np.isfinite(costs), np.nan_to_num(costs, posinf=0, neginf=0)
        whole = shares.sum()
        return float((costs * shares).sum() / whole) if whole else 0.0

    @property
    def statistics(self) -> Statistics | None:
        """Those of its steps, where asked for."""
        return _joined_statistics(self._statistics) if self._statistics else None

    # ---------------------------------------------------------------------------- its steps

    def end_of(self, window: Window) -> int:
        """The number of steps of an epoch that are done after a window."""
        return window.first - (-len(window.order) // self.batch_size)

    def make(
        self, runner: Runner, window: Window, epoch: int, scale: float, most: int | None
    ) -> tuple[Last, Array]:
        """The next steps that a window's rows give: the last of them, and their costs.

        Parameters
        ----------
        runner : Runner
        window : Window
        epoch : int
            Its number, from 1.
        scale : float
            What the schedule's rates are multiplied by.
        most : int or None
            A limit of how many steps are made.
        """
        examples, order, begun = window
        m, first, done = self.batch_size, self.first, (epoch - 1) * self.per_epoch + self.first
        count = min(self._chunk, self.end_of(window) - first)
        if most is not None:
            count = min(count, most)
        rates = self._rates(self._before + done, count, scale)
        rows = order[(first - begun) * m : (first - begun + count) * m]
        started = time.perf_counter()
        made = self._made(runner, examples, rows, rates)
        self._learn_speed(count, time.perf_counter() - started)
        count = len(made.costs)
        self.first += count
        self._costs.append(made.costs)
        self._shares.append(self._shares_of(examples, rows[: count * m]))
        if made.statistics is not None:
            self._statistics.append(made.statistics)
        batch, rate = rows[(count - 1) * m : count * m], float(rates[count - 1])
        return Last(epoch, done + count, examples, batch, rate), made.costs

    def _rates(self, first: int, count: int, scale: float) -> Array:
        """The learning rates of some steps."""
        if isinstance(self._schedule, Constant):
            return _constant_rates(self._schedule.rate * scale, count)
        return np.asarray(self._schedule(np.arange(first, first + count))) * scale

    def _made(self, runner: Runner, examples: Examples, rows: Array, rates: Array) -> Trained:
        """The steps of a chunk; an engine ends at a cost that is not finite."""
        done = self._trained(runner, examples, rows, rates)
        while self._ignores and len(done.costs) < len(rates):
            made = len(done.costs)
            more = self._trained(runner, examples, rows[made * self.batch_size :], rates[made:])
            found = [s for s in (done.statistics, more.statistics) if s is not None]
            costs = np.concatenate([done.costs, more.costs])
            done = Trained(costs, _joined_statistics(found) if found else None)
        return done

    def _trained(self, runner: Runner, examples: Examples, rows: Array, rates: Array) -> Trained:
        X, Y, weights = examples
        wanted = self._statistics_wanted
        return runner.train(X, Y, rows, self.batch_size, rates, weights, wanted)

    def _learn_speed(self, count: int, seconds: float) -> None:
        """Choose the next chunk's length."""
        seconds = max(self._group.agreed(seconds), 1e-6)
        self._chunk = 2 ** int(math.log2(max(count * _CHUNK_SECONDS / seconds, 1.0)))

    def _shares_of(self, examples: Examples, rows: Array) -> Array:
        """The weight of each batch of some rows."""
        if examples.weights is None:
            return _counts(len(rows), self.batch_size)
        starts = np.arange(0, len(rows), self.batch_size)
        return np.add.reduceat(examples.weights[rows].astype(np.float64), starts)


# Every epoch asks for the same ones again.
@lru_cache(maxsize=4)
def _constant_rates(rate: float, count: int) -> Array:
    """The learning rates of a number of steps that share one."""
    return _frozen(np.full(count, rate))


@lru_cache(maxsize=4)
def _counts(rows: int, batch_size: int) -> Array:
    """The number of rows of each batch, of which the last may be short."""
    counts = np.full(-(-rows // batch_size), float(batch_size))
    counts[-1] = rows - (len(counts) - 1) * batch_size
    return _frozen(counts)


def _frozen(values: Array) -> Array:
    values.flags.writeable = False
    return values


def _joined(parts: list[Array]) -> Array:
    """Numbers of several runs of steps as one array; most epochs are one run."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _joined_statistics(found: list[Statistics]) -> Statistics:
    """Statistics of several runs of steps as one."""
    return Statistics(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
