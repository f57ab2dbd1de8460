"""Threads: how many NumPy and scikit-learn use, and work shared between threads of Python.

What fails in one of them is raised, and leaves nothing hanging.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from deltarule.errors import ResourceError

_HEARS = 0.2  # seconds: a signal that came to another thread waits until this one wakes up

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def few_threads(small: bool) -> AbstractContextManager[Any]:
    """One thread for NumPy's and scikit-learn's products where the work is small.

    Several would wait for each other longer than they work, much longer on a busy machine.
    """
    try:
        pools: Any = importlib.import_module("threadpoolctl")  # scikit-learn brings it
    except ModuleNotFoundError:
        return nullcontext()
    limited: AbstractContextManager[Any] = pools.threadpool_limits(1 if small else None)
    return limited


def each_in_threads(
    function: Callable[[_Item], _Made],
    items: Iterable[_Item],
    threads: int,
    stop: Callable[[], None] | None = None,
) -> list[_Made]:
    """What a function makes of each of some items, in their order.

    Where it fails for one, no further items are begun, those under way are waited for, and the
    error of the first that failed, in the items' order, is raised as it is. The same where the
    caller is interrupted.

    Parameters
    ----------
    function : callable
        Called from several threads.
    items : iterable
    threads : int
        How many at most; with 1, the caller's own.
    stop : callable, optional
        Called where something fails, to end what is under way: the function may return early, or
        raise ``CancelledError``.

    Raises
    ------
    ResourceError
        Where the system refuses a thread.

    Examples
    --------
    >>> each_in_threads(abs, [-1, 2, -3], threads=2)
    [1, 2, 3]
    """
    items = list(items)
    threads = min(threads, len(items))
    if threads <= 1:
        return [function(item) for item in items]
    begun: list[Future[_Made]] = []

    def call_off() -> None:
        for each in begun:
            each.cancel()
        if stop is not None:
            stop()

    with ThreadPoolExecutor(threads) as pool:
        try:
            begun.extend(submitted(pool, partial(function, item)) for item in items)
            failed, rest = False, set(begun)
            while rest and not failed:
                done, rest = wait(begun, _HEARS, FIRST_EXCEPTION)
                failed = any(each.exception() is not None for each in done)
        except BaseException:
            call_off()
            raise
        if failed:
            call_off()
    for each in begun:
        error = None if each.cancelled() else each.exception()
        if error is not None and not isinstance(error, CancelledError):
            raise error
    return [each.result() for each in begun]


def submitted(pool: ThreadPoolExecutor, work: Callable[[], _Made]) -> Future[_Made]:
    """Work that a pool will do.

    Raises
    ------
    ResourceError
        Where the system refuses the pool a thread.
    """
    try:
        return pool.submit(work)
    except RuntimeError as error:  # "can't start new thread"
        raise ResourceError(
            f"the system refuses a thread: {error}. Ask for fewer (n_threads, "
            "DELTARULE_NUM_THREADS, POLARS_MAX_THREADS), or allow this process more."
        ) from error
