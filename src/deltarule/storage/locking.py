"""A folder that one run has at a time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from deltarule.errors import FileError
from deltarule.storage.reading import reason

_NAME = ".lock"


class FolderLock:
    """The system's own lock on a folder: it goes when the process does, however that ends.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    noun : str
        What the folder is for, for messages: ``"checkpoints"``.

    Raises
    ------
    FileError
        Where it cannot be made or written, or another run has it.
    """

    def __init__(self, folder: Path, noun: str) -> None:
        self._handle = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except (OSError, ValueError) as error:  # a name with a null character
            raise FileError(
                f"{folder}: no folder for {noun}: {reason(error)}. Name one that can be written."
            ) from error
        try:
            _lock(self._handle)
        except OSError:
            self.close()
            raise FileError(
                f"{folder}: another run writes its {noun} there. Wait for it, or name another "
                "folder."
            ) from None

    def close(self) -> None:
        """Let the folder go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()


def _lock(handle: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
