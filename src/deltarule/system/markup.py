"""Text as it is shown: control characters escaped, HTML for notebooks, pages from templates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from html import escape
from importlib import resources

_WIDTH, _HEIGHT, _ROOM = 420, 120, 6
_COLOURS = ("#3b7dd8", "#d9731a", "#2c9c69")
_CONTROLS = "\x00-\x1f\x7f-\x9f"
_SEPARATORS = "\u2028\u2029"
_REORDERING = "\u202a-\u202e\u2066-\u2069"  # text shown in another order than it is stored
_UNSAFE = re.compile(f"[{_CONTROLS}{_SEPARATORS}{_REORDERING}]")
_UNSAFE_IN_LINES = re.compile(rf"(?![\n\t]){_UNSAFE.pattern}")


@singledispatch
def notebook_html(value: object) -> str:
    """A value as a notebook shows it; who knows how to render a type, registers it here."""
    return escape(repr(value))


def visible(text: str) -> str:
    r"""Text on one line, its control characters escaped: what a file holds moves no cursor.

    Examples
    --------
    >>> print(visible("rent\x1b[2J\nerror: none"))
    rent\x1b[2J\nerror: none
    """
    return _UNSAFE.sub(_escaped, text)


def visible_lines(text: str) -> str:
    r"""The same of text that has lines, and columns between tabs.

    Examples
    --------
    >>> print(visible_lines("a\nb\x07"))
    a
    b\x07
    """
    return _UNSAFE_IN_LINES.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """A table.

    Examples
    --------
    >>> print(table(["a"], [["<b>"]]))
    <table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text: numbers to the right of their columns, but for the first.

    Examples
    --------
    >>> print(text_table(["name", "size"], [["a", 12], ["bc", 3]]))
    name  size
    a       12
    bc       3
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    numeric = [all(isinstance(row[k], int) for row in rows) and k > 0 for k in range(len(heads))]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [heads, *cells]
    )
    return "\n".join(lines)


def chart(series: Mapping[str, Sequence[float]]) -> str:
    """Lines over a common axis, as SVG, with their names and last values; what is not finite is
    left out.

    Examples
    --------
    >>> chart({"cost": [3.0, 1.0, 0.5]}).count("<polyline")
    1
    """
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    span = (high - low) or 1.0
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 24}" width="{_WIDTH}" role="img">']
    for place, (name, values) in enumerate(series.items()):
        step = (_WIDTH - 2 * _ROOM) / max(1, len(values) - 1)
        points = " ".join(
            f"{_ROOM + k * step:.1f},{_ROOM + (high - value) / span * (_HEIGHT - 2 * _ROOM):.1f}"
            for k, value in enumerate(values)
            if math.isfinite(value)
        )
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{_ROOM + 140 * place}" y="{_HEIGHT + 18}" fill="{colour}" '
            f'font-size="12">{escape(name)} {values[-1]:.4g}</text>'
        )
    return "".join([*parts, "</svg>"])


def asset(package: str, name: str) -> str:
    """A text that a package keeps among its assets."""
    return (resources.files(package) / "assets" / name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with each part, in order, in place of the comment that names it.

    Examples
    --------
    >>> filled("<p><!--name--></p>", {"name": "Ada"})
    '<p>Ada</p>'
    """
    for name, part in parts.items():
        head, _, tail = template.partition(f"<!--{name}-->")
        template = head + part + tail
    return template
