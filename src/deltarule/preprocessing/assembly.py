"""What columns became, put side by side: the one array that a network reads.

A large table's array is most of the memory that preprocessing needs and writing it most of the
time. So a column hands over what it has, and numbers are scaled where they are written: some rows
at a time, which stay in the processor's cache until all their columns are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array

FARTHEST = 1e6
"""How many standard deviations a value may lie from the mean; those beyond are moved there."""

_BLOCK = 1 << 19  # cells


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
    full = [
        one.codes is not None and not (one.codes >= w).any()
        for one, w in zip(made, widths, strict=True)
    ]
    step = max(1, _BLOCK // max(1, out.shape[1]))
    for first in range(0, m, step):
        rows = slice(first, first + step)
        block = out[rows]
        for one, at, width, is_full in zip(made, starts, widths, full, strict=False):
            _write_values(block, one, rows, at)
            if one.codes is not None:
                _write_ones(block, one.codes[rows], at, width, is_full)
    return out


def _write_values(block: Array, made: Made, rows: slice, at: int) -> None:
    for i, column in enumerate(made.values):
        values = np.asarray(column[rows])  # a series in pieces is never copied whole
        if i == 0 and (made.mean, made.std) != (0.0, 1.0):
            with np.errstate(over="ignore"):
                values = (values - made.mean) / made.std
            values = np.clip(values, -FARTHEST, FARTHEST, out=values)
        block[:, at + i] = values


def _write_ones(block: Array, codes: Array, at: int, width: int, is_full: bool) -> None:
    cells = np.arange(len(block)) * block.shape[1] + at + codes
    block.reshape(-1)[cells if is_full else cells[codes < width]] = 1
