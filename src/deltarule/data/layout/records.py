"""Rows of cells from the lines of a text: by its quotes, or line by line where these are broken."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deltarule.errors import DataError, setting

BLANKS = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d"
    "\u202e\u2060\ufeff"
)
"""White space, and the characters that nobody sees: no part of a cell at its ends."""

LONGEST_CELL = 1 << 20
"""Characters of a cell; more, and its quote was never closed."""

_LONGEST_LINE = 1 << 16  # of those that are read without regard to quotes


class Record(NamedTuple):
    """A row of a text.

    Attributes
    ----------
    first, last : int
        Its lines, counted from 1.
    cells : list of str
    flaw : str
        Empty for a row in plain CSV. ``"inner"``: it has quotes within quoted cells that are not
        doubled, and all its cells are clear nevertheless. ``"open"``: a cell's quote does not
        close. ``"behind"``: text stands behind a closing quote.
    """

    first: int
    last: int
    cells: list[str]
    flaw: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether it is a line without anything."""
        return len(self.cells) < 2 and not "".join(self.cells).strip()

    @property
    def is_broken(self) -> bool:
        """Whether what its quotes mean is not certain."""
        return self.flaw in ("open", "behind")


def lines_of(text: str) -> list[str]:
    r"""The lines of a text with their ends, in any of the three customs.

    Examples
    --------
    >>> lines_of("a\r\nb\rc")
    ['a\r\n', 'b\r', 'c']
    """
    return list(io.StringIO(text, newline=""))


def records(
    lines: Sequence[str], delimiter: str, quote: str, width: int | None = None
) -> Iterator[Record]:
    r"""The rows of some lines, blank ones too.

    A quote that does not end where a cell ends spoils its own line only: reading resumes with the
    next line.

    Parameters
    ----------
    lines : sequence of str
        With their ends.
    delimiter, quote : str
        A character each; no quote where nothing is quoted.
    width : int, optional
        How many cells a row has, where this is known: then a quoted line break counts only in
        rows that have as many.

    Examples
    --------
    >>> rows = records(['x,"a\n', 'b"\n', 'y,"the "old" one"\n', 'z,"c\n'], ",", '"')
    >>> [(row.first, row.cells, row.flaw) for row in rows]
    [(1, ['x', 'a\nb'], ''), (3, ['y', 'the "old" one'], 'inner'), (4, ['z', '"c'], 'open')]
    """
    options: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    limit = csv.field_size_limit(LONGEST_CELL)
    done = 0
    try:
        while done < len(lines):
            rest = map(lines.__getitem__, range(done, len(lines)))
            reader = csv.reader(rest, delimiter=delimiter, strict=True, **options)
            begun = done
            try:
                for cells in reader:
                    first, done = done + 1, begun + reader.line_num
                    yield Record(first, done, cells)
                    if width not in (None, len(cells)) and done > first:
                        done = first  # its quote may be a stray one, which the next lines are not
                        break
            except csv.Error:
                done += 1
                yield _line_read(done, lines[done - 1].rstrip("\r\n"), delimiter, quote)
    finally:
        csv.field_size_limit(limit)


def _line_read(number: int, line: str, delimiter: str, quote: str) -> Record:
    """A line on its own, where a cell's quotes are the outermost ones between two delimiters."""
    if not quote or len(line) > _LONGEST_LINE:
        return Record(number, number, [line], "open")
    cut, mark = re.escape(delimiter), re.escape(quote)
    cell = re.compile(rf" *{mark}(.*?){mark} *(?={cut}|$)|([^{cut}]*)")
    cells, flaw, place = [], "inner", 0
    while place <= len(line):
        found = cell.match(line, place)
        assert found is not None  # the second form takes whatever stands there
        quoted, bare = found.groups()
        place = found.end() + 1
        if quoted is not None:
            cells.append(quoted.replace(quote * 2, quote))
            continue
        cells.append("" if bare.strip() == quote else bare)
        if cells[-1].lstrip().startswith(quote):
            flaw = "behind" if quote in bare.lstrip()[1:] else "open"
    return Record(number, number, cells, flaw)


def broken(path: Path, record: Record, line: int, delimiter: str, quote: str) -> DataError:
    """The error for a row whose quotes are broken, in a line of a file."""
    another = f"or pass another {setting('quote', '--quote')}."
    if record.flaw == "open":
        return DataError(
            f"{path}: a quote that opens in line {line} does not close; expected another "
            f"{quote} before the end of the cell. Close it, {skipped()}, {another}"
        )
    return DataError(
        f"{path}: line {line} has text behind a closing quote; expected {delimiter!r} or the end "
        f"of the line. Write a {quote} within a cell twice, {skipped()}, {another}"
    )


def skipped() -> str:
    """How to leave out bad rows, in a message."""
    option = setting('bad_rows="skip"', "--bad-rows skip")
    return f"leave out such rows with {option}"
