"""What an estimator holds of its network once it is trained."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from deltarule.arrays import Array, columns, rows
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import ShapeError
from deltarule.network import Network, Parameters, feed_forward


class Fitted:
    """A trained network that answers for whatever ``coefs_`` and ``intercepts_`` hold now.

    Pickled without its runner: one is made again when it is needed.

    Parameters
    ----------
    plan : Plan
    engine : str
    options : EngineOptions or None
    parameters : Parameters
    runner : Runner, optional
        That holds them, where there is one.
    """

    def __init__(
        self,
        plan: Plan,
        engine: str,
        options: EngineOptions | None,
        parameters: Parameters,
        runner: Runner | None = None,
    ) -> None:
        self.plan, self.engine, self.options = plan, engine, options
        self.parameters = parameters
        self._runner = runner
        self._lock = threading.Lock()  # a runner takes one call at a time, an estimator any

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runner": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "_lock": threading.Lock()}

    @property
    def runner(self) -> Runner:
        """What predicts."""
        if self._runner is None:
            choice = choose(self.plan, self.engine, self.options)
            self._runner = start_plan(self.plan, choice.name, self.parameters, self.options)
        return self._runner

    def coefs(self) -> list[Array]:
        """Each layer's ``W.T``, ``(n[l-1], n[l])``, for people to read and to change."""
        return [layer["W"].copy().T for layer in self.parameters]

    def intercepts(self) -> list[Array]:
        """Each layer's b as a vector ``(n[l],)``."""
        return [layer["b"][:, 0].copy() for layer in self.parameters]

    def holds(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
        """Whether these are the parameters that it holds."""
        return len(coefs) == len(intercepts) == len(self.parameters) and all(
            np.array_equal(layer["W"].T, c) and np.array_equal(layer["b"][:, 0], b)
            for layer, c, b in zip(self.parameters, coefs, intercepts, strict=True)
        )

    def heed(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> Fitted:
        """Take over parameters that someone has put in place of those it gave out.

        Raises
        ------
        ShapeError
            Where they do not fit the network.
        """
        if not self.holds(coefs, intercepts):
            with self._lock:
                self.parameters = parameters_of(
                    coefs, intercepts, self.plan.network, self.plan.dtype
                )
                if self._runner is not None:
                    self._runner.set_parameters(self.parameters)
        return self

    def outputs(self, X: Array) -> Array:
        """A[L] as rows."""
        with self._lock:
            return self.runner.predict(X)

    def layers(self, X: Array) -> list[tuple[Array, Array]]:
        """Z[l] and A[l] of every layer as rows."""
        caches = feed_forward(self.plan.network, self.parameters, columns(X))
        return [(rows(cache.Z), rows(cache.A)) for cache in caches]


class Live(Fitted):
    """A network in training, for whoever scores it: it answers for what its runner holds."""

    def heed(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> Fitted:
        """Nobody changes parameters while they are trained."""
        return self


def parameters_of(
    coefs: Sequence[Any], intercepts: Sequence[Any], network: Network, dtype: Any
) -> Parameters:
    """Parameters of a network from arrays in the shapes of ``coefs_`` and ``intercepts_``.

    Raises
    ------
    ShapeError
        Where they do not fit it.
    """
    sizes = network.sizes
    wanted = [((n_prev, n), (n,)) for n_prev, n in pairwise(sizes)]
    got = [(np.shape(c), np.shape(b)) for c, b in zip(coefs, intercepts, strict=False)]
    if got != wanted or len(coefs) != len(intercepts):
        raise ShapeError(
            f"coefs_ and intercepts_: a network of {'-'.join(map(str, sizes))} needs shapes "
            f"{wanted}, got {got}. With other sizes, fit anew without warm_start."
        )
    return tuple(
        {
            "W": np.ascontiguousarray(np.asarray(c).T, dtype),
            "b": np.array(b, dtype)[:, np.newaxis],
        }
        for c, b in zip(coefs, intercepts, strict=True)
    )
