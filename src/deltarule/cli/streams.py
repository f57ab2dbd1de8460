"""Standard output and error while a command runs: no character and no full disk ends its work."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class OutputError(Exception):
    """Standard output takes no more.

    Parameters
    ----------
    failure : OSError
        What the system said.
    """

    def __init__(self, failure: OSError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Stream:
    """A text stream that escapes what its encoding lacks, and remembers that it has failed.

    Parameters
    ----------
    stream : text stream or None
        None where the process was started without one.
    persistent : bool
        Whether the command continues without its output. Where it does not, the next write raises
        :class:`OutputError`.
    """

    def __init__(self, stream: Any, *, persistent: bool = False) -> None:
        self._stream = open(os.devnull, "w") if stream is None else stream  # noqa: SIM115
        self._errors = getattr(self._stream, "errors", None)
        self._reconfigure("backslashreplace")
        self.persistent = persistent
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        with self._failing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._failing():
            self._stream.flush()

    def finish(self) -> None:
        """Hand on what was written, and raise what has failed meanwhile.

        Raises
        ------
        OutputError
            Where something was not written.
        """
        self.persistent = False
        self.flush()

    def release(self) -> None:
        """Leave the stream as it was found."""
        self._reconfigure(self._errors)

    def _reconfigure(self, errors: str | None) -> None:
        if errors is not None and hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors=errors)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        if self.failure is None:
            try:
                yield
            except OSError as error:
                self.failure = error
                self._discard()
        else:
            yield
        # in another thread, of a progress bar, it would end as a traceback
        here = threading.current_thread() is threading.main_thread()
        if self.failure is not None and here and not self.persistent:
            raise OutputError(self.failure) from self.failure

    def _discard(self) -> None:
        """Let what is still to be written go nowhere: else the interpreter fails at its end."""
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextmanager
def standard_streams() -> Iterator[Stream]:
    """Within it, standard output and error are of this kind.

    Yields
    ------
    Stream
        Standard output. A failing standard error ends nothing.
    """
    before = sys.stdout, sys.stderr
    output, errors = Stream(before[0]), Stream(before[1], persistent=True)
    sys.stdout, sys.stderr = output, errors
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before
        output.release()
        errors.release()
