"""A training run as it goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from deltarule.cli.terminal import Terminal
from deltarule.training.events import (
    Ended,
    EpochEnded,
    Event,
    NetworkEpochEnded,
    Progressed,
    RateReduced,
    Resumed,
    Started,
)

_LINES = 10  # about so many lines a run where there is no terminal
_FIGURES_WIDTH = 33
_SECONDS = 10.0  # and one at least this often


class Bar:
    """A bar on a terminal, while its context lasts.

    Parameters
    ----------
    terminal : Terminal
    columns : sequence of text or rich's columns
    description : str
    total : float, optional
    shown : any
        What the columns show, by name.
    """

    def __init__(
        self,
        terminal: Terminal,
        columns: Sequence[str | ProgressColumn],
        description: str,
        total: float | None = None,
        **shown: Any,
    ) -> None:
        self.terminal = terminal
        self.bar = Progress(
            *columns,
            console=terminal.console,
            transient=True,
            expand=True,
            disable=not terminal.live,
        )
        self.task = self.bar.add_task(description, total=total, **shown)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


class Watcher(Bar):
    """A listener of a training run, to be used as a context.

    Parameters
    ----------
    terminal : Terminal
    name : str
        What goes before the epoch, for one run of several; these print no lines.
    """

    def __init__(self, terminal: Terminal, name: str = "") -> None:
        columns = (
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, complete_style="cyan", table_column=Column(ratio=1)),
            _Figures(table_column=Column(no_wrap=True, min_width=_FIGURES_WIDTH)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
            "left",
        )
        super().__init__(terminal, columns, f"{name}epoch", cost="", validation="")
        self.name, self.epochs, self.steps, self.said = name, 0, 0, 0.0
        self.first = 0  # steps of the first network
        self.others: dict[int, int] = {}  # epochs of each further one

    def listen(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            self.epochs, self.steps = event.epochs, event.steps_per_epoch
            self.said = time.monotonic()
            self.bar.update(self.task, total=event.epochs * event.steps_per_epoch)
        elif isinstance(event, Resumed):
            self.terminal.say(f"Resumed from {event.checkpoint}, after epoch {event.epoch}.")
            for note in event.notes:
                self.terminal.warn(note)
        elif isinstance(event, RateReduced):
            self.terminal.warn(event.text)
        elif isinstance(event, Progressed):
            self._done((event.epoch - 1) * self.steps + event.step, cost=f"{event.cost:.4g}")
        elif isinstance(event, EpochEnded):
            self._epoch(event)
        elif isinstance(event, NetworkEpochEnded):
            self._others_epoch(event)
        elif isinstance(event, Ended):
            self._done(self.epochs * self.steps)

    def _done(self, steps: int, **shown: Any) -> None:
        """Show how many steps of the first network are done, besides those of the others."""
        self.first = steps
        all_of_them = steps + sum(self.others.values()) * self.steps
        self.bar.update(self.task, completed=all_of_them, **shown)

    def _others_epoch(self, event: NetworkEpochEnded) -> None:
        self.others[event.network] = event.epoch
        every, shown = self.epochs * self.steps, {}
        if self.first == every:  # it has nothing more to say
            which = f"network {event.network}/{event.networks}, epoch {event.epoch}/{self.epochs}"
            shown = {"description": f"{self.name}{which}"}
        self._done(self.first, total=event.networks * every, **shown)

    def _epoch(self, event: EpochEnded) -> None:
        cost, validation = f"{event.cost:.4g}", ""
        if event.validation_cost is not None:
            validation = f"{event.validation_cost:.4g}"
        self._done(
            event.epoch * self.steps,
            description=f"{self.name}epoch {event.epoch}/{self.epochs}",
            cost=cost,
            validation=validation,
        )
        every = max(1, self.epochs // _LINES)
        late = time.monotonic() - self.said > _SECONDS
        due = late or event.epoch == 1 or event.epoch % every == 0
        if due and not self.name and not self.terminal.live:
            self.said = time.monotonic()
            best = "  best so far" if event.best else ""
            self.terminal.say(
                f"epoch {event.epoch:>4}/{self.epochs}  cost {cost:<9} validation "
                f"{validation:<9} {event.seconds:6.1f} s{best}"
            )


class _Figures(ProgressColumn):
    """The last costs, of training and validation."""

    def render(self, task: Task) -> Text:
        """As text of one width, so that the bar keeps its length."""
        cost, validation = task.fields["cost"], task.fields["validation"]
        return Text.assemble(
            ("cost ", "dim"), f"{cost:<8}", (" validation ", "dim"), f"{validation:<8}"
        )
