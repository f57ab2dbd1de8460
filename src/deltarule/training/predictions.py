"""What a network's outputs say: class labels, probabilities, and the metrics of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import Runner
from deltarule.errors import DataError, TypeMismatchError
from deltarule.metrics import figures
from deltarule.network import Network
from deltarule.spec import OneLine
from deltarule.training.examples import Examples

_THRESHOLD = 0.5  # of an output that is the probability of a label


@dataclass(frozen=True, eq=False)
class Labels(OneLine):
    """The classes of a network's outputs, in their order.

    Parameters
    ----------
    classes : array, shape (k,)
        Whole numbers, booleans or text.

    Examples
    --------
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(3, "softmax")], "categorical_cross_entropy")
    >>> labels = Labels.of(network, ["cat", "dog", "cat", "ant"])
    >>> labels.classes.tolist(), labels.codes(["dog", "ant"]).tolist()
    (['ant', 'cat', 'dog'], [2, 0])
    >>> labels.decoded(np.array([[0.1, 0.7, 0.2]])).tolist()
    ['cat']
    """

    classes: Array

    @classmethod
    def of(cls, network: Network, Y: Any) -> Self | None:
        """The classes of targets that are labels: one whole number, boolean or text per example.

        Parameters
        ----------
        network : Network
        Y : array_like
            Whole numbers count the classes from 0; text is sorted.

        Returns
        -------
        Labels or None
            None where the targets are not labels, or the network's outputs no classes.

        Raises
        ------
        DataError
            For text of another number of classes than the network has.
        """
        count = class_count(network)
        values = _read("Y", Y) if count else None
        if values is None:
            return None
        if values.dtype.kind in "iu":
            return cls(np.arange(count))
        if values.dtype.kind == "b":
            return cls(np.array([False, True])) if count == 2 else None
        if values.dtype.kind != "U":
            return None
        classes = np.unique(values)
        if len(classes) != count:
            few = ", ".join(map(repr, classes[:5].tolist())) + ", ..." * (len(classes) > 5)
            raise DataError(
                f"Y: expected labels of {count} classes, as the network's outputs are; got "
                f"{len(classes)}: {few}. Give the last layer one unit for each class (one with "
                "'sigmoid' for two)."
            )
        return cls(classes)

    def codes(self, Y: Any, name: str = "Y") -> Array:
        """Labels as the numbers of their classes; what is not a vector of labels stays as it is.

        Raises
        ------
        DataError
            For text that is none of the classes.
        """
        values = _read(name, Y)
        if values is None:
            return Y
        if values.dtype.kind == "b":
            return values.astype(np.int64)
        if values.dtype.kind != "U" or self.classes.dtype.kind != "U":
            return values
        codes = np.searchsorted(self.classes, values).clip(max=len(self.classes) - 1)
        strange = np.flatnonzero(self.classes[codes] != values)
        if len(strange):
            known = ", ".join(map(repr, self.classes[:10].tolist()))
            raise DataError(
                f"{name}: label {str(values[strange[0]])!r} in row {strange[0]} is none of the "
                f"classes of the training: {known}."
            )
        return codes

    def of_validation(self, validation: Any) -> Any:
        """Validation data, as :func:`~deltarule.train` takes it, with labels as numbers."""
        if not isinstance(validation, (tuple, list)) or len(validation) < 2:
            return validation
        X, Y, *weights = validation
        return (X, self.codes(Y, "validation"), *weights)

    def decoded(self, outputs: Array) -> Array:
        """The most probable class of each example, ``(m,)``, from A[L] as rows."""
        return self.classes[probabilities(outputs).argmax(axis=1)]


def class_count(network: Network) -> int:
    """The number of classes that a network's outputs stand for; 0 where they are not classes.

    Examples
    --------
    >>> from deltarule import Dense
    >>> class_count(Network(2, [Dense(1, "sigmoid")], "binary_cross_entropy"))
    2
    """
    cost, n = network.cost_row, network.outputs
    if cost.uniform is None:
        return 0
    return 2 if n == 1 else n if cost.distribution else 0


def probabilities(outputs: Array) -> Array:
    """The probability of each class, ``(m, k)``, from A[L] as rows: one output is the second's."""
    return np.hstack([1.0 - outputs, outputs]) if outputs.shape[1] == 1 else outputs


def class_sets(P: Array, codes: Array, threshold: float) -> Array:
    """Which classes are in the set of each row, ``(m, k)``: the probable and the predicted one.

    Parameters
    ----------
    P : array, shape (m, k)
        The probability of each class.
    codes : int array, shape (m,)
        The predicted class.
    threshold : float
        The least probability of a class in the set.

    Examples
    --------
    >>> class_sets(np.array([[0.55, 0.45], [0.1, 0.9]]), np.array([0, 1]), 0.4)
    array([[ True,  True],
           [False,  True]])
    """
    found: Array = (threshold <= P) | (codes[:, None] == np.arange(P.shape[1]))
    return found


def checked_probabilities(network: Network, outputs: Array) -> Array:
    """The probability of each class, ``(m, k)``, of a network whose outputs are classes.

    Raises
    ------
    TypeMismatchError
        For another network.
    """
    if not class_count(network):
        raise TypeMismatchError(
            f"predict_proba: expected a network whose outputs are classes, such as one with cost "
            f"'categorical_cross_entropy'; its cost is {network.cost_row.name!r}. Use predict."
        )
    return probabilities(outputs)


def evaluated(runner: Runner, rows: Examples) -> dict[str, float]:
    """The cost, without penalties, and the metrics of what a runner predicts.

    Parameters
    ----------
    runner : Runner
    rows : :class:`~deltarule.training.Examples`

    Examples
    --------
    >>> import deltarule as dr
    >>> from deltarule.training import checked_examples
    >>> runner = dr.start(dr.Network(1, [dr.Dense(1, weights="zeros")]), dtype="float64")
    >>> rows = checked_examples(runner.plan.network, [[0.0], [1.0]], [1.0, 3.0], None, "float64")
    >>> {name: round(value, 3) for name, value in evaluated(runner, rows).items()}
    {'cost': 5.0, 'rmse': 2.236, 'mae': 2.0, 'r2': -4.0}
    """
    network = runner.plan.network
    found = {"cost": float(runner.cost(*rows, penalised=False))}
    outputs = runner.predict(rows.X)
    if class_count(network):
        codes = probabilities(rows.Y).argmax(axis=1)
        return found | figures("classification", codes, probabilities(outputs), rows.weights)
    if network.cost_row.uniform is None:
        return found | figures("regression", rows.Y, outputs, rows.weights)
    right = ((outputs >= _THRESHOLD) == (rows.Y >= _THRESHOLD)).mean(axis=1)  # several labels
    return found | {"accuracy": float(np.average(right, weights=rows.weights))}


def _read(name: str, Y: Any) -> Array | None:
    """A vector as an array that keeps its values apart; None for what is not a vector.

    Left to itself, NumPy makes text of text and numbers.
    """
    try:
        values = np.asarray(Y)
    except ValueError:  # rows of different lengths, which are refused elsewhere
        return None
    if values.ndim != 1 or not len(values):
        return None
    if values.dtype.kind not in "UO":
        return values
    items = Y if isinstance(Y, (list, tuple)) else values
    is_text = [isinstance(label, str) for label in items]
    if not any(is_text):  # no labels, and refused elsewhere
        return None
    for row, label in enumerate(items):
        if not is_text[row]:
            raise TypeMismatchError(
                f"{name}: expected labels that are all text, or all whole numbers; got {label!r} "
                f"of type {type(label).__name__} in row {row}."
            )
    return values.astype(str)
