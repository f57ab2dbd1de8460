"""Estimators for tables, with scikit-learn's interface: ``deltarule train`` in a pipeline.

They hold no training of their own: what they fit is what the command fits from the same rows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from deltarule.arrays import Array
from deltarule.data import frame_of
from deltarule.errors import DataError, SettingError, ShapeError, require
from deltarule.events import Callback
from deltarule.modelfile import Model, load_model, save_model
from deltarule.tabular.calibration import Calibration
from deltarule.tabular.fitting import Fitted, fit
from deltarule.tabular.problems import Table, problem, table
from deltarule.tabular.report import about, fingerprint
from deltarule.tabular.settings import Roles, Settings

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # noqa: E402
from sklearn.utils import check_random_state, compute_sample_weight  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402

_OWN = frozenset({"kinds", "class_weight", "callbacks", "random_state"})  # not of Settings


class _Tabular(BaseEstimator):  # type: ignore[misc]
    """What both estimators share; ``_task`` tells which."""

    _task: str

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, time: Any, **settings: Any
    ) -> Self:
        frame, roles = _with_roles(X, y, {"weights": sample_weight, "groups": groups, "time": time})
        roles = replace(roles, kinds=dict(self.kinds or {}))
        own = {name: value for name, value in self.get_params().items() if name not in _OWN}
        chosen = Settings(seed=_seed(self.random_state), task=self._task, **{**own, **settings})
        whole = table(frame, roles, task=self._task, strict=True)
        everything = problem(whole, chosen, np.arange(len(frame)), frame[:0])
        fitted = fit(everything, chosen, _listed(self.callbacks))
        self._learn(_described(whole, chosen, fitted), frame.drop(_placed(roles)).columns)
        self.history_ = fitted.result.history
        self.n_iter_ = len(self.history_)
        return self

    def _learn(self, model: Model, columns: Sequence[str]) -> None:
        self.model_ = model
        self.n_features_in_ = len(columns)
        self.feature_names_in_ = np.array(columns, dtype=object)

    def _framed(self, X: Any) -> Any:
        """A table to predict; of a data frame the columns may stand in any order."""
        check_is_fitted(self)
        frame = frame_of(X)
        if frame.width != self.n_features_in_ and not hasattr(X, "columns"):
            raise ShapeError(
                f"X has {frame.width} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file; ``deltarule predict`` reads it too.

        Parameters
        ----------
        path : path

        Raises
        ------
        FileError
            Where the file cannot be written; what was there before is as it was.
        """
        check_is_fitted(self)
        save_model(path, self.model_)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """A fitted estimator from a file that :meth:`save` or ``deltarule train --out`` wrote.

        Parameters
        ----------
        path : path

        Raises
        ------
        FileError
            For a file that is none.
        SettingError
            For a model of another task, or of no table.
        """
        model = load_model(path)
        if model.preprocessing is None or model.targets is None or model.targets.task != cls._task:
            task = "arrays" if model.targets is None else f"a {model.targets.task}"
            raise SettingError(
                f"{path}: holds a model of {task}; expected a {cls._task} of a table. Load it with "
                "load_model, or with the other estimator."
            )
        found = cls()
        found._learn(model, [column.name for column in model.preprocessing.columns])
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        return tags


class TabularClassifier(ClassifierMixin, _Tabular):  # type: ignore[misc]
    """A strong network for classes in a table: categories, missing values and scales included.

    It takes data frames, arrays and sparse matrices as they are, and does what ``deltarule train``
    does. Probabilities are calibrated on held-out rows. What is None is chosen by the recipe, from
    the task and the size of the table.

    Parameters
    ----------
    n_ensemble : int
        Networks that are averaged, each with validation rows of its own.
    hidden, activation, bins, dropout : optional
        The network; see :class:`~deltarule.tabular.Settings`.
    learning_rate, batch_size, epochs, patience, weight_decay, label_smoothing : optional
        Its training, likewise.
    class_weight : "balanced", dict or None
        How much each class counts.
    kinds : mapping of str to str, optional
        Kinds of columns, overruled: ``{"zip": "category"}``.
    validation_share : float
        Of the rows, to find the best epoch by and to calibrate with.
    engine : str
    n_threads : int, optional
    random_state : int, RandomState or None
    callbacks : callable or sequence of callables, optional
        Called with every event of the first network's training.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
    model_ : Model
    history_ : tuple of EpochEnded
        Of the first network.
    n_iter_, n_features_in_ : int
    feature_names_in_ : array of str

    Raises
    ------
    DataError, SettingError
        By :meth:`fit`, for a table or parameters that cannot be.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> classifier = TabularClassifier(epochs=30, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.predict_proba(X).shape
    (True, (150, 3))
    """

    _task = "classification"

    def __init__(
        self,
        *,
        n_ensemble: int = 1,
        hidden: Sequence[int] | None = None,
        activation: str | None = None,
        bins: int | None = None,
        dropout: float | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int | None = None,
        weight_decay: float | None = None,
        label_smoothing: float | None = None,
        class_weight: str | Mapping[Any, float] | None = None,
        kinds: Mapping[str, str] | None = None,
        validation_share: float = 0.2,
        engine: str = "auto",
        n_threads: int | None = None,
        random_state: Any = None,
        callbacks: Any = None,
    ) -> None:
        self.n_ensemble = n_ensemble
        self.hidden = hidden
        self.activation = activation
        self.bins = bins
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.kinds = kinds
        self.validation_share = validation_share
        self.engine = engine
        self.n_threads = n_threads
        self.random_state = random_state
        self.callbacks = callbacks

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, time: Any = None
    ) -> Self:
        """Learn from a table and its labels.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        y : array_like, shape (m,)
        sample_weight : array_like, shape (m,), optional
        groups, time : array_like, shape (m,), optional
            What the validation rows go by: whole groups, or the latest.
        """
        rule = self.class_weight
        if rule is not None and not isinstance(rule, str):
            weights = compute_sample_weight(rule, np.asarray(y))
            sample_weight = weights if sample_weight is None else weights * sample_weight
        balanced = rule if isinstance(rule, str) else None
        return self._fit(X, y, sample_weight, groups, time, class_weight=balanced)

    def _learn(self, model: Model, columns: Sequence[str]) -> None:
        super()._learn(model, columns)
        assert model.targets is not None
        self.classes_ = np.array(model.targets.classes)

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row, ``(m,)``.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, ``(m, n_classes)``, in the order of ``classes_``.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        frame = self._framed(X)
        return self.model_.probabilities(frame)


class TabularRegressor(RegressorMixin, _Tabular):  # type: ignore[misc]
    """A strong network for numbers from a table: categories, missing values and scales included.

    As :class:`TabularClassifier`, for one target or several at once. Intervals come from held-out
    rows.

    Parameters
    ----------
    n_ensemble : int
        Networks that are averaged, each with validation rows of its own.
    hidden, activation, bins, dropout, cost : optional
        The network; see :class:`~deltarule.tabular.Settings`.
    learning_rate, batch_size, epochs, patience, weight_decay : optional
        Its training, likewise.
    kinds : mapping of str to str, optional
        Kinds of columns, overruled: ``{"zip": "category"}``.
    validation_share : float
        Of the rows, to find the best epoch by and to measure intervals with.
    engine : str
    n_threads : int, optional
    random_state : int, RandomState or None
    callbacks : callable or sequence of callables, optional
        Called with every event of the first network's training.

    Attributes
    ----------
    model_ : Model
    history_ : tuple of EpochEnded
        Of the first network.
    n_iter_, n_features_in_ : int
    feature_names_in_ : array of str

    Raises
    ------
    DataError, SettingError
        By :meth:`fit`, for a table or parameters that cannot be.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> regressor = TabularRegressor(epochs=30, random_state=0).fit(X, y)
    >>> regressor.score(X, y) > 0.3, regressor.predict_interval(X, 0.8).shape
    (True, (442, 2))
    """

    _task = "regression"

    def __init__(
        self,
        *,
        n_ensemble: int = 1,
        hidden: Sequence[int] | None = None,
        activation: str | None = None,
        bins: int | None = None,
        dropout: float | None = None,
        cost: str | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int | None = None,
        weight_decay: float | None = None,
        kinds: Mapping[str, str] | None = None,
        validation_share: float = 0.2,
        engine: str = "auto",
        n_threads: int | None = None,
        random_state: Any = None,
        callbacks: Any = None,
    ) -> None:
        self.n_ensemble = n_ensemble
        self.hidden = hidden
        self.activation = activation
        self.bins = bins
        self.dropout = dropout
        self.cost = cost
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.weight_decay = weight_decay
        self.kinds = kinds
        self.validation_share = validation_share
        self.engine = engine
        self.n_threads = n_threads
        self.random_state = random_state
        self.callbacks = callbacks

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, time: Any = None
    ) -> Self:
        """Learn from a table and its targets.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        y : array_like, shape (m,) or (m, targets)
        sample_weight : array_like, shape (m,), optional
        groups, time : array_like, shape (m,), optional
            What the validation rows go by: whole groups, or the latest.
        """
        self._one_target = np.ndim(y) < 2
        return self._fit(X, y, sample_weight, groups, time)

    def predict(self, X: Any) -> Array:
        """A number for each row, ``(m,)``, or ``(m, targets)`` where `y` had columns.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        found = self.model_.predict(self._framed(X)).to_numpy()
        return found[:, 0] if self._is_vector else found

    def predict_interval(self, X: Any, share: float = 0.9) -> Array:
        """The ends between which so large a share of the true values lie: ``(…, 2)``.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        share : float

        Returns
        -------
        array, shape (m, 2) or (m, targets, 2)

        Raises
        ------
        SettingError
            For a share that the held-out rows cannot tell.
        """
        frame = self._framed(X)
        low, high = Calibration.from_dict(self.model_.about["calibration"]).interval(share)
        found = self.model_.predict(frame).to_numpy()
        ends = np.stack([found + low, found + high], axis=-1)
        return ends[:, 0] if self._is_vector else ends

    @property
    def _is_vector(self) -> bool:
        assert self.model_.targets is not None
        return getattr(self, "_one_target", len(self.model_.targets.names) == 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


# ------------------------------------------------------------------------------- one table


def _with_roles(X: Any, y: Any, further: Mapping[str, Any]) -> tuple[Any, Roles]:
    """One frame of inputs, targets and what else there is a value of for each row."""
    frame = frame_of(X)
    targets = _columns_of(y)
    taken, placed = set(frame.columns), {}
    for role, values in [*targets.items(), *further.items()]:
        if values is None:
            continue
        name = role
        while name in taken:
            name += "_"
        taken.add(name)
        placed[role] = name
        column = _column(role, values, len(frame))
        frame = frame.with_columns(column.alias(name))
    names = {role: placed.get(role) for role in further}
    return frame, Roles(
        tuple(placed[name] for name in targets), names["weights"], names["groups"], names["time"]
    )


def _placed(roles: Roles) -> list[str]:
    return [name for _, name in roles.named]


def _columns_of(y: Any) -> dict[str, Any]:
    """Targets by name: ``target``, where they have none."""
    if y is None:
        raise DataError("y: expected a target for each row, got None.")
    if hasattr(y, "columns"):
        frame = frame_of(y)
        return {str(name): frame[name] for name in frame.columns}
    if np.ndim(y) == 2:
        values = np.asarray(y)
        if values.shape[1] == 1:
            return {"target": values[:, 0]}
        return {f"target_{i}": column for i, column in enumerate(values.T, 1)}
    return {str(getattr(y, "name", None) or "target"): y}


def _column(role: str, values: Any, m: int) -> Any:
    """One value for each row, as a column."""
    column = frame_of({role: values if hasattr(values, "dtype") else list(values)})[role]
    if len(column) != m:
        raise DataError(
            f"{role}: expected a value for each of the {m} rows of X, got {len(column)}."
        )
    return column


def _seed(random_state: Any) -> int:
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _listed(callbacks: Any) -> Sequence[Callback]:
    return [callbacks] if callable(callbacks) else list(callbacks or ())


def _described(whole: Table, settings: Settings, fitted: Fitted) -> Model:
    """The model with what is known about its training, as the command keeps it."""
    known = about(
        whole,
        settings,
        fitted,
        [],
        mark=fingerprint(whole.frame),
        judged_by="nothing",
        reading={},
        verdict="",
    )
    return replace(fitted.model, about=known)
