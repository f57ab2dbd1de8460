"""One dense layer for several members side by side: they share its weights and differ elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError
from deltarule.initializers import INITIALIZERS, Initializer
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes
from deltarule.layers.dense import Dense
from deltarule.layers.grouped import grouped_db

# ----------------------------------------------------------------------------- the equations


def shared_input(W: Array, A_prev: Array, b: Array) -> Array:
    """Eq. M1: ``Z = W A_prev + b`` of each member: Eq. 1a, W the same for all and b its own.

    Parameters
    ----------
    W : array, shape (units, size)
    A_prev : array, shape (members · size, m)
    b : array, shape (members · units, 1)

    Examples
    --------
    >>> W = np.array([[1.0, 2.0]])  # one unit, two members
    >>> shared_input(W, np.array([[1.0], [1.0], [10.0], [10.0]]), np.array([[0.0], [5.0]])).ravel()
    array([ 3., 35.])
    """
    m = A_prev.shape[1]
    return (W @ A_prev.reshape(-1, W.shape[1], m)).reshape(-1, m) + b


def shared_dW(delta: Array, A_prev: Array, size: int, m: Array) -> Array:
    """Eq. M2: ``dW = (1/m) Σ δ A_prevᵀ`` over members: Eq. 11b, summed; db is Eq. 11c.

    Examples
    --------
    >>> shared_dW(np.array([[1.0], [2.0]]), np.array([[1.0], [3.0], [5.0], [7.0]]), 2, 1)
    array([[11., 17.]])
    """
    members = A_prev.reshape(-1, size, A_prev.shape[1])
    deltas = delta.reshape(len(members), -1, delta.shape[1])
    return (deltas @ members.mT).sum(axis=0) / m


def shared_dA_prev(W: Array, delta: Array) -> Array:
    """Eq. M3: ``dA_prev = Wᵀ δ`` of each member.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0]])
    >>> shared_dA_prev(W, np.array([[1.0], [10.0]])).ravel()
    array([ 1.,  2., 10., 20.])
    """
    m = delta.shape[1]
    return (W.T @ delta.reshape(-1, len(W), m)).reshape(-1, m)


# ---------------------------------------------------------------------------------- the kind


@dataclass(frozen=True)
class Shared(Layer):
    """`units` for each of several members, all with the same weights and each with its own biases.

    The units before are the members', one member after another. Where members differ before it (by
    a separate :class:`Scale` each) it makes of one network many that cost the memory of one:
    BatchEnsemble (Wen, Tran and Ba 2020), for tables TabM (Gorishniy, Kotelnikov and Babenko 2024).

    Parameters
    ----------
    units : int
        Of each member.
    members : int
        Number of members.
    activation : str or Activation
        g.
    dropout : float
        Share of the layer's outputs dropped in training, of each member others.
    weights, biases : str, Initializer or array, optional
        How W ``(units, n_prev / members)`` and b ``(members · units, 1)`` start, as of
        :class:`Dense`.
    rate, bias_rate : float
        The layer's learning-rate multiplier, and a further one for its biases; as of
        :class:`Dense`.

    Raises
    ------
    SettingError
        For a number out of range, or units before that do not part into the members.

    Examples
    --------
    Four members of a network, whose heads are separate dense layers:

    >>> import deltarule as dr
    >>> apart = dr.Parallel([(0, 5, [dr.Scale(start="normal")])] * 4)
    >>> together = dr.Shared(64, 4, "relu")
    >>> network = dr.Network(5, [apart, together, dr.Grouped(1, size=64)])
    >>> network.sizes, network.shapes[1]
    ((5, 20, 256, 4), {'W': (64, 5), 'b': (256, 1)})
    """

    units: int
    members: int
    activation: Activation | str = "identity"
    dropout: float = 0.0
    weights: Initializer | str | Any = None
    biases: Initializer | str | Any = "zeros"
    rate: float = 1.0
    bias_rate: float = 1.0

    kind: ClassVar[str] = "shared"
    coarse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_number("Shared", "members", self.members, low=1, whole=True)
        one = Dense(
            self.units,
            self.activation,
            self.dropout,
            self.weights,
            self.biases,
            self.rate,
            self.bias_rate,
        )
        object.__setattr__(self, "members", int(self.members))
        for name in ("units", "activation", "weights", "biases"):
            object.__setattr__(self, name, getattr(one, name))

    @property
    def penalised(self) -> tuple[str, ...]:
        """The weights, never the biases; nothing where they do not learn."""
        return ("W",) if self.rate > 0 else ()

    def units_after(self, n_prev: int) -> int:
        """`units` for each member."""
        if n_prev % self.members:
            raise SettingError(
                f"Shared(members={self.members}): {n_prev} units before do not part into as many "
                "members."
            )
        return self.members * self.units

    def shapes(self, n_prev: int) -> Shapes:
        """The weights of all members, and the biases, one member's after another's."""
        n = self.units_after(n_prev)
        return {"W": (self.units, n_prev // self.members), "b": (n, 1)}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """The parameters before training, in float64."""
        shapes = self.shapes(n_prev)
        return {
            "W": INITIALIZERS(self.weights).draw(rng, shapes["W"]),
            "b": INITIALIZERS(self.biases).draw(rng, shapes["b"]),
        }

    def multiplier(self, name: str) -> float:
        """What multiplies the learning rate of a parameter."""
        return self.rate * self.bias_rate if name == "b" else self.rate

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. M1."""
        return self.activated(A_prev, shared_input(parameters["W"], A_prev, parameters["b"]))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. M2."""
        size = len(cache.A_prev) // self.members
        return {"W": shared_dW(delta, cache.A_prev, size, m), "b": grouped_db(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. M3."""
        return shared_dA_prev(parameters["W"], delta)
