"""Which learning rate suits: one short run whose rate rises from step to step (Smith 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deltarule.arrays import checked_number
from deltarule.engines import start
from deltarule.engines.plan import EngineOptions
from deltarule.errors import SettingError
from deltarule.network import Network, Parameters
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.regularization import Regularization
from deltarule.rng import generator
from deltarule.spec import OneLine, keywords_checked
from deltarule.training.examples import checked_examples
from deltarule.training.run import Run

_SMOOTHING = 0.9  # share of the old mean in the running mean of the costs
_TOO_BAD = 4.0  # times the least cost: there the search ends


@dataclass(frozen=True)
class RateSearch(OneLine):
    """What a search found.

    Attributes
    ----------
    rates : float64 array, shape (steps,)
        The learning rate of each step.
    costs : float64 array, shape (steps,)
        The batches' costs, smoothed.
    suggestion : float
        A tenth of the rate where the smoothed cost is least: where it still falls, at some distance
        from where it explodes. (The steepest fall itself is lost in the noise of batches.)

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> found = dr.find_rate(dr.Network(1, [dr.Dense(1)]), X, 3 * X, optimizer="gradient_descent")
    >>> len(found.rates) == len(found.costs), found.suggestion in found.rates
    (True, False)
    """

    rates: np.ndarray
    costs: np.ndarray
    suggestion: float


@keywords_checked
def find_rate(
    network: Network,
    X: Any,
    Y: Any,
    *,
    optimizer: Optimizer | str = "adam",
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    batch_size: int = 32,
    weights: Any = None,
    regularization: Regularization | None = None,
    engine: str = "auto",
    options: EngineOptions | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    parameters: Parameters | None = None,
) -> RateSearch:
    """Train for a few steps while the rate rises from `low` to `high`, and see where costs fall.

    Parameters
    ----------
    network, X, Y, optimizer, weights, regularization, engine, options, dtype, seed, parameters
        As of :func:`~deltarule.training.train`; the optimizer's own rate is not used.
    low, high : float
        First and last rate; between them it rises by the same factor every step.
    steps : int
        How many, at least 20.
    batch_size : int
        Examples per step.

    Returns
    -------
    RateSearch

    Raises
    ------
    SettingError
        For a range that is none, or an optimizer that does not step by batches; where the cost is
        not finite from the first rates on.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> found = dr.find_rate(dr.Network(1, [dr.Dense(1)]), X, 3 * X, optimizer="gradient_descent")
    >>> 1e-3 < found.suggestion < 1
    True
    """
    checked_number("find_rate", "low", low, low=0, open_low=True)
    checked_number("find_rate", "high", high, low=low, open_low=True)
    checked_number("find_rate", "steps", steps, low=20, whole=True)
    checked_number("find_rate", "batch_size", batch_size, low=1, whole=True)
    row = OPTIMIZERS(optimizer)
    if row.full_batch:
        raise SettingError(f"find_rate: {type(row).__name__} has no learning rate to find.")
    run = Run.of(
        network,
        optimizer=row,
        batch_size=batch_size,
        regularization=regularization,
        engine=engine,
        options=options,
        dtype=dtype,
        seed=seed,
    )
    data = checked_examples(network, X, Y, weights, run.plan.dtype)
    plan = run.plan
    runner = start(
        network,
        optimizer=row,
        regularization=plan.regularization,
        engine=engine,
        options=options,
        dtype=plan.dtype,
        seed=seed,
        parameters=parameters,
    )
    m = len(data.X)
    batch_size = run.batch_rows(m)
    epochs = -(-steps * batch_size // m)
    order = np.concatenate(
        [generator(seed, "order", e).permutation(m) for e in range(1, epochs + 1)]
    )
    rates = np.geomspace(low, high, steps)
    done = runner.train(
        data.X, data.Y, order[: steps * batch_size], batch_size, rates, data.weights
    )
    return _read(rates, done.costs)


def _read(rates: np.ndarray, costs: np.ndarray) -> RateSearch:
    """The search from its raw costs: they are smoothed, cut off where they explode, and read."""
    costs = costs[np.isfinite(costs)]
    smooth, mean = np.empty(len(costs)), 0.0
    for step, cost in enumerate(costs):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * cost
        smooth[step] = mean / (1 - _SMOOTHING ** (step + 1))
    least = np.minimum.accumulate(smooth) if len(smooth) else smooth
    excess = np.flatnonzero(smooth - least > _TOO_BAD * np.abs(least) + 1e-12)
    end = int(excess[0]) if len(excess) else len(smooth)
    if end < 10:
        raise SettingError(
            "find_rate: the cost explodes within ten steps of the lowest rate. Standardize the "
            "inputs and targets, or begin with a lower rate (low=)."
        )
    return RateSearch(rates[:end], smooth[:end], float(rates[smooth[:end].argmin()]) / 10)
