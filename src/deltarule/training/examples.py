"""A run's data: checked against the network, split into training and validation rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_number, checked_weights
from deltarule.errors import SettingError, ShapeError
from deltarule.network import Network, checked_targets
from deltarule.rng import generator
from deltarule.sparse import CompressedRows, checked_rows, is_sparse


class Examples(NamedTuple):
    """Checked data: ``X`` ``(m, n[0])``, ``Y`` ``(m, n[L])``, ``weights`` ``(m,)`` or None.

    ``X`` is an array or :class:`~deltarule.sparse.CompressedRows`.
    """

    X: Array | CompressedRows
    Y: Array
    weights: Array | None

    def take(self, chosen: Array) -> Examples:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        X = self.X.take(chosen) if isinstance(self.X, CompressedRows) else self.X[chosen]
        return Examples(X, self.Y[chosen], weights).frozen()

    def frozen(self) -> Examples:
        """Read-only views: a run's data stays as it is, and an engine may rely on it."""
        return Examples(*(_frozen(array) for array in self))


def checked_examples(
    network: Network, X: Any, Y: Any, weights: Any, dtype: np.dtype[Any]
) -> Examples:
    """A caller's data, checked against a network, C-ordered or CSR; copied only where need be.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        With what was expected and got.
    """
    X = checked_rows("X", X, width=network.inputs, dtype=dtype)
    Y = np.ascontiguousarray(checked_targets(network, Y, dtype))
    if len(X) != len(Y):
        raise ShapeError(f"X has {len(X)} rows and Y {len(Y)}; expected as many.")
    return Examples(X, Y, checked_weights(weights, len(X), dtype)).frozen()


def data_memory(
    network: Network, X: Any, Y: Any, dtype: np.dtype[Any], *, splits: bool
) -> tuple[int, int]:
    """How many rows a caller's data has, and how many bytes of copies a run makes of it.

    Parameters
    ----------
    network : Network
    X, Y : array_like or sparse matrix
        Not checked yet: of what is not a table there are no rows.
    dtype : dtype
    splits : bool
        Whether a share of the rows is held out, which copies both parts.
    """
    shape = X.shape if hasattr(X, "shape") else (len(X),) if hasattr(X, "__len__") else ()
    rows = int(shape[0]) if shape else 0
    total = 0
    for array, width in ((X, network.inputs), (Y, network.outputs)):
        own = array.data if is_sparse(array) else array
        known = isinstance(own, np.ndarray)
        stays = known and own.dtype == dtype and own.flags.c_contiguous
        entries = max(own.size if known else 0, 0 if is_sparse(array) else rows * width)
        total += (splits + (not stays)) * entries * dtype.itemsize
    return rows, total


def split_examples(
    network: Network, data: Examples, validation: Any, seed: int, dtype: np.dtype[Any]
) -> tuple[Examples, Examples | None]:
    """Training and validation data.

    Raises
    ------
    ShapeError, SettingError
        For validation data that is none, or a share that leaves one part empty.
    """
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)):
        if len(validation) not in (2, 3):
            raise ShapeError(
                "validation: expected a share, (X, Y) or (X, Y, weights); "
                f"got {len(validation)} items."
            )
        X, Y, *weights = validation
        return data, checked_examples(network, X, Y, weights[0] if weights else None, dtype)
    checked_number("train", "validation", validation, low=0, high=1, open_low=True, open_high=True)
    m = len(data.X)
    held = round(validation * m)
    if not 0 < held < m:
        raise SettingError(
            f"validation={validation:g} of {m} rows leaves {m - held} for training and {held} for "
            "validation; expected at least one each."
        )
    shuffled = generator(seed, "split").permutation(m)
    return data.take(np.sort(shuffled[held:])), data.take(np.sort(shuffled[:held]))


def _frozen(values: Any) -> Any:
    """A read-only view."""
    if isinstance(values, CompressedRows):
        data, indices, indptr = map(_frozen, (values.data, values.indices, values.indptr))
        return CompressedRows(data, indices, indptr, values.shape)
    if values is None:
        return None
    view = values.view()
    view.flags.writeable = False
    return view
