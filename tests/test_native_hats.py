"""Dense on columns in bins: sums of rows on the compiled engine, products on the reference."""

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines import EngineOptions

from .test_native_engine import arrays_of, check_parity, data_of

FINE = np.linspace(-1.5, 1.5, 14)
COARSE = (-0.5, 0.0, 0.5)
WHOLE = (0.0, 1.0)
EDGES = [FINE, WHOLE, FINE[:9], COARSE, WHOLE, FINE]  # 13, 1, 8, 2, 1 and 13 units
PARTS = [
    (0, 13, [dr.Dense(5, "relu")]),
    (13, 14, []),
    (14, 22, [dr.Dense(16, "tanh")]),
    (22, 25, []),
    (25, 38, [dr.Scale(rate=2.0), dr.Dense(21, "gelu")]),
]
BINS = dr.PiecewiseLinear(EDGES)
NETWORKS = {
    "dense": [BINS, dr.Dense(19, "tanh"), dr.Dense(2)],
    "two panels and more": [BINS, dr.Dense(83, "tanh", dropout=0.3), dr.Dense(2)],
    "scaled": [BINS, dr.Scale(rate=3.0), dr.Dense(40, "selu"), dr.Dense(2)],
    "a scale that stays": [BINS, dr.Scale(rate=0.0), dr.Dense(40, "leaky_relu"), dr.Dense(2)],
    "parts": [BINS, dr.Parallel(PARTS), dr.Scale(), dr.Dense(9, "gelu"), dr.Dense(2)],
    "read twice": [BINS, dr.Parallel([(0, 38, [dr.Dense(20, "tanh")]), (5, 20, [])]), dr.Dense(2)],
    "after columns that learn": [dr.Dense(6, "tanh"), BINS, dr.Dense(19, "tanh"), dr.Dense(2)],
    "two layers of bins": [
        BINS,
        dr.Scale(),
        dr.Dense(20, "tanh"),
        dr.PiecewiseLinear([FINE] * 20),
        dr.Dense(30, "tanh"),
        dr.Dense(2),
    ],
    "a long column": [dr.PiecewiseLinear([np.linspace(-2, 2, 99)] * 6), dr.Dense(30), dr.Dense(2)],
    "strips": [dr.PiecewiseLinear([np.linspace(-2, 2, 48)] * 6), dr.Scale(), dr.Dense(30)],
}
STILL = [dr.Parallel([(0, 4, []), (0, 4, [dr.Dense(2, rate=0.0)])]), *NETWORKS["scaled"]]
RULES = {
    "none": None,
    "clipped": dr.Regularization(l1=1e-3, l2=1e-2, clip_norm=0.3, max_norm=1.0),
    "decay": dr.Regularization(decay=0.1, clip_value=0.01),
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_agrees_with_the_reference(name, rules):
    optimizer = "gradient_descent" if "stays" in name else "adam"  # what stays has no slots here
    check_parity(
        dr.Network(6, NETWORKS[name]), optimizer, RULES[rules], m=11, weighted=rules == "decay"
    )


@pytest.mark.parametrize("rules", RULES)
def test_columns_that_do_not_learn_agree_in_front_of_bins(rules):
    """Without slots: what does not move has none on the compiled engine."""
    check_parity(dr.Network(4, STILL), "gradient_descent", RULES[rules], m=11)


def trained(layers, threads=1, dtype="float32", batch=32, optimizer="adam", rate=1e-2):
    """Parameters, costs and predictions after three epochs, with a smaller last batch of 32."""
    network, m = dr.Network(6, layers), 150
    X, Y, s = data_of(network, m, dtype)
    plan = {"optimizer": optimizer, "dtype": dtype, "seed": 5}
    runner = dr.start(network, engine="native", options=EngineOptions(n_threads=threads), **plan)
    costs = [
        runner.train(X, Y, np.arange(m), batch, np.full(-(-m // batch), rate), s).costs
        for _ in range(3)
    ]
    return [*arrays_of(runner.parameters()), np.concatenate(costs), runner.predict(X)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_are_the_same_for_any_number_of_threads(name, dtype):
    one = trained(NETWORKS[name], dtype=dtype)
    assert all(np.isfinite(array).all() for array in one)
    for threads in (2, 3, 7):
        for a, b in zip(one, trained(NETWORKS[name], threads=threads, dtype=dtype), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch", [1, 2, 150])
def test_float32_agrees_with_float64_for_any_batch(batch):
    layers = NETWORKS["scaled"]
    for a, b in zip(
        trained(layers, batch=batch, optimizer="sgd", rate=1e-4),
        trained(layers, batch=batch, optimizer="sgd", rate=1e-4, dtype="float64"),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_alone_has_the_bits_it_has_among_others(name):
    network = dr.Network(6, NETWORKS[name])
    X, _, _ = data_of(network, 60, "float32")
    runner = dr.start(network, engine="native", seed=3)
    P = runner.predict(X)
    for i in (0, 17, 59):
        np.testing.assert_array_equal(runner.predict(X[i : i + 1])[0], P[i])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges_and_places_far_beyond_them_agree(dtype):
    """On an edge, next to it, and as far out as a column goes on in a straight line."""
    network = dr.Network(6, NETWORKS["scaled"])
    places = np.concatenate([FINE, np.nextafter(FINE, 9), np.nextafter(FINE, -9), [-40, 0, 40]])
    X = np.repeat(places[:, None], 6, axis=1).astype(dtype)
    native, reference = (
        dr.start(network, engine=engine, dtype=dtype, seed=1) for engine in ("native", "reference")
    )
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(
        native.predict(X), reference.predict(X), rtol=tolerance, atol=tolerance
    )


def test_a_number_that_is_none_is_none_behind_bins():
    network = dr.Network(6, NETWORKS["dense"])
    runner = dr.start(network, engine="native", dtype="float64")
    X, Y, _ = data_of(network, 4, "float64")
    X[1, 0] = X[2, 1] = np.nan
    found = runner.train(X, Y, np.arange(4), 4, np.ones(1)).costs
    assert np.isnan(found).all()


def test_parameters_that_are_set_are_those_that_predict():
    """Also after a step, and after a prediction."""
    network = dr.Network(6, NETWORKS["scaled"])
    X, Y, _ = data_of(network, 9, "float64")
    first, second = (
        dr.start(network, engine="native", optimizer="adam", dtype="float64", seed=seed)
        for seed in (1, 2)
    )
    first.step(X, Y), first.predict(X), first.step(X, Y), second.predict(X)
    second.set_parameters(first.parameters())
    second.set_state(first.state())
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    assert first.step(X, Y) == second.step(X, Y)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    np.testing.assert_array_equal(first.jacobian(X), second.jacobian(X))


def test_what_does_not_learn_stays_and_the_rest_learns_as_with_its_derivatives():
    """A Dense in front, of rate 0: its derivatives are not formed, and nothing else is missing."""
    network = dr.Network(4, STILL)
    X, Y, _ = data_of(network, 40, "float64")
    plan = {"optimizer": "adam", "dtype": "float64", "seed": 1}
    runners = [dr.start(network, engine=engine, **plan) for engine in ("native", "reference")]
    for runner in runners:
        runner.train(X, Y, np.arange(40), 16, np.full(3, 1e-2))
    a, b = (arrays_of(runner.parameters()) for runner in runners)
    for found, expected in zip(a, b, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    start = dr.start(network, engine="native", **plan).parameters()
    for name, value in start[0].items():
        np.testing.assert_array_equal(runners[0].parameters()[0][name], value)


def test_many_networks_train_as_each_by_itself():
    network = dr.Network(6, NETWORKS["parts"])
    X, Y, _ = data_of(network, 50, "float32")
    run = {"epochs": 3, "batch_size": 16, "engine": "native"}
    many = dr.train_many(network, X, Y, seeds=[1, 2], **run)
    for k, seed in enumerate((1, 2)):
        alone = dr.train(network, X, Y, seed=seed, **run)
        for a, b in zip(arrays_of(alone.parameters), arrays_of(many.member(k)), strict=True):
            np.testing.assert_array_equal(a, b)
