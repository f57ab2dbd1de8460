"""The sections of a training report, in the order of the page: what each holds, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from deltarule.baselines import comparison_table, metric_tables, shown, shown_seconds
from deltarule.data import with_unit
from deltarule.metrics import figures_of
from deltarule.report import plots
from deltarule.report.content import Context, Drawn, Section, Table, drawn
from deltarule.report.curves import roc
from deltarule.report.diagnosis import Finding
from deltarule.report.effects import effects_section
from deltarule.report.evidence import Evidence, Importance, importances
from deltarule.report.largest_errors import largest_errors
from deltarule.report.summary import (
    evaluated_rows,
    own_figures,
    rows_of_metrics,
    summary_of,
)
from deltarule.report.training_sections import training_sections
from deltarule.report.watch import Diagnostics
from deltarule.training import Result

_MOST_TARGETS = 4  # of a regression that are drawn; the table has all
_MOST_CELLS = 8  # columns of the worst rows that are shown, the most important ones
_LONGEST_CELL = 60
_SOME = 0.1  # of a column's importance
_TABLE_OF = {"labels": "classification"}  # whose metrics have the same names


def sections_of(
    result: Result,
    evidence: Evidence,
    context: Context,
    cautions: Sequence[Finding],
    findings: Sequence[Finding],
    diagnostics: Diagnostics | None,
) -> list[Section]:
    """Every section that has something to show; how it was trained is folded."""
    is_finite = bool(np.isfinite(evidence.P).all())  # else there is nothing to draw
    found = importances(evidence, seed=result.runner.plan.seed) if is_finite else []
    problems = [finding for finding in findings if finding.level == "problem"]
    return [
        summary_of(evidence, context, found, [*cautions, *problems]),
        _figures_section(evidence, context),
        *(_judged_sections(evidence, context) if is_finite else ()),
        *_columns_section(found),
        *effects_section(context),
        *(_errors_section(evidence, context, found) if is_finite else ()),
        *_data_section(context),
        *training_sections(result, context, findings, diagnostics),
    ]


# -------------------------------------------------------------------------------- the figures


def facts_of(result: Result, evidence: Evidence, context: Context) -> list[tuple[str, str]]:
    """The numbers to see first."""
    seconds = result.history[-1].seconds if context.seconds is None else context.seconds
    return [
        *_metric_facts(evidence, own_figures(evidence, context)),
        ("rows evaluated", f"{evaluated_rows(evidence, context):,}"),
        ("training", shown_seconds(seconds)),
    ]


def _metric_facts(evidence: Evidence, own: Mapping[str, float]) -> list[tuple[str, str]]:
    rows = figures_of(_TABLE_OF.get(evidence.task, evidence.task), evidence.target_names)
    whole = [row for row in rows if not row.target and row.name in own]
    return [(row.label, shown(own[row.name])) for row in whole]


def _figures_section(evidence: Evidence, context: Context) -> Section:
    evaluations = context.evaluations
    figures = {each.name: each.figures for each in evaluations}
    found = metric_tables(
        _TABLE_OF.get(evidence.task, evidence.task),
        figures or {"network": own_figures(evidence, context)},
        evaluations[0].intervals if evaluations else {},
        [each.seconds for each in evaluations],
        evidence.target_names,
    )
    units = evaluations[0].target_units if evaluations else {}
    titles = [
        target and f"Metrics of {with_unit(target, units.get(target, ''))}"
        for target, _, _ in found
    ]
    tables = [
        Table(rows, heads, title, range(1, len(heads)), mark=0)
        for title, (_, heads, rows) in zip(titles, found, strict=True)
    ]
    if len(evaluations) > 1:
        (title, *heads), rows = comparison_table(evidence.task, evaluations)
        tables.insert(1, Table(rows, ["", *heads], title, numeric=(1, 2)))
    if evidence.task == "labels" and len(evidence.names) > 1:
        tables.append(_by_label(evidence))
    tables.extend(context.tables)
    text = f"On {rows_of_metrics(evidence, context)}."
    return Section("figures", "Metrics", text, tables=tables)


def _by_label(evidence: Evidence) -> Table:
    """The metrics of each label alone."""
    rows = []
    for k, name in enumerate(evidence.names):
        positive, p = evidence.indicators[:, k], evidence.P[:, k]
        right = float(np.average((p >= 0.5) == positive, weights=evidence.s))
        area = roc(positive, p, evidence.s).area
        known = shown(area) if np.isfinite(area) else "–"
        rows.append([name, shown(right), known, f"{positive.mean():.1%}"])
    heads = ["label", "accuracy", "AUC", "share of rows"]
    return Table(rows, heads, "Per output", numeric=range(1, len(heads)))


# ------------------------------------------------------------------------------- the sections


def _judged_sections(evidence: Evidence, context: Context) -> Iterator[Section]:
    pictures = list(_regression(evidence) if evidence.task == "regression" else _classes(evidence))
    text = f"On {len(evidence.X):,} {context.judged_by}."
    yield Section("predictions", "Predictions", text, figures=pictures)
    if evidence.network.inputs == 2:
        caption = (
            "The inputs as the network reads them. Points are the evaluated rows, colored by their "
            "true target."
        )
        yield Section(
            "decision",
            "Decision surface",
            figures=[
                drawn("decision", plots.plot_decision, evidence, caption=caption, size=(5.4, 4.2))
            ],
        )


def _regression(evidence: Evidence) -> Iterator[Drawn]:
    for k in range(min(len(evidence.names), _MOST_TARGETS)):
        yield drawn(f"predicted{k}", plots.plot_predicted, evidence, target=k)
        yield drawn(f"residuals{k}", plots.plot_residuals, evidence, target=k)


def _classes(evidence: Evidence) -> Iterator[Drawn]:
    if evidence.task == "classification":
        yield drawn(
            "confusion",
            plots.plot_confusion,
            evidence,
            caption="Shade: share of the true class. Numbers: rows, by weight where rows have one.",
            size=(5.0, 4.2),
        )
    if not plots.curves_of(evidence):
        return
    yield drawn("roc", plots.plot_roc, evidence, caption="One class versus the rest.")
    yield drawn("pr", plots.plot_precision_recall, evidence)
    yield drawn(
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
        "How much the loss changes per standard deviation of the column: norm of σ dA[0], with "
        "dA[0] = W[1]ᵀ δ[1] (Eq. 11d carried to the input), averaged over the rows, each moved at "
        "random by about a tenth of σ. The code of an embedded category has no derivative."
    )
    height = 1.0 + 0.19 * min(len(found), 15)
    yield Section(
        "columns",
        "Feature importance",
        _missing_text(found),
        figures=[
            drawn("importance", plots.plot_importance, found, caption=rise, size=(5.0, height)),
            drawn(
                "gradients", plots.plot_input_gradients, found, caption=slope, size=(5.0, height)
            ),
        ],
    )


def _missing_text(found: Sequence[Importance]) -> str:
    """How much the columns count only by whether their value is missing."""
    shares = [
        f"{each.name} {each.missing_share:.0%}" for each in found if each.missing_share > _SOME
    ]
    if not shares:
        return ""
    return (
        "Part of the importance is whether a value is missing, not which value it is: "
        f"{', '.join(shares)}. Make sure that values are missing for the same reasons when the "
        "model is used."
    )


def _errors_section(
    evidence: Evidence, context: Context, found: list[Importance]
) -> Iterator[Section]:
    rank = {each.name: place for place, each in enumerate(found)}
    order = sorted(
        range(len(evidence.columns)), key=lambda k: rank.get(evidence.columns[k].name, len(rank))
    )
    at = order[:_MOST_CELLS]
    heads = ["row", "true", "predicted", "loss", *(evidence.columns[k].name for k in at)]
    rows = [
        [
            miss.row,
            miss.was,
            miss.predicted,
            shown(miss.loss),
            *(_cut(miss.cells[k]) for k in at),
        ]
        for miss in largest_errors(evidence)
    ]
    text = (
        "The rows with the largest loss: mislabeled, unusual, or simply hard. "
        f"{context.rows_counted}"
    )
    if len(evidence.columns) > len(at):
        text += f" Shown are the {len(at)} most important of {len(evidence.columns)} columns."
    yield Section("worst", "Largest errors", text, tables=[Table(rows, heads, numeric=(0, 3))])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _data_section(context: Context) -> Iterator[Section]:
    tables = [Table(context.data), Table(context.columns, title="Columns")]
    if shown_tables := [table for table in tables if table.rows]:
        yield Section("data", "Data", tables=shown_tables)


def data_of(evidence: Evidence) -> list[tuple[str, str]]:
    """The description of data of which only the arrays are known."""
    return [("evaluated on", f"{len(evidence.X):,} rows, {len(evidence.columns)} columns")]
