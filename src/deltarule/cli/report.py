"""``--report``: the training report of a finished run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deltarule import explain, tabular
from deltarule.arrays import Array
from deltarule.cli.columns import between, condensed
from deltarule.cli.tables import TrainingTable
from deltarule.cli.trainer import Trained
from deltarule.data import row_names
from deltarule.report.compose import Report, compose
from deltarule.report.content import Context, Table

_MOST_ROWS = 500  # that contributions are computed of
_MOST_OUTPUTS = 12
_FROM_ONE = "Rows are counted from 1"


def report_of(
    trained: Trained,
    table: TrainingTable,
    watch: explain.Watch,
    command: list[str],
    quantiles: Sequence[tabular.QuantileMetrics] = (),
) -> Report:
    """The report of a training.

    Parameters
    ----------
    trained : Trained
    table : TrainingTable
    watch : Watch
        The callback that recorded the training.
    command : list of str
        The command line, without the program's name.
    quantiles : sequence of QuantileMetrics
        Of a model that predicts some.
    """
    problem, source = trained.problem, table.source.name
    frame, which, numbers = _rows(trained)
    crossed = trained.evaluated_on == "cross-validation"
    targets = problem.targets
    subject, file = " and ".join(targets.names), Path(source).name or source
    kept, best = problem.count, len(problem.validation.held)
    data = [
        ("source", source),
        ("task", f"{problem.task} of {subject}: {targets.reason}"),
        ("rows", f"{kept:,} for training, {best:,} of them for validation"),
        ("evaluated on", f"{len(frame):,} {which}"),
    ]
    if problem.task == "classification":
        data.append(("classes", ", ".join(map(str, targets.classes))))
    context = Context(
        title=f"{subject} from {file}",
        verdict=trained.verdict,
        data=data,
        settings=[
            *between(problem, trained.fitted.recipes),
            *zip(("network", "training"), tabular.lines(trained.fitted.recipes), strict=True),
        ],
        columns=condensed(problem.preprocessing.describe()),
        evaluations=trained.evaluations,
        judged_by=which,
        metrics_by="rows, by cross-validation" if crossed else "",
        warnings=[f"{text[:1].upper()}{text[1:]}" for text in table.warnings],
        command=shlex.join(["deltarule", *command]),
        seconds=trained.fitted.seconds,
        networks=len(trained.fitted.results),
        target=subject,
        source=file,
        rows=problem.count,
        alerts=trained.alerts,
        decision=_decision(trained),
        tables=[
            Table(rows, tabular.QUANTILE_HEADS, title, numeric=(1, 2))
            for title, rows in tabular.quantile_tables(quantiles).items()
        ],
        rows_counted=_rows_counted(trained),
        **_effects(trained, frame),
    )
    evidence = tabular.evidence(trained.fitted.model, problem.roles, frame, numbers, problem.train)
    return compose(trained.fitted.result, evidence, context, watch.diagnostics)


def _decision(trained: Trained) -> str:
    """How the model decides between two classes, where that was chosen."""
    targets = trained.fitted.model.targets
    decision = None if targets is None else targets.decision
    return decision.describe() if decision is not None and decision.reason else ""


def _effects(trained: Trained, frame: Any) -> dict[str, Any]:
    """What each column contributes to the predictions of some of the evaluated rows."""
    model = trained.fitted.model
    assert model.targets is not None
    if not len(frame) or len(model.targets.classes or model.targets.names) > _MOST_OUTPUTS:
        return {}
    some = frame.sample(_MOST_ROWS, seed=0) if len(frame) > _MOST_ROWS else frame
    found = tabular.explain_table(model, some)
    return {
        "effects": found.effects,
        "effects_of": f"in {found.rows.unit}, from {found.rows.reference.name}",
    }


def _rows(trained: Trained) -> tuple[Any, str, Array]:
    """The rows to evaluate on, what they are, and what each is called."""
    problem = trained.problem
    names = np.array(row_names(trained.files, trained.places), dtype=object)
    if len(problem.test):
        return problem.test, tabular.rows_named(trained.evaluated_on), names
    return problem.train[problem.validation.held], "validation rows", names


def _rows_counted(trained: Trained) -> str:
    count = "Row numbers are those of the file, with its header" if trained.files else _FROM_ONE
    return f"{count}; deltarule predict --why-row takes them."
