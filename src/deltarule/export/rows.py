"""Which rows another runtime knows: those of this package's tables, and no one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.errors import SettingError
from deltarule.layers import KINDS, Layer
from deltarule.layers.numeric import COSINE
from deltarule.registry import Registry

Written = TypeVar("Written")


def row_writer(table: Registry[Any], writers: Mapping[str, Written], row: Any) -> Written:
    """What writes a row of a table.

    Raises
    ------
    SettingError
        For a row that is the user's own, by its name.

    Examples
    --------
    >>> row_writer(ACTIVATIONS, {"relu": "max(z, 0)"}, ACTIVATIONS("relu"))
    'max(z, 0)'
    """
    base = row.name.partition("(")[0]
    if table.made(base, row.numbers) is row and base in writers:
        return writers[base]
    raise SettingError(
        f"export: the network uses {row.name!r}, {table.kind} of its author's own; expected one of "
        f"{', '.join(writers)}: a function of Python cannot leave with the model. Train with one "
        "of these, or predict in Python."
    )


def activation_writer(writers: Mapping[str, Written], g: Activation) -> Written:
    """What writes an activation: a row of the table, or the cosine of a periodic layer.

    Raises
    ------
    SettingError
        As :func:`row_writer`.
    """
    return writers[COSINE.name] if g is COSINE else row_writer(ACTIVATIONS, writers, g)


def layer_writer(writers: Mapping[str, Written], layer: Layer) -> Written:
    """What writes a kind of layer.

    Raises
    ------
    SettingError
        For a kind that is the user's own, by its name.
    """
    if KINDS.entries.get(layer.kind) is type(layer) and layer.kind in writers:
        return writers[layer.kind]
    raise SettingError(
        f"export: the network has a layer of kind {layer.kind!r}, its author's own; expected one "
        f"of {', '.join(writers)}. Build the network of these, or predict in Python."
    )
