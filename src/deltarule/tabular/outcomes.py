"""What the statistics of categories are taken of: the targets of training rows, fold by fold."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltarule.errors import DataError
from deltarule.preprocessing import Targets
from deltarule.preprocessing.target_statistics import MOST_OUTCOMES, Outcomes
from deltarule.tabular.roles import weights_of
from deltarule.tabular.settings import Roles
from deltarule.tabular.splits import Keys, Parts, folds

_FOLDS = 5


def outcomes_of(targets: Targets, frame: Any, roles: Roles) -> Outcomes:
    """The targets of a frame's rows: of many classes the most frequent, of two the second."""
    Y = targets.encode(frame)
    if targets.task == "regression":
        names = [f"mean of {name}" for name in targets.names]
        chosen = np.arange(len(names))[:MOST_OUTCOMES]
    else:
        names = [f"share of {label}" for label in targets.classes[-targets.outputs :]]
        chosen = np.sort(np.argsort(-Y.sum(axis=0), kind="stable")[:MOST_OUTCOMES])
    return Outcomes(tuple(names[i] for i in chosen), Y[:, chosen], weights_of(frame, roles))


def encoding_folds(m: int, keys: Keys, seed: int) -> tuple[Parts, ...]:
    """Folds of training rows, each encoded by the others; none where they cannot be split so.

    Examples
    --------
    >>> [parts.held.tolist() for parts in encoding_folds(6, Keys(time=np.arange(6)), seed=0)]
    [[1], [2], [3], [4], [5]]
    >>> encoding_folds(6, Keys(time=np.arange(6) % 2), seed=0)
    ()
    """
    count = m if keys.groups is None else len(np.unique(keys.groups))
    try:
        return tuple(folds(m, min(_FOLDS, count), keys, seed))
    except DataError:  # of few distinct times
        return ()
