"""The runner's protocol, on the reference engine."""

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines.plan import Plan
from deltarule.engines.step import masks_of
from deltarule.network import feed_forward, output_delta
from deltarule.optimizers import OPTIMIZERS

from .tolerances import STEP, error

SOFTMAX = dr.Network(5, [dr.Dense(4, "tanh"), dr.Dense(3, "softmax")], "categorical_cross_entropy")


def data_of(m=7, n=3, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((m, 5)), np.eye(n)[rng.integers(0, n, m)]
    return X.astype(dtype), Y.astype(dtype)


def runner_of(network=SOFTMAX, dtype="float64", **settings):
    return dr.start(network, engine="reference", dtype=dtype, **settings)


def assert_same(ours, theirs, tolerance=0.0):
    for a, b in zip(ours, theirs, strict=True):
        for part in a:
            assert error(a[part], b[part]) <= tolerance, part


def test_train_is_a_row_of_steps():
    X, Y = data_of()
    order = np.array([3, 1, 6, 0, 5, 2, 4])
    one, other = runner_of(optimizer=dr.Adam(0.01)), runner_of(optimizer=dr.Adam(0.01))
    costs = one.train(X, Y, order, 3, np.full(3, 0.01)).costs
    singly = [other.step(X[rows], Y[rows]) for rows in (order[:3], order[3:6], order[6:])]
    assert costs.tolist() == singly
    assert_same(one.parameters(), other.parameters())
    assert one.state().step == 3


def test_learning_rates_are_used_batch_by_batch():
    X, Y = data_of()
    runner = runner_of(optimizer=dr.GradientDescent(1.0))
    before = runner.parameters()
    runner.train(X, Y, np.arange(7), 7, np.array([0.0]))
    assert_same(runner.parameters(), before)
    runner.train(X, Y, np.arange(7), 7, np.array([0.5]))
    gradients = runner_of().gradients(X, Y)
    expected = [{k: p[k] - 0.5 * g[k] for k in p} for p, g in zip(before, gradients, strict=True)]
    assert_same(runner.parameters(), expected, STEP["float64"])


def test_step_follows_its_schedule():
    X, Y = data_of()
    schedule = dr.StepDecay(0.1, factor=0.5, every=1)
    one = runner_of(optimizer=dr.GradientDescent(schedule))
    other = runner_of(optimizer=dr.GradientDescent(0.1))
    one.step(X, Y), one.step(X, Y)
    other.train(X, Y, np.tile(np.arange(7), 2), 7, np.array([0.1, 0.05]))
    assert_same(one.parameters(), other.parameters())


def test_weights_count_examples():
    """A weight of 2 is the example twice; a weight of 0 is the example left out."""
    X, Y = data_of()
    weights = np.array([1.0, 2, 0, 1, 1, 1, 2])  # their sum is not m
    repeated = [0, 1, 1, 3, 4, 5, 6, 6]
    one, other = runner_of(optimizer="adam"), runner_of(optimizer="adam")
    for _ in range(3):
        a, b = one.step(X, Y, weights), other.step(X[repeated], Y[repeated])
        assert a == pytest.approx(b, rel=1e-12)
    assert_same(one.parameters(), other.parameters(), STEP["float64"])
    for penalised in (True, False):
        expected = other.cost(X[repeated], Y[repeated], penalised=penalised)
        assert one.cost(X, Y, weights, penalised=penalised) == pytest.approx(expected)
        assert one.cost(X, Y, 0 * weights, penalised=penalised) == 0


@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if not OPTIMIZERS(n).full_batch])
def test_a_batch_without_weight_changes_nothing(name):
    X, Y = data_of()
    rules = dr.Regularization(l2=0.1, decay=0.1)
    runner = runner_of(optimizer=name, regularization=rules)
    runner.step(X, Y)
    before, state = runner.parameters(), runner.state()
    assert runner.step(X, Y, np.zeros(7)) == 0.0
    assert_same(runner.parameters(), before)
    for own, old in zip(runner.state().optimizer, state.optimizer, strict=True):
        for part in own:
            for a, b in zip(own[part], old[part], strict=True):
                np.testing.assert_array_equal(a, b)


def test_step_from_begins_at_eq_10():
    """The caller's own dA of the summed loss: with mse's dA it is the step of mse."""
    network = dr.Network(5, [dr.Dense(4, "tanh"), dr.Dense(3, "sigmoid")], "mse")
    X, Y = data_of()
    one, other = (runner_of(network, optimizer=dr.SGD(0.1)) for _ in range(2))
    for _ in range(2):
        one.step(X, Y)
        other.step_from(X, 2 * (other.predict(X) - Y))
    assert_same(one.parameters(), other.parameters(), STEP["float64"])


def test_label_smoothing_is_smoothed_targets():
    X, Y = data_of()
    one = runner_of(regularization=dr.Regularization(label_smoothing=0.1))
    other = runner_of()
    for _ in range(2):
        assert one.step(X, Y) == pytest.approx(other.step(X, 0.9 * Y + 0.1 / 3))
    assert_same(one.parameters(), other.parameters(), STEP["float64"])
    assert one.cost(X, Y, penalised=False) == pytest.approx(other.cost(X, Y))


def test_penalties_belong_to_the_cost():
    X, Y = data_of()
    plain = runner_of()
    W = [p["W"] for p in plain.parameters()]
    l1, l2 = sum(abs(w).sum() for w in W), sum((w * w).sum() for w in W)
    rules = dr.Regularization(l1=0.3, l2=0.5)
    expected = plain.cost(X, Y) + 0.3 * l1 + 0.25 * l2
    assert runner_of(regularization=rules).cost(X, Y) == pytest.approx(expected)
    assert runner_of(regularization=rules).step(X, Y) == pytest.approx(expected)
    assert runner_of(regularization=rules).cost(X, Y, penalised=False) == plain.cost(X, Y)
    shared = dr.Regularization(l1=0.3, l2=0.5, over_batch=True)
    expected = plain.cost(X, Y) + (0.3 * l1 + 0.25 * l2) / 7
    assert runner_of(regularization=shared).step(X, Y) == pytest.approx(expected)


def test_max_norm_holds_after_each_step():
    X, Y = data_of()
    runner = runner_of(regularization=dr.Regularization(max_norm=0.5), optimizer=dr.SGD(1.0))
    runner.step(X, Y)
    for layer in runner.parameters():
        assert np.sqrt((layer["W"] ** 2).sum(axis=1)).max() <= 0.5 + 1e-12


def test_dropout_drops_in_training_only():
    network = dr.Network(5, [dr.Dense(40, "tanh", dropout=0.5), dr.Dense(3)], "mse")
    X, Y = data_of()
    runner = runner_of(network, seed=4, optimizer=dr.SGD(0.0))
    assert runner.predict(X).tolist() == runner.predict(X).tolist()
    costs = [runner.step(X, Y) for _ in range(3)]
    assert len(set(costs)) == 3
    assert runner.cost(X, Y) not in costs
    plan = Plan(network, "sgd", dtype="float64", seed=4)
    masks = masks_of(plan, np, 1, np.arange(7, dtype=np.uint32))
    caches = feed_forward(network, runner.parameters(), X.T, masks)
    assert costs[1] == pytest.approx(((caches[-1].A - Y.T) ** 2).sum() / 7)


def test_resumes_bit_for_bit():
    network = dr.Network(5, [dr.Dense(4, "relu", dropout=0.3), dr.Dense(3)], "mse")
    X, Y = data_of()
    whole, first = (runner_of(network, optimizer="nadam", seed=1) for _ in range(2))
    for _ in range(4):
        whole.step(X, Y)
    for _ in range(2):
        first.step(X, Y)
    second = runner_of(network, optimizer="nadam", seed=1, parameters=first.parameters())
    second.set_state(first.state())
    for _ in range(2):
        second.step(X, Y)
    assert_same(second.parameters(), whole.parameters())


def test_what_a_runner_returns_is_a_copy():
    X, Y = data_of()
    runner = runner_of(optimizer="adam")
    runner.step(X, Y)
    runner.parameters()[0]["W"][...] = 7
    runner.state().optimizer[0]["W"][0][...] = 7
    assert not (runner.parameters()[0]["W"] == 7).any()
    assert not (runner.state().optimizer[0]["W"][0] == 7).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_and_predict_into(dtype):
    X, _ = data_of(dtype=dtype)
    runner = runner_of(dtype=dtype)
    out = np.empty((7, 3), dtype)
    runner.predict_into(X, out)
    np.testing.assert_array_equal(out, runner.predict(X))
    assert out.dtype == dtype
    np.testing.assert_allclose(out.sum(axis=1), 1, rtol=1e-6)
    assert runner.jacobian(X).shape == (7, 3, 5)


def test_statistics():
    X, Y = data_of()
    network = dr.Network(5, [dr.Dense(4, "relu"), dr.Dense(3)], "mse")
    parameters = [dict(p) for p in network.initial_parameters(0, "float64")]
    parameters[0]["W"][1], parameters[0]["b"][1] = 0, -1  # a unit that never fires
    runner = runner_of(network, parameters=parameters, optimizer=dr.GradientDescent(0.1))
    gradients = runner.gradients(X, Y)
    found = runner.train(X, Y, np.arange(7), 7, np.array([0.1]), statistics=True).statistics
    assert found.gradient_norm.shape == found.update_ratio.shape == found.dead.shape == (1, 2)
    for l, (own, before) in enumerate(zip(gradients, parameters, strict=True)):
        norm = np.sqrt(sum((d * d).sum() for d in own.values()))
        size = np.sqrt(sum((W * W).sum() for W in before.values()))
        assert found.gradient_norm[0, l] == pytest.approx(norm)
        assert found.update_ratio[0, l] == pytest.approx(0.1 * norm / size)
    assert found.dead[0, 0] >= 0.25
    assert found.dead[0, 1] == 0


def test_a_cost_that_is_not_finite_stops_before_its_update():
    X, Y = data_of()
    network = dr.Network(5, [dr.Dense(4), dr.Dense(3)], "mse")
    runner = runner_of(network, optimizer=dr.GradientDescent(1e200))
    rates = np.full(6, 1e200)
    costs = runner.train(X, Y, np.tile(np.arange(7), 6), 7, rates).costs
    assert len(costs) < 6
    assert np.isfinite(costs[:-1]).all()
    assert not np.isfinite(costs[-1])
    assert runner.state().step == len(costs) - 1


def test_output_delta_is_scaled_by_weights_where_fused_and_where_not():
    X, Y = data_of()
    s = np.linspace(0.5, 2, 7)
    for network in (SOFTMAX, dr.Network(5, [dr.Dense(3, "tanh")], "mse")):
        output = feed_forward(network, network.initial_parameters(0, "float64"), X.T)[-1]
        plain = output_delta(network, output, Y.T, None)
        np.testing.assert_allclose(output_delta(network, output, Y.T, s), plain * s)


def test_the_engine_is_chosen_by_name_or_automatically():
    from deltarule.engines import choose

    plan = Plan(SOFTMAX)
    assert choose(plan, "reference").name == "reference"
    assert choose(plan).name in dr.ENGINES
