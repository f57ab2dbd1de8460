"""Writes ``docs/cli.md`` from the commands themselves: ``python docs/commands.py``.

With ``--check`` it writes nothing and fails where the page is not what it would write.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from deltarule.cli import app

PAGE = Path(__file__).parent / "cli.md"

INTRODUCTION = """\
# The command line

This page is written by `docs/commands.py` from the commands themselves; edit their help, not it.

`deltarule COMMAND --help` prints what stands here; of `train` and `tune` the options most people
need, and `--help-all` the others. Exit status: 0 on success, 2 for a mistake in
the command or its input, 130 where it was interrupted (143 by SIGTERM, 129 where its terminal was
closed), 1 for anything else. Errors go to standard error as `error: …`, warnings as `warning: …`.
`NO_COLOR=1` turns colors off; in a pipe there are none, and lines take the place of the progress
bar. `deltarule --install-completion` sets up completion for the shell in use.

Files are written before figures are printed: where standard output fails (a full disk, a reader
that has left), the model is saved, and the message names it. Control characters in names and cells
are shown escaped, as `\\x1b`; so are characters that the output's encoding lacks. `--json` prints
ASCII.

Ctrl-C, SIGTERM and a closed terminal (SIGHUP, unless `nohup` ignores it) end a training. With
`--checkpoint-dir` the run resumes from there; `--by --out` keeps finished keys, `--search` finished
trials. Without these nothing is written, and what was trained so far is lost.
"""


def page() -> str:
    """The whole page."""
    group = typer.main.get_command(app)
    context = group.make_context("deltarule", ["--help"], resilient_parsing=True)
    commands: dict[str, Any] = group.commands  # type: ignore[attr-defined]
    parts = [INTRODUCTION, *_options("## For every command", group.params, context)]
    for name, command in commands.items():
        if not command.hidden:
            own = command.make_context(name, [], parent=context, resilient_parsing=True)
            parts.extend(_command(name, command, own))
    return "\n".join(parts).rstrip() + "\n"


def _command(name: str, command: Any, context: Any) -> Iterator[str]:
    text, _, examples = command.help.partition("\b")
    arguments = " ".join(
        p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument"
    )
    yield f"## `{f'deltarule {name} {arguments}'.rstrip()}`\n"
    for paragraph in text.strip().split("\n\n"):
        yield textwrap.fill(paragraph, 96, break_on_hyphens=False) + "\n"
    lines = [line.strip() for line in examples.strip().splitlines()[1:]]
    yield "\n".join(["```console", *(f"$ {line}" for line in lines), "```", ""])
    yield from _options("", command.params, context)


def _options(heading: str, params: list[Any], context: Any) -> Iterator[str]:
    panels: dict[str, list[str]] = {}
    for param in params:
        if getattr(param, "hidden", False):
            continue
        panel = getattr(param, "rich_help_panel", None)
        panel = panel or ("Arguments" if param.param_type_name == "argument" else "Options")
        panels.setdefault(panel, []).append(_row(param))
    if heading:
        yield heading + "\n"
    for panel, rows in panels.items():
        yield f"**{panel}**\n"
        yield "\n".join(["| | |", "|---|---|", *rows]) + "\n"


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        name = f"`{param.metavar or param.name.upper()}`"
    else:
        spelled = "/".join([*param.opts, *param.secondary_opts])
        value = "" if param.is_flag else f" {param.metavar}"
        name = f"`{spelled}{value}`"
    text = " ".join((param.help or "").split()).replace("|", "\\|")
    default = param.default
    shown = getattr(param, "show_default", True) and default not in (None, False, True, [], ())
    return f"| {name} | {text}{f' Default: `{default}`.' if shown else ''} |"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() != page():
            sys.exit(f"{PAGE} is not what the commands say; run: make docs")
    else:
        PAGE.write_text(page())
