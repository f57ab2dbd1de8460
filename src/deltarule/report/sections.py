"""The sections of a training report, in the order of the page: what each holds, and why."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from deltarule.baselines import shown, shown_seconds
from deltarule.engines.plan import Plan
from deltarule.errors import require
from deltarule.metrics import FIGURES, figures
from deltarule.report import plots
from deltarule.report.content import Context, Drawn, Section, Table
from deltarule.report.curves import roc
from deltarule.report.diagnosis import Finding
from deltarule.report.drawing import figure, svg
from deltarule.report.evidence import Evidence, Importance, importances, worst
from deltarule.report.watch import Diagnostics
from deltarule.training import Result

_MOST_TARGETS = 4  # of a regression that are drawn; the table has all
_MOST_CELLS = 8  # columns of the worst rows that are shown, the most important ones
_LONGEST_CELL = 60


def sections_of(
    result: Result,
    evidence: Evidence,
    context: Context,
    findings: Sequence[Finding],
    diagnostics: Diagnostics | None,
) -> list[Section]:
    """Every section that has something to show."""
    found = importances(evidence, seed=result.runner.plan.seed)
    return [
        _figures_section(evidence, context),
        Section("diagnosis", "Training diagnosis", context.whose, findings=findings),
        _training_section(result, context),
        *_judged_sections(evidence, context),
        *_columns_section(found),
        *_layers_section(diagnostics, context),
        *_worst_section(evidence, found),
        _network_section(result, context),
        _repeat_section(result.runner.plan, context),
    ]


# -------------------------------------------------------------------------------- the figures


_LABELS = {row.name: row.label for rows in FIGURES.values() for row in rows}


def facts_of(result: Result, evidence: Evidence, context: Context) -> list[tuple[str, str]]:
    """The numbers to see first."""
    seconds = result.history[-1].seconds if context.seconds is None else context.seconds
    best = [] if result.best_epoch is None else [("best epoch", f"{result.best_epoch:,}")]
    return [
        *((_LABELS[name], shown(value)) for name, value in _own_figures(evidence, context).items()),
        ("rows evaluated", f"{len(evidence.X):,}"),
        ("epochs", f"{len(result.history):,}"),
        *best,
        ("training", shown_seconds(seconds)),
    ]


def _own_figures(evidence: Evidence, context: Context) -> dict[str, float]:
    return context.judged[0].figures if context.judged else evidence.figures


def _figures_section(evidence: Evidence, context: Context) -> Section:
    own = _own_figures(evidence, context)
    rows: list[list[str]]
    if context.judged:
        rows = [
            [
                each.name,
                *(shown(each.figures[name]) if name in each.figures else "–" for name in own),
                shown_seconds(each.seconds),
            ]
            for each in context.judged
        ]
        heads = ["", *(_LABELS[name] for name in own), "fit"]
    else:
        rows = [["network", *map(shown, own.values())]]
        heads = ["", *(_LABELS[name] for name in own)]
    tables = [Table(rows, heads, numeric=range(1, len(heads)), mark=0)]
    if evidence.task != "classification" and len(evidence.names) > 1:
        tables.append(_by_output(evidence))
    text = f"On {len(evidence.X):,} {context.judged_by}."
    return Section("figures", "Metrics", text, tables=tables)


def _by_output(evidence: Evidence) -> Table:
    """The metrics of each target or label alone."""
    rows = []
    for k, name in enumerate(evidence.names):
        if evidence.task == "regression":
            was, said = evidence.targets[:, k : k + 1], evidence.P[:, k : k + 1]
            found = figures("regression", was, said, evidence.weights)
            rows.append(
                [
                    name,
                    *(
                        shown(found[row.name]) if row.name in found else "–"
                        for row in FIGURES["regression"]
                    ),
                ]
            )
            continue
        positive, p = evidence.indicators[:, k], evidence.P[:, k]
        right = float(np.average((p >= 0.5) == positive, weights=evidence.s))
        area = roc(positive, p, evidence.s).area
        rows.append(
            [
                name,
                shown(right),
                shown(area) if np.isfinite(area) else "–",
                f"{positive.mean():.1%}",
            ]
        )
    if evidence.task == "regression":
        heads = ["target", *(row.label for row in FIGURES["regression"])]
    else:
        heads = ["label", "accuracy", "AUC", "share of rows"]
    return Table(rows, heads, "Per output", numeric=range(1, len(heads)))


# ------------------------------------------------------------------------------- the sections


def _drawn(
    name: str,
    draw: Callable[..., Any],
    *of: Any,
    caption: str = "",
    size: tuple[float, float] = (5.0, 3.3),
    **options: Any,
) -> Drawn:
    """A figure for the page, by the function that draws it."""
    markupsafe: Any = require("markupsafe", "report", "a report")
    made, ax = figure(*size)
    draw(*of, ax=ax, **options)
    label = ax.get_title(loc="left")
    return Drawn(markupsafe.Markup(svg(made, name)), label, caption)


def _training_section(result: Result, context: Context) -> Section:
    history = result.history
    drawn = [
        _drawn(
            "cost",
            plots.plot_history,
            history,
            result.best_epoch,
            caption="Training cost: mean over the epoch's batches, with penalties and dropout. "
            "Validation cost: after the epoch, without them.",
        )
    ]
    if any(each.figure is not None for each in history):
        drawn.append(_drawn("metric", plots.plot_figure, history))
    drawn.append(
        _drawn("rate", plots.plot_rates, history, caption="At the last step of each epoch.")
    )
    end = f"{result.stopped_text[:1].upper()}{result.stopped_text[1:]}."
    if result.best_epoch is not None:
        end += f" Epoch {result.best_epoch}, the best on the validation rows, was restored."
    return Section("training", "Training", f"{end} {context.whose}".strip(), figures=drawn)


def _judged_sections(evidence: Evidence, context: Context) -> Iterator[Section]:
    drawn = list(_regression(evidence) if evidence.task == "regression" else _classes(evidence))
    text = f"On {len(evidence.X):,} {context.judged_by}."
    yield Section("judged", "Predictions", text, figures=drawn)
    if evidence.network.inputs == 2:
        caption = (
            "The inputs as the network reads them. Points are the evaluated rows, colored by their "
            "true target."
        )
        yield Section(
            "decision",
            "Decision surface",
            figures=[
                _drawn("decision", plots.plot_decision, evidence, caption=caption, size=(5.4, 4.2))
            ],
        )


def _regression(evidence: Evidence) -> Iterator[Drawn]:
    for k in range(min(len(evidence.names), _MOST_TARGETS)):
        yield _drawn(f"predicted{k}", plots.plot_predicted, evidence, target=k)
        yield _drawn(f"residuals{k}", plots.plot_residuals, evidence, target=k)


def _classes(evidence: Evidence) -> Iterator[Drawn]:
    if evidence.task == "classification":
        yield _drawn(
            "confusion",
            plots.plot_confusion,
            evidence,
            caption="Shade: share of the true class. Numbers: rows, by weight where rows have one.",
            size=(5.0, 4.2),
        )
    if not plots.curves_of(evidence):
        return
    yield _drawn("roc", plots.plot_roc, evidence, caption="One class versus the rest.")
    yield _drawn("pr", plots.plot_precision_recall, evidence)
    yield _drawn(
        "calibration",
        plots.plot_calibration,
        evidence,
        caption="Rows in ten groups of similar predicted probability. On the diagonal, they are "
        "calibrated; below it, overconfident.",
    )


def _columns_section(found: list[Importance]) -> Iterator[Section]:
    if not found:
        return
    rise = (
        "Increase of the mean loss when a column's values are shuffled among the evaluated rows: "
        "mean of three shuffles; the line is their spread."
    )
    slope = (
        "Eq. 11d carried to the input, dA[0] = W[1]ᵀ δ[1]: norm of the derivative of the loss with "
        "respect to the column, averaged over the rows. The code of an embedded category has none."
    )
    height = 1.0 + 0.19 * min(len(found), 15)
    yield Section(
        "columns",
        "Feature importance",
        figures=[
            _drawn("importance", plots.plot_importance, found, caption=rise, size=(5.0, height)),
            _drawn(
                "gradients", plots.plot_input_gradients, found, caption=slope, size=(5.0, height)
            ),
        ],
    )


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
    height = 1.5 + 0.22 * min(diagnostics.dead.shape[1], 12)
    drawn = [
        _drawn(
            what,
            plots.plot_diagnostics,
            diagnostics,
            what,
            caption=_CAPTIONS[what],
            size=(5.0, height),
        )
        for what in plots.HEATMAPS
        if np.isfinite(getattr(diagnostics, what)).any()
    ]
    looks = (
        f"Recorded in {len(diagnostics.epochs)} of the epochs, on a sample of the training rows."
    )
    yield Section("layers", "Layer diagnostics", f"{looks} {context.whose}".strip(), figures=drawn)


def _worst_section(evidence: Evidence, found: list[Importance]) -> Iterator[Section]:
    rank = {each.name: place for place, each in enumerate(found)}
    order = sorted(
        range(len(evidence.columns)), key=lambda k: rank.get(evidence.columns[k].name, len(rank))
    )
    at = order[:_MOST_CELLS]
    heads = ["row", "true", "predicted", "loss", *(evidence.columns[k].name for k in at)]
    rows = [
        [
            f"{miss.number:,}",
            miss.was,
            miss.predicted,
            shown(miss.loss),
            *(_cut(miss.cells[k]) for k in at),
        ]
        for miss in worst(evidence)
    ]
    text = "The rows with the largest loss: mislabeled, unusual, or simply hard."
    if len(evidence.columns) > len(at):
        text += f" Shown are the {len(at)} most important of {len(evidence.columns)} columns."
    yield Section("worst", "Largest errors", text, tables=[Table(rows, heads, numeric=(0, 3))])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


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
        Table(context.data, title="Data"),
        Table(layers, heads, "Network", numeric=(0, 2, 4, 5)),
        Table(settings, title="Settings"),
        Table(context.columns, title="Columns"),
    ]
    return Section("setup", "Data, network, settings", tables=[t for t in tables if t.rows])


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


def data_of(evidence: Evidence) -> list[tuple[str, str]]:
    """The description of data of which only the arrays are known."""
    return [("evaluated on", f"{len(evidence.X):,} rows, {len(evidence.columns)} columns")]


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
    )
