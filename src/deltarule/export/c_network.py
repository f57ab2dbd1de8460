"""A network's two passes as C: where every value lies, and for each kind its calls both ways.

Parameters lie in one array, `P`, each at a named place; their derivatives lie in `D` at
the same places. Without training, two buffers a level take turns; with it, every value is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array
from deltarule.errors import SettingError
from deltarule.export.rows import SOFTMAX, activation, layer_writer
from deltarule.expressions import entry
from deltarule.expressions.c import Functions, number
from deltarule.layers import Layer


@dataclass(frozen=True)
class Spot:
    """A layer where it stands.

    Attributes
    ----------
    layer : Layer
    path : str
        What its parameters' names end in: ``"_2"``, within a parallel layer ``"_2_1_3"``.
    n_prev, n : int
    x, z, a : str
        Where A_prev, Z and A lie.
    parts : tuple of tuple of Spot
        Of a parallel layer.
    """

    layer: Any
    path: str
    n_prev: int
    n: int
    x: str
    z: str
    a: str
    parts: tuple[tuple[Spot, ...], ...] = ()


@dataclass
class Passes:
    """Both passes while they are written.

    Attributes
    ----------
    dtype : numpy.dtype
    training : bool
        Whether every value is kept for a pass back.
    functions : Functions
        Of the activations and the cost.
    buffers : dict of str to int
        The static buffers that the passes need, and how long each is.
    starts : dict of str to array
        What a buffer begins with, where that is not zeros.
    constants : dict of str to array
        Arrays beside the parameters.
    """

    dtype: np.dtype[Any]
    training: bool
    functions: Functions
    buffers: dict[str, int] = field(default_factory=dict)
    starts: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def chain(
        self, layers: Sequence[Layer], n: int, x: str, end: str = "", path: str = "", level: int = 0
    ) -> tuple[Spot, ...]:
        """The layers of a chain and where their values lie; the last A at `end`, where given."""
        spots: list[Spot] = []
        for l, layer in enumerate(layers, 1):
            own, after, last = f"{path}_{l}", layer.units_after(n), end if l == len(layers) else ""
            if not self.training:
                z = a = last or self.buffer(f"{'ab'[l % 2]}{level}", after)
            elif self._is_identity(layer.g):
                z = a = last or self.buffer(f"Z{own}", after)
            else:
                z, a = self.buffer(f"Z{own}", after), last or self.buffer(f"A{own}", after)
            parts, offset = [], 0
            for k, part in enumerate(getattr(layer, "parts", ()), 1):
                width = part.last - part.first
                inner = self.chain(
                    part.layers,
                    width,
                    moved(x, part.first),
                    moved(z, offset),
                    f"{own}_{k}",
                    level + 1,
                )
                parts.append(inner)
                offset += inner[-1].n if inner else width
            spots.append(Spot(layer, own, n, after, x, z, a, tuple(parts)))
            x, n = a, after
        return tuple(spots)

    def forward(self, spots: Sequence[Spot]) -> list[str]:
        """Statements that make every Z and A of a chain."""
        return [
            line
            for spot in spots
            for line in (*layer_writer(FORWARD, spot.layer)(self, spot), *self._activated(spot))
        ]

    def back(
        self, spots: Sequence[Spot], d: str, dx: str, level: int = 0, fused: bool = False
    ) -> list[str]:
        """Statements that add every derivative of a chain to `D` and write dA_prev at `dx`.

        At `d` lies dA of the last layer, or where `fused` its δ.

        Raises
        ------
        SettingError
            For a kind of layer without a pass back in C, by its name.
        """
        lines: list[str] = []
        for l in range(len(spots), 0, -1):
            spot = spots[l - 1]
            if not (fused and l == len(spots)):
                lines += self._delta(spot, d)
            if spot.layer.kind not in BACK:
                raise SettingError(
                    f"export: layer {spot.path[1:].replace('_', '.')} is of kind "
                    f"{spot.layer.kind!r}, whose training needs all examples of a batch at once; "
                    f"expected one of {', '.join(BACK)}. Export without training."
                )
            before = dx if l == 1 else self.buffer(f"{'cd'[l % 2]}{level}", spot.n_prev)
            lines += BACK[spot.layer.kind](self, spot, d, before)
            d = before
        return lines

    def parallel_back(self, spot: Spot, d: str, dx: str) -> list[str]:
        """Each part's own pass back, and the sum of what the parts send (Eq. C2)."""
        lines = [] if dx == "0" else [each(spot.n_prev, f"{dx}[i] = 0;")]
        level, offset = spot.path.count("_"), 0
        for part, inner in zip(spot.layer.parts, spot.parts, strict=True):
            width, own = part.last - part.first, moved(d, offset)
            sent = "0" if dx == "0" else self.buffer(f"e{level}", width)
            lines += self.back(inner, own, sent, level)
            if dx != "0":
                source = sent if inner else own
                lines.append(each(width, f"({moved(dx, part.first)})[i] += ({source})[i];"))
            offset += inner[-1].n if inner else width
        return lines

    def buffer(self, name: str, n: int) -> str:
        """A static buffer of at least this many numbers."""
        self.buffers[name] = max(n, self.buffers.get(name, 0))
        return name

    def constant(self, name: str, values: Array) -> str:
        """A static array of constants."""
        self.constants[name] = values
        return name

    def number(self, value: float) -> str:
        """A constant of the network's type."""
        return number(value, self.dtype)

    def unit(self, g: Activation, z: str, prime: bool = False) -> str:
        """G or g' of one unit."""
        hint = f"g {g.name} prime" if prime else f"g {g.name}"
        return self.functions.call(hint, activation(g, self.dtype)[prime], {"z": z})

    def _is_identity(self, g: Activation) -> bool:
        """Whether A is Z."""
        return g is not SOFTMAX and activation(g, self.dtype)[0] is entry("z")

    def _activated(self, spot: Spot) -> list[str]:
        g = spot.layer.g
        if g is SOFTMAX:
            return [f"softmax({spot.z}, {spot.a}, {spot.n});"]
        if self._is_identity(g):
            return []
        return [each(spot.n, f"({spot.a})[i] = {self.unit(g, f'({spot.z})[i]')};")]

    def _delta(self, spot: Spot, d: str) -> list[str]:
        """Eq. 11a, in place."""
        g = spot.layer.g
        if g is SOFTMAX:
            return [f"softmax_delta({spot.a}, {d}, {spot.n});"]
        prime = self.unit(g, f"({spot.z})[i]", prime=True)
        return [] if prime == self.number(1.0) else [each(spot.n, f"({d})[i] *= {prime};")]


def each(n: int, statement: str) -> str:
    """A loop over units."""
    return f"for (int i = 0; i < {n}; i++) {statement}"


def moved(place: str, offset: int) -> str:
    """A place further on.

    Examples
    --------
    >>> moved("x", 0), moved("x", 2), moved("x + 2", 3)
    ('x', 'x + 2', 'x + 5')
    """
    base, _, before = place.partition(" + ")
    total = int(before or 0) + offset
    return f"{base} + {total}" if total else base


# ------------------------------------------------------- kinds of layers: forward, then back


def _dense(c: Passes, s: Spot) -> list[str]:
    return [f"dense(P + W{s.path}, P + b{s.path}, {s.x}, {s.z}, {s.n}, {s.n_prev});"]


def _dense_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    places = f"P + W{s.path}, {s.x}, {d}, D + W{s.path}, D + b{s.path}, {dx}"
    return [f"dense_back({places}, {s.n}, {s.n_prev});"]


def _grouped(c: Passes, s: Spot) -> list[str]:
    units, size = s.layer.units, s.layer.size
    places = f"P + W{s.path} + i * {units * size}, P + b{s.path} + i * {units}"
    values = f"{s.x} + i * {size}, {s.z} + i * {units}"
    return [each(s.n_prev // size, f"dense({places}, {values}, {units}, {size});")]


def _grouped_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    units, size = s.layer.units, s.layer.size
    own = f"W{s.path} + i * {units * size}"
    values = f"{s.x} + i * {size}, {d} + i * {units}"
    sent = dx if dx == "0" else f"{dx} + i * {size}"
    places = f"P + {own}, {values}, D + {own}, D + b{s.path} + i * {units}, {sent}"
    return [each(s.n_prev // size, f"dense_back({places}, {units}, {size});")]


def _shared(c: Passes, s: Spot) -> list[str]:
    units, size = s.layer.units, s.n_prev // s.layer.members
    places = f"P + W{s.path}, P + b{s.path} + i * {units}"
    values = f"{s.x} + i * {size}, {s.z} + i * {units}"
    return [each(s.layer.members, f"dense({places}, {values}, {units}, {size});")]


def _shared_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    units, size = s.layer.units, s.n_prev // s.layer.members
    values = f"{s.x} + i * {size}, {d} + i * {units}"
    sent = dx if dx == "0" else f"{dx} + i * {size}"
    places = f"P + W{s.path}, {values}, D + W{s.path}, D + b{s.path} + i * {units}, {sent}"
    return [each(s.layer.members, f"dense_back({places}, {units}, {size});")]


def _layer_norm(c: Passes, s: Spot) -> list[str]:
    places = f"P + gain{s.path}, P + shift{s.path}, {s.x}, {s.z}"
    return [f"layer_norm({places}, {s.n}, {c.number(s.layer.epsilon)});"]


def _layer_norm_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    places = f"P + gain{s.path}, {s.x}, {d}, D + gain{s.path}, D + shift{s.path}, {dx}"
    return [f"layer_norm_back({places}, {s.n}, {c.number(s.layer.epsilon)});"]


def _batch_norm(c: Passes, s: Spot) -> list[str]:
    names = ", ".join(f"P + {name}{s.path}" for name in ("gain", "shift", "mean", "variance"))
    return [f"batch_norm({names}, {s.x}, {s.z}, {s.n}, {c.number(s.layer.epsilon)});"]


def _scale(c: Passes, s: Spot) -> list[str]:
    return [f"scaled(P + scale{s.path}, {s.x}, {s.z}, {s.n});"]


def _scale_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    places = f"P + scale{s.path}, {s.x}, {d}, D + scale{s.path}, {dx}"
    return [f"scaled_back({places}, {s.n});"]


def _parametric(c: Passes, s: Spot) -> list[str]:
    x = f"({s.x})[i]"
    bend = f"P[alpha{s.path} + i] * ({c.unit(s.layer.h, x)} - {x})"
    return [each(s.n, f"({s.z})[i] = {x} + {bend};")]


def _parametric_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    x, alpha, h = f"({s.x})[i]", f"alpha{s.path} + i", s.layer.h
    lines = [each(s.n, f"D[{alpha}] += ({d})[i] * ({c.unit(h, x)} - {x});")]
    if dx != "0":
        slope = f"1 - P[{alpha}] + P[{alpha}] * {c.unit(h, x, prime=True)}"
        lines.append(each(s.n, f"({dx})[i] = ({d})[i] * ({slope});"))
    return lines


def _periodic(c: Passes, s: Spot) -> list[str]:
    places = f"P + frequency{s.path}, P + phase{s.path}, {s.x}, {s.z}"
    return [f"angle({places}, {s.n}, {s.layer.frequencies});"]


def _periodic_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    own = f"D + frequency{s.path}, D + phase{s.path}"
    places = f"P + frequency{s.path}, {s.x}, {d}, {own}, {dx}"
    return [f"angle_back({places}, {s.n}, {s.layer.frequencies});"]


def _bins(c: Passes, s: Spot) -> str:
    bins = s.layer.bins(c.dtype)
    names = (
        c.constant(f"{name}{s.path}", np.ravel(getattr(bins, name)))
        for name in ("column", "start", "width", "low", "high")
    )
    return ", ".join(names)


def _piecewise_linear(c: Passes, s: Spot) -> list[str]:
    return [f"filled({_bins(c, s)}, {s.x}, {s.z}, {s.n});"]


def _piecewise_linear_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    return [f"filled_back({_bins(c, s)}, {s.x}, {d}, {dx}, {s.n}, {s.n_prev});"]


def _embedding(c: Passes, s: Spot) -> list[str]:
    levels = c.constant(f"levels{s.path}", np.array(s.layer.levels))
    sizes = f"{s.n_prev}, {s.layer.width}, {sum(s.layer.levels)}"
    return [f"looked_up(P + E{s.path}, {levels}, {s.x}, {s.z}, {sizes});"]


def _embedding_back(c: Passes, s: Spot, d: str, dx: str) -> list[str]:
    sizes = f"{s.n_prev}, {s.layer.width}, {sum(s.layer.levels)}"
    return [f"looked_up_back(levels{s.path}, {s.x}, {d}, D + E{s.path}, {dx}, {sizes});"]


def _parallel(c: Passes, s: Spot) -> list[str]:
    lines, offset = [], 0
    for part, inner in zip(s.layer.parts, s.parts, strict=True):
        width = part.last - part.first
        source, goal = moved(s.x, part.first), moved(s.z, offset)
        lines += c.forward(inner) or [each(width, f"({goal})[i] = ({source})[i];")]
        offset += inner[-1].n if inner else width
    return lines


FORWARD: dict[str, Callable[[Passes, Spot], list[str]]] = {
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
"""By kind, the statements that make Z."""

BACK: dict[str, Callable[[Passes, Spot, str, str], list[str]]] = {
    "dense": _dense_back,
    "layer_norm": _layer_norm_back,
    "scale": _scale_back,
    "parametric": _parametric_back,
    "periodic": _periodic_back,
    "piecewise_linear": _piecewise_linear_back,
    "embedding": _embedding_back,
    "grouped": _grouped_back,
    "shared": _shared_back,
    "parallel": Passes.parallel_back,
}
"""By kind, the statements of its pass back, from δ."""
