"""C99 as text: arrays exactly, kernels by name, comments that cannot end early."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.expressions.c import identifier, number

_WIDTH = 92


def array(kind: str, name: str, values: Array, dtype: np.dtype[Any]) -> str:
    """The definition of an array.

    Examples
    --------
    >>> print(array("static const real", "b", np.array([1.0, 2.0]), np.dtype("float64")))
    static const real b[2] = {
        1.0, 2.0
    };
    """
    is_whole = values.dtype.kind == "i"
    cells = [str(v) if is_whole else number(v, dtype) for v in values.ravel()]
    return f"{kind} {name}[{len(cells)}] = {{\n{_wrapped(cells)}\n}};"


def _wrapped(cells: Iterable[str]) -> str:
    lines = ["   "]
    for cell in cells:
        if len(lines[-1]) + len(cell) + 2 > _WIDTH:
            lines.append("   ")
        lines[-1] += f" {cell},"
    return "\n".join(lines).removesuffix(",")


def comment(lines: Iterable[str]) -> str:
    """Lines of text as one comment, whatever stands in them.

    Examples
    --------
    >>> print(comment(["a */ b"]))
    /* a * / b */
    """
    clean = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    text = "\n".join(f"   {line}".rstrip() for line in clean).strip()
    for mark in ("*/", "/*", "??"):  # an end, a beginning, a trigraph
        while mark in text:
            text = text.replace(mark, " ".join(mark))
    return f"/* {text} */"


def prefix(stem: str) -> str:
    """A file's name as the beginning of C's names.

    Examples
    --------
    >>> prefix("model"), prefix("2 flats-b")
    ('model', 'm2_flats_b')
    """
    name = identifier(stem) or "model"
    return f"m{name}" if name[0].isdigit() else name


@cache
def _kernels() -> dict[str, str]:
    """Every function of ``c_kernels.c`` by name, with the comment above it."""
    text = files("deltarule.export").joinpath("c_kernels.c").read_text(encoding="utf-8")
    blocks = text.split("\n\n")
    found = {}
    for block in blocks:
        defined = re.search(r"^static \w+ (\w+)\(", block, re.MULTILINE)
        if defined:
            found[defined[1]] = block.strip()
    return found


def kernels(code: str) -> list[str]:
    """The kernels that some code calls, with those that they call, in order."""
    known = _kernels()
    wanted: set[str] = set()
    pending = [code]
    while pending:
        called = set(re.findall(r"\b(\w+)\(", pending.pop())) & known.keys()
        pending += [known[name] for name in called - wanted]
        wanted |= called
    return [text for name, text in known.items() if name in wanted]
