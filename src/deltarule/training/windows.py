"""What a run trains on at once: all of its data, or some blocks while the next ones are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.footprint import check_memory
from deltarule.errors import DataError, FileError, SettingError
from deltarule.network import Network, Parameters
from deltarule.training.blocks import BlockOrder, Blocks, InOrder
from deltarule.training.examples import Examples, checked_examples, data_memory, split_examples
from deltarule.training.run import Run

_LOOKED_AT = 1000  # rows


class Window(NamedTuple):
    """Examples, and the steps that are made of them.

    Attributes
    ----------
    examples : Examples
    order : int array
        Rows of the examples, whole batches but for the last of an epoch.
    first : int
        The number of its first step in the epoch, from 0.
    """

    examples: Examples
    order: Array
    first: int


@dataclass(frozen=True)
class Reader:
    """Blocks, checked against a network as they are read.

    Parameters
    ----------
    blocks : Blocks
    network : Network
    dtype : numpy.dtype
    """

    blocks: Blocks
    network: Network
    dtype: np.dtype[Any]

    @property
    def rows(self) -> int:
        """How many rows all blocks have."""
        return sum(self.blocks.counts)

    @property
    def sizes(self) -> tuple[tuple[int, ...], int]:
        """The rows of each block, and of a window: what the order depends on."""
        return tuple(int(count) for count in self.blocks.counts), self.blocks.window

    @property
    def memory(self) -> tuple[int, int]:
        """How many rows there are, and the bytes of those that lie in memory at once."""
        width = self.network.inputs + self.network.outputs
        return self.rows, 2 * min(self.blocks.window, self.rows) * width * self.dtype.itemsize

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint of the run must agree with."""
        counts, window = self.sizes
        sizes = hashlib.blake2b(repr(counts).encode(), digest_size=16).hexdigest()
        return {"data.blocks": self.blocks.digest, "data.counts": sizes, "data.window": window}

    def first(self) -> Examples:
        """Some rows of the first block that has any, for whoever wants to look at the data."""
        counts, window = self.sizes
        BlockOrder(counts, window)  # refuses a block that is too large
        if not sum(counts):
            raise DataError("the blocks have no rows; expected at least one.")
        found = self.read(np.flatnonzero(counts)[:1])
        return found.take(np.arange(min(len(found.Y), _LOOKED_AT)))

    def order(self, run: Run) -> BlockOrder:
        """The order of a run's rows."""
        in_order = not run.shuffle or run.batch_rows(self.rows) == self.rows
        return (InOrder if in_order else BlockOrder)(*self.sizes, run.plan.seed)

    def windows(
        self, order: BlockOrder, epoch: int, batch_size: int, first: int
    ) -> Iterator[Window]:
        """The windows of an epoch from a step on; while one trains, a thread reads the next.

        Rows that are left behind the last whole batch of a window make a batch with the first of
        the next one.
        """
        rest: Examples | None = None
        step = first
        for examples, rows, is_last in self._read_ahead(order, epoch, first * batch_size):
            if rest is not None:
                missing = batch_size - len(rest.Y)
                rest = _joined(rest, examples.take(rows[:missing]))
                rows = rows[missing:]
                if len(rest.Y) == batch_size or is_last:
                    yield Window(rest, np.arange(len(rest.Y)), step)
                    rest, step = None, step + 1
            whole = len(rows) if is_last else len(rows) // batch_size * batch_size
            if whole:
                yield Window(examples, rows[:whole], step)
                step += -(-whole // batch_size)
            if whole < len(rows):
                rest = examples.take(rows[whole:])

    def _read_ahead(
        self, order: BlockOrder, epoch: int, begin: int
    ) -> Iterator[tuple[Examples, Array, bool]]:
        """Each window's examples, the order of its rows from `begin` on, whether it is the last."""
        counts = np.asarray(self.blocks.counts)
        windows = order.windows(epoch)
        ends = np.cumsum([counts[blocks].sum() for blocks in windows])
        first = int(np.searchsorted(ends, begin, side="right"))
        with ThreadPoolExecutor(1, thread_name_prefix="deltarule-reader") as thread:
            coming = thread.submit(self.read, windows[first])
            for w in range(first, len(windows)):
                examples = coming.result()
                if w + 1 < len(windows):
                    coming = thread.submit(self.read, windows[w + 1])
                count = len(examples.Y)
                skipped = max(0, begin - (int(ends[w]) - count))
                yield examples, order.rows(epoch, w, count)[skipped:], w + 1 == len(windows)
                del examples  # before the next but one is read

    def read(self, blocks: Array) -> Examples:
        """Some blocks' examples, one below the other.

        Raises
        ------
        DataError
            Where a block has other rows than it should.
        ShapeError, TypeMismatchError
            Where they do not fit the network.
        """
        counts = [self.blocks.counts[k] for k in blocks]
        m = sum(counts)
        X = np.empty((m, self.network.inputs), self.dtype)
        Y = np.empty((m, self.network.outputs), self.dtype)
        weights: Array | None = None
        end = 0
        for k, count in zip(blocks.tolist(), counts, strict=True):
            if not count:
                continue
            found = checked_examples(self.network, *self.blocks.read(k), self.dtype)
            if len(found.Y) != count:
                raise DataError(
                    f"block {k} has {len(found.Y)} rows; expected {count}, as before. Leave the "
                    "data as it is until the training ends."
                )
            begin, end = end, end + count
            X[begin:end], Y[begin:end] = found.X, found.Y
            if found.weights is not None:
                weights = np.ones(m, self.dtype) if weights is None else weights
                weights[begin:end] = found.weights
        return Examples(X, Y, weights)


def check_run_memory(run: Run, X: Any, Y: Any, validation: Any) -> None:
    """Refuse what memory will not hold, before anything is made of it.

    Raises
    ------
    OutOfMemoryError
    """
    plan = run.plan
    if isinstance(X, Blocks):
        rows, copies = Reader(X, plan.network, plan.dtype).memory
    else:
        splits = validation is not None and not isinstance(validation, (tuple, list))
        rows, copies = data_memory(plan.network, X, Y, plan.dtype, splits=splits)
    check_memory(
        plan.network,
        plan.optimizer_row,
        plan.dtype,
        run.engine,
        run.options,
        batch_size=run.batch_rows(rows),
        data=copies,
        copies=1 + (validation is not None) + run.mean.on,  # last good, best, mean
    )


def data_of(
    run: Run, X: Any, Y: Any, weights: Any, validation: Any
) -> tuple[Examples, Examples | None, Reader | None]:
    """Checked data to train on and to evaluate; of blocks some rows, and who reads them.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError, SettingError
    """
    network, dtype, seed = run.plan.network, run.plan.dtype, run.plan.seed
    reader = Reader(X, network, dtype) if isinstance(X, Blocks) else None
    if reader is None:
        data = checked_examples(network, X, Y, weights, dtype)
    else:
        _check_streamed(run, Y, weights, validation)
        data = reader.first()
    return *split_examples(network, data, validation, seed, dtype), reader


def _check_streamed(run: Run, Y: Any, weights: Any, validation: Any) -> None:
    """Refuse what needs all examples in memory, where they come in blocks.

    Raises
    ------
    SettingError
        With what to do instead.
    """
    optimizer = run.plan.optimizer_row
    wrong = {
        "Y, weights": (
            Y is not None or weights is not None,
            "expected None: blocks bring their own. Leave them out",
        ),
        "validation": (
            validation is not None and not isinstance(validation, (tuple, list)),
            "a share cannot be held out of blocks. Pass (X, Y)",
        ),
        "shuffle": (
            not isinstance(run.shuffle, bool),
            "expected True or False: a custom order may ask for any row",
        ),
        "optimizer": (
            optimizer.full_batch,
            f"{type(optimizer).__name__} needs all rows at once. Choose one that steps, as Adam",
        ),
        "gradient_norm": (
            "gradient_norm" in run.stopping.wants,
            "needs the gradient of all rows at once. Leave it out",
        ),
    }
    for name, (is_wrong, why) in wrong.items():
        if is_wrong:
            raise SettingError(f"{name}, with blocks in place of X: {why}.")


def lost(
    error: FileError | DataError, step: int, parameters: Parameters, saved: Path | None
) -> FileError | DataError:
    """The end of a run whose data cannot be read any more: what has been learned is kept.

    Parameters
    ----------
    error : FileError or DataError
        Of the reading.
    step : int
        Of the run, the last that was made.
    parameters : Parameters
        After it; the error carries them.
    saved : Path or None
        The checkpoint.
    """
    where = "" if saved is None else f" The run is saved in {saved}."
    kind = FileError if isinstance(error, FileError) else DataError
    ended = kind(f"{error} Training ended after step {step:,}.{where}")
    ended.parameters = parameters
    return ended


def _joined(one: Examples, other: Examples) -> Examples:
    weights = None if one.weights is None else np.concatenate([one.weights, other.weights])
    return Examples(np.concatenate([one.X, other.X]), np.concatenate([one.Y, other.Y]), weights)
