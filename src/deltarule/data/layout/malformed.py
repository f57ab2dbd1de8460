"""Text that is not a clean table: blank lines, ragged rows, quotes that do not close.

Only files that the parser stumbles over come here, so this may take its time.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from dataclasses import replace
from operator import is_not
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deltarule.data.layout.detection import Layout
from deltarule.data.layout.headers import counted
from deltarule.data.layout.records import BLANKS, Record, broken, lines_of, records, skipped
from deltarule.data.layout.totals import LABELS
from deltarule.data.positions import place
from deltarule.data.unpacking import opened
from deltarule.errors import DataError, require, setting

if TYPE_CHECKING:
    import polars as pl

_PIECE = 1 << 16  # bytes that are looked at together: a processor has them at hand
_LONGEST_FOOTER = 10  # rows


def blank_rows(data: Path | bytes, layout: Layout, height: int) -> pl.Series | None:
    """Which rows of a parsed table are blank lines; None where rows and lines do not agree.

    Parameters
    ----------
    data : Path or bytes
        The text.
    layout : Layout
    height : int
        How many rows the parser found.

    Returns
    -------
    polars.Series of bool or None
        None where some line has another number of cells than the first, or a quoted cell holds
        a line break: :func:`rewritten` knows more.
    """
    polars = require("polars", "table", "reading tables")
    lines = polars.read_csv(
        data,
        has_header=False,
        schema={"line": polars.String},
        skip_lines=layout.begins,
        separator="\x01",
        quote_char=None,
        glob=False,
    )["line"].fill_null("")
    if len(lines) != height:
        return None
    bare = lines
    if layout.quote and lines.str.contains(layout.quote, literal=True).any():
        bare = lines.str.replace_all(f"{layout.quote}[^{layout.quote}]*{layout.quote}", "")
    blank = lines.str.strip_chars(" \t\r").str.len_bytes() == 0
    cuts = bare.str.count_matches(layout.delimiter, literal=True)
    if bool(((cuts == len(layout.names) - 1) | blank).all()):
        return blank
    return None


def has_zeros(data: Path | bytes) -> bool:
    """Whether some byte is zero, which no text means."""
    if isinstance(data, bytes):
        return b"\x00" in data
    with data.open("rb") as file:
        return any(b"\x00" in piece for piece in iter(lambda: file.read(_PIECE), b""))


def without_zeros(content: bytes, layout: Layout) -> tuple[bytes, Layout]:
    r"""A text without the zero bytes that it has, and its layout with a note of them.

    Examples
    --------
    >>> layout = Layout("utf-8", ",", "", False, 0, ("a",), ("whole",), False, ())
    >>> content, layout = without_zeros(b"1\n2\x00\n", layout)
    >>> content, layout.notes
    (b'1\n2\n', ('has zero bytes, which are left out, the first in line 2',))
    """
    line = layout.before[1] + content.count(b"\n", 0, content.index(b"\x00")) + 1
    note = f"has zero bytes, which are left out, the first in line {line:,}"
    return content.replace(b"\x00", b""), replace(layout, notes=(*layout.notes, note))


def has_stray_quotes(data: Path | bytes, layout: Layout) -> bool:
    """Whether some quote neither begins nor ends a cell, nor is doubled, or one has no other.

    The parser takes such cells apart without a word.
    """
    if not layout.quote:
        return False
    mark, count, before = layout.quote.encode(), 0, b""
    with opened(data) as file:
        while piece := file.read(_PIECE):
            if mark in piece or mark in before:
                codes = np.frombuffer(before + piece, np.uint8)
                quotes = codes == mark[0]
                edges = quotes | (codes == ord(layout.delimiter)) | (codes == 10) | (codes == 13)
                if (quotes[1:-1] & ~(edges[:-2] | edges[2:])).any():
                    return True
                count += int(np.count_nonzero(quotes[len(before) :]))
            before = piece[-2:]  # the last was not looked at, with both its neighbors
    return count % 2 == 1


def rewritten(path: Path, text: str, layout: Layout) -> tuple[bytes, Layout]:
    """The same table in the plainest CSV, and its layout; walks every row.

    Left out, which the layout notes: comments, lines that repeat the header, a footer, and rows
    that are bad if that is asked for.

    Raises
    ------
    DataError
        For a row with another number of cells than the first line, or a quote that does not
        close, with the number of its line.
    """
    out = io.StringIO()
    walk = _Walk(path, layout)
    csv.writer(out, lineterminator="\n").writerows(walk.rows(lines_of(text)))
    plain = replace(
        layout,
        encoding="utf-8",
        delimiter=",",
        quote='"',
        begins=0,
        fixes=(),
        is_plain=True,
        notes=(*layout.notes, *walk.notes()),
        rows=walk.numbers,
        lines=walk.lines,
        ends=walk.ends,
    )
    return out.getvalue().encode(), plain


class _Walk:
    """A walk over all rows of a text, and what was left out or repaired on the way.

    Attributes
    ----------
    numbers, lines : array of int
        Where the rows of the table stand in the file: which rows they are, and their first lines.
    ends : int
        The number of the last row.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._width = len(layout.names)
        self._lines_above = layout.before[1] + layout.begins
        self.numbers, self.lines = array("q"), array("q")
        self.ends = layout.before[0] + layout.above
        self._comments = self._headers = self._footers = 0
        self._repaired: list[int] = []  # lines, as are the bad ones
        self._bad: list[int] = []

    def rows(self, lines: list[str]) -> Iterator[list[str]]:
        """The rows of the table."""
        layout = self._layout
        lines[: layout.begins] = []
        if layout.comment:
            kept = ["\n" if line.startswith(layout.comment) else line for line in lines]
            self._comments, lines = sum(map(is_not, kept, lines)), kept
        waiting: dict[int, Record] = {}  # bad ones, a footer if no good one follows
        for record in records(lines, layout.delimiter, layout.quote, self._width):
            cells = self._cells(record)
            self.ends += 1
            if cells is not None:
                self._refuse(waiting)
                waiting = {}
                self.numbers.append(self.ends)
                self.lines.append(self._lines_above + record.first)
                yield cells
            elif not (record.is_blank or self._is_passed_over(record)):
                waiting[self.ends] = record
        last = list(waiting.values())
        if last and layout.is_whole and _are_footer(last, lines, self._width):
            self._footers = len(last)
        else:
            self._refuse(waiting)

    def notes(self) -> Iterator[str]:
        """What was left out and repaired."""
        if self._comments:
            yield f"{counted(self._comments, 'comment line')} left out"
        if self._headers:
            verb = "repeats" if self._headers == 1 else "repeat"
            yield f"{counted(self._headers, 'line')} that {verb} the header left out"
        if self._footers:
            yield f"{counted(self._footers, 'line')} of notes below the table left out"
        if self._bad:
            yield (
                f"{counted(len(self._bad), 'row')} with too many or too few cells or broken quotes "
                f"left out (bad_rows=skip): {_lines(self._bad)}"
            )
        if self._repaired:
            yield (
                f"{counted(len(self._repaired), 'row')} with stray quotes read from delimiter to "
                f"delimiter: {_lines(self._repaired)}"
            )

    def _cells(self, record: Record) -> list[str] | None:
        """The cells of a row of the table; None for what is none."""
        cells, flaw = record.cells, record.flaw
        if record.is_blank and self._width > 1:
            return None
        if len(cells) > self._width and not "".join(cells[self._width :]).strip():
            cells = cells[: self._width]
        if len(cells) != self._width or record.is_broken:
            return None
        labels = self._layout.labels
        if labels and cells[0].strip(BLANKS) == labels[0] and self._repeats(cells):
            return None
        if flaw:
            self._repaired.append(self._lines_above + record.first)
        return cells

    def _repeats(self, cells: list[str]) -> bool:
        """Whether a row is the header again."""
        return tuple(cell.strip(BLANKS) for cell in cells) == self._layout.labels

    def _is_passed_over(self, record: Record) -> bool:
        """Whether a row that is none of the table is a comment, or the header again."""
        if self._repeats(record.cells):
            self._headers += 1
        elif record.cells[0].startswith("#"):
            self._comments += 1
        else:
            return False
        return True

    def _refuse(self, bad: dict[int, Record]) -> None:
        if bad and self._layout.bad_rows == "error":
            raise self._error(*next(iter(bad.items())))
        self._bad += [self._lines_above + record.first for record in bad.values()]

    def _error(self, number: int, bad: Record) -> DataError:
        """What is wrong with a row."""
        layout, line = self._layout, self._lines_above + bad.first
        if bad.is_broken:
            return broken(self._path, bad, line, layout.delimiter, layout.quote)
        first = "the header" if layout.labels else "the first line"
        cells = counted(len(bad.cells), "cell")
        return DataError(
            f"{self._path}: {place(number, line)} of the file has {cells}; expected "
            f"{self._width}, as in {first}. Correct that line, {skipped()}, or pass the right "
            f"{setting('delimiter', '--delimiter')}."
        )


def _are_footer(rows: list[Record], lines: list[str], width: int) -> bool:
    """Whether rows behind the last are notes: few, each of fewer cells, not cut off."""
    return (
        len(rows) <= _LONGEST_FOOTER
        and lines[-1].endswith(("\n", "\r"))
        and all(len(row.cells) < width and not row.flaw for row in rows)
        and all(map(_is_note, rows))
    )


def _is_note(record: Record) -> bool:
    """Whether a row is a sentence or a total, and not the beginning of a row of data."""
    first, *others = (cell.strip() for cell in record.cells)
    if first.casefold().strip(" :.") in LABELS:
        return True
    is_sentence = any(map(str.isalpha, first)) and any(mark in first for mark in " :*(©")
    return is_sentence and not any(cell[:1].isdigit() for cell in others)


def _lines(numbers: list[int]) -> str:
    """The numbers of some lines, the first few of many."""
    shown = ", ".join([*map(str, numbers[:3]), *(["…"] if len(numbers) > 3 else [])])
    return f"line{'s' * (len(numbers) > 1)} {shown}"
