"""Figures into the page itself, where they take the colour of its text, light or dark.

On a code host the same file is an image, and its own ``<style>`` sets the colours.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class InlineFigures(SphinxPostTransform):
    """Replaces each image of an SVG file by its text."""

    default_priority = 5
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Walk the images."""
        for image in list(self.document.findall(nodes.image)):
            if not image["uri"].endswith(".svg"):
                continue
            svg = (Path(self.env.srcdir) / image["uri"]).read_text(encoding="utf-8")
            svg = re.sub(r"<\?xml.*?\?>|<style.*?</style>", "", svg, flags=re.DOTALL).strip()
            label = html.escape(image.get("alt", ""))
            svg = svg.replace("<svg ", f'<svg class="figure" role="img" aria-label="{label}" ', 1)
            image.replace_self(nodes.raw("", svg, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(InlineFigures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
