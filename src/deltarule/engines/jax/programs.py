"""What is compiled: a run of steps, a single step, the passes, each traced from the equations.

A run of steps is one loop. It stops at a cost that is not finite; the update that belongs to it
has then been made, and whoever called begins again from the parameters of before, which a run
never overwrites. So no step has to choose between old and new parameters, which would cost a
second pass over them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from deltarule.arrays import Array, columns, rows
from deltarule.engines.jax.device import Program
from deltarule.engines.jax.mixed import mixed
from deltarule.engines.jax.orientation import over_turned, turned
from deltarule.engines.jax.sharing import Sharing
from deltarule.engines.plan import EngineOptions, OptimizerState, Plan, Statistics
from deltarule.engines.step import (
    Stepped,
    cost_of,
    gradients_of,
    masks_of,
    smoothed,
    step_from,
    training_step,
    weight_of,
)
from deltarule.network import (
    Masks,
    Parameters,
    feed_forward,
    input_jacobian,
    output_delta,
    output_loss,
)
from deltarule.system.processes import group

_SMALL = 1_500_000
"""Floating-point operations of a step that one core does sooner than two."""


class Learned(NamedTuple):
    """What steps change."""

    parameters: Parameters
    state: OptimizerState


class Moment(NamedTuple):
    """What tells one step from another.

    Attributes
    ----------
    word : uint32 scalar
        The number of the step as dropout masks count it.
    number, rate : scalars of the plan's dtype
        The number of the step as optimizers count it, from 0, and its learning rate.
    seed : tuple of two uint32 scalars
    """

    word: Array
    number: Array
    rate: Array
    seed: tuple[Array, Array]


class Data(NamedTuple):
    """Examples as rows, on the device: ``(m, n[0])``, ``(m, n[L])``, ``(m,)`` or None.

    Those of a run may also be in batches already: ``(capacity, batch, n[0])`` and so on.
    """

    X: Array
    Y: Array
    weights: Array | None


class Ran(NamedTuple):
    """What a run of steps returns: costs and statistics one a step, of those that were made."""

    learned: Learned
    costs: Array
    statistics: Statistics | None


class Schedule(NamedTuple):
    """What a run of steps follows.

    Attributes
    ----------
    order : int32 array, shape (capacity, batch), or None
        Row numbers; padded beyond `count` whole batches and `tail` examples. None where the
        examples are in batches, padded likewise.
    numbers_and_rates : array of the plan's dtype, shape (capacity, 2)
        As of a :class:`Moment`; in one array, for each read of one is a call in small programs.
    word : uint32 scalar
        Of the first step.
    seed : tuple of two uint32 scalars
    count, tail : int32 scalars
    filled : int32 scalar or None
        How many examples a whole batch has, where it is padded to be shared by devices.
    """

    order: Array | None
    numbers_and_rates: Array
    word: Array
    seed: tuple[Array, Array]
    count: Array
    tail: Array
    filled: Array | None


class Programs:
    """The compiled programs of a plan, on a device or on several that share each batch.

    Parameters
    ----------
    plan : Plan
        Its seed and its schedule are not compiled in: programs take them while they run.
    options : EngineOptions
    """

    def __init__(self, plan: Plan, options: EngineOptions) -> None:
        self.sharing = Sharing(options)
        self.device = self.sharing.device
        everywhere = self.sharing.everywhere
        self.plan = mixed(plan) if options.mixed else plan
        self._runs = {
            (tailed, statistics, small): Program(
                _bound(self._run, tailed, statistics), self.device, (1,), small, everywhere
            )
            for tailed, statistics, small in product((False, True), repeat=3)
        }
        self.step = Program(self._step, self.device, (1,), results=everywhere)
        self.step_from = Program(self._step_from, self.device, (1,), results=everywhere)
        self.predict = Program(self.predict_rows, self.device)
        self.losses = Program(self.loss_rows, self.device)
        self.cost = Program(self._cost, self.device)
        self.gradients = Program(self._gradients, self.device)
        self.jacobian = Program(self._jacobian, self.device)

    # ------------------------------------------------------------------------ many steps

    def run(self, batch: int, tailed: bool, statistics: bool) -> Program:
        """The program of many steps of `batch` examples; `tailed` where a shorter one follows."""
        products = sum(n * n_prev for n_prev, n in pairwise(self.plan.network.sizes))
        return self._runs[tailed, statistics, 6 * batch * products < _SMALL]

    def _run(
        self,
        learned: Learned,
        spare: Learned,
        data: Data,
        schedule: Schedule,
        tailed: bool,
        statistics: bool,
    ) -> Ran:
        """Steps over whole batches, then one over what is left, if `tailed`.

        `spare` is memory for the results, of the shapes of `learned`, which stays as it is.
        """
        capacity, batch = (data.X if schedule.order is None else schedule.order).shape[:2]
        turns = self.turns(batch)
        ran = Ran(
            turned(learned) if turns else learned,
            jnp.zeros((capacity,), self.plan.dtype),
            self._no_statistics(capacity) if statistics else None,
        )

        def going_on(carry: tuple[Array, Array, Ran]) -> Array:
            return (carry[0] < schedule.count) & jnp.isfinite(carry[1])

        def whole(carry: tuple[Array, Array, Ran]) -> tuple[Array, Array, Ran]:
            i, _, ran = carry
            return i + 1, *self._nth(ran, i, data, schedule, schedule.filled)

        def short(carry: tuple[Array, Array, Ran]) -> tuple[Array, Array, Ran]:
            i, _, ran = carry
            return i + 1, *self._nth(ran, i, data, schedule, schedule.tail)

        carry = lax.while_loop(going_on, whole, (jnp.int32(0), jnp.zeros((), self.plan.dtype), ran))
        if tailed:
            carry = lax.cond(
                jnp.isfinite(carry[1]) & (schedule.tail > 0), short, lambda carry: carry, carry
            )
        found: Ran = carry[2]
        return found._replace(learned=turned(found.learned)) if turns else found

    def _nth(
        self, ran: Ran, i: Array, data: Data, schedule: Schedule, filled: Array | None
    ) -> tuple[Array, Ran]:
        """Step i of a run: its cost, and what it leaves."""
        nth = partial(lax.dynamic_index_in_dim, index=i, keepdims=False)
        chosen = None if schedule.order is None else nth(schedule.order)

        def of_batch(a: Array) -> Array:
            return self.sharing.shared(nth(a) if chosen is None else taken(a, chosen))

        X, Y = of_batch(data.X), of_batch(data.Y)
        s = None if data.weights is None else of_batch(data.weights)
        if filled is not None:  # what pads the batch weighs nothing
            there = (jnp.arange(len(X)) < filled).astype(self.plan.dtype)
            s = there if s is None else s * there
        now = nth(schedule.numbers_and_rates)
        moment = Moment(schedule.word + i.astype(jnp.uint32), now[0], now[1], schedule.seed)
        stepped = self.stepped(
            ran.learned,
            Data(X, Y, s),
            moment,
            statistics=ran.statistics is not None,
            turns=self.turns(len(X)),
        )
        put = partial(lax.dynamic_update_index_in_dim, index=i, axis=0)
        return stepped.cost, Ran(
            Learned(stepped.parameters, stepped.state),
            put(ran.costs, stepped.cost),
            jax.tree.map(put, ran.statistics, stepped.statistics),
        )

    def turns(self, batch: int) -> bool:
        """Whether steps of this many examples are faster with every matrix turned.

        XLA's CPU products are slow where both operands are read along their rows. Upright, that
        is Eq. 11d, of every layer but the first; turned, it is Eq. 11b, of every layer. So it
        pays where the first layer is a small part; and where the batch is narrow, for vectors
        run along the batch upright, along the units turned. Measured by benchmarks/speed.py.
        """
        sizes = self.plan.network.sizes
        products = [n * n_prev for n_prev, n in pairwise(sizes)]
        inner, widest = sum(products[1:]), max(sizes[1:-1], default=0)
        on_cpu = self.device.platform == "cpu"
        return bool(on_cpu and 10 * inner > 7 * sum(products) and batch < widest)

    def stepped(
        self,
        learned: Learned,
        batch: Data,
        moment: Moment,
        statistics: bool = False,
        turns: bool = False,
    ) -> Stepped:
        """One step: :func:`~deltarule.engines.step.training_step`, traced.

        Where it `turns`, every matrix of `learned` and of what becomes of it is transposed.
        """

        def step(learned: Learned, A0: Array, Y: Array, s: Array | None, moment: Moment) -> Stepped:
            masks = self._masks(moment, A0.shape[1])
            return training_step(
                self.plan, *learned, A0, Y, s, moment.number, moment.rate, masks, statistics
            )

        X, Y, s = batch
        if turns:  # rows are columns turned
            return over_turned(step)(learned, X, Y, s, moment)  # type: ignore[no-any-return]
        return step(learned, columns(X), columns(Y), s, moment)

    def _masks(self, moment: Moment, m: int) -> Masks:
        positions = jnp.arange(m, dtype=jnp.uint32)
        return masks_of(self.plan, jnp, moment.word, positions, moment.seed)

    def _no_statistics(self, capacity: int) -> Statistics:
        shape = (capacity, len(self.plan.network.layers))
        return Statistics(*(jnp.zeros(shape, self.plan.dtype) for _ in Statistics._fields))

    # -------------------------------------------------------------------- a single step

    def _step(
        self, learned: Learned, spare: Learned, batch: Data, moment: Moment
    ) -> tuple[Learned, Array]:
        batch = Data(*(None if a is None else self.sharing.shared(a) for a in batch))
        turns = self.turns(len(batch.X))
        stepped = self.stepped(turned(learned) if turns else learned, batch, moment, turns=turns)
        after = Learned(stepped.parameters, stepped.state)
        return turned(after) if turns else after, stepped.cost

    def _step_from(
        self, learned: Learned, spare: Learned, X: Array, dA: Array, moment: Moment
    ) -> Learned:
        X, dA = self.sharing.shared(X), self.sharing.shared(dA)
        masks = self._masks(moment, len(X))
        return Learned(
            *step_from(
                self.plan, *learned, columns(X), columns(dA), moment.number, moment.rate, masks
            )
        )

    # ------------------------------------------------------------------------- the passes

    def predict_rows(self, parameters: Parameters, X: Array) -> Array:
        """A[L] as rows, traced."""
        return rows(feed_forward(self.plan.network, parameters, columns(X))[-1].A)

    def loss_rows(self, parameters: Parameters, X: Array, Y: Array) -> Array:
        """The loss of each row, traced."""
        output = feed_forward(self.plan.network, parameters, columns(X))[-1]
        return output_loss(self.plan.network, output, columns(Y))

    def _cost(self, parameters: Parameters, X: Array, Y: Array, s: Array | None) -> Array:
        A0, Y = columns(X), smoothed(self.plan, columns(Y))
        output = feed_forward(self.plan.network, parameters, A0)[-1]
        return cost_of(self.plan, parameters, output, Y, s, weight_of(A0, s))

    def _gradients(self, parameters: Parameters, X: Array, Y: Array, s: Array | None) -> Parameters:
        network, A0 = self.plan.network, columns(X)
        caches = feed_forward(network, parameters, A0)
        delta = output_delta(network, caches[-1], smoothed(self.plan, columns(Y)), s)
        return gradients_of(self.plan, parameters, caches, delta, weight_of(A0, s))[0]

    def _jacobian(self, parameters: Parameters, X: Array) -> Array:
        found = input_jacobian(self.plan.network, parameters, columns(X))
        return found.astype(self.plan.dtype)


def _bound(run: Any, tailed: bool, statistics: bool) -> Any:
    """`run` with two of its arguments fixed: they shape the program."""

    def steps(learned: Learned, spare: Learned, data: Data, schedule: Schedule) -> Ran:
        return run(learned, spare, data, schedule, tailed, statistics)  # type: ignore[no-any-return]

    return steps


def taken(array: Array, chosen: Array) -> Array:
    """Rows by number; the numbers were checked before."""
    return array.at[chosen].get(mode="promise_in_bounds")


# ------------------------------------------------------------------------------ found again


class _Same:
    """An object that equals itself alone, for rows that hold what cannot be hashed."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.row is self.row

    def __hash__(self) -> int:
        return id(self.row)


_KEPT = 32
_kept: OrderedDict[Any, Programs] = OrderedDict()


def programs_of(plan: Plan, options: EngineOptions) -> Programs:
    """The programs of a plan: those of an earlier runner, where they would be the same."""
    network = plan.network
    key = (
        network.inputs,
        tuple(network.layers),
        network.input_dropout,
        _Same(network.cost_row),
        replace(plan.optimizer_row, learning_rate=0.0),  # programs take rates while they run
        plan.regularization,
        plan.dtype,
        options,
        group().count,  # its devices are gone when it is
    )
    try:
        if key not in _kept:
            _kept[key] = Programs(plan, options)
    except TypeError:  # a row of one's own that cannot be hashed
        return Programs(plan, options)
    _kept.move_to_end(key)
    while len(_kept) > _KEPT:
        _kept.popitem(last=False)
    return _kept[key]
