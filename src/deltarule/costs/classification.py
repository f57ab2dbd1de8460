"""Costs of classes: cross entropies, and their focal forms."""

from __future__ import annotations

from deltarule.activations import ACTIVATIONS, log_sigmoid, log_softmax
from deltarule.arrays import Array, checked_number, namespace
from deltarule.costs.base import Cost, Pair, output_error, ratio, weighted_log
from deltarule.errors import SettingError
from deltarule.expressions import coefficient, number
from deltarule.intervals import Interval
from deltarule.registry import numbered

_sigmoid, _softmax = (ACTIVATIONS(name).g for name in ("sigmoid", "softmax"))
_OPEN, _CLOSED = Interval("(0, 1)"), Interval("[0, 1]")


def _binary_cross_entropy(A: Array, Y: Array) -> Array:
    return -(weighted_log(Y, A) + weighted_log(1.0 - Y, 1.0 - A)).sum(axis=0)


def _binary_cross_entropy_dA(A: Array, Y: Array) -> Array:
    return -ratio(Y, A) + ratio(1.0 - Y, 1.0 - A)


def _binary_cross_entropy_from_Z(Z: Array, Y: Array) -> Array:
    return -(Y * log_sigmoid(Z) + (1.0 - Y) * log_sigmoid(-Z)).sum(axis=0)


BINARY_CROSS_ENTROPY = Cost(
    "binary_cross_entropy",
    _binary_cross_entropy,
    _binary_cross_entropy_dA,
    _OPEN,
    _CLOSED,
    fused={"sigmoid": Pair(_binary_cross_entropy_from_Z, output_error)},
    uniform=lambda n: 0.5,
    formula=r"-\sum_i (y_i \log a_i + (1 - y_i) \log(1 - a_i))",
    formula_dA=r"\frac{1 - y_i}{1 - a_i} - \frac{y_i}{a_i}",
)


def _categorical_cross_entropy(A: Array, Y: Array) -> Array:
    return -weighted_log(Y, A).sum(axis=0)


def _categorical_cross_entropy_dA(A: Array, Y: Array) -> Array:
    return -ratio(Y, A)


def _categorical_cross_entropy_from_Z(Z: Array, Y: Array) -> Array:
    return -(Y * log_softmax(Z)).sum(axis=0)


CATEGORICAL_CROSS_ENTROPY = Cost(
    "categorical_cross_entropy",
    _categorical_cross_entropy,
    _categorical_cross_entropy_dA,
    _OPEN,
    _CLOSED,
    distribution=True,
    fused={"softmax": Pair(_categorical_cross_entropy_from_Z, output_error)},
    uniform=lambda n: 1.0 / n,
    formula=r"-\sum_i y_i \log a_i",
    formula_dA=r"-\frac{y_i}{a_i}",
)


@numbered
def focal(gamma: float = 2.0) -> Cost:
    """Categorical cross entropy times ``(1 − a)^γ``: easy examples count less.

    Lin and others 2017. `gamma` is 0 (plain cross entropy) or at least 1, where it is smooth.

    Examples
    --------
    >>> import numpy as np
    >>> focal(2.0).loss(np.array([[0.5], [0.5]]), np.array([[1.0], [0.0]])).round(4)
    array([0.1733])
    """
    _check_gamma("focal", gamma)

    def loss(A: Array, Y: Array) -> Array:
        return -((1.0 - A) ** gamma * weighted_log(Y, A)).sum(axis=0)

    def dA(A: Array, Y: Array) -> Array:
        easy = gamma * (1.0 - A) ** (gamma - 1.0) * weighted_log(Y, A) if gamma else 0.0
        return easy - (1.0 - A) ** gamma * ratio(Y, A)

    def loss_from_Z(Z: Array, Y: Array) -> Array:
        log_A = log_softmax(Z)
        return -(Y * (1.0 - namespace(Z).exp(log_A)) ** gamma * log_A).sum(axis=0)

    def delta(Z: Array, A: Array, Y: Array) -> Array:
        easy = gamma * A * (1.0 - A) ** (gamma - 1.0) * log_softmax(Z) if gamma else 0.0
        A_dA = Y * (easy - (1.0 - A) ** gamma)
        return A_dA - A * A_dA.sum(axis=0, keepdims=True)

    tex, tex_dA = _focal_tex(gamma, "y_i", "a_i", "1 - a_i")
    return Cost(
        f"focal({gamma:g})",
        loss,
        dA,
        _OPEN,
        _CLOSED,
        distribution=True,
        fused={"softmax": Pair(loss_from_Z, delta)},
        uniform=lambda n: 1.0 / n,
        formula=rf"-\sum_i {tex}",
        formula_dA=f"-{tex_dA}",
        numbers=(gamma,),
    )


@numbered
def binary_focal(gamma: float = 2.0) -> Cost:
    """Binary cross entropy times ``(1 − p)^γ``, p the probability given to the truth.

    Lin and others 2017. `gamma` is 0 (plain cross entropy) or at least 1, where it is smooth.

    Examples
    --------
    >>> import numpy as np
    >>> binary_focal(2.0).loss(np.array([[0.5]]), np.array([[1.0]])).round(4)
    array([0.1733])
    """
    _check_gamma("binary_focal", gamma)
    one_sided = focal(gamma)

    def loss(A: Array, Y: Array) -> Array:
        return one_sided.loss(A, Y) + one_sided.loss(1.0 - A, 1.0 - Y)

    def dA(A: Array, Y: Array) -> Array:
        return one_sided.dA(A, Y) - one_sided.dA(1.0 - A, 1.0 - Y)

    def loss_from_Z(Z: Array, Y: Array) -> Array:
        hit = Y * _sigmoid(-Z) ** gamma * log_sigmoid(Z)
        miss = (1.0 - Y) * _sigmoid(Z) ** gamma * log_sigmoid(-Z)
        return -(hit + miss).sum(axis=0)

    def delta(Z: Array, A: Array, Y: Array) -> Array:
        not_A = _sigmoid(-Z)
        hit = Y * not_A**gamma * (gamma * A * log_sigmoid(Z) - not_A)
        miss = (1.0 - Y) * A**gamma * (A - gamma * not_A * log_sigmoid(-Z))
        return hit + miss

    hit_tex, hit_dA = _focal_tex(gamma, "y_i", "a_i", "1 - a_i")
    miss_tex, miss_dA = _focal_tex(gamma, "(1 - y_i)", "1 - a_i", "a_i")
    return Cost(
        f"binary_focal({gamma:g})",
        loss,
        dA,
        _OPEN,
        _CLOSED,
        fused={"sigmoid": Pair(loss_from_Z, delta)},
        uniform=lambda n: 0.5,
        formula=rf"-\sum_i ({hit_tex} + {miss_tex})",
        formula_dA=f"-{hit_dA} + {miss_dA}",
        numbers=(gamma,),
    )


@numbered
def softmax_cross_entropy(classes: float = 3) -> Cost:
    """Categorical cross entropy of logits, in groups of `classes` units, each with its own softmax.

    A group is a member's of several side by side, or one of several targets. The outputs are the
    logits z themselves: the last activation is the identity.

    Examples
    --------
    Two groups of three classes; the first knows nothing, the second is nearly sure:

    >>> import numpy as np
    >>> z = np.array([[0.0], [0.0], [0.0], [3.0], [0.0], [0.0]])
    >>> y = np.array([[1.0], [0.0], [0.0], [1.0], [0.0], [0.0]])
    >>> softmax_cross_entropy(3).loss(z, y).round(4)  # log 3, and log(1 + 2/e³)
    array([1.1935])
    >>> softmax_cross_entropy(3).dA(z, y).ravel().round(4)  # softmax(z) − y of each group
    array([-0.6667,  0.3333,  0.3333, -0.0906,  0.0453,  0.0453])
    """
    if isinstance(classes, float) and classes.is_integer():
        classes = int(classes)  # as a name's brackets give it
    checked_number("softmax_cross_entropy", "classes", classes, low=2, whole=True)
    classes = int(classes)

    def grouped(A: Array) -> Array:
        """Classes first, then groups and examples."""
        return A.reshape(-1, classes, A.shape[1]).swapaxes(0, 1)

    def loss(A: Array, Y: Array) -> Array:
        return -(grouped(Y) * log_softmax(grouped(A))).sum(axis=(0, 1))

    def dA(A: Array, Y: Array) -> Array:
        y = grouped(Y)
        d = _softmax(grouped(A)) * y.sum(axis=0, keepdims=True) - y
        return d.swapaxes(0, 1).reshape(A.shape)

    return Cost(
        f"softmax_cross_entropy({classes})",
        loss,
        dA,
        targets=_CLOSED,
        uniform=lambda n: 1.0 / classes,
        formula=r"-\sum_i y_i \log \operatorname{softmax}(a_{\text{group of } i})_i",
        formula_dA=r"\operatorname{softmax}(a_{\text{group of } i})_i "
        r"\sum_{k \text{ in group}} y_k - y_i",
        numbers=(classes,),
        group=classes,
    )


def _focal_tex(gamma: float, y: str, a: str, rest: str) -> tuple[str, str]:
    """The terms of one outcome in TeX, of the loss and of dA, without their signs."""
    log = rf"\log {a}" if " " not in a else rf"\log({a})"
    base = rest if " " not in rest else f"({rest})"

    def power(exponent: float) -> str:
        script = "" if exponent == 1 else f"^{{{number(exponent)}}}"
        return f"{base}{script}" if exponent else ""

    hard = rf"\frac{{{power(gamma) or 1}}}{{{a}}}"
    easy = f"{coefficient(gamma)}{power(gamma - 1.0)} {log}"
    return f"{y} {power(gamma)} {log}", f"{y} ({hard} - {easy})" if gamma else f"{y} {hard}"


def _check_gamma(owner: str, gamma: float) -> None:
    checked_number(owner, "gamma", gamma, low=0)
    if 0 < gamma < 1:
        raise SettingError(
            f"{owner}(gamma={gamma!r}): gamma must be 0 or at least 1; got {gamma!r}."
        )
