"""The kinds of layers: one class each, its parameters, its forward equation, its backward ones.

Networks, engines and files know a kind through :class:`Layer` alone.
"""

from deltarule.layers.base import Batch, Cache, Layer, LayerParameters
from deltarule.layers.dense import Dense
from deltarule.tables import Table

KINDS: Table[type[Layer]] = Table("layer kind", type, {kind.kind: kind for kind in (Dense,)})
"""The kinds of layers by name."""

__all__ = ["KINDS", "Batch", "Cache", "Dense", "Layer", "LayerParameters"]
