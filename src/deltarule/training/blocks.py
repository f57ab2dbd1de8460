"""Examples that are read a block at a time: what a run asks of them, and the order it takes.

Rows that lie together in a file are often alike. So an epoch visits the blocks in a random order,
some at a time, and mixes the rows of those: more than a block, less than the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.errors import DataError
from deltarule.rng import checked_seed, generator
from deltarule.spec import Spec


@runtime_checkable
class Blocks(Protocol):
    """What :func:`deltarule.train` takes in place of X where the data does not fit in memory.

    Attributes
    ----------
    counts : sequence of int
        How many rows each block has; some may have none.
    window : int
        How many rows may lie in memory to be mixed; twice as many do, for while one window
        trains the next is read. At least as many as the largest block has.
    digest : str
        What tells this data from other data, for checkpoints.

    Examples
    --------
    Rows that a function computes, 20 at a time:

    >>> import numpy as np
    >>> import deltarule as dr
    >>> class Line:
    ...     counts, window, digest = [20, 20, 20], 20, "a line, 60 rows"
    ...     def read(self, block):
    ...         X = np.linspace(block, block + 1, 20, dtype=np.float32)[:, None]
    ...         return X, 2 * X, None
    >>> isinstance(Line(), Blocks)
    True
    >>> dr.train(dr.Network(1, [dr.Dense(1)]), Line(), epochs=2).history["epoch"].tolist()
    [1, 2]
    """

    counts: Sequence[int]
    window: int
    digest: str

    def read(self, block: int) -> tuple[Any, Any, Any]:
        """X, Y and weights (or None) of a block's rows, the same whenever it is asked for.

        Called from another thread than the training's.
        """


@dataclass(frozen=True)
class BlockOrder(Spec):
    """A new order of all rows each epoch, by blocks: what ``shuffle=True`` means for blocks.

    Every row comes once an epoch. The order is a function of the seed, the epoch, the blocks'
    sizes and the window, and of nothing else; a row is mixed with those of the blocks that are in
    its window. Passed as `shuffle`, it gives data in memory the same order.

    Parameters
    ----------
    counts : sequence of int
        How many rows each block has.
    window : int
        How many rows are mixed at once, at most.
    seed : int
        Of the order of the blocks, and of the rows in each window.

    Raises
    ------
    DataError
        For a block that has more rows than the window.

    Examples
    --------
    >>> order = BlockOrder([3, 2, 3, 2], window=5, seed=1)
    >>> order(1).tolist(), order(2).tolist()
    ([2, 9, 8, 0, 1, 7, 4, 3, 5, 6], [5, 6, 7, 8, 0, 1, 9, 2, 3, 4])
    """

    counts: Sequence[int]
    window: int
    seed: int = 0

    def __post_init__(self) -> None:
        checked_seed("BlockOrder", self.seed)
        checked_number("BlockOrder", "window", self.window, low=1, whole=True)
        for block, count in enumerate(self.counts):
            checked_number("BlockOrder", "counts", count, low=0, whole=True)
            if count > self.window:
                raise DataError(
                    f"block {block} has {count} rows and a window may have {self.window}; expected "
                    "none larger. Make blocks smaller, or allow more memory."
                )

    def windows(self, epoch: int) -> list[Array]:
        """The blocks of each window of an epoch, in order."""
        visited = generator(self.seed, "order", epoch).permutation(len(self.counts))
        return self._cut(visited)

    def rows(self, epoch: int, window: int, count: int) -> Array:
        """The order of a window's rows, counted within it."""
        return generator(self.seed, "order", epoch, window + 1).permutation(count)

    def __call__(self, epoch: int) -> Array:
        """The order of an epoch's rows, each counted from the first of all."""
        starts = np.cumsum([0, *self.counts])
        parts = [
            np.concatenate([np.arange(starts[k], starts[k + 1]) for k in blocks])
            for blocks in self.windows(epoch)
        ]
        return np.concatenate(
            [rows[self.rows(epoch, w, len(rows))] for w, rows in enumerate(parts)]
        )

    def _cut(self, visited: Array) -> list[Array]:
        windows: list[list[int]] = [[]]
        held = 0
        for block in visited.tolist():
            count = self.counts[block]
            if windows[-1] and held + count > self.window:
                windows.append([])
                held = 0
            windows[-1].append(block)
            held += count
        return [np.array(blocks) for blocks in windows]


class InOrder(BlockOrder):
    """The rows as they come: what ``shuffle=False`` means for blocks."""

    def windows(self, epoch: int) -> list[Array]:
        """The blocks of each window, in order."""
        return self._cut(np.arange(len(self.counts)))

    def rows(self, epoch: int, window: int, count: int) -> Array:
        """The order of a window's rows: as they come."""
        return np.arange(count)
