"""A model a key on the command line: ``train --by``, and its models predicted, judged, shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deltarule import baselines as bl
from deltarule import keyed, tabular
from deltarule.cli import sources
from deltarule.cli.columns import condensed
from deltarule.cli.outputs import after_saving
from deltarule.cli.terminal import Terminal, print_json
from deltarule.errors import SettingError
from deltarule.modelfile import Model

_LINES = 10  # about so many lines of progress where there is no terminal
_LISTED = 10  # keys


def is_by_key(path: Path) -> bool:
    """Whether a path is that of a model a key: a folder, or the file in it."""
    return path.is_dir() or path.name == keyed.FILE


def record_of(loaded: keyed.KeyedModels | Model) -> Mapping[str, Any]:
    """What a model, or a model a key, remembers of its training."""
    return loaded.about if isinstance(loaded, keyed.KeyedModels) else tabular.record(loaded)


def train_keys(
    terminal: Terminal,
    source: sources.Source,
    by: str,
    roles: tabular.Roles,
    settings: tabular.Settings,
    reading: Mapping[str, Any],
    *,
    out: Path | None,
    jobs: int | None,
    resume: bool,
    strict: bool,
    json: bool,
) -> None:
    """Train a network for every key of a table, and say how they do on rows held out."""
    whole = keyed.problem(source.data, by, roles, settings, strict=strict)
    rows, width = source.frame.shape
    terminal.say(f"{source.name}: {rows:,} rows, {width} columns", style="bold")
    _warn_of_rows(terminal, whole)
    _say_problem(terminal, whole)
    with _Watcher(terminal) as watcher:
        models = keyed.run(
            whole,
            settings,
            out=out,
            n_jobs=jobs,
            resume=resume,
            progress=watcher.listen,
            about={
                "table": {"fingerprint": tabular.fingerprint(source.frame), "rows": rows},
                "roles": asdict(roles),
                "reading": dict(reading),
            },
        )
    path = None if out is None else out / keyed.FILE
    with after_saving(terminal, path):
        say_models(terminal, models)
        if path is not None:
            terminal.say(f"Saved: {path} ({len(models):,} models, {_size(path)})")
        if json:
            print_json({"model": None if path is None else str(path), **as_json(models)})


def say_models(terminal: Terminal, models: keyed.KeyedModels) -> None:
    """Which keys have no model, and the figures of those that have."""
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
        f"Rows held out of {found.judged:,} keys",
        ["over the keys", "10 %", "median", "90 %"],
        [
            [keyed.LABELS[name], *(bl.shown(value) for value in values)]
            for name, values in found.spread.items()
        ],
        mark=0,
    )
    own = "its own mean" if models.task == "regression" else "its most frequent class"
    terminal.say(
        f"Better than {own}: {found.better:,} of {found.judged:,} keys "
        f"({found.better / max(found.judged, 1):.0%}).",
        style="bold",
    )
    ranked = "R²" if models.task == "regression" else "accuracy"
    worst = ", ".join(f"{key} ({bl.shown(value)})" for key, value, _ in found.worst)
    terminal.say(f"Least {ranked}: {worst}.")


def as_json(models: keyed.KeyedModels) -> dict[str, Any]:
    """What is known of the models, for machines: every key's figures too."""
    names = keyed.FIGURES[models.task]
    learnt = models.stack.rows.astype(int).tolist()
    return {
        "by": models.by,
        "task": models.task,
        "target": list(models.targets.names),
        "models": len(models),
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


def inspect_keys(path: Path, json: bool) -> None:
    """Show the models of a folder."""
    models = keyed.load_keyed(path)
    if json:
        print_json(as_json(models))
        return
    terminal = Terminal()
    terminal.say(str(path), style="bold")
    names = " and ".join(map(repr, models.targets.names))
    network, training = models.about["training"]
    terminal.pairs(
        [
            ("task", f"{models.task} of {names}, a model for each {models.by!r}"),
            ("models", f"{len(models):,}"),
            ("network", network),
            ("training", training),
        ]
    )
    terminal.listing("columns", condensed(models.preprocessing.describe()))
    say_models(terminal, models)


def predictions_by_key(
    terminal: Terminal,
    models: keyed.KeyedModels,
    frame: Any,
    probabilities: bool,
    fallback: str,
) -> Any:
    """A frame of one row a row of the table; rows whose key has no model are told."""
    import polars as pl

    if probabilities and models.task != "classification":
        raise SettingError(
            "--probabilities: expected models of classes; these predict numbers. Leave it out."
        )
    found = models.predict(frame, fallback)
    columns = {f"predicted_{name}": found[name] for name in models.targets.names}
    if probabilities:
        P = models.probabilities(frame, fallback)
        for k, label in enumerate(models.targets.classes):
            columns[f"probability_{label}"] = pl.Series(P[:, k]).fill_nan(None)
    unknown = models.unknown(frame)
    if unknown:
        rows, given = sum(unknown.values()), {"missing": "are left empty"}
        named = ", ".join("none" if key is None else repr(key) for key in list(unknown)[:5])
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        terminal.warn(
            f"rows whose {models.by!r} has no model: {rows:,}, of {named}{more}; they "
            f"{given.get(fallback, 'get what is usual over all keys')} (--fallback)."
        )
    return pl.DataFrame(columns)


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
    which = "" if whole.block.time is None else ", the latest"
    network, training = whole.work.recipe.lines()
    terminal.pairs([("task", f"{whole.work.task} of {names}: {whole.targets.reason}")])
    terminal.listing("columns", condensed(whole.preprocessing.describe()))
    terminal.pairs(
        [
            (
                "keys",
                f"{len(counts):,} of {whole.by!r}, with {counts.min():,} to {counts.max():,} rows "
                f"each, {int(np.median(counts)):,} at the median",
            ),
            (
                "rows",
                f"of each key {work.test_share:.0%} held out{which}, {work.validation_share:.0%} "
                "of the rest to find its best epoch",
            ),
            ("network", f"{network}; one a key"),
            ("training", training),
        ]
    )


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


class _Watcher:
    """Keys as they finish: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.said = terminal, 0
        self.bar = Progress(
            TextColumn("keys"),
            BarColumn(bar_width=None, complete_style="cyan"),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=terminal.console,
            transient=True,
            expand=True,
            disable=not terminal.live,
        )
        self.task = self.bar.add_task("keys", total=None)

    def __enter__(self) -> _Watcher:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def listen(self, done: int, count: int) -> None:
        """Show how many keys are done."""
        self.bar.update(self.task, completed=done, total=count)
        if not self.terminal.live and done * _LINES // count > self.said:
            self.said = done * _LINES // count
            self.terminal.say(f"{done:,} of {count:,} keys")
