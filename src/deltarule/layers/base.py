"""What every kind of layer is: the protocol that networks, engines and files know it by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array
from deltarule.initializers import INITIALIZERS, Initializer, given
from deltarule.spec import Spec

LayerParameters: TypeAlias = Mapping[str, Array]
"""The parameters of a layer by name: ``{"W": …, "b": …}``."""

Shapes: TypeAlias = dict[str, tuple[int, int]]


class Cache(NamedTuple):
    """What a layer's forward pass leaves for its backward pass (the source's Figure 3).

    Attributes
    ----------
    A_prev, Z, A : arrays, shapes (n_prev, m), (n, m), (n, m)
    kept : any
        What a kind needs beside them: a tuple of arrays, nested or not, or nothing.
    """

    A_prev: Array
    Z: Array
    A: Array
    kept: Any = ()


class Batch(NamedTuple):
    """That a forward pass is one of training, and whose examples it sees.

    Attributes
    ----------
    s : array, shape (m,), or None
        The weights of the examples; None where each weighs 1. What pads a batch weighs 0.
    """

    s: Array | None = None


class Layer(Spec, ABC):
    """A kind of layer: ``Z = f(A_prev)`` with its parameters, then ``A = g(Z)``.

    A kind is a frozen dataclass with a name, `kind`, and the six abstract methods. Examples stand
    in columns. What is written with operators and with :func:`deltarule.arrays.namespace` runs on
    NumPy and on JAX alike. Nothing is kept in the object: parameters are passed, and whatever the
    backward pass needs goes through the cache.

    Attributes
    ----------
    kind : str
        Its name in files and tables.
    activation : str or Activation
        g; the identity unless the kind has a field of that name.
    dropout : float
        Share of its outputs dropped in training; 0 unless the kind has a field of that name.
    rate : float
        What multiplies the learning rate.
    coarse : bool
        Whether its equations are matrix products, whose operands are bfloat16 where an engine
        computes in mixed precision.

    Examples
    --------
    A kind that multiplies every unit by one learned number:

    >>> from dataclasses import dataclass
    >>> from typing import ClassVar
    >>> import deltarule as dr
    >>> from deltarule.layers import Cache
    >>> @dataclass(frozen=True)
    ... class Gain(dr.Layer):
    ...     kind: ClassVar[str] = "gain"
    ...     def units_after(self, n_prev):
    ...         return n_prev
    ...     def shapes(self, n_prev):
    ...         return {"g": (1, 1)}
    ...     def initial(self, n_prev, rng):
    ...         return {"g": np.ones((1, 1))}
    ...     def forward(self, parameters, A_prev, batch=None):
    ...         Z = parameters["g"] * A_prev
    ...         return Cache(A_prev, Z, Z)
    ...     def gradients(self, parameters, delta, cache, m):
    ...         return {"g": (delta * cache.A_prev).sum().reshape(1, 1) / m}
    ...     def dA_prev(self, parameters, delta, cache):
    ...         return parameters["g"] * delta
    >>> network = dr.Network(2, [Gain(), dr.Dense(1)])
    >>> from deltarule.checks import check_gradients
    >>> errors = check_gradients(network, [[0.1, 0.2], [0.3, -0.4]], [1.0, 0.0])
    >>> list(errors), max(errors.values()) < 1e-6
    (['dg[1]', 'dW[2]', 'db[2]'], True)
    """

    kind: ClassVar[str]
    coarse: ClassVar[bool] = False
    activation: Activation | str = "identity"
    dropout: float = 0.0
    rate: float = 1.0

    @property
    def g(self) -> Activation:
        """The activation's row."""
        return ACTIVATIONS(self.activation)

    @property
    def activations(self) -> tuple[Activation, ...]:
        """Every activation that it computes; the last is its own."""
        return (self.g,)

    @property
    def penalised(self) -> tuple[str, ...]:
        """The parameters that penalties, decay and max-norm apply to; none unless a kind says."""
        return ()

    @property
    def running(self) -> tuple[str, ...]:
        """The parameters that no derivative changes; none unless a kind says."""
        return ()

    @abstractmethod
    def units_after(self, n_prev: int) -> int:
        """n, after a layer of `n_prev` units; SettingError where it cannot follow them."""

    @abstractmethod
    def shapes(self, n_prev: int) -> Shapes:
        """The shape of each parameter, after a layer of `n_prev` units."""

    @abstractmethod
    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """The parameters before training, in float64."""

    @abstractmethod
    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Z and A; `batch` is None where the layer predicts."""

    @abstractmethod
    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """The cost's derivative by every parameter but the running ones, in its shape."""

    @abstractmethod
    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """What the layer before needs: the summed loss's derivative by A_prev."""

    def delta(self, dA: Array, cache: Cache) -> Array:
        """Eq. 11a, the same for every kind."""
        return self.g.delta(dA, cache.Z, cache.A)

    def multiplier(self, name: str) -> float:
        """What multiplies the learning rate of a parameter."""
        return self.rate

    def names_after(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """What its units are called, after units of those names: the same where each acts alone."""
        n = self.units_after(len(names))
        return names if n == len(names) else tuple(f"{self.kind} {i}" for i in range(1, n + 1))

    def averaged(self, parameters: LayerParameters, cache: Cache) -> dict[str, Array]:
        """The running parameters after a step of training, from its cache."""
        return {}

    def activated(self, A_prev: Array, Z: Array, kept: Any = ()) -> Cache:
        """Eq. 1b: the cache with ``A = g(Z)``."""
        return Cache(A_prev, Z, self.g.g(Z), kept)


def initializer(value: Any) -> Initializer:
    """A name, a row or a custom array, as a row.

    Examples
    --------
    >>> initializer("zeros").name, initializer([[1.0]]).name
    ('zeros', 'given')
    """
    if isinstance(value, (str, Initializer)):
        return INITIALIZERS(value)
    return given(value)
