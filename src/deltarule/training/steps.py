"""The steps of an epoch, in chunks: as many at once as the engine makes in about half a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Runner, Statistics, Trained
from deltarule.system.processes import Group
from deltarule.training.divergence import Last
from deltarule.training.examples import Examples
from deltarule.training.run import Run
from deltarule.training.state import joined
from deltarule.training.windows import Window

_CHUNK_SECONDS = 0.5  # how long the engine may work before the loop looks at the clock
_FIRST_CHUNK = 1024  # steps; later chunks are powers of two, so that a compiler sees few lengths


class Chunk(NamedTuple):
    """Steps that have been made.

    Attributes
    ----------
    last : Last
        The last of them.
    costs, shares : float64 arrays
        Their costs, and what each weighs in the epoch's.
    statistics : Statistics or None
        Theirs, where asked for.
    """

    last: Last
    costs: Array
    shares: Array
    statistics: Statistics | None


class Steps:
    """What makes the steps of a run.

    Parameters
    ----------
    run : Run
        Bound to its rows.
    rows : int
    runner : Runner
    group : Group
    before : int
        How many steps the schedule had made before the run.
    """

    def __init__(self, run: Run, rows: int, runner: Runner, group: Group, before: int) -> None:
        self.batch_size, self.per_epoch = run.batch_rows(rows), run.steps_per_epoch(rows)
        self._run, self._runner, self._group, self._before = run, runner, group, before
        self._schedule = run.plan.optimizer_row.schedule
        self._ignores = run.stopping.on_divergence == "ignore"
        self._chunk = _FIRST_CHUNK

    def of(
        self,
        window: Window,
        done: int,
        scale: Callable[[], float],
        until: Callable[[int], int | None],
    ) -> Iterator[Chunk]:
        """The steps that a window's rows give.

        Parameters
        ----------
        window : Window
        done : int
            Steps of the run that are done.
        scale : function
            What the schedule's rates are multiplied by now.
        until : function
            Of a step of the run to how many more may be made before it is looked at, if any.
        """
        examples, order, begun = window
        epoch, m = done // self.per_epoch + 1, self.batch_size
        epochs_before = (epoch - 1) * self.per_epoch
        first, end = done - epochs_before, begun + -(-len(order) // m)
        while first < end:
            most = until(epochs_before + first)
            count = min(self._chunk, end - first, end if most is None else most)
            steps = self._before + epochs_before + np.arange(first, first + count)
            rates = np.asarray(self._schedule(steps)) * scale()
            rows = order[(first - begun) * m : (first - begun + count) * m]
            started = time.perf_counter()
            made, costs, statistics = self._made(examples, rows, rates)
            self._learn_speed(count, time.perf_counter() - started)
            batch, step = rows[(made - 1) * m : made * m], epochs_before + first + made
            last = Last(epoch, step, examples, batch, float(rates[made - 1]))
            yield Chunk(last, costs, self._shares(examples, rows[: made * m]), statistics)
            first += count

    def _made(
        self, examples: Examples, rows: Array, rates: Array
    ) -> tuple[int, Array, Statistics | None]:
        """The steps of a chunk; an engine ends at a cost that is not finite."""
        done = self._train(examples, rows, rates)
        while self._ignores and len(done.costs) < len(rates):
            made = len(done.costs)
            more = self._train(examples, rows[made * self.batch_size :], rates[made:])
            found = [s for s in (done.statistics, more.statistics) if s is not None]
            costs = np.concatenate([done.costs, more.costs])
            done = Trained(costs, joined(found) if found else None)
        return len(done.costs), done.costs, done.statistics

    def _train(self, examples: Examples, rows: Array, rates: Array) -> Trained:
        X, Y, weights = examples
        wanted = self._run.statistics
        return self._runner.train(X, Y, rows, self.batch_size, rates, weights, wanted)

    def _learn_speed(self, count: int, seconds: float) -> None:
        """Choose the next chunk's length."""
        seconds = max(self._group.agreed(seconds), 1e-6)
        self._chunk = 2 ** int(np.log2(max(count * _CHUNK_SECONDS / seconds, 1.0)))

    def _shares(self, examples: Examples, rows: Array) -> np.ndarray:
        """The weight of each batch of some rows."""
        starts = np.arange(0, len(rows), self.batch_size)
        if examples.weights is None:
            return np.minimum(len(rows) - starts, self.batch_size).astype(np.float64)
        return np.add.reduceat(examples.weights[rows].astype(np.float64), starts)
