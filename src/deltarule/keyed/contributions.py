"""Contributions where each key has a model: those of a row come from the model of its key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.data import frame_of
from deltarule.errors import DataError
from deltarule.keyed.grouping import starts_of
from deltarule.keyed.models import KeyedModels
from deltarule.tabular import (
    Contributions,
    TableContributions,
    effects_of,
    explained_inputs,
    reference,
)
from deltarule.tabular.contributions import TOLERANCE

_BY_ROW = ("values", "predictions", "reference_prediction", "points")


def explain_by_key(
    models: KeyedModels, table: Any, baseline: Any = None, tolerance: float = TOLERANCE
) -> TableContributions:
    """What each column contributes to the prediction of each row, by the model of the row's key.

    All keys share the reference row; each key's model has its own prediction of it.

    Parameters
    ----------
    models : KeyedModels
    table : data frame or mapping of columns
    baseline, tolerance
        As of :func:`deltarule.tabular.explain_rows`.

    Returns
    -------
    TableContributions
        NaN in rows whose key has no model; these do not count in the effects.

    Raises
    ------
    DataError
        For a table without rows or without the keys' column, and where no key has a model.
    SettingError, UnknownNameError
        For a reference row that does not fit.

    Examples
    --------
    >>> import deltarule as dr
    >>> from deltarule.tabular import Settings
    >>> X = {"store": ["a", "b"] * 40, "price": [float(i % 9) for i in range(80)]}
    >>> table = {**X, "sold": [3 * price for price in X["price"]]}
    >>> models = dr.train_by_key(table, "sold", "store", settings=Settings(epochs=2))
    >>> found = explain_by_key(models, {"store": ["a", "c"], "price": [2.0, 5.0]}).rows
    >>> found.columns, np.isfinite(found.values[:, 0, 0]).tolist()
    (('price',), [True, False])
    """
    frame = frame_of(table)
    if not len(frame) or not models.keys:
        lacking = "the table has no rows" if models.keys else f"no key of {models.by!r} has a model"
        raise DataError(f"{lacking}; expected at least one to explain.")
    places = models.places(frame)
    order = np.flatnonzero(places >= 0)
    order = order[np.argsort(places[order], kind="stable")]
    start = reference(models.model_of(models.keys[0]), baseline)
    X = models.preprocessing.transform(frame)
    whole = explained_inputs(models.model_of(models.keys[0]), start.encoded[np.newaxis], start)
    found = _room(whole, len(frame))
    starts = starts_of(np.bincount(places[order], minlength=len(models)))
    for k in np.unique(places[order]).tolist():
        rows = order[starts[k] : starts[k + 1]]
        own = explained_inputs(models.model_of(models.keys[k]), X[rows], start, tolerance)
        for name in _BY_ROW:
            getattr(found, name)[rows] = getattr(own, name)
    known = np.sort(order)
    some = replace(found, values=found.values[known])
    effects = effects_of(models.preprocessing, frame[known], some) if len(known) else ()
    return TableContributions(found, effects)


def _room(one: Contributions, m: int) -> Contributions:
    """Contributions like those of one row, for m rows: NaN until they are known."""
    shape = (m, *one.predictions.shape[1:])
    return replace(
        one,
        values=np.full((m, *one.values.shape[1:]), np.nan),
        predictions=np.full(shape, np.nan),
        reference_prediction=np.full(shape, np.nan),
        points=np.zeros(m, np.int64),
    )
