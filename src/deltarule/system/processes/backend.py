"""JAX, informed of the other processes.

``jax.distributed.initialize`` starts JAX's own service inside process 0: where that is killed,
JAX aborts every other process on the spot, before anything can say why; and a process that does
not come in time aborts all the rest. So service and clients are made one by one here: the service
lives in the coordinator, which outlives process 0, and leaves it to the coordinator to end the
others (it is made *recoverable*).
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deltarule.errors import SettingError, require

_EXTRA = ("jax", "several processes")
_INSIDE = "jaxlib._jax"


def started_service(address: str, count: int, silence: float) -> Any:
    """JAX's service for a group, as long as what is returned is kept."""
    _jax = importlib.import_module(_INSIDE)  # without the rest of JAX, which takes long

    return _jax.get_distributed_runtime_service(
        address, count, heartbeat_timeout=_heartbeat(silence), recoverable=True
    )


def check_unused() -> None:
    """Refuse to join a group once JAX has begun to compute.

    Raises
    ------
    MissingExtraError
        Without JAX.
    SettingError
        Where it is in use.
    """
    require("jax", *_EXTRA)
    from jax._src import distributed, xla_bridge

    if xla_bridge.backends_are_initialized() or distributed.global_state.client is not None:
        raise SettingError(
            "distributed: JAX is in use in this process, and learns of other processes only "
            "before that. Join them before anything else computes on JAX, once in a process."
        )


def connected(
    address: str, index: int, count: int, silence: float, accelerator: int | None
) -> Callable[[], None]:
    """Tell JAX of its service; returns what takes leave of it."""
    import jax
    from jax._src import distributed

    _jax = importlib.import_module(_INSIDE)

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if accelerator is not None:
        jax.config.update("jax_cuda_visible_devices", str(accelerator))
        jax.config.update("jax_rocm_visible_devices", str(accelerator))
    client = _jax.get_distributed_runtime_client(
        address,
        index,
        init_timeout=_heartbeat(silence),
        heartbeat_timeout=_heartbeat(silence),
        shutdown_on_destruction=False,
        use_compression=True,
    )
    client.connect()
    state = distributed.global_state
    state.client, state.process_id, state.num_processes = client, index, count
    state.coordinator_address = address
    with _written_to_errors():  # gloo greets on standard output
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("deltarule")  # what cannot work fails before any work

    def leave() -> None:
        client.shutdown()
        state.client = None

    return leave


@contextmanager
def _written_to_errors() -> Iterator[None]:
    """What libraries write to standard output goes to the error stream."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def forget() -> None:
    """Leave JAX's service without a farewell: it may never be answered."""
    from jax._src import distributed

    distributed.global_state.client = None


def _heartbeat(silence: float) -> int:
    """Later than the coordinator's own: its message says more."""
    return math.ceil(2 * silence)
