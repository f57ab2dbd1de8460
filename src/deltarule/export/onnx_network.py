"""A network as nodes of an ONNX graph: what each kind of layer is made of.

Examples are rows here, as runtimes have them: a layer's value is ``(m, n)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from deltarule.activations import Activation
from deltarule.export.graph import Graph
from deltarule.export.onnx_rows import expression_nodes
from deltarule.export.rows import SOFTMAX, activation, layer_writer
from deltarule.layers import Layer, LayerParameters
from deltarule.layers.parallel import own_parameters
from deltarule.network import Network, Parameters


def _activated(g: Graph, row: Activation, Z: str) -> str:
    if row is SOFTMAX:
        return g.node("Softmax", Z, axis=1)
    return expression_nodes(g, activation(row, g.dtype)[0], Z)


# ----------------------------------------------------------------------------------- layers


def _dense(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    return g.node("Gemm", X, g.constant(own["W"]), g.constant(own["b"][:, 0]), transB=1)


def _gained(g: Graph, own: LayerParameters, X_hat: str) -> str:
    gained = g.node("Mul", X_hat, g.constant(own["gain"][:, 0]))
    return g.node("Add", gained, g.constant(own["shift"][:, 0]))


def _layer_norm(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    axis = g.constant([1], np.int64)
    centred = g.node("Sub", X, g.node("ReduceMean", X, axis))
    variance = g.node("ReduceMean", g.node("Mul", centred, centred), axis)
    root = g.node("Sqrt", g.node("Add", variance, g.constant(layer.epsilon)))
    return _gained(g, own, g.node("Div", centred, root))


def _batch_norm(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    scale = 1.0 / np.sqrt(own["variance"][:, 0] + layer.epsilon)
    centred = g.node("Sub", X, g.constant(own["mean"][:, 0]))
    return _gained(g, own, g.node("Mul", centred, g.constant(scale)))


def _scale(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    return g.node("Mul", X, g.constant(own["scale"][:, 0]))


def _parametric(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    bend = g.node("Sub", _activated(g, layer.h, X), X)
    return g.node("Add", X, g.node("Mul", bend, g.constant(own["alpha"][:, 0])))


def _periodic(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    X = g.taken(X, np.repeat(np.arange(n), layer.frequencies))
    turned = g.node("Mul", X, g.constant((2.0 * math.pi) * own["frequency"][:, 0]))
    return g.node("Add", turned, g.constant(own["phase"][:, 0]))


def _piecewise_linear(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    bins = layer.bins(g.dtype)
    start, width, low, high = (
        g.constant(a[:, 0]) for a in (bins.start, bins.width, bins.low, bins.high)
    )
    share = g.node("Div", g.node("Sub", g.taken(X, bins.column), start), width)
    return g.node("Min", g.node("Max", share, low), high)


def _embedding(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    zero, limits = g.constant(0.0), g.constant(layer.levels)
    known = g.node("And", g.node("GreaterOrEqual", X, zero), g.node("Less", X, limits))
    known = g.node("And", known, g.node("Equal", X, g.node("Floor", X)))
    codes = g.cast(g.node("Where", known, X, zero), np.int64)
    first = g.constant(np.cumsum([0, *layer.levels[:-1]]), np.int64)
    found = g.node("Gather", g.constant(own["E"].T), g.node("Add", codes, first), axis=0)
    return g.node("Reshape", found, g.constant([-1, n * layer.width], np.int64))


def _grouped(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    groups = n // layer.size
    W = own["W"].reshape(groups, layer.units, layer.size).transpose(0, 2, 1)
    X = g.node("Reshape", X, g.constant([-1, groups, layer.size], np.int64))
    Z = g.node("MatMul", g.node("Transpose", X, perm=[1, 0, 2]), g.constant(W))
    Z = g.node("Transpose", Z, perm=[1, 0, 2])
    Z = g.node("Reshape", Z, g.constant([-1, groups * layer.units], np.int64))
    return g.node("Add", Z, g.constant(own["b"][:, 0]))


def _shared(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    X = g.node("Reshape", X, g.constant([-1, n // layer.members], np.int64))  # a row a member
    Z = g.node("MatMul", X, g.constant(own["W"].T))
    Z = g.node("Reshape", Z, g.constant([-1, layer.members * layer.units], np.int64))
    return g.node("Add", Z, g.constant(own["b"][:, 0]))


def _parallel(g: Graph, layer: Any, own: LayerParameters, X: str, n: int) -> str:
    ends = []
    for k, part in enumerate(layer.parts, 1):
        A, width = g.taken(X, np.arange(part.first, part.last)), part.last - part.first
        for d, inner in enumerate(part.layers, 1):
            A = _layer(g, inner, own_parameters(own, k, d), A, width)
            width = inner.units_after(width)
        ends.append(A)
    return g.node("Concat", *ends, axis=1)


LAYERS: dict[str, Callable[[Graph, Any, LayerParameters, str, int], str]] = {
    "dense": _dense,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "scale": _scale,
    "parametric": _parametric,
    "periodic": _periodic,
    "piecewise_linear": _piecewise_linear,
    "embedding": _embedding,
    "grouped": _grouped,
    "shared": _shared,
    "parallel": _parallel,
}
"""By kind, what makes Z of the layer, its parameters, A_prev and how wide that is."""


def _layer(g: Graph, layer: Layer, own: LayerParameters, A_prev: str, n: int) -> str:
    return _activated(g, layer.g, layer_writer(LAYERS, layer)(g, layer, own, A_prev, n))


def network_nodes(g: Graph, network: Network, parameters: Parameters, X: str) -> str:
    """A[L] ``(m, n[L])`` of the prepared inputs ``(m, n[0])``, of the graph's dtype.

    Raises
    ------
    SettingError
        For a custom kind of layer, or an activation that no expression says, by its name.
    """
    A = X
    for layer, own, n in zip(network.layers, parameters, network.sizes[:-1], strict=True):
        A = _layer(g, layer, own, A, n)
    return A
