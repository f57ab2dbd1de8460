"""Files from anyone: each format loads, and damaged ones are refused quickly or read as written."""

import random
import re

import numpy as np
import pytest
from tests.test_cli import write_flats

import deltarule as dr
from deltarule.cli import main
from deltarule.modelfile import Model, load_model, save_model

from .fuzz.files import MODELS, attack, resealed

VERSIONS = sorted(MODELS.glob("format-*.safetensors"))


def test_there_is_a_file_of_each_format():
    from deltarule.modelfile import FORMAT

    assert [path.stem for path in VERSIONS] == [f"format-{n}" for n in range(1, FORMAT + 1)]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_file_of_each_format_loads(path):
    model = load_model(path)
    assert [layer.units for layer in model.network.layers] == [4, 2]
    assert model.network.layers[0].dropout == 0.25
    assert model.network.cost_row.name == "categorical_cross_entropy"
    assert model.about == {"note": "made by hand"}
    first, second = model.parameters
    np.testing.assert_array_equal(first["W"], (np.arange(12).reshape(4, 3) - 4) / 8)
    np.testing.assert_array_equal(second["W"], (np.arange(8).reshape(2, 4) - 4) / 8)
    np.testing.assert_array_equal(first["b"], np.arange(4)[:, None] / 4)
    np.testing.assert_array_equal(second["b"], np.arange(2)[:, None] / 4)


def test_damaged_files_are_refused_or_read_as_written(tmp_path):
    """Two thousand: bytes, lengths, headers, and JSON under a digest that fits."""
    count = attack(tmp_path, 2000, seed=7)
    assert count.refused + count.loaded == 2000
    assert count.refused > 1600
    assert count.loaded > 20  # else the harness breaks files in ways that test nothing


def test_whatever_a_file_remembers_of_its_training_is_used_or_refused(tmp_path, monkeypatch):
    """Its record under a digest that fits, spoilt: no command ends but by its own word."""
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv", 40)
    arguments = ["train", "flats.csv", "--target", "rent", "--out", "m", "--no-baselines"]
    assert main([*arguments, "--epochs", "2", "--hidden", "3"]) == 0
    content, rng = (tmp_path / "m").read_bytes(), random.Random(4)
    commands = (
        ["inspect", "m"],
        ["evaluate", "m", "flats.csv"],
        ["predict", "m", "flats.csv", "--intervals", "0.5", "--out", "p.csv"],
        ["export", "m", "--out", "m.c", "--with-training"],
    )
    found = []
    for turn in range(120):
        (tmp_path / "m").write_bytes(resealed(content, rng, "about"))
        found.append(main(commands[turn % len(commands)]))
    assert set(found) == {0, 2}


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path):
    from deltarule.preprocessing import Preprocessing, Targets

    columns = Preprocessing.fit({"a": [1.0, 2.5], "b": [0.5, 4.0]})
    classes = Targets(("y",), "classification", "by hand", ("u", "v", "w"))
    network = dr.Network(3, [dr.Dense(2, "softmax")], "categorical_cross_entropy")
    for own, said in (
        ({"preprocessing": columns}, "its columns make 2 where its network has 3"),
        ({"targets": classes}, "its targets make 3 where its network has 2"),
    ):
        save_model(tmp_path / "m", Model(network, network.initial_parameters(), **own))
        with pytest.raises(dr.FileError, match=said):
            load_model(tmp_path / "m")


def test_the_page_on_reliability_names_a_test_that_exists_in_every_line():
    root = MODELS.parents[1]
    page = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    promises = [line for line in page.splitlines() if re.match(r"\| (?!fault \|)", line)]
    assert len(promises) > 25
    for line in promises:
        named = re.findall(r"`(tests/\w+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            assert f"def {test}(" in (root / file).read_text(encoding="utf-8"), (file, test)
