"""Networks in one that share their weights: what is trained, what predicts, and what is refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.layers import Dense, Scale
from deltarule.network import Network, feed_forward
from deltarule.tabular.members import averaged, in_members, targets_of_all

QUICK = {"hidden": (8, 8), "epochs": 4, "random_state": 0}


def rows(m=120, seed=0):
    rng = np.random.default_rng(seed)
    X = pl.DataFrame({"size": rng.uniform(20, 120, m), "kind": rng.choice(["a", "b", "c"], m)})
    rent = X["size"].to_numpy() * 7 + 90 * (X["kind"].to_numpy() == "a") + rng.normal(0, 20, m)
    return X, rent


def member(whole, parameters, k, single):
    """Member k of a network of members as a network by itself."""
    width = len(parameters[0][f"{k}.1.scale"])
    layers = [replace(layer, weights="zeros", biases="zeros") for layer in single.layers[-3:]]
    own = [{"scale": parameters[0][f"{k}.1.scale"]}]
    for shared, layer in zip(parameters[1:-1], layers, strict=False):
        n = layer.units
        own.append({"W": shared["W"], "b": shared["b"][(k - 1) * n : k * n]})
    n = layers[-1].units
    own.append({name: a[(k - 1) * n : k * n] for name, a in parameters[-1].items()})
    return Network(width, [Scale(), *layers], single.cost), tuple(own)


@pytest.mark.parametrize(
    ("activation", "cost", "outputs"),
    [
        ("identity", "mse", 2),
        ("sigmoid", "binary_cross_entropy", 1),
        ("softmax", "categorical_cross_entropy", 3),
    ],
)
def test_what_predicts_is_the_average_of_the_members(activation, cost, outputs):
    layers = [Scale(rate=6.0), Dense(7, "tanh"), Dense(5, "tanh"), Dense(outputs, activation)]
    single = Network(4, layers, cost)
    whole = in_members(single, 3)
    rng = np.random.default_rng(1)
    parameters = tuple(
        {name: W + rng.standard_normal(W.shape) for name, W in layer.items()}
        for layer in whole.initial_parameters(0, "float64")
    )
    X = rng.standard_normal((4, 6))
    Z = [feed_forward(*member(whole, parameters, k, single), X)[-1].Z for k in range(1, 4)]
    np.testing.assert_allclose(feed_forward(whole, parameters, X)[-1].Z, np.concatenate(Z))
    predicting, own = averaged(whole, single, parameters)
    np.testing.assert_allclose(feed_forward(predicting, own, X)[-1].Z, np.mean(Z, axis=0))
    assert predicting.cost == single.cost
    assert predicting.outputs == outputs


@pytest.mark.parametrize("classes", [1, 4])
def test_the_cost_is_the_sum_of_the_members(classes):
    output = Dense(classes, "softmax" if classes > 1 else "sigmoid")
    cost = f"{'categorical' if classes > 1 else 'binary'}_cross_entropy"
    single = Network(4, [Dense(6, "tanh"), Dense(5, "tanh"), output], cost)
    whole = in_members(single, 3)
    parameters = whole.initial_parameters(5, "float64")
    rng = np.random.default_rng(2)
    X, labels = rng.standard_normal((11, 4)), rng.integers(0, max(classes, 2), 11)
    Y = np.eye(classes)[labels] if classes > 1 else labels[:, None].astype(float)
    runner = dr.start(whole, parameters=parameters, dtype="float64")
    total = runner.cost(X, targets_of_all(Y, 3))
    each = [
        dr.start(network, parameters=own, dtype="float64").cost(X, Y)
        for network, own in (member(whole, parameters, k, single) for k in (1, 2, 3))
    ]
    np.testing.assert_allclose(total, sum(each), rtol=1e-10)


def test_members_begin_and_end_apart_and_share_weights():
    X, rent = rows()
    frame = X.with_columns(rent=rent)
    settings = tabular.Settings(hidden=(8, 8), epochs=4, n_members=3)
    whole = tabular.table(frame, tabular.Roles(("rent",)))
    fitted = tabular.fit(tabular.problem(whole, settings, np.arange(120), frame[:0]), settings)
    parameters = fitted.result.parameters
    at = next(l for l, own in enumerate(parameters) if "1.1.scale" in own)
    scales = [parameters[at][f"{k}.1.scale"].tobytes() for k in (1, 2, 3)]
    assert len(set(scales)) == 3
    assert [own["W"].shape[0] for own in parameters[at + 1 :]] == [8, 8, 3]
    assert fitted.model.network.outputs == 1
    assert "3 members with shared weights" in fitted.recipe.lines()[0]


@pytest.mark.parametrize("networks", [1, 2])
def test_files_threads_and_estimators(tmp_path, networks):
    X, rent = rows()
    asked = {**QUICK, "n_members": 4, "n_ensemble": networks}
    fitted = dr.TabularRegressor(**asked, n_threads=1).fit(X, rent)
    again = dr.TabularRegressor(**asked, n_threads=2).fit(X, rent)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    fitted.save(tmp_path / "m")
    loaded = dr.TabularRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(loaded.predict_interval(X), fitted.predict_interval(X))
    for kind in (rent > 500, X["kind"].to_numpy()):
        classifier = dr.TabularClassifier(**asked).fit(X, kind)
        np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1.0, rtol=1e-5)


def test_penalties_count_for_members_as_for_one():
    asked = {"l1": 0.1, "l2": 0.2, "clip_norm": 3.0}
    one, four = (
        tabular.recipe(tabular.Settings(**asked, n_members=n), "regression", 3, 1, 99)
        for n in (1, 4)
    )
    for name in ("l1", "l2", "clip_norm"):
        assert getattr(four.run.plan.regularization, name) == 4 * getattr(
            one.run.plan.regularization, name
        )
    assert four.run.plan.regularization.decay == one.run.plan.regularization.decay


def test_the_command_trains_and_exports_them(tmp_path, monkeypatch, capsys):
    X, rent = rows()
    monkeypatch.chdir(tmp_path)
    X.with_columns(rent=rent).write_csv("flats.csv")
    quick = ["--hidden", "8", "--epochs", "3", "--no-baselines", "--members", "4", "--out", "m"]
    assert main(["train", "flats.csv", "--target", "rent", *quick]) == 0
    assert "4 members with shared weights" in " ".join(capsys.readouterr().out.split())
    assert main(["predict", "m", "flats.csv", "--out", "p.csv"]) == 0
    assert pl.read_csv("p.csv").height == 120
    assert main(["export", "m", "--out", "m.c"]) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_members": 0}, "n_members must be a whole number, at least 1"),
        ({"n_members": 2, "hidden": ()}, "n_members=2: expected a hidden layer .* linear model"),
        ({"n_members": 2, "cost": "focal"}, "expected the cost categorical_cross_entropy"),
        ({"cost": "softmax_cross_entropy(3)"}, "is of outputs before softmax, in groups"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(dr.SettingError, match=message):
        tabular.recipe(tabular.Settings(**settings), "classification", 3, 3, 99)


@pytest.mark.parametrize("others", [["--by", "kind"], ["--memory", "1GB"]])
def test_what_they_do_not_go_with(others, tmp_path, monkeypatch, capsys):
    X, rent = rows()
    monkeypatch.chdir(tmp_path)
    X.with_columns(rent=rent).write_parquet("flats.parquet")
    assert main(["train", "flats.parquet", "--target", "rent", "--members", "2", *others]) == 2
    assert "--members" in capsys.readouterr().err
