"""What is declared by keywords: shown in one line, and an unknown keyword suggests the right one.

Networks, layers, optimizers, runs and events are such declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, replace
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TypeVar

from deltarule.elsewhere import ATTRIBUTES, KEYWORDS
from deltarule.errors import UnknownKeywordError
from deltarule.registry import TableRow, nearest

_MOST_SHOWN = 4  # items of a sequence
_LONGEST = 60  # characters of a value that is none of ours

Returned = TypeVar("Returned")
Parameters = ParamSpec("Parameters")


class OneLine:
    """A frozen dataclass whose repr is one line: what differs from the defaults.

    Attributes
    ----------
    always_shown : str
        A field that its repr has in any case.

    Examples
    --------
    >>> from deltarule import EpochEnded
    >>> EpochEnded(3, 96, cost=0.25)
    EpochEnded(3, step=96, cost=0.25)
    """

    always_shown: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__repr__" not in vars(cls):  # so that dataclass does not write its own
            cls.__repr__ = OneLine.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        told: list[str] = []
        in_place = True
        for at, each in enumerate(fields(self)):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if not each.repr or (each.name != self.always_shown and _is_default(self, each)):
                in_place = False
            elif in_place and (at == 0 or isinstance(value, _NEEDS_NO_NAME)):
                told.append(shown(value))
            else:
                in_place = False
                told.append(f"{each.name}={shown(value)}")
        return f"{type(self).__name__}({', '.join(told)})"

    if not TYPE_CHECKING:  # a type checker knows what there is

        def __getattr__(self, name: str) -> Any:
            """Name what is written here in place of another library's attribute."""
            hints = (ATTRIBUTES.get(each.__name__, {}).get(name) for each in type(self).__mro__)
            hint = next(filter(None, hints), None)
            told = "" if hint is None else f". Write {hint}"
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{told}")


class Spec(OneLine):
    """Such a dataclass, made by people: an unknown keyword suggests the right one.

    Examples
    --------
    >>> from deltarule import Adam, Dense, Network
    >>> Network(2, [Dense(8, "relu"), Dense(1)])
    Network(2, [Dense(8, 'relu'), Dense(1)])
    >>> Adam(lr=0.1)
    Traceback (most recent call last):
        ...
    deltarule.errors.UnknownKeywordError: Adam has no parameter 'lr'. Write learning_rate=...
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse keywords that it has not; the rest is the dataclass's."""
        if kwargs.keys() - getattr(cls, "__dataclass_fields__", {}).keys():
            check_keywords(cls.__name__, kwargs, cls.__init__)
        return super().__new__(cls)


_NEEDS_NO_NAME = (str, list, tuple, OneLine, TableRow)


def _is_default(spec: Any, each: Field[Any]) -> bool:
    """Whether a field is what it would be if it were left out."""
    default = each.default if each.default_factory is MISSING else each.default_factory()
    if default is MISSING:
        return False
    value = getattr(spec, each.name)
    if value is default or shown(value) == shown(default):
        return True
    try:
        return bool(replace(spec, **{each.name: default}) == spec)
    except Exception:  # no declaration without it
        return False


def shown(value: Any) -> str:
    """A value in a line: rows by their names, arrays by their shapes, few items of a sequence.

    Examples
    --------
    >>> import numpy as np
    >>> shown([1.0, np.zeros((2, 3))]), shown(range(9))
    ('[1, array(2, 3)]', '[0, 1, ..., 8]')
    """
    if isinstance(value, TableRow):
        return repr(value.name) if value.is_listed else repr(value)
    if isinstance(value, OneLine) or value is None or isinstance(value, (bool, str)):
        return repr(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array{tuple(value.shape)}" if value.shape else f"{value:.6g}"
    if isinstance(value, Mapping):
        return _items("{{{}}}", [f"{shown(k)}: {shown(v)}" for k, v in value.items()])
    if isinstance(value, (list, tuple, range, set, frozenset)):
        return _items("[{}]", [shown(item) for item in value])
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _items(brackets: str, told: list[str]) -> str:
    if len(told) > _MOST_SHOWN:
        told = [*told[:2], "...", told[-1]]
    return brackets.format(", ".join(told))


# ------------------------------------------------------------------------------- keywords


def keywords_checked(call: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """A function that suggests a keyword in place of one that it does not take.

    Examples
    --------
    >>> @keywords_checked
    ... def train(*, epochs=10): ...
    >>> train(max_iter=3)
    Traceback (most recent call last):
        ...
    deltarule.errors.UnknownKeywordError: train has no parameter 'max_iter'. Write epochs=...
    """
    known = signature(call).parameters.keys()
    owner = call.__qualname__.removesuffix(".__init__")

    @wraps(call)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        if kwargs.keys() - known:
            check_keywords(owner, kwargs, call)
        return call(*args, **kwargs)

    return checked


def check_keywords(owner: str, given: Iterable[str], call: Callable[..., Any]) -> None:
    """Refuse keywords that a callable does not take.

    Raises
    ------
    UnknownKeywordError
        With what to write in place of the first.
    """
    parameters = signature(call).parameters
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    known = [name for name in parameters if name != "self"]
    for name in given:
        if name not in known:
            raise unknown_keyword(owner, name, known)


def unknown_keyword(owner: str, name: str, known: list[str]) -> UnknownKeywordError:
    """The error for a keyword that is none of those known."""
    hints = KEYWORDS.get(name, ())
    leads = [hint.partition("=")[0] for hint in hints]
    fitting = [
        hint for hint, lead in zip(hints, leads, strict=True) if lead in known or "(" in lead
    ]
    if fitting:
        told = f" Write {fitting[0]}"
    else:
        told = nearest(name, known) or f" Known: {', '.join(known)}."
    return UnknownKeywordError(f"{owner} has no parameter {name!r}.{told}")
