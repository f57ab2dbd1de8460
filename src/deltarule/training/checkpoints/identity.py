"""Whether a checkpoint belongs to a run: its plan and data as flat names and JSON values."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array
from deltarule.costs import Cost
from deltarule.engines.plan import Plan
from deltarule.initializers import Initializer
from deltarule.sparse import CompressedRows

Identity = dict[str, Any]


def plan_identity(plan: Plan, **more: Any) -> Identity:
    """A plan, and what else decides a run's numbers, field by field.

    Rows of tables are known by their names, arrays by a digest.

    Examples
    --------
    >>> from deltarule import Adam, Dense, Network
    >>> identity = plan_identity(Plan(Network(2, [Dense(3)]), Adam(0.5)), batch_size=32)
    >>> identity["network.layers.1.units"], identity["optimizer.learning_rate"]
    (3, 0.5)
    """
    flat: Identity = {}
    for entry in dataclasses.fields(plan):
        _flatten(entry.name, getattr(plan, entry.name), flat)
    for name, value in more.items():
        _flatten(name, value, flat)
    return flat


def data_identity(**arrays: Array | CompressedRows | None) -> Identity:
    """A digest of each array, shape and dtype included; None where there is none.

    Examples
    --------
    >>> one, other = (data_identity(X=np.full(3, x)) for x in (1.0, 2.0))
    >>> differing(one, other)
    'X'
    """
    return {
        name: None if array is None else digest_of_array(array) for name, array in arrays.items()
    }


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first name whose values differ, or that only one of them has.

    A schedule's number of steps comes last: it follows from the other settings.
    """
    absent = object()
    names = [n for n in {**one, **other} if one.get(n, absent) != other.get(n, absent)]
    return next((name for name in names if not name.endswith(".steps")), next(iter(names), None))


def _flatten(name: str, value: Any, flat: Identity) -> None:
    if isinstance(value, (Activation, Cost, Initializer)):
        flat[name] = value.name
    elif isinstance(value, np.ndarray):
        flat[name] = digest_of_array(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        flat[name] = type(value).__name__
        for entry in dataclasses.fields(value):
            _flatten(f"{name}.{entry.name}", getattr(value, entry.name), flat)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(f"{name}.{key}", item, flat)
    elif isinstance(value, (tuple, list)):
        for place, item in enumerate(value, 1):
            _flatten(f"{name}.{place}", item, flat)
    elif value is None or isinstance(value, (bool, int, float, str)):
        flat[name] = value
    else:
        flat[name] = getattr(value, "__qualname__", None) or str(value)


def digest_of_array(array: Array | CompressedRows) -> str:
    """A digest of an array's numbers, shape and dtype."""
    if isinstance(array, CompressedRows):
        parts = [digest_of_array(part) for part in (array.data, array.indices, array.indptr)]
        return f"csr {array.shape} {' '.join(parts)}"
    whole = np.ascontiguousarray(array)
    digest = hashlib.blake2b(f"{whole.dtype} {whole.shape}".encode(), digest_size=16)
    digest.update(whole.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
