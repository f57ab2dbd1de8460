"""Costs of numbers: squared and absolute errors, quantiles, counts."""

from __future__ import annotations

from deltarule.activations import ACTIVATIONS
from deltarule.arrays import Array, checked_number, namespace
from deltarule.costs.base import Cost, Pair, output_error, ratio, weighted_log
from deltarule.expressions import coefficient, number
from deltarule.intervals import Interval
from deltarule.registry import numbered

_exp = ACTIVATIONS("exp").g


def _mse(A: Array, Y: Array) -> Array:
    return ((Y - A) ** 2).sum(axis=0)


def _mse_dA(A: Array, Y: Array) -> Array:
    return 2.0 * (A - Y)


MSE = Cost("mse", _mse, _mse_dA, formula=r"\sum_i (y_i - a_i)^2", formula_dA="2 (a_i - y_i)")


def _half_squared_error(A: Array, Y: Array) -> Array:
    return 0.5 * ((Y - A) ** 2).sum(axis=0)


def _half_squared_error_dA(A: Array, Y: Array) -> Array:
    return A - Y


HALF_SQUARED_ERROR = Cost(
    "half_squared_error",
    _half_squared_error,
    _half_squared_error_dA,
    formula=r"\frac{1}{2} \sum_i (y_i - a_i)^2",
    formula_dA="a_i - y_i",
)


def _mae(A: Array, Y: Array) -> Array:
    return abs(Y - A).sum(axis=0)


def _mae_dA(A: Array, Y: Array) -> Array:
    return namespace(A).sign(A - Y)


MAE = Cost(
    "mae",
    _mae,
    _mae_dA,
    kinks=(0.0,),
    formula=r"\sum_i |y_i - a_i|",
    formula_dA=r"\operatorname{sgn}(a_i - y_i)",
)


@numbered
def huber(delta: float = 1.0) -> Cost:
    """Squared within `delta` of the target, linear beyond (Huber 1964).

    Examples
    --------
    >>> import numpy as np
    >>> huber(1.0).loss(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]))
    array([0.125, 2.5  ])
    """
    checked_number("huber", "delta", delta, low=0, open_low=True)

    def loss(A: Array, Y: Array) -> Array:
        size = abs(Y - A)
        near = namespace(A).minimum(size, delta)
        return (near * (size - 0.5 * near)).sum(axis=0)

    def dA(A: Array, Y: Array) -> Array:
        return namespace(A).clip(A - Y, -delta, delta)

    beyond = rf"{coefficient(delta)}|e_i| - {number(0.5 * delta * delta)}"
    formula = (
        rf"\sum_i \begin{{cases}} \frac{{1}}{{2}} e_i^2 & |e_i| \le {number(delta)} \\ "
        rf"{beyond} & \text{{otherwise}} \end{{cases}},\; e_i = y_i - a_i"
    )
    return Cost(
        f"huber({delta:g})",
        loss,
        dA,
        formula=formula,
        formula_dA=rf"\max(-{number(delta)}, \min(a_i - y_i, {number(delta)}))",
        numbers=(delta,),
    )


@numbered
def quantile(tau: float = 0.5) -> Cost:
    """The pinball loss, least where A is the `tau`-quantile of Y (Koenker and Bassett 1978).

    Examples
    --------
    >>> import numpy as np
    >>> quantile(0.9).loss(np.array([[0.0, 0.0]]), np.array([[1.0, -1.0]]))
    array([0.9, 0.1])
    """
    checked_number("quantile", "tau", tau, low=0, high=1, open_low=True, open_high=True)

    def loss(A: Array, Y: Array) -> Array:
        return namespace(A).maximum(tau * (Y - A), (tau - 1.0) * (Y - A)).sum(axis=0)

    def dA(A: Array, Y: Array) -> Array:
        above, below = ((A > Y).astype(A.dtype), (A < Y).astype(A.dtype))
        return (1.0 - tau) * above - tau * below

    return Cost(
        f"quantile({tau:g})",
        loss,
        dA,
        kinks=(0.0,),
        formula=rf"\sum_i (y_i - a_i) ({number(tau)} - [y_i < a_i])",
        formula_dA=f"{number(1.0 - tau)} [a_i > y_i] - {number(tau)} [a_i < y_i]",
        numbers=(tau,),
    )


def _poisson(A: Array, Y: Array) -> Array:
    return (A - weighted_log(Y, A)).sum(axis=0)


def _poisson_dA(A: Array, Y: Array) -> Array:
    return 1.0 - ratio(Y, A)


def _poisson_from_Z(Z: Array, Y: Array) -> Array:
    return (_exp(Z) - Y * Z).sum(axis=0)


POISSON = Cost(
    "poisson",
    _poisson,
    _poisson_dA,
    Interval("(0, inf)"),
    Interval("[0, inf)"),
    fused={"exp": Pair(_poisson_from_Z, output_error)},
    formula=r"\sum_i (a_i - y_i \log a_i)",
    formula_dA=r"1 - \frac{y_i}{a_i}",
)
