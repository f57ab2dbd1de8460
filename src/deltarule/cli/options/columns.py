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
        help="Target column; several separated by commas. Built-in data sets have a default.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="classification or regression (default: inferred from the target).",
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
        help="Columns to leave out, separated by commas.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Override a column's inferred type, for example age=category. Repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="COLUMN",
        help="Column with sample weights, used in training and in metrics.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="COLUMN",
        help="Group column: rows that share a value stay on the same side of a split.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="Time column: train on earlier rows, evaluate on later ones.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Train one model per key of this column, such as a store or a sensor. --out names a "
        "folder.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Raise an error for rows without a target instead of dropping them.",
        rich_help_panel=_PANEL,
    ),
]
