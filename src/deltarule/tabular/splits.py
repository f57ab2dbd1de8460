"""Which rows are held out: by class, by group, by time, or by chance; the same for the same seed.

Every split returns row numbers in ascending order, so that a part of a table keeps its order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, setting
from deltarule.rng import generator


class Parts(NamedTuple):
    """Row numbers: the training rows, and the held-out rows."""

    kept: Array
    held: Array

    def within(self, rows: Array) -> Parts:
        """Both as numbers among some rows, ascending; other rows are left out.

        Examples
        --------
        >>> Parts(np.array([0, 1, 4]), np.array([2, 3])).within(np.array([1, 3, 4]))
        Parts(kept=array([0, 2]), held=array([1]))
        """
        return Parts(*(np.flatnonzero(np.isin(rows, part)) for part in self))


@dataclass(frozen=True)
class Keys:
    """What a split goes by; at most one is given, and none means by chance.

    Attributes
    ----------
    labels : array of int, shape (m,), optional
        Class numbers: each part gets its share of every class.
    groups : array of int, shape (m,), optional
        Rows of one group stay together.
    time : array, shape (m,), optional
        What is held out is later than what is kept.
    """

    labels: Array | None = None
    groups: Array | None = None
    time: Array | None = None

    def take(self, rows: Array) -> Keys:
        """The keys of some rows."""
        return Keys(
            *(None if key is None else key[rows] for key in (self.labels, self.groups, self.time))
        )


def held_out(m: int, share: float, keys: Keys, seed: int, purpose: int) -> Parts:
    """Hold out about `share` of `m` rows.

    Parameters
    ----------
    m : int
    share : float
        Between 0 and 1.
    keys : Keys
    seed : int
    purpose : int
        Splits of different purpose are independent.

    Raises
    ------
    DataError
        Where one of the parts would be empty.

    Examples
    --------
    >>> labels = np.array([0] * 8 + [1] * 2)
    >>> held = held_out(10, 0.5, Keys(labels=labels), seed=0, purpose=1).held
    >>> labels[held].tolist()
    [0, 0, 0, 0, 1]
    """
    rng = generator(seed, "split", purpose)
    wanted = min(max(round(share * m), 1), m - 1)
    if keys.time is not None:
        is_held = _latest(keys.time, wanted)
    elif keys.groups is not None:
        is_held = _whole_groups(keys.groups, wanted, rng)
    elif keys.labels is not None:
        is_held = _of_each_class(keys.labels, wanted, rng)
    else:
        is_held = np.zeros(m, dtype=bool)
        is_held[rng.permutation(m)[:wanted]] = True
    return _parts(is_held)


def folds(m: int, count: int, keys: Keys, seed: int) -> Iterator[Parts]:
    """`count` splits whose held-out parts cover the rows once; by time, each trains on the past.

    Examples
    --------
    >>> [parts.held.tolist() for parts in folds(5, 2, Keys(time=np.arange(5)), seed=0)]
    [[1, 2], [3, 4]]
    """
    if keys.time is not None:
        yield from _folds_of_time(keys.time, count)
        return
    rng = generator(seed, "split", 3)
    if keys.groups is not None:
        fold = _fold_of_groups(keys.groups, count, rng)
    else:
        labels = np.zeros(m) if keys.labels is None else keys.labels
        fold = np.empty(m, dtype=np.int64)
        fold[np.lexsort((rng.random(m), labels))] = np.arange(m) % count
    for k in range(count):
        yield _parts(fold == k)


def _parts(is_held: Array) -> Parts:
    parts = Parts(np.flatnonzero(~is_held), np.flatnonzero(is_held))
    if not len(parts.kept) or not len(parts.held):
        raise DataError(
            "the rows cannot be split: one part would be empty. Expected at least two groups, or "
            "two distinct times. Pass more rows, or other groups or times."
        )
    return parts


def _of_each_class(labels: Array, wanted: int, rng: np.random.Generator) -> Array:
    """The same share of every class; a class of one row is kept."""
    counts = np.bincount(labels)
    exact = np.where(counts > 1, counts * wanted / len(labels), 0.0)
    held = np.floor(exact).astype(np.int64)
    left = min(wanted - int(held.sum()), int((exact > held).sum()))
    held[np.argsort(held - exact, kind="stable")[:left]] += 1
    order = np.lexsort((rng.random(len(labels)), labels))
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_held = np.zeros(len(labels), dtype=bool)
    is_held[order] = place < np.repeat(held, counts)
    return is_held


def _whole_groups(groups: Array, wanted: int, rng: np.random.Generator) -> Array:
    """Groups in random order, until as many rows are held out as come nearest to the wish.

    Some groups may have their rows elsewhere: what is held out, and what is kept, has rows.
    """
    counts = np.bincount(groups)
    order = rng.permutation(len(counts))
    held = np.cumsum(counts[order])
    possible = (held > 0) & (held < len(groups))
    number = np.where(possible, abs(held - wanted), np.inf).argmin() + 1
    return np.isin(groups, order[:number])


def _latest(time: Array, wanted: int) -> Array:
    """The latest rows; rows of one time are never on both sides."""
    cut = np.sort(time)[len(time) - wanted]
    is_held: Array = time >= cut if (time < cut).any() else time > cut
    return is_held


def _fold_of_groups(groups: Array, count: int, rng: np.random.Generator) -> Array:
    """Each group to the smallest fold so far, the largest groups first."""
    counts = np.bincount(groups)
    there = np.count_nonzero(counts)
    if there < count:
        raise DataError(
            f"{count} folds: expected at least as many groups, got {there}. Use fewer folds"
            f"{setting('', ' (--cv)')}, or no groups."
        )
    fold_of, size = np.empty(len(counts), dtype=np.int64), np.zeros(count)
    for group in np.lexsort((rng.random(len(counts)), -counts)):
        fold_of[group] = size.argmin()
        size[fold_of[group]] += counts[group]
    return fold_of[groups]


def _folds_of_time(time: Array, count: int) -> Iterator[Parts]:
    cuts = np.sort(time)[[len(time) * k // (count + 1) for k in range(1, count + 1)]]
    for k, cut in enumerate(cuts):
        until = time < cuts[k + 1] if k + 1 < count else np.ones(len(time), dtype=bool)
        kept, held = np.flatnonzero(time < cut), np.flatnonzero((time >= cut) & until)
        if not len(kept) or not len(held):
            raise DataError(
                f"{count} folds by time: expected at least {count + 1} distinct times. Use fewer "
                f"folds{setting('', ' (--cv)')}."
            )
        yield Parts(kept, held)
