"""What is added up over all rows of a table in blocks: rows, missing ones, mean and variance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deltarule.preprocessing.cells import check_type, days_in, is_date, is_numeric, numbers_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Totals:
    """A column's figures.

    Attributes
    ----------
    rows, missing : int
    mean, variance : float
        Of the values that are there, in a column of numbers; else 0.
    low, high : float
        The least and the greatest of them, of dates in days since 1970; else infinite.

    Examples
    --------
    >>> import polars as pl
    >>> Totals.of(pl.Series([1.0, 3.0])).joined(Totals.of(pl.Series([1.0, 3.0, None])))
    Totals(rows=5, missing=1, mean=2.0, variance=1.0, low=1.0, high=3.0)
    """

    rows: int = 0
    missing: int = 0
    mean: float = 0.0
    variance: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, column: pl.Series) -> Totals:
        """Those of a block's column.

        Raises
        ------
        DataError
            For infinity, with its row, and cells that hold no values.
        """
        check_type(column)
        missing = column.null_count()
        if is_date(column) and missing < len(column):
            days = days_in(column)
            low, high = float(np.nanmin(days)), float(np.nanmax(days))
            return cls(len(column), missing, low=low, high=high)
        if not is_numeric(column) or missing == len(column):
            return cls(len(column), missing)
        numbers = numbers_of(column)
        mean, variance = numbers.mean(), numbers.var(ddof=0)
        figures = (mean, variance, numbers.min(), numbers.max())
        return cls(len(column), numbers.null_count(), *map(float, figures))

    def joined(self, other: Totals) -> Totals:
        """Those of both blocks (Chan, Golub, LeVeque 1979)."""
        mine, theirs = self.rows - self.missing, other.rows - other.missing
        rows, missing = self.rows + other.rows, self.missing + other.missing
        if not mine or not theirs:
            return replace(self if mine else other, rows=rows, missing=missing)
        share = theirs / (mine + theirs)
        apart = other.mean - self.mean
        variance = (1 - share) * self.variance + share * other.variance
        return Totals(
            rows,
            missing,
            self.mean + share * apart,
            variance + share * (1 - share) * apart**2,
            min(self.low, other.low),
            max(self.high, other.high),
        )
