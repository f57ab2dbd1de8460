"""Worksheets: one training step of a small network with numbers that a person can compute.

A sheet is drawn from its seed: whole numbers, a network in which every part does something. Its
quantities stand in the order of the work, each with its equation and the arithmetic of every
entry, written once and read by the page (with numbers) and by the spreadsheet (with cells).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deltarule import equations
from deltarule.arrays import Array, checked_number, columns
from deltarule.errors import SettingError
from deltarule.network import (
    Dense,
    Network,
    Parameters,
    back_propagate,
    feed_forward,
    output_delta,
    output_loss,
)
from deltarule.registry import nearest
from deltarule.rng import checked_seed, generator

MOST_UNITS, MOST_LAYERS, MOST_EXAMPLES = 6, 4, 4
"""More are too many to compute by hand."""

RATE = 0.1
TOLERANCE = 0.005
"""How far an answer may be off: three decimals are enough."""

_ATTEMPTS = 400
_LARGEST = 40  # of any number on a friendly sheet, where there is such a sheet


class Cells(NamedTuple):
    """An activation as spreadsheets write it: g of ``{z}``, and g' with ``{a}`` its value."""

    g: str
    g_prime: str


ACTIVATIONS: dict[str, Cells] = {
    "relu": Cells("MAX(0,{z})", "IF({z}>0,1,0)"),
    "leaky_relu": Cells("IF({z}>0,{z},0.01*{z})", "IF({z}>0,1,0.01)"),
    "identity": Cells("{z}", "1"),
    "sigmoid": Cells("1/(1+EXP(-{z}))", "{a}*(1-{a})"),
    "tanh": Cells("TANH({z})", "(1-{a}^2)"),
}
"""What the hidden layers of a worksheet can use."""

Ref = Callable[[str, int, int], str]
"""Of a quantity's key and a place in its matrix to what stands there: a number, or a cell."""


class Quantity(NamedTuple):
    """One matrix of the step.

    Attributes
    ----------
    key : str
        ``"Z1"``: unique on the sheet.
    symbol, layer : str, int
        ``"Z"`` and 1, for Z[1].
    values : array, shape (n, m)
    equation : str
        Its number; empty for what is given.
    formula : str
        As text: ``"W[1] A[0] + b[1]"``.
    part : str
        Its heading.
    entry : function or None
        Of a row, a column and a :data:`Ref` to the arithmetic of that entry; None for what is
        given.
    shown : array of bool, shape (n, m)
        Which entries are filled in.
    """

    key: str
    symbol: str
    layer: int
    values: Array
    equation: str
    formula: str
    part: str
    entry: Callable[[int, int, Ref], str] | None
    shown: Array


@dataclass(frozen=True)
class Worksheet:
    """One step of one network, to be worked out.

    Attributes
    ----------
    seed : int
    network : Network
    parameters : Parameters
        Before the step, float64.
    X, Y : arrays, shapes (m, n[0]) and (m, n[L])
    quantities : tuple of Quantity
        What is given, then what is to be found, in the order of the work.
    """

    seed: int
    network: Network
    parameters: Parameters
    X: Array
    Y: Array
    quantities: tuple[Quantity, ...]

    @property
    def asked(self) -> int:
        """How many entries are to be found."""
        return sum(int((~each.shown).sum()) for each in self.quantities)

    def number(self, key: str, i: int, j: int) -> str:
        """An entry as a number in a formula: in brackets where it is negative."""
        value = next(each for each in self.quantities if each.key == key).values[i, j]
        return f"({plain(value)})" if value < 0 else plain(value)

    def spelled(self, quantity: Quantity, i: int, j: int) -> str:
        """The arithmetic of an entry with its numbers; empty for what is given."""
        if quantity.entry is None:
            return ""
        text = quantity.entry(i, j, self.number)
        for written, read in (("*", "·"), ("-", "−"), ("MAX(0,", "max(0, "), ("IF(", "if(")):
            text = text.replace(written, read)
        return text


def worksheet(
    seed: int = 0,
    sizes: Sequence[int] = (2, 2, 1),
    *,
    activation: str = "relu",
    examples: int = 2,
    blank: float = 0.75,
) -> Worksheet:
    """A worksheet: the same for the same arguments.

    Parameters
    ----------
    seed : int
    sizes : sequence of int
        n[0] to n[L].
    activation : str
        Of the hidden layers, of :data:`ACTIVATIONS`; the output is the identity, the cost ‖Y−A‖².
    examples : int
        m.
    blank : float
        The share of the entries to find; the others are filled in.

    Returns
    -------
    Worksheet

    Raises
    ------
    SettingError
        For a network too large to compute by hand, or numbers out of range.

    Examples
    --------
    >>> sheet = worksheet(7)
    >>> [each.key for each in sheet.quantities][:9]
    ['A0', 'Y', 'W1', 'b1', 'W2', 'b2', 'Z1', 'A1', 'Z2']
    >>> Z1 = sheet.quantities[6]
    >>> float(Z1.values[0, 0]), sheet.spelled(Z1, 0, 0)
    (-2.0, '(−1)·2 + 1·(−1) + 1')
    """
    checked_seed("worksheet", seed)
    checked_number("worksheet", "examples", examples, low=1, high=MOST_EXAMPLES, whole=True)
    checked_number("worksheet", "blank", blank, low=0, high=1, open_low=True)
    network = _network(sizes, activation)
    candidates = (_drawn(network, examples, seed, k) for k in range(_ATTEMPTS))
    parameters, X, Y = min(candidates, key=lambda drawn: _strain(network, *drawn))
    known = generator(seed, "explain", 3)
    quantities = tuple(
        each._replace(shown=known.random(each.values.shape) >= blank) if each.entry else each
        for each in _quantities(network, parameters, X, Y)
    )
    return Worksheet(seed, network, parameters, X, Y, quantities)


def _network(sizes: Sequence[int], activation: str) -> Network:
    good = 2 <= len(sizes) <= MOST_LAYERS + 1 and all(1 <= n <= MOST_UNITS for n in sizes)
    if not good:
        raise SettingError(
            f"worksheet: the network must have 1 to {MOST_LAYERS} layers of 1 to {MOST_UNITS} "
            f"units, inputs first, such as 2,2,1; got {','.join(map(str, sizes))}."
        )
    if activation not in ACTIVATIONS:
        raise SettingError(
            f"worksheet: activation {activation!r} is not one to compute by hand."
            f"{nearest(activation, list(ACTIVATIONS))} Known: {', '.join(ACTIVATIONS)}."
        )
    hidden = [Dense(n, activation) for n in sizes[1:-1]]
    return Network(sizes[0], [*hidden, Dense(sizes[-1])], "mse")


def _drawn(network: Network, m: int, seed: int, attempt: int) -> tuple[Parameters, Array, Array]:
    """Whole numbers for everything that is given."""
    rng = generator(seed, "explain", 2, attempt)
    parameters = tuple(
        {
            "W": rng.choice([-2.0, -1.0, 1.0, 2.0], shapes["W"]),
            "b": rng.integers(-2, 3, shapes["b"]).astype(float),
        }
        for shapes in network.shapes
    )
    X = rng.choice([-1.0, 0.0, 1.0, 2.0, 3.0], (m, network.inputs), p=[0.2, 0.1, 0.2, 0.3, 0.2])
    Y = rng.integers(-4, 7, (m, network.outputs)).astype(float)
    return parameters, X, Y


def _strain(network: Network, parameters: Parameters, X: Array, Y: Array) -> float:
    """How unfriendly numbers are: large ones, errors of 0, units that are never on or never off."""
    values = {each.key: each.values for each in _quantities(network, parameters, X, Y)}
    L = len(network.layers)
    largest = max(float(abs(array).max()) for array in values.values())
    faults = int((values[f"delta{L}"] == 0).sum())
    for l in range(1, L):
        on = values[f"Z{l}"] > 0
        faults += int((values[f"Z{l}"] == 0).sum()) + int((~on.any(axis=0)).sum())
        faults += int((~on.any(axis=1)).sum()) + bool(on.all())
    faults += sum(int(not values[f"dW{l}"].any()) for l in range(1, L + 1))
    twins = len(X) - len(np.unique(X, axis=0))
    return largest / _LARGEST + 10.0 * (faults + twins) + 10.0 * (largest > _LARGEST)


# ------------------------------------------------------------------------------ the quantities


def _quantities(network: Network, parameters: Parameters, X: Array, Y: Array) -> Iterator[Quantity]:
    """All matrices of the step, in the order of the work."""
    values = _values(network, parameters, X, Y)
    L, m = len(network.layers), len(X)

    def of(
        symbol: str,
        l: int,
        equation: str,
        formula: str,
        part: str,
        entry: Callable[[int, int, Ref], str] | None,
    ) -> Quantity:
        key = symbol if symbol in ("Y", "C") else f"{symbol}{l}"
        found = values[key]
        shown = np.full(found.shape, entry is None)
        return Quantity(key, symbol, l, found, equation, formula, part, entry, shown)

    yield of("A", 0, "", "the inputs, an example a column", "Given", None)
    yield of("Y", 0, "", "the targets", "Given", None)
    for l in range(1, L + 1):
        yield of("W", l, "", f"weights of layer {l}", "Given", None)
        yield of("b", l, "", f"biases of layer {l}", "Given", None)
    for l in range(1, L + 1):
        g, part = network.layers[l - 1].g.name.partition("(")[0], f"Forward, layer {l}"
        yield of("Z", l, "1a", f"W[{l}] A[{l - 1}] + b[{l}]", part, _weighted_input(network, l))
        formula = f"Z[{l}], the identity" if g == "identity" else f"{g}(Z[{l}])"
        yield of("A", l, "1b", formula, part, _activation(g, l))
    yield of("C", L, "2a", f"(1/{m}) Σ (Y − A[{L}])²", "Cost", _cost(values, L, m))
    for l in range(L, 0, -1):
        g, part = network.layers[l - 1].g.name.partition("(")[0], f"Backward, layer {l}"
        eq = "10" if l == L else "11"
        if l == L:
            yield of("dA", L, "2a", f"2 (A[{L}] − Y)", part, _output_slope(L))
        yield of("delta", l, f"{eq}a", f"dA[{l}] ⊙ g′(Z[{l}])", part, _delta(g, l))
        yield of("dW", l, f"{eq}b", f"(1/{m}) δ[{l}] A[{l - 1}]ᵀ", part, _dW(l, m))
        yield of("db", l, f"{eq}c", f"(1/{m}) Σ over the columns of δ[{l}]", part, _db(l, m))
        if l > 1:
            formula = f"W[{l}]ᵀ δ[{l}]"
            yield of("dA", l - 1, f"{eq}d", formula, part, _dA_prev(network, l))
    for l in range(1, L + 1):
        part = "Update"
        yield of("W_new", l, "3a", f"W[{l}] − {RATE:g} dW[{l}]", part, _descend("W", l))
        yield of("b_new", l, "3b", f"b[{l}] − {RATE:g} db[{l}]", part, _descend("b", l))


def _values(network: Network, parameters: Parameters, X: Array, Y: Array) -> dict[str, Array]:
    """Every quantity by its key, from the equations."""
    A0, targets, m = columns(X), columns(Y), len(X)
    caches = feed_forward(network, parameters, A0)
    L = len(network.layers)
    values = {"A0": A0, "Y": targets}
    for l, cache in enumerate(caches, 1):
        values |= {f"Z{l}": cache.Z, f"A{l}": cache.A}
    values["C"] = np.array([[equations.cost(output_loss(network, caches[-1], targets))]])
    values[f"dA{L}"] = network.cost_row.dA(caches[-1].A, targets)

    def note(name: str, l: int, value: Array) -> None:
        values[f"{name}{l}"] = value

    delta = output_delta(network, caches[-1], targets, None)
    back_propagate(network, parameters, caches, delta, m, observe=note)
    for l, own in enumerate(parameters, 1):
        for name, W in own.items():
            values[f"{name}{l}"] = W
            values[f"{name}_new{l}"] = equations.descend(W, values[f"d{name}{l}"], RATE)
    return values


# The arithmetic of each kind of entry.

_Entry = Callable[[int, int, Ref], str]


def _weighted_input(network: Network, l: int) -> _Entry:
    width = network.sizes[l - 1]

    def entry(i: int, j: int, ref: Ref) -> str:
        products = (f"{ref(f'W{l}', i, k)}*{ref(f'A{l - 1}', k, j)}" for k in range(width))
        return " + ".join([*products, ref(f"b{l}", i, 0)])

    return entry


def _activation(g: str, l: int) -> _Entry:
    return lambda i, j, ref: ACTIVATIONS[g].g.format(z=ref(f"Z{l}", i, j))


def _cost(values: dict[str, Array], L: int, m: int) -> _Entry:
    shape = values["Y"].shape

    def entry(i: int, j: int, ref: Ref) -> str:
        squares = (f"({ref('Y', *at)} - {ref(f'A{L}', *at)})^2" for at in np.ndindex(*shape))
        return f"({' + '.join(squares)})/{m}"

    return entry


def _output_slope(L: int) -> _Entry:
    return lambda i, j, ref: f"2*({ref(f'A{L}', i, j)} - {ref('Y', i, j)})"


def _delta(g: str, l: int) -> _Entry:
    def entry(i: int, j: int, ref: Ref) -> str:
        g_prime = ACTIVATIONS[g].g_prime.format(z=ref(f"Z{l}", i, j), a=ref(f"A{l}", i, j))
        return f"{ref(f'dA{l}', i, j)}*{g_prime}"

    return entry


def _dW(l: int, m: int) -> _Entry:
    def entry(i: int, j: int, ref: Ref) -> str:
        products = (f"{ref(f'delta{l}', i, k)}*{ref(f'A{l - 1}', j, k)}" for k in range(m))
        return f"({' + '.join(products)})/{m}"

    return entry


def _db(l: int, m: int) -> _Entry:
    def entry(i: int, j: int, ref: Ref) -> str:
        return f"({' + '.join(ref(f'delta{l}', i, k) for k in range(m))})/{m}"

    return entry


def _dA_prev(network: Network, l: int) -> _Entry:
    units = network.sizes[l]

    def entry(i: int, j: int, ref: Ref) -> str:
        return " + ".join(f"{ref(f'W{l}', k, i)}*{ref(f'delta{l}', k, j)}" for k in range(units))

    return entry


def _descend(name: str, l: int) -> _Entry:
    return lambda i, j, ref: f"{ref(f'{name}{l}', i, j)} - {RATE:g}*{ref(f'd{name}{l}', i, j)}"


def plain(value: float) -> str:
    """A number as one writes it: whole where it is, else with at most four decimals.

    Examples
    --------
    >>> plain(3.0), plain(-0.25), plain(2 / 3)
    ('3', '-0.25', '0.6667')
    """
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
