"""After a build: no page may ask the network for a script, a style, a font, an image, a frame.

Links that a reader may click are not requests; those within the site must lead to a file.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

_REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
_RELATIONS_READ_ONLY = {"canonical", "author", "license", "next", "prev", "search", "index"}


class Requests(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at every attribute that makes a browser fetch something."""
        given = dict(attrs)
        if tag == "link" and not _RELATIONS_READ_ONLY & set((given.get("rel") or "").split()):
            self._note(given.get("href"))
        if tag == "a":
            self.links.add(given.get("href") or "")
        if tag not in ("a", "link"):
            for name in ("src", "srcset", "data", "poster", "action", "xlink:href"):
                self._note(given.get(name))
        self.found += _IN_STYLE.findall(given.get("style") or "")

    def _note(self, address: str | None) -> None:
        if address and _REMOTE.match(address):
            self.found.append(address)


def requests_of(file: Path) -> list[str]:
    """The addresses that a built page or style sheet would fetch from the network."""
    text = file.read_text(encoding="utf-8", errors="replace")
    found = _IN_STYLE.findall(text)
    if file.suffix == ".html":
        parser = Requests()
        parser.feed(text)
        found += parser.found
    return sorted(set(found))


def broken_links(file: Path) -> list[str]:
    """The links of a built page to files that are not there."""
    parser = Requests()
    parser.feed(file.read_text(encoding="utf-8", errors="replace"))
    paths = {
        link: unquote(urlsplit(link).path) for link in parser.links if not urlsplit(link).scheme
    }
    return sorted(link for link, path in paths.items() if not (file.parent / path).exists())


def check(app: Sphinx, exception: Exception | None) -> None:
    """Warn of every such address and link; warnings fail the build."""
    if exception is not None or app.builder.format != "html":
        return
    for file in sorted(Path(app.outdir).rglob("*")):
        if file.suffix in (".html", ".css"):
            for address in requests_of(file):
                logger.warning("%s would ask the network for %s", file.name, address)
        if file.suffix == ".html":
            for link in broken_links(file):
                logger.warning("%s links to %s, which is not there", file.name, link)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
