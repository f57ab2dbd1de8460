"""Columns of categories as codes, of which the network learns an embedding.

A level needs rows to be learned from. Where more of them have enough than get one-hot columns in
any case, the column becomes one of codes: memory and time no longer grow with the levels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.preprocessing.assembly import Made, Rows
from deltarule.preprocessing.category_columns import FEW_LEVELS, Category, frequent
from deltarule.preprocessing.cells import Coded, check_type, coded

if TYPE_CHECKING:
    import polars as pl

_LEARNED = 20
"""Rows of a level with a separate code, at least."""

_MOST_CODED = 5_000
"""Levels with a separate code, at most."""


@dataclass(frozen=True)
class EmbeddedCategory(Category):
    """A code for each level; rare levels share one; missing is a level; unseen ones are rare.

    The code is 0 for what training had no row of, then 1 and on in the order of the one-hot columns
    of :class:`~deltarule.preprocessing.category_columns.Category`.

    Attributes
    ----------
    common : int
        How many of the levels, the first, have one-hot columns where codes are of no use.
    """

    common: int = 0
    kind: ClassVar[str] = "embedding"

    @classmethod
    def fit_coded(cls, name: str, found: Coded) -> Self:
        """Learn from levels that are known already: those with enough rows, the common ones."""
        common = frequent(found.counts, len(found.codes))
        count = max(min(_learnable(found), _MOST_CODED), len(common))
        most = np.argsort(-found.counts, kind="stable")[:count]
        levels = tuple(found.levels[i] for i in most)
        rare = len(found.levels) - len(levels)
        return cls(name, levels, rare, found.missing, common=len(common))

    @property
    def width(self) -> int:
        """One column, whatever its levels."""
        return 1

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [f"{self.name}: code", *self.measures]

    @property
    def size(self) -> int:
        """How many codes there are."""
        return 1 + len(self.indicators)

    @property
    def codes(self) -> tuple[int, int]:
        """The codes of a missing value, and of one that is not a level."""
        absent, other = super().codes
        return (absent + 1) % self.size, (other + 1) % self.size

    def pools(self, column: pl.Series, reading: Reading | None = None) -> bool:
        """Whether many of the training rows have no level that is common."""
        return self.one_hot().pools(column, reading)

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """The code of each row's level, and its statistics."""
        places, codes = self._placed(column, reading)
        return Rows(self._table.take(places, axis=0), codes)

    @cached_property
    def _table(self) -> Array:
        """What each level that is known becomes, a missing value, any other: float32."""
        absent, other = self.codes
        made = np.full((len(self.known) + 2, 1), other, dtype=np.float32)
        made[: len(self.levels), 0], made[-2] = np.arange(1, len(self.levels) + 1), absent
        return made if self.statistics is None else np.hstack([made, self.statistics.table])

    def one_hot(self) -> Category:
        """The same with a one-hot column for each common level."""
        levels, others = self.levels[: self.common], self.levels[self.common :]
        measured = self.statistics
        if measured is not None:
            measured = replace(measured, further=others + measured.further)
        return Category(self.name, levels, self.rare + len(others), self.missing, measured)


def category(column: pl.Series) -> Category:
    """A column of categories, in the form that suits its levels."""
    check_type(column)
    return category_of(column.name, coded(column))


def category_of(name: str, found: Coded) -> Category:
    """The same from levels that are known already: codes where many of them can be learned.

    Examples
    --------
    >>> import polars as pl
    >>> category_of("town", coded(pl.Series(["Oslo", "Rome"] * 20))).kind
    'category'
    >>> category_of("zip", coded(pl.Series([f"Z{k}" for k in range(30)] * 20))).kind
    'embedding'
    """
    kind = EmbeddedCategory if _learnable(found) > FEW_LEVELS else Category
    return kind.fit_coded(name, found)


def _learnable(found: Coded) -> int:
    return int(np.count_nonzero(found.counts >= _LEARNED))
