"""What the words of a model's text columns do to its predictions, the strongest first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.modelfile import Model
from deltarule.network import feed_forward
from deltarule.preprocessing.text_columns import Text

_SHOWN = 10


class WordEffect(NamedTuple):
    """How a word alone changes a prediction.

    Attributes
    ----------
    word : str
    change : float
        In units of the target; for classes in log-odds (two) or the logit (several).
    output : str
        The target or class that it changes most.
    """

    word: str
    change: float
    output: str

    def __str__(self) -> str:
        return f"{self.word} ({self.output} {self.change:+.3g})"


def strongest_words(model: Model, most: int = _SHOWN) -> dict[str, list[WordEffect]]:
    """By text column, the words that change a prediction most.

    A cell with that word alone is compared with one without any; all other inputs are 0, which is
    the mean of a number.

    Parameters
    ----------
    model : Model
    most : int
        How many words of each column.

    Examples
    --------
    >>> import deltarule as dr
    >>> notes = ["red car", "old car", "red bike", "old bike"] * 10
    >>> y = [float("red" in note) for note in notes]
    >>> settings = {"kinds": {"note": "text"}, "epochs": 8, "random_state": 0}
    >>> fitted = dr.TabularRegressor(**settings).fit({"note": notes}, y)
    >>> sorted(effect.word for effect in strongest_words(fitted.model_, 2)["note"])
    ['old', 'red']
    """
    if model.preprocessing is None:
        return {}
    at, found = 0, {}
    for column in model.preprocessing.columns:
        if isinstance(column, Text):
            X = np.zeros((len(column.words) + 1, model.preprocessing.width), model.dtype)
            X[np.arange(len(column.words)), at + np.arange(len(column.words))] = 1
            values = _values(model, X)
            found[column.name] = _effects(model, column, values[:-1] - values[-1], most)
        at += len(column.outputs)
    return found


def _values(model: Model, X: Array) -> Array:
    """Predictions in units of the targets, or what goes into the probabilities."""
    last = feed_forward(model.network, model.parameters, columns(X))[-1]
    if model.targets is None or model.targets.classes:
        return last.Z.T.astype(np.float64)
    return last.A.T * np.array(model.targets.stds)


def _effects(model: Model, column: Text, changes: Array, most: int) -> list[WordEffect]:
    outputs = _outputs(model, changes.shape[1])
    where = abs(changes).argmax(axis=1)
    largest = changes[np.arange(len(changes)), where]
    order = np.argsort(-abs(largest), kind="stable")[:most]
    return [WordEffect(column.words[i], float(largest[i]), outputs[where[i]]) for i in order]


def _outputs(model: Model, count: int) -> list[str]:
    if model.targets is None:
        return [f"output {i}" for i in range(1, count + 1)]
    named: tuple[Any, ...] = model.targets.classes or model.targets.names
    return [str(name) for name in named[-count:]]  # of two classes the second
