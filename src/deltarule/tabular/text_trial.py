"""Whether columns of free text are used: by a short trial of each, which validation rows decide.

The words of a text are some hundred inputs. Where they say nothing, a network learns their noise;
so it is trained for an eighth of its epochs with and without them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.preprocessing.columns import Column, Dropped
from deltarule.tabular import problems
from deltarule.tabular.choosing import trial_losses
from deltarule.tabular.fitting import examples_of
from deltarule.tabular.problems import Problem, Table
from deltarule.tabular.settings import Settings

_SURE = 1.5  # standard errors that the loss must fall by
_MOST_COLUMNS = 4
_MOST_CELLS = 1 << 27  # of the prepared training rows: more are too many for trials


def problem(whole: Table, settings: Settings, kept: Array, test: Any) -> Problem:
    """Fit targets and preprocessing on the training rows; try whether free text helps.

    Parameters
    ----------
    whole : Table
    settings : Settings
        With ``text="auto"``, columns of text are tried on the validation rows.
    kept : array
        The rows to train on.
    test : polars.DataFrame
        The rows to evaluate on, of the same table or of another file; they decide nothing.

    Raises
    ------
    DataError
        For columns that cannot be used.
    """
    found = problems.problem(whole, settings, kept, test)
    names = [] if settings.text != "auto" else found.preprocessing.text_like(found.train)
    return _tried(found, settings, names) if names else found


def _tried(found: Problem, settings: Settings, names: list[str]) -> Problem:
    """A problem with those columns of text that lower the validation cost, each tried in turn."""
    said = dict.fromkeys(names[_MOST_COLUMNS:], f"not tried: over {_MOST_COLUMNS} such columns")
    losses = trial_losses(found, settings, examples_of(found, settings))
    for name in names[:_MOST_COLUMNS]:
        other = replace(found, preprocessing=found.preprocessing.with_text(found.train, [name]))
        if found.count * other.preprocessing.width > _MOST_CELLS:
            said[name] = "its words not tried: too many rows"
            continue
        own = trial_losses(other, settings, examples_of(other, settings))
        if _is_lower(own, losses):
            found, losses = other, own
        else:
            said[name] = "its words did not help on validation rows"
    columns = tuple(_noted(column, said.get(column.name)) for column in found.preprocessing.columns)
    return replace(found, preprocessing=replace(found.preprocessing, columns=columns))


def _is_lower(own: Array, losses: Array) -> bool:
    """Whether losses of the same rows are lower by more than chance."""
    with np.errstate(invalid="ignore", over="ignore"):
        gains = losses.astype(np.float64) - own
        return bool(gains.mean() > _SURE * gains.std() / math.sqrt(len(gains)))


def _noted(column: Column, why: str | None) -> Column:
    """A column with what came of the trial, and what to pass to use its words."""
    if why is None or not isinstance(column, Dropped):
        return column
    return replace(column, why=f"{column.why}; {why}")
