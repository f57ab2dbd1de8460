"""Columns of short free text: each a vocabulary of its words, weighted by TF-IDF.

A word is a run of letters and digits in lower case. A row's entry for a word is how often the row
has it times the word's weight, ln((1 + m)/(1 + rows with it)) + 1; a row's entries have length 1.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.errors import DataError
from deltarule.preprocessing.assembly import Entries
from deltarule.preprocessing.cells import as_category, check_type, numbered, text_of
from deltarule.preprocessing.totals import Totals

if TYPE_CHECKING:
    import polars as pl

MOST_WORDS = 300
"""Words of a vocabulary, at most: those that the most rows have."""

_MOST_CELLS = 1 << 27  # rows times words; a vocabulary of very many rows is smaller
_FEWEST_WORDS = 50  # the least that it is cut to
_RARE = 0.001  # share of the rows that have a word; and
_RAREST = 3  # rows that a word stands in, at least
_TRIED = 10_000  # rows: whether their words recur tells whether a column is text
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a text, in order.

    Examples
    --------
    >>> words_of("Allen, Miss. Elisabeth Walton")
    ['allen', 'miss', 'elisabeth', 'walton']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Text:
    """Free text as TF-IDF: one output per word of a stored vocabulary.

    Attributes
    ----------
    name : str
    words : tuple of str
        The vocabulary, the most frequent first.
    weights : tuple of float
        Inverse document frequency of each.
    missing : int
        How many of the training rows have no word; where there are some, a flag is an output.

    Examples
    --------
    >>> import polars as pl
    >>> Text.fit(pl.Series("note", ["red car", "old car", "red bike"] * 3)).words
    ('car', 'red', 'bike', 'old')
    """

    name: str
    words: tuple[str, ...]
    weights: tuple[float, ...]
    missing: int
    kind: ClassVar[str] = "text"

    @classmethod
    def fit(cls, column: pl.Series) -> Text:
        """Learn the vocabulary from the training rows.

        Raises
        ------
        DataError
            Where no word recurs.
        """
        check_type(column)
        texts, codes = numbered(column)
        rows_of = np.bincount(codes, minlength=len(texts) + 1).tolist()
        found: Counter[str] = Counter()
        wordless = rows_of[-1]
        for text, rows in zip(texts, rows_of, strict=False):
            words = set(words_of(text))
            wordless += 0 if words else rows
            for word in words:
                found[word] += rows
        m = len(column)
        most = min(MOST_WORDS, max(_FEWEST_WORDS, _MOST_CELLS // max(m, 1)))
        varied = [(rows, word) for word, rows in found.items() if rows < m - wordless]
        if not varied:
            raise DataError(
                f"column {column.name!r}: no word tells its rows apart; expected text whose words "
                f"recur in some rows. Drop it, or pass {as_category(column.name)}."
            )
        enough = min(max(_RAREST, _RARE * m), max(varied)[0])
        frequent = [each for each in varied if each[0] >= enough]
        kept = sorted(frequent, key=lambda each: (-each[0], each[1]))[:most]
        weights = tuple(math.log((1 + m) / (1 + rows)) + 1 for rows, _ in kept)
        return cls(column.name, tuple(word for _, word in kept), weights, wordless)

    def refined(self, totals: Totals) -> Text:
        """The same, missing where any of more rows than it was fitted on is."""
        return replace(self, missing=max(self.missing, totals.missing))

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        flag = [f"{self.name} is missing"] if self.missing else []
        return [*(f"{self.name} has {word}" for word in self.words), *flag]

    def transform(self, column: pl.Series, reading: Reading | None = None) -> Entries:
        """The TF-IDF entries of every row: only those that are not 0 are stored."""
        texts, codes = numbered(column, reading)
        place = {word: i for i, word in enumerate(self.words)}
        flag = [len(self.words)] if self.missing else []
        met, counts = array("i"), array("i")
        for text in [*texts, ""]:  # a missing one has no word
            words = words_of(text)
            found = [place[word] for word in words if word in place] if words else flag
            met.extend(found)
            counts.append(len(found))
        return self._entries(codes, np.array(counts), np.array(met, dtype=np.int64))

    def _entries(self, codes: Array, counts: Array, met: Array) -> Entries:
        """Entries of texts by how many outputs each has met, and which, as often as it has them."""
        width, k = len(self.words) + 1, len(counts)
        rows = np.repeat(np.arange(k), counts)
        found, times = np.unique(rows * width + met, return_counts=True)
        rows, outputs = np.divmod(found, width)
        values = times * np.array([*self.weights, 1.0])[outputs]
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=k))
        starts = np.searchsorted(rows, np.arange(k + 1))
        return Entries(codes, starts, outputs, (values / lengths[rows]).astype(np.float32))

    def describe(self) -> str:
        """What was done, in one clause."""
        shown = ", ".join(self.words[:3])
        flagged = f", {self.missing} without words flagged" if self.missing else ""
        return f"TF-IDF of {len(self.words)} words ({shown}, ...){flagged}"


def recurring(column: pl.Series) -> bool:
    """Whether a column's words recur: not of keys, which have a number or code in every row.

    Decided on some rows: they must have one recurring word with a letter each, on average, that
    not all of them have.

    Examples
    --------
    >>> import polars as pl
    >>> recurring(pl.Series([f"{c} car no {i}" for i in range(30) for c in ("red", "old")]))
    True
    >>> recurring(pl.Series([f"A-{i}" for i in range(60)]))
    False
    """
    some = column.drop_nulls()
    some = text_of(some.gather_every(max(1, len(some) // _TRIED)).head(_TRIED))
    found = Counter(word for text in some.to_list() for word in set(words_of(text)))
    enough = max(_RAREST, _RARE * len(some))
    met = (
        rows
        for word, rows in found.most_common(MOST_WORDS)
        if enough <= rows < len(some) and not word.isdecimal()
    )
    return sum(met) >= len(some) > 0
