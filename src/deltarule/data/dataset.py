"""The one entrance for tables: whatever holds one, as a frame whose values are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltarule.data.column_readings import read_columns
from deltarule.data.files import files_read
from deltarule.data.frames import frame_of
from deltarule.data.positions import FileRows, cells_of
from deltarule.data.reading_settings import Reading
from deltarule.data.values import tidied

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Dataset:
    """A table whose values are read, and how they were.

    Attributes
    ----------
    frame : polars.DataFrame
        Numbers and dates as such, also where they came as text; missing markers as nulls.
    reading : Reading
        How the values were read: what was detected is filled in.
    notes : tuple of str
        What was left out of its files or named otherwise, and what is not certain about its values:
        a sentence each.
    files : tuple of FileRows
        Where its rows stand in the files it was read from; none for a table in memory.
    """

    frame: pl.DataFrame
    reading: Reading
    notes: tuple[str, ...] = ()
    files: tuple[FileRows, ...] = ()

    def with_frame(self, frame: pl.DataFrame) -> Dataset:
        """Other columns of the same rows."""
        return replace(self, frame=frame)

    def with_rows(self, frame: pl.DataFrame) -> Dataset:
        """Other rows of the same table; messages count them on their own."""
        return replace(self, frame=frame, files=())


def dataset_of(source: Any, reading: Reading = Reading()) -> Dataset:  # noqa: B008
    """A table from whatever holds one; its values are read as those of a text file are.

    Parameters
    ----------
    source : path, glob, sequence of them, data frame, array, sparse matrix, mapping or records
        As :func:`deltarule.data.read` and :func:`deltarule.data.frame_of` take. A
        :class:`Dataset` has been read already.
    reading : Reading
        Overrides what is detected.

    Raises
    ------
    FileError, DataError
        For what holds no table.

    Examples
    --------
    >>> dataset_of({"a": [" 1", "?"], "b": ["2024-05-31", "NA"]}).frame.rows()
    [(1, datetime.date(2024, 5, 31)), (None, None)]
    """
    if isinstance(source, Dataset):
        return source
    if is_path(source):
        frame, comma, notes, files = files_read(source, reading)
    else:
        comma, notes, files = bool(reading.decimal_comma), (), ()
        texts = tuple(reading.columns or ())
        frame = tidied(
            frame_of(source), reading.missing, decimal_comma=comma, texts=texts, typed=True
        )
    reading = replace(reading, decimal_comma=comma)
    with cells_of(files):
        found = read_columns(frame, reading)
    reading = replace(reading, columns=found.columns)
    return Dataset(found.frame, reading, (*notes, *found.notes), files)


def is_path(source: Any) -> bool:
    """Whether a source names files."""
    some = source if isinstance(source, list | tuple) and source else [source]
    return all(isinstance(each, str | Path) for each in some)
