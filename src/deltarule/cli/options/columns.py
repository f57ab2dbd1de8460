"""Options that say what the columns of a table are for."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.cli.options.texts import names

_PANEL = "Columns"

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="What to predict; several with commas. A built-in set knows its own.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="classification or regression; told from the target unless given.",
        autocompletion=names(("classification", "regression")),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        metavar="COLUMNS",
        help="Columns to leave out, with commas.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Overrule what a column is taken for, as age=category. Repeat for more.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="COLUMN",
        help="How much each row counts, in training and in the figures.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="COLUMN",
        help="Rows with one value here are never on both sides of a split.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="Train on the past, judge by what came later.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="A model for each of its keys: a store, a sensor, a customer. --out names a folder.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse rows whose target is missing instead of dropping them.",
        rich_help_panel=_PANEL,
    ),
]
