"""Rows of a table that is read in blocks: what each is for, and those that train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, proportions
from deltarule.data import Stream
from deltarule.errors import rows_of
from deltarule.preprocessing import Preprocessing, Targets, has_targets
from deltarule.rng import row_words
from deltarule.tabular.roles import inputs_of, raw_weights
from deltarule.tabular.settings import Roles, Settings

TRAIN, VALIDATION, TEST, NOWHERE = range(4)


class Shares(NamedTuple):
    """Which rows are held out: those whose random word is below a limit.

    Attributes
    ----------
    seed : int
    test, validation : int
        Limits, of 2³²: below the first a row is a test row, below the second a validation row.
    """

    seed: int
    test: int
    validation: int

    @classmethod
    def of(cls, rows: int, most: int, settings: Settings, *, tested: bool) -> Shares:
        """The settings' shares, or less, so that each part has about `most` rows at most."""
        limit = most / max(rows, 1)
        test = min(settings.test_share, limit) if tested else 0.0
        validation = (1 - test) * min(settings.validation_share, limit)
        return cls(settings.seed, int(test * 2**32), int((test + validation) * 2**32))

    def parts(self, first: int, count: int) -> tuple[Array, Array]:
        """What each of some rows is for, and where it stands among those to sample from."""
        word, place = row_words(self.seed, first, count)
        return np.where(word < self.test, TEST, (word < self.validation) * VALIDATION), place


@dataclass(frozen=True)
class StreamedRows:
    """The training rows of a table in blocks: :class:`~deltarule.Blocks` for a training.

    Attributes
    ----------
    stream : Stream
    shares : Shares
    roles : Roles
    preprocessing : Preprocessing
    targets : Targets
    counts : tuple of int
        Training rows of each block.
    window : int
    """

    stream: Stream
    shares: Shares
    roles: Roles
    preprocessing: Preprocessing
    targets: Targets
    counts: tuple[int, ...]
    window: int
    heaviest: float

    @property
    def digest(self) -> str:
        """What tells this data from other data."""
        return f"{self.stream.digest} {self.shares}"

    def read(self, block: int) -> tuple[Array, Array, Array | None]:
        """X, Y and weights of a block's training rows."""
        frame = self.stream.read(block)
        parts, _ = self.shares.parts(self.stream.blocks[block].first, len(frame))
        kept = (parts == TRAIN) & has_targets(frame, self.roles.target).to_numpy()
        rows: Array = np.flatnonzero(kept)
        frame = frame.filter(kept)
        with self.stream.cells_of(block), rows_of(rows):
            return (
                self.preprocessing.transform(inputs_of(frame, self.roles)),
                self.targets.encode(frame),
                self._weights(frame),
            )

    def _weights(self, frame: Any) -> Array | None:
        """In the proportions that they have in all blocks."""
        weights = raw_weights(frame, self.roles)
        return None if weights is None else proportions(weights, largest=self.heaviest)
