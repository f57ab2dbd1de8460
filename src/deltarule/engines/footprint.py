"""Memory that a training takes, estimated before it begins."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltarule.engines.plan import EngineOptions
from deltarule.errors import OutOfMemoryError
from deltarule.network import Network
from deltarule.optimizers import Optimizer
from deltarule.system.memory import available_memory, readable_size

_ORIENTATIONS = 2  # of the parameters: no product repacks an operand
_SURELY_THERE = 1 << 26  # bytes; to ask the system would take longer than many a whole run


class Needed(NamedTuple):
    """Bytes that a training takes beside what is there: a lower bound, whatever the engine.

    Attributes
    ----------
    parameters : int
        With the optimizer's state, and the copies of them that a run keeps.
    data : int
        Copies of the data.
    batch : int
        Activations and deltas of one batch.
    """

    parameters: int
    data: int
    batch: int


_ADVICE = {
    "parameters": "narrower layers, or an optimizer that keeps less beside them",
    "data": "fewer rows or columns, or C-ordered arrays of the training's dtype, which stay where "
    "they are",
    "batch": "a smaller batch",
}
"""What to change, by what takes the most."""


def needed_memory(
    network: Network,
    optimizer: Optimizer,
    dtype: np.dtype[Any],
    *,
    batch_size: int,
    data: int = 0,
    copies: int = 0,
    networks: int = 1,
    accelerated: bool = False,
) -> Needed:
    """An estimate from below of what a training takes.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
    dtype : dtype
    batch_size : int
    data : int
        Bytes of the copies that will be made of the data.
    copies : int
        Of the parameters, beside the engine's own.
    networks : int
        Trained at once.
    accelerated : bool
        Whether the engine keeps its own on a device.

    Examples
    --------
    >>> from deltarule import Adam, Dense
    >>> network = Network(1000, [Dense(500), Dense(10)])
    >>> needed_memory(network, Adam(), np.dtype("float32"), batch_size=32)
    Needed(parameters=8088160, data=0, batch=258560)
    """
    own = 0 if accelerated else _ORIENTATIONS + len(optimizer.slots)
    held = batch_size * (network.inputs + 2 * sum(network.sizes[1:]))
    return Needed(
        networks * (own + copies) * network.parameter_count * dtype.itemsize,
        data,
        0 if accelerated else held * dtype.itemsize,
    )


def check_memory(
    network: Network,
    optimizer: Optimizer,
    dtype: np.dtype[Any],
    engine: str,
    options: EngineOptions,
    **more: int,
) -> None:
    """Refuse a training that this process has too little memory for.

    Parameters
    ----------
    network, optimizer, dtype
        As of :func:`needed_memory`.
    engine : str
    options : EngineOptions
    **more : int
        As of :func:`needed_memory`.

    Raises
    ------
    OutOfMemoryError
        With what takes how much, and what to change.
    """
    accelerated = engine == "jax" and options.kind != "cpu"
    needed = needed_memory(network, optimizer, dtype, accelerated=accelerated, **more)
    if sum(needed) < _SURELY_THERE:
        return
    available = available_memory()
    if available is None or sum(needed) <= available:
        return
    sizes = "-".join(map(str, network.sizes))
    most = max(Needed._fields, key=lambda name: getattr(needed, name))
    raise OutOfMemoryError(
        f"training a network of {sizes} in {dtype} needs at least {readable_size(sum(needed))}: "
        f"{readable_size(needed.parameters)} for {network.parameter_count:,} parameters with the "
        f"state of {type(optimizer).__name__}, {readable_size(needed.data)} for copies of the "
        f"data, {readable_size(needed.batch)} for a batch of {more['batch_size']:,}; "
        f"{readable_size(available)} are left. Use {_ADVICE[most]}"
        + ("; dtype float32 takes half." if dtype == np.float64 else ".")
    )
