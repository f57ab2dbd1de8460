"""Trained networks as one network: side by side, their outputs averaged before the last activation.

An ensemble so is a chain like any other: files, traces and exports know it through its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from deltarule.arrays import Array
from deltarule.layers import Dense, Layer, Parallel
from deltarule.network import Network, Parameters


def combined(
    network: Network, members: Sequence[Parameters], temperature: float
) -> tuple[Network, Parameters]:
    """The average of trained networks as one network, its outputs divided by a temperature.

    Parameters
    ----------
    network : Network
        What each member is. Layers in front that are the same in all are shared.
    members : sequence of Parameters
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
    if len(members) == 1:
        *before, output = members[0]
        scaled = {name: values / temperature for name, values in output.items()}
        return network, (*before, scaled)
    last_layer = len(network.layers) - 1
    fixed = next((i for i in range(last_layer) if not _same(members, i)), last_layer)
    *hidden, last = network.layers[fixed:]
    own = [*map(_without_dropout, hidden), replace(cast(Any, last), activation="identity")]
    inputs, outputs = network.sizes[fixed], network.outputs
    side_by_side = Parallel([(0, inputs, own)] * len(members))
    average = Dense(outputs, last.g, weights="zeros")
    parallel = {
        f"{k}.{d}.{name}": values
        for k, member in enumerate(members, 1)
        for d, layer in enumerate(member[fixed:], 1)
        for name, values in layer.items()
    }
    dtype = next(iter(parallel.values())).dtype
    W = np.tile(np.eye(outputs, dtype=dtype), len(members)) / (len(members) * temperature)
    whole = Network(network.inputs, [*network.layers[:fixed], side_by_side, average], network.cost)
    averaging = {"W": W.astype(dtype), "b": np.zeros((outputs, 1), dtype)}
    return whole, (*members[0][:fixed], parallel, averaging)


def separated(network: Network, parameters: Parameters) -> tuple[Network, list[Parameters]]:
    """What :func:`combined` made one network of: what each member is, and their parameters.

    The temperature stays behind, in the weights that average.

    Parameters
    ----------
    network : Network
        The average of at least two members.
    parameters : Parameters

    Raises
    ------
    ValueError
        For a network that is no such average.

    Examples
    --------
    >>> members = [({"W": np.array([[w]]), "b": np.array([[0.0]])},) for w in (1.0, 3.0)]
    >>> single, own = separated(*combined(Network(1, [Dense(1)]), members, 1.0))
    >>> single.sizes, [member[0]["W"].item() for member in own]
    ((1, 1), [1.0, 3.0])
    """
    *fixed, side_by_side, average = network.layers
    if not isinstance(side_by_side, Parallel):
        raise ValueError("its network is no average of several")
    parts = side_by_side.parts
    if any(part.layers != parts[0].layers for part in parts):
        raise ValueError("the networks that it averages differ")
    *hidden, last = parts[0].layers
    single = [*fixed, *hidden, replace(cast(Any, last), activation=average.g)]
    *shared, parallel, _ = parameters
    own: list[list[dict[str, Array]]] = [[{} for _ in parts[0].layers] for _ in parts]
    for name, values in parallel.items():
        k, d, of_layer = name.split(".", 2)
        own[int(k) - 1][int(d) - 1][of_layer] = values
    members = [(*shared, *member) for member in own]
    return Network(network.inputs, single, network.cost), members


def _same(members: Sequence[Parameters], i: int) -> bool:
    """Whether a layer has the same parameters in all members: it had none to learn."""
    first, *others = (member[i] for member in members)
    return all(np.array_equal(first[name], own[name]) for own in others for name in first)


def _without_dropout(layer: Layer) -> Layer:
    """A layer as it predicts: a part of several cannot drop outputs of its own."""
    return replace(cast(Any, layer), dropout=0.0) if layer.dropout > 0 else layer
