"""The worked example: 5 → 4 → 3 → 1, two examples, small enough to follow by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.layers import Dense
from deltarule.network import Network, Parameters


class WorkedExample(NamedTuple):
    """A network with whole-number parameters, two examples as rows, and a learning rate.

    Attributes
    ----------
    network : Network
        ReLU, ReLU, sigmoid; binary cross entropy.
    parameters : Parameters
        float64.
    X, Y : float64 arrays, shapes (2, 5) and (2, 1)
    learning_rate : float
    """

    network: Network
    parameters: Parameters
    X: Array
    Y: Array
    learning_rate: float


def worked_example() -> WorkedExample:
    """The worked example of documentation, tests and pages.

    Returns
    -------
    WorkedExample

    Examples
    --------
    >>> example = worked_example()
    >>> example.network.sizes, example.X.shape
    ((5, 4, 3, 1), (2, 5))
    """
    network = Network(
        5, [Dense(4, "relu"), Dense(3, "relu"), Dense(1, "sigmoid")], "binary_cross_entropy"
    )
    W1 = [[-1, 0, -1, 1, -1], [0, 0, 1, 0, -1], [-1, 1, -1, 1, -1], [1, -1, 1, 1, 0]]
    W2 = [[0, 1, 1, -1], [0, 1, 0, 0], [-1, 0, -1, 1]]
    W3 = [[1, -1, 1]]
    b1, b2, b3 = [[1], [1], [0], [1]], [[-1], [1], [0]], [[1]]
    parameters = tuple(
        {"W": np.array(W, dtype=np.float64), "b": np.array(b, dtype=np.float64)}
        for W, b in ((W1, b1), (W2, b2), (W3, b3))
    )
    X = np.array([[1, 0, 2, 0, 1], [0, 1, 1, 2, -1]], dtype=np.float64)
    Y = np.array([[0], [1]], dtype=np.float64)
    return WorkedExample(network, parameters, X, Y, learning_rate=0.1)
