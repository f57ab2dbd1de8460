"""Compressed files and archives, unpacked in memory, never beyond what is bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from deltarule.errors import FileError, require, setting
from deltarule.system.memory import available_memory, readable_size

_PIECE = 1 << 20
_SMALL = 1 << 28  # bytes, which any file may unpack to
_RATIO = 200  # of a table's size to its compressed size
_XZ_MEMORY = 1 << 28  # of its dictionary, which a file asks for
_ENTRIES = 10_000

_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


def unpacked(path: Path, data: Path | bytes, kind: str) -> bytes:
    """The content of a compressed file.

    Parameters
    ----------
    path : Path
        For messages.
    data : Path or bytes
        What is compressed.
    kind : str
        A name of :data:`COMPRESSIONS`.

    Raises
    ------
    FileError
        For a damaged file, and one that unpacks to more than :func:`most_bytes`.
    MissingExtraError
        For Zstandard, where no library reads it.

    Examples
    --------
    >>> unpacked(Path("a.csv.gz"), gzip.compress(b"a,b"), "gzip")
    b'a,b'
    """
    with opened(data) as file:
        pieces = COMPRESSIONS[kind](file)
        return _joined(path, kind, pieces, most_bytes(size_of(data)))


def only_table(path: Path, archive: zipfile.ZipFile, size: int) -> bytes:
    """The one file of a zip archive.

    Raises
    ------
    FileError
        For none or several, one under a path or with a password, and as :func:`unpacked`.
    """
    found = [entry for entry in archive.infolist() if not _is_by_the_way(entry.filename)]
    if len(found) != 1:
        names = ", ".join(repr(entry.filename) for entry in found[:5])
        raise FileError(
            f"{path}: a zip archive that holds {len(found):,} files{': ' if names else ''}{names}; "
            "expected one table. Unpack it, and pass the files."
        )
    name = found[0].filename
    if "/" in name or "\\" in name:
        raise FileError(
            f"{path}: a zip archive whose file is under a path: {name!r}; expected a file without "
            "folders. Unpack it, and pass the file."
        )
    if found[0].flag_bits & 1:
        raise FileError(f"{path}: a zip archive with a password. Unpack it, and pass the file.")
    return _joined(path, "zip", entry_pieces(archive, found[0]), most_bytes(size))


def entry_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of an archive's entry, some bytes at a time."""
    with archive.open(entry) as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def zip_opened(path: Path, data: Path | bytes) -> zipfile.ZipFile:
    """A zip archive.

    Raises
    ------
    FileError
        For a damaged one, and one of very many files.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except _DAMAGED as error:
        raise damaged(path, "zip", error) from None
    if len(archive.infolist()) > _ENTRIES:
        raise FileError(f"{path}: a zip archive of more than {_ENTRIES:,} files; expected one.")
    return archive


def most_bytes(size: int) -> int:
    """How many bytes a file of a size may unpack to.

    Examples
    --------
    >>> most_bytes(10**4) <= 1 << 28
    True
    """
    free = available_memory()
    bound = max(_SMALL, _RATIO * size)
    return bound if free is None else min(bound, free // 4)


def size_of(data: Path | bytes) -> int:
    """How many bytes there are."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def opened(data: Path | bytes) -> BinaryIO:
    """A file, or bytes as one."""
    return io.BytesIO(data) if isinstance(data, bytes) else data.open("rb")


def damaged(path: Path, kind: str, error: BaseException) -> FileError:
    """The error for a file that cannot be unpacked."""
    return FileError(
        f"{path}: is {kind} data and cannot be unpacked ({error}). It may be damaged or "
        "truncated: copy it again."
    )


def too_large(path: Path, limit: int) -> FileError:
    """The error for a file that unpacks to too much."""
    memory = setting("use stream", "pass --memory SIZE")
    return FileError(
        f"{path}: unpacks to more than {readable_size(limit)}; expected less, for its size and "
        f"the memory that is free. Unpack it to a file, and {memory}."
    )


def _joined(path: Path, kind: str, pieces: Iterator[bytes], limit: int) -> bytes:
    found, size = [], 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise too_large(path, limit)
            found.append(piece)
    except FileError:
        raise
    except (*_DAMAGED, RuntimeError) as error:
        raise damaged(path, kind, error) from None
    return b"".join(found)


def _is_by_the_way(name: str) -> bool:
    """Whether an entry is a folder, or what systems put beside people's files."""
    last = name.rsplit("/", 1)[-1]
    return not last or name.startswith("__MACOSX/") or last in (".DS_Store", "Thumbs.db")


def _by_reader(open_file: Callable[[BinaryIO], Any]) -> Callable[[BinaryIO], Iterator[bytes]]:
    def pieces(file: BinaryIO) -> Iterator[bytes]:
        with open_file(file) as reader:
            yield from iter(lambda: reader.read(_PIECE), b"")

    return pieces


def _xz(file: BinaryIO) -> Iterator[bytes]:
    """The streams of an xz file, with a dictionary of bounded memory."""
    rest = file.read(_PIECE)
    while rest:
        decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not decompressor.eof:
            if decompressor.needs_input:
                rest = rest or file.read(_PIECE)
                if not rest:
                    raise EOFError("it ends before its end is marked")
            yield decompressor.decompress(rest, _PIECE)
            rest = b""
        rest = decompressor.unused_data.lstrip(b"\x00") or file.read(_PIECE).lstrip(b"\x00")


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd = require(module, "formats", "reading Zstandard files", threads=False)
    try:
        yield from _by_reader(zstd.ZstdFile)(file)
    except zstd.ZstdError as error:
        raise OSError(str(error)) from None


COMPRESSIONS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    "gzip": _by_reader(lambda file: gzip.GzipFile(fileobj=file)),
    "bzip2": _by_reader(lambda file: bz2.BZ2File(file)),
    "xz": _xz,
    "zstd": _zstd,
}
"""By kind of compression, how the pieces of its content are read."""
