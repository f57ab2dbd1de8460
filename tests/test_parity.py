"""Every engine gives the reference's numbers: the one test that all of them share.

Gradients first, then optimizers fed identical gradients, then both together over many steps.
Differences are norm-wise, array by array. A float32 engine is evaluated against the reference in
float64 and may err at most four times as much as NumPy in float32. A new engine is one more
entry of the table of engines; what it refuses is skipped with its reason.

The suite runs pairwise covering sets; ``make parity`` runs the full products, 520 gradients and
6240 optimizers' steps an engine, and ``make parity PART=3/40`` the third of forty random parts.
"""

import os
import random

import numpy as np
import pytest

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines import ENGINES, EngineOptions, Plan, _module
from deltarule.optimizers import OPTIMIZERS

from .covering import pairwise, product_of, test_every_pair_is_met  # noqa: F401
from .tolerances import STEP, error

OTHERS = [name for name in ENGINES if name != "reference"]
PART = os.environ.get("DELTARULE_PARITY")  # "3/40"; all of it is "1/1"
SIZES, M, BATCH = (5, 7, 6, 3), 11, 4  # all different, and a short last batch
WHOLE = 8  # rows that make whole batches
OPTIMIZERS_THAT_STEP = {
    name: OPTIMIZERS(name) for name in OPTIMIZERS if not OPTIMIZERS(name).full_batch
} | {
    "nesterov": dr.SGD(0.01, nesterov=True),
    "adam inside": dr.Adam(1e-3, epsilon_inside=True),
}


def pairs():
    """Every cost with every output activation that it goes with."""
    return [
        (cost, output)
        for cost in COSTS
        for output in ACTIVATIONS
        if ACTIVATIONS(output).range in COSTS(cost).outputs
    ]


def rows_of(factors):
    """Rows, as dictionaries: a covering set of the factors, or a part of their product."""
    if PART is None:
        return pairwise(factors)
    rows, (k, n) = product_of(factors), map(int, PART.split("/"))
    assert 1 <= k <= n, f"DELTARULE_PARITY={PART}: expected a part such as 3/40"
    random.Random(0).shuffle(rows)
    return rows[k - 1 :: n]


NETWORKS = {"hidden": list(ACTIVATIONS), "cost": list(COSTS), "weighted": [False, True]}
GRADIENTS = rows_of(NETWORKS | {"dtype": ["float64", "float32"]})
STEPS = rows_of(NETWORKS | {"optimizer": list(OPTIMIZERS_THAT_STEP), "dropout": [0.0, 0.3]})


def turns(rows):
    """Numbers of rows, named by what the rows hold."""
    names = ["-".join(map(str, row.values())) for row in rows]
    return pytest.mark.parametrize("turn", range(len(rows)), ids=names)


def fitting(cost, turn):
    """An output activation that the cost goes with: another one each turn."""
    outputs = [output for name, output in pairs() if name == cost]
    return outputs[turn % len(outputs)]


def network_of(hidden="tanh", cost="mse", output="identity", dropout=0.0):
    n0, *widths, last = SIZES
    layers = [dr.Dense(n, hidden, dropout=dropout if n == 7 else 0.0) for n in widths]
    return dr.Network(n0, [*layers, dr.Dense(last, output)], cost)


def data_of(network, weighted=False, seed=0):
    """Random data, off every kink: no weighted input, error or output is near one."""
    rng = np.random.default_rng(seed)
    X = 0.5 * rng.standard_normal((M, SIZES[0]))
    Y = rng.random((M, SIZES[-1])) * 0.8 + 0.1
    if network.cost_row.distribution:
        Y /= Y.sum(axis=1, keepdims=True)
    weights = rng.random(M) + 0.25 if weighted else None
    if weighted:
        weights[3] = 0.0
    return X, Y, weights


def runners(engine, dtype, network, **settings):
    """The reference's runner and the other engine's, from the same parameters."""
    plan = Plan(network, settings.get("optimizer", "sgd"), dtype=dtype)
    why_not = _module(engine).refusal(plan, EngineOptions())
    if why_not is not None:
        pytest.skip(why_not)
    both = [
        dr.start(network, engine=name, dtype=dtype, **settings) for name in ("reference", engine)
    ]
    if any(layer.g.name == "exp" for layer in network.layers[:-1]):  # else too much for float32
        small = tuple({k: W / 4 for k, W in layer.items()} for layer in both[0].parameters())
        for runner in both:
            runner.set_parameters(small)
    return both


def arrays(layers):
    """All arrays of parameters, gradients or states, in one order."""
    found = []
    for layer in layers:
        for name in sorted(layer):
            own = layer[name]
            found += list(own) if isinstance(own, tuple) else [own]
    return found


def assert_close(theirs, ours, dtype, exact=None, steps=1):
    """Array by array; in float32 against what is exact, beside NumPy's own error."""
    if dtype == "float64":
        for a, b in zip(theirs, ours, strict=True):
            assert error(a, b) < STEP["float64"] * steps
        return
    for a, b, truth in zip(theirs, ours, exact, strict=True):
        floor = 4 * np.finfo(np.float32).eps  # NumPy is exact at times, by luck
        assert error(a, truth) <= 4 * max(error(b, truth), floor)


def in_dtype(dtype, *data):
    return [None if a is None else a.astype(dtype) for a in data]


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair[1]}-{pair[0]}")
def test_gradients_of_every_output_pair(engine, pair):
    network = network_of("tanh", *pair)
    data = data_of(network, weighted=True)
    ours, theirs = runners(engine, "float64", network)
    assert_close(arrays(theirs.gradients(*data)), arrays(ours.gradients(*data)), "float64")
    assert theirs.cost(*data) == pytest.approx(ours.cost(*data), rel=1e-12)


@pytest.mark.parametrize("engine", OTHERS)
@turns(GRADIENTS)
def test_gradients(engine, turn):
    """Of a whole batch; neither optimizer nor dropout has a part in them."""
    row = GRADIENTS[turn]
    network = network_of(row["hidden"], row["cost"], fitting(row["cost"], turn))
    settings = {"regularization": dr.Regularization(l2=0.01), "seed": turn}
    ours, theirs = runners(engine, row["dtype"], network, **settings)
    exact = dr.start(network, engine="reference", dtype="float64", **settings)
    exact.set_parameters(ours.parameters())
    own = in_dtype(row["dtype"], *data_of(network, row["weighted"], turn))
    truth = arrays(exact.gradients(*in_dtype("float64", *own)))
    found = (arrays(runner.gradients(*own)) for runner in (theirs, ours))
    assert_close(*found, row["dtype"], truth)


@pytest.mark.parametrize("engine", OTHERS)
@turns(STEPS)
def test_steps(engine, turn):
    """Two, in float64: from rounded gradients an optimizer may take another way."""
    row = STEPS[turn]
    network = network_of(row["hidden"], row["cost"], fitting(row["cost"], turn), row["dropout"])
    X, Y, s = (a if a is None else a[:WHOLE] for a in data_of(network, row["weighted"], turn))
    optimizer = OPTIMIZERS_THAT_STEP[row["optimizer"]]
    settings = {"optimizer": optimizer, "regularization": dr.Regularization(l2=0.01), "seed": turn}
    ours, theirs = runners(engine, "float64", network, **settings)
    order, rates = np.random.default_rng(turn).permutation(WHOLE), np.full(2, 0.01)
    one, other = (r.train(X, Y, order, BATCH, rates, s).costs for r in (ours, theirs))
    np.testing.assert_allclose(other, one, rtol=1e-10)
    assert_close(arrays(theirs.parameters()), arrays(ours.parameters()), "float64", steps=2)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(OPTIMIZERS_THAT_STEP))
def test_optimizers_fed_identical_gradients(engine, dtype, name):
    """With X the identity, m a power of two, dW is dAᵀ/m to the last bit, on every engine."""
    network = dr.Network(8, [dr.Dense(3, rate=0.5, bias_rate=2.0)])
    rules = dr.Regularization(decay=0.01, max_norm=3.0)
    settings = {"optimizer": OPTIMIZERS_THAT_STEP[name], "regularization": rules}
    ours, theirs = runners(engine, dtype, network, **settings)
    exact = dr.start(network, engine="reference", dtype="float64", **settings)
    exact.set_parameters(ours.parameters())
    rng = np.random.default_rng(1)
    for _ in range(3):
        X, dA = np.eye(8, dtype=dtype), rng.integers(-9, 10, (8, 3)).astype(dtype)
        for runner in (ours, theirs):
            runner.step_from(X, dA)
        exact.step_from(X.astype("float64"), dA.astype("float64"))
    for part in (lambda r: r.parameters(), lambda r: r.state().optimizer):
        found = [arrays(part(r)) for r in (theirs, ours, exact)]
        assert_close(found[0], found[1], dtype, found[2], steps=3)
    assert theirs.state().step == 3


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("name", list(OPTIMIZERS_THAT_STEP))
def test_the_cost_after_200_steps(engine, name):
    network = network_of("tanh", "categorical_cross_entropy", "softmax", dropout=0.2)
    X, Y, _ = data_of(network)
    X, Y = X[:WHOLE], Y[:WHOLE]
    optimizer = OPTIMIZERS_THAT_STEP[name]
    ours, theirs = runners(engine, "float64", network, optimizer=optimizer, seed=5)
    order = np.concatenate([np.random.default_rng(e).permutation(WHOLE) for e in range(100)])
    rates = np.full(200, optimizer.schedule(0))
    one, other = (r.train(X, Y, order, BATCH, rates).costs for r in (ours, theirs))
    assert len(other) == 200
    np.testing.assert_allclose(other, one, rtol=0, atol=1e-8)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "rules",
    [
        {"l1": 0.1, "l2": 0.2},
        {"l1": 0.1, "l2": 0.2, "over_batch": True},
        {"clip_norm": 0.05},
        {"clip_value": 0.01, "max_norm": 0.5},
        {"decay": 0.1, "label_smoothing": 0.1},
    ],
    ids=lambda rules: "-".join(rules),
)
def test_regularization(engine, rules, weighted):
    network = network_of("silu", "categorical_cross_entropy", "softmax")
    X, Y, weights = data_of(network, weighted)
    settings = {"optimizer": "adamw", "regularization": dr.Regularization(**rules)}
    ours, theirs = runners(engine, "float64", network, **settings)
    for penalised in (True, False):
        costs = [r.cost(X, Y, weights, penalised=penalised) for r in (ours, theirs)]
        assert costs[1] == pytest.approx(costs[0], rel=1e-12)
    args = (X, Y, np.arange(M), BATCH, np.full(3, 0.1), weights, True)
    one, other = (runner.train(*args) for runner in (ours, theirs))
    np.testing.assert_allclose(other.costs, one.costs, rtol=1e-10)
    for a, b in zip(other.statistics, one.statistics, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert_close(arrays(theirs.parameters()), arrays(ours.parameters()), "float64", steps=3)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_predict_and_jacobian(engine, dtype):
    network = network_of("gelu", "mse", "softplus")
    X, _, _ = data_of(network)
    ours, theirs = runners(engine, dtype, network)
    exact = dr.start(network, engine="reference", dtype="float64")
    exact.set_parameters(ours.parameters())
    (own,) = in_dtype(dtype, X)
    for name in ("predict", "jacobian"):
        one, other = (getattr(r, name)(own) for r in (ours, theirs))
        truth = getattr(exact, name)(own.astype("float64"))
        assert (other.dtype, other.shape) == (one.dtype, one.shape)
        assert_close([other], [one], dtype, [truth])
    out = np.empty_like(theirs.predict(own))
    theirs.predict_into(own, out)
    np.testing.assert_array_equal(out, theirs.predict(own))


@pytest.mark.parametrize("engine", OTHERS)
def test_a_cost_that_is_not_finite_stops_before_its_update(engine):
    network = dr.Network(5, [dr.Dense(4), dr.Dense(3)], "mse")
    X, Y, _ = data_of(network)
    ours, theirs = runners(engine, "float64", network, optimizer=dr.GradientDescent(1e60))
    args = (X, Y, np.tile(np.arange(M), 6), M, np.full(6, 1e60))
    one, other = (r.train(*args, statistics=True) for r in (ours, theirs))
    assert 1 < len(one.costs) == len(other.costs) < 6
    assert np.isfinite(other.costs[:-1]).all()
    assert not np.isfinite(other.costs[-1])
    assert theirs.state().step == ours.state().step == len(other.costs) - 1
    assert [len(a) for a in other.statistics] == [len(other.costs)] * 3
    for a, b in zip(arrays(theirs.parameters()), arrays(ours.parameters()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    before = arrays(theirs.parameters())
    assert not np.isfinite(theirs.step(X, Y))
    for a, b in zip(arrays(theirs.parameters()), before, strict=True):
        np.testing.assert_array_equal(a, b)
