"""How much is trained: the presets of quality, and how many networks each averages.

Networks of one fit learn from different validation folds, and of few rows every other one sees the
columns of numbers in another way (:mod:`deltarule.tabular.choosing`); their average is better than
the best of them on nearly every table, where a choice by validation rows is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deltarule.tabular.settings import Settings

FEWEST_ROWS = 50
"""Training rows below which one network is trained: folds would be too small."""


class Preset(NamedTuple):
    """What a preset spends.

    Attributes
    ----------
    networks : int
        At most.
    examples : float
        That all of them learn from in all epochs, at most; one network is trained in any case.
    timed : int
        Networks at most, where a time limit says how much to spend.
    """

    networks: int
    examples: float
    timed: int


PRESETS: Mapping[str, Preset] = {
    "default": Preset(5, 9e6, 5),
    "best": Preset(20, 6.4e6, 40),
}
"""The presets by name, but for ``"fast"``, which is one network."""


def networks(settings: Settings, rows: int, epochs: int) -> int:
    """How many networks a fit averages.

    Whoever names hidden layers, epochs, an optimizer, an embedding or shared members gets the one
    network that this describes, unless a number is given, too.

    Parameters
    ----------
    settings : Settings
    rows : int
        To train on.
    epochs : int
        Of each network.

    Examples
    --------
    >>> networks(Settings(), 1_000, 100), networks(Settings(hidden=(32,)), 1_000, 100)
    (5, 1)
    """
    if settings.n_ensemble is not None:
        return settings.n_ensemble
    given = (settings.hidden, settings.epochs, settings.optimizer, settings.bins)
    own = any(each is not None for each in (*given, settings.embedding))
    if own or settings.n_members > 1 or rows < FEWEST_ROWS or settings.quality == "fast":
        return 1
    if settings.time_limit is not None:
        return PRESETS[settings.quality].timed
    presets = PRESETS["default"], PRESETS[settings.quality]  # the best is no less than the default
    seen = max(rows * epochs, 1)
    return max(1, *(min(preset.networks, int(preset.examples // seen)) for preset in presets))
