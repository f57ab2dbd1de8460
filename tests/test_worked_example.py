"""One training step by hand: 5 → 4 → 3 → 1 (ReLU, ReLU, sigmoid), m = 2, cross entropy.

The two examples x₁ = (1, 0, 2, 0, 1), target 0, and x₂ = (0, 1, 1, 2, −1), target 1; weights and
biases as in ``deltarule.checks.worked``. On paper, examples in columns:

    Z₁ = W₁X + b₁ = [−3 3; 2 3; −4 3; 4 3]        A₁ = [0 3; 2 3; 0 3; 4 3]
    Z₂ = W₂A₁ + b₂ = [−3 2; 3 4; 4 −3]             A₂ = [0 2; 3 4; 4 0]
    Z₃ = W₃A₂ + b₃ = [2 −1]                        A₃ = [σ(2) σ(−1)]

    δ₃ = A₃ − Y = [p q]          with p = σ(2) = 0.880797, q = σ(−1) − 1 = −0.731059
    dA₂ = W₃ᵀδ₃ = [p q; −p −q; p q]      where Z₂ > 0:   δ₂ = [0 q; −p −q; p 0]
    dA₁ = W₂ᵀδ₂ = [−p 0; −p 0; −p q; p −q]   where Z₁ > 0:   δ₁ = [0 0; −p 0; 0 q; p −q]

and dW = ½ δ A_prevᵀ, db = ½ Σ δ, as spelled out below.
"""

import numpy as np
import pytest

import deltarule as dr
from deltarule.checks import worked_example
from deltarule.network import back_propagate, feed_forward, output_delta, output_loss

P, Q = 0.8807970779778825, -0.7310585786300049  # σ(2) and σ(−1) − 1

FORWARD = {
    "Z": (
        [[-3, 3], [2, 3], [-4, 3], [4, 3]],
        [[-3, 2], [3, 4], [4, -3]],
        [[2, -1]],
    ),
    "A": (
        [[0, 3], [2, 3], [0, 3], [4, 3]],
        [[0, 2], [3, 4], [4, 0]],
        [[0.880797, 0.268941]],
    ),
}

BACKWARD = {
    ("delta", 3): [[P, Q]],
    ("dW", 3): [[Q, (3 * P + 4 * Q) / 2, 2 * P]],
    ("db", 3): [[(P + Q) / 2]],
    ("dA", 2): [[P, Q], [-P, -Q], [P, Q]],
    ("delta", 2): [[0, Q], [-P, -Q], [P, 0]],
    ("dW", 2): [
        [1.5 * Q, 1.5 * Q, 1.5 * Q, 1.5 * Q],
        [-1.5 * Q, -P - 1.5 * Q, -1.5 * Q, -2 * P - 1.5 * Q],
        [0, P, 0, 2 * P],
    ],
    ("db", 2): [[Q / 2], [-(P + Q) / 2], [P / 2]],
    ("dA", 1): [[-P, 0], [-P, 0], [-P, Q], [P, -Q]],
    ("delta", 1): [[0, 0], [-P, 0], [0, Q], [P, -Q]],
    ("dW", 1): [
        [0, 0, 0, 0, 0],
        [-P / 2, 0, -P, 0, -P / 2],
        [0, Q / 2, Q / 2, Q, -Q / 2],
        [P / 2, -Q / 2, P - Q / 2, -Q, (P + Q) / 2],
    ],
    ("db", 1): [[0], [-P / 2], [Q / 2], [(P - Q) / 2]],
    ("dA", 0): [[P, -2 * Q], [-P, 2 * Q], [0, -2 * Q], [P, 0], [P, -Q]],
}

COST = 1.720095  # ½ (−log(1 − σ(2)) − log σ(−1)) = ½ (2.126928 + 1.313262)


def passes():
    network, parameters, X, Y, _ = worked_example()
    caches = feed_forward(network, parameters, X.T)
    watched = {}
    delta = output_delta(network, caches[-1], Y.T, None)

    def observe(name, layer, value):
        watched[name, layer] = value

    back_propagate(network, parameters, caches, delta, 2, observe=observe)
    return network, caches, Y.T, watched


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("name", ["Z", "A"])
def test_forward(name, layer):
    _, caches, _, _ = passes()
    expected = np.array(FORWARD[name][layer - 1])
    np.testing.assert_allclose(getattr(caches[layer - 1], name), expected, atol=1e-6)


def test_cost():
    network, caches, Y, _ = passes()
    assert output_loss(network, caches[-1], Y).mean() == pytest.approx(COST, abs=1e-6)


def test_backward():
    _, _, _, watched = passes()
    assert watched.keys() == BACKWARD.keys()
    for key, expected in BACKWARD.items():
        np.testing.assert_allclose(watched[key], np.array(expected), atol=1e-12, err_msg=str(key))


def test_update():
    network, parameters, X, Y, rate = worked_example()
    runner = dr.start(
        network,
        optimizer=dr.GradientDescent(rate),
        parameters=parameters,
        dtype="float64",
        engine="reference",
    )
    assert runner.step(X, Y) == pytest.approx(COST, abs=1e-6)
    for layer, (before, after) in enumerate(zip(parameters, runner.parameters(), strict=True), 1):
        for name in ("W", "b"):
            expected = before[name] - 0.1 * np.array(BACKWARD[f"d{name}", layer])
            np.testing.assert_allclose(after[name], expected, atol=1e-12)


def test_one_step_with_l2():
    """A 3-2-1 sigmoid network with an L2 penalty of 0.1 and rate 0.1, one example, target 0.

    Forward: Z₁ = (.6·.1+.8·.3+.7·.5+.1, .6·.2+.8·.1+.7·0+.1) = (.75, .30), A₁ = (.679179,
    .574443), Z₂ = .1·.679179 + .2·.574443 + 1 = 1.182806, A₂ = .765453 = δ₂. Then dW₂ = δ₂A₁ +
    .1·W₂ and so on, and a step of −.1 times each. The numbers are those of scikit-learn's
    hand-checked fit, with one digit of its third row put right.
    """
    network = dr.Network(
        3, [dr.Dense(2, "sigmoid"), dr.Dense(1, "sigmoid")], "binary_cross_entropy"
    )
    parameters = (
        {"W": np.array([[0.1, 0.3, 0.5], [0.2, 0.1, 0.0]]), "b": np.array([[0.1], [0.1]])},
        {"W": np.array([[0.1, 0.2]]), "b": np.array([[1.0]])},
    )
    runner = dr.start(
        network,
        optimizer=dr.GradientDescent(0.1),
        regularization=dr.Regularization(l2=0.1),
        parameters=parameters,
        dtype="float64",
        engine="reference",
    )
    x = np.array([[0.6, 0.8, 0.7]])
    runner.step(x, np.array([[0.0]]))
    first, second = runner.parameters()
    expected_W1 = [[0.097999, 0.195755], [0.295666, 0.096006], [0.493832, -0.002620]]
    np.testing.assert_allclose(first["W"].T, expected_W1, atol=1e-6)
    np.testing.assert_allclose(second["W"], [[0.047012, 0.154029]], atol=1e-6)
    np.testing.assert_allclose(first["b"].ravel(), [0.098332, 0.096258], atol=1e-6)
    np.testing.assert_allclose(second["b"], [[0.923455]], atol=1e-6)
    np.testing.assert_allclose(runner.predict(x), [[0.739492]], atol=1e-6)
