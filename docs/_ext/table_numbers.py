"""Tables of the pages: numbers stay on one line, and tables of many columns are set smaller."""

import re

from docutils import nodes

_NUMBER = re.compile(r"[^\s,;]*\d[^\s,;]*(?: ± [^\s,;]*\d[^\s,;]*)?")
_LONGEST = 24  # characters; what is longer may be broken
_WIDE = 6  # columns


def _keep_numbers(app, doctree):
    for table in doctree.findall(nodes.tgroup):
        if table["cols"] >= _WIDE:
            table.parent["classes"].append("wide")
    for cell in doctree.findall(nodes.entry):
        for text in [*cell.findall(nodes.Text)]:
            if not isinstance(text.parent, (nodes.literal, nodes.math)):
                text.parent.replace(text, [*_pieces(str(text))])


def _pieces(text):
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


def setup(app):
    app.connect("doctree-read", _keep_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
