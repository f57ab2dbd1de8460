"""Sheets of workbooks (Excel, OpenDocument) as text, read on as any text file is."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import unescape

from deltarule.data.unpacking import (
    damaged,
    entry_pieces,
    most_bytes,
    opened,
    size_of,
    too_large,
)
from deltarule.errors import DataError, FileError, require, setting
from deltarule.registry import nearest
from deltarule.system.memory import available_memory, readable_size

if TYPE_CHECKING:
    import polars as pl

_DOCUMENTS = {
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
}
_PER_CELL = 64
"""Bytes of memory for a cell between the first and the last of a sheet, also an empty one."""

_PLACE = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_NO_VALUE = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3}\d{1,7})"[^>]*>'
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)(?:<(?:\w+:)?v\s*/>|<v></v>)?</(?:\w+:)?c>"
)
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*ref="([A-Z]{1,3})(\d+):([A-Z]{1,3})\d+"')
_FIRST_ROWS = 5  # where a header may be
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')
_OPEN = "content.xml"
_OPEN_ROWS = re.compile(
    rb'number-rows-repeated="(\d{1,9})"[^>]*>(?:(?!</table:table-row).){0,4000}?office:value', re.S
)
_OPEN_COLUMNS = re.compile(
    rb'<table:table-cell\b(?=[^>]*office:value)[^>]*number-columns-repeated="(\d{1,9})"'
)
_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?$"  # not 007
_CLOCK = r"^1899-12-3[01] (\d{2}:\d{2}:\d{2})"  # a time of day, which is a share of day 0
_OVERLAP = 1 << 12  # bytes within which a cell's tags end


def is_workbook(path: Path, archive: zipfile.ZipFile) -> bool:
    """Whether a zip archive is a workbook.

    Raises
    ------
    FileError
        For a document of another program, and a workbook with a password.
    """
    names = set(archive.namelist())
    for name, what in _DOCUMENTS.items():
        if name in names:
            raise FileError(f"{path}: this is {what}. Copy its table into a spreadsheet.")
    if "META-INF/manifest.xml" in names and "content.xml" in names:
        manifest = archive.read("META-INF/manifest.xml")[: 1 << 20]
        if b"encryption-data" in manifest:
            raise _protected(path)
        if b"opendocument.spreadsheet" not in manifest:
            raise FileError(
                f"{path}: this is a document of OpenDocument. Copy its table into a spreadsheet."
            )
        return True
    return bool(names & {"xl/workbook.xml", "xl/workbook.bin"})


class Sheet(NamedTuple):
    """A sheet of a workbook.

    Attributes
    ----------
    text : bytes
        Its cells as CSV with commas and double quotes, in UTF-8; numbers as they are stored. Rows
        and columns without a value around the table are left out.
    above : int
        How many rows were left out above it.
    notes : tuple of str
        What people should know of it.
    """

    text: bytes
    above: int
    notes: tuple[str, ...] = ()


def old_workbook(path: Path, data: Path | bytes, sheet: str | None) -> Sheet:
    """The sheet of an .xls workbook; new ones with a password are wrapped as such.

    Raises
    ------
    FileError
        For a damaged workbook, one with a password, another document; for several sheets.
    MissingExtraError
        Where fastexcel is not installed.
    """
    with opened(data) as file:
        content = file.read()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise _protected(path)
    for name in ("WordDocument", "PowerPoint Document", "__nameid_version1.0"):
        if name.encode("utf-16-le") in content:
            raise FileError(
                f"{path}: this is an old document of Microsoft Office and no workbook. "
                "Copy its table into a spreadsheet."
            )
    _, frame, above = _chosen(path, content, sheet)
    return Sheet(_text(frame), above)


def new_workbook(
    path: Path, data: Path | bytes, archive: zipfile.ZipFile, sheet: str | None
) -> Sheet:
    """The sheet of an .xlsx, .xlsb or .ods workbook.

    Raises
    ------
    FileError
        As :func:`old_workbook`, and for one that unpacks to too much.
    DataError
        For formulas whose values are not in the file.
    MissingExtraError
        Where fastexcel is not installed.
    """
    parts = _parts(path, archive, most_bytes(size_of(data)))
    name, frame, above = _chosen(path, data, sheet)
    part = parts.get(_part_named(archive, name))
    if part is None:
        return Sheet(_text(frame), above)
    if part.formula:
        raise DataError(
            f"{path}: cell {part.formula} of sheet {name!r} is a formula without a value; expected "
            "what its program had computed. Open the workbook in a spreadsheet program and save it."
        )
    wide = [merged for merged in part.merged if merged.columns < frame.width]
    note = f"has merged cells in its first rows ({', '.join(merged.place for merged in wide[:3])})"
    note += ", whose text counts for the first of them only"
    return Sheet(_text(frame), above, (note,) if wide else ())


def _parts(path: Path, archive: zipfile.ZipFile, limit: int) -> dict[str, _Part]:
    """What all parts of a workbook hold, each read once; bounded in size and in cells."""
    left, free = limit, available_memory()
    parts = {}
    for entry in archive.infolist():
        part = parts[entry.filename] = _Part(entry.filename)
        try:
            for piece in entry_pieces(archive, entry):
                left -= len(piece)
                if left < 0:
                    raise too_large(path, limit)
                part.see(piece)
        except FileError:
            raise
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
            raise damaged(path, "workbook", error) from None
        if free is not None and part.cells * _PER_CELL > free // 2:
            raise FileError(
                f"{path}: {entry.filename} spans {part.cells:,} cells, more than fit into memory "
                f"({readable_size(free)} are free). Delete the cells far from the table."
            )
    return parts


def _part_named(archive: zipfile.ZipFile, sheet: str) -> str:
    """The part of an Excel workbook that is a sheet; empty for other workbooks."""
    try:
        book = archive.read("xl/workbook.xml").decode("utf-8", "replace")
        relations = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    except KeyError:
        return ""
    for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", book):
        attributes = dict(_ATTRIBUTE.findall(tag))
        if unescape(attributes.get("name", ""), {"&quot;": '"', "&apos;": "'"}) == sheet:
            for relation in re.findall(r"<(?:\w+:)?Relationship\b[^>]*>", relations):
                found = dict(_ATTRIBUTE.findall(relation))
                if found.get("Id") == attributes.get("r:id"):
                    target = found.get("Target", "")
                    return target[1:] if target.startswith("/") else f"xl/{target}"
    return ""


def _chosen(path: Path, data: Path | bytes, sheet: str | None) -> tuple[str, pl.DataFrame, int]:
    """The sheet of a name, else the only visible one with cells: its name, its cells as text.

    And how many empty rows are above them.
    """
    fastexcel = require("fastexcel", "formats", "reading workbooks", threads=False)
    source = data if isinstance(data, bytes) else str(data)
    book = _asked(path, fastexcel, lambda: fastexcel.read_excel(source))
    frames: dict[str, tuple[pl.DataFrame, int]] = {}
    for name in book.sheet_names if sheet is None else [_named(path, book.sheet_names, sheet)]:
        loaded = _asked(path, fastexcel, partial(_cells, book, name))
        if sheet is not None or (loaded.visible == "visible" and loaded.height):
            numbers = _asked(path, fastexcel, partial(_cells, book, name, "float"))
            frames[name] = _trimmed(_exact(loaded.to_polars(), numbers.to_polars()))
    frames = {name: found for name, found in frames.items() if found[0].height}
    if not frames:
        raise DataError(f"{path}: has no cells with values; expected a table.")
    if len(frames) > 1:
        names = ", ".join(map(repr, list(frames)[:10]))
        raise FileError(
            f"{path}: a workbook with {len(frames)} sheets: {names}; expected one table. "
            f"Choose one with {setting('sheet', '--sheet')}."
        )
    name, (frame, above) = next(iter(frames.items()))
    return name, frame, above


def _text(frame: pl.DataFrame) -> bytes:
    text: str = frame.write_csv(include_header=False)
    return text.encode()


def _cells(book: Any, name: str, dtype: str = "string") -> Any:
    return book.load_sheet(name, header_row=None, skip_rows=0, dtypes=dtype)


def _exact(texts: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """The text of cells, that of numbers with all their digits: the library gives nine decimals."""
    polars = require("polars", "table", "reading tables")

    def exact(text: pl.Series, number: pl.Series) -> pl.Series:
        rounded = text.str.contains(_DECIMAL) & (text.cast(polars.Float64, strict=False) != number)
        return number.cast(polars.String).zip_with(rounded.fill_null(False), text)

    pairs = zip(texts.cast(polars.String), numbers.cast(polars.Float64, strict=False), strict=True)
    return polars.DataFrame([exact(*pair) for pair in pairs])


def _trimmed(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Text as it is, times of day without a day; no empty rows and columns around the table.

    And how many empty rows stood above.
    """
    polars = require("polars", "table", "reading tables")
    if not frame.width:
        return frame, 0
    frame = frame.with_columns(polars.all().cast(polars.String).str.replace(_CLOCK, "${1}"))
    present = frame.select(~polars.all_horizontal(polars.all().is_null())).to_series().arg_true()
    if not len(present):
        return frame.clear(), 0
    frame = frame.slice(present[0], present[-1] - present[0] + 1)
    full = [i for i, column in enumerate(frame) if column.null_count() < len(column)]
    return frame[:, full[0] : full[-1] + 1], int(present[0])


def _named(path: Path, names: list[str], sheet: str) -> str:
    if sheet in names:
        return sheet
    raise FileError(
        f"{path}: has no sheet {sheet!r}.{nearest(sheet, names)} It has: "
        f"{', '.join(map(repr, names[:10]))}."
    )


def _asked(path: Path, fastexcel: Any, ask: Callable[[], Any]) -> Any:
    """What the library answers about a workbook, its errors as this package's."""
    try:
        return ask()
    except (fastexcel.FastExcelError, OSError) as error:
        reason = str(error).splitlines()[0]
        if "password" in reason.lower():
            raise _protected(path) from None
        raise FileError(
            f"{path}: is a workbook that cannot be read ({reason}). Save it again, or its table "
            "as CSV."
        ) from None


def _protected(path: Path) -> FileError:
    return FileError(
        f"{path}: a workbook with a password. Save it without one, or its table as CSV."
    )


class _Merged(NamedTuple):
    """Cells that are merged into one."""

    place: str
    columns: int


class _Part:
    """What is seen of a part of a workbook while it goes by.

    Each sheet of Excel is a part; those of OpenDocument are all in one.

    Attributes
    ----------
    cells : int
        How many it spans, with empty ones.
    formula : str
        A cell with a formula without a value.
    merged : list of _Merged
        Cells merged in the first rows, across columns.
    """

    def __init__(self, name: str) -> None:
        self.cells = 0
        self.formula = ""
        self.merged: list[_Merged] = []
        self._rest = b""
        self._rows = self._width = 0
        is_sheet = re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)
        self._see = self._see_sheet if is_sheet else self._see_open if name == _OPEN else None

    def see(self, piece: bytes) -> None:
        """Take some more bytes."""
        if self._see is not None:
            self._see(self._rest + piece)
            self._rest = piece[-_OVERLAP:]
            self.cells = self._rows * self._width

    def _see_sheet(self, text: bytes) -> None:
        formula = _NO_VALUE.search(text)
        if formula is not None:
            self.formula = self.formula or formula[1].decode()
        for column, row in _PLACE.findall(text):
            self._rows = max(self._rows, int(row))
            self._width = max(self._width, _number(column))
        for first, row, last in _MERGED.findall(text):
            columns = _number(last) - _number(first) + 1
            if int(row) <= _FIRST_ROWS and columns > 1:
                self.merged.append(_Merged(f"{first.decode()}{row.decode()}", columns))

    def _see_open(self, text: bytes) -> None:
        self._rows += sum(map(int, _OPEN_ROWS.findall(text)))
        self._width = max([1, self._width, *map(int, _OPEN_COLUMNS.findall(text))])


@cache
def _number(column: bytes) -> int:
    """The number of a column, from its letters."""
    number = 0
    for letter in column:
        number = 26 * number + letter - 64
    return number
