"""deltarule as a model of TabArena: an ``AbstractModel`` of AutoGluon, which bags and times it.

In an environment with ``autogluon`` and ``tabarena``::

    from tabarena_adapter import experiments
    experiments()  # what TabArena's runner takes as model_experiments

TabArena pickles the class by its module, so this file must be importable where it runs. Without
AutoGluon the module can be imported, and the class cannot be used.
"""

from __future__ import annotations

import importlib
from typing import Any

from deltarule import TabularClassifier, TabularRegressor

try:
    AbstractModel: Any = importlib.import_module("autogluon.core.models").AbstractModel
except ModuleNotFoundError:
    AbstractModel = object

CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"quality": "fast"},
    {"quality": "best"},
)
"""Parameters of the estimators, one set per experiment; the first are the defaults."""


class DeltaruleModel(AbstractModel):
    """A network of deltarule; hyperparameters are those of its tabular estimators.

    The validation rows of a bag are not used: each network holds out its own.
    """

    ag_key = "DELTARULE"
    ag_name = "deltarule"
    seed_name = "random_state"

    def _fit(self, X: Any, y: Any, *, num_cpus: int = 1, **_: Any) -> None:
        """Train on a pandas frame; labels are the numbers that AutoGluon gives the classes."""
        X = self.preprocess(X, y=y, is_train=True)
        made = TabularRegressor if self.problem_type == "regression" else TabularClassifier
        kinds = dict.fromkeys(X.select_dtypes("category").columns, "category")
        given = {"random_state": 0, **self._get_model_params()}
        self.model = made(kinds=kinds, n_threads=num_cpus, **given).fit(X, y)

    def _get_default_auxiliary_params(self) -> dict[str, Any]:
        """The column types that are passed on as they are; AutoGluon turns others into these."""
        types = {"valid_raw_types": ["int", "float", "category"]}
        return {**super()._get_default_auxiliary_params(), **types}

    @classmethod
    def supported_problem_types(cls) -> list[str]:
        """The kinds of problem that it can be fitted to."""
        return ["binary", "multiclass", "regression"]


def experiments() -> list[Any]:
    """One bagged experiment per configuration, as TabArena runs its own models."""
    configs = importlib.import_module("tabarena.utils.config_utils")
    generator = configs.ConfigGenerator(
        model_cls=DeltaruleModel, manual_configs=[*CONFIGURATIONS], search_space={}
    )
    found: list[Any] = generator.generate_all_bag_experiments(
        num_random_configs=0, fold_fitting_strategy="sequential_local"
    )
    return found
