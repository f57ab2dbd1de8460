"""``deltarule train``: a table in, an evaluated model out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from deltarule import tabular
from deltarule.cli.by_key import train_keys
from deltarule.cli.command import command
from deltarule.cli.loading import BASELINES, REPORT, load
from deltarule.cli.options import (
    CheckpointOptions,
    Data,
    EvaluationOptions,
    Json,
    ProcessOptions,
    StreamOptions,
    TableOptions,
)
from deltarule.cli.outputs import after_saving, check_outputs, say_written
from deltarule.cli.report import report_of
from deltarule.cli.results import quantiles_as_json, say_next, say_quantiles, say_results
from deltarule.cli.sources import Source, opened
from deltarule.cli.tables import roles_in, training_table
from deltarule.cli.terminal import Terminal, print_json
from deltarule.cli.trainer import Trainer, as_json
from deltarule.cli.updater import UpdateOptions, Updater, started, updating_table
from deltarule.errors import SettingError
from deltarule.explain import Watch
from deltarule.report.printing import check_printable
from deltarule.tabular.options import option, option_group
from deltarule.tabular.settings import Roles, Settings


@option_group("Output")
class TrainOutputs:
    """What ``train`` writes."""

    out: Path | None = option(
        "FILE", "Model file, written atomically; with --by, a folder for all models.", common=True
    )
    report: Path | None = option(
        "FILE",
        "Write a training report: an HTML page, or a .pdf printed by Chromium, Chrome or Edge.",
        common=True,
    )


@command
def train(
    context: typer.Context,
    data: Data,
    roles: Roles,
    table: TableOptions,
    output: TrainOutputs,
    evaluation: EvaluationOptions,
    update: UpdateOptions,
    settings: Settings,
    checkpoints: CheckpointOptions,
    reading: StreamOptions,
    processes: ProcessOptions,
    json: Json = False,
) -> None:
    """Train a network on a table and evaluate it on held-out rows.

    Reads the files, infers the task from the target, encodes the columns, trains, restores the
    best epoch, and prints metrics on held-out rows beside those of simple models. With --by, one
    small network is trained per key of a column.

    \b
    Examples:
      deltarule train digits
      deltarule train flats.csv --target rent --out flats.safetensors
      deltarule train jan.csv feb.csv --target sold --time date --report sales.html
      deltarule train adult.csv --target income --test adult-test.csv
      deltarule train new.csv --from flats.safetensors --out flats.safetensors
      deltarule train big.csv --target y --checkpoint-dir run --resume
      deltarule train sales.parquet --target sold --by store --jobs 4 --out stores
    """  # noqa: D301 - typer keeps the lines after it
    earlier = update.model(context)
    group = context.with_resource(processes.joined())
    if group.count > 1 and settings.engine == "auto":
        settings = replace(settings, engine="jax")
    if not group.first:  # one process prints and writes
        output, json = TrainOutputs(), False
        evaluation = replace(evaluation, baselines=False)
    settings, evaluation = started(context, earlier, settings, evaluation)
    _check_combination(table, output, evaluation, checkpoints, reading, group.count)
    check_outputs(
        {"--out": None if table.by else output.out, "--report": output.report},
        {"the data": data, "the test file": evaluation.test},
    )
    if output.report is not None:
        check_printable(output.report)
    kept = checkpoints.checkpoints()
    baselines = evaluation.baselines and table.by is None
    load(*((BASELINES,) if baselines else ()), *((REPORT,) if output.report else ()))

    writes = any((output.out, output.report, checkpoints.checkpoint_dir))
    terminal = Terminal(quiet=json, mute=not group.first, writes=writes)
    form = reading.reading(None if earlier is None else tabular.record(earlier))
    source = opened(data, form, reading.memory)
    roles = roles_in(source, roles) if earlier is None else tabular.roles_of(earlier)
    if table.by is not None:
        assert isinstance(source, Source)
        where: Any = {"out": output.out, "resume": checkpoints.resume}
        train_keys(terminal, source, table, roles, settings, form, json=json, **where)
        return
    watch = Watch()
    listeners = () if output.report is None else (watch,)
    if earlier is None:
        read = training_table(terminal, source, roles, settings, form, table.strict, reading.memory)
    else:
        read = updating_table(terminal, source, earlier, form, table.strict)
    run = (terminal, read, settings, evaluation, kept, listeners)
    trainer = Trainer(*run) if earlier is None else Updater(*run, earlier, update.start)
    trained = trainer.run()
    about = trainer.save(trained, output.out)
    with after_saving(terminal, output.out):
        say_results(terminal, trained)
        model = replace(trained.fitted.model, about=about)
        say_quantiles(terminal, quantiles := tabular.quantile_metrics(model, trained.problem.test))
        if output.report is not None:
            with terminal.waiting("writing the report"):
                page = report_of(trained, read, watch, context.obj or sys.argv[1:], quantiles)
                page.save(output.report)
        say_written(terminal, {"Saved": output.out, "Report": output.report})
        say_next(terminal, data, output.out)
        if json:
            further = {"fit_seconds": trained.fit_seconds, **quantiles_as_json(quantiles)}
            print_json(as_json(terminal, trained, output.out, about, **further))


def _check_combination(
    table: TableOptions,
    output: TrainOutputs,
    evaluation: EvaluationOptions,
    checkpoints: CheckpointOptions,
    reading: StreamOptions,
    processes: int,
) -> None:
    """Refuse options that do not go together, before anything is read."""
    by, cv, test = table.by is not None, evaluation.cv, evaluation.test
    beside_keys = {
        "--test": bool(test),
        "--cv": cv is not None,
        "--report": output.report is not None,
        "--checkpoint-dir (--out saves finished keys)": checkpoints.checkpoint_dir is not None,
    }
    refused = {
        "--by and several processes of one run (--distributed, --coordinator): they cannot be "
        "combined. Leave one out; --jobs N shares keys between processes.": by and processes > 1,
        **{
            f"--by and {option}: they cannot be combined. Leave one out.": by and given
            for option, given in beside_keys.items()
        },
        "--jobs: expected --by COLUMN beside it, got none.": not by and table.jobs is not None,
        "--cv and --test: they cannot be combined. Leave one out.": cv is not None and bool(test),
        f"--cv: expected at least 2 folds; got {cv}.": cv is not None and cv < 2,
        "--cv, --test, --by: not available with --memory, which holds out random rows.": (
            reading.memory is not None and (by or cv is not None or bool(test))
        ),
        "--by and --resume: expected --out FOLDER beside them, got none.": (
            by and checkpoints.resume and output.out is None
        ),
        "--resume: expected --checkpoint-dir DIR beside it, got none.": (
            not by and checkpoints.resume and checkpoints.checkpoint_dir is None
        ),
    }
    for message, is_so in refused.items():
        if is_so:
            raise SettingError(message)
