"""Many networks at once: each member is what a run of its own makes of it."""

import numpy as np
import pytest
import scipy.sparse

import deltarule as dr

from .test_parity import arrays, data_of, network_of
from .tolerances import error

M = 11
NETWORK = network_of("tanh", "mse", "sigmoid", dropout=0.3)
SETTINGS = {"epochs": 3, "batch_size": 4, "dtype": "float64"}


@pytest.fixture(params=["native", "jax"])
def engine(request):
    return request.param


def trained_many(engine, *arguments, **settings):
    return dr.train_many(*arguments, engine=engine, **settings)


def assert_member(many, k, single):
    for a, b in zip(arrays(many.member(k)), arrays(single.parameters), strict=True):
        assert error(a, b) < 1e-9
    np.testing.assert_allclose(many.costs[k], [e.cost for e in single.history], rtol=1e-9)


def single(X, Y, **settings):
    return dr.train(NETWORK, X, Y, engine="reference", **(SETTINGS | settings))


@pytest.mark.parametrize("weighted", [False, True])
def test_members_of_an_ensemble(engine, weighted):
    X, Y, weights = data_of(NETWORK, weighted)
    many = trained_many(engine, NETWORK, X, Y, seeds=[3, 2**40, 5], weights=weights, **SETTINGS)
    assert len(many) == 3
    for k, seed in enumerate((3, 2**40, 5)):
        one = single(X, Y, seed=seed, weights=weights)
        assert_member(many, k, one)
        own = one.runner.predict(X)
        np.testing.assert_allclose(many.predict(X)[k], own, rtol=1e-9)
    assert repr(many).startswith("Many(3 of 5-7-6-3, 3 epochs")


def test_learning_rates_and_schedules(engine):
    X, Y, _ = data_of(NETWORK)
    rates = [0.0, 1e-2, "cosine(0.1)"]
    many = trained_many(engine, NETWORK, X, Y, learning_rates=rates, optimizer="nadam", **SETTINGS)
    for k, rate in enumerate(rates):
        assert_member(many, k, single(X, Y, optimizer=dr.NAdam(rate)))


def test_folds_of_different_lengths(engine):
    X, Y, _ = data_of(NETWORK)
    rows = [np.arange(M)[np.arange(M) % 3 != k] for k in range(3)] + [np.arange(3)]
    many = trained_many(engine, NETWORK, X, Y, rows=rows, seeds=1, **SETTINGS)
    for k, own in enumerate(rows):
        assert_member(many, k, single(X[own], Y[own], seed=1))


def test_data_of_ones_own(engine):
    X, Y, weights = data_of(NETWORK, weighted=True)
    Xs, Ys, ws = np.stack([X, -X]), np.stack([Y, Y**2]), np.stack([weights, weights + 1])
    many = trained_many(engine, NETWORK, Xs, Ys, weights=ws, **SETTINGS)
    for k in range(2):
        assert_member(many, k, single(Xs[k], Ys[k], weights=ws[k]))


def test_each_keeps_the_epoch_that_its_own_validation_rows_find_best(engine):
    X, Y, weights = data_of(NETWORK, weighted=True)
    rows, held = [np.arange(6), np.arange(2, 11)], [np.arange(6, 11), np.arange(2)]
    plan = SETTINGS | {"optimizer": dr.Adam(0.4), "epochs": 9}
    many = trained_many(engine, NETWORK, X, Y, rows=rows, validation=held, weights=weights, **plan)
    for k in range(2):
        data = (X[rows[k]], Y[rows[k]])
        own = (X[held[k]], Y[held[k]], weights[held[k]])
        one = single(*data, validation=own, weights=weights[rows[k]], **plan)
        assert_member(many, k, one)
        found = [e.validation_cost for e in one.history]
        np.testing.assert_allclose(many.validation_costs[k], found, rtol=1e-9)
    assert many.validation_costs.argmin(axis=1).min() < 8
    stacked = trained_many(
        engine, NETWORK, np.stack([X, X]), np.stack([Y, Y]), validation=held, **plan
    )
    np.testing.assert_allclose(
        stacked.predict(X)[1], single(X, Y, validation=(X[:2], Y[:2]), **plan).predict(X), rtol=1e-9
    )


def test_orders_of_ones_own(engine):
    X, Y, _ = data_of(NETWORK)
    rows = [np.arange(7), np.arange(3, 11), np.arange(4)]

    def order(m):
        return lambda epoch: np.roll(np.arange(m), epoch)

    orders = [order(len(own)) for own in rows]
    many = trained_many(engine, NETWORK, X, Y, rows=rows, shuffle=orders, **SETTINGS)
    for k, own in enumerate(rows):
        assert_member(many, k, single(X[own], Y[own], shuffle=orders[k]))


def test_all_at_once_and_parameters_given(engine):
    X, Y, _ = data_of(NETWORK)
    starts = [NETWORK.initial_parameters(seed, "float64") for seed in (1, 2)]
    settings = {"batch_size": None, "optimizer": dr.SGD(0.1)}
    many = trained_many(engine, NETWORK, X, Y, parameters=starts, **(SETTINGS | settings))
    for k, own in enumerate(starts):
        assert_member(many, k, single(X, Y, parameters=own, **settings))


def test_one_member_that_diverges_leaves_the_others_alone(engine):
    X, Y, _ = data_of(NETWORK)
    network = dr.Network(5, [dr.Dense(4), dr.Dense(3)])
    rates = [1e-2, 1e200]
    settings = SETTINGS | {"optimizer": "gradient_descent"}
    many = trained_many(engine, network, X, Y, learning_rates=rates, **settings)
    assert many.diverged.tolist() == [False, True]
    assert np.isfinite(many.costs[0]).all()
    assert np.isnan(many.costs[1, -1])
    assert many.validation_costs is None
    assert all(np.isfinite(W).all() for W in arrays(many.member(1)))
    one = dr.train(
        network, X, Y, engine="reference", **(settings | {"optimizer": dr.GradientDescent(1e-2)})
    )
    assert_member(many, 0, one)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "the members do not differ"),
        ({"seeds": [1, 2], "learning_rates": [0.1]}, "got seeds: 2, learning_rates: 1"),
        ({"seeds": []}, "expected one number of members"),
        ({"seeds": [0, -1]}, "seed must be"),
        ({"seeds": [0, 1], "optimizer": "lbfgs"}, "LBFGS drives one network"),
        ({"rows": [[0, 99]]}, "expected row numbers 0 to 10"),
        ({"rows": [[0.5]]}, "expected a vector of row numbers"),
        ({"rows": [[0]], "validation": [[11]]}, "validation: expected row numbers 0 to 10"),
        ({"rows": [[0]], "validation": [[1], [2]]}, "rows: 1, validation: 2"),
        ({"rows": [[0], [1, 2]], "batch_size": None}, "needs as many rows of every member"),
    ],
)
def test_bad_input(settings, message):
    X, Y, _ = data_of(NETWORK)
    with pytest.raises(dr.DeltaruleError, match=message):
        dr.train_many(NETWORK, X, Y, **settings)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_native_members_are_bit_for_bit_what_train_makes(threads, sparse):
    X, Y, weights = data_of(NETWORK, weighted=True)
    X = scipy.sparse.csr_array(X) if sparse else X
    plan = SETTINGS | {"weights": weights, "engine": "native"}
    options = dr.EngineOptions(n_threads=threads)
    many = dr.train_many(NETWORK, X, Y, seeds=range(5), options=options, **plan)
    for k in range(5):
        one = dr.train(NETWORK, X, Y, seed=k, **plan)
        for a, b in zip(arrays(many.member(k)), arrays(one.parameters), strict=True):
            np.testing.assert_array_equal(a, b)
        assert many.costs[k].tolist() == [e.cost for e in one.history]
        np.testing.assert_array_equal(many.predict(X)[k], one.predict(X))


def test_auto_takes_jax_for_a_row_of_ones_own():
    own = dr.Activation("turned", lambda Z: 2.0 * Z[::-1][::-1], lambda Z: 0.0 * Z + 2.0)
    network = dr.Network(5, [dr.Dense(3, own)])
    X, Y, _ = data_of(NETWORK)
    assert len(dr.train_many(network, X, Y, seeds=[1, 2], **SETTINGS)) == 2
    with pytest.raises(dr.SettingError, match="'turned'"):
        dr.train_many(network, X, Y, seeds=[1, 2], engine="native", **SETTINGS)
