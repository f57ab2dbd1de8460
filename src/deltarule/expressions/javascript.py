"""Expressions as JSON values: what the script of the explanation page evaluates and prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deltarule.expressions.nodes import Level, Node, in_order


def listed(outputs: Sequence[Node]) -> dict[str, Any]:
    """Expressions as a list of nodes, each after its arguments.

    Parameters
    ----------
    outputs : sequence of Node

    Returns
    -------
    dict
        ``nodes``: an operation with the places of its arguments; ``entry`` or ``step`` with an
        input's name; or ``constant`` with its number, as text where JSON has none.
        ``outputs``: the places of the outputs.

    Examples
    --------
    >>> from deltarule.expressions import apply, constant, entry
    >>> listed([apply("maximum", entry("z"), constant(0))])
    {'nodes': [['entry', 'z'], ['constant', 0.0], ['maximum', 0, 1]], 'outputs': [2]}
    >>> listed([constant(math.inf)])["nodes"]
    [['constant', 'Infinity']]
    """
    places = {node: place for place, node in enumerate(in_order(outputs))}
    return {
        "nodes": [[*_item(node), *(places[own] for own in node.arguments)] for node in places],
        "outputs": [places[node] for node in outputs],
    }


def _item(node: Node) -> list[Any]:
    if node.name == "input":
        return ["step" if node.level is Level.STEP else "entry", node.value]
    return [node.name, _number(node.value)] if node.is_constant else [node.name]


def _number(value: Any) -> Any:
    """A number, or true or false; what JSON lacks as JavaScript reads it from text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
