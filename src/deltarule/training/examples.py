"""A run's data: checked against the network, split into what trains and what judges."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_matrix, checked_number, checked_weights
from deltarule.errors import SettingError, ShapeError
from deltarule.network import Network, checked_targets
from deltarule.rng import generator


class Examples(NamedTuple):
    """Checked data: ``X`` ``(m, n[0])``, ``Y`` ``(m, n[L])``, ``weights`` ``(m,)`` or None."""

    X: Array
    Y: Array
    weights: Array | None

    def take(self, chosen: Array) -> Examples:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return Examples(self.X[chosen], self.Y[chosen], weights).frozen()

    def frozen(self) -> Examples:
        """Read-only views: a run's data stays as it is, and an engine may rely on it."""
        views = [None if array is None else array.view() for array in self]
        for view in views:
            if view is not None:
                view.flags.writeable = False
        return Examples(*views)


def checked_examples(
    network: Network, X: Any, Y: Any, weights: Any, dtype: np.dtype[Any]
) -> Examples:
    """A caller's data, checked against a network, C-ordered; copied only where need be.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        With what was expected and got.
    """
    X = np.ascontiguousarray(checked_matrix("X", X, width=network.inputs, dtype=dtype))
    Y = np.ascontiguousarray(checked_targets(network, Y, dtype))
    if len(X) != len(Y):
        raise ShapeError(f"X has {len(X)} rows and Y {len(Y)}; expected as many.")
    return Examples(X, Y, checked_weights(weights, len(X), dtype)).frozen()


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
            f"validation={validation:g} of {m} rows leaves {m - held} to train on and {held} to "
            "judge by; expected at least one each."
        )
    shuffled = generator(seed, "split").permutation(m)
    return data.take(np.sort(shuffled[held:])), data.take(np.sort(shuffled[:held]))
