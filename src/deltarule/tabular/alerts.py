"""What has to be known first of a trained model: a leak, no better than guessing, too few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import deltarule.baselines as bl
from deltarule.consequences import Alarms
from deltarule.errors import setting
from deltarule.metrics import figures_of

_FEW_ROWS = 50
_FEW_OF_CLASS = 10


class Alert(NamedTuple):
    """One of them.

    Attributes
    ----------
    kind : str
        ``"leak"``, ``"no better than guessing"`` or ``"too few rows"``.
    text : str
        For people.
    """

    kind: str
    text: str


def alerts_of(
    task: str,
    evaluations: Sequence[bl.Evaluation],
    leaks: Sequence[str] = (),
    *,
    of_held_out: bool = False,
) -> list[Alert]:
    """The alerts of an evaluation, the gravest first.

    Parameters
    ----------
    task : str
    evaluations : sequence
        Of :mod:`deltarule.baselines`, the network first.
    leaks : sequence of str
        Columns that may give the target away, a sentence each.
    of_held_out : bool
        Whether the rows are held out of the training table, which has more.

    Examples
    --------
    >>> import numpy as np
    >>> rows = bl.Examples(np.zeros((60, 1)), np.arange(60.0)[:, None], None)
    >>> mean = bl.evaluated("mean", "regression", rows, np.full((60, 1), 29.5), 0.0)
    >>> network = bl.evaluated("network", "regression", rows, np.full((60, 1), 33.0), 0.0)
    >>> [alert.text for alert in alerts_of("regression", [network, mean])]
    ['The network is no better than the mean: RMSE 17.67 against 17.32.']
    """
    return [
        *(Alert("leak", f"{text[:1].upper()}{text[1:]}") for text in leaks),
        *_no_better(task, evaluations),
        *_few_rows(evaluations[0], of_held_out),
    ]


def _no_better(task: str, evaluations: Sequence[bl.Evaluation]) -> list[Alert]:
    """Where no metric is clearly better than that of the baseline that knows no columns."""
    network, guess = evaluations[0], bl.BASELINES[task][0].name
    found = next((each for each in evaluations[1:] if each.name == guess), None)
    if found is None:
        return []
    differences = bl.differences(network, found)
    if all(each.interval is None for each in differences.values()) or any(
        bl.comparison(differences[row.name], row) == bl.BETTER
        for row in figures_of(task, network.targets)
        if row.name in differences
    ):
        return []
    first = network.first(task)
    own, other = network.figures[first.name], found.figures[first.name]
    is_so = "not clearly better" if first.is_better(own, other) else "no better"
    numbers = f"{first.title} {bl.shown(own)} against {bl.shown(other)}"
    text = f"The network is {is_so} than the {guess}: {numbers}."
    return [Alert(bl.NO_BETTER, text)]


def _few_rows(network: bl.Evaluation, of_held_out: bool) -> list[Alert]:
    """Where the metrics rest on few rows, or on few of the class that is looked for."""
    rows, found = network.rows, network.consequences
    if network.units == 1 < rows:
        return [Alert("too few rows", "The metrics rest on one group and may be far off.")]
    few = f"{rows:,} rows" if rows < _FEW_ROWS else ""
    if not few and isinstance(found, Alarms) and found.present < _FEW_OF_CLASS:
        few = f"{found.present:,} rows of class {found.label!r}"
    if not few:
        return []
    advice = setting("", " --cv 5 evaluates on all rows.") if of_held_out else ""
    return [Alert("too few rows", f"The metrics rest on {few} and may be far off.{advice}")]
