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
        help="Units of the hidden layers, separated by commas, or none (default: chosen "
        "automatically).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ActivationName = Annotated[
    str | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help=f"Activation of the hidden layers (default: chosen automatically): "
        f"{', '.join(ACTIVATIONS)}.",
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
        help="Maximum number of bins per numeric column; 0 for none (default: chosen "
        "automatically).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Ensemble = Annotated[
    int,
    typer.Option(
        "--ensemble",
        metavar="N",
        help="Number of networks to train and average; each uses a different validation fold.",
        rich_help_panel=_PANEL,
    ),
]
Members = Annotated[
    int,
    typer.Option(
        "--members",
        metavar="N",
        help="Number of averaged members that share the weights of one network; usually 8 to 32.",
        rich_help_panel=_PANEL,
    ),
]
CostName = Annotated[
    str | None,
    typer.Option(
        "--cost",
        metavar="NAME",
        help=f"Cost function (default: chosen from the task): {', '.join(COSTS)}; with parameters "
        "as 'huber(2)'.",
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
        help="Dropout rate of the hidden layers (default: chosen automatically).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
