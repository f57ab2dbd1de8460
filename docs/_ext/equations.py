"""Every numbered equation is an object: ``\\tag{10c}`` gives it the permanent address ``#eq-10c``.

Markdown links reach it as ``back-propagation.md#eq-10c``; Sphinx warns of a link to one that does
not exist. The search lists an equation's own address before any page that mentions its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains import Domain, ObjType
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

TAG = re.compile(r"\\tag\{([^}]*)\}")
_FIRST = 0  # the search's highest priority for objects


def anchor(number: str) -> str:
    """The address of an equation on its page."""
    return f"eq-{number.lower()}"


class Equations(Domain):
    """The numbered equations: where each stands."""

    name = "equations"
    label = "Equations"
    object_types: ClassVar = {"equation": ObjType("equation")}
    initial_data: ClassVar = {"pages": {}}

    @property
    def pages(self) -> dict[str, str]:
        """The page of each number."""
        pages: dict[str, str] = self.data["pages"]
        return pages

    def note(self, number: str, node: nodes.Element) -> None:
        """Register an equation; a number that exists already is warned of."""
        if number in self.pages:
            text = "equation %s is already on page %s"
            logger.warning(text, number, self.pages[number], location=node)
        self.pages[number] = self.env.docname
        self.env.domains.standard_domain.note_hyperlink_target(
            anchor(number), self.env.docname, anchor(number), f"Eq. {number}"
        )

    def get_type_name(self, type: ObjType, primary: bool = False) -> str:
        """What the search calls an equation."""
        return type.lname

    def clear_doc(self, docname: str) -> None:
        """Forget a page's equations."""
        for number in [number for number, page in self.pages.items() if page == docname]:
            del self.pages[number]

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Take over what another process read."""
        self.pages.update({n: p for n, p in otherdata["pages"].items() if p in docnames})

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """What the search and the inventory list."""
        for number, page in self.pages.items():
            yield number, number, "equation", page, anchor(number), _FIRST


class Anchors(SphinxTransform):
    """Gives each numbered equation its address."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Walk the formulas."""
        domain = self.env.get_domain(Equations.name)
        assert isinstance(domain, Equations)
        for node in self.document.findall(nodes.math_block):
            tag = TAG.search(node.astext())
            if tag:
                node["ids"].append(anchor(tag.group(1)))
                domain.note(tag.group(1), node)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_domain(Equations)
    app.add_transform(Anchors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
