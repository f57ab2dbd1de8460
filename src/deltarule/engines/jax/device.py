"""Devices, JAX's settings for the time of a call, and compiled programs kept on disk."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from deltarule.engines.plan import EngineOptions, Plan
from deltarule.errors import DeviceMemoryError, require
from deltarule.system.memory import available_memory

CACHE_VARIABLE = "DELTARULE_JAX_CACHE"
"""The environment variable that names the folder of compiled programs; empty for none."""

_CPU_OPTIONS = {
    # XLA copies a weight that is read once more after its update is planned; told to look at
    # the order of things, it finds that most of these copies are needless.
    "xla_cpu_copy_insertion_use_region_analysis": True,
    # Matrix products by the fast library, but not sums: there it is slower than a plain loop.
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


_CPU_OPTIONS_SMALL = {
    # One thread: to wake another takes longer than such a product.
    "xla_cpu_multi_thread_eigen": False,
}


@contextmanager
def scope(plan: Plan, options: EngineOptions) -> Iterator[None]:
    """JAX's settings as a plan needs them, for the time of a call: a user's own stay.

    Raises
    ------
    ResourceError
        In a process that was forked from one that had used JAX.
    """
    require("jax", "jax", "engine 'jax'")
    with (
        jax.enable_x64(bool(plan.dtype == np.float64)),
        jax.default_matmul_precision(options.precision),
    ):
        yield


@contextmanager
def memory_told(plan: Plan, device: Any, rows: int) -> Iterator[None]:
    """Turn JAX's word for a device out of memory into an error that says what to change."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "ut of memory" not in str(error):
            raise
        sizes = "-".join(map(str, plan.network.sizes))
        raise DeviceMemoryError(
            f"device {device} has too little memory for a network of {sizes} in {plan.dtype} "
            f"with {rows} examples at once. Use a smaller batch or narrower layers"
            + (", dtype float32" if plan.dtype == np.float64 else "")
            + ". The parameters are those of the last step that succeeded. JAX said: "
            + str(error).splitlines()[0]
        ) from error


def room(device: Any) -> int:
    """How many bytes of data may be moved to a device to stay: half of what is free there."""
    statistics = device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        free = int(statistics["bytes_limit"]) - int(statistics.get("bytes_in_use", 0))
    else:  # the host's own memory
        found = available_memory()
        free = 2**32 if found is None else found
    return free // 2


# ------------------------------------------------------------------------------ compiling


@lru_cache
def compiler_options(platform: str, small: bool = False) -> dict[str, Any]:
    """XLA's options for a platform, and for programs of small steps: those it knows."""
    if platform != "cpu":
        return {}
    known = {}
    for name, value in (_CPU_OPTIONS | (_CPU_OPTIONS_SMALL if small else {})).items():
        with suppress(jax.errors.JaxRuntimeError, ValueError):
            _nothing(platform, {name: value})
            known[name] = value
    return known


def _nothing(platform: str, options: dict[str, Any]) -> None:
    """Compile an empty program: it fails for an option that the release does not know."""
    device = jax.local_devices(backend=platform)[0]
    with jax.default_device(device):
        jax.jit(lambda: None, compiler_options=options).lower().compile()


class Program:
    """A function, compiled for a device the first time it meets arguments of new shapes.

    Parameters
    ----------
    function : callable
        Of arrays, to be traced.
    device : jax.Device
    donated : tuple of int
        Arguments whose memory the results may take.
    small : bool
        Whether its work is too little to share between threads.
    results : jax.sharding.Sharding, optional
        Where what it returns lies, if not on one device.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        device: Any,
        donated: tuple[int, ...] = (),
        small: bool = False,
        results: Any = None,
    ) -> None:
        self._jitted = jax.jit(
            function,
            out_shardings=results,
            donate_argnums=donated,
            keep_unused=bool(donated),  # an argument may be there for its memory alone
            compiler_options=compiler_options(device.platform, small),
        )

        self._seen: set[Hashable] = set()

    def __call__(self, shapes: Hashable, *arguments: Any) -> Any:
        """The function's results, on the device; `shapes` tells new arguments from old ones."""
        if shapes in self._seen:
            return self._jitted(*arguments)
        with kept_on_disk():
            results = self._jitted(*arguments)
        self._seen.add(shapes)
        return results


_compiling = threading.RLock()


@contextmanager
def kept_on_disk() -> Iterator[None]:
    """Let JAX look compiled programs up on disk and leave them there, for the time of a call.

    A user who has chosen a folder for JAX keeps it. A folder that cannot be used is not a reason to
    fail: programs are then compiled again.
    """
    with _compiling:
        folder = None if jax.config.jax_compilation_cache_dir else cache_folder()
        if folder is None:
            yield
            return
        chosen = {
            "jax_compilation_cache_dir": str(folder),
            "jax_persistent_cache_min_compile_time_secs": 0.1,
        }
        before = {name: getattr(jax.config, name) for name in chosen}
        _configure(chosen)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")
                yield
        finally:
            _configure(before)


def _configure(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # else JAX keeps the folder that it saw first


def cache_folder() -> Path | None:
    """The folder of compiled programs, made if need be; None where there is to be none."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen == "":
        return None
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(chosen) if chosen else Path(base) / "deltarule" / "jax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, no right to write
        return None
    return folder if os.access(folder, os.W_OK) else None
