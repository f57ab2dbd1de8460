"""Blocks of keys on the workers of a joblib backend, supervised: a worker that dies is noticed.

``joblib.parallel_config`` chooses the backend, and nothing else of joblib is used: its dispatch
waits forever for a worker that was killed. A backend is three calls (:class:`Workers`).
How long a block takes has no limit; what is watched is whether the workers live.
"""

from __future__ import annotations

import pickle
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from time import monotonic
from typing import Any, Protocol, TypeAlias, TypeVar

from deltarule.keyed.grouping import Block
from deltarule.keyed.stacks import Stack
from deltarule.keyed.training import Work, train_block

BEAT = 4.0
"""Seconds between two looks at the workers."""

SILENCE = 10
"""Looks at a worker without a sign of life, after which it counts as dead."""

JOIN = 5.0
"""Seconds to wait for workers to end after the signal."""

_Made = TypeVar("_Made")

Outcome: TypeAlias = Stack | Exception
"""What becomes of a block: its networks, or the error of their training.

The error is returned, so that whatever a worker *raises* is a failure of the worker.
"""


class WorkerError(Exception):
    """A worker is gone; the message names it and says how it ended."""


class Workers(Protocol):
    """What trains blocks.

    Attributes
    ----------
    at_once : int
        How many blocks may be handed out at a time.
    """

    at_once: int

    def submit(self, work: Work, block: Block) -> Future[Outcome]:
        """Train a block; the future fails where its worker does."""

    def check(self) -> None:
        """Raise :class:`WorkerError` where a worker that has a block is gone unnoticed."""

    def close(self) -> None:
        """End what is under way."""


def outcome(work: Work, block: Block) -> Outcome:
    """Train a block."""
    try:
        return train_block(work, block)
    except Exception as error:
        return error


def packed(work: Work, block: Block) -> bytes:
    """A block to train elsewhere; what ``__main__`` defines goes along."""
    from joblib.externals.loky.backend.reduction import dumps

    return bytes(dumps((work, block)))


def outcome_of(content: bytes) -> Outcome:
    """Train a packed block: what a worker is asked for, and nobody on the way to it unpacks."""
    return outcome(*pickle.loads(content))


def each_trained(
    workers: Workers, work: Work, blocks: Iterable[tuple[int, Block]]
) -> Iterator[tuple[int, Stack]]:
    """The number and the networks of every block, as they finish.

    Parameters
    ----------
    workers : Workers
    work : Work
    blocks : iterable of (int, Block)
        With their numbers. At most `workers.at_once` are taken at a time.

    Raises
    ------
    WorkerError
        Where a worker is gone. What has finished by then has been handed out.
    """
    rest = iter(blocks)
    waiting: dict[Future[Outcome], int] = {}
    watch = _Watch(workers)
    while True:
        while len(waiting) < workers.at_once and (item := next(rest, None)) is not None:
            waiting[_submitted(workers, work, item[1])] = item[0]
        if not waiting:
            return
        begun = monotonic()
        done, _ = wait(waiting, BEAT, FIRST_COMPLETED)
        for future in sorted(done, key=_failed):
            yield waiting.pop(future), _result(future)
        watch.passed(monotonic() - begun)


def _submitted(workers: Workers, work: Work, block: Block) -> Future[Outcome]:
    try:
        return workers.submit(work, block)
    except Exception as error:
        raise WorkerError(f"no worker takes a block: {in_a_line(error)}") from error


def _failed(future: Future[Outcome]) -> bool:
    return future.cancelled() or future.exception() is not None


def _result(future: Future[Outcome]) -> Stack:
    try:
        found = future.result()
    except WorkerError:
        raise
    except Exception as error:  # of the backend: what training raises is returned
        raise WorkerError(f"a worker failed: {in_a_line(error)}") from error
    if isinstance(found, Exception):
        raise found
    return found


class _Watch:
    """Looks at the workers now and then, from a thread: what is gone may never answer.

    Time is counted in looks, so that a computer that slept finds nobody dead.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._look = in_thread(workers.check)
        self._since = self._silence = 0.0  # seconds since a look began, since one was answered

    def passed(self, seconds: float) -> None:
        """Note that this number of seconds has passed; raise what a look has found."""
        self._since += min(seconds, BEAT)
        self._silence += min(seconds, BEAT)
        error = None
        if self._look.done() and self._since >= BEAT:
            error = self._look.exception()
            if isinstance(error, WorkerError):
                raise error
            if error is None:
                self._silence = 0.0
            self._look, self._since = in_thread(self._workers.check), 0.0
        if self._silence >= SILENCE * BEAT:
            raise WorkerError(
                f"the workers' cluster has not answered for {self._silence:.0f} s"
            ) from error


def in_thread(function: Callable[..., _Made], *arguments: Any) -> Future[_Made]:
    """The result of a call in a separate thread, which ends with the process at the latest."""
    future: Future[_Made] = Future()

    def call() -> None:
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        except BaseException as error:  # asyncio's CancelledError, for one
            future.set_exception(WorkerError(in_a_line(error)))

    try:
        threading.Thread(target=call, daemon=True).start()
    except RuntimeError as error:  # "can't start new thread"
        future.set_exception(error)
    return future


def in_a_line(error: BaseException) -> str:
    """An error of a backend in one line."""
    text = textwrap.shorten(str(error), 300, placeholder=" …").rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
