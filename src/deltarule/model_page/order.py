"""Which columns the form of a page shows first, where there are too many to show at once."""

from __future__ import annotations

import numpy as np

from deltarule.arrays import Array
from deltarule.modelfile import Model
from deltarule.network import Network, feed_forward
from deltarule.preprocessing.columns import Column
from deltarule.preprocessing.embedded_columns import EmbeddedCategory
from deltarule.tabular.references import Reference

FEW = 20
"""Columns that a form shows without an order."""

_CODES = 64  # codes of an embedded column that are tried, the most frequent


def form_order(model: Model, network: Network, start: Reference) -> list[int]:
    """The columns' numbers, those that change the outputs most first; empty for few columns.

    Each encoded value of the reference row is changed alone, by 1 either way; of embedded columns
    to other codes. A column's rank is the largest change of an output.

    Parameters
    ----------
    model : Model
        Of a table.
    network : Network
        What computes the outputs, with the model's parameters.
    start : Reference
        The row that is changed.
    """
    preprocessing = model.preprocessing
    assert preprocessing is not None
    used = preprocessing.used
    if len(used) <= FEW:
        return []
    base = np.asarray(start.encoded, dtype=np.float64)
    origin = _outputs(network, model, base[np.newaxis])
    largest, first = [], 0
    for column in used:
        changed = _changed(column, base, first)
        first += len(column.outputs)
        largest.append(float(abs(_outputs(network, model, changed) - origin).max()))
    return [int(place) for place in np.argsort(-np.array(largest), kind="stable")]


def _changed(column: Column, base: Array, first: int) -> Array:
    """The reference row, changed in one encoded value of a column each time."""
    if isinstance(column, EmbeddedCategory):
        rows = np.repeat(base[np.newaxis], min(column.size, _CODES), axis=0)
        rows[:, first] = np.arange(len(rows))
        return rows
    width = len(column.outputs)
    rows = np.repeat(base[np.newaxis], 2 * width, axis=0)
    places = np.arange(width)
    rows[places, first + places] += 1
    rows[width + places, first + places] -= 1
    return rows


def _outputs(network: Network, model: Model, X: Array) -> Array:
    return feed_forward(network, model.parameters, X.T.astype(model.dtype))[-1].A
