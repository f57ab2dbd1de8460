"""The preprocessing as a step of a scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data import dataset_of, frame_of
from deltarule.errors import require
from deltarule.preprocessing.table import Preprocessing

require("sklearn", "sklearn", "TableTransformer")

from sklearn.base import BaseEstimator, TransformerMixin  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402


class TableTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns a table of any kinds of columns into numbers, as ``deltarule train`` does.

    Categories have one-hot columns only: other models have no embedding of codes.

    Parameters
    ----------
    kinds : mapping of str to str, optional
        Kinds of some columns, as in :meth:`Preprocessing.fit`.

    Attributes
    ----------
    preprocessing_ : Preprocessing
        What was learnt; ``preprocessing_.describe()`` says what was done with each column.

    Examples
    --------
    >>> frame = {"area": [50.0, None, 70.0], "town": ["A", "B", "A"]}
    >>> transformer = TableTransformer().fit(frame)
    >>> transformer.get_feature_names_out().tolist()
    ['area', 'area is missing', 'town = A', 'town = B']
    >>> transformer.transform(frame).shape
    (3, 4)
    """

    def __init__(self, kinds: Mapping[str, str] | None = None) -> None:
        self.kinds = kinds

    def fit(self, X: Any, y: Any = None) -> TableTransformer:
        """Learn from the training rows of a data frame, array or mapping of columns.

        Parameters
        ----------
        X : data frame, array or mapping
        y : ignored
        """
        data = dataset_of(frame_of(X))
        self.preprocessing_ = Preprocessing.fit(data, kinds=self.kinds).one_hot()
        self.n_features_in_ = data.frame.width
        self.feature_names_in_ = np.array(data.frame.columns, dtype=object)
        return self

    def transform(self, X: Any) -> Array:
        """Rows as float32 ``(m, width)``."""
        check_is_fitted(self)
        return self.preprocessing_.transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns that :meth:`transform` makes.

        Parameters
        ----------
        input_features : ignored
            The names are those of the training table.
        """
        check_is_fitted(self)
        return np.array(self.preprocessing_.names, dtype=object)
