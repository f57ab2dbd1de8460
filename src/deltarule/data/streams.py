"""Tables that are read a block of rows at a time, and never lie in memory whole.

A block is a row group of a Parquet file, or some whole lines of a text file. A :class:`Stream`
knows its blocks, and its columns with their types, before the first is read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.data.blocks import Block, File, Span
from deltarule.data.column_readings import read_columns
from deltarule.data.files import paths_of
from deltarule.data.footers import footer
from deltarule.data.formats import kind_of
from deltarule.data.positions import FileRows, cells_of
from deltarule.data.reading_settings import Reading
from deltarule.data.readings import ColumnReading
from deltarule.data.sampling import is_pipe, sampled
from deltarule.data.texts import TextFile
from deltarule.data.types import Types
from deltarule.data.values import tidied
from deltarule.errors import CellError, DataError, FileError, require, setting
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

_SAMPLE = 1_000_000  # rows, about, whose text shows how numbers are written

SUFFIXES = (".parquet", ".csv", ".tsv")
"""What a folder's tables end in; where it holds several kinds, the first of them counts."""


class ParquetFile:
    """A Parquet file, by its row groups; its text is read once, for what all of it is."""

    notes = ()  # nothing of it is left out

    def __init__(self, path: Path, reading: Reading) -> None:
        polars = require("polars", "table", "reading tables")
        self.path = path
        self.decimal_comma = bool(reading.decimal_comma)
        self._reading = reading
        found = footer(path)
        self.digest = found.digest
        schema = _asked(path, lambda: polars.read_parquet_schema(path))
        widths = [_width(dtype) for dtype in schema.values()]
        starts = np.cumsum([0, *(group.rows for group in found.groups)]).tolist()
        self.spans: Sequence[Span] = [
            Span(start, start + group.rows, group.rows, max(group.size, group.rows * sum(widths)))
            for start, group in zip(starts, found.groups, strict=False)
            if group.rows
        ]
        types = Types()
        told = [  # by all their cells, what they are
            name
            for name, dtype in schema.items()
            if dtype == polars.String or isinstance(dtype, polars.Decimal)
        ]
        for span in self.spans if told else ():
            with cells_of([self.rows(span)]):
                types.meet(self._tidied(span, told))
        typed = tidied(polars.DataFrame(schema=schema), typed=True).schema
        self.schema: Mapping[str, Any] = {
            name: types.common(name) if name in told else dtype for name, dtype in typed.items()
        }

    def read(self, span: Span, schema: Mapping[str, Any]) -> pl.DataFrame:
        """The rows of a row group."""
        polars = require("polars", "table", "reading tables")
        texts = [name for name, dtype in schema.items() if dtype == polars.String]
        frame = self._tidied(span, list(schema), texts)
        return frame.select(polars.col(name).cast(dtype) for name, dtype in schema.items())

    def rows(self, span: Span) -> FileRows:
        """Where the rows of a row group stand in the file."""
        return FileRows(self.path, range(span.begin + 1, span.end + 1))

    def _tidied(self, span: Span, names: Sequence[str], texts: Sequence[str] = ()) -> pl.DataFrame:
        polars = require("polars", "table", "reading tables")
        lazy = polars.scan_parquet(self.path, glob=False, low_memory=True)
        frame = _asked(self.path, lazy.slice(span.begin, span.rows).select(names).collect)
        found = tidied(
            frame,
            self._reading.missing,
            decimal_comma=self.decimal_comma,
            texts=(*texts, *(self._reading.columns or ())),
            typed=True,
        )
        return read_columns(found, self._reading.values).frame


@dataclass(frozen=True)
class Stream:
    """A table in blocks.

    Attributes
    ----------
    name : str
        What it was called by.
    schema : mapping of str to polars.DataType
    blocks : tuple of Block
    stamps : mapping of Path to tuple of int
        Size and time of every file, as it was found.
    reading : Reading
        How its values are read.
    """

    name: str
    schema: Mapping[str, Any]
    blocks: tuple[Block, ...]
    stamps: Mapping[Path, tuple[int, int]]
    reading: Reading

    target = None  # which column is one, nobody has said

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.schema)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(block.rows for block in self.blocks)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of its files, or named otherwise than they do: a sentence each."""
        files = {block.file.path: block.file for block in self.blocks}
        return tuple(f"{path}: {note}." for path, file in files.items() for note in file.notes)

    @property
    def files(self) -> tuple[FileRows, ...]:
        """Where its rows stand in its files."""
        return tuple(block.file.rows(block.span) for block in self.blocks)

    @property
    def largest(self) -> Block:
        """The block that takes the most memory."""
        return max(self.blocks, key=lambda block: block.span.size)

    @property
    def row_size(self) -> int:
        """About how many bytes of memory a row takes as it is read."""
        return -(-sum(block.span.size for block in self.blocks) // self.rows)

    @property
    def digest(self) -> str:
        """What tells these files from others, wherever they lie."""
        files = {block.file.path: block.file.digest for block in self.blocks}
        return hashlib.blake2b(" ".join(files.values()).encode(), digest_size=16).hexdigest()

    def read(self, k: int) -> pl.DataFrame:
        """The rows of a block.

        Raises
        ------
        FileError
            Where its file has gone, or has changed since.
        """
        file, span, *_ = self.blocks[k]
        if _stamp(file.path) != self.stamps[file.path]:
            raise FileError(
                f"{file.path}: has changed since its first block was read. Expected the same file "
                "until the end; start again."
            )
        with self.cells_of(k):
            return file.read(span, self.schema)

    @contextmanager
    def cells_of(self, k: int) -> Iterator[None]:
        """Within it, an error about a cell of a block names its file, and its row there."""
        block = self.blocks[k]
        with cells_of([block.file.rows(block.span)]):
            yield


def stream(
    source: str | Path | Sequence[str | Path],
    reading: Reading = Reading(),  # noqa: B008
) -> Stream:
    """A table in blocks, from files, globs, and folders of files.

    Text files are read once, for the types of their columns and the numbers of their rows.

    Parameters
    ----------
    source : path, glob, folder or sequence of them
        Parquet, CSV or TSV, with the same columns, in any order.
    reading : Reading
        Overrides what is detected of text files.

    Raises
    ------
    FileError
        For a file that is missing, empty or unreadable, a folder without tables.
    DataError
        For files that disagree on their columns or types, with file and column.

    Examples
    --------
    >>> import tempfile
    >>> import polars as pl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pl.DataFrame({"a": range(10)}).write_parquet(f"{folder}/a.parquet", row_group_size=4)
    ...     found = stream(folder)
    ...     [block.rows for block in found.blocks], found.read(2)["a"].to_list()
    ([4, 4, 2], [8, 9])
    """
    require("polars", "table", "reading tables")
    entries = [source] if isinstance(source, (str, Path)) else list(source)
    paths = [path for entry in entries for path in _expanded(Path(entry))]
    files = [_opened(path, reading) for path in paths]
    schema = _common(files)
    if reading.columns is None:
        reading = replace(reading, columns=_readings(files, schema, reading))
    if reading.columns:
        files = [_opened(path, reading) for path in paths]
        schema = _common(files)
    first, blocks = 0, []
    for file in files:
        for span in file.spans:
            blocks.append(Block(file, span, first))
            first += span.rows
    if not first:
        raise DataError(f"{paths[0]}: has no rows; expected at least one.")
    name = ", ".join(map(str, entries))
    stamps = {path: _stamp(path) for path in paths}
    comma = any(file.decimal_comma for file in files)
    return Stream(name, schema, tuple(blocks), stamps, replace(reading, decimal_comma=comma))


def _readings(
    files: Sequence[File], schema: Mapping[str, Any], reading: Reading
) -> Mapping[str, ColumnReading]:
    """How text columns that hold numbers are read: found in some blocks, and true of all."""
    polars = require("polars", "table", "reading tables")
    texts = {name: dtype for name, dtype in schema.items() if dtype == polars.String}
    blocks = [(file, span) for file in files for span in file.spans]
    if not texts or not blocks or reading.plain:
        return {}
    step = max(1, sum(span.rows for _, span in blocks) // _SAMPLE)
    some = polars.concat([file.read(span, texts) for file, span in blocks[::step]])
    comma = any(file.decimal_comma for file in files)
    found = dict(read_columns(some, replace(reading, decimal_comma=comma)).columns)
    for file, span in blocks if found else ():
        frame = file.read(span, {name: texts[name] for name in found})
        for name, one in list(found.items()):
            try:
                read_columns(frame.select(name), replace(reading, columns={name: one}))
            except CellError:
                del found[name]
    return found


def _expanded(path: Path) -> list[Path]:
    """The tables of a folder, by name; else what the path or glob names."""
    if not path.is_dir():
        return paths_of(path)
    for suffix in SUFFIXES:
        found = sorted(each for each in path.iterdir() if each.suffix.lower() == suffix)
        if found:
            return found
    raise FileError(
        f"{path}: the folder holds no table; expected files that end in {', '.join(SUFFIXES)}."
    )


def _opened(path: Path, reading: Reading) -> File:
    if is_pipe(path):
        raise FileError(
            f"{path}: is a pipe, which can be read only once; "
            f"{setting('a stream', '--memory')} reads its files several times. Write it to a file, "
            f"or {setting('use read', 'leave out --memory')}."
        )
    pieces = sampled(path)
    kind = kind_of(pieces[0])
    if kind == "Parquet":
        return ParquetFile(path, reading)
    if kind == "text":
        return TextFile(path, pieces, reading)
    raise FileError(
        f"{path}: is {kind} data, which is not read in blocks; expected CSV, TSV or Parquet. "
        f"Write it as one of them, or {setting('use read', 'leave out --memory')}."
    )


def _common(files: Sequence[File]) -> dict[str, Any]:
    """The names of all files and a type for each; numbers of several types meet as decimals."""
    polars = require("polars", "table", "reading tables")
    first = files[0]
    schema = dict(first.schema)
    for file in files[1:]:
        odd = sorted({*file.schema} ^ {*schema})
        if odd:
            has, lacks = (file, first) if odd[0] in file.schema else (first, file)
            near = nearest(odd[0], list(lacks.schema))
            raise DataError(
                f"{lacks.path}: has no column {odd[0]!r}, which {has.path} has.{near} Expected "
                "the same columns in each file."
            )
        for name, dtype in file.schema.items():
            met = _meeting(schema[name], dtype, polars)
            if met is None:
                raise DataError(
                    f"{file.path}: column {name!r} is of type {dtype}; expected {schema[name]}, as "
                    f"in {first.path}. Write them with one type."
                )
            schema[name] = met
    return schema


def _meeting(one: Any, other: Any, polars: Any) -> Any:
    """The type that holds the values of two; None where there is none."""
    texts = (polars.String, polars.Categorical, polars.Enum)
    if one == other or other == polars.Null:
        return one
    if one == polars.Null:
        return other
    if one.is_numeric() and other.is_numeric():
        return polars.Int64 if one.is_integer() and other.is_integer() else polars.Float64
    if all(isinstance(dtype, texts) or dtype in texts for dtype in (one, other)):
        return polars.String
    return None


def _width(dtype: Any) -> int:
    """Bytes of a cell in memory; of text those of a reference to it."""
    bits = {"8": 1, "16": 2, "32": 4, "64": 8}
    digits = "".join(filter(str.isdigit, str(dtype).partition("(")[0]))
    return bits.get(digits, 8 if dtype.is_temporal() else 1 if str(dtype) == "Boolean" else 16)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        raise FileError(
            f"{path}: existed when the table was opened, and is gone. Restore it, or start "
            "again with the remaining files."
        ) from None
    return found.st_size, found.st_mtime_ns


def _asked(path: Path, ask: Any) -> Any:
    """What polars answers about a file, its errors as this package's."""
    polars = require("polars", "table", "reading tables")
    try:
        return ask()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise FileError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from None
