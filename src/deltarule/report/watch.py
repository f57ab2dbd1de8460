"""A look into every layer while a network trains: what the report's heatmaps show.

:class:`Watch` is a callback. Now and then, at the end of an epoch, it sends some of the training
rows through the equations and notes one number a layer: it never takes more than its share of
the run's time.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array, checked_number, columns
from deltarule.engines.plan import Runner
from deltarule.engines.step import gradients_of, smoothed, statistics_of, updated, weight_of
from deltarule.layers import Batch
from deltarule.network import Cache, Network, Parameters, feed_forward, output_delta
from deltarule.rng import generator
from deltarule.sparse import dense, gathered
from deltarule.system.threads import few_threads
from deltarule.training.events import Ended, EpochEnded, Event, Started

SATURATED = 0.05
"""A unit is saturated where it lies within this share of its range from an end."""

_MOSTLY = 0.95  # of the rows: then the unit counts as saturated
_QUIET = {"over": "ignore", "under": "ignore", "divide": "ignore", "invalid": "ignore"}


class Diagnostics(NamedTuple):
    """One number a layer for each epoch that was looked into: arrays ``(epochs, L)``.

    Attributes
    ----------
    epochs : int array, shape (epochs,)
    gradient_norm : array
        Of all derivatives of the layer, on the watched rows; NaN for a layer without parameters.
    update_ratio : array
        Norm of what a step on these rows would change, over the parameters' norm; NaN for an
        optimizer that does not step.
    dead : array
        Share of the layer's units that no row sends any δ to; NaN for a layer without parameters.
    saturated : array
        Share of the layer's units that lie at an end of their range for nearly every row; NaN
        where the activation has no two ends.
    """

    epochs: Array
    gradient_norm: Array
    update_ratio: Array
    dead: Array
    saturated: Array


class Watch:
    """A callback that looks into every layer, within a share of the training's time.

    Parameters
    ----------
    share : float
        Of the run's time, at most, beside a look into the first epoch and one into the epoch that
        is kept. 1 for every epoch.
    rows : int
        How many of the training rows are sent through.

    Raises
    ------
    SettingError
        For numbers out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> network = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(1)])
    >>> X = np.linspace(-1, 1, 20).reshape(10, 2)
    >>> watch = Watch(share=1.0)
    >>> result = dr.train(network, X, X[:, :1], epochs=4, callbacks=[watch])
    >>> watch.diagnostics.epochs.tolist(), watch.diagnostics.gradient_norm.shape
    ([1, 2, 3, 4], (4, 2))
    """

    def __init__(self, share: float = 0.03, rows: int = 128) -> None:
        checked_number("Watch", "share", share, low=0, high=1, open_low=True)
        checked_number("Watch", "rows", rows, low=1, whole=True)
        self.share, self.rows = share, rows
        self._spent = self._last = 0.0
        self._found: dict[int, Array] = {}
        self._rates: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        """Listen to one event of a run."""
        begun = time.perf_counter()
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, EpochEnded):
            self._rates[event.epoch] = event.learning_rate
            if self._may_look(event):
                self._look(event.epoch)
                self._last = time.perf_counter() - begun
        elif isinstance(event, Ended) and self._rates:  # the runner holds what is kept
            self._look(event.best_epoch or event.epochs)
        self._spent += time.perf_counter() - begun

    @property
    def seconds(self) -> float:
        """What the looking took."""
        return self._spent

    @property
    def diagnostics(self) -> Diagnostics | None:
        """What was found; None where no epoch was looked into."""
        if not self._found:
            return None
        epochs, looks = zip(*sorted(self._found.items()), strict=True)
        return Diagnostics(np.array(epochs), *np.stack(looks, axis=1))

    def _begin(self, event: Started) -> None:
        if event.runner is None:
            return
        self._spent, self._last, self._found, self._rates = 0.0, 0.0, {}, {}
        m = len(event.X)
        some = np.sort(generator(event.plan.seed, "explain", 0).permutation(m)[: self.rows])
        self._runner = event.runner
        self._A0, self._Y = columns(dense(gathered(event.X, some))), columns(event.Y[some])
        self._s = None if event.weights is None else event.weights[some]

    def _may_look(self, event: EpochEnded) -> bool:
        return (
            not self._found
            or self._spent + self._last <= self.share * event.seconds
            or (self.share == 1.0)
        )

    def _look(self, epoch: int) -> None:
        if epoch in self._found or epoch not in self._rates:
            return
        # More threads would go on waiting for work that they take from the engine's.
        with few_threads(True), np.errstate(**_QUIET):  # type: ignore[arg-type]
            found = look(self._runner, self._A0, self._Y, self._s, self._rates[epoch])
        self._found[epoch] = found


def look(runner: Runner, A0: Array, Y: Array, s: Array | None, rate: float) -> Array:
    """The four numbers of every layer, ``(4, L)``, as :class:`Diagnostics` names them.

    Parameters
    ----------
    runner : Runner
        Left as it is.
    A0, Y, s : arrays, shapes (n[0], m), (n[L], m), (m,) or None
    rate : float
        The learning rate of the step whose size is reported.
    """
    plan, parameters = runner.plan, runner.parameters()
    m = weight_of(A0, s)
    caches = feed_forward(plan.network, parameters, A0, None, Batch(s))
    delta = output_delta(plan.network, caches[-1], smoothed(plan, Y), s)
    gradients, deltas = gradients_of(plan, parameters, caches, delta, m)
    after = _after(runner, parameters, gradients, rate)
    found = statistics_of(parameters, after, gradients, deltas)
    ratio = found.update_ratio
    if plan.optimizer_row.full_batch:
        ratio = np.full_like(ratio, np.nan)
    learns = [bool(own) for own in parameters]  # has parameters
    norms, dead = (np.where(learns, each, np.nan) for each in (found.gradient_norm, found.dead))
    return np.stack([norms, ratio, dead, saturated(plan.network, caches)])


def _after(
    runner: Runner, parameters: Parameters, gradients: Parameters, rate: float
) -> Parameters:
    """The parameters as one step with these derivatives would leave them."""
    plan, state = runner.plan, runner.state()
    if plan.optimizer_row.full_batch:
        return parameters
    scalar = plan.dtype.type
    return updated(plan, parameters, gradients, state.optimizer, scalar(state.step), scalar(rate))[
        0
    ]


def saturated(network: Network, caches: tuple[Cache, ...]) -> Array:
    """The share of each layer's units that are saturated, ``(L,)``; NaN without two ends."""
    shares = []
    for layer, cache in zip(network.layers, caches, strict=True):
        low, high = layer.g.range.ends
        if not np.isfinite([low, high]).all() or layer.g.g_prime is None:
            shares.append(np.nan)
            continue
        middle, half = (low + high) / 2, (high - low) / 2
        at_an_end = abs(cache.A - middle) > half - SATURATED * (high - low)
        shares.append(float((at_an_end.mean(axis=1) >= _MOSTLY).mean()))
    return np.array(shares)
