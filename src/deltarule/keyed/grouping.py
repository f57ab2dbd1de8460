"""Rows grouped by key: each key's own random numbers, and its rows parted by them.

What is drawn for a key depends on the seed, on the key's text and on its own rows, and on nothing
else: neither on its place among other keys, nor on how keys are put together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.rng import seed_words, threefry

_PURPOSES = ("test", "validation")


class Block(NamedTuple):
    """The rows of some keys, a key's rows together.

    Attributes
    ----------
    keys : tuple of str
    starts : int array, shape (keys + 1,)
        Where each key's rows begin; the last is m.
    X : float32 array, shape (m, n[0])
    y : float64 array, shape (m, targets)
        Values; or class numbers, and then one column.
    time : int array, shape (m,), or None
        The rank of each row's time, where the latest rows are to be held out.
    """

    keys: tuple[str, ...]
    starts: Array
    X: Array
    y: Array
    time: Array | None

    @property
    def counts(self) -> Array:
        """How many rows each key has."""
        return np.diff(self.starts)

    @property
    def places(self) -> Array:
        """The number of each row's key, ``(m,)``."""
        return np.repeat(np.arange(len(self.keys)), self.counts)

    def between(self, first: int, last: int) -> Block:
        """The keys from `first` up to `last`."""
        a, b = self.starts[first], self.starts[last]
        starts = self.starts[first : last + 1] - a
        time = None if self.time is None else self.time[a:b]
        return Block(self.keys[first:last], starts, self.X[a:b], self.y[a:b], time)

    def of_keys(self, chosen: Array) -> Block:
        """Some of the keys, by a bool each."""
        rows = np.repeat(chosen, self.counts)
        keys = tuple(key for key, is_chosen in zip(self.keys, chosen, strict=True) if is_chosen)
        time = None if self.time is None else self.time[rows]
        return Block(keys, starts_of(self.counts[chosen]), self.X[rows], self.y[rows], time)


def starts_of(counts: Array) -> Array:
    """Where groups with these numbers of rows begin, and where the last ends.

    Examples
    --------
    >>> starts_of(np.array([2, 3])).tolist()
    [0, 2, 5]
    """
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def key_seeds(seed: int, keys: Sequence[str]) -> Array:
    """A seed of each key's own, uint64 below 2**63: of the seed and the key's text alone.

    The text's BLAKE2b is the counter, the seed the key of a Threefry call.

    Examples
    --------
    >>> one, two = key_seeds(0, ["a", "b"]), key_seeds(0, ["c", "b"])
    >>> bool(one[1] == two[1]), bool(one[0] == two[0])
    (True, False)
    """
    digests = b"".join(
        hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for key in keys
    )
    counters = np.frombuffer(digests, dtype="<u4").reshape(-1, 2)
    high, low = (np.full(len(counters), word) for word in seed_words(seed))
    w0, w1 = threefry(np, high, low, counters[:, 0].copy(), counters[:, 1].copy())
    found: Array = ((w0.astype(np.uint64) << np.uint64(32)) | w1) >> np.uint64(1)
    return found


def held_out(
    starts: Array, labels: Array | None, seeds: Array, share: float, purpose: str
) -> Array:
    """Which rows are held out, ``(m,)`` of bool: about `share` of each key's, by chance.

    Of classes each gives its share, and its first row is kept: a class of a key is always there to
    learn.

    Parameters
    ----------
    starts : int array, shape (keys + 1,)
    labels : int array, shape (m,), optional
        Class numbers.
    seeds : uint64 array, shape (keys,)
    share : float
    purpose : str
        ``"test"`` or ``"validation"``.

    Examples
    --------
    >>> held = held_out(np.array([0, 10, 15]), None, key_seeds(0, ["a", "b"]), 0.2, "test")
    >>> held[:10].sum(), held[10:].sum()
    (np.int64(2), np.int64(1))
    """
    counts = np.diff(starts)
    keys = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(starts[-1]) - starts[keys]
    own = seeds[keys]
    high, low = (own >> np.uint64(32)).astype(np.uint32), own.astype(np.uint32)
    counter = np.full(len(own), _PURPOSES.index(purpose), np.uint32)
    words = threefry(np, high, low, place.astype(np.uint32), counter)[0]
    classes = np.zeros(len(own), np.int64) if labels is None else labels
    order = np.lexsort((words, classes, keys))
    first = (place == 0) | (np.diff(classes[order], prepend=-1) != 0)
    due = np.floor((place + 1) * share) > np.floor(place * share)
    held = np.empty(len(own), bool)
    held[order] = due & ~first
    return held


def latest(starts: Array, time: Array, share: float) -> Array:
    """Which rows are held out, ``(m,)`` of bool: about `share` of each key's, its latest.

    Rows of one time are never on both sides; a key whose rows are all of one time gives none.

    Parameters
    ----------
    starts : int array, shape (keys + 1,)
    time : int array, shape (m,)
    share : float

    Examples
    --------
    >>> latest(np.array([0, 5, 7]), np.array([3, 1, 2, 0, 3, 8, 8]), 0.2).tolist()
    [True, False, False, False, True, False, False]
    """
    counts = np.diff(starts)
    keys = np.repeat(np.arange(len(counts)), counts)
    ordered = time[np.lexsort((time, keys))]
    wanted = np.clip(np.round(counts * share).astype(np.int64), 1, counts)
    cut = ordered[starts[1:] - wanted]
    cut = cut + (ordered[starts[:-1]] == cut)  # ranks: the next time
    held: Array = time >= cut[keys]
    return held
