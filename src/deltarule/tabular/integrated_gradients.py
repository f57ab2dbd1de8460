"""Integrated gradients: a network's derivative along the line from a reference to an example.

Sundararajan, Taly and Yan, *Axiomatic attribution for deep networks*, 2017. The integral is a sum
over Gauss-Legendre points. Where the parts miss the change of the output, the line is split, piece
by piece. Where many bins lie in hardly any space, an output jumps, and no number of points finds
the jump: in the narrow pieces the bins fill side by side instead of one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.network import Network, Parameters
from deltarule.tabular.ensembles import summands
from deltarule.tabular.path_units import cut

_CELLS = 1 << 19  # of derivatives that are held at once
_ROWS = 4096  # whose pieces are held at once
_MOST = 32  # pieces of a row that are split at a time
_POINTS = {8: 5e-3, 4: 5e-2}  # on the whole line, for tolerances below


class Integrated(NamedTuple):
    """What each group of inputs contributes to the change of each output.

    Attributes
    ----------
    parts : array, shape (m, k, groups)
    outputs : array, shape (m, k)
    start : array, shape (k,)
        The outputs at the reference.
    points : int array, shape (m,)
        At how many points the derivatives were taken; of averaged networks the mean.
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


class Rule(NamedTuple):
    """A quadrature rule on [0, 1].

    Attributes
    ----------
    at : array, shape (points,)
    ends : array, shape (points + 1,)
        Ends of intervals, one around each point, as long as the point's weight.
    """

    at: Array
    ends: Array


def gauss_legendre(points: int) -> Rule:
    """Gauss and Legendre's rule; between two of its points lies an end of their shares.

    Examples
    --------
    >>> gauss_legendre(2).at.round(4), gauss_legendre(2).ends.round(4)
    (array([0.2113, 0.7887]), array([0. , 0.5, 1. ]))
    """
    x, w = np.polynomial.legendre.leggauss(points)
    ends = np.concatenate([[0.0], np.cumsum(w)])
    return Rule((x + 1) / 2, ends / ends[-1])


class Level(NamedTuple):
    """How the pieces of one size are integrated.

    Attributes
    ----------
    pieces : int
        Of the whole line.
    rule : Rule
        On each of them.
    sides : int
        Number of pieces of the line within which bins are interpolated linearly; 0: none.
    """

    pieces: int
    rule: Rule
    sides: int = 0


def levels(tolerance: float) -> tuple[Level, ...]:
    """The whole line, then its pieces, each in four: with fewer points where more is tolerated.

    Parameters
    ----------
    tolerance : float

    Examples
    --------
    >>> [(level.pieces, len(level.rule.at)) for level in levels(0.001)[:3]]
    [(1, 8), (4, 4), (16, 4)]
    >>> len(levels(0.1)[0].rule.at)
    2
    """
    first = next((n for n, most in _POINTS.items() if tolerance < most), 2)
    rule = gauss_legendre(max(2, first // 2))
    coarse = (Level(pieces, rule) for pieces in (4, 16))
    fine = (Level(pieces, rule, 64) for pieces in (64, 256, 1024))
    return Level(1, gauss_legendre(first)), *coarse, *fine


def integrated_gradients(
    network: Network,
    parameters: Parameters,
    X: Array,
    reference: Array,
    *,
    groups: Array | None = None,
    tolerance: float = 1e-3,
    splits: tuple[Level, ...] = (),
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
        The line of an example with a larger residual is split.
    splits : tuple of Level
        What it is split into; :func:`levels` of the tolerance by default.

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
    groups = np.arange(network.inputs) if groups is None else groups
    paths = [_Path(*own, reference, groups) for own in summands(network, parameters)]
    paths.sort(key=lambda path: path.bends)  # the smooth ones leave their share to the others
    start, X = np.sum([path.start for path in paths], axis=0), np.asarray(X, _dtype(parameters))
    found = Integrated(
        np.zeros((len(X), network.outputs, len(np.unique(groups)))),
        np.tile(start, (len(X), 1)),
        start,
        np.zeros(len(X), np.int64),
    )
    for some in _blocks(len(X), _ROWS):
        parts, change, points = _integrated(paths, X[some], tolerance, splits or levels(tolerance))
        found.parts[some], found.points[some] = parts, np.ceil(points / len(paths))
        found.outputs[some] += change
    return found


def _integrated(
    paths: list[_Path], X: Array, tolerance: float, splits: tuple[Level, ...]
) -> tuple[Array, Array, Array]:
    """Of the sum of some networks: the parts, the change of the outputs, the number of points."""
    parts, change, points = path_sums = paths[0].zeros(len(X))
    for left, path in zip(range(len(paths), 0, -1), paths, strict=True):
        room = (tolerance - _largest(change - parts.sum(axis=2))) / left
        room = np.where(room > 0, room, tolerance / (4 * len(paths)))  # one that jumps took it all
        for total, own in zip(path_sums, path.integrated(X, room, splits), strict=True):
            total += own
    return parts, change, points


def _largest(residual: Array) -> Array:
    """Of each row, the largest residual of an output."""
    largest: Array = abs(residual).max(axis=-1)
    return largest


class _Path:
    """A network, cut where its derivatives jump, on an engine."""

    def __init__(
        self, network: Network, parameters: Parameters, reference: Array, groups: Array
    ) -> None:
        self._order, self._units, rest, own = cut(network, parameters)
        plan = Plan(rest, dtype=_dtype(parameters))
        engine = choose(plan).name
        threads = 1 if engine == "native" else None  # several wait for each other at small blocks
        self._runner: Runner = start_plan(plan, engine, own, EngineOptions(n_threads=threads))
        self._starts = np.flatnonzero(np.diff(groups, prepend=-1))
        self._back = np.argsort(self._order)
        self.dtype, self._shape = plan.dtype, (rest.outputs, len(self._starts))
        self.bends = any(not units.straight for units in self._units)
        self._X0 = np.asarray(reference, self.dtype)[np.newaxis, self._order]
        self.start = self._outputs([units.values(self._X0) for units in self._units])[0]

    def zeros(self, m: int) -> tuple[Array, Array, Array]:
        """Of each of m rows: parts, outputs, points."""
        return np.zeros((m, *self._shape)), np.zeros((m, len(self.start))), np.zeros(m)

    def integrated(
        self, X: Array, room: Array, splits: tuple[Level, ...]
    ) -> tuple[Array, Array, Array]:
        """The parts, the change of the outputs and the number of points of some rows.

        Parameters
        ----------
        X : array, shape (m, inputs)
        room : array, shape (m,)
            How large the residual of each row may be.
        splits : tuple of Level
        """
        X, m = X[:, self._order], len(X)
        total, residual, points = self.zeros(m)
        rows, first, times = np.arange(m), np.zeros(m, np.int64), 1
        begins = np.broadcast_to(self.start, residual.shape)
        for level, following in zip(splits, (*splits[1:], None), strict=True):
            parts, end = self._over(X[rows], first, level)
            start = np.roll(end, 1, axis=0)  # where the piece before ends
            start[::times] = begins
            if level is splits[0]:
                change = end - start
            left = end - start - parts.sum(axis=2)
            missed = residual + _summed(rows, left, m)
            split = _too_large(rows, left, residual, room / 2)
            split &= (_largest(missed) > room)[rows] & (following is not None)
            np.add.at(total, rows[~split], parts[~split])
            residual += _summed(rows[~split], left[~split], m)
            points += np.bincount(rows, minlength=m) * len(level.rule.at)
            if following is None or not split.any():
                break
            times = following.pieces // level.pieces
            rows, begins = np.repeat(rows[split], times), start[split]
            first = (first[split, np.newaxis] * times + np.arange(times)).ravel()
        return total, change, points

    def _over(self, X: Array, first: Array, level: Level) -> tuple[Array, Array]:
        """The parts ``(p, k, groups)`` over some pieces, and the outputs where they end.

        Parameters
        ----------
        X : array, shape (p, inputs)
            Of each piece the row.
        first : int array, shape (p,)
            How many pieces of the line come before it.
        level : Level
        """
        rule, network = level.rule, self._runner.plan.network
        parts, end = np.empty((len(X), *self._shape)), np.empty((len(X), network.outputs))
        cells = len(rule.at) * network.inputs * (network.outputs + 1)
        for some in _blocks(len(X), max(1, _CELLS // cells)):
            values = self._joined(self._along(X[some], first[some], rule.at, level))
            slopes = self._runner.jacobian(values.reshape(-1, values.shape[-1]))
            slopes = slopes.reshape(*values.shape[:2], *slopes.shape[1:])
            along = self._along(X[some], first[some], rule.ends, level)
            parts[some] = self._parts(slopes, along, X[some])
            end[some] = self._outputs([values[-1] for values in along])
        return parts, end

    def _parts(self, slopes: Array, along: list[Array], X: Array) -> Array:
        """Slopes ``(points, p, k, units)`` times what the units move by, as parts of the groups."""
        change = X.astype(np.float64) - self._X0
        found = np.zeros((len(X), slopes.shape[2], X.shape[1]))
        at = 0
        for units, values in zip(self._units, along, strict=True):
            own = slopes[..., at : at + len(units.sources)]
            by_unit = np.einsum("kmcu,kmu->mcu", own, np.diff(values, axis=0))
            found[..., units.first : units.last] += units.of_inputs(by_unit, change)
            at += len(units.sources)
        return np.add.reduceat(found[..., self._back], self._starts, axis=-1)

    def _along(self, X: Array, first: Array, at: Array, level: Level) -> list[Array]:
        """The units of rows at some points of their pieces, ``(points, p, units)``."""
        ends = None
        if level.sides:
            side = first // (level.pieces // level.sides)
            ends = np.stack([side, side + 1]) / level.sides
        place = (first + at[:, np.newaxis]) / level.pieces
        return [units.along(self._X0, X, place, ends) for units in self._units]

    def _outputs(self, units: list[Array]) -> Array:
        """Of units that stand side by side, as float64."""
        return self._runner.predict(self._joined(units)).astype(np.float64)

    def _joined(self, units: list[Array]) -> Array:
        return np.ascontiguousarray(np.concatenate(units, axis=-1), dtype=self.dtype)


def _blocks(m: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    return (slice(first, first + size) for first in range(0, m, size))


def _summed(rows: Array, values: Array, m: int) -> Array:
    """The values ``(p, k)`` of each row added up, ``(m, k)``."""
    return np.stack([np.bincount(rows, own, m) for own in values.T], axis=1)


def _too_large(rows: Array, left: Array, residual: Array, room: Array) -> Array:
    """Which pieces to split: those with the largest residuals, once the sum of the others fits.

    Parameters
    ----------
    rows : int array, shape (p,)
        Ascending.
    left : array, shape (p, k)
        The residual of each piece.
    residual : array, shape (m, k)
        Of each row, that of pieces that are done.
    room : array, shape (m,)
        How large it may become.

    Examples
    --------
    >>> left = np.array([[3.0], [-1.0], [0.5], [3.0]])
    >>> _too_large(np.array([0, 0, 0, 1]), left, np.zeros((2, 1)), np.array([2.0, 5.0]))
    array([ True, False, False, False])
    """
    order = np.lexsort((_largest(left), rows))
    which, sums = rows[order], np.cumsum(left[order], axis=0)
    begins, ends = (np.searchsorted(which, which, side) for side in ("left", "right"))
    sums += residual[which] - (sums - left[order])[begins]
    beyond = np.cumsum(_largest(sums) > room[which])
    found = np.empty(len(rows), bool)
    found[order] = (beyond > np.append(0, beyond)[begins]) & (ends - np.arange(len(rows)) <= _MOST)
    return found


def _dtype(parameters: Parameters) -> np.dtype[Any]:
    arrays = (values for layer in parameters for values in layer.values())
    return next((values.dtype for values in arrays), np.dtype(np.float64))
