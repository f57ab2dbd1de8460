"""What an estimator holds of its network once it is trained."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakSet

import numpy as np

from deltarule.arrays import Array, columns, rows
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import ShapeError
from deltarule.layers import Dense, Layer
from deltarule.network import Network, Parameters, feed_forward
from deltarule.sparse import CompressedRows, dense


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
        That holds them and predicts, where there is one.
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
        _alive.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runner": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "_lock": threading.Lock()}
        _alive.add(self)

    @property
    def runner(self) -> Runner:
        """What predicts."""
        if self._runner is None:
            options = replace(self.options or EngineOptions(), mixed=False)  # as a file predicts
            choice = choose(self.plan, self.engine, options)
            self._runner = start_plan(self.plan, choice.name, self.parameters, options)
        return self._runner

    def coefs(self) -> list[Array]:
        """Each layer's ``W.T``, ``(n[l-1], n[l])``, for people to read and to change."""
        return [layer["W"].copy().T for layer in dense_of(self.parameters)]

    def intercepts(self) -> list[Array]:
        """Each layer's b as a vector ``(n[l],)``."""
        return [layer["b"][:, 0].copy() for layer in dense_of(self.parameters)]

    def normalizations(self) -> list[dict[str, Array]]:
        """Gain, shift and running averages of each normalization, as vectors ``(n[l],)``."""
        return [
            {name: values[:, 0].copy() for name, values in layer.items()}
            for layer in self.parameters
            if "W" not in layer
        ]

    def holds(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
        """Whether these are the parameters that it holds, bit for bit."""
        own = dense_of(self.parameters)
        return len(coefs) == len(intercepts) == len(own) and all(
            _same(layer["W"], np.asarray(c).T) and _same(layer["b"][:, 0], b)
            for layer, c, b in zip(own, coefs, intercepts, strict=True)
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
                    coefs, intercepts, self.plan.network, self.plan.dtype, self.parameters
                )
                if self._runner is not None:
                    self._runner.set_parameters(self.parameters)
        return self

    def outputs(self, X: Array | CompressedRows) -> Array:
        """A[L] as rows."""
        with self._lock:
            return self.runner.predict(X)

    def layers(self, X: Array | CompressedRows) -> list[tuple[Array, Array]]:
        """Z and A of every layer as rows, a normalized one's after its normalization."""
        network = self.plan.network
        caches = feed_forward(network, self.parameters, columns(dense(X)))
        last = {id(block[-1]) for block in blocks(network)}
        return [
            (rows(cache.Z), rows(cache.A))
            for layer, cache in zip(network.layers, caches, strict=True)
            if id(layer) in last
        ]


def _same(own: Array, given: Any) -> bool:
    """Whether an array has the same bits as another: asked before every prediction."""
    given = np.asarray(given)
    same_kind = given.shape == own.shape and given.dtype == own.dtype
    return same_kind and bool(given.tobytes() == own.tobytes())


def _forked() -> None:
    """In a forked process, take new locks and runners: a thread of the parent may hold the old."""
    for fitted in list(_alive):
        fitted._lock = threading.Lock()
        _left.append(fitted._runner)  # not freed: what a library has left behind may wait for it
        fitted._runner = None


_alive: WeakSet[Fitted] = WeakSet()
_left: list[Runner | None] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Live(Fitted):
    """A network in training, for whoever scores it: it answers for what its runner holds."""

    def heed(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> Fitted:
        """Nobody changes parameters while they are trained."""
        return self


def blocks(network: Network) -> list[tuple[Layer, ...]]:
    """The layers as people count them: each Dense with the normalization that follows it."""
    found: list[tuple[Layer, ...]] = []
    for layer in network.layers:
        if isinstance(layer, Dense):
            found.append((layer,))
        else:
            found[-1] += (layer,)
    return found


def dense_of(parameters: Parameters) -> list[Mapping[str, Array]]:
    """Those with weights and biases."""
    return [layer for layer in parameters if "W" in layer]


def untrained(layer: Layer, n_prev: int) -> dict[str, Array]:
    """A normalization's parameters before training, where nothing is random."""
    return layer.initial(n_prev, np.random.default_rng(0))


def parameters_of(
    coefs: Sequence[Any],
    intercepts: Sequence[Any],
    network: Network,
    dtype: Any,
    others: Parameters | None = None,
) -> Parameters:
    """Parameters of a network from arrays in the shapes of ``coefs_`` and ``intercepts_``.

    Those of its normalizations are taken from `others`, the whole network's, else as they begin.

    Raises
    ------
    ShapeError
        Where they do not fit it.
    """
    pairs = list(zip(network.layers, network.sizes[:-1], strict=True))
    shapes = [layer.shapes(n_prev) for layer, n_prev in pairs]
    wanted = [(s["W"][::-1], (s["b"][0],)) for s in shapes if "W" in s]
    got = [(np.shape(c), np.shape(b)) for c, b in zip(coefs, intercepts, strict=False)]
    kinds_fit = others is None or [set(layer) for layer in others] == [set(s) for s in shapes]
    if got != wanted or len(coefs) != len(intercepts) or not kinds_fit:
        sizes = "-".join(map(str, network.sizes))
        if others is None:
            raise ShapeError(
                f"coefs and intercepts: a network of {sizes} needs shapes {wanted}, got {got}. "
                "Change hidden_layer_sizes or the arrays."
            )
        raise ShapeError(
            f"coefs_ and intercepts_: a network of {sizes} needs shapes {wanted} and the "
            f"normalization it was fitted with, got {got}. For another network, fit without "
            "warm_start."
        )
    given = zip(coefs, intercepts, strict=True)
    parameters = []
    for l, (layer, n_prev) in enumerate(pairs):
        if "W" in shapes[l]:
            c, b = next(given)
            own = {"W": np.asarray(c).T, "b": np.array(b)[:, np.newaxis]}
        else:
            own = dict(others[l]) if others is not None else untrained(layer, n_prev)
        parameters.append({k: np.array(v, dtype, order="C") for k, v in own.items()})
    return tuple(parameters)
