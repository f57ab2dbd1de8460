"""Mathematics as MathML, made from TeX while the pages are built: no script, no font to load.

An equation may end in ``\\tag{10a}``; it is then numbered ``10a``, as on a code host. A label
(``$$ … $$ (name)``) is numbered by Sphinx and can be referred to by ``{eq}``.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

_TAG = re.compile(r"\\tag\{([^}]*)\}")
_LEFTOVER = re.compile(r"<m[a-z]+[^>]*>(?:&|\\[A-Za-z]*|[^<]*\\[A-Za-z]+[^<]*)</m")


def mathml(tex: str, *, block: bool) -> str:
    """A formula as MathML.

    Raises
    ------
    ValueError
        For TeX that the converter does not know.
    """
    tex = re.sub(r"\\(begin|end)\{aligned\}", r"\\\1{align*}", tex.strip())
    try:
        found = convert(tex, display="block" if block else "inline")
    except Exception as error:  # it raises many kinds, all of them about the TeX
        raise ValueError(f"cannot read {tex!r}: {type(error).__name__} {error}") from error
    if _LEFTOVER.search(found):
        raise ValueError(f"not all of {tex!r} was understood")
    return found.replace("<math ", f'<math class="tex" alttext="{html.escape(tex)}" ', 1)


def _converted(node: nodes.Element, tex: str, *, block: bool) -> str:
    try:
        return mathml(tex, block=block)
    except ValueError as error:
        logger.warning("mathematics: %s", error, location=node)
        return f"<code>{html.escape(tex)}</code>"


def visit_inline(self: Any, node: nodes.math) -> None:
    self.body.append(_converted(node, node.astext(), block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    tex = node.astext()
    tag = _TAG.search(tex)
    number = tag.group(1) if tag else node.get("number")
    anchor = f' id="{node["ids"][0]}"' if node["ids"] else ""
    beside = f'<span class="eqno">({html.escape(str(number))})</span>' if number else ""
    formula = _converted(node, _TAG.sub("", tex), block=True)
    self.body.append(f'<div class="equation"{anchor}><div>{formula}</div>{beside}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
