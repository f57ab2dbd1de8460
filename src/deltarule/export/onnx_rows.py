"""Expressions as nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from deltarule.activations import ACTIVATIONS
from deltarule.export.graph import Graph
from deltarule.expressions import Node, entry, in_order, rewritten
from deltarule.row_expressions import activation_expressions

_SIGMOID, _ = activation_expressions(ACTIVATIONS("sigmoid"))
"""Wherever it stands in an expression, an operator has it, which is faster than its parts."""


def _single(operator: str) -> Callable[..., str]:
    return lambda g, *values: g.node(operator, *values)


def _float32(operator: str) -> Callable[..., str]:
    """Of an operator that ONNX Runtime has for no other type."""
    return lambda g, x: g.cast(g.node(operator, g.cast(x, np.float32)), g.dtype)


def _expm1(g: Graph, x: str) -> str:
    """``tanh(x / 2) (e^x + 1)``: ``e^x − 1`` would cancel near 0."""
    above = g.node("Add", g.node("Exp", x), g.constant(1.0))
    return g.node("Mul", g.node("Tanh", g.node("Mul", x, g.constant(0.5))), above)


def _log1p(g: Graph, x: str) -> str:
    """``log u``, u the rounded ``1 + x``; within (−1, 1) with what the rounding left out."""
    one = g.constant(1.0)
    u = g.node("Add", x, one)
    log = g.node("Log", u)
    rest = g.node("Div", g.node("Sub", x, g.node("Sub", u, one)), u)
    return g.node("Where", g.node("Less", g.node("Abs", x), one), g.node("Add", log, rest), log)


OPERATIONS: Mapping[str, Callable[..., str]] = {
    "add": _single("Add"),
    "subtract": _single("Sub"),
    "multiply": _single("Mul"),
    "divide": _single("Div"),
    "minimum": _single("Min"),
    "maximum": _single("Max"),
    "power": _single("Pow"),
    "negative": _single("Neg"),
    "abs": _single("Abs"),
    "sign": _single("Sign"),
    "floor": _single("Floor"),
    "sqrt": _single("Sqrt"),
    "exp": _single("Exp"),
    "expm1": _expm1,
    "log": _single("Log"),
    "log1p": _log1p,
    "tanh": _single("Tanh"),
    "sin": _single("Sin"),
    "cos": _single("Cos"),
    "arctan": _float32("Atan"),
    "erf": _float32("Erf"),
    "less": _single("Less"),
    "less_equal": _single("LessOrEqual"),
    "equal": _single("Equal"),
    "and": _single("And"),
    "or": _single("Or"),
    "not": _single("Not"),
    "where": _single("Where"),
}
"""By operation of expressions, what makes its value of the values of its arguments."""


def expression_nodes(g: Graph, output: Node, Z: str) -> str:
    """The value of an expression in ``z``, of the shape of `Z`.

    Parameters
    ----------
    g : Graph
    output : Node
    Z : str
        The value that ``z`` is an entry of.
    """
    (output,) = rewritten([output], {_SIGMOID: entry("sigmoid")})
    found: dict[Node, str] = {}
    for node in in_order([output]):
        if node.name == "input":
            found[node] = Z if node.value == "z" else g.node("Sigmoid", Z)
        elif node.is_constant:
            with np.errstate(over="ignore"):  # infinite in float32, as the row itself has it
                found[node] = g.constant(node.value, bool if node.is_mask else None)
        else:
            found[node] = OPERATIONS[node.name](g, *(found[each] for each in node.arguments))
    made = found[output]
    return g.node("Expand", made, g.node("Shape", Z)) if output.is_constant else made
