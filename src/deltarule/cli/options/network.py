"""Options that describe the network."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.activations import ACTIVATIONS
from deltarule.cli.options.texts import names
from deltarule.costs import COSTS

_PANEL = "Network"

Hidden = Annotated[
    str,
    typer.Option(
        "--hidden",
        metavar="UNITS",
        help="Units of the hidden layers, with commas; none for a linear model.",
        rich_help_panel=_PANEL,
    ),
]
ActivationName = Annotated[
    str,
    typer.Option(
        "--activation",
        metavar="NAME",
        help=f"Of the hidden layers: {', '.join(ACTIVATIONS)}.",
        autocompletion=names(ACTIVATIONS),
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
    float,
    typer.Option(
        "--dropout",
        metavar="SHARE",
        help="Share of each hidden layer's outputs dropped in training.",
        rich_help_panel=_PANEL,
    ),
]
