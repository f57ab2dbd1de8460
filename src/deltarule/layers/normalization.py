"""Normalization: over the units of each example, or over the examples of each unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array, checked_number, namespace
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes

# ----------------------------------------------------------------------------- the equations


class Normalized(NamedTuple):
    """What a normalization keeps for its backward pass.

    Attributes
    ----------
    X_hat : array, shape (n, m)
        The normalized input.
    scale : array, shape (1, m) or (n, 1)
        ``1 / √(variance + ε)``.
    p : array, shape (m,), or None
        The examples' shares of their batch, which sum to 1; None where no statistic was taken
        over examples.
    mean, variance : arrays, shape (n, 1), or None
        Those of the batch.
    """

    X_hat: Array
    scale: Array
    p: Array | None = None
    mean: Array | None = None
    variance: Array | None = None


def normalized_units(A_prev: Array, epsilon: float) -> Normalized:
    """Eq. N1: each example's units to mean 0 and variance 1 (Ba, Kiros and Hinton 2016).

    Examples
    --------
    >>> normalized_units(np.array([[1.0], [3.0]]), 0.0).X_hat.ravel()
    array([-1.,  1.])
    """
    centred = A_prev - A_prev.mean(axis=0, keepdims=True)
    variance = (centred * centred).mean(axis=0, keepdims=True)
    scale = 1.0 / namespace(A_prev).sqrt(variance + epsilon)
    return Normalized(centred * scale, scale)


def normalized_units_dA_prev(dX_hat: Array, kept: Normalized) -> Array:
    """Eq. N4: ``(dX̂ − mean(dX̂) − X̂ mean(dX̂ ⊙ X̂)) / √(variance + ε)``, means over units.

    Examples
    --------
    >>> kept = normalized_units(np.array([[1.0], [2.0], [6.0]]), 0.0)
    >>> float(normalized_units_dA_prev(kept.X_hat, kept).round(12).sum())  # size cannot change
    0.0
    """
    X_hat = kept.X_hat
    mean = dX_hat.mean(axis=0, keepdims=True)
    along = (dX_hat * X_hat).mean(axis=0, keepdims=True)
    return (dX_hat - mean - X_hat * along) * kept.scale


def normalized_batch(A_prev: Array, p: Array, epsilon: float) -> Normalized:
    """Eq. B1: each unit to mean 0 and variance 1 over the batch (Ioffe and Szegedy 2015).

    `p` are the examples' shares, which sum to 1: example weights over their sum.

    Examples
    --------
    >>> p = np.array([0.5, 0.5, 0.0])  # the last one pads the batch
    >>> normalized_batch(np.array([[1.0, 3.0, 9.0]]), p, 0.0).X_hat
    array([[-1.,  1.,  7.]])
    """
    mean = (A_prev * p).sum(axis=1, keepdims=True)
    centred = A_prev - mean
    variance = (centred * centred * p).sum(axis=1, keepdims=True)
    scale = 1.0 / namespace(A_prev).sqrt(variance + epsilon)
    return Normalized(centred * scale, scale, p, mean, variance)


def normalized_batch_dA_prev(dX_hat: Array, kept: Normalized) -> Array:
    """Eq. B4: ``(dX̂ − p Σ dX̂ − p X̂ Σ dX̂ ⊙ X̂) / √(variance + ε)``, sums over examples.

    Where no statistic was taken over examples, a unit is only scaled, and the sums fall away.

    Examples
    --------
    >>> kept = normalized_batch(np.array([[1.0, 2.0, 6.0]]), np.full(3, 1 / 3), 0.0)
    >>> float(normalized_batch_dA_prev(kept.X_hat, kept).round(12).sum())
    0.0
    """
    if kept.p is None:
        return dX_hat * kept.scale
    X_hat, p = kept.X_hat, kept.p
    total = dX_hat.sum(axis=1, keepdims=True)
    along = (dX_hat * X_hat).sum(axis=1, keepdims=True)
    return (dX_hat - p * total - p * X_hat * along) * kept.scale


def gained(X_hat: Array, gain: Array, shift: Array) -> Array:
    """Eq. N2, B2: ``Z = gain ⊙ X̂ + shift``.

    Examples
    --------
    >>> gained(np.array([[-1.0, 1.0]]), np.array([[2.0]]), np.array([[0.5]]))
    array([[-1.5,  2.5]])
    """
    return gain * X_hat + shift


def d_gain(delta: Array, X_hat: Array, m: Array) -> Array:
    """Eq. N3, B3: ``dgain = (1/m) Σ δ ⊙ X̂`` over examples, ``(n, 1)``; Eq. 11c is dshift.

    Examples
    --------
    >>> d_gain(np.array([[1.0, 3.0]]), np.array([[-1.0, 1.0]]), 2)
    array([[1.]])
    """
    return (delta * X_hat).sum(axis=1, keepdims=True) / m


def d_shift(delta: Array, m: Array) -> Array:
    """Eq. N3, B3: ``dshift = (1/m) Σ δ`` over examples, ``(n, 1)``.

    Examples
    --------
    >>> d_shift(np.array([[1.0, 3.0]]), 2)
    array([[2.]])
    """
    return delta.sum(axis=1, keepdims=True) / m


# --------------------------------------------------------------------------------- the kinds


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Each example's units to mean 0 and variance 1, then a learned gain and shift a unit.

    Parameters
    ----------
    activation : str or Activation
        g, after gain and shift. ``Dense(64), LayerNorm("relu")`` normalizes Z of the layer
        before; ``Dense(64, "relu"), LayerNorm()`` its A.
    dropout : float
        Share of the layer's outputs dropped in training.
    epsilon : float
        Added to the variance.
    rate : float
        Multiplies the learning rate of gain and shift.

    Raises
    ------
    SettingError
        For a number out of range.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(3, [dr.Dense(8), dr.LayerNorm("relu"), dr.Dense(1)])
    >>> network.sizes, list(network.shapes[1])
    ((3, 8, 8, 1), ['gain', 'shift'])
    """

    activation: Activation | str = "identity"
    dropout: float = 0.0
    epsilon: float = 1e-5
    rate: float = 1.0

    kind: ClassVar[str] = "layer_norm"

    def __post_init__(self) -> None:
        _check(self)

    def units_after(self, n_prev: int) -> int:
        """As many as before."""
        return n_prev

    def shapes(self, n_prev: int) -> Shapes:
        """A gain and a shift a unit."""
        return {"gain": (n_prev, 1), "shift": (n_prev, 1)}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """Gain 1, shift 0."""
        return {"gain": np.ones((n_prev, 1)), "shift": np.zeros((n_prev, 1))}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. N1 and N2."""
        kept = normalized_units(A_prev, self.epsilon)
        Z = gained(kept.X_hat, parameters["gain"], parameters["shift"])
        return self.activated(A_prev, Z, kept)

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. N3."""
        return {"gain": d_gain(delta, cache.kept.X_hat, m), "shift": d_shift(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. N4."""
        return normalized_units_dA_prev(parameters["gain"] * delta, cache.kept)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each unit to mean 0 and variance 1 over the batch, then a learned gain and shift.

    Training takes mean and variance of the batch, weighted by the examples' weights, and keeps
    running averages of them, ``(1 − momentum) old + momentum new``. Prediction uses these. Both
    are parameters that no derivative changes: a model file holds them, and the best epoch
    brings them back. The variance is the batch's own, divided by m, not by m − 1.

    Parameters
    ----------
    activation : str or Activation
        g, after gain and shift.
    dropout : float
        Share of the layer's outputs dropped in training.
    momentum : float
        The newest batch's share of the running averages; above 0, at most 1.
    epsilon : float
        Added to the variance.
    rate : float
        Multiplies the learning rate of gain and shift.

    Raises
    ------
    SettingError
        For a number out of range.

    Notes
    -----
    A batch of one example has variance 0: all its units become the shift, and nothing reaches
    the layers before. Choose batches of some size, or :class:`LayerNorm`.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(3, [dr.Dense(8), dr.BatchNorm("relu"), dr.Dense(1)])
    >>> list(network.shapes[1]), list(network.learned_shapes[1])
    (['gain', 'shift', 'mean', 'variance'], ['gain', 'shift'])
    """

    activation: Activation | str = "identity"
    dropout: float = 0.0
    momentum: float = 0.1
    epsilon: float = 1e-5
    rate: float = 1.0

    kind: ClassVar[str] = "batch_norm"

    def __post_init__(self) -> None:
        _check(self)
        checked_number("BatchNorm", "momentum", self.momentum, low=0, high=1, open_low=True)

    @property
    def running(self) -> tuple[str, ...]:
        """The running averages of the batches' mean and variance."""
        return ("mean", "variance")

    def units_after(self, n_prev: int) -> int:
        """As many as before."""
        return n_prev

    def shapes(self, n_prev: int) -> Shapes:
        """A gain, a shift, a running mean and variance a unit."""
        return dict.fromkeys(("gain", "shift", *self.running), (n_prev, 1))

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """Gain 1, shift 0; mean 0, variance 1."""
        ones, zeros = np.ones((n_prev, 1)), np.zeros((n_prev, 1))
        return {"gain": ones, "shift": zeros, "mean": zeros, "variance": ones}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. B1 and B2; in prediction with the running averages."""
        if batch is None:
            xp = namespace(A_prev)
            scale = 1.0 / xp.sqrt(parameters["variance"] + self.epsilon)
            kept = Normalized((A_prev - parameters["mean"]) * scale, scale)
        else:
            kept = normalized_batch(A_prev, _shares(A_prev, batch.s), self.epsilon)
        Z = gained(kept.X_hat, parameters["gain"], parameters["shift"])
        return self.activated(A_prev, Z, kept)

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. B3."""
        return {"gain": d_gain(delta, cache.kept.X_hat, m), "shift": d_shift(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. B4."""
        return normalized_batch_dA_prev(parameters["gain"] * delta, cache.kept)

    def averaged(self, parameters: LayerParameters, cache: Cache) -> dict[str, Array]:
        """The running averages after this batch."""
        old, new = 1.0 - self.momentum, self.momentum
        return {
            name: old * parameters[name] + new * getattr(cache.kept, name) for name in self.running
        }


def _shares(A_prev: Array, s: Array | None) -> Array:
    """The examples' shares of the batch, ``(m,)``; all 0 where no example weighs anything."""
    m = A_prev.shape[1]
    if s is None:
        return namespace(A_prev).full((m,), 1.0 / m, dtype=A_prev.dtype)
    total = s.sum()
    return s / namespace(s).where(total > 0, total, total + 1)


def _check(layer: LayerNorm | BatchNorm) -> None:
    owner = type(layer).__name__
    object.__setattr__(layer, "activation", ACTIVATIONS(layer.activation))
    checked_number(owner, "dropout", layer.dropout, low=0, high=1, open_high=True)
    checked_number(owner, "epsilon", layer.epsilon, low=0)
    checked_number(owner, "rate", layer.rate, low=0)
