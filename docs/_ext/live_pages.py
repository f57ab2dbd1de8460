"""The pages that deltarule writes, made while the site is built, for readers to use there.

They are in ``live/`` of the site, each a standalone file.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from deltarule.cli import main

FLATS = Path(__file__).parents[2] / "examples" / "flats.csv"
COMMANDS = (
    "train flats.csv --target rent --quality fast --out flats.safetensors --report report.html",
    "explain --out step.html",
    "explain flats.safetensors flats.csv --largest-errors 4 --out flats.html",
    "explain --playground --out playground.html",
    "export flats.safetensors --out model.html",
    "predict flats.safetensors flats.csv --why-page why.html --why-row 2 --out predictions.csv",
    "worksheet --seed 100 --network 2,2,1 --out worksheet",
)
PAGES = ("step", "flats", "playground", "model", "report", "why", "worksheet/worksheet-100")


def make(app: Sphinx) -> None:
    """Run the commands, in their order, and leave the pages in ``live/``."""
    if app.builder.format != "html":
        return
    page = (Path(app.srcdir) / "live.md").read_text(encoding="utf-8")
    unnamed = [command for command in COMMANDS if f"`deltarule {command}`" not in page]
    if unnamed:
        raise ExtensionError(f"live.md: expected the command `deltarule {unnamed[0]}` on the page.")
    folder = Path(app.outdir) / "live"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(FLATS, folder)
    with contextlib.chdir(folder):
        for command in COMMANDS:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                status = main(command.split())
            if status:
                raise ExtensionError(f"deltarule {command}: status {status}\n{printed.getvalue()}")
    missing = [page for page in PAGES if not (folder / f"{page}.html").is_file()]
    if missing:
        raise ExtensionError(f"live pages: expected {', '.join(missing)}; they were not written.")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", make)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
