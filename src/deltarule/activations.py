"""Activations: one row each, its g above its g'.

A row is pure array mathematics on NumPy or JAX arrays of any real dtype. Adding one to
:data:`ACTIVATIONS` is all it takes: validation, tests, the command line and the page of
equations walk the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deltarule import equations
from deltarule.arrays import Array, checked_number, erf, namespace
from deltarule.errors import SettingError
from deltarule.expressions import coefficient, number
from deltarule.intervals import REALS, Interval
from deltarule.registry import Registry, TableRow, numbered


@dataclass(frozen=True, repr=False)
class Activation(TableRow):
    """One activation.

    Parameters
    ----------
    name : str
        Its name; with its numbers in brackets where it has any: ``"leaky_relu(0.01)"``.
    g : function
        Eq. 1b: of Z ``(n, m)`` to A of the same shape and dtype.
    g_prime : function or None
        Eq. 9: the elementwise derivative, of Z to an array of its shape. None for an activation
        that mixes the units of an example; it then has `mixed_delta`.
    range : Interval
        Where its values lie. Decides which costs it can feed.
    kinks : tuple of float
        Where its derivative jumps; there it is taken as written in the row (``relu'(0) = 0``).
    mixed_delta : function, optional
        δ from dA and A, for an activation whose Jacobian is not diagonal.
    mixed_jacobian : function, optional
        Eq. 9 as an explicit array from A, likewise.
    initializer : str
        The initializer of the weights before it, where a layer names none.
    formula, formula_prime : str
        g and g' of ``z`` in TeX, as a textbook prints them, for pages.
    numbers : tuple of float
        The numbers in its name's brackets, exactly.

    Notes
    -----
    A custom row needs a name, g and g', and works wherever a name does: on every engine where it
    is made of the functions of :mod:`deltarule.expressions`, otherwise on ``reference`` and
    ``jax``.

    Examples
    --------
    >>> import numpy as np
    >>> cube = Activation("cube", lambda Z: Z**3, lambda Z: 3 * Z**2)
    >>> cube.delta(np.array([[1.0]]), np.array([[2.0]]), np.array([[8.0]]))
    array([[12.]])
    """

    name: str
    g: Callable[[Array], Array]
    g_prime: Callable[[Array], Array] | None
    range: Interval = REALS
    kinks: tuple[float, ...] = ()
    mixed_delta: Callable[[Array, Array], Array] | None = None
    mixed_jacobian: Callable[[Array], Array] | None = None
    initializer: str = "glorot_uniform"
    formula: str = ""
    formula_prime: str = ""
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not callable(self.g):
            raise SettingError(f"Activation({self.name!r}): needs a name and a function g.")
        if self.g_prime is None and (self.mixed_delta is None or self.mixed_jacobian is None):
            raise SettingError(
                f"Activation({self.name!r}): needs g_prime; only one that mixes units may leave "
                "it out, and then gives mixed_delta and mixed_jacobian."
            )

    def delta(self, dA: Array, Z: Array, A: Array) -> Array:
        """Eq. 10a, 11a: δ from dA, all ``(n, m)``, elementwise or mixed as the row says."""
        if self.mixed_delta is not None:
            return self.mixed_delta(dA, A)
        assert self.g_prime is not None
        return equations.delta(dA, self.g_prime(Z))

    def jacobian(self, Z: Array, A: Array) -> Array:
        """Eq. 9 as an explicit array ``(n, m, n, m)``, for tests and pages."""
        if self.mixed_jacobian is not None:
            return self.mixed_jacobian(A)
        assert self.g_prime is not None
        return equations.dA_dZ(self.g_prime(Z))


# ------------------------------------------------------------------------- shared functions


def log_sigmoid(Z: Array) -> Array:
    """``log σ(Z)`` without overflow, of any shape; also the heart of cross entropy from Z."""
    xp = namespace(Z)
    return xp.minimum(Z, 0) - xp.log1p(xp.exp(-abs(Z)))


def log_softmax(Z: Array) -> Array:
    """``log softmax(Z)`` over the units of each example, ``(n, m)``, without overflow."""
    xp = namespace(Z)
    shifted = Z - Z.max(axis=0, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=0, keepdims=True))


def _normal_cdf(Z: Array) -> Array:
    return 0.5 * (1.0 + erf(Z * math.sqrt(0.5)))


# -------------------------------------------------------------------- the rows, g then g'


def _identity(Z: Array) -> Array:
    return Z


def _identity_prime(Z: Array) -> Array:
    return namespace(Z).ones_like(Z)


def _sigmoid(Z: Array) -> Array:
    xp = namespace(Z)
    e = xp.exp(-abs(Z))
    return xp.where(Z >= 0, 1.0, e) / (1.0 + e)


def _sigmoid_prime(Z: Array) -> Array:
    e = namespace(Z).exp(-abs(Z))
    return e / (1.0 + e) ** 2


def _tanh(Z: Array) -> Array:
    return namespace(Z).tanh(Z)


def _tanh_prime(Z: Array) -> Array:
    return 4.0 * _sigmoid_prime(2.0 * Z)  # tanh(z) = 2σ(2z) − 1; 1 − tanh² would cancel


def _relu(Z: Array) -> Array:
    return namespace(Z).maximum(Z, 0)


def _relu_prime(Z: Array) -> Array:
    return (Z > 0).astype(Z.dtype)


def _softplus(Z: Array) -> Array:
    return -log_sigmoid(-Z)


def _silu(Z: Array) -> Array:
    return Z * _sigmoid(Z)


def _silu_prime(Z: Array) -> Array:
    return _sigmoid(Z) + Z * _sigmoid_prime(Z)


def _gelu(Z: Array) -> Array:
    return Z * _normal_cdf(Z)


def _gelu_prime(Z: Array) -> Array:
    density = namespace(Z).exp(-0.5 * Z * Z) * (1.0 / math.sqrt(2.0 * math.pi))
    return _normal_cdf(Z) + Z * density


def _mish(Z: Array) -> Array:
    return Z * namespace(Z).tanh(_softplus(Z))


def _mish_prime(Z: Array) -> Array:
    s = _softplus(Z)
    return namespace(Z).tanh(s) + Z * _tanh_prime(s) * _sigmoid(Z)


def _softsign(Z: Array) -> Array:
    return Z / (1.0 + abs(Z))


def _softsign_prime(Z: Array) -> Array:
    return 1.0 / (1.0 + abs(Z)) ** 2


def _softmax(Z: Array) -> Array:
    e = namespace(Z).exp(Z - Z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def _exp(Z: Array) -> Array:
    return namespace(Z).exp(Z)


@numbered
def leaky_relu(slope: float = 0.01) -> Activation:
    """``z`` above zero, ``slope · z`` below (Maas and others 2013; 0.01 is theirs).

    Examples
    --------
    >>> import numpy as np
    >>> leaky_relu(0.5).g(np.array([-2.0, 2.0]))
    array([-1.,  2.])
    """
    checked_number("leaky_relu", "slope", slope, low=0)

    def g(Z: Array) -> Array:
        return namespace(Z).where(Z > 0, Z, slope * Z)

    def g_prime(Z: Array) -> Array:
        return _relu_prime(Z) + slope * (Z < 0).astype(Z.dtype)

    lower = "(-inf" if slope > 0 else "[0"
    return Activation(
        f"leaky_relu({slope:g})",
        g,
        g_prime,
        Interval(f"{lower}, inf)"),
        kinks=(0.0,),
        initializer="he_normal",
        formula=rf"\max(z, 0) + {coefficient(slope)}\min(z, 0)",
        formula_prime=f"[z > 0] + {coefficient(slope)}[z < 0]",
        numbers=(slope,),
    )


def _scaled_elu(scale: float, alpha: float) -> tuple[Any, Any]:
    def g(Z: Array) -> Array:
        xp = namespace(Z)
        return scale * xp.where(Z > 0, Z, alpha * xp.expm1(xp.minimum(Z, 0)))

    def g_prime(Z: Array) -> Array:
        xp = namespace(Z)
        return scale * xp.where(Z > 0, 1.0, alpha * xp.exp(xp.minimum(Z, 0)))

    return g, g_prime


@numbered
def elu(alpha: float = 1.0) -> Activation:
    """``z`` above zero, ``α (eᶻ − 1)`` below (Clevert and others 2016).

    Examples
    --------
    >>> import numpy as np
    >>> elu().g(np.array([-1.0, 2.0])).round(4)
    array([-0.6321,  2.    ])
    """
    checked_number("elu", "alpha", alpha, low=0, open_low=True)
    return Activation(
        f"elu({alpha:g})",
        *_scaled_elu(1.0, alpha),
        Interval(f"(-{alpha:g}, inf)"),
        kinks=() if alpha == 1.0 else (0.0,),
        initializer="he_normal",
        formula=rf"\max(z, 0) + {coefficient(alpha)}(e^{{\min(z, 0)}} - 1)",
        formula_prime=rf"[z > 0] + {coefficient(alpha)}e^z [z \le 0]",
        numbers=(alpha,),
    )


SELU_SCALE = 1.0507009873554805  # Klambauer and others 2017, eq. 14
SELU_ALPHA = 1.6732632423543772

_SELU = rf"\lambda = {number(SELU_SCALE)},\; \alpha = {number(SELU_ALPHA)}"

_UNIT, _POSITIVE = Interval("(0, 1)"), Interval("(0, inf)")

ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    Activation,
    {
        "identity": Activation(
            "identity", _identity, _identity_prime, REALS, formula="z", formula_prime="1"
        ),
        "sigmoid": Activation(
            "sigmoid",
            _sigmoid,
            _sigmoid_prime,
            _UNIT,
            formula=r"\frac{1}{1 + e^{-z}}",
            formula_prime=r"\sigma(z) (1 - \sigma(z))",
        ),
        "tanh": Activation(
            "tanh",
            _tanh,
            _tanh_prime,
            Interval("(-1, 1)"),
            formula=r"\tanh z",
            formula_prime=r"1 - \tanh^2 z",
        ),
        "relu": Activation(
            "relu",
            _relu,
            _relu_prime,
            Interval("[0, inf)"),
            kinks=(0.0,),
            initializer="he_normal",
            formula=r"\max(z, 0)",
            formula_prime="[z > 0]",
        ),
        "leaky_relu": leaky_relu,
        "elu": elu,
        "selu": Activation(
            "selu",
            *_scaled_elu(SELU_SCALE, SELU_ALPHA),
            Interval("(-1.7581, inf)"),
            kinks=(0.0,),
            initializer="lecun_normal",
            formula=rf"\lambda (\max(z, 0) + \alpha (e^{{\min(z, 0)}} - 1)),\; {_SELU}",
            formula_prime=rf"\lambda ([z > 0] + \alpha e^z [z \le 0]),\; {_SELU}",
        ),
        "gelu": Activation(
            "gelu",
            _gelu,
            _gelu_prime,
            Interval("[-0.17, inf)"),
            initializer="he_normal",
            formula=r"z\, \Phi(z)",
            formula_prime=r"\Phi(z) + z\, \phi(z)",
        ),
        "softplus": Activation(
            "softplus",
            _softplus,
            _sigmoid,
            _POSITIVE,
            initializer="he_normal",
            formula=r"\log(1 + e^z)",
            formula_prime=r"\sigma(z)",
        ),
        "silu": Activation(
            "silu",
            _silu,
            _silu_prime,
            Interval("[-0.2785, inf)"),
            initializer="he_normal",
            formula=r"z\, \sigma(z)",
            formula_prime=r"\sigma(z) + z\, \sigma'(z)",
        ),
        "mish": Activation(
            "mish",
            _mish,
            _mish_prime,
            Interval("[-0.3089, inf)"),
            initializer="he_normal",
            formula=r"z \tanh(\log(1 + e^z))",
            formula_prime=r"\tanh s + z (1 - \tanh^2 s)\, \sigma(z),\; s = \log(1 + e^z)",
        ),
        "softsign": Activation(
            "softsign",
            _softsign,
            _softsign_prime,
            Interval("(-1, 1)"),
            formula=r"\frac{z}{1 + |z|}",
            formula_prime=r"\frac{1}{(1 + |z|)^2}",
        ),
        "softmax": Activation(
            "softmax",
            _softmax,
            None,
            _UNIT,
            mixed_delta=equations.softmax_delta,
            mixed_jacobian=equations.softmax_dA_dZ,
            formula=r"\frac{e^{z_i}}{\sum_k e^{z_k}}",
            formula_prime="a_i ([i = p] - a_p)",
        ),
        "exp": Activation("exp", _exp, _exp, _POSITIVE, formula="e^z", formula_prime="e^z"),
    },
)
