"""Saved models trained further on new rows: `train --from`, `update_model`, `partial_fit`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.modelfile import load_model, save_model

QUICK = {"hidden": (16,), "epochs": 20, "learning_rate": 0.05, "random_state": 0}


def flats(m=400, seed=0):
    rng = np.random.default_rng(seed)
    area, town = rng.uniform(20, 120, m), rng.choice(["north", "south"], m)
    rent = 8 * area + 200 * (town == "south") + rng.normal(0, 20, m)
    return pd.DataFrame({"area": area, "town": town, "rent": rent})


def error_of(f, X, y):
    return float(np.sqrt(np.mean((f.predict(X) - y) ** 2)))


def same(one, other):
    return all(
        np.array_equal(a[name], b[name])
        for a, b in zip(one.parameters, other.parameters, strict=True)
        for name in a
    )


@pytest.fixture
def files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    whole = pl.from_pandas(flats())
    whole[:200].write_csv("old.csv")
    whole[200:].write_csv("new.csv")
    quick = "--hidden 16 --epochs 20 --learning-rate 0.05 --no-baselines"
    assert main(f"train old.csv --target rent --out m {quick}".split()) == 0
    capsys.readouterr()


def said(capsys, line):
    status = main(line.split())
    out, err = capsys.readouterr()
    return status, " ".join(out.split()), " ".join(err.split())


# ---------------------------------------------------------------------------------- it learns


@pytest.mark.parametrize(
    "further", [{}, {"n_ensemble": 3}, {"n_members": 4}, {"n_ensemble": 2, "n_members": 2}]
)
def test_half_and_half_is_near_to_all_at_once(further):
    data, test = flats(), flats(seed=9)
    X, y = data[["area", "town"]], data["rent"]
    whole = dr.TabularRegressor(**QUICK, **further).fit(X, y)
    half = dr.TabularRegressor(**QUICK, **further).fit(X[:60], y[:60])
    before = error_of(half, test, test["rent"])
    half.partial_fit(X[60:], y[60:])
    after = error_of(half, test, test["rent"])
    assert after < before
    assert after < 1.15 * error_of(whole, test, test["rent"])


def test_classes_learn_on_too():
    data, test = flats(), flats(seed=9)
    names = ["area", "town"]
    label = np.where(data["rent"] > 600, "dear", "cheap")
    first = dr.TabularClassifier(**QUICK).partial_fit(data[names][:40], label[:40])
    before = first.score(test[names], np.where(test["rent"] > 600, "dear", "cheap"))
    first.partial_fit(data[names][40:], label[40:], classes=["cheap", "dear"])
    after = first.score(test[names], np.where(test["rent"] > 600, "dear", "cheap"))
    assert after >= before
    assert after > 0.93


def test_an_update_is_the_same_bits_with_the_same_seed(tmp_path):
    model = dr.TabularRegressor(**QUICK).fit(flats()[["area", "town"]], flats()["rent"]).model_
    new = flats(seed=1).assign(rent=lambda d: 2 * d["rent"])
    model = replace(model, about=json.loads(json.dumps(dict(model.about))))
    save_model(tmp_path / "m", model)
    once, again = (tabular.update_model(model, new, epochs=3) for _ in range(2))
    loaded = tabular.update_model(load_model(tmp_path / "m"), new, epochs=3)
    assert same(once.model, again.model)
    assert same(once.model, loaded.model)
    assert not same(once.model, tabular.update_model(model, new, epochs=3, seed=1).model)


def test_an_updated_model_is_saved_loaded_and_updated_again(tmp_path):
    data = flats()
    X, y = data[["area", "town"]], data["rent"]
    f = dr.TabularRegressor(**QUICK, n_ensemble=2).fit(X[:100], y[:100])
    f.partial_fit(X[100:200], y[100:200], epochs=3)
    f.save(tmp_path / "m")
    loaded = dr.TabularRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(X), f.predict(X))
    again = [each.partial_fit(X[200:], y[200:], epochs=3).predict(X) for each in (f, loaded)]
    np.testing.assert_array_equal(*again)
    assert len(load_model(tmp_path / "m").about["earlier"]) == 1
    assert len(f.model_.about["earlier"]) == 2


@pytest.mark.parametrize("further", [{}, {"n_ensemble": 2}, {"n_members": 3}])
def test_an_update_starts_from_the_model_and_keeps_it_where_no_epoch_is_better(further):
    data = flats()
    X, y = data[["area", "town"]], data["rent"]
    f = dr.TabularRegressor(**QUICK, **further).fit(X, y)
    before = f.predict(X)
    f.partial_fit(X, y, epochs=1, learning_rate=0.5)  # ruins whatever it is given
    np.testing.assert_allclose(f.predict(X), before, rtol=1e-5)


def test_every_network_of_an_ensemble_is_updated():
    data = flats()
    X, y = data[["area", "town"]], data["rent"]
    f = dr.TabularRegressor(**QUICK, n_ensemble=3).fit(X[:50], y[:50])
    old = [
        {n: v for n, v in f.model_.parameters[-2].items() if n.startswith(f"{k}.")} for k in "123"
    ]
    f.partial_fit(X[50:], y[50:], epochs=10)
    assert len(f.model_.network.layers[-2].parts) == 3
    for own in old:
        assert any((f.model_.parameters[-2][name] != values).any() for name, values in own.items())


def test_roles_of_the_new_rows_count():
    data = flats()
    X, y = data[["area", "town"]], data["rent"]
    s = np.where(np.arange(200) % 2, 1.0, 0.0)
    f = dr.TabularRegressor(**QUICK).fit(X[:200], y[:200])
    f.partial_fit(X[200:], y[200:].where(s > 0, 0.0), sample_weight=s, epochs=20)
    assert f.score(X, y) > 0.8
    f.partial_fit(X[200:], y[200:], groups=np.arange(200) // 10, epochs=2)


# ------------------------------------------------------------------------------- the command


def test_the_command_updates_compares_and_replaces_the_file(files, capsys):
    status, out, err = said(capsys, "train new.csv --from m --out m --epochs 20")
    assert status == 0
    assert "starts from the parameters of m; the optimizer starts afresh" in out
    assert "learning rate 0.0125 (Cosine)" in out
    assert "before the update" in out
    assert "on 40 held-out new rows." in out
    assert "Saved: m" in out
    assert err == ""
    model = load_model("m")
    assert set(model.about["figures"]) == {"network", "before the update"}
    assert model.about["settings"]["learning_rate"] == 0.05  # of its first training
    for table in ("old.csv", "new.csv"):  # what each training held out is still unseen
        _, out, _ = said(capsys, f"evaluate m {table}")
        assert "40 rows, held out when it was trained" in out
    found = said(capsys, "evaluate m new.csv --json")[1]
    figures = json.loads(found[found.index("{") :])["figures"]
    assert figures == pytest.approx(model.about["figures"]["network"])


def test_the_command_and_the_function_update_alike(files, capsys):
    assert said(capsys, "train new.csv --from m --out n --epochs 5")[0] == 0
    update = tabular.update_model(load_model("m"), "new.csv", epochs=5)
    assert same(update.model, load_model("n"))
    assert update.verdict == load_model("n").about["verdict"]


def test_without_out_nothing_is_written(files, capsys):
    before = Path("m").read_bytes()
    status, _, err = said(capsys, "train new.csv --from m --epochs 2 --test old.csv --json")
    assert status == 0
    assert "the update is not saved; --out m replaces the model." in err
    assert Path("m").read_bytes() == before


def test_what_is_new_is_told(files, capsys):
    new = pl.read_csv("new.csv").with_columns(
        town=pl.Series(["east"] * 3 + ["north"] * 197), area=pl.Series([1e5] + [50.0] * 199)
    )
    new.write_csv("new.csv")
    status, _, err = said(capsys, "train new.csv --from m --epochs 2")
    assert status == 0
    assert "column 'town': 3 rows hold 1 value not seen in training ('east')" in err
    assert "column 'area': 1 row holds a number more than 5 standard deviations" in err


def test_a_failed_save_leaves_the_old_model(files, capsys, monkeypatch):
    before = Path("m").read_bytes()
    monkeypatch.setattr("deltarule.cli.trainer.save_model", failing)
    assert said(capsys, "train new.csv --from m --out m --epochs 2")[0] != 0
    assert Path("m").read_bytes() == before


def failing(*_):
    raise dr.FileError("the disk is full.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--hidden 3", "--hidden: expected no such setting beside a model to update"),
        ("--ensemble 3", "--ensemble: expected no such setting beside a model to update"),
        ("--dtype float64", "--dtype: expected no such setting"),
        ("--target rent", "--target and --from: they cannot be combined; the columns"),
        ("--kind area=numeric", "--kind and --from: they cannot be combined"),
        ("--by town", "--by and --from: they cannot be combined"),
        ("--cv 3", "--cv and --from: they cannot be combined"),
        ("--memory 1GB", "--memory and --from: they cannot be combined"),
        ("--distributed", "--distributed and --from: they cannot be combined"),
    ],
)
def test_options_that_do_not_go_with_an_update(files, capsys, given, message):
    status, _, err = said(capsys, f"train new.csv --from m {given}")
    assert status == 2
    assert message in err


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="area"), "lacks the column: 'area'"),
        (lambda d: d.drop(columns="rent"), "no column 'rent' .of the model."),
        (
            lambda d: d.assign(area="large"),
            "holds text in row 0 of the table, counted from 0 .'large'.",
        ),
        (lambda d: d[:5], "has 5 rows with a target; expected at least 10"),
        (lambda d: pd.DataFrame({"x": [1.0] * 20, "y": [2.0] * 20}), "no column 'rent'"),
    ],
)
def test_tables_that_are_not_the_models(files, change, message):
    with pytest.raises(dr.DataError, match=message):
        tabular.update_model(load_model("m"), change(flats()))


def test_new_classes_are_refused_by_name():
    data = flats()
    X, label = data[["area", "town"]], np.where(data["rent"] > 600, "dear", "cheap")
    f = dr.TabularClassifier(**QUICK).fit(X, label)
    with pytest.raises(dr.DataError, match=r"holds 'free'.*a class that training did not have"):
        f.partial_fit(X, np.where(data["area"] < 25, "free", label))
    with pytest.raises(dr.DataError, match=r"classes: expected those of the rows .* got 'free'"):
        f.partial_fit(X, label, classes=["cheap", "dear", "free"])
    with pytest.raises(dr.DataError, match="y: expected 1 targets, as in fit; got 2"):
        f.partial_fit(X, np.c_[label, label])


def test_models_that_cannot_be_updated(files, tmp_path, capsys):
    model = load_model("m")
    network = dr.Network(2, [dr.Dense(1)])
    save_model(
        "plain",
        replace(
            model,
            network=network,
            parameters=network.initial_parameters(),
            preprocessing=None,
            targets=None,
            about={},
        ),
    )
    assert "holds a network without preprocessing" in said(capsys, "train new.csv --from plain")[2]
    (tmp_path / "text").write_text("no model")
    assert "text: no model file" in said(capsys, "train new.csv --from text")[2]
    assert "no-such" in said(capsys, "train new.csv --from no-such")[2]
    with pytest.raises(dr.SettingError, match="holds no record of a training on a table"):
        tabular.update_model(replace(model, about={}), flats())
    with pytest.raises(TypeError, match=r"has no parameter 'epoch'. Did you mean 'epochs'"):
        tabular.update_model(model, flats(), epoch=3)
    with pytest.raises(dr.SettingError, match=r"n_ensemble=2: expected no such setting"):
        tabular.update_model(model, flats(), n_ensemble=2)
    for settings in ({"n_ensemble": 3}, {"n_members": 3}, {"nonsense": 1}):
        about = {**model.about, "settings": {**model.about["settings"], **settings}}
        with pytest.raises(dr.FileError, match="record"):
            tabular.update_model(replace(model, about=about), flats())


def test_a_model_of_the_former_version_is_updated():
    """Estimators kept no reading, and no file an earlier training."""
    data = flats()
    model = dr.TabularRegressor(**QUICK).fit(data[["area", "town"]], data["rent"]).model_
    former = {**model.about, "reading": {}}
    former.pop("earlier", None)
    update = tabular.update_model(replace(model, about=former), flats(seed=1), epochs=2)
    assert len(update.model.about["earlier"]) == 1
