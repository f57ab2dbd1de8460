"""Options that say how the network is trained, and where."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.cli.options.texts import names
from deltarule.optimizers import OPTIMIZERS
from deltarule.schedules import SCHEDULES
from deltarule.stopping import ON_DIVERGENCE

_PANEL = "Training"

OptimizerName = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME",
        help=f"Adam with decay unless given: {', '.join(OPTIMIZERS)}.",
        autocompletion=names(OPTIMIZERS),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="RATE",
        help="The schedule's peak; the optimizer's own unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ScheduleName = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help=f"Cosine unless given: {', '.join(SCHEDULES)}.",
        autocompletion=names(SCHEDULES),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="ROWS",
        help="Rows a step; 32 to 256 by the number of rows unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="At most so many passes over the rows; 16 to 256 unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        help="Stop after so many epochs without a better validation cost.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
OnDivergence = Annotated[
    str,
    typer.Option(
        "--on-divergence",
        metavar="WHAT",
        help="Where numbers stop being finite: raise an error, stop with the best epoch, reduce "
        "the rate and go on from the last good epoch, or ignore such batches.",
        autocompletion=names(ON_DIVERGENCE),
        rich_help_panel=_PANEL,
    ),
]
L1 = Annotated[
    float,
    typer.Option("--l1", metavar="X", help="Penalty on |W|.", rich_help_panel=_PANEL),
]
L2 = Annotated[
    float,
    typer.Option("--l2", metavar="X", help="Penalty on W²/2.", rich_help_panel=_PANEL),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        "--weight-decay",
        metavar="X",
        help="Decoupled decay; chosen unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        "--label-smoothing",
        metavar="SHARE",
        help="Share of each target spread over all classes; none unless given.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(
        "--clip-norm",
        metavar="X",
        help="Scale gradients back to this norm.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="RULE",
        help="balanced: every class counts alike in training.",
        autocompletion=names(("balanced",)),
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Of everything random: the same seed gives the same numbers.",
        rich_help_panel=_PANEL,
    ),
]
