"""The compiled engine against the reference: every row of every table, and drawn plans."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deltarule as dr
from deltarule.engines import native

from .tolerances import STEP, error

STEPPING = [name for name in native.OPTIMIZER_ROWS if name != "lbfgs"]


def arrays_of(parameters):
    return [W for layer in parameters for W in layer.values()]


def data_of(network, m, dtype, seed=0):
    rng = np.random.default_rng(seed)
    n, cost = network.outputs, network.cost_row
    Y = {
        "[0, 1]": rng.uniform(0.05, 0.95, (m, n)),
        "[0, inf)": rng.uniform(0, 3, (m, n)),
    }.get(cost.targets.text, rng.standard_normal((m, n)))
    if cost.distribution:
        Y = rng.dirichlet(np.ones(n), m)
    X = rng.standard_normal((m, network.inputs))
    return X.astype(dtype), Y.astype(dtype), rng.uniform(0, 2, m).astype(dtype)


def check_parity(network, optimizer="sgd", rules=None, m=7, weighted=False):
    """Every method of both engines from the same start, in float64."""
    plan = {"optimizer": optimizer, "regularization": rules, "dtype": "float64", "seed": 5}
    ours, reference = runners = [
        dr.start(network, engine=engine, **plan) for engine in ("native", "reference")
    ]
    X, Y, s = data_of(network, m, "float64")
    s = s if weighted else None
    pairs = [
        (ours.predict(X), reference.predict(X)),
        (ours.jacobian(X), reference.jacobian(X)),
        (ours.cost(X, Y, s), reference.cost(X, Y, s)),
        (ours.cost(X, Y, s, penalised=False), reference.cost(X, Y, s, penalised=False)),
    ]
    pairs += zip(*(arrays_of(r.gradients(X, Y, s)) for r in runners), strict=True)
    pairs += [(ours.step(X, Y, s), reference.step(X, Y, s)) for _ in range(2)]
    for runner in runners:
        runner.step_from(X, Y)
    order = np.random.default_rng(1).integers(0, m, 2 * m + 1)
    rates = np.geomspace(1e-2, 1e-3, -(-len(order) // 3))
    trained = [runner.train(X, Y, order, 3, rates, s, True) for runner in runners]
    pairs.append((trained[0].costs, trained[1].costs))
    pairs += zip(trained[0].statistics, trained[1].statistics, strict=True)
    pairs += zip(*(arrays_of(runner.parameters()) for runner in runners), strict=True)
    states = [runner.state() for runner in runners]
    assert states[0].step == states[1].step
    for a, b in zip(states[0].optimizer, states[1].optimizer, strict=True):
        for name in b:
            pairs += zip(a[name], b[name], strict=True)
    for found, expected in pairs:
        assert error(found, expected) < STEP["float64"]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("activation", native.ACTIVATION_ROWS)
def test_every_activation_agrees(activation, dropout):
    layers = [dr.Dense(19, activation, dropout), dr.Dense(7, activation, dropout / 3), dr.Dense(3)]
    check_parity(dr.Network(5, layers, input_dropout=dropout / 2), "adam")


PAIRS = [
    (cost, activation)
    for cost in native.COST_ROWS
    for activation in native.ACTIVATION_ROWS
    if dr.ACTIVATIONS(activation).range in dr.COSTS(cost).outputs
]


@pytest.mark.parametrize(("cost", "activation"), PAIRS)
def test_every_output_pair_agrees(cost, activation):
    network = dr.Network(5, [dr.Dense(19, "tanh"), dr.Dense(3, activation)], cost)
    check_parity(network, weighted=True)


OPTIONS = [dr.SGD(nesterov=True), dr.Adam(epsilon_inside=True), dr.NAdam(epsilon_inside=True)]


@pytest.mark.parametrize("optimizer", [*STEPPING, *OPTIONS])
def test_every_optimizer_agrees(optimizer):
    layers = [dr.Dense(19, "tanh", rate=0.5, bias_rate=0.3), dr.Dense(3)]
    check_parity(dr.Network(5, layers), optimizer)


RULES = [
    dr.Regularization(l1=0.1),
    dr.Regularization(l1=0.1, l2=0.2, over_batch=True),
    dr.Regularization(decay=0.1),
    dr.Regularization(max_norm=0.5),
    dr.Regularization(clip_norm=0.1),
    dr.Regularization(clip_value=0.01),
    dr.Regularization(clip_value=0.01, clip_norm=0.03, l2=0.3, decay=0.1, max_norm=0.7),
]


@pytest.mark.parametrize("rules", RULES, ids=range(len(RULES)))
def test_every_rule_agrees(rules):
    check_parity(dr.Network(5, [dr.Dense(19, "tanh"), dr.Dense(3)]), "adamw", rules)
    narrow = dr.Network(37, [dr.Dense(3, "tanh"), dr.Dense(40), dr.Dense(2)])
    check_parity(narrow, rules=rules, weighted=True)


def test_label_smoothing_agrees():
    layers = [dr.Dense(19, "tanh"), dr.Dense(3, "softmax")]
    network = dr.Network(5, layers, "categorical_cross_entropy")
    check_parity(network, rules=dr.Regularization(label_smoothing=0.1))


@pytest.mark.parametrize(("classes", "groups"), [(2, 1), (5, 7), (16, 2), (37, 3)])
def test_softmaxes_in_groups_agree(classes, groups):
    layers = [dr.Dense(19, "tanh"), dr.Dense(classes * groups)]
    network = dr.Network(5, layers, f"softmax_cross_entropy({classes})")
    check_parity(network, rules=dr.Regularization(label_smoothing=0.1), weighted=True)


def test_numbers_in_brackets_arrive_exactly():
    number = 0.123456789012345
    layers = [dr.Dense(3, f"leaky_relu({number})"), dr.Dense(1)]
    check_parity(dr.Network(2, layers, f"quantile({number})"))


def test_blocks_tiles_and_transposed_weights_agree():
    """Larger than a cache block in every direction, with remainders everywhere."""
    layers = [dr.Dense(277, "tanh"), dr.Dense(131, "tanh"), dr.Dense(3, "softmax")]
    network = dr.Network(301, layers, "categorical_cross_entropy")
    check_parity(network, m=403, weighted=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 50), min_size=2, max_size=6),
    activation=st.sampled_from(["tanh", "sigmoid", "gelu", "softplus", "silu", "mish", "elu"]),
    optimizer=st.sampled_from(STEPPING),
    m=st.integers(1, 40),
    dropout=st.sampled_from([0.0, 0.4]),
    weighted=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
)
def test_drawn_plans_agree(sizes, activation, optimizer, m, dropout, weighted, seed):
    first, *hidden, last = sizes
    layers = [*(dr.Dense(n, activation, dropout) for n in hidden), dr.Dense(last)]
    network = dr.Network(first, layers)
    X, Y, s = data_of(network, m, "float64", seed % 1000)
    start = {"optimizer": optimizer, "dtype": "float64", "seed": seed}
    runners = [dr.start(network, engine=engine, **start) for engine in ("native", "reference")]
    costs = [[r.step(X, Y, s if weighted else None) for _ in range(3)] for r in runners]
    assert error(*costs) < STEP["float64"]
    if optimizer != "lion":  # its sign jumps where a gradient is nearly 0
        for a, b in zip(*(arrays_of(r.parameters()) for r in runners), strict=True):
            assert error(a, b) < 10 * STEP["float64"]


def test_200_steps_stay_with_the_reference():
    network = dr.Network(20, [dr.Dense(17, "tanh"), dr.Dense(9, "relu"), dr.Dense(1)])
    X, Y, _ = data_of(network, 160, "float64")
    order = np.concatenate([np.random.default_rng(e).permutation(160) for e in range(20)])
    costs = [
        dr.start(network, optimizer="adam", dtype="float64", engine=engine)
        .train(X, Y, order, 16, np.full(200, 1e-3))
        .costs
        for engine in ("native", "reference")
    ]
    assert error(*costs) < 1e-8


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "gelu", "softplus", "selu"])
def test_float32_errs_at_most_four_times_as_much_as_numpy(activation, scale):
    layers = [dr.Dense(33, activation), dr.Dense(21, activation), dr.Dense(5, "softmax")]
    network = dr.Network(40, layers, "categorical_cross_entropy")
    X, Y, _ = data_of(network, 64, "float32")
    start = network.initial_parameters(3, "float32")
    found = []
    for engine, dtype in [
        ("native", "float32"),
        ("reference", "float32"),
        ("reference", "float64"),
    ]:
        runner = dr.start(network, dtype=dtype, engine=engine, parameters=start)
        gradients = runner.gradients((scale * X).astype(dtype), Y.astype(dtype))
        found.append(arrays_of(gradients))
    for ours, numpy, exact in zip(*found, strict=True):
        assert error(ours, exact) <= 4 * error(numpy, exact)


def test_masks_are_the_references_bit_for_bit():
    """Identity layers with unit weights: what is dropped is exactly what does not change."""
    network = dr.Network(37, [dr.Dense(37, dropout=0.5), dr.Dense(37)], input_dropout=0.25)
    unit = [{"W": np.eye(37), "b": np.zeros((37, 1))}] * 2
    changed = []
    for engine in ("native", "reference"):
        start = {"optimizer": "gradient_descent", "dtype": "float64", "seed": 9, "parameters": unit}
        runner = dr.start(network, engine=engine, **start)
        runner.step_from(np.ones((2, 37)), np.ones((2, 37)))
        changed.append(runner.parameters()[1]["W"] != unit[1]["W"])
    assert 0.1 < changed[0].mean() < 0.9
    np.testing.assert_array_equal(*changed)


@pytest.mark.parametrize("share", [1e-18, 1e-9])
def test_masks_of_the_smallest_shares_are_the_references(share):
    """2³² words times what is kept is 2³² where the share is below rounding: no 32-bit number."""
    network = dr.Network(5, [dr.Dense(4, "tanh", dropout=share), dr.Dense(2)], input_dropout=share)
    X, Y = np.ones((3, 5)), np.ones((3, 2))
    native, reference = (
        dr.start(network, engine=engine, dtype="float64", seed=3)
        for engine in ("native", "reference")
    )
    assert native.step(X, Y) == pytest.approx(reference.step(X, Y), rel=1e-12)
    assert native.cost(X, Y) == pytest.approx(reference.cost(X, Y), rel=1e-12)


def test_a_batch_without_weight_costs_nothing_and_changes_nothing():
    network = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(2)])
    runner = dr.start(network, optimizer="adam", engine="native", dtype="float64")
    X, Y, s = data_of(network, 6, "float64")
    before = runner.parameters()
    s[:3] = 0
    assert runner.train(X, Y, np.arange(3), 3, np.ones(1), s).costs.tolist() == [0.0]
    assert runner.state().step == 1
    for a, b in zip(arrays_of(before), arrays_of(runner.parameters()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_that_is_resumed_goes_on_bit_for_bit():
    network = dr.Network(6, [dr.Dense(20, "gelu", 0.2), dr.Dense(2)])
    X, Y, _ = data_of(network, 50, "float32")
    order, rates = np.random.default_rng(0).permutation(50), np.full(7, 1e-2)
    start = {"optimizer": "adam", "engine": "native", "seed": 4}
    whole, first = (dr.start(network, **start) for _ in range(2))
    whole.train(X, Y, order, 8, rates)
    first.train(X, Y, order[:32], 8, rates[:4])
    second = dr.start(network, **start, parameters=first.parameters())
    second.set_state(first.state())
    second.train(X, Y, order[32:], 8, rates[4:])
    for a, b in zip(arrays_of(whole.parameters()), arrays_of(second.parameters()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cost_that_is_not_finite_ends_the_call_before_its_update():
    network = dr.Network(3, [dr.Dense(4, "relu"), dr.Dense(2)])
    X, Y, _ = data_of(network, 12, "float32")
    X[6:9] = 1e30
    runner, same = (dr.start(network, optimizer="sgd", engine="native") for _ in range(2))
    done = runner.train(X, Y, np.arange(12), 3, np.full(4, 1e-3))
    same.train(X, Y, np.arange(6), 3, np.full(2, 1e-3))
    assert np.isfinite(done.costs).tolist() == [True, True, False]
    assert runner.state().step == 2
    for a, b in zip(arrays_of(same.parameters()), arrays_of(runner.parameters()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_lbfgs_drives_this_engine_and_does_not_step():
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    X, Y, _ = data_of(network, 30, "float64")
    plan = {"optimizer": "lbfgs", "epochs": 5, "dtype": "float64"}
    results = [dr.train(network, X, Y, engine=e, **plan) for e in ("native", "reference")]
    assert error(results[0].predict(X), results[1].predict(X)) < 1e-6
    runner = dr.start(network, optimizer="lbfgs", dtype="float64", engine="native")
    with pytest.raises(dr.SettingError, match="LBFGS"):
        runner.step(X, Y)


def test_a_new_row_in_the_middle_of_a_table_runs_and_moves_no_other(monkeypatch):
    """The core's numbers are its own: they do not follow a table that grows."""
    square = dr.Activation("square", lambda Z: Z * Z, lambda Z: 2.0 * Z)
    entries = dr.ACTIVATIONS.entries
    grown = {"identity": entries["identity"], "square": square} | entries
    x, y = np.ones((4, 2)), np.ones((4, 1))

    def cost(activation, engine):
        network = dr.Network(2, [dr.Dense(3, activation), dr.Dense(1)])
        return dr.start(network, engine=engine, dtype="float64").cost(x, y)

    monkeypatch.setattr(dr.ACTIVATIONS, "entries", grown)
    for name in ("square", "tanh", "exp", "softmax"):
        assert cost(name, "native") == pytest.approx(cost(name, "reference"), rel=1e-12)
