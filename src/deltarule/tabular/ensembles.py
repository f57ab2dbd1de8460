"""Trained networks as one network: side by side, their outputs averaged before the last activation.

An ensemble so is a chain like any other: files, traces and exports know it through its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from deltarule.layers import Dense, Layer, Parallel
from deltarule.layers.parallel import own_parameters
from deltarule.network import Network, Parameters


def combined(
    members: Sequence[tuple[Network, Parameters]], temperature: float
) -> tuple[Network, Parameters]:
    """The average of trained networks as one network, its outputs divided by a temperature.

    Parameters
    ----------
    members : sequence of (Network, Parameters)
        Of the same inputs, outputs and cost. Layers in front that are the same in all are shared.
    temperature : float
        Of the probabilities; 1 leaves outputs as they are.

    Examples
    --------
    >>> network = Network(1, [Dense(1)])
    >>> members = [(network, ({"W": np.array([[w]]), "b": np.array([[0.0]])},)) for w in (1.0, 3.0)]
    >>> both, parameters = combined(members, 1.0)
    >>> from deltarule.network import feed_forward
    >>> feed_forward(both, parameters, np.array([[10.0]]))[-1].A
    array([[20.]])
    """
    network, own = members[0]
    if len(members) == 1:
        *before, output = own
        scaled = {name: values / temperature for name, values in output.items()}
        return network, (*before, scaled)
    most = min(len(network.layers) for network, _ in members) - 1
    fixed = next((i for i in range(most) if not _same(members, i)), most)
    inputs, outputs = network.sizes[fixed], network.outputs
    side_by_side = Parallel([(0, inputs, _unactivated(each, fixed)) for each, _ in members])
    average = Dense(outputs, network.layers[-1].g, weights="zeros")
    parallel = {
        f"{k}.{d}.{name}": values
        for k, (_, parameters) in enumerate(members, 1)
        for d, layer in enumerate(parameters[fixed:], 1)
        for name, values in layer.items()
    }
    dtype = next(iter(parallel.values())).dtype
    W = np.tile(np.eye(outputs, dtype=dtype), len(members)) / (len(members) * temperature)
    whole = Network(network.inputs, [*network.layers[:fixed], side_by_side, average], network.cost)
    averaging = {"W": W.astype(dtype), "b": np.zeros((outputs, 1), dtype)}
    return whole, (*own[:fixed], parallel, averaging)


def separated(network: Network, parameters: Parameters) -> list[tuple[Network, Parameters]]:
    """What :func:`combined` made one network of: each member and its parameters.

    The temperature stays behind, in the weights that average.

    Parameters
    ----------
    network : Network
        The average of at least two members.
    parameters : Parameters

    Raises
    ------
    ValueError
        For a network that is not such an average.

    Examples
    --------
    >>> network = Network(1, [Dense(1)])
    >>> members = [(network, ({"W": np.array([[w]]), "b": np.array([[0.0]])},)) for w in (1.0, 3.0)]
    >>> own = separated(*combined(members, 1.0))
    >>> [(single.sizes, parameters[0]["W"].item()) for single, parameters in own]
    [((1, 1), 1.0), ((1, 1), 3.0)]
    """
    *fixed, side_by_side, average = network.layers
    if not isinstance(side_by_side, Parallel):
        raise ValueError("its network is not an average of several")
    *shared, parallel, _ = parameters
    members = []
    for k, part in enumerate(side_by_side.parts, 1):
        *hidden, last = part.layers
        layers = [*fixed, *hidden, replace(cast(Any, last), activation=average.g)]
        own = [own_parameters(parallel, k, d) for d in range(1, len(part.layers) + 1)]
        members.append((Network(network.inputs, layers, network.cost), (*shared, *own)))
    return members


def summands(network: Network, parameters: Parameters) -> list[tuple[Network, Parameters]]:
    """Networks whose outputs add up to a network's: averaged members, each with its share.

    A network that does not end in linear outputs of parallel chains is its only summand.

    Parameters
    ----------
    network : Network
    parameters : Parameters

    Examples
    --------
    >>> network = Network(1, [Dense(1)])
    >>> members = [(network, ({"W": np.array([[w]]), "b": np.array([[0.0]])},)) for w in (1.0, 3.0)]
    >>> from deltarule.network import feed_forward
    >>> own = summands(*combined(members, 1.0))
    >>> [feed_forward(*each, np.array([[10.0]]))[-1].A.item() for each in own]
    [5.0, 15.0]
    """
    if len(network.layers) < 2:
        return [(network, parameters)]
    *fixed, side_by_side, last = network.layers
    if not (
        isinstance(side_by_side, Parallel)
        and isinstance(last, Dense)
        and last.g.name == "identity"
        and all(
            part.layers and part.last - part.first == network.sizes[-3]
            for part in side_by_side.parts
        )
    ):
        return [(network, parameters)]
    *shared, parallel, average = parameters
    parts, found, at = side_by_side.parts, [], 0
    for k, part in enumerate(parts, 1):
        whole = Network(network.inputs, [*fixed, *part.layers])
        share = {
            "W": average["W"][:, at : at + whole.outputs].copy(),
            "b": average["b"] / len(parts),
        }
        own = [own_parameters(parallel, k, d) for d in range(1, len(part.layers) + 1)]
        layers = [*whole.layers, replace(last, dropout=0.0)]
        found.append((Network(network.inputs, layers), (*shared, *own, share)))
        at += whole.outputs
    return found


def _same(members: Sequence[tuple[Network, Parameters]], i: int) -> bool:
    """Whether a layer is the same in all members: it had nothing to learn."""
    (first, own), *others = members
    return all(
        each.layers[i] == first.layers[i]
        and all(np.array_equal(own[i][name], parameters[i][name]) for name in own[i])
        for each, parameters in others
    )


def _unactivated(network: Network, first: int) -> list[Layer]:
    """A network's layers from one on as they predict, before the last activation.

    A part of several cannot have dropout of outputs.
    """
    *hidden, last = network.layers[first:]
    layers = [
        replace(cast(Any, layer), dropout=0.0) if layer.dropout > 0 else layer for layer in hidden
    ]
    return [*layers, replace(cast(Any, last), activation="identity")]
