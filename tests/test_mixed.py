"""Mixed precision on the compiled engine: products of bfloat16 numbers, added up in float32."""

import copy
import warnings
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.exceptions import ConvergenceWarning

import deltarule as dr
from deltarule.cli import main
from deltarule.engines.native import core, runner
from deltarule.engines.plan import Plan
from deltarule.engines.reference import ReferenceRunner
from deltarule.errors import SlowerEngineWarning
from deltarule.modelfile import load_model

from .layer_cases import NETWORKS, data_of, network_of, parameters_of

MIXED = dr.EngineOptions(mixed=True)


# ------------------------------------------------------------------ what it means, in NumPy


def bfloat16(values):
    """The nearest numbers of which float32's lower 16 bits are 0, ties to even."""
    word = np.ascontiguousarray(values, np.float32).view(np.uint32)
    nearest = word + (0x7FFF + (word >> 16 & 1)).astype(np.uint32)
    found = np.where(np.isnan(values), word | 0x00400000, nearest) & np.uint32(0xFFFF0000)
    return found.astype(np.uint32).view(np.float32)


class Rounded:
    """A layer of products: W, A_prev and δ are rounded, b and the sums are not."""

    def __init__(self, layer):
        self.layer = layer

    def __getattr__(self, name):
        return getattr(self.layer, name)

    def forward(self, parameters, A_prev, batch=None):
        return self.layer.forward(rounded_W(parameters), bfloat16(A_prev), batch)

    def gradients(self, parameters, delta, cache, m):
        return self.layer.gradients(rounded_W(parameters), bfloat16(delta), cache, m)

    def dA_prev(self, parameters, delta, cache):
        return self.layer.dA_prev(rounded_W(parameters), bfloat16(delta), cache)


def rounded_W(parameters):
    return {**parameters, "W": bfloat16(parameters["W"])}


def rounded(layer):
    if layer.kind == "parallel":
        layer = copy.copy(layer)
        parts = [p._replace(layers=tuple(map(rounded, p.layers))) for p in layer.parts]
        object.__setattr__(layer, "parts", tuple(parts))
    return Rounded(layer) if layer.kind in ("dense", "grouped", "shared") else layer


def meaning_of(network, parameters, **settings):
    """The reference engine on layers that round."""
    network = copy.copy(network)
    object.__setattr__(network, "layers", tuple(map(rounded, network.layers)))
    plan = Plan(dr.Network(1, [dr.Dense(1)]), "sgd", **settings)
    object.__setattr__(plan, "network", network)
    return ReferenceRunner(plan, parameters)


def low(values):
    return np.asarray(values, np.float32)


def in_float32(parameters):
    return tuple({name: low(W) for name, W in layer.items()} for layer in parameters)


def flat(parameters):
    return np.concatenate([np.ravel(own[name]) for own in parameters for name in sorted(own)])


def apart(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def mixed_runner(network, parameters=None, **settings):
    settings = {"optimizer": "sgd", "engine": "native", "options": MIXED} | settings
    return dr.start(network, parameters=parameters, **settings)


# ------------------------------------------------------------------------------- every kind


@pytest.mark.parametrize("kind", NETWORKS)
def test_operands_are_rounded_and_nothing_else(kind):
    network = network_of(kind)
    parameters = in_float32(parameters_of(network))
    X, Y, weights = map(low, data_of(kind))
    mixed, meaning = mixed_runner(network, parameters), meaning_of(network, parameters)
    assert apart(mixed.predict(X), meaning.predict(X)) < 1e-6
    assert mixed.cost(X, Y, weights) == pytest.approx(meaning.cost(X, Y, weights), rel=1e-6)
    found, expected = (flat(own.gradients(X, Y, weights)) for own in (mixed, meaning))
    # where float32 sums differ in their last bit, a δ may round to its other neighbor
    assert apart(found, expected) < 2e-4
    J, expected_J = mixed.jacobian(X), meaning.jacobian(X)
    np.testing.assert_allclose(J, expected_J, atol=1e-5 * max(abs(expected_J).max(), 1.0))
    for own in (mixed, meaning):
        own.step(X, Y, weights)
    assert apart(flat(mixed.parameters()), flat(meaning.parameters())) < 1e-6


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_are_close_to_those_of_float64(kind):
    network = network_of(kind)
    parameters = parameters_of(network)
    X, Y, weights = data_of(kind)
    exact = dr.start(network, engine="reference", dtype="float64", parameters=parameters)
    mixed = mixed_runner(network, in_float32(parameters))
    found = flat(mixed.gradients(*map(low, (X, Y, weights))))
    error = apart(found, flat(exact.gradients(X, Y, weights)))
    assert 1e-4 < error < 1e-2


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_same_bits_for_any_number_of_threads(kind):
    network = network_of(kind, dropout=True)
    parameters = in_float32(parameters_of(network))
    X, Y, weights = map(low, data_of(kind, m=30))

    def trained(threads):
        options = dr.EngineOptions(mixed=True, n_threads=threads)
        rules = dr.Regularization(l2=0.1, max_norm=1.0)
        runner = mixed_runner(
            network, parameters, optimizer="adam", options=options, regularization=rules
        )
        runner.train(X, Y, np.arange(30), 7, np.full(5, 0.01), weights)
        return flat(runner.parameters()), runner.predict(X)

    one = trained(1)
    for threads in (2, 3, 4):
        for a, b in zip(trained(threads), one, strict=True):
            np.testing.assert_array_equal(a, b)


def test_wide_layers_over_several_blocks_of_sums():
    network = dr.Network(300, [dr.Dense(270, "relu"), dr.Dense(530, "tanh"), dr.Dense(2)])
    rng = np.random.default_rng(0)
    X, Y = (low(rng.standard_normal((140, n))) for n in (300, 2))
    parameters = network.initial_parameters(0, "float32")
    mixed, meaning = mixed_runner(network, parameters), meaning_of(network, parameters)
    assert apart(flat(mixed.gradients(X, Y)), flat(meaning.gradients(X, Y))) < 1e-3


def test_an_update_from_memory_rounds_the_weights_anew():
    """Clipping and max-norm update behind the step: predictions read the weights as they are."""
    network = network_of("grouped")
    X, Y, _ = map(low, data_of("grouped"))
    rules = dr.Regularization(clip_norm=0.5, max_norm=0.5)
    mixed = mixed_runner(network, regularization=rules, optimizer=dr.SGD(0.5))
    mixed.step(X, Y)
    again = mixed_runner(network, mixed.parameters())
    np.testing.assert_array_equal(mixed.predict(X), again.predict(X))
    assert apart(again.predict(X), meaning_of(network, mixed.parameters()).predict(X)) < 1e-6


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("engine", ["native", "jax", "auto"])
def test_float64_is_refused(engine):
    with pytest.raises(dr.SettingError, match="mixed=True keeps its parameters in float32"):
        dr.start(network_of("dense"), engine=engine, dtype="float64", options=MIXED)


def test_the_reference_engine_refuses():
    with pytest.raises(dr.SettingError, match="engines 'native' and 'jax' can mix"):
        dr.start(network_of("dense"), engine="reference", options=MIXED)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_stays_so(number):
    network = dr.Network(2, [dr.Dense(3), dr.Dense(1)])
    X, Y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    X[1, 0] = number
    runner = mixed_runner(network)
    found = runner.predict(X)
    assert np.isfinite(found[[0, 2, 3]]).all()
    assert not np.isfinite(found[1]).any()
    assert not np.isfinite(runner.step(X, Y))


def test_a_weight_beyond_the_range_of_bfloat16_becomes_infinite():
    network = dr.Network(1, [dr.Dense(1)])
    largest = float(np.finfo(np.float32).max)
    for weight, expected in ((largest, np.inf), (-largest, -np.inf), (3.38e38, 3.38e38)):
        parameters = ({"W": low([[weight]]), "b": low([[0.0]])},)
        found = mixed_runner(network, parameters).predict(np.ones((1, 1), np.float32))
        assert found.item() == pytest.approx(expected, rel=0.01)
        assert mixed_runner(network, parameters).parameters()[0]["W"].item() == low(weight)
    parameters = ({"W": low([[largest]]), "b": low([[0.0]])},)
    with pytest.raises(dr.DivergenceError):
        dr.train(network, [[1.0]], [[0.0]], parameters=parameters, options=MIXED, epochs=1)


def test_refused_matrix_units_are_said_once(monkeypatch):
    real = core.chosen()
    kinds = {"Runner32": real.Runner32, "Runner64": real.Runner64, "isa": real.isa}
    monkeypatch.setattr(
        runner, "chosen", lambda: SimpleNamespace(**kinds, matrix_units=lambda: "refused")
    )
    core.warn_of_refusal.cache_clear()
    network = network_of("dense")
    with pytest.warns(SlowerEngineWarning, match="refused this process"):
        mixed_runner(network)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mixed_runner(network).isa == real.isa
        mixed_runner(network, options=None)
    core.warn_of_refusal.cache_clear()


# ------------------------------------------------------------------------------- who uses it


def table(rows=120):
    """Numbers, categories and a pair of places, with a target of each task."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((rows, 3))
    towns = rng.choice(["x", "y", "z"], rows)
    frame = pl.DataFrame({**dict(zip("abc", numbers.T, strict=True)), "town": towns})
    return frame, numbers[:, 0] + (towns == "x") + 0.1 * rng.standard_normal(rows)


FAST = {"epochs": 2, "n_ensemble": 1, "random_state": 0}


@pytest.mark.parametrize("embedding", [None, "bins", "periodic", "none"])
@pytest.mark.parametrize("n_ensemble", [1, 2])
def test_gradients_of_the_default_recipes(embedding, n_ensemble):
    frame, y = table()
    settings = FAST | {"embedding": embedding, "n_ensemble": n_ensemble, "epochs": 1}
    model = dr.TabularRegressor(**settings).fit(frame, y).model_
    X, Y = model.preprocessing.transform(frame), np.tile(y[:, None], model.network.outputs)
    parameters = model.network.initial_parameters(0, "float64")
    for layer in parameters[-1:]:  # the last begins at 0, and would send nothing back
        for W in layer.values():
            W += 0.3 * np.random.default_rng(1).standard_normal(W.shape)
    exact = dr.start(model.network, engine="reference", dtype="float64", parameters=parameters)
    mixed = mixed_runner(model.network, in_float32(parameters))
    expected = flat(exact.gradients(np.asarray(X, np.float64), Y))
    assert 1e-5 < apart(flat(mixed.gradients(low(X), low(Y))), expected) < 1e-2


def test_a_tabular_model_records_it_and_predicts_in_float32():
    frame, y = table()
    model = dr.TabularRegressor(**FAST, mixed=True).fit(frame, y)
    full = dr.TabularRegressor(**FAST).fit(frame, y)
    assert model.model_.about["settings"]["mixed"] is True
    assert "mixed" not in full.model_.about["settings"]
    assert (model.predict(frame) != full.predict(frame)).any()
    assert model.score(frame, y) == pytest.approx(full.score(frame, y), abs=0.1)
    with pytest.raises(dr.SettingError, match="mixed=True keeps its parameters in float32"):
        dr.TabularRegressor(**FAST, mixed=True, dtype="float64").fit(frame, y)


def test_an_estimator_predicts_as_its_file_does(tmp_path):
    X = low(np.random.default_rng(0).standard_normal((60, 3)))
    model = dr.MLPRegressor(hidden_layer_sizes=5, max_iter=3, random_state=0, engine_options=MIXED)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, X[:, 0])
    model.save(tmp_path / "model.safetensors")
    loaded = dr.MLPRegressor.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_checkpoint_is_of_a_mixed_run_or_of_another(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2)), rng.standard_normal(40)
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])

    def trained(epochs, folder, options=MIXED):
        checkpoints = dr.Checkpoints(tmp_path / folder, resume=True, every_steps=1)
        return dr.train(network, X, y, epochs=epochs, options=options, checkpoints=checkpoints)

    whole = trained(4, "whole")
    with pytest.raises(dr.FileError, match=r"options\.mixed"):
        trained(4, "whole", dr.EngineOptions())
    plain = dr.train(network, X, y, epochs=4)
    assert apart(flat(whole.parameters), flat(plain.parameters)) > 1e-6


def test_many_networks_are_those_trained_alone():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2)), rng.standard_normal(40)
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    settings = {"epochs": 2, "options": MIXED, "engine": "native"}
    many = dr.train_many(network, X, y, seeds=[1, 2], **settings)
    alone = dr.train(network, X, y, seed=2, **settings)
    for layer, own in zip(many.stacked, alone.parameters, strict=True):
        for name, W in own.items():
            np.testing.assert_array_equal(layer[name][1], W)


def test_the_command_line_has_it(tmp_path):
    frame, y = table()
    frame.with_columns(y=y).write_csv(tmp_path / "t.csv")
    arguments = ["train", str(tmp_path / "t.csv"), "--target", "y", "--epochs", "1"]
    arguments += ["--mixed", "--ensemble", "1", "--no-baselines"]
    out = ["--out", str(tmp_path / "m.safetensors")]
    assert main([*arguments, *out]) == 0
    assert load_model(tmp_path / "m.safetensors").about["settings"]["mixed"] is True
    assert main([*arguments, "--dtype", "float64"]) == 2
