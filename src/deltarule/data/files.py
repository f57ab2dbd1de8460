"""Tables from files: CSV and its kin, Parquet, several files as one.

A text file is parsed once, by polars, with the column types that its sample shows. Where a later
cell contradicts the sample, that column is read again as text and turned into what all of it is.
"""

from __future__ import annotations

import codecs
import glob
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deltarule.data.column_readings import read_columns
from deltarule.data.content import content_of
from deltarule.data.encodings import FALLBACK, decoded, encoding_of, no_text, repaired
from deltarule.data.layout.detection import Layout, detected
from deltarule.data.layout.malformed import (
    blank_rows,
    has_stray_quotes,
    has_zeros,
    rewritten,
    without_zeros,
)
from deltarule.data.layout.totals import without_total
from deltarule.data.pieces import in_pieces
from deltarule.data.positions import FileRows, cells_of
from deltarule.data.reading_settings import Reading
from deltarule.data.readings import ColumnReading
from deltarule.data.values import tidied
from deltarule.errors import DataError, FileError, require

if TYPE_CHECKING:
    import polars as pl

_TYPES = {"whole": "Int64", "decimal": "Float64", "text": "String", "levels": "Categorical"}
_ATTEMPTS = 6


class FileTable(NamedTuple):
    """A table from files.

    Attributes
    ----------
    frame : polars.DataFrame
    decimal_comma : bool
        Whether commas were read as decimal ones, at least in one of the files.
    notes : tuple of str
        What was left out of the files, or named otherwise than they do, for people.
    files : tuple of FileRows
        Where its rows stand in them.
    """

    frame: pl.DataFrame
    decimal_comma: bool
    notes: tuple[str, ...]
    files: tuple[FileRows, ...]


def read(
    source: str | Path | Sequence[str | Path],
    reading: Reading = Reading(),  # noqa: B008
    *,
    plain: bool = False,
    bad_rows: str | None = None,
) -> pl.DataFrame:
    r"""A table from one or several files.

    Parameters
    ----------
    source : path, glob or sequence of them
        CSV, TSV (any delimiter), JSON, a workbook, Parquet or Arrow, also compressed; ``"-"`` is
        standard input. Several files are put one below the other and must have the same columns,
        in any order.
    reading : Reading
        Overrides what is detected.
    plain : bool
        Give every cell as the text that it is: only the layout is detected, no value is read. A
        table may then have no rows.
    bad_rows : str, optional
        That of `reading`, where it is to be another: ``"error"`` or ``"skip"``.

    Returns
    -------
    polars.DataFrame
        Missing markers as nulls, numbers as numbers (``1,490 €`` as well), ISO dates as dates, all
        else as text without blanks around it. Without a header the columns are ``column_1``,
        ``column_2`` …

    Raises
    ------
    FileError
        For a file that is missing, empty, unreadable, or no text.
    DataError
        For no rows, ragged rows, an unclosed quote, files that disagree.
    MissingExtraError
        Where polars is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flats.csv")
    ...     _ = path.write_text("area;rent\n52;660,5\n34;?\n")
    ...     read(path).rows(), read(path, plain=True).rows()
    ([(52, 660.5), (34, None)], [('52', '660,5'), ('34', '?')])
    """
    if bad_rows is not None:
        reading = replace(reading, bad_rows=bad_rows)
    frame, comma, _, files = files_read(source, reading, plain)
    if plain:
        return frame
    with cells_of(files):
        return read_columns(frame, replace(reading, decimal_comma=comma)).frame


def written(
    source: str | Path | Sequence[str | Path], reading: Reading, names: Sequence[str]
) -> pl.DataFrame:
    r"""Columns of a table from files as the text that stands there, whatever it is read as.

    Parameters
    ----------
    source, reading
        As of :func:`read`.
    names : sequence of str
        Of columns that are not plain numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flats.csv")
    ...     _ = path.write_text("id;rent\n1;$660.50\n2;$1,490.00\n")
    ...     written(path, Reading(), ["rent"])["rent"].to_list()
    ['$660.50', '$1,490.00']
    """
    texts = dict.fromkeys(names, ColumnReading())
    return files_read(source, replace(reading, columns=texts)).frame.select(names)


def files_read(
    source: str | Path | Sequence[str | Path], reading: Reading, plain: bool = False
) -> FileTable:
    """The same, and how it was read."""
    require("polars", "table", "reading tables")
    paths = paths_of(source)
    tables = [_read_one(path, reading, plain) for path in paths]
    if len(tables) == 1:
        return tables[0]
    frames, commas, notes, files = zip(*tables, strict=True)
    frame = _stacked(paths, list(frames), reading)
    return FileTable(frame, any(commas), sum(notes, ()), sum(files, ()))


def paths_of(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files behind names and globs, in order.

    Raises
    ------
    FileError, DataError
        For a glob that no file matches, or no name at all.
    """
    entries = [source] if isinstance(source, (str, Path)) else list(source)
    if not entries:
        raise DataError("no file was given; expected at least one.")
    return [path for entry in entries for path in _expanded(Path(entry))]


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not found:
        raise FileError(f"{path}: no file matches this pattern.")
    return found


def _stacked(paths: list[Path], frames: list[pl.DataFrame], reading: Reading) -> pl.DataFrame:
    """Frames one below the other; columns whose types differ meet as text, or as decimals."""
    polars = require("polars", "table", "reading tables")
    names = frames[0].columns
    for path, frame in zip(paths, frames, strict=True):
        odd = [*(set(frame.columns) - set(names)), *(set(names) - set(frame.columns))]
        if odd:
            raise DataError(
                f"{path}: its columns are not those of {paths[0]}; they differ in "
                f"{', '.join(map(repr, sorted(odd)[:5]))}. Expected the same names in each file."
            )
    frames = [frame.select(names) for frame in frames]
    try:
        return polars.concat(frames, how="vertical_relaxed")
    except polars.exceptions.PolarsError:
        mixed = [
            name for name in names if any(f[name].dtype != frames[0][name].dtype for f in frames)
        ]
        frames = [frame.with_columns(polars.col(mixed).cast(polars.String)) for frame in frames]
        whole = polars.concat(frames)
        return whole.with_columns(tidied(whole.select(mixed), reading.missing))


def _read_one(path: Path, reading: Reading, plain: bool) -> FileTable:
    polars = require("polars", "table", "reading tables")
    content = content_of(path, reading)
    if isinstance(content, polars.DataFrame):
        comma = bool(reading.decimal_comma)
        texts = tuple(reading.columns or ())
        frame = tidied(content, reading.missing, decimal_comma=comma, texts=texts, typed=True)
        return FileTable(frame, comma, (), (FileRows(path, range(1, frame.height + 1)),))
    data, pieces, reading, notes, above = content
    layout = replace(detected(path, pieces, reading), before=(above, above))
    if plain:
        layout = replace(layout, kinds=("text",) * len(layout.names), marked=False)
    frame, layout = parsed(path, _prepared(path, data, layout), layout, reading)
    if frame.height == 0 and not plain:
        text = _text(path, _prepared(path, data, layout))
        rewritten(path, text, replace(layout, begins=0))  # a quote?
        raise DataError(f"{path}: has a header but no rows; expected at least one row below it.")
    last = layout.names[-1]
    unnamed = layout.labels and frame.width > 1 and last == f"column_{frame.width}"
    if unnamed and frame[last].null_count() == frame.height:
        frame = frame.drop(last)  # every line ends in a delimiter
    if plain:
        frame = frame.with_columns(polars.all().fill_null(""))
        return FileTable(frame, layout.decimal_comma, (*notes, *layout.notes), ())
    texts = tuple(reading.columns or ())
    frame = tidied(frame, reading.missing, decimal_comma=layout.decimal_comma, texts=texts)
    rows = FileRows(path, layout.rows[: frame.height], layout.lines[: frame.height])
    frame, rows, total = without_total(frame, rows)
    notes = tuple(f"{path}: {note}." for note in (*notes, *layout.notes, *total))
    return FileTable(frame, layout.decimal_comma, notes, (rows,))


def parsed(
    path: Path, data: Path | bytes, layout: Layout, reading: Reading
) -> tuple[pl.DataFrame, Layout]:
    """Parse as the sample suggests, and mend the suggestion where a later line contradicts it.

    The layout comes back as it proved to be, with notes on what was left out and the place of
    each row.

    Parameters
    ----------
    path : Path
        For messages.
    data : Path or bytes
        The text in UTF-8: that file's, or what became of it.
    layout : Layout
    reading : Reading

    Raises
    ------
    FileError, DataError
        For bytes that are not text, ragged rows, an unclosed quote.
    """
    polars = require("polars", "table", "reading tables")
    if has_zeros(data):
        content = data if isinstance(data, bytes) else data.read_bytes()
        data, layout = without_zeros(content, layout)
    if not layout.is_regular or has_stray_quotes(data, layout):
        data, layout = rewritten(path, _text(path, data), layout)
    for attempt in range(_ATTEMPTS):
        try:
            frame = _csv(data, layout, reading)
        except polars.exceptions.NoDataError:
            return polars.DataFrame(schema=dict.fromkeys(layout.names, polars.String)), layout
        except polars.exceptions.PolarsError as error:
            reason = str(error)
        else:
            whole = _without_blank_lines(frame, data, layout)
            if whole is not None:
                return whole
            reason = "rows and lines differ"
        data, layout = _mended(path, data, layout, reading, reason, attempt >= _ATTEMPTS // 2)
    raise DataError(f"{path}: cannot be read as a table: {reason.splitlines()[0]}.")


def _mended(
    path: Path, data: Path | bytes, layout: Layout, reading: Reading, reason: str, hasty: bool
) -> tuple[Path | bytes, Layout]:
    """A better guess, from the parser's complaint; `hasty` makes every column text."""
    if "utf-8" in reason:
        if layout.encoding != "utf-8" or reading.encoding is not None:
            raise no_text(path)
        return _in_utf8(path, data, layout)
    odd = re.search(r"as dtype `[if]64` at column '.*' \(column number (\d+)\)", reason, re.DOTALL)
    if odd is None:
        return rewritten(path, _text(path, data), layout)
    kinds = [
        "text" if hasty or i == int(odd[1]) else kind for i, kind in enumerate(layout.kinds, 1)
    ]
    return data, replace(layout, kinds=tuple(kinds), marked=True)


def _in_utf8(path: Path, data: Path | bytes, layout: Layout) -> tuple[bytes, Layout]:
    """A text that began as UTF-8 and is not: a damaged one, or of another encoding."""
    content = data if isinstance(data, bytes) else path.read_bytes()
    encoding, notes = encoding_of(path, [content])
    layout = replace(layout, encoding=encoding, notes=(*layout.notes, *notes))
    if encoding != "utf-8":
        prepared = _prepared(path, content, layout)
        return (prepared if isinstance(prepared, bytes) else content), layout
    content, notes = repaired(content)
    return content, replace(layout, notes=(*layout.notes, *notes))


def _csv(data: Path | bytes, layout: Layout, reading: Reading) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    markers = reading.markers if layout.marked else reading.missing
    types = (getattr(polars, _TYPES[kind]) for kind in layout.kinds)
    schema = dict(zip(layout.names, types, strict=True))

    def parse(lines: Path | bytes, from_the_top: bool) -> pl.DataFrame:
        return polars.read_csv(
            lines,
            has_header=False,
            schema=schema,
            skip_lines=layout.begins if from_the_top else 0,
            separator=layout.delimiter,
            quote_char=layout.quote or None,
            null_values=[marker for marker in markers if marker] or None,
            decimal_comma=layout.decimal_comma and layout.delimiter != ",",
            glob=False,
        )

    frame = in_pieces(data, layout.quote, parse) if isinstance(data, Path) else None
    return parse(data, True) if frame is None else frame


def _prepared(path: Path, data: Path | bytes, layout: Layout) -> Path | bytes:
    """The content itself, or its text in UTF-8 with the fixes that the parser needs."""
    is_utf8 = layout.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii")
    if is_utf8 and not layout.fixes:
        return data
    content = data if isinstance(data, bytes) else path.read_bytes()
    if is_utf8:
        data = content.removeprefix(codecs.BOM_UTF8)  # bad bytes are found when it is parsed
    else:
        try:
            data = decoded(path, content, layout.encoding).encode()
        except FileError:
            if layout.encoding == FALLBACK:
                raise no_text(path) from None
            raise
    for pattern, new in layout.fixes:
        data = re.sub(pattern, new, data)
    return data


def _text(path: Path, data: Path | bytes) -> str:
    return decoded(path, data if isinstance(data, bytes) else path.read_bytes(), "utf-8")


def _without_blank_lines(
    frame: pl.DataFrame, data: Path | bytes, layout: Layout
) -> tuple[pl.DataFrame, Layout] | None:
    """Leave out blank lines, and number the rows.

    None where rows may be too short, which end in a missing cell as blank lines do.
    """
    if layout.is_plain or not frame.width:
        return frame, layout
    first = layout.before[0] + layout.above + 1
    rows = range(first, first + frame.height)
    layout = replace(layout, rows=rows, ends=rows.stop - 1)
    if frame.width == 1:
        return _without_blank_end(frame), layout
    if not frame[:, -1].null_count():
        return frame, layout
    blank = blank_rows(data, layout, frame.height)
    if blank is None:
        return None
    if not blank.any():
        return frame, layout
    return frame.filter(~blank), replace(layout, rows=first + (~blank).arg_true().to_numpy())


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """A column's blank lines are missing values, those at the end of the file nothing."""
    present = frame[:, 0].is_not_null().arg_true()
    return frame.head(int(present[-1]) + 1) if len(present) else frame
