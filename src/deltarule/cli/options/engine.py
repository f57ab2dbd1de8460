"""Options that say what computes, where, and how precisely."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from deltarule.cli.options.texts import names
from deltarule.engines import ENGINES
from deltarule.engines.plan import DEVICES, PRECISIONS
from deltarule.errors import SettingError
from deltarule.system.processes import Group, distributed, group

_PANEL = "Engine"
_CLUSTER = "Several processes"

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
        help="Number of threads of engine native (default: DELTARULE_NUM_THREADS, else chosen from "
        "the work per step). Results do not depend on it.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Number of processes that train with --by; -1 for one per core. Results do not depend "
        "on it.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help=f"{', '.join(DEVICES)}; gpu:1 for the second GPU. All but the CPU need engine jax.",
        autocompletion=names(DEVICES),
        rich_help_panel=_PANEL,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Precision of float32 products on an accelerator, engine jax: "
        f"{', '.join(PRECISIONS)}.",
        autocompletion=names(PRECISIONS),
        rich_help_panel=_PANEL,
    ),
]
Devices = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="N",
        help="Number of devices of this process that share each batch, or all; engine jax "
        "(default: 1; with several processes, all).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Distributed = Annotated[
    bool,
    typer.Option(
        "--distributed",
        help="Train together with the other processes started by the same torchrun or srun; engine "
        "jax. Only process 0 prints and writes.",
        rich_help_panel=_CLUSTER,
    ),
]
Coordinator = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        metavar="HOST:PORT",
        help="The same without a launcher: address at which the others reach process 0.",
        rich_help_panel=_CLUSTER,
        show_default=False,
    ),
]
Process = Annotated[
    int | None,
    typer.Option(
        "--process",
        metavar="I",
        help="Index of this process, from 0.",
        rich_help_panel=_CLUSTER,
        show_default=False,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        metavar="N",
        help="Number of processes.",
        rich_help_panel=_CLUSTER,
        show_default=False,
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        help="Seconds to wait until all processes have started.",
        rich_help_panel=_CLUSTER,
    ),
]


def devices(text: str | None) -> int | str | None:
    """A number of devices, or all.

    Raises
    ------
    SettingError
        For anything else.
    """
    if text is None or text == "all":
        return text
    if not text.isdecimal():
        raise SettingError(f"--devices: expected a number, or all; got {text!r}.")
    return int(text)


def joined(
    asked: bool, coordinator: str | None, process: int | None, processes: int | None, wait: float
) -> AbstractContextManager[Group]:
    """The processes to train with: this one alone unless asked for."""
    if asked or (coordinator, process, processes) != (None, None, None):
        return distributed(coordinator, process, processes, wait=wait)
    return nullcontext(group())
