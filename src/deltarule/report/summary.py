"""The summary of a report: for a reader who is not a statistician, what the predictions are worth.

Cautions come first: what makes the predictions useless or the metrics doubtful.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from deltarule.baselines import BASELINES, NO_BETTER, shown
from deltarule.errors import setting
from deltarule.report.content import Context, Section, Table
from deltarule.report.diagnosis import Finding
from deltarule.report.evidence import Evidence, Importance

_FEW = {"learn from": 200, "evaluate on": 100}  # rows
_HARDLY = 0.02  # of the RMSE or log loss of the simplest guess
_ALIKE = 1e-6  # a loss of the simplest guess where all rows have one target
_SURE = 0.9
_MATTERS = 0.02  # of the most important column's importance
_MOST_NAMED = 3

_DECIDING = {"regression": "rmse", "classification": "log_loss", "labels": "log_loss"}
_SEVERAL = "several targets"
_LABELS = {
    "rmse": "RMSE",
    "log_loss": "log loss",
    _SEVERAL: "RMSE in standard deviations of the targets",
}


def summary_of(
    evidence: Evidence,
    context: Context,
    found: Sequence[Importance],
    cautions: Sequence[Finding],
) -> Section:
    """What is predicted, how well, how sure, and which columns matter.

    Parameters
    ----------
    evidence : Evidence
    context : Context
    found : sequence of Importance
    cautions : sequence of Finding
        What to be careful of, the most important first.
    """
    rows = [
        ("What is predicted", _what(evidence, context)),
        ("How well", _how_well(evidence, context)),
        ("Beside other models", context.verdict),
        ("How sure", _how_sure(evidence)),
        ("In practice", _in_practice(context)),
        ("What matters", "" if is_useless(evidence, context) else _what_matters(found)),
    ]
    table = Table([row for row in rows if row[1]])
    return Section("summary", "Summary", findings=cautions, tables=[table])


def _what(evidence: Evidence, context: Context) -> str:
    columns = len(evidence.columns)
    count = "one column" if columns == 1 else f"{columns:,} columns"
    origin = f"from {count} of {context.source}" if context.source else f"from {count}"
    names = ", ".join(evidence.names[:10]) + (", …" if len(evidence.names) > 10 else "")
    if evidence.task == "classification":
        return f"{context.target or 'the class'}, one of {len(evidence.names)} ({names}), {origin}."
    return f"{context.target or names}, {origin}."


def simplest(evidence: Evidence, context: Context) -> dict[str, float]:
    """The metrics of the simplest guess: the mean or the most frequent class for every row."""
    name = BASELINES[evidence.task][0].name if evidence.task in BASELINES else ""
    known = [each.figures for each in context.evaluations if each.name == name]
    return known[0] if known else evidence.figures_of(evidence.constant)


def _how_well(evidence: Evidence, context: Context) -> str:
    own, guess = own_figures(evidence, context), simplest(evidence, context)
    rows = f"On {rows_of_metrics(evidence, context)},"
    if _loss(evidence, own) is None:
        return f"{rows} the predictions are not finite numbers."
    if evidence.task == "regression":
        if len(evidence.names) == 1:
            return (
                f"{rows} predictions are off by {shown(own['mae'])} on average; always "
                f"predicting the mean, by {shown(guess['mae'])}.{_explained(own, '')}"
            )
        return f"{rows} errors are measured per target below.{_explained(own, ' on average')}"
    if context.decision:
        return (
            f"{rows} the more probable class is right for {own['accuracy']:.1%}; always giving the "
            f"most frequent one, {guess['accuracy']:.1%}. Predictions follow a threshold instead."
        )
    what = {"labels": "yes-or-no answers"}.get(evidence.task, "predictions")
    return (
        f"{rows} {own['accuracy']:.1%} of the {what} are right; always giving the most frequent "
        f"answer, {guess['accuracy']:.1%}."
    )


def _explained(own: dict[str, float], how: str) -> str:
    share = own.get("r2", -1.0)
    if share <= 0:
        return ""
    text = f"{share:.0%}" if share < 0.99 else "More than 99%"
    text = "Less than 1%" if share < 0.01 else text
    return f" {text} of the variation is explained{how} (R²)."


def _how_sure(evidence: Evidence) -> str:
    if not np.isfinite(evidence.P).all():
        return ""
    if evidence.task == "regression":
        if len(evidence.names) > 1:
            return ""
        errors = abs(evidence.P - evidence.targets)[:, 0]
        half, most = np.quantile(errors, (0.5, 0.9))
        return (
            f"Half of the predictions are off by at most {shown(half)}, nine of ten by at most "
            f"{shown(most)}."
        )
    if evidence.task == "labels":
        certainty, right = abs(evidence.P - 0.5) + 0.5, (evidence.P >= 0.5) == evidence.indicators
    else:
        certainty, right = evidence.P.max(axis=1), evidence.P.argmax(axis=1) == evidence.targets
    sure = certainty >= _SURE
    if not sure.any():
        return f"No predicted probability reaches {_SURE:.0%}."
    return (
        f"{sure.mean():.0%} of the predictions have a probability of at least {_SURE:.0%}; "
        f"{right[sure].mean():.1%} of them are right."
    )


def _in_practice(context: Context) -> str:
    """What the errors mean: alarms and misses, or the typical error and its share."""
    consequences = context.evaluations[0].consequences if context.evaluations else None
    sentences = () if consequences is None else consequences.sentences()
    decided = [f"Predicts {context.decision}."] if context.decision else []
    return " ".join([*decided, *sentences])


def _what_matters(found: Sequence[Importance]) -> str:
    top = max((each.rise for each in found), default=0.0)
    relevant = [each for each in found if each.is_clear and each.rise > _MATTERS * top]
    if not relevant:
        return "No column matters clearly." if found else ""
    named = ", ".join(map(_named, relevant[:_MOST_NAMED]))
    rest = len(relevant) - _MOST_NAMED
    more = f", and {rest} more" if rest > 0 else ""
    others = len(found) - len(relevant)
    hardly = f" The other {others} matter little, or not clearly." if others > 1 else ""
    hardly = " The other one matters little, or not clearly." if others == 1 else hardly
    return f"Most important first: {named}{more}.{hardly}"


def _named(column: Importance) -> str:
    by_absence = " (mostly whether it is missing)" if column.missing_share > 0.5 else ""
    return f"{column.name}{by_absence}"


# -------------------------------------------------------------------------------- the cautions


def cautions_of(evidence: Evidence, context: Context) -> Iterator[Finding]:
    """What to be careful of, the most important first."""
    for kind, text in context.alerts:
        yield Finding("problem", f"{kind[:1].upper()}{kind[1:]}", text, "")
    known = [text for _, text in context.alerts]
    if len(context.evaluations) < 2:  # nothing is known of a simple model beside the network
        yield from beside_the_guess(evidence, context)
    for warning in context.warnings:
        if warning not in known:
            yield Finding("problem", "Check the data first", warning, "")
    if context.evaluations:  # then there is an alert where rows are few
        return
    counts = {"learn from": context.rows, "evaluate on": evaluated_rows(evidence, context)}
    for what, count in counts.items():
        if count is not None and count < _FEW[what]:
            yield Finding(
                "note",
                f"Few rows to {what}",
                f"{count:,} rows; with fewer than {_FEW[what]}, metrics depend much on chance.",
                f"Collect more rows, or evaluate by cross-validation{setting('', ' (--cv 5)')}.",
            )


def is_useless(evidence: Evidence, context: Context) -> bool:
    """Whether predictions are no better than the simplest guess."""
    if len(context.evaluations) > 1:
        return any(kind == NO_BETTER for kind, _ in context.alerts)
    return any(beside_the_guess(evidence, context))


def beside_the_guess(evidence: Evidence, context: Context) -> Iterator[Finding]:
    """Whether predictions are worse than the simplest guess, or hardly better."""
    if evidence.losses(evidence.constant).max() < _ALIKE:
        return
    own = _loss(evidence, own_figures(evidence, context))
    guess = _loss(evidence, simplest(evidence, context))
    if guess is None or (own is not None and own < (1 - _HARDLY) * guess):
        return
    always = "the mean" if evidence.task == "regression" else "the frequency of each class"
    value = "not finite" if own is None else shown(own)
    is_worse = own is None or own > guess
    label = _LABELS[_SEVERAL if len(evidence.target_names) > 1 else _DECIDING[evidence.task]]
    yield Finding(
        "problem",
        f"{'Worse' if is_worse else 'Hardly better'} than the simplest guess",
        f"{label} {value}; always predicting {always}: {shown(guess)}. Do not rely on "
        "these predictions.",
        "Check that the columns say something about the target: does any baseline do better?",
    )


def _loss(evidence: Evidence, figures: Mapping[str, float]) -> float | None:
    """What decides: less is better; None where it is not finite."""
    if len(evidence.target_names) < 2:
        return figures.get(_DECIDING[evidence.task])
    share = figures.get("r2")
    return None if share is None else float(np.sqrt(1.0 - share))


# ------------------------------------------------------------------------------ what both take


def own_figures(evidence: Evidence, context: Context) -> dict[str, float]:
    """The network's metrics: as they were evaluated beside the baselines, where they were."""
    return context.evaluations[0].figures if context.evaluations else evidence.figures


def evaluated_rows(evidence: Evidence, context: Context) -> int:
    """How many rows these metrics are of: in cross-validation all."""
    return context.evaluations[0].rows if context.evaluations else len(evidence.X)


def rows_of_metrics(evidence: Evidence, context: Context) -> str:
    """The same in words: ``"180 held-out rows"``."""
    return f"{evaluated_rows(evidence, context):,} {context.metrics_by or context.judged_by}"
