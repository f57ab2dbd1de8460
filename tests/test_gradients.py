"""The gradients that training uses: central differences, and automatic differentiation by JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import deltarule as dr
from deltarule.checks import central_difference, check_gradients, relative_error
from deltarule.checks.cases import pair_cases
from deltarule.costs import COSTS
from deltarule.engines import start_plan
from deltarule.engines.plan import Plan
from deltarule.engines.step import cost_of, gradients_of, masks_of, smoothed, weight_of
from deltarule.network import feed_forward, input_jacobian, output_delta

from .tolerances import DIFFERENCES, STEP, error

CASES = {case.name: case for case in pair_cases()}


def network_of(hidden="tanh", output="softmax", cost="categorical_cross_entropy", n=3, **layer):
    return dr.Network(5, [dr.Dense(4, hidden, **layer), dr.Dense(n, output)], cost)


def data_of(m=7, n=3, seed=0):
    rng = np.random.default_rng(seed)
    Y = rng.random((m, n))
    return rng.standard_normal((m, 5)), Y / Y.sum(axis=1, keepdims=True), rng.random(m) + 0.1


@pytest.mark.parametrize("name", list(CASES))
def test_dW_and_db_agree_with_central_differences(name):
    _, network, parameters, A0, Y = CASES[name]
    errors = check_gradients(network, A0.T, Y.T, parameters=parameters)
    assert max(errors.values()) < DIFFERENCES, errors


@pytest.mark.parametrize(
    ("output", "cost"), [("softmax", "categorical_cross_entropy"), ("tanh", "mse")]
)
def test_example_weights(output, cost):
    X, Y, weights = data_of()
    errors = check_gradients(network_of(output=output, cost=cost), X, Y, weights=weights)
    assert max(errors.values()) < DIFFERENCES, errors


@pytest.mark.parametrize("over_batch", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalties(over_batch, weighted):
    X, Y, weights = data_of()
    rules = dr.Regularization(l1=0.3, l2=0.7, over_batch=over_batch)
    errors = check_gradients(
        network_of(), X, Y, weights=weights if weighted else None, regularization=rules
    )
    assert max(errors.values()) < DIFFERENCES, errors


@pytest.mark.parametrize(
    ("output", "cost"),
    [
        ("softmax", "categorical_cross_entropy"),
        ("softmax", "focal"),
        ("sigmoid", "binary_cross_entropy"),
        ("sigmoid", "binary_focal"),
        ("identity", "softmax_cross_entropy"),
    ],
)
def test_label_smoothing(output, cost):
    X, Y, weights = data_of()
    network = network_of(output=output, cost=cost)
    rules = dr.Regularization(label_smoothing=0.2)
    errors = check_gradients(network, X, Y, weights=weights, regularization=rules)
    assert max(errors.values()) < DIFFERENCES, errors


def test_smoothed_labels_keep_their_sum():
    _, Y, _ = data_of()
    plan = Plan(network_of(), "sgd", dr.Regularization(label_smoothing=0.2), "float64")
    np.testing.assert_allclose(smoothed(plan, Y.T).sum(axis=0), 1.0)
    one_hot = np.array([[1.0], [0.0], [0.0]])
    np.testing.assert_allclose(smoothed(plan, one_hot), [[0.8 + 0.2 / 3], [0.2 / 3], [0.2 / 3]])


def test_a_dropout_mask_is_one_function_forward_and_back():
    """With its masks held fixed, a network with dropout is as differentiable as one without."""
    network = dr.Network(
        5,
        [dr.Dense(6, "tanh", dropout=0.4), dr.Dense(4, "sigmoid", dropout=0.3), dr.Dense(3)],
        input_dropout=0.2,
    )
    plan = Plan(network, "sgd", dtype="float64", seed=3)
    X, Y, _ = data_of(seed=1)
    parameters = network.initial_parameters(1, "float64")
    masks = masks_of(plan, np, 2, np.arange(7, dtype=np.uint32))
    assert set(masks) == {0, 1, 2}
    caches = feed_forward(network, parameters, X.T, masks)
    delta = output_delta(network, caches[-1], Y.T, None)
    gradients, _ = gradients_of(plan, parameters, caches, delta, 7, masks)
    for l, layer in enumerate(parameters):
        for part, values in layer.items():

            def cost(x, l=l, part=part):
                changed = [dict(p) for p in parameters]
                changed[l][part] = x
                output = feed_forward(network, changed, X.T, masks)[-1]
                return cost_of(plan, changed, output, Y.T, None, 7)

            assert (
                relative_error(gradients[l][part], central_difference(cost, values)) < DIFFERENCES
            )


@pytest.mark.parametrize("name", list(CASES))
def test_automatic_differentiation_agrees(name):
    """jax.grad of the cost, written without any of our derivatives."""
    _, network, parameters, A0, Y = CASES[name]
    m = A0.shape[1]
    plan = Plan(network, "sgd", dr.Regularization(l2=0.1), "float64")
    with jax.enable_x64(True):
        own = jax.tree.map(jnp.asarray, parameters)
        inputs, targets = jnp.asarray(A0), jnp.asarray(Y)

        def cost(p):
            return cost_of(plan, p, feed_forward(network, p, inputs)[-1], targets, None, m)

        theirs = jax.tree.map(np.asarray, jax.grad(cost)(own))
    caches = feed_forward(network, parameters, A0)
    delta = output_delta(network, caches[-1], Y, None)
    ours, _ = gradients_of(plan, parameters, caches, delta, m)
    for a, b in zip(ours, theirs, strict=True):
        for part in a:
            assert error(a[part], b[part]) < STEP["float64"], part


@pytest.mark.parametrize("output", ["softmax", "tanh", "identity"])
def test_jacobian_of_outputs_by_inputs(output):
    network = network_of(output=output, cost="mse")
    parameters = network.initial_parameters(0, "float64")
    X, _, _ = data_of()
    found = input_jacobian(network, parameters, X.T)
    assert found.shape == (7, 3, 5)
    for row, x in enumerate(X):
        numeric = central_difference(
            lambda v: feed_forward(network, parameters, v[:, None])[-1].A[:, 0], x
        )
        assert relative_error(found[row], numeric) < DIFFERENCES


@pytest.mark.parametrize("weighted", [False, True])
def test_the_runner_gives_these_gradients(weighted):
    X, Y, weights = data_of()
    network = network_of()
    plan = Plan(network, "sgd", dr.Regularization(l2=0.1), "float64")
    runner = start_plan(plan, "reference")
    s = weights if weighted else None
    parameters = runner.parameters()
    caches = feed_forward(network, parameters, X.T)
    m = weight_of(X.T, s)
    expected, _ = gradients_of(
        plan, parameters, caches, output_delta(network, caches[-1], Y.T, s), m
    )
    for a, b in zip(runner.gradients(X, Y, s), expected, strict=True):
        for part in a:
            np.testing.assert_array_equal(a[part], b[part])


@pytest.mark.parametrize("name", list(COSTS))
def test_extreme_outputs_give_no_nan(name):
    """Saturated outputs: fused pairs stay finite where the literal forms divide by zero."""
    cost = COSTS(name)
    for output, pair in cost.fused.items():
        g = dr.ACTIVATIONS(output).g
        Z = np.array([[-80.0, 80.0, -3.0], [80.0, -80.0, 0.0], [0.0, 1.0, 3.0]], dtype="float32")
        Y = np.eye(3, dtype="float32")
        assert np.isfinite(pair.loss(Z, Y)).all()
        assert np.isfinite(pair.delta(Z, g(Z), Y)).all()
