"""Columns of categories: zeros and ones for each level, and statistics where levels are many.

Which levels get a one-hot column depends on their numbers of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.preprocessing.assembly import Made, Ones, Rows
from deltarule.preprocessing.cells import Coded, check_type, coded, numbered
from deltarule.preprocessing.target_statistics import (
    MOST_KNOWN,
    Outcomes,
    Statistics,
    cross_fitted,
    statistics,
)
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

FEW_LEVELS = 24
"""Levels that get a one-hot column with few rows, as long as they recur."""

MOST_LEVELS = 100
"""Levels that get a one-hot column, at most."""

_LEARNED = 100  # rows of a level beyond the few: with fewer, its weights are noise
_RARE = 0.001  # share of the rows; and
_RAREST = 3  # rows, at least
_POOLED = 0.1  # share of the rows in the shared column from which on levels have statistics


@dataclass(frozen=True)
class Category:
    """One-hot columns of levels; rare levels share one; missing is a level; unseen ones are rare.

    Of many levels, each may have statistics of the targets besides.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Most frequent first.
    rare : int
        How many further levels share one column; 0 for none, and then an unseen level is all 0.
    missing : int
        How many training rows had none; where there were some, missing is a level.
    statistics : Statistics, optional
        What the rows of each level say of the targets.
    """

    name: str
    levels: tuple[str, ...]
    rare: int
    missing: int
    statistics: Statistics | None = None
    kind: ClassVar[str] = "category"

    @classmethod
    def fit(cls, column: pl.Series) -> Category:
        """Learn from the training rows."""
        check_type(column)
        return cls.fit_coded(column.name, coded(column))

    @classmethod
    def fit_coded(cls, name: str, found: Coded) -> Category:
        """The same from levels that are known already."""
        kept = tuple(found.levels[i] for i in frequent(found.counts, len(found.codes)))
        return cls(name, kept, len(found.levels) - len(kept), found.missing)

    @classmethod
    def fit_presence(cls, column: pl.Series) -> Category:
        """Learn no level: the only input is whether a value is missing."""
        return cls(column.name, (), column.drop_nulls().n_unique(), column.null_count())

    def refined(self, totals: Totals) -> Category:
        """The same, missing where any of more rows than it was fitted on is."""
        return replace(self, missing=totals.missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [*self.indicators, *self.measures]

    @property
    def indicators(self) -> list[str]:
        """The names of those that are 0 or 1."""
        names = [f"{self.name} = {level}" for level in self.levels]
        if self.rare and self.levels:
            names.append(f"{self.name} is rare")
        if self.missing:
            names.append(f"{self.name} is missing")
        return names

    @property
    def measures(self) -> list[str]:
        """The names of its statistics, which stand behind the columns of its levels."""
        names = () if self.statistics is None else self.statistics.names
        return [f"{self.name}: {what}" for what in names]

    @property
    def width(self) -> int:
        """How many columns its levels make."""
        return len(self.indicators)

    def pools(self, column: pl.Series, reading: Reading | None = None) -> bool:
        """Whether it has many levels, and those that share a column many of the training rows."""
        if not self.levels or len(self.levels) + self.rare <= FEW_LEVELS:
            return False
        other = self.places(column, reading) > len(self.known)
        return bool(other.mean() >= _POOLED)

    @property
    def known(self) -> tuple[str, ...]:
        """The levels that are distinguished: with a one-hot column, or with statistics."""
        return self.levels if self.statistics is None else self.levels + self.statistics.further

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each of them."""
        return {level: i for i, level in enumerate(self.known)}

    @property
    def codes(self) -> tuple[int, int]:
        """Which output is 1 for a missing value, and for one that is not a level; or none is."""
        n = len(self.levels)
        pooled = bool(self.rare and self.levels)
        nowhere = len(self.indicators)
        return n + pooled if self.missing else nowhere, n if pooled else nowhere

    def knows(self, level: str) -> bool:
        """Whether a value was seen in training, or may have been: not all rare ones are kept."""
        return level in self.numbers or len(self.known) < len(self.levels) + self.rare

    def places(self, column: pl.Series, reading: Reading | None = None) -> Array:
        """The number of each row's level; missing ones and others have the next two."""
        places, codes = self._placed(column, reading)
        return places.take(codes)

    def _placed(self, column: pl.Series, reading: Reading | None) -> tuple[Array, Array]:
        """The numbers of some texts' levels, and of each row which of the texts it is."""
        found, codes = numbered(column, reading, self.known)
        n = len(self.known)
        return np.array([*(self.numbers.get(level, n + 1) for level in found), n]), codes

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """Which of the outputs is 1 in each row; and the statistics of its level."""
        absent, other = self.codes
        n = len(self.levels)
        output = np.full(len(self.known) + 2, other)
        output[:n], output[-2] = np.arange(n), absent
        places, codes = self._placed(column, reading)
        if self.statistics is None:
            return Ones(codes, output[places])
        used, row_of = np.unique(places, return_inverse=True)
        ones = output[used, None] == np.arange(self.width)
        table = np.concatenate([ones, self.statistics.table[used]], axis=1, dtype=np.float32)
        return Rows(table, row_of.take(codes))

    def measured(
        self, column: pl.Series, outcomes: Outcomes, reading: Reading | None = None
    ) -> Category:
        """The same with statistics of all its levels, from the targets of training rows."""
        found = coded(column)
        most = np.argsort(-found.counts, kind="stable")[:MOST_KNOWN]
        order = [found.levels[i] for i in most]
        further = tuple(level for level in order if level not in self.levels)
        blank = Statistics(outcomes.names, further, ())
        own = replace(self, statistics=blank)
        made = statistics(own.places(column, reading), len(own.known), further, outcomes)
        return replace(self, statistics=made)

    def cross_fitted(
        self, places: Array, outcomes: Outcomes, folds: Sequence[tuple[Array, Array]]
    ) -> Array:
        """The statistics of training rows, each from other rows."""
        return cross_fitted(places, len(self.known), outcomes, folds)

    def describe(self) -> str:
        """What was done, in one clause."""
        if not self.levels:
            return f"{self.rare} rare values: encoded as present or missing"
        parts = [f"{len(self.levels)} level{'s' * (len(self.levels) != 1)}"]
        if self.rare:
            parts.append(f"{self.rare} rare level{'s merged' if self.rare > 1 else ''}")
        if self.missing:
            parts.append(f"{self.missing} missing as a level")
        if self.statistics is not None:
            parts.append(f"target statistics of {len(self.known)} levels")
        return ", ".join(parts)


def frequent(counts: Array, rows: int) -> Array:
    """The numbers of the levels that are frequent enough for a one-hot column.

    Parameters
    ----------
    counts : int array
        How often every level occurs.
    rows : int
        How many rows there are, with missing values.

    Examples
    --------
    >>> frequent(np.array([1, 90, 2, 40]), 133).tolist()
    [1, 3]
    """
    enough = max(_RAREST, _RARE * rows) if len(counts) > 2 else 1
    order = np.argsort(-counts, kind="stable")
    kept = order[counts[order] >= enough]
    learned = int(np.count_nonzero(counts >= _LEARNED))
    most = min(max(learned, FEW_LEVELS), MOST_LEVELS)
    if len(kept) > most:  # no level is kept without its equals
        kept = kept[counts[kept] > counts[kept[most]]]
    return kept if len(kept) else order[counts[order] == counts.max(initial=1)][:FEW_LEVELS]
