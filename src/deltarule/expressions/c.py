"""Expressions as C99: functions of real numbers, whose common parts are local variables.

In the file around them `real` is the type of the numbers, ``FN(exp)`` its mathematical function;
``minimum``, ``maximum`` and ``sign`` are functions of the file, and NaN passes through them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from deltarule.errors import SettingError
from deltarule.expressions.nodes import Node, in_order

_LONGEST_PART = 60  # characters of an expression, before a part of it gets a name

_CHOICE, _JOINED, _COMPARED, _SUM, _PRODUCT, _SIGNED, _WHOLE = range(7)
"""How closely an expression holds together: a choice least, a call or a name most."""

_BETWEEN = {
    "or": ("||", _JOINED, _COMPARED, _COMPARED),
    "and": ("&&", _JOINED, _COMPARED, _COMPARED),
    "less": ("<", _COMPARED, _SUM, _SUM),
    "less_equal": ("<=", _COMPARED, _SUM, _SUM),
    "equal": ("==", _COMPARED, _SUM, _SUM),
    "add": ("+", _SUM, _SUM, _PRODUCT),
    "subtract": ("-", _SUM, _SUM, _PRODUCT),
    "multiply": ("*", _PRODUCT, _PRODUCT, _SIGNED),
    "divide": ("/", _PRODUCT, _PRODUCT, _SIGNED),
}
"""The operator, how closely it holds, and how closely its left and right sides must."""

_BEFORE = {"negative": "-", "not": "!"}

_OF_THE_FILE = ("minimum", "maximum", "sign")

_RENAMED = {"power": "pow", "abs": "fabs", "arctan": "atan"}


class _Text(NamedTuple):
    """An expression as text, and how closely it holds together."""

    text: str
    holds: int

    def within(self, holds: int) -> str:
        """The text, in brackets where what is around it would tear it apart."""
        return self.text if self.holds >= holds else f"({self.text})"


def number(value: Any, dtype: np.dtype[Any]) -> str:
    """A constant of a type, to the last bit.

    Raises
    ------
    SettingError
        For a number that the type does not hold.

    Examples
    --------
    >>> number(0.1, np.dtype("float32")), number(1, np.dtype("float64"))
    ('0.1f', '1.0')
    """
    value = float(value)
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):  # the end of a bin
        return "INFINITY" if value > 0 else "-INFINITY"
    if abs(value) > float(np.finfo(dtype).max):
        raise SettingError(
            f"export: the model has the number {value:g}, which is beyond {dtype}. Export it "
            "without training, or choose a smaller number."
        )
    return str(dtype.type(value)) + ("f" if dtype == np.float32 else "")


def identifier(text: str, taken: Collection[str] = ()) -> str:
    """A text's letters and digits as a name in C that is not taken; it begins as the text does.

    Examples
    --------
    >>> identifier("g my act!"), identifier("g leaky_relu(0.1)", ["g_leaky_relu_0_1"])
    ('g_my_act', 'g_leaky_relu_0_1_2')
    """
    base = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name


def printed(
    outputs: Sequence[Node], names: Mapping[str, str], dtype: np.dtype[Any], kind: str = "real"
) -> tuple[list[str], list[str]]:
    """Expressions as text, and before them the parts that they share.

    Parameters
    ----------
    outputs : sequence of Node
    names : mapping of str to str
        What each input is called in C.
    dtype : numpy.dtype
        Of the constants.
    kind : str
        The type in C: ``real`` or ``double``.

    Returns
    -------
    locals : list of str
        Definitions of the parts that are used more than once, or are long.
    expressions : list of str

    Examples
    --------
    >>> from deltarule.expressions import apply, constant, entry
    >>> e = apply("exp", entry("z"))
    >>> ratio = apply("divide", e, apply("add", constant(1), e))
    >>> printed([ratio], {"z": "z"}, np.dtype("float32"))
    (['real v1 = FN(exp)(z);'], ['v1 / (1.0f + v1)'])
    """
    uses = Counter(argument for node in in_order(outputs) for argument in node.arguments)
    uses.update(outputs)
    found: dict[Node, _Text] = {}
    parts: list[str] = []
    for node in in_order(outputs):
        text = _of(node, [found[argument] for argument in node.arguments], names, dtype, kind)
        is_long = len(text.text) > _LONGEST_PART and node not in outputs
        if node.arguments and (uses[node] > 1 or is_long):
            part = f"v{len(parts) + 1}"
            parts.append(f"{'int' if node.is_mask else kind} {part} = {text.text};")
            text = _Text(part, _WHOLE)
        found[node] = text
    return parts, [found[node].text for node in outputs]


def _of(
    node: Node, own: list[_Text], names: Mapping[str, str], dtype: np.dtype[Any], kind: str
) -> _Text:
    """One operation on arguments that are text already."""
    if node.name == "input":
        return _Text(names[str(node.value)], _WHOLE)
    if node.name == "constant":
        text = str(int(bool(node.value))) if node.is_mask else number(node.value, dtype)
        return _Text(text, _SIGNED)
    if node.name in _BETWEEN:
        operator, holds, left, right = _BETWEEN[node.name]
        return _Text(f"{own[0].within(left)} {operator} {own[1].within(right)}", holds)
    if node.name in _BEFORE:
        return _Text(_BEFORE[node.name] + own[0].within(_SIGNED), _SIGNED)
    if node.name == "where":
        condition, chosen, other = own
        text = f"{condition.within(_JOINED)} ? {chosen.within(_JOINED)} : {other.text}"
        return _Text(text, _CHOICE)
    called = _RENAMED.get(node.name, node.name)
    if kind == "real" and node.name not in _OF_THE_FILE:
        called = f"FN({called})"
    return _Text(f"{called}({', '.join(argument.text for argument in own)})", _WHOLE)


class Functions:
    """The functions of a C file that compute expressions: each once, all names different.

    Parameters
    ----------
    dtype : numpy.dtype
        Of their numbers.
    taken : iterable of str
        Names that the file has for something else.

    Attributes
    ----------
    definitions : list of str

    Examples
    --------
    >>> from deltarule.expressions import apply, constant, entry
    >>> functions = Functions(np.dtype("float64"))
    >>> functions.call("g twice", apply("multiply", constant(2), entry("z")), {"z": "x[i]"})
    'g_twice(x[i])'
    >>> print(*functions.definitions)
    static real g_twice(real z)
    {
        return 2.0 * z;
    }
    """

    def __init__(self, dtype: np.dtype[Any], taken: Iterable[str] = ()) -> None:
        self.definitions: list[str] = []
        self._dtype, self._taken = dtype, set(taken)
        self._names: dict[tuple[str, Node], str] = {}

    def call(self, hint: str, node: Node, places: Mapping[str, str]) -> str:
        """An expression's value: a call of its function; a place or a number where it is that.

        Parameters
        ----------
        hint : str
            What its function is called, as far as C allows.
        node : Node
        places : mapping of str to str
            Where each input lies; the function takes those that it needs, in this order.
        """
        if not node.arguments:
            return printed([node], places, self._dtype)[1][0]
        inputs = {each.value for each in in_order([node]) if each.name == "input"}
        used = [name for name in places if name in inputs]
        if (hint, node) not in self._names:
            self._names[hint, node] = self._defined(self.named(hint), node, used)
        return f"{self._names[hint, node]}({', '.join(places[name] for name in used)})"

    def named(self, hint: str) -> str:
        """A name that nothing in the file has, for a function or whatever else."""
        name = identifier(hint, self._taken)
        self._taken.add(name)
        return name

    def _defined(self, name: str, node: Node, inputs: list[str]) -> str:
        parts, (result,) = printed([node], {each: each for each in inputs}, self._dtype)
        head = f"static real {name}({', '.join(f'real {each}' for each in inputs)})"
        body = "".join(f"    {line}\n" for line in [*parts, f"return {result};"])
        self.definitions.append(f"{head}\n{{\n{body}}}")
        return name
