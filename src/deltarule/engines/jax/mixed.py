"""Mixed precision: the layers' equations in bfloat16, parameters and updates in float32."""

from __future__ import annotations

import copy
from typing import Any

import jax
import jax.numpy as jnp

from deltarule.arrays import Array
from deltarule.engines.plan import Plan
from deltarule.network import Cache, Dense, LayerParameters


def mixed(plan: Plan) -> Plan:
    """The plan with every layer's passes in bfloat16."""
    network = copy.copy(plan.network)
    last = len(network.layers) - 1
    layers = tuple(Lowered(layer, l == last) for l, layer in enumerate(network.layers))
    object.__setattr__(network, "layers", layers)  # no layers of a caller's: nothing to check
    lowered = copy.copy(plan)
    object.__setattr__(lowered, "network", network)
    return lowered


class Lowered:
    """A layer of any kind whose equations see bfloat16, and whose derivatives leave as float32.

    The last layer's Z and A leave as float32 too, so that cost and output error are exact.
    """

    def __init__(self, layer: Dense, last: bool) -> None:
        self._layer = layer
        self._last = last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def forward(self, parameters: LayerParameters, A_prev: Array) -> Cache:
        """The layer's, in bfloat16."""
        cache = self._layer.forward(_low(parameters), _low(A_prev))
        return Cache(cache.A_prev, _high(cache.Z), _high(cache.A)) if self._last else cache

    def delta(self, dA: Array, cache: Cache) -> Array:
        """The layer's; of the last layer in float32."""
        return self._layer.delta(dA if self._last else _low(dA), cache)

    def gradients(self, delta: Array, cache: Cache, m: Array) -> dict[str, Array]:
        """The layer's, in bfloat16, handed on as float32."""
        gradients: dict[str, Array] = _high(self._layer.gradients(_low(delta), _low(cache), m))
        return gradients

    def dA_prev(self, parameters: LayerParameters, delta: Array) -> Array:
        """The layer's, in bfloat16."""
        return self._layer.dA_prev(_low(parameters), _low(delta))


def _low(values: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(jnp.bfloat16), values)


def _high(values: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(jnp.float32), values)
