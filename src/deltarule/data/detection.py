"""What a text file looks like: encoding, delimiter, header, quotes, decimal comma, columns.

Everything here is a guess from a sample (the beginning of the file, and a piece from its middle
and its end), overridden by a :class:`Reading`. A wrong guess about a column costs time, never a
value: see :mod:`deltarule.data.files`.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from deltarule.data.encodings import decoded, encoding_of, is_by_bytes
from deltarule.data.headers import Cells, heading
from deltarule.data.readings import MARKERS, ColumnReading
from deltarule.data.records import BLANKS, Record, broken, lines_of, records
from deltarule.data.unclear import check_rows
from deltarule.errors import FileError, SettingError, setting

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null")
"""What counts as a missing value in a text file, beside the custom ones."""

HEAD = 1 << 18
"""How many bytes from the beginning of a file are looked at."""

PIECE = 1 << 15
"""How many bytes from the middle, and from the end."""

Fixes = tuple[tuple[bytes, bytes], ...]
"""Regular expressions and replacements."""

DELIMITERS = ("\t", ";", "|", ",")
"""What separates cells, where several would do the first of them; else blanks may."""

RARE_DELIMITERS = ("^", "~", ":")
"""What separates cells where none of the others is found, and the header has it as well."""

ORDERS = ("day-first", "month-first")
"""Of day and month in a date."""

BAD_ROWS = ("error", "skip")
"""What may be done with a row that has another number of cells, or whose quotes are broken."""

_ROWS = 1000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")
_NUMBER_OR_COMMA = re.compile(f"{_NUMBER.pattern}|{_COMMA.pattern}")
_PADDED = re.compile(r"0\d+")
_NAMED_DELIMITER = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)  # Excel's own
_CLOCK = re.compile(r"\d{1,2}(:\d{2}){1,2}.*")
_RULER = rb"(?m)^[ \t|+:]*[-=]{3,}[-=|+: \t]*(?=\r?$)"  # below a printed header
_TOP = 40  # lines, among which the first ruler is
_QUOTED_LINE = re.compile(r'"(?:[^"]|"")*" *')
_AROUND_LINES = (rb'(?m)^"|" *(?=\r?$)', b""), (rb'""', b'"')
_OUTER_BLANKS = (rb"(?m)^[ \t]+|[ \t\r]+$", b"")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")  # or a decimal mark, before three digits


@dataclass(frozen=True)
class Reading:
    """How a text file is to be read; what is None is detected.

    Parameters
    ----------
    delimiter : str, optional
        One character.
    header : bool, optional
        Whether the first line names the columns.
    encoding : str, optional
        A name that Python knows, such as ``"latin-1"``.
    decimal_comma : bool, optional
        Whether ``3,5`` is a number.
    quote : str, optional
        The quoting character; empty where nothing is quoted.
    missing : tuple of str
        Markers of missing values, beside :data:`MISSING`.
    skip_lines : int
        How many lines at the beginning are left out.
    comment : str, optional
        What a line begins with that is left out. Lines of notes above the header are detected.
    bad_rows : str
        What is done with a row that has too many or too few cells or broken quotes: ``"error"``
        or ``"skip"``.
    sheet : str, optional
        Which sheet of a workbook; needed where several hold something.
    plain : bool
        Whether only plain numbers are read: no units, currencies, thousands and the like.
    dates : str, optional
        The order of day and month in dates such as 1/2/2024: ``"day-first"`` or
        ``"month-first"``.
    columns : mapping of str to ColumnReading, optional
        How text columns that hold numbers are read, as in an earlier table; None detects it.

    Raises
    ------
    SettingError
        For a delimiter or quote that is not one character, or an unknown encoding.

    Examples
    --------
    >>> Reading(delimiter=";", missing=("unknown",)).missing
    ('unknown',)
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    decimal_comma: bool | None = None
    quote: str | None = None
    missing: tuple[str, ...] = ()
    skip_lines: int = 0
    comment: str | None = None
    bad_rows: str = "error"
    sheet: str | None = None
    plain: bool = False
    dates: str | None = None
    columns: Mapping[str, ColumnReading] | None = None

    def __post_init__(self) -> None:
        _check_character("delimiter", self.delimiter)
        _check_character("quote", self.quote or None)
        if self.delimiter is not None and self.delimiter == self.quote:
            raise SettingError(
                f"delimiter and quote: expected different characters, got {self.quote!r} for both."
            )
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except (LookupError, TypeError, ValueError):
                raise SettingError(
                    f"{setting('encoding', '--encoding')}: Python knows none named "
                    f"{self.encoding!r}. Common ones are utf-8, latin-1, cp1252, utf-16."
                ) from None
        missing: Any = self.missing
        if isinstance(missing, str) or not all(isinstance(marker, str) for marker in missing):
            raise SettingError(f"missing: expected a tuple of text markers, got {self.missing!r}.")
        lines: Any = self.skip_lines
        if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
            named = setting("skip_lines", "--skip-lines")
            raise SettingError(f"{named}: expected a number of lines, got {lines!r}.")
        if self.comment is not None and not self.comment.strip():
            named = setting("comment", "--comment")
            raise SettingError(f"{named}: expected what a line begins with, got {self.comment!r}.")
        if self.bad_rows not in BAD_ROWS:
            named = setting("bad_rows", "--bad-rows")
            raise SettingError(f"{named}: expected error or skip, got {self.bad_rows!r}.")
        if self.dates not in (None, *ORDERS):
            named = setting("dates", "--dates")
            raise SettingError(f"{named}: expected {' or '.join(ORDERS)}, got {self.dates!r}.")

    @property
    def values(self) -> Reading:
        """What of it is about values, and not about the layout of a file; nothing to detect."""
        comma = bool(self.decimal_comma)
        return Reading(missing=self.missing, decimal_comma=comma, columns=self.columns or {})

    def of(self, name: str) -> ColumnReading:
        """How a column's text is read."""
        return (self.columns or {}).get(name, _PLAIN)

    def markers_of(self, name: str) -> frozenset[str]:
        """Every marker of a missing value in a column."""
        known = MARKERS if name in (self.columns or {}) else ()
        return frozenset((*self.markers, *self.of(name).markers, *known))

    @property
    def markers(self) -> tuple[str, ...]:
        """Every marker of a missing value."""
        return (*MISSING, *self.missing)


_PLAIN = ColumnReading()


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
        How many rows stand above the first row of data: lines, but for those within a cell.
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
        For bytes that are no text, or not of the encoding asked for.
    DataError
        For broken quotes in the header.
    """
    encoding, notes = encoding_of(path, pieces, reading.encoding)
    head, others, ends = _texts(path, pieces, encoding, reading)
    head, named = _without_lines(head, reading)
    first, more = _first_fixes(head, reading.quote)
    head, notes = _fixed(head, first), (*notes, *more)
    quote = _quote(head) if reading.quote is None else reading.quote
    cut = cache(lambda delimiter: _rows(head, delimiter, quote))
    delimiter = reading.delimiter or named or _delimiter(head, quote, cut)
    fixes = _fixes(head, ends, delimiter, quote)
    if fixes:
        head = _fixed(head, fixes)
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
    body += [record.cells for piece in others for record in _rows(piece, delimiter, quote)]
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


def _check_character(name: str, value: str | None) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n":
        named = setting(name, f"--{name}")
        raise SettingError(f"{named}: expected one ASCII character, got {value!r}.")


def _quote(head: str) -> str:
    """The mark that cells begin with: double, else single; none where it only means inches."""
    edge = "|".join(re.escape(character) for character in DELIMITERS)
    if '"' in head:
        return '"' if re.search(rf'(?:^|{edge}) *"', head, re.MULTILINE) else ""
    wrapped = rf"(?:^|{edge}) *'[^'\n]*' *(?:$|{edge})"
    return "'" if "'" in head and re.search(wrapped, head, re.MULTILINE) else '"'


def _without_lines(head: str, reading: Reading) -> tuple[str, str]:
    """A text whose lines to be left out are blank, and the delimiter that Excel's first names."""
    lines = head.split("\n")
    named = _NAMED_DELIMITER.fullmatch(lines[0])
    blank = max(reading.skip_lines, named is not None)
    lines[:blank] = [""] * min(blank, len(lines))
    if reading.comment is not None:
        lines = ["" if line.startswith(reading.comment) else line for line in lines]
    return "\n".join(lines), named[1] if named is not None else ""


def _delimiter(head: str, quote: str, cut: Callable[[str], list[Record]]) -> str:
    """The character that cuts most lines into the same number of cells, more than one.

    If none does, that between two quoted cells of the first line; else blanks, or a rare one.
    """
    best, found = 0.5, ""
    for candidate in filter(head.__contains__, DELIMITERS):
        counts = Counter(len(record.cells) for record in cut(candidate))
        usual, often = counts.most_common(1)[0] if counts else (1, 0)
        if usual > 1 and often / counts.total() > best:
            best, found = often / counts.total(), candidate
    first = head.lstrip("\n").partition("\n")[0].replace(" ", "")
    between = (each for each in DELIMITERS if quote and f"{quote}{each}{quote}" in first)
    if found := found or next(between, ""):
        return found
    widths = Counter(len(line.split()) for line in head.splitlines()[:_ROWS] if line.strip())
    if widths and len(widths) == 1 and 1 not in widths:
        return " "
    for candidate in filter(head.__contains__, RARE_DELIMITERS):
        rows = [record.cells for record in cut(candidate)]
        same = len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
        if same and len(rows) > 1 and not _CLOCK.fullmatch(candidate.join(rows[-1])):
            return candidate
    return ","


def _first_fixes(head: str, quote: str | None) -> tuple[Fixes, tuple[str, ...]]:
    """What a text needs before its delimiter shows, and notes of it."""
    fixes: list[tuple[bytes, bytes]] = []
    notes, lines = [], head.split("\n", _ROWS)[:_ROWS]
    if re.search(_RULER.decode(), "\n".join(lines[:_TOP])):
        fixes.append((_RULER, b""))
    if quote in (None, '"') and _are_quoted_whole([line for line in lines if line.strip()]):
        fixes += _AROUND_LINES
        notes.append("each line is quoted as a whole; the cells are what the quotes hold")
    return tuple(fixes), tuple(notes)


def _are_quoted_whole(lines: list[str]) -> bool:
    """Whether lines are rows that have quotes around them; the first may have none at all."""
    if len(lines) < 2 or not all(map(_QUOTED_LINE.fullmatch, lines[1:])):
        return False
    if '"' in lines[0] and not _QUOTED_LINE.fullmatch(lines[0]):
        return False
    text = _fixed("\n".join(lines), _AROUND_LINES)
    names = text.partition("\n")[0]
    for delimiter in DELIMITERS:
        if delimiter in names and delimiter + " " not in names:
            widths = {len(row.cells) for row in _rows(text, delimiter, '"')}
            if len(widths) == 1:
                return True
    return False


def _fixed(text: str, fixes: Fixes) -> str:
    for pattern, new in fixes:
        text = re.sub(pattern.decode(), new.decode(), text)
    return text


def _fixes(head: str, ends: str, delimiter: str, quote: str) -> Fixes:
    fixes: list[tuple[bytes, bytes]] = []
    if ends == "\r" and "\n" in head:
        fixes.append((rb"\r", b"\n"))
    cut, mark = re.escape(delimiter), re.escape(quote)
    if delimiter == " " and re.search(r"  |\t|^ | $", head, re.MULTILINE):
        fixes += [_OUTER_BLANKS, (rb"[ \t]+", b"\t")]
    elif delimiter == "," and delimiter not in head and _is_aligned(head):
        fixes += [_OUTER_BLANKS, (rb"[ \t]{2,}", b"\t")]
    elif delimiter == ":" and "::" in head and "\t" not in head:
        fixes.append((rb"::", b"\t"))
    elif quote:
        if f"\\{quote}" in head and re.search(rf"\\{mark}[^{cut}\n]", head):
            fixes.append((rf"\\{mark}".encode(), (quote * 2).encode()))
        begun = rf"[^{mark}{cut}\r\n]|{mark}(?:[{cut}\r\n]|$)|{mark}{mark}[^{cut}\r\n]"
        blanks = rf"{cut} +(?={mark}(?:{begun}))"  # not before a doubled quote within a cell
        if f" {quote}" in head and re.search(blanks, head):
            fixes.append((blanks.encode(), delimiter.encode()))
    return tuple(fixes)


def _is_aligned(head: str) -> bool:
    """Whether two blanks or more cut all lines into the same number of cells."""
    lines = [line.strip() for line in head.split("\n")[:_ROWS] if line.strip()]
    widths = {len(re.split(r"[ \t]{2,}", line)) for line in lines}
    return len(lines) > 1 and len(widths) == 1 and 1 not in widths


def _rows(text: str, delimiter: str, quote: str) -> list[Record]:
    """The first rows of a text that are not blank."""
    found = records(lines_of(text), delimiter, quote)
    return list(islice((record for record in found if not record.is_blank), _ROWS))


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
    """What every column of the sample holds, and whether numbers stand beside markers."""
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
    return "decimal" if all(map(_DECIMAL.fullmatch, cells)) else "text"
