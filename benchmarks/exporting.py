"""Exported models beside the model, on held-out rows of every data set of DELTARULE_DATA.

    DELTARULE_DATA=… python benchmarks/exporting.py [--epochs 5] [--docs]

trains a network briefly on each data set and exports it. ONNX Runtime reads the columns as they
are, and so does the compiled C file. ``--docs`` writes the table into ``docs/export.md``.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

import deltarule as dr
from deltarule import export, tabular
from deltarule.data import Reading, read
from deltarule.export.c_table import results_of, scales_of
from deltarule.modelfile import Model
from mnist import load_mnist
from sections import command, environment, write_section

PAGE = Path(__file__).parent.parent / "docs" / "export.md"
HIDDEN = (64, 32)
STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror"]


class Case(NamedTuple):
    """A data set: where it lies, what it predicts, what it leaves out."""

    path: str
    target: str
    drop: tuple[str, ...] = ()
    reading: Reading = Reading()


TABLES = {
    "abalone": Case("abalone/abalone.csv", "column_9", (), Reading(header=False)),
    "adult": Case("adult/adult-train.csv", "column_15", (), Reading(header=False)),
    "california housing": Case("california_housing/housing.csv", "median_house_value"),
    "churn modelling": Case("churn_modelling/Churn_Modelling.csv", "Exited"),
    "higgs sample": Case(
        "higgs_sample/binary.train", "column_1", (), Reading(header=False, delimiter="\t")
    ),
    "telco churn": Case("telco_churn/Telco-Customer-Churn.csv", "Churn"),
    "titanic": Case("titanic/titanic_openML.csv", "survived", ("boat", "body")),
    "vowel": Case("vowel/vowel.train", "y", ("row.names",)),
}
UCI = ("concrete", "power-plant", "wine-quality-red", "yacht")


class Trained(NamedTuple):
    """A model, and the rows that it has not seen."""

    name: str
    model: Model
    rows: object


def trained(data: Path, epochs: int) -> Iterator[Trained]:
    """Every data set of the folder, trained on its training rows."""
    for name, case in TABLES.items():
        frame = read(data / case.path, case.reading)
        yield from_table(name, frame, case.target, case.drop, epochs)
    for name in UCI:
        folder = data / "uci" / name
        values = np.loadtxt(folder / "data.txt")
        columns = np.loadtxt(folder / "index_features.txt").astype(int)
        target = int(np.loadtxt(folder / "index_target.txt"))
        frame = pl.DataFrame({f"x{i}": values[:, i] for i in columns} | {"y": values[:, target]})
        yield from_table(f"uci {name}", frame, "y", (), epochs)
    yield from_pixels(epochs)


def from_table(
    name: str, frame: pl.DataFrame, target: str, drop: tuple[str, ...], epochs: int
) -> Trained:
    """As ``deltarule train`` does it."""
    settings = tabular.Settings(hidden=HIDDEN, epochs=epochs)
    whole = tabular.table(frame, tabular.Roles((target,), drop=drop))
    parts = tabular.split(whole, settings)
    problem = tabular.problem(whole, settings, parts.kept, whole.frame[parts.held])
    return Trained(name, tabular.fit(problem, settings).model, problem.test)


def from_pixels(epochs: int) -> Trained:
    """MNIST: arrays, no table."""
    pixels = load_mnist()
    layers = [*(dr.Dense(n, "relu") for n in HIDDEN), dr.Dense(10, "softmax")]
    network = dr.Network(784, layers, "categorical_cross_entropy")
    result = dr.train(network, pixels.X_train, pixels.y_train, optimizer="adam", epochs=epochs)
    return Trained("mnist", Model(result.network, result.parameters), pixels.X_test)


def in_c(model: Model, rows: object) -> tuple[float, export.CFile]:
    """The compiled file's predictions: their distance from float64's as a share of their norm."""
    made = export.c_file(model, rows=rows)
    wide = tuple({n: W.astype(float) for n, W in own.items()} for own in model.parameters)
    exact = replace(model, parameters=wide)
    if model.preprocessing is None:
        name, X, expected = "model_predict", rows, exact.outputs(rows)
        found = np.empty_like(expected, np.float32)
    else:
        name, X = "model_predict_row", export.cells(model.preprocessing, rows)
        expected = results_of(model, exact.outputs(rows))
        found = np.empty_like(expected)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.c").write_text(made.text)
        compile_ = ["cc", *STRICT, "-shared", "-fPIC", "model.c", "-o", "model.so", "-lm"]
        subprocess.run(compile_, cwd=folder, check=True)
        predict = getattr(ctypes.CDLL(f"{folder}/model.so"), name)
        predict.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        for x, a in zip(np.ascontiguousarray(X), found, strict=True):
            predict(x.ctypes.data, a.ctypes.data)
    means, stds = scales_of(model)
    far = np.linalg.norm((found - expected) / stds) / np.linalg.norm((expected - means) / stds)
    return float(far), made


def kinds(model: Model) -> str:
    """How many columns of each kind are used."""
    if model.preprocessing is None:
        return f"{model.network.inputs} pixels"
    found = [column.kind for column in model.preprocessing.columns if column.outputs]
    return ", ".join(f"{found.count(kind)} {kind}" for kind in dict.fromkeys(found))


def row(each: Trained) -> str:
    """A line of the table."""
    found = export.checked(export.onnx_bytes(each.model), each.model, each.rows)
    far, made = in_c(each.model, each.rows)
    is_table = each.model.preprocessing is not None
    missing = sum(each.rows.null_count().row(0)) if is_table else 0
    cells = [each.name, kinds(each.model), f"{found.rows:,}", f"{missing:,}"]
    cells += [f"{found.deviation:.1e}", f"{far:.1e}", f"{made.flash:,}", f"{made.ram:,}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Train, export, compare, print."""
    parser = argparse.ArgumentParser(description="Exported models beside the model.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    if not os.environ.get("DELTARULE_DATA"):
        sys.exit("error: set DELTARULE_DATA to the folder of the data sets")
    heads = ["data set", "columns", "held-out rows", "missing cells"]
    heads += ["ONNX Runtime", "C", "flash, bytes", "RAM, bytes"]
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "--:|" * (len(heads) - 2)]
    print(*lines, sep="\n")
    for each in trained(Path(os.environ["DELTARULE_DATA"]), options.epochs):
        lines.append(row(each))
        print(lines[-1], flush=True)
    if options.docs:
        versions = [f"{m.__name__} {m.__version__}" for m in _runtimes()]
        told = f"`{command()}`; {environment()}, {', '.join(versions)}."
        write_section(PAGE, "exporting", "\n".join([*lines, "", told]))


def _runtimes() -> list:
    import onnx
    import onnxruntime

    return [onnx, onnxruntime]


if __name__ == "__main__":
    main()
