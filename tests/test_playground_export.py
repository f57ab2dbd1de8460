"""What the playground exports: Python that repeats a run, a model file, the command line."""

import contextlib
import io
import shlex
from pathlib import Path

import numpy as np
import pytest

import deltarule as dr
from deltarule.cli import main

from .test_explain_page import chromium  # noqa: F401 - a fixture
from .test_playground import FLATS, THREE, TRAINED, matrix, opened, setting, steps, use  # noqa: F401
from .tolerances import error

RUNS = {
    "circles": {"rows_drawn": 40, "epochs": 50},
    "moons, all rows at once": {"data": "moons", "rows_drawn": 30, "batch": 0, "l2": 0.01},
    "wave": {"data": "wave", "rows_drawn": 40, "activation": "gelu", "optimizer": "nadam"},
    "raw": {"data": "plane", "rows_drawn": 30, "cost": "mae", "hidden": "", "held_out": 0},
}


@pytest.mark.parametrize("name", RUNS)
def test_exported_python_repeats_the_run(opened, name):  # noqa: F811
    page = opened()
    setting(page, **RUNS[name])
    if name == "raw":
        page.uncheck("#standardize")
    cost = steps(page, 17)
    printed, names = io.StringIO(), {}
    code = page.evaluate("Export.python(Playground.page.run)")
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "playground.py", "exec"), names)
    assert names["runner"].cost(names["X"], names["Y"]) == pytest.approx(cost, rel=TRAINED)
    assert printed.getvalue().startswith("cost of the training rows:")
    assert ("held-out" in printed.getvalue()) == (name != "raw")


OUTPUTS = """() => { const { run } = Playground.page, A = Run.outputs(run, run.train.X);
  return [run.data.train.X, [A.n, A.m, Array.from(A.v, (a) => Run.inUnits(run, a))],
    run.data.train.y.map((_, j) => Run.codeOf(A, j))]; }"""


@pytest.mark.parametrize("name", ["circles", "wave", "raw", "flats", "three"])
def test_the_model_file_predicts_the_same(opened, tmp_path, name):  # noqa: F811
    page = opened()
    if name in RUNS:
        setting(page, **RUNS[name])
    else:
        use(page, {"flats": FLATS, "three": THREE}[name])
    steps(page, 40)
    with page.expect_download() as download:
        page.click("#save-model")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    model = dr.load(path)
    X, A, codes = page.evaluate(OUTPUTS)
    outputs = model.outputs(np.array(X).T)
    assert error(outputs.T, matrix(A)) < 1e-12
    if classes := page.evaluate("Playground.page.run.data.classes"):
        assert list(model.predict(np.array(X).T)) == [classes[k] for k in codes]
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(dr.FileError, match="have changed since they were written"):
        dr.load(path)


def test_the_digest_is_blake2b(opened):  # noqa: F811
    from hashlib import blake2b

    page = opened()
    for size in (0, 1, 127, 128, 129, 1000):
        content = bytes(k * 7 % 251 for k in range(size))
        found = page.evaluate("(b) => Files.blake2b(Uint8Array.from(b))", list(content))
        assert found == blake2b(content, digest_size=16).hexdigest()


@pytest.mark.parametrize("name", ["circles", "flats"])
def test_the_command_runs_on_the_table(opened, tmp_path, name, monkeypatch):  # noqa: F811
    page = opened()
    if name == "flats":
        use(page, FLATS)
    else:
        setting(page, cost="focal")
    setting(page, epochs=2, optimizer="adamw", hidden="3")
    with page.expect_download() as download:
        page.click("#save-csv")
    download.value.save_as(tmp_path / "playground.csv")
    text = page.evaluate("Export.command(Playground.page.run)")
    command = shlex.split(text.replace("\\\n", ""))  # as a shell joins its lines
    assert command[:3] == ["deltarule", "train", "playground.csv"]
    monkeypatch.chdir(tmp_path)
    assert main([*command[1:], "--no-baselines"]) == 0
    assert Path("model.safetensors").exists()


def test_the_command_names_a_cost_as_it_is_there(opened):  # noqa: F811
    page = opened()
    for text, cost, named in (
        (None, "categorical_cross_entropy", "binary_cross_entropy"),
        (None, "softmax_cross_entropy", "binary_cross_entropy"),
        (None, "focal", "'binary_focal(2)'"),
        (THREE, "softmax_cross_entropy", "categorical_cross_entropy"),
        (THREE, "focal", "'focal(2)'"),
    ):
        if text:
            use(page, text)
        setting(page, cost=cost)
        assert f"--cost {named} " in page.evaluate("Export.command(Playground.page.run)")
