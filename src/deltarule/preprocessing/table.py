"""A table's columns to numbers: column types inferred, fitted on training rows, remembered."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Reading, dataset_of, frame_of
from deltarule.data.parallel import at_once
from deltarule.errors import DataError, UnknownNameError
from deltarule.preprocessing.assembly import assembled
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.cells import is_date, is_numeric, numbers_of
from deltarule.preprocessing.columns import KINDS, Column, Dropped
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.differences import ColumnDifference, differences
from deltarule.preprocessing.embedded_columns import EmbeddedCategory, category
from deltarule.preprocessing.kinds import COUNTS, check_cells, fitted
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.records import restored, restored_reading
from deltarule.preprocessing.scores import Scores
from deltarule.preprocessing.target_statistics import Outcomes
from deltarule.preprocessing.text_columns import Text, recurring
from deltarule.preprocessing.totals import Totals
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

_ALIASES = {"number": "numeric", "drop": "dropped", "identifier": "dropped"}

FAR = 5.0
"""Standard deviations from the mean of training, above which a number is called far."""

MOST_COLUMNS = 100_000
"""Of a table: what is learned of more would be refused as a costly model file."""


class Encoded(NamedTuple):
    """A table that is encoded once, for all that reads its rows.

    Attributes
    ----------
    frame : polars.DataFrame
    X : float32 array, shape (m, width)
    by : Preprocessing
        Whose encoding it is; any other encodes the frame again.
    """

    frame: pl.DataFrame
    X: Array
    by: Preprocessing


@dataclass(frozen=True)
class Preprocessing:
    """The columns of a table and how each becomes numbers.

    Attributes
    ----------
    columns : tuple of Column
        In the training table's order; see :mod:`deltarule.preprocessing.columns`.
    reading : Reading, optional
        How the values of the training table were read: so are those of the tables to predict.
        None, of models from before it was kept, takes text as it is.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"area": [50.0, None, 70.0], "town": ["A", "B", "A"]})
    >>> fitted = Preprocessing.fit(frame)
    >>> fitted.names
    ('area', 'area is missing', 'town = A', 'town = B')
    >>> fitted.transform(frame)[0].round(2)
    array([-1.22,  0.  ,  1.  ,  0.  ], dtype=float32)
    """

    columns: tuple[Column, ...]
    reading: Reading | None = None

    @classmethod
    def fit(cls, table: Any, *, kinds: Mapping[str, str] | None = None) -> Preprocessing:
        """Infer the columns' kinds and learn from the training rows.

        Parameters
        ----------
        table : Dataset, or what :func:`~deltarule.data.dataset_of` takes
            The training rows, without the target.
        kinds : mapping of str to str, optional
            Kinds of some columns: ``{"zip": "category"}``; of :data:`KINDS`.

        Raises
        ------
        UnknownNameError
            For an unknown column or kind.
        DataError
            For a column that cannot be used, with what to do.
        """
        data = dataset_of(table)
        frame = data.frame
        if frame.width and not frame.height:
            raise DataError("the table has no rows to learn from; expected at least one.")
        if frame.width > MOST_COLUMNS:
            raise DataError(
                f"the table has {frame.width:,} columns; expected at most {MOST_COLUMNS:,}, which "
                "a model file can hold. Drop or combine some."
            )
        asked = _kinds(kinds, frame)

        def fit(column: pl.Series) -> Column:
            kind, dates = asked.get(column.name), data.reading.dates
            if kind == "date":
                return Date.fit(column, dates)
            if kind == "category":
                return category(column)
            return fitted(column, dates) if kind is None else KINDS[kind].fit(column)

        cells = frame.height * frame.width
        columns = at_once(fit, frame.get_columns(), cells=cells)
        if not any(column.outputs for column in columns):  # then a count is better than nothing
            counts = [isinstance(c, Dropped) and c.why == COUNTS for c in columns]
            columns = [
                Numeric.fit(frame[column.name]) if is_count else column
                for column, is_count in zip(columns, counts, strict=True)
            ]
        return cls(tuple(columns), data.reading.values)

    def refined(self, totals: Mapping[str, Totals]) -> Preprocessing:
        """The same, fitted on a sample, with what is known of all the rows.

        Parameters
        ----------
        totals : mapping of str to Totals
            Of each column.
        """
        columns = (column.refined(totals[column.name]) for column in self.columns)
        return replace(self, columns=tuple(columns))

    def text_like(self, table: Any) -> list[str]:
        """Columns that are not used as they could be: text whose words recur, a key of no row.

        Parameters
        ----------
        table : data frame, array or mapping
            The training rows.
        """
        frame = frame_of(table)
        return [
            column.name
            for column in self.columns
            if _is_undecided(column)
            and not is_numeric(frame[column.name])
            and not is_date(frame[column.name])
            and recurring(frame[column.name])
        ]

    def with_text(self, table: Any, names: Sequence[str]) -> Preprocessing:
        """The same with some columns as text: TF-IDF of their words.

        Parameters
        ----------
        table : data frame, array or mapping
            The training rows.
        names : sequence of str
        """
        frame = frame_of(table)
        columns = (Text.fit(frame[c.name]) if c.name in names else c for c in self.columns)
        return replace(self, columns=tuple(columns))

    def pooled(self, table: Any) -> list[str]:
        """Categories of many levels, for which statistics of the targets are of use.

        Parameters
        ----------
        table : data frame, array or mapping
            The training rows.
        """
        frame = frame_of(table)
        return [
            column.name
            for column in self.columns
            if isinstance(column, Category) and column.pools(frame[column.name], self.reading)
        ]

    def with_statistics(
        self, table: Any, names: Sequence[str], outcomes: Outcomes
    ) -> Preprocessing:
        """The same with statistics of the targets for the levels of some categories.

        Parameters
        ----------
        table : data frame, array or mapping
            The training rows.
        names : sequence of str
        outcomes : Outcomes
            The rows' targets.
        """
        frame = frame_of(table)
        columns = (
            column.measured(frame[column.name], outcomes, self.reading)
            if isinstance(column, Category) and column.name in names
            else column
            for column in self.columns
        )
        return replace(self, columns=tuple(columns))

    @property
    def measured(self) -> list[str]:
        """The categories whose levels have statistics of the targets."""
        return [c.name for c in self.columns if isinstance(c, Category) and c.statistics]

    @property
    def words(self) -> Array:
        """Which of the columns it makes are words of a text, as booleans ``(width,)``."""
        flags = [[isinstance(column, Text)] * len(column.outputs) for column in self.columns]
        return np.array([flag for own in flags for flag in own], dtype=bool)

    @property
    def codes(self) -> tuple[int, ...]:
        """Of each column it makes, how many codes of levels it holds; 0 where it holds numbers."""
        return tuple(
            column.size if place == 0 and isinstance(column, EmbeddedCategory) else 0
            for column in self.columns
            for place in range(len(column.outputs))
        )

    def one_hot(self) -> Preprocessing:
        """The same with one-hot columns for all categories: for models without embeddings."""
        columns = (c.one_hot() if isinstance(c, EmbeddedCategory) else c for c in self.columns)
        return replace(self, columns=tuple(columns))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns it makes."""
        return tuple(name for column in self.columns for name in column.outputs)

    @property
    def width(self) -> int:
        """How many columns it makes."""
        return len(self.names)

    @property
    def used(self) -> list[Column]:
        """The columns that become numbers, in order."""
        return [column for column in self.columns if column.outputs]

    def frame(self, table: Any) -> pl.DataFrame:
        """A table as a data frame, once it is known to have the columns of training.

        Parameters
        ----------
        table : data frame, array or mapping

        Raises
        ------
        DataError
            With the columns that it lacks.
        """
        if isinstance(table, Encoded) and table.by is self:
            return table.frame
        frame = table.frame if isinstance(table, Encoded) else frame_of(table)
        there = frozenset(frame.columns)
        absent = [column.name for column in self.used if column.name not in there]
        if absent:
            known = {column.name for column in self.columns}
            others = [name for name in frame.columns if name not in known]
            raise DataError(
                f"the table lacks {_counted(absent)}: {', '.join(map(repr, absent[:10]))}."
                f"{nearest(absent[0], others)} Expected the columns of training."
            )
        return frame

    def transform(self, table: Any) -> Array:
        """A table's rows as float32 ``(m, width)``, C-ordered.

        Parameters
        ----------
        table : data frame, array or mapping
            With the training's columns, in any order; further ones are ignored.

        Raises
        ------
        DataError
            For missing columns, text where numbers were, dates of another form, infinity.
        """
        if isinstance(table, Encoded) and table.by is self:
            return table.X
        frame, used = self.frame(table), self.used  # NaN is found by the columns' kinds
        widths = [len(column.outputs) for column in used]
        made = at_once(
            lambda column: column.transform(frame[column.name], self.reading),
            used,
            cells=frame.height * len(used),
        )
        return assembled(made, widths, frame.height)

    def encoded(self, table: Any) -> Encoded:
        """A table and its rows as :meth:`transform` encodes them, to be passed in its place.

        Parameters
        ----------
        table : data frame, array or mapping

        Examples
        --------
        >>> fitted = Preprocessing.fit({"area": [50.0, 60.0, 70.0]})
        >>> once = fitted.encoded({"area": [60.0]})
        >>> fitted.transform(once) is once.X
        True
        """
        return Encoded(self.frame(table), self.transform(table), self)

    def cross_fitted(
        self, table: Any, outcomes: Outcomes, folds: Sequence[tuple[Array, Array]]
    ) -> Array:
        """Training rows as :meth:`transform`, but the statistics of each from other rows.

        Parameters
        ----------
        table : data frame, array or mapping
        outcomes : Outcomes
            The rows' targets.
        folds : sequence of pairs of int arrays
            Rows that statistics are taken from, and rows that they encode.
        """
        X, frame, at = self.transform(table), self.frame(table), 0
        for column in self.columns:
            at += len(column.outputs)
            if isinstance(column, Category) and column.statistics is not None:
                places = column.places(frame[column.name], self.reading)
                own = column.cross_fitted(places, outcomes, folds)
                X[:, at - own.shape[1] : at] = own
        return X

    def filled(self, table: Any) -> list[str]:
        """Columns with missing values where training had none: they are filled, unflagged."""
        return [found.column for found in self.differences(table, ["missing"])]

    def unseen(self, table: Any) -> dict[str, Counter[str]]:
        """Values that no level of their column stands for, and how many rows hold each.

        Of a category with rare levels that is not known: they are not stored one by one.

        Parameters
        ----------
        table : data frame, array or mapping

        Examples
        --------
        >>> fitted = Preprocessing.fit({"town": ["A", "B", "A"]})
        >>> fitted.unseen({"town": ["C", "A", "C", None]})
        {'town': Counter({'C': 2})}
        """
        return {found.column: found.values for found in self.differences(table, ["unseen"])}

    def differences(self, table: Any, which: Collection[str] = ()) -> list[ColumnDifference]:
        """What differs from training in a table: unseen levels, numbers out of range, no values.

        Parameters
        ----------
        table : data frame, array or mapping
        which : collection of str
            Of :data:`~deltarule.preprocessing.differences.DIFFERENCES`; all by default.
        """
        return differences(self.columns, frame_of(table), self.reading, which)

    def beyond(self, table: Any) -> dict[str, int]:
        """Numeric columns with values :data:`FAR` standard deviations from training's mean.

        Of a column as scores, outside the range of training.

        Parameters
        ----------
        table : data frame, array or mapping

        Returns
        -------
        dict of str to int
            How many rows hold one.

        Examples
        --------
        >>> Preprocessing.fit({"area": [40.0, 50.0, 60.0]}).beyond({"area": [45.0, 900.0, None]})
        {'area': 1}
        """
        frame, found = self.frame(table), {}
        for column in (each for each in self.used if isinstance(each, Numeric)):
            numbers = numbers_of(frame[column.name], self.reading).to_numpy()  # a gap is NaN
            reach = FAR * column.std
            low, high = column.mean - reach, column.mean + reach
            if isinstance(column, Scores):
                low, high = min(low, column.low), max(high, column.high)
            found[column.name] = int(((numbers < low) | (numbers > high)).sum())
        return {name: rows for name, rows in found.items() if rows}

    def describe(self) -> list[str]:
        """One line a column: what was done with it, and why it was dropped where it was."""
        lines = []
        for column in self.columns:
            read = self.summary(column.name)
            line = f"{column.name}: {column.kind}, {column.describe()}"
            lines.append(f"{line}; {read}" if read else line)
        return lines

    def summary(self, name: str) -> str:
        """How a column's numbers were written, in a phrase; empty for plain ones."""
        return "" if self.reading is None else self.reading.of(name).summary

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` needs, of plain JSON values."""
        columns = [{"kind": c.kind, **_stored(c)} for c in self.columns]
        if self.reading is None:
            return {"columns": columns}
        reading = {
            "missing": list(self.reading.missing),
            "decimal_comma": self.reading.decimal_comma,
            "columns": {name: asdict(one) for name, one in (self.reading.columns or {}).items()},
        }
        return {"columns": columns, "reading": reading}

    @classmethod
    def from_dict(cls, state: Any) -> Preprocessing:
        """The preprocessing that :meth:`to_dict` wrote.

        Raises
        ------
        DataError
            For anything else.
        """
        if not isinstance(state, dict) or not isinstance(state.get("columns"), list):
            raise DataError(f"the record of the preprocessing is damaged: {reprlib.repr(state)}")
        columns = tuple(restored(column) for column in state["columns"])
        return cls(columns, restored_reading(state.get("reading")))


def check_table(table: Any, *, kinds: Mapping[str, str] | None = None) -> None:
    """Refuse cells that no preprocessing could use, before a table is split and learnt from.

    Parameters
    ----------
    table : Dataset, or what :func:`~deltarule.data.dataset_of` takes
        All rows, without the target.
    kinds : mapping of str to str, optional
        As in :meth:`Preprocessing.fit`.

    Raises
    ------
    CellError
        For infinity, and for a few cells of text in a column of numbers or dates.
    UnknownNameError, DataError
        As :meth:`Preprocessing.fit`.

    Examples
    --------
    >>> check_table({"area": [50.0, None, 70.0]})
    """
    frame = dataset_of(table).frame
    asked = _kinds(kinds, frame)

    def check(column: pl.Series) -> None:
        kind = asked.get(column.name)
        if kind is None:
            check_cells(column)
        else:
            KINDS[kind].fit(column)

    at_once(check, frame.get_columns(), cells=frame.height * frame.width)


def _kinds(kinds: Mapping[str, str] | None, frame: pl.DataFrame) -> dict[str, str]:
    named = {str(name): kind for name, kind in (kinds or {}).items()}  # 0 names the column 0
    return {name: _kind(name, kind, frame.columns) for name, kind in named.items()}


def _kind(name: str, kind: str, columns: list[str]) -> str:
    if name not in columns:
        raise UnknownNameError(
            f"kind of {name!r}: the table has no such column.{nearest(name, columns)}"
        )
    found = _ALIASES.get(kind, kind)
    if found not in KINDS:
        raise UnknownNameError(
            f"unknown kind {kind!r} of column {name!r}.{nearest(kind, [*KINDS, *_ALIASES])} "
            f"Known: {', '.join(KINDS)}."
        )
    return found


def _stored(column: Column) -> dict[str, Any]:
    """A column's fields; without those that it lacks."""
    return {name: value for name, value in asdict(column).items() if value is not None}


def _is_undecided(column: Column) -> bool:
    """Whether nothing is known of a column but that its values hardly recur."""
    if isinstance(column, Category):
        return not column.levels
    return isinstance(column, Dropped) and column.hardly_recurs


def _counted(names: list[str]) -> str:
    return "the column" if len(names) == 1 else f"{len(names)} columns"
