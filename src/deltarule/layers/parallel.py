"""Chains of layers side by side, each on different columns, so that the network stays a chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array, checked_number, namespace
from deltarule.errors import SettingError, TypeMismatchError
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes

# ----------------------------------------------------------------------------- the equations


def stacked(parts: list[Array]) -> Array:
    """Eq. C1: the parts' units, one part after another.

    Examples
    --------
    >>> stacked([np.array([[1.0]]), np.array([[2.0], [3.0]])]).ravel()
    array([1., 2., 3.])
    """
    return namespace(parts[0]).concatenate(parts, axis=0)


def stacked_dA_prev(parts: list[tuple[int, Array]], n_prev: int) -> Array:
    """Eq. C2: each column gets the sum of what the parts that read it send back.

    `parts` are pairs of a part's first column and its derivative, ``(its columns, m)``.

    Examples
    --------
    >>> stacked_dA_prev([(0, np.array([[1.0], [2.0]])), (1, np.array([[10.0]]))], 2).ravel()
    array([ 1., 12.])
    """
    total: Array = 0.0
    for first, dA in parts:
        xp, rest = namespace(dA), n_prev - first - len(dA)
        total = total + xp.pad(dA, ((first, rest), (0, 0)))
    return total


# ---------------------------------------------------------------------------------- the kind


class Part(NamedTuple):
    """Columns `first` up to, not including, `last`, and the layers they go through."""

    first: int
    last: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Parallel(Layer):
    """Parts of the units before, each through a separate chain, and the results side by side.

    Parameters
    ----------
    parts : sequence of (first, last, layers)
        Columns ``first`` up to, not including, ``last``, and the layers they go through: none
        hands them on as they are. Parts may share columns.
    dropout : float
        Share of the outputs dropped in training.

    Raises
    ------
    SettingError
        For columns that there are not, or that no part reads; for dropout within a part.

    Examples
    --------
    Three numeric columns, each beside a periodic embedding of it, and two of categories:

    >>> import deltarule as dr
    >>> embedded = dr.Parallel(
    ...     [
    ...         (0, 3, []),
    ...         (0, 3, [dr.Periodic(16), dr.Grouped(3, size=16)]),
    ...         (3, 5, [dr.Embedding([4, 10], width=8)]),
    ...     ]
    ... )
    >>> network = dr.Network(5, [embedded, dr.Dense(64, "relu"), dr.Dense(1)])
    >>> network.sizes, list(network.shapes[0])
    ((5, 28, 64, 1), ['2.1.frequency', '2.1.phase', '2.2.W', '2.2.b', '3.1.E'])
    """

    parts: Any
    dropout: float = 0.0

    kind: ClassVar[str] = "parallel"

    def __post_init__(self) -> None:
        checked_number("Parallel", "dropout", self.dropout, low=0, high=1, open_high=True)
        parts = tuple(map(_part, self.parts if isinstance(self.parts, Iterable) else ()))
        if not parts:
            raise SettingError(
                "Parallel: expected at least one part, such as (0, 3, [Periodic(16)]); got "
                f"{self.parts!r}."
            )
        object.__setattr__(self, "parts", parts)

    @property
    def activations(self) -> tuple[Activation, ...]:
        """Those of the layers, and its own."""
        return *(row for _, l, _ in self._layers() for row in l.activations), self.g

    @property
    def penalised(self) -> tuple[str, ...]:
        """Those of the layers."""
        return tuple(prefix + name for prefix, l, _ in self._layers() for name in l.penalised)

    @property
    def running(self) -> tuple[str, ...]:
        """Those of the layers."""
        return tuple(prefix + name for prefix, l, _ in self._layers() for name in l.running)

    def units_after(self, n_prev: int) -> int:
        """The sum of the parts' units."""
        total = 0
        for part in self.parts:
            if part.last > n_prev:
                raise SettingError(
                    f"Parallel: a part reads columns {part.first} to {part.last}, but there are "
                    f"{n_prev}."
                )
            total += _sizes(part)[-1]
        missing = 0
        for part in sorted(self.parts, key=lambda part: part.first):
            if part.first > missing:
                break
            missing = max(missing, part.last)
        if missing < n_prev:
            raise SettingError(
                f"Parallel: no part reads column {missing}. Hand it on with ({missing}, "
                f"{missing + 1}, [])."
            )
        return total

    def shapes(self, n_prev: int) -> Shapes:
        """Of each layer, as ``part.layer.name``, both counted from 1."""
        return {
            prefix + name: shape
            for prefix, layer, before in self._layers()
            for name, shape in layer.shapes(before).items()
        }

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """Each layer's own."""
        return {
            prefix + name: values
            for prefix, layer, before in self._layers()
            for name, values in layer.initial(before, rng).items()
        }

    def names_after(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of each part what its layers call them; new names with the part's number, from 1."""
        found: list[str] = []
        for k, part in enumerate(self.parts, 1):
            own = before = names[part.first : part.last]
            for layer in part.layers:
                own = layer.names_after(own)
            found += own if own == before else (f"{k}.{name}" for name in own)
        return tuple(found)

    def multiplier(self, name: str) -> float:
        """The layer's own."""
        part, depth, own = name.split(".", 2)
        layer: Layer = self.parts[int(part) - 1].layers[int(depth) - 1]
        return layer.multiplier(own)

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. C1, after each part's own equations."""
        ends, kept = [], []
        for k, part in enumerate(self.parts, 1):
            A, caches = A_prev[part.first : part.last], []
            for d, layer in enumerate(part.layers, 1):
                caches.append(layer.forward(own_parameters(parameters, k, d), A, batch))
                A = caches[-1].A
            ends.append(A)
            kept.append(tuple(caches))
        return self.activated(A_prev, stacked(ends), tuple(kept))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Each layer's own, from its part of δ."""
        found = {}
        for k, (deltas, _) in enumerate(self._back(parameters, delta, cache), 1):
            for d, (layer, own) in enumerate(zip(self.parts[k - 1].layers, deltas, strict=True), 1):
                gradients = layer.gradients(
                    own_parameters(parameters, k, d), own, cache.kept[k - 1][d - 1], m
                )
                found.update({f"{k}.{d}.{name}": dW for name, dW in gradients.items()})
        return found

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. C2."""
        back = self._back(parameters, delta, cache)
        firsts = (part.first for part in self.parts)
        parts = [(first, dA) for first, (_, dA) in zip(firsts, back, strict=True)]
        return stacked_dA_prev(parts, len(cache.A_prev))

    def averaged(self, parameters: LayerParameters, cache: Cache) -> dict[str, Array]:
        """Each layer's own."""
        return {
            f"{k}.{d}.{name}": values
            for k, part in enumerate(self.parts, 1)
            for d, layer in enumerate(part.layers, 1)
            for name, values in layer.averaged(
                own_parameters(parameters, k, d), cache.kept[k - 1][d - 1]
            ).items()
        }

    def _layers(self) -> Iterator[tuple[str, Layer, int]]:
        """Every layer with its prefix and how many units come before it."""
        for k, part in enumerate(self.parts, 1):
            for d, (layer, before) in enumerate(zip(part.layers, _sizes(part), strict=False), 1):
                yield f"{k}.{d}.", layer, before

    def _back(
        self, parameters: LayerParameters, delta: Array, cache: Cache
    ) -> Iterator[tuple[list[Array], Array]]:
        """Of each part every layer's δ, and what the part sends back: Eq. 11 down its chain."""
        at = 0
        for k, part in enumerate(self.parts, 1):
            n = _sizes(part)[-1]
            dA, deltas = delta[at : at + n], []
            for d in range(len(part.layers), 0, -1):
                layer, own = part.layers[d - 1], cache.kept[k - 1][d - 1]
                deltas.append(layer.delta(dA, own))
                dA = layer.dA_prev(own_parameters(parameters, k, d), deltas[-1], own)
            yield deltas[::-1], dA
            at += n


def _part(given: Any) -> Part:
    try:
        first, last, layers = given
        layers = tuple(layers)
    except (TypeError, ValueError):
        raise TypeMismatchError(
            f"Parallel: expected parts such as (0, 3, [Periodic(16)]), got {given!r}."
        ) from None
    checked_number("Parallel", "first", first, low=0, whole=True)
    checked_number("Parallel", "last", last, low=first + 1, whole=True)
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeMismatchError(
                f"Parallel: expected layers such as Periodic(16) in a part, got {layer!r}."
            )
        if layer.dropout > 0:
            raise SettingError(
                f"Parallel: {type(layer).__name__} within a part has dropout={layer.dropout:g}; "
                "expected none there. Give it to the whole: Parallel(…, dropout=…)."
            )
    return Part(int(first), int(last), layers)


def _sizes(part: Part) -> list[int]:
    """Units before each layer of a part, and after the last."""
    sizes = [part.last - part.first]
    for layer in part.layers:
        sizes.append(layer.units_after(sizes[-1]))
    return sizes


def own_parameters(parameters: LayerParameters, part: int, depth: int) -> LayerParameters:
    """Those of one layer of a part, both counted from 1, by their names within it."""
    prefix = f"{part}.{depth}."
    return {n.removeprefix(prefix): W for n, W in parameters.items() if n.startswith(prefix)}
