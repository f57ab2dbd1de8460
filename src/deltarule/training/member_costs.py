"""The costs of an epoch of many networks, trained at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deltarule.training.examples import Examples


class MemberCosts:
    """Every member's cost of an epoch: the mean of its batches', by the weight of each.

    Parameters
    ----------
    data : Examples
    steps : sequence of int
        Each member's, per epoch.
    batch : int
        Rows of a batch.
    """

    def __init__(self, data: Examples, steps: Sequence[int], batch: int) -> None:
        self._weights, self._batch = data.weights, batch
        counts = np.array(steps)
        self._alike = [(int(n), np.flatnonzero(counts == n)) for n in np.unique(counts)]
        self._known: dict[int, np.ndarray] = {}  # without weights every epoch's are the same

    def of(self, costs: np.ndarray, orders: Sequence[np.ndarray]) -> np.ndarray:
        """From the costs of batches, ``(members, steps)``; members with as many steps together."""
        means = np.empty(len(costs))
        for count, members in self._alike:
            share = self._known.get(count)
            if share is None:
                share = np.stack([self._shares(k, orders[k], count) for k in members.tolist()])
                if self._weights is None:
                    self._known[count] = share
            whole = share.sum(axis=1)
            total = (costs[members][:, :count] * share).sum(axis=1)
            means[members] = np.where(whole > 0, total, 0.0) / np.where(whole > 0, whole, 1.0)
        return means

    def _shares(self, k: int, order: np.ndarray, count: int) -> np.ndarray:
        """The weight of each of a member's batches."""
        starts = np.arange(count) * self._batch
        if self._weights is None:
            return np.diff(starts, append=len(order)).astype(np.float64)
        own = self._weights if self._weights.ndim == 1 else self._weights[k]
        summed: np.ndarray = np.add.reduceat(own[order].astype(np.float64), starts)
        return summed
