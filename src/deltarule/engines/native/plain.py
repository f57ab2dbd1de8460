"""A plan in plain numbers, as the compiled core reads it: its rows by their places."""

from __future__ import annotations

from typing import Any

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.costs import COSTS
from deltarule.engines.plan import Plan
from deltarule.layers import KINDS, Layer
from deltarule.optimizers import OPTIMIZERS
from deltarule.tables import Table

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


def uncovered(plan: Plan) -> str | None:
    """What of a plan is not compiled in, by name: a row of one's own; None where all is."""
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


def plain(plan: Plan) -> dict[str, Any]:
    """What the core makes a runner from: a plan that :func:`uncovered` says nothing against."""
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
