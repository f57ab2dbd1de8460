"""A dense layer for each group of units, side by side: after an embedding, one for each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError
from deltarule.initializers import INITIALIZERS, Initializer
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes

# ----------------------------------------------------------------------------- the equations


def grouped_input(W: Array, A_prev: Array, b: Array) -> Array:
    """Eq. G1: ``Z = W A_prev + b`` within each group: W is block-diagonal, its blocks stacked.

    Parameters
    ----------
    W : array, shape (groups · units, size)
    A_prev : array, shape (groups · size, m)
    b : array, shape (groups · units, 1)

    Examples
    --------
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]])  # two groups, one unit each
    >>> grouped_input(W, np.array([[1.0], [1.0], [10.0], [10.0]]), np.zeros((2, 1))).ravel()
    array([ 3., 70.])
    """
    size, m = W.shape[1], A_prev.shape[1]
    parts = A_prev.reshape(-1, size, m)
    return (W.reshape(len(parts), -1, size) @ parts).reshape(-1, m) + b


def grouped_dW(delta: Array, A_prev: Array, size: int, m: Array) -> Array:
    """Eq. G2: ``dW = (1/m) δ A_prevᵀ`` within each group; db is Eq. 11c.

    Examples
    --------
    >>> grouped_dW(np.array([[1.0], [2.0]]), np.array([[1.0], [3.0], [5.0], [7.0]]), 2, 1)
    array([[ 1.,  3.],
           [10., 14.]])
    """
    parts = A_prev.reshape(-1, size, A_prev.shape[1])
    deltas = delta.reshape(len(parts), -1, delta.shape[1])
    return (deltas @ parts.mT).reshape(-1, size) / m


def grouped_db(delta: Array, m: Array) -> Array:
    """Eq. G2: ``db = (1/m) Σ δ`` over examples, ``(n, 1)``.

    Examples
    --------
    >>> grouped_db(np.array([[1.0, 3.0]]), 2)
    array([[2.]])
    """
    return delta.sum(axis=1, keepdims=True) / m


def grouped_dA_prev(W: Array, delta: Array, groups: int) -> Array:
    """Eq. G3: ``dA_prev = Wᵀ δ`` within each group.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> grouped_dA_prev(W, np.array([[1.0], [10.0]]), 2).ravel()
    array([ 1.,  2., 30., 40.])
    """
    size, m = W.shape[1], delta.shape[1]
    return (W.reshape(groups, -1, size).mT @ delta.reshape(groups, -1, m)).reshape(-1, m)


# ---------------------------------------------------------------------------------- the kind


@dataclass(frozen=True)
class Grouped(Layer):
    """`units` for every `size` units before: each group is a dense layer that sees its own alone.

    Parameters
    ----------
    units : int
        For each group.
    size : int
        How many units before make a group: ``Periodic(16), Grouped(3, size=16)`` makes three
        numbers of each column.
    activation : str or Activation
        g.
    weights : str or Initializer, optional
        How W of a group, ``(units, size)``, starts; by the activation's row unless said. Biases
        start at 0.
    dropout : float
        Share of the layer's outputs dropped in training.
    rate : float
        Multiplies the learning rate; with 0 the weights stay as they start, unpenalised.

    Raises
    ------
    SettingError
        For a number out of range, or a number of units before that is not a multiple of `size`.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(5, [dr.Periodic(16), dr.Grouped(3, size=16), dr.Dense(1)])
    >>> network.sizes, network.shapes[1]
    ((5, 80, 15, 1), {'W': (15, 16), 'b': (15, 1)})
    """

    units: int
    size: int
    activation: Activation | str = "identity"
    weights: Initializer | str | Any = None
    dropout: float = 0.0
    rate: float = 1.0

    kind: ClassVar[str] = "grouped"
    coarse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_number("Grouped", "units", self.units, low=1, whole=True)
        checked_number("Grouped", "size", self.size, low=1, whole=True)
        checked_number("Grouped", "dropout", self.dropout, low=0, high=1, open_high=True)
        checked_number("Grouped", "rate", self.rate, low=0)
        activation = ACTIVATIONS(self.activation)
        weights = activation.initializer if self.weights is None else self.weights
        object.__setattr__(self, "activation", activation)
        object.__setattr__(self, "weights", INITIALIZERS(weights))

    @property
    def penalised(self) -> tuple[str, ...]:
        """The weights, never the biases; nothing where they do not learn."""
        return ("W",) if self.rate > 0 else ()

    def units_after(self, n_prev: int) -> int:
        """`units` for each group."""
        if n_prev % self.size:
            raise SettingError(
                f"Grouped(size={self.size}): {n_prev} units before it, "
                f"not a multiple of {self.size}."
            )
        return n_prev // self.size * self.units

    def shapes(self, n_prev: int) -> Shapes:
        """The groups' weights, one below another, and their biases."""
        n = self.units_after(n_prev)
        return {"W": (n, self.size), "b": (n, 1)}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """Each group by the initializer, by its own fan-in; biases 0."""
        rule, shape = INITIALIZERS(self.weights), (self.units, self.size)
        blocks = [rule.draw(rng, shape) for _ in range(n_prev // self.size)]
        return {"W": np.concatenate(blocks), "b": np.zeros(self.shapes(n_prev)["b"])}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. G1."""
        return self.activated(A_prev, grouped_input(parameters["W"], A_prev, parameters["b"]))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. G2."""
        W = grouped_dW(delta, cache.A_prev, self.size, m)
        return {"W": W, "b": grouped_db(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. G3."""
        return grouped_dA_prev(parameters["W"], delta, len(cache.A_prev) // self.size)
