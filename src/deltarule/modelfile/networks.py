"""A network as JSON values, and back: every field of every layer, rows by their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.costs import COSTS, Cost
from deltarule.errors import FileError
from deltarule.initializers import Initializer
from deltarule.layers import KINDS, Layer
from deltarule.network import Network
from deltarule.registry import Registry
from deltarule.system.storage import Opened

Row = Activation | Cost | type[Layer]

_MOST_LAYERS = 10_000  # of a network in a file, with the parts of parallel ones


def network_to_dict(network: Network) -> dict[str, Any]:
    """A network as JSON values: every field of every layer, rows by their names."""
    return {
        "inputs": network.inputs,
        "input_dropout": network.input_dropout,
        "cost": network.cost_row.name,
        "layers": [_stored(layer) for layer in network.layers],
        "own_rows": sorted(
            {row_name(row) for row in _rows_in([network.cost_row, *network.layers]) if _is_own(row)}
        ),
    }


def _fields(layer: Layer) -> dict[str, Any]:
    """What a layer was made of; every kind is a dataclass."""
    return {
        entry.name: getattr(layer, entry.name) for entry in dataclasses.fields(cast(Any, layer))
    }


def _stored(value: Any) -> Any:
    """A field of a layer, or a layer, as JSON values."""
    if isinstance(value, Layer):
        return {"kind": value.kind} | {name: _stored(own) for name, own in _fields(value).items()}
    if isinstance(value, (tuple, list)):
        return [_stored(item) for item in value]
    return value.name if isinstance(value, (Activation, Cost, Initializer)) else value


def _rows_in(value: Any) -> Iterator[Row]:
    """Every row that a field, a layer, or a list of them holds; of a layer its kind too."""
    if isinstance(value, Layer):
        yield type(value)
        yield from _rows_in(list(_fields(value).values()))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _rows_in(item)
    elif isinstance(value, (Activation, Cost)):
        yield value


def row_name(row: Row) -> str:
    """What a file calls a row."""
    return f"kind {row.kind}" if isinstance(row, type) else row.name


def _is_own(row: Row) -> bool:
    """Whether a row is the user's, and no name in a file can bring it back."""
    if isinstance(row, type):
        return KINDS.entries.get(row.kind) is not row
    table: Registry[Any] = ACTIVATIONS if isinstance(row, Activation) else COSTS
    base = row.name.partition("(")[0]
    entry = table.entries.get(base)
    return entry is None or (isinstance(entry, type(row)) and entry is not row)


def network_in(opened: Opened, own: dict[str, Row], part: str = "network") -> Network:
    """The network that a part of the metadata describes."""
    stored = opened.metadata.get(part)
    try:
        assert isinstance(stored, dict)
        count = _layers_in(stored["layers"])
        if count > _MOST_LAYERS:
            raise ValueError(f"it has {count:,} layers; expected at most {_MOST_LAYERS:,}")
        missing = [row for row in stored.get("own_rows", []) if row not in own]
        if missing:
            raise FileError(
                f"{opened.name}: the network uses {missing[0]!r:.80}, a row of its author's own, "
                "and a file stores only its name. Load it in Python: load_model(path, rows=[the "
                "row])."
            )
        cost = own.get(stored["cost"], stored["cost"])
        assert isinstance(cost, (str, Cost))
        return Network(
            stored["inputs"],
            [_layer(layer, own) for layer in stored["layers"]],
            cost,
            stored["input_dropout"],
        )
    except FileError:
        raise
    except Exception as error:  # whatever a foreign hand may have put there
        raise opened.broken(f"its network cannot be built ({error})") from error


def _layers_in(stored: Any) -> int:
    """How many layers and parts a JSON value describes, at any depth."""
    if isinstance(stored, dict):
        parts = stored.get("parts")
        own = len(parts) if isinstance(parts, list) else 0
        return 1 + own + sum(map(_layers_in, stored.values()))
    return sum(map(_layers_in, stored)) if isinstance(stored, list) else 0


def _layer(stored: dict[str, Any], own: dict[str, Row]) -> Layer:
    """A layer from its stored fields; a start that no name brings back is left to the kind."""
    settings = dict(stored)
    name = settings.pop("kind")
    kind = cast(Any, own.get(f"kind {name}") or KINDS.entry(name))
    layer: Layer = kind(
        **{
            name: _value(value, own)
            for name, value in settings.items()
            if value != "given" or value in own  # a custom array: training replaced it
        }
    )
    return layer


def _value(stored: Any, own: dict[str, Row]) -> Any:
    """A field of a layer from JSON values."""
    if isinstance(stored, dict):
        return _layer(stored, own)
    if isinstance(stored, list):
        return tuple(_value(item, own) for item in stored)
    return own.get(stored, stored) if isinstance(stored, str) else stored
