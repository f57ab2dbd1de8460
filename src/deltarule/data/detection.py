"""What a text file looks like: encoding, delimiter, header, quotes, decimal comma, columns.

Everything here is a guess from a sample (the beginning of the file, and a piece from its middle
and its end), overruled by a :class:`Reading`. A wrong guess about a column costs time, never a
value: see :mod:`deltarule.data.files`.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltarule.data.readings import MARKERS, ColumnReading
from deltarule.errors import DataError, FileError, SettingError, setting

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null")
"""What counts as a missing value in a text file, beside markers of one's own."""

HEAD = 1 << 18
"""How many bytes from the beginning of a file are looked at."""

PIECE = 1 << 15
"""How many bytes from the middle, and from the end."""

DELIMITERS = ("\t", ";", "|", ",")
"""What separates cells, where several would do the first of them; else blanks may."""

_MARKS = {  # that of UTF-16 begins the other
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r"})
_ROWS = 1000
_ROWS_BELOW = 300  # tell whether the first row is a header
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")
_PADDED = re.compile(r"0\d+")
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
    plain : bool
        Whether only plain numbers are read: no units, currencies, thousands and the like.
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
    plain: bool = False
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
    is_plain : bool
        Whether every row was looked at already.
    """

    encoding: str
    delimiter: str
    quote: str
    decimal_comma: bool
    begins: int
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    marked: bool
    fixes: tuple[tuple[bytes, bytes], ...]
    is_plain: bool = False


def detected(path: Path, pieces: Sequence[bytes], reading: Reading) -> Layout:
    """How to read a file of which `pieces` are known: its beginning, then others.

    Raises
    ------
    FileError
        For bytes that are no text, or not of the encoding asked for.
    DataError
        For repeated column names.
    """
    encoding = reading.encoding or _encoding(path, pieces)
    head, *others = (_decoded(path, piece, encoding, len(pieces) > 1) for piece in pieces)
    ends = "\n" if "\n" in head else "\r"
    if encoding.lower().startswith(("utf-16", "utf-32", "utf16", "utf32")):
        others = []  # a piece of them has no mark that tells their order of bytes
    if len(pieces) > 1:
        head = head[: head.rfind(ends) + 1] or head
        others = [piece[piece.find(ends) + 1 : piece.rfind(ends) + 1] for piece in others]
    head = head.replace("\r\n", "\n").replace("\r", "\n")
    quote = _quote(head) if reading.quote is None else reading.quote
    delimiter = reading.delimiter or _delimiter(head, quote)
    fixes = _fixes(head, ends, delimiter, quote)
    for pattern, new in fixes:
        head = re.sub(pattern.decode(), new.decode(), head)
    delimiter = "\t" if delimiter == " " and fixes else delimiter
    rows, lines = _rows(head, delimiter, quote)
    if not rows:
        raise FileError(f"{path}: the file is empty; expected a table.")
    decimal_comma = reading.decimal_comma
    if decimal_comma is None:
        decimal_comma = delimiter != "," and _has_decimal_commas(rows)
    header = reading.header
    if header is None:
        header = _has_header(rows, set(reading.markers), decimal_comma)
    names = _names(path, rows[0], header)
    for piece in others:
        rows += _rows(piece, delimiter, quote)[0]
    kinds, marked = _kinds(rows[header:], len(names), set(reading.markers), decimal_comma)
    known = reading.columns or {}
    kinds = tuple("text" if n in known else kind for n, kind in zip(names, kinds, strict=True))
    begins = lines[0] if header else lines[0] - 1
    return Layout(encoding, delimiter, quote, decimal_comma, begins, names, kinds, marked, fixes)


def is_number(cell: str, decimal_comma: bool = False) -> bool:
    """Whether a cell is written as a number.

    Examples
    --------
    >>> is_number("-1.5e3"), is_number("1,5"), is_number("1,5", decimal_comma=True)
    (True, False, True)
    """
    return bool(_NUMBER.fullmatch(cell) or (decimal_comma and _COMMA.fullmatch(cell)))


def no_text(path: Path) -> FileError:
    """The error for a file that is not text."""
    return FileError(
        f"{path}: holds bytes that are no text; expected CSV, TSV or Parquet. "
        f"If it is text, pass its {setting('encoding', '--encoding')}."
    )


def _check_character(name: str, value: str | None) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n":
        named = setting(name, f"--{name}")
        raise SettingError(f"{named}: expected one ASCII character, got {value!r}.")


def _encoding(path: Path, pieces: Sequence[bytes]) -> str:
    """UTF-32 and UTF-16 by their mark, UTF-8 where all of it is, else what Windows wrote."""
    for mark, encoding in _MARKS.items():
        if pieces[0].startswith(mark):
            return encoding
    sample = b"\n".join(pieces)
    text = sample.translate(None, delete=_CONTROLS)
    if b"\x00" in sample or len(sample) - len(text) > len(sample) / 100:
        raise no_text(path)
    whole = len(pieces) == 1
    return "utf-8" if all(_is_utf8(piece, whole) for piece in pieces) else "cp1252"


def _is_utf8(piece: bytes, whole: bool) -> bool:
    """Whether bytes are UTF-8; a piece may begin and end within a character."""
    begins = 0
    while not whole and begins < 3 and piece[begins : begins + 1] and 0x80 <= piece[begins] < 0xC0:
        begins += 1
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece[begins:], final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(path: Path, piece: bytes, encoding: str, is_cut: bool) -> str:
    try:
        text = piece.decode(encoding, errors="ignore" if is_cut else "strict")
    except UnicodeDecodeError as error:
        raise not_of(path, encoding, error) from None
    return text.removeprefix("\ufeff")


def not_of(path: Path, encoding: str, error: UnicodeDecodeError) -> FileError:
    """The error for a file that is not of an encoding."""
    return FileError(
        f"{path}: is not {encoding}: {error.reason} at byte {error.start}. "
        f"Pass its {setting('encoding', '--encoding')}."
    )


def _quote(head: str) -> str:
    """The mark that cells begin with: double, else single; none where it only means inches."""
    edge = "|".join(re.escape(character) for character in DELIMITERS)
    if '"' in head:
        return '"' if re.search(rf'(?:^|{edge}) *"', head, re.MULTILINE) else ""
    wrapped = rf"(?:^|{edge}) *'[^'\n]*' *(?:$|{edge})"
    return "'" if "'" in head and re.search(wrapped, head, re.MULTILINE) else '"'


def _delimiter(head: str, quote: str) -> str:
    """The character that cuts most lines into the same number of cells, more than one."""
    best, found = 0.5, ""
    for candidate in filter(head.__contains__, DELIMITERS):
        counts = Counter(len(row) for row in _rows(head, candidate, quote)[0])
        usual, often = counts.most_common(1)[0] if counts else (1, 0)
        if usual > 1 and often / counts.total() > best:
            best, found = often / counts.total(), candidate
    if found:
        return found
    widths = Counter(len(line.split()) for line in head.splitlines()[:_ROWS] if line.strip())
    if widths and len(widths) == 1 and 1 not in widths:
        return " "
    return ","


def _fixes(head: str, ends: str, delimiter: str, quote: str) -> tuple[tuple[bytes, bytes], ...]:
    fixes: list[tuple[bytes, bytes]] = []
    if ends == "\r" and "\n" in head:
        fixes.append((rb"\r", b"\n"))
    if delimiter == " " and re.search(r"  |\t|^ | $", head, re.MULTILINE):
        fixes += [(rb"(?m)^[ \t]+|[ \t\r]+$", b""), (rb"[ \t]+", b"\t")]
    elif quote and re.search(f"{re.escape(delimiter)} +{quote}", head):
        cut = (re.escape(delimiter) + " +" + quote).encode()
        fixes.append((cut, (delimiter + quote).encode()))
    return tuple(fixes)


def _rows(text: str, delimiter: str, quote: str) -> tuple[list[list[str]], list[int]]:
    """The first rows of a text that are not blank, and the number of the line each ends in."""
    options: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, **options)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if len(row) > 1 or any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
            if len(rows) == _ROWS:
                break
    except csv.Error:  # a quote that is not closed swallows the sample: told when it is parsed
        pass
    return rows, lines


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Whether more cells have a decimal comma than a point; those of thousands do not count."""
    cells = [cell.strip() for row in rows for cell in row]
    cells = [cell for cell in cells if not _THOUSANDS.fullmatch(cell)]
    commas = sum(bool(_COMMA.fullmatch(cell)) for cell in cells)
    points = sum("." in cell and bool(_NUMBER.fullmatch(cell)) for cell in cells)
    return commas > points


def _has_header(rows: list[list[str]], missing: set[str], decimal_comma: bool) -> bool:
    """Whether the first row names columns.

    Each column votes: against, where the first cell is a number; for, where it is text above
    numbers. Without votes, the first row is a header unless one of its cells returns below.
    """
    first, body = [cell.strip() for cell in rows[0]], rows[1:_ROWS_BELOW]
    votes = 0
    for i, cell in enumerate(first):
        below = [row[i].strip() for row in body if i < len(row)]
        numeric = [is_number(c, decimal_comma) for c in below if c not in missing]
        if is_number(cell, decimal_comma):
            votes -= 1
        elif cell not in missing and numeric and sum(numeric) > 0.9 * len(numeric):
            votes += 1
    if votes:
        return votes > 0
    named = [cell for cell in first if cell]
    if len(set(named)) < len(named) and not body:
        return False
    return not any(
        cell in {row[i].strip() for row in body if i < len(row)}
        for i, cell in enumerate(first)
        if cell
    )


def _names(path: Path, first: list[str], header: bool) -> tuple[str, ...]:
    names = [cell.strip() if header else "" for cell in first]
    repeated = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path}: the column name {repeated[0]!r} stands {names.count(repeated[0])} times in "
            "the header; expected each once. Rename them, or pass "
            f"{setting('header=False', '--no-header')}."
        )
    return tuple(name or f"column_{i}" for i, name in enumerate(names, start=1))


def _kinds(
    rows: list[list[str]], width: int, missing: set[str], decimal_comma: bool
) -> tuple[tuple[str, ...], bool]:
    """What every column of the sample holds, and whether numbers stand beside markers."""
    rows = [row for row in rows if len(row) == width]
    kinds, marked = [], False
    for i in range(width):
        cells = {row[i] for row in rows}
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
    if not cells or any(cell[:1] == "0" and _PADDED.fullmatch(cell) for cell in cells):
        return "text"
    if all(map(_WHOLE.fullmatch, cells)):
        return "whole"
    return "decimal" if all(map(_DECIMAL.fullmatch, cells)) else "text"
