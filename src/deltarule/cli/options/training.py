"""Options that say how the network is trained, and where."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.cli.options.texts import names
from deltarule.optimizers import OPTIMIZERS
from deltarule.schedules import SCHEDULES
from deltarule.training.stopping import ON_DIVERGENCE

_PANEL = "Training"

OptimizerName = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME",
        help=f"Optimizer (default: Adam with decay): {', '.join(OPTIMIZERS)}.",
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
        help="Peak of the learning-rate schedule (default: the optimizer's).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ScheduleName = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help=f"Learning-rate schedule (default: cosine): {', '.join(SCHEDULES)}.",
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
        help="Rows per step (default: 32 to 256, by the number of rows).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="Maximum number of epochs (default: 16 to 256, by the number of rows).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        help="Number of epochs without a better validation cost after which training stops.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
OnDivergence = Annotated[
    str,
    typer.Option(
        "--on-divergence",
        metavar="WHAT",
        help="If numbers stop being finite: raise an error, stop with the best epoch, reduce the "
        "learning rate and resume from the last good epoch, or ignore such batches.",
        autocompletion=names(ON_DIVERGENCE),
        rich_help_panel=_PANEL,
    ),
]
L1 = Annotated[
    float,
    typer.Option(
        "--l1", metavar="X", help="L1 penalty: times the sum of |W|.", rich_help_panel=_PANEL
    ),
]
L2 = Annotated[
    float,
    typer.Option(
        "--l2", metavar="X", help="L2 penalty: times the sum of W²/2.", rich_help_panel=_PANEL
    ),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        "--weight-decay",
        metavar="X",
        help="Decoupled weight decay (default: chosen automatically).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        "--label-smoothing",
        metavar="SHARE",
        help="Share of each target spread over all classes (default: none).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(
        "--clip-norm",
        metavar="X",
        help="Maximum norm of the gradient; larger ones are scaled down.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="RULE",
        help="balanced: every class has the same total weight in training.",
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
        help="Random seed; the same seed gives the same results.",
        rich_help_panel=_PANEL,
    ),
]
