"""The dense layers that a network ends with, as a network of their own: what the page can walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.network import Network, Parameters, feed_forward


class DensePart(NamedTuple):
    """A network of dense layers, and what the layers before it make of the inputs.

    Attributes
    ----------
    network : Network
    parameters : Parameters
    X : array, shape (m, n[0])
        Examples as rows: the outputs of the layers before.
    inputs : tuple of str
        What those are called.
    before : tuple of str
        The kinds of the layers before, in order; empty where there are none.
    """

    network: Network
    parameters: Parameters
    X: Array
    inputs: tuple[str, ...]
    before: tuple[str, ...]


def dense_part(
    network: Network, parameters: Parameters, X: Array, inputs: Sequence[str]
) -> DensePart:
    """Take apart the layers up to the last that is not dense, and what comes after.

    Parameters
    ----------
    network : Network
    parameters : Parameters
    X : array, shape (m, n[0])
        Examples as rows.
    inputs : sequence of str
        What the columns of X are called.

    Returns
    -------
    DensePart
        All of the network where its last layer is not dense.

    Examples
    --------
    >>> import numpy as np
    >>> from deltarule import Dense, Network, Scale
    >>> whole = Network(2, [Scale(), Dense(1)])
    >>> part = dense_part(whole, whole.initial_parameters(), np.eye(2, dtype=np.float32), "ab")
    >>> part.before, part.network.sizes, part.inputs
    (('scale',), (2, 1), ('a', 'b'))
    """
    others = [l for l, layer in enumerate(network.layers, 1) if layer.kind != "dense"]
    first = others[-1] if others else 0
    if first in (0, len(network.layers)):
        return DensePart(network, parameters, X, tuple(inputs), ())
    before, names = network.layers[:first], tuple(inputs)
    for layer in before:
        names = layer.names_after(names)
    with np.errstate(over="ignore", invalid="ignore"):
        A = feed_forward(network, parameters, columns(X))[first - 1].A
    rest = Network(network.sizes[first], network.layers[first:], network.cost)
    kinds = tuple(layer.kind for layer in before)
    return DensePart(rest, parameters[first:], A.T, names, kinds)
