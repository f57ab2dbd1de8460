r"""Formulas as a textbook prints them: the part of TeX that rows use, read into pieces.

A formula is a row of pieces as they stand on paper: numbers, letters, fractions, brackets, scripts.
What it computes (:mod:`meaning`) and how a page shows it (:mod:`mathml`) are read from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deltarule.errors import SettingError


@dataclass(frozen=True)
class Piece:
    """A piece of a formula.

    Attributes
    ----------
    kind : str
        ``number``, ``letter``, ``name`` (of a function), ``sign``, ``text``, ``space``, ``row``,
        ``fraction``, ``root``, ``bracket``, ``sub``, ``sup`` or ``cases``.
    text : str
        What is printed; the two brackets; the width of a space.
    parts : tuple of Piece
        What it is made of: a script's base and the script, rows of two cells for cases.
    """

    kind: str
    text: str = ""
    parts: tuple[Piece, ...] = ()


def _commands(kind: str, listed: str) -> dict[str, Piece]:
    """What a command prints, listed as ``name=text``; a name alone prints itself."""
    pairs = (word.partition("=") for word in listed.split())
    return {rf"\{name}": Piece(kind, text or name) for name, _, text in pairs}


_SINGLE: dict[str, Piece] = {
    **_commands(
        "letter",
        "alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε eta=η theta=θ kappa=κ lambda=λ mu=μ "
        "nu=ν xi=ξ pi=π rho=ρ sigma=σ tau=τ phi=ϕ varphi=φ psi=ψ omega=ω Delta=Δ Lambda=Λ Phi=Φ "
        "Psi=Ψ Omega=Ω infty=∞ ell=ℓ",
    ),
    **_commands(
        "sign",
        "le=≤ leq=≤ ge=≥ geq=≥ ne=≠ neq=≠ cdot=⋅ times=× odot=⊙ land=∧ lor=∨ lnot=¬ sum=∑ "
        "leftarrow=←",
    ),
    **_commands("name", "max min log ln exp sinh cosh tanh sin cos tan arctan"),
    **_commands("space", ",=0.17em :=0.22em ;=0.28em quad=1em"),
    **{sign: Piece("sign", sign) for sign in "+=<>,/:;.!"},
    "-": Piece("sign", "−"),
}
_BRACKETS = {
    "(": (")", "()"),
    "[": ("]", "[]"),
    "|": ("|", "||"),
    r"\lvert": (r"\rvert", "||"),
    r"\lVert": (r"\rVert", "‖‖"),
    r"\lfloor": (r"\rfloor", "⌊⌋"),
}
_CASES, _END, _LINE = r"\begin{cases}", r"\end{cases}", r"\\"
_CLOSING = (")", "]", "}", "&", _LINE, _END, r"\rvert", r"\rVert", r"\rfloor")
_SCRIPTS = ("_", "^", "'")
_TOKEN = re.compile(
    r"\\(?:text|operatorname)\{[^{}]*\}|\\(?:begin|end)\{\w+\}|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S",
    re.DOTALL,
)


def read(tex: str) -> Piece:
    r"""The pieces of a formula, as a row.

    Raises
    ------
    SettingError
        For TeX that formulas of rows are not written in.

    Examples
    --------
    >>> [piece.kind for piece in read(r"z^2 + \frac{1}{2}").parts]
    ['sup', 'sign', 'fraction']
    """
    reader = _Reader(tex)
    found = reader.row()
    if reader.tokens:
        raise reader.refused("nothing to close")
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tex: str) -> None:
        self.tex = tex
        self.tokens = [t for t in _TOKEN.findall(tex) if t not in (r"\left", r"\right")]
        self.tokens.reverse()  # the next one is the last

    @property
    def following(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def refused(self, got: str) -> SettingError:
        at = f"at {self.following!r}" if self.tokens else "at its end"
        return SettingError(
            f"formula {self.tex!r}: expected the TeX of a textbook's formula, such as "
            rf"\frac{{z}}{{1 + |z|}}; got {got} {at}."
        )

    def row(self, *ends: str) -> Piece:
        """Pieces until one of the ends, which is left, or the end of all."""
        found: list[Piece] = []
        while self.tokens and self.following not in (*_CLOSING, *ends):
            base = found.pop() if self.following in _SCRIPTS and found else None
            found.append(self.piece() if base is None else self.scripted(base))
        if ends and self.following not in ends:
            raise self.refused(f"no {' or '.join(ends)}")
        return Piece("row", parts=tuple(found))

    def closed(self, end: str) -> Piece:
        """A row and its end."""
        found = self.row(end)
        self.tokens.pop()
        return found

    def scripted(self, base: Piece) -> Piece:
        """A base with the scripts that follow: the lower one within, whatever the order."""
        upper: list[Piece] = []
        while self.following and self.following in _SCRIPTS:
            token = self.tokens.pop()
            if token == "_":
                base = Piece("sub", parts=(base, self.argument()))
            else:
                upper.append(Piece("sign", "′") if token == "'" else self.argument())
        if not upper:
            return base
        script = upper[0] if len(upper) == 1 else Piece("row", parts=tuple(upper))
        return Piece("sup", parts=(base, script))

    def argument(self) -> Piece:
        """What a command or a script takes: a group in braces, or one character."""
        if self.following[:1].isdigit() and len(self.following) > 1:
            digit, rest = self.following[0], self.following[1:]
            self.tokens[-1:] = [rest, digit]
        return self.piece()

    def piece(self) -> Piece:
        """What stands next, without scripts."""
        token = self.following
        if token in _CLOSING or token in _SCRIPTS or not token:
            raise self.refused("nothing where a symbol is expected")
        self.tokens.pop()
        if token == "{":
            return self.closed("}")
        if token in _BRACKETS:
            end, text = _BRACKETS[token]
            return Piece("bracket", text, (self.closed(end),))
        if token == r"\frac":
            return Piece("fraction", parts=(self.argument(), self.argument()))
        if token == r"\sqrt":
            return Piece("root", parts=(self.argument(),))
        if token == _CASES:
            return self.cases()
        found = _single(token)
        if found is None:
            self.tokens.append(token)
            raise self.refused("an unknown symbol")
        return found

    def cases(self) -> Piece:
        """Rows of a value and where it holds."""
        rows = []
        while self.following != _END:
            value = self.closed("&")
            rows.append(Piece("row", parts=(value, self.row(_LINE, _END))))
            if self.following == _LINE:
                self.tokens.pop()
        self.tokens.pop()
        return Piece("cases", parts=tuple(rows))


def _single(token: str) -> Piece | None:
    """The piece that one token is."""
    for kind, command in (("text", r"\text{"), ("name", r"\operatorname{")):
        if token.startswith(command):
            return Piece(kind, token[len(command) : -1])
    if token[0].isdigit():
        return Piece("number", token)
    if token.isalpha():
        return Piece("letter", token)
    return _SINGLE.get(token)
