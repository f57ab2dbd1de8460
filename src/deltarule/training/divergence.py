"""Numbers that stop being finite: the first place that holds one, and the error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array, all_finite, columns
from deltarule.engines.plan import Runner
from deltarule.errors import DivergenceError
from deltarule.layers import Batch
from deltarule.network import Network, Parameters, feed_forward
from deltarule.sparse import gathered
from deltarule.training.examples import Examples


def first_infinite(network: Network, parameters: Parameters, X: Array) -> tuple[int | None, str]:
    """The first layer that holds a number that is not finite, and what it is: W, b, Z or A."""
    for l, layer in enumerate(parameters, 1):
        for name, values in layer.items():
            if not np.isfinite(values).all():
                return l, name
    with np.errstate(all="ignore"):
        caches = feed_forward(network, parameters, columns(X), batch=Batch())
    for l, cache in enumerate(caches, 1):
        for name in ("Z", "A"):
            if not np.isfinite(getattr(cache, name)).all():
                return l, name
    return None, "cost"


def ran_away(cost: float, first: float, Y: Array) -> bool:
    """Whether a cost has run away: a million times the first epoch's, and beyond what Y explains.

    Predicting 0 costs about the mean square of Y: what is worse than that by far is not noise.

    Examples
    --------
    >>> ran_away(3e7, 2.0, np.ones(3)), ran_away(1e-5, 1e-12, np.ones(3))
    (True, False)
    """
    if not cost > 1e6 * first:
        return False
    scale = float(np.square(Y, dtype=np.float64).mean())
    return bool(cost > 1e3 * max(scale, 1e-30))


class Last(NamedTuple):
    """The step that was made last.

    Attributes
    ----------
    epoch, step : int
        Its epoch, and its number in the run, both from 1.
    examples : Examples
    batch : int array
        The rows of its batch.
    rate : float
    """

    epoch: int
    step: int
    examples: Examples
    batch: Array
    rate: float


def check_sound(
    runner: Runner, last: Last, parameters: Parameters, cost: float, first: float
) -> None:
    """Refuse parameters that are not finite, and a cost that has run away.

    Parameters
    ----------
    runner : Runner
    last : Last
    parameters : Parameters
        After the epoch.
    cost, first : float
        Of the epoch, and of the run's first.

    Raises
    ------
    DivergenceError
    """
    if not all(all_finite(W) for layer in parameters for W in layer.values()):
        raise diverged(runner, last)
    if ran_away(cost, first, last.examples.Y):
        raise diverged(runner, last, f"cost of {cost:.3g} has run away")


def diverged(runner: Runner, last: Last, what: str | None = None) -> DivergenceError:
    """The error of a run that has diverged: with step, layer and advice."""
    X = gathered(last.examples.X, last.batch)
    layer, quantity = first_infinite(runner.plan.network, runner.parameters(), X)
    where = "the cost" if layer is None else f"{quantity} of layer {layer}"
    what = f"the {what}" if what and layer is None else f"{where} is not finite"
    return DivergenceError(
        f"training diverged at step {last.step} (epoch {last.epoch}): {what}. Lower the "
        f"learning rate (it was {last.rate:g}), standardize the inputs, or clip the gradients "
        "(Regularization(clip_norm=1)).",
        step=last.step,
        layer=layer,
        quantity=quantity,
    )
