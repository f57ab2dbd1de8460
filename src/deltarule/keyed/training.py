"""Some keys' networks trained and evaluated: a pure function of settings and the keys' own rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from deltarule.arrays import Array
from deltarule.keyed.figures import classification_figures, regression_figures
from deltarule.keyed.grouping import Block, held_out, key_seeds, latest, starts_of
from deltarule.keyed.stacks import SCALES, Stack
from deltarule.network import Network, Parameters, feed_forward
from deltarule.rng import generator
from deltarule.tabular.recipes import Recipe
from deltarule.training import Order, Run
from deltarule.training.many import train_many
from deltarule.training.predictions import probabilities

FEWEST_ROWS = 10
"""Of a key: with fewer there is nothing to hold out."""

_EPOCHS_A_DRAW = 8


@dataclass(frozen=True)
class Work:
    """How every key's network is made.

    Attributes
    ----------
    recipe : Recipe
        One for all.
    classes : int
        How many; 0 for a regression.
    scaled : bool array, shape (n[0],)
        Inputs that each key standardizes by its own rows: numbers, not marks of 0 and 1.
    test_share, validation_share : float
    """

    recipe: Recipe
    classes: int
    scaled: Array
    test_share: float
    validation_share: float

    @property
    def run(self) -> Run:
        """The run of every key's network; its seed is that from which the keys' own are drawn."""
        return self.recipe.run

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return "classification" if self.classes else "regression"


def train_block(work: Work, block: Block) -> Stack:
    """Train a network for each key of a block; keys that cannot have one are reported with reasons.

    Parameters
    ----------
    work : Work
    block : Block

    Returns
    -------
    Stack
    """
    seeds = key_seeds(work.run.plan.seed, block.keys)
    test, validation = _parted(work, block, seeds)
    failures = _refusals(work, block, test, validation)
    usable = np.array([key not in failures for key in block.keys], bool)
    if not usable.any():
        return _nothing(work, failures)
    rows = np.repeat(usable, block.counts)
    block, seeds = block.of_keys(usable), seeds[usable]
    test, validation = test[rows], validation[rows]
    places, learnt = block.places, ~(test | validation)

    shift, factor = _input_scales(block.X[learnt], places[learnt], work.scaled)
    mean, std = _target_scales(work, block.y[learnt], places[learnt])
    X = scaled(block.X, places, shift, factor)
    rows_of_keys = _by_key(learnt, places)
    trained = train_many(
        work.run,
        X,
        _encoded(work, block.y, places, mean, std),
        seeds=[int(seed) for seed in seeds],
        rows=rows_of_keys,
        validation=_by_key(validation, places),
        shuffle=[
            order_of(int(seed), len(own)) for seed, own in zip(seeds, rows_of_keys, strict=True)
        ],
    )
    found = outputs(work.recipe.network, trained.stacked, X[test], _counted(test, places))
    stack = Stack(
        block.keys,
        trained.stacked,
        shift,
        factor,
        mean,
        std,
        _figures(work, block, test, found * std[places[test]] + mean[places[test]]),
        np.stack([_counted(part, places) for part in (learnt, validation, test)], axis=1) * 1.0,
        failures,
    )
    return _sound(stack, trained.diverged, trained.costs)


def outputs(network: Network, stacked: Parameters, X: Array, counts: Array) -> Array:
    """A[L] as rows, float64 ``(m, n[L])``: of rows sorted by key, `counts` of each.

    Parameters
    ----------
    network : Network
    stacked : Parameters
        Of as many keys as there are counts.
    X : array, shape (m, n[0])
        Scaled by key.
    counts : int array, shape (keys,)
    """
    out = np.empty((len(X), network.outputs))
    starts = starts_of(counts)
    dtype = next(iter(stacked[0].values())).dtype
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for k in np.flatnonzero(counts).tolist():
            own = tuple({name: W[k] for name, W in layer.items()} for layer in stacked)
            some = slice(starts[k], starts[k + 1])
            out[some] = feed_forward(network, own, X[some].astype(dtype).T)[-1].A.T
    return out


def order_of(seed: int, m: int) -> Order:
    """The order of a key's rows in each epoch: some epochs' drawn at once, for that is faster.

    Examples
    --------
    >>> order = order_of(7, 5)
    >>> sorted(order(1).tolist()), bool((order(2) == order_of(7, 5)(2)).all())
    ([0, 1, 2, 3, 4], True)
    """

    @lru_cache(maxsize=1)
    def drawn(turn: int) -> list[Array]:
        draw = generator(seed, "order", turn)
        return [draw.permutation(m) for _ in range(_EPOCHS_A_DRAW)]

    return lambda epoch: drawn((epoch - 1) // _EPOCHS_A_DRAW)[(epoch - 1) % _EPOCHS_A_DRAW]


def scaled(X: Array, places: Array, shift: Array, factor: Array) -> Array:
    """Inputs in each key's own scale, float32 ``(m, n[0])``."""
    found: Array = (X - shift[places]) * factor[places]
    return found


# ------------------------------------------------------------------------------- the steps


def _parted(work: Work, block: Block, seeds: Array) -> tuple[Array, Array]:
    """The test rows and the validation rows, ``(m,)`` of bool each."""
    labels = block.y[:, 0].astype(np.int64) if work.classes else None

    def held(rows: Array, starts: Array, share: float, purpose: str) -> Array:
        if block.time is not None:
            return latest(starts, block.time[rows], share)
        return held_out(starts, None if labels is None else labels[rows], seeds, share, purpose)

    test = held(np.arange(len(block.y)), block.starts, work.test_share, "test")
    kept = np.flatnonzero(~test)
    starts = starts_of(np.add.reduceat(~test, block.starts[:-1], dtype=np.int64))
    validation = np.zeros(len(test), bool)
    validation[kept] = held(kept, starts, work.validation_share, "validation")
    return test, validation


def _refusals(work: Work, block: Block, test: Array, validation: Array) -> dict[str, str]:
    """The keys that cannot have a network, and why; the first reason counts."""
    first = block.starts[:-1]
    low = np.minimum.reduceat(block.y, first, axis=0)
    high = np.maximum.reduceat(block.y, first, axis=0)
    constant = (low == high).all(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        too_large = ~np.isfinite((high - low) ** 2 * block.counts[:, None]).all(axis=1)
    unheld = (np.add.reduceat(test, first) == 0) | (np.add.reduceat(validation, first) == 0)
    varies = np.any(_vary(block.X, first), axis=1)
    failures = {}
    for k, key in enumerate(block.keys):
        count = int(block.counts[k])
        if count < FEWEST_ROWS:
            has = f"{count} row{'s' * (count != 1)} with a target"
            failures[key] = f"has {has}; expected at least {FEWEST_ROWS}"
        elif constant[k]:
            what = "one class" if work.classes else "one value"
            failures[key] = f"its target has {what} in all {count} rows"
        elif too_large[k]:
            failures[key] = f"its target is too large to be scaled, up to {high[k].max():.3g}"
        elif not varies[k]:
            failures[key] = f"no column varies in its {count} rows"
        elif unheld[k]:
            failures[key] = f"its {count} rows cannot be split into the requested shares"
    return failures


def _input_scales(X: Array, places: Array, is_scaled: Array) -> tuple[Array, Array]:
    """Shift and factor of every key's inputs, float32 ``(keys, n[0])``, by its training rows."""
    first = np.flatnonzero(np.diff(places, prepend=-1))
    count = np.diff(first, append=len(X))[:, None]
    mean = np.add.reduceat(X, first, axis=0, dtype=np.float64) / count
    variance = np.add.reduceat((X - mean[places]) ** 2, first, axis=0) / count
    varies = _vary(X, first)
    std = np.sqrt(np.where(varies & is_scaled & (variance > 0), variance, 1.0))
    shift = np.where(is_scaled, mean, 0.0).astype(np.float32)
    return shift, np.where(varies, 1.0 / std, 0.0).astype(np.float32)


def _vary(X: Array, first: Array) -> Array:
    """Whether each input varies within each key, ``(keys, n[0])``; keys begin at `first`."""
    low: Array = np.minimum.reduceat(X, first, axis=0)
    return low < np.maximum.reduceat(X, first, axis=0)


def _target_scales(work: Work, y: Array, places: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of every key's targets, float64 ``(keys, targets)``."""
    first = np.flatnonzero(np.diff(places, prepend=-1))
    if work.classes:
        width = work.recipe.network.outputs
        return np.zeros((len(first), width)), np.ones((len(first), width))
    count = np.diff(first, append=len(y))[:, None]
    mean = np.add.reduceat(y / count[places], first, axis=0)
    std = np.sqrt(np.add.reduceat((y - mean[places]) ** 2, first, axis=0) / count)
    return mean, np.where(std > 0, std, 1.0)


def _encoded(work: Work, y: Array, places: Array, mean: Array, std: Array) -> Array:
    """What the networks learn, float32 ``(m, n[L])``."""
    if not work.classes:
        return ((y - mean[places]) / std[places]).astype(np.float32)
    if work.classes == 2:
        return y.astype(np.float32)
    return np.eye(work.classes, dtype=np.float32)[y[:, 0].astype(np.int64)]


def _figures(work: Work, block: Block, test: Array, found: Array) -> Array:
    """Each key's held-out figures."""
    places, y = block.places, block.y
    starts = starts_of(_counted(test, places))
    kept = ~test
    first = np.flatnonzero(np.diff(places[kept], prepend=-1))
    if not work.classes:
        count = np.diff(first, append=kept.sum())[:, None]
        means = np.add.reduceat(y[kept] / count[places[kept]], first, axis=0)
        return regression_figures(y[test], found, means, starts)
    labels = y[:, 0].astype(np.int64)
    seen = np.bincount(
        places[kept] * work.classes + labels[kept], minlength=len(block.keys) * work.classes
    )
    usual = seen.reshape(-1, work.classes).argmax(axis=1)
    P = probabilities(found)
    return classification_figures(labels[test], P, usual, starts)


def _sound(stack: Stack, diverged: Array, costs: Array) -> Stack:
    """The keys whose training stayed finite; the others are reported with reasons."""
    bad = diverged | ~np.isfinite(stack.figures[:, 0])
    bad |= ~np.all(
        [np.isfinite(W).all(axis=(1, 2)) for layer in stack.parameters for W in layer.values()],
        axis=0,
    )
    if not bad.any():
        return stack
    failures = dict(stack.failures)
    for k in np.flatnonzero(bad).tolist():
        epoch = int(np.isfinite(costs[k]).sum()) + 1
        where = f" in epoch {epoch}" if epoch <= costs.shape[1] else ""
        failures[stack.keys[k]] = f"its training diverged{where}; lower the learning rate"
    return replace(
        stack,
        keys=tuple(key for key, is_bad in zip(stack.keys, bad, strict=True) if not is_bad),
        parameters=tuple(
            {name: W[~bad] for name, W in layer.items()} for layer in stack.parameters
        ),
        **{name: getattr(stack, name)[~bad] for name in SCALES},
        failures=failures,
    )


def _nothing(work: Work, failures: dict[str, str]) -> Stack:
    """A stack of no networks."""
    network = work.recipe.network
    inputs = np.zeros((0, network.inputs), np.float32)
    scales, three = np.zeros((0, network.outputs)), np.zeros((0, 3))
    parameters = tuple(
        {name: np.zeros((0, *shape), work.run.plan.dtype) for name, shape in shapes.items()}
        for shapes in network.shapes
    )
    return Stack((), parameters, inputs, inputs, scales, scales, three, three, failures)


def _by_key(chosen: Array, places: Array) -> list[Array]:
    """The numbers of the chosen rows, a vector a key."""
    return np.split(np.flatnonzero(chosen), np.cumsum(_counted(chosen, places))[:-1])


def _counted(chosen: Array, places: Array) -> Array:
    """How many rows of each key are chosen."""
    return np.bincount(places[chosen], minlength=int(places[-1]) + 1)
