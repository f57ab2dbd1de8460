"""A trace: every number of a training step, recorded while the reference's equations run.

Forward, cost, backward, update, and beside each dW and db its central differences. Examples
stand in columns here, as the equations write them.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_dtype, checked_number, columns
from deltarule.checks import central_difference, relative_error, worked_example
from deltarule.engines.plan import OptimizerState, Plan
from deltarule.engines.step import (
    cost_of,
    gradients_of,
    initial_state,
    masks_of,
    smoothed,
    training_step,
    weight_of,
)
from deltarule.errors import SettingError, TypeMismatchError
from deltarule.layers import Batch
from deltarule.modelfile.networks import network_to_dict
from deltarule.network import (
    Masks,
    Network,
    Parameters,
    checked_parameters,
    feed_forward,
    output_delta,
    output_loss,
)
from deltarule.optimizers import OPTIMIZERS, GradientDescent, Optimizer
from deltarule.regularization import Regularization
from deltarule.rng import generator
from deltarule.system.markup import notebook_html
from deltarule.system.storage import write_whole
from deltarule.training import checked_examples

SMALL = 400
"""Maximum number of parameters of a network whose every derivative is checked."""

_SAMPLED = 12  # entries of each array that are checked in a larger one
_NEAR_KINK = 1e-3  # times 1 or the parameter's size: central differences reach about as far
_QUIET = {"over": "ignore", "under": "ignore", "divide": "ignore", "invalid": "ignore"}


class GradientCheck(NamedTuple):
    """Some or all entries of a dW or db beside their central differences.

    Attributes
    ----------
    entries : int array, shape (k,)
        Which: flat indices, row by row.
    numeric : float64 array, shape (k,)
        The central differences of the cost.
    error : float
        ``‖exact − numeric‖ / ‖numeric‖`` over them.
    complete : bool
        Whether these are all entries.
    """

    entries: Array
    numeric: Array
    error: float
    complete: bool


@dataclass(frozen=True)
class TracedStep:
    """One training step.

    Attributes
    ----------
    number : int
        t, from 1.
    learning_rate : float
        α of this step, before the layers' multipliers.
    before, after : Parameters
    state_before, state_after : OptimizerState
    masks : mapping of int to array
        Dropout masks ``(n[l], m)`` by layer.
    A : tuple of arrays, A[0] to A[L], ``(n[l], m)``
        Before their masks.
    Z, g_prime, delta : tuples of arrays, layers 1 to L, ``(n[l], m)``
        `g_prime` is None for an activation that mixes units.
    loss : array, shape (m,)
    cost : float
        With penalties and example weights.
    dA : tuple of arrays, dA[0] to dA[L], ``(n[l], m)``
        dA[L] is the cost's, by A[L]; a fused output pair does without it.
    gradients : Parameters
        dW and db: the derivatives of the cost, penalties included, before any clipping.
    m : float
        Number of the examples, or the sum of their weights.
    checks : mapping of str to GradientCheck
        By name: ``"dW[1]"``; of a network with hundreds of arrays, some of them.
    on_kink : tuple of str
        Arrays with an entry on a kink of an activation or cost (``"Z[1]"``), where the central
        differences of what feeds it may differ by right.
    """

    number: int
    learning_rate: float
    before: Parameters
    after: Parameters
    state_before: OptimizerState
    state_after: OptimizerState
    masks: Masks
    A: tuple[Array, ...]
    Z: tuple[Array, ...]
    g_prime: tuple[Array | None, ...]
    delta: tuple[Array, ...]
    loss: Array
    cost: float
    dA: tuple[Array, ...]
    gradients: Parameters
    m: float
    checks: Mapping[str, GradientCheck]
    on_kink: tuple[str, ...]

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Every array by its name in the notation: ``"W[1]"``, ``"dA[0]"``, ``"W_new[1]"``."""
        for l, A in enumerate(self.A):
            yield f"A[{l}]", A
        yield from ((f"mask[{l}]", mask) for l, mask in self.masks.items())
        by_layer = zip(self.Z, self.g_prime, self.delta, strict=True)
        for l, (Z, g_prime, delta) in enumerate(by_layer, 1):
            yield f"Z[{l}]", Z
            if g_prime is not None:
                yield f"g'(Z[{l}])", g_prime
            yield f"delta[{l}]", delta
        yield "loss", self.loss
        yield from ((f"dA[{l}]", dA) for l, dA in enumerate(self.dA))
        for l in range(1, len(self.Z) + 1):
            for name in self.before[l - 1]:
                yield f"{name}[{l}]", self.before[l - 1][name]
                yield f"{name}_new[{l}]", self.after[l - 1][name]
                if name not in self.gradients[l - 1]:  # a running average: no derivative
                    continue
                yield f"d{name}[{l}]", self.gradients[l - 1][name]
                for when, state in (("before", self.state_before), ("after", self.state_after)):
                    for k, slot in enumerate(state[l - 1][name]):
                        yield f"state_{when}[{l}].{name}.{k}", slot


@dataclass(frozen=True)
class Trace:
    """One or several consecutive training steps on the same rows.

    Attributes
    ----------
    plan : Plan
    X, Y : arrays, shapes (n[0], m), (n[L], m)
        Examples in columns; `Y` as given, before label smoothing.
    weights : array, shape (m,), or None
    steps : tuple of TracedStep
    inputs, outputs : tuple of str
        What the columns are called.
    title : str
    """

    plan: Plan
    X: Array
    Y: Array
    weights: Array | None
    steps: tuple[TracedStep, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    title: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; numbers that are not finite as None."""
        optimizer = self.plan.optimizer_row
        return {
            "title": self.title,
            "network": _plain(network_to_dict(self.plan.network)),
            "optimizer": {"name": type(optimizer).__name__, "slots": list(optimizer.slots)},
            "dtype": self.plan.dtype.name,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "Y": _plain(self.Y),
            "weights": _plain(self.weights),
            "steps": [
                {
                    "number": step.number,
                    "learning_rate": step.learning_rate,
                    "m": step.m,
                    "cost": _plain(step.cost),
                    "arrays": {name: _plain(array) for name, array in step.arrays()},
                    "checks": {
                        name: {
                            "entries": check.entries.tolist(),
                            "numeric": _plain(check.numeric),
                            "error": _plain(check.error),
                            "complete": check.complete,
                        }
                        for name, check in step.checks.items()
                    },
                    "on_kink": list(step.on_kink),
                }
                for step in self.steps
            ],
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to a file, atomically.

        Raises
        ------
        FileError
            Where it cannot be written.
        """
        write_whole(path, self.to_json().encode())

    def save_npz(self, path: str | os.PathLike[str]) -> None:
        """Write every array to a NumPy archive; names as in the notation, after ``"step1/"``.

        Raises
        ------
        FileError
            Where it cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     worked_trace().save_npz(f"{folder}/trace.npz")
        ...     with np.load(f"{folder}/trace.npz") as archive:
        ...         archive["step1/db[3]"].round(4)
        array([[0.0749]])
        """
        arrays = {"Y": self.Y}
        if self.weights is not None:
            arrays["weights"] = self.weights
        for step in self.steps:
            arrays[f"step{step.number}/cost"] = np.asarray(step.cost)
            for name, array in step.arrays():
                arrays[f"step{step.number}/{name}"] = array
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_whole(path, content.getvalue())

    def _repr_html_(self) -> str:
        """The page in a frame of a notebook, or what it is about where the page is large."""
        return notebook_html(self)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.plan.network.sizes))
        costs = " → ".join(f"{step.cost:.4g}" for step in self.steps)
        return f"Trace({sizes}, {self.X.shape[1]} examples, cost {costs})"


def worked_trace(steps: int = 1, *, optimizer: Optimizer | str | None = None) -> Trace:
    """The trace of the worked example, 5 → 4 → 3 → 1 on two examples.

    Parameters
    ----------
    steps : int
    optimizer : Optimizer or str, optional
        Default: gradient descent at the example's rate, 0.1.

    Examples
    --------
    >>> worked_trace()
    Trace(5-4-3-1, 2 examples, cost 1.72)
    """
    example = worked_example()
    return trace(
        example.network,
        example.parameters,
        example.X,
        example.Y,
        optimizer=optimizer or GradientDescent(example.learning_rate),
        steps=steps,
        title="The worked example",
    )


def trace(
    network: Network,
    parameters: Parameters,
    X: Any,
    Y: Any,
    *,
    optimizer: Optimizer | str = "gradient_descent",
    weights: Any = None,
    regularization: Regularization | None = None,
    steps: int = 1,
    dtype: Any = None,
    seed: int = 0,
    inputs: Any = None,
    outputs: Any = None,
    title: str = "",
) -> Trace:
    """Record training steps, all on the same rows.

    Parameters
    ----------
    network : Network
        The layers and the cost.
    parameters : Parameters
        Where the first step starts; finite.
    X, Y, weights : array_like
        Rows, as for :func:`deltarule.train`.
    optimizer : Optimizer or str
        Any that steps; its state starts at zero.
    regularization : Regularization, optional
        Penalties, clipping and limits. Default: none.
    steps : int
        Number of steps.
    dtype : dtype, optional
        float32 or float64 (default: that of the parameters).
    seed : int
        Of the dropout masks, and of the entries that are checked in a large network.
    inputs, outputs : sequence of str, optional
        What columns are called.
    title : str
        The heading of the page and of the text.

    Returns
    -------
    Trace

    Raises
    ------
    SettingError
        For an optimizer that does not step, or a wrong number of names.
    ShapeError, TypeMismatchError, DataError
        For data or parameters that do not fit or are not finite.

    Examples
    --------
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(1)])
    >>> parameters = ({"W": np.array([[1.0, 2.0]]), "b": np.array([[0.5]])},)
    >>> step = trace(network, parameters, [[1.0, 1.0]], [3.0]).steps[0]
    >>> step.Z[0], step.gradients[0]["W"], step.cost
    (array([[3.5]]), array([[1., 1.]]), 0.25)
    """
    if not isinstance(network, Network):
        raise TypeMismatchError(f"network: expected a Network, got {type(network).__name__}.")
    checked_number("trace", "steps", steps, low=1, whole=True)
    dtype = checked_dtype(_dtype_of(parameters) if dtype is None else dtype)
    parameters = checked_parameters(network, parameters, dtype)
    data = checked_examples(network, X, Y, weights, dtype)
    row = OPTIMIZERS(optimizer)
    if row.full_batch:
        raise SettingError(
            f"optimizer {type(row).__name__} makes no single steps to trace; choose one that "
            "does, such as 'gradient_descent' or 'adam'."
        )
    plan = Plan(network, row.bound(steps), regularization or Regularization(), dtype, seed)
    A0, targets = columns(data.X), columns(data.Y)
    state, found = initial_state(plan, parameters), []
    for number in range(steps):
        found.append(_traced(plan, parameters, state, A0, targets, data.weights, number))
        parameters, state = found[-1].after, found[-1].state_after
    return Trace(
        plan,
        A0,
        targets,
        data.weights,
        tuple(found),
        _names("inputs", inputs, network.inputs, "x"),
        _names("outputs", outputs, network.outputs, "y"),
        title,
    )


def _dtype_of(parameters: Any) -> Any:
    try:
        return next(iter(parameters[0].values())).dtype
    except (AttributeError, IndexError, KeyError, TypeError, StopIteration):
        return "float64"  # checked_parameters then says what is wrong with them


def _names(name: str, given: Any, count: int, letter: str) -> tuple[str, ...]:
    if given is None:
        return tuple(f"{letter}{i}" for i in range(1, count + 1))
    if len(given) != count:
        raise SettingError(f"{name}: expected {count} names, got {len(given)}.")
    return tuple(map(str, given))


def _traced(
    plan: Plan,
    parameters: Parameters,
    state: OptimizerState,
    A0: Array,
    Y: Array,
    s: Array | None,
    number: int,
) -> TracedStep:
    network, scalar = plan.network, plan.dtype.type
    rate = float(plan.optimizer_row.schedule(number))
    masks = masks_of(plan, np, number, np.arange(A0.shape[1], dtype=np.uint32))
    seen: dict[tuple[str, int], Array] = {("A", 0): A0}

    def observe(name: str, l: int, value: Array) -> None:
        seen[name, l] = value

    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        stepped = training_step(
            plan, parameters, state, A0, Y, s, scalar(number), scalar(rate), masks, observe=observe
        )
        caches = feed_forward(network, parameters, A0, masks, Batch(s))
        target, m = smoothed(plan, Y), weight_of(A0, s)
        dA_L = network.cost_row.dA(caches[-1].A, target)
        delta = output_delta(network, caches[-1], target, s)
        gradients, _ = gradients_of(plan, parameters, caches, delta, m, masks)
        layers = range(1, len(network.layers) + 1)
        gs = [layer.g.g_prime for layer in network.layers]
        return TracedStep(
            number + 1,
            rate,
            parameters,
            stepped.parameters,
            state,
            stepped.state,
            masks,
            tuple(seen["A", l] for l in (0, *layers)),
            tuple(seen["Z", l] for l in layers),
            tuple(None if g is None else g(cache.Z) for g, cache in zip(gs, caches, strict=True)),
            tuple(seen["delta", l] for l in layers),
            output_loss(network, caches[-1], target),
            float(stepped.cost),
            (*(seen["dA", l - 1] for l in layers), dA_L if s is None else dA_L * s),
            gradients,
            float(m),
            _checked(plan, parameters, gradients, A0, Y, s, masks),
            _on_kink(network, caches, target, A0),
        )


# ------------------------------------------------------------------------ the gradient check


def _checked(
    plan: Plan,
    parameters: Parameters,
    gradients: Parameters,
    A0: Array,
    Y: Array,
    s: Array | None,
    masks: Masks,
) -> dict[str, GradientCheck]:
    """Central differences of the penalised cost in float64, with the step's masks held."""
    exact = np.float64
    wide = tuple({name: W.astype(exact) for name, W in own.items()} for own in parameters)
    A0, Y = A0.astype(exact), smoothed(plan, Y.astype(exact))
    s = None if s is None else s.astype(exact)
    masks = {l: mask.astype(exact) for l, mask in masks.items()}
    m = weight_of(A0, s)

    def cost(changed: Parameters) -> float:
        output = feed_forward(plan.network, changed, A0, masks, Batch(s))[-1]
        return float(cost_of(plan, changed, output, Y, s, m))

    small = plan.network.parameter_count <= SMALL
    rng = generator(plan.seed, "explain")
    found = {}
    for l, own in enumerate(wide, 1):
        for name in gradients[l - 1]:
            W = own[name]
            entries = np.arange(W.size)
            if not small and W.size > _SAMPLED:
                entries = np.sort(rng.choice(W.size, _SAMPLED, replace=False))
            f = _by_entries(cost, wide, l - 1, name, entries)
            numeric = central_difference(f, W.ravel()[entries])
            own_gradient = gradients[l - 1][name].ravel()[entries]
            error = relative_error(own_gradient.astype(exact), numeric)
            complete = len(entries) == W.size
            found[f"d{name}[{l}]"] = GradientCheck(entries, numeric, error, complete)
    return found


def _by_entries(
    f: Callable[[Parameters], float], parameters: Parameters, layer: int, name: str, entries: Array
) -> Callable[[Array], float]:
    """A function of all parameters as one of a few entries of one of them."""

    def of_entries(values: Array) -> float:
        W = parameters[layer][name].copy()
        W.ravel()[entries] = values
        changed = {**parameters[layer], name: W}
        return f((*parameters[:layer], changed, *parameters[layer + 1 :]))

    return of_entries


def _on_kink(network: Network, caches: Any, Y: Array, A0: Array) -> tuple[str, ...]:
    reach = _NEAR_KINK * max(1.0, float(abs(A0).max()))
    found = [
        f"Z[{l}]"
        for l, (layer, cache) in enumerate(zip(network.layers, caches, strict=True), 1)
        if any((abs(cache.Z - kink) < reach).any() for kink in layer.g.kinks)
    ]
    if any((abs(Y - caches[-1].A - kink) < reach).any() for kink in network.cost_row.kinks):
        found.append("loss")
    return tuple(found)


def _plain(value: Any) -> Any:
    """Arrays and numbers as JSON values."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
