"""Columns that say how sure predictions are: intervals, sets of classes, rows unlike training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from deltarule import tabular
from deltarule.arrays import Array
from deltarule.modelfile import Model
from deltarule.tabular.options import option, option_group


@option_group("Certainty")
class CertaintyOptions:
    """How sure predictions are."""

    intervals: float | None = option(
        "SHARE", "Add prediction intervals with this coverage, for example 0.9."
    )
    sets: float | None = option(
        "SHARE",
        "Add the set of classes that holds the true one with this coverage, for example 0.9.",
    )
    unlike_training: bool = option(
        "",
        "Add, per row, the number of columns that differ from all training rows; --flags names "
        "them.",
        False,
    )


def check_certainty(model: Model, asked: CertaintyOptions) -> None:
    """Refuse what a model cannot say, before any rows are read.

    Raises
    ------
    SettingError
        For intervals of classes, sets of numbers, a coverage that held-out rows do not tell.
    """
    if asked.intervals is not None:
        tabular.calibration_of(model).interval(asked.intervals)
    if asked.sets is not None:
        tabular.calibration_of(model).threshold(asked.sets)


def certainty_columns(model: Model, frame: Any, asked: CertaintyOptions) -> dict[str, Any]:
    """What a model says of how sure its predictions are, by the name of the column.

    Parameters
    ----------
    model : Model
        Of a table.
    frame : data frame or Encoded
        The rows.
    asked : CertaintyOptions
    """
    assert model.targets is not None
    columns: dict[str, Any] = {}
    if tabular.levels_of(model):
        quantiles = tabular.quantile_model(model)
        columns |= quantiles.predict(frame).to_dict()
    if asked.intervals is not None:
        _, *ends = tabular.interval_ends(model, frame, asked.intervals)
        for k, name in enumerate(model.targets.names):
            for end, values in zip(("low", "high"), ends, strict=True):
                columns[f"{end}_{name}"] = values[:, k]
    if asked.sets is not None:
        _, sets = tabular.prediction_sets(model, frame, asked.sets)
        columns[f"set_{model.targets.names[0]}"] = _labels(sets, model.targets.classes)
    return columns


def _labels(sets: Array, classes: Sequence[Any]) -> list[list[Any]]:
    """Of each row the classes in its set.

    Examples
    --------
    >>> _labels(np.array([[True, True], [False, False], [False, True]]), ["a", "b"])
    [['a', 'b'], [], ['b']]
    """
    labels = [classes[k] for k in np.nonzero(sets)[1].tolist()]
    ends = np.cumsum(sets.sum(axis=1)).tolist()
    return [labels[first:last] for first, last in pairwise([0, *ends])]
