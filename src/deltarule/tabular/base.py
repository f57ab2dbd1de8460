"""What both estimators for tables share: one frame out of X and y, the fit, the model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from deltarule.arrays import Array, checked_weights
from deltarule.data import Dataset, column_of, dataset_of, frame_of, has_names
from deltarule.data.values import computable
from deltarule.errors import DataError, SettingError, ShapeError, require
from deltarule.modelfile import Model, load_model, save_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.columns import Dropped
from deltarule.tabular.fitting import Fitted, fit
from deltarule.tabular.metadata import about, fingerprint
from deltarule.tabular.problems import FEWEST_ROWS, Table, problem, table
from deltarule.tabular.roles import inputs_of
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
        data, roles = _with_roles(X, y, sample_weight, {"groups": groups, "time": time})
        roles = replace(roles, kinds=_checked_kinds(self.kinds))
        own = {name: value for name, value in self.get_params().items() if name not in _OWN}
        chosen = Settings(seed=_seed(self.random_state), task=self._task, **{**own, **settings})
        whole = table(data, roles, task=self._task, strict=True)
        everything = problem(whole, chosen, np.arange(len(whole.frame)), whole.frame[:0])
        _warn_of_dropped(everything.preprocessing)
        fitted = fit(everything, chosen, _listed(self.callbacks))
        self._learn(_described(whole, chosen, fitted), inputs_of(whole.frame, roles).columns)
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
        if has_names(X):
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


def _with_roles(
    X: Any, y: Any, sample_weight: Any, others: Mapping[str, Any]
) -> tuple[Dataset, Roles]:
    """One table of inputs, targets and what else there is a value of for each row."""
    data = dataset_of(frame_of(X))
    frame = data.frame
    if not frame.width:
        raise DataError(f"X: 0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if len(frame) == 1:
        raise DataError(f"X: got one sample; expected at least {FEWEST_ROWS} rows.")
    m = len(frame)
    targets, weights = targets_of(y, m), weights_of_rows(sample_weight, m)
    further = {} if weights is None else {"weights": column_of("weights", weights)}
    further |= {role: _read(role, v, m) for role, v in others.items() if v is not None}
    placed: dict[str, str] = {}
    for role, column in [*targets.items(), *further.items()]:
        name = role
        while name in frame.columns:
            name += "_"
        placed[role] = name
        frame = frame.with_columns(column.alias(name))
    weight, group, time = (placed.get(role) for role in ("weights", "groups", "time"))
    names = tuple(placed[name] for name in targets)
    return data.with_frame(frame), Roles(names, weight, group, time)


def targets_of(y: Any, m: int | None = None) -> dict[str, Any]:
    """Targets by name, as polars columns of the values that they are: ``target`` without a name.

    Raises
    ------
    DataError
        For no targets, a single value, an array of more than two dimensions; for other than `m`
        rows.
    """
    if y is None:
        raise DataError("fit requires y to be passed, but the target y is None.")
    if hasattr(y, "columns") or rank_of(y) == 2:
        columns = [_counted("target", computable(column), m) for column in frame_of(y)]
        if hasattr(y, "columns"):
            return {column.name: column for column in columns}
        if len(columns) == 1:
            return {"target": columns[0]}
        return {f"target_{i}": column for i, column in enumerate(columns, 1)}
    return {str(getattr(y, "name", None) or "target"): computable(_vector("target", y, m))}


def _read(role: str, values: Any, m: int) -> Any:
    """What rows are split by, as a column whose values are read as those of a table are."""
    return dataset_of(frame_of({role: _vector(role, values, m)})).frame[role]


def _vector(role: str, values: Any, m: int | None) -> Any:
    """One value for each row; a table or array of one column is one, too."""
    rank = rank_of(values)
    if hasattr(values, "columns") or rank == 2:
        frame = frame_of(values)
        if frame.width == 1:
            return _counted(role, frame.to_series().alias(role), m)
    if rank != 1:
        got = f"an array of shape {np.shape(values)}" if rank else f"{values!r} alone"
        raise DataError(f"{role}: expected a value for {_rows(m)}, got {got}.")
    return _counted(role, column_of(role, values), m)


def _counted(role: str, column: Any, m: int | None) -> Any:
    if m is not None and len(column) != m:
        raise DataError(f"{role}: expected a value for {_rows(m)}, got {len(column)}.")
    return column


def _rows(m: int | None) -> str:
    return "each row of X" if m is None else f"each of the {m} rows of X"


def rank_of(values: Any) -> int:
    """The number of dimensions; of a list what its first entry has, and one more.

    Examples
    --------
    >>> rank_of([[1], [2]]), rank_of("ab")
    (2, 0)
    """
    if isinstance(values, list | tuple):
        return 1 + (rank_of(values[0]) if values else 0)
    known = values if hasattr(values, "ndim") else np.asarray(values)
    return int(known.ndim)


def weights_of_rows(sample_weight: Any, m: int) -> Array | None:
    """Weights as numbers, of booleans 0 and 1; None stays None.

    Raises
    ------
    ShapeError, DataError
        For what is no finite number from 0 for each of `m` rows.
    """
    if sample_weight is None:
        return None
    if rank_of(sample_weight) > 1:
        raise ShapeError(
            f"sample_weight: expected one number per row of X, shape ({m},), got "
            f"{np.shape(sample_weight)}."
        )
    column = _vector("sample_weight", sample_weight, m)
    if not column.dtype.is_numeric() and column.dtype.base_type().__name__ != "Boolean":
        raise DataError(f"sample_weight: expected numbers, got {column.dtype}.")
    return checked_weights(column.cast(float).to_numpy(), m, np.dtype(float), "sample_weight")


def _checked_kinds(kinds: Any) -> Mapping[str, str]:
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
