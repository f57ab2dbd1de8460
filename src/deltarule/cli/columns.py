"""What was done with each column, in as few lines as it takes."""

from __future__ import annotations

from collections.abc import Sequence

from deltarule import tabular
from deltarule.data import Reading
from deltarule.preprocessing import KINDS, Preprocessing
from deltarule.preprocessing.date_columns import Date


def condensed(lines: Sequence[str], most: int = 30) -> list[tuple[str, str]]:
    """Columns and what was done with them; above `most`, those of one fate put together.

    Examples
    --------
    >>> condensed(["a: numeric, x", "b: numeric, x", "c: dropped, y"], most=2)
    [('a … b (2 columns)', 'numeric, x'), ('c', 'dropped, y')]
    """
    parted = [_parted(line) for line in lines]
    if len(parted) <= most:
        return parted
    together: dict[str, list[str]] = {}
    for name, what in parted:
        together.setdefault(what, []).append(name)
    return [
        (names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} columns)", what)
        for what, names in together.items()
    ]


def listed(preprocessing: Preprocessing) -> list[dict[str, str]]:
    """The columns for machines: name, kind, what was done, and how text was read.

    Examples
    --------
    >>> listed(Preprocessing.fit({"on": ["1.5.24", "2.6.24"]}))[0]["reading"]
    '%d.%m.%y, years 1970 to 2069'
    """
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "encoding": column.describe(),
            "reading": column.written
            if isinstance(column, Date)
            else (preprocessing.reading or Reading()).of(column.name).summary,
        }
        for column in preprocessing.columns
    ]


def between(problem: tabular.Problem, recipes: Sequence[tabular.Recipe]) -> list[tuple[str, str]]:
    """The pairs of columns that oblique features were added for; empty where there are none."""
    names = problem.preprocessing.names
    pairs = [f"{names[first]} and {names[second]}" for first, second in recipes[-1].pairs]
    what = "oblique features (linear combinations), because the two columns interact"
    return [("pairs", f"{', '.join(pairs)}: {what}")] if pairs else []


def _parted(line: str) -> tuple[str, str]:
    """A column's name and what was done with it; the name may hold a colon."""
    starts = [line.find(f": {kind},") for kind in KINDS]
    at = max(starts)
    return (line[:at], line[at + 2 :]) if at >= 0 else (line, "")
