"""Text that is no clean table: blank lines, ragged rows, quotes that do not close.

Only files that the parser stumbles over come here, so this may take its time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltarule.data.detection import Layout
from deltarule.errors import DataError, require, setting

if TYPE_CHECKING:
    import polars as pl

_LONG = 1 << 20  # characters of one cell: more, and its quote was not meant


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


def rewritten(path: Path, text: str, layout: Layout) -> tuple[bytes, Layout]:
    """The same table in the plainest CSV, and its layout; walks every row.

    Raises
    ------
    DataError
        For a row with another number of cells than the first line, or a quote that does not
        close, with the number of its line.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(_rows(path, text, layout))
    plain = replace(
        layout, encoding="utf-8", delimiter=",", quote='"', begins=0, fixes=(), is_plain=True
    )
    return out.getvalue().encode(), plain


def _rows(path: Path, text: str, layout: Layout) -> Iterator[list[str]]:
    width = len(layout.names)
    options: dict[str, Any] = (
        {"quotechar": layout.quote} if layout.quote else {"quoting": csv.QUOTE_NONE}
    )
    limit = csv.field_size_limit(_LONG)
    lines = io.StringIO(text, newline="")
    for _ in range(layout.begins):
        next(lines, None)
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True, **options)
    begun = layout.begins + 1
    try:
        for row in reader:
            blank = len(row) < 2 and not "".join(row).strip()
            if not (blank and width > 1):
                if len(row) != width:
                    raise _ragged(path, layout, begun, len(row))
                yield row
            begun = layout.begins + reader.line_num + 1
    except csv.Error as error:
        what = str(error)
        if "end of data" in what or "field larger" in what:
            raise DataError(
                f"{path}: a quote that opens in line {begun} does not close; expected another "
                f"{layout.quote} before the end of the cell. Close it, or pass another "
                f"{setting('quote', '--quote')}."
            ) from None
        raise DataError(
            f"{path}: line {begun} has text behind a closing quote; expected "
            f"{layout.delimiter!r} or the end of the line. Write a {layout.quote} within a cell "
            f"twice, or pass another {setting('quote', '--quote')}."
        ) from None
    finally:
        csv.field_size_limit(limit)


def _ragged(path: Path, layout: Layout, line: int, cells: int) -> DataError:
    width = len(layout.names)
    where = f"row {line - layout.begins} (line {line})"
    first = "the header" if layout.begins else "the first line"
    return DataError(
        f"{path}: {where} has {cells} cells; expected {width}, as in {first}. "
        f"Correct that line, or pass the right {setting('delimiter', '--delimiter')}."
    )
