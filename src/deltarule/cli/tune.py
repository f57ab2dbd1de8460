"""``deltarule tune``: search for settings on a table, and train with the best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Annotated

from rich.progress import BarColumn, TimeRemainingColumn

from deltarule import tabular
from deltarule.cli.command import command
from deltarule.cli.loading import BASELINES, load
from deltarule.cli.options import Data, EvaluationOptions, Json, ReadingOptions, TableOptions
from deltarule.cli.outputs import after_saving, check_outputs, say_written
from deltarule.cli.progress import Bar
from deltarule.cli.results import say_next, say_results
from deltarule.cli.sources import opened
from deltarule.cli.tables import TrainingTable, roles_in, training_table
from deltarule.cli.terminal import Terminal, print_json
from deltarule.cli.trainer import Trainer, as_json
from deltarule.errors import InterruptionError
from deltarule.system.storage import FileLock
from deltarule.tabular import Roles, Settings, tuning
from deltarule.tabular.options import option, option_group, options_of
from deltarule.tabular.tuning import Trial
from deltarule.training.interruption import signal_of


@option_group("Search")
class SearchOptions:
    """How long is searched, and where the trials are kept."""

    minutes: float = option(
        "N",
        "How long to search from now on; the training after it comes on top.",
        5.0,
        common=True,
        limits={"low": 0},
    )
    trials: int | None = option(
        "N", "Maximum number of trials in total.", common=True, limits={"low": 1, "whole": True}
    )
    search: Path | None = option(
        "FILE", "File that keeps the trials; a search in it is continued.", common=True
    )
    out: Path | None = option(
        "FILE", "Model file, written atomically.", common=True, panel="Output"
    )


_SETTINGS = tuple(name for name in options_of(Settings) if name != "time_limit")


@command
def tune(
    data: Data,
    roles: Roles,
    table: Annotated[TableOptions, ("strict",)],
    search: SearchOptions,
    evaluation: Annotated[EvaluationOptions, ("baselines",)],
    settings: Annotated[Settings, _SETTINGS],
    reading: ReadingOptions,
    json: Json = False,
) -> None:
    """Search for the settings that suit a table, then train with the best of them.

    Settings are drawn at random from the ranges of the recipe and evaluated on validation rows;
    unpromising trials are stopped early. What is given as an option is not varied. Only the final
    network is evaluated on the held-out test set, as in train.

    \b
    Examples:
      deltarule tune flats.csv --target rent --minutes 2 --out flats.safetensors
      deltarule tune flats.csv --target rent --search flats.json
    """  # noqa: D301 - typer keeps the lines after it
    tabular.check(settings)
    check_outputs({"--out": search.out, "--search": search.search}, {"the data": data})
    load(*((BASELINES,) if evaluation.baselines else ()))
    terminal = Terminal(quiet=json, writes=search.out is not None or search.search is not None)
    form = reading.reading()
    source = opened(data, form)
    roles = roles_in(source, roles)
    read = training_table(terminal, source, roles, settings, form, table.strict)
    with _kept_trials_named(search.search):
        problem = _problem(read, settings)
        found = _searched(terminal, read, problem, settings, search)
        winner = _say_best(terminal, found)
        chosen = tuning.applied(settings, winner, len(problem.validations))
        trainer = Trainer(terminal, read, chosen, evaluation)
        trained = trainer.run()
    about = trainer.save(trained, search.out)
    with after_saving(terminal, search.out):
        say_results(terminal, trained)
        say_written(terminal, {"Saved": search.out})
        say_next(terminal, data, search.out)
        if json:
            best, trials = None if winner is None else winner.number, list(map(asdict, found))
            known = as_json(terminal, trained, search.out, about, best=best, trials=trials)
            print_json(known)


@contextmanager
def _kept_trials_named(log: Path | None) -> Iterator[None]:
    """Say at Ctrl-C where the search is saved, and how to resume it."""
    try:
        yield
    except KeyboardInterrupt as error:
        kept = log is not None and log.exists()
        text = f"the trials so far are saved in {log}; run the same command to resume."
        lost = "nothing was written. --search FILE saves the trials."
        raise InterruptionError(
            f"interrupted; {text if kept else lost}", signal=signal_of(error), checkpoint=str(log)
        ) from None


def _problem(table: TrainingTable, settings: Settings) -> tabular.Problem:
    """What every trial learns from."""
    whole = table.whole
    parts = tabular.split(whole, settings)
    return tabular.problem(whole, settings, parts.kept, whole.frame[parts.held])


def _searched(
    terminal: Terminal,
    table: TrainingTable,
    problem: tabular.Problem,
    settings: Settings,
    search: SearchOptions,
) -> list[Trial]:
    """All trials, those of the file first; each is in the file before the next begins."""
    whole, log, seconds = table.whole, search.search, 60.0 * search.minutes
    of_settings = asdict(replace(settings, n_threads=None))
    identity = f"{table.source.digest} {asdict(whole.roles)} {of_settings}"
    with nullcontext() if log is None else closing(FileLock(log, "search")):
        found = [] if log is None else tuning.load_trials(log, identity, settings)
        if found:
            terminal.say(f"Resumed after {len(found)} trials from {log}.")
        with _Bar(terminal, seconds) as bar:
            for trial in tuning.search(problem, settings, seconds, found, search.trials):
                found.append(trial)
                if log is not None:
                    tuning.save_trials(log, identity, found)
                bar.show(trial, tuning.best(found))
    return found


def _say_best(terminal: Terminal, found: list[Trial]) -> Trial | None:
    """Say which trial was best, and return it."""
    winner = tuning.best(found)
    if winner is None:
        terminal.warn(
            "the time was too short for one fit: the default settings are used. Raise --minutes."
        )
        return None
    complete = sum(trial.outcome == tuning.COMPLETE for trial in found)
    terminal.say()
    terminal.say(
        f"{len(found)} trials, {complete} of them complete; the best is {_name(winner)}, "
        f"validation cost {winner.figure:.4g}."
    )
    return winner


def _name(trial: Trial) -> str:
    if not trial.chosen:
        return "the default settings"
    return f"trial {trial.number} ({_listed(trial)})"


def _listed(trial: Trial) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in trial.chosen.items())


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"


class _Bar(Bar):
    """The search as it goes: a bar of the time, a line for each trial that ends."""

    def __init__(self, terminal: Terminal, seconds: float) -> None:
        columns = (
            "{task.description}",
            BarColumn(bar_width=None, complete_style="cyan"),
            TimeRemainingColumn(compact=True),
        )
        super().__init__(terminal, columns, "trial 0", total=seconds)
        self.begun = monotonic()

    def show(self, trial: Trial, best: Trial | None) -> None:
        """One trial that has ended."""
        figure = "–" if trial.figure is None else f"{trial.figure:.4g}"
        is_best = "  best so far" if best is not None and best.number == trial.number else ""
        self.terminal.say(
            f"trial {trial.number:>3}  {trial.outcome:<10} validation {figure:<9} "
            f"{trial.seconds:6.1f} s  {_listed(trial) or 'default settings'}{is_best}"
        )
        self.bar.update(
            self.task, completed=monotonic() - self.begun, description=f"trial {trial.number + 1}"
        )
