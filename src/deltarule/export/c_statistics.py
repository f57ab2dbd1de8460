"""Target statistics of categories in a C file: a table of each column, and its lookup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from deltarule.export.c_text import array
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.target_statistics import Statistics

_STRUCT = 20  # bytes
_FLOAT = np.dtype("float32")


class Measured(NamedTuple):
    """A category with statistics, and where it stands.

    Attributes
    ----------
    column : Category
    cell : str
        The name of its cell's position.
    at : int
        Its first input.
    """

    column: Category
    cell: str
    at: int

    @property
    def statistics(self) -> Statistics:
        """Those of the column."""
        assert self.column.statistics is not None
        return self.column.statistics


def statistics_size(columns: Sequence[Measured]) -> int:
    """Bytes of the constants."""
    return sum(_STRUCT + each.statistics.table.nbytes for each in columns)


def statistics_defined(columns: Sequence[Measured]) -> Iterator[str]:
    """The numbers of all levels, and where those of each column begin."""
    if not columns:
        return
    tables = [each.statistics.table for each in columns]
    starts = np.cumsum([0, *(table.size for table in tables)]).tolist()
    values = np.concatenate([table.ravel() for table in tables])
    yield array("static const float", "level_values", values, _FLOAT)
    rows = [
        f"    {{{start}, {len(each.column.known)}, {len(each.statistics.names)}, {each.cell}, "
        f"{each.at + each.column.width}}},"
        for start, each in zip(starts, columns, strict=False)
    ]
    head = "static const struct { int first, known, width, cell, at; } statistics"
    yield "\n".join([f"{head}[{len(rows)}] = {{", *rows, "};"])


def statistics_read(columns: Sequence[Measured]) -> Iterator[str]:
    """Statements that write the inputs from the cells; a level's numbers stand in a row."""
    if not columns:
        return
    yield f"""\
for (int i = 0; i < {len(columns)}; i++) {{
    double v = cells[statistics[i].cell];
    int known = statistics[i].known, row = isnan(v) ? known : known + 1;
    if (v >= 0 && v < known && v == floor(v)) row = (int)v;
    for (int k = 0; k < statistics[i].width; k++)
        x[statistics[i].at + k] = level_values[statistics[i].first + row * statistics[i].width + k];
}}"""
