"""The folded sections of a training report: how it was trained, layer by layer."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Plan
from deltarule.report import plots
from deltarule.report.content import Context, Drawn, Section, Table, drawn
from deltarule.report.diagnosis import Finding
from deltarule.report.watch import Diagnostics
from deltarule.training import Result
from deltarule.training.events import EpochEnded

_FEW_LOOKS = 3  # of layers: fewer are a table rather than heatmaps


def training_sections(
    result: Result,
    context: Context,
    findings: Sequence[Finding],
    diagnostics: Diagnostics | None,
) -> Iterator[Section]:
    """Diagnosis, curves, layers, network and settings, and what repeats the training."""
    if findings:
        title = "Training diagnosis"
        yield Section("diagnosis", title, context.whose, findings=findings, folded=True)
    yield _training_section(result, context)
    yield from _layers_section(diagnostics, context)
    yield _network_section(result, context)
    yield _repeat_section(result.runner.plan, context)


def _training_section(result: Result, context: Context) -> Section:
    end = f"{result.stopped_text[:1].upper()}{result.stopped_text[1:]}."
    if result.best_epoch is not None:
        end += f" Epoch {result.best_epoch}, the best on the validation rows, was restored."
    single = len(result.history) == 1
    return Section(
        "training",
        "Training",
        f"{end} {context.whose}".strip(),
        figures=[] if single else _curves_of(result),
        tables=[_only_epoch(result.history[0])] if single else [],
        folded=True,
    )


def _curves_of(result: Result) -> list[Drawn]:
    note = (
        "Training cost: mean over the epoch's batches, with penalties and dropout. Validation "
        "cost: after the epoch, without them."
    )
    history, rate = result.history, "At the last step of each epoch."
    figures = [drawn("cost", plots.plot_history, history, result.best_epoch, caption=note)]
    if any(each.figure is not None for each in history):
        figures.append(drawn("metric", plots.plot_figure, history))
    return [*figures, drawn("rate", plots.plot_rates, history, caption=rate)]


def _only_epoch(event: EpochEnded) -> Table:
    """Its numbers: a curve of one point shows nothing."""
    numbers = {
        "training cost": event.cost,
        "validation cost": event.validation_cost,
        "validation metric": event.figure,
        "learning rate": event.learning_rate,
    }
    return Table([(name, f"{x:.4g}") for name, x in numbers.items() if x is not None])


_CAPTIONS = {
    "gradient_norm": "Norm of all derivatives of a layer. A layer that stays dark hardly learns: "
    "its gradient vanishes.",
    "update_ratio": "Relative change of a layer's parameters per step; −3, a thousandth, is "
    "typical.",
    "dead": "Units whose δ is 0 for every observed row: they do not learn.",
    "saturated": "Units near a limit of their range for nearly every row, where g' is close to 0.",
}


def _layers_section(diagnostics: Diagnostics | None, context: Context) -> Iterator[Section]:
    if diagnostics is None:
        return
    looks, layers = diagnostics.dead.shape
    values = {what: np.asarray(getattr(diagnostics, what)) for what in plots.HEATMAPS}
    values = {what: found for what, found in values.items() if np.isfinite(found).any()}
    none = [what for what, found in values.items() if not np.nan_to_num(found).any()]
    text = f"Recorded in {looks} of the epochs, on a sample of the training rows."
    for what in none:
        text += f" {plots.HEATMAPS[what][0]}: none."
    text = f"{text} {context.whose}".strip()
    values = {what: found for what, found in values.items() if what not in none}
    figures, tables = [], []
    if looks < _FEW_LOOKS:
        tables = [_last_look(values, diagnostics.epochs[-1])]
    else:
        size = (5.0, 1.5 + 0.22 * min(layers, 12))
        figures = [
            drawn(what, plots.plot_diagnostics, diagnostics, what, caption=note, size=size)
            for what, note in _CAPTIONS.items()
            if what in values
        ]
    name = "Layer diagnostics"
    yield Section("layers", name, text, figures=figures, tables=tables, folded=True)


def _last_look(values: dict[str, Array], epoch: int) -> Table:
    """Numbers of each layer after one epoch: a heatmap of one column shows nothing."""
    rows = [
        [str(l), *("–" if np.isnan(value) else f"{value:.2g}" for value in own)]
        for l, own in enumerate(zip(*(found[-1] for found in values.values()), strict=True), 1)
    ]
    heads = ["layer", *(plots.HEATMAPS[what][0].lower() for what in values)]
    return Table(rows, heads, f"After epoch {epoch}", numeric=range(1, len(heads)))


def _network_section(result: Result, context: Context) -> Section:
    network = result.network
    layers = [
        [
            str(l),
            layer.kind,
            f"{n:,}",
            layer.g.name,
            f"{network.dropout.get(l, 0.0):g}",
            f"{sum(int(W.size) for W in own.values()):,}",
        ]
        for l, (layer, n, own) in enumerate(
            zip(network.layers, network.sizes[1:], result.parameters, strict=True), 1
        )
    ]
    heads = ["layer", "kind", "units", "activation", "dropout", "parameters"]
    settings = [*_plan_pairs(result), *context.settings]
    tables = [
        Table(layers, heads, numeric=(0, 2, 4, 5)),
        Table(settings, title="Settings"),
    ]
    return Section("setup", "Network", tables=tables, folded=True)


def _plan_pairs(result: Result) -> list[tuple[str, str]]:
    plan = result.runner.plan
    rules = plan.regularization
    kept = {
        name: value for name, value in vars(rules).items() if value not in (0, 0.0, None, False)
    }
    return [
        ("inputs", f"{plan.network.inputs:,}"),
        ("cost", plan.network.cost_row.name),
        ("optimizer", repr(plan.optimizer_row)),
        ("regularization", ", ".join(f"{name} {value}" for name, value in kept.items()) or "none"),
        ("parameters", f"{plan.network.parameter_count:,} of {plan.dtype.name}"),
        ("engine", result.engine),
    ]


def _repeat_section(plan: Plan, context: Context) -> Section:
    packages = ("deltarule", "numpy", "matplotlib")
    versions = [(name, version(name)) for name in packages]
    rows = [
        ("seed", str(plan.seed)),
        *versions,
        ("Python", platform.python_version()),
        ("machine", f"{platform.system()} {platform.machine()}"),
    ]
    text = (
        "With the same data, versions and instruction set, this command reproduces the same "
        "numbers, bit for bit."
    )
    return Section(
        "repeat",
        "Reproduction",
        text if context.command else "",
        tables=[Table(rows)],
        code=context.command,
        folded=True,
    )
