"""The order of the rows of each epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deltarule.arrays import Array
from deltarule.rng import generator
from deltarule.training.checkpoints.identity import digest_of_array
from deltarule.training.run import Run


class Orders:
    """Of an epoch, from 1, to the order of its rows.

    Parameters
    ----------
    run : Run
    rows : int
    recorded : function, optional
        Called with the digest of each epoch's custom order; without it no digests are taken.

    Attributes
    ----------
    digests : list of str
        Of custom orders, epoch by epoch.
    """

    def __init__(self, run: Run, rows: int, recorded: Callable[[str], None] | None = None) -> None:
        self.digests: list[str] = []
        self._shuffle, self._seed, self._rows = run.shuffle, run.plan.seed, rows
        self._in_order = not run.shuffle or run.batch_rows(rows) == rows
        self._recorded = recorded

    def __call__(self, epoch: int) -> Array:
        """The order of an epoch's rows."""
        if self._in_order:
            return np.arange(self._rows)
        if not callable(self._shuffle):
            return generator(self._seed, "order", epoch).permutation(self._rows)
        order = np.asarray(self._shuffle(epoch))
        if self._recorded is not None:
            self.digests[epoch - 1 :] = [digest_of_array(order)]
            self._recorded(self.digests[-1])
        return order
