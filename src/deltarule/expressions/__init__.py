"""What a row computes, as expressions, and what prints them in other languages."""

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
)
from deltarule.expressions.symbolic import SymbolicArray, UntraceableError
from deltarule.expressions.tracing import deviation, traced

__all__ = [
    "OPERATIONS",
    "Level",
    "Node",
    "SymbolicArray",
    "UntraceableError",
    "apply",
    "constant",
    "deviation",
    "entry",
    "evaluated",
    "hoisted",
    "in_order",
    "of_step",
    "rewritten",
    "traced",
]
