"""Estimators to and from model files: the network, and what scikit-learn's methods need beside."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from deltarule.engines import choose
from deltarule.engines.plan import Plan
from deltarule.errors import FileError, SettingError
from deltarule.estimators.fitted import Fitted, dense_of
from deltarule.estimators.fitting import Curves
from deltarule.estimators.rules import Progress
from deltarule.modelfile import Model, Row, load_model, save_model
from deltarule.preprocessing import Targets
from deltarule.training import TrainingState

_KEY = "estimator"
_CURVES = ("losses", "validation_losses", "scores")
_PLAIN = (str, int, float, bool, type(None))


class SavingMixin:
    """``save`` and ``load`` of an estimator; nothing in a file is executed."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a model file, atomically.

        Parameters that are option objects or custom rows are left out: what they made of
        the network is in it.

        Parameters
        ----------
        path : path
            As of :func:`~deltarule.modelfile.save_model`.

        Raises
        ------
        SettingError
            For an ensemble, and for classes that JSON does not hold.
        FileError
            Where the file cannot be written; what was there before is as it was.
        """
        _save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], rows: Iterable[Row] = ()) -> Self:
        """A fitted estimator from a model file: it predicts the same, and can be fitted on.

        Parameters
        ----------
        path : path
        rows : iterable of Activation or Cost
            Custom rows that the network was built with: a file stores their names only.

        Raises
        ------
        FileError
            As of :func:`~deltarule.modelfile.load_model`, and for another kind of model.

        Examples
        --------
        >>> import tempfile
        >>> from deltarule import MLPRegressor
        >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
        >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/line.safetensors")
        ...     back = MLPRegressor.load(f"{folder}/line.safetensors")
        >>> bool((back.predict(X) == model.predict(X)).all())
        True
        """
        found: Self = _load(cls, path, rows)
        return found


def _save(estimator: Any, path: str | os.PathLike[str]) -> None:
    check_is_fitted(estimator)
    if hasattr(estimator, "estimators_"):
        raise SettingError(
            f"save: a model file holds one network, and this is an ensemble of "
            f"{len(estimator.estimators_)}. Save each of its members: estimators_[0].save(...)."
        )
    held = estimator._holder()
    about = {
        "kind": type(estimator).__name__,
        "parameters": _plain_parameters(estimator),
        "features": int(estimator.n_features_in_),
        "names": [str(name) for name in getattr(estimator, "feature_names_in_", ())],
        "classes": _plain_classes(getattr(estimator, "classes_", ())),
        "labels": _is_of_labels(estimator),
        "curves": {name: _finite(values) for name, values in _curves(estimator).items()},
        "epochs": int(estimator.n_iter_),
        "samples": int(estimator.t_),
        "rate": float(estimator.learning_rate_),
        "reason": estimator.stopped_because_,
    }
    targets = _targets(about["classes"], about["labels"])
    save_model(
        path, Model(held.plan.network, held.parameters, targets=targets, about={_KEY: about})
    )


def _load(kind: type, path: str | os.PathLike[str], rows: Iterable[Row]) -> Any:
    model = load_model(path, rows)
    about = model.about.get(_KEY)
    if not isinstance(about, dict) or about.get("kind") != kind.__name__:
        found = about.get("kind") if isinstance(about, dict) else "no estimator"
        raise FileError(
            f"{path}: holds {found!r:.80}; expected a {kind.__name__}. Any model file is read by "
            "deltarule.modelfile.load_model."
        )
    try:
        return _restored(kind, model, about)
    except Exception as error:  # whatever a foreign hand may have put there
        raise FileError(f"{path}: its estimator cannot be restored ({error!s:.300}).") from error


def _restored(kind: Any, model: Model, about: dict[str, Any]) -> Any:
    network = model.network
    if about["features"] != network.inputs or len(dense_of(model.parameters)) == 0:
        raise ValueError("its network is not an estimator's")
    estimator = kind().set_params(**_tuples(about["parameters"]))
    estimator.n_features_in_ = network.inputs
    if about["names"]:
        if len(about["names"]) != network.inputs:
            raise ValueError("its names are not those of its columns")
        estimator.feature_names_in_ = np.array(about["names"], dtype=object)
    if about["classes"]:
        classes = np.array(about["classes"])
        seen = np.eye(len(classes), dtype=int) if about["labels"] else classes
        estimator._label_binarizer = LabelBinarizer().fit(seen)
        estimator.classes_ = estimator._label_binarizer.classes_
        outputs = 1 if len(classes) <= 2 and not about["labels"] else len(classes)
        if outputs != network.outputs or len(estimator.classes_) != len(classes):
            raise ValueError("its classes are not those of its outputs")
    curves = Curves(
        *([math.nan if x is None else float(x) for x in about["curves"][name]] for name in _CURVES)
    )
    best_score = max(curves.scores, default=-math.inf)
    rule = Progress(0, min(curves.losses), best_score, int(about["samples"]))
    fitted = Fitted(Plan(network, dtype=model.dtype), estimator.engine, None, model.parameters)
    choose(fitted.plan, fitted.engine)  # refuses what no engine here can run
    estimator._fitted = fitted
    state = TrainingState(model.parameters, rule=rule)
    estimator._set_attributes(fitted, state, curves, int(about["epochs"]), str(about["reason"]))
    estimator.learning_rate_ = float(about["rate"])
    return estimator


def _is_of_labels(estimator: Any) -> bool:
    binarizer = getattr(estimator, "_label_binarizer", None)
    return binarizer is not None and str(binarizer.y_type_).startswith("multilabel")


def _targets(classes: list[Any], labels: bool) -> Targets | None:
    """The names of the classes, for other readers of the file and the command line."""
    kinds = {type(label) for label in classes}
    if labels or len(classes) < 2 or not kinds <= {str, int, bool} or len(kinds) > 1:
        return None
    return Targets(("target",), "classification", "as fitted", tuple(classes))


def _plain_parameters(estimator: Any) -> dict[str, Any]:
    """The parameters that JSON holds; option objects and custom rows get their defaults."""
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        value = value.item() if isinstance(value, np.generic) else value
        items = value if isinstance(value, (list, tuple)) else [value]
        if all(isinstance(x, _PLAIN) for x in items) and not _is_infinite(items):
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _is_infinite(items: Sequence[Any]) -> bool:
    return any(isinstance(x, float) and not math.isfinite(x) for x in items)


def _tuples(parameters: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}


def _plain_classes(classes: Any) -> list[Any]:
    found = np.asarray(classes).tolist()
    for label in found:
        if not isinstance(label, _PLAIN) or label is None or _is_infinite([label]):
            raise SettingError(
                f"save: a class is {label!r} of type {type(label).__name__}; expected text, "
                "numbers or booleans. Encode y before fitting."
            )
    return list(found)


def _curves(estimator: Any) -> dict[str, Sequence[float]]:
    found = (
        estimator.loss_curve_,
        estimator.validation_loss_curve_ or (),
        estimator.validation_scores_ or (),
    )
    return dict(zip(_CURVES, found, strict=True))


def _finite(curve: Sequence[float]) -> list[float | None]:
    """Numbers that JSON holds; None for NaN and infinity."""
    return [float(x) if math.isfinite(x) else None for x in curve]
