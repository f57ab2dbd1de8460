"""Files and built-in sets to frames, as the options say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deltarule.cli.loading import load
from deltarule.cli.terminal import Terminal
from deltarule.data import (
    BUILT_IN,
    Dataset,
    FileRows,
    Reading,
    Stream,
    built_in,
    dataset_of,
    is_pipe,
    stream,
    written,
)
from deltarule.errors import FileError, SettingError
from deltarule.registry import nearest
from deltarule.tabular import fingerprint


class Source(NamedTuple):
    """A table that was read.

    Attributes
    ----------
    name : str
        For people.
    data : Dataset
    target : str or None
        What a built-in set is about.
    paths : tuple of str
        The names of its files.
    """

    name: str
    data: Dataset
    target: str | None
    paths: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[FileRows, ...]:
        """Where its rows stand in its files."""
        return self.data.files

    @property
    def frame(self) -> Any:
        """Its rows."""
        return self.data.frame

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.frame.columns)

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(self.frame)

    @property
    def digest(self) -> str:
        """What tells it from other tables."""
        return fingerprint(self.frame)

    def written(self, names: Sequence[str]) -> Any:
        """Some of its columns, with amounts and moments as they are written in its files.

        A pipe cannot be read again: there they are as they were read.
        """
        frame, reading = self.frame.select(names), self.data.reading
        read = [
            column.name
            for column in frame
            if reading.of(column.name).is_measured or column.dtype.is_temporal()
        ]
        if not read or not self.paths or any(is_pipe(Path(path)) for path in self.paths):
            return frame
        return frame.with_columns(written(self.paths, reading, read).get_columns())


def opened(data: Sequence[str], reading: Reading, memory: int | None = None) -> Source | Stream:
    """The table behind the arguments; to be read in blocks where memory is limited."""
    return source(data, reading) if memory is None else in_blocks(data, reading)


def _say_notes(table: Dataset | Stream) -> None:
    """Say what was left out of the files, or named otherwise than they do."""
    for note in table.notes:
        Terminal().warn(note)


def source(data: Sequence[str], reading: Reading) -> Source:
    """The table behind the arguments: files, globs, or one built-in name.

    Raises
    ------
    FileError, DataError, SettingError
        For what cannot be read.
    OutOfMemoryError
        Where the process may not have the addresses: the libraries would end it without a word.
    """
    load()
    named = [name for name in data if name in BUILT_IN]
    if named and len(data) > 1:
        raise SettingError(
            f"{named[0]!r} is a built-in set and stands alone; got {len(data)} names. For a file "
            f"of that name write ./{named[0]}."
        )
    if named:
        frame, target = built_in(named[0])
        return Source(named[0], dataset_of(frame, reading), target)
    _suggest(data)
    found = dataset_of(list(data), reading)
    _say_notes(found)
    return Source(", ".join(data), found, None, tuple(data))


def in_blocks(data: Sequence[str], reading: Reading) -> Stream:
    """The table behind files, globs and folders, to be read in blocks.

    Raises
    ------
    FileError, DataError
        For what cannot be read, and files that disagree.
    SettingError
        For a built-in set.
    """
    if data[0] in BUILT_IN:
        raise SettingError(f"{data[0]!r} is a built-in set and small; leave out --memory.")
    load()
    found = stream(list(data), reading)
    _say_notes(found)
    return found


def _suggest(data: Sequence[str]) -> None:
    """Refuse what is not a file and looks like a built-in name."""
    for name in data:
        hint = nearest(name, list(BUILT_IN)) if name.isidentifier() else ""
        if hint and not Path(name).exists():
            raise FileError(
                f"{name}: there is no such file, and no built-in set of that name.{hint} "
                f"Built-in: {', '.join(BUILT_IN)}."
            )
