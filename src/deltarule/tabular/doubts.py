"""What to warn of in a table before a network is trained on it."""

from __future__ import annotations

import numpy as np

from deltarule.preprocessing.cells import coded
from deltarule.preprocessing.classes import doubtful_classes
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.dates import also_fits
from deltarule.tabular.problems import Problem, Table


def doubtful_labels(whole: Table) -> list[str]:
    """Warnings of a target's labels; none of a regression."""
    targets = whole.targets
    if targets.task == "regression":
        return []
    labels = whole.labels(whole.frame) if whole.keys.labels is None else whole.keys.labels
    counts = np.bincount(labels, minlength=len(targets.classes))
    return doubtful_classes(targets.names[0], targets.classes, counts)


def doubtful_dates(whole: Table, problem: Problem) -> list[str]:
    """Warnings of columns whose dates could have the day first as well as the month."""
    found = []
    for column in problem.preprocessing.columns:
        if isinstance(column, Date) and "/" in column.format:
            levels = coded(whole.frame[column.name]).levels
            forms = also_fits(levels, column.format)
            if forms is not None:
                found.append(
                    f"column {column.name!r}: dates such as {levels[0]!r} are read as {forms[0]}, "
                    f"and all fit {forms[1]} as well. If that is meant, write them as 2024-05-31."
                )
    return found


def only_class(problem: Problem) -> str:
    """Why metrics on the test rows say nothing where these have one class; else nothing."""
    targets = problem.targets
    if targets.task == "regression" or not len(problem.test):
        return ""
    labels = targets.raw(problem.test)
    if (labels != labels[0]).any():
        return ""
    return (
        f"No verdict: all {len(labels):,} rows to evaluate on have the class "
        f"{labels.tolist()[0]!r}, so that the metrics say nothing about telling classes apart."
    )
