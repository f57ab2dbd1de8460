"""What another runtime gets of a network: rows as expressions, and the kinds of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.errors import SettingError
from deltarule.expressions import Node, UntraceableError
from deltarule.layers import KINDS, Layer
from deltarule.row_expressions import activation_expressions

Written = TypeVar("Written")

SOFTMAX = ACTIVATIONS("softmax")
"""The activation that every runtime has by hand; all others are expressions."""


def expressions(what: str, trace: Callable[[], Written], otherwise: str) -> Written:
    """The expressions of a row.

    Parameters
    ----------
    what : str
        The row in messages: ``"activation 'cube'"``.
    trace : function
        What makes them.
    otherwise : str
        What to do instead of rewriting the row, in messages.

    Raises
    ------
    SettingError
        For a row that no expression says, by its name and with the reason.
    """
    try:
        return trace()
    except UntraceableError as error:
        raise SettingError(
            f"export: {what} cannot be exported, because it {error}. Expected "
            "element-wise operations of whole arrays, such as xp.where and xp.exp. Rewrite it so, "
            f"or {otherwise}."
        ) from error


def activation(g: Activation, dtype: object) -> tuple[Node, Node]:
    """The expressions of g and g' of an activation other than softmax.

    Raises
    ------
    SettingError
        As :func:`expressions`.

    Examples
    --------
    >>> activation(ACTIVATIONS("exp"), "float32")
    (exp(z), exp(z))
    """
    return expressions(
        f"activation {g.name!r}", lambda: activation_expressions(g, dtype), "predict in Python"
    )


def layer_writer(writers: Mapping[str, Written], layer: Layer) -> Written:
    """What writes a kind of layer.

    Raises
    ------
    SettingError
        For a custom kind, by its name.
    """
    if KINDS.entries.get(layer.kind) is type(layer) and layer.kind in writers:
        return writers[layer.kind]
    raise SettingError(
        f"export: the network has a layer of kind {layer.kind!r}, its author's own; expected one "
        f"of {', '.join(writers)}. Build the network of these, or predict in Python."
    )
