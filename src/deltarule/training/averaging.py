"""The mean of the newest epochs' parameters (Polyak and Juditsky 1992), as a moving mean."""

from __future__ import annotations

from dataclasses import dataclass

from deltarule.arrays import checked_number
from deltarule.errors import SettingError
from deltarule.network import Parameters
from deltarule.optimizers import Optimizer
from deltarule.spec import OneLine


@dataclass(frozen=True)
class Averaging(OneLine):
    """How the parameters at the ends of epochs are averaged.

    Parameters
    ----------
    horizon : float
        Epochs, at least 1; 1 takes the newest parameters as they are.
    keep : float, optional
        In place of a horizon: the share of the old mean in each new one.
    evaluated : bool
        Whether the mean is what validation, metric and gradient norm evaluate.

    Raises
    ------
    SettingError
        For a horizon below 1.
    """

    horizon: float = 1.0
    keep: float | None = None
    evaluated: bool = True

    def __post_init__(self) -> None:
        checked_number("train", "averaging", self.horizon, low=1)

    @property
    def on(self) -> bool:
        """Whether anything is averaged."""
        return self.horizon > 1 or self.keep is not None

    def check(self, optimizer: Optimizer) -> None:
        """Refuse to average what an optimizer that takes all data at once gives.

        Raises
        ------
        SettingError
        """
        if self.horizon > 1 and optimizer.full_batch:
            raise SettingError(
                f"train(averaging={self.horizon:g}): {type(optimizer).__name__} goes from where it "
                "is, without noise that a mean would take away. Leave it out, or choose an "
                "optimizer that steps, such as Adam."
            )

    def with_newest(self, average: Average | None, newest: Parameters) -> Average:
        """The mean after one more epoch.

        Of a horizon ``W̄ + (W − W̄) / min(epochs, horizon)``: the plain mean of the first epochs,
        and later one whose weights fall by ``1 − 1/horizon`` per epoch into the past. With `keep`
        ``keep W̄ + (1 − keep) W``.

        Parameters
        ----------
        average : Average or None
            None before the first.
        newest : Parameters

        Examples
        --------
        >>> import numpy as np
        >>> average = None
        >>> for W in (2.0, 4.0, 9.0):
        ...     average = Averaging(2).with_newest(average, ({"W": np.array([W])},))
        >>> average.epochs, average.parameters[0]["W"].tolist()  # (2 + 4) / 2, then (3 + 9) / 2
        (3, [6.0])
        """
        if average is None:
            return Average(1, newest)
        epochs, keep = average.epochs + 1, self.keep
        share = 1.0 / min(epochs, self.horizon)
        return Average(
            epochs,
            tuple(
                {
                    name: W + (layer[name] - W) * W.dtype.type(share)
                    if keep is None
                    else keep * W + (1 - keep) * layer[name]
                    for name, W in mean.items()
                }
                for mean, layer in zip(average.parameters, newest, strict=True)
            ),
        )


@dataclass(frozen=True)
class Average(OneLine):
    """A moving mean of parameters.

    Attributes
    ----------
    epochs : int
        That have gone into it.
    parameters : Parameters
        The mean: of the network's shapes and dtype.
    """

    epochs: int
    parameters: Parameters
