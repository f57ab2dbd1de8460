"""What :mod:`tabarena` has measured: a file of JSON lines, one per fit, and comparisons over it.

A comparison of two models is made on the sets and folds that both have been fitted on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tabarena_sets import FOLDS

Record = dict[str, Any]

_LEAST = 1e-12  # of an error in a ratio: an AUC may be 1
_RESAMPLES = 200  # of the sets, for the standard error of an Elo rating


class Key(NamedTuple):
    """What identifies a fit."""

    set: str
    fold: str
    model: str


def append(path: Path, record: Record) -> None:
    """Add a line to a file in one write, after whatever an interrupted run may have left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, f"{chr(10) * torn}{json.dumps(record)}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def records(paths: Iterable[Path]) -> dict[Key, Record]:
    """The last record of each fit in some files; lines that are not whole are skipped."""
    found: dict[Key, Record] = {}
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            found[Key(record["set"], record["fold"], record["model"])] = record
    return found


class Errors:
    """Errors and CPU seconds by model, set and fold.

    Parameters
    ----------
    found : mapping of Key to record
        Failed fits count as not made.
    folds : sequence of str
        Those that count.
    """

    def __init__(self, found: Mapping[Key, Record], folds: Iterable[str] = FOLDS) -> None:
        known = [(key, record) for key, record in found.items() if "error" in record]
        self._records = {key: record for key, record in known if key.fold in folds}
        self.models = list(dict.fromkeys(key.model for key in self._records))

    def folds(self, model: str, name: str) -> frozenset[str]:
        """The folds of a set that a model has been fitted on."""
        return frozenset(k.fold for k in self._records if (k.model, k.set) == (model, name))

    def sets(self, *models: str) -> list[str]:
        """The sets on which all of some models have a fold in common."""
        names = dict.fromkeys(key.set for key in self._records)
        return [name for name in names if self.common(name, models)]

    def common(self, name: str, models: Iterable[str]) -> frozenset[str]:
        """The folds of a set that all of some models have been fitted on."""
        each = [self.folds(model, name) for model in models]
        return frozenset.intersection(*each) if each else frozenset()

    def mean(self, model: str, name: str, folds: Iterable[str], what: str = "error") -> float:
        """The mean of a set's error, or CPU seconds, over folds."""
        values = [self._records[Key(name, fold, model)][what] for fold in sorted(folds)]
        return float(np.mean(values))

    def wins(self, model: str, other: str, name: str) -> float:
        """1 where a model's mean error on a set is less than another's, 0.5 where it is equal."""
        folds = self.common(name, (model, other))
        ours, theirs = (self.mean(each, name, folds) for each in (model, other))
        return float(ours < theirs) + 0.5 * (ours == theirs)

    def over_best(self, model: str, peers: Iterable[str], name: str) -> float | None:
        """The error on a set over the least of the peers that were fitted on the same folds."""
        folds = self.folds(model, name)
        if not folds:
            return None
        best = [self.mean(p, name, folds) for p in peers if folds <= self.folds(p, name)]
        if not best:
            return None
        return max(self.mean(model, name, folds), _LEAST) / max(min(best), _LEAST)

    def ratios(self, model: str, other: str, what: str = "error") -> np.ndarray:
        """Of each common set: a model's mean error, or CPU seconds, over another's."""
        found = []
        for name in self.sets(model, other):
            folds = self.common(name, (model, other))
            pair = [max(self.mean(each, name, folds, what), _LEAST) for each in (model, other)]
            found.append(pair[0] / pair[1])
        return np.array(found)

    def elo(self, anchor: str) -> dict[str, tuple[float, float]]:
        """Each model's rating, with its standard error over resampled sets; the anchor has 1000.

        A Bradley-Terry fit to who wins on how many sets, with one draw added to each pair.
        """
        scores = self._scores()
        rng = np.random.default_rng(0)
        count = len(scores)
        draws = [np.arange(count), *rng.integers(count, size=(_RESAMPLES, count))]
        ratings = _ratings(np.array([scores[sets].sum(axis=0) for sets in draws]))
        ratings += 1000 - ratings[:, [self.models.index(anchor)]]
        pairs = zip(ratings[0], ratings[1:].std(axis=0), strict=True)
        return dict(zip(self.models, [(float(a), float(b)) for a, b in pairs], strict=True))

    def _scores(self) -> np.ndarray:
        """Wins ``(sets, models, models)``; of pairs without a fold in common, 0."""
        names = list(dict.fromkeys(key.set for key in self._records))
        scores = np.zeros((len(names), len(self.models), len(self.models)))
        for s, name in enumerate(names):
            for i, model in enumerate(self.models):
                for j, other in enumerate(self.models):
                    if i != j and self.common(name, (model, other)):
                        scores[s, i, j] = self.wins(model, other, name)
        return scores


def _ratings(wins: np.ndarray) -> np.ndarray:
    """Elo ratings, up to a constant, from how often each model beat each other (Hunter 2004).

    Of several tournaments at once: ``(…, models, models)`` to ``(…, models)``.
    """
    wins = wins + 0.5 * (1 - np.eye(wins.shape[-1]))
    games, strength = wins + wins.swapaxes(-1, -2), np.ones(wins.shape[:-1])
    for _ in range(500):
        pairs = strength[..., :, None] + strength[..., None, :]
        strength = wins.sum(axis=-1) / (games / pairs).sum(axis=-1)
        strength /= np.exp(np.log(strength).mean(axis=-1, keepdims=True))
    return 400 * np.log10(strength)
