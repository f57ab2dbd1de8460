"""A model as one ONNX file: columns in, labels and probabilities out; checked before it is kept."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any

import numpy as np

from deltarule.errors import SettingError
from deltarule.export.check import Checked, checked
from deltarule.export.graph import Graph
from deltarule.export.onnx_network import network_nodes
from deltarule.export.onnx_table import table_nodes, target_nodes
from deltarule.export.table_rows import readings
from deltarule.modelfile import Model
from deltarule.system.storage import check_writable, write_whole

_LARGEST = 2**31 - 2**24
"""Bytes of parameters: a file of this format has fewer than 2³¹."""


def onnx_bytes(model: Model, threshold: float | None = None) -> bytes:
    """The bytes of an ONNX file.

    A model of a table has one input a column, ``(rows,)``, under its name; any other the input
    ``X``, ``(rows, n[0])``. Outputs are called as the columns of ``deltarule predict``, the
    probabilities of all classes together ``probabilities``, with a threshold also ``set_TARGET``;
    without targets ``A``, ``(rows, n[L])``. The property ``readings`` of its metadata says, as
    JSON, how training read text as numbers or days, and in which unit.

    Parameters
    ----------
    model : Model
        The model to export.
    threshold : float, optional
        Of a classification: also the set of the classes that are at least so probable, and the
        predicted one.

    Returns
    -------
    bytes
        A complete file.

    Raises
    ------
    SettingError
        For whatever a graph cannot hold, by its name: a custom kind of layer, an activation that
        cannot be traced, a column without a name, the empty text as a level.
    MissingExtraError
        Where onnx is not installed.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1, "tanh")])
    >>> content = onnx_bytes(Model(network, network.initial_parameters()))
    >>> b"Tanh" in content
    True
    """
    size = sum(W.nbytes for own in model.parameters for W in own.values())
    if size > _LARGEST:
        raise SettingError(
            f"export: the parameters take {size:,} bytes, and an ONNX file holds at most "
            f"{_LARGEST:,}. Export to C, or train a smaller network."
        )
    preprocessing, targets, network = model.preprocessing, model.targets, model.network
    names = ["X"] if preprocessing is None else [c.name for c in preprocessing.columns]
    g = Graph(model.dtype, names)
    if preprocessing is None:
        X = g.input("X", g.dtype, ["rows", network.inputs], "the network's inputs, prepared")
    else:
        X = table_nodes(g, preprocessing)
        X = X if g.dtype == np.float32 else g.cast(X, g.dtype)
    A = network_nodes(g, network, model.parameters, X)
    if targets is None:
        g.output(A, "A", g.dtype, ["rows", network.outputs], "the outputs, A[L]")
    else:
        target_nodes(g, targets, A, threshold)
    sizes = "-".join(map(str, network.sizes))
    about, properties = f"A network {sizes}, cost {network.cost_row.name}.", {}
    if preprocessing is not None:
        found = readings(preprocessing, () if targets is None else targets.names)
        properties = {"readings": json.dumps(found, ensure_ascii=False)}
    return g.encoded(about, version("deltarule"), properties)


def save_onnx(
    path: str | os.PathLike[str], model: Model, rows: Any = None, threshold: float | None = None
) -> Checked:
    """Write an ONNX file, once ONNX Runtime has given the model's predictions.

    Parameters
    ----------
    path : path
        The file, which is replaced.
    model : Model
        The model to export.
    rows : data frame or array, optional
        Rows to compare predictions on; without any they are made up.
    threshold : float, optional
        As of :func:`onnx_bytes`.

    Returns
    -------
    Checked

    Raises
    ------
    SettingError, MissingExtraError
        As :func:`onnx_bytes`.
    ExportError
        Where predictions differ; nothing is written.
    FileError
        Where the file cannot be written; what was there before is as it was.

    Examples
    --------
    >>> import tempfile
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1, "tanh")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = save_onnx(folder + "/m.onnx", Model(network, network.initial_parameters()))
    >>> found.rows, found.deviation < 1e-5
    (64, True)
    """
    check_writable(path)
    content = onnx_bytes(model, threshold)
    found = checked(content, model, rows, threshold)
    write_whole(path, content)
    return found
