"""What is in a file: a text, also out of an archive or a workbook, or a table with its types."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deltarule.data.formats import kind_of
from deltarule.data.json_tables import json_table
from deltarule.data.reading_settings import Reading
from deltarule.data.sampling import STANDARD_INPUT, is_pipe, sampled
from deltarule.data.unpacking import (
    COMPRESSIONS,
    only_table,
    opened,
    size_of,
    unpacked,
    zip_opened,
)
from deltarule.data.workbooks import Sheet, is_workbook, new_workbook, old_workbook
from deltarule.errors import DataError, FileError, require
from deltarule.system.memory import available_memory, readable_size

if TYPE_CHECKING:
    import polars as pl

_PIECE = 1 << 20


class Text(NamedTuple):
    """A text to be read.

    Attributes
    ----------
    data : Path or bytes
        The file that it is, or its bytes.
    pieces : list of bytes
        Its beginning, then others.
    reading : Reading
        Of a sheet, how it was written as text.
    notes : tuple of str
        What people should know of it.
    above : int
        Of a sheet, how many rows are above the text.
    """

    data: Path | bytes
    pieces: list[bytes]
    reading: Reading
    notes: tuple[str, ...] = ()
    above: int = 0


def content_of(path: Path, reading: Reading) -> Text | pl.DataFrame:
    """A text to be read, or the table of a file whose values have types.

    What a file is depends on how it begins, not on its name.

    Raises
    ------
    FileError, DataError
        For what holds no table, or several.
    MissingExtraError
        For a format that needs a library which is not installed.
    """
    data: Path | bytes = path
    if is_pipe(path):
        data = _piped(path)
    pieces = sampled(path, data)
    kind = kind_of(pieces[0])
    if kind in COMPRESSIONS:
        data = unpacked(path, data, kind)
        pieces = sampled(path, data)
        kind = kind_of(pieces[0])
        if kind in COMPRESSIONS:
            raise FileError(f"{path}: is compressed twice; expected once. Unpack it first.")
    return READERS[kind](path, data, pieces, reading)


def _piped(path: Path) -> bytes:
    """All that a pipe brings, unless that is more than half of the memory."""
    limit = (available_memory() or 1 << 62) // 2
    found, size = [], 0
    source = sys.stdin.fileno() if path == STANDARD_INPUT else path
    try:
        with open(source, "rb", closefd=source is path) as pipe:
            while piece := pipe.read(_PIECE):
                found.append(piece)
                size += len(piece)
                if size > limit:
                    raise FileError(
                        f"{path}: is a pipe that brings more than {readable_size(limit)}; expected "
                        "at most half of the memory that is free. Write it to a file."
                    )
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: cannot be read: {error.strerror}.") from None
    return b"".join(found)


def _text(path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading) -> Text:
    return Text(data, pieces, reading)


def _zip(
    path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading
) -> Text | pl.DataFrame:
    with zip_opened(path, data) as archive:
        if is_workbook(path, archive):
            return _sheet(path, new_workbook(path, data, archive, reading.sheet), reading)
        content = only_table(path, archive, size_of(data))
    pieces = sampled(path, content)
    kind = kind_of(pieces[0])
    if kind in (*COMPRESSIONS, "zip"):
        raise FileError(f"{path}: is compressed twice; expected once. Unpack it first.")
    return READERS[kind](path, content, pieces, reading)


def _old(path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading) -> Text:
    return _sheet(path, old_workbook(path, data, reading.sheet), reading)


def _sheet(path: Path, sheet: Sheet, reading: Reading) -> Text:
    reading = replace(reading, delimiter=",", quote='"', encoding="utf-8")
    return Text(sheet.text, sampled(path, sheet.text), reading, sheet.notes, sheet.above)


def _json(path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading) -> pl.DataFrame:
    return json_table(path, _all(data))


def _arrow(path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    return _typed(path, "Arrow", lambda: polars.read_ipc(_all(data)))


def _arrow_stream(
    path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading
) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    return _typed(path, "Arrow", lambda: polars.read_ipc_stream(_all(data)))


def _parquet(path: Path, data: Path | bytes, pieces: list[bytes], reading: Reading) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    return _typed(path, "Parquet", lambda: polars.read_parquet(data, glob=False))


def _typed(path: Path, what: str, ask: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """What polars reads, its errors as this package's."""
    polars = require("polars", "table", "reading tables")
    try:
        frame = ask()
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(
            f"{path}: begins like {what} but cannot be read ({reason}). "
            "It may be truncated: write it again."
        ) from None
    if frame.height == 0:
        raise DataError(f"{path}: has no rows; expected at least one.")
    return frame


def _all(data: Path | bytes) -> bytes:
    with opened(data) as file:
        return file.read()


READERS: dict[str, Callable[[Path, Path | bytes, list[bytes], Reading], Text | pl.DataFrame]] = {
    "text": _text,
    "JSON": _json,
    "Parquet": _parquet,
    "Arrow": _arrow,
    "Arrow stream": _arrow_stream,
    "zip": _zip,
    "old workbook": _old,
}
"""By kind of file (:func:`deltarule.data.formats.kind_of`), how its table is found."""
