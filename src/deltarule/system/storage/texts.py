"""JSON from strangers: whatever is wrong with it is one error, and it costs little to find out."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from deltarule.errors import FileError
from deltarule.system.storage.reading import reason

_MOST = 16_000_000  # bytes


def parsed_json(content: bytes) -> Any:
    """What a JSON text in UTF-8 says.

    Raises
    ------
    ValueError
        For anything else: also numbers that are not finite, a name twice in an object, and lists
        too deep for Python.

    Examples
    --------
    >>> parsed_json(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parsed_json(b"[" * 100_000)
    Traceback (most recent call last):
        ...
    ValueError: nested too deeply
    """
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_finite,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: str | os.PathLike[str], noun: str) -> Any:
    """What a JSON file says.

    Parameters
    ----------
    path : path
    noun : str
        What it should hold, for messages: ``"search"``.

    Raises
    ------
    FileError
        Where it cannot be read, is not a regular file, is too large, or is not JSON.
    """
    try:
        if not Path(path).is_file():
            raise FileError(f"{path}: is not a regular file. Name another.")
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
    except FileError:
        raise
    except (OSError, ValueError) as error:  # a name with a null character
        raise FileError(f"{path}: cannot be read: {reason(error)}.") from error
    try:
        if len(content) > _MOST:
            raise ValueError(f"expected at most {_MOST:,} bytes")
        return parsed_json(content)
    except ValueError as error:
        raise holds_none(path, noun, str(error)) from None


def holds_none(path: str | os.PathLike[str], noun: str, why: str) -> FileError:
    """The error for a file that holds something else."""
    return FileError(f"{path}: holds no {noun} ({why:.200}). Name another file, or remove it.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is not a finite number")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a name twice")
    return found
