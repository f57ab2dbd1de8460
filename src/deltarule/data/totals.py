"""A last row that sums up the others, which is none of the table's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

LABELS = (
    *("total", "totals", "grand total", "sum", "subtotal", "overall", "all"),
    *("average", "mean", "gesamt", "summe", "insgesamt", "gesamtsumme", "mittelwert"),
    *(
        "somme",
        "moyenne",
        "suma",
        "totale",
        "totaal",
        "итого",
        "всего",
        "сумма",
        "合计",
        "总计",
        "合計",
    ),
)
"""What such a row is called, in small letters."""

_FEWEST = 3  # rows besides


def without_total(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A table without a last row of totals, and a note where it had one.

    It is one where its first text is one of :data:`LABELS`, and a number is the sum, or the mean,
    of those above it.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({"side": ["n", "s", "n", "Total"], "rent": [3, 4, 5, 12]})
    >>> without_total(rows)[0].height
    3
    """
    if frame.height <= _FEWEST or not frame.width:
        return frame, ()
    last = frame.row(-1)
    label = next((cell for cell in last if isinstance(cell, str)), "")
    if label.casefold().strip(" :.") not in LABELS:
        return frame, ()
    above, selectors = frame.head(-1), require("polars.selectors", "table", "reading tables")
    for name, value in zip(frame.columns, last, strict=True):
        if _sums_up(value, above[name]):
            note = f"the last row left out: a total ({label!r}; {name!r} is {value:,})"
            levels = above.select(selectors.enum()).columns  # lose that of the label
            return above.with_columns(_levelled(above[level]) for level in levels), (note,)
    return frame, ()


def _levelled(column: pl.Series) -> pl.Series:
    """A column of an enumeration, with those levels that it has."""
    polars = require("polars", "table", "reading tables")
    used = column.drop_nulls().unique().cast(polars.String).sort()
    return column.cast(polars.String).cast(polars.Enum(used))


def _sums_up(value: Any, above: pl.Series) -> bool:
    """Whether a number is the sum or the mean of a column, but for rounding."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value:
        return False
    total = float(above.sum())
    rounding = 0.5 * (above.len() if isinstance(value, float) else 1) * 10.0 ** -_digits(value)
    near = [total, total / max(above.len() - above.null_count(), 1)]
    return any(math.isclose(value, each, rel_tol=1e-6, abs_tol=rounding) for each in near)


def _digits(value: float) -> int:
    """How many digits a number has behind its point."""
    return len(repr(value).partition(".")[2]) if isinstance(value, float) else 0
