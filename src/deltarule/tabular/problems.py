"""From a raw table to what a network can learn from: rows split, columns made numbers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.costs import COSTS
from deltarule.data import Dataset, FileRows, Reading, cells_of, dataset_of
from deltarule.errors import DataError, SettingError, rows_of, setting
from deltarule.intervals import REALS
from deltarule.modelfile import Model
from deltarule.preprocessing import (
    Preprocessing,
    Targets,
    check_table,
    sentinels,
    suspicious,
    with_targets,
)
from deltarule.preprocessing.cells import coded, is_date, is_numeric, text_of
from deltarule.preprocessing.date_columns import are_dates, date_format, days_of
from deltarule.preprocessing.decision import Decision, positive_class
from deltarule.tabular.decisions import check_decision
from deltarule.tabular.outcomes import encoding_folds, outcomes_of
from deltarule.tabular.quality import networks
from deltarule.tabular.recipes import epochs_of
from deltarule.tabular.roles import check_columns, inputs_of, labels_of, numbered, weights_of
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.splits import Keys, Parts, folds, held_out
from deltarule.tabular.streamed_rows import StreamedRows

FEWEST_ROWS = 10
_TEST, _VALIDATION = 1, 2  # purposes of splits
_MOST_NAMES = 1000  # in the first column of a table that lies on its side
_YEAR = re.compile(r"[12]\d{3}(?!\d)")


@dataclass(frozen=True)
class Table:
    """A table whose every row has a target, its roles, and what its splits go by.

    Attributes
    ----------
    frame : polars.DataFrame
    roles : Roles
    targets : Targets
        Fitted on all rows: it tells task and classes.
    keys : Keys
    reading : Reading
        How its values were read.
    rows : int array, shape (m,)
        The number of each row in the raw table, counted from 0.
    dropped : int
        Rows left out because their target was missing.
    files : tuple of FileRows
        Where the rows of the original table stand in its files.
    """

    frame: Any
    roles: Roles
    targets: Targets
    keys: Keys
    reading: Reading
    rows: Array
    dropped: int
    files: tuple[FileRows, ...] = ()

    @contextmanager
    def cells(self) -> Iterator[None]:
        """Within it, an error about a cell of the frame names the row of the original table."""
        with cells_of(self.files), rows_of(self.rows):
            yield

    def labels(self, frame: Any) -> Array:
        """The class numbers ``(m,)`` of a frame's rows."""
        return labels_of(self.targets, frame)


@dataclass(frozen=True)
class Problem:
    """One training with its test: everything fitted on the training rows alone.

    Attributes
    ----------
    roles : Roles
    preprocessing : Preprocessing
    targets : Targets
    train, test : polars.DataFrame
    validations : tuple of Parts
        Of each network to train: rows of `train` to learn from, and to find the best epoch by.
    stream : StreamedRows, optional
        Where the table is read in blocks: what brings the rows to learn from. Then `train` holds a
        sample of them.
    folds : tuple of Parts
        By which the statistics of categories encode the training rows, those held out of each by
        the others; empty where there are none, or where they are of other rows.
    """

    roles: Roles
    preprocessing: Preprocessing
    targets: Targets
    train: Any
    test: Any
    validations: tuple[Parts, ...]
    stream: StreamedRows | None = None
    folds: tuple[Parts, ...] = ()

    @cached_property
    def X(self) -> Array:
        """The training rows in numbers, ``(m, width)``."""
        inputs = inputs_of(self.train, self.roles)
        if not self.folds:
            return self.preprocessing.transform(inputs)
        outcomes = outcomes_of(self.targets, self.train, self.roles)
        return self.preprocessing.cross_fitted(inputs, outcomes, self.folds)

    def parted(self, parts: Parts) -> Problem:
        """The same of some training rows, with others of them as test rows.

        What the model has learned of the targets of the latter is left out of the statistics.

        Parameters
        ----------
        parts : Parts
        """
        train, test = self.train[parts.kept], self.train[parts.held]
        if not self.folds:
            return replace(self, train=train, test=test)
        outcomes = outcomes_of(self.targets, self.train, self.roles).take(parts.kept)
        names, inputs = self.preprocessing.measured, inputs_of(train, self.roles)
        own = self.preprocessing.with_statistics(inputs, names, outcomes)
        folds = tuple(fold.within(parts.kept) for fold in self.folds)
        return replace(self, preprocessing=own, train=train, test=test, folds=folds)

    def one_hot(self) -> Problem:
        """The same for models without embeddings of categories."""
        one_hot = self.preprocessing.one_hot()
        return self if one_hot == self.preprocessing else replace(self, preprocessing=one_hot)

    @property
    def count(self) -> int:
        """How many rows there are to train on, with those to find the best epoch by."""
        if self.stream is None:
            return len(self.train)
        return sum(self.stream.counts) + len(self.validation.held)

    @property
    def validation(self) -> Parts:
        """Those of the first network."""
        return self.validations[0]

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return str(self.targets.task)


def table(source: Any, roles: Roles, *, task: str | None = None, strict: bool = False) -> Table:
    """Read a table, check the roles of its columns, and infer the task.

    Parameters
    ----------
    source : Dataset, or what :func:`~deltarule.data.dataset_of` takes
        Files, a data frame, an array, a mapping, records.
    roles : Roles
    task : str, optional
        Overrides the inferred task.
    strict : bool
        Refuse rows without a target rather than drop them.

    Raises
    ------
    DataError
        For a column that is not there, fewer than ten rows, a target that cannot be learnt.
    """
    data = dataset_of(source)
    is_short = data.frame.width and data.frame.height <= _MOST_NAMES
    first = data.frame[:, 0].to_list() if is_short else ()
    check_columns(data.frame.columns, roles.all, first)
    frame, rows = with_targets(data.frame, roles.target, strict)
    if len(frame) < FEWEST_ROWS:
        raise DataError(
            f"the table has {len(frame)} rows with a target; expected at least {FEWEST_ROWS}. "
            "Add rows."
        )
    with cells_of(data.files), rows_of(rows):
        targets = _with_positive(fitted_targets(frame, roles.target, task, data.reading), frame)
        keys = _keys(frame, roles, targets, data.reading.dates)
        weights_of(frame, roles)
        check_table(data.with_rows(inputs_of(frame, roles)), kinds=roles.kinds)
    dropped = len(data.frame) - len(frame)
    return Table(frame, roles, targets, keys, data.reading, rows, dropped, data.files)


def fitted_targets(frame: Any, names: Sequence[str], task: str | None, reading: Reading) -> Targets:
    """The targets, fitted; numbers with a unit and the like are not labels."""
    if task is not None or not all(reading.of(name).is_measured for name in names):
        return Targets.fit(frame, names, task=task)
    targets = Targets.fit(frame, names, task="regression")
    written = "; ".join(reading.of(name).describe() for name in names)
    return replace(targets, reason=f"its cells are {written}")


def _with_positive(targets: Targets, frame: Any) -> Targets:
    """The same with the positive one of two classes, for all that is trained on the table."""
    if targets.task == "regression" or targets.outputs > 1 or len(targets.classes) != 2:
        return targets
    counts = np.bincount(labels_of(targets, frame), minlength=2).tolist()
    return replace(targets, decision=Decision(positive_class(targets.classes, counts)))


def table_of_model(model: Model, source: Any, roles: Roles, *, strict: bool = False) -> Table:
    """Read a table as a model's own: its columns, its target and classes, its way of splitting.

    Parameters
    ----------
    model : Model
        With preprocessing and targets.
    source : Dataset, or what :func:`~deltarule.data.dataset_of` takes
    roles : Roles
        The model's.
    strict : bool
        Refuse rows without a target rather than drop them.

    Raises
    ------
    DataError
        For a target or key that it lacks, classes that training did not have, fewer than ten rows.
    """
    assert model.preprocessing is not None
    assert model.targets is not None
    data = dataset_of(source, model.preprocessing.reading or Reading(columns={}))
    by = [roles.groups, roles.time]
    check_columns(data.frame.columns, [("of the model", name) for name in by if name is not None])
    with cells_of(data.files):
        frame, rows = test_rows(model.targets, roles, data.frame, strict, "of the model")
    if len(frame) < FEWEST_ROWS:
        raise DataError(
            f"the table has {len(frame)} rows with a target; expected at least {FEWEST_ROWS}. "
            "Add rows."
        )
    with cells_of(data.files), rows_of(rows):
        keys = _keys(frame, roles, model.targets, data.reading.dates)
    dropped = len(data.frame) - len(frame)
    return Table(frame, roles, model.targets, keys, data.reading, rows, dropped, data.files)


def _keys(frame: Any, roles: Roles, targets: Targets, order: str | None) -> Keys:
    """What the splits of a table go by."""
    if roles.groups is not None:
        return Keys(groups=numbered(frame[roles.groups]))
    if roles.time is not None:
        return Keys(time=_times(frame, roles.time, order))
    is_classes = targets.task == "classification"
    return Keys(labels=labels_of(targets, frame)) if is_classes else Keys()


def test_rows(
    targets: Targets, roles: Roles, frame: Any, strict: bool, role: str
) -> tuple[Any, Array]:
    """Another table's rows that have a target, and their numbers in it, counted from 0.

    Parameters
    ----------
    targets : Targets
    roles : Roles
    frame : polars.DataFrame
    strict : bool
        Refuse rows without a target rather than drop them.
    role : str
        What messages call the table.

    Raises
    ------
    DataError
        For columns that it lacks, no rows, or classes that training has not seen.
    """
    needed = [*roles.target, *filter(None, [roles.weights])]
    check_columns(frame.columns, [(role, name) for name in needed])
    frame, rows = with_targets(frame, roles.target, strict)
    with rows_of(rows):
        targets.encode(frame)
        weights_of(frame, roles)
    return frame, rows


def split(whole: Table, settings: Settings) -> Parts:
    """The training rows and the test rows."""
    return held_out(len(whole.frame), settings.test_share, whole.keys, settings.seed, _TEST)


def cross_validation(whole: Table, settings: Settings, count: int) -> Iterator[Parts]:
    """The rows of each of `count` folds."""
    m = len(whole.frame)
    if count > m // 2:
        raise DataError(
            f"{count} folds{setting('', ' (--cv)')}: {m} rows are too few; expected at most "
            f"{m // 2} folds."
        )
    return folds(m, count, whole.keys, settings.seed)


def problem(whole: Table, settings: Settings, kept: Array, test: Any) -> Problem:
    """Fit targets and preprocessing on the training rows, and set a validation part aside.

    Parameters
    ----------
    whole : Table
    settings : Settings
    kept : array
        The rows to train on.
    test : polars.DataFrame
        The test rows, of the same table or of another file.

    Raises
    ------
    DataError
        For columns that cannot be used.
    """
    keys = whole.keys.take(kept)
    parts = validations(keys, len(kept), settings, str(whole.targets.task))
    found = problem_of(whole, settings, whole.frame[kept], test, parts)
    return _with_statistics(found, keys, settings.seed)


def problem_of(
    whole: Table, settings: Settings, train: Any, test: Any, validations: tuple[Parts, ...]
) -> Problem:
    """The same where it is known already which rows are for what.

    Parameters
    ----------
    whole : Table
    settings : Settings
    train, test : polars.DataFrame
        The training rows and the test rows.
    validations : tuple of Parts
        Of each network, of `train`.
    """
    check_decision(whole.targets, settings)
    roles = whole.roles
    inputs = Dataset(inputs_of(train, roles), whole.reading)
    preprocessing = Preprocessing.fit(inputs, kinds=roles.kinds)
    if settings.text == "on" or (settings.text == "auto" and preprocessing.width == 0):
        preprocessing = preprocessing.with_text(inputs.frame, preprocessing.text_like(inputs.frame))
    if preprocessing.width == 0:
        raise DataError(
            "no column is left to learn from. Expected at least one that varies; see what was "
            "dropped, or keep one "
            f"({setting('kinds', '--kind COLUMN=numeric')})."
        )
    targets = whole.targets  # all classes, also one that only the test has
    if settings.quantiles and targets.task == "classification":
        raise SettingError(
            f"{setting('quantiles', '--quantiles')}: expected a numeric target; the task is "
            f"classification ({targets.reason}). Leave it out."
        )
    if targets.task == "regression":
        weights = weights_of(train, roles)
        own = Targets.fit(train, roles.target, task=targets.task, weights=weights)
        targets = scaled(replace(own, reason=targets.reason), settings)
    return Problem(roles, preprocessing, targets, train, test, validations)


def _with_statistics(found: Problem, keys: Keys, seed: int) -> Problem:
    """The same with statistics of the targets for categories of many levels."""
    inputs = inputs_of(found.train, found.roles)
    names = found.preprocessing.pooled(inputs)
    parts = encoding_folds(len(inputs), keys, seed) if names else ()
    if not parts:
        return found
    outcomes = outcomes_of(found.targets, found.train, found.roles)
    measured = found.preprocessing.with_statistics(inputs, names, outcomes)
    return replace(found, preprocessing=measured, folds=parts)


def validations(keys: Keys, m: int, settings: Settings, task: str) -> tuple[Parts, ...]:
    """Each network's own validation rows; of several networks, folds, which are used in turn.

    Parameters
    ----------
    keys : Keys
        Of the training rows.
    m : int
        How many they are.
    settings : Settings
    task : str
        ``"classification"`` or ``"regression"``.

    Raises
    ------
    SettingError
        For more networks than rows.
    DataError
        Where the rows cannot be split.
    """
    share, seed = settings.validation_share, settings.seed
    rows = max(1, round(m * (1.0 - share)))
    count = networks(settings, rows, epochs_of(settings, task, rows))
    if count > m:
        raise SettingError(
            f"{setting(f'n_ensemble={count}', f'--ensemble {count}')}: more networks than training "
            f"rows, {m}. Lower it, or pass more rows."
        )
    if count == 1 or keys.time is not None:  # of time only the latest rows are like those to come
        return (held_out(m, share, keys, seed, _VALIDATION),) * count
    wanted = max(2, round(1.0 / share))
    if keys.groups is not None:
        wanted = max(2, min(wanted, len(np.unique(keys.groups))))
    parts = list(folds(m, min(wanted, m), keys, seed))
    return tuple(parts[k % len(parts)] for k in range(count))


def scaled(targets: Targets, settings: Settings) -> Targets:
    """Targets of a regression, scaled but not shifted where the cost needs their sign (Poisson)."""
    if settings.cost is None or COSTS(settings.cost).targets == REALS:
        return targets
    scale = tuple(mean if mean > 0 else 1.0 for mean in targets.means)
    return replace(targets, means=(0.0,) * len(scale), stds=scale)


def leaks(whole: Table) -> list[str]:
    """Warnings of target leakage: columns that alone predict the target almost perfectly."""
    name = whole.roles.target[0]
    others = [other for role, other in whole.roles.named if other != name]
    found = suspicious(whole.frame.drop(others), name, task=whole.targets.task)
    columns = [column for column, _ in found]
    leave_out = setting(f"drop={columns}", f"--drop {shlex.quote(','.join(columns))}")
    return [
        f"column {column!r} alone explains {_explained(share)} of {name!r}: target leakage, unless "
        f"it is known before {name!r} is. To leave it out: {leave_out}"
        for column, share in found
    ]


def sentinel_warnings(whole: Table) -> list[str]:
    """Warnings of numbers such as -999 that may stand for missing values."""
    return [
        f"column {name!r}: {value} in {rows:,} rows stands apart from all other values. If it "
        f"marks missing values: {setting(f'missing=({str(value)!r},)', f'--missing {value}')}"
        for name, value, rows in sentinels(whole.frame)
    ]


def _explained(share: float) -> str:
    return f"{share:.0%}" if share >= 0.5 else "(by whether it is missing) almost all"


def _times(frame: Any, name: str, order: str | None) -> Array:
    """The rank of each row's time.

    Text of one length that begins with the year, such as 2024-05 or 2024Q2, has the order of time.
    """
    series = frame[name]
    if series.null_count():
        raise DataError(
            f"column {name!r} ({setting('time', '--time')}) is missing in {series.null_count()} "
            "rows; expected a time in each. Drop those rows, or fill them."
        )
    if is_numeric(series) and are_dates(series):
        return np.unique(days_of(series, date_format(series) or ""), return_inverse=True)[1]
    if not (is_date(series) or is_numeric(series)):
        form = date_format(series, order)
        texts = coded(series).levels
        sortable = len({len(text) for text in texts}) == 1 and all(map(_YEAR.match, texts))
        if form is None and not sortable:
            raise DataError(
                f"column {name!r} ({setting('time', '--time')}) holds {series[0]!r}; expected "
                "numbers, or dates such as 2024-05-31, 31.05.2024 or 05/31/2024. Write them so, or "
                "as a number that grows."
            )
        if form is not None:
            return np.unique(days_of(series, form), return_inverse=True)[1]
        series = text_of(series)
    return np.asarray(series.rank("dense").to_numpy(), dtype=np.int64)
