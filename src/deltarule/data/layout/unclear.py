"""Texts whose rows are not one table: pairs of names and values, a second table below the first.

They would be read, and as something else than is meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from deltarule.data.layout.headers import Cells, Heading
from deltarule.data.layout.records import BLANKS, Record
from deltarule.errors import DataError

_KEY = re.compile(r"\s*([^\W\d][\w. -]*)=")
_FEWEST = 2  # rows of pairs


def check_rows(path: Path, rows: Sequence[Record], top: Heading, cells: Cells) -> None:
    """Refuse pairs of names and values, and a second table.

    Parameters
    ----------
    path : Path
        For messages.
    rows : sequence of Record
        The first rows of the text that are not blank.
    top : Heading
        Which of them are above the data.
    cells : Cells

    Raises
    ------
    DataError
        With what was expected, and what to do.
    """
    names = _keys(rows[0])
    if names and len(rows) >= _FEWEST and all(_keys(row) == names for row in rows):
        raise DataError(
            f"{path}: every cell is a pair of a name and a value ({rows[0].cells[0].strip()!r}); "
            "expected the names in a header and only values below it. Convert the file to CSV, or "
            "write one JSON object per line."
        )
    second = _second_header(rows[top.body :], top, cells)
    if second is not None:
        raise DataError(
            f"{path}: line {second.first}, below a blank one, seems to be the header of another "
            f"table ({', '.join(second.cells)}); expected one table per file. Write each into its "
            "own file; if it is a row of data, remove the blank line."
        )


def _keys(row: Record) -> list[str]:
    """The names of a row that holds nothing but several pairs; else none."""
    found = [_KEY.match(cell) for cell in row.cells]
    keys = [pair[1] for pair in found if pair]
    return keys if len(keys) == len(found) == len({*keys}) > 1 else []


def _second_header(rows: Sequence[Record], top: Heading, cells: Cells) -> Record | None:
    """A row of text alone below a blank one, where the first row and the next have numbers."""
    if not rows or not _has_numbers(rows[0], cells):
        return None
    for before, row, after in zip(rows, rows[1:], rows[2:], strict=False):
        if row.first == before.last + 1 and any(before.cells):
            continue
        labels = [cell.strip(BLANKS) for cell in row.cells]
        if (
            len(labels) == len(after.cells) == len({*labels}) > 1
            and all(map(cells.is_text, labels))
            and not top.repeats(labels)
            and _has_numbers(after, cells)
        ):
            return row
    return None


def _has_numbers(row: Record, cells: Cells) -> bool:
    return any(cells.is_number(cell.strip(BLANKS)) for cell in row.cells)
