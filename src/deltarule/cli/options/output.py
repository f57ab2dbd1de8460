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
        help="Output file, written atomically.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ModelOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Model file, written atomically; with --by, a folder for all models.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a training report: one self-contained HTML page.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
CheckpointDir = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint-dir",
        metavar="DIR",
        help="Folder for checkpoints, so that the run can resume after a crash or Ctrl-C.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
CheckpointEvery = Annotated[
    str,
    typer.Option(
        "--checkpoint-every",
        metavar="N|Ns",
        help="Write a checkpoint every N steps or, with an s, every N seconds.",
        rich_help_panel=_PANEL,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Resume from the newest checkpoint in --checkpoint-dir, or with --by from what --out "
        "holds; start from the beginning if there is none.",
        rich_help_panel=_PANEL,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object.", rich_help_panel=_PANEL),
]
Probabilities = Annotated[
    bool,
    typer.Option(
        "--probabilities",
        help="Add the probability of each class.",
        rich_help_panel=_PANEL,
    ),
]
Fallback = Annotated[
    str,
    typer.Option(
        "--fallback",
        metavar="NAME",
        help="Prediction for rows whose key has no model (train --by): missing, overall (the "
        "median or most frequent class of all rows), refuse.",
        autocompletion=names(FALLBACKS),
        rich_help_panel=_PANEL,
    ),
]
Intervals = Annotated[
    float | None,
    typer.Option(
        "--intervals",
        metavar="SHARE",
        help="Add prediction intervals with this coverage, for example 0.9.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
