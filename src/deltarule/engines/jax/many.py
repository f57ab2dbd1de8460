"""Many networks of one shape, trained at once: their step is one, mapped over the members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from deltarule.arrays import Array
from deltarule.engines.jax.device import Program, memory_told, scope
from deltarule.engines.jax.programs import Data, Learned, Moment, programs_of, taken
from deltarule.engines.plan import EngineOptions, Plan
from deltarule.engines.step import initial_state
from deltarule.errors import SettingError
from deltarule.network import Parameters
from deltarule.rng import seed_words
from deltarule.sparse import dense

_ENTRIES = 2**22  # of the orders that go to the device at once, over all members


class Course(NamedTuple):
    """What the members follow, step by step; arrays of ``(steps, members, …)``.

    Attributes
    ----------
    chosen : int32 array, shape (steps, members, batch)
        Row numbers of a member's batch.
    there : int32 array, shape (steps, members)
        How many of them count; 0 where a member has fewer steps than others.
    word, number, rate : arrays, shape (steps, members)
        As of a :class:`~deltarule.engines.jax.programs.Moment`.
    """

    chosen: Array
    there: Array
    word: Array
    number: Array
    rate: Array


class ManyRunner:
    """Members of one plan, each with its own seed and parameters.

    Parameters
    ----------
    plan : Plan
        Its seed is not used.
    parameters : sequence of Parameters
        One a member.
    seeds : sequence of int
        One a member, of its dropout masks.
    options : EngineOptions
    """

    engine = "jax"

    def __init__(
        self,
        plan: Plan,
        parameters: Sequence[Parameters],
        seeds: Sequence[int],
        options: EngineOptions,
    ) -> None:
        if options.devices not in (None, 1):
            raise SettingError(
                f"devices={options.devices}: networks trained side by side are computed on one "
                "device. Leave it out, or train one at a time."
            )
        self.plan = plan
        self._options = options
        self._programs = programs_of(plan, options)
        self._device = self._programs.device
        self._runs: dict[tuple[bool, bool], Program] = {}
        self._predict = Program(jax.vmap(self._programs.predict_rows, (0, None)), self._device)
        self._losses = Program(jax.vmap(self._programs.loss_rows), self._device)
        self._seeds = tuple(np.array(half) for half in zip(*map(seed_words, seeds), strict=True))
        self._members = len(seeds)
        self._alive = np.ones(self._members, bool)
        with self._computing(0):
            learned = [Learned(own, initial_state(plan, own)) for own in parameters]
            self._learned: Learned = jax.tree.map(
                lambda *own: jax.device_put(np.stack(own), self._device), *learned
            )
        self._best: Parameters | None = None
        self._held: tuple[Any, Data] | None = None

    def train(
        self, data: Data, orders: Sequence[Array], batch: int, rates: Sequence[Array], epoch: int
    ) -> np.ndarray:
        """An epoch of every member: the cost of each batch, float64, ``(members, steps)``.

        Parameters
        ----------
        data : Data
            Shared, or with a leading axis of members. NumPy arrays, or what :meth:`placed` gave.
        orders : sequence of int arrays
            Row numbers of a member's epoch.
        batch : int
        rates : sequence of arrays
            The learning rates of a member's steps.
        epoch : int
            Epochs before this one.

        Returns
        -------
        float64 array
            NaN from where a member's cost stopped being finite (it rests there), 0 where it has
            fewer steps than others.
        """
        course = self._course(orders, batch, rates, epoch)
        steps = len(course.there)
        own_data = data.X.ndim == 3
        masked = bool((course.there < batch).any())
        run = self._runs.get((masked, own_data))
        if run is None:
            run = Program(self._run_of(masked, own_data), self._device, donated=(0,))
            self._runs[masked, own_data] = run
        capacity = min(steps, max(1, _ENTRIES // (self._members * batch)))
        costs = []
        with self._computing(self._members * batch):
            for first in range(0, steps, capacity):
                part = Course(*(_lengthened(a[first : first + capacity], capacity) for a in course))
                count = np.int32(min(capacity, steps - first))
                shapes = (part.chosen.shape, data.X.shape, data.weights is None)
                self._learned, alive, found = run(
                    shapes, self._learned, self._alive, data, part, self._seeds, count
                )
                self._alive = np.asarray(alive)
                costs.append(np.asarray(found, dtype=np.float64)[:count])
        return np.concatenate(costs).T

    def placed(self, data: Data) -> Data:
        """Data moved to the device, to stay."""
        with self._computing(0):
            moved: Data = jax.device_put(Data(dense(data.X), *data[1:]), self._device)
        return moved

    def evaluate(self, held: Sequence[Any]) -> np.ndarray:
        """The cost of every member's own examples ``(X, Y, weights)``, without penalties."""
        if self._held is None or self._held[0] is not held:
            own = _padded(held, self.plan.dtype)
            self._held = held, Data(*self.placed(own)[:2], own.weights)
        X, Y, weights = self._held[1]
        with self._computing(Y.shape[0] * Y.shape[1]):
            losses = np.asarray(self._losses(X.shape, self._learned.parameters, X, Y))
        return np.average(losses.astype(np.float64), axis=1, weights=weights)

    def keep(self, which: np.ndarray) -> None:
        """Remember the parameters of some members, ``(members,)`` of bool, as their best."""
        now = self.parameters()
        best = now if self._best is None else self._best
        self._best = tuple(
            {name: np.where(which[:, None, None], W, old[name]) for name, W in layer.items()}
            for layer, old in zip(now, best, strict=True)
        )

    def restore(self) -> None:
        """Put every member's best back, where one was kept."""
        if self._best is not None:
            with self._computing(0):
                best = jax.device_put(self._best, self._device)
            self._learned = self._learned._replace(parameters=best)

    def predict(self, X: Array) -> Array:
        """A[L] as rows of every member, ``(members, m, n[L])``."""
        X = dense(X)
        with self._computing(len(X) * self._members):
            return np.array(self._predict(X.shape, self._learned.parameters, X))

    def parameters(self) -> Parameters:
        """Of all members, ``(members, n, n_prev)``."""
        return tuple(
            {name: np.array(layer[name]) for name in shapes}
            for layer, shapes in zip(
                self._learned.parameters, self.plan.network.shapes, strict=True
            )
        )

    @property
    def diverged(self) -> np.ndarray:
        """Which members stopped at a cost that is not finite, ``(members,)``."""
        return ~self._alive

    @contextmanager
    def _computing(self, rows: int) -> Iterator[None]:
        with scope(self.plan, self._options), memory_told(self.plan, self._device, rows):
            yield

    def _course(
        self, orders: Sequence[Array], batch: int, rates: Sequence[Array], epoch: int
    ) -> Course:
        """Members by steps: written row by row, then turned."""
        lengths, counts = (np.array([len(own) for own in each]) for each in (orders, rates))
        steps, members = int(counts.max()), len(orders)
        chosen = np.empty((members, steps * batch), np.int32)
        rate = np.zeros((members, steps), self.plan.dtype)
        for k, (order, own) in enumerate(zip(orders, rates, strict=True)):
            chosen[k, : len(order)] = order
            chosen[k, len(order) :] = order[-1]
            rate[k, : len(own)] = own
        made = np.arange(steps)[:, np.newaxis]
        number = epoch * counts + made
        return Course(
            chosen.reshape(members, steps, batch).swapaxes(0, 1),
            np.clip(lengths - made * batch, 0, batch).astype(np.int32),
            (number & 0xFFFFFFFF).astype(np.uint32),
            number.astype(self.plan.dtype),
            rate.T,
        )

    def _run_of(self, masked: bool, own_data: bool) -> Any:
        """The program: a loop over steps, each mapped over the members."""

        def one(
            learned: Learned, alive: Array, data: Data, now: Course, seed: Any
        ) -> tuple[Learned, Array, Array]:
            X, Y, s = (None if a is None else taken(a, now.chosen) for a in data)
            if masked:
                there = (jnp.arange(len(now.chosen)) < now.there).astype(self.plan.dtype)
                s = there if s is None else s * there
            moment = Moment(now.word, now.number, now.rate, seed)
            stepped = self._programs.stepped(learned, Data(X, Y, s), moment)
            alive = alive & jnp.isfinite(stepped.cost)
            new = Learned(stepped.parameters, stepped.state)
            kept = jax.tree.map(lambda n, o: jnp.where(alive, n, o), new, learned)
            return kept, alive, jnp.where(alive, stepped.cost, jnp.nan)

        every = jax.vmap(one, (0, 0, 0 if own_data else None, 0, 0))

        def run(
            learned: Learned, alive: Array, data: Data, course: Course, seeds: Any, count: Array
        ) -> tuple[Learned, Array, Array]:
            def body(i: Array, carry: Any) -> Any:
                learned, alive, costs = carry
                now = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, i, keepdims=False), course)
                learned, alive, cost = every(learned, alive, data, now, seeds)
                return learned, alive, costs.at[i].set(cost)

            costs = jnp.zeros(course.there.shape, self.plan.dtype)
            return lax.fori_loop(0, count, body, (learned, alive, costs))  # type: ignore[no-any-return]

        return run


def _padded(held: Sequence[Any], dtype: Any) -> Data:
    """Examples of different numbers stacked ``(members, m, …)``: what pads them weighs nothing."""
    lengths = np.array([len(Y) for _, Y, _ in held])
    there = np.arange(lengths.max()) < lengths[:, None]
    X, Y = (
        np.zeros((*there.shape, example[place].shape[1]), dtype)
        for example, place in ((held[0], 0), (held[0], 1))
    )
    X[there] = np.concatenate([dense(own) for own, _, _ in held])
    Y[there] = np.concatenate([own for _, own, _ in held])
    weights = there.astype(dtype)
    if held[0][2] is not None:
        weights[there] = np.concatenate([own for _, _, own in held])
    return Data(X, Y, weights)


def _lengthened(array: Array, length: int) -> Array:
    """An array of that length; what is added is never read."""
    if len(array) == length:
        return array
    return np.concatenate([array, np.zeros((length - len(array), *array.shape[1:]), array.dtype)])
