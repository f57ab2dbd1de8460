"""How columns of numbers enter the network: as they are, cut into bins, or as periodic features.

Bins (piecewise linear encoding) and periodic features: Gorishniy, Rubachev and Babenko, *On
embeddings for numerical features in tabular deep learning*, 2022. Bins show a network steps and
peaks of a column, periodic features its smooth detail; networks of both kinds err differently.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from deltarule.arrays import Array
from deltarule.layers import Dense, Grouped, Layer, Parallel, Periodic, PiecewiseLinear
from deltarule.tabular.bins import Edges

EMBEDDED_FROM = 10_000
"""Rows from which on a column's bins have a layer to themselves: fewer do not suffice."""

_EMBEDDED = 16  # units that the bins of a column become, where they are more
_FREQUENCIES = 16  # of a column
_FEATURES = 8  # units that they become,
_MOST_FEATURES = 512  # of all columns together
_FEWEST_FEATURES = 2


class Columns(NamedTuple):
    """What an embedding needs to know of the prepared columns.

    Attributes
    ----------
    width : int
        How many they are.
    fine : tuple of bool
        Which of them have many values.
    edges : sequence of sequences of float, or None
        Where each is cut, by :func:`~deltarule.tabular.bins.edges`; the oblique ones behind the
        others.
    oblique : array or None, shape (k, width)
        Weights of oblique columns, by :mod:`deltarule.tabular.slants`.
    """

    width: int
    fine: tuple[bool, ...] = ()
    edges: Edges | None = None
    oblique: Array | None = None


def none(columns: Columns, rows: int) -> list[Layer]:
    """No layer: columns as they are."""
    return []


def bins(columns: Columns, rows: int) -> list[Layer]:
    """Every column in its bins; of many rows, those of a finely cut one through its own units.

    Beside the columns, oblique ones whose weights do not learn: their bins are cut already.
    """
    if columns.edges is None:
        return []
    cut = PiecewiseLinear(columns.edges)
    layers: list[Layer] = [cut] if columns.oblique is None else [_oblique(columns), cut]
    embedded = _embedded(columns.edges) if rows >= EMBEDDED_FROM else []
    return [*layers, *embedded]


def periodic(columns: Columns, rows: int) -> list[Layer]:
    """All columns as they are, beside units made of periodic features of those with many values.

    Examples
    --------
    >>> [layer] = periodic(Columns(3, fine=(True, False, True)), 100)
    >>> layer.units_after(3)
    19
    """
    features = min(_FEATURES, _MOST_FEATURES // max(sum(columns.fine), 1))
    if not any(columns.fine) or features < _FEWEST_FEATURES:
        return []
    own: list[Layer] = [
        Periodic(_FREQUENCIES),
        Grouped(features, size=_FREQUENCIES, activation="gelu"),
    ]
    parts: list[tuple[int, int, list[Layer]]] = [(0, columns.width, [])]
    for is_fine, run in groupby(range(columns.width), columns.fine.__getitem__):
        if is_fine:
            places = list(run)
            parts.append((places[0], places[-1] + 1, own))
    return [Parallel(parts)]


EMBEDDINGS: dict[str, Callable[[Columns, int], list[Layer]]] = {
    "none": none,
    "bins": bins,
    "periodic": periodic,
}
"""The embeddings by name: from columns and the number of training rows to layers."""


def _oblique(columns: Columns) -> Layer:
    assert columns.oblique is not None
    across = Dense(len(columns.oblique), weights=columns.oblique, rate=0.0)
    return Parallel([(0, columns.width, []), (0, columns.width, [across])])


def _embedded(edges: Edges) -> list[Layer]:
    """The bins of finely cut columns through per-feature layers, the others unchanged."""
    parts: list[tuple[int, int, list[Layer]]] = []
    first = 0
    for column in edges:
        last = first + len(column) - 1
        if last - first > _EMBEDDED:
            parts.append((first, last, [Dense(_EMBEDDED, "relu")]))
        elif parts and not parts[-1][2]:
            parts[-1] = (parts[-1][0], last, [])  # with the columns before it, as they are
        else:
            parts.append((first, last, []))
        first = last
    return [Parallel(parts)] if any(layers for *_, layers in parts) else []
