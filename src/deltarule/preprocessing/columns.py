"""The kinds of column: how each is told apart, fitted, turned into numbers, and described.

A kind is one class. Its fields are what training taught it and what a model file stores; its
methods turn a column into an array. :data:`KINDS` lists them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, require

if TYPE_CHECKING:
    import polars as pl

MOST_LEVELS = 24
"""Levels of a category that get a column of their own; rarer ones share one."""

NOWHERE = 1 << 20
"""The code of a value that no output stands for."""

_RARE = 0.001  # share of the rows; and
_RAREST = 3  # at least so many rows
_DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
)
_TRUE = frozenset({"yes", "true", "y", "t", "1"})
_FALSE = frozenset({"no", "false", "n", "f", "0"})
_DAY = 86_400.0
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


class Made(NamedTuple):
    """What a column became.

    Attributes
    ----------
    values : list of arrays, shape (m,)
        One an output; or none, and then
    codes : int array, shape (m,)
        the number of the one output that is 1 in each row, :data:`NOWHERE` for none.
    """

    values: list[Array] = []  # noqa: RUF012  (never changed)
    codes: Array | None = None


@dataclass(frozen=True)
class Numeric:
    """Numbers, standardised; missing ones take the training median.

    Attributes
    ----------
    name : str
    fill, mean, std : float
        Median, mean and standard deviation of the training rows.
    flagged : bool
        Whether a further column says which were missing: where training had some.
    missing : int
        How many of the training rows.
    """

    name: str
    fill: float
    mean: float
    std: float
    flagged: bool
    missing: int
    kind: ClassVar[str] = "numeric"

    @classmethod
    def fit(cls, column: pl.Series) -> Numeric:
        """Learn from the training rows."""
        numbers = numbers_of(column)
        missing, m = numbers.null_count(), len(numbers)
        if missing == m:
            raise DataError(
                f"column {column.name!r}: has no value in any training row; expected numbers. "
                "Drop it with --drop."
            )
        fill, mean, variance = numbers.median(), numbers.mean(), numbers.var(ddof=0)
        share = missing / m  # mean and variance are those of the filled column
        variance = (1 - share) * (variance + share * (mean - fill) ** 2)
        mean = (1 - share) * mean + share * fill
        return cls(column.name, fill, mean, math.sqrt(variance) or 1.0, missing > 0, missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [self.name, f"{self.name} is missing"] if self.flagged else [self.name]

    def transform(self, column: pl.Series) -> Made:
        """The standardised values, and the flags."""
        numbers = numbers_of(column)
        values = (numbers.fill_null(self.fill).to_numpy() - self.mean) / self.std
        made = [values.astype(np.float32)]
        if self.flagged:
            made.append(numbers.is_null().to_numpy())
        return Made(made)

    def describe(self) -> str:
        """What was done, in one clause."""
        filled = f"{self.missing} missing filled with {self.fill:g} and flagged"
        return f"standardised, {filled}" if self.flagged else "standardised"


@dataclass(frozen=True)
class Boolean:
    """Two values, as 0 and 1; a missing one is in between.

    Attributes
    ----------
    name : str
    levels : tuple of str
        The value that is 0, and the one that is 1.
    fill : float
        The share of ones in the training rows, for missing values.
    missing : int
    """

    name: str
    levels: tuple[str, str]
    fill: float
    missing: int
    kind: ClassVar[str] = "boolean"

    @classmethod
    def fit(cls, column: pl.Series) -> Boolean:
        """Learn from the training rows."""
        levels, codes = coded(column)
        counts = np.bincount(codes + 1, minlength=len(levels) + 1)
        if len(levels) != 2:
            raise DataError(
                f"column {column.name!r}: holds {len(levels)} values; expected two for a boolean. "
                f"Pass --kind {column.name}=category."
            )
        false, true = sorted(range(2), key=lambda i: (levels[i].lower() in _TRUE, levels[i]))
        share = float(counts[true + 1] / counts[1:].sum())
        return cls(column.name, (levels[false], levels[true]), share, int(counts[0]))

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [f"{self.name} = {self.levels[1]}"]

    def transform(self, column: pl.Series) -> Made:
        """0, 1, or the share of ones where a value is missing or was not seen."""
        codes = _codes(column, self.levels)
        return Made([np.where(codes < 0, self.fill, codes).astype(np.float32)])

    def describe(self) -> str:
        """What was done, in one clause."""
        filled = f", {self.missing} missing filled with {self.fill:.2f}" if self.missing else ""
        return f"{self.levels[0]} is 0, {self.levels[1]} is 1{filled}"


@dataclass(frozen=True)
class Category:
    """One column a level; rare levels share one; missing is a level; unseen ones are rare.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Most frequent first.
    rare : int
        How many further levels share one column; 0 for none, and then an unseen level is all 0.
    missing : int
        How many training rows had none; where there were some, missing is a level.
    """

    name: str
    levels: tuple[str, ...]
    rare: int
    missing: int
    kind: ClassVar[str] = "category"

    @classmethod
    def fit(cls, column: pl.Series) -> Category:
        """Learn from the training rows."""
        levels, codes = coded(column)
        counts = np.bincount(codes + 1, minlength=len(levels) + 1)
        missing, counts = int(counts[0]), counts[1:]
        enough = max(_RAREST, _RARE * len(codes)) if len(levels) > 2 else 1
        frequent = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        kept = [levels[i] for i in frequent if counts[i] >= enough]
        if not kept and levels:
            kept = [levels[frequent[0]]]
        return cls(column.name, tuple(kept), len(levels) - len(kept), missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        names = [f"{self.name} = {level}" for level in self.levels]
        if self.rare:
            names.append(f"{self.name} is rare")
        if self.missing:
            names.append(f"{self.name} is missing")
        return names

    def transform(self, column: pl.Series) -> Made:
        """Which of the outputs is 1 in each row."""
        n = len(self.levels)
        codes = _codes(
            column,
            self.levels,
            other=n if self.rare else NOWHERE,
            absent=n + bool(self.rare) if self.missing else NOWHERE,
        )
        return Made(codes=codes)

    def describe(self) -> str:
        """What was done, in one clause."""
        parts = [f"{len(self.levels)} levels"]
        if self.rare:
            parts.append(f"{self.rare} rare ones as one")
        if self.missing:
            parts.append(f"{self.missing} missing as a level")
        return ", ".join(parts)


@dataclass(frozen=True)
class Date:
    """Dates: time elapsed, season and weekday as points of a circle, and hour where there is one.

    Attributes
    ----------
    name : str
    format : str
        Of the text; empty where the column held dates.
    mean, std : float
        Of the training rows, in days since 1970.
    hours : bool
        Whether the time of day varies.
    missing : int
    """

    name: str
    format: str
    mean: float
    std: float
    hours: bool
    missing: int
    kind: ClassVar[str] = "date"

    @classmethod
    def fit(cls, column: pl.Series) -> Date:
        """Learn from the training rows."""
        form = date_format(column)
        if form is None:
            raise DataError(
                f"column {column.name!r}: holds {column.drop_nulls()[0]!r}; expected dates such "
                "as 2024-05-31."
            )
        days = _days(column, form)
        present = days[~np.isnan(days)]
        hours = bool((present != np.floor(present)).any())
        std = float(present.std()) or 1.0
        return cls(column.name, form, float(present.mean()), std, hours, int(np.isnan(days).sum()))

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        parts = ["elapsed", "season sin", "season cos", "weekday sin", "weekday cos"]
        parts += ["hour sin", "hour cos"] if self.hours else []
        parts += ["is missing"] if self.missing else []
        return [f"{self.name} {part}" for part in parts]

    def transform(self, column: pl.Series) -> Made:
        """The parts; those of a missing date are 0."""
        days = _days(column, self.format)
        absent = np.isnan(days)
        days = np.where(absent, self.mean, days)
        turns = [days / 365.2425, (days + 3) / 7]  # 1970-01-01 was a Thursday
        turns += [days] if self.hours else []
        parts = [(days - self.mean) / self.std]
        for i, turn in enumerate(turns):
            angle = 2 * np.pi * (np.floor(turn * 7) / 7 if i == 1 else turn)
            parts += [np.sin(angle), np.cos(angle)]
        made = [np.where(absent, 0, part).astype(np.float32) for part in parts]
        return Made([*made, absent] if self.missing else made)

    def describe(self) -> str:
        """What was done, in one clause."""
        flagged = f", {self.missing} missing flagged" if self.missing else ""
        return f"elapsed time, season, weekday{', hour' if self.hours else ''}{flagged}"


@dataclass(frozen=True)
class Dropped:
    """A column that is left out, and why.

    Attributes
    ----------
    name : str
    why : str
    """

    name: str
    why: str
    kind: ClassVar[str] = "dropped"

    @classmethod
    def fit(cls, column: pl.Series) -> Dropped:
        """Left out because someone said so."""
        return cls(column.name, "as asked for")

    @property
    def outputs(self) -> list[str]:
        """None."""
        return []

    def transform(self, column: pl.Series) -> Made:
        """Nothing."""
        return Made()

    def describe(self) -> str:
        """Why."""
        return self.why


Column = Numeric | Boolean | Category | Date | Dropped

KINDS: dict[str, type[Column]] = {
    row.kind: row for row in (Numeric, Boolean, Category, Date, Dropped)
}
"""The kinds by name."""


def fitted(column: pl.Series) -> Column:
    """A training column, fitted as the kind it looks like.

    Raises
    ------
    DataError
        For a numeric column with a few cells of text, or infinity.
    """
    polars = require("polars", "table", "preprocessing")
    if column.null_count() == len(column):
        return Dropped(column.name, "empty: no value in any row")
    numeric = column.dtype.is_numeric() or column.dtype.is_temporal()
    if column.null_count() == 0 and (
        column.min() == column.max() if numeric else column.n_unique() == 1
    ):
        return Dropped(column.name, f"constant: {column[0]} in every row")
    if column.dtype.is_temporal():
        return Date.fit(column)
    if column.dtype.is_numeric():
        why = _identifying_number(column)
        return Dropped(column.name, why) if why else Numeric.fit(column)
    if column.dtype == polars.Boolean:
        return Category.fit(column) if column.drop_nulls().n_unique() == 1 else Boolean.fit(column)
    levels, codes = coded(column)
    _refuse_text_among_numbers(column.name, levels, codes)
    if date_format(column) is not None:
        return Date.fit(column)
    values = {level.lower() for level in levels[:3]}
    if len(levels) == 2 and len(values & _TRUE) == len(values & _FALSE) == 1:
        return Boolean.fit(column)
    why = _identifying_text(levels, int((codes >= 0).sum()))
    return Dropped(column.name, why) if why else Category.fit(column)


def _identifying_number(column: pl.Series) -> str:
    """Why a column of numbers looks like a key, or nothing."""
    m = len(column)
    if not column.dtype.is_integer() or column.null_count() or m < 20:
        return ""
    low, high = int(column.min()), int(column.max())
    if high - low < m - 1 or column.n_unique() < m:
        return ""
    if high - low == m - 1 and column.is_sorted():
        return "identifier: counts the rows"
    named = re.search(r"(^|[_\W])(id|no|nr|key|index)$|[a-z](Id|ID|No|Key)$|number$", column.name)
    return "identifier: another number in every row" if named else ""


def _identifying_text(levels: list[str], present: int) -> str:
    """Why a column of text looks like a key or like prose, or nothing."""
    if present < 20 or len(levels) <= 0.5 * present:
        return ""
    words = float(np.mean([len(level.split()) for level in levels[:1000]]))
    if words >= 4:
        return f"free text: {words:.0f} words a row"
    return f"identifier: {len(levels)} different values in {present} rows"


def _refuse_text_among_numbers(name: str, levels: list[str], codes: Array) -> None:
    """A few cells of text in a column of numbers are a mistake, or a marker to be named."""
    if not any(_NUMBER.fullmatch(level) for level in levels[:1000]):
        return
    odd = [i for i, level in enumerate(levels) if not _NUMBER.fullmatch(level)]
    where = np.isin(codes, odd)
    present = int((codes >= 0).sum())
    if not 0 < where.sum() <= 0.05 * present or len(odd) > 5 or present < 10:
        return
    row = int(where.argmax())
    marker = levels[codes[row]]
    raise DataError(
        f"column {name!r} holds text in row {row + 1} ({marker!r}); expected numbers. Pass "
        f"--missing {marker} to read it as missing, or --kind {name}=category."
    )


# ------------------------------------------------------------------------- what kinds share


def numbers_of(column: pl.Series) -> pl.Series:
    """A column as Float64, missing values as nulls.

    Raises
    ------
    DataError
        For text, with its row, or for infinity.
    """
    polars = require("polars", "table", "preprocessing")
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        numbers = column.cast(polars.Float64)
    else:
        text = text_of(column)
        numbers = text.cast(polars.Float64, strict=False)
        if numbers.null_count() > text.null_count():
            row = int((numbers.is_null() & text.is_not_null()).arg_max() or 0)
            raise DataError(
                f"column {column.name!r} holds text in row {row + 1} ({text[row]!r}); expected "
                f"numbers, as in training. Pass --missing {text[row]} to read it as missing."
            )
    if column.dtype.is_integer() or column.dtype == polars.Boolean:
        return numbers
    if not math.isfinite(numbers.sum()):
        numbers = numbers.fill_nan(None)
        if numbers.is_infinite().any():
            row = int(numbers.is_infinite().arg_max() or 0)
            raise DataError(
                f"column {column.name!r} holds {numbers[row]} in row {row + 1}; expected finite "
                "numbers."
            )
    return numbers


def text_of(column: pl.Series) -> pl.Series:
    """A column as text; whole numbers without a point, so that 1.0 and 1 are one level."""
    polars = require("polars", "table", "preprocessing")
    if column.dtype == polars.String:
        return column
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = column.drop_nulls()
        if len(whole) == 0 or bool((whole == whole.floor()).all()):
            column = column.cast(polars.Int64, strict=False)
    return column.cast(polars.String)


def coded(column: pl.Series) -> tuple[list[str], Array]:
    """A column's different values as text, in order, and each row's number; −1 is missing."""
    polars = require("polars", "table", "preprocessing")
    if not isinstance(column.dtype, polars.Enum):
        column = text_of(column)
        levels = column.drop_nulls().unique().sort()
        column = column.cast(polars.Enum(levels))
    codes = column.to_physical().cast(polars.Int64).fill_null(-1).to_numpy()
    levels = column.dtype.categories.to_list()
    used = np.bincount(codes + 1, minlength=len(levels) + 1)[1:] > 0
    if not used.all():  # some rows of a larger table
        renumbered = np.append(np.cumsum(used) - 1, -1)
        codes, levels = renumbered[codes], [l for l, u in zip(levels, used, strict=True) if u]
    return levels, codes


def _codes(column: pl.Series, levels: tuple[str, ...], other: int = -1, absent: int = -1) -> Array:
    """The number of each row's level, `other` for values that are no level, `absent` for none."""
    found, codes = coded(column)
    numbers = {level: i for i, level in enumerate(levels)}
    table = np.array([*(numbers.get(level, other) for level in found), absent], dtype=np.int32)
    return table[codes]


def date_format(column: pl.Series) -> str | None:
    """The format of a column's dates: empty for dates proper, None where it holds none."""
    if column.dtype.is_temporal():
        return ""
    if column.dtype.is_numeric():
        return None
    polars = require("polars", "table", "preprocessing")
    levels = polars.Series(coded(column)[0], dtype=polars.String)
    for form in _DATE_FORMATS:
        if all(_parsed(part, form).null_count() == 0 for part in (levels.head(50), levels)):
            return form
    return None


def _parsed(text: pl.Series, form: str) -> pl.Series:
    polars = require("polars", "table", "preprocessing")
    if "%H" in form:
        return text.str.to_datetime(form, strict=False)
    return text.str.to_date(form, strict=False).cast(polars.Datetime)


def _days(column: pl.Series, form: str) -> Array:
    """Days since 1970 with their fraction, missing ones as NaN."""
    polars = require("polars", "table", "preprocessing")

    def days_of(moments: pl.Series) -> Array:
        ticks = moments.cast(polars.Datetime("ms")).cast(polars.Int64).cast(polars.Float64)
        return ticks.to_numpy() / (1000 * _DAY)

    if column.dtype.is_temporal():
        return days_of(column)
    levels, codes = coded(column)
    days = days_of(_parsed(polars.Series(levels, dtype=polars.String), form))
    if np.isnan(days).any():
        row = int(np.isin(codes, np.flatnonzero(np.isnan(days))).argmax())
        raise DataError(
            f"column {column.name!r} holds {column[row]!r} in row {row + 1}; expected a date as in "
            f"training ({form})."
        )
    return np.append(days, np.nan)[codes]


def restored(state: Any) -> Column:
    """A column from what a model file holds.

    Raises
    ------
    DataError
        For anything that no column could have written.
    """
    if not isinstance(state, dict) or state.get("kind") not in KINDS:
        raise DataError(f"a column's record is damaged: {str(state)[:80]!r}")
    kind = KINDS[state["kind"]]
    fields: dict[str, Any] = kind.__dataclass_fields__
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "kind":
            continue
        value = state.get(name)
        if field.type.startswith("tuple"):
            good = isinstance(value, list) and all(isinstance(v, str) for v in value)
            value = tuple(value) if good and isinstance(value, list) else value
        else:
            good = _PLAIN[field.type](value)
        if not good:
            raise DataError(f"a column's record is damaged: {name} is {str(value)[:80]!r}")
        values[name] = value
    if kind is Boolean and len(values["levels"]) != 2:
        raise DataError("a column's record is damaged: a boolean without two values")
    return kind(**values)


_PLAIN = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int and value >= 0,
    "float": lambda value: type(value) in (int, float) and bool(np.isfinite(value)),
}
