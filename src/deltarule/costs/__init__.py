"""Costs: one row each, its loss above its dA, and δ where the output pair is fused.

A row gives the loss of each example, ``(m,)``, and ``dA``, the derivative of the *summed* loss,
``(n, m)``: no 1/m (Eq. 2 averages, Eq. 10b and 10c divide). Where output activation and cost
belong together (softmax with cross entropy, sigmoid with binary cross entropy, exp with
Poisson), the pair has a separate loss (of Z) and δ, both free of overflow and of 0/0.
"""

from deltarule.costs.base import Cost, Pair
from deltarule.costs.classification import (
    BINARY_CROSS_ENTROPY,
    CATEGORICAL_CROSS_ENTROPY,
    binary_focal,
    focal,
    softmax_cross_entropy,
)
from deltarule.costs.regression import HALF_SQUARED_ERROR, MAE, MSE, POISSON, huber, quantile
from deltarule.registry import Registry

__all__ = [
    "COSTS",
    "Cost",
    "Pair",
    "binary_focal",
    "focal",
    "huber",
    "quantile",
    "softmax_cross_entropy",
]

COSTS: Registry[Cost] = Registry(
    "cost",
    Cost,
    {
        "mse": MSE,
        "mae": MAE,
        "binary_cross_entropy": BINARY_CROSS_ENTROPY,
        "categorical_cross_entropy": CATEGORICAL_CROSS_ENTROPY,
        "half_squared_error": HALF_SQUARED_ERROR,
        "huber": huber,
        "quantile": quantile,
        "poisson": POISSON,
        "focal": focal,
        "binary_focal": binary_focal,
        "softmax_cross_entropy": softmax_cross_entropy,
    },
)
