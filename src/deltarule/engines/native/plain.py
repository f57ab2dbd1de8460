"""A plan in plain numbers, as the compiled core reads it: its rows by their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.costs import COSTS
from deltarule.engines.plan import Plan
from deltarule.expressions import UntraceableError, hoisted, with_reciprocals
from deltarule.expressions.program import program
from deltarule.layers import KINDS, Layer, Scale
from deltarule.layers.numeric import COSINE
from deltarule.network import Network
from deltarule.optimizers import OPTIMIZERS
from deltarule.registry import Registry
from deltarule.rng import dropout_threshold
from deltarule.row_expressions import (
    activation_expressions,
    cost_expressions,
    optimizer_expressions,
)

_MOST_SLOTS, _MOST_STEPS = 8, 16  # native/optimizers.hpp, native/program.hpp

# The rows that are compiled in, in the order of the headers of the same names. A row that a table
# has beside them runs on the other engines.
KIND_ROWS: dict[str, tuple[str, ...]] = {
    "dense": ("W", "b"),
    "layer_norm": ("gain", "shift"),
    "batch_norm": ("gain", "shift", "mean", "variance"),
    "scale": ("scale",),
    "parametric": ("alpha",),
    "periodic": ("frequency", "phase"),
    "piecewise_linear": (),
    "embedding": ("E",),
    "grouped": ("W", "b"),
    "shared": ("W", "b"),
    "parallel": (),
}
"""The kinds of layers that are compiled in, each with its parameters in the core's order. What a
``parallel`` learns is its layers', which the core has one by one."""

ACTIVATION_ROWS = (
    *("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "softplus"),
    *("silu", "mish", "softmax", "exp"),
)
COST_ROWS = (
    *("mse", "mae", "binary_cross_entropy", "categorical_cross_entropy", "half_squared_error"),
    *("huber", "quantile", "poisson", "focal", "binary_focal"),
    "softmax_cross_entropy",
)
OPTIMIZER_ROWS = (
    *("gradient_descent", "sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "adamax"),
    *("nadam", "lion", "lbfgs"),
)


def uncovered(plan: Plan) -> str | None:
    """What of a plan the core does not have, by name; None where it has all."""
    network = plan.network
    if not network.parameter_count:
        return "the network has no parameters to train"
    try:
        for piece in pieces(network):
            l, layer = piece.owner + 1, piece.layer
            if layer is None:
                continue
            if layer.kind not in KIND_ROWS or KINDS.entries.get(layer.kind) is not type(layer):
                return f"layer {l} is of a kind that is not compiled in, {type(layer).__name__}"
            for row in (layer.g, _bend(layer)):
                _activation(row, l, plan.dtype)
        _cost(plan)
        _optimizer(plan)
    except NotCompiledError as reason:
        return str(reason)
    return None


class NotCompiledError(Exception):
    """A row that the core neither has nor can run as a program, and why."""


class Piece(NamedTuple):
    """A layer as the core has it: one of the network's, or of a part of a ``parallel``.

    Attributes
    ----------
    layer : Layer or None
        None for the columns that a part takes: these are a layer of the core's own.
    owner : int
        The network's layer that it is, or is part of, from 0.
    prefix : str
        What its parameters' names begin with in the owner's.
    sources : tuple of int
        The numbers of the pieces that it reads, from 1; 0 is the input.
    n_prev, units : int
    first : int
        Of columns, the first.
    """

    layer: Layer | None
    owner: int
    prefix: str
    sources: tuple[int, ...]
    n_prev: int
    units: int
    first: int = 0


def pieces(network: Network) -> list[Piece]:
    """The core's layers of a network, in the order of its forward pass."""
    found: list[Piece] = []
    for owner, (layer, n_prev) in enumerate(zip(network.layers, network.sizes[:-1], strict=True)):
        _add(found, layer, owner, "", len(found), n_prev)
    return found


def _add(
    found: list[Piece], layer: Layer, owner: int, prefix: str, source: int, n_prev: int
) -> None:
    """Append a layer's pieces, of which the last has its outputs."""
    sources: list[int] = []
    for k, part in enumerate(getattr(layer, "parts", ()) if layer.kind == "parallel" else (), 1):
        n = part.last - part.first
        found.append(Piece(None, owner, "", (source,), n_prev, n, part.first))
        for d, inner in enumerate(part.layers, 1):
            _add(found, inner, owner, f"{prefix}{k}.{d}.", len(found), found[-1].units)
        sources.append(len(found))
    units = layer.units_after(n_prev)
    found.append(Piece(layer, owner, prefix, tuple(sources) or (source,), n_prev, units))


def places(network: Network) -> list[dict[str, tuple[int, int]]]:
    """Of each layer, where the core has a parameter: its own layer's number and array's, from 0."""
    found: list[dict[str, tuple[int, int]]] = [{} for _ in network.layers]
    for number, piece in enumerate(pieces(network)):
        for place, name in enumerate(KIND_ROWS[piece.layer.kind] if piece.layer else ()):
            found[piece.owner][piece.prefix + name] = number, place
    return found


def _numbered(table: Registry[Any], known: tuple[str, ...], row: Any) -> tuple[int, float] | None:
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


def _activation(row: Activation, layer: int, dtype: Any) -> tuple[int, float, Any]:
    """Its place and number, or an identity's and a program; ``periodic``'s is behind the table."""
    if row is COSINE:
        return len(ACTIVATION_ROWS), 0.0, None
    known = _numbered(ACTIVATIONS, ACTIVATION_ROWS, row)
    if known is not None:
        return *known, None
    with _told(f"activation {row.name!r} of layer {layer}"):
        return 0, 0.0, program(activation_expressions(row, dtype), ["z"])


def _cost(plan: Plan) -> dict[str, Any]:
    """The cost's place and number, or a program."""
    network, output = plan.network, plan.network.layers[-1].g
    row, fused = network.cost_row, network.pair is not None
    known = _numbered(COSTS, COST_ROWS, row)
    if known is not None and (not fused or output.is_listed):
        return {"cost": known[0], "cost_number": known[1], "cost_program": None}
    with _told(f"cost {row.name!r}"):
        if fused and output.name == "softmax":
            raise UntraceableError("is fused with softmax, which mixes the units of an example")
        found = cost_expressions(row, output, network.outputs, plan.dtype)
        inputs = ["z", "a", "y"] if found.is_delta else ["a", "y"]
        own = {"is_delta": found.is_delta, "program": program([found.loss, found.d], inputs)}
    return {"cost": 0, "cost_number": 0.0, "cost_program": own}


def _optimizer(plan: Plan) -> dict[str, Any]:
    """The optimizer's place, or its programs."""
    place = _optimizer_number(plan)
    if place is not None:
        return {"optimizer": place, "optimizer_programs": None}
    optimizer = plan.optimizer_row
    with _told(f"optimizer {type(optimizer).__name__!r}"):
        values, update = hoisted(with_reciprocals(optimizer_expressions(optimizer, plan.dtype)))
        slots = [f"slot_{slot}" for slot in optimizer.slots]
        if len(slots) > _MOST_SLOTS or len(values) > _MOST_STEPS:
            raise UntraceableError(
                f"has {len(slots)} slots and {len(values)} numbers of the step; the compiled "
                f"engine has room for {_MOST_SLOTS} and {_MOST_STEPS}"
            )
        own = {
            "slots": len(slots),
            "steps": len(values),
            "step": program(list(values.values()), ["t", "alpha"]),
            "update": program(update, ["W", "dW", *slots], list(values)),
        }
    return {"optimizer": 0, "optimizer_programs": own}


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except UntraceableError as reason:
        raise NotCompiledError(f"{what} {reason}") from reason


def _dropout(share: float) -> tuple[int, float] | None:
    """Threshold and scale, exactly as :func:`deltarule.rng.dropout_mask` has them."""
    return (dropout_threshold(share), 1.0 / (1.0 - share)) if share > 0 else None


def _columns(layer: Layer, n_prev: int) -> dict[str, list[Any]]:
    """Of an embedding, what it makes of each column; empty for the other kinds."""
    found: dict[str, list[Any]] = {"counts": [], "starts": [], "widths": []}
    own: Any = layer
    if layer.kind == "periodic":
        found["counts"] = [own.frequencies] * n_prev
    elif layer.kind == "embedding":
        found["counts"] = list(own.levels)
    elif layer.kind == "piecewise_linear":
        bins = own.bins(np.float64)
        found["counts"] = np.bincount(bins.column).tolist()
        found["starts"], found["widths"] = bins.start.ravel().tolist(), bins.width.ravel().tolist()
    return found


def _size(layer: Layer, n_prev: int) -> int:
    """How many units before a group takes, or a member; 0, for a kind without them."""
    own: Any = layer
    return n_prev // own.members if layer.kind == "shared" else int(getattr(layer, "size", 0))


def _plain_piece(piece: Piece, dtype: Any) -> dict[str, Any]:
    """A layer of the core's in plain numbers."""
    layer = piece.layer or Scale()  # columns have no settings: those of a layer without any
    names = KIND_ROWS[layer.kind]
    activation, number, activation_program = _activation(layer.g, piece.owner + 1, dtype)
    bend, bend_number, bend_program = _activation(_bend(layer), piece.owner + 1, dtype)
    return {
        "units": piece.units,
        "activation": activation,
        "number": number,
        "dropout": _dropout(layer.dropout),
        "rate": float(layer.multiplier(names[0])) if names else 1.0,
        "bias_rate": float(layer.multiplier(names[1])) if len(names) > 1 else 1.0,
        "kind": list(KIND_ROWS).index(layer.kind) if piece.layer else len(KIND_ROWS),
        "bend": bend,
        "bend_number": bend_number,
        "activation_program": activation_program,
        "bend_program": bend_program,
        **{name: float(getattr(layer, name, 0.0)) for name in ("epsilon", "momentum")},
        "size": _size(layer, piece.n_prev),
        **_columns(layer, piece.n_prev),
        "sources": list(piece.sources),
        "first": piece.first,
        "owner": piece.owner,
    }


def plain(plan: Plan, mixed: bool = False) -> dict[str, Any]:
    """What the core makes a runner from; `mixed` is the engine options'.

    Raises
    ------
    NotCompiledError
        For a row that is neither compiled in nor can be traced.
    """
    network, rules, optimizer = plan.network, plan.regularization, plan.optimizer_row
    uniform = network.cost_row.uniform
    settings = ("momentum", "rho", "beta_1", "beta_2", "epsilon")
    return {
        "inputs": network.inputs,
        "input_dropout": _dropout(network.input_dropout),
        "layers": [_plain_piece(piece, plan.dtype) for piece in pieces(network)],
        **_cost(plan),
        **_optimizer(plan),
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
        "mixed": mixed,
    }
