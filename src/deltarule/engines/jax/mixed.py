"""Mixed precision: layers of matrix products in bfloat16, all else in float32.

Operands are rounded as engine native rounds them. Here what such a layer hands on is in bfloat16,
too: accelerators are as much faster at moving it as at multiplying it.
"""

from __future__ import annotations

import copy
from typing import Any

import jax
import jax.numpy as jnp

from deltarule.arrays import Array
from deltarule.engines.plan import Plan
from deltarule.layers import Batch, Cache, Layer, LayerParameters


def mixed(plan: Plan) -> Plan:
    """The plan with the passes of every layer that multiplies matrices in bfloat16."""
    network = copy.copy(plan.network)
    last = len(network.layers) - 1
    layers = tuple(_lowered(layer, l == last) for l, layer in enumerate(network.layers))
    object.__setattr__(network, "layers", layers)  # no layers of a caller's: nothing to check
    lowered = copy.copy(plan)
    object.__setattr__(lowered, "network", network)
    return lowered


class Lowered:
    """A layer whose equations see bfloat16 where they are matrix products, else float32.

    Its derivatives leave as float32. So do the last layer's Z and A, so that cost and output
    error are exact.
    """

    def __init__(self, layer: Layer, last: bool) -> None:
        self._layer = layer
        self._last = last
        self._seen = _low if layer.coarse else _high

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """The layer's, in bfloat16."""
        cache = self._layer.forward(self._seen(parameters), self._seen(A_prev), batch)
        return cache._replace(Z=_high(cache.Z), A=_high(cache.A)) if self._last else cache

    def delta(self, dA: Array, cache: Cache) -> Array:
        """The layer's; of the last layer in float32."""
        return self._layer.delta(dA if self._last else self._seen(dA), cache)

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """The layer's, in bfloat16, handed on as float32."""
        seen = self._seen
        gradients: dict[str, Array] = _high(
            self._layer.gradients(seen(parameters), seen(delta), seen(cache), m)
        )
        return gradients

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """The layer's, in bfloat16."""
        return self._layer.dA_prev(self._seen(parameters), self._seen(delta), cache)


def _lowered(layer: Layer, last: bool) -> Lowered:
    """The layer, and the layers of its parts, where it has some."""
    if layer.kind == "parallel":
        whole: Any = layer
        layer = copy.copy(layer)
        parts = (
            part._replace(layers=tuple(_lowered(own, False) for own in part.layers))
            for part in whole.parts
        )
        object.__setattr__(layer, "parts", tuple(parts))
    return Lowered(layer, last)


def _low(values: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(jnp.bfloat16), values)


def _high(values: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(jnp.float32), values)
