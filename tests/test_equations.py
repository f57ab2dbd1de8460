"""The equations among themselves, entry by entry, on NumPy and on JAX."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from deltarule import equations
from deltarule.activations import ACTIVATIONS
from deltarule.checks import EQUATIONS, KIND_EQUATIONS, TOLERANCE, check_all
from deltarule.checks.cases import pair_cases
from deltarule.network import back_propagate, feed_forward, input_gradient, output_delta

from .tolerances import STEP, error

N, N_PREV, M = 3, 4, 5  # pairwise different: equal sizes hide transposes


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def layer(rng):
    W, b = rng.standard_normal((N, N_PREV)), rng.standard_normal((N, 1))
    return W, b, rng.standard_normal((N_PREV, M)), rng.standard_normal((N, M))


def test_weighted_input_is_its_sum(rng):
    W, b, A_prev, _ = layer(rng)
    Z = equations.weighted_input(W, A_prev, b)
    for i, j in itertools.product(range(N), range(M)):
        assert Z[i, j] == pytest.approx(
            sum(W[i, k] * A_prev[k, j] for k in range(N_PREV)) + b[i, 0]
        )


def test_dW_is_its_sum(rng):
    _, _, A_prev, delta = layer(rng)
    dW = equations.dW(delta, A_prev, M)
    assert dW.shape == (N, N_PREV)
    for i, k in itertools.product(range(N), range(N_PREV)):
        assert dW[i, k] == pytest.approx(sum(delta[i, j] * A_prev[k, j] for j in range(M)) / M)


def test_db_is_its_sum(rng):
    _, _, _, delta = layer(rng)
    db = equations.db(delta, M)
    assert db.shape == (N, 1)
    for i in range(N):
        assert db[i, 0] == pytest.approx(sum(delta[i, j] for j in range(M)) / M)


def test_dA_prev_is_its_sum(rng):
    W, _, _, delta = layer(rng)
    dA_prev = equations.dA_prev(W, delta)
    assert dA_prev.shape == (N_PREV, M)
    for k, j in itertools.product(range(N_PREV), range(M)):
        assert dA_prev[k, j] == pytest.approx(sum(W[i, k] * delta[i, j] for i in range(N)))


def test_cost_is_the_weighted_mean(rng):
    loss, s = rng.random(M), rng.random(M)
    assert equations.cost(loss) == pytest.approx(sum(loss) / M)
    assert equations.cost(loss, s) == pytest.approx(sum(s * loss) / sum(s))


def test_descend_goes_down():
    assert equations.descend(np.array([1.0]), np.array([2.0]), 0.25) == pytest.approx(0.5)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_the_explicit_jacobians_contract_to_eq_10(name, rng):
    W, b, A_prev, dA = layer(rng)
    g = ACTIVATIONS(name)
    Z = equations.weighted_input(W, A_prev, b)
    A = equations.activation(g.g, Z)
    delta = equations.delta_by_chain(dA, g.jacobian(Z, A))
    assert error(delta, g.delta(dA, Z, A)) < STEP["float64"]
    by_chain = equations.dW_by_chain(delta, equations.dZ_dW(A_prev, N), M)
    assert error(by_chain, equations.dW(delta, A_prev, M)) < STEP["float64"]
    by_chain = equations.db_by_chain(delta, equations.dZ_db(N, A_prev), M)
    assert error(by_chain, equations.db(delta, M)) < STEP["float64"]
    by_chain = equations.dA_prev_by_chain(delta, equations.dZ_dA_prev(W, M))
    assert error(by_chain, equations.dA_prev(W, delta)) < STEP["float64"]


CASES = {case.name: case for case in pair_cases()}


@pytest.mark.parametrize("name", list(CASES))
def test_eq_5a_is_eq_1_layer_by_layer(name):
    _, network, parameters, A0, _ = CASES[name]
    Ws, bs = ([own[part] for own in parameters] for part in ("W", "b"))
    A = equations.network_output(Ws, bs, [layer.g.g for layer in network.layers], A0)
    assert error(A, feed_forward(network, parameters, A0)[-1].A) < STEP["float64"]


@pytest.mark.parametrize("name", list(CASES))
def test_eq_5b_equals_dA0(name):
    _, network, parameters, A0, Y = CASES[name]
    caches = feed_forward(network, parameters, A0)
    watched = {}
    delta = output_delta(network, caches[-1], Y, None)
    m = A0.shape[1]
    back_propagate(
        network,
        parameters,
        caches,
        delta,
        m,
        observe=lambda what, l, value: watched.update({(what, l): value}),
    )
    jacobians = [
        layer.g.jacobian(cache.Z, cache.A)
        for layer, cache in zip(network.layers, caches, strict=True)
    ]
    dA = network.cost_row.dA(caches[-1].A, Y)
    whole = equations.input_gradient([own["W"] for own in parameters], jacobians, dA)
    assert error(whole, watched["dA", 0]) < STEP["float64"]
    assert error(input_gradient(network, parameters, caches, delta), whole) < STEP["float64"]


@pytest.mark.parametrize("name", list(CASES))
def test_a_batch_is_the_mean_of_single_examples(name):
    """m = 1 is the single-example form, and a batch averages it."""
    _, network, parameters, A0, Y = CASES[name]
    m = A0.shape[1]

    def gradients(columns):
        caches = feed_forward(network, parameters, A0[:, columns])
        delta = output_delta(network, caches[-1], Y[:, columns], None)
        return back_propagate(network, parameters, caches, delta, len(columns))[0]

    singles = [gradients([j]) for j in range(m)]
    for l, layer in enumerate(gradients(list(range(m)))):
        for part, whole in layer.items():
            assert error(whole, sum(single[l][part] for single in singles) / m) < 1e-10


@pytest.mark.parametrize("name", list(CASES))
def test_a_single_example_is_the_outer_product(name):
    """Eq. 10b with m = 1: dW[i,k] = δ[i] a_prev[k], db = δ."""
    _, network, parameters, A0, Y = CASES[name]
    caches = feed_forward(network, parameters, A0[:, :1])
    delta = output_delta(network, caches[-1], Y[:, :1], None)
    gradients, deltas = back_propagate(network, parameters, caches, delta, 1)
    for own, d, cache in zip(gradients, deltas, caches, strict=True):
        assert error(own["W"], np.outer(d[:, 0], cache.A_prev[:, 0])) < STEP["float64"]
        assert error(own["b"], d) < STEP["float64"]


def assert_agreement(found):
    assert found.error <= TOLERANCE, found
    assert found.cases > 0


def test_every_equation_agrees_with_central_differences():
    checked = check_all()
    assert [c.number for c in checked] == [e.number for e in EQUATIONS + KIND_EQUATIONS]
    for found in checked:
        assert_agreement(found)


def test_the_check_covers_every_pair_and_every_fused_pair():
    from deltarule.costs import COSTS

    names = set(CASES)
    for cost, g in itertools.product(map(COSTS, COSTS), map(ACTIVATIONS, ACTIVATIONS)):
        meets = g.range in cost.outputs
        fused = g.name in cost.fused
        assert (f"{g.name}, {cost.name}{', fused' if fused else ''}" in names) == meets
        assert (f"{g.name}, {cost.name}, unfused" in names) == fused


def test_every_equation_has_its_number_formula_and_code():
    numbers = [e.number for e in EQUATIONS]
    expected = "1a 1b 2 2a 2b 2c 3a 3b 4a 4b 4c 4d 5a 5b 6 7 8 9 10a 10b 10c 10d 11a 11b 11c 11d 12"
    assert numbers == expected.split()
    for equation in EQUATIONS + KIND_EQUATIONS:
        assert equation.title
        assert equation.formula
        assert equation.tex
        assert equation.source.startswith("def ")
        assert '"""' not in equation.source


@pytest.mark.parametrize("name", list(CASES))
def test_numpy_and_jax_agree(name):
    """The same functions on JAX arrays, in its default float32."""
    _, network, parameters, A0, Y = CASES[name]

    def both(xp):
        own = tuple({k: xp.asarray(v, dtype="float32") for k, v in p.items()} for p in parameters)
        inputs, targets = xp.asarray(A0, dtype="float32"), xp.asarray(Y, dtype="float32")
        caches = feed_forward(network, own, inputs)
        delta = output_delta(network, caches[-1], targets, None)
        return back_propagate(network, own, caches, delta, A0.shape[1])[0]

    for ours, theirs in zip(both(np), both(jnp), strict=True):
        for part in ours:
            assert theirs[part].dtype == jnp.float32
            assert error(theirs[part], ours[part]) < 1e-4
