"""A large text file parsed piece by piece, so that it never lies in memory whole."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from deltarule.data.parallel import at_once
from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

LARGE = 1 << 25
"""Files of at least this many bytes are cut."""

PIECE = 1 << 22
"""Approximate size of each, in bytes."""


def in_pieces(
    path: Path, quote: str, parse: Callable[[bytes, bool], pl.DataFrame]
) -> pl.DataFrame | None:
    """A file's table, its lines parsed some at a time.

    Parameters
    ----------
    path : Path
    quote : str
        The quoting character: only a file without one can be cut at any end of a line.
    parse : callable
        From whole lines, and whether they are the first, to their rows.

    Returns
    -------
    polars.DataFrame or None
        None for a file that is small, or holds the quoting character.
    """
    polars = require("polars", "table", "reading tables")
    size = path.stat().st_size
    if size < LARGE:
        return None
    ends = [0, *_ends_of_lines(path, size), size]
    quoted: list[int] = []

    def rows(span: tuple[int, int]) -> pl.DataFrame | None:
        if quoted:
            return None
        with path.open("rb") as file:
            file.seek(span[0])
            lines = file.read(span[1] - span[0])
        if quote and quote.encode() in lines:
            quoted.append(span[0])
            return None
        return parse(lines, span[0] == 0)

    spans = [span for span in pairwise(ends) if span[0] < span[1]]
    frames = at_once(rows, spans, cells=size)
    return None if quoted else polars.concat(frames)


def _ends_of_lines(path: Path, size: int) -> list[int]:
    """Where lines end, one in about every piece."""
    ends = []
    with path.open("rb") as file:
        for place in range(PIECE, size, PIECE):
            file.seek(place)
            file.readline()
            ends.append(file.tell())
    return ends
