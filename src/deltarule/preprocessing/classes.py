"""The labels of a classification: what speaks against them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from deltarule.arrays import Array

_SHOWN = 5


def doubtful_classes(name: str, labels: Sequence[Any], counts: Array) -> list[str]:
    """Warnings of labels that differ only in case or blanks, and of classes of one row.

    Parameters
    ----------
    name : str
        The target.
    labels : sequence
        The classes.
    counts : int array
        How many rows each has.

    Examples
    --------
    >>> import numpy as np
    >>> for warning in doubtful_classes("sold", ["Yes", "no", "yes"], np.array([9, 8, 1])):
    ...     print(warning)
    target 'sold': the labels 'Yes', 'yes' differ only in case or blanks, and are different \
classes. Write them alike if they are one.
    target 'sold': 1 of 3 classes has one row ('yes'): it is either learned or evaluated, never \
both. Add rows, or merge rare classes.
    """
    alike = defaultdict(list)
    for label in labels:
        alike["".join(str(label).casefold().split())].append(label)
    found = [
        f"target {name!r}: the labels {', '.join(map(repr, same))} differ only in case or blanks, "
        "and are different classes. Write them alike if they are one."
        for same in alike.values()
        if len(same) > 1
    ]
    rare = [label for label, count in zip(labels, counts, strict=True) if count == 1]
    if rare:
        shown = ", ".join([*map(repr, rare[:_SHOWN]), *["…"] * (len(rare) > _SHOWN)])
        one = len(rare) == 1
        found.append(
            f"target {name!r}: {len(rare):,} of {len(labels):,} classes {'has' if one else 'have'} "
            f"one row ({shown}): {'it is' if one else 'each is'} either learned or evaluated, "
            "never both. Add rows, or merge rare classes."
        )
    return found
