"""A table larger than memory: one pass learns about it, then its blocks train a network.

The pass keeps three samples in memory, each uniform: rows to fit the preprocessing on, rows to find
the best epoch by, test rows. What is added up over all rows is exact: classes, missing
values, means and standard deviations. Kinds of columns, levels, medians and bins are those of the
sample; where all rows are in it, they are as they are in memory. Columns of numbers are always cut
into bins: with this many rows no trial is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data import Dataset, Stream, cells_of
from deltarule.errors import DataError, SettingError, require, rows_of, setting
from deltarule.preprocessing import Preprocessing, Totals, check_table, has_targets
from deltarule.system.memory import readable_size
from deltarule.tabular.problems import Problem, Table, fitted_targets, problem_of, scaled, table
from deltarule.tabular.roles import check_columns, inputs_of, raw_weights
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.splits import Keys, Parts
from deltarule.tabular.streamed_rows import NOWHERE, TEST, TRAIN, VALIDATION, Shares, StreamedRows

MOST_ROWS = 100_000
"""Of each sample, where memory allows."""

_SHARE = 16  # of the memory, for each sample
_READING = 4  # times its own size a block takes while its columns become numbers
_MOST_CLASSES = 1000  # different targets kept; more are numbers


class Sample:
    """Rows that were met, or of many those that stand first by a random word of each.

    Parameters
    ----------
    most : int, optional
        How many are kept (default: all).
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._frames: list[Any] = []
        self._numbers: list[Array] = []
        self._places: list[Array] = []

    def __len__(self) -> int:
        return sum(map(len, self._numbers))

    def add(self, frame: Any, numbers: Array, places: Array) -> None:
        """Meet the rows of a frame, with their numbers in the table and their random words."""
        self._frames.append(frame)
        self._numbers.append(numbers)
        self._places.append(places)
        if self.most is not None and len(self) > 2 * self.most:
            self._keep_first()

    def taken(self) -> tuple[Any, Array]:
        """The rows, in the table's order, and their numbers."""
        if self.most is not None and len(self) > self.most:
            self._keep_first()
        polars = require("polars", "table", "reading tables")
        return polars.concat(self._frames), np.concatenate(self._numbers)

    def _keep_first(self) -> None:
        polars = require("polars", "table", "reading tables")
        assert self.most is not None
        places = np.concatenate(self._places)
        chosen = np.sort(np.argsort(places, kind="stable")[: self.most])
        self._frames = [polars.concat(self._frames)[chosen]]
        self._numbers = [np.concatenate(self._numbers)[chosen]]
        self._places = [places[chosen]]


@dataclass(frozen=True)
class Surveyed:
    """What one reading of a table has found.

    Attributes
    ----------
    whole : Table
        Of a sample, its targets inferred from all rows.
    problem : Problem
        Whose frames hold the samples; ``problem.stream`` brings the training rows.
    tested : int array
        The numbers of the test rows.
    """

    whole: Table
    problem: Problem
    tested: Array


class _Pass:
    """One reading of all blocks: three samples, and what is added up."""

    def __init__(self, stream: Stream, roles: Roles, shares: Shares, most: int) -> None:
        self.stream, self.roles, self.shares = stream, roles, shares
        self.samples = {TRAIN: Sample(most), VALIDATION: Sample(), TEST: Sample()}
        self.counts: list[int] = []
        self.totals: dict[str, Totals] = {}
        self.distinct: Any = None
        self.distinct_rows: Array = np.empty(0, np.int64)
        self.heaviest = 0.0
        self.dropped = 0

    def read(self, block: int, strict: bool) -> None:
        """Meet a block's rows."""
        frame = self.stream.read(block)
        first = self.stream.blocks[block].first
        parts, places = self.shares.parts(first, len(frame))
        there = has_targets(frame, self.roles.target).to_numpy()
        self.dropped += int((~there).sum())
        if strict and self.dropped:
            raise DataError(
                f"{self.stream.blocks[block].file.path}: the target is missing in some rows; "
                "expected it in each. Fill them, or drop those rows "
                f"({setting('strict=False', 'leave out --strict')})."
            )
        with self.stream.cells_of(block):
            weights = raw_weights(frame, self.roles)
            self.heaviest = max(self.heaviest, 0.0 if weights is None else weights.max(initial=0.0))
            inputs = inputs_of(frame, self.roles).drop(self.roles.kinds)
            check_table(Dataset(inputs, self.stream.reading))
        parts = np.where(there, parts, NOWHERE)
        self.counts.append(int((parts == TRAIN).sum()))
        numbers = np.arange(first, first + len(frame))
        for part, sample in self.samples.items():
            chosen = parts == part
            sample.add(frame.filter(chosen), numbers[chosen], places[chosen])
        learnt: Array = np.flatnonzero(parts <= VALIDATION)
        with self.stream.cells_of(block), rows_of(learnt):
            self._add_up(frame[learnt])
        self._note_targets(frame.filter(there), numbers[there])

    def _add_up(self, frame: Any) -> None:
        for column in frame.iter_columns():
            known = self.totals.get(column.name, Totals())
            self.totals[column.name] = known.joined(Totals.of(column))

    def _note_targets(self, frame: Any, numbers: Array) -> None:
        """Every different target, as long as there are few: the task and the classes need them."""
        if self.distinct is not None and len(self.distinct) > _MOST_CLASSES:
            return
        polars = require("polars", "table", "reading tables")
        targets = frame.select(self.roles.target)
        if self.distinct is not None:
            targets = polars.concat([self.distinct, targets])
            numbers = np.concatenate([self.distinct_rows, numbers])
        is_first = targets.select(polars.struct(polars.all()).is_first_distinct()).to_series()
        chosen = is_first.arg_true().head(_MOST_CLASSES + 1)
        self.distinct, self.distinct_rows = targets[chosen], numbers[chosen.to_numpy()]


def survey(
    stream: Stream,
    roles: Roles,
    settings: Settings,
    *,
    memory: int,
    strict: bool = False,
    tested: bool = True,
) -> Surveyed:
    """Read a table once, and make of it what a network can learn from, block by block.

    Parameters
    ----------
    stream : Stream
    roles : Roles
    settings : Settings
    memory : int
        Bytes that rows of the table may take, as they are read and as numbers: beside them there
        are the program itself (150 to 300 MB) and the network.
    strict : bool
        Refuse rows without a target rather than drop them.
    tested : bool
        Whether test rows are held out.

    Returns
    -------
    Surveyed

    Raises
    ------
    SettingError
        For groups, time, several networks or balanced classes, which need all rows at once; where
        a block is larger than memory allows, with the file, and what to do.
    DataError
        As :func:`~deltarule.tabular.table`, with the file.
    """
    _check_streamed(roles, settings)
    check_columns(list(stream.schema), roles.all)
    left = _left_beside_reading(stream, memory)
    held = _held_size(stream, roles, settings.text)
    most = max(1, min(MOST_ROWS, memory // (_SHARE * held)))
    shares = Shares.of(stream.rows, most, settings, tested=tested)
    met = _Pass(stream, roles, shares, most)
    for block in range(len(stream.blocks)):
        met.read(block, strict)
    frame, numbers, validation = _together(met)
    whole = _table(met, frame, numbers, settings)
    test, tested = met.samples[TEST].taken()
    with whole.cells():
        problem = problem_of(whole, settings, frame, test, (validation,))
    if met.totals[roles.target[0]].rows > len(frame):
        problem = _refined(problem, settings, met.totals)
    row = 4 * (problem.preprocessing.width + problem.targets.outputs + 1)
    window = left - 3 * most * held
    rows = StreamedRows(
        stream,
        shares,
        roles,
        problem.preprocessing,
        problem.targets,
        tuple(met.counts),
        _window(stream, met.counts, window // (2 * row), row, memory),
        met.heaviest,
    )
    return Surveyed(whole, replace(problem, stream=rows), tested)


def _check_streamed(roles: Roles, settings: Settings) -> None:
    wrong = {
        setting("groups", "--groups"): roles.groups is not None,
        setting("time", "--time"): roles.time is not None,
        setting("n_ensemble", "--ensemble"): (settings.n_ensemble or 1) > 1,
        setting("n_members", "--members"): settings.n_members > 1,
        setting("quantiles", "--quantiles"): settings.quantiles is not None,
        setting("class_weight", "--class-weight"): settings.class_weight is not None,
    }
    blocks = setting("a stream", "--memory")
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise SettingError(
                f"{name}: needs all rows in memory, and {blocks} reads them in blocks. Leave one "
                "of them out."
            )


def _left_beside_reading(stream: Stream, memory: int) -> int:
    """What of the memory is left where the largest block is read."""
    block = stream.largest
    reading = _READING * block.span.size
    if reading > memory // 2:
        raise SettingError(
            f"{block.file.path}: has a block of {block.rows:,} rows, about "
            f"{readable_size(block.span.size)}; memory={readable_size(memory)} allows blocks of "
            f"{readable_size(memory // (2 * _READING))}. Allow {readable_size(2 * reading)}, or "
            "write smaller blocks (Parquet: row groups)."
        )
    return memory - reading


def _held_size(stream: Stream, roles: Roles, text: str) -> int:
    """About how many bytes a row of a sample takes: as it is, and as numbers."""
    frame = stream.read(0)
    with stream.cells_of(0):
        inputs = inputs_of(frame, roles).drop(roles.kinds)
        found = Preprocessing.fit(Dataset(inputs, stream.reading))
        if text == "on":
            found = found.with_text(inputs, found.text_like(inputs))
        width = found.width
    return stream.row_size + 4 * (width + len(roles.kinds) + len(roles.target))


def _window(stream: Stream, counts: Sequence[int], rows: int, row: int, memory: int) -> int:
    """How many rows may be mixed at once."""
    if rows < max(counts):
        block = stream.blocks[int(np.argmax(counts))]
        more = memory + 2 * row * (max(counts) - rows)
        raise SettingError(
            f"{block.file.path}: has a block of {block.rows:,} rows, which take twice "
            f"{readable_size(row * max(counts))} as numbers; memory={readable_size(memory)} leaves "
            f"{max(rows, 0):,} rows. Allow {readable_size(more)}, or write smaller "
            "blocks (Parquet: row groups)."
        )
    return rows


def _together(met: _Pass) -> tuple[Any, Array, Parts]:
    """The sample to learn from and the validation rows as one table, and which are which."""
    polars = require("polars", "table", "reading tables")
    frames, numbers = zip(*(met.samples[k].taken() for k in (TRAIN, VALIDATION)), strict=True)
    both = np.concatenate(numbers)
    order = np.argsort(both)
    is_held = order >= len(numbers[0])
    if is_held.all() or not is_held.any():
        raise DataError(
            f"the table has {len(both)} rows with a target; too few to hold some out. Add rows, "
            f"or {setting('pass a data frame', 'leave out --memory')}."
        )
    parts = Parts(np.flatnonzero(~is_held), np.flatnonzero(is_held))
    return polars.concat(frames)[order], both[order], parts


def _table(met: _Pass, frame: Any, numbers: Array, settings: Settings) -> Table:
    """The samples as a table, its targets inferred from all rows."""
    polars = require("polars", "table", "reading tables")
    shown = polars.concat([frame.select(met.roles.target), met.distinct])
    rows = np.concatenate([numbers, met.distinct_rows])
    files = met.stream.files
    with cells_of(files), rows_of(rows.tolist()):
        targets = fitted_targets(shown, met.roles.target, settings.task, met.stream.reading)
        found = table(Dataset(frame, met.stream.reading), met.roles, task=targets.task)
    return replace(
        found, targets=targets, keys=Keys(), rows=numbers, dropped=met.dropped, files=files
    )


def _refined(problem: Problem, settings: Settings, totals: dict[str, Totals]) -> Problem:
    """A problem fitted on a sample, with what is known of all rows; their weights are not."""
    targets = problem.targets if problem.roles.weights else problem.targets.refined(totals)
    return replace(
        problem,
        preprocessing=problem.preprocessing.refined(totals),
        targets=scaled(targets, settings),
    )


def judged_rows(
    stream: Stream, roles: Roles, *, memory: int, held: Shares | None = None
) -> tuple[Any, Array, int]:
    """Test rows of a table in blocks: all, or a uniform sample where they are many.

    Parameters
    ----------
    stream : Stream
    roles : Roles
    memory : int
        Bytes that rows may take.
    held : Shares, optional
        Only the test rows that were held out when the model was trained.

    Returns
    -------
    tuple of polars.DataFrame, int array and int
        The rows, their numbers in the table, and how many they were chosen from.
    """
    _left_beside_reading(stream, memory)
    sample, met = Sample(max(1, memory // (_READING * stream.row_size))), 0
    for k, block in enumerate(stream.blocks):
        frame = stream.read(k)
        chosen = has_targets(frame, roles.target).to_numpy()
        parts, places = (held or Shares(0, 0, 0)).parts(block.first, len(frame))
        if held is not None:
            chosen = chosen & (parts == TEST)
        sample.add(frame.filter(chosen), np.flatnonzero(chosen) + block.first, places[chosen])
        met += int(chosen.sum())
    if not met:
        raise DataError(
            f"{stream.name}: has no rows to evaluate on; expected at least one with a target."
        )
    return *sample.taken(), met


def frames(stream: Stream, *, memory: int) -> Iterator[tuple[int, Any]]:
    """The number and the rows of every block, in order.

    Raises
    ------
    SettingError
        Where a block is larger than memory allows.
    """
    _left_beside_reading(stream, memory)
    return ((k, stream.read(k)) for k in range(len(stream.blocks)))
