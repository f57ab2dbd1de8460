"""``deltarule evaluate``: a model's metrics on a table, the same as train's on the same rows."""

from __future__ import annotations

from typing import Annotated, Any

from deltarule import tabular
from deltarule.arrays import Array
from deltarule.cli.by_key import is_by_key
from deltarule.cli.command import command
from deltarule.cli.differences import Tally
from deltarule.cli.options import Data, Json, ModelPath, StreamOptions, TableOptions
from deltarule.cli.predictors import check_tabular
from deltarule.cli.results import (
    quantiles_as_json,
    say_consequences,
    say_metrics,
    say_quantiles,
)
from deltarule.cli.sources import opened
from deltarule.cli.terminal import Terminal, print_json
from deltarule.data import Stream, cells_of
from deltarule.errors import SettingError, rows_of
from deltarule.modelfile import Model, load_model
from deltarule.tabular.options import option, option_group


@option_group("Evaluation")
class RowOptions:
    """Which rows count."""

    all_rows: bool = option(
        "", "Also rows that the model was trained on, where DATA is its training table.", False
    )


@command
def evaluate(
    model: ModelPath,
    data: Data,
    asked: RowOptions,
    table: Annotated[TableOptions, ("strict",)],
    reading: StreamOptions,
    json: Json = False,
) -> None:
    """Evaluate a model on a table that has the target.

    If DATA is the table the model was trained on, only its held-out rows are used: the metrics are
    those of train. On a test file they are those of train --test.

    \b
    Examples:
      deltarule evaluate digits.safetensors digits
      deltarule evaluate flats.safetensors later.csv --json
    """  # noqa: D301 - typer keeps the lines after it
    if is_by_key(model):
        raise SettingError(
            f"{model}: holds one model per key, which evaluate does not support. For its held-out "
            "metrics per key: deltarule inspect --json; for predictions: deltarule predict."
        )
    loaded = load_model(model)
    check_tabular(loaded, model)
    terminal = Terminal(quiet=json)
    source = opened(data, reading.reading(tabular.record(loaded)), reading.memory)
    if isinstance(source, Stream):
        memory = reading.memory or 0
        frame, rows, which = _rows_in_blocks(terminal, loaded, source, asked.all_rows, memory)
    else:
        with cells_of(source.files):
            frame, rows, which = _rows(terminal, loaded, source.frame, asked.all_rows, table.strict)
    assert loaded.preprocessing is not None
    with cells_of(source.files), rows_of(rows):
        tally = Tally.of(loaded.preprocessing, frame)
        found = tabular.evaluate(loaded, frame, tabular.roles_of(loaded))
    tally.warn(terminal)
    assert loaded.targets is not None
    task = str(loaded.targets.task)
    title = f"{source.name}: {len(frame):,} rows, {which}"
    figures = {"network": found.figures}
    say_metrics(terminal, title, task, figures, found.intervals, units=found.target_units)
    say_consequences(terminal, found, loaded.targets)
    say_quantiles(terminal, quantiles := tabular.quantile_metrics(loaded, frame))
    if json:
        print_json(
            {
                "rows": len(frame),
                "which": which,
                "task": task,
                "figures": found.figures,
                "intervals": {name: list(own) for name, own in found.intervals.items()},
                "consequences": tabular.consequences_as_json([found]),
                **quantiles_as_json(quantiles),
                "differences": tally.as_json(),
            }
        )


def _rows(
    terminal: Terminal, model: Model, frame: Any, all_rows: bool, strict: bool
) -> tuple[Any, Array, str]:
    """The rows to evaluate on, their numbers in the table, and which they are."""
    own = tabular.training_on(model, frame)
    if own and not all_rows and own["judged_by"] == "held-out rows":
        return *tabular.held_out_again(model, frame), "held out when it was trained"
    assert model.targets is not None
    test, rows = tabular.test_rows(
        model.targets, tabular.roles_of(model), frame, strict, "test table"
    )
    if len(test) < len(frame):
        terminal.warn(f"rows without a target were dropped: {len(frame) - len(test):,}.")
    if own:
        terminal.warn("the model was trained on these rows: its metrics are too optimistic.")
    return test, rows, "all of them"


def _rows_in_blocks(
    terminal: Terminal, model: Model, source: Stream, all_rows: bool, memory: int
) -> tuple[Any, Array, str]:
    """The same of a table in blocks: of many rows a sample."""
    held = tabular.shares_of(model, source.digest)
    own, roles = held is not None, tabular.roles_of(model)
    if all_rows:
        held = None
    frame, rows, met = tabular.judged_rows(source, roles, memory=memory, held=held)
    if own and all_rows:
        terminal.warn("the model was trained on these rows: its metrics are too optimistic.")
    which = "held out when it was trained" if held is not None else "all of them"
    return frame, rows, which if len(frame) == met else f"a sample of {met:,}, {which}"
