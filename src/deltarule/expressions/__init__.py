"""What a row computes, as expressions, and what prints them in other languages."""

from deltarule.expressions.mathml import mathml
from deltarule.expressions.meaning import parsed
from deltarule.expressions.nodes import (
    OPERATIONS,
    Level,
    Node,
    apply,
    constant,
    entry,
    evaluated,
    hoisted,
    in_order,
    of_step,
    rewritten,
    with_reciprocals,
)
from deltarule.expressions.symbolic import NAMESPACE, SymbolicArray, UntraceableError
from deltarule.expressions.tex import coefficient, number, tex
from deltarule.expressions.tracing import deviation, traced

__all__ = [
    "NAMESPACE",
    "OPERATIONS",
    "Level",
    "Node",
    "SymbolicArray",
    "UntraceableError",
    "apply",
    "coefficient",
    "constant",
    "deviation",
    "entry",
    "evaluated",
    "hoisted",
    "in_order",
    "mathml",
    "number",
    "of_step",
    "parsed",
    "rewritten",
    "tex",
    "traced",
    "with_reciprocals",
]
