"""Column types, inferred from a column's type, its values, and how many of them differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.data.notations import detected, unread
from deltarule.data.values import is_exact
from deltarule.errors import CellError, require
from deltarule.preprocessing.category_columns import FEW_LEVELS, Category, frequent
from deltarule.preprocessing.cells import (
    Coded,
    as_category,
    as_missing,
    check_type,
    coded,
    is_date,
    is_number,
    is_numeric,
    numbers_of,
)
from deltarule.preprocessing.columns import FREE_TEXT, IDENTIFIER, Boolean, Column, Dropped
from deltarule.preprocessing.date_columns import Date, are_dates
from deltarule.preprocessing.dates import format_of, no_dates
from deltarule.preprocessing.embedded_columns import category_of
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores, is_far

if TYPE_CHECKING:
    import polars as pl

COUNTS = f"{IDENTIFIER}: row numbers"
"""Why a column of row numbers is dropped."""

_FEWEST = 20  # rows, to call a column an identifier
_COVERED = 0.25  # of the rows by levels of their own, at least, or a column is not a category;
_COVERED_OFTEN = 0.1  # so many are enough where a level has on average
_OFTEN = 20  # rows
_RECURRING = 5  # rows of a level; where most rows have such a level, it is not a key of a row
_STRAYS = 5  # different values at most,
_STRAY = 0.05  # in at most this share of the rows, are not a kind of their own
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_KEYS = frozenset({"id", "ids", "uuid", "guid", "key", "index", "idx", "no", "nr", "num", "number"})


def fitted(column: pl.Series, dates: str | None = None) -> Column:
    """A training column, fitted as the kind it looks like.

    Parameters
    ----------
    column : polars.Series
    dates : str, optional
        The order of day and month, where both fit.

    Raises
    ------
    DataError
        For cells of a type that is not read, a numeric column with a few cells of text, or
        infinity.

    Examples
    --------
    >>> import polars as pl
    >>> fitted(pl.Series("town", ["Oslo", "Rome", "Oslo"])).kind
    'category'
    """
    polars = require("polars", "table", "preprocessing")
    if column.null_count() == len(column):
        return Dropped(column.name, "empty: no value in any row")
    check_type(column)
    if is_date(column):
        return _constant(column, column.min(), column.max()) or Date.fit(column)
    if is_numeric(column):
        dropped = _constant(column, column.min(), column.max())
        if dropped is None and are_dates(column):
            return Date.fit(column)
        if dropped is None and column.dtype.is_integer() and not is_exact(column):
            return _fitted_text(column, coded(column), dates)
        why = "" if dropped else _identifying_number(column)
        return dropped or (Dropped(column.name, why) if why else _fitted_numbers(column))
    found = coded(column)
    dropped = _constant(column, found.levels[0], found.levels[-1])
    if column.dtype == polars.Boolean:
        kind = Boolean if len(found.levels) == 2 else Category
        return dropped or kind.fit_coded(column.name, found)
    return dropped or _fitted_text(column, found, dates)


def _fitted_numbers(column: pl.Series) -> Numeric:
    """Numbers, standardized; as scores where some lie far from all others."""
    fitted = Numeric.fit(column)
    return Scores.of(fitted, column) if is_far(fitted, column) else fitted


def _constant(column: pl.Series, least: Any, most: Any) -> Dropped | None:
    """What becomes of a column of one value, in every row; None for any other."""
    if column.null_count() or least != most:
        return None
    return Dropped(column.name, f"constant: {column[0]} in every row")


def _fitted_text(column: pl.Series, found: Coded, dates: str | None) -> Column:
    declared = column.dtype == require("polars", "table", "preprocessing").Categorical
    if not declared:
        refuse_strays(column.name, found, as_category(column.name))
    if Boolean.is_pair(found.levels):
        return Boolean.fit_coded(column.name, found)
    if format_of(found.levels, dates) is not None:
        return Date.fit(column, dates)
    why = _identifying_text(found, declared)
    if why and declared and all(map(is_number, found.levels)):
        why = ""  # digits that are not a number: another text of their kind would be a key
    if not why:
        return category_of(column.name, found)
    if 0.02 < found.missing / len(column) < 0.98:
        return Category.fit_presence(column)
    return Dropped(column.name, why)


def _identifying_number(column: pl.Series) -> str:
    """Why a column of numbers looks like a key, or nothing.

    Some rows of a table whose rows were numbered still rise, from about 1, without large gaps.
    """
    m = len(column)
    if not column.dtype.is_integer() or column.null_count() or m < _FEWEST:
        return ""
    low, high = int(column.min()), int(column.max())
    if high - low < m - 1 or column.head(1000).n_unique() < min(m, 1000):
        return ""
    if column.n_unique() < m:
        return ""
    if 0 <= low <= m and high - low < 3 * m and column.is_sorted():
        return COUNTS
    words = [word.lower() for word in _WORDS.findall(column.name)]
    if words and _KEYS & {words[0], words[-1]}:
        return f"{IDENTIFIER}: a different number in every row"
    return ""


def _identifying_text(found: Coded, declared: bool) -> str:
    """Why a column of text looks like a key or like prose, or nothing.

    A declared category is one as long as its values recur.
    """
    levels, codes, counts = found
    present = int(counts.sum())
    mostly = len(levels) > 0.5 * present
    if present < _FEWEST or not (mostly or len(levels) > FEW_LEVELS) or (declared and not mostly):
        return ""
    covered = counts[frequent(counts, len(codes))].sum() / present
    least = _COVERED_OFTEN if present >= _OFTEN * len(levels) else _COVERED
    if covered >= least and not mostly:
        return ""
    words = float(np.mean([len(level.split()) for level in levels[:1000]]))
    if words >= 4:
        return f"{FREE_TEXT}: {words:.0f} words per row"
    if not mostly and counts[counts >= _RECURRING].sum() > 0.5 * present:
        return ""
    return f"{IDENTIFIER}: {len(levels)} different values in {present} rows"


def check_cells(column: pl.Series) -> None:
    """Refuse a column of numbers or dates of which a few cells are something else.

    They are a mistake, or a marker to be named. Where a table is to be split, this is asked of all
    its rows: a mistake is one wherever it stands.

    Raises
    ------
    CellError
        With the first such cell and its row.
    DataError
        For cells of a type that is not read.
    """
    polars = require("polars", "table", "preprocessing")
    if column.null_count() == len(column):
        return
    check_type(column)
    if is_numeric(column):
        numbers_of(column)
    elif not is_date(column) and column.dtype != polars.Categorical:
        refuse_strays(column.name, coded(column), as_category(column.name))


def refuse_strays(name: str, found: Coded, otherwise: str) -> None:
    """Refuse a few cells among numbers or dates that are something else.

    Parameters
    ----------
    name : str
    found : Coded
    otherwise : str
        The option that takes the column as it is.

    Raises
    ------
    CellError
        With the first such cell and its row.
    """
    levels, codes, counts = found
    written = detected(levels)
    if written is not None and written.is_measured:
        odd, expected = unread(levels, written), written.describe()
    else:
        odd = [i for i, level in enumerate(levels) if not _NUMBER.fullmatch(level)]
        expected = "numbers"
    if len(odd) > _STRAYS:
        form, odd = no_dates(levels)
        expected = f"dates, as elsewhere ({form})"
    if not odd or len(levels) - len(odd) < _STRAYS:
        return
    row = int(np.isin(codes, odd).argmax())
    marker = levels[codes[row]]
    if expected != "numbers" and all(format_of([levels[i]]) for i in odd[:_STRAYS]):
        raise CellError(
            f"column {name!r} holds a date in another form",
            row,
            f" ({marker!r}); expected {expected}. Write all in one form, or pass {otherwise}.",
        )
    if len(odd) > _STRAYS or counts[odd].sum() > _STRAY * counts.sum():
        return
    raise CellError(
        f"column {name!r} holds text",
        row,
        f" ({marker!r}); expected {expected}. {as_missing(marker)}, or pass {otherwise}.",
    )
