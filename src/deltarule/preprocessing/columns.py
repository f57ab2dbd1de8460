"""The kinds of column: how each is told apart, fitted, turned into numbers, and described.

A kind is one class. Its fields are what training taught it and what a model file stores; its
methods turn a column into an array. :data:`KINDS` lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, require

if TYPE_CHECKING:
    import polars as pl

MOST_LEVELS = 64
"""Levels of a category that get a column of their own; rarer ones share one."""

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
        values = numbers_of(column)
        present = values[~np.isnan(values)]
        if len(present) == 0:
            raise DataError(
                f"column {column.name!r}: has no value in any training row; expected numbers. "
                "Drop it with --drop."
            )
        fill = float(np.median(present))
        missing = len(values) - len(present)
        mean, variance = float(present.mean()), float(present.var())
        if missing:  # of the filled column
            share = missing / len(values)
            variance = (1 - share) * (variance + share * (mean - fill) ** 2)
            mean = (1 - share) * mean + share * fill
        return cls(column.name, fill, mean, float(np.sqrt(variance)) or 1.0, missing > 0, missing)

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [self.name, f"{self.name} is missing"] if self.flagged else [self.name]

    def transform(self, column: pl.Series, out: Array) -> None:
        """Write the column's numbers into `out`, ``(m, len(outputs))``."""
        values = numbers_of(column)
        absent = np.isnan(values)
        out[:, 0] = (np.where(absent, self.fill, values) - self.mean) / self.std
        if self.flagged:
            out[:, 1] = absent

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
        text = text_of(column)
        levels = sorted(text.drop_nulls().unique().to_list(), key=_falsehood)
        if len(levels) != 2:
            raise DataError(
                f"column {column.name!r}: holds {len(levels)} values; expected two for a boolean. "
                f"Pass --kind {column.name}=category."
            )
        ones = float((text == levels[1]).mean() or 0.0)
        return cls(column.name, (levels[0], levels[1]), ones, text.null_count())

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        return [f"{self.name} = {self.levels[1]}"]

    def transform(self, column: pl.Series, out: Array) -> None:
        """Write 0, 1, or the share of ones into `out`, ``(m, 1)``; unseen values are missing."""
        codes = _codes(text_of(column), self.levels)
        out[:, 0] = np.where(codes < 0, self.fill, codes)

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
        text = text_of(column)
        counts = text.drop_nulls().value_counts()
        counts = counts.sort(["count", text.name], descending=[True, False])
        enough = max(_RAREST, _RARE * len(text)) if counts.height > 2 else 1
        kept = counts.filter(counts["count"] >= enough).head(MOST_LEVELS)[text.name].to_list()
        if not kept:
            kept = counts.head(1)[text.name].to_list()
        return cls(column.name, tuple(kept), counts.height - len(kept), text.null_count())

    @property
    def outputs(self) -> list[str]:
        """The names of the columns it makes."""
        names = [f"{self.name} = {level}" for level in self.levels]
        if self.rare:
            names.append(f"{self.name} is rare")
        if self.missing:
            names.append(f"{self.name} is missing")
        return names

    def transform(self, column: pl.Series, out: Array) -> None:
        """Write one 1 a row into `out`, ``(m, len(outputs))``."""
        text = text_of(column)
        codes = _codes(text, self.levels)
        absent = text.is_null().to_numpy()
        n = len(self.levels)
        codes[(codes < 0) & ~absent & bool(self.rare)] = n
        codes[absent & bool(self.missing)] = n + bool(self.rare)
        out[...] = 0
        known = codes >= 0
        out[known, codes[known]] = 1

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

    def transform(self, column: pl.Series, out: Array) -> None:
        """Write the parts into `out`, ``(m, len(outputs))``; those of a missing date are 0."""
        days = _days(column, self.format)
        absent = np.isnan(days)
        days = np.where(absent, self.mean, days)
        turns = [days / 365.2425, (days + 3) / 7]  # 1970-01-01 was a Thursday
        turns += [days] if self.hours else []
        out[:, 0] = (days - self.mean) / self.std
        for i, turn in enumerate(turns):
            angle = 2 * np.pi * (np.floor(turn * 7) / 7 if i == 1 else turn)
            out[:, 1 + 2 * i], out[:, 2 + 2 * i] = np.sin(angle), np.cos(angle)
        out[absent] = 0
        if self.missing:
            out[:, -1] = absent

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

    def transform(self, column: pl.Series, out: Array) -> None:
        """Write nothing."""

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
    present = column.drop_nulls()
    distinct, m = present.n_unique(), len(column)
    if len(present) == 0:
        return Dropped(column.name, "empty: no value in any row")
    if distinct == 1 and len(present) == m:
        return Dropped(column.name, f"constant: {present[0]} in every row")
    if column.dtype == polars.Boolean:
        return Category.fit(column) if distinct == 1 else Boolean.fit(column)
    if column.dtype.is_temporal():
        return Date.fit(column)
    if column.dtype.is_numeric():
        why = _identifying_number(column, distinct)
        return Dropped(column.name, why) if why else Numeric.fit(column)
    _refuse_text_among_numbers(column)
    if date_format(column) is not None:
        return Date.fit(column)
    text = text_of(column)
    values = set(text.drop_nulls().unique().head(3).str.to_lowercase().to_list())
    if distinct == 2 and len(values & _TRUE) == len(values & _FALSE) == 1:
        return Boolean.fit(column)
    why = _identifying_text(text, distinct)
    return Dropped(column.name, why) if why else Category.fit(column)


def _identifying_number(column: pl.Series, distinct: int) -> str:
    """Why a column of numbers looks like a key, or nothing."""
    m = len(column)
    if not column.dtype.is_integer() or distinct < m or m < 20:
        return ""
    low, high = int(column.min()), int(column.max())
    if high - low == m - 1 and column.is_sorted():
        return "identifier: counts the rows"
    named = re.search(r"(^|[_\W])(id|no|nr|key|index)$|[a-z](Id|ID|No|Key)$|number$", column.name)
    return "identifier: another number in every row" if named else ""


def _identifying_text(text: pl.Series, distinct: int) -> str:
    """Why a column of text looks like a key or like prose, or nothing."""
    present = text.drop_nulls()
    if len(present) < 20 or distinct <= 0.5 * len(present):
        return ""
    words = float((present.head(1000).str.count_matches(r"\s+") + 1).mean())
    if words >= 4:
        return f"free text: {words:.0f} words a row"
    return f"identifier: {distinct} different values in {len(present)} rows"


def _refuse_text_among_numbers(column: pl.Series) -> None:
    """A few cells of text in a column of numbers are a mistake, or a marker to be named."""
    polars = require("polars", "table", "preprocessing")
    text = text_of(column)
    numbers = text.cast(polars.Float64, strict=False)
    odd = text.filter(numbers.is_null() & text.is_not_null())
    present = len(text) - text.null_count()
    if not 0 < len(odd) <= 0.05 * present or odd.n_unique() > 5 or present < 10:
        return
    row = int((numbers.is_null() & text.is_not_null()).arg_max() or 0)
    marker = odd[0]
    raise DataError(
        f"column {column.name!r} holds text in row {row + 1} ({marker!r}); expected numbers. Pass "
        f"--missing {marker} to read it as missing, or --kind {column.name}=category."
    )


# ------------------------------------------------------------------------- what kinds share


def numbers_of(column: pl.Series) -> Array:
    """A column as float64, missing values as NaN.

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
    values = numbers.to_numpy()
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise DataError(
            f"column {column.name!r} holds {values[row]} in row {row + 1}; expected finite numbers."
        )
    return values


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


def date_format(column: pl.Series) -> str | None:
    """The format of a column's dates: empty for dates proper, None where it holds none."""
    polars = require("polars", "table", "preprocessing")
    if column.dtype.is_temporal():
        return ""
    if column.dtype != polars.String:
        return None
    present = column.drop_nulls()
    for form in _DATE_FORMATS:
        if _parsed(present.head(50), form).null_count() == 0 and (
            _parsed(present, form).null_count() == 0
        ):
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
    moments = column if column.dtype.is_temporal() else _parsed(text_of(column), form)
    if moments.null_count() > column.null_count():
        row = int((moments.is_null() & column.is_not_null()).arg_max() or 0)
        raise DataError(
            f"column {column.name!r} holds {column[row]!r} in row {row + 1}; expected a date as in "
            f"training ({form})."
        )
    seconds = moments.cast(polars.Datetime("ms")).cast(polars.Int64).cast(polars.Float64) / 1000
    return seconds.to_numpy() / _DAY


def _codes(text: pl.Series, levels: tuple[str, ...]) -> Array:
    """The number of each cell's level, −1 for others and missing ones."""
    polars = require("polars", "table", "preprocessing")
    numbers = text.replace_strict(
        list(levels), list(range(len(levels))), default=None, return_dtype=polars.Int64
    )
    return numbers.fill_null(-1).to_numpy().copy()


def _falsehood(level: str) -> tuple[bool, str]:
    """Sorts false before true, and other values by themselves."""
    return level.lower() in _TRUE, level


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
