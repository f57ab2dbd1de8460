"""The kinds of column: how each is fitted, turned into numbers and described.

A kind is one class. Its fields are what training taught it and what a model file stores; its
methods turn a column into an array, its text as a :class:`~deltarule.data.Reading` says.
:data:`KINDS` lists them.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.errors import DataError, require, setting
from deltarule.preprocessing.assembly import Made, Ones, Rows, Scaled
from deltarule.preprocessing.cells import (
    Coded,
    as_category,
    check_type,
    coded,
    is_whole,
    narrow_numbers_of,
    numbered,
    numbers_of,
)
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.text_columns import Text
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

MOST_LEVELS = 24
"""Levels of a category that get a column of their own; rarer ones share one."""

_RARE = 0.001  # share of the rows; and
_RAREST = 3  # at least so many rows
_TRUE = ("yes", "true", "y", "t", "1")
_FALSE = ("no", "false", "n", "f", "0")
_BLOCK = 1 << 16  # rows
_MEDIAN_OF = 100_000  # rows: their median fills a gap as well, and sorting is slow


@dataclass(frozen=True)
class Numeric:
    """Numbers, standardized; missing ones take the training median.

    Attributes
    ----------
    name : str
    fill, mean, std : float
        Median, mean and standard deviation of the training rows.
    flagged : bool
        Whether a further column says which were missing: where training had some.
    missing : int
        How many of the training rows.
    low, high : float
        The training range; unbounded where a model file does not say.
    """

    name: str
    fill: float
    mean: float
    std: float
    flagged: bool
    missing: int
    low: float = -sys.float_info.max
    high: float = sys.float_info.max
    kind: ClassVar[str] = "numeric"

    @classmethod
    def fit(cls, column: pl.Series) -> Numeric:
        """Learn from the training rows."""
        check_type(column)
        numbers = column if is_whole(column) else numbers_of(column)
        missing, m = numbers.null_count(), len(numbers)
        if missing == m:
            raise DataError(
                f"column {column.name!r}: has no value in any training row; expected numbers. "
                f"Drop it ({setting('drop', '--drop')})."
            )
        low, high = float(numbers.min()), float(numbers.max())
        mean, variance, unit = numbers.mean(), numbers.var(ddof=0), 1.0
        if not math.isfinite(variance):  # squares beyond the range of float64
            unit = 1e160
            numbers = numbers / unit
            mean, variance = numbers.mean(), numbers.var(ddof=0)
        fill = _some(numbers, max(1, m // _MEDIAN_OF)).median()
        mean, std = _of_filled(mean, variance, fill, missing / m)
        std = std * unit or 1.0
        return cls(column.name, fill * unit, mean * unit, std, missing > 0, missing, low, high)

    def refined(self, totals: Totals) -> Numeric:
        """The same with the mean and standard deviation of more rows than it was fitted on."""
        share = totals.missing / totals.rows
        mean, std = _of_filled(totals.mean, totals.variance, self.fill, share)
        if not math.isfinite(std):  # squares beyond the range of numbers
            mean, std = self.mean, self.std
        return replace(
            self,
            mean=mean,
            std=std or 1.0,
            flagged=totals.missing > 0,
            missing=totals.missing,
            low=min(self.low, totals.low),
            high=max(self.high, totals.high),
        )

    @property
    def bounds(self) -> str:
        """What is outside the training range, and the range."""
        return f"a number outside the training range, {self.low:g} to {self.high:g}"

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [self.name, f"{self.name} is missing"] if self.flagged else [self.name]

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """The values, to be filled, flagged and standardized."""
        return Scaled(
            narrow_numbers_of(column, reading), self.fill, self.mean, self.std, self.flagged
        )

    def describe(self) -> str:
        """What was done, in one clause."""
        filled = f"{self.missing} missing filled with {self.fill:g} and flagged"
        return f"standardized, {filled}" if self.flagged else "standardized"


@dataclass(frozen=True)
class Boolean:
    """Two values, as 0 and 1; a missing one is in between, as is a third.

    How they are written does not matter: ``True`` is ``true``, and of a yes and a no also ``1``.

    Attributes
    ----------
    name : str
    levels : tuple of str
        The value that is 0, and the one that is 1.
    fill : float
        The share of ones in the training rows, for missing values.
    missing : int
    """

    name: str
    levels: tuple[str, str]
    fill: float
    missing: int
    kind: ClassVar[str] = "boolean"

    @classmethod
    def fit(cls, column: pl.Series) -> Boolean:
        """Learn from the training rows."""
        check_type(column)
        return cls.fit_coded(column.name, coded(column))

    @classmethod
    def fit_coded(cls, name: str, found: Coded) -> Boolean:
        """The same from levels that are known already."""
        levels = found.levels
        if len(levels) > 2 and cls.is_pair(levels):
            return cls._of_spellings(name, found)
        if len(levels) != 2 or levels[0].lower() == levels[1].lower():
            raise DataError(
                f"column {name!r}: holds {len(levels)} values; expected two for a boolean. "
                f"Pass {as_category(name)}."
            )
        false, true = sorted(range(2), key=lambda i: (levels[i].lower() in _TRUE, levels[i]))
        share = float(found.counts[true] / found.counts.sum())
        return cls(name, (levels[false], levels[true]), share, found.missing)

    @classmethod
    def _of_spellings(cls, name: str, found: Coded) -> Boolean:
        """The same of a yes and a no in several spellings: the most frequent of each is kept."""
        is_true = np.array([level.lower() in _TRUE for level in found.levels])
        usual = [int(np.where(is_true == each, found.counts, -1).argmax()) for each in (0, 1)]
        share = float(found.counts[is_true].sum() / found.counts.sum())
        return cls(name, (found.levels[usual[0]], found.levels[usual[1]]), share, found.missing)

    @staticmethod
    def is_pair(levels: list[str]) -> bool:
        """Whether values are a yes and a no, in one spelling each or in several.

        Examples
        --------
        >>> Boolean.is_pair(["No", "YES", "yes"]), Boolean.is_pair(["yes", "no", "maybe"])
        (True, False)
        """
        values = {level.lower() for level in levels[: len(_TRUE) + len(_FALSE) + 1]}
        both = values.intersection(_TRUE), values.intersection(_FALSE)
        return all(both) and len(levels) < 3 * len(_TRUE) and values <= {*_TRUE, *_FALSE}

    def refined(self, totals: Totals) -> Boolean:
        """The same, missing where any of more rows than it was fitted on is."""
        return replace(self, missing=totals.missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        flag = [f"{self.name} is missing"] if self.missing else []
        return [f"{self.name} = {self.levels[1]}", *flag]

    @property
    def spellings(self) -> dict[str, int]:
        """What is read as 0 and as 1, in lower case: of a yes and a no, however they are written.

        Examples
        --------
        >>> Boolean("garden", ("False", "True"), 0.5, 0).spellings["1"]
        1
        >>> Boolean("side", ("left", "right"), 0.5, 0).spellings
        {'left': 0, 'right': 1}
        """
        own = {level.lower(): i for i, level in enumerate(self.levels)}
        if not self.is_pair(list(self.levels)):
            return own
        return {word: i for i, words in enumerate((_FALSE, _TRUE)) for word in words}

    def knows(self, level: str) -> bool:
        """Whether a value is one of the two."""
        return level.lower() in self.spellings

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """0, 1, or the share of ones where a value is missing or was not seen.

        Raises
        ------
        DataError
            Where there are values, and none is one of the two.
        """
        levels, codes = numbered(column, reading, self.levels)
        numbers = self.spellings
        if levels and not any(level.lower() in numbers for level in levels):
            raise DataError(
                f"column {self.name!r}: holds {min(levels)!r}, and nowhere what it held in "
                f"training; expected {self.levels[0]} or {self.levels[1]}."
            )
        values = [float(numbers.get(level.lower(), self.fill)) for level in levels]
        table = np.zeros((len(levels) + 1, len(self.outputs)), dtype=np.float32)
        table[:, 0] = [*values, self.fill]
        table[-1, 1:] = 1
        return Rows(table, codes)

    def describe(self) -> str:
        """What was done, in one clause."""
        filled = (
            f", {self.missing} missing filled with {self.fill:.2f} and flagged"
            if self.missing
            else ""
        )
        return f"{self.levels[0]} is 0, {self.levels[1]} is 1{filled}"


@dataclass(frozen=True)
class Category:
    """One column a level; rare levels share one; missing is a level; unseen ones are rare.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Most frequent first.
    rare : int
        How many further levels share one column; 0 for none, and then an unseen level is all 0.
    missing : int
        How many training rows had none; where there were some, missing is a level.
    """

    name: str
    levels: tuple[str, ...]
    rare: int
    missing: int
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
        """Learn no level: all that is told is whether a value is there."""
        return cls(column.name, (), column.drop_nulls().n_unique(), column.null_count())

    def refined(self, totals: Totals) -> Category:
        """The same, missing where any of more rows than it was fitted on is."""
        return replace(self, missing=totals.missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        names = [f"{self.name} = {level}" for level in self.levels]
        if self.rare and self.levels:
            names.append(f"{self.name} is rare")
        if self.missing:
            names.append(f"{self.name} is missing")
        return names

    @property
    def codes(self) -> tuple[int, int]:
        """Which output is 1 for a missing value, and for one that is no level; or none is."""
        n = len(self.levels)
        pooled = bool(self.rare and self.levels)
        nowhere = len(self.outputs)
        return n + pooled if self.missing else nowhere, n if pooled else nowhere

    def knows(self, level: str) -> bool:
        """Whether a value has an output: one of its own, or that of the rare."""
        return level in self.levels or self.rare > 0

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """Which of the outputs is 1 in each row."""
        absent, other = self.codes
        found, codes = numbered(column, reading, self.levels)
        numbers = {level: i for i, level in enumerate(self.levels)}
        return Ones(codes, np.array([*(numbers.get(level, other) for level in found), absent]))

    def describe(self) -> str:
        """What was done, in one clause."""
        if not self.levels:
            return f"{self.rare} rare values: encoded as present or missing"
        parts = [f"{len(self.levels)} level{'s' * (len(self.levels) != 1)}"]
        if self.rare:
            parts.append(f"{self.rare} rare level{'s merged' if self.rare > 1 else ''}")
        if self.missing:
            parts.append(f"{self.missing} missing as a level")
        return ", ".join(parts)


@dataclass(frozen=True)
class Dropped:
    """A column that is left out, and why.

    Attributes
    ----------
    name : str
    why : str
    """

    name: str
    why: str
    kind: ClassVar[str] = "dropped"

    @classmethod
    def fit(cls, column: pl.Series) -> Dropped:
        """Left out because someone said so."""
        return cls(column.name, "as requested")

    def refined(self, totals: Totals) -> Dropped:
        """The same: rows that it was not fitted on do not bring it back."""
        return self

    @property
    def outputs(self) -> list[str]:
        """None."""
        return []

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Made:
        """Nothing."""
        return Rows(np.empty((len(column), 0), dtype=np.float32), None)

    def describe(self) -> str:
        """Why."""
        return self.why


def _some(numbers: pl.Series, step: int) -> pl.Series:
    """Every so-many-th of the numbers that are there, without a copy of all of them."""
    polars = require("polars", "table", "preprocessing")
    there = numbers.is_not_null()
    found, skipped = [], 0
    for first in range(0, len(numbers), _BLOCK):
        some = numbers.slice(first, _BLOCK)
        some = some.filter(there.slice(first, _BLOCK)) if some.null_count() else some
        found.append(some.to_numpy()[skipped::step].copy())
        skipped = (skipped - len(some)) % step
    return polars.Series(np.concatenate(found))


def _of_filled(mean: float, variance: float, fill: float, share: float) -> tuple[float, float]:
    """A column's mean and standard deviation from those of what is there; a share is filled."""
    variance = (1 - share) * (variance + share * (mean - fill) ** 2)
    return (1 - share) * mean + share * fill, math.sqrt(variance)


Column = Numeric | Boolean | Category | Date | Text | Dropped

KINDS: dict[str, type[Column]] = {
    row.kind: row for row in (Numeric, Boolean, Category, Date, Text, Dropped)
}
"""The kinds by name."""


def frequent(counts: Array, rows: int) -> Array:
    """The numbers of the levels that are frequent enough for a column of their own.

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
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return order[counts[order] >= min(enough, counts[order].max(initial=1))]
