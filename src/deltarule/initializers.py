"""Initial parameters: fan-in and fan-out rules, one row each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_matrix, checked_number
from deltarule.errors import ShapeError
from deltarule.registry import Registry, TableRow, numbered


@dataclass(frozen=True, repr=False)
class Initializer(TableRow):
    """One rule.

    Parameters
    ----------
    name : str
        Its name; with its numbers in brackets where it has any: ``"normal(0.1)"``.
    draw : function
        Of a NumPy generator and a shape ``(n, n_prev)`` to a float64 array of that shape; for a
        bias the shape is ``(n, 1)``.
    by_fan : bool
        Whether it goes by how many units a layer sees and has: a rule for weights, not biases.
    numbers : tuple of float
        The numbers in its name's brackets, exactly.

    Examples
    --------
    >>> import numpy as np
    >>> INITIALIZERS("he_normal").draw(np.random.default_rng(0), (300, 50)).shape
    (300, 50)
    """

    name: str
    draw: Callable[[np.random.Generator, tuple[int, int]], Array]
    by_fan: bool = False
    numbers: tuple[float, ...] = ()


@numbered
def normal(std: float = 1.0) -> Initializer:
    """N(0, std²), whatever the shape; Nielsen's "large weights" are ``normal(1)``.

    Examples
    --------
    >>> import numpy as np
    >>> normal(0.1).draw(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    """
    checked_number("normal", "std", std, low=0)

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        return std * rng.standard_normal(shape)

    return Initializer(f"normal({std:g})", draw, numbers=(std,))


@numbered
def orthogonal(gain: float = 1.0) -> Initializer:
    """`gain` times a random matrix with orthonormal rows or columns (Saxe and others 2014).

    Examples
    --------
    >>> import numpy as np
    >>> W = orthogonal().draw(np.random.default_rng(0), (2, 3))
    >>> (W @ W.T).round(12) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    checked_number("orthogonal", "gain", gain, low=0, open_low=True)

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        tall = rng.standard_normal((max(shape), min(shape)))
        Q, R = np.linalg.qr(tall)
        Q = Q * np.sign(np.diag(R))  # without this Q is not uniform over rotations
        return gain * (Q if shape[0] >= shape[1] else Q.T)

    return Initializer(f"orthogonal({gain:g})", draw, numbers=(gain,))


def given(values: Any) -> Initializer:
    """A custom array, shape ``(n, n_prev)`` for weights and ``(n, 1)`` for biases.

    Raises
    ------
    ShapeError
        When drawn, if the layer's shape is another.

    Examples
    --------
    >>> import numpy as np
    >>> given([[1, 2]]).draw(np.random.default_rng(0), (1, 2))
    array([[1., 2.]])
    """
    array = checked_matrix("initial values", values, width=None, dtype=np.dtype("float64")).copy()
    return Initializer("given", partial(_given, array))


def _given(array: Array, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    if array.shape != shape:
        raise ShapeError(f"initial values: expected shape {shape}, got {array.shape}.")
    return array.copy()


def _scaled(name: str, variance: Callable[[int, int], float], uniform: bool) -> Initializer:
    """A rule whose variance depends on the layer's fan-out n and fan-in n_prev."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        std = math.sqrt(variance(*shape))
        if uniform:
            return rng.uniform(-math.sqrt(3.0) * std, math.sqrt(3.0) * std, shape)
        return std * rng.standard_normal(shape)

    return Initializer(name, draw, by_fan=True)


_VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda n, n_prev: 2.0 / (n + n_prev),  # Glorot and Bengio 2010
    "he": lambda n, n_prev: 2.0 / n_prev,  # He and others 2015
    "lecun": lambda n, n_prev: 1.0 / n_prev,  # LeCun and others 1998
}

INITIALIZERS: Registry[Initializer] = Registry(
    "initializer",
    Initializer,
    {
        f"{rule}_{law}": _scaled(f"{rule}_{law}", variance, law == "uniform")
        for rule, variance in _VARIANCES.items()
        for law in ("uniform", "normal")
    }
    | {
        "normal": normal,
        "orthogonal": orthogonal,
        "zeros": Initializer("zeros", lambda rng, shape: np.zeros(shape)),
    },
)
