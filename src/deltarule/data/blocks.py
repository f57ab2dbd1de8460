"""A block of rows of a file: where it lies, how large it is, who reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from deltarule.data.positions import FileRows

if TYPE_CHECKING:
    import polars as pl


class Span(NamedTuple):
    """Where a block lies in its file.

    Attributes
    ----------
    begin : int
        The first of the file's rows, or bytes.
    end : int
        Behind the last.
    rows : int
    size : int
        About how many bytes it takes in memory.
    """

    begin: int
    end: int
    rows: int
    size: int


class File(Protocol):
    """A file whose blocks are known: columns with their types, spans, a digest; how it is read."""

    path: Path
    schema: Mapping[str, Any]
    spans: Sequence[Span]
    digest: str
    decimal_comma: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of it, or named otherwise than it does, for people."""

    def read(self, span: Span, schema: Mapping[str, Any]) -> pl.DataFrame:
        """The rows of a block, as columns of these names and types."""

    def rows(self, span: Span) -> FileRows:
        """Where the rows of a block stand in it."""


class Block(NamedTuple):
    """A block of a stream.

    Attributes
    ----------
    file : File
    span : Span
    first : int
        The number of its first row in the stream, counted from 0.
    """

    file: File
    span: Span
    first: int

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.span.rows
