"""``deltarule worksheet``: a class's sheets of one training step, with their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deltarule import explain
from deltarule.arrays import checked_number
from deltarule.cli import options as opt
from deltarule.cli.terminal import Terminal
from deltarule.errors import FileError, SettingError
from deltarule.explain.worksheet import ACTIVATIONS
from deltarule.modelfile import write_whole
from deltarule.system.storage import reason

Sizes = Annotated[
    str,
    typer.Option(
        "--network", metavar="UNITS", help="Units of each layer with commas, the inputs first."
    ),
]
Hidden = Annotated[
    str,
    typer.Option(
        "--activation",
        metavar="NAME",
        help=f"Of the hidden layers: {', '.join(ACTIVATIONS)}.",
    ),
]
Count = Annotated[
    int,
    typer.Option("--count", metavar="K", help="How many sheets: of seeds N, N + 1 and so on."),
]
Examples = Annotated[
    int, typer.Option("--examples", metavar="M", help="Examples in the batch: 1 to 4.")
]
Blank = Annotated[
    float,
    typer.Option("--blank", metavar="SHARE", help="Share of the entries that is to be found."),
]
Folder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Where the files go; made where need be.")
]
_MOST_SHEETS = 1000


def worksheet(
    seed: opt.Seed = 0,
    network: Sizes = "2,2,1",
    activation: Hidden = "relu",
    count: Count = 1,
    examples: Examples = 2,
    blank: Blank = 0.75,
    out: Folder = Path("worksheets"),
) -> None:
    """Make worksheets of one training step, each with numbers of its own.

    For each sheet a page to print or to fill in (it checks itself) and a spreadsheet of live
    formulas; for all of them one key, with the arithmetic of every entry.

    \b
    Examples:
      deltarule worksheet --seed 7
      deltarule worksheet --seed 100 --count 30 --network 2,3,1 --out class
    """  # noqa: D301 - typer keeps the lines after it
    checked_number("worksheet", "count", count, low=1, high=_MOST_SHEETS, whole=True)
    sizes = _sizes(network)
    sheets = [
        explain.worksheet(seed + k, sizes, activation=activation, examples=examples, blank=blank)
        for k in range(count)
    ]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out}: cannot be made: {reason(error)}. Pass another --out.") from error
    for sheet in sheets:
        write_whole(out / f"worksheet-{sheet.seed}.html", explain.worksheet_page(sheet).encode())
        write_whole(out / f"worksheet-{sheet.seed}.xlsx", explain.spreadsheet(sheet))
    write_whole(out / "answer-key.html", explain.key_page(sheets).encode())
    seeds = f"{seed}" if count == 1 else f"{seed} to {seed + count - 1}"
    Terminal().say(
        f"{out}: worksheets {seeds} as .html and .xlsx, {sheets[0].asked} entries to find in the "
        "first; answer-key.html"
    )


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--network {text!r}: expected whole numbers with commas, the inputs first, such as "
            "2,2,1."
        ) from None
