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


def ran_away(cost: float, first: float, Y: Array) -> bool:
    """Whether a cost has run away: a million times the first epoch's, and beyond what Y explains.

    Predicting 0 costs about the mean square of Y: what is worse than that by far is no noise.

    Examples
    --------
    >>> ran_away(3e7, 2.0, np.ones(3)), ran_away(1e-5, 1e-12, np.ones(3))
    (True, False)
    """
    scale = float(np.square(Y, dtype=np.float64).mean())
    return bool(cost > 1e6 * first and cost > 1e3 * max(scale, 1e-30))
