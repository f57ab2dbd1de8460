"""One model per key on the command line: ``train --by``, predictions, metrics and display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from deltarule import baselines as bl
from deltarule import keyed, tabular
from deltarule.cli import why
from deltarule.cli.columns import condensed
from deltarule.cli.options import TableOptions
from deltarule.cli.outputs import after_saving
from deltarule.cli.progress import Bar
from deltarule.cli.sources import Source
from deltarule.cli.tables import say_size
from deltarule.cli.terminal import Terminal, print_json
from deltarule.data import Reading
from deltarule.modelfile import Model

_LINES = 10  # about so many lines of progress where there is no terminal
_LISTED = 10  # keys


def is_by_key(path: Path) -> bool:
    """Whether a path holds one model per key: a folder, or the file in it."""
    return path.is_dir() or path.name == keyed.FILE


def record_of(loaded: keyed.KeyedModels | Model) -> Mapping[str, Any]:
    """The training record of a model, or of one model per key."""
    return loaded.about if isinstance(loaded, keyed.KeyedModels) else tabular.record(loaded)


def train_keys(
    terminal: Terminal,
    source: Source,
    table: TableOptions,
    roles: tabular.Roles,
    settings: tabular.Settings,
    reading: Reading,
    *,
    out: Path | None,
    resume: bool,
    json: bool,
) -> None:
    """Train one network per key of a table, and print metrics on held-out rows."""
    whole = keyed.problem(source.data, table.by or "", roles, settings, strict=table.strict)
    say_size(terminal, source)
    _warn_of_rows(terminal, whole)
    _say_problem(terminal, whole)
    about = {
        "table": {"fingerprint": source.digest, "rows": source.rows},
        "roles": asdict(roles),
        "reading": tabular.reading_record(replace(reading, columns=source.data.reading.columns)),
    }
    with _Watcher(terminal) as watcher:
        models = keyed.run(
            whole,
            settings,
            out=out,
            n_jobs=table.jobs,
            resume=resume,
            progress=watcher.listen,
            about=about,
        )
    path = None if out is None else out / keyed.FILE
    with after_saving(terminal, path):
        say_models(terminal, models)
        if path is not None:
            terminal.say(f"Saved: {path} ({len(models):,} models, {_size(path)})")
        if json:
            where = None if path is None else str(path)
            print_json({"model": where, "warnings": terminal.warnings, **as_json(models)})


def say_models(terminal: Terminal, models: keyed.KeyedModels) -> None:
    """Which keys have no model, and the metrics of those that have."""
    failures = list(models.failures.items())
    if failures:
        count = f"{len(failures):,} key{'s' * (len(failures) != 1)}"
        shown = [(key, why) for key, why in failures[:_LISTED]]
        terminal.listing(f"{count} without a model", shown)
        if len(failures) > _LISTED:
            terminal.say(f"  and {len(failures) - _LISTED:,} more; --json lists them all.")
    found = models.summary
    terminal.say()
    terminal.table(
        f"Metrics on held-out rows of {found.evaluated:,} keys",
        ["metric per key", "10 %", "median", "90 %"],
        [
            [keyed.LABELS[name], *(bl.shown(value) for value in values)]
            for name, values in found.spread.items()
        ],
        mark=0,
    )
    own = "the key's mean" if models.task == "regression" else "the key's most frequent class"
    terminal.say(
        f"Better than {own}: {found.better:,} of {found.evaluated:,} keys "
        f"({found.better / max(found.evaluated, 1):.0%}).",
        style="bold",
    )
    ranked = "R²" if models.task == "regression" else "accuracy"
    decision = models.targets.decision
    if decision is not None and decision.reason:
        terminal.say(
            f"Predicts {decision.describe()}; the accuracy above is that of the likelier class."
        )
    worst = ", ".join(f"{key} ({bl.shown(value)})" for key, value, _ in found.worst)
    terminal.say(f"Lowest {ranked}: {worst}.")


def as_json(models: keyed.KeyedModels) -> dict[str, Any]:
    """What is known of the models, for machines: every key's metrics too."""
    names, decision = keyed.FIGURES[models.task], models.targets.decision
    learnt = models.stack.rows.astype(int).tolist()
    return {
        "by": models.by,
        "task": models.task,
        "target": list(models.targets.names),
        "models": len(models),
        "decision": None if decision is None else decision.to_dict(),
        "training": models.about["training"],
        "summary": models.summary.to_dict(),
        "keys": {
            key: {"rows": rows}
            | {name: value for name, value in zip(names, own, strict=True) if np.isfinite(value)}
            for key, rows, own in zip(
                models.keys, learnt, models.stack.figures.tolist(), strict=True
            )
        },
        "failures": dict(models.failures),
    }


def inspect_keys(path: Path, effects: tabular.TableContributions | None, json: bool) -> None:
    """Show the models of a folder, and what the columns do where that is known."""
    models = keyed.load_keyed(path)
    if json:
        further = {} if effects is None else {"effects": why.as_json(effects)}
        print_json(as_json(models) | further)
        return
    terminal = Terminal()
    terminal.say(str(path), style="bold")
    names = " and ".join(map(repr, models.targets.names))
    network, training = models.about["training"]
    terminal.pairs(
        [
            ("task", f"{models.task} of {names}, one model per {models.by!r}"),
            ("models", f"{len(models):,}"),
            ("network", network),
            ("training", training),
        ]
    )
    terminal.listing("columns", condensed(models.preprocessing.describe()))
    say_models(terminal, models)
    if effects is not None:
        why.say_effects(terminal, effects)


def _warn_of_rows(terminal: Terminal, whole: keyed.KeyedProblem) -> None:
    if whole.unkeyed:
        terminal.warn(f"rows without a key in {whole.by!r} were dropped: {whole.unkeyed:,}.")
    if whole.dropped:
        terminal.warn(
            f"rows without a target were dropped: {whole.dropped:,} (--strict refuses them)."
        )


def _say_problem(terminal: Terminal, whole: keyed.KeyedProblem) -> None:
    names = " and ".join(map(repr, whole.targets.names))
    counts, work = whole.block.counts, whole.work
    which = "" if whole.block.time is None else " (the latest)"
    network, training = whole.work.recipe.lines()
    terminal.pairs([("task", f"{whole.work.task} of {names}: {whole.targets.reason}")])
    terminal.listing("columns", condensed(whole.preprocessing.describe()))
    terminal.pairs(
        [
            (
                "keys",
                f"{len(counts):,} in {whole.by!r}, with {counts.min():,} to {counts.max():,} rows "
                f"each (median {int(np.median(counts)):,})",
            ),
            (
                "rows",
                f"per key, {work.test_share:.0%} held out{which}; {work.validation_share:.0%} of "
                "the rest for validation",
            ),
            ("network", f"{network}; one per key"),
            ("training", training),
        ]
    )


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


class _Watcher(Bar):
    """Keys as they finish: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, terminal: Terminal) -> None:
        bar = BarColumn(bar_width=None, complete_style="cyan")
        left = TimeRemainingColumn(compact=True)
        super().__init__(terminal, ("keys", bar, MofNCompleteColumn(), left, "left"), "keys")
        self.said = 0

    def listen(self, done: int, count: int) -> None:
        """Show how many keys are done."""
        self.bar.update(self.task, completed=done, total=count)
        if not self.terminal.live and done * _LINES // count > self.said:
            self.said = done * _LINES // count
            self.terminal.say(f"{done:,} of {count:,} keys")
