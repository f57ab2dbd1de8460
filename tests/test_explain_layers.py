"""Every kind of layer in the page's script: what it computes is the reference's."""

import re
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

import deltarule as dr
from deltarule.explain.page import ENGINE_SCRIPTS
from deltarule.explain.page_plan import described_plan
from deltarule.explain.trace import trace
from deltarule.layers import KINDS
from deltarule.network import feed_forward, input_jacobian

from .test_explain import rows
from .test_explain_page import (
    AGREES,
    ARITHMETIC,
    chromium,  # noqa: F401 - a fixture
    evaluated,
    numbers,
    opened,  # noqa: F401 - a fixture
)
from .tolerances import error

EDGES = [[-1.0, 0.0, 1.0], [-0.5, 0.5], [-1.0, -0.2, 0.4, 2.0]]
SLOW = dr.Dense(4, "tanh", rate=0.5, bias_rate=2.0)


def ensemble(*layers, networks=2):
    """Several networks side by side, and a dense layer that averages their outputs."""
    return [dr.Parallel([(0, 3, [*layers, dr.Dense(2)])] * networks), dr.Dense(2, "sigmoid")]


BESIDE = dr.Parallel([
    (0, 3, []),
    (0, 2, [dr.Periodic(4), dr.Grouped(2, size=4, activation="gelu", rate=0.5)]),
    (2, 3, [dr.PiecewiseLinear(EDGES[2:]), dr.BatchNorm("tanh")]),
])  # fmt: skip
CHAINS = {
    "scale": [dr.Scale(rate=6.0), dr.Dense(2)],
    "parametric": [SLOW, dr.Parametric("gelu", start=0.75), dr.Dense(2, "sigmoid")],
    "layer_norm": [dr.Dense(4), dr.LayerNorm("relu"), dr.Dense(2)],
    "batch_norm": [dr.Dense(4, "tanh"), dr.BatchNorm("relu", momentum=0.3), dr.Dense(2)],
    "piecewise_linear": [dr.PiecewiseLinear(EDGES), dr.Dense(4, "selu"), dr.Dense(2)],
    "periodic": [dr.Periodic(4, pairs=True, spread=0.5), dr.Dense(2)],
    "grouped": [dr.Grouped(2, size=1, activation="softmax"), dr.Dense(2)],
    "embedding": [dr.Embedding([3, 2, 4], width=2), SLOW, dr.Dense(2)],
    "shared": [
        dr.Parallel([(0, 3, [dr.Scale(start="normal")])] * 2),
        dr.Shared(4, 2, "mish", dropout=0.2),
        dr.Grouped(1, size=4, activation="sigmoid"),
    ],
    "parallel": [BESIDE, dr.Dense(2)],
    "dense": [dr.Dense(4, "relu", dropout=0.3), dr.Dense(2)],
    "an ensemble": ensemble(BESIDE, dr.Scale(), SLOW),
    "dropout after parts": [replace(BESIDE, dropout=0.3), dr.Dense(2)],
    "an output that is not a dense layer": [dr.Dense(5), dr.LayerNorm("tanh")],
}
RULES = dr.Regularization(l1=0.01, l2=0.1, decay=0.1, max_norm=0.8, clip_norm=0.9)


def network(name):
    cost = "binary_cross_entropy" if name == "an ensemble" else "mse"
    return dr.Network(3, CHAINS[name], cost)


def data(name):
    X, Y = rows(network(name))
    codes = np.array([[2.0, 1, 3], [1, 0, 0], [2, 2, 9.5]] * 2)
    return codes if name == "embedding" else X, Y


def packed(matrix):
    return [*matrix.shape, matrix.ravel().tolist()]


@pytest.fixture
def script(chromium):  # noqa: F811 - the fixture
    """A page with the scripts that compute, and nothing else."""
    page = chromium.new_page()
    assets = resources.files("deltarule.explain") / "assets"
    for name in (*ENGINE_SCRIPTS, "notation.js"):
        page.add_script_tag(content=(assets / name).read_text(encoding="utf-8"))
    yield page
    page.close()


STEPS = """({ plan, parameters, X, Y, weights, masks, alpha, steps }) => {
  const matrix = ([n, m, v]) => Engine.matrix(n, m, Float64Array.from(v));
  const each = (table) => Object.fromEntries(Object.entries(table).map(([k, M]) => [k, matrix(M)]));
  const start = parameters.map(each);
  let now = { parameters: start, X: matrix(X), Y: matrix(Y), weights: weights && matrix(weights),
    alpha, t: 1, state: Engine.initialState(plan, start) };
  for (let k = 0; k < steps; k++) {
    now.masks = each(masks[k % masks.length]);
    now.done = Engine.step(plan, now);
    if (k < steps - 1) now = Engine.next(now, now.done);
  }
  const found = Notation.collect(plan, now), told = {};
  for (const [key, M] of Object.entries(found)) told[key] = [M.n, M.m, [...M.v]];
  return told;
}"""


def given(traced, steps):
    """What STEPS takes of a trace."""
    first = traced.steps[0]
    return {
        "plan": described_plan(traced.plan)[0],
        "parameters": [{k: packed(W) for k, W in own.items()} for own in first.before],
        "X": packed(traced.X),
        "Y": packed(traced.Y),
        "weights": None if traced.weights is None else packed(traced.weights[None]),
        "masks": [{str(l): packed(D) for l, D in step.masks.items()} for step in traced.steps],
        "alpha": first.learning_rate,
        "steps": steps,
    }


def page_name(name):
    """A recorded array's name on the page: "dW[1.3.2]" where it is "3.2.dW[1]"."""
    prime = re.fullmatch(r"g'\(Z\[(\d+)\]\)", name)
    if prime:
        return f"gPrime[{prime[1]}]"
    inner = re.fullmatch(r"(d?)((?:\d+\.)+)(.+)\[(\d+)\]", name)
    return f"{inner[1]}{inner[3]}[{inner[4]}.{inner[2][:-1]}]" if inner else name


@pytest.mark.parametrize("rules", [None, RULES], ids=["plain", "rules"])
@pytest.mark.parametrize("name", CHAINS)
def test_a_step_of_every_kind_is_the_references(script, name, rules):
    weights = [1.0, 0.5, 2, 0, 1, 3] if rules else None
    net = network(name)
    traced = trace(
        net,
        net.initial_parameters(1, "float64"),
        *data(name),
        optimizer=dr.Adam(0.05) if rules else dr.GradientDescent(0.1),
        regularization=rules,
        weights=weights,
        steps=3,
    )
    for k, step in enumerate(traced.steps, 1):
        mine = script.evaluate(STEPS, given(traced, k))
        for recorded, array in step.arrays():
            if recorded.startswith(("state", "mask")):
                continue
            n, m, v = mine[page_name(recorded)]
            got = np.array([np.nan if x is None else x for x in v], dtype=float).reshape(n, m)
            assert error(got, np.atleast_2d(array)) < AGREES, (k, recorded)
        assert mine["C"][2][0] == pytest.approx(step.cost, rel=1e-12)


def test_every_kind_is_tried():
    assert set(CHAINS) >= set(KINDS)


@pytest.mark.parametrize("name", CHAINS)
def test_fifty_steps_of_training_are_the_references(script, name):
    plain = [replace(each, dropout=0.0) if each.dropout else each for each in CHAINS[name]]
    net, (X, Y) = dr.Network(3, plain, network(name).cost), data(name)
    start, optimizer = net.initial_parameters(1, "float64"), dr.Adam(0.01)
    traced = trace(net, start, X, Y, optimizer=optimizer)
    mine = script.evaluate(STEPS, given(traced, 50))
    runner = dr.start(
        net, optimizer=optimizer, dtype="float64", parameters=start, engine="reference"
    )
    for _ in range(50):
        runner.step(X, Y)
    for l, own in enumerate(runner.parameters(), 1):
        for parameter, W in own.items():
            n, m, v = mine[page_name(f"{parameter}_new[{l}]")]
            assert error(np.reshape(v, (n, m)), W) < 1e-10, (l, parameter)


PREDICTED = """({ plan, parameters, X, unit }) => {
  const matrix = ([n, m, v]) => Engine.matrix(n, m, Float64Array.from(v));
  const own = parameters.map((table) =>
    Object.fromEntries(Object.entries(table).map(([k, M]) => [k, matrix(M)])));
  const passed = Engine.forward(plan, own, matrix(X));
  return [[...passed.A.at(-1).v], [...Engine.inputGradient(plan, own, passed, unit).v]];
}"""


@pytest.mark.parametrize("name", CHAINS)
def test_predictions_and_their_derivatives_are_the_references(script, name):
    net, (X, Y) = network(name), data(name)
    start = net.initial_parameters(1, "float64")
    told = given(trace(net, start, X, Y), 1)
    A, dA = script.evaluate(PREDICTED, {**told, "unit": 1})
    assert error(np.array(A), feed_forward(net, start, X.T)[-1].A.ravel()) < AGREES
    expected = input_jacobian(net, start, X.T)[:, 1].T
    assert error(np.array(dA), expected.ravel()) < AGREES


@pytest.mark.parametrize("name", CHAINS)
def test_the_page_walks_every_kind(opened, name):  # noqa: F811 - the fixture
    net = network(name)
    X, Y = data(name)
    traced = trace(
        net,
        net.initial_parameters(1, "float64"),
        X,
        Y,
        optimizer=dr.Adam(0.05),
        regularization=dr.Regularization(l2=0.1, max_norm=0.8),
        weights=[1.0, 0.5, 2, 0, 1, 3],
    )
    page = opened(traced)
    mine = numbers(page)
    for recorded, array in traced.steps[0].arrays():
        if not recorded.startswith(("state", "mask")):
            assert error(mine[page_name(recorded)], np.atleast_2d(array)) < AGREES, recorded
    shown = 0
    for key, exact, _, value in page.evaluate(ARITHMETIC):
        assert evaluated(exact) == pytest.approx(value, rel=1e-9, abs=1e-12), (key, exact)
        shown += 1
    given_ = [key for key in mine if re.match(r"(A\[0\]|Y|s|D|target)$|D\[|[a-zA-Z]+\[", key)]
    assert shown > len(given_)
    outs = set()
    for _ in range(page.evaluate("Walk.count()")):
        outs.add(page.get_attribute("#substep .numbers .matrix >> nth=0", "data-key"))
        assert page.locator("#substep math").count() >= 2
        page.keyboard.press("ArrowRight")
    for key in mine:
        if re.match(r"d(?!A|elta)", key) and ".2." not in key and ".3." not in key:
            assert key in outs


def test_a_custom_kind_is_refused():
    class Own(dr.Scale):
        pass

    net = dr.Network(2, [Own(), dr.Dense(1)])
    traced = trace(net, net.initial_parameters(), np.eye(2), np.ones((2, 1)))
    with pytest.raises(dr.SettingError, match="Own is a custom one"):
        described_plan(traced.plan)
