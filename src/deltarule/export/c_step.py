"""A training step as C: the cost and its δ, the mean over a batch, penalties, the update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from deltarule.activations import Activation
from deltarule.costs import Cost
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.export.c_network import Passes, Spot, each
from deltarule.export.rows import expressions
from deltarule.expressions import Node, hoisted, in_order
from deltarule.expressions.c import printed
from deltarule.network import Parameters
from deltarule.row_expressions import cost_expressions, optimizer_expressions

BY_HAND = {
    "softmax with categorical_cross_entropy": "softmax_pair({z}, {a}, y, {d}, {n})",
    "softmax with focal": "focal_pair({z}, {a}, y, {d}, {n}, {0})",
    "softmax_cross_entropy": "softmax_cross_entropy({a}, y, {d}, {n}, (int){0})",
}
"""What mixes units: by cost, or output and cost, the loss of an example; δ or dA goes to ``d``."""

_OF_STEP = {"alpha": "alpha", "t": "steps[0]"}
"""What the numbers that an optimizer's step is given are called in C."""

_STEP = """\
real {name}_step(const real *X, const real *Y, int m, real rate)
{{
    sum cost = 0;
    if (m < 1)
        return 0;
    for (int i = 0; i < {count}; i++)
        D[i] = 0;
    for (int e = 0; e < m; e++) {{
        forward(X + e * {inputs});
        cost += back(X + e * {inputs}, Y + e * {outputs});
    }}
    cost /= m;
    for (int i = 0; i < {count}; i++)
        D[i] /= (real)m;
{before}\
    for (int k = 0, i = 0; k < {arrays}; k++) {{
        real alpha = rate * arrays[k].rate;
{array}\
        for (; i < arrays[k].end; i++) {{
{each}\
        }}
    }}
{after}\
    return (real)cost;
}}"""

_PENALTY = """\
    for (int k = 0, i = 0; k < {arrays}; i = arrays[k++].end)
        for (int j = i; arrays[k].penalised && j < arrays[k].end; j++) {{
            cost += ({l1} * FN(fabs)(P[j]) + {l2} * P[j] * P[j] / 2) / {over};
            D[j] += ({l1} * sign(P[j]) + {l2} * P[j]) / {over};
        }}
"""

_CLIP_VALUE = """\
    for (int i = 0; i < {count}; i++)
        D[i] = D[i] > {limit} ? {limit} : D[i] < -{limit} ? -{limit} : D[i];
"""

_MAX_NORM = """\
    for (int k = 0, i = 0; k < {arrays}; i = arrays[k++].end)
        for (int j = i; arrays[k].penalised && j < arrays[k].end; j += arrays[k].width)
            shorten(P + j, arrays[k].width, {limit});
"""


def check_trainable(plan: Plan) -> None:
    """Refuse what the step in C cannot do.

    Raises
    ------
    SettingError
        For an optimizer that needs all the data at once, dropout, or a network without
        parameters, by name.
    """
    network, optimizer = plan.network, plan.optimizer_row
    if optimizer.full_batch:
        raise SettingError(
            f"export: optimizer {type(optimizer).__name__} has no step in C, because it works on "
            "all the data at once; expected one that steps by batches, such as 'sgd' or 'adam'. "
            "Choose one of these, or export without training."
        )
    if network.dropout:
        layer = next(iter(network.dropout))
        where = f"layer {layer}" if layer else "the input"
        raise SettingError(
            f"export: {where} has dropout={network.dropout[layer]:g}, and the step in C draws no "
            "masks; expected none. Build the network without it, or export without training."
        )
    if not network.parameter_count:
        raise SettingError(
            "export: the network has no parameters to train; expected some. Export without "
            "training."
        )


def loss_and_delta(c: Passes, plan: Plan, last: Spot, d: str) -> list[str]:
    """Statements that add an example's loss to ``cost`` and write δ[L], or dA[L], at `d`."""
    network, n = plan.network, last.n
    row, share = network.cost_row, plan.regularization.label_smoothing
    lines = []
    if share > 0 and row.uniform is not None:
        spread, smoothed = c.number(share * row.uniform(n)), c.buffer("smoothed", n)
        lines = [each(n, f"{smoothed}[i] = y[i] * {c.number(1.0 - share)} + {spread};")]
        lines.append(f"y = {smoothed};")
    output = None if network.pair is None else network.layers[-1].g
    kernel = BY_HAND.get(_key(row, output)) if row.is_listed else None
    if kernel is not None:
        numbers = map(c.number, row.numbers)
        return [*lines, f"cost += {kernel.format(*numbers, z=last.z, a=last.a, d=d, n=n)};"]
    found = expressions(
        f"cost {row.name!r}",
        lambda: cost_expressions(row, output, n, c.dtype),
        "export without training",
    )
    places = {"z": f"{last.z}[i]", "a": f"{last.a}[i]", "y": "y[i]"}
    loss = c.functions.call(f"loss {row.name}", found.loss, places)
    derivative = f"{'delta' if found.is_delta else 'dA'} {row.name}"
    d_i = c.functions.call(derivative, found.d, places)
    return [*lines, each(n, f"cost += {loss}, {d}[i] = {d_i};")]


def _key(row: Cost, output: Activation | None) -> str:
    """What :data:`BY_HAND` calls a cost, or an output activation and the cost it is fused with."""
    base = row.name.partition("(")[0]
    return base if output is None else f"{output.name} with {base}"


def arrays_of(plan: Plan) -> list[tuple[int, int, int, float]]:
    """Of each array of parameters: its end in `P`, row length, whether penalised, rate."""
    rows, end = [], 0
    for layer, shapes in zip(plan.network.layers, plan.network.learned_shapes, strict=True):
        for name, (height, width) in shapes.items():
            end += height * width
            rows.append((end, width, int(name in layer.penalised), layer.multiplier(name)))
    return rows


def arrays_defined(c: Passes, plan: Plan) -> str:
    """The same as a constant table."""
    cells = [
        f"    {{{end}, {width}, {penalised}, {c.number(rate)}}},"
        for end, width, penalised, rate in arrays_of(plan)
    ]
    return "\n".join(
        [
            "static const struct {",
            "    int end, width, penalised;",
            "    real rate;",
            f"}} arrays[{len(cells)}] = {{",
            *cells,
            "};",
        ]
    )


def step_function(c: Passes, plan: Plan, parameters: Parameters, name: str) -> str:
    """The function that makes one step from a batch; it calls ``forward`` and ``back``."""
    rules, optimizer, network = plan.regularization, plan.optimizer_row, plan.network
    sizes = {"arrays": len(arrays_of(plan)), "count": network.parameter_count}
    update = _update(c, plan, parameters)
    before = after = ""
    if rules.penalised:
        penalty = {"l1": c.number(rules.l1), "l2": c.number(rules.l2)}
        over = "(real)m" if rules.over_batch else "1"
        before += _PENALTY.format(**sizes, **penalty, over=over)
    if rules.clip_value is not None:
        before += _CLIP_VALUE.format(**sizes, limit=c.number(rules.clip_value))
    if rules.clip_norm is not None:
        before += f"    shorten(D, {sizes['count']}, {c.number(rules.clip_norm)});\n"
    decay, one = rules.decay + optimizer.decay, update.of_entry
    if decay > 0:
        one = [f"if (arrays[k].penalised) P[i] -= rate * {c.number(decay)} * P[i];", *one]
    if rules.max_norm is not None:
        after += _MAX_NORM.format(**sizes, limit=c.number(rules.max_norm))
    return _STEP.format(
        name=name,
        inputs=network.inputs,
        outputs=network.outputs,
        before=before + _indented(update.of_step, 1),
        array=_indented(update.of_array, 2),
        each=_indented(one, 3),
        after=after,
        **sizes,
    )


def _indented(lines: Sequence[str], depth: int) -> str:
    return "".join(f"{'    ' * depth}{line}\n" for line in lines)


# -------------------------------------------------------------------------------- the update


class _Update(NamedTuple):
    """Statements of the optimizer's update: once a step, for each array, for each entry."""

    of_step: list[str]
    of_array: list[str]
    of_entry: list[str]


def _update(c: Passes, plan: Plan, parameters: Parameters) -> _Update:
    """The update as the optimizer's expressions say it."""
    optimizer = plan.optimizer_row
    found = expressions(
        f"optimizer {type(optimizer).__name__!r}",
        lambda: optimizer_expressions(optimizer, c.dtype),
        "export without training",
    )
    numbers, outputs = hoisted(found)
    counted = _reads("t", numbers.values())
    made = {name: node for name, node in numbers.items() if node.arguments}
    by_array = {name: node for name, node in made.items() if _reads("alpha", [node])}
    once = {name: node for name, node in made.items() if name not in by_array}
    unread = [] if _reads("alpha", numbers.values()) else ["(void)alpha;"]
    return _Update(
        ([f"{c.buffer('steps', 1)}[0] += 1;"] if counted else []) + _numbers(once),
        unread + _numbers(by_array),
        _entry(c, plan, parameters, outputs, numbers),
    )


def _reads(name: str, nodes: Iterable[Node]) -> bool:
    """Whether an input is among what some expressions are made of."""
    return any(node.name == "input" and node.value == name for node in in_order(list(nodes)))


def _numbers(made: Mapping[str, Node]) -> list[str]:
    """Numbers of the step, computed in double; a minimum, maximum or sign is of the type `real`."""
    parts, texts = printed(list(made.values()), _OF_STEP, np.dtype(np.float64), "double")
    defined = zip(made, texts, strict=True)
    return [*parts, *(f"real {name} = (real)({text});" for name, text in defined)]


def _entry(
    c: Passes,
    plan: Plan,
    parameters: Parameters,
    outputs: Sequence[Node],
    numbers: Mapping[str, Node],
) -> list[str]:
    """The new parameter and state of one entry, from the old ones that they read."""
    slots = plan.optimizer_row.slots
    buffers = [_slot(c, plan, parameters, s) for s in range(len(slots))]
    own = {"W": ("W", "P"), "dW": ("dW", "D")}
    own |= {f"slot_{slot}": (f"s{s}", buffers[s]) for s, slot in enumerate(slots)}
    old = [f"{local} = {place}[i]" for name, (local, place) in own.items() if _reads(name, outputs)]
    names = {name: _OF_STEP.get(str(node.value), name) for name, node in numbers.items()}
    names |= {name: local for name, (local, _) in own.items()}
    parts, texts = printed(outputs, names, c.dtype)
    new = zip(["P", *buffers], texts, strict=True)
    read = [f"real {', '.join(old)};"] if old else []
    return [*read, *parts, *(f"{place}[i] = {text};" for place, text in new)]


def _slot(c: Passes, plan: Plan, parameters: Parameters, s: int) -> str:
    """The buffer of an array of the optimizer's state, and what it begins with."""
    optimizer, shapes = plan.optimizer_row, plan.network.learned_shapes
    name = c.functions.named(f"slot {optimizer.slots[s]}")
    starts = [
        np.broadcast_to(optimizer.init(own[each])[s], own[each].shape).ravel()
        for own, order in zip(parameters, shapes, strict=True)
        for each in order
    ]
    if any(start.any() for start in starts):
        c.starts[name] = np.concatenate(starts)
    return c.buffer(name, plan.network.parameter_count)
