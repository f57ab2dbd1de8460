"""Central differences: the oracle of every derivative, and the check of a custom network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_dtype, columns
from deltarule.engines.plan import Plan
from deltarule.engines.step import cost_of, gradients_of, smoothed, weight_of
from deltarule.layers import Batch
from deltarule.network import (
    Network,
    Parameters,
    checked_parameters,
    feed_forward,
    output_delta,
)
from deltarule.optimizers import GradientDescent
from deltarule.regularization import Regularization
from deltarule.training import checked_examples

STEP = 3e-4
"""h: small enough for its fourth power, large enough for float64's rounding."""


def central_difference(f: Callable[[Array], Array], x: Array, step: float = STEP) -> Array:
    """The derivative of f with respect to x's entries, from f alone: a Jacobian, f's axes first.

    ``D(h) = (f(x + h) − f(x − h)) / 2h``, extrapolated to ``(4 D(h) − D(2h)) / 3``: the error
    falls with h⁴, so that h may be large enough to leave rounding behind.

    Parameters
    ----------
    f : function
        Of an array of x's shape to an array or a number.
    x : float64 array
    step : float
        h, times 1 or the entry's own size where that is larger.

    Returns
    -------
    float64 array, shape f(x).shape + x.shape

    Examples
    --------
    >>> central_difference(lambda x: x @ x, np.array([1.0, 2.0])).round(6)
    array([2., 4.])
    """

    def difference(index: tuple[int, ...], h: float) -> Array:
        above, below = x.copy(), x.copy()
        above[index] += h
        below[index] -= h
        return (f(above) - f(below)) / (above[index] - below[index])

    found = []
    for index in np.ndindex(x.shape):
        h = step * max(1.0, abs(float(x[index])))
        found.append((4.0 * difference(index, h) - difference(index, 2.0 * h)) / 3.0)
    return np.moveaxis(np.array(found), 0, -1).reshape(*np.shape(found[0]), *x.shape)


def relative_error(a: Array, b: Array, least: float = 0.0) -> float:
    """``‖a − b‖ / ‖b‖``, norm-wise over the whole array; ``‖a − b‖`` where b is all zero.

    `least` stands for ``‖b‖`` where that is smaller.

    Examples
    --------
    >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) < 0.1
    True
    """
    if np.shape(a) != np.shape(b):
        return float("inf")
    size = max(float(np.linalg.norm(np.ravel(b))), least)
    return float(np.linalg.norm(np.ravel(a - b))) / (size or 1.0)


def check_gradients(
    network: Network,
    X: Any,
    Y: Any,
    *,
    parameters: Parameters | None = None,
    weights: Any = None,
    regularization: Regularization | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Every dW and db of a custom network and data against central differences, in float64.

    Parameters
    ----------
    network : Network
        Without dropout, or its dropout is left out here.
    X, Y, weights : array_like
        As for :func:`deltarule.train`. All parameters are perturbed one by one: keep it small.
    parameters : Parameters, optional
        Else the initial ones of `seed`.
    regularization : Regularization, optional
        Penalties and label smoothing are part of the cost that is checked.
    seed : int

    Returns
    -------
    dict of str to float
        Norm-wise relative errors by name: ``{"dW[1]": 1e-10, "db[1]": …}``. Data on a kink (a
        ReLU's input of exactly 0) shows as a large error. Relative to the array's norm, or to a
        thousandth of that of all derivatives where it is smaller still: a bias before a
        normalization has derivative 0, and differences of it are rounding alone.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        As :func:`deltarule.train`.

    Examples
    --------
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(3, "tanh"), Dense(1)])
    >>> errors = check_gradients(network, [[0.1, 0.2], [0.3, -0.4]], [1.0, 0.0])
    >>> list(errors), max(errors.values()) < 1e-7
    (['dW[1]', 'db[1]', 'dW[2]', 'db[2]'], True)
    """
    dtype = checked_dtype("float64")
    data = checked_examples(network, X, Y, weights, dtype)
    plan = Plan(network, GradientDescent(), regularization or Regularization(), dtype, seed)
    if parameters is None:
        parameters = network.initial_parameters(seed, dtype)
    parameters = checked_parameters(network, parameters, dtype)
    A0, Y, s = columns(data.X), smoothed(plan, columns(data.Y)), data.weights
    m = weight_of(A0, s)

    def cost(changed: Parameters) -> float:
        output = feed_forward(network, changed, A0, batch=Batch(s))[-1]
        return float(cost_of(plan, changed, output, Y, s, m))

    caches = feed_forward(network, parameters, A0, batch=Batch(s))
    delta = output_delta(network, caches[-1], Y, s)
    gradients, _ = gradients_of(plan, parameters, caches, delta, m)
    numeric = {
        (l, name): by_parameter(cost, parameters, l - 1, name)
        for l, layer in enumerate(gradients, 1)
        for name in layer
    }
    least = 1e-3 * float(np.sqrt(sum((d * d).sum() for d in numeric.values())))
    return {
        f"d{name}[{l}]": relative_error(gradients[l - 1][name], difference, least)
        for (l, name), difference in numeric.items()
    }


def by_parameter(
    f: Callable[[Parameters], float], parameters: Parameters, layer: int, name: str
) -> Array:
    """The central difference of a function of all parameters by one of them."""

    def of_one(values: Array) -> float:
        changed = {**parameters[layer], name: values}
        return f((*parameters[:layer], changed, *parameters[layer + 1 :]))

    return central_difference(of_one, parameters[layer][name])
