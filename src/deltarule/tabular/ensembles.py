"""Networks taken apart and put together: what need not be trained, and members as one network.

An ensemble is a chain like any other, its members side by side and their outputs averaged before
the last activation: files, traces and exports know it through its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from deltarule.arrays import Array, columns, rows
from deltarule.layers import Dense, Layer, Parallel
from deltarule.network import Network, Parameters

_ROWS_AT_ONCE = 8192


def fixed_layers(network: Network) -> int:
    """How many layers in front learn nothing: what they make of the data can be made once.

    Examples
    --------
    >>> from deltarule.layers import PiecewiseLinear
    >>> fixed_layers(Network(1, [PiecewiseLinear([[0.0, 1.0, 2.0]]), Dense(1)]))
    1
    """
    return next(i for i, shapes in enumerate(network.shapes) if shapes)


def behind(network: Network, X: Array) -> tuple[Network, Array]:
    """The network behind its fixed layers, and what these make of rows ``(m, n[0])``.

    Examples
    --------
    >>> from deltarule.layers import PiecewiseLinear
    >>> network = Network(1, [PiecewiseLinear([[0.0, 1.0, 2.0]]), Dense(1)])
    >>> behind(network, np.array([[1.5]]))[1]
    array([[1. , 0.5]])
    """
    fixed = fixed_layers(network)
    if fixed == 0:
        return network, X
    out = np.empty((len(X), network.sizes[fixed]), X.dtype)
    for first in range(0, len(X), _ROWS_AT_ONCE):
        A = columns(X[first : first + _ROWS_AT_ONCE])
        for layer in network.layers[:fixed]:
            A = layer.forward({}, A).A
        out[first : first + _ROWS_AT_ONCE] = rows(A)
    return Network(network.sizes[fixed], network.layers[fixed:], network.cost), out


def combined(
    network: Network, members: Sequence[Parameters], temperature: float
) -> tuple[Network, Parameters]:
    """The average of trained networks as one network, its outputs divided by a temperature.

    Parameters
    ----------
    network : Network
        What each member is. Layers in front that learn nothing are shared.
    members : sequence of Parameters
        Of the layers behind those.
    temperature : float
        Of the probabilities; 1 leaves outputs as they are.

    Examples
    --------
    >>> network = Network(1, [Dense(1)])
    >>> members = [({"W": np.array([[w]]), "b": np.array([[0.0]])},) for w in (1.0, 3.0)]
    >>> both, parameters = combined(network, members, 1.0)
    >>> from deltarule.network import feed_forward
    >>> feed_forward(both, parameters, np.array([[10.0]]))[-1].A
    array([[20.]])
    """
    fixed = fixed_layers(network)
    nothing: tuple[dict[str, Array], ...] = ({},) * fixed
    if len(members) == 1:
        *before, output = members[0]
        scaled = {name: values / temperature for name, values in output.items()}
        return network, (*nothing, *before, scaled)
    *hidden, last = network.layers[fixed:]
    own = [*map(_without_dropout, hidden), replace(cast(Any, last), activation="identity")]
    inputs, outputs = network.sizes[fixed], network.outputs
    side_by_side = Parallel([(0, inputs, own)] * len(members))
    average = Dense(outputs, last.g, weights="zeros")
    parallel = {
        f"{k}.{d}.{name}": values
        for k, member in enumerate(members, 1)
        for d, layer in enumerate(member, 1)
        for name, values in layer.items()
    }
    dtype = next(iter(parallel.values())).dtype
    W = np.tile(np.eye(outputs, dtype=dtype), len(members)) / (len(members) * temperature)
    whole = Network(network.inputs, [*network.layers[:fixed], side_by_side, average], network.cost)
    averaging = {"W": W.astype(dtype), "b": np.zeros((outputs, 1), dtype)}
    return whole, (*nothing, parallel, averaging)


def _without_dropout(layer: Layer) -> Layer:
    """A layer as it predicts: a part of several cannot drop outputs of its own."""
    return replace(cast(Any, layer), dropout=0.0) if layer.dropout > 0 else layer
