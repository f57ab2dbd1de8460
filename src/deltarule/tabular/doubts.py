"""What to warn of in a table before a network is trained on it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import numpy as np

from deltarule.arrays import Array
from deltarule.data.reading_settings import ORDERS
from deltarule.errors import setting
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import coded
from deltarule.preprocessing.classes import doubtful_classes
from deltarule.preprocessing.columns import Dropped
from deltarule.preprocessing.date_columns import Date, days_of
from deltarule.preprocessing.dates import also_fits
from deltarule.tabular.problems import Problem, Table

if TYPE_CHECKING:
    import polars as pl

_EPOCH = np.datetime64("1970-01-01")
_MARKING = frozenset(
    int((np.datetime64(day) - _EPOCH).astype(int))
    for day in (
        *("0001-01-01", "1111-11-11", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31"),
        *("1900-01-01", "1901-01-01", "1970-01-01", "2099-12-31", "2100-12-31", "2199-12-31"),
        *("2999-12-31", "3000-01-01", "3000-12-31", "9999-01-01", "9999-12-31"),
    )
)
"""Days that programs and people write for a missing one."""

_AMOUNT = re.compile(
    r"[-+~(]?\s*(?:[$\u20ac\u00a3\u00a5\u20b9]|[A-Z]{3}\s)?\s*\d[\d.,'\s]*"
    r"(?:[^\W\d_]{1,12}|[%\u2030\u00b0\u20ac$\u00a3\u00a5\u20b9]|(?:[x\u00d7*/:,;]|by)\s*\d).*"
    r"|[$\u20ac\u00a3\u00a5\u20b9]\s*\d[\d.,]*"
)
_SOME = 1000  # cells
_MOSTLY = 0.9
_SHAPES = 6  # of cells whose digits do not count

_FEWEST = 3  # rows
_FAR = 365  # days
_YEARS = 1600, 2200


def doubtful_labels(whole: Table) -> list[str]:
    """Warnings of a target's labels; none of a regression."""
    targets = whole.targets
    if targets.task == "regression":
        return []
    labels = whole.labels(whole.frame) if whole.keys.labels is None else whole.keys.labels
    counts = np.bincount(labels, minlength=len(targets.classes))
    return doubtful_classes(targets.names[0], targets.classes, counts)


def doubtful_dates(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns whose dates could have the day first as well as the month."""
    if whole.reading.dates is not None:
        return []
    found = []
    for column in problem.preprocessing.columns:
        if isinstance(column, Date) and column.format:
            levels = coded(whole.frame[column.name]).levels
            forms = also_fits(levels, column.format)
            if forms is not None:
                order = ORDERS[forms[0].startswith("%d")]
                other = setting(f"dates={order!r}", f"--dates {order}")
                found.append(
                    f"column {column.name!r}: dates such as {levels[0]!r} are read as {forms[0]}, "
                    f"and all fit {forms[1]} as well. If that is meant, pass {other}."
                )
    return found


def doubtful_days(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns whose first or last day marks a missing one, or of another calendar."""
    found = []
    for column in problem.preprocessing.columns:
        if isinstance(column, Date):
            series = whole.frame[column.name]
            days = days_of(series, column.format, whole.reading)
            found += _marking_day(column.name, series, days)
            found += _other_calendar(column.name, days)
    return found


def _marking_day(name: str, series: pl.Series, days: Array) -> list[str]:
    for day in (np.nanmin(days), np.nanmax(days)):
        others = days[(days != day) & ~np.isnan(days)]
        rows = np.flatnonzero(days == day)
        apart = len(others) and np.abs(others - day).min() > max(_FAR, np.ptp(others))
        if apart and len(rows) >= _FEWEST and day in _MARKING:
            cell = series[int(rows[0])]
            own = setting(f"missing=({str(cell)!r},)", f"--missing {shlex.quote(str(cell))}")
            return [
                f"column {name!r}: {cell!s} in {len(rows):,} rows stands apart from all other "
                f"dates. If it marks missing values: {own}"
            ]
    return []


def _other_calendar(name: str, days: Array) -> list[str]:
    quantiles = np.nanquantile(days, (0.1, 0.9)).astype("timedelta64[D]")
    low, high = (_EPOCH + quantiles).astype("datetime64[Y]").astype(int) + 1970
    if _YEARS[0] <= low and high <= _YEARS[1]:
        return []
    return [
        f"column {name!r}: most dates lie in the years {low} to {high}; expected years of the "
        "Gregorian calendar. If they are of another one, convert them."
    ]


def doubtful_amounts(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns that are left out though their cells look like numbers."""
    found = []
    for column in problem.preprocessing.columns:
        if isinstance(column, Dropped) and column.hardly_recurs:
            series = whole.frame[column.name].drop_nulls().head(_SOME)
            some = list(map(str, series.unique(maintain_order=True)))
            like = [cell for cell in some if _AMOUNT.fullmatch(cell)]
            shapes = {re.sub(r"\d+", "0", cell) for cell in like}
            if len(like) >= _MOSTLY * len(some) and 0 < len(shapes) <= _SHAPES:
                found.append(
                    f"column {column.name!r} is left out, though cells such as {like[0]!r} look "
                    "like numbers; expected one number in one unit per cell. Convert them, or put "
                    "each number in its own column."
                )
    return found


def doubtful_blocks(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns that have a label only in the first row of each block."""
    found = []
    for column in problem.preprocessing.columns:
        series = whole.frame[column.name]
        places = np.flatnonzero(series.is_not_null().to_numpy())
        is_label = isinstance(column, Category | Dropped) and 2 <= len(places) <= len(series) / 3
        once = is_label and series.drop_nulls().n_unique() == len(places)
        if once and places[0] == 0 and places[1] > 1:
            found.append(
                f"column {column.name!r}: each of its {len(places)} labels stands in one row, with "
                f"empty cells below, from {series[0]!r} on; expected one in each row. If "
                "these were merged cells, fill them down."
            )
    return found


def column_doubts(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns that may be read otherwise than they are meant."""
    looks = (doubtful_dates, doubtful_days, doubtful_amounts, doubtful_blocks)
    return [warning for look in looks for warning in look(whole, problem)]


def only_class(problem: Problem) -> str:
    """Why metrics on the test rows say nothing where these have one class; else nothing."""
    targets = problem.targets
    if targets.task == "regression" or not len(problem.test):
        return ""
    labels = targets.raw(problem.test)
    if (labels != labels[0]).any():
        return ""
    return (
        f"No verdict: all {len(labels):,} rows to evaluate on have the class "
        f"{labels.tolist()[0]!r}, so that the metrics say nothing about telling classes apart."
    )
