"""Formulas on pages: a formula's pieces as MathML, which browsers show without a script."""

from __future__ import annotations

from collections.abc import Callable

from deltarule.errors import SettingError
from deltarule.expressions.textbook import Piece, read

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_GAP = '<mspace width="0.17em"/>'


def mathml(tex: str) -> str:
    r"""A formula as a ``<math>`` element.

    TeX beyond the part that :mod:`textbook` reads is shown as its source: a custom row's formula
    is its author's.

    Examples
    --------
    >>> mathml(r"\frac{z}{2}")
    '<math><mfrac><mi>z</mi><mn>2</mn></mfrac></math>'
    >>> mathml(r"\oint z")
    '<math><mtext>\\oint z</mtext></math>'
    """
    try:
        return f"<math>{_inside(read(tex))}</math>"
    except SettingError:
        return f"<math><mtext>{tex.translate(_ESCAPES)}</mtext></math>"


def _element(piece: Piece) -> str:
    return _ELEMENTS[piece.kind](piece)


def _inside(row: Piece) -> str:
    """The pieces of a row, with the space that names of functions have around them."""
    found = []
    for before, piece in zip((None, *row.parts), row.parts, strict=False):
        base = _base(piece)
        beside = before is not None and not {before.kind, piece.kind} & {"sign", "space"}
        named = before is not None and _base(before).kind in ("name", "text")
        opens = base.kind == "bracket" or base.text == "∑"
        if beside and ((named and not opens) or base.kind == "name"):
            found.append(_GAP)
        first = before is None or before.kind == "sign"
        found.append(_PREFIX if first and piece == _MINUS else _element(piece))
    return "".join(found)


_MINUS = Piece("sign", "−")
_PREFIX = '<mo form="prefix">−</mo>'


def _base(piece: Piece) -> Piece:
    """What the scripts are written at."""
    return _base(piece.parts[0]) if piece.kind in ("sub", "sup") else piece


def _row(row: Piece) -> str:
    return _element(row.parts[0]) if len(row.parts) == 1 else f"<mrow>{_inside(row)}</mrow>"


def _token(tag: str) -> Callable[[Piece], str]:
    return lambda piece: f"<{tag}>{piece.text.translate(_ESCAPES)}</{tag}>"


def _group(tag: str) -> Callable[[Piece], str]:
    return lambda piece: f"<{tag}>{''.join(map(_element, piece.parts))}</{tag}>"


def _bracket(piece: Piece) -> str:
    mo = "<mo>{}</mo>" if _is_tall(piece) else '<mo stretchy="false">{}</mo>'
    opening, closing = (mo.format(sign) for sign in (piece.text[0], piece.text[1]))
    return f"<mrow>{opening}{_inside(piece.parts[0])}{closing}</mrow>"


def _is_tall(piece: Piece) -> bool:
    """Whether brackets around it are taller than letters: around scripts they are not."""
    return piece.kind in ("fraction", "cases") or any(map(_is_tall, piece.parts))


def _sub(piece: Piece) -> str:
    return _group("munder" if piece.parts[0].text == "∑" else "msub")(piece)


def _sup(piece: Piece) -> str:
    base, upper = piece.parts
    if base.kind != "sub":
        return _group("msup")(piece)
    tag = "munderover" if base.parts[0].text == "∑" else "msubsup"
    return _group(tag)(Piece("row", parts=(*base.parts, upper)))


def _cases(piece: Piece) -> str:
    cell = '<mtd style="text-align: left">{}</mtd>'
    rows = ("".join(cell.format(_row(part)) for part in row.parts) for row in piece.parts)
    table = "".join(f"<mtr>{row}</mtr>" for row in rows)
    return f"<mrow><mo>{{</mo><mtable>{table}</mtable></mrow>"


_ELEMENTS: dict[str, Callable[[Piece], str]] = {
    "number": _token("mn"),
    "letter": _token("mi"),
    "name": _token("mi"),
    "sign": _token("mo"),
    "text": lambda piece: f"<mtext>{piece.text.translate(_ESCAPES).replace(' ', '&#160;')}</mtext>",
    "space": lambda piece: f'<mspace width="{piece.text}"/>',
    "row": _row,
    "fraction": _group("mfrac"),
    "root": _group("msqrt"),
    "bracket": _bracket,
    "sub": _sub,
    "sup": _sup,
    "cases": _cases,
}
