"""Names for shell completion, and what options' texts mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from deltarule.errors import SettingError
from deltarule.training.checkpoints import Checkpoints


def names(table: Iterable[str]) -> Callable[[str], list[str]]:
    """Shell completion from a table's names."""
    known = list(table)
    return lambda incomplete: [name for name in known if name.startswith(incomplete)]


def listed(values: Iterable[str] | None) -> tuple[str, ...]:
    """Names from options that take commas and may be repeated.

    Examples
    --------
    >>> listed(["boat, body", "name"])
    ('boat', 'body', 'name')
    """
    parts = (part.strip() for value in values or () for part in value.split(","))
    return tuple(part for part in parts if part)


def units(text: str) -> tuple[int, ...]:
    """The hidden layers' sizes.

    Raises
    ------
    SettingError
        For text that is no list of whole numbers.

    Examples
    --------
    >>> units("128,64"), units("none")
    ((128, 64), ())
    """
    if text.strip().lower() in ("none", ""):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--hidden: expected whole numbers with commas, as 128,64, or none; got {text!r}."
        ) from None


def checkpoints(folder: Path | None, every: str, resume: bool) -> Checkpoints | None:
    """Where and how often the run is kept; None where it is not.

    Raises
    ------
    SettingError
        For text that is no number of steps or seconds, or a resumption from nowhere.

    Examples
    --------
    >>> checkpoints(Path("run"), "500", False).every_steps
    500
    """
    number, seconds = (every[:-1], True) if every.endswith("s") else (every, False)
    if not number.isdecimal() or int(number) == 0:
        raise SettingError(
            f"--checkpoint-every: expected a number of steps, as 500, or of seconds, as 60s; "
            f"got {every!r}."
        )
    if folder is None:
        if resume:
            raise SettingError("--resume: expected --checkpoint-dir DIR beside it, got none.")
        return None
    if seconds:
        return Checkpoints(folder, resume, every_seconds=float(number))
    return Checkpoints(folder, resume, every_steps=int(number), every_seconds=None)


def size(text: str) -> int:
    """Bytes, from a number with a unit.

    Raises
    ------
    SettingError
        For text that is none.

    Examples
    --------
    >>> size("1GB"), size("1.5 gb"), size("200MB")
    (1000000000, 1500000000, 200000000)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", text.strip(), re.IGNORECASE)
    if found is None or not float(found[1]):
        raise SettingError(f"--memory: expected a size, as 500MB or 4GB; got {text!r}.")
    return int(float(found[1]) * 1000 ** ("KMGT".index(found[2].upper()) + 1))


def kinds(values: Iterable[str] | None) -> dict[str, str]:
    """Columns and their kinds.

    Raises
    ------
    SettingError
        For text without an equals sign.

    Examples
    --------
    >>> kinds(["age=category", "zip code=category"])
    {'age': 'category', 'zip code': 'category'}
    """
    found = {}
    for value in values or ():
        name, equals, kind = value.rpartition("=")
        if not equals or not name or not kind:
            raise SettingError(f"--kind: expected COLUMN=KIND, as age=category; got {value!r}.")
        found[name] = kind
    return found
