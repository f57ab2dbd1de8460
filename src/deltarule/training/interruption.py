"""Signals that end a run: the first finishes a step, the second ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_HANGUP = getattr(signal, "SIGHUP", None)  # a terminal that was closed; not on Windows
_ELSEWHERE: list[Callable[[int], None]] = []  # runs in other threads than the main one
_SHARED: list[int] = []  # what the main thread has heard for them


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a run as Ctrl-C does.

    Parameters
    ----------
    signal : int
        Its number.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def signal_of(error: KeyboardInterrupt) -> int:
    """The number of the signal that was raised as an error.

    Examples
    --------
    >>> signal_of(KeyboardInterrupt()), signal_of(Ended(15))
    (2, 15)
    """
    return int(getattr(error, "signal", signal.SIGINT))


def _ending() -> tuple[int, ...]:
    """The signals that end a process; SIGHUP only where it is not ignored, as ``nohup`` does."""
    ends = [signal.SIGTERM]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        ends.append(_HANGUP)
    return tuple(ends)


@contextmanager
def _handled(signals: tuple[int, ...], handler: Callable[[int], None]) -> Iterator[None]:
    """Within it, the first of some signals goes to a handler; a second ends the process at once."""

    def heard(number: int, frame: Any) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        handler(number)

    before = {each: signal.signal(each, heard) for each in signals}
    try:
        yield
    finally:
        for each, own in before.items():
            signal.signal(each, own)


@contextmanager
def signals_raised() -> Iterator[list[int]]:
    """Raise SIGTERM and SIGHUP as :class:`Ended`, so that they are handled as Ctrl-C is.

    Only in the main thread, which alone hears signals.

    Yields
    ------
    list of int
        The number of the signal, once one was raised.
    """
    raised: list[int] = []

    def end(number: int) -> None:
        raised.append(number)
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        yield raised
        return
    with _handled(_ending(), end):
        yield raised


@contextmanager
def signals_heard(tell: Callable[[int], None]) -> Iterator[None]:
    """Report Ctrl-C, SIGTERM and SIGHUP instead of ending.

    Only the main thread hears signals: others are informed where it shares them.

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

    with _handled((signal.SIGINT, *_ending()), tell):
        _tell_shared(tell)
        yield


@contextmanager
def signals_shared() -> Iterator[list[int]]:
    """Tell of the same signals every run in other threads, also those that begin after it.

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
