"""Expressions of numbers: what a row's function computes of one entry, as a graph of operations.

A :class:`Node` is an operation on nodes, an input, or a constant. Equal nodes are one object, so
that common parts are shared; operations on constants are computed at once, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from deltarule.arrays import Array, erf


class Level(IntEnum):
    """What a number depends on: nothing, the step alone (its number, its rate), or the entry."""

    CONSTANT = 0
    STEP = 1
    ENTRY = 2


@dataclass(frozen=True)
class Operation:
    """One operation that every dialect has.

    Attributes
    ----------
    arguments : str
        A letter for each: ``n`` a number, ``m`` a mask (true or false).
    result : str
        Likewise.
    compute : function
        Its meaning, on NumPy arrays.
    """

    arguments: str
    result: str
    compute: Callable[..., Array]


OPERATIONS: dict[str, Operation] = {
    "add": Operation("nn", "n", np.add),
    "subtract": Operation("nn", "n", np.subtract),
    "multiply": Operation("nn", "n", np.multiply),
    "divide": Operation("nn", "n", np.divide),
    "minimum": Operation("nn", "n", np.minimum),
    "maximum": Operation("nn", "n", np.maximum),
    "power": Operation("nn", "n", np.power),
    "negative": Operation("n", "n", np.negative),
    "abs": Operation("n", "n", np.abs),
    "sign": Operation("n", "n", np.sign),
    "floor": Operation("n", "n", np.floor),
    "sqrt": Operation("n", "n", np.sqrt),
    "exp": Operation("n", "n", np.exp),
    "expm1": Operation("n", "n", np.expm1),
    "log": Operation("n", "n", np.log),
    "log1p": Operation("n", "n", np.log1p),
    "tanh": Operation("n", "n", np.tanh),
    "sin": Operation("n", "n", np.sin),
    "cos": Operation("n", "n", np.cos),
    "arctan": Operation("n", "n", np.arctan),
    "erf": Operation("n", "n", erf),
    "less": Operation("nn", "m", np.less),
    "less_equal": Operation("nn", "m", np.less_equal),
    "equal": Operation("nn", "m", np.equal),
    "and": Operation("mm", "m", np.logical_and),
    "or": Operation("mm", "m", np.logical_or),
    "not": Operation("m", "m", np.logical_not),
    "where": Operation("mnn", "n", np.where),
}
"""By name; the compiled core has them in this order."""


@dataclass(frozen=True, eq=False)
class Node:
    """A number, or a mask, and how it is made.

    Attributes
    ----------
    name : str
        Of the operation; ``"input"`` or ``"constant"``.
    arguments : tuple of Node
        Of the operation.
    value : str, float or bool, optional
        Of a constant; of an input its name.
    level : Level
        What it depends on.
    is_mask : bool
        Whether it is true or false, no number.
    """

    name: str
    arguments: tuple[Node, ...]
    value: str | float | bool | None
    level: Level
    is_mask: bool

    def __repr__(self) -> str:
        if self.name in ("input", "constant"):
            return str(self.value)
        return f"{self.name}({', '.join(map(repr, self.arguments))})"

    @property
    def is_constant(self) -> bool:
        """Whether it is a constant."""
        return self.name == "constant"


_KNOWN: WeakValueDictionary[Any, Node] = WeakValueDictionary()


def _known(
    name: str,
    arguments: tuple[Node, ...],
    value: str | float | bool | None,
    level: Level,
    is_mask: bool,
) -> Node:
    sign = math.copysign(1.0, value) if isinstance(value, float) else 0  # 0 and −0 are two
    key = (name, arguments, value if value == value else "nan", sign, level, is_mask)
    return _KNOWN.setdefault(key, Node(name, arguments, value, level, is_mask))


def entry(name: str) -> Node:
    """An input that each entry has its own of: ``z``.

    Examples
    --------
    >>> entry("z") is entry("z")
    True
    """
    return _known("input", (), name, Level.ENTRY, False)


def of_step(name: str) -> Node:
    """An input that is one number for the whole step: ``alpha``."""
    return _known("input", (), name, Level.STEP, False)


def constant(value: float | bool) -> Node:
    """A constant.

    Examples
    --------
    >>> constant(2)
    2.0
    """
    if isinstance(value, (bool, np.bool_)):
        return _known("constant", (), bool(value), Level.CONSTANT, True)
    return _known("constant", (), float(value), Level.CONSTANT, False)


def apply(name: str, *arguments: Node) -> Node:
    """An operation on nodes; on constants its result, also where one argument settles it.

    A mask where a number is expected is 1 or 0.

    Examples
    --------
    >>> z = entry("z")
    >>> apply("multiply", z, apply("add", constant(1), constant(2)))
    multiply(z, 3.0)
    >>> apply("negative", apply("negative", z)) is z
    True
    """
    operation = OPERATIONS[name]
    given = tuple(
        as_number(node) if kind == "n" else node
        for node, kind in zip(arguments, operation.arguments, strict=True)
    )
    if all(node.is_constant for node in given):
        with np.errstate(all="ignore"):
            found = operation.compute(*(np.asarray(node.value) for node in given))
        return constant(bool(found) if operation.result == "m" else float(found))
    simpler = _simpler(name, given)
    if simpler is not None:
        return simpler
    level = max(node.level for node in given)
    return _known(name, given, None, level, operation.result == "m")


def as_number(node: Node) -> Node:
    """A mask as 1 and 0; a number as it is."""
    return apply("where", node, constant(1.0), constant(0.0)) if node.is_mask else node


def _simpler(name: str, given: tuple[Node, ...]) -> Node | None:
    """The same with fewer operations, where not a bit changes."""
    first, last = given[0], given[-1]
    if name == "where" and first.is_constant:
        return given[1] if first.value else given[2]
    if name == "where" and given[1] is given[2]:
        return last
    if name in ("negative", "not") and first.name == name:
        return first.arguments[0]
    if name == "abs" and first.name in ("abs", "negative"):
        return apply("abs", first.arguments[0])
    if name == "multiply" and first.value == 1.0 and first.is_constant:
        return last
    if name in ("multiply", "divide") and last.value == 1.0 and last.is_constant:
        return first
    if name == "power" and last.is_constant:
        return _power(first, float(last.value or 0.0))
    return None


def _power(base: Node, exponent: float) -> Node | None:
    """A power as products, where few do."""
    if exponent == 0.0:
        return constant(1.0)
    if exponent == 0.5:
        return apply("sqrt", base)
    if exponent < 0:
        positive = _power(base, -exponent)
        return None if positive is None else apply("divide", constant(1.0), positive)
    if exponent != math.floor(exponent) or exponent > 8:
        return None
    if exponent == 1:
        return base
    root = _power(base, exponent // 2)
    assert root is not None
    square = apply("multiply", root, root)
    return apply("multiply", square, base) if exponent % 2 else square


def in_order(outputs: Sequence[Node]) -> Iterator[Node]:
    """Every node that outputs are made of, once, each after its arguments.

    Examples
    --------
    >>> list(in_order([apply("exp", entry("z"))]))
    [z, exp(z)]
    """
    seen: set[Node] = set()
    waiting: list[tuple[Node, bool]] = [(node, False) for node in reversed(outputs)]
    while waiting:
        node, ready = waiting.pop()
        if node in seen:
            continue
        if ready:
            seen.add(node)
            yield node
            continue
        waiting.append((node, True))
        waiting.extend((argument, False) for argument in reversed(node.arguments))


def rewritten(outputs: Sequence[Node], replaced: Mapping[Node, Node]) -> tuple[Node, ...]:
    """The same expressions with some nodes replaced by others.

    Examples
    --------
    >>> rewritten([apply("exp", entry("z"))], {entry("z"): entry("a")})
    (exp(a),)
    """
    new = dict(replaced)
    waiting = list(outputs)
    while waiting:
        node = waiting[-1]
        missing = [argument for argument in node.arguments if argument not in new]
        if node not in new and missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if node not in new:
            own = tuple(new[argument] for argument in node.arguments)
            new[node] = apply(node.name, *own) if own else node
    return tuple(new[node] for node in outputs)


def with_reciprocals(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """Divisions by a constant, or a number of the step, as multiplications by its reciprocal.

    Examples
    --------
    >>> with_reciprocals([apply("divide", entry("z"), constant(4.0))])
    (multiply(z, 0.25),)
    """
    found: dict[Node, Node] = {}
    for node in in_order(outputs):
        arguments = tuple(found.get(argument, argument) for argument in node.arguments)
        own = apply(node.name, *arguments) if arguments else node
        if own.name == "divide" and own.arguments[1].level < own.level:
            top, bottom = own.arguments
            own = apply("multiply", top, apply("divide", constant(1.0), bottom))
        found[node] = own
    return tuple(found[node] for node in outputs)


def hoisted(outputs: Sequence[Node]) -> tuple[dict[str, Node], tuple[Node, ...]]:
    """Take out what depends on the step alone, to be computed once a step.

    Returns
    -------
    values : dict of str to Node
        By a name, ``k0`` and so on, the expression of the step.
    outputs : tuple of Node
        With inputs of these names in their place.

    Examples
    --------
    >>> rate = apply("multiply", of_step("alpha"), constant(2))
    >>> hoisted([apply("multiply", rate, entry("dW"))])
    ({'k0': multiply(alpha, 2.0)}, (multiply(k0, dW),))
    """
    found: dict[Node, str] = {}
    for node in in_order(outputs):
        for argument in node.arguments if node.level is Level.ENTRY else ():
            if argument.level is Level.STEP:
                found.setdefault(argument, f"k{len(found)}")
    for node in outputs:
        if node.level is Level.STEP:
            found.setdefault(node, f"k{len(found)}")
    replaced = {node: of_step(name) for node, name in found.items()}
    return {name: node for node, name in found.items()}, rewritten(outputs, replaced)


def evaluated(outputs: Sequence[Node], inputs: Mapping[str, Array], dtype: Any) -> list[Array]:
    """The numbers of expressions, by NumPy.

    Parameters
    ----------
    outputs : sequence of Node
    inputs : mapping of str to array
        By the inputs' names, of one shape, or scalars.
    dtype : dtype
        float32 or float64, of every number.

    Examples
    --------
    >>> evaluated([apply("exp", entry("z"))], {"z": np.zeros(2)}, "float64")
    [array([1., 1.])]
    """
    kind = np.dtype(dtype)
    found: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in in_order(outputs):
            if node.name == "constant":
                found[node] = np.asarray(node.value, None if node.is_mask else kind)
            elif node.name == "input":
                found[node] = np.asarray(inputs[str(node.value)], kind)
            else:
                own = (found[argument] for argument in node.arguments)
                found[node] = np.asarray(OPERATIONS[node.name].compute(*own))
    return [found[node] for node in outputs]
