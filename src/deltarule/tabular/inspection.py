"""What an estimator for tables reports of its fit: feature importance, baselines, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

import deltarule.baselines as bl
from deltarule.arrays import Array
from deltarule.data import Reading
from deltarule.errors import require
from deltarule.modelfile import Model
from deltarule.report.evidence import Importance, importances
from deltarule.tabular.assembly import one_table
from deltarule.tabular.contributions import (
    TOLERANCE,
    Contributions,
    TableContributions,
    explain_rows,
    explain_table,
)
from deltarule.tabular.evidence import evidence
from deltarule.tabular.fitting import baselines, evaluate
from deltarule.tabular.metadata import roles_of
from deltarule.tabular.problems import Problem, test_rows
from deltarule.tabular.record import record
from deltarule.tabular.settings import Roles, Settings

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402


@dataclass(frozen=True)
class Comparison:
    """A network beside the baselines, on the same rows.

    Attributes
    ----------
    metrics : dict of str to dict
        Of each model by name, the network first, its metrics by name.
    verdict : str
        Whether the network wins, loses, or it is too close to call.
    """

    metrics: Mapping[str, Mapping[str, float]]
    verdict: str


@dataclass(frozen=True)
class Trained:
    """The newest training of an estimator, kept for what is computed when it is first looked at.

    Attributes
    ----------
    model : Model
    problem : Problem
    settings : Settings
    """

    model: Model
    problem: Problem
    settings: Settings

    @cached_property
    def importances(self) -> list[Importance]:
        """Of the validation rows, as a training report shows them."""
        part = self.problem.parted(self.problem.validation)
        model = replace(self.model, preprocessing=part.preprocessing)
        return _importances(model, part.roles, part.test, self.seed)

    @cached_property
    def comparison(self) -> Comparison:
        """On the validation rows; the baselines learn from the other training rows."""
        problem, first = self.problem, self.problem.validation
        if any(parts is not first for parts in problem.validations):
            raise NotFittedError(
                "baselines_, verdict_: the networks of an ensemble have learned from each other's "
                "validation rows. Call compare(X, y) with rows that fit has not seen."
            )
        return self.compared(problem.parted(first))

    @property
    def seed(self) -> int:
        """What columns are shuffled by."""
        return self.settings.seed

    def on(self, test: Any, weights: str | None) -> Comparison:
        """On other rows; the baselines learn from all training rows.

        Parameters
        ----------
        test : polars.DataFrame
        weights : str or None
            Its column of weights.
        """
        problem, roles = self.problem, self.problem.roles
        name, train = roles.weights or weights, problem.train
        if name is not None:
            polars = require("polars", "table", "reading tables")
            ones = polars.lit(1.0).alias(name)
            test = test.with_columns(ones if weights is None else polars.col(weights).alias(name))
            train = train if roles.weights else train.with_columns(ones)
        roles = replace(roles, weights=name)
        return self.compared(replace(problem, roles=roles, train=train, test=test))

    def compared(self, problem: Problem) -> Comparison:
        """The network beside the baselines on a problem's test rows."""
        model = replace(self.model, preprocessing=problem.preprocessing)
        network = evaluate(model, problem.test, problem.roles)
        others = baselines(problem, self.settings)
        metrics = {each.name: each.figures for each in (network, *others)}
        return Comparison(metrics, bl.verdict(problem.task, network, others))


class Inspection:
    """What an estimator tells of its fit, computed when it is first asked for."""

    model_: Model
    feature_names_in_: Array

    def importances(self, X: Any = None, y: Any = None, sample_weight: Any = None) -> Any:
        """Feature importance: how much the loss rises when a column is shuffled.

        The loss is the log loss, or the squared error in units of the target's spread. On the same
        rows the numbers are those of the training report (``deltarule train --report``).

        Parameters
        ----------
        X, y, sample_weight
            Rows that :meth:`fit` has not seen; by default its validation rows.

        Returns
        -------
        polars.DataFrame
            ``column``, ``mean`` and ``spread`` (the standard deviation over the shuffles), the
            most important first.
        """
        polars = require("polars", "table", "reading tables")
        if X is None:
            found = self._trained().importances
        else:
            frame, roles = self._rows_of(X, y, sample_weight)
            seed = record(self.model_)["settings"]["seed"]
            found = _importances(self.model_, roles, frame, seed)
        rows = [(each.name, each.rise, each.spread) for each in found]
        return polars.DataFrame(rows, schema=["column", "mean", "spread"], orient="row")

    @property
    def feature_importances_(self) -> Array:
        """The mean of :meth:`importances` on the validation rows, in the order of X's columns.

        0 for a column that is left out.
        """
        rises = {each.name: each.rise for each in self._trained().importances}
        return np.array([rises.get(name, 0.0) for name in self.feature_names_in_])

    def compare(self, X: Any, y: Any, sample_weight: Any = None) -> Comparison:
        """The network beside the baselines of ``deltarule train``, on rows that no fit has seen.

        The baselines are fitted on the rows that :meth:`fit` was given. On the same rows the
        numbers are those of the command.

        Parameters
        ----------
        X, y, sample_weight
            As of :meth:`score`.
        """
        training = self._trained()
        frame, roles = self._rows_of(X, y, sample_weight)
        return training.on(frame, roles.weights)

    @property
    def baselines_(self) -> Mapping[str, Mapping[str, float]]:
        """The metrics of the network and of each baseline on the validation rows.

        These rows chose the network's best epoch, so its metrics are slightly optimistic;
        :meth:`compare` takes rows that nothing has seen.
        """
        return self._trained().comparison.metrics

    @property
    def verdict_(self) -> str:
        """:attr:`baselines_` in a sentence."""
        return self._trained().comparison.verdict

    def explain_rows(
        self, X: Any, baseline: Any = None, tolerance: float = TOLERANCE
    ) -> Contributions:
        """Why each row is predicted so: what each column contributes, from a reference row to it.

        Contributions are in the target's units, or log-odds, and add up to the difference from
        the reference row's prediction, but for a residual that is shown.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        baseline : mapping or table of one row, optional
            The reference row; columns that it lacks have training medians and most frequent
            levels, as all have by default.
        tolerance : float
            Largest residual, as a share of the target's spread or in log-odds: a larger one takes
            less time.

        Raises
        ------
        SettingError, UnknownNameError
            For a reference row that does not fit, or a tolerance that is not above 0.

        Examples
        --------
        >>> import deltarule as dr
        >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
        >>> fitted = dr.TabularRegressor(epochs=9, n_ensemble=1, random_state=0).fit(X, X["area"])
        >>> why = fitted.explain_rows(X, baseline={"area": 50.0})
        >>> why.frame.columns
        ['contribution_area', 'contribution_town', 'reference', 'residual']
        """
        frame = self._framed(X)  # type: ignore[attr-defined]
        return explain_rows(self.model_, frame, baseline, tolerance)

    def explain_table(
        self, X: Any, baseline: Any = None, tolerance: float = TOLERANCE
    ) -> TableContributions:
        """What each column does over many rows: how much, in which direction, to which values.

        Parameters
        ----------
        X, baseline, tolerance
            As of :meth:`explain_rows`.
        """
        frame = self._framed(X)  # type: ignore[attr-defined]
        return explain_table(self.model_, frame, baseline, tolerance)

    def __getstate__(self) -> Any:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}

    def _trained(self) -> Trained:
        check_is_fitted(self)
        training: Trained | None = vars(self).get("_training")
        if training is None:
            raise NotFittedError(
                f"{type(self).__name__}: files and pickles do not keep the training rows. Call "
                "importances(X, y) for feature importance; for the baselines, fit again."
            )
        return training

    def _rows_of(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Roles]:
        """Rows with their targets under the names that the model has for them."""
        framed: Any = self._framed(X)  # type: ignore[attr-defined]
        model, own = self.model_, roles_of(self.model_).weights
        named = {"weights": own if sample_weight is None and own in framed.columns else None}
        assert model.preprocessing is not None
        assert model.targets is not None
        reading = model.preprocessing.reading or Reading(columns={})
        data, roles = one_table(
            framed, y, {"weights": sample_weight}, named, reading, model.targets.names
        )
        frame, _ = test_rows(model.targets, roles, data.frame, True, "test table")
        return frame, roles


def _importances(model: Model, roles: Roles, frame: Any, seed: int) -> list[Importance]:
    return importances(evidence(model, roles, frame, np.arange(len(frame))), seed=seed)
