"""What both estimators for tables share: the fit, the update, the model file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np

from deltarule.data import Reading, frame_of, has_names
from deltarule.errors import SettingError, ShapeError, require
from deltarule.modelfile import Model, load_model, save_model
from deltarule.modelfile.rows import RowPredictor
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.columns import Dropped
from deltarule.tabular.assembly import one_table
from deltarule.tabular.doubts import doubtful_labels
from deltarule.tabular.fitting import Fitted, fit
from deltarule.tabular.metadata import about, fingerprint, roles_of
from deltarule.tabular.problems import Problem, Table, table, table_of_model
from deltarule.tabular.record import reading_record
from deltarule.tabular.settings import Settings
from deltarule.tabular.text_trial import problem
from deltarule.tabular.updating import (
    kept_settings,
    updated_problem,
    updated_recipes,
    updated_settings,
)
from deltarule.training.events import Callback

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402

from deltarule.tabular.inspection import Inspection, Trained  # noqa: E402

_NAMES = frozenset(each.name for each in fields(Settings))
_COLUMNS = ("weights", "groups", "time")  # roles of X's columns


class Tabular(Inspection, BaseEstimator):  # type: ignore[misc]
    """What both estimators share; ``_task`` is the difference."""

    _task: str

    def _fit(self, X: Any, y: Any, given: Mapping[str, Any], **settings: Any) -> Self:
        require("polars", "table", "fitting a table")
        named = {role: getattr(self, role) for role in _COLUMNS}
        data, roles = one_table(X, y, given, named, self._reading())
        kinds = _checked_kinds(self.kinds)
        roles = replace(roles, drop=tuple(map(str, self.drop)), kinds=kinds)
        own = {name: value for name, value in self.get_params().items() if name in _NAMES}
        chosen = Settings(
            **{"seed": _seed(self.random_state), "task": self._task, **own, **settings}
        )
        whole = table(data, roles, task=self._task, strict=True)
        everything = problem(whole, chosen, np.arange(len(whole.frame)), whole.frame[:0])
        for note in (*data.notes, *doubtful_labels(whole)):
            warnings.warn(note, UserWarning, stacklevel=3)
        _warn_of_dropped(everything.preprocessing)
        fitted = fit(everything, chosen, _listed(self.callbacks))
        self._learn(_described(whole, chosen, fitted), frame_of(X).columns)
        self._keep(fitted, everything, chosen)
        return self

    def _update(
        self, X: Any, y: Any, given: Mapping[str, Any], epochs: int | None, rate: float | None
    ) -> Self:
        """Train further on new rows, from the parameters that are there."""
        frame, model = self._framed(X), self.model_
        stored = roles_of(model)
        named = {role: getattr(stored, role) for role in _COLUMNS}
        named = {role: name if name in frame.columns else None for role, name in named.items()}
        assert model.preprocessing is not None
        reading = model.preprocessing.reading or Reading(columns={})
        data, roles = one_table(frame, y, given, named, reading, stored.target)
        whole = table_of_model(
            model, data, replace(roles, drop=stored.drop, kinds=stored.kinds), strict=True
        )
        limits = {"epochs": epochs, "learning_rate": rate}
        settings = updated_settings(model, {k: v for k, v in limits.items() if v is not None})
        rows = np.arange(len(whole.frame))
        everything = updated_problem(model, whole, settings, rows, whole.frame[:0])
        recipes = updated_recipes(model, everything, settings)
        fitted = fit(everything, settings, _listed(self.callbacks), recipes=recipes)
        self.model_ = _described(whole, kept_settings(model, settings), fitted, model)
        self._keep(fitted, everything, settings)
        return self

    def _reading(self) -> Reading:
        """How the values of X are read."""
        missing: Any = self.missing
        own: Any = missing if isinstance(missing, str) else tuple(missing)  # text alone is refused
        return Reading(
            missing=own, decimal_comma=self.decimal_comma, plain=self.plain, dates=self.dates
        )

    def _learn(self, model: Model, columns: Sequence[str]) -> None:
        self.model_ = model
        self.n_features_in_ = len(columns)
        self.feature_names_in_ = np.array(columns, dtype=object)

    def _keep(self, fitted: Fitted, everything: Problem, settings: Settings) -> None:
        """What is known of the newest training."""
        self.history_ = fitted.result.history
        self.n_iter_ = len(self.history_)
        self._training = Trained(self.model_, everything, settings)

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

    def row_predictor(self) -> RowPredictor:
        """What predicts one row at a time from a dict, in microseconds: for a server, or a loop."""
        check_is_fitted(self)
        return self.model_.row_predictor()

    def predict_row(self, row: Mapping[str, Any]) -> Any:
        """The prediction of one row: a label, a number, or of several targets a dict of numbers.

        Parameters
        ----------
        row : mapping of str to cell
            A cell for each column of X, by its name; None for a missing value.

        Raises
        ------
        DataError
            For a name that is missing or unknown, and for a cell that cannot be read.
        """
        check_is_fitted(self)
        return self.model_.predict_row(row)

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
        if isinstance(column, Dropped) and column.hardly_recurs
    ]
    if found:
        warnings.warn(
            f"columns left out: {', '.join(found)}. To keep one: kinds={{NAME: 'category'}}, or "
            "another kind.",
            UserWarning,
            stacklevel=4,
        )


def _described(
    whole: Table, settings: Settings, fitted: Fitted, updated: Model | None = None
) -> Model:
    """The model with what is known about its training, as the command keeps it."""
    known = about(
        whole,
        settings,
        fitted,
        [],
        mark=fingerprint(whole.frame),
        judged_by="nothing",
        reading=reading_record(whole.reading),
        verdict="",
        updated=updated,
    )
    return replace(fitted.model, about=known)
