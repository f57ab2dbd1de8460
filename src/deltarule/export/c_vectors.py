"""What the test of a C file compares: rows, targets and a rate, and how far rounding may go.

Rounding decides what lies on a kink, and steps that diverge enlarge it without limit. So the model
is also run with parameters that are rounded otherwise: vectors that show it are passed over for
others, and a tolerance is a multiple of what it does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.costs import Cost
from deltarule.engines import start
from deltarule.engines.plan import Plan
from deltarule.errors import DataError, setting
from deltarule.export.c_table import results_of, scales_of
from deltarule.export.check import made_up_rows, widened
from deltarule.export.table_rows import cells
from deltarule.modelfile import Model
from deltarule.network import Parameters

STEPS = 3
_ROWS = 8  # of a test
_MADE_UP = 16  # of a test of rows of a table, beside those that are given
_ROWS_TRIED = 64
_TRIED = 4  # sets of rows, at each rate
_LARGEST = 1e140  # its square is summed in the file
_FACTORS = (1.0, 2.0**-4, 2.0**-8, 2.0**-16, 2.0**-24, 2.0**-32, 2.0**4, 2.0**8)
"""Of the optimizer's rate, in the order in which they are tried."""

_ROUNDINGS = 6  # runs; and
_ULPS = 4.0  # how far the parameters of each are moved, in units of the last place
_SAFETY = 8.0  # times the largest difference that they make
_FLOOR = {"float32": 2e-6, "float64": 1e-14}  # libraries differ by some units of the last place
_FLOOR_OF_STEPS = {"float32": 1e-5, "float64": 1e-9}
_GOOD = {"float32": 1e-3, "float64": 1e-7}  # a tolerance above this would let faults pass
_VISIBLE = 30.0  # how many times the tolerance the steps should move the predictions


@dataclass(frozen=True)
class Vectors:
    """What is compared, and how closely.

    Attributes
    ----------
    X, A : arrays, shapes (m, n[0]), (m, n[L])
        Prepared rows of the model's dtype, and their predictions in float64.
    tolerance : float
        Of predictions, as a share of their norm.
    steps : Steps or None
        Of training.
    """

    X: Array
    A: Array
    tolerance: float
    steps: Steps | None = None


@dataclass(frozen=True)
class Steps:
    """Some steps of training on the same rows.

    Attributes
    ----------
    Y : array, shape (m, n[L])
    factor : float
        A power of two that multiplies the optimizer's rate.
    costs : array, shape (steps,)
    after : array, shape (m, n[L])
        The predictions after the last.
    cost_tolerance : float
        Of a cost.
    tolerance : float
        Of the predictions, as a share of their norm.
    """

    Y: Array
    factor: float
    costs: Array
    after: Array
    cost_tolerance: float
    tolerance: float


@dataclass(frozen=True)
class RowVectors:
    """Rows of a table and what is predicted of them.

    Attributes
    ----------
    cells : float64 array, shape (m, columns)
    results : float64 array, shape (m, results)
        In the targets' units, or probabilities.
    means, stds : array, shape (results,)
        What results are compared by, those of the targets; of classes 0 and 1.
    tolerance : float
        As a share of the norm.
    """

    cells: Array
    results: Array
    means: Array
    stds: Array
    tolerance: float


def vectors(model: Model, plan: Plan | None, X: Array) -> Vectors:
    """The vectors for a model's test, the best of those that are tried.

    Parameters
    ----------
    model : Model
    plan : Plan or None
        Of training; None for predictions alone.
    X : array, shape (m, n[0])
        Prepared rows to take some from.

    Raises
    ------
    DataError
        Where the model's predictions overflow on all of them.
    """
    rounded = _roundings(model)
    found = _rows(model, rounded, X[:_ROWS_TRIED])
    if plan is None:
        return found[0]
    best, most = found[0], -1.0
    for factor, one in product(_FACTORS, found[:_TRIED]):
        steps = _stepped(model, plan, rounded, one, factor)
        visible = -1.0 if steps is None else _apart(one.A, steps.after) / steps.tolerance
        if visible > most:
            best, most = replace(one, steps=steps), visible
        if most >= _VISIBLE:
            break
    return best


def row_vectors(model: Model, rows: Any = None) -> RowVectors | None:
    """The rows of a table for a model's test: made-up ones, and the first of others.

    None for a model without a table, and where all results overflow.

    Parameters
    ----------
    model : Model
    rows : data frame or array, optional
    """
    prepared = model.preprocessing
    if prepared is None:
        return None
    tables = [made_up_rows(model, _ROWS_TRIED), *([] if rows is None else [rows])]
    parts = [(cells(prepared, table), prepared.transform(table)) for table in tables]
    given, X = (np.concatenate([part[i][:_ROWS_TRIED] for part in parts]) for i in (0, 1))
    usable, exact, others = _outputs(model, _roundings(model), X)
    with np.errstate(all="ignore"):
        means, stds = scales_of(model)
        results = results_of(model, exact)
        scaled, *rounded = ((results_of(model, A) - means) / stds for A in (exact, *others))
        coarse = np.spacing(abs(results)) / stds  # as far as float64 resolves them
        usable &= (abs(np.array([scaled, coarse, *rounded])) <= _LARGEST).all(axis=(0, 2))
    at = np.flatnonzero(usable)
    at = np.concatenate([at[at < _ROWS_TRIED][:_MADE_UP], at[at >= _ROWS_TRIED][:_ROWS]])
    if not at.size:
        return None
    differences = [_apart(scaled[at], A[at]) for A in (scaled + coarse, *rounded)]
    tolerance = _tolerance(_FLOOR[model.dtype.name], differences)
    return RowVectors(given[at], results[at], means, stds, tolerance)


def rate_of(plan: Plan) -> float:
    """The optimizer's rate, a schedule's peak."""
    return float(plan.optimizer_row.schedule.rate)


def _rows(model: Model, rounded: list[Parameters], X: Array) -> list[Vectors]:
    """Rows for a test each, those whose predictions rounding changes little before others."""
    name = model.dtype.name
    usable, exact, others = _outputs(model, rounded, X)
    if not usable.any():
        raise DataError(
            f"export: the model's own predictions overflow on all {len(X)} rows of the file's "
            f"test; expected some that are finite. Pass other rows ({setting('rows', '--check')})."
        )
    X, exact, others = X[usable], exact[usable], [A[usable] for A in others]
    found = []
    for first in range(0, len(X), _ROWS):
        own = slice(first, first + _ROWS)
        tolerance = _tolerance(_FLOOR[name], [_apart(exact[own], A[own]) for A in others])
        found.append(Vectors(X[own], exact[own], tolerance))
    return sorted(found, key=lambda one: one.tolerance > _GOOD[name])


def _outputs(model: Model, rounded: list[Parameters], X: Array) -> tuple[Array, Array, list[Array]]:
    """Which prepared rows give numbers that a test can compare; A[L], exactly and as rounded."""
    exact, *others = (
        Model(model.network, parameters).outputs(X)
        for parameters in (widened(model.parameters), *rounded)
    )
    most = min(float(np.finfo(model.dtype).max), _LARGEST)
    usable: Array = np.all([(abs(A) <= most).all(axis=1) for A in (exact, *others)], axis=0)
    return usable, exact, others


def _stepped(
    model: Model, plan: Plan, rounded: list[Parameters], rows: Vectors, factor: float
) -> Steps | None:
    """Steps from these rows at a share of the rate; None where rounding decides what they do."""
    name, X = model.dtype.name, rows.X
    Y = targets(model.network.cost_row, rows.A).astype(model.dtype)
    if not np.isfinite(Y).all():
        return None
    exact = widened(model.parameters)
    with np.errstate(all="ignore"):
        costs, after = _run(plan, exact, "float64", factor, X, Y)
        others = [
            _run(plan, parameters, name, factor, X, Y, seed)
            for seed, parameters in enumerate(rounded, 1)
        ]
        floor, scale = _FLOOR_OF_STEPS[name], float(abs(costs).max())
        cost_far = _tolerance(floor * scale, [float(abs(costs - own).max()) for own, _ in others])
        far = _tolerance(floor, [_apart(after, own) for _, own in others])
    good = max(scale, abs(after).max()) <= min(float(np.finfo(name).max), _LARGEST)
    good = good and cost_far <= _GOOD[name] * scale and far <= _GOOD[name]  # false for NaN
    return Steps(Y, factor, costs, after, cost_far, far) if good else None


def _run(
    plan: Plan, parameters: Parameters, dtype: str, factor: float, X: Array, Y: Array, seed: int = 0
) -> tuple[Array, Array]:
    """The costs of the steps, and the predictions after them, by the reference.

    A seed other than 0 puts the examples in another order: sums that cancel leave another rest.
    """
    runner = start(
        plan.network,
        optimizer=replace(plan.optimizer_row, learning_rate=rate_of(plan) * factor),
        regularization=plan.regularization,
        engine="reference",
        dtype=dtype,
        parameters=parameters,
    )
    X, Y = X.astype(dtype), Y.astype(dtype)
    order = np.random.default_rng(seed).permutation(len(X)) if seed else np.arange(len(X))
    costs = np.array([runner.step(X[order], Y[order]) for _ in range(STEPS)], np.float64)
    return costs, runner.predict(X).astype(np.float64)


def targets(cost: Cost, A: Array) -> Array:
    """Targets that a cost allows, at a distance from each prediction.

    Examples
    --------
    >>> from deltarule.costs import COSTS
    >>> Y = targets(COSTS("mae"), np.zeros((2, 1)))
    >>> bool((abs(Y) >= 0.5).all())
    True
    """
    rng = np.random.default_rng(0)
    way, up = rng.uniform(0.5, 0.9, A.shape), rng.random(A.shape) < 0.5
    low, high = cost.targets.ends
    if cost.distribution or cost.group > 1:
        width = cost.group if cost.group > 1 else A.shape[1]
        shares = (
            way
            + 4
            * np.eye(width)[rng.integers(width, size=len(A) * A.shape[1] // width)].reshape(A.shape)
        ).reshape(-1, width)
        return (shares / shares.sum(axis=1, keepdims=True)).reshape(A.shape)
    if np.isfinite(high):  # probabilities: towards the farther end
        return np.where((low + high) / 2 > A, A + way * (high - A), A - way * (A - low))
    if np.isfinite(low):  # counts
        return low + (A - low) * np.where(up, 1 + way, 1 - way)
    return A + np.where(up, way, -way) * (abs(A).max() or 1.0)


def _roundings(model: Model) -> list[Parameters]:
    """The model's parameters, rounded otherwise in each."""
    return [_rounded(model.parameters, seed) for seed in range(_ROUNDINGS)]


def _rounded(parameters: Parameters, seed: int) -> Parameters:
    """The parameters, each moved by some units of its last place, up or down."""
    rng = np.random.default_rng(seed)

    def moved(W: Array) -> Array:
        signs = rng.integers(0, 2, W.shape, dtype=np.int8) * 2 - 1
        return (W * (1 + _ULPS * np.finfo(W.dtype).eps * signs)).astype(W.dtype)

    return tuple({name: moved(W) for name, W in own.items()} for own in parameters)


def _tolerance(floor: float, differences: list[float]) -> float:
    """A multiple of the largest difference; NaN where one is."""
    return float(np.max([floor, *(_SAFETY * far for far in differences)]))


def _apart(A: Any, other: Any) -> float:
    """A distance as a share of the norm, as the test in the file measures it."""
    norm, far = np.linalg.norm(A), np.linalg.norm(np.subtract(A, other, dtype=np.float64))
    return float(far / norm if norm > 0 else far)
