"""Files from anyone: each format loads, and damaged ones are refused quickly or read as written."""

import contextlib
import gc
import json
import random
import re
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from tests.test_cli import write_flats
from tests.test_export_onnx import TARGETS, table_model

import deltarule as dr
from deltarule.cli import main
from deltarule.modelfile import Model, load_model, save_model

from .fuzz.files import MODELS, attack, changed, resealed

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


# ------------------------------------------------------------------------------ costly files

DENSE = {"kind": "dense", "units": 1}
NUMERIC = {"kind": "numeric", "name": "a", "fill": 0, "mean": 0, "std": 1, "flagged": False}


def file_of(header):
    """A file of this header alone, a JSON value or its bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def model_of(layers, inputs=1, **rest):
    """A model file of a format that needs no digest, with two tensors."""
    network = {"inputs": inputs, "input_dropout": 0.0, "cost": "mse", "layers": layers}
    text = json.dumps({"format": 1, "network": network, **rest})
    places = {"1.W": [0, 4], "1.b": [4, 8]}
    tensors = {n: {"dtype": "F32", "shape": [1, 1], "data_offsets": p} for n, p in places.items()}
    return file_of({"__metadata__": {"deltarule": text}, **tensors}) + bytes(8)


def with_units(text):
    """A model file with a number as it is written here."""
    content = model_of([DENSE | {"units": 123456789}])
    return file_of(content[8:-8].replace(b"123456789", text.encode()))


def many(count, text):
    """Header entries, the number of each where the text has %x."""
    return b"".join(text % i for i in range(count))


COSTLY = {
    "layers": (lambda: model_of([DENSE] * 20_000), "has 20,000 layers; expected at most 10,000"),
    "more layers": (lambda: model_of([DENSE] * 300_000), "lists and records; expected at most"),
    "parts": (
        lambda: model_of([{"kind": "parallel", "parts": [[0, 1, []]] * 15_000}, DENSE]),
        "layers; expected at most 10,000",
    ),
    "inputs": (
        lambda: model_of([{"kind": "parallel", "parts": [[0, 10**12, []]]}, DENSE], 10**12),
        "its tensors do not fit its network",
    ),
    "tensors": (
        lambda: file_of(
            b'{"__metadata__":{"deltarule":"{}"}'
            + many(200_000, b',"%x":{"dtype":"F32","shape":[],"data_offsets":[0,0]}')
            + b"}"
        ),
        "its header holds .* lists and records",
    ),
    "keys": (
        lambda: file_of(b'{"__metadata__":{"a":""' + many(1_300_000, b',"%x":""') + b"}}"),
        "its header holds .* values",
    ),
    "escaped lists": (
        lambda: file_of(
            b'{"__metadata__":{"deltarule":"' + b"\\u005b\\u005d\\u002c" * 400_000 + b'"}}'
        ),
        "its metadata holds 400,000 lists and records",
    ),
    "wide text": (
        lambda: file_of(
            b'{"__metadata__":{"deltarule":"' + b"x" * 10**7 + "\U0001f600".encode() + b'"}}'
        ),
        "its header takes .* bytes of memory",
    ),
    "escaped wide text": (
        lambda: file_of(
            b'{"__metadata__":{"deltarule":"' + b"x" * 10**7 + b"\\ud83d\\ude00" + b'"}}'
        ),
        "its metadata takes .* bytes of memory",
    ),
    "nested header": (lambda: file_of(b"{" + b'"a":{' * 10**5), "its header is not JSON"),
    "nested metadata": (
        lambda: file_of({"__metadata__": {"deltarule": "[" * 200 + "]" * 200}}),
        "its metadata is nested more than 100 deep",
    ),
    "digits": (lambda: with_units("9" * 10**6), "its metadata is not JSON of finite numbers"),
    "1e400": (lambda: with_units("1e400"), "its metadata is not JSON of finite numbers"),
    "NaN": (lambda: with_units("NaN"), "its metadata is not JSON of finite numbers"),
    "-Infinity": (lambda: with_units("-Infinity"), "its metadata is not JSON of finite numbers"),
    "-0.0": (lambda: with_units("-0.0"), "units must be a whole number, at least 1; got -0.0"),
    "a long name": (
        lambda: model_of([DENSE | {"activation": "relu" * 10**6}]),
        "unknown activation 'relurelu",
    ),
    "a long kind": (lambda: model_of([{"kind": "x" * 10**6}]), "unknown layer kind 'xxx"),
    "levels": (
        lambda: model_of([{"kind": "embedding", "levels": [2**31], "width": 2**31}, DENSE]),
        "its tensors do not fit its network",
    ),
    "columns": (
        lambda: model_of([DENSE], preprocessing={"columns": [NUMERIC] * 300_000}),
        "lists and records",
    ),
}


@pytest.mark.parametrize("case", COSTLY)
def test_what_a_file_costs_is_bounded(case, tmp_path, monkeypatch):
    """Counted before anything is built: few layers are made, and little memory is taken."""
    write, said = COSTLY[case]
    path, built = tmp_path / "m", []
    path.write_bytes(write())
    made = dr.Dense.__post_init__
    monkeypatch.setattr(dr.Dense, "__post_init__", lambda self: (built.append(1), made(self))[1])
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(dr.FileError, match=said) as error:
            load_model(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(error.value)) < 700
    assert len(built) <= 2
    assert peak < 100e6


def test_a_record_is_quoted_in_part(tmp_path):
    record = NUMERIC | {"missing": 0, "name": ["x" * 10**6]}
    (tmp_path / "m").write_bytes(model_of([DENSE], preprocessing={"columns": [record]}))
    with pytest.raises(dr.FileError, match=r"name is \['xxx") as error:
        load_model(tmp_path / "m")
    assert len(str(error.value)) < 400


ABSURD = (1e308, -1e308, 1e-300, 5e-324, 3.5e38, -0.0, -1, 10**300, 10**4000)


def numbers_in(tree, path=()):
    """Where a tree of JSON holds numbers."""
    if isinstance(tree, (dict, list)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from numbers_in(value, (*path, key))
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield path


@pytest.mark.parametrize("target", ["numbers", "two"])
def test_absurd_numbers_are_refused_or_computed_without_a_warning(target, tmp_path):
    """Each number of a file in turn; pytest makes an error of any warning."""
    model, frame = table_model(TARGETS[target])
    path = tmp_path / "m"
    save_model(path, model)
    content, places = path.read_bytes(), []
    changed(content, lambda metadata: places.extend(numbers_in(metadata)))
    loaded, rng = 0, random.Random(3)
    for place in places:
        for value in rng.sample(ABSURD, 4):

            def put(tree, place=place, value=value):
                *parents, last = place
                for key in parents:
                    tree = tree[key]
                tree[last] = value

            path.write_bytes(changed(content, put))
            with contextlib.suppress(dr.DeltaruleError):
                found = load_model(path)
                loaded += 1
                found.outputs(frame)
                found.predict(frame)
    assert loaded > len(places)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("share", [1.0, 0.3, 1e-20])
def test_weights_at_the_end_of_the_range_give_no_warning(dtype, share, tmp_path):
    model, frame = table_model(TARGETS["numbers"], dtype)
    most = share * np.finfo(dtype).max
    signs = tuple({n: np.sign(W) * most for n, W in own.items()} for own in model.parameters)
    huge = tuple({n: W.astype(dtype) for n, W in own.items()} for own in signs)
    save_model(tmp_path / "m", replace(model, parameters=huge))
    found = load_model(tmp_path / "m")
    assert found.predict(frame).height == frame.height


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
