"""``deltarule train``: a table in, an evaluated model out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import typer

from deltarule import tabular
from deltarule.cli import options as opt
from deltarule.cli import sources
from deltarule.cli.by_key import train_keys
from deltarule.cli.job import Job, print_figures
from deltarule.cli.loading import BASELINES, REPORT, load
from deltarule.cli.outputs import after_saving, check_outputs
from deltarule.cli.report import report_of
from deltarule.cli.terminal import Terminal, print_json
from deltarule.data import Stream
from deltarule.errors import SettingError
from deltarule.explain import Watch
from deltarule.modelfile import save_model


def train(
    context: typer.Context,
    data: opt.Data,
    target: opt.Target = None,
    by: opt.By = None,
    out: opt.ModelOut = None,
    report: opt.Report = None,
    test: opt.Test = None,
    test_share: opt.TestShare = 0.2,
    cv: opt.Folds = None,
    compare: opt.Baselines = True,
    drop: opt.Drop = None,
    kind: opt.Kind = None,
    task: opt.Task = None,
    weights: opt.Weights = None,
    groups: opt.Groups = None,
    time: opt.Time = None,
    strict: opt.Strict = False,
    hidden: opt.Hidden = None,
    activation: opt.ActivationName = None,
    bins: opt.Bins = None,
    ensemble: opt.Ensemble = 1,
    members: opt.Members = 1,
    cost: opt.CostName = None,
    dropout: opt.Dropout = None,
    optimizer: opt.OptimizerName = None,
    learning_rate: opt.LearningRate = None,
    schedule: opt.ScheduleName = None,
    batch_size: opt.BatchSize = None,
    epochs: opt.Epochs = None,
    patience: opt.Patience = None,
    on_divergence: opt.OnDivergence = "raise",
    l1: opt.L1 = 0.0,
    l2: opt.L2 = 0.0,
    weight_decay: opt.WeightDecay = None,
    label_smoothing: opt.LabelSmoothing = None,
    clip_norm: opt.ClipNorm = None,
    class_weight: opt.ClassWeight = None,
    seed: opt.Seed = 0,
    engine: opt.EngineName = "auto",
    threads: opt.Threads = None,
    jobs: opt.Jobs = None,
    device: opt.Device = "auto",
    precision: opt.Precision = "highest",
    devices: opt.Devices = None,
    dtype: opt.Dtype = "float32",
    memory: opt.Memory = None,
    missing: opt.Missing = None,
    delimiter: opt.Delimiter = None,
    header: opt.Header = None,
    encoding: opt.Encoding = None,
    decimal_comma: opt.DecimalComma = None,
    quote: opt.Quote = None,
    checkpoint_dir: opt.CheckpointDir = None,
    checkpoint_every: opt.CheckpointEvery = "60s",
    resume: opt.Resume = False,
    distributed: opt.Distributed = False,
    coordinator: opt.Coordinator = None,
    process: opt.Process = None,
    processes: opt.Processes = None,
    wait: opt.Wait = 300.0,
    json: opt.Json = False,
) -> None:
    """Train a network on a table and evaluate it on held-out rows.

    Reads the files, infers the task from the target, encodes the columns, trains, restores the
    best epoch, and prints metrics on held-out rows beside those of simple models. With --by, one
    small network is trained per key of a column.

    \b
    Examples:
      deltarule train digits
      deltarule train flats.csv --target rent --out flats.safetensors --report flats.html
      deltarule train jan.csv feb.csv --target sold --time date --drop id,name
      deltarule train adult.csv --target income --test adult-test.csv
      deltarule train big.csv --target y --checkpoint-dir run --resume
      deltarule train folder/ --target y --memory 1GB
      deltarule train sales.parquet --target sold --by store --jobs 4 --out stores
      srun deltarule train big.csv --target y --distributed
    """  # noqa: D301 - typer keeps the lines after it
    group = context.with_resource(opt.joined(distributed, coordinator, process, processes, wait))
    if not group.first:  # one process prints and writes
        out = report = None
        json = compare = False
    settings = tabular.Settings(
        hidden=None if hidden is None else opt.units(hidden),
        activation=activation,
        bins=bins,
        n_ensemble=ensemble,
        n_members=members,
        cost=cost,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        on_divergence=on_divergence,
        dropout=dropout,
        l1=l1,
        l2=l2,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        clip_norm=clip_norm,
        class_weight=class_weight,
        task=task,
        test_share=test_share,
        engine="jax" if group.count > 1 and engine == "auto" else engine,
        dtype=dtype,
        device=device,
        precision=precision,
        n_threads=threads,
        devices=opt.devices(devices),
        seed=seed,
    )
    tabular.check(settings)
    if by is not None:
        if group.count > 1:
            raise SettingError(
                "--by does not go with several processes of one run (--distributed, --coordinator)."
                " Leave one out; --jobs N shares keys between processes."
            )
        _refuse_beside_keys(test, cv, report, checkpoint_dir)
    elif jobs is not None:
        raise SettingError("--jobs: expected --by COLUMN beside it, got none.")
    if cv is not None and test:
        raise SettingError("--cv and --test: metrics come from one of them; got both.")
    if cv is not None and cv < 2:
        raise SettingError(f"--cv: expected at least 2 folds; got {cv}.")
    check_outputs(
        {"--out": None if by else out, "--report": report},
        {"the data": data, "the test file": test},
    )
    load(*((BASELINES,) if compare and by is None else ()), *((REPORT,) if report else ()))
    if by is not None and resume and out is None:
        raise SettingError("--by and --resume: expected --out FOLDER beside them, got none.")
    kept = opt.checkpoints(checkpoint_dir, checkpoint_every, resume and by is None)
    writes = any(path is not None for path in (out, report, checkpoint_dir))
    terminal = Terminal(quiet=json, mute=not group.first, writes=writes)
    reading = sources.reading_of(missing, delimiter, header, encoding, decimal_comma, quote)
    source = sources.source(data, reading) if memory is None else sources.in_blocks(data, reading)
    roles = tabular.Roles(
        targets_of(target, source), weights, groups, time, opt.listed(drop), opt.kinds(kind)
    )
    found = None
    if isinstance(source, Stream):
        if cv is not None or test or by is not None:
            raise SettingError(
                "--cv, --test, --by: not available with --memory, which holds out random rows."
            )
        with terminal.waiting("reading all rows once"):
            limit = opt.size(memory or "")
            found = tabular.survey(source, roles, settings, memory=limit, strict=strict)
        whole, mark, rows = found.whole, source.digest, source.rows
    elif by is not None:
        train_keys(
            terminal,
            source,
            by,
            roles,
            settings,
            sources.stored(reading),
            out=out,
            jobs=jobs,
            resume=resume,
            strict=strict,
            json=json,
        )
        return
    else:
        whole = tabular.table(source.data, roles, task=settings.task, strict=strict)
        mark, rows = tabular.fingerprint(source.frame), len(source.frame)
    warnings = tabular.leaks(whole)
    say_table(terminal, source, rows, whole, warnings)
    watch = Watch()
    job = Job(terminal, whole, settings, compare, kept, () if report is None else (watch,))
    if found is not None:
        done = job.streamed(found)
    elif cv is not None:
        done = job.cross_validated(cv)
    elif test:
        done = job.judged_by_file(sources.source(test, reading).frame, strict)
    else:
        done = job.held_out()
    about = tabular.about(
        whole,
        settings,
        done.fitted,
        done.judged,
        mark=mark,
        judged_by=done.judged_by,
        reading=sources.stored(reading),
        verdict=done.verdict,
        stream=done.problem.stream,
    )
    if out is not None:
        save_model(out, replace(done.fitted.model, about=about))
    with after_saving(terminal, out):
        if report is not None:
            with terminal.waiting("writing the report"):
                command = context.obj or sys.argv[1:]
                page = report_of(done, source.name, watch, command, warnings)
                page.save(report)
        print_figures(terminal, done)
        for what, path in (("Saved", out), ("Report", report)):
            if path is not None:
                terminal.say(f"{what}: {path}")
        if json:
            seconds = {each.name: round(each.seconds, 3) for each in done.judged}
            model = str(out) if out else None
            print_json({"model": model, **tabular.printed(about), "fit_seconds": seconds})


def _refuse_beside_keys(
    test: list[str] | None, cv: int | None, report: Path | None, checkpoint_dir: Path | None
) -> None:
    """Refuse what a model a key has no use for."""
    given = {
        "--test": test,
        "--cv": cv,
        "--report": report,
        "--checkpoint-dir (--out keeps what is finished)": checkpoint_dir,
    }
    for option, value in given.items():
        if value is not None:
            raise SettingError(f"--by and {option}: they cannot be combined. Leave one out.")


def targets_of(target: str | None, source: sources.Source | Stream) -> tuple[str, ...]:
    """The target columns: as asked for, else what a built-in set is about.

    Raises
    ------
    SettingError
        Where none is named.
    """
    if target is not None:
        return (target,) if target in source.columns else opt.listed([target])
    if source.target is None:
        raise SettingError(
            "--target is missing: expected the column to predict. The table has: "
            f"{', '.join(source.columns[:20])}."
        )
    return (source.target,)


def say_table(
    terminal: Terminal,
    source: sources.Source | Stream,
    rows: int,
    whole: tabular.Table,
    warnings: list[str],
) -> None:
    """What was read, and what to be warned of."""
    terminal.say(f"{source.name}: {rows:,} rows, {len(source.columns)} columns", style="bold")
    if whole.dropped:
        terminal.warn(
            f"rows without a target were dropped: {whole.dropped:,} (--strict refuses them)."
        )
    for warning in warnings:
        terminal.warn(warning)
