"""Embeddings of categories: each level of a column has its own numbers, which are learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule.arrays import Array, checked_number, namespace
from deltarule.errors import SettingError
from deltarule.initializers import Initializer
from deltarule.layers.base import Batch, Cache, Layer, LayerParameters, Shapes, initializer

# ----------------------------------------------------------------------------- the equations


def codes(A_prev: Array, levels: Sequence[int]) -> Array:
    """Whole numbers from 0 to below the column's levels; whatever is none of these becomes 0.

    Examples
    --------
    >>> codes(np.array([[0.0, 2.0, 3.0, -1.0, 0.5, np.nan]]), [3])
    array([[0, 2, 0, 0, 0, 0]], dtype=int32)
    """
    xp = namespace(A_prev)
    limits = xp.asarray(np.array(levels)[:, None], dtype=A_prev.dtype)
    known = (A_prev >= 0) & (A_prev < limits) & (xp.floor(A_prev) == A_prev)
    return xp.where(known, A_prev, 0).astype(xp.int32)


def looked_up(E: Array, codes: Array, levels: Sequence[int]) -> Array:
    """Eq. E1: ``Z = E H``, with H one-hot: of each column the entry of its level.

    `E` is ``(width, Σ levels)``, a block of columns for each column; Z is ``(columns·width, m)``.

    Examples
    --------
    >>> E = np.array([[0.0, 1.0, 2.0, 10.0, 20.0]])  # three levels of one column, two of another
    >>> looked_up(E, np.array([[2, 0], [1, 0]]), [3, 2])
    array([[ 2.,  0.],
           [20., 10.]])
    """
    first = np.cumsum([0, *levels[:-1]])[:, None]
    found = E[:, codes + first]
    return namespace(E).moveaxis(found, 0, 1).reshape(-1, codes.shape[1])


def d_embedding(delta: Array, codes: Array, levels: Sequence[int], m: Array) -> Array:
    """Eq. E2: ``dE = (1/m) δ Hᵀ``, ``(width, Σ levels)``: what the examples of a level send it.

    Examples
    --------
    >>> d_embedding(np.array([[1.0, 2.0, 4.0]]), np.array([[1, 0, 1]]), [3], 1)
    array([[2., 5., 0.]])
    """
    xp = namespace(delta)
    parts = delta.reshape(len(levels), -1, delta.shape[1])
    blocks = []
    for part, own, count in zip(parts, codes, levels, strict=True):
        H = xp.asarray(own[None, :] == np.arange(count)[:, None], dtype=delta.dtype)
        blocks.append(part @ H.T / m)
    return xp.concatenate(blocks, axis=1)


# ---------------------------------------------------------------------------------- the kind


@dataclass(frozen=True)
class Embedding(Layer):
    """Columns of category codes; each level becomes `width` learned numbers.

    A column holds whole numbers: 0 is reserved for a level that was not seen in training, and any
    code beyond the column's levels counts as 0. Its numbers start at 0 and are only learned where
    training data has that code.

    Parameters
    ----------
    levels : sequence of int
        Of each column, how many codes there are, the reserved 0 among them; at least 2.
    width : int
        Numbers a level.
    weights : str or Initializer
        How the numbers of levels 1 and on start, ``(width, Σ levels)``.
    rate : float
        Multiplies the learning rate; with 0 the weights stay as they start, unpenalised.

    Raises
    ------
    SettingError
        For a number out of range, or columns other than those before.

    Notes
    -----
    It is a Dense layer without bias on one-hot columns, and its penalties are that layer's. Codes
    are not quantities: the derivative by them is 0. Use no dropout on the codes themselves.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Embedding([4, 10], width=3), dr.Dense(1)])
    >>> network.sizes, network.shapes[0]
    ((2, 6, 1), {'E': (3, 14)})
    """

    levels: Any
    width: int = 8
    weights: Initializer | str | Any = "normal"
    rate: float = 1.0

    kind: ClassVar[str] = "embedding"

    def __post_init__(self) -> None:
        levels = tuple(self.levels) if isinstance(self.levels, Sequence) else (self.levels,)
        for count in levels or (None,):
            checked_number("Embedding", "levels", count, low=2, whole=True)
        checked_number("Embedding", "width", self.width, low=1, whole=True)
        checked_number("Embedding", "rate", self.rate, low=0)
        object.__setattr__(self, "levels", tuple(map(int, levels)))
        object.__setattr__(self, "weights", initializer(self.weights))

    @property
    def penalised(self) -> tuple[str, ...]:
        """The embedding: weights of one-hot columns; nothing where they do not learn."""
        return ("E",) if self.rate > 0 else ()

    def units_after(self, n_prev: int) -> int:
        """`width` for each column."""
        if n_prev != len(self.levels):
            raise SettingError(
                f"Embedding: has levels of {len(self.levels)} columns, but {n_prev} come in."
            )
        return n_prev * self.width

    def shapes(self, n_prev: int) -> Shapes:
        """The levels of all columns, side by side."""
        return {"E": (self.width, sum(self.levels))}

    def initial(self, n_prev: int, rng: np.random.Generator) -> dict[str, Array]:
        """By the initializer; 0 for the reserved level of each column."""
        E = initializer(self.weights).draw(rng, self.shapes(n_prev)["E"])
        E[:, np.cumsum([0, *self.levels[:-1]])] = 0.0
        return {"E": E}

    def forward(
        self, parameters: LayerParameters, A_prev: Array, batch: Batch | None = None
    ) -> Cache:
        """Eq. E1."""
        kept = codes(A_prev, self.levels)
        return self.activated(A_prev, looked_up(parameters["E"], kept, self.levels), kept)

    def gradients(
        self, parameters: LayerParameters, delta: Array, cache: Cache, m: Array
    ) -> dict[str, Array]:
        """Eq. E2."""
        return {"E": d_embedding(delta, cache.kept, self.levels, m)}

    def dA_prev(self, parameters: LayerParameters, delta: Array, cache: Cache) -> Array:
        """0: a code is not a quantity."""
        return namespace(delta).zeros_like(cache.A_prev)
