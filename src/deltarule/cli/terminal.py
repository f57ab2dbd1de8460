"""What people see: text and tables at the terminal's width, errors on the error stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deltarule.cli.streams import Stream
from deltarule.system.markup import visible, visible_lines

_NAMES_WIDTH, _NAMES_MOST = 8, 32
PLAIN_WIDTH = 100  # where nobody looks, in a pipe or a file


class Terminal:
    """Where a command writes: for people, or one JSON object for machines.

    Control characters of what it is given are shown escaped; its own styling stays.

    Parameters
    ----------
    quiet : bool
        Nothing for people but warnings and errors: what a machine reads stands alone.
    mute : bool
        Nothing at all: another process says it.
    writes : bool
        Whether the command writes files: it then continues where its output fails.

    Attributes
    ----------
    warnings : list of str
        What was warned of, for ``--json``.
    """

    def __init__(self, *, quiet: bool = False, mute: bool = False, writes: bool = False) -> None:
        if writes and isinstance(sys.stdout, Stream):
            sys.stdout.persistent = True
        self.console = _console(sys.stdout, quiet=quiet or mute)
        self.errors = _console(sys.stderr, quiet=mute)
        self.warnings: list[str] = []

    @property
    def live(self) -> bool:
        """Whether somebody watches."""
        return self.console.is_terminal and not self.console.quiet

    def say(self, text: str = "", *, style: str = "") -> None:
        """A sentence, wrapped."""
        self.show(_text(text, style))

    def show(self, renderable: RenderableType) -> None:
        """Anything that rich can draw; where nobody looks, without spaces at the ends of lines."""
        if self.live:
            self.console.print(renderable)
            return
        with self.console.capture() as captured:
            self.console.print(renderable)
        lines = [line.rstrip() for line in captured.get().splitlines()]
        if not self.console.quiet:
            sys.stdout.write("\n".join([*lines, ""]))

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names on the left, what they are on the right, wrapped in its column."""
        self.show(_grid(rows, "bold", _NAMES_WIDTH))

    def listing(self, heading: str, rows: Iterable[tuple[str, str]]) -> None:
        """The same below a heading, the names not standing out."""
        self.say(heading, style="bold")
        self.show(Padding(_grid(rows, "cyan", 0), (0, 0, 0, 2), expand=False))

    def table(
        self, title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, mark: int = -1
    ) -> None:
        """A table: names on the left, numbers right-aligned; row `mark` stands out."""
        if title:
            self.say(title, style="bold")
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for place, head in enumerate(heads):
            table.add_column(_text(head), justify="right" if place else "left", overflow="fold")
        for number, row in enumerate(rows):
            table.add_row(*map(_text, row), style="bold green" if number == mark else "")
        self.show(Padding(table, (1, 0, 1, 2), expand=False))

    def waiting(self, text: str) -> AbstractContextManager[Any]:
        """Something that moves while work is done, where somebody watches."""
        if not self.live:
            return nullcontext()
        spinner = "dots" if self.console.encoding.startswith("utf") else "line"
        return self.console.status(_text(text), spinner=spinner)

    def finish(self) -> None:
        """Hand on what was shown, and raise what has failed meanwhile.

        Raises
        ------
        OutputError
            Where standard output takes no more.
        """
        if isinstance(sys.stdout, Stream):
            sys.stdout.finish()

    def warn(self, text: str) -> None:
        """A warning, on the error stream."""
        self.warnings.append(text)
        self._tell(Text.assemble(("warning: ", "bold yellow"), _text(text)))

    def note(self, text: str) -> None:
        """What is worth knowing but does not belong into the output, on the error stream."""
        self._tell(_text(text))

    def fail(self, text: str) -> None:
        """An error, on the error stream."""
        self._tell(Text.assemble(("error: ", "bold red"), _text(text)))

    def _tell(self, text: Text) -> None:
        """To the error stream: wrapped between words where somebody looks, else one line."""
        self.errors.print(text, soft_wrap=not self.errors.is_terminal)


def print_json(value: Any) -> None:
    """One JSON object, on standard output, in ASCII: whatever the encoding, it stays JSON."""
    sys.stdout.write(json.dumps(value, allow_nan=False, indent=2) + "\n")


def print_lines(text: str) -> None:
    """Multi-line text, on standard output, as it is but for control characters."""
    sys.stdout.write(visible_lines(text))


def _text(text: str, style: str = "") -> Text:
    """What people read; whoever makes such a text from names or cells makes it here."""
    return Text(visible(text), style=style)


def _grid(rows: Iterable[tuple[str, str]], style: str, width: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=style, overflow="fold", min_width=width, max_width=_NAMES_MOST)
    grid.add_column(overflow="fold")
    for name, text in rows:
        grid.add_row(_text(name), _text(text))
    return grid


def _console(stream: Any, *, quiet: bool = False) -> Console:
    """A console of the stream's width; lines are not cut where nobody looks."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False, quiet=quiet)
    if not console.is_terminal:
        console = Console(
            file=stream,
            highlight=False,
            markup=False,
            emoji=False,
            quiet=quiet,
            width=PLAIN_WIDTH,
        )
    return console
