"""Tables that are hard to learn from, with what a fit chooses by default: a model or an error."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.errors import DivergenceError
from deltarule.tabular import recipes
from deltarule.tabular.ensembles import separated


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few epochs, but the number of networks that there would be."""
    monkeypatch.setattr(recipes, "_EPOCHS", {"regression": (2, 2), "classification": (2, 2)})


def numbers(m, n, seed=0):
    X = np.random.default_rng(seed).normal(size=(m, n))
    return pl.DataFrame({f"x{k}": column for k, column in enumerate(X.T)})


def is_finite(model, X):
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return np.isfinite(found).all()


def test_five_rows_a_class():
    X = numbers(100, 4)
    y = np.repeat([f"class {k}" for k in range(20)], 5)
    model = dr.TabularClassifier(random_state=0).fit(X, y)
    assert model.model_.about["settings"]["n_ensemble"] == 5
    assert is_finite(model, X)
    assert len(model.classes_) == 20


def test_ten_rows_of_two_classes_give_one_network():
    X = numbers(10, 2)
    model = dr.TabularClassifier(random_state=0).fit(X, [0, 1] * 5)
    assert model.model_.about["settings"]["n_ensemble"] == 1
    assert is_finite(model, X)


def test_two_thousand_columns_have_neither_bins_nor_periodic_features():
    X = numbers(80, 2000)
    model = dr.TabularRegressor(random_state=0).fit(X, X["x0"].to_numpy())
    assert is_finite(model, X)
    for network, _ in separated(model.model_.network, model.model_.parameters):
        assert [layer.kind for layer in network.layers] == ["scale", *["dense"] * 4]


def test_columns_without_a_value():
    X = numbers(120, 2).with_columns(none=pl.lit(None, pl.Float64), neither=pl.lit(None, pl.String))
    model = dr.TabularRegressor(random_state=0).fit(X, X["x0"].to_numpy())
    assert is_finite(model, X)
    with pytest.raises(dr.DataError, match="no column is left to learn from"):
        dr.TabularRegressor(random_state=0).fit(X.select("none", "neither"), X["x0"].to_numpy())


def test_a_category_with_a_level_a_row():
    X = numbers(120, 1).with_columns(key=pl.Series([f"k{i}" for i in range(120)]))
    model = dr.TabularRegressor(random_state=0, kinds={"key": "category"})
    model.fit(X, X["x0"].to_numpy())
    assert is_finite(model, X)


@pytest.mark.parametrize("quality", ["fast", "default", "best"])
def test_a_target_that_is_constant_in_folds(quality):
    X, y = numbers(100, 3), np.zeros(100)
    y[[7, 60]] = 1.0
    model = dr.TabularRegressor(random_state=0, quality=quality).fit(X, y)
    assert is_finite(model, X)
    labels = np.where(y > 0, "rare", "usual")
    assert is_finite(dr.TabularClassifier(random_state=0, quality=quality).fit(X, labels), X)


@pytest.mark.parametrize("quality", ["fast", "default"])
def test_where_every_form_diverges_the_error_says_so(quality):
    model = dr.TabularRegressor(random_state=0, quality=quality, learning_rate=1e30)
    with pytest.raises(DivergenceError, match="Lower the learning rate"):
        model.fit(numbers(100, 3), np.arange(100.0))


# ----------------------------------------------------------------- networks that differ, as one


@pytest.fixture
def different():
    """A fit of networks with two embeddings, and its table."""
    rng = np.random.default_rng(0)
    X = pl.DataFrame(
        {
            "x": rng.normal(size=600).round(1),
            "tail": np.exp(2 * rng.normal(size=600)).round(1),
            "town": rng.choice(["north", "south", "west"], 600),
        }
    )
    y = X["x"].to_numpy() + np.log1p(X["tail"].to_numpy())
    return dr.TabularRegressor(random_state=0).fit(X, y), X, y


def kinds(model):
    networks = separated(model.model_.network, model.model_.parameters)
    return [network.layers[0].kind for network, _ in networks]


def test_they_are_combined_separated_saved_and_updated(different, tmp_path):
    model, X, y = different
    assert kinds(model) == ["parallel", "piecewise_linear"] * 2 + ["parallel"]
    model.save(tmp_path / "m")
    again = dr.TabularRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict_interval(X), model.predict_interval(X))
    for each in (model, again):
        each.partial_fit(X, y, epochs=1)
    assert kinds(model) == ["parallel", "piecewise_linear"] * 2 + ["parallel"]
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_they_predict_the_mean_of_what_each_predicts(different):
    model, X, _ = different
    whole = model.model_
    (name,) = whole.targets.names
    each = [
        replace(whole, network=network, parameters=parameters).predict(X)[name]
        for network, parameters in separated(whole.network, whole.parameters)
    ]
    np.testing.assert_allclose(np.mean(each, axis=0), model.predict(X), rtol=1e-5, atol=1e-6)


def test_they_are_exported_and_checked(different, tmp_path):
    model, X, _ = different
    model.save(tmp_path / "m")
    X.write_csv(tmp_path / "rows.csv")
    for name in ("m.onnx", "m.c"):
        out = ["--out", str(tmp_path / name), "--check", str(tmp_path / "rows.csv")]
        assert main(["export", str(tmp_path / "m"), *out]) == 0


def test_the_lines_count_the_networks_of_each_kind(different):
    model, _, _ = different
    line = model.model_.about["training"][0]
    assert line.startswith("5 networks, averaged: 3 of ")
    assert line.count("; 2 of ") == 1
    assert tabular.Settings(**model.model_.about["settings"]).n_ensemble == 5
