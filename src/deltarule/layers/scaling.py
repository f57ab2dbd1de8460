"""Unit by unit: a learned scale, and a learned amount of bending."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError
from deltarule.initializers import Initializer
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes, initializer

# ----------------------------------------------------------------------------- the equations


def scaled(scale: Array, A_prev: Array) -> Array:
    """Eq. S1: ``Z = scale ⊙ A_prev``: a Dense layer whose weights are a diagonal matrix.

    Examples
    --------
    >>> scaled(np.array([[2.0], [0.5]]), np.array([[1.0], [4.0]])).ravel()
    array([2., 2.])
    """
    return scale * A_prev


def d_scale(delta: Array, A_prev: Array, m: Array) -> Array:
    """Eq. S2: ``dscale = (1/m) Σ δ ⊙ A_prev`` over examples, ``(n, 1)``: the diagonal of Eq. 11b.

    Examples
    --------
    >>> d_scale(np.array([[1.0, 3.0]]), np.array([[2.0, 4.0]]), 2)
    array([[7.]])
    """
    return (delta * A_prev).sum(axis=1, keepdims=True) / m


def scaled_dA_prev(scale: Array, delta: Array) -> Array:
    """Eq. S3: ``dA_prev = scale ⊙ δ``.

    Examples
    --------
    >>> scaled_dA_prev(np.array([[2.0]]), np.array([[1.0, 3.0]]))
    array([[2., 6.]])
    """
    return scale * delta


def bent(h: Activation, alpha: Array, A_prev: Array) -> Array:
    """Eq. A1: ``Z = A_prev + α ⊙ (h(A_prev) − A_prev)``.

    Examples
    --------
    >>> bent(ACTIVATIONS("relu"), np.array([[0.75]]), np.array([[-4.0, 4.0]]))
    array([[-1.,  4.]])
    """
    return A_prev + alpha * (h.g(A_prev) - A_prev)


def d_alpha(h: Activation, delta: Array, A_prev: Array, m: Array) -> Array:
    """Eq. A2: ``dα = (1/m) Σ δ ⊙ (h(A_prev) − A_prev)`` over examples, ``(n, 1)``.

    Examples
    --------
    >>> d_alpha(ACTIVATIONS("relu"), np.array([[1.0, 1.0]]), np.array([[-4.0, 4.0]]), 2)
    array([[2.]])
    """
    return (delta * (h.g(A_prev) - A_prev)).sum(axis=1, keepdims=True) / m


def bent_dA_prev(h: Activation, alpha: Array, delta: Array, A_prev: Array) -> Array:
    """Eq. A3: ``dA_prev = δ ⊙ (1 − α + α h'(A_prev))``.

    Examples
    --------
    >>> relu = ACTIVATIONS("relu")
    >>> bent_dA_prev(relu, np.array([[0.75]]), np.array([[1.0, 1.0]]), np.array([[-4.0, 4.0]]))
    array([[0.25, 1.  ]])
    """
    assert h.g_prime is not None
    return delta * (1.0 - alpha + alpha * h.g_prime(A_prev))


# --------------------------------------------------------------------------------- the kinds


def _rule(start: Any) -> Initializer:
    rule = initializer(start)
    if rule.by_fan:
        raise SettingError(
            f"Scale(start={rule.name!r}): this rule is one for weights, by a layer's fan-in; for "
            "factors take a number, 'normal' or an array."
        )
    return rule


@dataclass(frozen=True)
class Scale(Layer):
    """A learned factor for each unit, 1 at first; on the input, how much each column counts.

    Parameters
    ----------
    activation : str or Activation
        g, after the factor.
    dropout : float
        Share of the layer's outputs dropped in training.
    start : float, str, Initializer or array
        The factors before training: all the same, or by a rule such as ``"normal"``.
    rate : float
        Multiplies the learning rate of the factors.

    Raises
    ------
    SettingError, UnknownNameError
        For a number out of range; for an unknown name.

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.Network(3, [dr.Scale(rate=6.0), dr.Dense(1)]).shapes[0]
    {'scale': (3, 1)}
    """

    activation: Activation | str = "identity"
    dropout: float = 0.0
    start: float | Initializer | str | Any = 1.0
    rate: float = 1.0

    kind: ClassVar[str] = "scale"

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", ACTIVATIONS(self.activation))
        checked_number("Scale", "dropout", self.dropout, low=0, high=1, open_high=True)
        if isinstance(self.start, numbers.Real):
            checked_number("Scale", "start", self.start)
        else:
            object.__setattr__(self, "start", _rule(self.start))
        checked_number("Scale", "rate", self.rate, low=0)

    def units_after(self, n_prev: int) -> int:
        """As many as before."""
        return n_prev

    def shapes(self, n_prev: int) -> Shapes:
        """A factor a unit."""
        return {"scale": (n_prev, 1)}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """All `start`, or as its rule draws them."""
        if isinstance(self.start, Initializer):
            return {"scale": self.start.draw(rng, (n_prev, 1))}
        return {"scale": np.full((n_prev, 1), float(self.start))}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. S1."""
        return self.activated(A_prev, scaled(parameters["scale"], A_prev))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. S2."""
        return {"scale": d_scale(delta, cache.A_prev, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. S3."""
        return scaled_dA_prev(parameters["scale"], delta)


@dataclass(frozen=True)
class Parametric(Layer):
    """An activation of which each unit learns how much it wants: ``x + α (h(x) − x)``.

    α = 1 is h, α = 0 is the identity. With ``"relu"`` it is PReLU (He and others 2015), whose
    slope below 0 is ``1 − α``. It stands after a layer without an activation:
    ``Dense(64), Parametric("selu")``.

    Parameters
    ----------
    bend : str or Activation
        h: an element-wise activation.
    dropout : float
        Share of the layer's outputs dropped in training.
    start : float
        α before training; ``1 − slope`` for PReLU.
    rate : float
        Multiplies the learning rate of α.

    Raises
    ------
    SettingError
        For a number out of range, or an activation that mixes units (softmax).

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.Network(3, [dr.Dense(8), dr.Parametric("relu", start=0.75), dr.Dense(1)]).sizes
    (3, 8, 8, 1)
    """

    bend: Activation | str = "relu"
    dropout: float = 0.0
    start: float = 1.0
    rate: float = 1.0

    kind: ClassVar[str] = "parametric"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bend", ACTIVATIONS(self.bend))
        checked_number("Parametric", "dropout", self.dropout, low=0, high=1, open_high=True)
        checked_number("Parametric", "start", self.start)
        checked_number("Parametric", "rate", self.rate, low=0)
        if self.h.g_prime is None:
            raise SettingError(
                f"Parametric(bend={self.h.name!r}): expected an element-wise activation, "
                "got one that mixes the units of an example. Choose another, such as 'relu'."
            )

    @property
    def h(self) -> Activation:
        """The row of `bend`."""
        return ACTIVATIONS(self.bend)

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The bend's, too."""
        return self.h, self.g

    def units_after(self, n_prev: int) -> int:
        """As many as before."""
        return n_prev

    def shapes(self, n_prev: int) -> Shapes:
        """An α a unit."""
        return {"alpha": (n_prev, 1)}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """All `start`."""
        return {"alpha": np.full((n_prev, 1), float(self.start))}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. A1."""
        return self.activated(A_prev, bent(self.h, parameters["alpha"], A_prev))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. A2."""
        return {"alpha": d_alpha(self.h, delta, cache.A_prev, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. A3."""
        return bent_dA_prev(self.h, parameters["alpha"], delta, cache.A_prev)
