"""A model's rows as the training report and the feature importance evaluate them."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.report.evidence import Column, Evidence
from deltarule.tabular.fitting import figure_targets
from deltarule.tabular.roles import weights_of
from deltarule.tabular.settings import Roles
from deltarule.training.predictions import probabilities

_ENOUGH = 10_000  # rows for a standard deviation


def evidence(model: Model, roles: Roles, frame: Any, numbers: Array, train: Any = None) -> Evidence:
    """Rows of a table with what a model makes of them.

    Parameters
    ----------
    model : Model
        With preprocessing and targets.
    roles : Roles
    frame : polars.DataFrame
        The rows.
    numbers : array
        What each row is called.
    train : polars.DataFrame, optional
        Training rows, which some are taken of: for the spreads of the network's inputs.
    """
    targets, preprocessing = model.targets, model.preprocessing
    assert targets is not None
    assert preprocessing is not None
    return Evidence(
        targets.task,
        model.network,
        model.parameters,
        preprocessing.transform(frame).astype(model.dtype),
        targets.encode(frame).astype(model.dtype),
        figure_targets(targets, frame),
        lambda A: _evaluated(targets, A),
        tuple(map(str, targets.classes or targets.names)),
        _columns(preprocessing, frame),
        weights_of(frame, roles),
        numbers,
        None if train is None else _spreads(preprocessing, train),
        targets.cut,
    )


def _spreads(preprocessing: Preprocessing, train: Any) -> Array:
    some = train.sample(_ENOUGH, seed=0) if len(train) > _ENOUGH else train
    spreads: Array = preprocessing.transform(some).std(axis=0, dtype=np.float64)
    return spreads


def _evaluated(targets: Targets, A: Array) -> Array:
    """Outputs as probabilities of every class, or in the target's own units."""
    if targets.task == "regression":
        values: Array = A.astype(np.float64) * targets.stds + targets.means
        return values
    return probabilities(A)


def _columns(preprocessing: Preprocessing, frame: Any) -> tuple[Column, ...]:
    """The columns that are used, the inputs that each became, and their cells as text."""
    found, at = [], 0
    for column in preprocessing.columns:
        width = len(column.outputs)
        if width:
            cells = list(map(_cell, frame[column.name].to_list()))
            flag = f"{column.name} is missing"
            flags = tuple(at + k for k, name in enumerate(column.outputs) if name == flag)
            found.append(Column(column.name, tuple(range(at, at + width)), cells, flags))
        at += width
    return tuple(found)


def _cell(value: Any) -> str:
    """A cell for people: of fractional numbers six digits."""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return "" if value is None else str(value)
