"""Signals that end a run: the first finishes a step, the second ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_heard(tell: Callable[[int], None]) -> Iterator[None]:
    """Tell of Ctrl-C and SIGTERM instead of ending; only the main thread hears signals.

    Parameters
    ----------
    tell : function
        Called with the number of the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(number: int, frame: Any) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        tell(number)

    before = {each: signal.signal(each, heard) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
