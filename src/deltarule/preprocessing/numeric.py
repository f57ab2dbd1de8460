"""A column of numbers: standardized, gaps filled with the median and flagged."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from deltarule.data import Reading
from deltarule.errors import DataError, require, setting
from deltarule.preprocessing.assembly import Made, Scaled
from deltarule.preprocessing.cells import check_type, is_whole, narrow_numbers_of, numbers_of
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

ENOUGH = 100_000
"""Rows that tell a median or a quantile as well as more would: sorting is slow."""

_BLOCK = 1 << 16  # rows


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
    scale: ClassVar[str] = "standardized"

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
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
        fill = some(numbers, max(1, m // ENOUGH)).median()
        mean, std = _of_filled(mean, variance, fill, missing / m)
        std = std * unit or 1.0
        return cls(column.name, fill * unit, mean * unit, std, missing > 0, missing, low, high)

    def refined(self, totals: Totals) -> Self:
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
        return f"{self.scale}, {filled}" if self.flagged else self.scale


def some(numbers: pl.Series, step: int) -> pl.Series:
    """Every so-many-th of the numbers that are there, without a copy of all of them.

    Parameters
    ----------
    numbers : polars.Series
    step : int
    """
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
