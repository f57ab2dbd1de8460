"""What the text of an option means: units, sizes, kinds of columns, how often to save."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NewType

from deltarule.errors import SettingError

Bytes = NewType("Bytes", int)


def names_among(columns: Sequence[str], given: Iterable[str]) -> tuple[str, ...]:
    """Columns from options that take commas; a column's whole name may hold some.

    Examples
    --------
    >>> names_among(["boat", "body", "x,y"], ["boat, body", "x,y"])
    ('boat', 'body', 'x,y')
    """
    parts = (part for text in given for part in ([text] if text in columns else text.split(",")))
    return tuple(part.strip() for part in parts if part.strip())


def units(flag: str, text: str) -> tuple[int, ...]:
    """The hidden layers' sizes.

    Raises
    ------
    SettingError
        For text that is not a list of whole numbers.

    Examples
    --------
    >>> units("--hidden", "128,64"), units("--hidden", "none")
    ((128, 64), ())
    """
    if text.strip().lower() in ("none", ""):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"{flag}: expected whole numbers with commas, as 128,64, or none; got {text!r}."
        ) from None


def levels(flag: str, text: str) -> tuple[float, ...]:
    """Numbers with commas between.

    Raises
    ------
    SettingError
        For anything else.

    Examples
    --------
    >>> levels("--quantiles", "0.1, 0.9")
    (0.1, 0.9)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"{flag}: expected numbers with commas, as 0.1,0.5,0.9; got {text!r}."
        ) from None


def number_or_all(flag: str, text: str) -> int | str:
    """A number, or ``"all"``.

    Raises
    ------
    SettingError
        For anything else.

    Examples
    --------
    >>> number_or_all("--devices", "2"), number_or_all("--devices", "all")
    (2, 'all')
    """
    if text == "all":
        return text
    if not text.isdecimal():
        raise SettingError(f"{flag}: expected a number, or all; got {text!r}.")
    return int(text)


def size(flag: str, text: str) -> Bytes:
    """Bytes, from a number with a unit.

    Raises
    ------
    SettingError
        For text that is none.

    Examples
    --------
    >>> size("--memory", "1GB"), size("--memory", "1.5 gb"), size("--memory", "200MB")
    (1000000000, 1500000000, 200000000)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", text.strip(), re.IGNORECASE)
    if found is None or not float(found[1]):
        raise SettingError(f"{flag}: expected a size, as 500MB or 4GB; got {text!r}.")
    return Bytes(int(float(found[1]) * 1000 ** ("KMGT".index(found[2].upper()) + 1)))


def kinds(flag: str, given: Iterable[str] | None) -> dict[str, str]:
    """Columns and their kinds.

    Raises
    ------
    SettingError
        For text without an equals sign.

    Examples
    --------
    >>> kinds("--kind", ["age=category", "zip code=category"])
    {'age': 'category', 'zip code': 'category'}
    """
    found = {}
    for text in given or ():
        name, equals, kind = text.rpartition("=")
        if not equals or not name or not kind:
            raise SettingError(f"{flag}: expected COLUMN=KIND, as age=category; got {text!r}.")
        found[name] = kind
    return found
