"""Mathematics as MathML, made from TeX while the pages are built: no script, no font to load.

An equation may end in ``\\tag{10a}``; it is then numbered ``10a``, as on a code host, and has a
link to its address (:mod:`equations`). A label (``$$ … $$ (name)``) is numbered by Sphinx and can
be referred to by ``{eq}``. A word (``A_{prev}``) and a derivative's short name (``dA``) are one
upright symbol each.
"""

from __future__ import annotations

import html
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from docutils import nodes
from equations import TAG
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

_MATHML = "http://www.w3.org/1998/Math/MathML"
_NAMES = {"max", "min", "log", "cos", "tanh", "exp", "sign"}
_OPENING = {"(", "[", ",", "=", "⋅", "→", "←"}
_WORD = re.compile(  # commands stay; three letters are a word, d with one letter is a derivative
    r"\\(?:text|operatorname|begin|end|math\w+)\{[^{}]*\}|\\[A-Za-z]+"
    r"|(?P<word>[A-Za-z]{3,}|d[A-Za-z](?![A-Za-z])|d(?=\\[a-z]))"
)
ElementTree.register_namespace("", _MATHML)


def mathml(tex: str, *, block: bool) -> str:
    """A formula as MathML.

    Raises
    ------
    ValueError
        For TeX that the converter does not know.
    """
    tex = re.sub(r"\\(begin|end)\{aligned\}", r"\\\1{align*}", tex.strip())
    try:
        display = "block" if block else "inline"
        root = ElementTree.fromstring(convert(_upright(tex), display=display))
    except Exception as error:  # it raises many kinds, all of them about the TeX
        raise ValueError(f"cannot read {tex!r}: {type(error).__name__} {error}") from error
    for element in list(root.iter()):
        if "\\" in (element.text or "") or (element.text or "").strip() == "&":
            raise ValueError(f"cannot read {element.text!r} in {tex!r}")
        _symbol(element)
        _limits(element)
        _fence(element)
        _space(element)
    root.set("alttext", tex)
    return ElementTree.tostring(root, encoding="unicode")


def _upright(tex: str) -> str:
    r"""TeX with its words in ``\text``: letters side by side would be a product, in italics."""
    return _WORD.sub(lambda m: rf"\text{{{m[0]}}}" if m["word"] else m[0], tex)


def _symbol(element: Element) -> None:
    """A word as an identifier, which it is: upright, for it has more letters than one."""
    if element.tag.endswith("}mtext") and (element.text or "").isalpha():
        element.tag = f"{{{_MATHML}}}mi"
        element.set("mathvariant", "normal")


def _limits(element: Element) -> None:
    """The limits of a sum under and over it, also within brackets."""
    kinds = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
    kind = element.tag.removeprefix(f"{{{_MATHML}}}")
    if kind in kinds and element[0].text == "∑":
        element.tag = f"{{{_MATHML}}}{kinds[kind]}"


def _fence(row: Element) -> None:
    """A matrix with its brackets as one group: else they are as tall as their neighbours."""
    for at in range(len(row) - 3, -1, -1):
        if at + 3 > len(row):
            continue
        before, table, after = row[at : at + 3]
        if table.tag.endswith("}mtable") and before.text == "[" and after.text == "]":
            group = Element(f"{{{_MATHML}}}mrow")
            group[:] = [before, table, after]
            row[at : at + 3] = [group]


def _space(row: Element) -> None:
    """Space as TeX sets it: around names of functions, none around bars and slashes."""
    for before, child in pairwise([None, *row]):
        if child.text == "′":
            child.tag = f"{{{_MATHML}}}mo"
        if not child.tag.endswith("}mo"):
            continue
        if child.text in ("/", "|", "‖"):
            child.attrib |= {"stretchy": "false", "lspace": "0", "rspace": "0"}
        elif child.text == "−" and before is not None and before.text in _OPENING:
            child.attrib |= {"form": "prefix", "lspace": "0", "rspace": "0"}
        elif child.text in _NAMES or child.text == "∞":
            child.tag = f"{{{_MATHML}}}mi"
    if not row.tag.endswith(("}mrow", "}mtd")):
        return
    spaced: list[Element] = []
    for before, child in pairwise([None, *row]):
        beside = before is not None and not before.tag.endswith(("}mo", "}mspace"))
        beside = beside and not child.tag.endswith(("}mo", "}mspace"))  # which have their own
        if beside and (_is_name(before) or _is_name(child)):
            spaced.append(Element(f"{{{_MATHML}}}mspace", {"width": "0.17em"}))
        spaced.append(child)
    row[:] = spaced


def _is_name(element: Element) -> bool:
    base = element[0] if element.tag.endswith(("}msup", "}msub")) else element
    return base.tag.endswith("}mi") and base.text in _NAMES


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
    tag = TAG.search(tex)
    number = tag.group(1) if tag else node.get("number")
    anchor = f' id="{node["ids"][0]}"' if node["ids"] else ""
    beside = f'<span class="eqno">({html.escape(str(number))})</span>' if number else ""
    if tag:
        title = f"Permanent link to Eq. {html.escape(tag.group(1))}"
        beside += f'<a class="eqlink" href="#{node["ids"][0]}" title="{title}">#</a>'
    formula = _converted(node, TAG.sub("", tex), block=True)
    self.body.append(f'<div class="equation"{anchor}><div>{formula}</div>{beside}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
