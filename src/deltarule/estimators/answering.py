"""What a fitted estimator answers to new rows: checked, and handed to its network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from deltarule.arrays import Array, all_finite
from deltarule.engines.plan import Plan
from deltarule.estimators.fitted import Fitted, parameters_of
from deltarule.estimators.networks import build_network
from deltarule.estimators.rows import check_numbers, rows_of
from deltarule.sparse import CompressedRows


class AnsweringMixin(ABC):
    """Outputs of one network, or the mean of several, and what every layer answers."""

    engine: str
    engine_options: Any
    coefs_: Any
    intercepts_: Any
    n_features_in_: int

    @abstractmethod
    def _task(self) -> tuple[str, str]:
        """The output activation and the cost of the task at hand."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coefs_") or hasattr(self, "estimators_")

    def _holder(self) -> Fitted:
        """The network, with whatever ``coefs_`` and ``intercepts_`` hold now."""
        fitted: Fitted | None = self.__dict__.get("_fitted")
        if fitted is None:
            inputs, outputs = np.shape(self.coefs_[0])[0], len(self.intercepts_[-1])
            network = build_network(self, inputs, outputs, *self._task())
            dtype = np.asarray(self.coefs_[0]).dtype
            parameters = parameters_of(self.coefs_, self.intercepts_, network, dtype)
            plan = Plan(network, dtype=dtype)
            return Fitted(plan, self.engine, self.engine_options, parameters)
        return fitted.heed(self.coefs_, self.intercepts_)

    def _rows(self, X: Any, dtype: np.dtype[Any]) -> Array | CompressedRows:
        """Checked rows to predict from, of the network's dtype."""
        if (
            type(X) is np.ndarray
            and X.dtype == dtype
            and X.ndim == 2
            and X.shape[1] == self.n_features_in_
            and len(X) > 0
            and "feature_names_in_" not in self.__dict__
            and all_finite(X)
        ):
            return X
        check_numbers(X=X)
        X = validate_data(
            self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False
        )
        return rows_of(X, dtype)

    def _outputs(self, X: Any) -> Array:
        """A[L] as rows; of an ensemble, the mean of its members'."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)
        members = self.__dict__.get("estimators_")
        if members is not None:
            X = self._rows(X, members[0].coefs_[0].dtype)
            return np.mean([member._holder().outputs(X) for member in members], axis=0)
        holder = self._holder()
        return holder.outputs(self._rows(X, holder.plan.dtype))

    def activations(self, X: Any) -> list[Array]:
        """What every layer answers to X.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (m, n_features)

        Returns
        -------
        list of array
            A[l] as rows, ``(m, n[l])``, layer 1 to L; the last is the output. Of an ensemble, its
            first member's; the others are in ``estimators_``.
        """
        check_is_fitted(self)
        members = self.__dict__.get("estimators_")
        holder = (members[0] if members else self)._holder()
        return [A for _, A in holder.layers(self._rows(X, holder.plan.dtype))]
