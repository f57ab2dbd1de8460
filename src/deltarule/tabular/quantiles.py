"""Quantile regression: a network whose outputs are quantiles that cannot cross, and its training.

The lowest quantile is an output as it is, and each further one adds a softplus. One cost trains all
of them: with τ′ above every τ and 1 − τ, the pinball loss of τ is

    ρ(τ, e) = α ρ(τ′, e) + (1 − α) ρ(τ′, −e),   α = (τ + τ′ − 1) / (2 τ′ − 1),

so that a last layer, which does not learn, gives α and α − 1 times each quantile, beside targets
times the same, to the cost ``quantile(τ′)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.baselines import shown
from deltarule.errors import FileError, SettingError, setting
from deltarule.layers import Dense, Parallel
from deltarule.metrics import pinball_loss
from deltarule.modelfile import Model
from deltarule.network import Network, Parameters
from deltarule.tabular.interval_network import renamed
from deltarule.tabular.record import record

Learned = tuple[Network, Parameters]

QUANTILE_HEADS = ["", "rows below", "pinball loss"]
"""Of :func:`quantile_tables`."""


def check_levels(levels: tuple[float, ...]) -> None:
    """Refuse levels that are not between 0 and 1, ascending, or that print alike.

    Raises
    ------
    SettingError

    Examples
    --------
    >>> try:
    ...     check_levels((0.9, 0.1))
    ... except SettingError as error:
    ...     print(error)
    quantiles: expected ascending levels, each once, such as 0.1, 0.5, 0.9; got 0.9, 0.1.
    """
    name = setting("quantiles", "--quantiles")
    if not isinstance(levels, tuple) or not levels:
        raise SettingError(f"{name}: expected levels such as (0.1, 0.5, 0.9); got {levels!r}.")
    for level in levels:
        checked_number("Settings", "quantiles", level, low=0, high=1, open_low=True, open_high=True)
    if any(low >= high for low, high in pairwise(levels)):
        raise SettingError(
            f"{name}: expected ascending levels, each once, such as 0.1, 0.5, 0.9; got "
            f"{', '.join(map(str, levels))}."
        )
    for low, high in pairwise(levels):
        if f"{low:g}" == f"{high:g}":
            raise SettingError(
                f"{name}: expected levels that differ in six digits, since these name the columns; "
                f"got {low} and {high}. Leave one out."
            )


def in_quantiles(network: Network, levels: tuple[float, ...]) -> tuple[Network, Network]:
    """The network that predicts quantiles of each output, and the one that trains it.

    Parameters
    ----------
    network : Network
        A chain that ends in a dense layer.
    levels : tuple of float
        Ascending.

    Returns
    -------
    tuple
        Outputs of the first are quantiles, level by level; the second has the same layers and one
        more.

    Examples
    --------
    >>> both = in_quantiles(Network(4, [Dense(8, "tanh"), Dense(1)]), (0.1, 0.5, 0.9))
    >>> [own.sizes for own in both], both[1].cost_row.name
    ([(4, 8, 3, 3), (4, 8, 3, 3, 6)], 'quantile(0.95)')
    """
    *before, last = network.layers
    assert isinstance(last, Dense)
    width, targets, steps = network.sizes[-2], last.units, len(levels) - 1
    parts = [(0, width, [last])]
    if steps:
        rises = replace(last, units=steps * targets, activation="softplus")
        parts.append((0, width, [rises]))
    sums = np.kron(np.tri(steps + 1), np.eye(targets))  # quantile by quantile, of all targets
    cumulated = Dense(len(sums), weights=sums, rate=0.0)
    layers = [*before, Parallel(parts), cumulated]
    level, pairs = _pairs(levels, targets)
    cost = f"quantile({level!r})"
    whole = [*layers, Dense(len(pairs), weights=pairs, rate=0.0)]
    return Network(network.inputs, layers, cost), Network(network.inputs, whole, cost)


def targets_of_quantiles(Y: Array, levels: tuple[float, ...]) -> Array:
    """What a network of quantiles is trained on, ``(m, 2 · levels · targets)``.

    Examples
    --------
    >>> targets_of_quantiles(np.array([[8.0]]), (0.5,))
    array([[ 4., -4.]])
    """
    pairs = _pairs(levels, Y.shape[1])[1]
    return (np.tile(Y, (1, len(levels))) @ pairs.T).astype(Y.dtype)


def central(network: Network, parameters: Parameters, levels: tuple[float, ...]) -> Learned:
    """A network of quantiles that ends in those nearest to the medians: what a model predicts.

    Parameters
    ----------
    network : Network
    parameters : Parameters
    levels : tuple of float
    """
    middle = int(np.argmin(abs(np.array(levels) - 0.5)))
    targets = network.outputs // len(levels)
    dtype = parameters[-1]["W"].dtype
    W = np.eye(network.outputs, dtype=dtype)[middle * targets : (middle + 1) * targets]
    layers = [*network.layers, Dense(targets, weights="zeros")]
    own = {"W": W, "b": np.zeros((targets, 1), dtype)}
    return Network(network.inputs, layers, f"quantile({levels[middle]!r})"), (*parameters, own)


def levels_of(model: Model) -> tuple[float, ...]:
    """The levels of the quantiles that a model predicts; none of most models.

    Raises
    ------
    FileError
        For a record that is damaged.
    """
    stored = record(model).get("settings", {}).get("quantiles")
    if stored is None:
        return ()
    try:
        levels = tuple(stored)
        check_levels(levels)
        if len(levels) * model.network.outputs != model.network.sizes[-2]:
            raise ValueError(f"{len(levels)} quantiles are not those of its network")
    except (TypeError, ValueError) as error:
        raise FileError(
            f"the model file's record of its quantiles is damaged ({error}). Restore the file from "
            "a copy, or train and save the model again."
        ) from error
    return levels


def quantile_model(model: Model) -> Model:
    """The model with all its quantiles as targets, ``quantile_0.1_y`` and so on, level by level.

    Parameters
    ----------
    model : Model
        Trained for quantiles.
    """
    levels, targets = levels_of(model), model.targets
    assert levels
    assert targets is not None
    network = Network(model.network.inputs, model.network.layers[:-1], model.network.cost)
    names = [f"quantile_{level:g}_{name}" for level in levels for name in targets.names]
    return replace(
        model,
        network=network,
        parameters=model.parameters[:-1],
        targets=renamed(targets, names),
        spread=None,
    )


def quantiles_of(model: Model, frame: Any) -> Array:
    """The quantiles of each row, ``(m, targets, levels)``, in the targets' units.

    Parameters
    ----------
    model : Model
    frame : data frame

    Raises
    ------
    SettingError
        For a model that was not trained for quantiles.
    """
    levels = levels_of(model)
    if not levels:
        raise SettingError(
            "predict_quantiles: the model was trained without quantiles. Train it with "
            f"{setting('quantiles=(0.1, 0.5, 0.9)', '--quantiles 0.1,0.5,0.9')}."
        )
    whole = quantile_model(model)
    assert whole.targets is not None
    values = whole.targets.values(whole.outputs(frame))
    return np.moveaxis(values.reshape(len(values), len(levels), -1), 1, 2)


class QuantileMetrics(NamedTuple):
    """How well a predicted quantile of a target fits some rows.

    Attributes
    ----------
    target : str
    level : float
    below : float
        The share of rows whose value lies below it: the level, where it fits.
    pinball_loss : float
        In the target's unit; less is better.
    """

    target: str
    level: float
    below: float
    pinball_loss: float


def quantile_metrics(model: Model, frame: Any) -> list[QuantileMetrics]:
    """The metrics of every quantile, target by target; none of a model without quantiles or rows.

    Parameters
    ----------
    model : Model
    frame : polars.DataFrame
        Rows with targets.
    """
    levels = levels_of(model)
    if not levels or not len(frame):
        return []
    assert model.targets is not None
    Q = quantiles_of(model, frame)
    Y = np.asarray(model.targets.raw(frame), dtype=np.float64).reshape(len(frame), -1)
    return [
        QuantileMetrics(
            name,
            level,
            float(np.mean(Y[:, i] < Q[:, i, k])),
            float(pinball_loss(Y[:, i], Q[:, i, k], level).mean()),
        )
        for i, name in enumerate(model.targets.names)
        for k, level in enumerate(levels)
    ]


def quantile_tables(found: Sequence[QuantileMetrics]) -> dict[str, list[list[str]]]:
    """The rows of a table of each target, by its title: level, rows below, pinball loss.

    Examples
    --------
    >>> quantile_tables([QuantileMetrics("rent", 0.9, 0.875, 12.4)])
    {'Quantiles of rent': [['quantile 0.9', '87.5%', '12.4']]}
    """
    tables: dict[str, list[list[str]]] = {}
    for name, level, below, loss in found:
        row = [f"quantile {level:g}", f"{below:.1%}", shown(loss)]
        tables.setdefault(f"Quantiles of {name}", []).append(row)
    return tables


def _pairs(levels: tuple[float, ...], targets: int) -> tuple[float, Array]:
    """τ′, and the weights that make pairs of quantiles, ``(2 n, n)``."""
    tau = np.array(levels)
    level = (1.0 + float(max(tau.max(), 1.0 - tau.min()))) / 2.0  # above all: no weight is 0
    alpha = (tau + level - 1.0) / (2.0 * level - 1.0)
    pairs = np.concatenate([np.diag(alpha), np.diag(alpha - 1.0)])
    return level, np.kron(pairs, np.eye(targets))
