"""Optimizers: one class each, a pure update of one parameter by its derivative.

``update(W, dW, state, t, alpha)`` returns the new parameter and the new state; ``t`` counts
steps from 1 and ``alpha`` is the learning rate of this step for this parameter, both scalars of
the parameter's dtype. The state holds one array for each of the class's ``slots``, in their
order, of the parameter's shape and zero at first. Biases are updated just so, with ``db``.
"""

from deltarule.optimizers.base import Optimizer, State
from deltarule.optimizers.first_order import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    GradientDescent,
    Lion,
    NAdam,
    RMSprop,
)
from deltarule.optimizers.lbfgs import LBFGS
from deltarule.registry import Registry

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradientDescent",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "State",
]

OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    {
        "gradient_descent": GradientDescent,
        "sgd": SGD,
        "adagrad": AdaGrad,
        "adadelta": AdaDelta,
        "rmsprop": RMSprop,
        "adam": Adam,
        "adamw": AdamW,
        "adamax": Adamax,
        "nadam": NAdam,
        "lion": Lion,
        "lbfgs": LBFGS,
    },
)
