"""Options that say what computes, where, and how precisely."""

from __future__ import annotations

from typing import Annotated

import typer

from deltarule.cli.options.texts import names
from deltarule.engines import ENGINES
from deltarule.engines.plan import DEVICES, PRECISIONS

_PANEL = "Engine"

EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help=f"auto, {', '.join(ENGINES)}.",
        autocompletion=names(("auto", *ENGINES)),
        rich_help_panel=_PANEL,
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="float32 or float64.",
        autocompletion=names(("float32", "float64")),
        rich_help_panel=_PANEL,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads of engine native; DELTARULE_NUM_THREADS, else the work of a step, decides "
        "unless given. The numbers are the same for any.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Processes that train with --by; -1 for a core each. The numbers are the same for "
        "any.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help=f"{', '.join(DEVICES)}; gpu:1 for the second. Other than the CPU: engine jax.",
        autocompletion=names(DEVICES),
        rich_help_panel=_PANEL,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help=f"Of an accelerator's float32 products: {', '.join(PRECISIONS)}; engine jax.",
        autocompletion=names(PRECISIONS),
        rich_help_panel=_PANEL,
    ),
]
