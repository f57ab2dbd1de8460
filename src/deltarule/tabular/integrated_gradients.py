"""Integrated gradients: a network's derivative along the line from a reference to an example.

Sundararajan, Taly and Yan, *Axiomatic attribution for deep networks*, 2017. The integral is a sum
over Gauss-Legendre points; their number doubles until the parts add up to the change of the output.
Where many bins lie in hardly any space, an output jumps, and no number of points finds the jump:
there the bins fill side by side instead of one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import Plan, Runner
from deltarule.network import Network, Parameters
from deltarule.tabular.path_units import cut

_CELLS = 1 << 22  # of derivatives that are held at once


class Integrated(NamedTuple):
    """What each group of inputs contributes to the change of each output.

    Attributes
    ----------
    parts : array, shape (m, k, groups)
    outputs : array, shape (m, k)
    start : array, shape (k,)
        The outputs at the reference.
    points : int array, shape (m,)
        At how many points the derivatives were taken.
    """

    parts: Array
    outputs: Array
    start: Array
    points: Array

    @property
    def residual(self) -> Array:
        """The change of the outputs less the sum of the parts, ``(m, outputs)``."""
        left: Array = self.outputs - self.start - self.parts.sum(axis=2)
        return left

    def of(self, rows: Array) -> Integrated:
        """The same of some examples."""
        return Integrated(self.parts[rows], self.outputs[rows], self.start, self.points[rows])


class Rule(NamedTuple):
    """A quadrature rule on [0, 1].

    Attributes
    ----------
    at : array, shape (points,)
    ends : array, shape (points + 1,)
        Of the pieces, one around each point and as long as its weight.
    knots : array or None
        Points between which the network's bins fill straight; None where they never do.
    """

    at: Array
    ends: Array
    knots: Array | None = None


def gauss_legendre(points: int) -> Rule:
    """Gauss and Legendre's rule; between two of its points lies an end of their pieces.

    Examples
    --------
    >>> gauss_legendre(2).at.round(4), gauss_legendre(2).ends.round(4)
    (array([0.2113, 0.7887]), array([0. , 0.5, 1. ]))
    """
    x, w = np.polynomial.legendre.leggauss(points)
    ends = np.concatenate([[0.0], np.cumsum(w)])
    return Rule((x + 1) / 2, ends / ends[-1])


def polygon(sides: int, points: int) -> Rule:
    """The same rule on each side of a polygon that the bins fill along.

    Examples
    --------
    >>> polygon(2, 1)
    Rule(at=array([0.25, 0.75]), ends=array([0. , 0.5, 1. ]), knots=array([0. , 0.5, 1. ]))
    """
    own, first = gauss_legendre(points), np.arange(sides)[:, np.newaxis]
    ends = np.append((first + own.ends[:-1]).ravel(), sides)
    return Rule((first + own.at).ravel() / sides, ends / sides, np.arange(sides + 1) / sides)


@cache
def standard_rules() -> tuple[Rule, ...]:
    """The rules that are taken one after another, until the residual is small."""
    return *map(gauss_legendre, (8, 16, 32, 64, 128)), polygon(64, 4), polygon(64, 8)


def integrated_gradients(
    network: Network,
    parameters: Parameters,
    X: Array,
    reference: Array,
    *,
    groups: Array | None = None,
    tolerance: float = 1e-3,
    rules: Sequence[Rule] = (),
) -> Integrated:
    """The parts of the inputs in the change of the outputs from a reference to each example.

    Parameters
    ----------
    network : Network
        Its outputs are decomposed, after the last activation.
    parameters : Parameters
    X : array, shape (m, n[0])
    reference : array, shape (n[0],)
    groups : int array, shape (n[0],), optional
        The group of each input, from 0, ascending: parts are summed within a group. Each input is
        one by default.
    tolerance : float
        Examples with a larger residual take the next rule.
    rules : sequence of Rule
        By default :func:`standard_rules`. Where none is enough, the parts with the smallest
        residual are kept.

    Examples
    --------
    Of a product, ``xy = ((x + y)² − (x − y)²) / 4``, each factor has half where the reference is 0:

    >>> import deltarule as dr
    >>> from deltarule.activations import Activation
    >>> square = Activation("square", g=lambda Z: Z * Z, g_prime=lambda Z: 2.0 * Z)
    >>> W = [{"W": np.array([[1.0, 1.0], [1.0, -1.0]]), "b": np.zeros((2, 1))}]
    >>> W += [{"W": np.array([[0.25, -0.25]]), "b": np.zeros((1, 1))}]
    >>> network = dr.Network(2, [dr.Dense(2, square), dr.Dense(1)])
    >>> integrated_gradients(network, W, np.array([[2.0, 3.0]]), np.zeros(2)).parts
    array([[[3., 3.]]])
    """
    path = _Path(network, parameters, np.arange(network.inputs) if groups is None else groups)
    m, X0 = len(X), np.asarray(reference, path.dtype)[np.newaxis]
    X = np.asarray(X, path.dtype)
    found = Integrated(
        np.zeros((m, network.outputs, path.n_groups)),
        path.outputs(X),
        path.outputs(X0)[0],
        np.zeros(m, np.int64),
    )
    left = np.arange(m)
    for rule in rules or standard_rules():
        for rows in path.blocks(left, len(rule.at)):
            parts = path.parts(X[rows], X0, rule)
            former = found.of(rows)
            is_nearer = _largest(former._replace(parts=parts)) < _largest(former)
            is_better = is_nearer | (former.points == 0)
            better = rows[is_better]
            found.parts[better] = parts[is_better]
            found.points[better] = len(rule.at)
        left = left[_largest(found.of(left)) > tolerance]
    return found


def _largest(found: Integrated) -> Array:
    """Of each example, the largest residual."""
    largest: Array = abs(found.residual).max(axis=1)
    return largest


class _Path:
    """A network, cut where its derivatives jump, on an engine."""

    def __init__(self, network: Network, parameters: Parameters, groups: Array) -> None:
        self._order, self._units, rest, own = cut(network, parameters)
        plan = Plan(rest, dtype=_dtype(parameters))
        self._runner: Runner = start_plan(plan, choose(plan).name, own)
        self._starts = np.flatnonzero(np.diff(groups, prepend=-1))
        self.dtype, self.n_groups = plan.dtype, len(self._starts)

    def outputs(self, X: Array) -> Array:
        """The network's, as float64."""
        X = X[:, self._order]
        found = [
            self._runner.predict(self._joined([units.values(X[rows]) for units in self._units]))
            for rows in self.blocks(np.arange(len(X)), 1)
        ]
        outputs = self._runner.plan.network.outputs
        return np.concatenate([np.empty((0, outputs)), *found]).astype(np.float64)

    def blocks(self, rows: Array, points: int) -> list[Array]:
        """Rows in turns whose derivatives fit into memory."""
        network = self._runner.plan.network
        each = max(1, _CELLS // (points * network.inputs * (network.outputs + 1)))
        return [rows[first : first + each] for first in range(0, len(rows), each)]

    def parts(self, X: Array, X0: Array, rule: Rule) -> Array:
        """By one rule, ``(rows, outputs, groups)``."""
        X, X0 = X[:, self._order], X0[:, self._order]
        at = self._joined([units.along(X0, X, rule.at, rule.knots) for units in self._units])
        slopes = self._runner.jacobian(at.reshape(-1, at.shape[-1]))
        slopes = slopes.reshape(*at.shape[:2], *slopes.shape[1:])
        found: Array = 0.0
        first = 0
        for units in self._units:
            last = first + len(units.sources)
            moved = np.diff(units.along(X0, X, rule.ends, rule.knots), axis=0)
            own = np.einsum("kmcu,kmu->mcu", slopes[..., first:last], moved, optimize=True)
            found = found + units.of_inputs(own, X.astype(np.float64) - X0)
            first = last
        found = found[..., np.argsort(self._order)]
        return np.add.reduceat(found, self._starts, axis=-1)

    def _joined(self, values: list[Array]) -> Array:
        return np.ascontiguousarray(np.concatenate(values, axis=-1), dtype=self.dtype)


def _dtype(parameters: Parameters) -> np.dtype[Any]:
    arrays = (values for layer in parameters for values in layer.values())
    return next((values.dtype for values in arrays), np.dtype(np.float64))
