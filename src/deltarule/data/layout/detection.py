"""What a text file looks like: encoding, delimiter, header, quotes, decimal comma, columns.

Everything here is a guess from a sample (the beginning of the file, and a piece from its middle
and its end), overridden by a :class:`Reading`. A wrong guess about a column costs time, never a
value: see :mod:`deltarule.data.files`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from deltarule.data.encodings import decoded, encoding_of, is_by_bytes
from deltarule.data.layout.dialects import (
    Fixes,
    delimiter_of,
    first_fixes,
    first_rows,
    fixed,
    fixes_for,
    quote_of,
)
from deltarule.data.layout.headers import Cells, heading
from deltarule.data.layout.records import BLANKS, broken
from deltarule.data.layout.unclear import check_rows
from deltarule.data.reading_settings import Reading
from deltarule.errors import FileError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"-?\d{1,18}")
_DIGITS = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")
_NUMBER_OR_COMMA = re.compile(f"{_NUMBER.pattern}|{_COMMA.pattern}")
_PADDED = re.compile(r"0\d+")
_NAMED_DELIMITER = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)  # Excel's own
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")  # or a decimal mark, before three digits


@dataclass(frozen=True)
class Layout:
    """What a text file looks like.

    Attributes
    ----------
    encoding : str
    delimiter : str
    quote : str
        Empty where nothing is quoted.
    decimal_comma : bool
    begins : int
        The number of lines above the first row of data.
    names : tuple of str
    kinds : tuple of str
        ``"whole"``, ``"decimal"``, ``"text"`` or, where text recurs, ``"levels"``: what the
        sample holds in each column.
    marked : bool
        Whether columns of numbers hold markers of missing values.
    fixes : tuple of (bytes, bytes)
        Regular expressions and replacements that the text needs before it can be parsed.
    labels : tuple of str
        The cells of the header; none where there is none.
    comment : str
        What a line begins with that is left out; empty where there are none.
    bad_rows : str
        One of :data:`BAD_ROWS`.
    is_regular : bool
        Whether lines of the sample are rows, but for the heading.
    is_plain : bool
        Whether every row was looked at already.
    is_whole : bool
        Whether the text ends where its file does, where a footer may stand.
    notes : tuple of str
        What was left out or renamed, for people.
    above : int
        How many rows are above the first row of data: lines, but for those within a cell.
    before : tuple of int and int
        How many rows and lines of the file stand before the text, where that is a piece of it.
    rows, lines : sequence of int
        Once it is parsed: the number of each row of data in the file, counted from 1, and the line
        where it begins, where that is known.
    ends : int
        Once it is parsed: the number of the text's last row in the file.
    """

    encoding: str
    delimiter: str
    quote: str
    decimal_comma: bool
    begins: int
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    marked: bool
    fixes: Fixes
    labels: tuple[str, ...] = ()
    comment: str = ""
    bad_rows: str = "error"
    is_regular: bool = True
    is_plain: bool = False
    is_whole: bool = True
    notes: tuple[str, ...] = ()
    above: int = 0
    before: tuple[int, int] = (0, 0)
    rows: Sequence[int] = ()
    lines: Sequence[int] = ()
    ends: int = 0


def detected(path: Path, pieces: Sequence[bytes], reading: Reading) -> Layout:
    """How to read a file of which `pieces` are known: its beginning, then others.

    Raises
    ------
    FileError
        For bytes that are not text, or not of the encoding asked for.
    DataError
        For broken quotes in the header.
    """
    encoding, notes = encoding_of(path, pieces, reading.encoding)
    head, others, ends = _texts(path, pieces, encoding, reading)
    head, named = _without_lines(head, reading)
    first, more = first_fixes(head, reading.quote)
    head, notes = fixed(head, first), (*notes, *more)
    quote = quote_of(head) if reading.quote is None else reading.quote
    cut = cache(lambda delimiter: first_rows(head, delimiter, quote))
    delimiter = reading.delimiter or named or delimiter_of(head, quote, cut)
    fixes = fixes_for(head, ends, delimiter, quote)
    if fixes:
        head = fixed(head, fixes)
        cut.cache_clear()
    delimiter = "\t" if any(new == b"\t" for _, new in fixes) else delimiter
    found = cut(delimiter)
    if not found:
        raise FileError(f"{path}: the file is empty; expected a table.")
    rows = [[cell.strip(BLANKS) for cell in record.cells] for record in found]
    comma, markers = reading.decimal_comma, frozenset(reading.markers)
    if comma is None:
        comma = delimiter != "," and _has_decimal_commas(rows)
    cells = Cells(_NUMBER_OR_COMMA.fullmatch if comma else _NUMBER.fullmatch, markers)
    top = heading(rows, cells, reading.header, reading.bad_rows == "skip")
    above = found[top.above]
    if top.labels and above.is_broken and reading.bad_rows == "error":
        raise broken(path, above, above.first, delimiter, quote)
    if reading.bad_rows == "error":
        check_rows(path, found, top, cells)
    begins = found[top.body - 1].last if top.body else above.first - 1
    body = [record.cells for record in found[top.body :]]
    body += [record.cells for piece in others for record in first_rows(piece, delimiter, quote)]
    name = top.labels[:1]
    once = [row for row in body if row[0].strip(BLANKS) not in name or not top.repeats(row)]
    kinds, marked = _kinds(once, len(top.names), markers, comma)
    known = reading.columns or {}
    kinds = tuple("text" if n in known else kind for n, kind in zip(top.names, kinds, strict=True))
    layout = Layout(
        encoding, delimiter, quote, comma, begins, top.names, kinds, marked, first + fixes
    )
    lost = [name for name in top.names if "\ufffd" in name]
    if lost:
        notes = (*notes, f"has a character that cannot be read in the column name {lost[0]!r}")
    return replace(
        layout,
        labels=top.labels,
        comment=reading.comment or "",
        bad_rows=reading.bad_rows,
        is_regular=len(once) == len(body) and reading.comment is None,
        notes=(*notes, *top.notes),
        above=begins - sum(record.last - record.first for record in found[: top.body]),
    )


def _texts(
    path: Path, pieces: Sequence[bytes], encoding: str, reading: Reading
) -> tuple[str, list[str], str]:
    r"""The beginning, other pieces, both of whole lines, and what lines end with in the file.

    In the beginning all lines end with ``"\n"``. Zero bytes are left out.
    """
    damaged = "replace" if encoding == "utf-8" and reading.encoding is None else "strict"
    errors = damaged if len(pieces) == 1 else "ignore"  # a piece may be cut within a character
    texts = (decoded(path, piece, encoding, errors) for piece in pieces)
    head, *others = (text.replace("\x00", "") for text in texts)
    ends = "\n" if "\n" in head else "\r"
    if not is_by_bytes(encoding):
        others = []  # a piece of them has no mark that tells their order of bytes
    if len(pieces) > 1:
        head = head[: head.rfind(ends) + 1] or head
        others = [piece[piece.find(ends) + 1 : piece.rfind(ends) + 1] for piece in others]
    return head.replace("\r\n", "\n").replace("\r", "\n"), others, ends


def _without_lines(head: str, reading: Reading) -> tuple[str, str]:
    """A text whose lines to be left out are blank, and the delimiter that Excel's first names."""
    lines = head.split("\n")
    named = _NAMED_DELIMITER.fullmatch(lines[0])
    blank = max(reading.skip_lines, named is not None)
    lines[:blank] = [""] * min(blank, len(lines))
    if reading.comment is not None:
        lines = ["" if line.startswith(reading.comment) else line for line in lines]
    return "\n".join(lines), named[1] if named is not None else ""


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Whether more cells have a decimal comma than a point; those of thousands do not count."""
    cells = [cell for row in rows for cell in row]
    cells = [cell for cell in cells if not _THOUSANDS.fullmatch(cell)]
    commas = sum(bool(_COMMA.fullmatch(cell)) for cell in cells)
    points = sum("." in cell and bool(_NUMBER.fullmatch(cell)) for cell in cells)
    return commas > points


def _kinds(
    rows: list[list[str]], width: int, missing: Set[str], decimal_comma: bool
) -> tuple[tuple[str, ...], bool]:
    """What every column of the sample holds, and whether numbers are beside markers."""
    rows = [row for row in rows if len(row) == width]
    kinds, marked = [], False
    for cells in map(set, zip(*rows, strict=True)) if rows else [set[str]()] * width:
        present = cells - missing
        kind = _kind(present, decimal_comma)
        marked = marked or (kind != "text" and bool(cells & missing - {""}))
        kinds.append("levels" if kind == "text" and _recur(present, rows) else kind)
    return tuple(kinds), marked


def _recur(cells: set[str], rows: list[list[str]]) -> bool:
    """Whether so few of the rows' cells differ that every value is worth a number.

    A sample of n cells of n different levels still has about 0.63 n different ones.
    """
    return 0 < len(cells) < 0.8 * len(rows)


def _kind(cells: set[str], decimal_comma: bool) -> str:
    if decimal_comma:
        if any("." in cell for cell in cells):
            return "text"  # thousands with points
        cells = {cell.replace(",", ".", 1) for cell in cells}
    if not cells or any(map(_PADDED.fullmatch, cells)):
        return "text"
    if all(map(_WHOLE.fullmatch, cells)):
        return "whole"
    if all(map(_DIGITS.fullmatch, cells)):
        return "text"  # more digits than numbers hold
    return "decimal" if all(map(_DECIMAL.fullmatch, cells)) else "text"
