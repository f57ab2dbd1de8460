"""``deltarule worksheet``: a class's sheets of one training step, with their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from deltarule import explain
from deltarule.cli.command import command
from deltarule.cli.terminal import Terminal
from deltarule.errors import FileError, SettingError
from deltarule.explain.worksheet import ACTIVATIONS
from deltarule.modelfile import write_whole
from deltarule.system.storage import reason
from deltarule.tabular import Settings
from deltarule.tabular.options import option, option_group

_MOST_SHEETS = 1000


@option_group("Options")
class SheetOptions:
    """What is on the sheets, and where they go."""

    network: str = option("UNITS", "Units of each layer with commas, the inputs first.", "2,2,1")
    activation: str = option("NAME", "Of the hidden layers", "relu", names=ACTIVATIONS)
    count: int = option(
        "K",
        "How many sheets: of seeds N, N + 1 and so on.",
        1,
        limits={"low": 1, "high": 1000, "whole": True},
    )
    examples: int = option("M", "Examples in the batch: 1 to 4.", 2)
    blank: float = option("SHARE", "Share of the entries that is to be found.", 0.75)
    out: Path = option("FOLDER", "Where the files go; made where need be.", Path("worksheets"))


@command
def worksheet(settings: Annotated[Settings, ("seed",)], asked: SheetOptions) -> None:
    """Make worksheets of one training step, each with different numbers.

    For each sheet a page to print or to fill in (it checks itself) and a spreadsheet of live
    formulas; for all of them one key, with the arithmetic of every entry.

    \b
    Examples:
      deltarule worksheet --seed 7
      deltarule worksheet --seed 100 --count 30 --network 2,3,1 --out class
    """  # noqa: D301 - typer keeps the lines after it
    seed, count, out = settings.seed, asked.count, asked.out
    sizes = _sizes(asked.network)
    sheets = [
        explain.worksheet(
            seed + k, sizes, activation=asked.activation, examples=asked.examples, blank=asked.blank
        )
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
