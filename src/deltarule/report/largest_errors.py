"""The rows that a network predicts worst, as a report lists them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.report.evidence import Evidence


class Miss(NamedTuple):
    """A row with a large error: what it is called, was, and was predicted, how wrong, its cells."""

    row: str
    was: str
    predicted: str
    loss: float
    cells: tuple[str, ...]


def largest_errors(evidence: Evidence, count: int = 10) -> list[Miss]:
    """The rows with the largest loss, the largest first."""
    losses = evidence.losses(evidence.P)
    return [
        Miss(
            str(evidence.numbers[row]),
            *_shown(evidence, row),
            float(losses[row]),
            tuple(column.cells[row] for column in evidence.columns),
        )
        for row in np.argsort(-losses, kind="stable")[:count]
    ]


def _shown(evidence: Evidence, row: int) -> tuple[str, str]:
    """What a row was and what was predicted, for people."""
    target, P, names = evidence.targets[row], evidence.P[row], evidence.names
    if evidence.task == "classification":
        taken = int(evidence.taken[row])
        return names[target], f"{names[taken]} ({P[taken]:.0%})"
    if evidence.task == "labels":
        has = [n for n, is_so in zip(names, evidence.indicators[row], strict=True) if is_so]
        taken_for = [f"{n} ({p:.0%})" for n, p in zip(names, P, strict=True) if p >= 0.5]
        return ", ".join(has) or "none", ", ".join(taken_for) or "none"
    was, said = (", ".join(f"{value:.4g}" for value in values) for values in (target, P))
    return was, said
