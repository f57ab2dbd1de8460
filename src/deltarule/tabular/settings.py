"""What a caller may choose: the columns' roles, the split, the network and its training.

None means: chosen by the recipe, from the task and the size of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from deltarule.arrays import checked_number
from deltarule.engines.plan import EngineOptions
from deltarule.errors import SettingError, setting
from deltarule.registry import Registry
from deltarule.rng import checked_seed

CLASS_WEIGHTS: Registry[str] = Registry("class weight", str, {"balanced": "balanced"})


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for; all that are not named here are inputs.

    Parameters
    ----------
    target : tuple of str
        What is to be predicted.
    weights : str, optional
        How much each row counts, in training and in figures.
    groups : str, optional
        Rows with one value here stay together in every split.
    time : str, optional
        What is held out is later than what is trained on.
    drop : tuple of str
        Columns to leave out.
    kinds : mapping of str to str
        Kinds of columns, overruled: ``{"age": "category"}``.

    Raises
    ------
    SettingError
        Where one column has two roles, or both groups and time are given.
    """

    target: tuple[str, ...]
    weights: str | None = None
    groups: str | None = None
    time: str | None = None
    drop: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.groups is not None and self.time is not None:
            both = setting("groups and time", "--groups and --time")
            raise SettingError(f"{both}: they cannot be combined. Leave one out.")
        roles: dict[str, str] = {}
        for role, name in self.all:
            if name in roles:
                raise SettingError(
                    f"column {name!r} is named twice: as {roles[name]} and as {role}. Expected one "
                    "role per column."
                )
            roles[name] = role

    @property
    def named(self) -> list[tuple[str, str]]:
        """Every column with a role: pairs of role and name."""
        single = {"weights": self.weights, "groups": self.groups, "time": self.time}
        return [
            *(("the target", name) for name in self.target),
            *((role, name) for role, name in single.items() if name is not None),
            *(("dropped", name) for name in self.drop),
        ]

    @property
    def all(self) -> list[tuple[str, str]]:
        """The same, with the columns whose kind is given."""
        return [*self.named, *((setting("kinds", "--kind"), name) for name in self.kinds)]


@dataclass(frozen=True)
class Settings:
    """How to split, train and judge.

    Parameters
    ----------
    hidden : tuple of int, optional
        Units of the hidden layers; empty for a linear model.
    activation : str, optional
        Of the hidden layers.
    bins : int, optional
        Edges that a column of numbers is cut at, at most; 0 hands the numbers on as they are.
    n_ensemble : int
        Networks that are averaged, each with validation rows of its own.
    n_members : int
        Networks in one that share their weights, averaged too.
    cost, optimizer, schedule : str, optional
    learning_rate : float, optional
    batch_size, epochs, patience : int, optional
    on_divergence : str
        As of :class:`~deltarule.Stopping`.
    dropout : float, optional
        Share of each hidden layer's outputs.
    l1, l2, weight_decay : float
        See :class:`~deltarule.Regularization`.
    label_smoothing : float, optional
    clip_norm : float, optional
    class_weight : str, optional
        ``"balanced"``: every class counts alike in training.
    task : str, optional
        ``"classification"`` or ``"regression"``.
    test_share, validation_share : float
        Of all rows, to judge by; of the rest, to find the best epoch by.
    engine, dtype : str
    device, precision : str
        See :class:`~deltarule.EngineOptions`.
    n_threads : int, optional
    devices : int or "all", optional
        Likewise.
    seed : int

    Raises
    ------
    SettingError, UnknownNameError
        For a value out of range or an unknown name.

    Examples
    --------
    >>> Settings(hidden=(32,), seed=3).test_share
    0.2
    """

    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    bins: int | None = None
    n_ensemble: int = 1
    n_members: int = 1
    cost: str | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    batch_size: int | None = None
    epochs: int | None = None
    patience: int | None = None
    on_divergence: str = "raise"
    dropout: float | None = None
    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float | None = None
    label_smoothing: float | None = None
    clip_norm: float | None = None
    class_weight: str | None = None
    task: str | None = None
    test_share: float = 0.2
    validation_share: float = 0.2
    engine: str = "auto"
    dtype: str = "float32"
    device: str = "auto"
    precision: str = "highest"
    n_threads: int | None = None
    devices: int | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _plain(getattr(self, each.name)))
        if self.hidden is not None and not isinstance(self.hidden, tuple):
            raise SettingError(
                f"Settings(hidden={self.hidden!r}): hidden must be a sequence of whole numbers, "
                "such as (64, 64)."
            )
        checked_seed("Settings", self.seed)
        for name in ("test_share", "validation_share"):
            checked_number(
                "Settings", name, getattr(self, name), low=0, high=1, open_low=True, open_high=True
            )
        for name in ("n_ensemble", "n_members"):
            checked_number("Settings", name, getattr(self, name), low=1, high=1000, whole=True)
        if self.bins is not None:
            checked_number("Settings", "bins", self.bins, low=0, whole=True)
        if self.class_weight is not None:
            CLASS_WEIGHTS.entry(self.class_weight)

    @property
    def options(self) -> EngineOptions:
        """Where the engine computes, and how.

        Raises
        ------
        SettingError
            For a device, a precision, a number of threads or devices that cannot be.
        """
        return EngineOptions(
            self.device, self.precision, n_threads=self.n_threads, devices=self.devices
        )


def _plain(value: Any) -> Any:
    """A setting as a Python value, which a model file can keep: also those that searches draw."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value
