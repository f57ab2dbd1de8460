"""Networks in one that share their weights: how a recipe's network becomes theirs, and back.

TabM (Gorishniy, Kotelnikov and Babenko, *TabM: advancing tabular deep learning with parameter-
efficient ensembling*, 2024): each member scales the inputs by its own factors, which start at
random, and has separate biases and a separate output layer. The sum of the members' costs is
trained; what they predict is averaged, before the last activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from deltarule.arrays import Array
from deltarule.costs import COSTS
from deltarule.errors import SettingError, setting
from deltarule.layers import Dense, Grouped, Layer, Parallel, Scale, Shared
from deltarule.network import Network, Parameters


def in_members(network: Network, members: int) -> Network:
    """A network whose members share the weights.

    Parameters
    ----------
    network : Network
        A chain that ends in dense layers, at least two.
    members : int

    Raises
    ------
    SettingError
        Where there is no hidden layer to share, or the cost needs all outputs of a member together.

    Examples
    --------
    >>> network = Network(3, [Scale(rate=6.0), Dense(8, "relu"), Dense(1)])
    >>> in_members(network, 4).sizes
    (3, 12, 32, 4)
    """
    first = _first_dense(network)
    before, dense = network.layers[:first], cast(list[Dense], network.layers[first:])
    width = network.sizes[first]
    scale: Layer = Scale(start="normal")
    if before and isinstance(before[-1], Scale):
        before, scale = before[:-1], replace(cast(Any, before[-1]), start="normal")
    if len(dense) < 2:
        raise SettingError(
            f"n_members={members}: expected a hidden layer whose weights members share, got a "
            f"linear model. Name units with {setting('hidden', '--hidden')}, or leave "
            f"{setting('n_members', '--members')} out."
        )
    shared = [
        Shared(l.units, members, l.activation, l.dropout, l.weights, l.biases, l.rate, l.bias_rate)
        for l in dense[:-1]
    ]
    last = dense[-1]
    activation, cost = _outputs(network, last)
    heads = Grouped(
        last.units, dense[-2].units, activation=activation, weights=last.weights, rate=last.rate
    )
    apart = Parallel([(0, width, [scale])] * members)
    return Network(network.inputs, [*before, apart, *shared, heads], cost)


def targets_of_all(Y: Array, members: int) -> Array:
    """Each member's targets, which are the same, side by side: ``(m, members · targets)``.

    Examples
    --------
    >>> targets_of_all(np.array([[1.0, 2.0]]), 2)
    array([[1., 2., 1., 2.]])
    """
    return Y if members == 1 else np.tile(Y, (1, members))


def averaged(
    whole: Network, network: Network, parameters: Parameters
) -> tuple[Network, Parameters]:
    """The trained members' average as one network that ends as `network` does.

    The heads of all members are one dense layer: its weights are theirs side by side, over their
    number.

    Parameters
    ----------
    whole : Network
        By :func:`in_members`.
    network : Network
        What it was made of.
    parameters : Parameters
        Of `whole`.

    Examples
    --------
    >>> network = Network(1, [Dense(1), Dense(1)])
    >>> whole = in_members(network, 2)
    >>> own = ({"1.1.scale": np.ones((1, 1)), "2.1.scale": np.full((1, 1), 3.0)},
    ...        {"W": np.ones((1, 1)), "b": np.zeros((2, 1))},
    ...        {"W": np.ones((2, 1)), "b": np.zeros((2, 1))})
    >>> from deltarule.network import feed_forward
    >>> feed_forward(*averaged(whole, network, own), np.array([[10.0]]))[-1].A
    array([[20.]])
    """
    heads, last = parameters[-1], cast(Dense, network.layers[-1])
    members = len(heads["b"]) // last.units
    W = heads["W"].reshape(members, last.units, -1).transpose(1, 0, 2).reshape(last.units, -1)
    b = heads["b"].reshape(members, last.units, 1)
    output = {"W": W / members, "b": b.mean(axis=0)}
    layers: Sequence[Any] = [*whole.layers[:-1], Dense(last.units, last.g, weights="zeros")]
    return Network(whole.inputs, layers, network.cost), (*parameters[:-1], output)


def members_again(
    network: Network, parameters: Parameters, members: int
) -> tuple[Network, Network, Parameters]:
    """What :func:`averaged` made one network of: the members, one of them, their parameters.

    The members' heads had different biases; now each has their mean, which predicts the same.

    Parameters
    ----------
    network : Network
        By :func:`averaged`.
    parameters : Parameters
    members : int

    Raises
    ------
    ValueError
        For a network that is not such an average.

    Examples
    --------
    >>> network = Network(1, [Dense(2, rate=0.5), Dense(1)])
    >>> whole = in_members(network, 3)
    >>> own = whole.initial_parameters()
    >>> again, single, parameters = members_again(*averaged(whole, network, own), 3)
    >>> again.sizes == whole.sizes, single.sizes, np.allclose(parameters[-1]["W"], own[-1]["W"])
    (True, (1, 1, 2, 1), True)
    """
    *before, last = network.layers
    shared = before[-1] if before else None
    if not isinstance(shared, Shared) or not isinstance(last, Dense) or shared.members != members:
        raise ValueError(f"its network has no {members} members")
    width, units = shared.units, last.units
    first = next(i for i, layer in enumerate(before) if isinstance(layer, Shared))
    hidden = [
        Dense(l.units, l.activation, l.dropout, l.weights, l.biases, l.rate, l.bias_rate)
        for l in before[first:]
        if isinstance(l, Shared)
    ]
    single_last = replace(last, rate=width**-0.5 if shared.rate != 1.0 else 1.0)
    scale = before[first - 1].parts[0].layers  # type: ignore[attr-defined]
    single = Network(
        network.inputs, [*before[: first - 1], *scale, *hidden, single_last], network.cost
    )
    heads = parameters[-1]
    W = heads["W"].reshape(units, members, width).transpose(1, 0, 2).reshape(-1, width) * members
    own = {"W": W, "b": np.tile(heads["b"], (members, 1))}
    return in_members(single, members), single, (*parameters[:-1], own)


def _first_dense(network: Network) -> int:
    """Where the dense layers at the end of a network begin."""
    first = len(network.layers)
    while first > 0 and isinstance(network.layers[first - 1], Dense):
        first -= 1
    return first


def _outputs(network: Network, last: Dense) -> tuple[Any, Any]:
    """Activation and cost of all members' outputs: softmax is each member's own."""
    if last.g.name != "softmax":
        return last.g, network.cost
    if network.cost_row is not COSTS("categorical_cross_entropy"):
        raise SettingError(
            f"{setting('n_members', '--members')}: expected the cost categorical_cross_entropy for "
            f"classes, got {network.cost_row.name}. Leave {setting('cost', '--cost')} or "
            f"{setting('n_members', '--members')} out."
        )
    return "identity", f"softmax_cross_entropy({last.units})"
