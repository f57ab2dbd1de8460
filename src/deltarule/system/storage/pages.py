"""A model file within an HTML page: its bytes in an element, and a digest of the whole page.

The first line is the doctype; the second, a comment, has the digest of all that follows it. By it
a page that was edited or cut off is recognized.
"""

from __future__ import annotations

import base64
import hashlib
import re

FORMAT = 1
"""The version of the pages that this code writes, and the newest that it reads."""

BEGINS = b"<!doctype html>\n<!-- deltarule model page, format "
"""How every such page begins, and no other file."""

_HEAD = re.compile(re.escape(BEGINS) + rb"(\d{1,6}), SHA-256 of what follows: ([0-9a-f]{64}) -->\n")
_MODEL = re.compile(rb'<script type="text/plain" id="model">([A-Za-z0-9+/=]+)</script>')
_END = b"</html>\n"


def model_element(content: bytes) -> str:
    """The element of a page that carries a model file's bytes.

    Examples
    --------
    >>> model_element(b"bytes")
    '<script type="text/plain" id="model">Ynl0ZXM=</script>'
    """
    return f'<script type="text/plain" id="model">{base64.b64encode(content).decode()}</script>'


def sealed(html: str) -> bytes:
    r"""A page's file: what stands in front of it is its version and its digest.

    Parameters
    ----------
    html : str
        From ``<html>`` to ``</html>`` and a line end.

    Examples
    --------
    >>> file = sealed(f"<html>{model_element(b'bytes')}</html>\n")
    >>> file[:50]
    b'<!doctype html>\n<!-- deltarule model page, format '
    """
    content = html.encode()
    return BEGINS + b"%d, SHA-256 of what follows: %b -->\n" % (FORMAT, _digest(content)) + content


def page_version(content: bytes) -> int:
    """The version of a page's format; 0 where its head was edited or cut off.

    Parameters
    ----------
    content : bytes
        Of the page, which begins as :data:`BEGINS`.
    """
    head = _HEAD.match(content)
    return 0 if head is None else int(head[1])


def carried(content: bytes) -> bytes:
    """The bytes of the model file that a page carries.

    Parameters
    ----------
    content : bytes
        Of the page, which begins as :data:`BEGINS`.

    Raises
    ------
    ValueError
        For a page that was cut off or edited, with what is wrong.
    """
    if not content.endswith(_END):
        raise ValueError("the page is truncated: its end is missing")
    head, model = _HEAD.match(content), _MODEL.search(content)
    if head is None or model is None or _digest(content[head.end() :]) != head[2]:
        raise ValueError("the page was edited: its contents do not match its digest")
    return base64.b64decode(model[1])


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
