"""The models that :mod:`tables` and :mod:`tabarena` compare: each a function, from problem to fit.

Ours take the raw table. In :mod:`tables` the peers get the columns that our preprocessing makes
(numbers standardised, categories one-hot, missing values filled and flagged), as one would give
them; in :mod:`tabarena`, and pytabkit's networks always, numbers unscaled and categories as such.
"""

from __future__ import annotations

import importlib
import pickle
import tempfile
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import polars as pl

from deltarule import baselines as bl
from deltarule import tabular
from deltarule.modelfile import save_model
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores
from deltarule.tabular import embeddings, oblique, recipes
from deltarule.tabular.splits import Keys

_COUNTS = {"quality", "n_ensemble", "n_members"}  # settings that say how many networks there are
_THREADS = 2  # of a peer, where the settings name no number


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

    Of a slow one fewer seeds are fitted. ``library`` is the module that its fit imports.
    """

    name: str
    fit: Callable[[tabular.Problem, tabular.Settings], Callable[[], Fit]]
    ours: bool = False
    slow: bool = False
    library: str = "deltarule"


def settings_of(seed: int) -> tabular.Settings:
    """Those of ``deltarule train --seed``."""
    return tabular.Settings(seed=seed)


def deltarule(
    name: str,
    *patches: AbstractContextManager[Any],
    prepared: Callable[[tabular.Problem], tabular.Problem] = lambda problem: problem,
    **changes: Any,
) -> Model:
    """The recipe, with other settings, patched modules or another problem, for an ablation.

    It averages as many networks as the recipe does, unless a change is of that number.
    """

    def fit(problem: tabular.Problem, settings: tabular.Settings) -> Callable[[], Fit]:
        problem = prepared(problem)
        own, validations = replace(settings, **changes), problem.validations
        if _COUNTS & {*changes}:
            validations = _validations(problem, own)
        else:
            own = replace(own, n_ensemble=len(validations))
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            fitted = tabular.fit(replace(problem, validations=validations), own)

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
    labels = None
    if problem.task == "classification":
        labels = tabular.figure_targets(problem.targets, problem.train)
    return tabular.validations(Keys(labels=labels), len(problem.train), settings, problem.task)


def without_scores(problem: tabular.Problem) -> tabular.Problem:
    """The same with every column of numbers standardized."""
    plain = [
        Numeric(**{each.name: getattr(column, each.name) for each in fields(Numeric)})
        if isinstance(column, Scores)
        else column
        for column in problem.preprocessing.columns
    ]
    return replace(problem, preprocessing=replace(problem.preprocessing, columns=tuple(plain)))


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


def encoded(problem: tabular.Problem, frame: Any) -> Any:
    """The columns that deltarule's preprocessing makes of a frame's rows."""
    return problem.preprocessing.transform(tabular.inputs_of(frame, problem.roles))


def native(problem: tabular.Problem, frame: Any, fill: bool = False) -> Any:
    """A pandas frame: numbers, dates as days, and all other columns as categories.

    Missing numbers are NaN, or filled. A missing category is a level of its column, and stands for
    levels that the training rows lack as well.
    """
    pandas = importlib.import_module("pandas")
    columns = {}
    for k, column in enumerate(problem.preprocessing.columns):
        known, values = problem.train[column.name], frame[column.name]
        if isinstance(column, Numeric) or values.dtype.is_temporal():
            known, values = known.to_physical(), values.to_physical().cast(float)
            gap = getattr(column, "fill", known.mean()) if fill else float("nan")
            columns[f"c{k}"] = values.fill_null(gap).to_numpy()
        elif column.outputs:
            levels = sorted({*known.cast(str).drop_nulls(), ""})
            texts = values.cast(str).cast(pl.Enum(levels), strict=False).fill_null("")
            codes = texts.to_physical().to_numpy()
            columns[f"c{k}"] = pandas.Categorical.from_codes(codes, levels)
    return pandas.DataFrame(columns)


def filled(problem: tabular.Problem, frame: Any) -> Any:
    """The same without missing numbers, which pytabkit's networks refuse."""
    return native(problem, frame, fill=True)


def peer(
    name: str,
    make: Callable[[str, tabular.Settings, Any], Any],
    inputs: Callable[[tabular.Problem, Any], Any] = encoded,
    slow: bool = False,
    library: str = "sklearn",
) -> Model:
    """A model with scikit-learn's interface.

    ``make`` gets the task, the settings, of which seed and threads count, and the training inputs.
    """

    def fit(problem: tabular.Problem, settings: tabular.Settings) -> Callable[[], Fit]:
        X, T = (inputs(problem, frame) for frame in (problem.train, problem.test))
        return _fitted(make(problem.task, settings, X), problem, X, T)

    return Model(name, fit, slow=slow, library=library)


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


def linear(task: str, settings: tabular.Settings, X: Any) -> Any:
    """Logistic or ridge regression."""
    return bl.BASELINES[task][1].make(settings.seed)


def boosting(task: str, settings: tabular.Settings, X: Any) -> Any:
    """Scikit-learn's HistGradientBoosting, which takes a frame's categories as such."""
    return bl.BASELINES[task][2].make(settings.seed)


def forest(task: str, settings: tabular.Settings, X: Any) -> Any:
    """Scikit-learn's random forest, to which a category is its number in alphabetical order."""
    trees, compose, encoding, pipeline = (
        importlib.import_module(f"sklearn.{name}")
        for name in ("ensemble", "compose", "preprocessing", "pipeline")
    )
    kind = "Classifier" if task == "classification" else "Regressor"
    made = getattr(trees, f"RandomForest{kind}")
    numbers = compose.make_column_transformer(
        (encoding.OrdinalEncoder(), compose.make_column_selector(dtype_include="category")),
        remainder="passthrough",
    )
    return pipeline.make_pipeline(
        numbers, made(random_state=settings.seed, n_jobs=settings.n_threads or _THREADS)
    )


def mlp(task: str, settings: tabular.Settings, X: Any) -> Any:
    """Two hidden layers, early stopping, a standardised target: what its guide advises."""
    networks = importlib.import_module("sklearn.neural_network")
    sizes = {
        "hidden_layer_sizes": (128, 64),
        "early_stopping": True,
        "random_state": settings.seed,
    }
    if task == "classification":
        return networks.MLPClassifier(**sizes)
    compose, scaling = (
        importlib.import_module(f"sklearn.{n}") for n in ("compose", "preprocessing")
    )
    return compose.TransformedTargetRegressor(
        networks.MLPRegressor(**sizes), transformer=scaling.StandardScaler()
    )


def lightgbm(task: str, settings: tabular.Settings, X: Any) -> Any:
    """LightGBM, which takes a frame's categories as such."""
    made = _of_library("lightgbm", "LGBM", task)
    return made(random_state=settings.seed, n_jobs=settings.n_threads or _THREADS, verbose=-1)


def xgboost(task: str, settings: tabular.Settings, X: Any) -> Any:
    """XGBoost, which takes a frame's categories as such."""
    made = _of_library("xgboost", "XGB", task)
    return made(
        random_state=settings.seed,
        n_jobs=settings.n_threads or _THREADS,
        enable_categorical=True,
    )


def catboost(task: str, settings: tabular.Settings, X: Any) -> Any:
    """CatBoost, to which categories are named."""
    return _of_library("catboost", "CatBoost", task)(
        random_seed=settings.seed,
        thread_count=settings.n_threads or _THREADS,
        cat_features=[*X.select_dtypes("category")],
        allow_writing_files=False,
        verbose=False,
    )


def pytabkit(network: str, **for_classes: Any) -> Callable[..., Any]:
    """One of pytabkit's networks, with its defaults, on one core: two cost it more CPU seconds."""

    def make(task: str, settings: tabular.Settings, X: Any) -> Any:
        given = for_classes if task == "classification" else {}
        made = _of_library("pytabkit", f"{network}_", task)
        return made(device="cpu", random_state=settings.seed, n_threads=1, **given)

    return make


def _of_library(module: str, prefix: str, task: str) -> Any:
    kind = "Classifier" if task == "classification" else "Regressor"
    return getattr(importlib.import_module(module), prefix + kind)


QUALITIES = {
    "fast": deltarule("deltarule, fast", quality="fast"),
    "default": deltarule("deltarule"),
    "best": deltarule("deltarule, best", quality="best"),
}
"""The presets of quality."""

MODELS = {
    **QUALITIES,
    "members": deltarule("deltarule, 8 members that share weights", n_members=8),
    "linear": peer("logistic or ridge regression", linear),
    "mlp": peer("scikit-learn's MLP", mlp),
    "hgb": peer("HistGradientBoosting", boosting),
    "lightgbm": peer("LightGBM", lightgbm),
    "xgboost": peer("XGBoost", xgboost),
    "td-s": peer("RealMLP-TD-S", pytabkit("RealMLP_TD_S"), filled, slow=True),
    "td": peer("RealMLP-TD", pytabkit("RealMLP_TD"), filled, slow=True),
}

VARIANTS = {
    "one": deltarule("one network", n_ensemble=1),
    "ten": deltarule("ten networks", n_ensemble=10),
    "no-bins": deltarule("numbers as they are", embedding="none"),
    "bins": deltarule("numbers cut into bins in all networks", embedding="bins"),
    "periodic": deltarule("periodic features in all networks", embedding="periodic"),
    "no-units": deltarule(
        "bins straight into the first layer", patch.object(embeddings, "_EMBEDDED", 10_000)
    ),
    "no-oblique": deltarule("no oblique features", patch.object(oblique, "_MOST_PAIRS", 0)),
    "no-scores": deltarule("no normal scores", prepared=without_scores),
    "no-scale": deltarule("no learned scales", patch.object(recipes, "_SCALE_RATE", 0.0)),
    "adam": deltarule("plain dense layers and Adam", optimizer="adam"),
    "dropout-0": deltarule("no dropout", dropout=0.0),
    "dropout-0.3": deltarule("dropout 0.3", dropout=0.3),
    "no-decay": deltarule("no weight decay", weight_decay=0.0),
    "newest": deltarule("parameters not averaged", patch.object(recipes, "_AVERAGED", 0.0)),
    "relu": deltarule("ReLU", activation="relu"),
    "selu": deltarule("SELU", activation="selu"),
    "wide": deltarule("twice as wide", hidden=(256, 256, 256)),
}
"""The recipe with one ingredient taken out or changed."""
