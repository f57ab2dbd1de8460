"""Rows that sum up others, the last one and those of blocks, which are none of the table's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data.positions import FileRows
from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

LABELS = (
    *("total", "totals", "grand total", "sum", "subtotal", "overall", "all"),
    *("average", "mean", "gesamt", "summe", "insgesamt", "gesamtsumme", "mittelwert"),
    *("somme", "moyenne", "suma", "totale", "totaal"),
    *("итого", "всего", "сумма", "合计", "总计", "合計"),
)
"""What such a row is called, in small letters."""

_FEWEST = 3  # rows besides


def without_total(
    frame: pl.DataFrame, rows: FileRows
) -> tuple[pl.DataFrame, FileRows, tuple[str, ...]]:
    """A table without a last row of totals and those of its blocks, and a note where it had some.

    `rows` says where its rows stand in their file; what stays of them comes back.

    It is one where its first text is one of :data:`LABELS`, and a number is the sum, or the mean,
    of the rows above it, or of those since the total before.

    Examples
    --------
    >>> from pathlib import Path
    >>> import polars as pl
    >>> frame = pl.DataFrame({"side": ["n", "s", "n", "Total"], "rent": [3, 4, 5, 12]})
    >>> frame, rows, _ = without_total(frame, FileRows(Path("a.csv"), range(2, 6)))
    >>> frame.height, rows.rows.tolist()
    (3, [2, 3, 4])
    """
    if frame.height <= _FEWEST or not frame.width:
        return frame, rows, ()
    last = frame.row(-1)
    name = next((n for n, cell in zip(frame.columns, last, strict=True) if _is_text(cell)), None)
    if name is None or not _is_label(frame[name][-1]):
        return frame, rows, ()
    labelled = [i for i, cell in enumerate(frame[name]) if _is_text(cell) and _is_label(cell)]
    parts = np.setdiff1d(np.arange(frame.height), labelled)
    begins = [0, *labelled]
    found = {
        place: summed
        for begin, place in zip(begins, labelled, strict=False)
        if (summed := _summed(frame, place, parts[(parts >= begin) & (parts < place)]))
        or (summed := _summed(frame, place, parts[parts < place]))
    }
    if frame.height - 1 not in found:
        return frame, rows, ()
    stay = np.setdiff1d(np.arange(frame.height), list(found))
    kept = frame[stay]
    selectors = require("polars.selectors", "table", "reading tables")
    levels = kept.select(selectors.enum()).columns  # lose those of the labels
    summed = found[frame.height - 1]
    note = f"a total ({frame[name][-1]!r}; {summed!r} is {frame[summed][-1]:,})"
    note = f"the last row left out: {note}"
    if len(found) > 1:
        first = min(found)
        others = f"{len(found) - 1:,} such rows above it, the first in row {rows.rows[first]:,}"
        note = f"{note}; and {others} of the file ({frame[name][first]!r})"
    kept = kept.with_columns(_levelled(kept[level]) for level in levels)
    return kept, rows.at(stay), (note,)


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str)


def _is_label(cell: str) -> bool:
    """Whether a text is what a row of totals is called, also with a name: North total."""
    text = cell.casefold().strip(" :.")
    return text in LABELS or text.endswith((" total", " subtotal")) or text.startswith("total ")


def _summed(frame: pl.DataFrame, place: int, rows: Array) -> str:
    """The name of a column whose number in some row sums up others; empty where none does."""
    values = zip(frame.columns, frame.row(place), strict=True)
    return next((name for name, value in values if _sums_up(value, frame[name], rows)), "")


def _levelled(column: pl.Series) -> pl.Series:
    """A column of an enumeration, with those levels that it has."""
    polars = require("polars", "table", "reading tables")
    used = column.drop_nulls().unique().cast(polars.String).sort()
    return column.cast(polars.String).cast(polars.Enum(used))


def _sums_up(value: Any, column: pl.Series, rows: Array) -> bool:
    """Whether a number is the sum or the mean of some rows of a column, but for rounding."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value or not len(rows):
        return False
    above = column[rows]
    total = float(above.sum())
    rounding = 0.5 * (above.len() if isinstance(value, float) else 1) * 10.0 ** -_digits(value)
    near = [total, total / max(above.len() - above.null_count(), 1)]
    return any(math.isclose(value, each, rel_tol=1e-6, abs_tol=rounding) for each in near)


def _digits(value: float) -> int:
    """How many digits a number has behind its point."""
    return len(repr(value).partition(".")[2]) if isinstance(value, float) else 0
