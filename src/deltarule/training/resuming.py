"""A run that can be put down and taken up: its state as a checkpoint, and back."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import Choice
from deltarule.engines.plan import EngineOptions, Plan, Runner, RunnerState
from deltarule.errors import (
    DataError,
    FileError,
    InterruptionError,
    SettingError,
    TypeMismatchError,
    setting,
)
from deltarule.network import Parameters
from deltarule.rng import generator
from deltarule.system.processes import Group
from deltarule.training.averaging import Average
from deltarule.training.blocks import BlockOrder, InOrder
from deltarule.training.checkpoints import (
    Checkpoints,
    Folder,
    Identity,
    Snapshot,
    data_identity,
    differing,
    digest_of_array,
    plan_identity,
)
from deltarule.training.events import EpochEnded, Resumed
from deltarule.training.examples import Examples
from deltarule.training.stopping import Stopping, Verdict
from deltarule.training.windows import Reader, Window

Metric: TypeAlias = Callable[[Array, Array], float]
"""Of targets and predictions, both ``(m, n[L])``, to a figure of which more is better."""

Order: TypeAlias = Callable[[int], Array]
"""Of an epoch, from 1, to the order of its rows: each row's number once."""


class Resumable:
    """What a run carries from step to step, and the two ways between it and a file."""

    group: Group
    plan: Plan
    engine: Choice
    runner: Runner
    options: EngineOptions
    stopping: Stopping
    data: Examples
    validation: Examples | None
    rows: int
    metric: Metric | None
    shuffle: bool | Order
    averaging: float
    statistics: bool
    seed: int
    batch_size: int
    steps_per_epoch: int
    history: list[EpochEnded]
    rate_scale: float
    listeners: Sequence[object]
    _start: tuple[Parameters | None, RunnerState | None]
    _after: Parameters
    _orders: list[str]
    _reader: Reader | None
    _first: int
    _costs: list[np.ndarray]
    _shares: list[np.ndarray]
    _found: list[Any]
    _best: tuple[float, int, Parameters] | None
    _average: Average | None
    _good: tuple[Parameters, RunnerState]
    _reductions: int
    _verdict: Verdict | None
    _folder: Folder | None
    _signal: int | None
    _begun_at: int
    _worked: float
    _begun: float

    def _windows(self, epoch: int) -> Generator[Window]:
        """What an epoch trains on, one after another, from the step on that comes next."""
        if self._reader is None:
            yield Window(self.data, self._order(epoch), 0)
            return
        in_order = not self.shuffle or self.batch_size == self.rows
        order = (InOrder if in_order else BlockOrder)(*self._reader.sizes, self.seed)
        try:
            yield from self._reader.windows(order, epoch, self.batch_size, self._first)
        except (FileError, DataError) as error:
            raise self._lost(error) from error

    def _lost(self, error: FileError | DataError) -> FileError | DataError:
        """The end of a run whose data cannot be read any more: what has been learnt is kept."""
        made = len(self.history) * self.steps_per_epoch + self._first
        where = "" if self._folder is None else f" The run is saved in {self._save(self._folder)}."
        kind = FileError if isinstance(error, FileError) else DataError
        lost = kind(f"{error} Training ended after step {made:,}.{where}")
        lost.parameters = self.runner.parameters()
        return lost

    def _forget_epoch(self) -> None:
        """Begin an epoch at its first step."""
        self._first, self._costs, self._shares, self._found = 0, [], [], []

    def _order(self, epoch: int) -> np.ndarray:
        m = self.rows
        if not self.shuffle or self.batch_size == m:
            return np.arange(m)
        if callable(self.shuffle):
            order = np.asarray(self.shuffle(epoch))
            if self._folder is not None or self.group.count > 1:
                self._orders[epoch - 1 :] = [digest_of_array(order)]
                self._check_shared({"data.order": self._orders[-1]})
            return order
        return generator(self.seed, "order", epoch).permutation(m)

    def _kept(self) -> tuple[Parameters, RunnerState]:
        """What to go back to; the optimizer's state only where a run goes on from there."""
        goes_on = self.stopping.on_divergence == "reduce"
        return self._after, self.runner.state() if goes_on else RunnerState(0, ())

    def _opened_folder(self, checkpoints: Checkpoints, identity: Identity) -> Folder:
        if not isinstance(checkpoints, Checkpoints):
            raise TypeMismatchError(
                f"checkpoints: expected Checkpoints(folder), got {type(checkpoints).__name__}."
            )
        if self.plan.optimizer_row.full_batch:
            raise SettingError(
                f"checkpoints: {type(self.plan.optimizer).__name__} keeps its curvature inside "
                "SciPy, so that a run cannot be resumed. Leave them out, or choose an optimizer "
                "that steps, such as Adam."
            )
        return Folder(checkpoints, identity, writes=self.group.first)

    def _identity(self) -> Identity:
        """What decides the run's numbers: the same in its checkpoints and in all processes."""
        data, judge = self.data, self.validation
        held = (None, None, None) if judge is None else judge
        identity = plan_identity(
            self.plan,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            averaging=self.averaging,
            order_seed=self.seed,
            statistics=self.statistics,
            metric=self.metric,
            improvement=self.stopping.improvement,
            on_divergence=self.stopping.on_divergence,
            engine=self.engine.name,
            # Any number of threads gives the same bits, any number of devices the same to rounding.
            options=replace(self.options, n_threads=None, devices=None),
            start=self._start,
        ) | data_identity(
            **{"data.X": data.X, "data.Y": data.Y, "data.weights": data.weights},
            **{"validation.X": held[0], "validation.Y": held[1], "validation.weights": held[2]},
        )
        return identity if self._reader is None else identity | self._reader.identity

    def _check_shared(
        self,
        identity: Identity,
        advice: str = "Give every process the same settings and the same data",
    ) -> None:
        """Refuse a run that another process of the group would run differently.

        Raises
        ------
        SettingError
            It names the field.
        """
        ours, *others = self.group.gathered(identity)
        for process, theirs in enumerate(others, 1):
            name = differing(ours, theirs)
            if name is not None:
                raise SettingError(
                    f"the processes disagree on {name}: {ours.get(name)!r} in process 0, "
                    f"{theirs.get(name)!r} in process {process}. {advice}."
                )

    def _resumed(self, folder: Folder) -> Resumed | None:
        found = folder.newest(self._snapshot())
        self._check_shared(
            {"the newest checkpoint": None if found is None else found[0].name},
            f"See that all of them see {folder.path}, as one folder",
        )
        if found is None:
            return None
        path, past = found
        if past.first >= self.steps_per_epoch:
            raise FileError(
                f"{path}: its contents do not fit each other: {past.first} steps of an epoch are "
                f"done, and there are {self.steps_per_epoch}. Remove it."
            )
        self._check_orders(path, past.orders)
        if past.instruction_set != self._instruction_set():
            folder.notes.append(
                f"{path} was written on {past.instruction_set or 'another machine'}, and this is "
                f"{self._instruction_set()}: the numbers agree with those of an unbroken run to "
                "rounding, not bit for bit."
            )
        self._after = past.parameters
        self.runner.set_parameters(past.parameters)
        self.runner.set_state(past.state)
        self.history = list(past.history)
        self.rate_scale, self._best, self._reductions = past.rate_scale, past.best, past.reductions
        self._average = None if past.average is None else Average(*past.average)
        self._forget_epoch()
        if past.first:
            self._first, self._costs, self._shares = past.first, [past.costs], [past.shares]
            self._found = [past.statistics]
        self._good = past.good or self._kept()
        self._worked = past.seconds
        for listener, state in zip(self.listeners, past.listeners, strict=False):
            if state is not None and hasattr(listener, "set_state"):
                listener.set_state(state)
        if past.verdict is not None:
            self._verdict = Verdict(*past.verdict)
        elif self.history and not self._first:
            self._verdict = self.stopping.verdict(self.history)
        step = len(self.history) * self.steps_per_epoch + self._first
        return Resumed(str(path), len(self.history), step, tuple(folder.notes))

    def _check_orders(self, path: Path, known: Sequence[str]) -> None:
        """Refuse an order of the caller's own that is another now, in any epoch of the past."""
        for epoch, digest in enumerate(known, 1):
            self._order(epoch)
            if self._orders[epoch - 1] != digest:
                raise FileError(
                    f"{path}: belongs to another run: data.order, what shuffle gives for epoch "
                    f"{epoch}, differs there. Resume with the original settings, or name another "
                    "folder."
                )

    def _snapshot(self) -> Snapshot:
        verdict, average = self._verdict, self._average
        lasting = verdict is not None and verdict.reason in ("callback", "diverged")
        return Snapshot(
            self.runner.parameters(),
            self.runner.state(),
            tuple(self.history),
            self._first,
            np.concatenate(self._costs) if self._costs else np.zeros(0),
            np.concatenate(self._shares) if self._shares else np.zeros(0),
            joined(self._found) if self.statistics and self._found else None,
            self.rate_scale,
            self._seconds(),
            self._best,
            tuple(l.state() if hasattr(l, "state") else None for l in self.listeners),
            self._good if self.stopping.on_divergence == "reduce" else None,
            self._reductions,
            (verdict.reason, verdict.text) if lasting and verdict is not None else None,
            self._instruction_set(),
            tuple(self._orders),
            None if average is None else (average.epochs, average.parameters),
        )

    def _instruction_set(self) -> str:
        """Of the kernels in use; of the machine, where an engine has none of its own."""
        return str(getattr(self.runner, "isa", platform.machine()))

    def _save(self, folder: Folder) -> Path:
        return folder.save(len(self.history) * self.steps_per_epoch + self._first, self._snapshot())

    def _save_if_due(self) -> None:
        """After a step whose event has been heard: a checkpoint, and the end where one is asked."""
        folder = self._folder
        if folder is None:
            return
        if self.group.count > 1:  # one that is told to end, tells all
            signals = self.group.gathered(self._signal)
            self._signal = next((number for number in signals if number is not None), None)
        if self._signal is not None:
            path = self._save(folder)
            raise InterruptionError(
                f"interrupted; the run is saved in {path}. Resume it with "
                f"{setting('resume=True', '--resume')} and the same settings.",
                signal=self._signal,
                checkpoint=str(path),
            )
        if folder.due(len(self.history) * self.steps_per_epoch + self._first):
            self._save(folder)

    def interrupt(self, signal: int) -> None:
        """End the run at the next chance, with a checkpoint; needs checkpoints."""
        self._signal = signal

    def close(self) -> None:
        """Let the folder of the checkpoints go, also where whoever listened has left early."""
        if self._folder is not None:
            self._folder.close()

    def _seconds(self) -> float:
        return self._worked + time.perf_counter() - self._begun


def joined(found: list[Any]) -> Any:
    """Statistics of several chunks as one."""
    return type(found[0])(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
