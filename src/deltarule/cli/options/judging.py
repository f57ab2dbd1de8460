"""Options that say by what a model is judged."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Evaluation"

Test = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Evaluate on this file instead of a held-out test set. Repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--test-share",
        metavar="SHARE",
        help="Share of rows in the held-out test set.",
        rich_help_panel=_PANEL,
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--cv",
        metavar="K",
        help="Evaluate by K-fold cross-validation; the final model is trained on all rows.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Baselines = Annotated[
    bool,
    typer.Option(
        "--baselines/--no-baselines",
        help="Fit simple models for comparison.",
        rich_help_panel=_PANEL,
    ),
]
