"""Expressions as a program for the compiled core: instructions on registers.

Registers are numbered: the inputs, the numbers of the step, the constants, then those that
instructions write, which are used again once nobody reads them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from deltarule.expressions.nodes import OPERATIONS, Node, apply, in_order
from deltarule.expressions.symbolic import UntraceableError

_OPCODES = {name: place for place, name in enumerate(OPERATIONS)}
MOST_COMPUTED, MOST_CONSTANTS, MOST_INSTRUCTIONS = 48, 96, 1024
"""What the core has room for (native/program.hpp)."""


def program(
    outputs: Sequence[Node], inputs: Sequence[str], steps: Sequence[str] = ()
) -> dict[str, Any]:
    """A program that makes outputs of inputs and of numbers of the step.

    Parameters
    ----------
    outputs : sequence of Node
    inputs, steps : sequence of str
        The names of the inputs, in the core's order.

    Raises
    ------
    UntraceableError
        Where the core has too little room for it.

    Examples
    --------
    >>> from deltarule.expressions import apply, constant, entry
    >>> z = entry("z")
    >>> program([apply("divide", z, apply("add", constant(1.0), apply("abs", z)))], ["z"])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'inputs': 1, 'steps': 0, 'constants': [1.0], 'computed': 1,
     'code': [8, 2, 0, 0, 0, 0, 2, 1, 2, 0, 3, 2, 0, 2, 0], 'outputs': [2]}
    """
    given = [*inputs, *steps]
    made = [_computed(output) for output in outputs]
    order = list(in_order(made))
    constants = [node for node in order if node.is_constant]
    register = {node: len(given) + place for place, node in enumerate(constants)}
    for node in order:
        if node.name == "input":
            register[node] = given.index(str(node.value))
    first = len(given) + len(constants)
    readers = Counter(argument for node in order for argument in set(node.arguments))
    readers.update(made)  # an output is read at the end
    free: list[int] = []
    computed, code = 0, list[int]()
    for node in (node for node in order if node.arguments):
        arguments = [register[argument] for argument in node.arguments]
        for argument in set(node.arguments):
            readers[argument] -= 1
            if readers[argument] == 0 and register[argument] >= first:
                free.append(register[argument])
        if not free:
            free.append(first + computed)
            computed += 1
        register[node] = free.pop()
        code += [_OPCODES[node.name], register[node], *arguments, *[0] * (3 - len(arguments))]
    if computed > MOST_COMPUTED or len(constants) > MOST_CONSTANTS:
        raise UntraceableError("has more parts than the compiled engine's registers hold")
    if len(code) > 5 * MOST_INSTRUCTIONS:
        raise UntraceableError("has more operations than the compiled engine takes")
    return {
        "inputs": len(inputs),
        "steps": len(steps),
        "constants": [float(node.value or 0.0) for node in constants],
        "computed": computed,
        "code": code,
        "outputs": [register[node] for node in made],
    }


def _computed(node: Node) -> Node:
    """An output as the result of an operation, as the core has it: an input twice over."""
    return apply("minimum", node, node) if node.name == "input" else node
