"""The choice of a compiled core: the extension module of an instruction set."""

from __future__ import annotations

import os
import warnings
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from deltarule.engines.plan import checked_threads
from deltarule.errors import SettingError, SlowerEngineWarning

INSTRUCTION_SETS = ("avx512", "avx2", "neon", "baseline")
"""What kernels are compiled for, the fastest first: ``avx512``, ``avx2`` and ``baseline`` on
x86-64, ``neon`` on 64-bit ARM, which always has it, ``baseline`` elsewhere."""


class Capabilities(NamedTuple):
    """What the compiled core can do here.

    Attributes
    ----------
    isa : str
        The instruction set in use.
    available : tuple of str
        Those that this machine has, the fastest first.
    vector_bytes : int
        How wide its vectors are.
    """

    isa: str
    available: tuple[str, ...]
    vector_bytes: int


def capabilities() -> Capabilities:
    """The instruction set in use: the fastest this machine has, or what ``DELTARULE_ISA`` names.

    Raises
    ------
    SettingError
        Where the core is not installed, or ``DELTARULE_ISA`` names what this machine lacks.

    Examples
    --------
    >>> capabilities().isa in INSTRUCTION_SETS
    True
    """
    core = chosen()
    return Capabilities(core.isa, _available(), core.vector_bytes)


def chosen() -> Any:
    """The extension module in use.

    Raises
    ------
    SettingError
        As :func:`capabilities`.
    """
    return _core(os.environ.get("DELTARULE_ISA", ""))


def matrix_units() -> str:
    """What multiplies bfloat16 numbers faster than vectors multiply float32.

    ``"amx"``; ``"avx512-bf16"``, on AMD's processors, where its dot products are as fast as fmas;
    ``"none"``; or ``"refused"``: the processor has AMX, but the system did not let this process
    use it.

    Raises
    ------
    SettingError
        As :func:`capabilities`.

    Examples
    --------
    >>> matrix_units() in ("amx", "avx512-bf16", "none", "refused")
    True
    """
    return str(chosen().matrix_units())


@cache
def warn_of_refusal() -> None:
    """Say once a process that mixed products run without the processor's matrix units."""
    warnings.warn(
        "mixed=True: the system refused this process the processor's matrix units (AMX), so "
        "products run on its vectors, slower. Results differ by rounding only. Use a kernel and a "
        "container that allow AMX.",
        SlowerEngineWarning,
        stacklevel=2,
    )


def fma_peak(n_threads: int, seconds: float = 0.1, dtype: str = "float32") -> float:
    """How many floating-point operations a second the core's vectors do at most.

    Fmas (two operations a lane) on sums that stay in registers: nothing that trains a network
    can be faster, and nothing touches memory. Measured at each call.

    Parameters
    ----------
    n_threads : int
        Threads that compute at once, 1 to 1024.
    seconds : float
        How long, 0 to 60.
    dtype : str
        ``"float32"`` or ``"float64"``.

    Raises
    ------
    SettingError
        For a number of threads or seconds outside these, or where the core is not installed.

    Examples
    --------
    >>> fma_peak(1, 0.001) > 1e8
    True
    """
    core = chosen()
    checked_threads("fma_peak", "n_threads", n_threads)
    measure = core.fma_peak32 if np.dtype(dtype) == np.float32 else core.fma_peak64
    return float(measure(n_threads, seconds))


def missing() -> str | None:
    """Why there is no core here, for people; None where there is one."""
    if _built():
        return None
    return (
        "the compiled core is not installed (DELTARULE_PURE leaves it out). Reinstall with a "
        "C++17 compiler, or use engine='reference'"
    )


@lru_cache(maxsize=4)
def _core(wanted: str) -> Any:
    """The extension module of an instruction set; of the fastest, where none is named."""
    lack = missing()
    if lack is not None:
        raise SettingError(f"engine 'native': {lack}.")
    available = _available()
    if wanted and wanted not in available:
        raise SettingError(
            f"DELTARULE_ISA={wanted!r}: expected one of {', '.join(available)}, which this machine "
            f"and build have; got {wanted!r}."
        )
    return _module(wanted or available[0])


@cache
def _built() -> tuple[str, ...]:
    """The instruction sets this installation has modules for; any machine can run the last."""
    return tuple(isa for isa in INSTRUCTION_SETS if find_spec(_module_name(isa)) is not None)


def _available() -> tuple[str, ...]:
    built = _built()
    return tuple(isa for isa in built if _module(built[-1]).supports(isa))


def _module(isa: str) -> Any:
    return import_module(_module_name(isa))


def _module_name(isa: str) -> str:
    return f"deltarule.engines._core_{isa}"
