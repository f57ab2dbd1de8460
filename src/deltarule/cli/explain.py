"""``deltarule explain``: a training step of a model on rows of a table, every number shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from deltarule import explain as ex
from deltarule import tabular
from deltarule.arrays import Array
from deltarule.cli.command import command
from deltarule.cli.options import ReadingOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.predictors import check_tabular
from deltarule.cli.row_choice import largest_errors, rows_between, rows_where
from deltarule.cli.sources import source
from deltarule.cli.terminal import Terminal, print_lines
from deltarule.data import cells_of, row_names
from deltarule.errors import SettingError, rows_of
from deltarule.modelfile import Model, load_model
from deltarule.optimizers import OPTIMIZERS
from deltarule.preprocessing import Preprocessing, with_targets
from deltarule.system.markup import visible
from deltarule.tabular.options import option, option_group

_MOST = 200  # rows: a page is for looking at them
_DEFAULT, _LISTED = 4, 6  # rows that are shown by default, and named in a title
_PLAIN = "gradient_descent"  # the default optimizer

OptionalModel = Annotated[
    Path | None,
    typer.Argument(metavar="MODEL", help="A file written by train --out.", show_default=False),
]
OptionalData = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA...",
        help="The table whose rows take the step; it has the target.",
        show_default=False,
    ),
]


@option_group("Options")
class ExplainOptions:
    """Which steps are shown, and where."""

    rows: str | None = option(
        "FIRST:END", "Rows to show, counted from 0, END left out (default: 0:4)."
    )
    where: str | None = option(
        "COMPARISON", "Show rows that one comparison of a column holds of, as 'tenure<3'."
    )
    largest_errors: int | None = option(
        "N",
        "Show the N rows with the largest errors.",
        limits={"low": 1, "high": _MOST, "whole": True},
    )
    out: Path = option(
        "FILE", "The page to write, one HTML file.", Path("page.html"), flag="--out -o"
    )
    text: bool = option("", "Print the step here; write no page.", False)
    playground: bool = option(
        "", "Write the playground: train on examples or your own table in the browser.", False
    )
    numbers: Path | None = option(
        "FILE", "Also write every number, as JSON or as a NumPy archive (.npz)."
    )
    optimizer: str = option("NAME", "What makes the update.", _PLAIN)
    learning_rate: float | None = option(
        "RATE", "Learning rate of the update (default: the optimizer's)."
    )
    steps: int = option("N", "Consecutive steps.", 1, limits={"low": 1, "high": 50, "whole": True})


@command
def explain(
    model: OptionalModel = None,
    data: OptionalData = None,
    *,
    asked: ExplainOptions,
    reading: ReadingOptions,
) -> None:
    """Show a training step: every number of it, on one page to walk through and to change.

    Without MODEL and DATA: the worked example of the documentation, 5 → 4 → 3 → 1.

    \b
    Examples:
      deltarule explain
      deltarule explain flats.safetensors flats.csv --rows 0:4 --out flats.html
      deltarule explain flats.safetensors flats.csv --where 'area<50' --largest-errors 4
      deltarule explain --text | less
      deltarule explain --playground --out playground.html
    """  # noqa: D301 - typer keeps the lines after it
    check_outputs(
        {"--out": None if asked.text else asked.out, "--numbers": asked.numbers},
        {"the model": model, "the data": data},
    )
    if asked.playground:
        _playground(model, asked)
        return
    optimizer = _optimizer(asked)
    if model is None:
        if given := [name for name, value in _row_choices(asked).items() if value is not None]:
            raise SettingError(
                f"{given[0]}: expected MODEL and DATA, whose rows it chooses. Name both, or leave "
                "it out for the worked example."
            )
        own = {} if optimizer is None else {"optimizer": optimizer}
        _show(ex.worked_trace(asked.steps, **own), asked)
        return
    if not data:
        raise SettingError(
            f"{model}: expected a table too, whose rows take the step: deltarule explain "
            f"{model} DATA. Without both, the worked example is shown."
        )
    loaded = load_model(model)
    check_tabular(loaded, model)
    table = source(data, reading.reading(tabular.record(loaded)))
    with cells_of(table.files):
        rows = _chosen(loaded, table.frame, asked)
    frame, called = table.frame[rows], row_names(table.files, rows)
    assert loaded.preprocessing is not None
    assert loaded.targets is not None
    with_targets(frame, loaded.targets.names, strict=True)
    labels = loaded.targets.classes if loaded.network.outputs > 1 else ()
    with cells_of(table.files), rows_of(rows.tolist()):
        X, names = loaded.preprocessing.transform(frame), loaded.preprocessing.names
        Y = loaded.targets.encode(frame)
    trace = ex.trace(
        loaded.network,
        loaded.parameters,
        X,
        Y,
        optimizer=OPTIMIZERS(_PLAIN) if optimizer is None else optimizer,
        steps=asked.steps,
        dtype="float64",
        inputs=[visible(name) for name in names],
        outputs=[visible(str(label)) for label in labels or loaded.targets.names],
        title=visible(f"{model.stem} on {_listed(rows, called)} of {Path(table.name).name}"),
    )
    cells = _cells(loaded.preprocessing, frame, called)._replace(
        classes=tuple(visible(str(label)) for label in loaded.targets.classes),
        means=tuple(map(float, loaded.targets.means)),
        stds=tuple(map(float, loaded.targets.stds)),
    )
    _show(trace, asked, cells)


def _playground(model: Path | None, asked: ExplainOptions) -> None:
    """The playground, which takes no model; its data are chosen in the page."""
    others = {
        str(model): model,
        **_row_choices(asked),
        "--text": asked.text or None,
        "--numbers": asked.numbers,
        "--optimizer": asked.optimizer if asked.optimizer != _PLAIN else None,
        "--learning-rate": asked.learning_rate,
        "--steps": asked.steps if asked.steps != 1 else None,
    }
    if given := [name for name, value in others.items() if value is not None]:
        raise SettingError(
            f"--playground: expected --out alone beside it; got {given[0]}. Choose data, network "
            "and optimizer in the page, or leave --playground out."
        )
    ex.save_playground(asked.out)
    Terminal().note(f"The playground: {asked.out}. Open it in a browser.")


def _row_choices(asked: ExplainOptions) -> dict[str, Any]:
    """By option, which rows of a table are asked for; None where it was not given."""
    return {
        "--rows": asked.rows,
        "--where": asked.where,
        "--largest-errors": asked.largest_errors,
    }


def _optimizer(asked: ExplainOptions) -> Any:
    """The optimizer, or None where nothing was asked for."""
    name, learning_rate = asked.optimizer, asked.learning_rate
    if learning_rate is None:
        return None if name == _PLAIN else OPTIMIZERS(name)
    make: Any = OPTIMIZERS.entry(name)
    return make(learning_rate)


def _chosen(model: Model, frame: Any, asked: ExplainOptions) -> Array:
    """The numbers of the rows that were asked for, counted from 0."""
    assert model.preprocessing is not None
    assert model.targets is not None
    if asked.rows is not None and asked.largest_errors is not None:
        raise SettingError(
            "--rows and --largest-errors both say which rows are shown; expected one of them. "
            "--where goes with either."
        )
    rows = np.arange(len(frame))
    if asked.where is not None:
        rows = rows_where(asked.where, frame, model.preprocessing)
    if asked.largest_errors is not None:
        return largest_errors(model, frame, rows, asked.largest_errors)
    if asked.rows is None:  # then the first that have a target
        return rows[with_targets(frame[rows], model.targets.names)[1]][:_DEFAULT]
    first, end = rows_between(asked.rows, len(rows))
    if end - first > _MOST:
        raise SettingError(
            f"--rows {asked.rows}: {end - first} rows are too many to look at; expected at most "
            f"{_MOST}."
        )
    return rows[first:end]


def _listed(rows: Array, called: list[str]) -> str:
    """Rows for a title, as they are called."""
    if len(rows) > 1 and (np.diff(rows) == 1).all():
        return f"rows {called[0]} to {called[-1]}"
    shown = ", ".join(called[:_LISTED])
    more = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def _cells(preprocessing: Preprocessing, frame: Any, called: list[str]) -> ex.Cells:
    """The rows' cells, and which inputs each column becomes."""
    columns, first = [], 0
    for column in preprocessing.columns:
        last = first + len(column.outputs)
        if column.name in frame.columns:
            columns.append(ex.CellColumn(visible(column.name), first, last))
        first = last
    cells = frame.select([c.name for c in preprocessing.columns if c.name in frame.columns])
    texts = tuple(
        tuple("" if cell is None else visible(str(cell)) for cell in row) for row in cells.rows()
    )
    return ex.Cells(tuple(columns), texts, tuple(map(visible, called)))


def _show(trace: ex.Trace, asked: ExplainOptions, cells: ex.Cells | None = None) -> None:
    terminal, numbers = Terminal(), asked.numbers
    if numbers is not None:
        save = trace.save_npz if numbers.suffix == ".npz" else trace.save_json
        save(numbers)
        terminal.note(f"every number: {numbers}")
    if asked.text:
        print_lines(ex.text(trace))
        return
    ex.save_page(trace, asked.out, cells)
    terminal.note(f"{trace!r}: {asked.out}. Open it in a browser.")
