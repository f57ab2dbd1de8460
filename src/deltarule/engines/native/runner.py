"""A plan on the compiled core: an epoch in one call, or a single step."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.native.core import chosen, warn_of_refusal
from deltarule.engines.native.plain import places, plain
from deltarule.engines.plan import (
    EngineOptions,
    Plan,
    Planned,
    RunnerState,
    Statistics,
    Trained,
    check_rates,
    checked_threads,
)
from deltarule.engines.step import initial_state
from deltarule.errors import TypeMismatchError
from deltarule.network import Parameters
from deltarule.row_expressions import is_listed
from deltarule.schedules import Constant
from deltarule.sparse import readable

_ON_UNITS = {"amx": "+amx", "avx512-bf16": "+bf16"}
_PARAMETER, _DERIVATIVE = -1, -2  # which array of a layer; 0 and 1 are the optimizer's slots


class NativeRunner(Planned):
    """The protocol of :class:`~deltarule.engines.plan.Runner`, on the compiled core.

    One call at a time; runners in several threads of Python work side by side.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        Of the plan's dtype; copied.
    options : EngineOptions, optional
        How many threads, and whether products are mixed; the rest is refused before a runner is
        made.

    Attributes
    ----------
    n_threads : int
        How many threads a call may use: the options', else what ``DELTARULE_NUM_THREADS`` says;
        0, where neither says, chooses by the work. The results are the same bits for any number.
    isa : str
        The instruction set, with ``"+amx"`` or ``"+bf16"`` where mixed products run on these.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> runner = dr.start(dr.Network(2, [dr.Dense(1)]), engine="native", dtype="float64")
    >>> X, Y = np.array([[1.0, 2.0]]), np.array([[3.0]])
    >>> runner.step(X, Y) > runner.step(X, Y)
    True
    """

    def __init__(
        self, plan: Plan, parameters: Parameters, options: EngineOptions | None = None
    ) -> None:
        core = chosen()
        self.plan = plan
        options = options or EngineOptions()
        self.n_threads = threads_wanted(options)
        units = core.matrix_units() if options.mixed else "none"
        self.isa: str = core.isa + _ON_UNITS.get(units, "")
        if units == "refused":
            warn_of_refusal()
        kind = core.Runner32 if plan.dtype == np.float32 else core.Runner64
        self._core = kind(plain(plan, options.mixed))
        self._places, self._shapes = places(plan.network), plan.network.shapes
        self._slots = len(plan.optimizer_row.slots)
        self._schedule = plan.optimizer_row.schedule
        steps = self._steps_by_batches = not plan.optimizer_row.full_batch
        constant = steps and isinstance(self._schedule, Constant)
        self._constant_rate = self._schedule.rate if constant else None
        self.set_parameters(parameters)
        if not is_listed(plan.optimizer_row):  # the state of a custom class need not start at 0
            self.set_state(RunnerState(0, initial_state(plan, parameters)))

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
        """One step for every `batch_size` entries of `order`, in one call without the GIL.

        X and Y may have any strides and are not copied. A sparse X is made dense a batch at a time.
        """
        self._refuse_full_batch()
        layers = len(self.plan.network.layers)
        order = _whole_numbers(order)
        batches = check_rates(order, batch_size, learning_rates)
        if batches == 0:
            return Trained(np.zeros(0), None)
        rates = np.ascontiguousarray(learning_rates, dtype=np.float64)
        costs = np.zeros(batches)
        found = np.full((3, batches, layers), np.nan) if statistics else None
        done = self._core.train(
            X, Y, order, batch_size, rates, weights, costs, found, self.n_threads
        )
        figures = None if found is None else Statistics(*found[:, :done].astype(self.plan.dtype))
        return Trained(costs[:done], figures)

    def step(self, X: Array, Y: Array, weights: Array | None = None) -> float:
        """One update from a batch, at the schedule's rate; returns the cost before it."""
        rate = self._constant_rate
        cost: float = self._core.step(
            X, Y, weights, self._scheduled_rate() if rate is None else rate, self.n_threads
        )
        return cost

    def step_from(self, X: Array, dA: Array) -> None:
        """One update from the caller's own ∂(summed loss)/∂A[L]."""
        rate = self._constant_rate
        self._core.step_from(
            X, dA, self._scheduled_rate() if rate is None else rate, self.n_threads
        )

    def predict(self, X: Array) -> Array:
        """A[L] as rows, ``(m, n[L])``, C-ordered."""
        X = X if isinstance(X, np.ndarray) else readable(X)
        out = np.empty((len(X), self.plan.network.outputs), self.plan.dtype)
        self._core.predict_into(X, out, self.n_threads)
        return out

    def predict_into(self, X: Array, out: Array) -> None:
        """The same, written into `out`."""
        self._core.predict_into(X, out, self.n_threads)

    def jacobian(self, X: Array) -> Array:
        """∂A[L]/∂A[0] of each example, ``(m, n[L], n[0])``."""
        network = self.plan.network
        X = X if isinstance(X, np.ndarray) else readable(X)
        out = np.empty((len(X), network.outputs, network.inputs), self.plan.dtype)
        self._core.jacobian_into(X, out)
        return out

    def cost(
        self, X: Array, Y: Array, weights: Array | None = None, *, penalised: bool = True
    ) -> float:
        """The cost without dropout."""
        cost: float = self._core.cost(X, Y, weights, penalised, self.n_threads)
        return cost

    def gradients(self, X: Array, Y: Array, weights: Array | None = None) -> Parameters:
        """The derivatives of the penalised cost by every parameter."""
        self._core.gradients(X, Y, weights, self.n_threads)
        return tuple(
            {name: self._array(_DERIVATIVE, l, name) for name in shapes}
            for l, shapes in enumerate(self.plan.network.learned_shapes)
        )

    def stop(self) -> None:
        """End a `train` that runs in another thread, and any later one, after a whole step."""
        self._core.stop()

    def parameters(self) -> Parameters:
        """A copy, as NumPy arrays."""
        return tuple(
            {name: self._array(_PARAMETER, l, name) for name in shapes}
            for l, shapes in enumerate(self._shapes)
        )

    def parameters_into(self, stacked: Parameters, k: int) -> None:
        """The same, written into entry `k` of C-ordered arrays with a leading axis."""
        for l, layer in enumerate(stacked):
            for name, values in layer.items():
                self._core.get(_PARAMETER, *self._places[l][name], values[k])

    def set_parameters(self, parameters: Parameters) -> None:
        """Put parameters (back)."""
        for l, layer in enumerate(parameters):
            for name, values in layer.items():
                self._core.set(_PARAMETER, *self._places[l][name], self._own(values))

    def state(self) -> RunnerState:
        """A copy of step and optimizer state."""
        return RunnerState(
            self._core.steps,
            tuple(
                {
                    name: tuple(self._array(slot, l, name) for slot in range(self._slots))
                    for name in shapes
                }
                for l, shapes in enumerate(self.plan.network.learned_shapes)
            ),
        )

    def set_state(self, state: RunnerState) -> None:
        """Put a state back."""
        for l, layer in enumerate(state.optimizer):
            for name, slots in layer.items():
                for slot, values in enumerate(slots):
                    self._core.set(slot, *self._places[l][name], self._own(values))
        self._core.steps = state.step

    def _array(self, which: int, l: int, name: str) -> Array:
        out = np.empty(self._shapes[l][name], self.plan.dtype)
        self._core.get(which, *self._places[l][name], out)
        return out

    def _own(self, values: Array) -> Array:
        return np.asarray(values, dtype=self.plan.dtype)

    def _scheduled_rate(self) -> float:
        self._refuse_full_batch()
        return float(self._schedule(self._core.steps))

    def _refuse_full_batch(self) -> None:
        if not self._steps_by_batches:  # its own update says what to do instead
            self.plan.optimizer_row.update(None, None, (), None, None)


def threads_wanted(options: EngineOptions) -> int:
    """How many threads the options ask for, else ``DELTARULE_NUM_THREADS``; 0: by the work.

    Raises
    ------
    SettingError
        Where the variable is not a whole number, 1 to 1024.

    Examples
    --------
    >>> threads_wanted(EngineOptions(n_threads=3))
    3
    """
    if options.n_threads is not None:
        return int(options.n_threads)
    text = os.environ.get("DELTARULE_NUM_THREADS")
    if text is None:
        return 0
    value: Any = int(text) if text.strip().isdigit() else text
    checked_threads("environment", "DELTARULE_NUM_THREADS", value)
    return int(value)


def _whole_numbers(order: Array) -> Array:
    if not isinstance(order, np.ndarray) or order.dtype.kind not in "iu" or order.ndim != 1:
        raise TypeMismatchError(
            f"order: expected a vector of whole numbers, got {getattr(order, 'dtype', order)!r}."
        )
    return np.ascontiguousarray(order, dtype=np.int64)
