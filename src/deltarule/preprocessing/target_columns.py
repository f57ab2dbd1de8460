"""Target columns: checked, the rows that have them, and the task inferred from them.

The rule: text and booleans are classes; so are whole numbers with at most 20 different values, each
in 3 rows or more on average, or with 2. All other numbers are a regression. Several target columns
are a regression of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, require, setting
from deltarule.preprocessing.cells import check_type, is_date, text_of
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

TASKS = ("classification", "regression")

FEW = 20
"""Maximum number of different whole numbers that count as classes."""

_ROWS_EACH = 3
_MOST_CLASSES = 1000
_BLOCK = 1 << 16  # rows, which nearly always show whether numbers are whole


def with_targets(
    frame: pl.DataFrame, names: Sequence[str], strict: bool = False
) -> tuple[pl.DataFrame, Array]:
    """The rows whose targets are there, and their numbers, counted from 0.

    Raises
    ------
    DataError
        For a column that is not there; for a missing target where `strict`.

    Examples
    --------
    >>> import polars as pl
    >>> with_targets(pl.DataFrame({"y": [1, None, 2]}), ["y"])[1]
    array([0, 2])
    """
    names = target_names(names)
    check_there(frame, names)
    is_kept = has_targets(frame, names)
    kept = frame if is_kept.all() else frame.filter(is_kept)
    dropped = frame.height - kept.height
    if dropped and strict:
        raise DataError(
            f"the target is missing in {dropped} of {frame.height} rows; expected it in each. "
            f"Fill them, or drop those rows{setting('', ' (leave out --strict)')}."
        )
    if kept.height == 0:
        raise DataError(
            f"the target is missing in all {frame.height} rows; expected it in some. Name another "
            "column."
        )
    return kept, np.flatnonzero(is_kept.to_numpy())


def has_targets(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Which rows have every target.

    Parameters
    ----------
    frame : polars.DataFrame
        Which has these columns.
    names : sequence of str
    """
    polars = require("polars", "table", "reading tables")
    present = polars.all_horizontal(
        [
            polars.col(n).is_not_nan() & polars.col(n).is_not_null()
            if frame[n].dtype.is_float()
            else polars.col(n).is_not_null()
            for n in names
        ]
    )
    found: pl.Series = frame.select(present).to_series()
    return found


def target_names(names: Sequence[str]) -> list[str]:
    """One or several names as a list; refuses none, and one given twice."""
    names = [names] if isinstance(names, str) else list(names)
    if not names or len(set(names)) < len(names):
        raise DataError(f"target columns: expected one or several different names, got {names!r}.")
    return names


def check_there(frame: pl.DataFrame, names: Sequence[str]) -> None:
    """Refuse names that no column has."""
    for name in names:
        if name not in frame.columns:
            raise DataError(
                f"no column {name!r} for the target.{nearest(name, frame.columns)} "
                f"The table has: {', '.join(frame.columns[:20])}."
            )


def check_varies(column: pl.Series) -> None:
    """Refuse a target with missing values, of a type that is not read, or of one value."""
    check_present(column)
    check_type(column)
    if is_date(column):
        raise DataError(
            f"target {column.name!r}: holds dates; expected classes or numbers. Turn them into "
            "days since some day."
        )
    ordered = column.dtype.is_numeric()
    if column.min() == column.max() if ordered else column.n_unique() < 2:
        raise DataError(
            f"target {column.name!r}: has one value, {column[0]!r}, in every row; expected at "
            "least two, classes or numbers."
        )


def check_present(column: pl.Series) -> None:
    """Refuse a target that is missing in some row."""
    if column.null_count():
        raise DataError(
            f"target {column.name!r}: is missing in {column.null_count()} rows; expected it in "
            "each."
        )


def inferred_task(frame: pl.DataFrame, names: Sequence[str]) -> tuple[str, str]:
    """The task by the rule, and why."""
    polars = require("polars", "table", "reading tables")
    if len(names) > 1:
        return "regression", f"{len(names)} target columns, a regression with several outputs"
    column = frame[names[0]]
    if column.dtype == polars.Boolean:
        return "classification", "the target is boolean"
    if not column.dtype.is_numeric():
        return "classification", "the target is text"
    some = column.head(_BLOCK)  # nearly always tell
    whole = (bool((each == each.floor()).all()) for each in (some, column))
    if column.dtype.is_float() and not all(whole):
        return "regression", "the target has fractional numbers"
    distinct = column.n_unique()
    if distinct > FEW:
        return "regression", f"the target has {distinct} distinct numbers, more than {FEW}"
    if are_many(distinct, len(column)):
        return "regression", (
            f"the target has {distinct} distinct numbers in {len(column)} rows, too many for "
            "classes"
        )
    return "classification", (
        f"the target has {distinct} distinct whole numbers; up to {FEW} are treated as classes"
    )


def are_many(distinct: int, rows: int) -> bool:
    """Whether there are too many different numbers for a number of rows for classes.

    Examples
    --------
    >>> are_many(20, 60), are_many(20, 59), are_many(21, 900), are_many(2, 2)
    (False, True, True, False)
    """
    return distinct > FEW or (distinct > 2 and rows < _ROWS_EACH * distinct)


def check_recur(name: str, classes: int, rows: int) -> None:
    """Refuse labels of which most are in one row: they are names, and no classes."""
    if classes > 2 and classes < rows < 2 * classes:  # one row each: see classes_of
        raise DataError(
            f"target {name!r}: has {classes} different labels in {rows} rows; expected several "
            f"rows per class. Name another column, or pass {as_classification()}."
        )


def classes_of(frame: pl.DataFrame, names: Sequence[str]) -> tuple[Any, ...]:
    """The labels of a classification in order, as Python values."""
    if len(names) > 1:
        raise DataError(
            f"{len(names)} target columns cannot be a classification; expected one. Train one "
            "model per target."
        )
    column = frame[names[0]]
    if column.dtype.is_float():
        column = text_of(column)
        numbers = column.str.to_integer(strict=False)
        column = numbers if numbers.null_count() == 0 else column
    elif column.dtype.is_temporal():
        column = text_of(column)
    labels = sorted(column.unique().to_list())
    if len(labels) == len(column):
        raise DataError(
            f"target {names[0]!r}: has a different class in each of its {len(column)} rows; "
            "expected several rows per class. Name another column."
        )
    if len(labels) > _MOST_CLASSES:
        raise DataError(
            f"target {names[0]!r}: has {len(labels)} classes; expected at most {_MOST_CLASSES}. "
            f"For numbers pass {as_regression()}; for names leave out the column."
        )
    return tuple(labels)


def as_regression() -> str:
    """The setting that makes a target a regression."""
    return setting('task="regression"', "--task regression")


def as_classification() -> str:
    """The setting that makes a target's values classes."""
    return setting('task="classification"', "--task classification")
