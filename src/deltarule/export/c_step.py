"""A training step as C: the cost and its δ, the mean over a batch, penalties, the update."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from deltarule.costs import COSTS
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.export.c_network import Passes, Spot, each
from deltarule.export.rows import row_writer
from deltarule.optimizers import SGD, Adam, AdamW, GradientDescent, Optimizer

LOSSES = {
    "mse": ("squared_error({a}, {y})", "2 * ({a} - {y})"),
    "mae": ("FN(fabs)({y} - {a})", "sign({a} - {y})"),
    "binary_cross_entropy": ("binary_cross_entropy({a}, {y})", "binary_cross_entropy_dA({a}, {y})"),
    "categorical_cross_entropy": ("-weighted_log({y}, {a})", "-ratio({y}, {a})"),
    "half_squared_error": ("squared_error({a}, {y}) / 2", "{a} - {y}"),
    "huber": ("huber({a}, {y}, {0})", "huber_dA({a}, {y}, {0})"),
    "quantile": ("quantile({a}, {y}, {0})", "quantile_dA({a}, {y}, {0})"),
    "poisson": ("{a} - weighted_log({y}, {a})", "1 - ratio({y}, {a})"),
    "focal": ("focal({a}, {y}, {0})", "focal_dA({a}, {y}, {0})"),
    "binary_focal": ("binary_focal({a}, {y}, {0})", "binary_focal_dA({a}, {y}, {0})"),
}
"""By cost, the loss and dA of one unit."""

PAIRS = {
    "binary_cross_entropy": "sigmoid_pair",
    "categorical_cross_entropy": "softmax_pair",
    "poisson": "exp_pair",
    "focal": "focal_pair",
    "binary_focal": "binary_focal_pair",
}
"""By cost, the kernel of its fused pair: the loss of an example, and δ."""

WHOLE = {"softmax_cross_entropy"}
"""Costs that mix units: the kernel of the same name gives the loss of an example, and dA."""

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
        For another optimizer, dropout, or a network without parameters, by name.
    """
    network, name = plan.network, type(plan.optimizer_row).__name__
    if type(plan.optimizer_row) not in _UPDATES:
        known = ", ".join(kind.__name__ for kind in _UPDATES)
        raise SettingError(
            f"export: optimizer {name} has no step in C; expected one of {known}. Choose one of "
            "these, or export without training."
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
    row_writer(COSTS, dict.fromkeys([*LOSSES, *WHOLE]), row)
    lines = []
    if share > 0 and row.uniform is not None:
        spread, smoothed = c.number(share * row.uniform(n)), c.buffer("smoothed", n)
        lines = [each(n, f"{smoothed}[i] = y[i] * {c.number(1.0 - share)} + {spread};")]
        lines.append(f"y = {smoothed};")
    numbers = [c.number(value) for value in row.numbers]
    base = row.name.partition("(")[0]
    if network.pair is not None:
        values = ", ".join([last.z, last.a, "y", d, str(n), *numbers])
        return [*lines, f"cost += {PAIRS[base]}({values});"]
    if base in WHOLE:
        values = ", ".join([last.a, "y", d, str(n), *map(str, row.numbers)])
        return [*lines, f"cost += {base}({values});"]
    loss, dA = (text.format(*numbers, a=f"{last.a}[i]", y="y[i]") for text in LOSSES[base])
    return [*lines, each(n, f"cost += {loss}, {d}[i] = {dA};")]


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


def step_function(c: Passes, plan: Plan, name: str) -> str:
    """The function that makes one step from a batch; it calls ``forward`` and ``back``."""
    rules, optimizer, network = plan.regularization, plan.optimizer_row, plan.network
    sizes = {"arrays": len(arrays_of(plan)), "count": network.parameter_count}
    steps_before, one = _UPDATES[type(optimizer)](c, optimizer, sizes["count"])
    before = after = ""
    if rules.penalised:
        penalty = {"l1": c.number(rules.l1), "l2": c.number(rules.l2)}
        over = "(real)m" if rules.over_batch else "1"
        before += _PENALTY.format(**sizes, **penalty, over=over)
    if rules.clip_value is not None:
        before += _CLIP_VALUE.format(**sizes, limit=c.number(rules.clip_value))
    if rules.clip_norm is not None:
        before += f"    shorten(D, {sizes['count']}, {c.number(rules.clip_norm)});\n"
    decay = rules.decay + optimizer.decay
    if decay > 0:
        one = [f"if (arrays[k].penalised) P[i] -= rate * {c.number(decay)} * P[i];", *one]
    if rules.max_norm is not None:
        after += _MAX_NORM.format(**sizes, limit=c.number(rules.max_norm))
    return _STEP.format(
        name=name,
        inputs=network.inputs,
        outputs=network.outputs,
        before=before + "".join(f"    {line}\n" for line in steps_before),
        each="".join(f"            {line}\n" for line in one),
        after=after,
        **sizes,
    )


# ------------------------------------------------------------------------------- optimizers


def _descent(c: Passes, optimizer: Any, count: int) -> tuple[list[str], list[str]]:
    return [], ["P[i] -= alpha * D[i];"]


def _momentum(c: Passes, optimizer: SGD, count: int) -> tuple[list[str], list[str]]:
    if optimizer.momentum == 0:
        return _descent(c, optimizer, count)
    V, mu = c.buffer("V", count), c.number(optimizer.momentum)
    step = f"{mu} * {V}[i] - alpha * D[i]"
    return [], [f"{V}[i] = {step};", f"P[i] += {step if optimizer.nesterov else f'{V}[i]'};"]


def _adam(c: Passes, optimizer: Adam, count: int) -> tuple[list[str], list[str]]:
    M, V, epsilon = c.buffer("M", count), c.buffer("V", count), c.number(optimizer.epsilon)
    one, two = optimizer.beta_1, optimizer.beta_2
    step = f"* correct_V / (FN(sqrt)({V}[i]) + {epsilon})"
    if not optimizer.epsilon_inside:
        step = f"/ (FN(sqrt)({V}[i]) / correct_V + {epsilon})"
    return (
        [
            f"{c.buffer('steps', 1)}[0] += 1;",
            f"real correct_M = {_corrected(c, one)};",
            f"real correct_V = FN(sqrt)({_corrected(c, two)});",
        ],
        [
            f"{M}[i] = {c.number(one)} * {M}[i] + {c.number(1.0 - one)} * D[i];",
            f"{V}[i] = {c.number(two)} * {V}[i] + {c.number(1.0 - two)} * D[i] * D[i];",
            f"P[i] -= alpha * ({M}[i] / correct_M {step});",
        ],
    )


def _corrected(c: Passes, beta: float) -> str:
    """``1 − β^t``."""
    return f"-FN(expm1)(steps[0] * {c.number(math.log(beta))})" if beta else "1"


_UPDATES: dict[type[Optimizer], Callable[[Passes, Any, int], tuple[list[str], list[str]]]] = {
    GradientDescent: _descent,
    SGD: _momentum,
    Adam: _adam,
    AdamW: _adam,
}
"""By optimizer, the statements before the update, and those of one parameter."""
