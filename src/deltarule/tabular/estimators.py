"""Estimators for tables, with scikit-learn's interface: ``deltarule train`` in a pipeline.

They contain no separate training: what they fit is what the command fits from the same rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any, Self, TypeVar

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import DataError, require
from deltarule.modelfile import Model
from deltarule.spec import unknown_keyword
from deltarule.tabular.calibration import interval_ends, prediction_sets
from deltarule.tabular.options import documented
from deltarule.tabular.quantiles import quantiles_of
from deltarule.tabular.settings import DECISION, Roles, Settings, ValueOptions

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from sklearn.base import ClassifierMixin, RegressorMixin  # noqa: E402
from sklearn.exceptions import DataConversionWarning  # noqa: E402
from sklearn.utils import compute_sample_weight  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402

from deltarule.estimators.labels import check_one_type  # noqa: E402
from deltarule.tabular.assembly import rank_of, targets_of, weights_of_rows  # noqa: E402
from deltarule.tabular.base import Tabular  # noqa: E402

_GROUPS = (Settings, Roles, ValueOptions)
_FURTHER = ("kinds", "random_state", "callbacks")
_SAID_ELSEWHERE = frozenset({"task", "test_share", "seed", "target", "kinds"})
"""Options that the class, ``random_state``, y or a separate parameter stands for."""

Estimator = TypeVar("Estimator")


def _with_settings(*lacking: str) -> Callable[[type[Estimator]], type[Estimator]]:
    """Give a class a constructor with a keyword per setting, which its docstring lists.

    scikit-learn reads an estimator's parameters from the signature; the constructor keeps them as
    they are given.
    """
    own = {
        group: [each for each in fields(group) if each.name not in _SAID_ELSEWHERE.union(lacking)]
        for group in _GROUPS
    }
    defaults = {each.name: each.default for found in own.values() for each in found}
    defaults |= dict.fromkeys(_FURTHER)
    keywords = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in defaults.items()
    ]
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *keywords])

    def decorated(cls: type[Estimator]) -> type[Estimator]:
        def __init__(self: Any, **given: Any) -> None:  # noqa: N807
            if unknown := sorted(given.keys() - defaults.keys()):
                raise unknown_keyword(cls.__name__, unknown[0], list(defaults))
            vars(self).update(defaults | given)

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign]
        for group, found in reversed(own.items()):
            names = [each.name for each in found if each.name != "class_weight"]
            cls.__doc__ = documented(cls.__doc__ or "", group, names)
        return cls

    return decorated


@_with_settings("quantiles")
class TabularClassifier(ClassifierMixin, Tabular):  # type: ignore[misc]
    """A strong network for classes in a table: categories, missing values and scales included.

    It takes data frames, arrays and sparse matrices as they are, and does what ``deltarule train``
    does. Probabilities are calibrated on held-out rows. What is None is chosen by the recipe, from
    the task and the size of the table.

    Parameters
    ----------
    class_weight : "balanced", dict or None
        How much each class counts.
    kinds : mapping of str to str, optional
        Override columns' inferred types: ``{"zip": "category"}``.
    random_state : int, RandomState or None
        Of everything random: the split, initial parameters, order and dropout. None draws a seed.
    callbacks : callable or sequence of callables, optional
        Called with every event of the first network's training.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        The labels, in the order of the probabilities.
    model_ : Model
        The networks with their preprocessing, as a file holds them.
    history_ : tuple of EpochEnded
        Of the first network.
    n_iter_ : int
        Epochs of the first network.
    n_features_in_, feature_names_in_ : int, array of str
        The columns of X: their number, and their names where they have any.
    feature_importances_ : array, one number per column of X
        Rise of the loss when a column is shuffled, on the validation rows; see
        :meth:`importances`. Computed when it is first asked for.
    baselines_ : mapping of str to mapping
        Metrics of the network and of simple models on the validation rows, likewise.
    verdict_ : str
        The same in a sentence.

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
        y = _labels(y)
        rule = self.class_weight
        own: dict[str, Any] = {"class_weight": rule}
        if not (rule is None or isinstance(rule, str)):
            sample_weight, own = (
                _times_class_weights(sample_weight, rule, y),
                {"class_weight": None},
            )
        return self._fit(X, y, {"weights": sample_weight, "groups": groups, "time": time}, **own)

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        time: Any = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
    ) -> Self:
        """Train further on new rows; an estimator that is not fitted is fitted to them.

        Columns, encodings, classes, network and settings stay; a value that training has not seen
        is none of its column's levels. Training starts from the parameters that are there, with a
        fresh optimizer, and a fifth of the new rows choose the best epoch: where none is better,
        the parameters stay. Every network of an ensemble is updated.

        Parameters
        ----------
        X, y, sample_weight, groups, time
            As of :meth:`fit`.
        classes : array_like, optional
            All classes, as scikit-learn's ``partial_fit`` takes them: those of the first rows.
        epochs : int, optional
            By default as many as the recipe gives this number of rows.
        learning_rate : float, optional
            By default a quarter of that of :meth:`fit`.

        Raises
        ------
        DataError
            For columns that X lacks, and for classes that the first rows did not have.
        """
        y = _labels(y)
        if not hasattr(self, "model_"):
            _check_classes(classes, targets_of(y))
            return self.fit(X, y, sample_weight, groups=groups, time=time)
        _check_classes(classes, {"classes": self.classes_})
        given = {"weights": sample_weight, "groups": groups, "time": time}
        return self._update(X, y, given, epochs, learning_rate)

    def _learn(self, model: Model, columns: Sequence[str]) -> None:
        super()._learn(model, columns)
        assert model.targets is not None
        self.classes_ = np.array(model.targets.classes)

    def predict(self, X: Any) -> Array:
        """The class of each row, ``(m,)``: the likeliest, or of two the one above its threshold.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        frame = self._framed(X)
        assert self.model_.targets is not None
        return self.classes_[self.model_.targets.codes(self.model_.outputs(frame))]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, ``(m, n_classes)``, in the order of ``classes_``.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        frame = self._framed(X)
        return self.model_.predict_proba(frame)

    def predict_proba_row(self, row: Mapping[str, Any]) -> dict[Any, float]:
        """The probability of each class for one row, by class.

        Parameters
        ----------
        row : mapping of str to cell
            As of :meth:`predict_row`.
        """
        check_is_fitted(self)
        return self.model_.predict_proba_row(row)

    def predict_set(self, X: Any, coverage: float = 0.9) -> Array:
        """Sets of classes that hold the true one in so large a share of rows: ``(m, n_classes)``.

        Where a class is in the row's set, there is True; the predicted class always is. The
        fewer classes, the surer the model is of the row. The coverage is that of all rows
        together, not of each class.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        coverage : float

        Returns
        -------
        bool array, shape (m, n_classes)
            In the order of ``classes_``.

        Raises
        ------
        SettingError
            For a coverage that the held-out rows cannot tell.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> classifier = TabularClassifier(epochs=30, random_state=0).fit(X, y)
        >>> sets = classifier.predict_set(X, 0.95)
        >>> bool(sets[range(150), y].mean() > 0.9), bool(sets.sum(axis=1).mean() < 1.5)
        (True, True)
        """
        return prediction_sets(self.model_, self._framed(X), coverage)[1]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose label is predicted, of labels as :meth:`fit` takes them.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        y : array_like, shape (m,)
        sample_weight : array_like, shape (m,), optional
        """
        (labels,) = targets_of(y).values()
        found: float = super().score(X, np.array(labels.to_list()), sample_weight)
        return found


def _labels(y: Any) -> Any:
    """Labels as a column of their values; of a column vector, with scikit-learn's warning.

    Numbers with fractions are refused: as classes they would come back as text, which its scores
    do not take.
    """
    check_one_type(y)
    targets = targets_of(y)
    if hasattr(y, "columns") or len(targets) > 1:
        return y
    (labels,) = targets.values()
    if rank_of(y) == 2:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected.",
            DataConversionWarning,
            stacklevel=3,
        )
    if labels.dtype.is_float():
        odd = labels.filter(labels != labels.floor())
        if len(odd):
            raise DataError(
                f"y: Unknown label type: continuous, such as {odd[0]:g}; expected text, booleans "
                "or whole numbers. Take TabularRegressor, or write the classes as text."
            )
    return labels


def _check_classes(classes: Any, known: Mapping[str, Any]) -> None:
    """Refuse classes that no row has shown: a network has an output for each."""
    found = {label for values in known.values() for label in values}
    lacking = [] if classes is None else [label for label in classes if label not in found]
    if lacking:
        raise DataError(
            f"classes: expected those of the rows that fit was given; got {lacking[0]!r} beside "
            "them. Pass rows of every class first, or fit again."
        )


def _times_class_weights(sample_weight: Any, rule: Mapping[Any, float], y: Any) -> Any:
    """The rows' weights times those of their classes; of what :meth:`fit` refuses, as they are."""
    if hasattr(y, "columns") or rank_of(y) != 1 or y.null_count():
        return sample_weight
    own = weights_of_rows(sample_weight, len(y))
    of_classes = compute_sample_weight(rule, y.to_numpy())
    return of_classes if own is None else own * of_classes


@_with_settings("class_weight", "label_smoothing", *DECISION)
class TabularRegressor(RegressorMixin, Tabular):  # type: ignore[misc]
    """A strong network for numbers from a table: categories, missing values and scales included.

    As :class:`TabularClassifier`, for one target or several at once. Intervals come from held-out
    rows.

    Parameters
    ----------
    kinds : mapping of str to str, optional
        Override columns' inferred types: ``{"zip": "category"}``.
    random_state : int, RandomState or None
        Of everything random: the split, initial parameters, order and dropout. None draws a seed.
    callbacks : callable or sequence of callables, optional
        Called with every event of the first network's training.

    Attributes
    ----------
    model_ : Model
        The networks with their preprocessing, as a file holds them.
    history_ : tuple of EpochEnded
        Of the first network.
    n_iter_ : int
        Epochs of the first network.
    n_features_in_, feature_names_in_ : int, array of str
        The columns of X: their number, and their names where they have any.
    feature_importances_ : array, one number per column of X
        Rise of the loss when a column is shuffled, on the validation rows; see
        :meth:`importances`. Computed when it is first asked for.
    baselines_ : mapping of str to mapping
        Metrics of the network and of simple models on the validation rows, likewise.
    verdict_ : str
        The same in a sentence.

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
        self._fit(X, y, {"weights": sample_weight, "groups": groups, "time": time})
        self._one_target = rank_of(y) < 2
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        time: Any = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
    ) -> Self:
        """Train further on new rows, as :meth:`TabularClassifier.partial_fit`.

        Parameters
        ----------
        X, y, sample_weight, groups, time
            As of :meth:`fit`.
        epochs : int, optional
            By default as many as the recipe gives this number of rows.
        learning_rate : float, optional
            By default a quarter of that of :meth:`fit`.

        Raises
        ------
        DataError
            For columns that X lacks.
        """
        if not hasattr(self, "model_"):
            return self.fit(X, y, sample_weight, groups=groups, time=time)
        given = {"weights": sample_weight, "groups": groups, "time": time}
        return self._update(X, y, given, epochs, learning_rate)

    def predict(self, X: Any) -> Array:
        """A number for each row, ``(m,)``, or ``(m, targets)`` where `y` had columns.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)
        """
        found = self._values(X)
        return found[:, 0] if self._is_vector else found

    def predict_interval(self, X: Any, share: float = 0.9) -> Array:
        """The ends between which so large a share of the true values lie: ``(…, 2)``.

        Their distance follows the row where validation rows say clearly that it should.

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
        _, low, high = interval_ends(self.model_, self._framed(X), share)
        ends = np.stack([low, high], axis=-1)
        return ends[:, 0] if self._is_vector else ends

    def predict_quantiles(self, X: Any) -> Array:
        """The quantiles that the regressor was trained for, ``(m, levels)``; they never cross.

        Parameters
        ----------
        X : data frame, array or sparse matrix, shape (m, columns)

        Returns
        -------
        array, shape (m, levels) or (m, targets, levels)

        Raises
        ------
        SettingError
            For a regressor without ``quantiles``.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> regressor = TabularRegressor(quantiles=(0.1, 0.9), epochs=30, random_state=0).fit(X, y)
        >>> low, high = regressor.predict_quantiles(X).T
        >>> bool((low <= high).all()), bool(((low < y) & (y < high)).mean() > 0.6)
        (True, True)
        """
        frame = self._framed(X)
        found = quantiles_of(self.model_, frame)
        return found[:, 0] if self._is_vector else found

    def _values(self, X: Any) -> Array:
        """Predictions ``(m, targets)``."""
        frame = self._framed(X)
        assert self.model_.targets is not None
        return self.model_.targets.values(self.model_.outputs(frame))

    @property
    def _is_vector(self) -> bool:
        assert self.model_.targets is not None
        return getattr(self, "_one_target", len(self.model_.targets.names) == 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
