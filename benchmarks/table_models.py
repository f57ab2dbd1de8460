"""The models that :mod:`tables` compares, each as one function from a problem and a seed to a fit.

Ours take the table as it came. The peers get the columns that our preprocessing makes (numbers
standardised, categories one-hot, missing values filled and flagged), as one would give them;
pytabkit's networks get categories as categories, and numbers filled and unscaled.
"""

from __future__ import annotations

import importlib
import pickle
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from deltarule import baselines as bl
from deltarule import tabular
from deltarule.modelfile import save_model
from deltarule.tabular import recipes, slants
from deltarule.tabular.splits import Keys


class Fit(NamedTuple):
    """A fitted model: its predictions of the test rows, of one row, its size, and further figures.

    Predictions are probabilities ``(m, classes)`` or numbers ``(m, 1)``.
    """

    predictions: np.ndarray
    predict_one: Callable[[], Any]
    size: int
    further: dict[str, float]


@dataclass(frozen=True)
class Model:
    """One model; ``fit`` returns a function that measures, so that only the fit is timed.

    Of a slow one fewer seeds are fitted.
    """

    name: str
    fit: Callable[[tabular.Problem, tabular.Settings], Callable[[], Fit]]
    ours: bool = False
    slow: bool = False


def settings_of(seed: int) -> tabular.Settings:
    """Those of ``deltarule train --seed``."""
    return tabular.Settings(seed=seed)


def deltarule(
    name: str,
    constants: Mapping[str, float] | None = None,
    module: ModuleType = recipes,
    **changes: Any,
) -> Model:
    """The recipe, with other settings or a module's constants where an ablation asks for them."""

    def fit(problem: tabular.Problem, settings: tabular.Settings) -> Callable[[], Fit]:
        own = replace(settings, **changes)
        with patch.dict(vars(module), constants or {}):
            fitted = tabular.fit(replace(problem, validations=_validations(problem, own)), own)

        def measured() -> Fit:
            model = fitted.model
            P = tabular.predictions(model, problem.test)
            row = problem.test[:1]
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.safetensors"
                save_model(path, model)
                size = path.stat().st_size
            further = _further(problem, fitted, P)
            return Fit(P, lambda: tabular.predictions(model, row), size, further)

        return measured

    return Model(name, fit, True)


def _validations(problem: tabular.Problem, settings: tabular.Settings) -> tuple[Any, ...]:
    """Of each network its own validation rows, as ``deltarule train --ensemble`` draws them."""
    if settings.n_ensemble == 1:
        return problem.validations
    labels = None
    if problem.task == "classification":
        labels = tabular.figure_targets(problem.targets, problem.train)
    return tabular.validations(Keys(labels=labels), len(problem.train), settings, problem.task)


def _further(problem: tabular.Problem, fitted: tabular.Fitted, P: np.ndarray) -> dict[str, float]:
    """Calibration error before and after scaling; what intervals of 80 and 90 % cover."""
    truth = tabular.figure_targets(problem.targets, problem.test)
    if problem.task == "classification":
        logits = np.log(np.clip(P, 1e-7, 1.0)) * fitted.calibration.temperature
        unscaled = np.exp(logits - logits.max(axis=1, keepdims=True))
        unscaled /= unscaled.sum(axis=1, keepdims=True)
        return {
            "calibration_error": calibration_error(truth, P),
            "calibration_error_unscaled": calibration_error(truth, unscaled),
        }
    found = {}
    for share in (0.8, 0.9):
        try:
            low, high = fitted.calibration.interval(share)
        except ValueError:  # too few held-out rows to tell
            continue
        covered = ((truth >= P + low) & (truth <= P + high)).mean()
        found[f"coverage_{100 * share:.0f}"] = float(covered)
    return found


def calibration_error(labels: np.ndarray, P: np.ndarray, bins: int = 15) -> float:
    """How far the likeliest class's probability lies from how often it is right (Guo 2017)."""
    sure, right = P.max(axis=1), P.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return float(abs(gaps).sum() / len(labels))


# ------------------------------------------------------------------------------------- peers


def peer(name: str, make: Callable[[str, int], Any]) -> Model:
    """A model with scikit-learn's interface; ``make`` gets the task and the seed."""

    def fit(problem: tabular.Problem, settings: tabular.Settings) -> Callable[[], Fit]:
        inputs = tabular.inputs_of(problem.train, problem.roles)
        X, T = (problem.preprocessing.transform(rows) for rows in (inputs, problem.test))
        return _fitted(make(problem.task, settings.seed), problem, X, T)

    return Model(name, fit)


def realmlp(variant: str) -> Model:
    """Pytabkit's RealMLP, with its defaults, on one core: two cost it more CPU seconds."""

    def fit(problem: tabular.Problem, settings: tabular.Settings) -> Callable[[], Fit]:
        kind = "Classifier" if problem.task == "classification" else "Regressor"
        made = getattr(importlib.import_module("pytabkit"), f"RealMLP_{variant}_{kind}")
        estimator = made(device="cpu", random_state=settings.seed, n_threads=1)
        X, T = (_with_categories(problem, rows) for rows in (problem.train, problem.test))
        return _fitted(estimator, problem, X, T)

    return Model(f"RealMLP-{variant.replace('_', '-')}", fit, slow=True)


def _with_categories(problem: tabular.Problem, frame: Any) -> Any:
    """A pandas frame: numbers with their gaps filled, all else as categories."""
    pandas = importlib.import_module("pandas")
    columns = {}
    for column in problem.preprocessing.columns:
        values = frame[column.name]
        if column.kind == "numeric":
            columns[column.name] = values.cast(float).fill_null(column.fill).to_numpy()
        elif column.outputs:
            texts = values.cast(str).fill_null("").to_list()
            columns[column.name] = pandas.Series(texts, dtype="category")
    return pandas.DataFrame(columns)


def _fitted(estimator: Any, problem: tabular.Problem, X: Any, T: Any) -> Callable[[], Fit]:
    y = tabular.figure_targets(problem.targets, problem.train)
    numbers = problem.task == "regression"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer that stops early is still a peer
        estimator.fit(X, y[:, 0] if numbers else y)
    call = estimator.predict if numbers else estimator.predict_proba

    def measured() -> Fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            P = np.asarray(call(T), dtype=np.float64)
        row = T[:1]
        return Fit(P.reshape(len(T), -1), lambda: call(row), len(pickle.dumps(estimator)), {})

    return measured


def _linear(task: str, seed: int) -> Any:
    return bl.BASELINES[task][1].make(seed)


def _boosting(task: str, seed: int) -> Any:
    return bl.BASELINES[task][2].make(seed)


def _mlp(task: str, seed: int) -> Any:
    """Two hidden layers, early stopping, a standardised target: what its guide advises."""
    networks = importlib.import_module("sklearn.neural_network")
    sizes = {"hidden_layer_sizes": (128, 64), "early_stopping": True, "random_state": seed}
    if task == "classification":
        return networks.MLPClassifier(**sizes)
    compose, scaling = (
        importlib.import_module(f"sklearn.{n}") for n in ("compose", "preprocessing")
    )
    return compose.TransformedTargetRegressor(
        networks.MLPRegressor(**sizes), transformer=scaling.StandardScaler()
    )


def _lightgbm(task: str, seed: int) -> Any:
    kind = "LGBMClassifier" if task == "classification" else "LGBMRegressor"
    made = getattr(importlib.import_module("lightgbm"), kind)
    return made(random_state=seed, n_jobs=2, verbose=-1)


def _xgboost(task: str, seed: int) -> Any:
    kind = "XGBClassifier" if task == "classification" else "XGBRegressor"
    return getattr(importlib.import_module("xgboost"), kind)(random_state=seed, n_jobs=2)


MODELS = {
    "network": deltarule("deltarule"),
    "ensemble": deltarule("deltarule, 5 averaged", n_ensemble=5),
    "members": deltarule("deltarule, 8 members that share weights", n_members=8),
    "linear": peer("logistic or ridge regression", _linear),
    "mlp": peer("scikit-learn's MLP", _mlp),
    "hgb": peer("HistGradientBoosting", _boosting),
    "lightgbm": peer("LightGBM", _lightgbm),
    "xgboost": peer("XGBoost", _xgboost),
    "td-s": realmlp("TD_S"),
    "td": realmlp("TD"),
}

VARIANTS = {
    "no-bins": deltarule("numbers never cut into bins", bins=0),
    "bins": deltarule("numbers always cut into bins", bins=recipes.BINS),
    "no-units": deltarule("bins straight into the first layer", {"_EMBEDDED": 10_000}),
    "no-slants": deltarule("no slanted columns", {"_MOST_PAIRS": 0}, slants),
    "no-scale": deltarule("no learned scales", {"_SCALE_RATE": 0.0}),
    "adam": deltarule("bins and units, but plain dense layers and Adam", optimizer="adam"),
    "no-dropout": deltarule("no dropout", dropout=0.0),
    "no-decay": deltarule("no weight decay", weight_decay=0.0),
    "newest": deltarule("parameters not averaged", {"_AVERAGED": 0.0}),
    "relu": deltarule("ReLU", activation="relu"),
    "wide": deltarule("twice as wide", hidden=(256, 256, 256)),
}
"""The recipe with one ingredient taken out or changed."""
