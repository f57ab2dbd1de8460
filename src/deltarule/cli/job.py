"""One training run as it is shown: the columns, the progress bar, the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deltarule import baselines as bl
from deltarule import tabular
from deltarule.arrays import Array
from deltarule.cli.columns import between, condensed
from deltarule.cli.progress import Watcher
from deltarule.cli.terminal import Terminal
from deltarule.errors import rows_of
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback


class Done(NamedTuple):
    """A finished job.

    Attributes
    ----------
    fitted : Fitted
        The model to keep.
    judged : list of Judged
        The evaluations: of the network, then of the baselines.
    judged_by : str
    verdict : str
        Empty where there are no baselines.
    problem : Problem
        What the model was trained on, and its test rows where there are any.
    numbers : array or None
        The positions of the test rows in the table, where they were held out of it.
    """

    fitted: tabular.Fitted
    judged: list[bl.Judged]
    judged_by: str
    verdict: str
    problem: tabular.Problem
    numbers: Array | None = None


class Job:
    """What ``train`` does once the table is known.

    Parameters
    ----------
    terminal : Terminal
    whole : Table
    settings : Settings
    compare : bool
        Whether to fit baselines.
    kept : Checkpoints, optional
        Where checkpoints are written; each of several runs has its own subfolder.
    callbacks : sequence of callables
        Listeners of the training whose model is kept.
    """

    def __init__(
        self,
        terminal: Terminal,
        whole: tabular.Table,
        settings: tabular.Settings,
        compare: bool,
        kept: Checkpoints | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.terminal, self.whole = terminal, whole
        self.settings, self.compare, self.kept = settings, compare, kept
        self.callbacks = callbacks

    def held_out(self) -> Done:
        """Evaluate on rows held out of the table."""
        parts = tabular.split(self.whole, self.settings)
        problem = self._problem(parts.kept, self.whole.frame[parts.held])
        plan = self._say_problem(problem, f"{len(parts.held):,} held out{self._how()}")
        return self._done(problem, plan, "held-out rows", parts.held)

    def streamed(self, found: tabular.Surveyed) -> Done:
        """Evaluate on rows held out of a table that is read in blocks."""
        problem = found.problem
        plan = self._say_problem(problem, f"{len(found.tested):,} held out, at random")
        if len(problem.train) < problem.count:
            self.terminal.say(
                f"Column types were inferred from {len(problem.train):,} rows; the baselines are "
                "trained on the same rows."
            )
        return self._done(problem, plan, "held-out rows", found.tested)

    def judged_by_file(self, frame: Any, strict: bool) -> Done:
        """Evaluate on another file."""
        test, rows = tabular.test_rows(self.whole.targets, self.whole.roles, frame, strict)
        if len(test) < len(frame):
            dropped = len(frame) - len(test)
            self.terminal.warn(f"test rows without a target were dropped: {dropped:,}.")
        problem = self._problem(np.arange(len(self.whole.frame)), test)
        with rows_of(rows):  # rather now than after the training
            problem.preprocessing.transform(test)
        plan = self._say_problem(problem, f"{len(test):,} in the test file")
        return self._done(problem, plan, "a test file")

    def cross_validated(self, count: int) -> Done:
        """Evaluate by cross-validation; then train on all rows."""
        everything = self._problem(np.arange(len(self.whole.frame)), self.whole.frame[:0])
        plan = self._say_problem(
            everything, f"evaluated by {count}-fold cross-validation{self._how()}"
        )
        by_fold = []
        for k, parts in enumerate(
            tabular.cross_validation(self.whole, self.settings, count), start=1
        ):
            problem = self._problem(parts.kept, self.whole.frame[parts.held])
            fitted = self._fit(problem, f"fold {k}/{count} ")
            by_fold.append(self._judged(fitted, problem))
            self.terminal.say(f"fold {k}/{count}: {_figures_in_a_line(by_fold[-1][0], problem)}")
        judged = [bl.averaged(list(of_model)) for of_model in zip(*by_fold, strict=True)]
        fitted = self._fit(everything, "all rows ", plan)
        verdict = self._verdict(everything, judged)
        return Done(fitted, judged, "cross-validation", verdict, everything)

    # ----------------------------------------------------------------------------- the steps

    def _problem(self, kept: Array, test: Any) -> tabular.Problem:
        return tabular.problem(self.whole, self.settings, kept, test)

    def _how(self) -> str:
        keys, roles = self.whole.keys, self.whole.roles
        if keys.labels is not None:
            return ", stratified by class"
        if roles.groups is not None:
            return f", in whole groups of {roles.groups!r}"
        return f", the latest by {roles.time!r}" if roles.time is not None else ", at random"

    def _say_problem(self, problem: tabular.Problem, held: str) -> tabular.Recipe:
        targets, terminal = self.whole.targets, self.terminal
        names = " and ".join(map(repr, self.whole.roles.target))
        terminal.pairs([("task", f"{problem.task} of {names}: {targets.reason}")])
        terminal.listing("columns", condensed(problem.preprocessing.describe()))
        kept, best = problem.count, len(problem.validation.held)
        with terminal.waiting("choosing a network"):
            plan = tabular.chosen(problem, self.settings)
        network, training = plan.lines()
        terminal.pairs(
            [
                ("rows", f"{kept:,} for training, {best:,} of them for validation; {held}"),
                *between(problem, plan),
                ("network", network),
                ("training", training),
            ]
        )
        return plan

    def _done(
        self,
        problem: tabular.Problem,
        plan: tabular.Recipe,
        judged_by: str,
        numbers: Array | None = None,
    ) -> Done:
        fitted = self._fit(problem, "", plan)
        judged = self._judged(fitted, problem)
        verdict = self._verdict(problem, judged)
        return Done(fitted, judged, judged_by, verdict, problem, numbers)

    def _fit(
        self, problem: tabular.Problem, name: str, plan: tabular.Recipe | None = None
    ) -> tabular.Fitted:
        with Watcher(self.terminal, name) as watcher:
            listeners = [watcher.listen, *(() if name.startswith("fold") else self.callbacks)]
            fitted = tabular.fit(problem, self.settings, listeners, self._kept_in(name), plan)
        result, count = fitted.result, len(fitted.results)
        if not name:
            first = "" if count == 1 else f" (the first of {count} networks)"
            self.terminal.say()
            self.terminal.say(
                f"{result.stopped_text[:1].upper()}{result.stopped_text[1:]}; best "
                f"epoch {result.best_epoch} of {len(result.history)} restored{first} "
                f"({fitted.seconds:.1f} s, engine {result.engine})."
            )
        return fitted

    def _kept_in(self, name: str) -> Checkpoints | None:
        if self.kept is None or not name:
            return self.kept
        own = name.strip().partition("/")[0].replace(" ", "-")  # fold-1, all-rows
        return replace(self.kept, folder=Path(self.kept.folder) / own)

    def _judged(self, fitted: tabular.Fitted, problem: tabular.Problem) -> list[bl.Judged]:
        network = tabular.judged_network(fitted, problem)
        if not self.compare:
            return [network]
        with self.terminal.waiting("fitting baselines"):
            return [network, *tabular.baselines(problem, self.settings)]

    def _verdict(self, problem: tabular.Problem, judged: list[bl.Judged]) -> str:
        return bl.verdict(problem.task, judged[0], judged[1:]) if len(judged) > 1 else ""


def print_figures(terminal: Terminal, done: Done) -> None:
    """The table of metrics, and the verdict below it."""
    assert done.fitted.model.targets is not None
    used = [
        row
        for row in bl.FIGURES[str(done.fitted.model.targets.task)]
        if row.name in done.judged[0].figures
    ]
    rows = [
        [
            each.name,
            *(_with_spread(each, row.name) for row in used),
            bl.shown_seconds(each.seconds),
        ]
        for each in done.judged
    ]
    terminal.say()
    terminal.table(
        f"Metrics on {len(done.judged[0].errors):,} {tabular.rows_named(done.judged_by)}",
        ["", *(row.label for row in used), "fit"],
        rows,
        mark=0,
    )
    if done.verdict:
        terminal.say(done.verdict, style="bold")


def _with_spread(judged: bl.Judged, name: str) -> str:
    if name not in judged.figures:
        return "–"
    value = bl.shown(judged.figures[name])
    return value if judged.spread is None else f"{value} ±{bl.shown(judged.spread[name])}"


def _figures_in_a_line(judged: bl.Judged, problem: tabular.Problem) -> str:
    return ", ".join(
        f"{row.label} {bl.shown(judged.figures[row.name])}"
        for row in bl.FIGURES[problem.task]
        if row.name in judged.figures
    )
