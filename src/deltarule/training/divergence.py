"""Numbers that stop being finite: the first place that holds one, the error, the way back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.errors import DivergenceError
from deltarule.layers import Batch
from deltarule.network import Network, Parameters, feed_forward
from deltarule.sparse import gathered
from deltarule.training.events import RateReduced
from deltarule.training.examples import Examples
from deltarule.training.resuming import Resumable
from deltarule.training.stopping import Verdict

_MOST_REDUCTIONS = 20  # a millionth of the rate


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

    Predicting 0 costs about the mean square of Y: what is worse than that by far is no noise.

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
    """The step that was made last: its number in the epoch, from 1, its batch, its rate."""

    step: int
    examples: Examples
    batch: Array
    rate: float


class Recoverable(Resumable):
    """A run that sees where its numbers stop being finite, and knows where to go back to."""

    def _check_sound(self, epoch: int, last: Last, cost: float) -> None:
        """Refuse parameters that are not finite, and a cost that has run away."""
        if not all(np.isfinite(W).all() for layer in self._after for W in layer.values()):
            self._raise_diverged(epoch, last)
        first = self.history[0].cost if self.history else float(self._costs[0][0])
        if ran_away(cost, first, last.examples.Y):
            self._raise_diverged(epoch, last, f"cost of {cost:.3g} has run away")

    def _raise_diverged(self, epoch: int, last: Last, what: str | None = None) -> None:
        step, rate = (epoch - 1) * self.steps_per_epoch + last.step, last.rate
        layer, quantity = first_infinite(
            self.plan.network, self.runner.parameters(), gathered(last.examples.X, last.batch)
        )
        where = "the cost" if layer is None else f"{quantity} of layer {layer}"
        what = f"the {what}" if what and layer is None else f"{where} is not finite"
        raise DivergenceError(
            f"training diverged at step {step} (epoch {epoch}): {what}. Lower the "
            f"learning rate (it was {rate:g}), standardize the inputs, or clip the gradients "
            "(Regularization(clip_norm=1)).",
            step=step,
            layer=layer,
            quantity=quantity,
        )

    def _reduced(self, epoch: int, error: DivergenceError) -> RateReduced:
        """Go back to the last good epoch and halve the rate; or give up, with its parameters."""
        parameters, state = self._good
        self.runner.set_parameters(parameters)
        error.parameters = parameters
        if self.stopping.on_divergence != "reduce" or self._reductions == _MOST_REDUCTIONS:
            raise error
        self.runner.set_state(state)
        had = len(self.history)
        del self.history[(state.step - self._begun_at) // self.steps_per_epoch :]
        if self._best is not None and self._best[1] > len(self.history):
            self._best = None
        self._average = None  # what diverged may be in it: it begins anew
        self._forget_epoch()
        self._reductions += 1
        self.rate_scale *= 0.5
        return RateReduced(
            epoch,
            error.step,
            self.rate_scale,
            had - len(self.history),
            f"diverged at step {error.step} (epoch {epoch}): resumes from the end of "
            f"epoch {len(self.history)} with {self.rate_scale:g} times the scheduled learning rate",
        )

    def _stopped(self, error: DivergenceError) -> None:
        """End the run with the best epoch's parameters, where that is asked for and there is one.

        Raises
        ------
        DivergenceError
            Otherwise.
        """
        if self.stopping.on_divergence != "stop" or self._best is None:
            raise error
        self._forget_epoch()
        self._verdict = Verdict("diverged", str(error))
