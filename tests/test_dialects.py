"""Every row of every table in every dialect: the same numbers, at kinks, extremes and between.

A row is a function of arrays; engines, exports and the page have it compiled, traced, printed. Here
each of them is asked for g and g', loss and dA (or δ), or some steps, and compared with the row.
"""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import mkdtemp

import jax
import numpy as np
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import deltarule as dr
from deltarule import explain
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines.plan import Plan
from deltarule.export import c_file, onnx_bytes
from deltarule.expressions.javascript import listed
from deltarule.layers.numeric import COSINE
from deltarule.modelfile import Model
from deltarule.optimizers import OPTIMIZERS
from deltarule.row_expressions import (
    WRITTEN_BY_HAND,
    activation_expressions,
    cost_expressions,
)

from .test_explain_page import agree, chromium, opened  # noqa: F401
from .test_export_c import Library, apart, flat, needs_compiler
from .test_export_rows import Compiled
from .tolerances import STEP

DTYPES = ("float32", "float64")
BY_HAND = set(WRITTEN_BY_HAND)

ACTIVATION_ROWS = [
    *(ACTIVATIONS(name) for name in ACTIVATIONS if name not in BY_HAND),
    *map(ACTIVATIONS, ("leaky_relu(0.3)", "elu(0.7)")),
    COSINE,
]
COST_ROWS = [
    (row, output)
    for row in map(COSTS, [*COSTS, "huber(0.3)", "quantile(0.9)", "focal(3)", "binary_focal(0)"])
    for output in (None, *row.fused)
    if row.name.partition("(")[0] not in BY_HAND and output != "softmax"
]

_SIZES = (0.0, 1e-30, 1e-6, 0.3, 0.5, 1.0, 2.0, 3.5, 7.5, 30.0, 80.0, 300.0, 1e4)
Z = np.array([*_SIZES, *(-z for z in _SIZES), math.inf, -math.inf])


def close(found, expected, size, dtype, within=None):
    """Within the table of tolerances, of the number or of what it is made of; or both no number."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    limits = np.finfo(dtype)
    tiny, most = float(limits.smallest_normal) / float(limits.eps), float(limits.max)
    slack = (within or STEP[dtype]) * np.maximum(abs(expected), np.minimum(1.0, size)) + tiny
    with np.errstate(all="ignore"):
        near = abs(found - expected) <= slack
    beyond = (abs(expected) > most / 8) & ((abs(found) > most / 8) | np.isnan(found))
    nothing = np.isnan(expected) & ~np.isfinite(found)
    good = near | (found == expected) | beyond | nothing
    assert good.all(), (size[~good], found[~good], expected[~good])


def own(row, **changes):
    """A copy that the compiled core does not know."""
    return replace(row, name=f"own {row.name}", **changes)


def one_unit(output, cost="mse"):
    """A network that is its activation: W is 1 and b is 0."""
    return dr.Network(1, [dr.Dense(1, output)], cost)


def is_itself(dtype):
    """The parameters of :func:`one_unit`."""
    return ({"W": np.ones((1, 1), dtype), "b": np.zeros((1, 1), dtype)},)


# ------------------------------------------------------------------- activations: g and g'


def on_native(row, z, dtype, **_):
    runner = dr.start(one_unit(row), engine="native", dtype=dtype, parameters=is_itself(dtype))
    X = z[:, None]
    return runner.predict(X)[:, 0], runner.jacobian(X)[:, 0, 0]


def as_program(row, z, dtype, **_):
    return on_native(own(row), z, dtype)


def on_jax(row, z, dtype, **_):
    with jax.enable_x64(dtype == "float64"):
        Z = jax.numpy.asarray(z[None])
        return np.asarray(row.g(Z))[0], np.asarray(row.g_prime(Z))[0]


def in_c(row, z, dtype, folder, **_):
    g, g_prime = activation_expressions(row, dtype)
    run = Compiled(_own(folder), dtype, [("g", g), ("g prime", g_prime)])
    return run(0, z), run(1, z)


def _own(folder):
    """A folder for one library: of one path only the first is loaded."""
    return Path(mkdtemp(dir=folder))


def in_javascript(row, z, dtype, page, **_):
    return _evaluated(page, activation_expressions(row, dtype), {"z": z})


def _evaluated(page, nodes, inputs):
    code = """([list, inputs, size]) => Expressions.evaluate(list, Object.fromEntries(
      Object.entries(inputs).map(([k, v]) => [k, Float64Array.from(v, Number)])), size)
      .map((each) => Array.from(each, String))"""
    given = {
        name: [repr(float(v)).replace("inf", "Infinity") for v in values]
        for name, values in inputs.items()
    }
    size = len(next(iter(inputs.values())))
    found = page.evaluate(code, [listed(nodes), given, size])
    return [np.array([float(text.replace("Infinity", "inf")) for text in each]) for each in found]


def in_onnx_runtime(row, z, dtype, **_):
    content = onnx_bytes(Model(one_unit(row), is_itself(dtype)))
    return onnxruntime.InferenceSession(content).run(None, {"X": z[:, None]})[0][:, 0], None


def in_onnx_reference(row, z, dtype, **_):
    content = onnx_bytes(Model(one_unit(row), is_itself(dtype)))
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(content).run(None, {"X": z[:, None]})[0][:, 0], None


def on_reference(row, z, dtype, **_):
    with np.errstate(all="ignore"):
        return row.g(z[None])[0], row.g_prime(z[None])[0]


# ------------------------------------------------------------- costs: the loss, and dA or δ


def cost_on_native(row, output, z, a, y, dtype, **_):
    """One example a call: z goes in, and the bias's derivative is dA, or δ."""
    g = output or dr.Activation("as it is", lambda Z: Z, np.ones_like, row.outputs)
    runner = dr.start(one_unit(g, row), engine="native", dtype=dtype, parameters=is_itself(dtype))
    losses, derivatives = [], []
    for x, target in zip((z if output else a)[:, None, None], y[:, None, None], strict=True):
        losses.append(runner.cost(x, target))
        derivatives.append(runner.gradients(x, target)[0]["b"][0, 0])
    return losses, derivatives


def cost_as_program(row, output, z, a, y, dtype, **_):
    pairs = {} if output is None else {output: row.fused[output]}
    return cost_on_native(own(row, fused=pairs), output, z, a, y, dtype)


def _of_cost(row, output, z, a, y):
    if output is None:
        return row.loss(a, y), row.dA(a, y)[0]
    return row.fused[output].loss(z, y), row.fused[output].delta(z, a, y)[0]


def cost_on_jax(row, output, z, a, y, dtype, **_):
    with jax.enable_x64(dtype == "float64"):
        given = (jax.numpy.asarray(v[None]) for v in (z, a, y))
        return tuple(map(np.asarray, _of_cost(row, output, *given)))


def cost_in_c(row, output, z, a, y, dtype, folder, **_):
    found = cost_expressions(row, output and ACTIVATIONS(output), 1, dtype)
    run = Compiled(_own(folder), dtype, [("loss", found.loss), ("d", found.d)])
    return run(0, z, a, y), run(1, z, a, y)


def cost_in_javascript(row, output, z, a, y, dtype, page, **_):
    found = cost_expressions(row, output and ACTIVATIONS(output), 1, dtype)
    return _evaluated(page, [found.loss, found.d], {"z": z, "a": a, "y": y})


def cost_on_reference(row, output, z, a, y, dtype, **_):
    with np.errstate(all="ignore"):
        return _of_cost(row, output, z[None], a[None], y[None])


DIALECTS = {
    "reference": (on_reference, cost_on_reference),
    "native": (on_native, cost_on_native),
    "native as a program": (as_program, cost_as_program),
    "jax": (on_jax, cost_on_jax),
    "c": (in_c, cost_in_c),
    "javascript": (in_javascript, cost_in_javascript),
    "onnx runtime": (in_onnx_runtime, None),
    "onnx.reference": (in_onnx_reference, None),
}
"""By name, what gives g and g' of a row, and what a loss and its derivative."""

# ONNX Runtime has Erf in float32 only: what is made of it is no more precise.
COARSE = {("gelu", "onnx runtime"), ("gelu", "onnx.reference")}


def in_each_precision(*dialects):
    """Dialects in both precisions, and the page, which computes in double precision alone."""
    page = pytest.param("javascript", "float64", marks=pytest.mark.browser)
    cases = [(each, dtype) for each in dialects if each != "javascript" for dtype in DTYPES]
    return pytest.mark.parametrize(("dialect", "dtype"), [*cases, page])


@pytest.fixture
def given(request, tmp_path):
    """What a dialect needs beside the row: a folder to compile in, an open page."""

    def of(dialect):
        if dialect == "javascript":
            return {"page": request.getfixturevalue("opened")(explain.worked_trace())}
        if dialect == "c" and needs_compiler.args[0]:
            pytest.skip("no compiler of C")
        return {"folder": tmp_path}

    return of


def in_range(interval, seed):
    """Numbers within an interval, some close to its ends, one at an end that it includes."""
    low, high = (min(max(end, -50.0), 50.0) for end in interval.ends)
    share = np.random.default_rng(seed).uniform(0.02, 0.98, 36)
    values = np.concatenate([low + (high - low) * share, [low, high, low + 1e-6, high - 1e-3]])
    return values[interval.holds(values)]


def walk_activations(dialect, dtype, more):
    for row in ACTIVATION_ROWS:
        z = Z.astype(dtype)
        with np.errstate(all="ignore"):
            expected = [f(z[None].astype(float))[0] for f in (row.g, row.g_prime)]
        found = DIALECTS[dialect][0](row, z, dtype, **more)
        within = STEP["float32"] if (row.name, dialect) in COARSE else None
        close(found[0], expected[0], abs(z), dtype, within)
        if found[1] is not None:
            # an infinite input is no number in what pads a layer, and so in the Jacobian
            asked = np.isfinite(z) if "native" in dialect else slice(None)
            close(found[1][asked], expected[1][asked], np.ones_like(z[asked]), dtype)


def walk_costs(dialect, dtype, more):
    for row, output in COST_ROWS:
        y, a = in_range(row.targets, 0), in_range(row.outputs, 1)
        a, y = (v.ravel().astype(dtype) for v in np.meshgrid(a[::3], y[::3]))
        z = np.random.default_rng(2).uniform(-30, 30, len(a)).astype(dtype)
        if output:
            a = np.asarray(ACTIVATIONS(output).g(z))
        with np.errstate(all="ignore"):
            expected = _of_cost(row, output, *(v[None].astype(float) for v in (z, a, y)))
        found = DIALECTS[dialect][1](row, output, z, a, y, dtype, **more)
        size = abs(np.stack([z, a, y])).max(axis=0)
        for one, exact in zip(found, expected, strict=True):
            close(one, exact, size, dtype)


@in_each_precision(*DIALECTS)
def test_every_activation_in_every_dialect(dialect, dtype, given):
    walk_activations(dialect, dtype, given(dialect))


@in_each_precision(*(name for name, (_, cost) in DIALECTS.items() if cost))
def test_every_cost_in_every_dialect(dialect, dtype, given):
    walk_costs(dialect, dtype, given(dialect))


# ------------------------------------------------------------------------- rows of steps

STEPPING = [OPTIMIZERS.entry(name)(0.05) for name in OPTIMIZERS if name not in BY_HAND]
STEPPING += [dr.SGD(0.05, nesterov=True), dr.Adam(0.05, epsilon_inside=True)]


def plan_of(optimizer="sgd", cost="half_squared_error", output="identity"):
    return Plan(dr.Network(4, [dr.Dense(5, "tanh"), dr.Dense(6, output)], cost), optimizer)


def batch_of(plan, dtype):
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(9, 4)), rng.normal(size=(9, 6))
    if plan.network.cost_row.distribution or plan.network.cost_row.group > 1:
        groups = max(1, plan.network.cost_row.group)
        width = groups if groups > 1 else 6
        Y = np.eye(width)[rng.integers(width, size=9 * 6 // width)].reshape(9, 6)
    return X.astype(dtype), Y.astype(dtype)


def stepped(plan, engine, dtype, steps=4):
    """Costs and parameters of some steps of an engine."""
    X, Y = batch_of(plan, dtype)
    runner = dr.start(plan.network, optimizer=plan.optimizer_row, engine=engine, dtype=dtype)
    costs = [runner.step(X, Y) for _ in range(steps)]
    return np.concatenate([costs, flat(runner.parameters())])


def stepped_as_a_program(plan, dtype):
    kind = type(plan.optimizer_row)
    mine = dataclass(frozen=True)(type("Mine", (kind,), {"__module__": __name__}))
    settings = {each.name: getattr(plan.optimizer_row, each.name) for each in fields(kind)}
    return stepped(replace(plan, optimizer=mine(**settings)), "native", dtype)


def stepped_in_c(plan, dtype, folder):
    network = plan.network
    model = Model(network, network.initial_parameters(0, dtype))
    library = Library(folder, c_file(model, optimizer=plan.optimizer_row), dtype)
    rate = plan.optimizer_row.schedule.rate
    X, Y = map(np.ascontiguousarray, batch_of(plan, dtype))
    costs = [library.step(X, Y, rate) for _ in range(4)]
    return np.concatenate([costs, library.parameters(network.parameter_count)])


def same_page(plan, open_):
    """The page's step is the recorded one."""
    X, Y = batch_of(plan, "float64")
    start = plan.network.initial_parameters(0, "float64")
    network, optimizer = plan.network, plan.optimizer_row
    trace = explain.trace(network, start, X, Y, optimizer=optimizer)
    page = open_(trace)
    agree(page, trace.steps[0])
    page.close()  # open pages slow each other down


def same_steps(plan, dtype, dialect, request, folder):
    if dialect == "javascript":
        same_page(plan, request.getfixturevalue("opened"))
        return
    if dialect == "c":
        if needs_compiler.args[0]:
            pytest.skip("no compiler of C")
        found = stepped_in_c(plan, dtype, folder)
    elif dialect == "native as a program":
        found = stepped_as_a_program(plan, dtype)
    else:
        found = stepped(plan, dialect, dtype)
    assert apart(found, stepped(plan, "reference", dtype)) <= STEP[dtype], plan.optimizer_row


@in_each_precision("native", "native as a program", "jax", "c")
def test_every_optimizer_in_every_dialect(dialect, dtype, request, tmp_path):
    for place, optimizer in enumerate(STEPPING):
        folder = tmp_path / str(place)
        folder.mkdir()
        same_steps(plan_of(optimizer), dtype, dialect, request, folder)


HAND = {
    "softmax": plan_of(cost="mse", output="softmax"),
    "softmax with categorical_cross_entropy": plan_of(
        cost="categorical_cross_entropy", output="softmax"
    ),
    "softmax with focal": plan_of(cost="focal", output="softmax"),
    "softmax_cross_entropy": plan_of(cost="softmax_cross_entropy(3)"),
}
"""What each dialect has written by hand; ``lbfgs`` drives the engines' gradients from outside."""


@in_each_precision("native", "jax", "c")
@pytest.mark.parametrize("row", HAND)
def test_what_is_written_by_hand_in_every_dialect(row, dialect, dtype, request, tmp_path):
    same_steps(HAND[row], dtype, dialect, request, tmp_path)


def test_no_row_is_left_out():
    walked = {row.name.partition("(")[0] for row in ACTIVATION_ROWS}
    assert {*ACTIVATIONS} <= walked | BY_HAND
    costs = {(row.name.partition("(")[0], output) for row, output in COST_ROWS}
    expected = {(name, output) for name in COSTS for output in (None, *COSTS(name).fused)}
    hand = {(c, "softmax") for c in COSTS} | {(c, None) for c in BY_HAND}
    assert expected <= costs | hand
    assert {type(row) for row in STEPPING} | {dr.LBFGS} == set(OPTIMIZERS.entries.values())
    assert set(HAND) | {"lbfgs"} == BY_HAND
