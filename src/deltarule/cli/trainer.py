"""A training as people watch it: what is made of the columns, the bar, the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deltarule import baselines as bl
from deltarule import metrics, tabular
from deltarule.arrays import Array
from deltarule.cli.columns import between, condensed, listed
from deltarule.cli.options import EvaluationOptions
from deltarule.cli.progress import Watcher
from deltarule.cli.sources import source
from deltarule.cli.tables import TrainingTable
from deltarule.cli.terminal import Terminal
from deltarule.data import FileRows, cells_of
from deltarule.errors import rows_of
from deltarule.modelfile import Model, save_model
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback


@dataclass(frozen=True)
class Trained:
    """A trained model and its evaluation.

    Attributes
    ----------
    fitted : Fitted
        The model to keep.
    evaluations : list
        The network first, then the baselines.
    evaluated_on : str
    problem : Problem
        The rows it was trained on, and those it was evaluated on where there are any.
    verdict : str
        The network beside the others; empty where there are none.
    settings : Settings
    leaks : sequence of str
        Columns that may give the target away, a sentence each.
    places : array
        Of the rows that it was evaluated on, or has validated on where there are none, in their
        table, counted from 0.
    files : sequence of FileRows
        Where the rows of that table stand in its files.
    """

    fitted: tabular.Fitted
    evaluations: list[bl.Evaluation]
    evaluated_on: str
    problem: tabular.Problem
    verdict: str
    settings: tabular.Settings
    leaks: Sequence[str]
    places: Array
    files: Sequence[FileRows]

    @property
    def alerts(self) -> list[tabular.Alert]:
        """What has to be known first."""
        of_held_out = self.evaluated_on == "held-out rows"
        task, evaluations = self.problem.task, self.evaluations
        return tabular.alerts_of(task, evaluations, self.leaks, of_held_out=of_held_out)

    @property
    def fit_seconds(self) -> dict[str, float]:
        """How long each took to fit."""
        return {each.name: round(each.seconds, 3) for each in self.evaluations}


@dataclass(frozen=True)
class Trainer:
    """What ``train`` and ``tune`` do once the table is known.

    Parameters
    ----------
    terminal : Terminal
    table : TrainingTable
    settings : Settings
    evaluation : EvaluationOptions
    checkpoints : Checkpoints, optional
        Where the training is kept; several in one subfolder each.
    callbacks : sequence of callables
        Listeners of the training whose model is kept.
    """

    terminal: Terminal
    table: TrainingTable
    settings: tabular.Settings
    evaluation: EvaluationOptions
    checkpoints: Checkpoints | None = None
    callbacks: Sequence[Callback] = ()

    def run(self) -> Trained:
        """Train, and evaluate as asked for."""
        if self.table.survey is not None:
            return self._streamed(self.table.survey)
        if self.evaluation.cv is not None:
            return self._cross_validated(self.evaluation.cv)
        return self._with_test_file() if self.evaluation.test else self._held_out()

    def save(self, trained: Trained, out: Path | None) -> dict[str, Any]:
        """What is known about a training, written with its model where it is to be kept."""
        return self._save(trained, out)

    def _save(
        self, trained: Trained, out: Path | None, updated: Model | None = None
    ) -> dict[str, Any]:
        about = tabular.about(
            self.table.whole,
            self.settings,
            trained.fitted,
            trained.evaluations,
            mark=self.table.source.digest,
            judged_by=trained.evaluated_on,
            reading=tabular.reading_record(self.table.reading),
            verdict=trained.verdict,
            alerts=trained.alerts,
            stream=trained.problem.stream,
            updated=updated,
        )
        if out is not None:
            save_model(out, replace(trained.fitted.model, about=about))
        return about

    # ------------------------------------------------------------------- ways to evaluate

    def _held_out(self) -> Trained:
        whole = self.table.whole
        parts = tabular.split(whole, self.settings)
        problem = self._problem(parts.kept, whole.frame[parts.held])
        recipes = self._say_problem(problem, f"{len(parts.held):,} held out{self._how()}")
        places = whole.rows[parts.held]
        return self._trained(problem, recipes, "held-out rows", places, whole.files)

    def _streamed(self, found: tabular.Surveyed) -> Trained:
        problem = found.problem
        recipes = self._say_problem(problem, f"{len(found.tested):,} held out, at random")
        if len(problem.train) < problem.count:
            self.terminal.say(
                f"Column types were inferred from {len(problem.train):,} rows; the baselines are "
                "trained on the same rows."
            )
        files = self.table.source.files
        return self._trained(problem, recipes, "held-out rows", found.tested, files)

    def _with_test_file(self) -> Trained:
        whole, table = self.table.whole, self.table
        data = source(self.evaluation.test, table.reading).data
        frame = data.frame
        with cells_of(data.files):
            test, rows = tabular.test_rows(
                whole.targets, whole.roles, frame, table.strict, "test table"
            )
        if len(test) < len(frame):
            dropped = len(frame) - len(test)
            self.terminal.warn(f"test rows without a target were dropped: {dropped:,}.")
        problem = self._problem(np.arange(len(whole.frame)), test)
        with cells_of(data.files), rows_of(rows):  # rather now than after the training
            problem.preprocessing.transform(test)
        recipes = self._say_problem(problem, f"{len(test):,} in the test file")
        return self._trained(problem, recipes, "a test file", rows, data.files)

    def _cross_validated(self, count: int) -> Trained:
        """Evaluated on each fold in turn; then trained on all rows."""
        whole = self.table.whole
        everything = self._problem(np.arange(len(whole.frame)), whole.frame[:0])
        recipes = self._say_problem(
            everything, f"evaluated by {count}-fold cross-validation{self._how()}"
        )
        by_fold = []
        for k, parts in enumerate(tabular.cross_validation(whole, self.settings, count), start=1):
            problem = self._problem(parts.kept, whole.frame[parts.held])
            fitted = self._fit(problem, f"fold {k}/{count} ")
            by_fold.append(self._evaluations(fitted, problem))
            self.terminal.say(f"fold {k}/{count}: {_figures_in_a_line(by_fold[-1][0], problem)}")
        averages = [bl.averaged(list(of_model)) for of_model in zip(*by_fold, strict=True)]
        fitted = self._fit(everything, "all rows ", recipes)
        verdict = self._verdict(everything, averages)
        places = whole.rows[everything.validation.held]
        known = verdict, self.settings, self.table.leaks, places, whole.files
        return Trained(fitted, averages, "cross-validation", everything, *known)

    # ----------------------------------------------------------------------------- the steps

    def _problem(self, kept: Array, test: Any) -> tabular.Problem:
        return tabular.problem(self.table.whole, self.settings, kept, test)

    def _recipes(self, problem: tabular.Problem) -> tuple[tabular.Recipe, ...]:
        return tabular.chosen(problem, self.settings)

    def _verdict(self, problem: tabular.Problem, evaluations: list[bl.Evaluation]) -> str:
        network, *others = evaluations
        return bl.verdict(problem.task, network, others) if others else ""

    def _origin(self) -> list[tuple[str, str]]:
        """What the training starts from, where not from the seed."""
        return []

    def _how(self) -> str:
        keys, roles = self.table.whole.keys, self.table.whole.roles
        if keys.labels is not None:
            return ", stratified by class"
        if roles.groups is not None:
            return f", in whole groups of {roles.groups!r}"
        return f", the latest by {roles.time!r}" if roles.time is not None else ", at random"

    def _say_problem(self, problem: tabular.Problem, held: str) -> tuple[tabular.Recipe, ...]:
        whole, terminal = self.table.whole, self.terminal
        names = " and ".join(map(repr, whole.roles.target))
        read = {name: problem.preprocessing.summary(name) for name in whole.roles.target}
        terminal.pairs(
            [
                ("task", f"{problem.task} of {names}: {whole.targets.reason}"),
                *((name, text) for name, text in read.items() if text),
            ]
        )
        terminal.listing("columns", condensed(problem.preprocessing.describe()))
        for warning in tabular.column_doubts(whole, problem):
            terminal.warn(warning)
        levels = self.settings.quantiles or ()
        if levels and (nearest := min(levels, key=lambda level: abs(level - 0.5))) != 0.5:
            terminal.warn(
                f"predictions are the quantile {nearest:g}, the nearest to the median; metrics are "
                "of them. Add 0.5 to --quantiles for the median."
            )
        kept, best = problem.count, len(problem.validation.held)
        with terminal.waiting("choosing a network"):
            recipes = self._recipes(problem)
        network, training = tabular.lines(recipes)
        terminal.pairs(
            [
                ("rows", f"{kept:,} for training, {best:,} of them for validation; {held}"),
                *between(problem, recipes),
                *self._origin(),
                ("network", network),
                ("training", training),
            ]
        )
        return recipes

    def _trained(
        self,
        problem: tabular.Problem,
        recipes: Sequence[tabular.Recipe],
        evaluated_on: str,
        places: Array,
        files: Sequence[FileRows],
    ) -> Trained:
        fitted = self._fit(problem, "", recipes)
        evaluations = self._evaluations(fitted, problem)
        verdict = tabular.only_class(problem) or self._verdict(problem, evaluations)
        known = verdict, self.settings, self.table.leaks, places, files
        return Trained(fitted, evaluations, evaluated_on, problem, *known)

    def _fit(
        self, problem: tabular.Problem, name: str, recipes: Sequence[tabular.Recipe] = ()
    ) -> tabular.Fitted:
        with Watcher(self.terminal, name) as watcher:
            listeners = [watcher.listen, *(() if name.startswith("fold") else self.callbacks)]
            fitted = tabular.fit(problem, self.settings, listeners, self._kept_in(name), recipes)
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
        if self.checkpoints is None or not name:
            return self.checkpoints
        own = name.strip().partition("/")[0].replace(" ", "-")  # fold-1, all-rows
        return replace(self.checkpoints, folder=Path(self.checkpoints.folder) / own)

    def _evaluations(self, fitted: tabular.Fitted, problem: tabular.Problem) -> list[bl.Evaluation]:
        network = tabular.evaluated_network(fitted, problem)
        if not self.evaluation.baselines:
            return [network]
        with self.terminal.waiting("fitting baselines"):
            return [network, *tabular.baselines(problem, self.settings)]


def as_json(
    terminal: Terminal, trained: Trained, out: Path | None, about: Mapping[str, Any], **further: Any
) -> dict[str, Any]:
    """What is known of a training, for machines, with where the model is."""
    return {
        "model": None if out is None else str(out),
        **further,
        "task": trained.problem.task,
        "columns": listed(trained.problem.preprocessing),
        "warnings": terminal.warnings,
        **tabular.printed(about),
    }


def _figures_in_a_line(evaluated: bl.Evaluation, problem: tabular.Problem) -> str:
    return ", ".join(
        f"{row.title} {bl.shown(evaluated.figures[row.name])}"
        for row in metrics.figures_of(problem.task, evaluated.targets)
        if row.name in evaluated.figures
    )
