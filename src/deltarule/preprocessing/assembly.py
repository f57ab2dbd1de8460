"""What columns became, put side by side: the one array that a network reads.

A large table's array is most of the memory that preprocessing needs and writing it most of the
time. So a column hands over what it has, in the few bytes that it takes, and becomes numbers where
they are written: some rows at a time, which stay in the processor's cache until all their columns
are there, by several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data.parallel import at_once

FARTHEST = 1e6
"""How many standard deviations a value may lie from the mean; those beyond are moved there."""

_BLOCK = 1 << 20  # cells


class Scaled(NamedTuple):
    """Numbers that are yet to be filled and standardized.

    Attributes
    ----------
    numbers : polars.Series, shape (m,)
        Of any type; missing ones are null.
    fill, mean, std : float
    flagged : bool
        Whether a second output says which are missing.
    knots : tuple of (float, float)
        Values and what becomes of them, straight lines between: instead of standardizing.
    """

    numbers: Any
    fill: float
    mean: float
    std: float
    flagged: bool
    knots: tuple[tuple[float, float], ...] = ()


class Rows(NamedTuple):
    """Rows of a table.

    Attributes
    ----------
    table : float32 array, shape (k, outputs)
    codes : int array, shape (m,), or None
        Which of them each row is; None where each is its own.
    """

    table: Array
    codes: Array | None


class Ones(NamedTuple):
    """One output is 1, all others are 0.

    Attributes
    ----------
    codes : int array, shape (m,)
        Of each row.
    outputs : int array, shape (k,)
        The number of the output of each code; none is 1, where there is no such output.
    """

    codes: Array
    outputs: Array


class Entries(NamedTuple):
    """A few outputs of each row are not 0: rows of a sparse table.

    Attributes
    ----------
    codes : int array, shape (m,)
        Which row of the sparse table each row is.
    starts : int array, shape (k + 1,)
        Where each of its rows begins among the entries, and where the last one ends.
    outputs : int array
        The output of each entry.
    values : float32 array
    """

    codes: Array
    starts: Array
    outputs: Array
    values: Array


Made = Scaled | Rows | Ones | Entries
"""What a column became."""


def assembled(made: Sequence[Made], widths: Sequence[int], m: int) -> Array:
    """All columns side by side, float32 ``(m, sum(widths))``.

    Parameters
    ----------
    made : sequence of Made
    widths : sequence of int
        How many outputs each has.
    m : int
        The number of rows.

    Examples
    --------
    >>> import polars as pl
    >>> area = Scaled(pl.Series([3.0, None, 7.0]), fill=5.0, mean=5.0, std=2.0, flagged=True)
    >>> town = Ones(codes=np.array([1, 0, 2]), outputs=np.array([0, 1, 2]))
    >>> assembled([area, town], [2, 2], 3)
    array([[-1.,  0.,  0.,  1.],
           [ 0.,  1.,  1.,  0.],
           [ 1.,  0.,  0.,  0.]], dtype=float32)
    """
    out = np.zeros((m, sum(widths)), dtype=np.float32)
    starts = np.cumsum([0, *widths]).tolist()
    scaled = [(at, one) for at, one in zip(starts, made, strict=False) if isinstance(one, Scaled)]
    rows_of = [(at, one) for at, one in zip(starts, made, strict=False) if isinstance(one, Rows)]
    ones = [
        (at, width, one)
        for at, width, one in zip(starts, widths, made, strict=False)
        if isinstance(one, Ones)
    ]
    sparse = [(at, one) for at, one in zip(starts, made, strict=False) if isinstance(one, Entries)]
    step = max(1, _BLOCK // max(1, out.shape[1]))

    def write(first: int) -> None:
        rows = slice(first, min(first + step, m))
        block = out[rows]
        _write_scaled(block, rows, scaled)
        for at, (table, codes) in rows_of:
            found = table[rows] if codes is None else table.take(codes[rows], axis=0)
            block[:, at : at + table.shape[1]] = found
        begins = np.arange(0, block.size, max(1, block.shape[1]))
        for at, width, one in ones:
            _write_ones(block, begins, one.outputs.take(one.codes[rows]), at, width)
        for at, entries in sparse:
            _write_entries(block, begins + at, entries, rows)

    at_once(write, range(0, m, step), cells=out.size)
    return out


def _write_scaled(block: Array, rows: slice, columns: Sequence[tuple[int, Scaled]]) -> None:
    """Make the block's columns one below the other, then write neighbours a row at a time."""
    places = [at + i for at, one in columns for i in range(1 + one.flagged)]
    wide = np.empty((len(places), len(block)))
    means, stds = np.zeros((len(places), 1)), np.ones((len(places), 1))
    row = 0
    for _, one in columns:
        cells, flags = wide[row], wide[row + 1 : row + 1 + one.flagged]
        cells[:], flags[:] = _filled(one, rows)
        if one.knots:
            cells[:] = np.interp(cells, *np.transpose(one.knots))
        else:
            means[row], stds[row] = one.mean, one.std
        row += 1 + one.flagged
    made = np.empty(wide.shape, dtype=np.float32)
    with np.errstate(over="ignore"):
        np.subtract(wide, means, out=wide)
        np.divide(wide, stds, out=made, casting="same_kind")
    np.clip(made, -FARTHEST, FARTHEST, out=made)
    ends = np.flatnonzero(np.diff(places, append=-1) != 1) + 1
    for begin, end in pairwise([0, *ends.tolist()]):
        at = places[begin]
        block[:, at : at + end - begin] = made[begin:end].T


def _filled(one: Scaled, rows: slice) -> tuple[Array, Array | bool]:
    """Some rows' numbers without gaps, and where gaps were: a series is never copied whole."""
    some = one.numbers[rows]
    numbers = some.to_numpy()  # a missing one is NaN
    if not some.null_count():
        return numbers, False
    absent = np.isnan(numbers)
    return np.where(absent, one.fill, numbers.astype(np.float64)), absent


def _write_ones(block: Array, begins: Array, outputs: Array, at: int, width: int) -> None:
    inside = outputs < width
    if not inside.all():
        begins, outputs = begins[inside], outputs[inside]
    block.reshape(-1)[begins + at + outputs] = 1


def _write_entries(block: Array, begins: Array, entries: Entries, rows: slice) -> None:
    first = entries.starts.take(entries.codes[rows])
    counts = entries.starts.take(entries.codes[rows] + 1) - first
    ends = np.cumsum(counts)
    places = np.repeat(first - ends + counts, counts) + np.arange(counts.sum())
    outputs = np.repeat(begins, counts) + entries.outputs.take(places)
    block.reshape(-1)[outputs] = entries.values.take(places)
