"""The compiled engine: a plan on the core of ``native/``, an epoch or a single call at a time."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array
from deltarule.costs import COSTS
from deltarule.engines.plan import (
    EngineOptions,
    Plan,
    RunnerState,
    Statistics,
    Trained,
    check_rates,
    checked_threads,
)
from deltarule.errors import SettingError, TypeMismatchError
from deltarule.layers import KINDS, Layer
from deltarule.network import Parameters
from deltarule.optimizers import OPTIMIZERS
from deltarule.schedules import Constant
from deltarule.sparse import readable
from deltarule.tables import Table

INSTRUCTION_SETS = ("avx2", "neon", "baseline")
"""What kernels are compiled for, the fastest first: ``avx2`` and ``baseline`` on x86-64, ``neon``
on 64-bit ARM, which always has it, ``baseline`` elsewhere."""

# The rows that are compiled in, in the order of the headers of the same names. A row that a table
# has beside them runs on the other engines.
KIND_ROWS = {
    "dense": ("W", "b"),
    "layer_norm": ("gain", "shift"),
    "batch_norm": ("gain", "shift", "mean", "variance"),
    "scale": ("scale",),
    "parametric": ("alpha",),
}
"""The kinds of layers that are compiled in, each with its parameters in the core's order."""

ACTIVATION_ROWS = (
    *("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "softplus"),
    *("silu", "mish", "softmax", "exp"),
)
COST_ROWS = (
    *("mse", "mae", "binary_cross_entropy", "categorical_cross_entropy", "half_squared_error"),
    *("huber", "quantile", "poisson", "focal", "binary_focal"),
)
OPTIMIZER_ROWS = (
    *("gradient_descent", "sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "adamax"),
    *("nadam", "lion", "lbfgs"),
)

_PARAMETER, _DERIVATIVE = -1, -2  # which array of a layer; 0 and 1 are the optimizer's slots


class Capabilities(NamedTuple):
    """What the compiled core can do here.

    Attributes
    ----------
    isa : str
        The instruction set in use.
    available : tuple of str
        Those that this machine has, the fastest first.
    vector_bytes : int
        How wide its vectors are.
    """

    isa: str
    available: tuple[str, ...]
    vector_bytes: int


def capabilities() -> Capabilities:
    """The instruction set in use: the fastest this machine has, or what ``DELTARULE_ISA`` names.

    Raises
    ------
    SettingError
        Where the core is not installed, or ``DELTARULE_ISA`` names what this machine lacks.

    Examples
    --------
    >>> capabilities().isa in INSTRUCTION_SETS
    True
    """
    core = _core(os.environ.get("DELTARULE_ISA", ""))
    return Capabilities(core.isa, _available(), core.vector_bytes)


def refusal(plan: Plan, options: EngineOptions) -> str | None:
    """Why this engine cannot run a plan: a missing core, or a row of one's own, by name."""
    if options.beyond_cpu is not None:
        return options.beyond_cpu
    missing = _missing()
    if missing is not None:
        return missing
    network = plan.network
    for l, layer in enumerate(network.layers, 1):
        if layer.kind not in KIND_ROWS or KINDS.entries.get(layer.kind) is not type(layer):
            return f"layer {l} is of a kind that is not compiled in, {type(layer).__name__}"
        for row in (layer.g, _bend(layer)):
            if _numbered(ACTIVATIONS, ACTIVATION_ROWS, row) is None:
                return f"activation {row.name!r} of layer {l} is a row of your own, in Python"
    if _numbered(COSTS, COST_ROWS, network.cost_row) is None:
        return f"cost {network.cost_row.name!r} is a row of your own, in Python"
    if _optimizer_number(plan) is None:
        return f"optimizer {type(plan.optimizer).__name__!r} is a class of your own, in Python"
    return None


class NativeRunner:
    """The protocol of :class:`~deltarule.engines.plan.Runner`, on the compiled core.

    One call at a time; runners in several threads of Python work side by side.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        Of the plan's dtype; copied.
    options : EngineOptions, optional
        How many threads; the rest is refused before a runner is made.

    Attributes
    ----------
    n_threads : int
        How many threads a call may use: the options', else what ``DELTARULE_NUM_THREADS`` says;
        0, where neither says, chooses by the work. The results are the same bits for any number.

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
        core = _core(os.environ.get("DELTARULE_ISA", ""))
        self.plan = plan
        self.n_threads = threads_wanted(options or EngineOptions())
        self.isa: str = core.isa
        self._core = (core.Runner32 if plan.dtype == np.float32 else core.Runner64)(_spelt(plan))
        self._slots = len(plan.optimizer_row.slots)
        self._schedule = plan.optimizer_row.schedule
        steps = self._steps_by_batches = not plan.optimizer_row.full_batch
        constant = steps and isinstance(self._schedule, Constant)
        self._constant_rate = self._schedule.rate if constant else None
        self.set_parameters(parameters)

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
            for l, shapes in enumerate(self.plan.network.shapes)
        )

    def set_parameters(self, parameters: Parameters) -> None:
        """Put parameters (back)."""
        for l, layer in enumerate(parameters):
            for name, values in layer.items():
                self._core.set(_PARAMETER, l, self._place(l, name), self._own(values))

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
                    self._core.set(slot, l, self._place(l, name), self._own(values))
        self._core.steps = state.step

    def _array(self, which: int, l: int, name: str) -> Array:
        out = np.empty(self.plan.network.shapes[l][name], self.plan.dtype)
        self._core.get(which, l, self._place(l, name), out)
        return out

    def _place(self, l: int, name: str) -> int:
        return KIND_ROWS[self.plan.network.layers[l].kind].index(name)

    def _own(self, values: Array) -> Array:
        return np.asarray(values, dtype=self.plan.dtype)

    def _scheduled_rate(self) -> float:
        self._refuse_full_batch()
        return float(self._schedule(self._core.steps))

    def _refuse_full_batch(self) -> None:
        if not self._steps_by_batches:  # its own update says what to do instead
            self.plan.optimizer_row.update(None, None, (), None, None)


def start(plan: Plan, parameters: Parameters, options: EngineOptions) -> NativeRunner:
    """A runner of this engine, on the CPU."""
    return NativeRunner(plan, parameters, options)


def threads_wanted(options: EngineOptions) -> int:
    """How many threads the options ask for, else ``DELTARULE_NUM_THREADS``; 0: by the work.

    Raises
    ------
    SettingError
        Where the variable is no whole number, 1 to 1024.

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


# ------------------------------------------------------------------- a plan in plain numbers


def _numbered(table: Table[Any], known: tuple[str, ...], row: Any) -> tuple[int, float] | None:
    """A row as its place in the core and its number; None for one that is not compiled in."""
    base = row.name.partition("(")[0]
    if base not in known:
        return None
    entry = table.entries[base]
    made = entry if isinstance(entry, table.row_type) else entry(*row.numbers)
    if made is not row:
        return None
    return known.index(base), float(row.numbers[0]) if row.numbers else 0.0


def _bend(layer: Layer) -> Activation:
    """What a layer bends its input with; the identity, for a kind that does not."""
    return ACTIVATIONS(getattr(layer, "bend", "identity"))


def _optimizer_number(plan: Plan) -> int | None:
    """The optimizer's place in the core; None for a class that is not compiled in."""
    for place, name in enumerate(OPTIMIZER_ROWS):
        entry: Any = OPTIMIZERS.entries[name]
        if entry is type(plan.optimizer):
            return place
    return None


def _dropout(share: float) -> tuple[int, float] | None:
    """Threshold and scale, exactly as :func:`deltarule.rng.dropout_mask` has them."""
    keep = 1.0 - share
    return (int(keep * 2**32), 1.0 / keep) if share > 0 else None


def _spelt(plan: Plan) -> dict[str, Any]:
    network, rules, optimizer = plan.network, plan.regularisation, plan.optimizer_row
    cost, cost_number = _numbered(COSTS, COST_ROWS, network.cost_row)  # type: ignore[misc]
    layers = []
    for layer, units in zip(network.layers, network.sizes[1:], strict=True):
        activation, number = _numbered(ACTIVATIONS, ACTIVATION_ROWS, layer.g)  # type: ignore[misc]
        bend, bend_number = _numbered(ACTIVATIONS, ACTIVATION_ROWS, _bend(layer))  # type: ignore[misc]
        first, second = (KIND_ROWS[layer.kind] * 2)[:2]
        layers.append(
            {
                "units": units,
                "activation": activation,
                "number": number,
                "dropout": _dropout(layer.dropout),
                "rate": float(layer.multiplier(first)),
                "bias_rate": float(layer.multiplier(second)),
                "kind": list(KIND_ROWS).index(layer.kind),
                "bend": bend,
                "bend_number": bend_number,
                **{name: float(getattr(layer, name, 0.0)) for name in ("epsilon", "momentum")},
            }
        )
    uniform = network.cost_row.uniform
    settings = ("momentum", "rho", "beta_1", "beta_2", "epsilon")
    return {
        "inputs": network.inputs,
        "input_dropout": _dropout(network.input_dropout),
        "layers": layers,
        "cost": cost,
        "cost_number": cost_number,
        "optimizer": _optimizer_number(plan),
        **{name: float(getattr(optimizer, name, 0.0)) for name in settings},
        "nesterov": bool(getattr(optimizer, "nesterov", False)),
        "epsilon_inside": bool(getattr(optimizer, "epsilon_inside", False)),
        "l1": float(rules.l1),
        "l2": float(rules.l2),
        "decay": float(rules.decay + optimizer.decay),
        "over_batch": bool(rules.over_batch),
        "max_norm": float(rules.max_norm or 0.0),
        "clip_norm": float(rules.clip_norm or 0.0),
        "clip_value": float(rules.clip_value or 0.0),
        "smoothing": float(rules.label_smoothing),
        "uniform": 0.0 if uniform is None else float(uniform(network.outputs)),
        "seed": int(plan.seed),
    }


def _whole_numbers(order: Array) -> Array:
    if not isinstance(order, np.ndarray) or order.dtype.kind not in "iu" or order.ndim != 1:
        raise TypeMismatchError(
            f"order: expected a vector of whole numbers, got {getattr(order, 'dtype', order)!r}."
        )
    return np.ascontiguousarray(order, dtype=np.int64)


# ------------------------------------------------------------------------------- the core


def _missing() -> str | None:
    if _built():
        return None
    return (
        "the compiled core is not installed (DELTARULE_PURE leaves it out). Reinstall with a "
        "C++17 compiler, or use engine='reference'"
    )


@lru_cache(maxsize=4)
def _core(wanted: str) -> Any:
    """The extension module of an instruction set; of the fastest, where none is named."""
    missing = _missing()
    if missing is not None:
        raise SettingError(f"engine 'native': {missing}.")
    available = _available()
    if wanted and wanted not in available:
        raise SettingError(
            f"DELTARULE_ISA={wanted!r}: expected one of {', '.join(available)}, which this machine "
            f"and build have; got {wanted!r}."
        )
    return _module(wanted or available[0])


@cache
def _built() -> tuple[str, ...]:
    """The instruction sets this installation has modules for; any machine can run the last."""
    return tuple(isa for isa in INSTRUCTION_SETS if find_spec(_module_name(isa)) is not None)


def _available() -> tuple[str, ...]:
    built = _built()
    return tuple(isa for isa in built if _module(built[-1]).supports(isa))


def _module(isa: str) -> Any:
    return import_module(_module_name(isa))


def _module_name(isa: str) -> str:
    return f"deltarule.engines._core_{isa}"
