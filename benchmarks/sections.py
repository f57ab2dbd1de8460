"""Sections of a Markdown file that a benchmark writes, each between its own two markers."""

from __future__ import annotations

import platform
import shlex
import sys
from pathlib import Path

import numpy as np

import deltarule

ROOT = Path(__file__).resolve().parent.parent


def command() -> str:
    """The command that is running, as one types it in the repository's root."""
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    return shlex.join(["python", script.as_posix(), *sys.argv[1:]])


def environment() -> str:
    """What the figures depend on, in one line."""
    return (
        f"deltarule {deltarule.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}"
    )


def section(path: Path, name: str) -> str:
    """What is between the markers of `name`; empty where there are none."""
    begin, end = _markers(name)
    return path.read_text().partition(begin)[2].partition(end)[0]


def write_section(path: Path, name: str, text: str) -> None:
    """Put `text` between the markers of `name`, at the file's end where there are none."""
    begin, end = _markers(name)
    marked = f"{begin}\n{text.strip()}\n{end}"
    page = path.read_text() if path.exists() else ""
    if begin in page:
        before, rest = page.split(begin, 1)
        page = before + marked + rest.split(end, 1)[1]
    else:
        page = f"{page.rstrip()}\n\n{marked}\n"
    path.write_text(page)


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- begin {name} -->", f"<!-- end {name} -->"
