"""Embeddings of numeric columns: each number becomes several, so that a network sees detail.

Gorishniy, Rubachev and Babenko, *On embeddings for numerical features in tabular deep learning*,
2022; the form with a phase is that of Holzmüller, Grinsztajn and Steinwart, *Better by default*,
2024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array, checked_matrix, checked_number, namespace
from deltarule.errors import SettingError
from deltarule.intervals import Interval
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes

# ----------------------------------------------------------------------------- the equations


def angle(frequency: Array, phase: Array, A_prev: Array) -> Array:
    """Eq. P1: ``Z = 2π frequency ⊙ x + phase``, with each column x once a frequency.

    Examples
    --------
    >>> angle(np.array([[0.5], [1.0]]), np.zeros((2, 1)), np.array([[1.0]])).ravel().round(4)
    array([3.1416, 6.2832])
    """
    return (2.0 * math.pi) * frequency * _repeated(A_prev, len(frequency)) + phase


def d_frequency(delta: Array, A_prev: Array, m: Array) -> Array:
    """Eq. P2: ``dfrequency = (2π/m) Σ δ ⊙ x`` over examples, ``(n, 1)``; dphase is Eq. 11c.

    Examples
    --------
    >>> d_frequency(np.array([[1.0], [2.0]]), np.array([[1.0]]), 1).ravel().round(4)
    array([ 6.2832, 12.5664])
    """
    x = _repeated(A_prev, len(delta))
    return (2.0 * math.pi) * (delta * x).sum(axis=1, keepdims=True) / m


def d_phase(delta: Array, m: Array) -> Array:
    """Eq. P2: ``dphase = (1/m) Σ δ`` over examples, ``(n, 1)``.

    Examples
    --------
    >>> d_phase(np.array([[1.0, 3.0]]), 2)
    array([[2.]])
    """
    return delta.sum(axis=1, keepdims=True) / m


def angle_dA_prev(frequency: Array, delta: Array, columns: int) -> Array:
    """Eq. P3: ``dx = 2π Σ frequency ⊙ δ`` over the units of a column, ``(columns, m)``.

    Examples
    --------
    >>> angle_dA_prev(np.array([[0.5], [1.0]]), np.array([[2.0], [1.0]]), 1).round(4)
    array([[12.5664]])
    """
    own = (2.0 * math.pi) * frequency * delta
    return own.reshape(columns, -1, delta.shape[1]).sum(axis=1)


class Bins(NamedTuple):
    """The bins of all columns, one a unit.

    Attributes
    ----------
    column : int array, shape (n,)
        Whose bin it is.
    start, width : arrays, shape (n, 1)
    low, high : arrays, shape (n, 1)
        0 and 1; without an end in a column's first and last bin.
    """

    column: Array
    start: Array
    width: Array
    low: Array
    high: Array


def filled(bins: Bins, A_prev: Array) -> Array:
    """Eq. Q1: the piecewise-linear encoding of each bin, 0 below it, 1 above, straight within.

    Examples
    --------
    >>> bins = PiecewiseLinear([[0.0, 1.0, 3.0]]).bins(np.dtype("float64"))
    >>> filled(bins, np.array([[0.5, 2.0, 5.0]]))
    array([[0.5, 1. , 1. ],
           [0. , 0.5, 2. ]])
    """
    share = (A_prev[bins.column] - bins.start) / bins.width
    return namespace(A_prev).clip(share, bins.low, bins.high)


def filled_dA_prev(bins: Bins, delta: Array, A_prev: Array) -> Array:
    """Eq. Q2: ``dx = Σ δ / width`` over the bin that x lies in; on an edge, the bin above.

    Examples
    --------
    >>> bins = PiecewiseLinear([[0.0, 1.0, 3.0]]).bins(np.dtype("float64"))
    >>> filled_dA_prev(bins, np.ones((2, 3)), np.array([[0.5, 2.0, 5.0]]))
    array([[1. , 0.5, 0.5]])
    """
    share = (A_prev[bins.column] - bins.start) / bins.width
    within = (share >= bins.low) & (share < bins.high)
    whose = bins.column == np.arange(len(A_prev))[:, None]
    return namespace(delta).asarray(whose, dtype=delta.dtype) @ (delta * within / bins.width)


def _repeated(A_prev: Array, n: int) -> Array:
    """Each row as often as makes n rows in all, one copy after another."""
    return namespace(A_prev).repeat(A_prev, n // len(A_prev), axis=0)


@lru_cache(maxsize=64)
def _bins(edges: tuple[tuple[float, ...], ...], dtype: np.dtype[Any]) -> Bins:
    """The bins between the edges of each column."""
    counts = [len(column) - 1 for column in edges]
    low = np.concatenate([[-np.inf] + [0.0] * (count - 1) for count in counts])
    high = np.concatenate([[1.0] * (count - 1) + [np.inf] for count in counts])
    start = np.concatenate([column[:-1] for column in edges])
    width = np.concatenate([np.diff(column) for column in edges])
    arrays = (a[:, None].astype(dtype) for a in (start, width, low, high))
    return Bins(np.repeat(np.arange(len(counts)), counts), *arrays)


# --------------------------------------------------------------------------------- the kinds


COSINE = Activation(
    "cos",
    lambda Z: namespace(Z).cos(Z),
    lambda Z: -namespace(Z).sin(Z),
    range=Interval("[-1, 1]"),
    formula=r"\cos z",
    formula_prime=r"-\sin z",
)


@dataclass(frozen=True)
class Periodic(Layer):
    """Each column x as ``cos(2π f x + phase)``, with frequencies and phases that are learned.

    A column has `frequencies` units, one after another; then comes the next column.

    Parameters
    ----------
    frequencies : int
        Units a column.
    spread : float
        Frequencies start as N(0, spread²): how fine the detail is, for columns of about unit size.
    pairs : bool
        Whether frequencies start in twos, as a cosine and a sine of the same one; else phases
        start anywhere between −π and π.
    rate : float
        Multiplies the learning rate.

    Raises
    ------
    SettingError
        For a number out of range; for pairs of an odd number.

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.Network(3, [dr.Periodic(16), dr.Dense(1)]).sizes
    (3, 48, 1)
    """

    frequencies: int = 16
    spread: float = 0.1
    pairs: bool = False
    rate: float = 1.0

    kind: ClassVar[str] = "periodic"

    def __post_init__(self) -> None:
        checked_number("Periodic", "frequencies", self.frequencies, low=1, whole=True)
        checked_number("Periodic", "spread", self.spread, low=0)
        checked_number("Periodic", "rate", self.rate, low=0)
        if self.pairs and self.frequencies % 2:
            raise SettingError(
                f"Periodic(frequencies={self.frequencies}, pairs=True): expected an even number."
            )

    @property
    def g(self) -> Activation:
        """The cosine."""
        return COSINE

    def units_after(self, n_prev: int) -> int:
        """`frequencies` for each column."""
        return n_prev * self.frequencies

    def shapes(self, n_prev: int) -> Shapes:
        """A frequency and a phase a unit."""
        return dict.fromkeys(("frequency", "phase"), (self.units_after(n_prev), 1))

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """Normal frequencies; phases uniform, or of cosine and sine."""
        n = self.units_after(n_prev)
        if self.pairs:
            frequency = np.repeat(rng.standard_normal((n // 2, 1)), 2, axis=0)
            phase = np.tile([[0.0], [-math.pi / 2]], (n // 2, 1))
        else:
            frequency = rng.standard_normal((n, 1))
            phase = rng.uniform(-math.pi, math.pi, (n, 1))
        return {"frequency": self.spread * frequency, "phase": phase}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. P1, then the cosine."""
        return self.activated(A_prev, angle(parameters["frequency"], parameters["phase"], A_prev))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. P2."""
        return {"frequency": d_frequency(delta, cache.A_prev, m), "phase": d_phase(delta, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. P3."""
        return angle_dA_prev(parameters["frequency"], delta, len(cache.A_prev))


@dataclass(frozen=True)
class PiecewiseLinear(Layer):
    """Piecewise-linear encoding of each column: a straight line between edges that are fixed.

    The first bin of a column extends below its first edge, the last one above its last edge. There
    is nothing to learn here; the layer after it learns a height at each edge.

    Parameters
    ----------
    edges : sequence of sequences of float
        Of each column, at least two, ascending: one unit between each two.
        :meth:`from_quantiles` takes them from the training data.

    Raises
    ------
    SettingError
        For edges that do not ascend, or columns other than those before.

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.Network(2, [dr.PiecewiseLinear([[0, 1, 3], [-1, 1]]), dr.Dense(1)]).sizes
    (2, 3, 1)
    """

    edges: Any

    kind: ClassVar[str] = "piecewise_linear"

    def __post_init__(self) -> None:
        try:
            edges = tuple(tuple(float(edge) for edge in column) for column in self.edges)
        except (TypeError, ValueError):
            raise SettingError(
                "PiecewiseLinear: edges: expected a sequence of numbers for each column, got "
                f"{self.edges!r}."
            ) from None
        if not edges:
            raise SettingError("PiecewiseLinear: edges: expected at least one column, got none.")
        for k, column in enumerate(edges):
            rises = all(low < high for low, high in pairwise(column))
            good = len(column) > 1 and rises and -math.inf < column[0] and column[-1] < math.inf
            if not good:
                raise SettingError(
                    f"PiecewiseLinear: edges of column {k}: expected at least two finite numbers, "
                    f"each above the one before; got {list(column)}."
                )
        object.__setattr__(self, "edges", edges)

    @classmethod
    def from_quantiles(cls, X: Any, bins: int = 48) -> PiecewiseLinear:
        """Edges at the quantiles of training data, as many as there are different ones.

        Parameters
        ----------
        X : array_like, shape (m, columns)
            Finite.
        bins : int
            Maximum number per column.

        Examples
        --------
        >>> PiecewiseLinear.from_quantiles([[0.0], [1.0], [2.0], [3.0], [10.0]], bins=2).edges
        ((0.0, 2.0, 10.0),)
        """
        checked_number("PiecewiseLinear", "bins", bins, low=1, whole=True)
        X = checked_matrix("X", X, width=None, dtype=np.dtype("float64"))
        quantiles = np.quantile(X, np.linspace(0.0, 1.0, bins + 1), axis=0)
        edges = [np.unique(column) for column in quantiles.T]
        # a constant column has one quantile, and tells nothing wherever its bin ends
        return cls(
            [own if len(own) > 1 else (own[0], own[0] + max(1.0, abs(own[0]))) for own in edges]
        )

    def names_after(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The column's name, with the ends of the bin where it has several."""
        return tuple(
            name if len(column) == 2 else f"{name} {low:.2g}…{high:.2g}"
            for name, column in zip(names, self.edges, strict=True)
            for low, high in pairwise(column)
        )

    def bins(self, dtype: Any) -> Bins:
        """The bins of all columns as arrays."""
        return _bins(self.edges, np.dtype(dtype))

    def units_after(self, n_prev: int) -> int:
        """One for each bin."""
        if n_prev != len(self.edges):
            raise SettingError(
                f"PiecewiseLinear: has edges of {len(self.edges)} columns, but {n_prev} come in."
            )
        return sum(len(column) - 1 for column in self.edges)

    def shapes(self, n_prev: int) -> Shapes:
        """None."""
        return {}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """None."""
        return {}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. Q1."""
        return self.activated(A_prev, filled(self.bins(A_prev.dtype), A_prev))

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """None."""
        return {}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """Eq. Q2."""
        return filled_dA_prev(self.bins(delta.dtype), delta, cache.A_prev)
