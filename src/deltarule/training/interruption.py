"""Signals that end a run: the first finishes a step, the second ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ELSEWHERE: list[Callable[[int], None]] = []  # runs in other threads than the main one
_SHARED: list[int] = []  # what the main thread has heard for them


@contextmanager
def signals_heard(tell: Callable[[int], None]) -> Iterator[None]:
    """Tell of Ctrl-C and SIGTERM instead of ending.

    Only the main thread hears signals: another is told where that one shares them.

    Parameters
    ----------
    tell : function
        Called with the number of the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        _ELSEWHERE.append(tell)
        try:
            _tell_shared(tell)
            yield
        finally:
            _ELSEWHERE.remove(tell)
        return

    def heard(number: int, frame: Any) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        tell(number)

    before = {each: signal.signal(each, heard) for each in _SIGNALS}
    try:
        _tell_shared(tell)
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def signals_shared() -> Iterator[list[int]]:
    """Tell of Ctrl-C and SIGTERM every run in other threads, also those that begin after it.

    Yields
    ------
    list of int
        The number of the signal, once one was heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _SHARED
        return

    def tell(number: int) -> None:
        _SHARED.append(number)
        for each in tuple(_ELSEWHERE):
            each(number)

    with signals_heard(tell):
        try:
            yield _SHARED
        finally:
            _SHARED.clear()


def _tell_shared(tell: Callable[[int], None]) -> None:
    for number in tuple(_SHARED):
        tell(number)
