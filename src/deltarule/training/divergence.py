"""Numbers that stopped being finite: the first place that holds one, and the error."""

from __future__ import annotations

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.layers import Batch
from deltarule.network import Network, Parameters, feed_forward


def first_infinite(network: Network, parameters: Parameters, X: Array) -> tuple[int | None, str]:
    """The first layer that holds a number that is not finite, and what it is: W, b, Z or A."""
    for l, layer in enumerate(parameters, 1):
        for name, values in layer.items():
            if not np.isfinite(values).all():
                return l, name
    with np.errstate(all="ignore"):
        caches = feed_forward(network, parameters, columns(X), batch=Batch())
    for l, cache in enumerate(caches, 1):
        for name in ("Z", "A"):
            if not np.isfinite(getattr(cache, name)).all():
                return l, name
    return None, "cost"
