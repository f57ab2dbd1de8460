"""What a command will need, loaded before it computes: nothing fails to load after a training."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import NamedTuple

from deltarule.engines.native import cores
from deltarule.errors import OutOfMemoryError, require
from deltarule.system.memory import address_space, readable_size


class Library(NamedTuple):
    """Modules of other packages.

    Attributes
    ----------
    purpose : str
        What needs them, for messages.
    modules : tuple of str
    extra : str
        The extra that installs them.
    addresses : float
        Bytes of addresses that they and their threads reserve, little of it used: measured on
        Linux, rounded up.
    """

    purpose: str
    modules: tuple[str, ...]
    extra: str
    addresses: float


TABLES = Library("reading tables", ("polars", "safetensors.numpy"), "table", 1.1e9)
FUNCTIONS = Library("a network", ("scipy.special",), "sklearn", 0.15e9)
BASELINES = Library(
    "the baselines",
    ("sklearn.dummy", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline"),
    "sklearn",
    0.36e9,
)
REPORT = Library(
    "a report",
    ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2", "markupsafe"),
    "report",
    0.06e9,
)
_PER_THREAD = {"POLARS_MAX_THREADS": 0.06e9, "OPENBLAS_NUM_THREADS": 0.045e9}
"""What a thread of polars and of OpenBLAS reserves on top, by the variable that limits them."""


def load(*libraries: Library) -> None:
    """Load what tables and networks take, and further libraries.

    Raises
    ------
    MissingExtraError, ResourceError
        For what is not installed or cannot be loaded.
    OutOfMemoryError
        Where the process may not have the addresses. Some of these libraries would otherwise end
        the process, or never return: OpenBLAS asks for memory until it gets it.
    """
    functions = (FUNCTIONS,) if find_spec("scipy") else ()  # without it erf is Python's own
    wanted = (TABLES, *functions, *libraries)
    modules = [(module, library) for library in wanted for module in library.modules]
    if not all(module in sys.modules for module, _ in modules):
        _check_addresses(wanted)
    for module, library in modules:
        require(module, library.extra, library.purpose)


def _check_addresses(wanted: tuple[Library, ...]) -> None:
    left = address_space()
    threads = sum(_threads(name) * each for name, each in _PER_THREAD.items())
    needed = int(threads + sum(library.addresses for library in wanted))
    if left is None or left >= needed:
        return
    purposes = " and ".join(library.purpose for library in wanted if library is not FUNCTIONS)
    enough = -(-(needed + 10**9) // 1_024_000_000) * 1_000_000  # KiB, for what is loaded already
    raise OutOfMemoryError(
        f"{purposes}: expected at least {readable_size(needed)} of addresses, most of them never "
        f"used; ulimit -v leaves {readable_size(left)}. Raise it (ulimit -v {enough}), or allow "
        f"fewer threads ({'=1 '.join(_PER_THREAD)}=1)."
    )


def _threads(variable: str) -> int:
    """How many threads a library starts."""
    given = os.environ.get(variable, "")
    return int(given) if given.isdecimal() and int(given) else cores()
