"""What both estimators for tables share: one frame out of X and y, the fit, the model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from deltarule.arrays import Array, checked_weights
from deltarule.data import frame_of
from deltarule.errors import DataError, SettingError, ShapeError, require
from deltarule.modelfile import Model, load_model, save_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.columns import Dropped
from deltarule.tabular.fitting import Fitted, fit
from deltarule.tabular.metadata import about, fingerprint
from deltarule.tabular.problems import FEWEST_ROWS, Table, problem, table
from deltarule.tabular.settings import Roles, Settings
from deltarule.training.events import Callback

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402

_OWN = frozenset({"kinds", "class_weight", "callbacks", "random_state"})  # not of Settings


class Tabular(BaseEstimator):  # type: ignore[misc]
    """What both estimators share; ``_task`` tells which."""

    _task: str

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, time: Any, **settings: Any
    ) -> Self:
        require("polars", "table", "fitting a table")
        frame, roles = _with_roles(X, y, sample_weight, {"groups": groups, "time": time})
        roles = replace(roles, kinds=_kinds(self.kinds))
        own = {name: value for name, value in self.get_params().items() if name not in _OWN}
        chosen = Settings(seed=_seed(self.random_state), task=self._task, **{**own, **settings})
        whole = table(frame, roles, task=self._task, strict=True)
        everything = problem(whole, chosen, np.arange(len(frame)), frame[:0])
        _warn_of_dropped(everything.preprocessing)
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
        frame = _table(X)
        if _has_names(X):
            return frame
        if frame.width != self.n_features_in_:
            raise ShapeError(
                f"X has {frame.width} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        if frame.columns != list(self.feature_names_in_):
            warnings.warn(
                f"X does not have valid feature names, but {type(self).__name__} was fitted with "
                "feature names; its columns are taken in their order.",
                UserWarning,
                stacklevel=3,
            )
            frame.columns = list(self.feature_names_in_)
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


# ------------------------------------------------------------------------------- one table


def _with_roles(X: Any, y: Any, sample_weight: Any, others: Mapping[str, Any]) -> tuple[Any, Roles]:
    """One frame of inputs, targets and what else there is a value of for each row."""
    frame = _table(X)
    if not frame.width:
        raise DataError(f"X: 0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if len(frame) == 1:
        raise DataError(f"X: got one sample; expected at least {FEWEST_ROWS} rows.")
    targets = _columns_of(y)
    further = {"weights": _weights(sample_weight, len(frame)), **others}
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


def _table(X: Any) -> Any:
    """Whatever scikit-learn takes, as a frame: lists of rows too."""
    return frame_of(X if _has_names(X) or hasattr(X, "toarray") else np.asanyarray(X))


def _has_names(X: Any) -> bool:
    """Whether columns come with names, by which they are found."""
    named = isinstance(X, Mapping) or hasattr(X, "columns")
    return named or bool(getattr(getattr(X, "dtype", None), "names", None))


def _placed(roles: Roles) -> list[str]:
    return [name for _, name in roles.named]


def _columns_of(y: Any) -> dict[str, Any]:
    """Targets by name: ``target``, where they have none."""
    if y is None:
        raise DataError("fit requires y to be passed, but the target y is None.")
    if hasattr(y, "columns"):
        frame = frame_of(y)
        return {str(name): frame[name] for name in frame.columns}
    values = np.asanyarray(y)
    if values.ndim == 2:
        if values.shape[1] == 1:
            return {"target": values[:, 0]}
        return {f"target_{i}": column for i, column in enumerate(values.T, 1)}
    return {str(getattr(y, "name", None) or "target"): y}


def _column(role: str, values: Any, m: int) -> Any:
    """One value for each row, as a column."""
    if np.asarray(values).ndim == 0:
        raise DataError(
            f"{role}: expected a value for each of the {m} rows of X, got {values!r} alone."
        )
    if not (isinstance(values, np.ndarray) or hasattr(values, "name")):  # a list, pandas' arrays
        values = list(np.asarray(values))
    column = frame_of({role: values})[role]
    if len(column) != m:
        raise DataError(
            f"{role}: expected a value for each of the {m} rows of X, got {len(column)}."
        )
    return column


def _weights(sample_weight: Any, m: int) -> Array | None:
    """Weights as numbers; of booleans, 0 and 1."""
    if sample_weight is None:
        return None
    shape = np.asarray(sample_weight).shape
    if len(shape) > 1:
        raise ShapeError(
            f"sample_weight: expected one number per row of X, shape ({m},), got {shape}."
        )
    column = _column("sample_weight", sample_weight, m)
    if not column.dtype.is_numeric() and column.dtype.base_type().__name__ != "Boolean":
        raise DataError(f"sample_weight: expected numbers, got {column.dtype}.")
    return checked_weights(column.cast(float).to_numpy(), m, np.dtype(float), "sample_weight")


def _kinds(kinds: Any) -> dict[str, str]:
    """Kinds by the columns' names, which are text: 0 names the column 0."""
    if not isinstance(kinds, Mapping | None):
        raise SettingError(f"kinds: expected a mapping of column names to kinds, got {kinds!r}.")
    return {str(name): kind for name, kind in (kinds or {}).items()}


def _seed(random_state: Any) -> int:
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _listed(callbacks: Any) -> Sequence[Callback]:
    listed = [callbacks] if callable(callbacks) else callbacks or ()
    if not isinstance(listed, Sequence) or not all(map(callable, listed)):
        raise SettingError(
            f"callbacks: expected a callable, or a sequence of them; got {callbacks!r}."
        )
    return listed


def _warn_of_dropped(preprocessing: Preprocessing) -> None:
    """Name the columns that are left out though they vary: the command says it of all."""
    found = [
        f"{column.name!r} ({column.why})"
        for column in preprocessing.columns
        if isinstance(column, Dropped) and column.why.startswith(("identifier", "free text"))
    ]
    if found:
        warnings.warn(
            f"columns left out: {', '.join(found)}. To keep one: kinds={{NAME: 'category'}}, or "
            "another kind.",
            UserWarning,
            stacklevel=4,
        )


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
