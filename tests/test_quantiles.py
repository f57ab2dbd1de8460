"""Quantile regression: outputs that cannot cross, and one cost that trains all of them."""

import json

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.metrics import pinball_loss
from deltarule.modelfile import load_model
from deltarule.network import feed_forward
from deltarule.tabular.quantiles import in_quantiles, targets_of_quantiles

LEVELS = (0.1, 0.5, 0.9)
QUICK = {"hidden": (16,), "epochs": 20, "bins": 0, "random_state": 0}


def noisy(m, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (m, 2))
    return x, x[:, 0] + (0.1 + abs(x[:, 1])) * rng.normal(size=m)


@pytest.mark.parametrize("levels", [(0.5,), LEVELS, (0.05, 0.3), (0.01, 0.02, 0.98)])
@pytest.mark.parametrize("targets", [1, 2])
def test_the_cost_is_the_sum_of_the_pinball_losses_of_quantiles_that_do_not_cross(levels, targets):
    network = dr.Network(3, [dr.Dense(4, "tanh"), dr.Dense(targets)])
    single, whole = in_quantiles(network, levels)
    rng = np.random.default_rng(0)
    parameters = [dict(own) for own in whole.initial_parameters(1)]
    for own in parameters[:2]:
        own.update({name: rng.normal(size=W.shape) for name, W in own.items()})
    X, Y = rng.normal(size=(3, 50)), rng.normal(size=(50, targets))
    A = feed_forward(single, tuple(parameters[:-1]), X)[-1].A.T.reshape(50, len(levels), targets)
    assert (np.diff(A, axis=1) > 0).all()
    outputs = feed_forward(whole, tuple(parameters), X)[-1].A
    loss = whole.cost_row.loss(outputs, targets_of_quantiles(Y, levels).T)
    expected = sum(pinball_loss(Y, A[:, k], tau) for k, tau in enumerate(levels))
    np.testing.assert_allclose(loss, expected.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("settings", [{"n_ensemble": 1}, {"n_ensemble": 2}, {"hidden": ()}])
def test_quantiles_have_their_share_below(settings):
    fitted = dr.TabularRegressor(quantiles=LEVELS, **{"n_ensemble": 1, **QUICK, **settings})
    fitted.fit(*noisy(2000))
    x, y = noisy(2000, 1)
    found = fitted.predict_quantiles(x)
    assert found.shape == (2000, 3)
    assert (np.diff(found, axis=1) > 0).all()
    np.testing.assert_allclose((y[:, None] < found).mean(axis=0), LEVELS, atol=0.06)
    np.testing.assert_allclose(fitted.predict(x), found[:, 1], atol=1e-6)
    assert fitted.predict_interval(x, 0.8).shape == (2000, 2)


def test_engines_agree():
    found = [
        dr.TabularRegressor(quantiles=LEVELS, n_ensemble=1, engine=engine, **QUICK)
        .fit(*noisy(200))
        .predict_quantiles(noisy(20, 1)[0])
        for engine in ("reference", "native")
    ]
    np.testing.assert_allclose(*found, atol=0.02)


def test_several_targets_and_a_saved_model(tmp_path):
    x, y = noisy(600)
    fitted = dr.TabularRegressor(quantiles=(0.2, 0.8), n_ensemble=2, **QUICK)
    fitted.fit(x, np.stack([y, 100 - 10 * y], axis=1))
    found = fitted.predict_quantiles(x)
    assert found.shape == (600, 2, 2)
    assert (np.diff(found, axis=2) > 0).all()
    assert np.corrcoef(found[:, 0, 0], found[:, 1, 1])[0, 1] < -0.9
    fitted.save(tmp_path / "m")
    again = dr.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_quantiles(x), found)
    np.testing.assert_array_equal(again.predict(x), fitted.predict(x))
    with pytest.raises(dr.SettingError, match="predicts quantiles"):
        again.partial_fit(x, np.stack([y, y], axis=1))


def test_the_command_predicts_and_exports_quantiles(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    x, y = noisy(400)
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).write_csv("t.csv")
    quick = ["--hidden", "8", "--epochs", "5", "--ensemble", "2", "--out", "m"]
    assert main(["train", "t.csv", "--target", "y", "--quantiles", "0.1,0.9", *quick]) == 0
    capsys.readouterr()
    assert main(["predict", "m", "t.csv", "--intervals", "0.8"]) == 0
    told = pl.read_csv(capsys.readouterr().out.encode())
    quantiles = ["quantile_0.1_y", "quantile_0.9_y"]
    assert told.columns == ["predicted_y", *quantiles, "low_y", "high_y"]
    assert (told[quantiles[0]] < told[quantiles[1]]).all()
    assert main(["evaluate", "m", "t.csv"]) == 0
    assert main(["export", "m", "--out", "m.onnx"]) == 0
    import onnxruntime

    outputs = [each.name for each in onnxruntime.InferenceSession("m.onnx").get_outputs()]
    assert outputs == quantiles
    assert main(["export", "m", "--out", "m.c"]) == 0
    assert "quantile_0.1_y, in its own unit" in (tmp_path / "m.c").read_text()
    assert tabular.levels_of(load_model("m")) == (0.1, 0.9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": (0.0, 0.5)}, "quantiles must be"),
        ({"quantiles": (0.5, 1.0)}, "quantiles must be"),
        ({"quantiles": (0.5, 0.5)}, "expected ascending levels, each once"),
        ({"quantiles": (0.9, 0.1)}, "expected ascending levels, each once"),
        ({"quantiles": (0.1, 0.1000001)}, "differ in six digits.*got 0.1 and 0.1000001"),
        ({"quantiles": ()}, "expected levels such as"),
        ({"quantiles": 0.5}, "expected levels such as"),
        ({"quantiles": LEVELS, "cost": "mae"}, "quantiles and cost"),
        ({"quantiles": LEVELS, "n_members": 4}, "quantiles and n_members"),
        ({"quantiles": LEVELS, "task": "classification"}, "quantiles and task"),
    ],
)
def test_levels_that_cannot_be(settings, message):
    with pytest.raises(dr.SettingError, match=message):
        tabular.Settings(**settings)


def test_classes_and_models_without_quantiles_have_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x, y = noisy(100)
    pl.DataFrame({"a": x[:, 0], "y": np.where(y > 0, "up", "down")}).write_csv("t.csv")
    assert main(["train", "t.csv", "--target", "y", "--quantiles", "0.1,0.9"]) == 2
    assert "--quantiles: expected a numeric target" in capsys.readouterr().err
    assert main(["train", "t.csv", "--target", "y", "--quantiles", "0.1,x"]) == 2
    assert "--quantiles: expected numbers with commas" in capsys.readouterr().err
    fitted = dr.TabularRegressor(n_ensemble=1, **QUICK).fit(x, y)
    with pytest.raises(dr.SettingError, match="trained without quantiles"):
        fitted.predict_quantiles(x)


def test_the_commands_say_how_many_rows_lie_below_each_quantile(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 300)
    pl.DataFrame({"x": x, "y": x + rng.normal(0, 0.1, 300)}).write_csv("t.csv")
    quick = ["--hidden", "8", "--epochs", "20", "--no-baselines", "--quantiles", "0.2,0.5"]
    assert (
        main(["train", "t.csv", "--target", "y", *quick, "--out", "m", "--report", "r.html"]) == 0
    )
    trained = capsys.readouterr().out
    assert "pinball loss" in (tmp_path / "r.html").read_text()
    assert main(["evaluate", "m", "t.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["quantiles"]
    assert [(each["target"], each["level"]) for each in found] == [("y", 0.2), ("y", 0.5)]
    assert all(0 < each["below"] < 1 and each["pinball_loss"] > 0 for each in found)
    assert main(["evaluate", "m", "t.csv"]) == 0
    for said in (trained, capsys.readouterr().out):
        assert "rows below" in said
        assert "quantile 0.2" in said
