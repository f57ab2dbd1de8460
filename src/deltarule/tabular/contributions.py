"""Why a prediction: what each column contributes to it, and what a column does over many rows.

A column's contribution is the sum over its encoded columns of the network's derivative, integrated
along the straight line in encoded space from a reference row to the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, cast

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.data import unit_of
from deltarule.errors import DataError, require
from deltarule.modelfile import Model
from deltarule.network import Network
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.tabular.column_effects import ColumnEffect, column_effects
from deltarule.tabular.integrated_gradients import Integrated, integrated_gradients
from deltarule.tabular.references import Reference, reference

TOLERANCE = 1e-3
"""Of the spread: that of the target over the training rows, or one unit of log-odds."""


@dataclass(frozen=True)
class Contributions:
    """What each column contributes to the predictions of some rows.

    ``values.sum(axis=2)`` is ``predictions - reference_prediction`` but for the residuals.

    Attributes
    ----------
    columns : tuple of str
        The columns that the model uses.
    outputs : tuple of str
        The targets; of two classes the second one, of several all.
    unit : str
        What contributions are in: log-odds or logits, the unit of the target where it is known.
    units : tuple of str
        Of each target that is a number, its unit; empty where it is not known.
    values : array, shape (m, k, n)
        Of m rows to k outputs, of n columns.
    predictions : array, shape (m, k)
    reference_prediction : array, shape (k,) or (m, k)
        Of one model per key, that of each row's model.
    reference : Reference
    points : int array, shape (m,)
        At how many points of the line the derivatives were taken.
    """

    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    unit: str
    units: tuple[str, ...]
    values: Array
    predictions: Array
    reference_prediction: Array
    reference: Reference
    points: Array

    def unit_of(self, k: int) -> str:
        """What the contributions to one output are in."""
        return (self.units[k] if self.units else "") or self.unit

    @property
    def residuals(self) -> Array:
        """What the contributions lack of the difference from the reference, ``(m, outputs)``."""
        change: Array = self.predictions - self.reference_prediction
        return change - self.values.sum(axis=2)

    @property
    def frame(self) -> Any:
        """A polars frame with a row per row: contributions, the reference, the residual.

        Of several outputs the names have that of the output in the middle.

        Raises
        ------
        DataError
            Where two contributions would have one name.
        """
        polars = require("polars", "table", "reading tables")
        residuals, columns = self.residuals, dict[str, Array]()
        references = np.broadcast_to(self.reference_prediction, residuals.shape)
        for k, output in enumerate(self.outputs):
            own = f"_{output}" if len(self.outputs) > 1 else ""
            for i, name in enumerate(self.columns):
                whole = f"contribution{own}_{name}"
                if whole in columns:
                    raise DataError(
                        f"contributions: two have the name {whole!r}, the second of column "
                        f"{name!r} to output {output!r}; expected names that differ. Rename the "
                        "column or the output and train again, or use the array of "
                        "explain_rows(…).values."
                    )
                columns[whole] = self.values[:, k, i]
            columns[f"reference{own}"] = references[:, k]
            columns[f"residual{own}"] = residuals[:, k]
        return polars.DataFrame(columns)


@dataclass(frozen=True)
class TableContributions:
    """What the columns do over the rows of a table.

    Attributes
    ----------
    rows : Contributions
    effects : tuple of ColumnEffect
        Of each output, the columns by mean absolute contribution, the largest first.
    """

    rows: Contributions
    effects: tuple[ColumnEffect, ...]


def explain_rows(
    model: Model, X: Any, baseline: Any = None, tolerance: float = TOLERANCE
) -> Contributions:
    """What each column contributes to the prediction of each row.

    Parameters
    ----------
    model : Model
        Of a table.
    X : data frame, array or mapping
    baseline : mapping or table of one row, optional
        The reference row; columns that it lacks have training medians and most frequent levels,
        as all have by default.
    tolerance : float
        Largest residual, of the spread: a larger one takes less time.

    Raises
    ------
    DataError
        For a table without rows, or one that does not fit.
    SettingError, UnknownNameError
        For a reference row that does not fit, or a tolerance that is not above 0.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
    >>> fitted = dr.TabularRegressor(epochs=1, n_ensemble=1).fit(X, X["area"])
    >>> found = explain_rows(fitted.model_, X)
    >>> found.columns, found.values.shape, bool(abs(found.residuals).max() < 0.02)
    (('area', 'town'), (24, 1, 2), True)
    """
    return explained(model, X, reference(model, baseline), tolerance)


def explained(
    model: Model, X: Any, start: Reference, tolerance: float = TOLERANCE
) -> Contributions:
    """The same from a :class:`~deltarule.tabular.references.Reference`."""
    assert model.preprocessing is not None
    A = model.preprocessing.transform(X)
    if not len(A):
        raise DataError("the table has no rows; expected at least one to explain.")
    return explained_inputs(model, A, start, tolerance)


def explained_inputs(
    model: Model, A: Array, start: Reference, tolerance: float = TOLERANCE
) -> Contributions:
    """The same of encoded rows, ``(m, width)``."""
    checked_number("contributions", "tolerance", tolerance, low=0, high=1, open_low=True)
    preprocessing, targets = model.preprocessing, model.targets
    assert preprocessing is not None
    assert targets is not None
    widths = [len(column.outputs) for column in preprocessing.used]
    centered = bool(targets.classes) and model.network.outputs > 1
    found = integrated_gradients(
        before_probabilities(model.network) if targets.classes else model.network,
        model.parameters,
        A,
        start.encoded,
        groups=np.repeat(np.arange(len(widths)), widths),
        tolerance=tolerance / 2 if centered else tolerance,  # centering may double a residual
    )
    unit, in_units = UNITS["logits" if centered else targets.task]
    units = tuple(unit_of(name, preprocessing.reading) for name in targets.names)
    units = () if targets.classes else units
    values, predictions, base = in_units(found, targets)
    return Contributions(
        tuple(column.name for column in preprocessing.used),
        tuple(map(str, (targets.classes or targets.names)[-len(found.start) :])),
        units[0] if len(set(units)) == 1 and units[0] else unit,
        units,
        values,
        predictions,
        base,
        start,
        found.points,
    )


def before_probabilities(network: Network) -> Network:
    """The network whose outputs are Z[L]: log-odds, or the logits of several classes.

    Parameters
    ----------
    network : Network
        Of classes.
    """
    *hidden, last = network.layers
    linear = replace(cast(Any, last), activation="identity")
    return Network(network.inputs, [*hidden, linear], "mse")


def _in_target_units(found: Integrated, targets: Targets) -> tuple[Array, Array, Array]:
    stds = np.array(targets.stds)
    start = targets.values(found.start[np.newaxis])[0]
    return found.parts * stds[:, np.newaxis], targets.values(found.outputs), start


def _as_log_odds(found: Integrated, targets: Targets) -> tuple[Array, Array, Array]:
    return found.parts, found.outputs, found.start


def _centered(found: Integrated, targets: Targets) -> tuple[Array, Array, Array]:
    """Less the mean over the classes, which no probability depends on."""
    parts = found.parts - found.parts.mean(axis=1, keepdims=True)
    outputs = found.outputs - found.outputs.mean(axis=1, keepdims=True)
    return parts, outputs, found.start - found.start.mean()


UNITS: Mapping[str, tuple[str, Callable[[Integrated, Targets], tuple[Array, Array, Array]]]] = {
    "regression": ("units of the target", _in_target_units),
    "classification": ("log-odds", _as_log_odds),
    "logits": ("centered logits", _centered),
}
"""By kind of output, what contributions are in, and how outputs of the network become that."""


def explain_table(
    model: Model, X: Any, baseline: Any = None, tolerance: float = TOLERANCE
) -> TableContributions:
    """What the columns do to the predictions of a table: how much, and in which direction.

    Parameters
    ----------
    model, X, baseline, tolerance
        As of :func:`explain_rows`.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
    >>> fitted = dr.TabularRegressor(epochs=9, n_ensemble=1, random_state=0).fit(X, X["area"])
    >>> [effect.column for effect in explain_table(fitted.model_, X).effects]
    ['area', 'town']
    """
    found = explain_rows(model, X, baseline, tolerance)
    assert model.preprocessing is not None
    return TableContributions(found, effects_of(model.preprocessing, X, found))


def effects_of(
    preprocessing: Preprocessing, X: Any, found: Contributions
) -> tuple[ColumnEffect, ...]:
    """What the columns do over some rows, from the rows' contributions."""
    frame, reading = preprocessing.frame(X), preprocessing.reading
    by_column = [
        column_effects(column, frame[column.name], reading, found.outputs, found.values[:, :, i].T)
        for i, column in enumerate(preprocessing.used)
    ]
    effects = (
        sorted(own, key=lambda effect: -effect.mean_absolute)
        for own in zip(*by_column, strict=True)
    )
    return tuple(chain.from_iterable(effects))
