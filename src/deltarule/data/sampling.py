"""Samples of a file: where a layout is detected, and what is not a table is refused by its name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from deltarule.data.encodings import no_text
from deltarule.data.formats import foreign, kind_of
from deltarule.errors import FileError, setting
from deltarule.registry import nearest

HEAD = 1 << 18
"""How many bytes from the beginning of a file are looked at."""

PIECE = 1 << 15
"""How many bytes from the middle, and from the end."""

_FEWEST_LINES = 20  # to detect a layout from

LONGEST_HEAD = 1 << 26
"""Bytes within which the first line of a text file ends."""

STANDARD_INPUT = Path("-")
"""What names standard input."""


def is_pipe(path: Path) -> bool:
    """Whether a path names a pipe, as ``-`` and ``/dev/stdin`` do, which is read only once."""
    try:
        return path.is_fifo() or (path == STANDARD_INPUT and not path.exists())
    except OSError:
        return False


def sampled(path: Path, data: Path | bytes | None = None) -> list[bytes]:
    """The beginning of a file; of a long one also pieces of its middle and its end.

    Parameters
    ----------
    path : Path
    data : Path or bytes, optional
        The content, where it was read already.

    Raises
    ------
    FileError
        For a folder, a file that is missing, empty or cannot be read, or one that holds no table;
        for a first line that does not end.
    """
    if path.is_dir():
        raise FileError(
            f"{path}: is a folder; expected a file. For its files write {path}/*.csv, or "
            f"{setting('use stream', 'pass --memory SIZE')}, which reads folders in blocks."
        )
    if not _is_text(path):  # polars takes no other
        raise FileError(
            f"{path}: its name is not text in UTF-8; expected one that is. Rename the file, or "
            "run in a UTF-8 locale."
        )
    try:
        with io.BytesIO(data) if isinstance(data, bytes) else path.open("rb") as file:
            pieces = [_beginning(file)]
            head, size = len(pieces[0]), file.seek(0, io.SEEK_END)
            if size > head:
                for begins in (size // 2, max(head, size - PIECE)):
                    file.seek(begins)
                    pieces.append(file.read(PIECE))
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        hint = nearest(path.name, siblings)
        raise FileError(f"{path}: there is no such file.{hint}") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}.") from None
    if not pieces[0].strip(b"\xef\xbb\xbf \t\r\n"):
        raise FileError(f"{path}: the file is empty; expected a table.")
    what = foreign(pieces[0])
    if what is not None:
        raise FileError(f"{path}: this is {what}. Expected CSV, TSV or Parquet.")
    if len(pieces) > 1 and kind_of(pieces[0]) == "text" and not _lines(pieces[0]):
        if b"\x00" in pieces[0]:
            raise no_text(path)
        raise FileError(
            f"{path}: its first line does not end within {LONGEST_HEAD:,} bytes; expected a table "
            "whose rows are lines."
        )
    return pieces


def _is_text(path: Path) -> bool:
    """Whether a name can be written in UTF-8; not, where its bytes are of another encoding."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _beginning(file: BinaryIO) -> bytes:
    """The first lines of a file: of a table with many columns, more bytes than of others."""
    head = file.read(HEAD)
    while kind_of(head) == "text" and _lines(head) < _FEWEST_LINES:
        more = file.read(min(len(head), LONGEST_HEAD - len(head)))
        if not more:
            break
        head += more
    return head


def _lines(text: bytes) -> int:
    return text.count(b"\n") or text.count(b"\r")
