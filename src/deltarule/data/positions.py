"""Where the rows of a table stand in the files it was read from, for messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import CellError


@dataclass(frozen=True)
class FileRows:
    """Rows of a table that come from one file, and where they stand there.

    Attributes
    ----------
    path : Path
    rows : sequence or array of int
        The number of each in the file, counted from 1: the header and all that was left out count.
    lines : sequence or array of int
        The line where each begins, where this is known and cells have line breaks.
    """

    path: Path
    rows: Sequence[int] | Array
    lines: Sequence[int] | Array = ()

    def at(self, places: Array) -> FileRows:
        """Those rows of the table that stay."""
        rows, lines = (np.asarray(found) for found in (self.rows, self.lines))
        return FileRows(self.path, rows[places], lines[places] if len(lines) else ())


def place(row: int, line: int) -> str:
    """A row of a file, for messages; the line as well where it has another number.

    Examples
    --------
    >>> place(3, 3), place(3, 5)
    ('row 3', 'row 3 (line 5)')
    """
    return f"row {row}" + (f" (line {line})" if line != row else "")


def row_names(files: Sequence[FileRows], rows: Sequence[int] | Array) -> list[str]:
    """What rows of a table are called: by their numbers in its file, of several ``file:number``.

    Parameters
    ----------
    files : sequence of FileRows
        The rows of the table, in order; of none, rows are counted from 1.
    rows : sequence or array of int
        In the table, counted from 0.

    Examples
    --------
    >>> files = [FileRows(Path("a.csv"), range(2, 9)), FileRows(Path("b.csv"), range(2, 9))]
    >>> row_names(files[:1], [0, 6]), row_names(files, [0, 8]), row_names([], [0])
    (['2', '8'], ['a.csv:2', 'b.csv:3'], ['1'])
    """
    if not files:
        return [str(row + 1) for row in rows]
    several = len({file.path for file in files}) > 1
    ends = np.cumsum([len(file.rows) for file in files])
    named = []
    for row, place in zip(rows, np.searchsorted(ends, rows, side="right").tolist(), strict=True):
        file = files[place]
        number = int(file.rows[row - int(ends[place]) + len(file.rows)])
        named.append(f"{file.path}:{number}" if several else str(number))
    return named


def row_named(files: Sequence[FileRows], name: str, count: int) -> int | None:
    """The row of a table, counted from 0, that :func:`row_names` calls so; None where it has none.

    Parameters
    ----------
    files : sequence of FileRows
    name : str
    count : int
        How many rows the table has.

    Examples
    --------
    >>> files = [FileRows(Path("a.csv"), range(2, 9)), FileRows(Path("b.csv"), range(2, 9))]
    >>> row_named(files, "b.csv:3", 14), row_named(files[:1], "2", 7), row_named(files[:1], "1", 7)
    (8, 0, None)
    """
    path, _, number = name.rpartition(":")
    if not number.isdecimal():
        return None
    if not files:
        return int(number) - 1 if not path and 0 < int(number) <= count else None
    several = len({file.path for file in files}) > 1
    first = 0
    for file in files:
        found = np.flatnonzero(np.asarray(file.rows) == int(number))
        if len(found) and path == (str(file.path) if several or path else ""):
            return first + int(found[0])
        first += len(file.rows)
    return None


def located(error: CellError, files: Sequence[FileRows]) -> CellError:
    """An error about a cell of a table, with its file and its row there.

    Parameters
    ----------
    error : CellError
    files : sequence of FileRows
        The rows of the table, in order; none for a table in memory.

    Examples
    --------
    >>> files = [FileRows(Path("a.csv"), range(2, 9)), FileRows(Path("b.csv"), range(2, 9))]
    >>> print(located(CellError("column 'x' holds inf", 8, "."), files))
    b.csv: column 'x' holds inf in row 3 of the file.
    """
    row = error.row
    for file in () if error.place else files:
        if row < len(file.rows):
            number = int(file.rows[row])
            where = place(number, int(file.lines[row]) if len(file.lines) else number)
            return CellError(
                f"{file.path}: {error.before}", error.row, error.after, f"{where} of the file"
            )
        row -= len(file.rows)
    return error


@contextmanager
def cells_of(files: Sequence[FileRows]) -> Iterator[None]:
    """Within it, a :class:`CellError` about a row of a table names its file, and its row there.

    Parameters
    ----------
    files : sequence of FileRows
        The rows of the table, in order; none for a table in memory.
    """
    try:
        yield
    except CellError as error:
        raise located(error, files) from None
