"""``deltarule explain``: a training step of a model on rows of a table, every number shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deltarule import explain as ex
from deltarule import tabular
from deltarule.cli import options as opt
from deltarule.cli import sources
from deltarule.cli.outputs import check_outputs
from deltarule.cli.predict import check_tabular
from deltarule.cli.terminal import Terminal, print_lines
from deltarule.errors import SettingError
from deltarule.modelfile import Model, load_model
from deltarule.optimizers import OPTIMIZERS
from deltarule.preprocessing.targets import with_targets
from deltarule.system.markup import visible

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
Rows = Annotated[
    str, typer.Option("--rows", metavar="FIRST:END", help="Which rows, from 0, END left out.")
]
Page = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="The page to write, one HTML file.")
]
AsText = Annotated[bool, typer.Option("--text", help="Print the step here; write no page.")]
Numbers = Annotated[
    Path | None,
    typer.Option(
        "--numbers",
        metavar="FILE",
        help="Also write every number, as JSON or as a NumPy archive (.npz).",
        show_default=False,
    ),
]
Update = Annotated[str, typer.Option("--optimizer", metavar="NAME", help="What makes the update.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", metavar="RATE", help="Of the update.", show_default="the optimizer's"
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=1, max=50, help="Consecutive steps.")]


def explain(
    model: OptionalModel = None,
    data: OptionalData = None,
    rows: Rows = "0:4",
    out: Page = Path("page.html"),
    text: AsText = False,
    numbers: Numbers = None,
    optimizer: Update = "gradient_descent",
    learning_rate: Rate = None,
    steps: Steps = 1,
    missing: opt.Missing = None,
    delimiter: opt.Delimiter = None,
    header: opt.Header = None,
    encoding: opt.Encoding = None,
    decimal_comma: opt.DecimalComma = None,
    quote: opt.Quote = None,
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
        {"--out": None if text else out, "--numbers": numbers},
        {"the model": model, "the data": data},
    )
    row = _optimizer(optimizer, learning_rate)
    if model is None:
        example = ex.worked_trace(steps) if row is None else ex.worked_trace(steps, optimizer=row)
        _show(example, out, text, numbers)
        return
    if not data:
        raise SettingError(
            f"{model}: expected a table too, whose rows take the step: deltarule explain "
            f"{model} DATA. Without both, the worked example is shown."
        )
    loaded = load_model(model)
    check_tabular(loaded, model)
    reading = sources.reading_of(
        missing, delimiter, header, encoding, decimal_comma, quote, about=tabular.record(loaded)
    )
    source = sources.source(data, reading)
    frame, shown = _chosen(loaded, source.frame, rows)
    assert loaded.preprocessing is not None
    assert loaded.targets is not None
    labels = loaded.targets.classes if loaded.network.outputs > 1 else ()
    X, names = loaded.preprocessing.transform(frame), loaded.preprocessing.names
    part = ex.DensePart(loaded.network, loaded.parameters, X, tuple(names), ())
    if not text:
        part = ex.dense_part(*part[:4])
    if part.before:
        Terminal().note(
            f"The page begins after {' and '.join(part.before)}: its inputs are what those make of "
            "the columns, with their parameters as they are. --text shows every layer."
        )
    trace = ex.trace(
        part.network,
        part.parameters,
        part.X,
        loaded.targets.encode(frame),
        optimizer=OPTIMIZERS("gradient_descent") if row is None else row,
        steps=steps,
        inputs=[visible(name) for name in part.inputs],
        outputs=[visible(str(label)) for label in labels or loaded.targets.names],
        title=visible(f"{model.stem} on {shown} of {Path(source.name).name}"),
    )
    _show(trace, out, text, numbers)


def _optimizer(name: str, learning_rate: float | None) -> Any:
    """The optimizer, or None where nothing was asked for."""
    if learning_rate is None:
        return None if name == "gradient_descent" else OPTIMIZERS(name)
    make: Any = OPTIMIZERS.entry(name)
    return make(learning_rate)


def _chosen(model: Model, frame: Any, rows: str) -> tuple[Any, str]:
    """The rows that were asked for, and which they are."""
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
    return taken, f"rows {start} to {stop - 1}"


def _show(trace: ex.Trace, out: Path, text: bool, numbers: Path | None) -> None:
    terminal = Terminal()
    if numbers is not None:
        save = trace.save_npz if numbers.suffix == ".npz" else trace.save_json
        save(numbers)
        terminal.note(f"every number: {numbers}")
    if text:
        print_lines(ex.text(trace))
        return
    ex.save_page(trace, out)
    terminal.note(f"{trace!r}: {out}, to be opened in a browser.")
