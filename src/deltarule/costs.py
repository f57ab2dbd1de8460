"""Costs: one row each, its loss above its dA, and δ where the output pair is fused.

A row gives the loss of each example, ``(m,)``, and ``dA``, the derivative of the *summed* loss,
``(n, m)``: no 1/m (Eq. 2 averages, Eq. 10b and 10c divide). Where output activation and cost
belong together (softmax with cross entropy, sigmoid with binary cross entropy, exp with
Poisson), the pair has a loss from Z and a δ of its own, both free of overflow and of 0/0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deltarule.activations import ACTIVATIONS, log_sigmoid, log_softmax
from deltarule.arrays import Array, checked_number, namespace
from deltarule.errors import SettingError
from deltarule.intervals import REALS, Interval
from deltarule.registry import Registry, TableRow, numbered


@dataclass(frozen=True)
class Pair:
    """An output activation and a cost, fused.

    Parameters
    ----------
    loss : function
        Of Z and Y, ``(n, m)``, to the loss of each example, ``(m,)``.
    delta : function
        Of Z, A and Y to δ, ``(n, m)``, in place of Eq. 10a.
    """

    loss: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Cost(TableRow):
    """One cost.

    Parameters
    ----------
    name : str
        Its name; with its numbers in brackets where it has any: ``"quantile(0.9)"``.
    loss : function
        Of A and Y, both ``(n, m)``, to the loss of each example, ``(m,)``: summed over units.
    dA : function
        Of A and Y to the derivative of the summed loss, ``(n, m)``.
    outputs : Interval
        Where the network's outputs must lie.
    targets : Interval
        Where the targets must lie.
    distribution : bool
        Whether each example's targets must sum to 1.
    kinks : tuple of float
        Values of Y − A where dA jumps; there it is taken as 0.
    fused : mapping of str to Pair
        By the name of the output activation.
    uniform : function, optional
        Of n to the target of an example of which nothing is known: what label smoothing mixes
        in. None where labels cannot be smoothed.
    formula : str
        The loss in TeX, for pages.
    numbers : tuple of float
        The numbers in its name's brackets, exactly.
    group : int
        How many outputs belong together: a network's must be whole groups.

    Notes
    -----
    A row of one's own needs a name, a loss and its dA, and works wherever a name does (on the
    engines that run Python: ``reference`` and ``jax``).

    Examples
    --------
    >>> import numpy as np
    >>> def loss(A, Y):
    ...     return ((A - Y) ** 4).sum(axis=0)
    >>> def dA(A, Y):
    ...     return 4 * (A - Y) ** 3
    >>> Cost("fourth", loss, dA).loss(np.array([[3.0]]), np.array([[1.0]]))
    array([16.])
    """

    name: str
    loss: Callable[[Array, Array], Array]
    dA: Callable[[Array, Array], Array]
    outputs: Interval = REALS
    targets: Interval = REALS
    distribution: bool = False
    kinks: tuple[float, ...] = ()
    fused: Mapping[str, Pair] = field(default_factory=dict)
    uniform: Callable[[int], float] | None = None
    formula: str = ""
    numbers: tuple[float, ...] = ()
    group: int = 1

    def __post_init__(self) -> None:
        if not self.name or not callable(self.loss) or not callable(self.dA):
            raise SettingError(f"Cost({self.name!r}): needs a name, a function loss and its dA.")


_sigmoid, _softmax, _exp = (ACTIVATIONS(name).g for name in ("sigmoid", "softmax", "exp"))


def _output_error(Z: Array, A: Array, Y: Array) -> Array:
    """``δ = A − Y``: what the three classical pairs share."""
    return A - Y


def _weighted_log(Y: Array, A: Array) -> Array:
    """``Y log A``, where ``0 log 0 = 0``."""
    xp = namespace(A)
    return xp.where(Y == 0, 0.0, Y * xp.log(xp.where(Y == 0, 1.0, A)))


def _ratio(Y: Array, A: Array) -> Array:
    """``Y / A``, where ``0 / 0 = 0``."""
    xp = namespace(A)
    return xp.where(Y == 0, 0.0, Y / xp.where(Y == 0, 1.0, A))


# ------------------------------------------------------------- the rows, loss then dA


def _mse(A: Array, Y: Array) -> Array:
    return ((Y - A) ** 2).sum(axis=0)


def _mse_dA(A: Array, Y: Array) -> Array:
    return 2.0 * (A - Y)


def _half_squared_error(A: Array, Y: Array) -> Array:
    return 0.5 * ((Y - A) ** 2).sum(axis=0)


def _half_squared_error_dA(A: Array, Y: Array) -> Array:
    return A - Y


def _mae(A: Array, Y: Array) -> Array:
    return abs(Y - A).sum(axis=0)


def _mae_dA(A: Array, Y: Array) -> Array:
    return namespace(A).sign(A - Y)


def _binary_cross_entropy(A: Array, Y: Array) -> Array:
    return -(_weighted_log(Y, A) + _weighted_log(1.0 - Y, 1.0 - A)).sum(axis=0)


def _binary_cross_entropy_dA(A: Array, Y: Array) -> Array:
    return -_ratio(Y, A) + _ratio(1.0 - Y, 1.0 - A)


def _binary_cross_entropy_from_Z(Z: Array, Y: Array) -> Array:
    return -(Y * log_sigmoid(Z) + (1.0 - Y) * log_sigmoid(-Z)).sum(axis=0)


def _categorical_cross_entropy(A: Array, Y: Array) -> Array:
    return -_weighted_log(Y, A).sum(axis=0)


def _categorical_cross_entropy_dA(A: Array, Y: Array) -> Array:
    return -_ratio(Y, A)


def _categorical_cross_entropy_from_Z(Z: Array, Y: Array) -> Array:
    return -(Y * log_softmax(Z)).sum(axis=0)


def _poisson(A: Array, Y: Array) -> Array:
    return (A - _weighted_log(Y, A)).sum(axis=0)


def _poisson_dA(A: Array, Y: Array) -> Array:
    return 1.0 - _ratio(Y, A)


def _poisson_from_Z(Z: Array, Y: Array) -> Array:
    return (_exp(Z) - Y * Z).sum(axis=0)


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

    formula = (
        rf"\sum_i \frac{{1}}{{2}} e_i^2 \text{{ to }} |e_i| = {delta:g} \text{{, then linear}}"
    )
    return Cost(f"huber({delta:g})", loss, dA, formula=formula, numbers=(delta,))


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

    formula = rf"\sum_i \max({tau:g} (y_i - a_i), {tau - 1:g} (y_i - a_i))"
    return Cost(f"quantile({tau:g})", loss, dA, kinks=(0.0,), formula=formula, numbers=(tau,))


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
        return -((1.0 - A) ** gamma * _weighted_log(Y, A)).sum(axis=0)

    def dA(A: Array, Y: Array) -> Array:
        easy = gamma * (1.0 - A) ** (gamma - 1.0) * _weighted_log(Y, A) if gamma else 0.0
        return easy - (1.0 - A) ** gamma * _ratio(Y, A)

    def loss_from_Z(Z: Array, Y: Array) -> Array:
        log_A = log_softmax(Z)
        return -(Y * (1.0 - namespace(Z).exp(log_A)) ** gamma * log_A).sum(axis=0)

    def delta(Z: Array, A: Array, Y: Array) -> Array:
        easy = gamma * A * (1.0 - A) ** (gamma - 1.0) * log_softmax(Z) if gamma else 0.0
        A_dA = Y * (easy - (1.0 - A) ** gamma)
        return A_dA - A * A_dA.sum(axis=0, keepdims=True)

    return Cost(
        f"focal({gamma:g})",
        loss,
        dA,
        Interval("(0, 1)"),
        Interval("[0, 1]"),
        distribution=True,
        fused={"softmax": Pair(loss_from_Z, delta)},
        uniform=lambda n: 1.0 / n,
        formula=rf"-\sum_i y_i (1 - a_i)^{{{gamma:g}}} \log a_i",
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

    return Cost(
        f"binary_focal({gamma:g})",
        loss,
        dA,
        Interval("(0, 1)"),
        Interval("[0, 1]"),
        fused={"sigmoid": Pair(loss_from_Z, delta)},
        uniform=lambda n: 0.5,
        formula=rf"-\sum_i (1 - p_i)^{{{gamma:g}}} \log p_i",
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
        targets=Interval("[0, 1]"),
        uniform=lambda n: 1.0 / classes,
        formula=r"-\sum_i y_i \log \operatorname{softmax}(a_{\text{group of } i})_i",
        numbers=(classes,),
        group=classes,
    )


def _check_gamma(owner: str, gamma: float) -> None:
    checked_number(owner, "gamma", gamma, low=0)
    if 0 < gamma < 1:
        raise SettingError(
            f"{owner}(gamma={gamma!r}): gamma must be 0 or at least 1; got {gamma!r}."
        )


COSTS: Registry[Cost] = Registry(
    "cost",
    Cost,
    {
        "mse": Cost("mse", _mse, _mse_dA, formula=r"\sum_i (y_i - a_i)^2"),
        "mae": Cost("mae", _mae, _mae_dA, kinks=(0.0,), formula=r"\sum_i |y_i - a_i|"),
        "binary_cross_entropy": Cost(
            "binary_cross_entropy",
            _binary_cross_entropy,
            _binary_cross_entropy_dA,
            Interval("(0, 1)"),
            Interval("[0, 1]"),
            fused={"sigmoid": Pair(_binary_cross_entropy_from_Z, _output_error)},
            uniform=lambda n: 0.5,
            formula=r"-\sum_i (y_i \log a_i + (1 - y_i) \log(1 - a_i))",
        ),
        "categorical_cross_entropy": Cost(
            "categorical_cross_entropy",
            _categorical_cross_entropy,
            _categorical_cross_entropy_dA,
            Interval("(0, 1)"),
            Interval("[0, 1]"),
            distribution=True,
            fused={"softmax": Pair(_categorical_cross_entropy_from_Z, _output_error)},
            uniform=lambda n: 1.0 / n,
            formula=r"-\sum_i y_i \log a_i",
        ),
        "half_squared_error": Cost(
            "half_squared_error",
            _half_squared_error,
            _half_squared_error_dA,
            formula=r"\frac{1}{2} \sum_i (y_i - a_i)^2",
        ),
        "huber": huber,
        "quantile": quantile,
        "poisson": Cost(
            "poisson",
            _poisson,
            _poisson_dA,
            Interval("(0, inf)"),
            Interval("[0, inf)"),
            fused={"exp": Pair(_poisson_from_Z, _output_error)},
            formula=r"\sum_i (a_i - y_i \log a_i)",
        ),
        "focal": focal,
        "binary_focal": binary_focal,
        "softmax_cross_entropy": softmax_cross_entropy,
    },
)
