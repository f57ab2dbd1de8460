"""What columns became, put side by side: the one array that a network reads.

A large table's array is most of the memory that preprocessing needs and writing it most of the
time. So a column hands over what it has, and numbers are scaled where they are written: some rows
at a time, which stay in the processor's cache until all their columns are there, by several
threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data.parallel import at_once

FARTHEST = 1e6
"""How many standard deviations a value may lie from the mean; those beyond are moved there."""

_BLOCK = 1 << 20  # cells
_AS_IT_IS = (0.0, 1.0)  # mean and standard deviation


class Made(NamedTuple):
    """What a column became.

    Attributes
    ----------
    values : sequence of arrays or polars.Series, shape (m,)
        One an output; or none, and then
    codes : int array, shape (m,)
        the number of the one output that is 1 in each row; none is, where there is no such output.
    mean, std : float
        Of the first of the values, which is yet to be standardised.
    """

    values: Sequence[Any] = ()
    codes: Array | None = None
    mean: float = 0.0
    std: float = 1.0


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
    >>> town = Made(codes=np.array([1, 0, 2]))
    >>> assembled([Made([np.array([3.0, 5.0, 7.0])], mean=5.0, std=2.0), town], [1, 2], 3)
    array([[-1.,  0.,  1.],
           [ 0.,  1.,  0.],
           [ 1.,  0.,  0.]], dtype=float32)
    """
    out = np.zeros((m, sum(widths)), dtype=np.float32)
    starts = np.cumsum([0, *widths])
    values = [
        (at + i, column, (one.mean, one.std) if i == 0 else _AS_IT_IS)
        for one, at in zip(made, starts, strict=False)
        for i, column in enumerate(one.values)
    ]
    ones = [
        (at, one.codes, width, not (one.codes >= width).any())
        for one, at, width in zip(made, starts, widths, strict=False)
        if one.codes is not None
    ]
    step = max(1, _BLOCK // max(1, out.shape[1]))

    def write(first: int) -> None:
        rows = slice(first, min(first + step, m))
        _write_values(out[rows], rows, values)
        for at, codes, width, is_full in ones:
            _write_ones(out[rows], codes[rows], at, width, is_full)

    at_once(write, range(0, m, step), cells=out.size)
    return out


def _write_values(
    block: Array, rows: slice, values: Sequence[tuple[int, Any, tuple[float, float]]]
) -> None:
    """Make the block's columns one below the other, then write neighbours a row at a time."""
    made = np.empty((len(values), len(block)), dtype=np.float32)
    wide = np.empty(len(block))
    for row, (_, column, scale) in zip(made, values, strict=True):
        cells = column[rows]
        if not isinstance(cells, np.ndarray):  # a series in pieces is never copied whole
            cells = cells.to_numpy()
        if scale == _AS_IT_IS:
            row[:] = cells
            continue
        with np.errstate(over="ignore"):
            np.subtract(cells, scale[0], out=wide)
            np.divide(wide, scale[1], out=wide)
        np.clip(wide, -FARTHEST, FARTHEST, out=row, casting="same_kind")
    places = np.array([at for at, *_ in values], dtype=np.int64)
    ends = np.flatnonzero(np.diff(places, append=-1) != 1) + 1
    for begin, end in zip([0, *ends], ends, strict=False):
        at = places[begin]
        block[:, at : at + end - begin] = made[begin:end].T


def _write_ones(block: Array, codes: Array, at: int, width: int, is_full: bool) -> None:
    cells = np.arange(at, block.size + at, block.shape[1]) + codes
    block.reshape(-1)[cells if is_full else cells[codes < width]] = 1
