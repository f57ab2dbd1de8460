"""The progress of a run: a bar on a terminal or in a notebook, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, Self

from deltarule.training.events import EpochEnded, Event, Progressed, Started

_PATIENCE = 2.0  # seconds that a run may last unseen
_EVERY = 0.1  # seconds between two looks of a bar
_LINES, _LINE_EVERY = 10, 10.0  # lines per run, about; seconds after which one is due
_BAR = 24  # characters


class Progress:
    """A callback that shows a run, to be used as a context.

    Parameters
    ----------
    verbose : bool or None
        None: a bar on a terminal or in a notebook, once the run has lasted two seconds, and nothing
        elsewhere. True: from the beginning, and lines where there is no terminal. False: nothing.
    stream : text stream, optional
        Default: the error stream.

    Examples
    --------
    >>> import sys
    >>> from deltarule import Dense, Network, train
    >>> with Progress(True, sys.stdout) as progress:
    ...     progress(EpochEnded(1, 4, cost=0.25, seconds=1.0))
    epoch 1  cost 0.25  1 s
    """

    def __init__(self, verbose: bool | None = None, stream: Any = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.is_live = _is_live(self.stream)
        self.is_shown = self.stream is not None and (self.is_live if verbose is None else verbose)
        self._waits = _PATIENCE if verbose is None else 0.0
        self._begun = self._last = time.monotonic()
        self._epochs = self._per_epoch = self._width = 0
        self._cost = self._validation = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._width:
            self._write("\n")

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Started):
            self._epochs, self._per_epoch = event.epochs, event.steps_per_epoch
        elif isinstance(event, (Progressed, EpochEnded)):
            self._cost = f"  cost {event.cost:.4g}"
            if isinstance(event, EpochEnded) and event.validation_cost is not None:
                self._validation = f"  validation {event.validation_cost:.4g}"
            now = time.monotonic()
            if now - self._begun >= self._waits:
                (self._bar if self.is_live else self._line)(event, now)

    def _bar(self, event: Progressed | EpochEnded, now: float) -> None:
        ends = isinstance(event, EpochEnded)
        if now - self._last < _EVERY and not (ends and event.epoch == self._epochs):
            return
        self._last = now
        share = self._share(event)
        filled = round(share * _BAR)
        left = (now - self._begun) * (1.0 - share) / share if share else 0.0
        text = (
            f"{self._epoch(event)} [{'=' * filled}{' ' * (_BAR - filled)}]{self._cost}"
            f"{self._validation}  {now - self._begun:.0f} s, at most {left:.0f} s left"
        )
        text = text[: shutil.get_terminal_size().columns - 1]
        self._write(f"\r{text.ljust(self._width)}")
        self._width = len(text)

    def _line(self, event: Progressed | EpochEnded, now: float) -> None:
        every = max(1, self._epochs // _LINES)
        ends = isinstance(event, EpochEnded)
        due = ends and (event.epoch == 1 or event.epoch % every == 0)
        if due or now - self._last >= _LINE_EVERY:
            self._last = now
            seconds = event.seconds if isinstance(event, EpochEnded) else now - self._begun
            self._write(f"{self._epoch(event)}{self._cost}{self._validation}  {seconds:.3g} s\n")

    def _share(self, event: Progressed | EpochEnded) -> float:
        steps = self._per_epoch if isinstance(event, EpochEnded) else event.step
        done = (event.epoch - 1) * self._per_epoch + steps
        return done / max(1, self._epochs * self._per_epoch)

    def _epoch(self, event: Progressed | EpochEnded) -> str:
        return f"epoch {event.epoch}/{self._epochs}" if self._epochs else f"epoch {event.epoch}"

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # a stream that is gone ends no training
            self.is_shown = False


def _is_live(stream: Any) -> bool:
    """Whether a line can be written over: on a terminal, and in a notebook."""
    try:
        return "ipykernel" in sys.modules or bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream at all, or a closed one
        return False
