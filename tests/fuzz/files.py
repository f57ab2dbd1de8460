"""Files that are damaged on purpose, and the readers that have to refuse them or read them."""

from __future__ import annotations

import copy
import json
import random
import resource
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

import deltarule as dr
from deltarule.keyed import load_keyed
from deltarule.modelfile import Model, load_model, save_model
from deltarule.system.storage.reading import Tensor, signed
from deltarule.tabular import Settings
from deltarule.training.checkpoints import Surroundings, pack, unpack
from deltarule.training.checkpoints.snapshot import opened
from deltarule.training.state import Best, TrainingState

MODELS = Path(__file__).parents[1] / "models"
SECONDS = 1.0  # of the processor, for one file
MEGABYTES = 200
NASTY = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 2**200, 0.5, "", "relu", "../x", "\0"),
    *(1e308, -1e308, 1e-300, 5e-324, -0.0, 10**300, 10**4000),
    *("x" * 5000, [], {}, [[]], [1, 2, 3], [2**40, 2**40], {"kind": "dense"}, "F64", "\ud800"),
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A sound file and its reader.

    Parameters
    ----------
    name : str
    content : bytes
    read : function of a path
        Gives the arrays, in an order of its own.
    sealed : bool
        Whether a digest protects the contents.
    """

    name: str
    content: bytes
    read: Callable[[Path], list[Any]]
    sealed: bool = True


def subjects(folder: Path) -> list[Subject]:
    """A model file of each format and of an estimator, and a checkpoint."""
    models = [
        Subject(f"model file {path.stem}", path.read_bytes(), _read_model, "1" not in path.stem)
        for path in sorted(MODELS.glob("*.safetensors"))
    ]
    layers = [dr.Periodic(2), dr.Dense(3, "tanh"), dr.LayerNorm(), dr.Scale(), dr.Dense(2)]
    network = dr.Network(4, layers)
    own = folder / "own.safetensors"
    save_model(own, Model(network, network.initial_parameters(1, "float32"), about={"n": 1}))
    runner = dr.start(network, optimizer="adam", engine="reference")
    event = dr.EpochEnded(1, 3, 0.5, 0.25, None, 1e-3, None, 0.1, True, None)
    parameters = runner.parameters()
    heard = ({"seen": np.ones(3), "name": "costs"}, None)
    like = TrainingState(
        *(parameters, runner.state(), 1, [event]),
        rule=dr.Stopping().start(),
        best=Best(1, parameters),
    )
    checkpoint = pack(like, {"batch_size": 3}, Surroundings(heard))

    def read(path: Path) -> list[Any]:
        found, _ = unpack(opened(path), like)
        return [W for layer in found.parameters for W in layer.values()]

    fitted = folder / "fitted.safetensors"
    examples = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    model = dr.MLPClassifier((3,), max_iter=500, tol=1.0, random_state=0)
    model.fit(examples, ["a", "b", "a", "b"]).save(fitted)
    by_key = folder / "by-key.safetensors"
    table = {"x": [*np.arange(24.0)], "y": [*np.sin(np.arange(24.0))], "k": ["a", "b"] * 12}
    settings = Settings(epochs=1, hidden=(2,))
    dr.train_by_key(table, "y", "k", settings=settings).save(by_key)
    return [
        *models,
        Subject("models by key", by_key.read_bytes(), _read_by_key),
        Subject("model file of layer kinds", own.read_bytes(), _read_model),
        Subject("estimator", fitted.read_bytes(), _read_estimator),
        Subject("checkpoint", checkpoint, read),
    ]


def damaged(subject: Subject, rng: random.Random) -> bytes:
    """The file with something wrong: bytes, its length, its header, or its own JSON re-sealed."""
    return rng.choice((_bytes_changed, _length_changed, _header_changed, resealed))(
        subject.content, rng
    )


@dataclass
class Count:
    """What became of the files."""

    refused: int = 0
    loaded: int = 0


def attack(folder: Path, mutations: int, seed: int) -> Count:
    """Damage and read so many files.

    Raises
    ------
    AssertionError
        Where a reader fails by another error than this package's, takes more than a second or
        200 MB, or gives other numbers than those that were written; the file is left there.
    """
    rng, count = random.Random(seed), Count()
    targets = subjects(folder)
    sound = []
    path = folder / "damaged.safetensors"
    for subject in targets:
        path.write_bytes(subject.content)
        sound.append([W.tobytes() for W in subject.read(path)])
    before = _megabytes()
    for turn in range(mutations):
        subject, arrays = targets[turn % len(targets)], sound[turn % len(targets)]
        content = damaged(subject, rng)
        path.write_bytes(content)
        begun = time.process_time()
        try:
            found = subject.read(path)
        except dr.DeltaruleError:
            count.refused += 1
        except Exception as error:
            raise AssertionError(f"{subject.name}, file {turn} of seed {seed}: {path}") from error
        else:
            count.loaded += 1
            if subject.sealed:
                assert [W.tobytes() for W in found] == arrays, (subject.name, turn, path)
        assert time.process_time() - begun < SECONDS, (subject.name, turn, path)
    assert _megabytes() - before < MEGABYTES, "the readers took more memory than they may"
    return count


def _read_model(path: Path) -> list[Any]:
    return [W for layer in load_model(path).parameters for W in layer.values()]


def _read_estimator(path: Path) -> list[Any]:
    found = dr.MLPClassifier.load(path)
    return [np.ascontiguousarray(W) for W in (*found.coefs_, *found.intercepts_)]


def _read_by_key(path: Path) -> list[Any]:
    return list(load_keyed(path).stack.tensors().values())


def _bytes_changed(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    header = 8 + struct.unpack("<Q", content[:8])[0]
    end = rng.choice((8, header, len(content)))
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(end)] = rng.randrange(256)
    return bytes(changed)


def _length_changed(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return rng.choice(
        (content[:place], content + rng.randbytes(9), content[place:], content[:place] * 2)
    )


def _header_changed(content: bytes, rng: random.Random) -> bytes:
    header, numbers = _parts(content)
    _spoil(header, rng)
    return _joined(header, numbers)


def resealed(content: bytes, rng: random.Random, part: str | None = None) -> bytes:
    """Another JSON of ours under a digest that fits: what only the checks behind it can refuse.

    Parameters
    ----------
    content : bytes
    rng : Random
    part : str, optional
        Of the JSON, what alone is changed.
    """

    def spoil(metadata: dict[str, Any]) -> None:
        for _ in range(rng.choice((1, 1, 3))):
            _spoil(metadata if part is None else metadata[part], rng)

    return changed(content, spoil)


def changed(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A file whose own JSON is changed, under a digest that fits.

    Parameters
    ----------
    content : bytes
    change : function
        Changes the JSON in place.
    """
    header, numbers = _parts(content)
    ((key, text),) = header["__metadata__"].items()
    metadata = json.loads(text)
    had = metadata.pop("digest", None) is not None
    change(metadata)
    text = json.dumps(metadata)
    if had and text != "{}":
        arrays = safetensors.numpy.load(content)
        text = signed(text, {n: Tensor.of(a) for n, a in arrays.items()}, arrays)
    header["__metadata__"] = {key: text}
    return _joined(header, numbers)


def _spoil(tree: Any, rng: random.Random) -> None:
    """Change, remove or add one entry somewhere in a tree of JSON."""
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = rng.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.85:
            node = node[key]
            continue
        if rng.random() < 0.15:
            del node[key]
        else:
            node[key] = copy.deepcopy(rng.choice(NASTY))  # a list of its own: it may be spoilt too
        break


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    start = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:start]), content[start:]


def _joined(header: dict[str, Any], numbers: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + numbers


def _megabytes() -> float:
    """The most memory this process ever had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
