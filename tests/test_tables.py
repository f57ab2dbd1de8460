"""Every row of every table; and that a new row is picked up by itself."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.checks import central_difference, relative_error
from deltarule.costs import COSTS, softmax_cross_entropy
from deltarule.initializers import INITIALIZERS
from deltarule.intervals import Interval

from .tolerances import DIFFERENCES, error

Z = np.concatenate([np.linspace(-6, 6, 27), [-30.0, 30.0]]).reshape(-1, 1)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
class TestActivation:
    def test_g_prime_is_the_derivative(self, name):
        g = ACTIVATIONS(name)
        z = Z[:27] + 0.01
        numeric = central_difference(g.g, z)
        assert relative_error(g.jacobian(z, g.g(z)), numeric) < DIFFERENCES

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_keeps_dtype_and_shape(self, name, dtype):
        g, z = ACTIVATIONS(name), Z.astype(dtype)
        for array in (g.g(z), g.delta(np.ones_like(z), z, g.g(z))):
            assert array.dtype == dtype
            assert array.shape == z.shape

    def test_is_the_same_on_jax(self, name):
        g, z = ACTIVATIONS(name), Z.astype("float32")
        assert error(g.g(jnp.asarray(z)), g.g(z)) < 1e-5
        ours = g.delta(np.ones_like(z), z, g.g(z))
        theirs = g.delta(jnp.ones_like(z), jnp.asarray(z), g.g(jnp.asarray(z)))
        if name == "softmax":  # δ of a constant dA is 0: only rounding is left
            assert abs(np.asarray(theirs) - ours).max() < 1e-6
        else:
            assert error(theirs, ours) < 1e-5

    def test_keeps_its_range(self, name):
        g = ACTIVATIONS(name)
        values = g.g(Z[:27])
        assert g.range.holds(values).all()

    def test_stays_finite_where_it_can(self, name):
        z = np.array([[-1e4], [0.0], [1e4]])
        g = ACTIVATIONS(name)
        if name != "exp":
            assert np.isfinite(g.g(z)).all()
            assert np.isfinite(g.delta(np.ones_like(z), z, g.g(z))).all()

    def test_at_its_kinks_the_derivative_is_that_of_the_left_or_zero(self, name):
        g = ACTIVATIONS(name)
        for kink in g.kinks:
            at = g.g_prime(np.array([kink]))[0]
            left = g.g_prime(np.array([kink - 1e-12]))[0]
            assert at in (0.0, pytest.approx(left))

    def test_names_a_known_initializer(self, name):
        assert INITIALIZERS(ACTIVATIONS(name).initializer)

    def test_has_a_formula(self, name):
        assert ACTIVATIONS(name).formula

    def test_its_name_finds_it_again(self, name):
        row = ACTIVATIONS(name)
        assert ACTIVATIONS(row.name).name == row.name


def test_kinks_follow_the_convention():
    zero = np.zeros(1)
    assert ACTIVATIONS("relu").g_prime(zero) == 0
    assert ACTIVATIONS("leaky_relu").g_prime(zero) == 0
    assert COSTS("mae").dA(zero[None], zero[None]) == 0
    assert COSTS("quantile(0.9)").dA(zero[None], zero[None]) == 0


@pytest.mark.parametrize("name", list(COSTS))
class TestCost:
    def arrays(self, name, dtype="float64"):
        rng = np.random.default_rng(0)
        A = rng.uniform(0.05, 0.95, (3, 4))
        Y = rng.uniform(0.05, 0.95, (3, 4))
        return COSTS(name), A.astype(dtype), Y.astype(dtype)

    def test_dA_is_the_derivative_of_the_summed_loss(self, name):
        cost, A, Y = self.arrays(name)
        numeric = central_difference(lambda a: cost.loss(a, Y).sum(), A)
        assert relative_error(cost.dA(A, Y), numeric) < DIFFERENCES

    def test_loss_is_one_number_an_example(self, name):
        cost, A, Y = self.arrays(name)
        assert cost.loss(A, Y).shape == (4,)
        one = cost.loss(A[:, 1:2], Y[:, 1:2])
        np.testing.assert_allclose(cost.loss(A, Y)[1], one[0])

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_keeps_dtype(self, name, dtype):
        cost, A, Y = self.arrays(name, dtype)
        assert cost.loss(A, Y).dtype == dtype
        assert cost.dA(A, Y).dtype == dtype
        for pair in cost.fused.values():
            assert pair.loss(A, Y).dtype == dtype
            assert pair.delta(A, A, Y).dtype == dtype

    def test_is_the_same_on_jax(self, name):
        cost, A, Y = self.arrays(name, "float32")
        a, y = jnp.asarray(A), jnp.asarray(Y)
        assert error(cost.loss(a, y), cost.loss(A, Y)) < 1e-5
        assert error(cost.dA(a, y), cost.dA(A, Y)) < 1e-5

    def test_a_fused_pair_equals_the_two_rows(self, name):
        cost, _, Y = self.arrays(name)
        if cost.distribution:
            Y = Y / Y.sum(axis=0)
        z = np.random.default_rng(1).standard_normal((3, 4))
        for output, pair in cost.fused.items():
            g = ACTIVATIONS(output)
            a = g.g(z)
            np.testing.assert_allclose(pair.loss(z, Y), cost.loss(a, Y))
            assert error(pair.delta(z, a, Y), g.delta(cost.dA(a, Y), z, a)) < 1e-12

    def test_has_a_formula(self, name):
        assert COSTS(name).formula

    def test_its_name_finds_it_again(self, name):
        assert COSTS(COSTS(name).name).name == COSTS(name).name


def test_losses_by_hand():
    A, Y = np.array([[0.5, 2.0], [1.0, 0.0]]), np.array([[0.0, 3.0], [3.0, 0.5]])
    expected = {
        "mse": [0.25 + 4, 1 + 0.25],
        "mae": [2.5, 1.5],
        "half_squared_error": [2.125, 0.625],
        "huber(1)": [0.125 + 1.5, 0.5 + 0.125],
        "quantile(0.25)": [0.75 * 0.5 + 0.25 * 2, 0.25 * 1 + 0.25 * 0.5],
    }
    for name, loss in expected.items():
        np.testing.assert_allclose(COSTS(name).loss(A, Y), loss, err_msg=name)
    half = np.full((2, 1), 0.5)
    truth = np.array([[1.0], [0.0]])
    log2 = np.log(2.0)
    for name, loss in {
        "binary_cross_entropy": 2 * log2,
        "categorical_cross_entropy": log2,
        "focal(2)": 0.25 * log2,
        "binary_focal(2)": 0.5 * log2,
        "poisson": 1 + log2,
    }.items():
        np.testing.assert_allclose(COSTS(name).loss(half, truth), [loss], err_msg=name)


def test_softmax_cross_entropy_of_groups_is_that_of_each_group_s_softmax():
    rng = np.random.default_rng(3)
    Z, Y = rng.normal(0, 3, (10, 7)), rng.uniform(0, 1, (10, 7))
    Y = np.concatenate([y / y.sum(axis=0) for y in np.split(Y, 2)])
    cost, pair = COSTS("softmax_cross_entropy(5)"), COSTS("categorical_cross_entropy").fused
    softmax = ACTIVATIONS("softmax").g
    groups = list(zip(np.split(Z, 2), np.split(Y, 2), strict=True))
    np.testing.assert_allclose(
        cost.loss(Z, Y), sum(pair["softmax"].loss(z, y) for z, y in groups), rtol=1e-14
    )
    expected = np.concatenate([softmax(z) - y for z, y in groups])
    np.testing.assert_allclose(cost.dA(Z, Y), expected, atol=1e-15)


def test_softmax_cross_entropy_of_extreme_logits_is_finite():
    Z = np.array([[-1e4], [1e4], [0.0], [1e4], [1e4], [1e4]], "float32")
    Y = np.array([[1], [0], [0], [0], [0], [1]], "float32")
    cost = COSTS("softmax_cross_entropy(3)")
    np.testing.assert_allclose(cost.loss(Z, Y), [2e4 + np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(cost.dA(Z, Y).ravel(), [-1, 1, 0, 1 / 3, 1 / 3, -2 / 3], rtol=1e-6)


@pytest.mark.parametrize("classes", [3, 3.0, np.int64(3)])
def test_softmax_cross_entropy_is_one_row_however_its_number_is_written(classes):
    assert softmax_cross_entropy(classes) is COSTS("softmax_cross_entropy(3)")


def test_impossible_targets_cost_nothing_extra():
    """0 log 0 = 0: an output that says exactly 0 or 1 and is right costs nothing."""
    A, Y = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])
    assert (COSTS("binary_cross_entropy").loss(A, Y) == 0).all()
    assert np.isfinite(COSTS("binary_cross_entropy").dA(A, Y)).all()


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_initializer_scale(name):
    rule = INITIALIZERS(name)
    n, n_prev = 300, 200
    W = rule.draw(np.random.default_rng(0), (n, n_prev))
    assert W.shape == (n, n_prev)
    variance = {
        "glorot_uniform": 2 / (n + n_prev),
        "glorot_normal": 2 / (n + n_prev),
        "he_uniform": 2 / n_prev,
        "he_normal": 2 / n_prev,
        "lecun_uniform": 1 / n_prev,
        "lecun_normal": 1 / n_prev,
        "normal": 1.0,
        "orthogonal": 1 / n,
        "zeros": 0.0,
    }[name]
    assert W.var() == pytest.approx(variance, rel=0.05)
    if name.endswith("uniform"):
        assert abs(W).max() <= np.sqrt(3 * variance)


def test_orthogonal_columns():
    W = INITIALIZERS("orthogonal(2)").draw(np.random.default_rng(0), (5, 3))
    np.testing.assert_allclose(W.T @ W, 4 * np.eye(3), atol=1e-12)


@given(
    st.sampled_from(["(", "["]),
    st.sampled_from([")", "]"]),
    st.integers(-3, 3),
    st.integers(0, 4),
    st.integers(-3, 3),
    st.integers(0, 4),
)
def test_an_interval_contains_itself_and_its_inside(left, right, low, size, inner_low, inner_size):
    outer = Interval(f"{left}{low}, {low + size}{right}")
    inner = Interval(f"[{inner_low}, {inner_low + inner_size}]")
    assert outer in outer
    inside = all(outer.holds(np.array(v)) for v in (inner_low, inner_low + inner_size))
    assert (inner in outer) == inside


def test_a_row_of_ones_own_is_used_and_checked():
    cube = dr.Activation("cube", lambda Z: Z**3, lambda Z: 3 * Z**2)
    sixth = dr.Cost("sixth", lambda A, Y: ((A - Y) ** 6).sum(axis=0), lambda A, Y: 6 * (A - Y) ** 5)
    network = dr.Network(2, [dr.Dense(3, cube), dr.Dense(1)], sixth)
    from deltarule.checks import check_gradients

    errors = check_gradients(network, [[0.3, -0.2], [0.5, 0.7]], [0.1, 0.4])
    assert max(errors.values()) < DIFFERENCES
    wrong = dr.Activation("wrong", lambda Z: Z**3, lambda Z: 2 * Z**2)
    network = dr.Network(2, [dr.Dense(3, wrong), dr.Dense(1)], "mse")
    errors = check_gradients(network, [[0.3, -0.2], [0.5, 0.7]], [0.1, 0.4])
    assert errors["dW[1]"] > 0.1


def test_a_row_of_ones_own_named_like_a_fused_one_is_not_fused():
    mine = dr.Activation("sigmoid", lambda Z: 0.5 + 0 * Z, lambda Z: 0 * Z, Interval("(0, 1)"))
    network = dr.Network(2, [dr.Dense(1, mine)], "binary_cross_entropy")
    assert network.pair is None


NEW_ROWS = """
from deltarule.activations import ACTIVATIONS, Activation
from deltarule.costs import COSTS, Cost
from deltarule.intervals import Interval
ACTIVATIONS.entries["square"] = Activation(
    "square", lambda Z: Z * Z, lambda Z: 2.0 * Z, Interval("[0, inf)"), formula="z^2"
)
COSTS.entries["fourth"] = Cost(
    "fourth",
    lambda A, Y: ((A - Y) ** 4).sum(axis=0),
    lambda A, Y: 4.0 * (A - Y) ** 3,
    formula="e^4",
)
from deltarule.checks import check_all
from deltarule.checks.cases import pair_cases
for name in ("square", "fourth"):
    assert any(name in case.name for case in pair_cases())
checked = check_all()
assert all(c.passed for c in checked), checked
for number, name in (("9", "square"), ("2", "fourth")):
    assert name in next(c.rows for c in checked if c.number == number)
print("found")
"""


def test_a_new_row_inherits_the_checks():
    """One file and one row: the equations' check walks the table and finds it."""
    done = subprocess.run(
        [sys.executable, "-c", NEW_ROWS], capture_output=True, text=True, check=False
    )
    assert done.stdout == "found\n", done.stderr
