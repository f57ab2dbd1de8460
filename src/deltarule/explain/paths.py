"""Optimizers seen from above: their ways over the cost of a network with two parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.engines import start as started
from deltarule.errors import SettingError, ShapeError
from deltarule.network import Network, Parameters
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.report.drawing import COLOURS, INK, MUTED, axes_of, style
from deltarule.training import train
from deltarule.training.events import EpochEnded, Event, Started

_RATE = 0.1
_RATES = {"adadelta": 20.0, "adagrad": 0.5, "sgd": 0.02, "lion": 0.05}
_MARGIN, _LEVELS = 0.15, 18


def optimizers_to_compare() -> dict[str, Optimizer]:
    """Every optimizer of the table, with a rate that shows its way in some dozens of steps."""
    found = {}
    for name in OPTIMIZERS:
        row = OPTIMIZERS(name)
        rate = _RATES.get(name, _RATE)
        found[name] = row if row.full_batch else replace(row, learning_rate=rate)
    return found


def optimizer_paths(
    network: Network,
    X: Any,
    Y: Any,
    start: tuple[float, float],
    *,
    optimizers: Mapping[str, Optimizer] | None = None,
    steps: int = 60,
) -> dict[str, Array]:
    """The parameters after every step of each optimizer, trained on all rows at once.

    Parameters
    ----------
    network : Network
        Of one input and one unit: its two parameters are W[1] and b[1].
    X, Y : array_like
        As :func:`deltarule.train` takes them.
    start : tuple of float
        W[1] and b[1] at first.
    optimizers : mapping of str to Optimizer, optional
        Default: all of the table.
    steps : int

    Returns
    -------
    dict of str to array, shape (steps + 1, 2)
        Shorter where an optimizer is done before.

    Raises
    ------
    SettingError
        For a network of more parameters.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> paths = optimizer_paths(network, [[0.0], [1.0]], [1.0, 3.0], (0.0, 0.0), steps=5)
    >>> len(paths) == len(dr.OPTIMIZERS), paths["adam"].shape
    (True, (6, 2))
    """
    _check(network, start)
    checked_number("optimizer_paths", "steps", steps, low=1, whole=True)
    chosen = optimizers_to_compare() if optimizers is None else optimizers
    return {
        name: np.array([start, *_followed(network, X, Y, start, row, steps)])
        for name, row in chosen.items()
    }


def _followed(
    network: Network, X: Any, Y: Any, start: tuple[float, float], row: Optimizer, steps: int
) -> list[tuple[float, float]]:
    """Where one optimizer was after each step."""
    runners: list[Any] = []
    seen: list[tuple[float, float]] = []

    def note(event: Event) -> None:
        if isinstance(event, Started):
            runners.append(event.runner)
        elif isinstance(event, EpochEnded):
            (layer,) = runners[-1].parameters()
            seen.append((layer["W"].item(), layer["b"].item()))

    train(
        network,
        X,
        Y,
        optimizer=row,
        epochs=steps,
        batch_size=None,
        engine="reference",
        dtype="float64",
        parameters=_parameters(start),
        callbacks=[note],
    )
    return seen


def plot_optimizer_paths(
    network: Network,
    X: Any,
    Y: Any,
    start: tuple[float, float],
    *,
    optimizers: Mapping[str, Optimizer] | None = None,
    steps: int = 60,
    ax: Any = None,
) -> Any:
    """The cost over both parameters as contours, and every optimizer's way down.

    The parameters are those of :func:`optimizer_paths`, and `ax` the axes to draw on.

    Returns
    -------
    matplotlib.axes.Axes
    """
    paths = optimizer_paths(network, X, Y, start, optimizers=optimizers, steps=steps)
    every = np.concatenate(list(paths.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    room = _MARGIN * np.maximum(high - low, 1e-6)
    w, b = (np.linspace(low[i] - room[i], high[i] + room[i], 60) for i in (0, 1))
    cost = _surface(network, X, Y, w, b)
    with style():
        ax = axes_of(ax, size=(6.4, 4.6))
        levels = cost.min() + (cost.max() - cost.min()) * np.linspace(0.0, 1.0, _LEVELS) ** 2.5
        ax.contour(w, b, cost, levels=levels[1:], colors=[MUTED], linewidths=0.5, alpha=0.7)
        for place, (name, path) in enumerate(paths.items()):
            colour = COLOURS[place % len(COLOURS)]
            dashes = "-" if place < len(COLOURS) else "--"
            ax.plot(*path.T, dashes, color=colour, linewidth=1.3, label=name)
            ax.plot(*path[-1], "o", color=colour, markersize=3.5)
        ax.plot(*start, "s", color=INK, markersize=4)
        ax.set_title(f"{steps} steps of each optimizer", loc="left", fontweight="bold")
        ax.set_xlabel("W[1]")
        ax.set_ylabel("b[1]")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return ax


def _surface(network: Network, X: Any, Y: Any, w: Array, b: Array) -> Array:
    """The cost at every pair of parameters, ``(len(b), len(w))``."""
    runner = started(network, engine="reference", dtype="float64")
    X, Y = (np.asarray(values, dtype=np.float64).reshape(-1, 1) for values in (X, Y))
    cost = np.empty((len(b), len(w)))
    for i, j in np.ndindex(*cost.shape):
        runner.set_parameters(_parameters((w[j], b[i])))
        cost[i, j] = runner.cost(X, Y)
    return cost


def _parameters(point: tuple[float, float]) -> Parameters:
    return ({"W": np.array([[point[0]]]), "b": np.array([[point[1]]])},)


def _check(network: Network, start: tuple[float, float]) -> None:
    if network.parameter_count != 2:
        raise SettingError(
            "optimizer_paths: expected a network of two parameters, Network(1, [Dense(1)]); got "
            f"{network.parameter_count}."
        )
    if np.shape(start) != (2,):
        raise ShapeError(f"start: expected two numbers, W[1] and b[1]; got {start!r}.")
