"""Many networks of one shape on the compiled engine: one network per thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.native.runner import NativeRunner, threads_wanted
from deltarule.engines.plan import EngineOptions, Plan
from deltarule.network import Parameters
from deltarule.system.threads import cores, each_in_threads


class ManyRunner:
    """Members of one plan, each with its own seed and parameters.

    Parameters
    ----------
    plan : Plan
        Its seed is not used.
    parameters : sequence of Parameters
        One a member.
    seeds : sequence of int
        One a member, of its dropout masks.
    options : EngineOptions
        ``n_threads``: how many members are trained at once.

    Attributes
    ----------
    diverged : bool array, shape (members,)
        Which members stopped at a cost that is not finite.
    """

    engine = "native"

    def __init__(
        self,
        plan: Plan,
        parameters: Sequence[Parameters],
        seeds: Sequence[int],
        options: EngineOptions,
    ) -> None:
        self.plan = plan
        one = replace(options, n_threads=1)
        self._runners = [
            NativeRunner(replace(plan, seed=seed), own, one)
            for seed, own in zip(seeds, parameters, strict=True)
        ]
        self._threads = min(threads_wanted(options) or cores(), len(self._runners))
        self.diverged = np.zeros(len(self._runners), bool)
        self._best = self.parameters()
        self._kept = np.zeros(len(self._runners), bool)

    def train(
        self, data: Any, orders: Sequence[Array], batch: int, rates: Sequence[Array], epoch: int
    ) -> np.ndarray:
        """An epoch of every member: the cost of each batch, as the JAX engine's has it."""
        costs = np.zeros((len(self._runners), max(map(len, rates))))
        own_data = len(data.X.shape) == 3

        def member(k: int) -> None:
            own = costs[k, : len(rates[k])]
            if not self.diverged[k]:
                X, Y, s = (a[k] if own_data and a is not None else a for a in data)
                found = self._runners[k].train(X, Y, orders[k], batch, rates[k], s).costs
                own[: len(found)] = found
                self.diverged[k] = not np.isfinite(found[-1])
                own = own[len(found) - 1 :]
            if self.diverged[k]:
                own[:] = np.nan

        self._each(member)
        return costs

    def placed(self, data: Any) -> Any:
        """Data stays where it is."""
        return data

    def evaluate(self, held: Sequence[Any]) -> np.ndarray:
        """The cost of every member's own examples ``(X, Y, weights)``, without penalties."""
        costs = np.empty(len(self._runners))

        def member(k: int) -> None:
            costs[k] = self._runners[k].cost(*held[k], penalised=False)

        self._each(member)
        return costs

    def keep(self, which: np.ndarray) -> None:
        """Remember the parameters of some members, ``(members,)`` of bool, as their best."""
        self._kept |= which
        for k in np.flatnonzero(which).tolist():
            self._runners[k].parameters_into(self._best, k)

    def restore(self) -> None:
        """Put every member's best back, where one was kept."""
        for k in np.flatnonzero(self._kept).tolist():
            self._runners[k].set_parameters(
                tuple({name: W[k] for name, W in layer.items()} for layer in self._best)
            )

    def predict(self, X: Array) -> Array:
        """A[L] as rows of every member, ``(members, m, n[L])``."""
        out = np.empty((len(self._runners), len(X), self.plan.network.outputs), self.plan.dtype)
        self._each(lambda k: self._runners[k].predict_into(X, out[k]))
        return out

    def parameters(self) -> Parameters:
        """Of all members, ``(members, n, n_prev)``."""
        stacked = tuple(
            {
                name: np.empty((len(self._runners), *shape), self.plan.dtype)
                for name, shape in shapes.items()
            }
            for shapes in self.plan.network.shapes
        )
        for k, runner in enumerate(self._runners):
            runner.parameters_into(stacked, k)
        return stacked

    def _each(self, use: Callable[[int], None]) -> None:
        """Call `use` for every member; a failure ends those that run after a whole step."""

        def share(first: int) -> None:
            for k in range(first, len(self._runners), self._threads):
                use(k)

        each_in_threads(share, range(self._threads), self._threads, self._stop)

    def _stop(self) -> None:
        for runner in self._runners:
            runner.stop()
