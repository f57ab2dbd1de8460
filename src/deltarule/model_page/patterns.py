r"""Patterns of ``re`` as those of JavaScript, with its flag ``u``: the same texts match.

Of Python's syntax there is what this package's readings of cells use. Browsers do not all know
``(?i:…)``, so letters within become both of their cases; ``\d`` has the digits 0 to 9 alone.
"""

from __future__ import annotations

import re

from deltarule.errors import SettingError

_TOKEN = re.compile(r"\(\?P<\w+>|\(\?i:|\(\?:|\(|\)|\[(?:\\.|[^\]\\])+\]|\\.|.", re.DOTALL)
_NAMED = re.compile(r"\\u([0-9a-f]{4})")
_LETTERS = r"\p{L}\p{Nl}\p{No}"  # what \w has beside digits and the underscore
_KEPT = frozenset("dsDSbB.*+?^$|()[]{}/\\")  # what may follow a backslash in either language
_CONTROLS = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def in_javascript(pattern: str) -> str:
    r"""A pattern's source.

    Raises
    ------
    SettingError
        For syntax that no reading of this package has.

    Examples
    --------
    >>> in_javascript(r"(?P<year>\d{4})\ (?i:am|[ap]m)[^\W\d_]")
    '(?<year>\\d{4}) (?:[aA][mM]|[apAP][mM])[\\p{L}\\p{Nl}\\p{No}]'
    """
    pattern = _NAMED.sub(lambda found: chr(int(found[1], 16)), pattern)
    found, folds = [], [False]  # by open group, whether its letters have both cases
    for token in _TOKEN.findall(pattern):
        if token.startswith("("):
            folds.append(folds[-1] or token == "(?i:")
            found.append(_OPENS.get(token, token.replace("?P<", "?<")))
        elif token == ")":
            folds.pop()
            found.append(token)
        else:
            found.append(_class(token, folds[-1]) if token[0] == "[" else _one(token, folds[-1]))
    return "".join(found)


_OPENS = {"(?i:": "(?:"}


def _one(token: str, folds: bool) -> str:
    """A character, escaped or not."""
    if token[0] == "\\":
        if token[1].isalnum() and token[1] not in _KEPT:
            raise SettingError(f"pattern: expected no {token} in a reading of cells.")
        return token if token[1] in _KEPT else _CONTROLS.get(token[1], token[1])
    return f"[{_cases(token)}]" if folds and len(_cases(token)) > 1 else token


def _class(token: str, folds: bool) -> str:
    r"""A class of characters; ``[^\W\d_]`` and ``[^\W_]`` are letters, and letters and digits."""
    if token.startswith(r"[^\W"):
        return f"[{_LETTERS}]" if r"\d" in token else rf"[{_LETTERS}\d]"
    inner = re.sub(r"\\([^\w\\\]\[^-])", r"\1", token[1:-1])
    inner = re.sub(r"([(){}|/])", r"\\\1", inner)
    return f"[{inner}{''.join(sorted(_swapped(inner)))}]" if folds else f"[{inner}]"


def _swapped(inner: str) -> set[str]:
    """The other cases of a class's letters: none here is the end of a range."""
    letters = re.sub(r"\\.", "", inner)
    return {case for letter in letters for case in _cases(letter)} - set(letters)


def _cases(letter: str) -> str:
    both = letter.lower() + letter.upper()
    return both if letter.isalpha() and len(both) == 2 and both[0] != both[1] else letter
