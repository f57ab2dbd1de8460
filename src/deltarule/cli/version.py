"""``deltarule --version``: what is installed, and what each engine can do."""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import version

import numpy as np
import typer

from deltarule.cli.terminal import Terminal
from deltarule.engines import ENGINES


def print_version(wanted: bool) -> None:
    """Print the version and end, where it is asked for."""
    if not wanted:
        return
    terminal = Terminal()
    terminal.say(
        f"deltarule {version('deltarule')} (Python {platform.python_version()}, NumPy "
        f"{np.__version__}, {platform.system()} {platform.machine()})"
    )
    terminal.pairs([(f"engine {name}", _capabilities(name)) for name in ENGINES])
    raise typer.Exit


def _capabilities(name: str) -> str:
    """An engine's own words: the first line of its module."""
    module = importlib.import_module(str(ENGINES.entry(name)))
    return (module.__doc__ or "").strip().splitlines()[0]
