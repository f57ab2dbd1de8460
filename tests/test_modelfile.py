"""Model files: what is saved comes back; what is damaged is refused, and nothing is lost."""

import json
import os
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

import deltarule as dr
from deltarule.modelfile import Model, load_model, save_model, write_whole
from deltarule.network import KINDS


def a_model(dtype="float32", activation="tanh", cost="mse", **layer):
    network = dr.Network(3, [dr.Dense(4, activation, **layer), dr.Dense(2)], cost, 0.1)
    return Model(network, network.initial_parameters(7, dtype), about={"note": "süß"})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, a_model())
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_as_it_was(tmp_path, dtype):
    model = a_model(dtype, "leaky_relu(0.2)", "huber(2)", dropout=0.25, rate=0.5)
    save_model(tmp_path / "m", model)
    loaded = load_model(tmp_path / "m")
    assert loaded.network.layers[0].dropout == 0.25
    assert loaded.network.layers[0].rate == 0.5
    assert loaded.network.layers[0].g.name == "leaky_relu(0.2)"
    assert loaded.network.cost_row.name == "huber(2)"
    assert loaded.network.input_dropout == 0.1
    assert loaded.about == {"note": "süß"}
    for own, other in zip(model.parameters, loaded.parameters, strict=True):
        for name in own:
            assert own[name].dtype == other[name].dtype
            np.testing.assert_array_equal(own[name], other[name])
    X = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(model.outputs(X), loaded.outputs(X))


def test_outputs_are_the_engines(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 3))
    result = dr.train(dr.Network(3, [dr.Dense(4, "relu"), dr.Dense(1)]), X, X[:, 0], epochs=2)
    outputs = Model(result.network, result.parameters).outputs(X)
    np.testing.assert_allclose(outputs, result.predict(X), rtol=1e-6)


def test_equal_models_are_equal_bytes(tmp_path):
    for name in ("one", "other"):
        save_model(tmp_path / name, a_model())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_tensors_have_the_names_of_the_notation(path):
    tensors = safetensors.numpy.load_file(path)
    assert {name: W.shape for name, W in tensors.items()} == {
        "1.W": (4, 3), "1.b": (4, 1), "2.W": (2, 4), "2.b": (2, 1)
    }  # fmt: skip


def test_initial_arrays_of_ones_own_need_not_come_back(tmp_path):
    save_model(tmp_path / "m", a_model(weights=np.ones((4, 3))))
    assert load_model(tmp_path / "m").network.layers[0].units == 4


STARTS = ["zeros", "normal(0.5)", "orthogonal", "own"]


@pytest.mark.parametrize("start", STARTS)
def test_members_come_back_however_they_started(tmp_path, start):
    own = {"own": np.ones((6, 1))}.get(start, start)
    W = {"own": np.ones((2, 3)), "zeros": "he_normal"}.get(start, start)
    shared = dr.Shared(2, 2, "tanh", weights=W, biases=np.ones((4, 1)) if start == "own" else start)
    network = dr.Network(3, [dr.Dense(6), dr.Scale(start=own), shared, dr.Dense(1)])
    model = Model(network, network.initial_parameters(0))
    for again in (pickle.loads(pickle.dumps(model)), saved_and_loaded(tmp_path / "m", model)):
        assert again.network.sizes == network.sizes
        X = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(again.outputs(X), model.outputs(X))
        if start != "own":
            assert again.network == network


def saved_and_loaded(path, model):
    save_model(path, model)
    return load_model(path)


def test_rows_of_ones_own_are_asked_for(tmp_path):
    cube = dr.Activation("cube", lambda Z: Z**3, lambda Z: 3 * Z**2)
    fourth = dr.Cost("fourth", lambda A, Y: ((A - Y) ** 4).sum(0), lambda A, Y: 4 * (A - Y) ** 3)
    model = a_model(activation=cube, cost=fourth)
    save_model(tmp_path / "m", model)
    with pytest.raises(dr.FileError, match=r"uses 'cube', a row of its author's own.*rows=\["):
        load_model(tmp_path / "m")
    loaded = load_model(tmp_path / "m", rows=[cube, fourth])
    assert loaded.network.layers[0].g is cube
    assert loaded.network.cost_row is fourth


def test_an_own_row_does_not_pass_for_the_tables_row_of_that_name(tmp_path):
    own = dr.Activation("relu", lambda Z: Z, lambda Z: np.ones_like(Z))
    save_model(tmp_path / "m", a_model(activation=own))
    with pytest.raises(dr.FileError, match="uses 'relu'"):
        load_model(tmp_path / "m")


def test_a_new_layer_kind_is_saved_by_its_fields(tmp_path, monkeypatch):
    from dataclasses import dataclass
    from typing import ClassVar

    @dataclass(frozen=True)
    class Wide(dr.Dense):
        width: float = 2.0
        kind: ClassVar[str] = "wide"

    monkeypatch.setitem(KINDS.entries, "wide", Wide)
    network = dr.Network(3, [Wide(4, "relu", width=3.5), dr.Dense(2)])
    save_model(tmp_path / "m", Model(network, network.initial_parameters()))
    layer = load_model(tmp_path / "m").network.layers[0]
    assert type(layer) is Wide
    assert layer.width == 3.5


# ------------------------------------------------------------------------------- damaged files


def with_header(path, change):
    """The file with its header's JSON changed."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    if "__metadata__" in header:
        header["__metadata__"]["deltarule"] = header["__metadata__"]["deltarule"].replace(
            '"format": 3',
            '"format": 1',  # which has no digest: the other checks must hold alone
        )
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def with_metadata(path, change):
    def both(header):
        metadata = json.loads(header["__metadata__"]["deltarule"])
        change(metadata)
        header["__metadata__"]["deltarule"] = json.dumps(metadata)

    with_header(path, both)


def poisoned(path):
    with_header(path, lambda header: None)
    content = bytearray(path.read_bytes())
    content[-4:] = struct.pack("<f", float("nan"))
    path.write_bytes(content)


DAMAGE = {
    "empty": (lambda p: p.write_bytes(b""), "the file is empty"),
    "short": (lambda p: p.write_bytes(b"abc"), "it has only 3 bytes"),
    "foreign": (lambda p: p.write_bytes(b"\x89PNG" * 100), "does not begin like a safetensors"),
    "text": (lambda p: p.write_text("a,b\n1,2\n" * 50), "does not begin like a safetensors"),
    "huge header": (
        lambda p: p.write_bytes(struct.pack("<Q", 2**60) + b"{}"),
        "does not begin like a safetensors",
    ),
    "header cut": (lambda p: p.write_bytes(p.read_bytes()[:50]), "truncated: its header needs"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-5]), "truncated: its numbers need"),
    "too long": (lambda p: p.write_bytes(p.read_bytes() + b"x"), "the file is too long"),
    "no json": (lambda p: p.write_bytes(struct.pack("<Q", 4) + b"{{{{"), "header is not JSON"),
    "not a number": (poisoned, "its parameters cannot be used"),
    "not ours": (lambda p: safetensors.numpy.save_file({"a": np.ones(3)}, p), "not one of delta"),
    "no metadata": (
        lambda p: with_header(p, lambda h: h["__metadata__"].update(deltarule="{")),
        "its metadata is not JSON",
    ),
    "no version": (lambda p: with_metadata(p, lambda m: m.pop("format")), "no format version"),
    "newer": (lambda p: with_metadata(p, lambda m: m.update(format=99)), "newer deltarule"),
    "no network": (lambda p: with_metadata(p, lambda m: m.pop("network")), "cannot be built"),
    "unknown kind": (
        lambda p: with_metadata(p, lambda m: m["network"]["layers"][0].update(kind="conv")),
        "unknown layer kind 'conv'",
    ),
    "unknown field": (
        lambda p: with_metadata(p, lambda m: m["network"]["layers"][0].update(evil=1)),
        "its network cannot be built",
    ),
    "unknown activation": (
        lambda p: with_metadata(p, lambda m: m["network"]["layers"][0].update(activation="rleu")),
        "unknown activation 'rleu'",
    ),
    "too many units": (
        lambda p: with_metadata(p, lambda m: m["network"]["layers"][0].update(units=10**12)),
        "should have shape",
    ),
    "negative units": (
        lambda p: with_metadata(p, lambda m: m["network"]["layers"][0].update(units=-4)),
        "its network cannot be built",
    ),
    "wrong shape": (
        lambda p: with_header(p, lambda h: h["1.W"].update(shape=[3, 4])),
        r"tensor '1.W' should have shape \[4, 3\], it has \[3, 4\]",
    ),
    "wrong dtype": (
        lambda p: with_header(p, lambda h: h["1.W"].update(dtype="I32")),
        "should be of float32 or float64 or bool or uint8, it is of I32",
    ),
    "offsets": (
        lambda p: with_header(p, lambda h: h["1.W"].update(data_offsets=[0, 8])),
        "its tensors cannot be read",
    ),
    "missing tensor": (lambda p: with_header(p, lambda h: h.pop("2.b")), "'2.b' is missing"),
    "further tensor": (
        lambda p: with_header(p, lambda h: h.update({"9.W": h["2.b"]})),
        "'9.W' is one too many",
    ),
    "preprocessing": (
        lambda p: with_metadata(p, lambda m: m.update(preprocessing={"columns": [{"kind": 3}]})),
        "its preprocessing cannot be read",
    ),
    "targets": (
        lambda p: with_metadata(p, lambda m: m.update(targets={"task": "x"})),
        "its targets cannot be read",
    ),
    "about": (lambda p: with_metadata(p, lambda m: m.update(about=5)), "its about cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_are_refused(path, case):
    damage, message = DAMAGE[case]
    damage(path)
    with pytest.raises(dr.FileError, match=message):
        load_model(path)


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(dr.FileError):
            load_model(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(dr.FileError, match="cannot be read: no such file or directory"):
        load_model(tmp_path / "none")


# ------------------------------------------------------------------------------------- writing


def test_a_failed_write_leaves_what_was_there(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(dr.FileError, match=r"no space left on device\. What was there before"):
        save_model(path, a_model("float64"))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_interrupted_write_leaves_what_was_there(path, monkeypatch):
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_model(path, a_model("float64"))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(dr.FileError, match="there is no folder"):
        write_whole(tmp_path / "no" / "m", b"")
    with pytest.raises(dr.FileError, match="is a folder"):
        write_whole(tmp_path, b"")


def test_permissions_and_links_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_not_replaced():
    write_whole("/dev/null", b"x")
    assert not os.path.isfile("/dev/null")


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="Linux's own names of open files")
def test_a_pipe_is_written_to_by_the_name_of_a_link(tmp_path):
    """As /dev/stdout is one where the output goes on to another program."""
    reading, writing = os.pipe()
    (tmp_path / "out").symlink_to(f"/proc/self/fd/{writing}")
    write_whole(tmp_path / "out", b"x")
    assert os.read(reading, 9) == b"x"
    os.close(reading)
    os.close(writing)


def test_probabilities_need_classes():
    with pytest.raises(dr.TypeMismatchError, match="expected a network whose outputs are classes"):
        a_model().predict_proba(np.ones((1, 3)))


def test_what_no_reader_could_read_is_not_written(path):
    before, model = path.read_bytes(), a_model("float64")
    for about in ({"x": float("nan")}, {"x": object()}, {"x": "\udcff"}):
        with pytest.raises(dr.TypeMismatchError, match="expected JSON values without NaN"):
            save_model(path, replace(model, about=about))
    with pytest.raises(dr.ShapeError, match="parameters: expected a sequence of"):
        save_model(path, replace(model, parameters=()))
    broken = tuple({name: W * np.nan for name, W in own.items()} for own in model.parameters)
    with pytest.raises(dr.DataError, match="expected finite numbers"):
        save_model(path, replace(model, parameters=broken))
    assert path.read_bytes() == before


def test_names_that_no_file_can_have(tmp_path):
    for name in ("a\0b", "x" * 300):
        with pytest.raises(dr.FileError, match=r"cannot be written: (embedded null|file name too)"):
            write_whole(tmp_path / name, b"")
        with pytest.raises(dr.FileError, match=r"cannot be read: (embedded null|file name too)"):
            load_model(tmp_path / name)
