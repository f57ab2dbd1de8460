"""The kinds of layers: one class each, its parameters, its forward equation, its backward ones.

Networks, engines and files know a kind through :class:`Layer` alone.
"""

from deltarule.layers.base import Batch, Cache, Layer, LayerParameters
from deltarule.layers.categories import Embedding
from deltarule.layers.dense import Dense
from deltarule.layers.grouped import Grouped
from deltarule.layers.normalization import BatchNorm, LayerNorm
from deltarule.layers.numeric import Periodic, PiecewiseLinear
from deltarule.layers.parallel import Parallel
from deltarule.layers.scaling import Parametric, Scale
from deltarule.layers.shared import Shared
from deltarule.registry import Registry

KINDS: Registry[type[Layer]] = Registry(
    "layer kind",
    type,
    {
        kind.kind: kind
        for kind in (
            *(Dense, LayerNorm, BatchNorm, Scale, Parametric, Periodic, PiecewiseLinear),
            *(Embedding, Grouped, Shared, Parallel),
        )
    },
)
"""The kinds of layers by name."""

__all__ = [
    "KINDS",
    "Batch",
    "BatchNorm",
    "Cache",
    "Dense",
    "Embedding",
    "Grouped",
    "Layer",
    "LayerNorm",
    "LayerParameters",
    "Parallel",
    "Parametric",
    "Periodic",
    "PiecewiseLinear",
    "Scale",
    "Shared",
]
