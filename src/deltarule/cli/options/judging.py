"""Options that say by what a model is judged."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Judging"

Test = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Judge by this file instead of rows held out. Repeat for more.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--test-share",
        metavar="SHARE",
        help="Of the rows, held out to judge by.",
        rich_help_panel=_PANEL,
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--cv",
        metavar="K",
        help="Judge by K-fold cross-validation; the model is then trained on all rows.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Baselines = Annotated[
    bool,
    typer.Option(
        "--baselines/--no-baselines",
        help="Whether to fit simple models to compare with.",
        rich_help_panel=_PANEL,
    ),
]
