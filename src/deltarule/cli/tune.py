"""``deltarule tune``: search for settings on a table, and train with the best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deltarule import tabular
from deltarule.arrays import checked_number
from deltarule.cli import options as opt
from deltarule.cli import sources
from deltarule.cli.job import Job, print_figures
from deltarule.cli.loading import BASELINES, load
from deltarule.cli.outputs import after_saving, check_outputs
from deltarule.cli.terminal import Terminal, print_json
from deltarule.cli.train import say_table, targets_of
from deltarule.errors import InterruptionError
from deltarule.modelfile import save_model
from deltarule.system.storage import FileLock
from deltarule.tabular import tuning
from deltarule.tabular.tuning import Trial
from deltarule.training.interruption import signal_of

_PANEL = "Search"

Minutes = Annotated[
    float,
    typer.Option(
        "--minutes",
        metavar="N",
        help="How long to search from now on; the training after it comes on top.",
        rich_help_panel=_PANEL,
    ),
]
Most = Annotated[
    int | None,
    typer.Option(
        "--trials",
        metavar="N",
        help="Maximum number of trials in total.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        "--search",
        metavar="FILE",
        help="File that keeps the trials; a search in it is continued.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


def tune(
    data: opt.Data,
    target: opt.Target = None,
    minutes: Minutes = 5.0,
    trials: Most = None,
    log: Log = None,
    out: opt.Out = None,
    test_share: opt.TestShare = 0.2,
    compare: opt.Baselines = True,
    drop: opt.Drop = None,
    kind: opt.Kind = None,
    task: opt.Task = None,
    weights: opt.Weights = None,
    groups: opt.Groups = None,
    time: opt.Time = None,
    strict: opt.Strict = False,
    ensemble: opt.Ensemble = 1,
    members: opt.Members = 1,
    epochs: opt.Epochs = None,
    class_weight: opt.ClassWeight = None,
    seed: opt.Seed = 0,
    engine: opt.EngineName = "auto",
    threads: opt.Threads = None,
    missing: opt.Missing = None,
    delimiter: opt.Delimiter = None,
    header: opt.Header = None,
    encoding: opt.Encoding = None,
    decimal_comma: opt.DecimalComma = None,
    quote: opt.Quote = None,
    json: opt.Json = False,
) -> None:
    """Search for the settings that suit a table, then train with the best of them.

    Settings are drawn at random from the ranges of the recipe and evaluated on validation rows;
    unpromising trials are stopped early. Only the final network is evaluated on the held-out test
    set, as in train.

    \b
    Examples:
      deltarule tune flats.csv --target rent --minutes 2 --out flats.safetensors
      deltarule tune flats.csv --target rent --search flats.json
    """  # noqa: D301 - typer keeps the lines after it
    checked_number("tune", "--minutes", minutes, low=0)
    if trials is not None:
        checked_number("tune", "--trials", trials, low=1, whole=True)
    settings = tabular.Settings(
        epochs=epochs,
        n_ensemble=ensemble,
        n_members=members,
        class_weight=class_weight,
        task=task,
        test_share=test_share,
        engine=engine,
        n_threads=threads,
        seed=seed,
    )
    tabular.check(settings)
    check_outputs({"--out": out, "--search": log}, {"the data": data})
    load(*((BASELINES,) if compare else ()))
    terminal = Terminal(quiet=json, writes=out is not None or log is not None)
    reading = sources.reading_of(missing, delimiter, header, encoding, decimal_comma, quote)
    source = sources.source(data, reading)
    roles = tabular.Roles(
        targets_of(target, source), weights, groups, time, opt.listed(drop), opt.kinds(kind)
    )
    whole = tabular.table(source.data, roles, task=settings.task, strict=strict)
    say_table(terminal, source, len(source.frame), whole, tabular.leaks(whole))
    mark = tabular.fingerprint(source.frame)
    parts = tabular.split(whole, settings)
    problem = tabular.problem(whole, settings, parts.kept, whole.frame[parts.held])
    with _told_what_is_kept(log):
        found = _searched(terminal, problem, settings, minutes, trials, log, (mark, roles))
        winner = _told(terminal, found)
        chosen = tuning.applied(settings, winner)
        done = Job(terminal, whole, chosen, compare).held_out()
    about = tabular.about(
        whole,
        chosen,
        done.fitted,
        done.judged,
        mark=mark,
        judged_by=done.judged_by,
        reading=sources.stored(reading),
        verdict=done.verdict,
    )
    if out is not None:
        save_model(out, replace(done.fitted.model, about=about))
    with after_saving(terminal, out):
        print_figures(terminal, done)
        if out is not None:
            terminal.say(f"Saved: {out}")
        if json:
            print_json(
                {
                    "model": str(out) if out else None,
                    "best": None if winner is None else winner.number,
                    "trials": [asdict(trial) for trial in found],
                    **tabular.printed(about),
                }
            )


@contextmanager
def _told_what_is_kept(log: Path | None) -> Iterator[None]:
    """Say at Ctrl-C where the search is, and how it goes on."""
    try:
        yield
    except KeyboardInterrupt as error:
        kept = log is not None and log.exists()
        text = f"the trials so far are kept in {log}, and the same command goes on after them."
        lost = "nothing was written. With --search FILE trials are kept."
        raise InterruptionError(
            f"interrupted; {text if kept else lost}", signal=signal_of(error), checkpoint=str(log)
        ) from None


def _searched(
    terminal: Terminal,
    problem: tabular.Problem,
    settings: tabular.Settings,
    minutes: float,
    most: int | None,
    log: Path | None,
    table: tuple[str, tabular.Roles],
) -> list[Trial]:
    """All trials, those of the file first; each is in the file before the next begins."""
    mark, roles = table
    identity = f"{mark} {asdict(roles)} {asdict(replace(settings, n_threads=None))}"
    with nullcontext() if log is None else closing(FileLock(log, "search")):
        found = [] if log is None else tuning.load_trials(log, identity, settings)
        if found:
            terminal.say(f"Continues after {len(found)} trials of {log}.")
        with _Bar(terminal, 60.0 * minutes) as bar:
            for trial in tuning.search(problem, settings, 60.0 * minutes, found, most):
                found.append(trial)
                if log is not None:
                    tuning.save_trials(log, identity, found)
                bar.show(trial, tuning.best(found))
    return found


def _told(terminal: Terminal, found: list[Trial]) -> Trial | None:
    """Say what was found."""
    winner = tuning.best(found)
    if winner is None:
        terminal.warn(
            "the time was too short for one fit: the recipe's own settings are taken. Pass more "
            "--minutes."
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
        return "the recipe itself"
    return f"trial {trial.number} ({_listed(trial)})"


def _listed(trial: Trial) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in trial.chosen.items())


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"


class _Bar:
    """The search as it goes: a bar of the time, a line for each trial that ends."""

    def __init__(self, terminal: Terminal, seconds: float) -> None:
        self.terminal, self.begun = terminal, monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="cyan"),
            TimeRemainingColumn(compact=True),
            console=terminal.console,
            transient=True,
            expand=True,
            disable=not terminal.live,
        )
        self.task = self.bar.add_task("trial 0", total=seconds)

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, trial: Trial, best: Trial | None) -> None:
        """One trial that has ended."""
        figure = "–" if trial.figure is None else f"{trial.figure:.4g}"
        is_best = "  best so far" if best is not None and best.number == trial.number else ""
        self.terminal.say(
            f"trial {trial.number:>3}  {trial.outcome:<10} validation {figure:<9} "
            f"{trial.seconds:6.1f} s  {_listed(trial) or 'the recipe'}{is_best}"
        )
        self.bar.update(
            self.task,
            completed=monotonic() - self.begun,
            description=f"trial {trial.number + 1}",
        )
