r"""Expressions as formulas in TeX, for a custom row whose author gives none.

What is long and stands in several places gets a letter, which is said behind: ``…,\; s = …``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import reduce
from typing import NamedTuple

from deltarule.expressions.nodes import Node, in_order

_SHORT = 3  # operations; a part with more of them is named where it stands in several places


class Binding(IntEnum):
    """How tightly a term holds together: what binds less than is needed gets brackets."""

    CONDITION = 0
    SUM = 1
    NEGATIVE = 2
    PRODUCT = 3
    POWER = 4
    SYMBOL = 5


class Term(NamedTuple):
    """A printed node.

    Attributes
    ----------
    text : str
    binding : Binding
    cases : tuple of str
        The lines of a choice; a choice that ends in it takes them over.
    """

    text: str
    binding: Binding
    cases: tuple[str, ...] = ()

    def within(self, binding: Binding) -> str:
        """In brackets where it binds less."""
        return self.text if self.binding >= binding else f"({self.text})"


def tex(
    outputs: Mapping[str, Node], symbols: Mapping[str, str] | None = None, index: str = ""
) -> str:
    r"""The formulas of expressions.

    Parameters
    ----------
    outputs : mapping of str to Node
        By what stands before each: ``W \leftarrow``, ``\sum_i``, or nothing.
    symbols : mapping of str to str
        The TeX of inputs, by their names; otherwise the names.
    index : str
        Of the units that parts with letters belong to.

    Examples
    --------
    >>> from deltarule.expressions import apply, constant, entry
    >>> z = entry("z")
    >>> tex({"": apply("divide", z, apply("add", constant(1), apply("abs", z)))})
    '\\frac{z}{1 + \\lvert z \\rvert}'
    """
    printer = _Printer(tuple(outputs.values()), symbols or {}, index)
    lines = [printer.said(lead, node) for lead, node in outputs.items()]
    return r",\; ".join([*lines, *printer.definitions])


def number(value: float) -> str:
    r"""A number in TeX: its shortest decimal; what rounding left in the last digits is left out.

    Examples
    --------
    >>> number(2.0), number(1 - 0.9), number(1e-7), number(-float("inf"))
    ('2', '0.1', '10^{-7}', '-\\infty')
    """
    if not math.isfinite(value):
        return r"\operatorname{NaN}" if value != value else rf"{'-' * (value < 0)}\infty"
    value = float(value)
    rounded = float(f"{value:.8g}")
    meant = rounded if math.isclose(value, rounded, rel_tol=1e-13) else value
    digits, _, exponent = repr(meant).partition("e")
    digits = digits.removesuffix(".0")
    if not exponent:
        return digits
    power = f"10^{{{int(exponent)}}}"
    return power if digits == "1" else rf"{digits} \cdot {power}"


def coefficient(value: float) -> str:
    """A number in TeX that stands before a factor: 1 is left out.

    Examples
    --------
    >>> coefficient(1.0), coefficient(0.01)
    ('', '0.01 ')
    """
    return "" if value == 1 else f"{number(value)} "


# -------------------------------------------------------------------------- operations


def _add(a: Term, b: Term) -> Term:
    left, right = a.within(Binding.SUM), b.within(Binding.SUM)
    minus = right.startswith("-")
    return Term(f"{left} - {right[1:]}" if minus else f"{left} + {right}", Binding.SUM)


def _subtract(a: Term, b: Term) -> Term:
    return Term(f"{a.within(Binding.SUM)} - {b.within(Binding.PRODUCT)}", Binding.SUM)


def _multiply(a: Term, b: Term) -> Term:
    left, right = a.within(Binding.PRODUCT), b.within(Binding.PRODUCT)
    sign = r" \cdot " if right[0].isdigit() else " "
    return Term(f"{left}{sign}{right}", Binding.PRODUCT)


def _raised(base: Term, power: str) -> Term:
    script = power if len(power) == 1 else f"{{{power}}}"
    return Term(f"{base.within(Binding.SYMBOL)}^{script}", Binding.POWER)


def _negative(a: Term) -> Term:
    return Term(f"-{a.within(Binding.PRODUCT)}", Binding.NEGATIVE)


def _function(name: str, before: str = "", after: str = "") -> Callable[..., Term]:
    """A function with its arguments in brackets, of the argument and what is added to it."""

    def printed(*given: Term) -> Term:
        return Term(rf"{name}({before}{', '.join(a.text for a in given)}{after})", Binding.SYMBOL)

    return printed


def _around(left: str, right: str, binding: Binding = Binding.SYMBOL) -> Callable[[Term], Term]:
    return lambda a: Term(f"{left}{a.text}{right}", binding)


def _relation(sign: str, turned: str) -> Callable[[Term, Term], Term]:
    """A comparison; a number that comes first goes last."""

    def printed(a: Term, b: Term) -> Term:
        left, right = a.within(Binding.SUM), b.within(Binding.SUM)
        if left[0].isdigit() and not right[0].isdigit():
            return Term(f"{right} {turned} {left}", Binding.CONDITION)
        return Term(f"{left} {sign} {right}", Binding.CONDITION)

    return printed


def _logical(sign: str) -> Callable[..., Term]:
    return lambda a, b: Term(f"({a.text}) {sign} ({b.text})", Binding.CONDITION)


_E = Term("e", Binding.SYMBOL)
_ONE = Term("1", Binding.SYMBOL)

_OPERATIONS: dict[str, Callable[..., Term]] = {
    "add": _add,
    "subtract": _subtract,
    "divide": lambda a, b: Term(rf"\frac{{{a.text}}}{{{b.text}}}", Binding.PRODUCT),
    "minimum": _function(r"\min"),
    "maximum": _function(r"\max"),
    "power": lambda a, b: _raised(a, b.text),
    "abs": _around(r"\lvert ", r" \rvert"),
    "sign": _function(r"\operatorname{sgn}"),
    "floor": _around(r"\lfloor ", r" \rfloor"),
    "sqrt": _around(r"\sqrt{", "}"),
    "exp": lambda a: _raised(_E, a.text),
    "expm1": lambda a: _subtract(_raised(_E, a.text), _ONE),
    "log": _function(r"\log"),
    "log1p": lambda a: _function(r"\log")(_add(_ONE, a)),
    "tanh": _function(r"\tanh"),
    "sin": _function(r"\sin"),
    "cos": _function(r"\cos"),
    "arctan": _function(r"\arctan"),
    "erf": _function(r"\operatorname{erf}"),
    "less": _relation("<", ">"),
    "less_equal": _relation(r"\le", r"\ge"),
    "equal": _relation("=", "="),
    "and": _logical(r"\land"),
    "or": _logical(r"\lor"),
    "not": lambda a: Term(rf"\lnot ({a.text})", Binding.CONDITION),
}


def _choice(condition: Term, a: Term, b: Term) -> Term:
    """``where``: an Iverson bracket, what is multiplied by one, or cases."""
    if b.text == "0":
        holds = Term(f"[{condition.text}]", Binding.SYMBOL)
        return holds if a.text == "1" else _multiply(a, holds)
    lines = (rf"{a.within(Binding.SUM)} & {condition.text}", *b.cases)
    if not b.cases:
        lines = (*lines, rf"{b.within(Binding.SUM)} & \text{{otherwise}}")
    rows = r" \\ ".join(lines)
    return Term(rf"\begin{{cases}} {rows} \end{{cases}}", Binding.CONDITION, lines)


_OPERATIONS["where"] = _choice


# ------------------------------------------------------------------------- the printer


class _Printer:
    """Prints nodes, each after its arguments, and names long parts that recur."""

    def __init__(self, outputs: tuple[Node, ...], symbols: Mapping[str, str], index: str) -> None:
        self.symbols, self.index = symbols, index
        self.terms: dict[Node, Term] = {}
        self.products: dict[Node, tuple[float, Mapping[Node, int]]] = {}
        self.definitions: list[str] = []
        nodes = list(in_order(outputs))
        named = _recurring(nodes, outputs)
        taken = {symbols.get(str(node.value), node.value) for node in nodes}
        letter = next(letter for letter in "suvwrpqABCDEFGH" if letter not in taken)
        for node in nodes:
            self.terms[node] = self.term(node)
            if node in named:
                count = str(len(self.definitions) + 1) if len(named) > 1 else ""
                below = count + index
                symbol = letter + (f"_{{{below}}}" if len(below) > 1 else f"_{below}" * bool(below))
                self.definitions.append(f"{symbol} = {self.terms[node].text}")
                self.terms[node] = Term(symbol, Binding.SYMBOL)
                self.products.pop(node, None)

    def said(self, lead: str, node: Node) -> str:
        """A result behind what stands before it."""
        term = self.terms[node]
        if lead.startswith(r"\sum"):
            if term.binding is Binding.NEGATIVE:
                return f"-{lead} {term.text[1:]}"
            return f"{lead} {term.within(Binding.PRODUCT)}"
        return f"{lead} {term.text}".strip()

    def term(self, node: Node) -> Term:
        if node.name == "input":
            return Term(self.symbols.get(str(node.value), str(node.value)), Binding.SYMBOL)
        if node.is_constant:
            return _constant(node.value)
        given = node.arguments
        if node.name == "negative" and self.terms[given[0]].binding is Binding.SUM:
            return self.turned(given[0])
        if node.name in ("multiply", "negative"):
            return self.product(node)
        return _OPERATIONS[node.name](*(self.terms[one] for one in given))

    def turned(self, node: Node) -> Term:
        """The negative of a sum: of a difference the difference the other way round."""
        if node.name == "subtract":
            return _subtract(*(self.terms[one] for one in reversed(node.arguments)))
        if node.name == "expm1":
            return _subtract(_ONE, _raised(_E, self.terms[node.arguments[0]].text))
        return _negative(self.terms[node])

    def product(self, node: Node) -> Term:
        """All factors of a product: its number first, equal ones as a power."""
        coefficient, factors = -1.0 if node.name == "negative" else 1.0, Counter[Node]()
        for one in node.arguments:
            if one.is_constant and isinstance(one.value, float) and one.value == one.value:
                coefficient *= one.value
            else:
                number_of_it, own = self.products.get(one, (1.0, {one: 1}))
                coefficient *= number_of_it
                factors.update(own)
        self.products[node] = coefficient, factors
        terms = [
            _raised(self.terms[one], str(count)) if count > 1 else self.terms[one]
            for one, count in factors.items()
        ]
        if abs(coefficient) != 1.0 or not terms:
            terms.insert(0, _constant(abs(coefficient)))
        found = reduce(_multiply, terms)
        return _negative(found) if coefficient < 0 else found


def _constant(value: object) -> Term:
    if isinstance(value, bool):
        return Term(f"0 = {0 if value else 1}", Binding.CONDITION)
    assert isinstance(value, float)
    text = number(value)
    if text.startswith("-"):
        return Term(text, Binding.NEGATIVE)
    return Term(text, Binding.PRODUCT if "^" in text else Binding.SYMBOL)


def _recurring(nodes: list[Node], outputs: tuple[Node, ...]) -> set[Node]:
    """What stands in several places and is long."""
    uses = Counter(outputs)
    for node in nodes:
        uses.update(set(node.arguments))
    named: set[Node] = set()
    size: dict[Node, int] = {}
    for node in nodes:
        size[node] = sum(size[one] for one in node.arguments) + bool(node.arguments)
        if uses[node] > 1 and size[node] > _SHORT and not node.is_mask:
            named.add(node)
            size[node] = 0
    return named
