r"""What a textbook's formula computes: its pieces as an expression of one entry.

Side by side is a product; a function without brackets takes the next factor. ``[z > 0]`` is 1 where
it holds and 0 elsewhere, and what it multiplies is 0 there whatever it is. ``, s = …`` after a
formula says what a letter in it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np

from deltarule.arrays import Array, erf
from deltarule.errors import SettingError
from deltarule.expressions.nodes import Node, as_number, constant, entry
from deltarule.expressions.symbolic import NAMESPACE, SymbolicArray, UntraceableError
from deltarule.expressions.textbook import Piece, read


def parsed(tex: str) -> Node:
    r"""The expression that a formula says.

    Of ``z`` for an activation. For a loss, a multiple of ``\sum_i``, it is the summand, of ``a``
    and ``y``.

    Raises
    ------
    SettingError
        For a formula that cannot be read, or mixes units otherwise than in a sum.

    Examples
    --------
    >>> parsed(r"\frac{z}{1 + |z|}")
    divide(z, add(1.0, abs(z)))
    >>> parsed(r"-\sum_i y_i \log a_i")
    negative(multiply(y, log(a)))
    """
    formula, *where = _split(read(tex).parts)
    try:
        known = dict(_KNOWN)
        for definition in where:
            pieces = [piece for piece in definition if piece.kind != "space"]
            if pieces[1:2] != [Piece("sign", "=")]:
                raise UntraceableError("has a comma that no definition such as 's = …' follows")
            known[_symbol(pieces[0])] = _Terms(pieces[2:], known).all()
        return as_number(_Terms(formula, known).all().node)
    except UntraceableError as error:
        raise SettingError(
            f"formula {tex!r}: it {error}. Expected numbers of one unit, or a multiple of a sum "
            r"over units, \sum_i."
        ) from None


# ------------------------------------------------------------------------ numbers and names


def _number(value: float) -> Array:
    return SymbolicArray(constant(value), np.dtype("float64"), 0)


def _unit(name: str) -> Array:
    return SymbolicArray(entry(name), np.dtype("float64"))


_E = _number(math.e)
_KNOWN: dict[str, Array] = {
    "z": _unit("z"),
    "a": _unit("a"),
    "y": _unit("y"),
    "a_i": _unit("a"),
    "y_i": _unit("y"),
    "e": _E,
    "π": _number(math.pi),
    "∞": _number(math.inf),
    "NaN": _number(math.nan),
}


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1.0 + erf(x * math.sqrt(0.5)))


def _normal_density(x: Array) -> Array:
    return NAMESPACE.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _sigmoid_prime(x: Array) -> Array:
    e = NAMESPACE.exp(-abs(x))
    return e / (1.0 + e) ** 2


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    **{name: getattr(NAMESPACE, name) for name in ("log", "exp", "sinh", "cosh", "tanh", "sin")},
    **{name: getattr(NAMESPACE, name) for name in ("cos", "tan", "arctan", "erf")},
    "ln": NAMESPACE.log,
    "sgn": NAMESPACE.sign,
    "σ": NAMESPACE.expit,
    "σ′": _sigmoid_prime,
    "Φ": _normal_cdf,
    "ϕ": _normal_density,
    "max": lambda *x: reduce(NAMESPACE.maximum, x),
    "min": lambda *x: reduce(NAMESPACE.minimum, x),
}
_RELATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "<": NAMESPACE.less,
    ">": NAMESPACE.greater,
    "=": NAMESPACE.equal,
    "≤": NAMESPACE.less_equal,
    "≥": NAMESPACE.greater_equal,
    "≠": NAMESPACE.not_equal,
}
_CONDITIONAL = {*_RELATIONS, "∧", "∨", "¬"}


def _symbol(piece: Piece) -> str:
    """A letter with its lower script, as one name: ``y_i``."""
    if piece.kind == "sub":
        return f"{_symbol(piece.parts[0])}_{_symbol(piece.parts[1])}"
    return piece.text + "".join(map(_symbol, piece.parts))


def _split(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """What commas separate."""
    found: list[list[Piece]] = [[]]
    for piece in pieces:
        if piece == Piece("sign", ","):
            found.append([])
        else:
            found[-1].append(piece)
    return found


def _is_condition(row: Piece) -> bool:
    return any(piece.kind == "sign" and piece.text in _CONDITIONAL for piece in row.parts)


# ------------------------------------------------------------------------------ reading


class _Terms:
    """Reads pieces from left to right, with what letters stand for."""

    def __init__(self, pieces: Sequence[Piece], known: Mapping[str, Array]) -> None:
        self.pieces = [piece for piece in reversed(pieces) if piece.kind != "space"]
        self.known = known

    def all(self) -> Array:
        """The number that the pieces are."""
        found = self.sum()
        return self.ended(found)

    def holding(self) -> Array:
        """The condition that the pieces are, as a mask."""
        found = self.clause()
        while (sign := self.taken("∧", "∨")) is not None:
            found = found & self.clause() if sign == "∧" else found | self.clause()
        return self.ended(found)

    def ended(self, found: Array) -> Array:
        if self.pieces:
            raise UntraceableError(f"has {self.pieces[-1].text!r} where nothing is expected")
        return found

    def taken(self, *signs: str) -> str | None:
        """The next piece where it is one of these signs."""
        if self.pieces and self.pieces[-1].kind == "sign" and self.pieces[-1].text in signs:
            return self.pieces.pop().text
        return None

    def clause(self) -> Array:
        """A comparison, or a condition in brackets."""
        if self.taken("¬"):
            return ~self.clause()
        following = self.pieces[-1] if self.pieces else Piece("row")
        if following.text == "()" and _is_condition(following.parts[0]):
            return _Terms(self.pieces.pop().parts[0].parts, self.known).holding()
        left, found = self.sum(), None
        while (sign := self.taken(*_RELATIONS)) is not None:
            right = self.sum()
            holds = _RELATIONS[sign](left, right)
            left, found = right, holds if found is None else found & holds
        if found is None:
            raise UntraceableError("has a number where a condition is expected")
        return found

    def sum(self) -> Array:
        """Products with signs."""
        found = self.product()
        while (sign := self.taken("+", "−")) is not None:
            found = found + self.product() if sign == "+" else found - self.product()
        return found

    def product(self) -> Array:
        """Factors side by side, and where they count."""
        if self.taken("−"):
            return -self.product()
        found = holds = None
        while self.pieces and (self.pieces[-1].kind != "sign" or self.taken("⋅", "×")):
            if self.pieces and self.pieces[-1] == _SUM:
                self.pieces.pop()
                factor = self.product().sum(axis=0)
            elif (mask := self.iverson()) is not None:
                holds = mask if holds is None else holds & mask
                continue
            else:
                factor = self.factor()
            found = factor if found is None else found * factor
        if holds is not None:
            return NAMESPACE.where(holds, 1.0 if found is None else found, 0.0)
        if found is None:
            raise UntraceableError("lacks a number")
        return found

    def iverson(self) -> Array | None:
        """The condition in square brackets that comes next."""
        following = self.pieces[-1] if self.pieces else Piece("row")
        if following.text != "[]" or not _is_condition(following.parts[0]):
            return None
        return _Terms(self.pieces.pop().parts[0].parts, self.known).holding()

    def factor(self) -> Array:
        """A number, or a function with what it is applied to."""
        if not self.pieces:
            raise UntraceableError("lacks a number")
        piece = self.pieces.pop()
        function, power = _function(piece)
        follows = bool(self.pieces) and self.pieces[-1].text == "()"
        if function is None or not (follows or function.isascii()):
            return self.value(piece)
        given = self.arguments()
        if len(given) != 1 and function not in ("max", "min"):
            raise UntraceableError(f"applies {function} to {len(given)} numbers")
        found = _FUNCTIONS[function](*given)
        return found if power is None else found ** self.value(power)

    def arguments(self) -> list[Array]:
        """What a function is applied to: what is in brackets, else the next factor."""
        following = self.pieces[-1] if self.pieces else Piece("row")
        if following.kind == "sup" and following.parts[0].text == "()":
            raise UntraceableError("has a power behind a function's brackets; write it before them")
        if following.text != "()":
            return [self.factor()]
        given = _split(self.pieces.pop().parts[0].parts)
        return [_Terms(each, self.known).all() for each in given]

    # --------------------------------------------------------------------- one piece

    def value(self, piece: Piece) -> Array:
        """The number that a piece is."""
        if piece.kind not in _VALUES:
            raise UntraceableError(f"has {piece.text!r} where a number is expected")
        return _VALUES[piece.kind](self, piece)

    def row(self, piece: Piece) -> Array:
        return _Terms(piece.parts, self.known).all()

    def meant(self, piece: Piece) -> Array:
        name = _symbol(piece)
        if name not in self.known:
            raise UntraceableError(f"does not say what {name} stands for")
        return self.known[name]

    def bracket(self, piece: Piece) -> Array:
        if piece.text not in _BRACKETS:
            raise UntraceableError(f"has {piece.text}, which mixes units")
        return _BRACKETS[piece.text](self.row(piece.parts[0]))

    def raised(self, piece: Piece) -> Array:
        base, script = piece.parts
        if base == Piece("letter", "e") and self.known["e"] is _E:
            return NAMESPACE.exp(self.value(script))
        return self.value(base) ** self.value(script)

    def cases(self, piece: Piece) -> Array:
        found = _number(math.nan)
        for value, condition in (row.parts for row in reversed(piece.parts)):
            number = self.row(value)
            words = [part.text.strip() for part in condition.parts if part.kind == "text"]
            if words == ["otherwise"]:
                found = number
                continue
            holds = [part for part in condition.parts if part.kind != "text"]
            found = NAMESPACE.where(_Terms(holds, self.known).holding(), number, found)
        return found


_SUM = Piece("sub", parts=(Piece("sign", "∑"), Piece("letter", "i")))
_BRACKETS: dict[str, Callable[[Array], Array]] = {
    "()": lambda inside: inside,
    "[]": lambda inside: inside,
    "||": abs,
    "⌊⌋": NAMESPACE.floor,
}
_VALUES: dict[str, Callable[[_Terms, Piece], Array]] = {
    "number": lambda terms, piece: _number(float(piece.text)),
    "letter": _Terms.meant,
    "name": _Terms.meant,
    "sub": _Terms.meant,
    "row": _Terms.row,
    "fraction": lambda terms, piece: terms.value(piece.parts[0]) / terms.value(piece.parts[1]),
    "root": lambda terms, piece: NAMESPACE.sqrt(terms.value(piece.parts[0])),
    "bracket": _Terms.bracket,
    "sup": _Terms.raised,
    "cases": _Terms.cases,
}


def _function(piece: Piece) -> tuple[str | None, Piece | None]:
    """The function that a piece names, and the power that is written at it."""
    base, *script = piece.parts if piece.kind == "sup" else (piece,)
    primed = script == [Piece("sign", "′")]
    name = base.text + ("′" if primed else "")
    if base.kind not in ("name", "letter") or name not in _FUNCTIONS:
        return None, None
    return name, None if primed or not script else script[0]
