"""What a text file looks like: encoding, delimiter, header, decimal comma, quotes, names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from deltarule.errors import DataError, FileError, SettingError

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None")
"""What counts as a missing value in a text file, beside markers of one's own."""

HEAD = 1 << 20
"""How many bytes of a file detection looks at."""

_LINES = 200
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")


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
        The quoting character.
    missing : tuple of str
        Markers of missing values, beside :data:`MISSING`.

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

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or len(value.encode()) != 1):
                raise SettingError(f"{name}: expected one ASCII character, got {value!r}.")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                raise SettingError(
                    f"encoding: Python knows none named {self.encoding!r}."
                ) from None


@dataclass(frozen=True)
class Text:
    """What a text file looks like."""

    encoding: str
    delimiter: str
    header: bool
    decimal_comma: bool
    quote: str
    names: tuple[str, ...]


def detected(path: Path, head: bytes, reading: Reading) -> Text:
    """How to read a file that begins with `head`.

    Raises
    ------
    FileError
        For bytes that are no text, or not of the encoding asked for.
    DataError
        For repeated column names.
    """
    encoding = reading.encoding or _encoding(path, head)
    try:
        sample = head.decode(encoding, errors="strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: is not {encoding}: {error.reason} at byte {error.start}. "
            "Name its encoding with --encoding."
        ) from None
    sample = sample.removeprefix("\ufeff")
    lines = [line for line in sample.splitlines() if line.strip()]
    if len(head) == HEAD:
        lines = lines[:-1] or lines  # the last may be cut
    lines = lines[:_LINES]
    quote = reading.quote or _quote(lines)
    delimiter = reading.delimiter or _delimiter(lines, quote)
    rows = list(csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True))
    cells = [[cell.strip() for cell in row] for row in rows]
    missing = {*MISSING, *reading.missing}
    decimal_comma = reading.decimal_comma
    if decimal_comma is None:
        decimal_comma = delimiter != "," and _has_decimal_commas(cells)
    header = reading.header
    if header is None:
        header = _has_header(cells, missing, _COMMA_NUMBER if decimal_comma else _NUMBER)
    names = cells[0] if header else [f"column_{i}" for i in range(1, len(cells[0]) + 1)]
    return Text(encoding, delimiter, header, decimal_comma, quote, _names(path, names))


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head:
        raise FileError(
            f"{path}: holds bytes that are no text; expected CSV, TSV or Parquet. "
            "If it is text, name its encoding with --encoding."
        )
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) == HEAD and error.start > len(head) - 4:
            return "utf-8"  # a character cut in two at the end of the sample
        controls = sum(byte < 9 or 13 < byte < 32 for byte in head)
        if controls > len(head) / 100:
            raise FileError(
                f"{path}: holds bytes that are no text; expected CSV, TSV or Parquet."
            ) from None
        return "cp1252"
    return "utf-8"


def _quote(lines: list[str]) -> str:
    """The single quote where cells are wrapped in it, else the double quote."""
    wrapped = sum(len(re.findall(r"(?:^|[,;\t|])'[^']*'(?=$|[,;\t|])", line)) for line in lines)
    doubles = sum(line.count('"') for line in lines)
    return "'" if wrapped > len(lines) and not doubles else '"'


def _delimiter(lines: list[str], quote: str) -> str:
    """The character that cuts most lines into the same number of cells, more than one."""
    best, found = (0.0, 0), ","
    for candidate in (",", "\t", ";", "|"):
        rows = csv.reader(lines, delimiter=candidate, quotechar=quote, skipinitialspace=True)
        try:
            counts = [len(row) for row in rows]
        except csv.Error:
            continue
        usual = max(set(counts), key=counts.count)
        score = (counts.count(usual) / len(counts), usual)
        if usual > 1 and score > best:
            best, found = score, candidate
    return found


def _has_decimal_commas(cells: list[list[str]]) -> bool:
    body = [cell for row in cells[1:] or cells for cell in row]
    commas = sum(bool(_COMMA_NUMBER.fullmatch(cell)) for cell in body)
    points = sum("." in cell and bool(_NUMBER.fullmatch(cell)) for cell in body)
    return commas > points


def _has_header(cells: list[list[str]], missing: set[str], number: re.Pattern[str]) -> bool:
    """Whether the first row names columns: no cell a number, none missing, none seen below.

    With a decimal comma, whole numbers are written as everywhere.
    """
    first, body = cells[0], cells[1:]
    if any(_NUMBER.fullmatch(cell) or number.fullmatch(cell) for cell in first):
        return False
    if any(cell in missing for cell in first) and len(first) > 1:
        return any(cell == "" for cell in first) and not body
    below = [{row[i] for row in body if i < len(row)} for i in range(len(first))]
    return not any(cell in column for cell, column in zip(first, below, strict=True))


def _names(path: Path, names: list[str]) -> tuple[str, ...]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{path}: the column name {repeated[0]!r} stands {names.count(repeated[0])} times in "
            "the header; expected each once. Rename them, or pass --no-header."
        )
    return tuple(names)
