"""From a table to what every key's network learns: one preprocessing, one recipe, rows by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from deltarule import tabular
from deltarule.arrays import Array
from deltarule.costs import COSTS
from deltarule.data import Dataset, cells_of, dataset_of, located
from deltarule.errors import CellError, DataError, SettingError, require, rows_of, setting
from deltarule.intervals import REALS
from deltarule.keyed.grouping import Block, starts_of
from deltarule.keyed.training import FEWEST_ROWS, Work
from deltarule.optimizers import OPTIMIZERS
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.preprocessing.cells import coded, numbers_of
from deltarule.preprocessing.columns import Column
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.numeric import Numeric
from deltarule.registry import nearest
from deltarule.tabular import Recipe, Roles, Settings
from deltarule.tabular.settings import DECISION

_HIDDEN = ((2_000, (16,)),)  # up to so many rows of a key, at the median; then
_LARGEST = (32,)
_RATE = 0.02
_BATCH_SIZE = 32
_STEPS = 800  # about what a key's run may take, within these limits of epochs
_EPOCHS = (16, 100)

_USUAL = {"n_ensemble": 1}  # where the default depends on other settings
_ELSEWHERE = {
    Settings: (
        "quality",
        "time_limit",
        "embedding",
        "n_ensemble",
        "n_members",
        "quantiles",
        "bins",
        "patience",
        "on_divergence",
        "class_weight",
        "text",
    ),
    Roles: ("weights", "groups"),
}
"""Settings and roles that keyed training does not have."""

_CHOSEN_BY_ROWS = ("min_recall", "min_precision")


@dataclass(frozen=True)
class KeyedProblem:
    """All that trains one network per key.

    Attributes
    ----------
    by : str
        The column of keys.
    block : Block
        Every key's rows.
    work : Work
    preprocessing : Preprocessing
        Shared; numbers are scaled by what is usual for a key, so that no key disturbs others.
    targets : Targets
        Shared: task and classes.
    failures : dict of str to str
        Keys that are known not to be trained, and why.
    unkeyed, dropped : int
        Rows without a key, and rows without a target.
    fallback : tuple
        Of all rows: the median of each target, or the share of each class as the networks put it.
    """

    by: str
    block: Block
    work: Work
    preprocessing: Preprocessing
    targets: Targets
    failures: dict[str, str]
    unkeyed: int
    dropped: int
    fallback: tuple[float, ...]


def check_settings(settings: Settings, roles: Roles) -> None:
    """Refuse settings and roles that keyed training does not have.

    Raises
    ------
    SettingError
        With the name of the first.
    """
    for owner in (settings, roles):
        group = type(owner)
        for name in _ELSEWHERE[group]:
            given, default = getattr(owner, name), _USUAL.get(name, getattr(group, name))
            if given not in (default, getattr(group, name)):
                raise SettingError(
                    f"{group.__name__}({name}={given!r}): {name} must be its default, {default!r}, "
                    f"beside by; got {given!r}. Leave one out."
                )
    for name in _CHOSEN_BY_ROWS:
        if getattr(settings, name) is not None:
            option = f"--{name}".replace("_", "-")
            raise SettingError(
                f"{setting(name, option)}: expected one model of all rows, whose validation rows "
                "choose the threshold; those of one key are too few. State costs instead "
                f"({setting('cost_of_miss', '--cost-of-miss')}), or leave "
                f"{setting('by', '--by')} out."
            )
    if settings.optimizer is not None and OPTIMIZERS(settings.optimizer).full_batch:
        raise SettingError(
            f"Settings(optimizer={settings.optimizer!r}): optimizer must be one that trains on "
            f"batches, beside by; got {settings.optimizer!r}."
        )


def problem(
    source: Any, by: str, roles: Roles, settings: Settings, *, strict: bool
) -> KeyedProblem:
    """Check a table and make of it what every key's network learns.

    Parameters
    ----------
    source : Dataset, or what :func:`~deltarule.data.dataset_of` takes
    by : str
        The column of keys.
    roles : Roles
        Of the other columns.
    settings : Settings
    strict : bool
        Refuse rows without a target rather than drop them.

    Raises
    ------
    DataError
        For columns that are not there or cannot be used.
    SettingError
        For settings that keyed training does not have.
    """
    require("polars", "table", "training one model per key")
    check_settings(settings, roles)
    data = dataset_of(source)
    frame = data.frame
    _check_key(frame, by, roles)
    keyed = np.flatnonzero(frame[by].is_not_null().to_numpy())
    unkeyed = len(frame) - len(keyed)
    frame = frame[keyed]
    levels, codes, _ = coded(frame[by])
    infinite = _infinite(frame, roles, by, levels, codes, keyed)
    failures = {key: str(located(error, data.files)) for key, error in infinite.items()}
    is_sound = np.array([level not in failures for level in levels], bool)
    rows = np.flatnonzero(is_sound[codes])
    if not len(rows):
        raise DataError(f"no key of {by!r} can be trained: {_first(failures)}.")
    with cells_of(data.files), rows_of(keyed[rows].tolist()):
        whole = tabular.table(
            data.with_rows(frame[rows] if failures else frame),
            replace(roles, drop=(by, *roles.drop)),
            task=settings.task,
            strict=strict,
        )
    kept = codes[rows][whole.rows]
    present = np.bincount(kept, minlength=len(levels)) > 0
    for k in np.flatnonzero(~present).tolist():
        failures.setdefault(levels[k], "its target is missing in every row")
    inputs = tabular.inputs_of(whole.frame, whole.roles)
    preprocessing = _preprocessing(data.with_frame(inputs), kept, roles)
    tabular.check_decision(whole.targets, settings)
    y = _targets(whole)
    order = np.argsort(kept, kind="stable")
    counts = np.bincount(kept, minlength=len(levels))[present]
    block = Block(
        tuple(level for level, there in zip(levels, present, strict=True) if there),
        starts_of(counts),
        preprocessing.transform(inputs)[order],
        y[order],
        None if whole.keys.time is None else whole.keys.time[order],
    )
    return KeyedProblem(
        by,
        block,
        _work(whole.targets, settings, preprocessing, counts),
        preprocessing,
        _decided(_unscaled(whole.targets), y, settings),
        failures,
        unkeyed,
        whole.dropped,
        _fallback(whole.targets, y),
    )


def recipe_of(settings: Settings, task: str, inputs: int, outputs: int, rows: int) -> Recipe:
    """The network of every key and its training: small, for the median number of rows.

    Examples
    --------
    >>> print(recipe_of(Settings(), "regression", 10, 1, 320).lines()[0])
    10-16-1 (tanh, identity), 193 parameters, mse
    """
    hidden = next((units for limit, units in _HIDDEN if rows <= limit), _LARGEST)
    batch_size = settings.batch_size or _BATCH_SIZE
    low, high = _EPOCHS
    epochs = min(max(_STEPS * batch_size // max(rows, 1), low), high)
    return tabular.recipe(
        replace(
            settings,
            hidden=hidden if settings.hidden is None else settings.hidden,
            activation=settings.activation or "tanh",
            optimizer=settings.optimizer or "adam",
            learning_rate=_RATE
            if settings.learning_rate is None and settings.optimizer is None
            else settings.learning_rate,
            dropout=settings.dropout or 0.0,
            batch_size=batch_size,
            epochs=settings.epochs or epochs,
        ),
        task,
        inputs,
        outputs,
        max(rows, batch_size),
    )


# ------------------------------------------------------------------------------- the steps


def _check_key(frame: Any, by: str, roles: Roles) -> None:
    if by not in frame.columns:
        raise DataError(
            f"no column {by!r} (by).{nearest(by, frame.columns)} "
            f"The table has: {', '.join(frame.columns[:20])}."
        )
    if any(by == name for _, name in roles.named):
        raise SettingError(
            f"train_by_key(by={by!r}): by must be a column without another role; got {by!r}, which "
            "has one."
        )
    if frame[by].null_count() == len(frame):
        raise DataError(f"column {by!r} (by) is missing in every row; expected the rows' keys.")


def _infinite(
    frame: Any, roles: Roles, by: str, levels: list[str], codes: Array, numbers: Array
) -> dict[str, CellError]:
    """Keys with an infinite number in a column that is used: they would spoil what is shared."""
    failures: dict[str, CellError] = {}
    for column in frame.drop([by, *roles.drop], strict=False):
        if not column.dtype.is_float():
            continue
        infinite = np.flatnonzero(column.is_infinite().fill_null(False).to_numpy())
        keys, first = np.unique(codes[infinite], return_index=True)
        for k, row in zip(keys.tolist(), infinite[first].tolist(), strict=True):
            error = CellError(f"column {column.name!r} holds {column[row]}", numbers[row], "")
            failures.setdefault(levels[k], error)
    return failures


def _preprocessing(inputs: Dataset, codes: Array, roles: Roles) -> Preprocessing:
    """Kinds, levels and fills of all rows; numbers by the median key's mean and deviation."""
    fitted = Preprocessing.fit(inputs, kinds=roles.kinds).one_hot()  # keys have few rows
    if fitted.width == 0:
        raise DataError(
            "no column is left to learn from. Expected at least one that varies beside the key."
        )
    order = np.argsort(codes, kind="stable")
    places = codes[order]
    first = np.flatnonzero(np.diff(places, prepend=-1))
    runs = np.repeat(np.arange(len(first)), np.diff(first, append=len(places)))

    def usual(column: Column) -> Column:
        if not isinstance(column, Numeric):
            return column
        values = numbers_of(inputs.frame[column.name]).cast(float).to_numpy()[order]
        there = np.isfinite(values)
        count = np.maximum(np.add.reduceat(there, first, dtype=np.int64), 1)
        with np.errstate(over="ignore"):
            means = np.add.reduceat(np.where(there, values, 0.0), first) / count
            squares = np.where(there, values - means[runs], 0.0) ** 2
            stds = np.sqrt(np.add.reduceat(squares, first) / count)
        known = np.isfinite(stds) & (stds > 0)
        if not known.any():
            return column
        mean, std = float(np.median(means[known])), float(np.median(stds[known]))
        known_of = {each.name: getattr(column, each.name) for each in fields(Numeric)}
        return Numeric(**{**known_of, "mean": mean, "std": std})

    return replace(fitted, columns=tuple(usual(column) for column in fitted.columns))


def _targets(whole: tabular.Table) -> Array:
    """Values ``(m, targets)``, or class numbers ``(m, 1)``, float64."""
    found = tabular.figure_targets(whole.targets, whole.frame)
    return np.asarray(found, np.float64).reshape(len(whole.frame), -1)


def _unscaled(targets: Targets) -> Targets:
    """Targets without a scale: each key has its own."""
    n = len(targets.means)
    return replace(targets, means=(0.0,) * n, stds=(1.0,) * n)


def _decided(targets: Targets, y: Array, settings: Settings) -> Targets:
    """Targets with the decision that stated costs or a positive class imply, for every key."""
    if all(getattr(settings, name) is None for name in DECISION):
        return targets
    labels = y[:, 0].astype(np.int64)
    return replace(targets, decision=tabular.decision_of_costs(targets, labels, settings))


def _work(
    targets: Targets, settings: Settings, preprocessing: Preprocessing, counts: Array
) -> Work:
    classes = len(targets.classes) if targets.task == "classification" else 0
    enough = counts[counts >= FEWEST_ROWS]
    median = int(np.median(enough if len(enough) else counts))
    rows = round(median * (1 - settings.test_share) * (1 - settings.validation_share))
    recipe = recipe_of(settings, targets.task, preprocessing.width, targets.outputs, rows)
    if not classes and recipe.network.cost_row.targets != REALS:
        name = recipe.network.cost_row.name
        raise SettingError(
            f"Settings(cost={name!r}): cost must be one of "
            f"{', '.join(n for n in COSTS if COSTS(n).targets == REALS)}, beside by, for each "
            f"key's targets are standardized; got {name!r}."
        )
    return Work(
        recipe,
        classes,
        _are_numbers(preprocessing),
        settings.test_share,
        settings.validation_share,
    )


def _are_numbers(preprocessing: Preprocessing) -> Array:
    """Which inputs are numbers or times, and no marks of 0 and 1."""
    marks = [
        place == 0 and isinstance(column, (Numeric, Date))
        for column in preprocessing.columns
        for place in range(len(column.outputs))
    ]
    return np.array(marks, bool)


def _fallback(targets: Targets, y: Array) -> tuple[float, ...]:
    """Of the rows of all keys: the median of each target, or the share of each class."""
    if targets.task == "classification":
        share = np.bincount(y[:, 0].astype(np.int64), minlength=len(targets.classes)) / len(y)
        return tuple(share[-targets.outputs :].tolist())
    return tuple(np.median(y, axis=0).tolist())


def _first(failures: Mapping[str, str]) -> str:
    key, why = next(iter(failures.items()))
    return f"{key!r} {why}"
