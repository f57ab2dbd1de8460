"""Options that say what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Output"

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Where to write it, whole or not at all.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a report of the training: one HTML page that needs nothing else.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object for machines.", rich_help_panel=_PANEL),
]
Probabilities = Annotated[
    bool,
    typer.Option(
        "--probabilities",
        help="Beside the predicted class, the probability of each.",
        rich_help_panel=_PANEL,
    ),
]
