"""Runs what the first pages show and writes each command's output: ``python docs/outputs.py``.

With ``--check`` it writes nothing and fails if an output differs from the page, with file and
line. A page's blocks run in order, in one empty folder: ``python`` and ``pycon`` blocks share
their names, ``console`` blocks hold commands and their outputs. A line ``...`` stands for any
number of lines. Times, versions and last digits depend on the machine and are not compared.
"""

from __future__ import annotations

import contextlib
import doctest
import math
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = tuple(ROOT / name for name in ("README.md", "docs/install.md", "docs/getting-started.md"))

CUT = "..."
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
MACHINES = (
    (re.compile(r"(?<=engine native ).*"), "..."),  # the processor's instruction set, its cores
    (re.compile(r"\b\d+(?:\.\d+){2}\w*"), "VERSION"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:µs|ms|s|min)\b"), "TIME"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\s+"), " "),
)


class Block(NamedTuple):
    """A fenced block: its language, the number of its first line, from 0, and its lines."""

    language: str
    first: int
    lines: list[str]


class Difference(NamedTuple):
    """An output as the page shows it, from line ``first``, and as found, or a message."""

    first: int
    shown: list[str]
    found: list[str]
    message: str = ""

    def __str__(self) -> str:
        if self.message:
            return f"{self.first + 1}: {self.message}"
        pairs = zip([*self.shown, *[""] * len(self.found)], self.found, strict=False)
        at = next((i for i, pair in enumerate(pairs) if not alike(*pair)), len(self.found))
        found = "\n  ".join(self.found)
        return f"{self.first + at + 1}: the output is no longer what the page shows:\n  {found}"


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block of a page."""
    open_: Block | None = None
    for number, line in enumerate(text.splitlines()):
        if not line.startswith("```"):
            if open_ is not None:
                open_.lines.append(line)
        elif open_ is None:
            open_ = Block(line[3:].strip(), number + 1, [])
        else:
            yield open_
            open_ = None


def commands(block: Block) -> Iterator[tuple[str, int, list[str]]]:
    """Each command of a console block, where its output begins, and that output."""
    starts = [i for i, line in enumerate(block.lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(block.lines)], strict=True):
        yield block.lines[start][2:], block.first + start + 1, block.lines[start + 1 : end]


def differences(page: Path) -> list[Difference]:
    """Run a page's blocks in an empty folder; return the outputs that differ from the page."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return list(ran(page))


def ran(page: Path) -> Iterator[Difference]:
    """Run a page's blocks in the current folder; yield the outputs that differ from the page."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python":
            code = "\n" * block.first + "\n".join(block.lines)
            exec(compile(code, str(page), "exec"), names)
        elif block.language == "pycon":
            yield from _examples(page, block, names)
        elif block.language == "console":
            for command, first, shown in commands(block):
                yield from _compared(first, shown, _printed(command))


def _examples(page: Path, block: Block, names: dict[str, Any]) -> Iterator[Difference]:
    text = "\n".join(block.lines) + "\n"
    test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), block.first)
    test.globs = names  # the parser copies them
    written: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=written.append, clear_globs=False)
    if written:
        lines = re.findall(r"line (\d+), in", "".join(written))
        yield Difference(int(lines[0]) - 1, [], [], "".join(written))


def _printed(command: str) -> list[str]:
    from typer.testing import CliRunner

    from deltarule.cli import app

    program, *arguments = shlex.split(command)
    if program != "deltarule":
        sys.exit(f"a console block holds commands of deltarule, got {command!r}; use a block of sh")
    done = CliRunner().invoke(app, arguments)
    output = [line.rstrip() for line in done.output.strip("\n").splitlines()]
    return output if done.exit_code == 0 else [*output, f"exit status {done.exit_code}"]


def _compared(first: int, shown: list[str], output: list[str]) -> Iterator[Difference]:
    while shown and not shown[-1]:  # blank lines before the next command
        shown = shown[:-1]
    if _fits(shown, output):
        return
    if CUT in shown:
        cut = shown.index(CUT)
        tail = len(shown) - cut - 1
        output = [*output[:cut], CUT, *output[len(output) - tail :]]
    yield Difference(first, shown, output)


def _fits(shown: list[str], output: list[str]) -> bool:
    """Whether an output is what a page shows, whose lines ``...`` stand for any lines."""
    if CUT not in shown:
        return len(shown) == len(output) and all(map(alike, shown, output))
    cut = shown.index(CUT)
    if len(output) < cut or not all(map(alike, shown[:cut], output)):
        return False
    return any(_fits(shown[cut + 1 :], output[begin:]) for begin in range(cut, len(output) + 1))


def alike(shown: str, found: str) -> bool:
    """Whether two lines are equal, except for what depends on the machine."""
    for pattern, name in MACHINES:
        shown, found = pattern.sub(name, shown), pattern.sub(name, found)
    these, those = NUMBER.split(shown.strip()), NUMBER.split(found.strip())
    return len(these) == len(those) and all(map(_close, these, those))


def _close(a: str, b: str) -> bool:
    """Numbers with a decimal point may differ by 1 %, rounding errors by any factor."""
    if a == b or not (NUMBER.fullmatch(a) and NUMBER.fullmatch(b) and "." in a + b):
        return a == b
    return math.isclose(float(a), float(b), rel_tol=0.01, abs_tol=1e-6)


def write(page: Path) -> None:
    """Replace the outputs of a page that changed."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for difference in reversed(differences(page)):
        if difference.message:
            sys.exit(f"{page.relative_to(ROOT)}:{difference}")
        first = difference.first
        lines[first : first + len(difference.shown)] = difference.found
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        wrong = [f"{page.relative_to(ROOT)}:{d}" for page in PAGES for d in differences(page)]
        if wrong:
            sys.exit("\n".join(wrong) + "\nTo update the outputs, run: make docs")
    else:
        for page in PAGES:
            write(page)
