"""Columns of text that hold numbers: read as found for each of them, or as in training."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deltarule.data.notations import detected, is_ambiguous, unread
from deltarule.data.reading_settings import Reading
from deltarule.data.readings import MARKERS, WORDS_FOR_MISSING, ColumnReading
from deltarule.data.values import meant
from deltarule.errors import CellError, require, setting

if TYPE_CHECKING:
    import polars as pl

_SAMPLE = 2000  # rows
_LEVELS = 1000  # different texts looked at
_NUMBERS = 5  # different ones, beside which a word that recurs is a marker
_LONGEST_MARKER = 20
_MOST_MARKERS = 5


@dataclass(frozen=True)
class ReadColumns:
    """A table whose text columns are read.

    Attributes
    ----------
    frame : polars.DataFrame
    columns : mapping of str to ColumnReading
        Of the columns that are not read as every column is.
    notes : tuple of str
        What is not certain, a sentence each.
    """

    frame: pl.DataFrame
    columns: Mapping[str, ColumnReading] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_columns(frame: pl.DataFrame, reading: Reading) -> ReadColumns:
    """Read the columns of text that hold numbers.

    Parameters
    ----------
    frame : polars.DataFrame
        Whose plain numbers, dates and usual markers are read.
    reading : Reading
        Its ``columns`` are read as it says, and no others; None detects them. If it is ``plain``,
        nothing is done.

    Raises
    ------
    CellError
        For a cell that the given reading of its column does not explain.

    Examples
    --------
    >>> import polars as pl
    >>> found = read_columns(pl.DataFrame({"area": ["52 m2", "34 m2"]}), Reading())
    >>> found.frame["area"].to_list(), found.columns["area"].describe()
    ([52.0, 34.0], "numbers with 'm2' behind")
    """
    if reading.plain:
        return ReadColumns(frame)
    comma = bool(reading.decimal_comma)
    texts = [column for column in frame.get_columns() if _is_text(column)]
    if reading.columns is not None:
        known = [(column, reading.columns.get(column.name)) for column in texts]
        read = [_applied(column, one, comma) for column, one in known if one is not None]
        return ReadColumns(frame.with_columns(read), reading.columns)
    columns = {}
    for column in texts:
        found = _found(column, comma)
        if found is not None:
            columns[column.name] = found
    if not comma and any(one.decimal == "," for one in columns.values()):  # one file, one locale
        for name in [name for name, one in columns.items() if one.group == ","]:
            columns[name] = _found(frame[name], True) or columns[name]
    notes = [note for name, one in columns.items() for note in _notes(frame[name], one)]
    read = [_applied(frame[name], one, comma) for name, one in columns.items()]
    return ReadColumns(frame.with_columns(read), columns, tuple(notes))


def _is_text(column: pl.Series) -> bool:
    polars = require("polars", "table", "reading tables")
    return column.dtype == polars.String or isinstance(column.dtype, polars.Enum)


def _levels(column: pl.Series) -> pl.Series:
    """All texts of a column, each at least once."""
    polars = require("polars", "table", "reading tables")
    if isinstance(column.dtype, polars.Enum):
        levels: pl.Series = column.dtype.categories.alias(column.name)
        return levels
    return column


def _found(column: pl.Series, comma: bool) -> ColumnReading | None:
    """How a column is written, with its markers; None for text, and for what needs no reading."""
    levels = _levels(column)
    step = max(1, len(levels) // _SAMPLE)
    some = (levels.gather_every(step) if step > 1 else levels).to_list()
    sample = [text for text in dict.fromkeys(some) if text is not None][:_LEVELS]
    for _ in range(2):
        found = detected(sample, comma)
        if found is None:
            return None
        odd = _odd(levels, found)
        markers = _markers(column, levels, odd)
        if markers is not None:
            found = replace(found, markers=markers)
            return found if found.is_measured or markers else None
        sample = [*odd[:_LEVELS], *sample]
    return None


def _odd(levels: pl.Series, reading: ColumnReading) -> list[str]:
    """The different texts that a reading does not explain."""
    if reading.is_measured:
        some = levels.filter(reading.values(levels).is_null() & levels.is_not_null())
        return list(some.unique(maintain_order=True))
    texts = levels.drop_nulls().unique(maintain_order=True).to_list()
    return [text for text in texts if text in MARKERS] + [texts[i] for i in unread(texts, reading)]


def _markers(column: pl.Series, levels: pl.Series, odd: Sequence[str]) -> tuple[str, ...] | None:
    """What marks a missing value: known markers, or one word that recurs; None for other text."""
    strange = [text for text in odd if text not in MARKERS]
    if not strange:
        return tuple(sorted(odd))
    words = [text for text in strange if text.casefold() not in WORDS_FOR_MISSING]
    too_long = any(len(word) > _LONGEST_MARKER or any(map(str.isdigit, word)) for word in words)
    if len(words) > 1 or len(strange) > _MOST_MARKERS or too_long:
        return None
    recurs = len(strange) > 1 or _rows(column, strange[0]) > 1
    enough = levels.drop_nulls().n_unique() - len(odd) >= _NUMBERS
    return tuple(sorted(odd)) if recurs and enough else None


def _rows(column: pl.Series, text: str) -> int:
    polars = require("polars", "table", "reading tables")
    return int((column.cast(polars.String) == text).sum())


def _notes(column: pl.Series, reading: ColumnReading) -> list[str]:
    plain = setting("plain=True", "--plain")
    notes = []
    for marker in reading.markers:
        if marker not in MARKERS or not any(map(str.isalnum, marker)):  # a sign may mean else
            own = setting(f"missing=({marker!r},)", f"--missing {shlex.quote(marker)}")
            notes.append(
                f"column {column.name!r}: {marker!r} in {_rows(column, marker):,} rows is read as "
                f"missing, since all else is numbers or dates. Pass {own} to confirm it, or "
                f"{plain} to read the column as text."
            )
    texts = _levels(column).drop_nulls().head(_LEVELS).to_list()
    if is_ambiguous(texts, reading):
        text = next(text for text in texts if "," in text)
        comma = setting("decimal_comma=True", "--decimal-comma")
        notes.append(
            f"column {column.name!r}: {text!r} is read as {reading.value(text):g}, since a comma "
            f"stands before three digits everywhere. Pass {comma} if it is a decimal comma."
        )
    return notes


def _applied(column: pl.Series, reading: ColumnReading, comma: bool) -> pl.Series:
    """A column as its reading says.

    Raises
    ------
    CellError
        For a cell that it does not explain.
    """
    polars = require("polars", "table", "reading tables")
    levels = _levels(column)
    absent = levels.is_in([*MARKERS, *reading.markers])
    levels = levels.to_frame().select_seq(polars.when(~absent).then(polars.first())).to_series()
    if not reading.is_measured:
        return meant(_spread(column, levels), decimal_comma=comma)
    values = reading.values(levels)
    odd = values.is_null() & levels.is_not_null()
    if odd.any():
        text = levels.filter(odd)[0]
        row = int((column.cast(polars.String) == text).arg_max() or 0)
        raise unexplained(column.name, row, text, reading)
    return _spread(column, values)


def unexplained(name: str, row: int, text: str, reading: ColumnReading) -> CellError:
    """The error for a cell that the reading of its column does not explain."""
    marker = setting(
        "Replace it by None to make it missing",
        f"Pass --missing {shlex.quote(text)} to read it as missing",
    )
    return CellError(
        f"column {name!r} holds text",
        row,
        f" ({text!r}); expected {reading.describe()}. {marker}.",
    )


def _spread(column: pl.Series, of_levels: pl.Series) -> pl.Series:
    """What became of each text, for each row."""
    polars = require("polars", "table", "reading tables")
    if not isinstance(column.dtype, polars.Enum):
        return of_levels
    return of_levels.gather(column.to_physical()).alias(column.name)
