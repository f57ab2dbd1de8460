"""What the units of layers that encode columns are called, and which input each is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

from deltarule.layers import Layer, Parallel
from deltarule.network import Network

Sources = list[int | None]
"""Of each unit the input it is made of; None of several."""


class Units(NamedTuple):
    """The units of one layer.

    Attributes
    ----------
    names : list of str
    sources : list of int or None
    """

    names: list[str]
    sources: Sources


def unit_names(network: Network, inputs: Sequence[str]) -> dict[str, Units]:
    """The units of the layers that encode columns, by the layer's place: "1", "1.2.1" within parts.

    Layers of weights mix inputs and have no such names: there the names end.

    Examples
    --------
    >>> from deltarule import Dense, Periodic, PiecewiseLinear
    >>> unit_names(Network(1, [PiecewiseLinear([[0, 12, 24]]), Dense(1)]), ["tenure"])
    {'1': Units(names=['tenure 0…12', 'tenure 12…24'], sources=[0, 0])}
    >>> unit_names(Network(1, [Periodic(2), Dense(1)]), ["tenure"])["1"].names
    ['tenure periodic 1', 'tenure periodic 2']
    """
    found: dict[str, Units] = {}
    start = Units(list(inputs), list(range(len(inputs))))
    _named(network.layers, start, "", tuple(inputs), found)
    return found


def _named(
    layers: Sequence[Layer],
    units: Units,
    prefix: str,
    inputs: tuple[str, ...],
    found: dict[str, Units],
) -> Units | None:
    """The units after a chain, those of every layer put down; None once they have no name."""
    for l, layer in enumerate(layers, 1):
        after = (
            _named_parts(layer, units, f"{prefix}{l}.", inputs, found)
            if isinstance(layer, Parallel)
            else _after(layer, units, inputs)
        )
        if after is None:
            return None
        units = found[f"{prefix}{l}"] = after
    return units


def _named_parts(
    layer: Parallel, units: Units, prefix: str, inputs: tuple[str, ...], found: dict[str, Units]
) -> Units | None:
    ends = []
    for k, part in enumerate(layer.parts, 1):
        rows = slice(part.first, part.last)
        own = Units(units.names[rows], units.sources[rows])
        found[f"{prefix}{k}.0"] = own
        ends.append(_named(part.layers, own, f"{prefix}{k}.", inputs, found))
    named = [end for end in ends if end is not None]
    if len(named) < len(ends):
        return None
    return Units(list(chain(*(e.names for e in named))), list(chain(*(e.sources for e in named))))


def _after(layer: Layer, units: Units, inputs: tuple[str, ...]) -> Units | None:
    of = _SOURCES.get(layer.kind)
    if of is None:
        return None
    n = layer.units_after(len(units.names))
    sources, names = of(layer, units.sources, n), layer.names_after(tuple(units.names))
    if n == len(units.names) or layer.kind == "piecewise_linear":
        return Units(list(names), sources)
    seen: Counter[int | None] = Counter()
    own = []
    for source, name in zip(sources, names, strict=True):
        seen[source] += 1
        own.append(name if source is None else f"{inputs[source]} {layer.kind} {seen[source]}")
    return Units(own, sources)


def _alike(sources: Sources, n: int) -> Sources:
    """Each as often as the others, n in all."""
    return [source for source in sources for _ in range(n // len(sources))]


def _of_groups(layer: Any, sources: Sources, n: int) -> Sources:
    groups = [sources[k : k + layer.size] for k in range(0, len(sources), layer.size)]
    return _alike([own[0] if len(set(own)) == 1 else None for own in groups], n)


def _of_bins(layer: Any, sources: Sources, n: int) -> Sources:
    counts = (len(edges) - 1 for edges in layer.edges)
    return list(chain(*map(repeat, sources, counts)))


_SOURCES: dict[str, Callable[[Any, Sources, int], Sources]] = {
    "scale": lambda _, sources, n: sources,
    "parametric": lambda _, sources, n: sources,
    "batch_norm": lambda _, sources, n: sources,
    "periodic": lambda _, sources, n: _alike(sources, n),
    "embedding": lambda _, sources, n: _alike(sources, n),
    "grouped": _of_groups,
    "piecewise_linear": _of_bins,
}
"""The kinds of layers whose units are each made of one input, where those before are."""
