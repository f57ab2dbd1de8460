"""Options that say what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deltarule.cli.options.texts import names
from deltarule.keyed import FALLBACKS

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
ModelOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Where to write the model, whole or not at all; with --by a folder, for all of them.",
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
CheckpointDir = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint-dir",
        metavar="DIR",
        help="Keep the run there, so that it can go on after a crash or Ctrl-C.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
CheckpointEvery = Annotated[
    str,
    typer.Option(
        "--checkpoint-every",
        metavar="N|Ns",
        help="A checkpoint every N steps, or with an s every N seconds.",
        rich_help_panel=_PANEL,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the newest checkpoint of --checkpoint-dir, with --by from what --out "
        "holds; without one, begin.",
        rich_help_panel=_PANEL,
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
Fallback = Annotated[
    str,
    typer.Option(
        "--fallback",
        metavar="NAME",
        help="What a row gets whose key has no model, of train --by: missing, overall (the median "
        "or most frequent class of all rows), refuse.",
        autocompletion=names(FALLBACKS),
        rich_help_panel=_PANEL,
    ),
]
Intervals = Annotated[
    float | None,
    typer.Option(
        "--intervals",
        metavar="SHARE",
        help="Beside a predicted number, the ends between which this share of the values lie: 0.9.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
