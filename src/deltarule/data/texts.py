"""A text file in blocks of whole lines, with one type for each column from end to end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltarule.data.blocks import Span
from deltarule.data.column_readings import read_columns
from deltarule.data.encodings import decoded, is_by_bytes
from deltarule.data.files import parsed
from deltarule.data.layout.detection import Layout, detected
from deltarule.data.positions import FileRows, cells_of
from deltarule.data.reading_settings import Reading
from deltarule.data.types import Types
from deltarule.data.values import tidied
from deltarule.errors import DataError, FileError, require, setting

if TYPE_CHECKING:
    import polars as pl

PIECE = 1 << 22
"""Approximate size of a block, in bytes."""

LONGEST = 16 * PIECE
"""Bytes within which a row must end."""

_MOST_NOTES = 5


class TextFile:
    """A text file, by whole lines; read once when it is opened.

    A column's type is what all its cells are, as where the file is read whole: numbers, dates, or
    else text.

    Parameters
    ----------
    path : Path
    pieces : sequence of bytes
        Of its content: its beginning, then others.
    reading : Reading

    Raises
    ------
    FileError, DataError
        For an encoding that cannot be read in blocks, ragged rows, a quote that does not close.
    """

    def __init__(self, path: Path, pieces: Sequence[bytes], reading: Reading) -> None:
        self.path = path
        self._layout = detected(path, pieces, reading)
        self.decimal_comma = self._layout.decimal_comma
        encoding = self._layout.encoding
        if not is_by_bytes(encoding):
            raise FileError(
                f"{path}: is {encoding}, which is not read in blocks; expected UTF-8. Convert it."
            )
        self._reading = replace(reading, encoding=self._layout.encoding)
        self._size = path.stat().st_size
        self._notes: dict[int, tuple[str, ...]] = {}  # of each block, by its first byte
        self._before = {0: (0, 0)}  # likewise: how many rows and lines of the file stand before it
        self._rows: dict[int, FileRows] = {}  # likewise
        self.spans: Sequence[Span] = ()
        self.schema: Mapping[str, Any] = {}
        self._scan()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the file, or named otherwise than it does, for people."""
        blocks = [
            note + (f", in the block from byte {begin:,} on" if begin else "")
            for begin, notes in self._notes.items()
            for note in notes
        ]
        more = (f"likewise {len(blocks) - _MOST_NOTES:,} times",) * (len(blocks) > _MOST_NOTES)
        return (*blocks[:_MOST_NOTES], *more)

    def read(self, span: Span, schema: Mapping[str, Any]) -> pl.DataFrame:
        """The rows of a block."""
        polars = require("polars", "table", "reading tables")
        with self.path.open("rb") as file:
            file.seek(span.begin)
            lines = file.read(span.end - span.begin)
        texts = [name for name, dtype in schema.items() if dtype == polars.String]
        frame = self._tidied(lines, span.begin, texts)
        return frame.select(polars.col(name).cast(dtype) for name, dtype in schema.items())

    def rows(self, span: Span) -> FileRows:
        """Where the rows of a block stand in the file."""
        return self._rows[span.begin]

    def _scan(self) -> None:
        """Read all of it: where blocks lie, how many rows they have, what their columns are."""
        digest = hashlib.blake2b(digest_size=16)
        types = Types()
        spans: list[Span] = []
        begin = 0
        for lines in self._pieces():
            digest.update(lines)
            frame = self._tidied(lines, begin, ())
            end = begin + len(lines)
            if frame.height:
                size = max(frame.estimated_size(), len(lines))
                spans.append(Span(begin, end, frame.height, int(size)))
            types.meet(frame)
            begin = end
        self.digest, self.spans = digest.hexdigest(), spans
        if not spans:
            raise DataError(
                f"{self.path}: has a header but no rows; expected at least one row below it."
            )
        names, last = types.names, self._layout.names[-1]
        unnamed = self._layout.labels and len(names) > 1 and last == f"column_{len(names)}"
        if unnamed and types.is_empty(last):
            names.remove(last)  # every line ends in a delimiter
        self.schema = {name: types.common(name) for name in names}

    def _pieces(self) -> Iterator[bytes]:
        """The file's bytes, cut where a line ends that ends a row."""
        quote = self._layout.quote.encode()
        with self.path.open("rb") as file:
            while lines := file.read(PIECE):
                begins = file.tell() - len(lines)
                lines += file.readline(LONGEST)
                while quote and lines.count(quote) % 2 and len(lines) < LONGEST:
                    more = file.readline(LONGEST)
                    if not more:
                        break
                    lines += more
                if len(lines) >= LONGEST:
                    raise DataError(
                        f"{self.path}: no row ends within {LONGEST:,} bytes from byte {begins:,} "
                        "on; expected rows that end with a line. A quote may not close: close it, "
                        f"or pass another {setting('quote', '--quote')}."
                    )
                yield lines

    def _tidied(self, lines: bytes, begin: int, texts: Sequence[str]) -> pl.DataFrame:
        end, before = begin + len(lines), self._before[begin]
        layout = replace(self._layout, is_whole=end >= self._size, before=before)
        if begin:
            layout = replace(layout, begins=0, above=0, notes=())
        kinds = zip(layout.names, layout.kinds, strict=True)
        layout = replace(layout, kinds=tuple("text" if n in texts else kind for n, kind in kinds))
        frame, layout = parsed(self.path, self._in_utf8(lines, layout), layout, self._reading)
        self._notes[begin] = layout.notes
        self._before[end] = layout.ends, before[1] + (lines.count(b"\n") or lines.count(b"\r"))
        self._rows[begin] = FileRows(self.path, layout.rows, layout.lines)
        found = tidied(
            frame,
            self._reading.missing,
            decimal_comma=layout.decimal_comma,
            texts=(*texts, *(self._reading.columns or ())),
        )
        with cells_of([self._rows[begin]]):
            return read_columns(found, self._reading.values).frame

    def _in_utf8(self, lines: bytes, layout: Layout) -> bytes:
        if layout.encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "ascii"):
            lines = decoded(self.path, lines, layout.encoding).encode()
        for pattern, new in layout.fixes:
            lines = re.sub(pattern, new, lines)
        return lines
