"""Libraries whose threads a fork leaves behind.

A forked process has its parent's memory and, of its threads, the one that forked. A library that
hands work to threads which it believes to have waits for them forever.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, Thread, get_ident

_PATIENCE = 5.0  # seconds: threads that are there answer within milliseconds

_inherited: set[str] = set()  # libraries that were loaded when this process was forked
_used: set[str] = set()  # those that this package has used, here or in a parent
_known: dict[str, bool] = {}


def is_inherited(library: str) -> bool:
    """Whether this process was forked from one that had loaded a library: one of :data:`TESTS`.

    Examples
    --------
    >>> is_inherited("polars")
    False
    """
    return library in _inherited


def has_threads(library: str) -> bool:
    """Whether a library that computes in its own threads has them in this process.

    Examples
    --------
    >>> has_threads("polars"), has_threads("numpy")
    (True, True)
    """
    if library not in _inherited:
        _used.add(library)
        return True
    if library not in _known:
        _known[library] = TESTS[library]()
    return _known[library]


def _polars_answers() -> bool:
    """Whether polars finishes work: threads that no parent has started, it starts here."""
    if "polars" in _used:
        return False
    import polars

    frame = polars.DataFrame({"a": [1]}).lazy()
    thread = Thread(target=frame.collect, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        return False
    _used.add("polars")
    return True


def _jax_is_unused() -> bool:
    """Whether the parent had JAX compute nothing: then its threads begin here."""
    from jax._src import xla_bridge

    return not xla_bridge.backends_are_initialized()


TESTS: Mapping[str, Callable[[], bool]] = {"polars": _polars_answers, "jax": _jax_is_unused}
"""How a forked process learns whether a library that its parent had loaded can be used."""


# ------------------------------------------------------------- locks of a mathematical library

_gate = Condition()
_computing: Counter[int] = Counter()  # calls under way, by thread


@contextmanager
def unforked() -> Iterator[None]:
    """Within it no other thread forks: a matrix product by NumPy holds locks of its library.

    A process forked meanwhile would wait for them forever. So a fork waits until the calls under
    way have ended, and calls wait for a fork: keep them short.
    """
    me = get_ident()
    with _gate:
        _computing[me] += 1
    try:
        yield
    finally:
        with _gate:
            _computing[me] -= 1
            if not _computing[me]:
                del _computing[me]
            _gate.notify_all()


def _before() -> None:
    _gate.acquire()
    while set(_computing) - {get_ident()}:
        _gate.wait()


def _in_child() -> None:
    global _gate
    _gate = Condition()
    _computing.clear()
    _known.clear()
    _inherited.update(library for library in TESTS if library in sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=lambda: _gate.release(), after_in_child=_in_child
    )
