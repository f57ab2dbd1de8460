"""What moves along the path from a reference row to a row, and the network that reads it.

Bins have edges, at which derivatives jump, and codes of categories are not quantities. So a network
is cut behind them: its part before the cut gives the path's units, the rest is smooth in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from deltarule.arrays import Array
from deltarule.layers import Embedding, Layer, LayerParameters, Parallel, PiecewiseLinear
from deltarule.layers.parallel import Part, own_parameters
from deltarule.network import Network, Parameters

_DEPTH = 2  # layers up to the bins: oblique columns, then bins


@dataclass(frozen=True)
class Units:
    """Some of the path's units: what a chain of layers makes of some inputs.

    Attributes
    ----------
    first, last : int
        The inputs that it reads; `last` is left out.
    layers : tuple of Layer
        None for the inputs themselves.
    parameters : tuple of mapping
        Of each layer.
    sources : int array, shape (units,)
        What each unit is made of, ascending: the number of an input or, after oblique columns, of
        one of these.
    across : array, shape (sources, inputs), or None
        Weights of the oblique columns; None where sources are inputs.
    straight : bool
        Whether the units go straight from the reference to the row; else they follow the inputs.
    """

    first: int
    last: int
    layers: tuple[Layer, ...]
    parameters: Parameters
    sources: Array
    across: Array | None
    straight: bool

    def values(self, X: Array) -> Array:
        """The units of rows ``(…, inputs)``."""
        return self._of(X[..., self.first : self.last])

    def along(self, X0: Array, X: Array, at: Array, ends: Array | None = None) -> Array:
        """The units at some points from `X0`, at 0, to `X`, at 1: ``(points, m, units)``.

        Parameters
        ----------
        X0, X : arrays, shapes (1, inputs), (m, inputs)
        at : array, shape (points, m)
        ends : array, shape (2, m), optional
            Points between which the units go straight; nowhere by default.
        """
        X0, X = X0[:, self.first : self.last], X[:, self.first : self.last]
        if self.straight:
            start, end, share = self._of(X0), self._of(X), at
        elif ends is None:
            return self._of(_between(X0, X, at))
        else:
            start, end = self._of(_between(X0, X, ends))
            share = (at - ends[0]) / (ends[1] - ends[0])
        return _between(start, end, share)

    def of_inputs(self, contributions: Array, change: Array) -> Array:
        """Contributions of the units as those of the inputs that they are made of.

        An oblique column is linear in its inputs: each has the share that it moves the column by.

        Parameters
        ----------
        contributions : array, shape (rows, outputs, units)
        change : array, shape (rows, inputs)
            The row less the reference.
        """
        starts = np.flatnonzero(np.diff(self.sources, prepend=-1))
        by_source: Array = np.add.reduceat(contributions, starts, axis=-1)
        if self.across is None:
            return by_source
        moved = change[:, self.first : self.last]
        total = (moved @ self.across.T)[:, np.newaxis]
        rate = np.divide(by_source, total, out=np.zeros_like(by_source), where=total != 0)
        return (rate @ self.across) * moved[:, np.newaxis]

    def _of(self, own: Array) -> Array:
        """The units of rows ``(…, last - first)`` of their inputs."""
        A = own.reshape(-1, own.shape[-1]).T
        for layer, parameters in zip(self.layers, self.parameters, strict=True):
            A = layer.forward(parameters, A).A
        return A.T.reshape(*own.shape[:-1], -1)


def _between(start: Array, end: Array, share: Array) -> Array:
    """From `start`, at 0, to `end`, at 1: ``(points, m, n)`` of shares ``(points, m)``."""
    share = share[..., np.newaxis].astype(end.dtype)
    return np.where(share == 1, end, start + share * (end - start))


class Cut(NamedTuple):
    """A network in two: the path's units, and what the outputs are of them.

    Attributes
    ----------
    order : int array, shape (inputs,)
        The inputs, in the order in which the units read them.
    units : list of Units
        Side by side they are the inputs of `network`.
    network : Network
        Of the same outputs as the whole.
    parameters : Parameters
    """

    order: Array
    units: list[Units]
    network: Network
    parameters: Parameters


def cut(network: Network, parameters: Parameters) -> Cut:
    """A network cut behind its bins and its embeddings of categories.

    Parameters
    ----------
    network : Network
    parameters : Parameters

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.PiecewiseLinear([[0, 1, 2], [0, 1]]), dr.Dense(1)])
    >>> own = cut(network, network.initial_parameters())
    >>> own.units[0].values(np.array([[1.5, 0.5]])), own.network.sizes
    (array([[1. , 0.5, 0.5]]), (3, 1))
    """
    layers, own, order = tuple(network.layers), tuple(parameters), np.arange(network.inputs)
    if (moved := _moved(layers[0])) is not None:
        layers, own, order = layers[1:], own[1:], moved
    cutting = _Cutting()
    chain = cutting.chain(0, network.inputs, layers, own)
    rest = Network(cutting.width, chain.layers, network.cost)
    return Cut(order, cutting.units, rest, chain.parameters)


def _moved(layer: Layer) -> Array | None:
    """The order in which a layer hands on its inputs, where it does nothing else."""
    if not isinstance(layer, Parallel) or any(part.layers for part in layer.parts):
        return None
    return np.concatenate([np.arange(part.first, part.last) for part in layer.parts])


class _Chain(NamedTuple):
    """Layers and which of the path's units they read."""

    first: int
    last: int
    layers: tuple[Layer, ...]
    parameters: Parameters


@dataclass
class _Cutting:
    """The units that are found while a network is cut, and how many they are."""

    units: list[Units] = field(default_factory=list)
    width: int = 0

    def chain(
        self, first: int, last: int, layers: tuple[Layer, ...], parameters: Parameters
    ) -> _Chain:
        """What is left of a chain of layers that reads the inputs `first` to `last`."""
        kinked = (isinstance(layer, (PiecewiseLinear, Embedding)) for layer in layers[:_DEPTH])
        depth = next((d for d, is_kinked in enumerate(kinked, 1) if is_kinked), 0)
        if not depth and layers and isinstance(layers[0], Parallel):
            return self._parallel(first, layers, parameters)
        start = self.width
        if depth and _is_by_column(layers[depth - 1 : depth + 1]):
            depth += 1
        self.units.append(_units(first, last, layers[:depth], parameters[:depth]))
        self.width += len(self.units[-1].sources)
        return _Chain(start, self.width, layers[depth:], parameters[depth:])

    def _parallel(self, first: int, layers: tuple[Layer, ...], parameters: Parameters) -> _Chain:
        head, start = cast(Parallel, layers[0]), self.width
        parts, kept = [], dict[str, Array]()
        for k, part in enumerate(head.parts, 1):
            own = tuple(own_parameters(parameters[0], k, d) for d in range(1, len(part.layers) + 1))
            left = self.chain(first + part.first, first + part.last, part.layers, own)
            parts.append((left.first - start, left.last - start, left.layers))
            kept |= {
                f"{k}.{d}.{name}": values
                for d, layer in enumerate(left.parameters, 1)
                for name, values in layer.items()
            }
        return _Chain(start, self.width, (Parallel(parts), *layers[1:]), (kept, *parameters[1:]))


def _units(first: int, last: int, layers: tuple[Layer, ...], parameters: Parameters) -> Units:
    """The units of a chain that ends with bins or an embedding, or has no layers."""
    sources, across, straight = np.arange(last - first), None, not layers
    for layer, own in zip(layers, parameters, strict=True):
        if isinstance(layer, Embedding):
            sources, straight = np.repeat(sources, layer.width), True
        elif isinstance(layer, PiecewiseLinear):
            sources = layer.bins(np.float64).column
        elif layer is layers[0]:
            across = _linear(layer, own, last - first)
        else:
            sources = _by_column(cast(Parallel, layer), sources)
    return Units(first, last, layers, parameters, sources, across, straight)


def _is_by_column(layers: Sequence[Layer]) -> bool:
    """Whether bins are followed by layers each of which sees the bins of one column alone."""
    if len(layers) < 2 or not (
        isinstance(layers[0], PiecewiseLinear) and isinstance(layers[1], Parallel)
    ):
        return False
    column = layers[0].bins(np.float64).column
    return all(
        not part.layers or column[part.first] == column[part.last - 1] for part in layers[1].parts
    ) and [part.first for part in layers[1].parts] == [0, *(p.last for p in layers[1].parts[:-1])]


def _by_column(layer: Parallel, sources: Array) -> Array:
    """The sources of units that each come from the bins of one column, or are bins."""
    return np.concatenate(
        [
            np.full(_width(part), sources[part.first])
            if part.layers
            else sources[part.first : part.last]
            for part in layer.parts
        ]
    )


def _width(part: Part) -> int:
    """How many units a part ends with."""
    n = part.last - part.first
    for layer in part.layers:
        n = layer.units_after(n)
    return n


def _linear(layer: Layer, own: LayerParameters, inputs: int) -> Array:
    """The weights of a layer of oblique columns, beside the columns themselves."""
    at_zero: Array = layer.forward(own, np.zeros((inputs, 1))).A
    return layer.forward(own, np.eye(inputs)).A - at_zero
