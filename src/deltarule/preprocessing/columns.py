"""The kinds of column: how each is fitted, turned into numbers and described.

A kind is one class. Its fields are what training taught it and what a model file stores; its
methods turn a column into an array, its text as a :class:`~deltarule.data.Reading` says.
:data:`KINDS` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deltarule.data import Reading
from deltarule.errors import DataError
from deltarule.preprocessing.assembly import Made, Rows
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import (
    Coded,
    as_category,
    check_type,
    coded,
    numbered,
)
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.embedded_columns import EmbeddedCategory
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores
from deltarule.preprocessing.text_columns import Text
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

IDENTIFIER = "identifier"
"""How the reason begins why a column that identifies a row is left out."""

FREE_TEXT = "free text"
"""How the reason begins why a column of prose is left out."""

_TRUE = ("yes", "true", "y", "t", "1")
_FALSE = ("no", "false", "n", "f", "0")


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

    @property
    def is_identifier(self) -> bool:
        """Whether it is left out since it identifies a row."""
        return self.why.startswith(IDENTIFIER)

    @property
    def hardly_recurs(self) -> bool:
        """Whether it is left out since its values hardly recur."""
        return self.why.startswith((IDENTIFIER, FREE_TEXT))

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


Column = Numeric | Scores | Boolean | Category | EmbeddedCategory | Date | Text | Dropped

KINDS: dict[str, type[Column]] = {
    row.kind: row
    for row in (Numeric, Scores, Boolean, Category, EmbeddedCategory, Date, Text, Dropped)
}
"""The kinds by name."""
