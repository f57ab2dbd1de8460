"""What a caller may choose: the columns' roles, the network, its training, evaluation and engine.

Each setting is declared here once. None means: chosen by the recipe, from the task and the size of
the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines import ENGINES
from deltarule.engines.plan import DEVICES, PRECISIONS, EngineOptions
from deltarule.errors import SettingError, setting
from deltarule.optimizers import OPTIMIZERS
from deltarule.registry import Registry
from deltarule.rng import checked_seed
from deltarule.schedules import SCHEDULES
from deltarule.tabular.options import check_limits, option, option_group
from deltarule.tabular.quantiles import check_levels
from deltarule.training.stopping import ON_DIVERGENCE

CLASS_WEIGHTS: Registry[str] = Registry("class weight", str, {"balanced": "balanced"})

TEXT = ("auto", "on", "off")
"""When free text is used."""

EMBEDDINGS = ("none", "bins", "periodic")
"""How numeric columns may enter the network, as :mod:`deltarule.tabular.embeddings` says."""

DECISION = ("positive", "cost_of_miss", "cost_of_alarm", "min_recall", "min_precision")
"""The settings of the decision between two classes, as :mod:`deltarule.tabular.decisions` says."""

QUALITIES = ("fast", "default", "best")
"""The presets, as :mod:`deltarule.tabular.quality` says."""

_SHARE = {"low": 0, "high": 1, "open_low": True, "open_high": True}
_PART = {"low": 0, "high": 1, "open_low": True}
_COST = {"low": 0, "open_low": True}
_COUNT = {"low": 1, "high": 1000, "whole": True}


@option_group("Columns")
class Roles:
    """What the columns of a table are for; all that are not named here are inputs.

    Raises
    ------
    SettingError
        Where one column has two roles, or both groups and time are given.
    """

    target: tuple[str, ...] = option(
        "COLUMN",
        "Target column; several separated by commas. Built-in data sets have a default.",
        MISSING,
        common=True,
    )
    weights: str | None = option(
        "COLUMN", "Column with sample weights, used in training and in metrics."
    )
    groups: str | None = option(
        "COLUMN", "Group column: rows that share a value stay on the same side of a split."
    )
    time: str | None = option(
        "COLUMN", "Time column: train on earlier rows, evaluate on later ones.", common=True
    )
    drop: tuple[str, ...] = option(
        "COLUMNS", "Columns to leave out, separated by commas.", (), common=True
    )
    kinds: Mapping[str, str] = option(
        "COLUMN=KIND",
        "Override a column's inferred type, for example age=category. Repeatable.",
        dict,
        flag="kind",
        common=True,
    )

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


@option_group("Reading the file")
class ValueOptions:
    """How the values of a table are read, from files and from memory."""

    missing: tuple[str, ...] = option(
        "TEXT", "Text that marks a missing value, besides empty cells, NA and ?. Repeatable.", ()
    )
    decimal_comma: bool | None = option(
        "",
        "Whether numbers have a decimal comma (default: detected in text files, else a point).",
        flag="decimal-comma/decimal-point",
    )
    dates: str | None = option(
        "CHOICE",
        "Order of day and month in dates such as 1/2/2024: day-first or month-first (default: "
        "detected per column).",
    )
    plain: bool = option(
        "",
        "Read plain numbers only: no thousands separators, currencies, units, percent signs, "
        "ranges or times of day.",
        False,
    )


@option_group("Training")
class Settings:
    """How to split, train and evaluate: the network, its training, its evaluation and its engine.

    Raises
    ------
    SettingError, UnknownNameError
        For a value out of range or an unknown name.

    Examples
    --------
    >>> Settings(hidden=(32,), seed=3).test_share
    0.2
    """

    # how much is trained
    quality: str = option(
        "NAME",
        "Networks to average (1, 5, up to 20)",
        "default",
        names=QUALITIES,
        common=True,
    )
    time_limit: float | None = option(
        "MINUTES",
        "Time limit of the training in minutes: it trains fewer networks, or one with fewer "
        "epochs.",
        flag="minutes",
        limits={"low": 0, "open_low": True},
    )

    # the network, or the networks of an ensemble
    hidden: tuple[int, ...] | None = option(
        "UNITS",
        "Units per hidden layer, as in 128,64, or none (default: chosen automatically).",
        common=True,
        panel="Network",
    )
    activation: str | None = option(
        "NAME",
        "Activation of the hidden layers (default: chosen automatically)",
        names=ACTIVATIONS,
        panel="Network",
    )
    bins: int | None = option(
        "N",
        "Maximum number of bins per numeric column; 0 for none (default: chosen automatically).",
        limits={"low": 0, "whole": True},
        panel="Network",
    )
    embedding: str | None = option(
        "NAME",
        "How numeric columns enter the network (default: networks of an ensemble alternate)",
        names=EMBEDDINGS,
        panel="Network",
    )
    n_ensemble: int | None = option(
        "N",
        "Number of networks to train and average (default: by the quality; 1 where the network or "
        "its epochs are given).",
        flag="ensemble",
        limits=_COUNT,
        panel="Network",
    )
    n_members: int = option(
        "N",
        "Number of averaged members that share the weights of one network; usually 8 to 32.",
        1,
        flag="members",
        limits=_COUNT,
        panel="Network",
    )
    quantiles: tuple[float, ...] | None = option(
        "LEVELS",
        "Predict these quantiles of a numeric target, separated by commas, such as 0.1,0.5,0.9. "
        "The one nearest to the median is the prediction.",
        panel="Network",
    )
    cost: str | None = option(
        "NAME",
        "Cost function, with parameters as in 'huber(2)' (default: chosen from the task)",
        names=COSTS,
        panel="Network",
    )

    # how it is trained
    optimizer: str | None = option("NAME", "Optimizer (default: Adam with decay)", names=OPTIMIZERS)
    learning_rate: float | None = option(
        "RATE", "Peak of the learning-rate schedule (default: the optimizer's).", common=True
    )
    schedule: str | None = option(
        "NAME", "Learning-rate schedule (default: cosine)", names=SCHEDULES
    )
    batch_size: int | None = option(
        "ROWS", "Rows per step (default: 32 to 256, by the number of rows)."
    )
    epochs: int | None = option(
        "N", "Maximum number of epochs (default: 16 to 256, by the number of rows).", common=True
    )
    patience: int | None = option(
        "N", "Number of epochs without a better validation cost after which training stops."
    )
    on_divergence: str = option(
        "WHAT",
        "If numbers stop being finite: raise an error, stop with the best epoch, reduce the "
        "learning rate and resume from the last good epoch, or ignore such batches.",
        "raise",
        names=ON_DIVERGENCE,
    )
    dropout: float | None = option(
        "SHARE", "Dropout rate of the hidden layers (default: chosen automatically)."
    )
    l1: float = option("X", "L1 penalty: times the sum of |W|.", 0.0)
    l2: float = option("X", "L2 penalty: times the sum of W²/2.", 0.0)
    weight_decay: float | None = option(
        "X", "Decoupled weight decay (default: chosen automatically)."
    )
    label_smoothing: float | None = option(
        "SHARE", "Share of each target spread over all classes (default: none)."
    )
    clip_norm: float | None = option(
        "X", "Maximum norm of the gradient; larger ones are scaled down."
    )
    class_weight: str | None = option(
        "RULE", "balanced: every class has the same total weight in training.", names=CLASS_WEIGHTS
    )

    # the task, and the rows that are held out
    task: str | None = option(
        "TASK",
        "classification or regression (default: inferred from the target).",
        names=("classification", "regression"),
        panel="Columns",
        common=True,
    )
    text: str = option(
        "WHEN",
        "Whether free text becomes TF-IDF features of its words: auto tries each column on "
        "validation rows",
        "auto",
        names=TEXT,
        panel="Columns",
    )
    test_share: float = option(
        "SHARE", "Share of rows in the held-out test set.", 0.2, limits=_SHARE, panel="Evaluation"
    )
    validation_share: float = option(
        "SHARE",
        "Share of the training rows that find the best epoch.",
        0.2,
        limits=_SHARE,
        panel="Evaluation",
    )

    # the decision between two classes
    positive: str | None = option(
        "CLASS",
        "Positive class, of two (default: one such as yes or 1, else the rarer one).",
        panel="Evaluation",
    )
    cost_of_miss: float | None = option(
        "X",
        "Cost of a missed positive (default: 1); sets the threshold.",
        limits=_COST,
        panel="Evaluation",
        common=True,
    )
    cost_of_alarm: float | None = option(
        "X",
        "Cost of a false alarm (default: 1); sets the threshold.",
        limits=_COST,
        panel="Evaluation",
    )
    min_recall: float | None = option(
        "SHARE",
        "Recall to reach on validation rows, by the highest such threshold.",
        limits=_PART,
        panel="Evaluation",
    )
    min_precision: float | None = option(
        "SHARE",
        "Precision to reach on validation rows, by the lowest such threshold.",
        limits=_PART,
        panel="Evaluation",
    )

    # what computes, where, and how precisely
    engine: str = option("NAME", "Engine", "auto", names=("auto", *ENGINES), panel="Engine")
    dtype: str = option(
        "NAME", "Floating-point type", "float32", names=("float32", "float64"), panel="Engine"
    )
    device: str = option(
        "NAME",
        f"{', '.join(DEVICES)}; gpu:1 for the second GPU. All but the CPU need engine jax.",
        "auto",
        names=DEVICES,
        panel="Engine",
    )
    precision: str = option(
        "NAME",
        "Precision of float32 products on an accelerator, engine jax",
        "highest",
        names=PRECISIONS,
        panel="Engine",
    )
    mixed: bool = option(
        "",
        "Train with matrix products of bfloat16 numbers, added up in float32; engines native and "
        "jax, dtype float32.",
        False,
        panel="Engine",
    )
    n_threads: int | None = option(
        "N",
        "Number of threads of engine native (default: DELTARULE_NUM_THREADS, else chosen from the "
        "work per step). Results do not depend on it.",
        flag="threads",
        panel="Engine",
    )
    devices: int | str | None = option(
        "N",
        "Number of devices of this process that share each batch, or all; engine jax (default: 1; "
        "with several processes, all).",
        panel="Engine",
    )

    seed: int = option("N", "Random seed; the same seed gives the same results.", 0, common=True)

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _plain(getattr(self, each.name)))
        if self.hidden is not None and not isinstance(self.hidden, tuple):
            raise SettingError(
                f"Settings(hidden={self.hidden!r}): hidden must be a sequence of whole numbers, "
                "such as (64, 64)."
            )
        for name, known in (("text", TEXT), ("quality", QUALITIES), ("embedding", EMBEDDINGS)):
            value = getattr(self, name)
            if value not in known and (value is not None or name != "embedding"):
                raise SettingError(
                    f"{setting(name, f'--{name}')}: expected {', '.join(known)}; got {value!r}."
                )
        if self.bins == 0 and self.embedding == "bins":
            both = setting("bins=0 and embedding='bins'", "--bins 0 and --embedding bins")
            raise SettingError(f"{both}: they contradict each other. Leave one out.")
        if self.quantiles is not None:
            self._check_quantiles(self.quantiles)
        rules = {
            setting("cost_of_miss, cost_of_alarm", "--cost-of-miss, --cost-of-alarm"): (
                self.cost_of_miss or self.cost_of_alarm
            ),
            setting("min_recall", "--min-recall"): self.min_recall,
            setting("min_precision", "--min-precision"): self.min_precision,
        }
        given = [name for name, value in rules.items() if value is not None]
        if len(given) > 1:
            raise SettingError(
                f"{' and '.join(given)}: each sets the threshold; expected one of them. Leave the "
                "others out."
            )
        checked_seed("Settings", self.seed)
        check_limits("Settings", self)
        if self.class_weight is not None:
            CLASS_WEIGHTS.entry(self.class_weight)

    def _check_quantiles(self, levels: tuple[float, ...]) -> None:
        """Refuse levels out of order, and settings that quantiles do not go with."""
        check_levels(levels)
        for name, value, usual in (
            ("cost", self.cost, None),
            ("n_members", self.n_members, 1),
            ("task", self.task if self.task == "classification" else None, None),
        ):
            if value != usual:
                flag = {"n_members": "members"}.get(name, name)
                both = setting(f"quantiles and {name}", f"--quantiles and --{flag}")
                raise SettingError(f"{both}={value}: they cannot be combined. Leave one out.")

    @property
    def options(self) -> EngineOptions:
        """Where the engine computes, and how.

        Raises
        ------
        SettingError
            For a device, a precision, a number of threads or devices that cannot be.
        """
        return EngineOptions(self.device, self.precision, self.mixed, self.n_threads, self.devices)


def _plain(value: Any) -> Any:
    """A setting as a Python value, which a model file can keep: also those that searches draw."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value
