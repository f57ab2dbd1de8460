"""What a cost is, and a fused pair of output activation and cost; what several rows share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deltarule.arrays import Array, namespace
from deltarule.errors import SettingError
from deltarule.intervals import REALS, Interval
from deltarule.registry import TableRow


@dataclass(frozen=True)
class Pair:
    """An output activation and a cost, fused.

    Parameters
    ----------
    loss : function
        Of Z and Y, ``(n, m)``, to the loss of each example, ``(m,)``.
    delta : function
        Of Z, A and Y to δ, ``(n, m)``, in place of Eq. 10a.

    Examples
    --------
    The pair of sigmoid and cross entropy, whose δ is A − Y:

    >>> import numpy as np
    >>> import deltarule as dr
    >>> pair = dr.COSTS("binary_cross_entropy").fused["sigmoid"]
    >>> Z, Y = np.array([[0.0, 2.0]]), np.array([[1.0, 1.0]])
    >>> pair.loss(Z, Y).round(4).tolist()
    [0.6931, 0.1269]
    >>> pair.delta(Z, np.array([[0.5, 0.8808]]), Y).round(4).tolist()
    [[-0.5, -0.1192]]
    """

    loss: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array, Array], Array]


@dataclass(frozen=True, repr=False)
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
    formula, formula_dA : str
        The loss and dA in TeX, as a textbook prints them, for pages: a sum over units of ``a_i``
        and ``y_i``, and the derivative by one ``a_i``.
    numbers : tuple of float
        The numbers in its name's brackets, exactly.
    group : int
        How many outputs belong together: a network's must be whole groups.

    Notes
    -----
    A custom row needs a name, a loss and its dA, and works wherever a name does: on every engine
    where it is made of the functions of :mod:`deltarule.expressions`, otherwise on ``reference``
    and ``jax``.

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
    formula_dA: str = ""
    numbers: tuple[float, ...] = ()
    group: int = 1

    def __post_init__(self) -> None:
        if not self.name or not callable(self.loss) or not callable(self.dA):
            raise SettingError(f"Cost({self.name!r}): needs a name, a function loss and its dA.")


def output_error(Z: Array, A: Array, Y: Array) -> Array:
    """``δ = A − Y``: what the three classical pairs share."""
    return A - Y


def weighted_log(Y: Array, A: Array) -> Array:
    """``Y log A``, where ``0 log 0 = 0``."""
    xp = namespace(A)
    return xp.where(Y == 0, 0.0, Y * xp.log(xp.where(Y == 0, 1.0, A)))


def ratio(Y: Array, A: Array) -> Array:
    """``Y / A``, where ``0 / 0 = 0``."""
    xp = namespace(A)
    return xp.where(Y == 0, 0.0, Y / xp.where(Y == 0, 1.0, A))
