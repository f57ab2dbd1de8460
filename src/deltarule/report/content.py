"""What a training report is made of: its context, and the figures and tables of a section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from deltarule.baselines import Evaluation
from deltarule.errors import require
from deltarule.report.diagnosis import Finding
from deltarule.report.drawing import figure, svg

Pairs = Sequence[tuple[str, str]]


class Effect(Protocol):
    """What a column contributes to an output over many rows."""

    @property
    def column(self) -> str:
        """Its name."""

    @property
    def output(self) -> str:
        """The output's."""

    @property
    def mean_absolute(self) -> float:
        """Mean absolute contribution."""

    @property
    def summary(self) -> str:
        """Its direction in a phrase."""

    @property
    def is_date(self) -> bool:
        """Whether its values are days since 1970."""

    @property
    def curve(self) -> Sequence[tuple[float | str, float, int]]:
        """Values, their mean contributions, and how many rows hold them."""


@dataclass(frozen=True)
class Context:
    """What a report says beside what it can see.

    Attributes
    ----------
    title, verdict : str
    data, settings, columns : sequences of pairs of str
        Names and values; how each column is encoded.
    evaluations : sequence of Evaluation
        Models evaluated on the same rows, the network first.
    judged_by : str
        What the evaluated rows are: ``"held-out rows"``.
    metrics_by : str
        What the rows of `evaluations` are, where they are others.
    warnings : sequence of str
        What is wrong with the data.
    command : str
        What repeats the training.
    seconds : float or None
        What the training took.
    networks : int
        How many were trained and are averaged.
    target, source : str
        What is predicted, and the table that it is predicted from.
    rows : int or None
        Training rows; None where their number is not known.
    alerts : sequence of (str, str)
        What has to be known first: its kind, and what is so.
    decision : str
        How classes are decided between, where that was chosen.
    tables : sequence of Table
        Further metrics.
    effects : sequence of Effect
        What each column contributes to the predictions of the evaluated rows.
    effects_of : str
        In which unit, and from which reference row.
    rows_counted : str
        How rows are counted, in a sentence.
    """

    title: str = "A network"
    verdict: str = ""
    data: Pairs = ()
    settings: Pairs = ()
    columns: Pairs = ()
    evaluations: Sequence[Evaluation] = ()
    judged_by: str = "evaluation rows"
    metrics_by: str = ""
    warnings: Sequence[str] = ()
    command: str = ""
    seconds: float | None = None
    networks: int = 1
    target: str = ""
    source: str = ""
    rows: int | None = None
    alerts: Sequence[tuple[str, str]] = ()
    decision: str = ""
    tables: Sequence[Table] = ()
    effects: Sequence[Effect] = ()
    effects_of: str = ""
    rows_counted: str = "Rows are counted from 0, as in the array."

    @property
    def whose(self) -> str:
        """Of several networks, which one the figures of the training are of."""
        if self.networks == 1:
            return ""
        return f"Of the first of {self.networks} networks, whose outputs are averaged."


class Drawn(NamedTuple):
    """A figure of the page: its SVG, what it is called, what it says."""

    svg: Any
    label: str
    caption: str


class Table(NamedTuple):
    """A table of the page; without heads it is one of names and values."""

    rows: Sequence[Sequence[str]]
    heads: Sequence[str] = ()
    title: str = ""
    numeric: Sequence[int] = ()
    mark: int = -1


@dataclass(frozen=True)
class Section:
    """A section of the page; what is empty is not shown, what is folded on request."""

    id: str
    title: str
    text: str = ""
    findings: Sequence[Finding] = ()
    figures: Sequence[Drawn] = ()
    tables: Sequence[Table] = ()
    code: str = ""
    folded: bool = False


def drawn(
    name: str,
    draw: Callable[..., Any],
    *of: Any,
    caption: str = "",
    size: tuple[float, float] = (5.0, 3.3),
    **options: Any,
) -> Drawn:
    """A figure for the page, by the function that draws it."""
    markupsafe: Any = require("markupsafe", "report", "a report")
    made, ax = figure(*size)
    draw(*of, ax=ax, **options)
    label = ax.get_title(loc="left")
    return Drawn(markupsafe.Markup(svg(made, name)), label, caption)
