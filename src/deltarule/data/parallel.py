"""Columns, or blocks of rows, worked on at once: polars and NumPy work without Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from deltarule.system.threads import cores, each_in_threads

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

_WORTH_THREADS = 1 << 18  # cells; fewer are done before threads have begun
_MOST_THREADS = 16  # memory is no faster for more


def at_once(
    function: Callable[[_Item], _Made], items: Iterable[_Item], *, cells: int
) -> list[_Made]:
    """What a function makes of each of some items, in their order.

    Parameters
    ----------
    function : callable
        Called from several threads. Where it fails, the first item's error is raised.
    items : iterable
    cells : int
        How many cells of a table the items have together: for few there are no threads. Else
        there is one per core, or as many as the environment variable ``POLARS_MAX_THREADS`` says.

    Examples
    --------
    >>> at_once(abs, [-1, 2, -3], cells=3)
    [1, 2, 3]
    """
    if cells < _WORTH_THREADS:
        return [function(item) for item in items]
    limit = os.environ.get("POLARS_MAX_THREADS", "")
    threads = int(limit) if limit.isdigit() else cores()
    return each_in_threads(function, items, min(threads, _MOST_THREADS))
