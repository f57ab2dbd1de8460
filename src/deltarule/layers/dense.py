"""The layer the source derives: every unit sees every unit before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule import equations
from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError
from deltarule.initializers import INITIALIZERS, Initializer
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes, initializer


@dataclass(frozen=True)
class Dense(Layer):
    """The layer the source derives: ``Z = W A_prev + b``, ``A = g(Z)``.

    Parameters
    ----------
    units : int
        n, at least 1.
    activation : str or Activation
        g: a name of :data:`~deltarule.activations.ACTIVATIONS` or a custom row.
    dropout : float
        Share of the layer's outputs dropped in training (inverted: the rest is scaled up).
    weights, biases : str, Initializer or array, optional
        How W ``(n, n_prev)`` and b ``(n, 1)`` start. Weights: by the activation's row unless
        said; biases: zeros.
    rate, bias_rate : float
        The layer's learning-rate multiplier, and a further one for its biases. With 0 the
        weights stay as they start, and nothing penalises them.

    Raises
    ------
    SettingError, UnknownNameError
        For a size, share or rate out of range; for an unknown name.

    Examples
    --------
    >>> Dense(64, "relu").activation.name
    'relu'
    """

    units: int
    activation: Activation | str = "identity"
    dropout: float = 0.0
    weights: Initializer | str | Any = None
    biases: Initializer | str | Any = "zeros"
    rate: float = 1.0
    bias_rate: float = 1.0

    kind: ClassVar[str] = "dense"
    coarse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checked_number("Dense", "units", self.units, low=1, whole=True)
        checked_number("Dense", "dropout", self.dropout, low=0, high=1, open_high=True)
        checked_number("Dense", "rate", self.rate, low=0)
        checked_number("Dense", "bias_rate", self.bias_rate, low=0)
        activation = ACTIVATIONS(self.activation)
        weights = activation.initializer if self.weights is None else self.weights
        biases = initializer(self.biases)
        for name, value in (
            ("units", int(self.units)),
            ("activation", activation),
            ("weights", initializer(weights)),
            ("biases", biases),
        ):
            object.__setattr__(self, name, value)
        if biases.by_fan:
            raise SettingError(
                f"Dense(biases={biases.name!r}): this rule is one for weights, by a layer's "
                "fan-in; for biases take 'zeros', 'normal(0.1)' or an array."
            )

    @property
    def g(self) -> Activation:
        """The activation's row."""
        assert isinstance(self.activation, Activation)
        return self.activation

    @property
    def penalised(self) -> tuple[str, ...]:
        """The weights, never the biases; nothing where they do not learn."""
        return ("W",) if self.rate > 0 else ()

    def units_after(self, n_prev: int) -> int:
        """As many as it was made with."""
        return self.units

    def shapes(self, n_prev: int) -> Shapes:
        """The shape of each parameter, after a layer of `n_prev` units."""
        return {"W": (self.units, n_prev), "b": (self.units, 1)}

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
        """Eq. 1a and 1b."""
        Z = equations.weighted_input(parameters["W"], A_prev, parameters["b"])
        return Cache(A_prev, Z, equations.activation(self.g.g, Z))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. 11b and 11c."""
        return {"W": equations.dW(delta, cache.A_prev, m), "b": equations.db(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. 11d."""
        return equations.dA_prev(parameters["W"], delta)
