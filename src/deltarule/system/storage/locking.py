"""A folder or a file that one run has at a time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from deltarule.errors import FileError
from deltarule.system.storage.reading import reason

_NAME = ".lock"


class _Lock:
    """The system's own lock on a file: it goes when the process does, however that ends."""

    def __init__(
        self, path: Path, unusable: str, taken: str, *, makes_folder: bool = False
    ) -> None:
        self._handle = -1
        try:
            if makes_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except (OSError, ValueError) as error:  # a name with a null character
            raise FileError(
                f"{unusable}: {reason(error)}. Name one that can be written."
            ) from error
        try:
            _lock(self._handle)
        except OSError:
            self.close()
            raise FileError(f"{taken}. Wait for it, or name another.") from None

    def close(self) -> None:
        """Let it go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()


class FolderLock(_Lock):
    """A folder that one run writes to.

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
        super().__init__(
            folder / _NAME,
            f"{folder}: no folder for {noun}",
            f"{folder}: another run writes its {noun} there",
            makes_folder=True,
        )


class FileLock(_Lock):
    """A file that one run replaces, again and again; the lock is a hidden file beside it.

    Parameters
    ----------
    path : Path
    noun : str
        What the file is for, for messages: ``"search"``.

    Raises
    ------
    FileError
        Where none can be made there, or another run has it.
    """

    def __init__(self, path: Path, noun: str) -> None:
        own = Path(os.path.realpath(path))  # one lock for all names of a file
        if own.exists() and not own.is_file():
            raise FileError(f"{path}: is not a regular file, to keep a {noun} in. Name another.")
        super().__init__(
            own.with_name(f".{own.name}{_NAME}"),
            f"{path}: no file for a {noun}",
            f"{path}: another run keeps its {noun} there",
        )


def _lock(handle: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
