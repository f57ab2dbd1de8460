"""The reference engine: the equations called literally, on NumPy. The oracle; never optimized."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from deltarule.arrays import Array, columns, rows
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
from deltarule.engines.step import (
    cost_of,
    gradients_of,
    initial_state,
    masks_of,
    smoothed,
    step_from,
    training_step,
    weight_of,
)
from deltarule.forks import unforked
from deltarule.network import (
    Masks,
    Parameters,
    feed_forward,
    input_jacobian,
    output_delta,
    output_loss,
)
from deltarule.row_expressions import check_rows
from deltarule.sparse import CompressedRows, dense, gathered, readable

# Overflow is not lost: a cost that is not finite ends the run, with step and layer.
_QUIET = {"over": "ignore", "under": "ignore", "divide": "ignore", "invalid": "ignore"}


def refusal(plan: Plan, options: EngineOptions) -> str | None:
    """Why this engine cannot run a plan: it can run every plan, on the CPU.

    NumPy hands its products to a BLAS library, whose threads are not this engine's to choose.
    """
    if options.beyond_cpu is not None:
        return options.beyond_cpu
    if options.mixed:
        return "it computes in the plan's dtype throughout; engines 'native' and 'jax' can mix"
    if options.n_threads is not None:
        return (
            f"n_threads={options.n_threads}: NumPy's BLAS chooses its threads itself "
            "(OPENBLAS_NUM_THREADS); engine 'native' heeds the option"
        )
    return None


@contextmanager
def _computing() -> Iterator[None]:
    """NumPy's warnings off, and no fork while it computes."""
    with np.errstate(**_QUIET), unforked():  # type: ignore[arg-type]
        yield


class ReferenceRunner(Planned):
    """The protocol of :class:`~deltarule.engines.plan.Runner`, in NumPy.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        Of the plan's dtype; copied.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> runner = dr.start(dr.Network(2, [dr.Dense(1)]), optimizer="sgd", dtype="float64")
    >>> X, Y = np.array([[1.0, 2.0]]), np.array([[3.0]])
    >>> runner.step(X, Y) > runner.step(X, Y)
    True
    """

    def __init__(self, plan: Plan, parameters: Parameters) -> None:
        self.plan = plan
        self._step = 0
        self._parameters: Parameters = ()
        self.set_parameters(parameters)
        self._state = initial_state(plan, self._parameters)

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
        """One step for every `batch_size` entries of `order`."""
        X = readable(X)
        check_batch(self.plan, X, Y, weights)
        check_order(order, len(X), batch_size, learning_rates)
        costs, found = [], []
        for batch, rate in enumerate(learning_rates):
            chosen = order[batch * batch_size : (batch + 1) * batch_size]
            s = None if weights is None else weights[chosen]
            cost, own = self._update(gathered(X, chosen), Y[chosen], s, float(rate), statistics)
            costs.append(cost)
            if own is not None:
                found.append(own)
            if not np.isfinite(cost):
                break
        stacked = Statistics(*map(np.array, zip(*found, strict=True))) if found else None
        return Trained(np.array(costs, dtype=np.float64), stacked)

    def step(self, X: Array, Y: Array, weights: Array | None = None) -> float:
        """One update from a batch, at the schedule's rate; returns the cost before it."""
        X = dense(X)
        check_batch(self.plan, X, Y, weights)
        return self._update(X, Y, weights, self._scheduled_rate(), False)[0]

    def step_from(self, X: Array, dA: Array) -> None:
        """One update from the caller's own ∂(summed loss)/∂A[L]."""
        X = dense(X)
        check_batch(self.plan, X, dA, name="dA")
        with _computing():
            self._parameters, self._state = step_from(
                self.plan,
                self._parameters,
                self._state,
                columns(X),
                columns(dA),
                self._scalar(self._step),
                self._scalar(self._scheduled_rate()),
                self._masks(len(X)),
            )
        self._step += 1

    def predict(self, X: Array) -> Array:
        """A[L] as rows, ``(m, n[L])``, C-ordered."""
        X = readable(X)
        check_batch(self.plan, X)
        if isinstance(X, CompressedRows):
            return np.concatenate([self.predict(part) for part in X.parts()])
        with _computing():
            caches = feed_forward(self.plan.network, self._parameters, columns(X))
        return np.ascontiguousarray(rows(caches[-1].A))

    def predict_into(self, X: Array, out: Array) -> None:
        """The same, written into `out`."""
        X = readable(X)
        check_batch(self.plan, X, out, name="out")
        out[...] = self.predict(X)

    def jacobian(self, X: Array) -> Array:
        """∂A[L]/∂A[0] of each example, ``(m, n[L], n[0])``."""
        X = dense(X)
        check_batch(self.plan, X)
        with _computing():
            return input_jacobian(self.plan.network, self._parameters, columns(X))

    def cost(
        self, X: Array, Y: Array, weights: Array | None = None, *, penalised: bool = True
    ) -> float:
        """The cost without dropout."""
        X = readable(X)
        check_batch(self.plan, X, Y, weights)
        if isinstance(X, CompressedRows) and not penalised:
            return self._cost_by_parts(X, Y, weights)
        X = dense(X)
        with _computing():
            A0, targets, m = columns(X), columns(Y), weight_of(columns(X), weights)
            output = feed_forward(self.plan.network, self._parameters, A0)[-1]
            if not penalised:
                loss = output_loss(self.plan.network, output, targets).astype(np.float64)
                return float((loss if weights is None else weights * loss).sum() / m)
            targets = smoothed(self.plan, targets)
            return float(cost_of(self.plan, self._parameters, output, targets, weights, m))

    def _cost_by_parts(self, X: CompressedRows, Y: Array, weights: Array | None) -> float:
        s = np.ones(len(X), self.plan.dtype) if weights is None else weights
        total, done = 0.0, 0
        for part in X.parts():
            own = slice(done, done + len(part))
            total += self.cost(part, Y[own], s[own], penalised=False) * s[own].sum(dtype=float)
            done += len(part)
        return float(total / s.sum(dtype=float))

    def gradients(self, X: Array, Y: Array, weights: Array | None = None) -> Parameters:
        """The derivatives of the penalised cost by every parameter."""
        X = dense(X)
        check_batch(self.plan, X, Y, weights)
        with _computing():
            A0, network = columns(X), self.plan.network
            caches = feed_forward(network, self._parameters, A0)
            delta = output_delta(network, caches[-1], smoothed(self.plan, columns(Y)), weights)
            m = weight_of(A0, weights)
            return gradients_of(self.plan, self._parameters, caches, delta, m)[0]

    def parameters(self) -> Parameters:
        """A copy, as NumPy arrays."""
        return tuple({name: W.copy() for name, W in layer.items()} for layer in self._parameters)

    def set_parameters(self, parameters: Parameters) -> None:
        """Put parameters (back)."""
        self._parameters = tuple(
            {name: np.array(W, dtype=self.plan.dtype) for name, W in layer.items()}
            for layer in parameters
        )

    def state(self) -> RunnerState:
        """A copy of step and optimizer state."""
        return RunnerState(self._step, _copied(self._state))

    def set_state(self, state: RunnerState) -> None:
        """Put a state back."""
        self._step, self._state = state.step, _copied(state.optimizer)

    def _update(
        self, X: Array, Y: Array, s: Array | None, rate: float, statistics: bool
    ) -> tuple[float, Statistics | None]:
        with _computing():
            stepped = training_step(
                self.plan,
                self._parameters,
                self._state,
                columns(X),
                columns(Y),
                s,
                self._scalar(self._step),
                self._scalar(rate),
                self._masks(len(X)),
                statistics,
            )
        if np.isfinite(stepped.cost):  # else the parameters stay as they were before it
            self._parameters, self._state = stepped.parameters, stepped.state
            self._step += 1
        return float(stepped.cost), stepped.statistics

    def _masks(self, m: int) -> Masks:
        return masks_of(self.plan, np, self._step, np.arange(m, dtype=np.uint32))

    def _scalar(self, value: float) -> Any:
        return self.plan.dtype.type(value)

    def _scheduled_rate(self) -> float:
        return float(self.plan.optimizer_row.schedule(self._step))


def start(plan: Plan, parameters: Parameters, options: EngineOptions) -> ReferenceRunner:
    """A runner of this engine."""
    network = plan.network
    activations = [row for layer in network.layers for row in layer.activations]
    check_rows(activations, network.cost_row, network.outputs, plan.optimizer_row, plan.dtype)
    return ReferenceRunner(plan, parameters)


def _copied(state: Any) -> Any:
    return tuple(
        {name: tuple(array.copy() for array in arrays) for name, arrays in layer.items()}
        for layer in state
    )
