"""``deltarule export``: what it writes, what it says, what it refuses."""

import json
import shutil
import subprocess

import numpy as np
import onnxruntime
import polars as pl
import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.export import feeds
from deltarule.modelfile import Model, load_model, save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of made-up flats, with categories and missing values."""
    folder = tmp_path_factory.mktemp("a folder with a spåce")
    rng = np.random.default_rng(0)
    area = rng.uniform(20, 120, 150).round(1)
    pl.DataFrame(
        {
            "area": [None if i % 9 == 0 else a for i, a in enumerate(area)],
            "town": rng.choice(["north", "south", "east"], 150),
            "sold": np.where(area > 60, "yes", "no"),
        }
    ).write_csv(folder / "flats.csv")
    out = str(folder / "flats.safetensors")
    arguments = ["train", str(folder / "flats.csv"), "--target", "sold", "--out", out]
    quick = ["--epochs", "5", "--hidden", "8", "--no-baselines", "--optimizer", "sgd"]
    assert main([*arguments, *quick, "--learning-rate", "0.03"]) == 0
    return folder


@pytest.fixture
def here(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    return folder


def test_onnx_from_the_columns_of_the_file(here, capsys):
    assert main(["export", "flats.safetensors", "--out", "m.onnx", "--check", "flats.csv"]) == 0
    assert "ONNX Runtime on 150 rows of the file: predictions at most" in capsys.readouterr().out
    model, frame = load_model(here / "flats.safetensors"), pl.read_csv(here / "flats.csv")
    session = onnxruntime.InferenceSession(str(here / "m.onnx"))
    labels, P = session.run(None, feeds(model.preprocessing, frame))
    assert labels.tolist() == model.predict(frame)["sold"].to_list()
    np.testing.assert_allclose(P, model.predict_proba(frame), atol=1e-6)


def test_sets_of_classes_are_those_of_predict(here, capsys):
    asked = ["export", "flats.safetensors", "--sets", "0.8", "--out"]
    assert main([*asked, "m.onnx", "--check", "flats.csv"]) == 0
    model, frame = load_model(here / "flats.safetensors"), pl.read_csv(here / "flats.csv")
    session = onnxruntime.InferenceSession(str(here / "m.onnx"))
    assert [each.name for each in session.get_outputs()][2] == "set_sold"
    _, _, held = session.run(None, feeds(model.preprocessing, frame))
    _, expected = dr.tabular.prediction_sets(model, frame, 0.8)
    assert (held == expected).mean() > 0.99  # a probability may round to the other side
    assert main([*asked, "m.c"]) == 0
    assert "void m_set(const double *results, int *held);" in (here / "m.c").read_text()


def test_sets_of_numbers_are_refused(here, capsys):
    rents = dr.TabularRegressor(epochs=1, n_ensemble=1, hidden=(4,)).fit(
        [[1.0], [2.0]] * 60, [1.0, 2.0] * 60
    )
    rents.save(here / "rents.safetensors")
    assert main(["export", "rents.safetensors", "--sets", "0.8", "--out", "m2.onnx"]) == 2
    assert not (here / "m2.onnx").exists()


def test_without_rows_they_are_made_up_and_it_says_so(here, capsys):
    assert main(["export", "flats.safetensors", "--out", "m.onnx"]) == 0
    assert "64 made-up rows" in capsys.readouterr().out
    assert main(["export", "flats.safetensors", "--out", "m.onnx", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["made_up"]
    assert found["deviation"] < 1e-5
    assert found["bytes"] == (here / "m.onnx").stat().st_size


def test_c_with_the_models_own_optimizer(here, capsys):
    arguments = ["export", "flats.safetensors", "--out", "my model.c", "--check", "flats.csv"]
    assert main([*arguments, "--with-training", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["optimizer"] == "SGD"
    text = (here / "my model.c").read_text()
    assert "#define MY_MODEL_RATE 0.03f" in text
    assert f"{found['flash']} bytes of flash, {found['ram']} of RAM" in text
    compiler = shutil.which("cc")
    if compiler is not None:
        strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-DDELTARULE_TEST"]
        subprocess.run([compiler, *strict, "my model.c", "-o", "t", "-lm"], check=True)
        subprocess.run(["./t"], check=True, capture_output=True)


def test_c_says_its_sizes_and_its_test(here, capsys):
    assert (
        main(
            [
                "export",
                "flats.safetensors",
                "--out",
                "m.c",
                "--with-training",
                "--optimizer",
                "adam",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    for part in ("bytes of constants", "bytes of static variables", "Adam", "-DDELTARULE_TEST"):
        assert part in said


def test_c_says_its_columns(here, capsys):
    assert main(["export", "flats.safetensors", "--out", "m.c"]) == 0
    assert "M_COLUMN_AREA, M_COLUMN_TOWN\n" in capsys.readouterr().out
    assert main(["export", "flats.safetensors", "--out", "m.c", "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert columns == {"area": "M_COLUMN_AREA", "town": "M_COLUMN_TOWN"}


def test_a_model_of_arrays(here, capsys):
    network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    save_model(here / "arrays.safetensors", Model(network, network.initial_parameters()))
    pl.DataFrame({"a": [0.1, 0.2, 0.3], "b": [1.5, 2.5, 0.5]}).write_csv(here / "rows.csv")
    for out in ("arrays.onnx", "arrays.c"):
        arguments = ["export", "arrays.safetensors", "--out", out, "--check", "rows.csv"]
        assert main(arguments) == 0
    assert "3 rows of the file" in capsys.readouterr().out


REFUSED = {
    "suffix": (["--out", "m.pt"], r"--out m.pt: expected a name that ends in .onnx or .c"),
    "step of a graph": (["--out", "m.onnx", "--with-training"], "ends in .c; an ONNX graph"),
    "no step": (["--out", "m.c", "--optimizer", "adam"], "expected --with-training beside them"),
    "optimizer": (
        ["--out", "m.c", "--with-training", "--optimizer", "lbfgs"],
        "optimizer LBFGS has no step in C",
    ),
    "unknown": (
        ["--out", "m.c", "--with-training", "--optimizer", "adma"],
        "unknown optimizer 'adma'. Did you mean 'adam'?",
    ),
    "folder": (["--out", "none/m.c"], "there is no folder"),
    "rows": (["--out", "m.c", "--check", "none.csv"], "none.csv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(here, capsys, name):
    arguments, message = REFUSED[name]
    (here / "m.c").write_text("old")
    assert main(["export", "flats.safetensors", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert (here / "m.c").read_text() == "old"


def test_rows_without_the_models_columns_are_refused(here, capsys):
    (here / "odd.csv").write_text("area,place\n1,x\n2,y\n")
    for out in ("odd.onnx", "odd.c"):
        arguments = ["export", "flats.safetensors", "--out", out, "--check", "odd.csv"]
        assert main(arguments) == 2
        assert "lacks the column: 'town'" in capsys.readouterr().err
        assert not (here / out).exists()


def test_an_activation_of_ones_own_is_refused_by_name(here, capsys):
    cube = dr.Activation("cube", lambda Z: Z**3, lambda Z: 3 * Z**2)
    network = dr.Network(2, [dr.Dense(1, cube)])
    save_model(here / "own.safetensors", Model(network, network.initial_parameters()))
    assert main(["export", "own.safetensors", "--out", "own.onnx"]) == 2
    assert "'cube'" in capsys.readouterr().err


def test_a_graph_without_its_extra(here, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert main(["export", "flats.safetensors", "--out", "none.onnx"]) == 1
    assert 'pip install "deltarule[onnx]"' in capsys.readouterr().err
    assert main(["export", "flats.safetensors", "--out", "some.c"]) == 0
