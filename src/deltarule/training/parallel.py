"""Several runs at once, one per thread: what fails in one ends all, and each keeps what it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from deltarule.system.threads import each_in_threads
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback, Event
from deltarule.training.interruption import signals_shared

Given = TypeVar("Given")
Made = TypeVar("Made")


def each_run(
    train: Callable[[Given, Callback], Made],
    given: Sequence[Given],
    threads: int,
    checkpoints: Checkpoints | None,
) -> list[Made]:
    """Train for each of some values, and what it gives, in order.

    Parameters
    ----------
    train : function
        Of a value and a callback that the run has to call with its events: there it ends where
        another has failed.
    given : sequence
    threads : int
        Maximum number of runs at a time.
    checkpoints : Checkpoints or None
        With them, a run that receives a signal writes a checkpoint and ends.
    """
    halt = threading.Event()

    def watch(event: Event) -> None:
        if halt.is_set():
            raise CancelledError

    sharing = nullcontext(list[int]()) if checkpoints is None else signals_shared()
    with sharing as heard:
        return each_in_threads(
            lambda value: train(value, watch),
            given,
            threads,
            stop=lambda: None if heard else halt.set(),
        )


def below(checkpoints: Checkpoints | None, name: str) -> Checkpoints | None:
    """Where one of several runs is kept: below the folder of all."""
    if checkpoints is None:
        return None
    return replace(checkpoints, folder=Path(checkpoints.folder) / name)
