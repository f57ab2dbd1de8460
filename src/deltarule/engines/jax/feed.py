"""Data on its way to the device: once where it may stay, else chunk by chunk, ahead of use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.jax.device import room
from deltarule.engines.jax.programs import Data, Schedule
from deltarule.engines.jax.sharing import Sharing
from deltarule.rng import seed_words
from deltarule.sparse import CompressedRows, gathered

_STEPS = 4096  # of one call of a program, at most
_ENTRIES = 2**20  # of the order, likewise
_BYTES = 2**26  # of examples, where they do not stay on the device


class Chunk(NamedTuple):
    """The arguments of one call of a program, and how many steps it makes."""

    data: Data
    schedule: Schedule
    steps: int


class Feed:
    """What a runner's data goes through.

    Read-only arrays stay on the device from call to call, as long as the same ones are passed
    and they fit. Of others, which may have changed, the rows of each chunk are gathered here and
    moved while the device computes the chunk before. So are all in a group of processes: each
    gathers and moves its share of every batch alone.

    Parameters
    ----------
    sharing : Sharing
    dtype : numpy.dtype
    seed : int
    """

    def __init__(self, sharing: Sharing, dtype: np.dtype[Any], seed: int) -> None:
        self._sharing = sharing
        self._dtype = dtype
        self._seed = seed_words(seed)
        self._staying: tuple[Data, Data] | None = None
        self._capacities: dict[tuple[int, bool], int] = {}

    def chunks(
        self, data: Data, order: Array, batch: int, learning_rates: Array, step: int
    ) -> Iterator[Chunk]:
        """The chunks of a run, each on its way to the device when it is asked for."""
        stays = self._stays(data)
        steps, padded = -(-len(order) // batch), self._sharing.padded(batch)
        capacity = self._capacity(steps, batch, None if stays else _row_bytes(data))
        for first in range(0, steps, capacity):
            rows = order[first * batch : (first + capacity) * batch]
            rates = learning_rates[first : first + capacity]
            batches = _in_batches(rows, batch, padded)
            if stays:
                moved = self._kept(data)
                numbers = _padded(batches.astype(np.int32), capacity)
            else:
                moved, numbers = self._moved(data, batches, capacity), None
            yield Chunk(
                moved,
                Schedule(
                    numbers,
                    np.stack(
                        [step + first + np.arange(capacity), _padded(rates, capacity)], axis=1
                    ).astype(self._dtype),
                    np.uint32((step + first) & 0xFFFFFFFF),
                    self._seed,
                    np.int32(len(rows) // batch),
                    np.int32(len(rows) % batch),
                    None if padded == batch else np.int32(batch),
                ),
                len(rates),
            )

    def _stays(self, data: Data) -> bool:
        arrays = [a for a in data if a is not None]
        if isinstance(data.X, CompressedRows) or self._sharing.processes > 1:
            return False
        if any(a.flags.writeable for a in arrays):
            return False
        if self._staying is not None and _same(self._staying[0], data):
            return True
        self._staying = None  # make room
        fits: bool = sum(a.nbytes for a in arrays) <= room(self._sharing.device)
        return fits

    def _kept(self, data: Data) -> Data:
        if self._staying is None:
            self._staying = (data, self._sharing.placed(data))
        return self._staying[1]

    def _moved(self, data: Data, batches: Array, capacity: int) -> Data:
        """The rows of some batches on their way: those of this process's devices."""
        own = self._sharing.share(batches)
        rows, length = own.reshape(-1), capacity * own.shape[1]
        found = (_lengthened(a, rows, len(rows), length) for a in data)
        in_batches = (
            None if a is None else a.reshape(capacity, own.shape[1], *a.shape[1:]) for a in found
        )
        return self._sharing.spread(Data(*in_batches))  # type: ignore[no-any-return]

    def _capacity(self, steps: int, batch: int, row_bytes: int | None) -> int:
        """How many steps a program is made for: a power of two, no less than it was before."""
        limit = min(_STEPS, _ENTRIES // batch)
        if row_bytes is not None:
            limit = min(limit, _BYTES // (batch * row_bytes))
        wanted = min(_power_of_two(steps), _power_of_two(max(limit, 1) + 1) // 2)
        key = (batch, row_bytes is None)
        self._capacities[key] = max(wanted, self._capacities.get(key, 1))
        return self._capacities[key]


def padded_rows(array: Array) -> Array:
    """Rows up to the next power of two, so that few numbers of rows are compiled for."""
    return _lengthened(array, slice(None), _power_of_two(len(array)), _power_of_two(len(array)))


def _lengthened(array: Array | None, rows: Any, there: int, length: int) -> Array | None:
    """Some rows of an array, the last repeated up to `there`, in an array of `length`."""
    if array is None:
        return None
    chosen = gathered(array, rows)
    if len(chosen) == length:
        return chosen
    longer = np.empty((length, *array.shape[1:]), array.dtype)
    longer[: len(chosen)] = chosen
    longer[len(chosen) : there] = chosen[-1]
    return longer


def _in_batches(rows: Array, batch: int, padded: int) -> Array:
    """Row numbers, a batch a row, each padded with its last up to a length."""
    whole = _padded(rows, -(-len(rows) // batch) * batch).reshape(-1, batch)
    return _padded(whole.T, padded).T


def _padded(values: Array, length: int) -> Array:
    """Values, the last repeated up to a length."""
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])


def _power_of_two(number: int) -> int:
    """The least that is no less."""
    return 1 << (number - 1).bit_length()


def _row_bytes(data: Data) -> int:
    return sum(a.dtype.itemsize * math.prod(a.shape[1:]) for a in data if a is not None)


def _same(one: Data, other: Data) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))
