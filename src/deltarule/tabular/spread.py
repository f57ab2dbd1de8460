"""How far off predictions are, row by row: interval widths as a small network of the row.

Residuals of validation rows, divided by widths of networks that have not seen those rows, are alike
for all rows; their quantiles, times a new row's width, are the ends of its interval (conformal
prediction with scaled residuals: Papadopoulos, Proedrou, Vovk and Gammerman 2002; Lei, G'Sell,
Rinaldo, Tibshirani and Wasserman 2018). Widths are at most 20 times the usual one, and at least a
twentieth of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.engines.plan import Plan
from deltarule.errors import DivergenceError
from deltarule.layers import Dense
from deltarule.metrics import interval_score
from deltarule.network import Network, Parameters, feed_forward
from deltarule.optimizers import Adam
from deltarule.regularization import Regularization
from deltarule.rng import generator
from deltarule.schedules import SCHEDULES
from deltarule.system.threads import few_threads
from deltarule.tabular.calibration import Calibration, kept_residuals
from deltarule.tabular.ensembles import combined
from deltarule.tabular.settings import Settings
from deltarule.tabular.splits import Keys, Parts, folds
from deltarule.training import Run, Training
from deltarule.training.stopping import Stopping

_FEWEST_ROWS = 100  # of validation: fewer do not tell a width
_MOST_ROWS = 50_000  # that a network of widths learns from
_FOLDS = 5
_HIDDEN = 16
_BOUND = math.log(20.0)  # of the logarithm of a relative width
_EPOCHS, _MOST_STEPS, _BATCH = 20, 1500, 64
_RATE, _DECAY = 0.02, 0.1
_POWERS = (0.5, 0.75, 1.0)  # of the learned widths: 0 is one width for all rows
_SHARES = (0.8, 0.9)  # the intervals by whose scores widths are chosen
_SURE = 2.0  # standard errors by which their score must be lower
_ROWS_AT_ONCE = 8192

Trained = tuple[Network, Parameters]


def widths(
    X: Array, A: Array, residuals: Array, weights: Array | None, keys: Keys, settings: Settings
) -> tuple[Trained | None, Array]:
    """A network of interval widths where it is clearly better than one width for all rows.

    Its inputs are a row's prepared columns and outputs. Five networks learn from four fifths of the
    rows each, and score the last fifth; what is returned is their geometric mean.

    Parameters
    ----------
    X, A : array, shape (m, n[0]) and (m, targets)
        Prepared validation rows, and their outputs by networks that have not seen them.
    residuals : array, shape (m, targets)
        Their true values less predictions.
    weights : array, shape (m,), optional
    keys : Keys
        What folds of these rows go by.
    settings : Settings

    Returns
    -------
    tuple
        The network or None, and the width of each row ``(m, targets)`` by networks that have not
        seen it, or ones.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1.0, 1.0, (400, 1)).astype(np.float32)
    >>> noise = np.random.default_rng(1).normal(size=(400, 1))
    >>> network, scale = widths(X, 0 * X, np.exp(2 * X) * noise, None, Keys(), Settings())
    >>> bool(scale[X > 0.5].mean() > 3 * scale[X < -0.5].mean())
    True
    >>> widths(X, 0 * X, noise, None, Keys(), Settings())[0] is None
    True
    """
    constant = np.ones(residuals.shape)
    parts = _folds(weights, len(X), keys, settings.seed)
    if not parts or not np.isfinite(residuals).all():
        return None, constant
    unit = np.average(abs(residuals), axis=0, weights=weights)
    if not (unit > 0).all():
        return None, constant
    relative = residuals / unit
    try:
        with few_threads(True):
            members = [
                _member(k, X, A, relative, weights, fold.kept, settings)
                for k, fold in enumerate(parts)
            ]
    except DivergenceError:
        return None, constant
    learned = np.zeros(residuals.shape)  # rows of no weight are in no fold
    for member, fold in zip(members, parts, strict=True):
        learned[fold.held] = _logarithms(member, X, A, fold.held)
    plain = _scores(relative, constant, weights, parts)
    found = {power: _scores(relative, np.exp(power * learned), weights, parts) for power in _POWERS}
    best = min(_POWERS, key=lambda power: float(np.average(found[power], weights=weights)))
    if not _is_lower(found[best], plain, weights, keys):
        return None, constant
    return combined(members, 1.0 / best), np.exp(best * learned)


def _folds(weights: Array | None, m: int, keys: Keys, seed: int) -> Sequence[Parts]:
    """The folds of the rows that count; none where these are too few."""
    rows = np.arange(m) if weights is None else np.flatnonzero(weights)
    keys = Keys(groups=None if keys.groups is None else keys.groups[rows])
    few_groups = keys.groups is not None and len(np.unique(keys.groups)) < _FOLDS
    if len(rows) < _FEWEST_ROWS or few_groups:
        return ()
    parts = [Parts(*(rows[own] for own in fold)) for fold in folds(len(rows), _FOLDS, keys, seed)]
    return parts if all(len(fold.kept) >= _FEWEST_ROWS // 2 for fold in parts) else ()


def _member(
    k: int,
    X: Array,
    A: Array,
    relative: Array,
    weights: Array | None,
    rows: Array,
    settings: Settings,
) -> Trained:
    """A network of widths: the mean size of residuals, learned as counts are, with a Poisson cost.

    Its logarithm is bounded by a hyperbolic tangent, so that no row makes a width that overflows.
    """
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    targets, batch = A.shape[1], min(_BATCH, len(rows))
    bound = Dense(targets, "exp", weights=_BOUND * np.eye(targets), rate=0.0)
    layers = [Dense(_HIDDEN, "gelu"), Dense(targets, "tanh", weights="zeros"), bound]
    network = Network(X.shape[1] + targets, layers, "poisson")
    adam = Adam(replace(SCHEDULES("cosine"), rate=_RATE))
    seed = int(generator(settings.seed, "widths", k).integers(2**62))
    run = Run(
        Plan(network, adam, Regularization(decay=_DECAY), settings.dtype, seed),
        batch,
        Stopping(epochs=max(1, min(_EPOCHS, round(_MOST_STEPS * batch / len(rows))))),
    )  # on the engine that is fastest here: it is not part of what was asked for
    own = None if weights is None else weights[rows]
    training = Training(run, _inputs(X, A, rows), abs(relative[rows]), weights=own)
    return network, training.finish(()).parameters


def _inputs(X: Array, A: Array, rows: Array) -> Array:
    return np.hstack([X[rows], A[rows].astype(X.dtype)])


def _logarithms(member: Trained, X: Array, A: Array, rows: Array) -> Array:
    """The logarithms of the widths of some rows, ``(rows, targets)``."""
    found = [
        feed_forward(*member, columns(_inputs(X, A, rows[first : first + _ROWS_AT_ONCE])))[-1].Z.T
        for first in range(0, len(rows), _ROWS_AT_ONCE)
    ]
    return np.concatenate(found).astype(np.float64)


def _scores(relative: Array, scale: Array, weights: Array | None, parts: Sequence[Parts]) -> Array:
    """The interval score of each row, by the residuals of the other folds."""
    total = np.zeros(len(relative))
    for kept, held in parts:
        own = None if weights is None else weights[kept]
        others = Calibration(len(kept), residuals=kept_residuals(relative[kept] / scale[kept], own))
        for share in _SHARES:
            low, high = (scale[held] * end for end in others.interval(share))
            total[held] += interval_score(relative[held], low, high, share).mean(axis=1)
    return total


def _is_lower(own: Array, plain: Array, weights: Array | None, keys: Keys) -> bool:
    """Whether scores of the same rows are lower by more than chance, which groups share."""
    gains = plain - own
    s = np.ones(len(gains)) if weights is None else weights
    mean = np.average(gains, weights=s)
    parts = s * (gains - mean)
    if keys.groups is not None:
        parts = np.bincount(np.unique(keys.groups, return_inverse=True)[1], parts)
    error = math.sqrt(float(parts @ parts)) / float(s.sum())
    return bool(mean > _SURE * error)
