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
