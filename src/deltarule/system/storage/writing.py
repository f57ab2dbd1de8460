"""To a file: numbers and JSON as the bytes of a safetensors file, written atomically."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import FileError, TypeMismatchError
from deltarule.system.storage.reading import Tensor, reason, signed


def tensor_bytes(key: str, tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file: tensors, and beside them JSON and a digest of it all.

    The same contents give the same bytes.

    Parameters
    ----------
    key : str
        The name of the JSON text in the header's metadata.
    tensors : mapping of str to array
    metadata : mapping
        JSON values; no NaN.

    Raises
    ------
    TypeMismatchError
        For anything else in it.

    Examples
    --------
    >>> tensor_bytes("deltarule", {"1.W": np.ones((2, 3))}, {"format": 2})[8:24]
    b'{"__metadata__":'
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    stored = {name: Tensor.of(array) for name, array in arrays.items()}
    import safetensors.numpy  # only a file needs it

    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeMismatchError(
            f"what goes into a file beside its numbers: expected JSON values without NaN, got "
            f"others ({error}). Leave them out, or turn them into text."
        ) from error
    return safetensors.numpy.save(arrays, {key: signed(text, stored, arrays)})


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that it is the old one or the new one at every moment, never half of it.

    The bytes go to a file beside it, which is synced and renamed; then the folder is synced.

    Raises
    ------
    FileError
        Where it cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "x", b"all of it")
    ...     (Path(folder) / "x").read_bytes()
    b'all of it'
    """
    check_writable(path)
    target = _target(path)
    if target.exists() and not target.is_file():
        with _told(path):
            target.write_bytes(content)
        return
    with written_whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The same in pieces: a file to write to, which takes its place when the block is left.

    Where an error leaves the block, what was there before is as it was.

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    check_writable(path)
    target = _target(path)
    with _told(path):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, _mode_of(target))
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        _sync_folder(target.parent)


@contextlib.contextmanager
def _told(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within it, errors of the system are raised as errors of this package."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written: {reason(error)}. What was there before is as it was."
        ) from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot become a file, before work is spent on what would go there.

    Raises
    ------
    FileError
        For a folder, or a folder that is missing or not writable.
    """
    target = _target(path)
    if target.is_dir():
        raise FileError(f"{path}: is a folder; expected the name of a file.")
    if not target.parent.is_dir():
        raise FileError(
            f"{path}: cannot be written: there is no folder {str(target.parent)!r}. Make it first."
        )
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise FileError(
            f"{path}: cannot be written: permission denied, or the file system is read-only."
        )


def _target(path: str | os.PathLike[str]) -> Path:
    """Where links lead to; /dev/stdout, a pipe and their like by the name that was given."""
    given = Path(path)
    try:
        is_other = given.exists() and not given.is_file()
        return given if is_other else Path(os.path.realpath(given))
    except (OSError, ValueError) as error:  # a name too long, or with a null character
        raise FileError(f"{path}: cannot be written: {reason(error)}.") from error


def _mode_of(target: Path) -> int:
    """The permissions a file has or would get."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):  # the file is complete either way; Windows has no such call
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
