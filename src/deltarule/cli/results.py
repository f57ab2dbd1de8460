"""The evaluation of a model in the terminal: alerts, metrics with intervals, what they mean."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deltarule import baselines as bl
from deltarule import tabular
from deltarule.cli.terminal import Terminal
from deltarule.cli.trainer import Trained
from deltarule.consequences import Alarms
from deltarule.data import BUILT_IN, with_unit
from deltarule.preprocessing import Targets


def say_results(terminal: Terminal, trained: Trained) -> None:
    """Alerts first, then the metrics, the comparisons, the verdict, and all of it in words."""
    evaluations, task = trained.evaluations, trained.problem.task
    terminal.say()
    for alert in (alerts := trained.alerts):
        terminal.say(alert.text, style="bold red")
    if alerts:
        terminal.say()
    say_metrics(
        terminal,
        f"Metrics on {evaluations[0].rows:,} {tabular.rows_named(trained.evaluated_on)}",
        task,
        {each.name: each.figures for each in evaluations},
        evaluations[0].intervals,
        [each.seconds for each in evaluations],
        evaluations[0].target_units,
    )
    say_comparisons(terminal, task, evaluations)
    if trained.verdict:
        terminal.say(trained.verdict, style="bold")
    say_consequences(terminal, evaluations[0], trained.fitted.model.targets)
    if trained.problem.roles.weights is None:  # counts are of rows
        say_costs(terminal, evaluations[0], trained.settings)


def say_metrics(
    terminal: Terminal,
    title: str,
    task: str,
    figures: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Sequence[float]],
    seconds: Sequence[float] = (),
    units: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """The tables of :func:`~deltarule.baselines.metric_tables`, with a title.

    `units` are those of several targets, by name; empty where they are not known.
    """
    for table in bl.metric_tables(task, figures, intervals, seconds, tuple(units)):
        named = with_unit(repr(table.target), units.get(table.target, ""))
        own = f"Metrics of {named}" if table.target else title
        terminal.table(own, table.heads, table.rows, mark=0)


def say_comparisons(terminal: Terminal, task: str, evaluations: Sequence[bl.Evaluation]) -> None:
    """The network less each other model, by the first metric, on the same rows."""
    (title, *heads), rows = bl.comparison_table(task, evaluations)
    if rows:
        terminal.table(title, ["", *heads], rows)


def say_consequences(terminal: Terminal, network: bl.Evaluation, targets: Targets | None) -> None:
    """What the errors mean, in words, and the decision between two classes where one was chosen."""
    decision = None if targets is None else targets.decision
    if decision is not None and decision.reason:
        terminal.say(
            f"Predicts {decision.describe()}; the accuracy above is that of the likelier class."
        )
    found = network.consequences
    for sentence in [] if found is None else found.sentences():
        terminal.say(sentence)


def say_quantiles(terminal: Terminal, found: Sequence[tabular.QuantileMetrics]) -> None:
    """How many rows lie below each predicted quantile, and the pinball loss, target by target."""
    for title, rows in tabular.quantile_tables(found).items():
        terminal.table(title, tabular.QUANTILE_HEADS, rows)


def quantiles_as_json(found: Sequence[tabular.QuantileMetrics]) -> dict[str, Any]:
    """The same for machines; nothing where no quantiles are predicted."""
    return {"quantiles": [each._asdict() for each in found]} if found else {}


def say_costs(terminal: Terminal, network: bl.Evaluation, settings: tabular.Settings) -> None:
    """What a row costs, where costs were given."""
    found = network.consequences
    if not isinstance(found, Alarms) or (settings.cost_of_miss, settings.cost_of_alarm) == (
        None,
        None,
    ):
        return
    miss, alarm = tabular.costs_of(settings)
    nothing = found._replace(found=0, predicted=0)
    everything = found._replace(found=found.present, predicted=found.rows)
    own, none, all_ = (bl.shown(of.cost(miss, alarm)) for of in (found, nothing, everything))
    terminal.say(
        f"Cost per row: {own}; {none} without any alarm, {all_} if every row were an alarm."
    )


def say_next(terminal: Terminal, data: Sequence[str], model: Path | None) -> None:
    """The commands that come next, with the files that were used."""
    if model is None:
        terminal.say("The model was not saved: add --out FILE.", style="bold")
        return
    own, table = shlex.quote(str(model)), shlex.join(data)
    new = table if data[0] in BUILT_IN else "NEW.csv"
    commands = [
        ("predict", f"deltarule predict {own} {new} --out predictions.csv"),
        ("evaluate", f"deltarule evaluate {own} {new}"),
        ("why", f"deltarule predict {own} {new} --why"),
        ("inspect", f"deltarule inspect {own}"),
    ]
    if "-" not in data:
        commands.append(("explain", f"deltarule explain {own} {table}"))
    terminal.listing("Next", commands)
