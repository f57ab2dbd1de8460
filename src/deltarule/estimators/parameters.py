"""The parameters of the estimators: what each may be, as one table.

scikit-learn reads the table for its validation and for the message, which names the parameter,
what was expected and what was got.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.engines import ENGINES
from deltarule.engines.plan import EngineOptions
from deltarule.errors import SettingError
from deltarule.estimators.options import NetworkOptions, RegularizationOptions, StoppingOptions
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.registry import Registry
from deltarule.training.checkpoints import Checkpoints

SKLEARN_NAMES = {"logistic": "sigmoid"}
"""scikit-learn's names of activations that are called otherwise here."""

OPTIONS: dict[str, type] = {
    "regularization": RegularizationOptions,
    "stopping": StoppingOptions,
    "network": NetworkOptions,
    "engine_options": EngineOptions,
}
"""Parameters that are option objects: ``set_params(stopping__patience=3)`` makes a default one."""


class NameOf(StrOptions):  # type: ignore[misc]
    """A string that a table knows as a row, its numbers in brackets included."""

    def __init__(self, table: Registry[Any], aliases: tuple[str, ...] = ()) -> None:
        super().__init__({*aliases, *table})
        self.table, self.aliases = table, aliases

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether it is one."""
        if not isinstance(val, str):
            return False
        try:
            self.table(SKLEARN_NAMES.get(val, val))
        except SettingError:
            return False
        return True

    def __str__(self) -> str:
        names = ", ".join(repr(name) for name in (*self.aliases, *self.table))
        return f"the name of an {self.table.kind} among {names}"


CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [NameOf(ACTIVATIONS, ("logistic",)), Activation, list, tuple],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "optimizer": [NameOf(OPTIMIZERS), Optimizer, None],
    "regularization": [RegularizationOptions, None],
    "stopping": [StoppingOptions, None],
    "network": [NetworkOptions, None],
    "callbacks": [callable, list, tuple, None],
    "checkpoints": [Checkpoints, None],
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "engine": [StrOptions({"auto", *ENGINES})],
    "engine_options": [EngineOptions, None],
}
"""What both estimators have."""

CLASSIFIER: dict[str, list[Any]] = {"class_weight": [dict, list, StrOptions({"balanced"}), None]}
REGRESSOR: dict[str, list[Any]] = {"loss": [StrOptions({"squared_error", "poisson"})]}
