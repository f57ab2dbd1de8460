"""How columns enter the network: numbers as they are, in bins, as periodic features; codes learned.

Bins (piecewise linear encoding) and periodic features: Gorishniy, Rubachev and Babenko, *On
embeddings for numerical features in tabular deep learning*, 2022. Bins show a network steps and
peaks of a column, periodic features its smooth detail; networks of both kinds err differently.
Each level of a category that comes as codes has learned numbers beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from deltarule.arrays import Array
from deltarule.layers import Dense, Embedding, Grouped, Layer, Parallel, Periodic, PiecewiseLinear
from deltarule.tabular.bins import Edges

EMBEDDED_FROM = 10_000
"""Rows from which on a column's bins have a layer to themselves: fewer do not suffice."""

_EMBEDDED = 16  # units that the bins of a column become, where they are more
_FREQUENCIES = 16  # of a column
_FEATURES = 8  # units that they become,
_MOST_FEATURES = 512  # of all columns together
_FEWEST_FEATURES = 2
_LEARNED = 8  # numbers of a level,
_LEARNED_RATE = 0.3  # of which a higher rate made the best epoch come too soon


class Columns(NamedTuple):
    """What an embedding needs to know of the prepared columns that hold numbers.

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
        Weights of oblique columns, by :mod:`deltarule.tabular.oblique`.
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
    fine = [(start, end, own) for start, end, is_fine in _runs(columns.fine) if is_fine]
    return [Parallel([(0, columns.width, []), *fine])]


EMBEDDINGS: dict[str, Callable[[Columns, int], list[Layer]]] = {
    "none": none,
    "bins": bins,
    "periodic": periodic,
}
"""The embeddings by name: from columns and the number of training rows to layers."""


def beside_codes(codes: Sequence[int], numbers: Sequence[Layer]) -> list[Layer]:
    """The layers of columns of numbers, beside the embedding of those that hold codes.

    Columns of numbers are put first, then those of codes.

    Parameters
    ----------
    codes : sequence of int
        Of every prepared column, how many codes there are; 0 where it holds numbers.
    numbers : sequence of Layer
        Of those that hold numbers, by one of :data:`EMBEDDINGS`.

    Examples
    --------
    >>> layers = beside_codes([0, 40, 0], [])
    >>> [layer.kind for layer in layers], [layer.units_after(3) for layer in layers]
    (['parallel', 'parallel'], [3, 10])
    >>> beside_codes([0, 0], [])
    []
    """
    sizes = [size for size in codes if size]
    if not sizes:
        return list(numbers)
    embedding = Embedding(sizes, _LEARNED, rate=_LEARNED_RATE)
    first, width = len(codes) - len(sizes), len(codes)
    if not first:
        return [embedding]
    apart = Parallel([(0, first, numbers), (first, width, [embedding])])
    runs = sorted(_runs([size > 0 for size in codes]), key=lambda run: run[2])
    if len(runs) == 2 and not runs[0][0]:
        return [apart]
    return [Parallel([(start, end, []) for start, end, _ in runs]), apart]


def _runs(flags: Sequence[bool]) -> list[tuple[int, int, bool]]:
    """Where flags that are the same begin and end, and the flag."""
    ends = [k for k in range(1, len(flags)) if flags[k] != flags[k - 1]]
    return [(a, b, flags[a]) for a, b in pairwise([0, *ends, len(flags)])]


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
