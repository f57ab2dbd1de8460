"""Every optimizer: against optax where it has one, and by its own equations over several steps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import deltarule as dr
from deltarule.engines.plan import Plan
from deltarule.engines.step import initial_state, updated
from deltarule.optimizers import OPTIMIZERS

from .tolerances import STEP, error

RATE, STEPS = 0.05, 20
STEPPING = [name for name in OPTIMIZERS if not OPTIMIZERS(name).full_batch]

OPTAX = {
    "gradient_descent": (dr.GradientDescent(RATE), lambda: optax.sgd(RATE)),
    "sgd": (dr.SGD(RATE, momentum=0.8), lambda: optax.sgd(RATE, momentum=0.8)),
    "nesterov": (
        dr.SGD(RATE, momentum=0.8, nesterov=True),
        lambda: optax.sgd(RATE, momentum=0.8, nesterov=True),
    ),
    "adagrad": (
        dr.AdaGrad(RATE, epsilon=1e-7),
        lambda: optax.chain(
            optax.scale_by_rss(initial_accumulator_value=0.0, eps=0.0), optax.scale(-RATE)
        ),
    ),
    "adadelta": (
        dr.AdaDelta(RATE, rho=0.9, epsilon=1e-6),
        lambda: optax.adadelta(RATE, rho=0.9, eps=1e-6),
    ),
    "rmsprop": (
        dr.RMSprop(RATE, rho=0.9, epsilon=1e-8),
        lambda: optax.rmsprop(RATE, decay=0.9, eps=1e-8, eps_in_sqrt=False),
    ),
    "adam": (dr.Adam(RATE), lambda: optax.adam(RATE)),
    "adamax": (dr.Adamax(RATE), lambda: optax.adamax(RATE)),
    "nadam": (dr.NAdam(RATE), lambda: optax.nadam(RATE)),
    "lion": (dr.Lion(RATE), lambda: optax.lion(RATE, weight_decay=0.0)),
    "adamw": (
        dr.AdamW(RATE, weight_decay=0.1),
        lambda: optax.adamw(RATE, weight_decay=0.1, mask={"W": True, "b": False}),
    ),
}


# Where optax puts ε elsewhere (AdaGrad: nowhere; Adamax: within the maximum), it is seen.
LIMIT = {"adagrad": 1e-6, "adamax": 1e-7}


def walk(optimizer, dtype="float64", regularization=None, network=None):
    """Parameters after each of several steps along gradients that follow from the parameters."""
    network = network or dr.Network(4, [dr.Dense(3)])
    plan = Plan(network, optimizer, regularization or dr.Regularization(), dtype)
    parameters = network.initial_parameters(0, dtype)
    state = initial_state(plan, parameters)
    path = []
    for step in range(STEPS):
        gradients = tuple({k: gradient(v, step) for k, v in p.items()} for p in parameters)
        scalar = plan.dtype.type
        parameters, state = updated(plan, parameters, gradients, state, scalar(step), scalar(RATE))
        path.append(parameters[0])
    return path


def gradient(x, step):
    return x * x * x + 0.1 * (step % 3 - 1) + 0.3


@pytest.mark.parametrize("name", list(OPTAX))
def test_agrees_with_optax(name):
    ours, make = OPTAX[name]
    theirs = make()
    with jax.enable_x64(True):
        p = jax.tree.map(jnp.asarray, dr.Network(4, [dr.Dense(3)]).initial_parameters(0, "float64"))
        p = p[0]
        state = theirs.init(p)
        for step, mine in enumerate(walk(ours)):
            g = jax.tree.map(lambda x, step=step: gradient(x, step), p)
            changes, state = theirs.update(g, state, p)
            p = optax.apply_updates(p, changes)
            for part in mine:
                assert error(mine[part], p[part]) < LIMIT.get(name, STEP["float64"]), step


@pytest.mark.parametrize("name", STEPPING)
def test_goes_downhill(name):
    """Whatever the rule: along the gradient of ½x², every entry comes closer to 0."""
    optimizer = OPTIMIZERS(name)
    x = start = np.array([[3.0, -2.0], [0.5, -0.1]])
    state = optimizer.init(x)
    alpha = np.float64(optimizer.schedule.rate)
    for t in range(1, 21):
        x, state = optimizer.update(x, x, state, np.float64(t), alpha)
    assert (abs(x) < abs(start)).all()


@pytest.mark.parametrize("name", STEPPING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keeps_dtype_and_shape(name, dtype):
    optimizer = OPTIMIZERS(name)
    W = np.ones((3, 2), dtype)
    state = optimizer.init(W)
    assert len(state) == len(optimizer.slots)
    t, alpha = np.dtype(dtype).type(1), np.dtype(dtype).type(0.1)
    W, state = optimizer.update(W, 0.5 * W, state, t, alpha)
    for array in (W, *state):
        assert array.dtype == dtype
        assert array.shape == (3, 2)


@pytest.mark.parametrize("name", STEPPING)
def test_is_pure(name):
    optimizer = OPTIMIZERS(name)
    W, dW = np.ones((3, 2)), np.full((3, 2), 0.5)
    state = optimizer.init(W)
    once = optimizer.update(W, dW, state, np.float64(1), np.float64(0.1))
    again = optimizer.update(W, dW, state, np.float64(1), np.float64(0.1))
    assert (W == 1).all()
    assert (dW == 0.5).all()
    assert all((array == 0).all() for array in state)
    np.testing.assert_array_equal(once[0], again[0])


@pytest.mark.parametrize("name", STEPPING)
def test_float32_bias_corrections_lose_nothing(name):
    wide, narrow = walk(OPTIMIZERS(name)), walk(OPTIMIZERS(name), "float32")
    if name == "lion":  # a sign may flip where the averaged gradient crosses zero
        return
    assert error(narrow[-1]["W"], wide[-1]["W"]) < STEP["float32"]


def test_adam_with_epsilon_inside_is_the_papers_second_form():
    rate, eps, b1, b2 = 0.05, 0.1, 0.9, 0.999
    mine = walk(dr.Adam(rate, epsilon=eps, epsilon_inside=True))
    p = dr.Network(4, [dr.Dense(3)]).initial_parameters(0, "float64")[0]["W"]
    M = V = np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1)
        M, V = b1 * M + (1 - b1) * g, b2 * V + (1 - b2) * g * g
        p = p - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * M / (np.sqrt(V) + eps)
    assert error(mine[-1]["W"], p) < STEP["float64"]


def test_decoupled_decay_spares_biases_and_keeps_the_unscaled_rate():
    network = dr.Network(4, [dr.Dense(3, rate=0.5, biases="normal")])
    p = network.initial_parameters(0, "float64")[0]
    g = gradient(p["W"], 0)
    mine = walk(
        dr.GradientDescent(RATE), regularization=dr.Regularization(decay=0.2), network=network
    )[0]
    np.testing.assert_allclose(mine["W"], p["W"] * (1 - RATE * 0.2) - RATE * 0.5 * g)
    np.testing.assert_allclose(mine["b"], p["b"] - RATE * 0.5 * gradient(p["b"], 0))


def test_multipliers_of_layer_and_biases():
    network = dr.Network(4, [dr.Dense(3, rate=0.5, bias_rate=0.1)])
    p = network.initial_parameters(0, "float64")[0]
    mine = walk(dr.GradientDescent(RATE), network=network)[0]
    np.testing.assert_allclose(mine["W"], p["W"] - 0.5 * RATE * gradient(p["W"], 0))
    np.testing.assert_allclose(mine["b"], p["b"] - 0.05 * RATE * gradient(p["b"], 0))


LEARN_NOT = {
    "dense": [dr.Dense(5, rate=0.0, bias_rate=2.0, weights="normal(3)"), dr.Dense(3)],
    "grouped": [dr.Grouped(2, size=2, rate=0.0, weights="normal(3)"), dr.Dense(3)],
    "shared": [dr.Shared(2, 2, rate=0.0, weights="normal(3)"), dr.Dense(3)],
    "part": [dr.Parallel([(0, 4, []), (0, 4, [dr.Dense(2, rate=0.0)])]), dr.Dense(3)],
}


@pytest.mark.parametrize("engine", ["reference", "native", "jax"])
@pytest.mark.parametrize("kind", LEARN_NOT)
def test_weights_whose_rate_is_0_are_neither_moved_nor_penalised(kind, engine):
    network = dr.Network(4, LEARN_NOT[kind])
    rules = dr.Regularization(l1=0.1, l2=0.1, decay=0.2, max_norm=0.5)
    runner = dr.start(network, optimizer="adam", regularization=rules, engine=engine)
    before = runner.parameters()
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(8, 4)).astype("f"), rng.normal(size=(8, 3)).astype("f")
    plain = runner.cost(X, Y, penalised=False)
    penalty = sum(rules.penalty(before[1][name]) for name in ("W",))
    assert runner.cost(X, Y) == pytest.approx(plain + penalty, rel=1e-5)
    runner.train(X, Y, np.arange(8), 4, np.full(2, 0.1))
    after = runner.parameters()
    for name, values in before[0].items():
        np.testing.assert_array_equal(after[0][name], values)
    assert (after[1]["W"] != before[1]["W"]).all()


def test_clipping_by_value_then_by_common_norm():
    rules = dr.Regularization(clip_value=2.0, clip_norm=1.0)
    gradients = ({"W": np.array([[3.0, -5.0]]), "b": np.array([[1.0]])},)
    (clipped,) = rules.clipped(gradients)
    np.testing.assert_allclose(clipped["W"], np.array([[2.0, -2.0]]) / 3)
    np.testing.assert_allclose(clipped["b"], [[1 / 3]])
    small = ({"W": np.array([[0.3]]), "b": np.array([[0.4]])},)
    (kept,) = rules.clipped(small)
    np.testing.assert_allclose(kept["W"], [[0.3]])


def test_max_norm_limits_each_unit():
    rules = dr.Regularization(max_norm=2.0)
    W = np.array([[3.0, 4.0], [0.6, 0.8]])
    np.testing.assert_allclose(rules.limited(W), [[1.2, 1.6], [0.6, 0.8]])
