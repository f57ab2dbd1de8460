"""What was done with each column, in as few lines as it takes."""

from __future__ import annotations

from collections.abc import Sequence


def condensed(lines: Sequence[str], most: int = 30) -> list[str]:
    """Lines about columns, those that say the same of many columns put together."""
    if len(lines) <= most:
        return list(lines)
    together: dict[str, list[str]] = {}
    for line in lines:
        name, _, what = line.partition(": ")
        together.setdefault(what, []).append(name)
    return [
        f"{names[0]}: {what}"
        if len(names) == 1
        else f"{names[0]} … {names[-1]} ({len(names)} columns): {what}"
        for what, names in together.items()
    ]
