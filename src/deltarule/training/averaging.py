"""The average of the newest epochs' parameters (Polyak and Juditsky 1992), by a moving mean."""

from __future__ import annotations

from dataclasses import dataclass

from deltarule.arrays import checked_number
from deltarule.errors import SettingError
from deltarule.network import Parameters
from deltarule.optimizers import Optimizer


@dataclass(frozen=True)
class Average:
    """A moving mean of parameters, as they were at the ends of epochs.

    Attributes
    ----------
    epochs : int
        That have gone into it.
    parameters : Parameters
        The mean: of the network's shapes and dtype.
    """

    epochs: int
    parameters: Parameters

    def with_newest(self, newest: Parameters, horizon: float) -> Average:
        """The mean after one more epoch: ``W̄ + (W − W̄) / min(epochs, horizon)``.

        So it is the plain mean of the first epochs, and later one whose weights fall by
        ``1 − 1/horizon`` an epoch into the past.

        Parameters
        ----------
        newest : Parameters
        horizon : float
            Epochs, at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> average = Average(0, ({"W": np.zeros(1)},))
        >>> for W in (2.0, 4.0, 9.0):
        ...     average = average.with_newest(({"W": np.array([W])},), horizon=2)
        >>> average.epochs, average.parameters[0]["W"].tolist()  # (2 + 4) / 2, then (3 + 9) / 2
        (3, [6.0])
        """
        epochs = self.epochs + 1
        share = 1.0 / min(epochs, horizon)
        return Average(
            epochs,
            tuple(
                {name: W + (layer[name] - W) * W.dtype.type(share) for name, W in mean.items()}
                for mean, layer in zip(self.parameters, newest, strict=True)
            ),
        )


def checked_averaging(horizon: float, optimizer: Optimizer) -> float:
    """A horizon of at least one epoch; above that, not of an optimizer that takes all data at once.

    Raises
    ------
    SettingError
    """
    checked_number("train", "averaging", horizon, low=1)
    if horizon > 1 and optimizer.full_batch:
        raise SettingError(
            f"train(averaging={horizon:g}): {type(optimizer).__name__} goes from where it is, "
            "without noise that a mean would take away. Leave it out, or choose an optimizer that "
            "steps, such as Adam."
        )
    return float(horizon)
