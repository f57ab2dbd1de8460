"""``deltarule explain``: a training step of a model on rows of a table, every number shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deltarule import explain as ex
from deltarule import tabular
from deltarule.cli.command import command
from deltarule.cli.options import ReadingOptions
from deltarule.cli.outputs import check_outputs
from deltarule.cli.predictors import check_tabular
from deltarule.cli.sources import source
from deltarule.cli.terminal import Terminal, print_lines
from deltarule.data import cells_of
from deltarule.errors import SettingError, rows_of
from deltarule.modelfile import Model, load_model
from deltarule.optimizers import OPTIMIZERS
from deltarule.preprocessing import with_targets
from deltarule.system.markup import visible
from deltarule.tabular.options import option, option_group

_MOST = 200  # rows: a page is for looking at them

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

    rows: str = option("FIRST:END", "Which rows, from 0, END left out.", "0:4")
    out: Path = option(
        "FILE", "The page to write, one HTML file.", Path("page.html"), flag="--out -o"
    )
    text: bool = option("", "Print the step here; write no page.", False)
    numbers: Path | None = option(
        "FILE", "Also write every number, as JSON or as a NumPy archive (.npz)."
    )
    optimizer: str = option("NAME", "What makes the update.", "gradient_descent")
    learning_rate: float | None = option("RATE", "Of the update (default: the optimizer's).")
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
      deltarule explain --text | less
    """  # noqa: D301 - typer keeps the lines after it
    check_outputs(
        {"--out": None if asked.text else asked.out, "--numbers": asked.numbers},
        {"the model": model, "the data": data},
    )
    optimizer = _optimizer(asked)
    if model is None:
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
    frame, first = _chosen(loaded, table.frame, asked.rows)
    shown = f"rows {first} to {first + len(frame) - 1}"
    assert loaded.preprocessing is not None
    assert loaded.targets is not None
    labels = loaded.targets.classes if loaded.network.outputs > 1 else ()
    with cells_of(table.files), rows_of(range(first, first + len(frame))):
        X, names = loaded.preprocessing.transform(frame), loaded.preprocessing.names
        Y = loaded.targets.encode(frame)
    part = _shown_part(loaded, X, tuple(names), asked)
    trace = ex.trace(
        part.network,
        part.parameters,
        part.X,
        Y,
        optimizer=OPTIMIZERS("gradient_descent") if optimizer is None else optimizer,
        steps=asked.steps,
        inputs=[visible(name) for name in part.inputs],
        outputs=[visible(str(label)) for label in labels or loaded.targets.names],
        title=visible(f"{model.stem} on {shown} of {Path(table.name).name}"),
    )
    _show(trace, asked)


def _shown_part(model: Model, X: Any, names: tuple[str, ...], asked: ExplainOptions) -> Any:
    """All layers as text; on a page the dense ones, of several networks those of the first."""
    part = ex.DensePart(model.network, model.parameters, X, names, ())
    if asked.text:
        return part
    networks = tabular.record(model).get("settings", {}).get("n_ensemble", 1)
    if networks > 1:
        first = tabular.separated(model.network, model.parameters)[0]
        part = ex.DensePart(*first, X, names, ())
        Terminal().note(
            f"The model averages {networks} networks: the page shows the first. --text shows all "
            "of them."
        )
    part = ex.dense_part(*part[:4])
    if part.before:
        Terminal().note(
            f"The page begins after {' and '.join(part.before)}: its inputs are what those make of "
            "the columns, with their parameters as they are. --text shows every layer."
        )
    return part


def _optimizer(asked: ExplainOptions) -> Any:
    """The optimizer, or None where nothing was asked for."""
    name, learning_rate = asked.optimizer, asked.learning_rate
    if learning_rate is None:
        return None if name == "gradient_descent" else OPTIMIZERS(name)
    make: Any = OPTIMIZERS.entry(name)
    return make(learning_rate)


def _chosen(model: Model, frame: Any, rows: str) -> tuple[Any, int]:
    """The rows that were asked for, and the number of the first, counted from 0."""
    assert model.targets is not None
    first, colon, end = rows.partition(":")
    bounds = [part.strip() or default for part, default in ((first, "0"), (end, str(len(frame))))]
    if not colon or not all(part.isdecimal() for part in bounds):
        raise SettingError(f"--rows {rows}: expected FIRST:END, as 0:4; rows count from 0.")
    start, stop = map(int, bounds)
    if not start < stop <= len(frame):
        raise SettingError(
            f"--rows {rows}: expected 0 ≤ FIRST < END ≤ {len(frame)}; the table has rows 0 to "
            f"{len(frame) - 1}."
        )
    if stop - start > _MOST:
        raise SettingError(
            f"--rows {rows}: {stop - start} rows are too many to look at; expected at most {_MOST}."
        )
    taken = frame.slice(start, stop - start)
    with_targets(taken, model.targets.names, strict=True)
    return taken, start


def _show(trace: ex.Trace, asked: ExplainOptions) -> None:
    terminal, numbers = Terminal(), asked.numbers
    if numbers is not None:
        save = trace.save_npz if numbers.suffix == ".npz" else trace.save_json
        save(numbers)
        terminal.note(f"every number: {numbers}")
    if asked.text:
        print_lines(ex.text(trace))
        return
    ex.save_page(trace, asked.out)
    terminal.note(f"{trace!r}: {asked.out}, to be opened in a browser.")
