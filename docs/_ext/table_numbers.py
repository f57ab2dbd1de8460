"""Tables of the pages: numbers stay on one line, and tables of many columns are set smaller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_NUMBER = re.compile(r"[^\s,;]*\d[^\s,;]*(?: ± [^\s,;]*\d[^\s,;]*)?")
_LONGEST = 24  # characters; what is longer may be broken
_WIDE = 6  # columns


def keep_numbers(app: Sphinx, doctree: nodes.document) -> None:
    """Put each number of each table into an element of its own."""
    for table in doctree.findall(nodes.tgroup):
        if table["cols"] >= _WIDE:
            table.parent["classes"].append("wide")
    for cell in doctree.findall(nodes.entry):
        for text in [*cell.findall(nodes.Text)]:
            if not isinstance(text.parent, (nodes.literal, nodes.math)):
                text.parent.replace(text, [*_pieces(str(text))])


def _pieces(text: str) -> Iterator[nodes.Node]:
    """The same text, its numbers in elements that keep to one line."""
    end = 0
    for found in _NUMBER.finditer(text):
        if len(found[0]) <= _LONGEST:
            if end < found.start():
                yield nodes.Text(text[end : found.start()])
            yield nodes.inline(found[0], found[0], classes=["number"])
            end = found.end()
    if end < len(text):
        yield nodes.Text(text[end:])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", keep_numbers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
