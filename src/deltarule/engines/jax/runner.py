"""The runner: the protocol of every engine, over compiled programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deltarule.arrays import Array
from deltarule.engines.jax.device import memory_told, scope
from deltarule.engines.jax.feed import Chunk, Feed, padded_rows
from deltarule.engines.jax.programs import Data, Learned, Moment, Ran, programs_of
from deltarule.engines.plan import (
    EngineOptions,
    Plan,
    Planned,
    RunnerState,
    Statistics,
    Trained,
    check_batch,
    check_order,
)
from deltarule.engines.step import initial_state
from deltarule.network import Parameters
from deltarule.rng import seed_words
from deltarule.sparse import dense, gathered, readable
from deltarule.system.processes import group

_ROWS = 2**16  # that a pass takes at once


class JaxRunner(Planned):
    """The protocol of :class:`~deltarule.engines.plan.Runner`, compiled by XLA.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        Of the plan's dtype; copied.
    options : EngineOptions
        The device, or how many; the precision of products; whether passes run in bfloat16.

    Raises
    ------
    DeviceError
        Where there is no such device.

    Several devices share the examples of each step; in a group of processes all of them have to
    make it. What makes no step is computed by each process for itself, on its first device.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1)])
    >>> runner = dr.start(network, optimizer="sgd", dtype="float64", engine="jax")
    >>> X, Y = np.array([[1.0, 2.0]]), np.array([[3.0]])
    >>> runner.step(X, Y) > runner.step(X, Y)
    True
    """

    def __init__(self, plan: Plan, parameters: Parameters, options: EngineOptions) -> None:
        self.plan = plan
        self._options = options
        self._programs = programs_of(plan, options)
        self._sharing = self._programs.sharing
        self._device = self._sharing.device
        self._group = group()
        self._feed = Feed(self._sharing, plan.dtype, plan.seed)
        self._step = 0
        self._spare_memory: Learned | None = None
        state = initial_state(plan, parameters)
        with self._computing(0):
            self._learned = Learned(self._placed(parameters), self._placed(state))

    # ------------------------------------------------------------------------- learning

    def train(
        self,
        X: Array,
        Y: Array,
        order: Array,
        batch_size: int,
        learning_rates: Array,
        weights: Array | None = None,
        statistics: bool = False,
    ) -> Trained:
        """One step for every `batch_size` entries of `order`.

        Read-only arrays (``X.flags.writeable = False``) are moved to the device once; others are
        read again in each call.
        """
        X = readable(X)
        check_batch(self.plan, X, Y, weights)
        check_order(order, len(X), batch_size, learning_rates)
        if len(order) == 0:
            return Trained(np.zeros(0), None)
        rates = np.asarray(learning_rates)
        tailed = len(X) % batch_size > 0 or len(order) % batch_size > 0
        run = self._programs.run(batch_size, tailed, statistics)
        costs: list[np.ndarray] = []
        found: list[Statistics] = []
        with self._computing(batch_size):
            chunks = self._feed.chunks(
                Data(X, Y, weights), np.asarray(order), batch_size, rates, self._step
            )
            chunk = next(chunks, None)
            while chunk is not None:
                ran = self._run(run, chunk)
                following = next(chunks, None)  # on its way while the device computes
                made = np.asarray(ran.costs, dtype=np.float64)[: chunk.steps]
                infinite = np.flatnonzero(~np.isfinite(made))
                if len(infinite):
                    made, following = made[: infinite[0] + 1], None
                    self._go_back(run, chunk, int(infinite[0]), ran.learned)
                else:
                    self._advance(ran.learned, chunk.steps)
                costs.append(made)
                if ran.statistics is not None:
                    found.append(Statistics(*(np.asarray(a)[: len(made)] for a in ran.statistics)))
                chunk = following
        joined = Statistics(*map(np.concatenate, zip(*found, strict=True))) if found else None
        return Trained(np.concatenate(costs), joined)

    def step(self, X: Array, Y: Array, weights: Array | None = None) -> float:
        """One update from a batch, at the schedule's rate; returns the cost before it."""
        X = dense(X)
        check_batch(self.plan, X, Y, weights)
        with self._computing(len(X)):
            learned, cost = self._programs.step(
                (X.shape, weights is None),
                self._learned,
                self._taken_spare(),
                Data(X, Y, weights),
                self._moment(),
            )
            value = float(cost)
            if np.isfinite(value):
                self._advance(learned, 1)
            else:
                self._spare_memory = learned
        return value

    def step_from(self, X: Array, dA: Array) -> None:
        """One update from the caller's own ∂(summed loss)/∂A[L]."""
        X = dense(X)
        check_batch(self.plan, X, dA, name="dA")
        with self._computing(len(X)):
            learned = self._programs.step_from(
                X.shape, self._learned, self._taken_spare(), X, dA, self._moment()
            )
            self._advance(learned, 1)

    # ----------------------------------------------------------------------- the passes

    def predict(self, X: Array) -> Array:
        """A[L] as rows, ``(m, n[L])``, C-ordered."""
        X = readable(X)
        check_batch(self.plan, X)
        out = np.empty((len(X), self.plan.network.outputs), self.plan.dtype)
        self._predict_into(X, out)
        return out

    def predict_into(self, X: Array, out: Array) -> None:
        """The same, written into `out`."""
        X = readable(X)
        check_batch(self.plan, X, out, name="out")
        self._predict_into(X, out)

    def _predict_into(self, X: Array, out: Array) -> None:
        with self._computing(min(len(X), _ROWS)):
            for part in _parts(len(X)):
                rows = padded_rows(gathered(X, part))
                found = self._programs.predict(rows.shape, self._own_parameters(), rows)
                out[part] = np.asarray(found)[: len(out[part])]

    def jacobian(self, X: Array) -> Array:
        """∂A[L]/∂A[0] of each example, ``(m, n[L], n[0])``."""
        X = dense(X)
        check_batch(self.plan, X)
        with self._computing(len(X)):
            return np.array(self._programs.jacobian(X.shape, self._own_parameters(), X))

    def cost(
        self, X: Array, Y: Array, weights: Array | None = None, *, penalised: bool = True
    ) -> float:
        """The cost without dropout."""
        X = readable(X)
        check_batch(self.plan, X, Y, weights)
        if not penalised:
            return float(np.average(self._losses(X, Y), weights=weights))
        X = dense(X)
        with self._computing(len(X)):
            shapes = (X.shape, weights is None)
            found = self._programs.cost(shapes, self._own_parameters(), X, Y, weights)
            return float(found)

    def _losses(self, X: Array, Y: Array) -> Array:
        losses = np.empty(len(X))
        with self._computing(min(len(X), _ROWS)):
            for part in _parts(len(X)):
                rows = padded_rows(gathered(X, part))
                found = self._programs.losses(
                    rows.shape, self._own_parameters(), rows, padded_rows(Y[part])
                )
                losses[part] = np.asarray(found)[: len(Y[part])]
        return losses

    def gradients(self, X: Array, Y: Array, weights: Array | None = None) -> Parameters:
        """The derivatives of the penalised cost by every parameter."""
        X = dense(X)
        check_batch(self.plan, X, Y, weights)
        with self._computing(len(X)):
            shapes = (X.shape, weights is None)
            found: Parameters = self._fetched(
                self._programs.gradients(shapes, self._own_parameters(), X, Y, weights)
            )
            return found

    # ------------------------------------------------------------- what it has learned

    def parameters(self) -> Parameters:
        """A copy, as NumPy arrays."""
        parameters: Parameters = self._fetched(self._learned.parameters)
        return parameters

    def set_parameters(self, parameters: Parameters) -> None:
        """Put parameters (back)."""
        with self._computing(0):
            self._learned = self._learned._replace(parameters=self._placed(parameters))

    def state(self) -> RunnerState:
        """A copy of step and optimizer state."""
        return RunnerState(self._step, self._fetched(self._learned.state))

    def set_state(self, state: RunnerState) -> None:
        """Put a state back."""
        with self._computing(0):
            self._learned = self._learned._replace(state=self._placed(state.optimizer))
        self._step = state.step

    def _placed(self, layers: Any) -> Any:
        """A caller's arrays on the devices: copies, for a device may share the host's memory."""
        return tuple(
            {
                name: jax.tree.map(
                    lambda a: self._sharing.placed(np.array(a, dtype=self.plan.dtype)), values
                )
                for name, values in layer.items()
            }
            for layer in layers
        )

    def _own_parameters(self) -> Parameters:
        """On this process's first device."""
        parameters: Parameters = self._sharing.own(self._learned.parameters)
        return parameters

    def _fetched(self, layers: Any) -> Any:
        """Copies as NumPy arrays, in the order in which the layers name them."""
        return tuple(
            {name: jax.tree.map(np.array, layer[name]) for name in shapes if name in layer}
            for layer, shapes in zip(
                self._sharing.own(layers), self.plan.network.shapes, strict=True
            )
        )

    # --------------------------------------------------------------------------- inside

    @contextmanager
    def _computing(self, rows: int) -> Iterator[None]:
        with (
            self._group.watched(),
            scope(self.plan, self._options),
            memory_told(self.plan, self._device, rows),
        ):
            yield

    def _run(self, run: Any, chunk: Chunk) -> Ran:
        order = chunk.schedule.order
        shapes = (
            chunk.data.X.shape,
            None if order is None else order.shape,
            chunk.data.weights is None,
        )
        ran: Ran = run(shapes, self._learned, self._taken_spare(), chunk.data, chunk.schedule)
        return ran

    def _go_back(self, run: Any, chunk: Chunk, steps: int, spoilt: Learned) -> None:
        """Make the chunk's first steps again, from before them: those with a finite cost."""
        self._spare_memory = spoilt
        schedule = chunk.schedule._replace(count=np.int32(steps), tail=np.int32(0))
        self._advance(self._run(run, chunk._replace(schedule=schedule)).learned, steps)

    def _advance(self, learned: Learned, steps: int) -> None:
        self._spare_memory, self._learned = self._learned, learned
        self._step += steps

    def _taken_spare(self) -> Learned:
        """Memory for what steps leave, given away: it is another's after the call."""
        spare, self._spare_memory = self._spare_memory, None
        if spare is None:
            spare = jax.tree.map(lambda a: jnp.array(a, copy=True), self._learned)
        return spare

    def _moment(self) -> Moment:
        scalar = self.plan.dtype.type
        return Moment(
            np.uint32(self._step & 0xFFFFFFFF),
            scalar(self._step),
            scalar(self.plan.optimizer_row.schedule(self._step)),
            seed_words(self.plan.seed),
        )


def _parts(rows: int) -> Iterator[slice]:
    """What a pass takes at once, one after another."""
    return (slice(first, first + _ROWS) for first in range(0, rows, _ROWS))
