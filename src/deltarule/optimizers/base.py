"""What an optimizer is: settings, and a pure update of one parameter."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self, TypeAlias

from deltarule.arrays import Array, checked_number, namespace
from deltarule.schedules import Schedule, Warmup, schedule
from deltarule.spec import Spec

State: TypeAlias = tuple[Array, ...]
Updated: TypeAlias = tuple[Array, State]
Rate: TypeAlias = float | str | Schedule | Warmup

_BELOW_ONE = ("momentum", "beta_1", "beta_2", "rho")


@dataclass(frozen=True)
class Optimizer(Spec):
    """What all optimizers share.

    Parameters
    ----------
    learning_rate : float, str or schedule
        A number, a schedule's name with its rate (``"cosine(0.01)"``), or a schedule.

    Raises
    ------
    SettingError
        For a value out of range.

    Attributes
    ----------
    slots : tuple of str
        The names of the state's arrays.
    decay : float
        Decoupled weight decay, applied to weights and not to biases; 0 unless it has its own.
    full_batch : bool
        Whether it drives cost and gradients of all the data instead of stepping by batches.

    Examples
    --------
    A custom optimizer is a frozen dataclass with one method:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class SignDescent(Optimizer):
    ...     def update(self, W, dW, state, t, alpha):
    ...         return W - alpha * np.sign(dW), ()
    >>> SignDescent(0.5).update(np.array([1.0]), np.array([0.2]), (), 1, 0.5)
    (array([0.5]), ())
    """

    learning_rate: Rate = 1e-2
    slots: ClassVar[tuple[str, ...]] = ()
    full_batch: ClassVar[bool] = False
    always_shown: ClassVar[str] = "learning_rate"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        if not isinstance(self.learning_rate, (str, Schedule, Warmup)):
            checked_number(owner, "learning_rate", self.learning_rate, low=0)
        schedule(self.learning_rate)  # refuses an unknown name now, not when training starts
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in _BELOW_ONE:
                checked_number(owner, entry.name, value, low=0, high=1, open_high=True)
            elif entry.name in ("epsilon", "weight_decay"):
                checked_number(owner, entry.name, value, low=0)

    @property
    def schedule(self) -> Schedule | Warmup:
        """The learning rate as a function of the step."""
        return schedule(self.learning_rate)

    @property
    def decay(self) -> float:
        """Decoupled weight decay: 0 unless the optimizer has a ``weight_decay``."""
        return float(getattr(self, "weight_decay", 0.0))

    def bound(self, steps: int) -> Self:
        """The optimizer with its schedule bound to a run of that many steps."""
        rate = self.schedule
        return replace(self, learning_rate=rate.bound(steps)) if rate.horizon else self

    def init(self, W: Array) -> State:
        """The state before the first step: zeros of the parameter's shape, one a slot."""
        return tuple(namespace(W).zeros_like(W) for _ in self.slots)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        """The parameter and the state after one step.

        Parameters
        ----------
        W, dW : arrays of one shape
        state : tuple of arrays of that shape, one a slot
        t : scalar
            The number of the step, from 1.
        alpha : scalar
            The learning rate.
        """
        raise NotImplementedError
