"""What a report evaluates a network on: rows with targets, and the network's predictions.

Every figure of a report is computed here, on arrays; nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_dtype, columns
from deltarule.errors import ShapeError
from deltarule.metrics import figures
from deltarule.network import Network, Parameters, feed_forward, input_gradient, output_delta
from deltarule.rng import generator
from deltarule.sparse import dense, gathered
from deltarule.training import Result, checked_examples
from deltarule.training.predictions import probabilities

_TINY = 1e-7
_ROWS = (200, 2000)  # at least and at most so many order the columns by their importance
_PRODUCTS = 3e10  # about what that may take
_NEAR = 0.1  # standard deviations by which rows are moved: on a kink a derivative may be any


class Column(NamedTuple):
    """A column as a reader knows it, and where the network reads it.

    Attributes
    ----------
    name : str
    inputs : tuple of int
        The network's inputs that are made of it: several for a category.
    cells : sequence of str
        Its values, one a row, as they are shown.
    flags : tuple of int
        Those of the inputs that are 1 where the value is missing.
    """

    name: str
    inputs: tuple[int, ...]
    cells: Sequence[str]
    flags: tuple[int, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Rows that a network is evaluated on.

    Attributes
    ----------
    task : str
        ``"classification"``, ``"labels"`` (several yes-or-no outputs) or ``"regression"``.
    network : Network
    parameters : Parameters
    X, Y : arrays, shapes (m, n[0]) and (m, n[L])
        As the network reads and learns them.
    targets : array
        Class numbers ``(m,)``; else ``(m, outputs)``, in the target's own units.
    evaluated : function
        Of A[L] as rows to what is evaluated: probabilities ``(m, classes)``, or values in the
        target's own units.
    names : tuple of str
        The classes, or the targets.
    columns : tuple of Column
    weights : array or None, shape (m,)
    numbers : array, shape (m,)
        What the rows are called.
    spreads : array or None, shape (n[0],)
        Standard deviations of the network's inputs over the training rows; None where only these
        rows are known.
    cut : float
        Of two classes, the probability of the second from which on it is predicted.
    """

    task: str
    network: Network
    parameters: Parameters
    X: Array
    Y: Array
    targets: Array
    evaluated: Callable[[Array], Array]
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    weights: Array | None
    numbers: Array
    spreads: Array | None = None
    cut: float = 0.5

    def predict(self, X: Array) -> Array:
        """What is evaluated, of rows as the network reads them."""
        with np.errstate(over="ignore", under="ignore"):
            return self.evaluated(feed_forward(self.network, self.parameters, columns(X))[-1].A.T)

    @cached_property
    def P(self) -> Array:
        """The predictions for the rows: probabilities, or values in the target's units."""
        return np.asarray(self.predict(self.X), dtype=np.float64)

    @cached_property
    def taken(self) -> Array:
        """The number of each row's predicted class."""
        if self.P.shape[1] == 2:
            return (self.P[:, 1] >= self.cut).astype(np.int64)
        classes: Array = self.P.argmax(axis=1)
        return classes

    @cached_property
    def s(self) -> Array:
        """The rows' weights; ones where there are none."""
        m = len(self.X)
        return np.ones(m) if self.weights is None else np.asarray(self.weights, dtype=np.float64)

    @cached_property
    def indicators(self) -> Array:
        """For each class or label, whether a row has it: ``(m, names)``."""
        if self.task == "labels":
            return self.targets > 0.5
        return np.asarray(self.targets)[:, None] == np.arange(len(self.names))

    def losses(self, P: Array) -> Array:
        """How wrong predictions are, row by row ``(m,)``: log loss, or squared error.

        The squared errors of several targets count in units of each target's spread.
        """
        if self.task == "regression":
            spread = np.where(self.targets.std(axis=0) > 0, self.targets.std(axis=0), 1.0)
            error: Array = (((P - self.targets) / spread) ** 2).mean(axis=1)
            return error
        P = np.clip(P, _TINY, 1 - _TINY)
        if self.task == "classification":
            return -np.log(P[np.arange(len(P)), self.targets])
        return -np.where(self.indicators, np.log(P), np.log1p(-P)).mean(axis=1)

    @cached_property
    def constant(self) -> Array:
        """The best predictions that are the same for every row: mean values, or shares."""
        values = self.targets if self.task == "regression" else self.indicators
        means = np.average(values, axis=0, weights=self.s)
        return np.broadcast_to(means, self.P.shape)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The targets, where they are numbers."""
        return self.names if self.task == "regression" else ()

    @cached_property
    def figures(self) -> dict[str, float]:
        """The metrics of the task, by name."""
        return self.figures_of(self.P)

    def figures_of(self, P: Array) -> dict[str, float]:
        """The same of other predictions."""
        if self.task != "labels":
            return figures(self.task, self.targets, P, self.weights, self.target_names)
        right = ((P >= 0.5) == self.indicators).mean(axis=1)
        return {
            "accuracy": float(np.average(right, weights=self.s)),
            "log_loss": float(np.average(self.losses(P), weights=self.s)),
        }


def evidence_of(
    result: Result,
    X: Any,
    Y: Any,
    *,
    columns: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    weights: Any = None,
) -> Evidence:
    """The evidence of arrays: the task is inferred from the network's cost and outputs.

    Parameters
    ----------
    result : Result
    X, Y : array_like
        Rows that the network has not learnt from, as :func:`deltarule.train` takes them.
    columns : sequence of str, optional
        The names of X's columns.
    names : sequence of str, optional
        The classes, or the targets.
    weights : array_like, shape (m,), optional

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        For data or names that do not fit the network.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
    >>> X, Y = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]
    >>> found = evidence_of(dr.train(network, X, Y, epochs=1), X, Y)
    >>> found.task, found.names, found.P.shape
    ('classification', ('0', '1'), (3, 2))
    """
    network = result.network
    dtype = checked_dtype(result.runner.plan.dtype)
    data = checked_examples(network, X, Y, weights, dtype)
    data = data._replace(X=dense(data.X))
    cost, n = network.cost_row, network.outputs
    are_shares = cost.targets.ends == cost.outputs.ends == (0.0, 1.0)
    task = "regression"
    if are_shares:
        task = "classification" if n == 1 or cost.distribution else "labels"
    targets: Array = data.Y.astype(np.float64)
    evaluated: Callable[[Array], Array] = np.asarray
    if task == "classification":
        targets = data.Y.argmax(axis=1) if n > 1 else (data.Y[:, 0] > 0.5).astype(np.int64)
        evaluated = np.asarray if n > 1 else probabilities
    count = 2 if task == "classification" and n == 1 else n
    default = "target" if task == "regression" else "label"
    plain = [str(k) if task == "classification" else f"{default} {k + 1}" for k in range(count)]
    titles = _named("columns", columns, [f"x{k + 1}" for k in range(network.inputs)])
    X = gathered(data.X, np.arange(len(data.X)))
    cells = [[f"{value:.4g}" for value in X[:, k]] for k in range(network.inputs)]
    return Evidence(
        task,
        network,
        result.parameters,
        X,
        data.Y,
        targets,
        evaluated,
        _named("names", names, plain),
        tuple(Column(titles[k], (k,), cells[k]) for k in range(network.inputs)),
        data.weights,
        np.arange(len(X)),
    )


def _named(what: str, given: Sequence[str] | None, default: list[str]) -> tuple[str, ...]:
    if given is None:
        return tuple(default)
    if len(given) != len(default):
        raise ShapeError(f"{what}: expected {len(default)} names, got {len(given)}.")
    return tuple(map(str, given))


# -------------------------------------------------------------------------------- the columns


class Importance(NamedTuple):
    """What a column is to the network.

    Attributes
    ----------
    name : str
    rise : float
        By how much the mean loss of the rows rises when the column's values are shuffled among
        them; negative where shuffling helps.
    spread : float
        The standard deviation of that over the shuffles.
    gradient : float
        The mean size of dA[0] of the column's inputs, each times the input's standard deviation:
        how much the loss changes per standard deviation, near each row.
    missing : float
        The part of `rise` that is gone when values are shuffled among rows that have one and
        among rows that have none: what it counts whether the value is missing.
    """

    name: str
    rise: float
    spread: float
    gradient: float
    missing: float = 0.0

    @property
    def is_clear(self) -> bool:
        """Whether the rise stands out from the shuffles' spread."""
        return self.rise > 2 * self.spread

    @property
    def missing_share(self) -> float:
        """The same as a share of a clear rise; else 0."""
        return self.missing / self.rise if self.is_clear else 0.0


def importances(evidence: Evidence, *, seed: int = 0, repeats: int = 3) -> list[Importance]:
    """Every column's importance, the largest rise first.

    Parameters
    ----------
    evidence : Evidence
        Of many rows some are used, at most 2000.
    seed : int
    repeats : int
        How often each column is shuffled.
    """
    rng, own = generator(seed, "explain", 1), generator(seed, "explain", 2)
    passes = repeats * max(1, len(evidence.columns))
    low, high = _ROWS
    most = int(np.clip(_PRODUCTS / passes / evidence.network.parameter_count, low, high))
    m = min(most, len(evidence.X))
    part = _taken(evidence, np.sort(rng.permutation(len(evidence.X))[:m]))
    before = np.average(part.losses(part.P), weights=part.s)
    spreads = evidence.X.std(axis=0, dtype=float) if evidence.spreads is None else evidence.spreads
    near = part.X + _NEAR * spreads * own.standard_normal(part.X.shape)
    slopes = input_gradients(replace(part, X=near.astype(part.X.dtype))) * spreads
    found = []
    for column in part.columns:
        if not column.inputs:
            continue
        at = list(column.inputs)
        rises = [_shuffled(part, at, rng.permutation(m)) - before for _ in range(repeats)]
        size = np.average(np.sqrt((slopes[:, at] ** 2).sum(axis=1)), weights=part.s)
        absent, missing = (part.X[:, column.flags] > 0).any(axis=1), 0.0
        if absent.any():
            orders = [_permuted_within(absent, own) for _ in range(repeats)]
            among = np.mean([_shuffled(part, at, order) - before for order in orders])
            missing = float(np.clip(np.mean(rises) - among, 0.0, max(0.0, np.mean(rises))))
        rise, spread = float(np.mean(rises)), float(np.std(rises))
        found.append(Importance(column.name, rise, spread, float(size), missing))
    return sorted(found, key=lambda each: -each.rise)


def _shuffled(evidence: Evidence, inputs: list[int], order: Array) -> float:
    """The mean loss where some inputs are those of other rows."""
    X = evidence.X.copy()
    X[:, inputs] = X[order][:, inputs]
    return float(np.average(evidence.losses(evidence.predict(X)), weights=evidence.s))


def _permuted_within(mask: Array, rng: np.random.Generator) -> Array:
    """An order of rows in which those of a mask change places only among themselves.

    Examples
    --------
    >>> _permuted_within(np.array([True, False, True]), np.random.default_rng(0)).tolist()[1]
    1
    """
    order = np.arange(len(mask))
    for at in (np.flatnonzero(mask), np.flatnonzero(~mask)):
        order[at] = rng.permutation(at)
    return order


def input_gradients(evidence: Evidence) -> Array:
    """dA[0] as rows, ``(m, n[0])``: each row's loss by its inputs, ``W[1]ᵀ δ[1]``.

    Back propagation gives it for nothing: Eq. 11d, carried one layer further down.
    """
    network, parameters = evidence.network, evidence.parameters
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        caches = feed_forward(network, parameters, columns(evidence.X))
        delta = output_delta(network, caches[-1], columns(evidence.Y), None)
        found: Array = input_gradient(network, parameters, caches, delta).T
    return np.nan_to_num(found.astype(np.float64))


def _taken(evidence: Evidence, rows: Array) -> Evidence:
    """Some of the rows."""
    return replace(
        evidence,
        X=evidence.X[rows],
        Y=evidence.Y[rows],
        targets=evidence.targets[rows],
        weights=None if evidence.weights is None else evidence.weights[rows],
        numbers=evidence.numbers[rows],
    )
