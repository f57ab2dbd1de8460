"""The learning-rate finder on an estimator's own network, data and regularization."""

from __future__ import annotations

import copy
from typing import Any

from deltarule.estimators.networks import build_network, optimizer_of
from deltarule.estimators.options import RegularizationOptions
from deltarule.training.rates import RateSearch, find_rate


def find_rate_for(estimator: Any, X: Any, y: Any, sample_weight: Any) -> RateSearch:
    """What :func:`deltarule.find_rate` finds; the estimator itself is unchanged."""
    draft = copy.copy(estimator)
    draft._validate_params()
    data, _ = draft._training_data(X, y, sample_weight, goes_on=False, incremental=False)
    network = build_network(draft, data.X.shape[1], data.Y.shape[1], *draft._task())
    kept = draft._standing(goes_on=False)
    start = draft._start(network, kept, data.X.dtype, goes_on=False)
    regularization = draft.regularization or RegularizationOptions()
    return find_rate(
        network,
        data.X,
        data.Y,
        optimizer=optimizer_of(draft),
        batch_size=draft._batch_size(len(data.X)),
        weights=data.weights,
        regularization=regularization.rules(float(draft.alpha)),
        engine=draft.engine,
        options=draft.engine_options,
        dtype=data.X.dtype,
        seed=kept.masks(),
        parameters=start,
    )
