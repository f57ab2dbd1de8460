"""What a training step needs, and the protocol that every engine answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from deltarule.arrays import Array, checked_dtype, checked_number
from deltarule.errors import SettingError, ShapeError, TypeMismatchError, setting
from deltarule.network import Network, Parameters
from deltarule.optimizers import OPTIMIZERS, Optimizer, State
from deltarule.regularization import Regularization
from deltarule.rng import checked_seed
from deltarule.sparse import CompressedRows
from deltarule.spec import Spec

OptimizerState: TypeAlias = tuple[Mapping[str, State], ...]
"""The optimizer's arrays of each parameter: ``state[0]["W"]`` is a tuple, one a slot."""


@dataclass(frozen=True)
class Plan(Spec):
    """All that a step needs, and nothing else.

    Parameters
    ----------
    network : Network
        The layers and the cost.
    optimizer : str or Optimizer
        How parameters are updated: an optimizer, or a name of
        :data:`~deltarule.optimizers.OPTIMIZERS` with or without its rate (``"sgd(0.1)"``).
    regularization : Regularization
        Penalties, clipping and limits. Default: none.
    dtype : dtype
        float32 or float64.
    seed : int
        Of the dropout masks (and of the initial parameters, where none are given).

    Raises
    ------
    SettingError
        For settings that do not go together.

    Examples
    --------
    >>> from deltarule import Dense
    >>> Plan(Network(2, [Dense(1)]), "adam").optimizer.learning_rate
    0.001
    """

    network: Network
    optimizer: Optimizer | str = "sgd"
    regularization: Regularization = field(default_factory=Regularization)
    dtype: Any = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        checked_seed("Plan", self.seed)
        object.__setattr__(self, "optimizer", OPTIMIZERS(self.optimizer))
        object.__setattr__(self, "dtype", checked_dtype(self.dtype))
        cost, rules = self.network.cost_row, self.regularization
        if rules.label_smoothing > 0 and cost.uniform is None:
            raise SettingError(
                f"{setting('label_smoothing=', '--label-smoothing ')}{rules.label_smoothing:g} "
                "needs a cost of classes, such as "
                f"'categorical_cross_entropy'; got {cost.name!r}."
            )
        if self.optimizer_row.full_batch:
            self._check_full_batch()

    @property
    def optimizer_row(self) -> Optimizer:
        """The optimizer's row."""
        assert isinstance(self.optimizer, Optimizer)
        return self.optimizer

    def _check_full_batch(self) -> None:
        rules = self.regularization
        stepping = {
            "dropout": bool(self.network.dropout),
            "running averages (BatchNorm)": any(l.running for l in self.network.layers),
            "clip_norm": rules.clip_norm is not None,
            "clip_value": rules.clip_value is not None,
            "max_norm": rules.max_norm is not None,
            "decay": rules.decay > 0,
        }
        for name, used in stepping.items():
            if used:
                raise SettingError(
                    f"{type(self.optimizer).__name__} minimises the cost of all the data and does "
                    f"not go with {name}. Leave it out, or choose an optimizer that steps."
                )


DEVICES = ("auto", "cpu", "gpu", "tpu")
PRECISIONS = ("highest", "high", "default")


@dataclass(frozen=True)
class EngineOptions(Spec):
    """How and where an engine computes; what it computes is the plan's.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"gpu"``, ``"tpu"``, with a number where there are several (``"gpu:1"``); or
        ``"auto"``, the engine's own choice. Devices other than the CPU need ``engine="jax"``.
    precision : str
        How accelerators multiply float32 matrices: ``"highest"`` in float32, ``"high"`` and
        ``"default"`` faster and coarser, in the hardware's formats (TensorFloat-32, bfloat16).
    mixed : bool
        Whether matrix products read their operands rounded to bfloat16 and add up in float32.
        Parameters, updates, costs, encodings, learned scales and normalization stay float32.
        Engines native and jax; the dtype must be float32.
    n_threads : int, optional
        How many threads a call may use; engine native. None: what ``DELTARULE_NUM_THREADS`` says,
        else the engine's own choice, by the work of a step.
    devices : int or "all", optional
        How many devices of its kind this process computes on, from the device's number on: they
        share the examples of each batch. None: one; in a group of processes
        (:func:`deltarule.distributed`), all it sees. Several need ``engine="jax"``.

    Raises
    ------
    SettingError
        For a device or precision that does not exist, or no number of threads or devices.

    Examples
    --------
    >>> EngineOptions(device="gpu:1").kind, EngineOptions(device="gpu:1").number
    ('gpu', 1)
    """

    device: str = "auto"
    precision: str = "highest"
    mixed: bool = False
    n_threads: int | None = None
    devices: int | str | None = None

    def __post_init__(self) -> None:
        if self.devices is not None and self.devices != "all":
            checked_number("EngineOptions", "devices", self.devices, low=1, whole=True)
        if self.n_threads is not None:
            checked_threads("EngineOptions", "n_threads", self.n_threads)
        kind, colon, number = str(self.device).partition(":")
        if kind not in DEVICES or bool(colon) != number.isdecimal() or (colon and kind == "auto"):
            raise SettingError(
                f"device must be one of {', '.join(DEVICES)}, with a number where there are "
                f"several ('gpu:1'); got {self.device!r}."
            )
        if self.precision not in PRECISIONS:
            raise SettingError(
                f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}."
            )

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.device.partition(":")[0]

    @property
    def number(self) -> int:
        """Which of the devices of its kind, from 0."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def beyond_cpu(self) -> str | None:
        """Why an engine that computes on the CPU cannot heed them."""
        if self.kind not in ("auto", "cpu"):
            return f"it computes on the CPU, not on device {self.device!r}; engine 'jax' can"
        if self.precision != "highest":
            return (
                f"precision {self.precision!r} is of accelerators, and it computes on the CPU; "
                "engine 'jax' can use one"
            )
        if self.devices not in (None, 1):
            return f"it computes on one device, not on {self.devices}; engine 'jax' can"
        return None

    def mixed_in(self, dtype: Any) -> str | None:
        """Why products cannot be mixed in a plan of that dtype; None where they can, or are not."""
        if not self.mixed or dtype == np.float32:
            return None
        return (
            f"mixed=True keeps its parameters in float32; got dtype {dtype}. Use dtype='float32', "
            "or leave mixed out"
        )


def checked_threads(owner: str, name: str, value: Any) -> None:
    """Refuse what is not a number of threads, 1 to 1024.

    Raises
    ------
    SettingError
        With what was expected and got.
    """
    checked_number(owner, name, value, low=1, high=1024, whole=True)


class Statistics(NamedTuple):
    """What a step did to each layer: arrays ``(steps, L)``, or ``(L,)`` for one step.

    Attributes
    ----------
    gradient_norm : array
        Of all derivatives of the layer.
    update_ratio : array
        Norm of the change of the layer's parameters over their norm.
    dead : array
        Share of the layer's units that no example of the batch sends any δ to.
    """

    gradient_norm: Array
    update_ratio: Array
    dead: Array


class Trained(NamedTuple):
    """What :meth:`Runner.train` returns.

    Attributes
    ----------
    costs : float64 array, shape (steps,)
        The cost of each batch before its update, penalties included; 0 for a batch without
        weight. Where a cost is not finite, training stops before that update and it is the last.
    statistics : Statistics or None
        Per step, where asked for.
    """

    costs: np.ndarray
    statistics: Statistics | None


class RunnerState(NamedTuple):
    """What a runner carries from step to step beside the parameters.

    Attributes
    ----------
    step : int
        How many steps it has made.
    optimizer : OptimizerState
        NumPy arrays of the parameters' shapes.
    """

    step: int
    optimizer: OptimizerState


class Runner(Protocol):
    """A plan with parameters on an engine. Examples are rows in all that a caller passes.

    ``X`` is ``(m, n[0])``, ``Y`` and ``dA`` are ``(m, n[L])``, ``weights`` ``(m,)``, all of the
    plan's dtype and C-ordered where no copy is wanted; ``X`` may also be a CSR matrix, which is
    made dense a batch at a time. These methods check shape and dtype, not
    values: :func:`deltarule.train` checks those once.

    Examples
    --------
    :func:`deltarule.start` gives a runner:

    >>> import numpy as np
    >>> import deltarule as dr
    >>> runner = dr.start(dr.Network(2, [dr.Dense(1)]), optimizer="sgd(0.1)")
    >>> X, Y = np.eye(2, dtype=np.float32), np.ones((2, 1), np.float32)
    >>> costs = [runner.step(X, Y) for _ in range(3)]
    >>> runner.predict(X).shape, runner.state().step, costs[2] < costs[0]
    ((2, 1), 3, True)
    """

    plan: Plan

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
        """One step for every `batch_size` entries of `order`, an array of row numbers.

        `learning_rates` has one number a batch; the last batch may be short.
        """

    def step(self, X: Array, Y: Array, weights: Array | None = None) -> float:
        """One update from a batch, at the schedule's rate; returns the cost before it."""

    def step_from(self, X: Array, dA: Array) -> None:
        """One update from the caller's own ∂(summed loss)/∂A[L]: Eq. 10 begins there."""

    def predict(self, X: Array) -> Array:
        """A[L] as rows, ``(m, n[L])``, without dropout."""

    def predict_into(self, X: Array, out: Array) -> None:
        """The same, written into an array of the caller's."""

    def jacobian(self, X: Array) -> Array:
        """∂A[L]/∂A[0] of each example, ``(m, n[L], n[0])``."""

    def cost(
        self, X: Array, Y: Array, weights: Array | None = None, *, penalised: bool = True
    ) -> float:
        """The cost without dropout; without penalties and smoothing where not `penalised`."""

    def gradients(self, X: Array, Y: Array, weights: Array | None = None) -> Parameters:
        """The derivatives of the penalised cost by every parameter, without dropout or clipping."""

    def parameters(self) -> Parameters:
        """A copy, as NumPy arrays."""

    def set_parameters(self, parameters: Parameters) -> None:
        """Put parameters (back)."""

    def state(self) -> RunnerState:
        """A copy of what it carries beside the parameters."""

    def set_state(self, state: RunnerState) -> None:
        """Put a state back: training continues as if it had not been interrupted."""


class Planned:
    """What has a plan, shown in one line."""

    plan: Plan

    def __repr__(self) -> str:
        plan = self.plan
        sizes = "-".join(map(str, plan.network.sizes))
        return f"{type(self).__name__}({sizes}, {plan.optimizer}, {plan.dtype})"


def check_batch(
    plan: Plan,
    X: Array,
    Y: Array | None = None,
    weights: Array | None = None,
    *,
    name: str = "Y",
) -> None:
    """Refuse arrays of the wrong shape or dtype: all that a runner checks.

    Raises
    ------
    TypeMismatchError, ShapeError
        With what was expected and got; `name` is what `Y` is called.
    """
    network = plan.network
    rows = X.shape[0] if getattr(X, "shape", ()) else 0
    expected: list[tuple[str, Array, tuple[int, ...]]] = [("X", X, (rows, network.inputs))]
    if Y is not None:
        expected.append((name, Y, (rows, network.outputs)))
    if weights is not None:
        expected.append(("weights", weights, (rows,)))
    for label, array, shape in expected:
        known = isinstance(array, np.ndarray) or (label == "X" and isinstance(X, CompressedRows))
        if not known or array.dtype != plan.dtype:
            got = array.dtype if known else type(array).__name__
            raise TypeMismatchError(
                f"{label}: expected an array of {plan.dtype}, got {got}. Cast it: "
                f"numpy.asarray({label}, dtype='{plan.dtype}')."
            )
        if array.shape != shape or len(array) == 0:
            raise ShapeError(f"{label}: expected shape {shape}, got {array.shape}.")


def check_order(order: Array, rows: int, batch_size: int, learning_rates: Array) -> None:
    """Refuse an order that names rows there are not, or rates that are not one a batch.

    Raises
    ------
    SettingError, ShapeError
        With what was expected and got.
    """
    check_rates(order, batch_size, learning_rates)
    if len(order) and not (order.min() >= 0 and order.max() < rows):
        raise ShapeError(f"order: expected row numbers 0 to {rows - 1}.")


def check_rates(order: Array, batch_size: int, learning_rates: Array) -> int:
    """The number of batches, where there is a learning rate for each.

    Raises
    ------
    SettingError, ShapeError
        With what was expected and got.
    """
    if batch_size < 1:
        raise SettingError(f"batch_size: expected at least 1, got {batch_size}.")
    batches = -(-len(order) // batch_size)
    if len(learning_rates) != batches:
        raise ShapeError(
            f"learning_rates: expected one a batch, {batches}, got {len(learning_rates)}."
        )
    return batches
