"""The bits that fixed seeds give, as one digest per way of training.

Written before a change of structure and compared after it::

    python tools/digests.py > before.txt
    python tools/digests.py | diff before.txt -

With a pattern, ``python tools/digests.py "native rich"``, only what holds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import deltarule as dr

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(203, 5)).astype(np.float32)
_Y = np.sin(_X @ _RNG.normal(size=(5, 2))).astype(np.float32)
_LABELS = (_X[:, 0] + _X[:, 1] ** 2 > 0.7).astype(int) + (_X[:, 2] > 0.5)
_WEIGHTS = _RNG.uniform(0.1, 2, len(_X)).astype(np.float32)
_SPELLING = next(name for name in inspect.signature(dr.train).parameters if "regulari" in name)
_RULES: Any = getattr(dr, _SPELLING.capitalize())

_NETWORKS: dict[str, dr.Network] = {
    "plain": dr.Network(5, [dr.Dense(7, "tanh"), dr.Dense(2)]),
    "classes": dr.Network(
        5, [dr.Dense(8, "relu"), dr.Dense(3, "softmax")], "categorical_cross_entropy"
    ),
    "rich": dr.Network(
        5,
        [
            dr.Dense(9),
            dr.BatchNorm("gelu", dropout=0.2),
            dr.Dense(4, "mish"),
            dr.LayerNorm(),
            dr.Dense(2),
        ],
        "huber",
        input_dropout=0.1,
    ),
}


def _digest(*values: Any) -> str:
    """Of arrays by their bytes, of all else by its text."""
    digest = hashlib.blake2b(digest_size=8)

    def take(value: Any) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        elif isinstance(value, dict):
            for key in value:
                take((key, value[key]))
        elif isinstance(value, (list, tuple)):
            for each in value:
                take(each)
        else:
            digest.update(repr(value).encode())

    take(values)
    return digest.hexdigest()


def _of_result(result: Any) -> str:
    history = [
        (
            e.epoch,
            e.step,
            e.cost,
            e.validation_cost,
            e.figure,
            e.learning_rate,
            e.gradient_norm,
            e.best,
        )
        for e in result.history
    ]
    return _digest(list(result.parameters), history, result.stopped_because, result.best_epoch)


def _runs() -> dict[str, dict[str, Any]]:
    rules = {_SPELLING: _RULES(l1=1e-4, l2=1e-3, clip_norm=1.0)}
    half = {"validation": 0.25, "epochs": 12}
    return {
        "default": {"epochs": 6},
        "validation": {**half, "stopping": dr.Stopping(epochs=12, patience=2, improvement=1e-3)},
        "weights": {**half, "weights": _WEIGHTS, "optimizer": "sgd", "batch_size": 10},
        "averaging": {**half, "averaging": 4.0, "optimizer": dr.Adam(dr.Cosine(0.01))},
        "penalties": {"epochs": 5, "optimizer": "adamw", "statistics": True, **rules},
        "norm": {"epochs": 5, "stopping": dr.Stopping(gradient_norm=0.3), "batch_size": None},
        "flat": {"stopping": dr.Stopping(epochs=40, tolerance=0.05, tolerance_epochs=3)},
        "order": {"epochs": 3, "shuffle": lambda epoch: np.roll(np.arange(len(_X)), epoch)},
        "reduced": {
            "epochs": 6,
            "optimizer": dr.SGD(60.0),
            "stopping": dr.Stopping(on_divergence="reduce"),
        },
        "plateau": {**half, "callbacks": [dr.ReduceOnPlateau(patience=1, improvement=0.05)]},
        "lbfgs": {"epochs": 15, "optimizer": dr.LBFGS()},
    }


def _training(name: str, engine: str, **run: Any) -> str:
    network = _NETWORKS[name]
    Y = _LABELS if name == "classes" else _Y
    return _of_result(dr.train(network, _X, Y, engine=engine, seed=3, **run))


def _resumed() -> str:
    class LeftError(Exception):
        pass

    def leave(event: Any) -> None:
        if isinstance(event, dr.EpochEnded) and event.epoch == 4:
            raise LeftError

    run = {"validation": 0.2, "epochs": 9, "averaging": 3.0, "seed": 5, "batch_size": 16}
    with tempfile.TemporaryDirectory() as folder:
        kept = dr.Checkpoints(folder, every_steps=7)
        with contextlib.suppress(LeftError):
            dr.train(_NETWORKS["rich"], _X, _Y, checkpoints=kept, callbacks=[leave], **run)
        again = dr.Checkpoints(folder, every_steps=7, resume=True)
        return _of_result(dr.train(_NETWORKS["rich"], _X, _Y, checkpoints=again, **run))


def _many(engine: str) -> str:
    rows = [np.arange(150), np.arange(20, 203), np.arange(203)]
    found = dr.train_many(
        _NETWORKS["plain"],
        _X,
        _Y,
        seeds=[1, 2, 3],
        rows=rows,
        epochs=5,
        engine=engine,
        validation=[np.arange(150, 203), np.arange(20), np.arange(30)],
    )
    return _digest(list(found.stacked), found.costs, found.validation_costs)


def _of_estimator(estimator: Any, X: Any, y: Any) -> str:
    names = (
        "loss_curve_",
        "validation_scores_",
        "validation_loss_curve_",
        "n_iter_",
        "t_",
        "loss_",
        "learning_rate_",
    )
    own = [getattr(estimator, name, None) for name in names]
    return _digest(np.asarray(estimator.predict(X)), own, list(getattr(estimator, "coefs_", ())))


def _estimators() -> Iterator[tuple[str, Callable[[], str]]]:
    options: dict[str, dict[str, Any]] = {
        "default": {},
        "early": {"early_stopping": True, "n_iter_no_change": 3},
        "adaptive": {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "learning_rate_init": 0.2,
            "tol": 1e-2,
            "n_iter_no_change": 2,
        },
        "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "alpha": 0.1},
        "lbfgs": {"solver": "lbfgs"},
        "average": {"regularization": dr.RegularizationOptions(average=0.7, dropout=0.1)},
        "metric": {"stopping": dr.StoppingOptions(metric="loss", patience=2), "optimizer": "adamw"},
        "ensemble": {"n_estimators": 3},
    }
    for name, own in options.items():
        for kind, y in ((dr.MLPClassifier, _LABELS), (dr.MLPRegressor, _Y.astype(float))):

            def fitted(kind: Any = kind, y: Any = y, own: Any = own) -> str:
                estimator = kind(hidden_layer_sizes=(9,), max_iter=25, random_state=4, **own)
                return _of_estimator(estimator.fit(_X, y), _X, y)

            yield f"{kind.__name__} {name}", fitted

    def warm() -> str:
        estimator = dr.MLPRegressor(
            hidden_layer_sizes=(6,), max_iter=5, random_state=1, warm_start=True
        )
        estimator.fit(_X, _Y).fit(_X, _Y)
        for _ in range(3):
            estimator.partial_fit(_X, _Y)
        return _of_estimator(estimator, _X, _Y)

    yield "MLPRegressor warm", warm


def _command(*arguments: str) -> str:
    """What a command trains: its model file's tensors and its metrics."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        run = subprocess.run(
            [sys.executable, "-m", "deltarule", *arguments, "--json", "--out", str(out)],
            capture_output=True,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
            check=False,
        )
        if run.returncode:
            return f"failed: {run.stderr.strip()[-200:]}"
        files = sorted(out.rglob("*.safetensors")) if out.is_dir() else [out]
        tensors = [_tensors(file) for file in files if file.is_file()]
        return _digest(tensors, _without_times(json.loads(run.stdout)))


def _tensors(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _without_times(v)
            for k, v in value.items()
            if "second" not in k
            and k not in ("model", "data", "version", "deltarule", "out", "search")
        }
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _commands() -> Iterator[tuple[str, Callable[[], str]]]:
    for name in ("iris", "wine", "breast_cancer", "diabetes"):
        yield f"train {name}", lambda name=name: _command("train", name)  # type: ignore[misc]
    yield (
        "train ensemble",
        lambda: _command("train", "wine", "--ensemble", "2", "--members", "2", "--no-baselines"),
    )
    yield "train cv", lambda: _command("train", "iris", "--cv", "3", "--epochs", "8")
    yield "tune", lambda: _command("tune", "iris", "--trials", "4", "--epochs", "8")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "keys.csv")
        lines = [
            f"k{i % 7},{x[0]:.4f},{x[1]:.4f},{y[0]:.4f}"
            for i, (x, y) in enumerate(zip(_X, _Y, strict=True))
        ]
        table.write_text("\n".join(["key,a,b,y", *lines]) + "\n", encoding="utf-8")
        yield (
            "train --by",
            lambda: _command("train", str(table), "--target", "y", "--by", "key", "--epochs", "6"),
        )
        yield (
            "train --memory",
            lambda: _command(
                "train",
                str(table),
                "--target",
                "y",
                "--memory",
                "1MB",
                "--epochs",
                "6",
                "--no-baselines",
            ),
        )


def _all() -> Iterator[tuple[str, Callable[[], str]]]:
    for engine in ("reference", "native", "jax"):
        for network in _NETWORKS:
            for name, run in _runs().items():
                yield (
                    f"{engine} {network} {name}",
                    lambda network=network, engine=engine, run=run: _training(
                        network, engine, **run
                    ),  # type: ignore[misc]
                )
    yield "resumed", _resumed
    for engine in ("native", "jax"):
        yield f"many {engine}", lambda engine=engine: _many(engine)  # type: ignore[misc]
    yield "find_rate", lambda: _digest(dr.find_rate(_NETWORKS["plain"], _X, _Y, seed=2).costs)
    yield from _estimators()
    yield from _commands()


def main() -> None:
    """Print one line per way of training: a digest, or the error it ends with."""
    warnings.simplefilter("ignore")
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, make in _all():
        if pattern not in name:
            continue
        try:
            found = make()
        except dr.DeltaruleError as error:
            found = f"{type(error).__name__}: {str(error)[:60]}"
        print(f"{name:40} {found}", flush=True)


if __name__ == "__main__":
    main()
