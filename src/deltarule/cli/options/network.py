"""Options that describe the network."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.activations import ACTIVATIONS
from deltarule.cli.options.texts import names
from deltarule.costs import COSTS

_PANEL = "Network"

Hidden = Annotated[
    str | None,
    typer.Option(
        "--hidden",
        metavar="UNITS",
        help="Units of the hidden layers, with commas, or none; chosen unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ActivationName = Annotated[
    str | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help=f"Of the hidden layers; chosen unless given: {', '.join(ACTIVATIONS)}.",
        autocompletion=names(ACTIVATIONS),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Bins = Annotated[
    int | None,
    typer.Option(
        "--bins",
        metavar="N",
        help="Pieces a column of numbers is cut into, at most; 0: none. Chosen unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Ensemble = Annotated[
    int,
    typer.Option(
        "--ensemble",
        metavar="N",
        help="So many networks, averaged; each with validation rows of its own.",
        rich_help_panel=_PANEL,
    ),
]
Members = Annotated[
    int,
    typer.Option(
        "--members",
        metavar="N",
        help="So many networks in one that share their weights, averaged: 8 to 32 are usual.",
        rich_help_panel=_PANEL,
    ),
]
CostName = Annotated[
    str | None,
    typer.Option(
        "--cost",
        metavar="NAME",
        help=f"By the task unless given: {', '.join(COSTS)}; with numbers as 'huber(2)'.",
        autocompletion=names(COSTS),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        "--dropout",
        metavar="SHARE",
        help="Share of each hidden layer's outputs dropped in training; chosen unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
