"""Whether an exported model predicts as the model does: ONNX Runtime on real or made-up rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_matrix
from deltarule.errors import DataError, ExportError, require, setting
from deltarule.export.table_rows import feeds
from deltarule.modelfile import Model
from deltarule.network import Parameters
from deltarule.preprocessing import Targets
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.columns import Boolean, Column, Dropped
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.text_columns import Text
from deltarule.training.predictions import class_sets

CLOSE = 1e-5
"""How far predictions may lie apart, as a share of the target's spread."""

_SLACK = 4.0  # times the model's own rounding, where that alone is coarser
_ROWS = 64


class Checked(NamedTuple):
    """What a comparison found.

    Attributes
    ----------
    rows : int
    made_up : bool
        Whether the rows were.
    deviation : float
        The largest difference of two predictions: of probabilities; of values as a share of the
        target's spread; of bare outputs as a share of the largest.
    """

    rows: int
    made_up: bool
    deviation: float


def checked(
    content: bytes, model: Model, rows: Any = None, threshold: float | None = None
) -> Checked:
    """Compare what ONNX Runtime makes of rows with what the model makes of them.

    Parameters
    ----------
    content : bytes
        An ONNX file.
    model : Model
    rows : data frame or array, optional
        Default: made up by :func:`made_up_rows`.
    threshold : float, optional
        Of the sets of classes that the file gives.

    Raises
    ------
    ExportError
        Where they lie further apart than 1e-5, and four times the model's own rounding: of its
        numbers, and of a prediction in the target's units.
    DataError
        Where the model's predictions overflow on every row.
    MissingExtraError
        Where ONNX Runtime is not installed.
    """
    table = made_up_rows(model) if rows is None else rows
    expected = model.outputs(table)
    usable = np.isfinite(expected).all(axis=1)
    if not usable.any():
        raise DataError(
            f"export: the model's own predictions overflow on all {len(expected)} rows; expected "
            "some that are finite, to compare. Pass other rows "
            f"({setting('rows', '--check')})."
        )
    exact = replace(model, parameters=widened(model.parameters)).outputs(table)
    found = _found(content, model, table, threshold)
    scale = 1.0 if model.targets is not None else float(abs(expected[usable]).max()) or 1.0

    def apart(A: Array, A_other: Array) -> float:
        return float(abs(A[usable] - A_other[usable]).max()) / scale

    own = apart(expected, exact) + _step(model.targets, expected[usable])
    deviation, limit = apart(found, expected), max(CLOSE, _SLACK * own)
    if not deviation <= limit:
        raise ExportError(
            f"export: ONNX Runtime's predictions lie up to {deviation:.2g} from the model's, as a "
            f"share of the target's spread; expected at most {limit:.1g}. Nothing was written. "
            "This is a fault of the export: report it with the model."
        )
    return Checked(int(usable.sum()), rows is None, deviation)


def _step(targets: Targets | None, A: Array) -> float:
    """The distance of two float64 numbers at the largest prediction, as a share of the spread."""
    if targets is None or targets.task != "regression":
        return 0.0
    values = A * np.array(targets.stds) + np.array(targets.means)
    return float((np.spacing(abs(values)) / np.array(targets.stds)).max())


def _found(content: bytes, model: Model, table: Any, threshold: float | None) -> Array:
    """A[L] as the graph's outputs tell it, float64; its labels must be those of its numbers."""
    session = _session(content)
    if model.preprocessing is None:
        width = model.network.inputs
        given = {"X": checked_matrix("rows", table, width=width, dtype=model.dtype)}
    else:
        given = feeds(model.preprocessing, table)
    outputs = session.run(None, given)
    targets = model.targets
    if targets is None:
        return outputs[0]
    if targets.task == "regression":
        return (np.column_stack(outputs) - targets.means) / np.array(targets.stds)
    label, P, *held = outputs
    A = P[:, 1:] if targets.outputs == 1 else P
    if targets.decode(A)[targets.names[0]].to_list() != label.tolist():
        raise ExportError(
            "export: ONNX Runtime's labels are not those of its probabilities. Nothing was "
            "written. This is a fault of the export: report it with the model."
        )
    if threshold is not None and (held[0] != class_sets(P, targets.codes(A), threshold)).any():
        raise ExportError(
            "export: ONNX Runtime's sets are not those of its probabilities. Nothing was written. "
            "This is a fault of the export: report it with the model."
        )
    return A


def widened(parameters: Parameters) -> Parameters:
    """Parameters as float64."""
    return tuple({name: W.astype(np.float64) for name, W in own.items()} for own in parameters)


def _session(content: bytes) -> Any:
    runtime = require("onnxruntime", "onnx", "checking an ONNX file")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


# ------------------------------------------------------------------------------ made-up rows


def made_up_rows(model: Model, count: int = _ROWS, seed: int = 0) -> Any:
    """Rows as a model's training might have had them, and what it did not have.

    Numbers and dates about their mean; every level, in turn with one that training never saw;
    missing values. The first row is missing everywhere, the second has no level that training saw.
    Arrays: standard normal, every other row whole numbers.

    Parameters
    ----------
    model : Model
    count : int
        How many.
    seed : int

    Returns
    -------
    polars.DataFrame, or array of shape (count, n[0])

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1)])
    >>> made_up_rows(Model(network, network.initial_parameters()), 3).shape
    (3, 2)
    """
    rng = np.random.default_rng(seed)
    if model.preprocessing is None:
        X = rng.standard_normal((count, model.network.inputs))
        X[1::2] = rng.integers(0, 10, X[1::2].shape)
        return X.astype(model.dtype)
    polars = require("polars", "table", "made-up rows")
    return polars.DataFrame(
        {
            column.name: polars.Series(_cells(column, count, rng), dtype=_type(column, polars))
            for column in model.preprocessing.columns
            if not isinstance(column, Dropped)
        }
    )


def _cells(column: Column, count: int, rng: np.random.Generator) -> list[Any]:
    """The cells of a column, about every sixth missing; then the first, and the second unseen."""
    if isinstance(column, (Boolean, Category)):
        known = column.known if isinstance(column, Category) else column.levels
        written = column.spellings if isinstance(column, Boolean) else ()
        unseen = _unseen(known)
        levels: list[Any] = [*known, *written, unseen, None]
        step = max(1, len(levels) // count)  # of many levels some, frequent and rare
        found = [levels[i] for i in rng.permutation(np.arange(0, step * count, step) % len(levels))]
        return [None, unseen, *found[2:]][:count]
    if isinstance(column, Text):
        words = [*column.words, "Unseen!"]
        texts = (" ".join(rng.choice(words, size)) for size in rng.integers(0, 8, count))
        return [None, "Unseen!", *texts][:count]
    assert not isinstance(column, Dropped)
    values = rng.normal(column.mean, column.std, count)
    if isinstance(column, Date):
        values = (values if column.hours else np.floor(values)) * 86_400_000.0
        values = values.astype(np.int64)
    missing = rng.random(count) < 1 / 6
    missing[:1] = True
    return [None if absent else v for v, absent in zip(values.tolist(), missing, strict=True)]


def _type(column: Column, polars: Any) -> Any:
    if isinstance(column, Date):
        return polars.Datetime("ms")
    return polars.String if isinstance(column, (Boolean, Category, Text)) else polars.Float64


def _unseen(levels: tuple[str, ...]) -> str:
    """A text that is not a level."""
    text = "unseen"
    while text in levels:
        text += "!"
    return text
