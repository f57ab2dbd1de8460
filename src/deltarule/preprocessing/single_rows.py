"""One row of a table to numbers: what :meth:`Preprocessing.transform` makes of it, in microseconds.

A data frame of one row takes hundreds of microseconds to make and to read. Here every column has a
function that takes a cell and writes its numbers where the network reads them: numbers and dates
are computed as the arrays of :mod:`~deltarule.preprocessing.assembly` compute them, to the same
bits. Any other cell goes through its column's own ``transform`` when it is met for the first time;
what it became is kept.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading, column_of
from deltarule.data.objects import cells_of
from deltarule.data.values import texts_read
from deltarule.errors import CellError, DataError, TypeMismatchError
from deltarule.preprocessing.assembly import FARTHEST, assembled
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import check_type
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores
from deltarule.preprocessing.table import Preprocessing
from deltarule.preprocessing.text_columns import Text, words_of
from deltarule.registry import nearest

_MOST_KEPT = 4096  # cells of a column beside its levels

Numbers: TypeAlias = Any  # a view of memory that floats are written to, of a type without a name
Write = Callable[[Any], None]
"""Writes the numbers of one cell."""


class RowEncoder:
    """The numbers of one row at a time, in an array that is always the same.

    Parameters
    ----------
    preprocessing : Preprocessing
    further : collection of str
        Names that a row may have beside the columns of the preprocessing.

    Attributes
    ----------
    X : float32 array, shape (1, width)
        The last row's numbers.

    Examples
    --------
    >>> fitted = Preprocessing.fit({"area": [50.0, None, 70.0], "town": ["A", "B", "A"]})
    >>> encoder = RowEncoder(fitted)
    >>> encoder.encode({"area": None, "town": "B"})
    >>> encoder.X.tolist() == fitted.transform([{"area": None, "town": "B"}]).tolist()
    True
    """

    def __init__(self, preprocessing: Preprocessing, further: Collection[str] = ()) -> None:
        used = preprocessing.used
        self.X = np.zeros((1, preprocessing.width), dtype=np.float32)
        numbers, at = memoryview(self.X[0]), 0
        self._writes: list[tuple[str, Write]] = []
        for column in used:
            width = len(column.outputs)
            own = numbers[at : at + width]
            self._writes.append((column.name, _write_of(column, preprocessing.reading, own)))
            at += width
        self._names = frozenset(column.name for column in used)
        self._known = {*(column.name for column in preprocessing.columns), *further}

    def encode(self, row: Mapping[str, Any]) -> None:
        """Write a row's numbers into :attr:`X`.

        Parameters
        ----------
        row : mapping of str to cell

        Raises
        ------
        DataError
            For a column that is missing or unknown; for a cell that ``transform`` refuses.
        """
        if row.__class__ is not dict or row.keys() != self._names:
            row = self._checked(row)
        for name, write in self._writes:
            write(row[name])

    def _checked(self, row: Any) -> Mapping[str, Any]:
        """A row that has all columns, by names that are text."""
        if not isinstance(row, Mapping) and hasattr(row, "to_dict"):  # a row of pandas
            row = row.to_dict()
        if not isinstance(row, Mapping):
            raise TypeMismatchError(
                "row: expected a mapping of column names to cells, such as {'area': 50.0}; got "
                f"{type(row).__name__}."
            )
        named = {str(name): cell for name, cell in row.items()}
        odd = [name for name in named if name not in self._known]
        absent = [name for name, _ in self._writes if name not in named]
        if absent:
            count = "the column" if len(absent) == 1 else f"{len(absent)} columns"
            raise DataError(
                f"the row lacks {count}: {', '.join(map(repr, absent[:10]))}."
                f"{nearest(absent[0], odd)} Expected the columns of training; None stands for a "
                "missing value."
            )
        if odd:
            raise DataError(
                f"the row has {odd[0]!r}, which is not a column of the training table."
                f"{nearest(odd[0], sorted(self._known))} Leave it out."
            )
        return named


def _write_of(column: Column, reading: Reading | None, numbers: Numbers) -> Write:
    """What writes the cells of a column."""
    other = _Cells(column, reading, numbers).write
    if isinstance(column, Scores):
        return _scored(column, numbers, other)
    if isinstance(column, Numeric):
        return _scaled(column, numbers, other)
    if isinstance(column, Date):
        return _dated(column, reading, numbers, other)
    if isinstance(column, Text):
        return _worded(column, reading, numbers, other)
    return other


class _Cells:
    """What the cells of a column became, each computed when it is met for the first time."""

    def __init__(self, column: Column, reading: Reading | None, numbers: Numbers) -> None:
        self.column, self.reading, self.numbers = column, reading, numbers
        self.missing = memoryview(self._transformed([None])[0])
        levels: list[str] = []
        if isinstance(column, Category | Boolean):
            levels = list(column.known if isinstance(column, Category) else column.levels)
        made = self._transformed(levels) if levels else ()
        self.kept: dict[Any, Numbers] = {
            level: memoryview(row) for level, row in zip(levels, made, strict=True)
        }
        self.most = len(levels) + _MOST_KEPT

    def write(self, cell: Any) -> None:
        """Write the numbers of a cell: those that are kept, or new ones."""
        key = cell if cell.__class__ is str else (cell.__class__, cell)  # 1, 1.0 and True are equal
        try:
            found = self.kept.get(key)
        except TypeError:  # a cell that has no hash, such as a list
            found = None
        self.numbers[:] = self._made(cell, key) if found is None else found

    def _made(self, cell: Any, key: Any) -> Numbers:
        (plain,) = cells_of([cell])
        if plain is None:
            return self.missing
        try:
            made = memoryview(self._transformed([plain])[0])
        except CellError as error:  # whose row is the only one
            raise DataError(f"{error.before}{error.after}") from None
        if len(self.kept) < self.most:
            self.kept[key] = made
        return made

    def _transformed(self, cells: list[Any]) -> Array:
        column = column_of(self.column.name, cells)
        check_type(column)
        made = self.column.transform(column, self.reading)
        return assembled([made], [len(self.column.outputs)], len(cells))


def _scaled(column: Numeric, numbers: Numbers, other: Write) -> Write:
    """Standardizes numbers."""
    mean, std, flagged = column.mean, column.std, column.flagged

    def write(cell: Any) -> None:
        if cell.__class__ is not float:
            cell = _number(cell)
        if cell.__class__ is float:
            scaled = (cell - mean) / std
            if -FARTHEST < scaled < FARTHEST:
                numbers[0] = scaled
                if flagged:
                    numbers[1] = 0.0
                return
        other(cell)

    return write


def _scored(column: Scores, numbers: Numbers, other: Write) -> Write:
    """Interpolates between the knots, as ``np.interp`` does."""
    values, scores = (tuple(map(float, own)) for own in zip(*column.knots, strict=True))
    last, flagged = len(values) - 1, column.flagged

    def write(cell: Any) -> None:
        cell = _number(cell)
        if not (cell.__class__ is float and math.isfinite(cell)):
            other(cell)
            return
        i = bisect_right(values, cell) - 1
        if i < 0 or i == last or values[i] == cell:
            numbers[0] = scores[max(i, 0)]
        else:
            slope = (scores[i + 1] - scores[i]) / (values[i + 1] - values[i])
            numbers[0] = slope * (cell - values[i]) + scores[i]
        if flagged:
            numbers[1] = 0.0

    return write


def _number(cell: Any) -> Any:
    """A cell that is a number, as float; others as they are."""
    kind = cell.__class__
    if kind is not float and kind is not int:
        (cell,) = cells_of([cell])
    try:
        return float(cell) if isinstance(cell, int) else cell
    except OverflowError:  # which the column's transform refuses
        return cell


def _dated(column: Date, reading: Reading | None, numbers: Numbers, other: Write) -> Write:
    """The parts of a date, as :class:`Date` makes them of a column."""
    mean, std, hours, flagged = column.mean, column.std, column.hours, column.missing > 0
    angles = np.empty(3 if hours else 2)

    def write(cell: Any) -> None:
        days = column.day_of(cell, reading)
        if days is None:
            other(cell)
            return
        angles[0] = 2 * math.pi * (days / 365.2425)
        angles[1] = 2 * math.pi * (math.floor(days + 3) / 7)
        if hours:
            angles[2] = 2 * math.pi * days
        numbers[0] = min(max((days - mean) / std, -FARTHEST), FARTHEST)
        numbers[1], numbers[3], *hour = np.sin(angles).tolist()
        numbers[2], numbers[4], *of_hour = np.cos(angles).tolist()
        if hours:
            (numbers[5],), (numbers[6],) = hour, of_hour
        if flagged:
            numbers[-1] = 0.0

    return write


def _worded(column: Text, reading: Reading | None, numbers: Numbers, other: Write) -> Write:
    """TF-IDF of a text, which hardly ever recurs."""
    place = {word: i for i, word in enumerate(column.words)}
    blank: Array = np.zeros(len(column.outputs), dtype=np.float32)

    def write(cell: Any) -> None:
        text: str | None = cell if cell.__class__ is str else None
        if text is not None and reading is not None:
            (text,) = texts_read([text], reading, column.name)
        words = [] if text is None else words_of(text)
        if not words:
            other(cell)
            return
        times = Counter(place[word] for word in words if word in place)
        values, total = {i: times[i] * column.weights[i] for i in sorted(times)}, 0.0
        for value in values.values():  # in order, as np.bincount adds; sum() may compensate
            total += value * value
        numbers[:] = blank
        for i, value in values.items():
            numbers[i] = value / math.sqrt(total)

    return write
