"""The check of every equation: over every layer, activation, cost and pair, off every kink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from deltarule import equations
from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import Array
from deltarule.checks.catalogue import EQUATIONS
from deltarule.checks.differences import by_parameter, central_difference, relative_error
from deltarule.checks.kinds import KIND_EQUATIONS, check_kinds
from deltarule.costs import COSTS, Cost
from deltarule.layers import Cache, Dense
from deltarule.network import (
    Network,
    Parameters,
    back_propagate,
    feed_forward,
    output_delta,
    output_loss,
)

TOLERANCE = 1e-7
"""The largest norm-wise relative error that counts as agreement, in float64, off kinks."""

_CLEARANCE = 1e-2  # a case keeps this far from every kink, thousands of times the step


class Checked(NamedTuple):
    """What the check of an equation found.

    Attributes
    ----------
    number : str
        Of the equation.
    error : float
        The largest norm-wise relative error against central differences, ``‖a − b‖ / ‖b‖``.
    cases : int
        Over how many cases.
    worst : str
        The case with that error.
    rows : tuple of str
        The rows of the tables that are cases of it: of Eq. 9 every activation, of Eq. 2 every
        cost.
    """

    number: str
    error: float
    cases: int
    worst: str
    rows: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the error is within :data:`TOLERANCE`."""
        return self.error <= TOLERANCE


# ------------------------------------------------------------------------------- the cases


class Case(NamedTuple):
    """A small network with data, off every kink: sizes 5, 4, 3 and m = 7, pairwise different."""

    name: str
    network: Network
    parameters: Parameters
    A0: Array
    Y: Array

    def output_from(self, l: int, Z: Array) -> Cache:
        """The output layer's cache from a given Z[l] on."""
        cache = Cache(Z, Z, equations.activation(self.network.layers[l - 1].g.g, Z))
        return self.output_after(l, cache)

    def output_after(self, l: int, cache: Cache) -> Cache:
        """The output layer's cache from a given cache of layer l on."""
        later = zip(self.network.layers[l:], self.parameters[l:], strict=True)
        for layer, own in later:
            cache = layer.forward(own, cache.A)
        return cache

    def summed_loss(self, output: Cache) -> float:
        """The loss of the batch, summed: what dA and δ are derivatives of."""
        return float(output_loss(self.network, output, self.Y).sum())


def pair_cases() -> Iterator[Case]:
    """Every activation × cost whose ranges meet, and each fused pair a second time, unfused."""
    for cost in map(COSTS, COSTS):
        for g in map(ACTIVATIONS, ACTIVATIONS):
            if g.range not in cost.outputs:
                continue
            fused = g.name in cost.fused
            yield _case(f"{g.name}, {cost.name}{', fused' if fused else ''}", g, cost)
            if fused:
                yield _case(f"{g.name}, {cost.name}, unfused", g, replace(cost, fused={}))


def _case(name: str, g: Activation, cost: Cost) -> Case:
    network = Network(5, [Dense(4, g), Dense(3, g)], cost)
    m = 7
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        parameters = tuple(
            {part: 0.5 * rng.standard_normal(shape) for part, shape in shapes.items()}
            for shapes in network.shapes
        )
        A0 = rng.standard_normal((network.inputs, m))
        Y = _targets(cost, rng, (network.outputs, m))
        caches = feed_forward(network, parameters, A0)
        distances = [abs(c.Z - kink).min() for c in caches for kink in g.kinks]
        distances += [abs(Y - caches[-1].A - kink).min() for kink in cost.kinks]
        if min(distances, default=1.0) > _CLEARANCE:
            return Case(name, network, parameters, A0, Y)
    raise AssertionError(f"no case off the kinks of {name}")


def _targets(cost: Cost, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Random targets within what the cost allows."""
    if cost.distribution:
        Y = rng.uniform(0.1, 1.0, shape)
        return Y / Y.sum(axis=0)
    low, high = cost.targets.ends
    if np.isfinite(high):
        return rng.uniform(low, high, shape)
    return rng.exponential(1.0, shape) if np.isfinite(low) else rng.standard_normal(shape)


# ------------------------------------------------------------------------------- the checks

Found: TypeAlias = Iterator[tuple[str, str, float]]
"""Findings of a check: equation number, case, error."""


def _check_forward() -> Found:
    """Eq. 1a, 6, 7, 8: a layer's weighted input by its weights, bias and input."""
    rng = np.random.default_rng(1)
    W, b, A_prev = (rng.standard_normal(shape) for shape in ((4, 5), (4, 1), (5, 7)))
    Z = equations.weighted_input
    jacobians = {
        "6": (
            equations.dZ_dW(A_prev, 4),
            central_difference(lambda x: Z(x, A_prev, b), W),
        ),
        "7": (
            equations.dZ_db(4, A_prev),
            central_difference(lambda x: Z(W, A_prev, x), b)[..., 0],
        ),
        "8": (
            equations.dZ_dA_prev(W, 7),
            central_difference(lambda x: Z(W, x, b), A_prev),
        ),
    }
    for number, (exact, numeric) in jacobians.items():
        error = relative_error(exact, numeric)
        yield number, "4 units after 5, m = 7", error
        yield "1a", f"by Eq. {number}", error


def _check_activations() -> Found:
    """Eq. 1b, 9: every activation's Jacobian."""
    for g in map(ACTIVATIONS, ACTIVATIONS):
        Z = _off(g.kinks, np.random.default_rng(2).normal(0.0, 2.0, (4, 3)))
        A = equations.activation(g.g, Z)
        numeric = central_difference(g.g, Z)
        error = relative_error(g.jacobian(Z, A), numeric)
        yield "9", g.name, error
        yield "1b", g.name, error


def _check_costs() -> Found:
    """Eq. 2a, 2b, 2c and the other costs of the table: dA against the loss."""
    numbers = {"mse": "2a", "mae": "2b", "binary_cross_entropy": "2c"}
    for name in COSTS:
        cost = COSTS(name)
        rng = np.random.default_rng(3)
        Y = _targets(cost, rng, (3, 7))
        A = _targets(replace(cost, targets=cost.outputs), rng, (3, 7))
        A = Y + _off(cost.kinks, A - Y) if cost.kinks else np.maximum(A, 0.05)
        if np.isfinite(cost.outputs.ends[1]):
            A = np.clip(A, 0.05, 0.95)
        loss = partial(_summed, cost, Y=Y)
        error = relative_error(cost.dA(A, Y), central_difference(loss, A))
        yield "2", cost.name, error
        if name in numbers:
            yield numbers[name], cost.name, error


def _summed(cost: Cost, A: Array, Y: Array) -> float:
    return float(cost.loss(A, Y).sum())


def _check_pairs() -> Found:
    """Eq. 3, 4, 5, 10, 11 and 12: the whole of back propagation, for every pair."""
    for case in pair_cases():
        yield from _check_back_propagation(case)
        yield from _check_chain(case)


def _check_back_propagation(case: Case) -> Found:
    network, parameters, A0, Y = case[1:]
    m, L = A0.shape[1], len(network.layers)
    caches = feed_forward(network, parameters, A0)
    watched: dict[tuple[str, int], Array] = {}
    back_propagate(
        network,
        parameters,
        caches,
        output_delta(network, caches[-1], Y, None),
        m,
        observe=lambda name, l, value: watched.update({(name, l): value}),
    )

    def cost(changed: Parameters) -> float:
        return float(case.summed_loss(feed_forward(network, changed, A0)[-1]) / m)

    for l in range(L, 0, -1):
        eq = "10" if l == L else "11"
        numeric = {
            "a": ("delta", l, _loss_by_Z(case, l, caches[l - 1].Z)),
            "b": ("dW", l, by_parameter(cost, parameters, l - 1, "W")),
            "c": ("db", l, by_parameter(cost, parameters, l - 1, "b")),
            "d": ("dA", l - 1, _loss_by_A(case, l, caches[l - 1].A_prev)),
        }
        for letter, (name, layer, difference) in numeric.items():
            error = relative_error(watched[name, layer], difference)
            yield f"{eq}{letter}", case.name, error
            yield "12", f"{case.name} (11{letter})", error
        for letter, part in (("a", "W"), ("b", "b")):
            before = parameters[l - 1][part]
            after = equations.descend(before, watched[f"d{part}", l], 0.1)
            difference = numeric["b" if part == "W" else "c"][2]
            yield f"3{letter}", case.name, relative_error(after - before, -0.1 * difference)


def _check_chain(case: Case) -> Found:
    """Eq. 4 by its explicit Jacobians, and Eq. 5 from end to end."""
    network, parameters, A0, Y = case[1:]
    m, L = A0.shape[1], len(network.layers)
    caches = feed_forward(network, parameters, A0)
    output, own = caches[-1], parameters[-1]
    n = network.outputs
    gs = [layer.g for layer in network.layers]
    dA = network.cost_row.dA(output.A, Y)
    delta = equations.delta_by_chain(dA, gs[-1].jacobian(output.Z, output.A))

    def cost(changed: Parameters) -> float:
        return float(case.summed_loss(feed_forward(network, changed, A0)[-1]) / m)

    A_prev = output.A_prev
    chain = {
        "4a": (delta, _loss_by_Z(case, L, output.Z)),
        "4b": (
            equations.dW_by_chain(delta, equations.dZ_dW(A_prev, n), m),
            by_parameter(cost, parameters, L - 1, "W"),
        ),
        "4c": (
            equations.db_by_chain(delta, equations.dZ_db(n, A_prev), m),
            by_parameter(cost, parameters, L - 1, "b"),
        ),
        "4d": (
            equations.dA_prev_by_chain(delta, equations.dZ_dA_prev(own["W"], m)),
            _loss_by_A(case, L, A_prev),
        ),
    }
    for number, (exact, difference) in chain.items():
        yield number, case.name, relative_error(exact, difference)

    Ws, bs = ([layer[name] for layer in parameters] for name in ("W", "b"))
    jacobians = [g.jacobian(c.Z, c.A) for g, c in zip(gs, caches, strict=True)]

    def loss(x: Array) -> float:
        A = equations.network_output(Ws, bs, [g.g for g in gs], x)
        return float(network.cost_row.loss(A, Y).sum())

    error = relative_error(
        equations.input_gradient(Ws, jacobians, dA), central_difference(loss, A0)
    )
    yield "5a", case.name, error
    yield "5b", case.name, error


def _loss_by_Z(case: Case, l: int, Z: Array) -> Array:
    return central_difference(lambda x: case.summed_loss(case.output_from(l, x)), Z)


def _loss_by_A(case: Case, l: int, A_prev: Array) -> Array:
    layer, own = case.network.layers[l - 1], case.parameters[l - 1]
    return central_difference(
        lambda x: case.summed_loss(case.output_after(l, layer.forward(own, x))), A_prev
    )


def _off(kinks: Iterable[float], values: Array) -> Array:
    """Values moved away from kinks."""
    for kink in kinks:
        near = abs(values - kink) < _CLEARANCE
        values = np.where(near, kink + 10 * _CLEARANCE, values)
    return values


def check_all() -> list[Checked]:
    """The check of every equation, in the order of :data:`EQUATIONS` and then of the kinds.

    Returns
    -------
    list of Checked
        About a second's work.

    Examples
    --------
    >>> all(checked.passed for checked in check_all())
    True
    """
    found: dict[str, list[tuple[float, str]]] = {}
    checks = (_check_forward, _check_activations, _check_costs, _check_pairs, check_kinds)
    for check in checks:
        for number, case, error in check():
            found.setdefault(number, []).append((error, case))
    listed = {table(name).name for table in (ACTIVATIONS, COSTS) for name in table}
    checked = []
    for number in (equation.number for equation in EQUATIONS + KIND_EQUATIONS):
        error, worst = max(found[number])
        rows = tuple(case for _, case in found[number] if case in listed)
        checked.append(Checked(number, error, len(found[number]), worst, rows))
    return checked
