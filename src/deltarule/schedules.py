"""Schedules: pure functions of the step to the learning rate, one row each.

Steps count from 0. A schedule with a horizon takes the run's number of steps where none is
given: :meth:`Schedule.bound` fills it in when the run begins.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError
from deltarule.registry import Registry
from deltarule.spec import Spec


@dataclass(frozen=True)
class Schedule(Spec):
    """What all schedules share.

    Parameters
    ----------
    rate : float
        The learning rate that the shape is multiplied by: its peak.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> Cosine(0.1, steps=100)([0, 50, 100]).round(3).tolist()
    [0.1, 0.05, 0.0]
    """

    rate: float = 1e-3

    always_shown: ClassVar[str] = "rate"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        checked_number(owner, "rate", self.rate, low=0)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in ("steps", "every", "period", "warmup") and value is not None:
                checked_number(owner, entry.name, value, low=1)
            elif entry.name in ("floor", "factor", "final", "peak", "start", "end"):
                checked_number(owner, entry.name, value, low=0, high=1)
            elif entry.name in ("growth", "power"):
                checked_number(owner, entry.name, value, low=0)

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, or at each of an array of steps, in float64."""
        step = np.asarray(step, dtype=np.float64)
        return self.rate * self._shape(step)

    def _shape(self, step: Array) -> Array:
        raise NotImplementedError

    @property
    def horizon(self) -> bool:
        """Whether the shape depends on the run's number of steps, and does not know it yet."""
        return getattr(self, "steps", 0) is None

    def bound(self, steps: int) -> Self:
        """The schedule for a run of that many steps; the same where it needs no horizon."""
        if not self.horizon:
            return self
        return replace(self, steps=steps)  # type: ignore[call-arg]  # those with one have it

    def _progress(self, step: Array, steps: float | None) -> Array:
        """From 0 to 1 over the horizon, and 1 beyond it."""
        if steps is None:
            raise SettingError(
                f"{type(self).__name__}: has no horizon yet; expected steps=, the number of "
                "steps it runs over. train() fills it in; a custom loop does not."
            )
        return np.minimum(step / steps, 1.0)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always.

    Parameters
    ----------
    rate : float
        The learning rate: at least 0.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> float(Constant(0.1)(7))
    0.1
    """

    def _shape(self, step: Array) -> Array:
        return np.ones_like(step)


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """``rate / (step + 1)^power``.

    Parameters
    ----------
    rate : float
        The rate of the first step: at least 0.
    power : float
        How fast it falls: at least 0, which is a constant rate.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> round(float(InverseScaling(0.1)(99)), 6)
    0.01
    """

    power: float = 0.5

    def _shape(self, step: Array) -> Array:
        return (step + 1.0) ** -self.power


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Times `factor` after each `every` steps; without `every`, after each third of the run.

    Parameters
    ----------
    rate : float
        The rate of the first step: at least 0.
    factor : float
        What the rate is multiplied by at each drop: 0 to 1.
    every : float, optional
        Steps between two drops. Default: a third of the run.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> StepDecay(0.1, every=10)([9, 10, 20]).round(4).tolist()
    [0.1, 0.01, 0.001]
    """

    factor: float = 0.1
    every: float | None = None
    steps: float | None = None

    @property
    def horizon(self) -> bool:
        """Whether it still lacks both its period and the run's number of steps."""
        return self.every is None and self.steps is None

    def _shape(self, step: Array) -> Array:
        if self.every is not None:
            return self.factor ** np.floor(step / self.every)
        return self.factor ** np.minimum(np.floor(3 * self._progress(step, self.steps)), 2)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Down to `final` of the rate, by the same factor every step.

    Parameters
    ----------
    rate : float
        The rate of the first step: at least 0.
    final : float
        The rate at the end of the run, as a share of `rate`: 0 to 1.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> Exponential(0.1, steps=10)([0, 5, 10]).round(4).tolist()
    [0.1, 0.01, 0.001]
    """

    final: float = 0.01
    steps: float | None = None

    def _shape(self, step: Array) -> Array:
        return self.final ** self._progress(step, self.steps)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the rate down to `floor` of it (Loshchilov and Hutter 2017).

    Parameters
    ----------
    rate : float
        The rate of the first step: at least 0.
    floor : float
        The lowest rate, as a share of `rate`: 0 to 1.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> Cosine(0.1, steps=10)([0, 5, 10]).round(4).tolist()
    [0.1, 0.05, 0.0]
    """

    floor: float = 0.0
    steps: float | None = None

    def _shape(self, step: Array) -> Array:
        return _fall(self._progress(step, self.steps), self.floor)


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Cosines one after another, each `growth` times as long as the one before (SGDR, 2017).

    Without `period`, the first takes a seventh of the run: with growth 2 that is three cycles.

    Parameters
    ----------
    rate : float
        The rate at the beginning of each cycle: at least 0.
    growth : float
        Length of a cycle as a multiple of the previous one: at least 1.
    floor : float
        The lowest rate, as a share of `rate`: 0 to 1.
    period : float, optional
        Steps of the first cycle. Default: a seventh of the run.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> CosineRestarts(0.1, period=10)([0, 5, 10, 20, 30]).round(4).tolist()
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    growth: float = 2.0
    floor: float = 0.0
    period: float | None = None
    steps: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_number("CosineRestarts", "growth", self.growth, low=1)

    @property
    def horizon(self) -> bool:
        """Whether it still lacks both its period and the run's number of steps."""
        return self.period is None and self.steps is None

    def _shape(self, step: Array) -> Array:
        period = self.period
        if period is None:
            self._progress(step, self.steps)  # refuses a missing horizon
            period = max(1.0, self.steps / 7.0)  # type: ignore[operator]
        u = step / period
        if self.growth == 1.0:
            return _fall(u - np.floor(u), self.floor)
        # After k cycles (growth^k − 1)/(growth − 1) periods have gone; the 1e-9 lands a step
        # that is a restart on it although the logarithm is a hair short.
        ratio = self.growth - 1.0
        k = np.floor(np.log1p(u * ratio) / np.log(self.growth) + 1e-9)
        begun = (self.growth**k - 1.0) / ratio
        return _fall(np.clip((u - begun) / self.growth**k, 0.0, 1.0), self.floor)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from `start` of the rate until `peak` of the run, then down to `end` (Smith 2018).

    Parameters
    ----------
    rate : float
        The highest rate: at least 0.
    peak : float
        Where the rate is highest, as a share of the run: 0 to 1.
    start, end : float
        The first and the last rate, as shares of `rate`: 0 to 1.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> OneCycle(0.1, steps=10)([0, 3, 10]).round(6).tolist()
    [0.004, 0.1, 1e-05]
    """

    peak: float = 0.3
    start: float = 0.04
    end: float = 1e-4
    steps: float | None = None

    def _shape(self, step: Array) -> Array:
        t = self._progress(step, self.steps)
        up = _fall(1.0 - np.minimum(t / max(self.peak, 1e-12), 1.0), self.start)
        down = _fall(np.maximum(t - self.peak, 0.0) / max(1.0 - self.peak, 1e-12), self.end)
        return np.where(t < self.peak, up, down)


@dataclass(frozen=True)
class CosLog(Schedule):
    """``½ (1 − cos(2π log₂(1 + 15 t)))``, t from 0 to 1: four waves, each longer (RealMLP, 2024).

    Parameters
    ----------
    rate : float
        The rate at the top of each wave: at least 0.
    steps : float, optional
        Number of steps of the run, the horizon. Default: that of the training, which fills it in.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> CosLog(0.1, steps=1000)([0, 28, 67, 1000]).round(2).tolist()
    [0.0, 0.1, 0.0, 0.0]
    """

    steps: float | None = None

    def _shape(self, step: Array) -> Array:
        t = self._progress(step, self.steps)
        return 0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * t)))


@dataclass(frozen=True)
class Warmup(Spec):
    """A linear rise to the first rate of any schedule, and then that schedule.

    Parameters
    ----------
    then : Schedule or float
        What follows; a number is a constant rate.
    steps : int
        How many steps the rise takes.

    Raises
    ------
    SettingError
        For a number of steps that is not whole or below 1.

    Examples
    --------
    >>> Warmup(Cosine(0.1), steps=4).bound(14)([0, 3, 4, 14]).round(3).tolist()
    [0.025, 0.1, 0.1, 0.0]
    """

    then: Schedule | float
    steps: int

    def __post_init__(self) -> None:
        checked_number("Warmup", "steps", self.steps, low=1, whole=True)
        if not isinstance(self.then, Schedule):
            object.__setattr__(self, "then", Constant(self.then))

    @property
    def rate(self) -> float:
        """The rate of the schedule that follows."""
        return self._after.rate

    @property
    def horizon(self) -> bool:
        """As of the schedule that follows."""
        return self._after.horizon

    @property
    def _after(self) -> Schedule:
        assert isinstance(self.then, Schedule)
        return self.then

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, or at each of an array of steps, in float64."""
        step = np.asarray(step, dtype=np.float64)
        rise = np.minimum((step + 1.0) / self.steps, 1.0)
        return rise * self._after(np.maximum(step - self.steps, 0.0))

    def bound(self, steps: int) -> Warmup:
        """What follows gets the steps that the rise leaves."""
        return Warmup(self._after.bound(max(1, steps - self.steps)), self.steps)


def _fall(t: Array, floor: float) -> Array:
    """Half a cosine from 1 at t = 0 to `floor` at t = 1."""
    return floor + (1.0 - floor) * 0.5 * (1.0 + np.cos(np.pi * t))


SCHEDULES: Registry[Schedule] = Registry(
    "schedule",
    Schedule,
    {
        "constant": Constant,
        "inverse_scaling": InverseScaling,
        "step": StepDecay,
        "exponential": Exponential,
        "cosine": Cosine,
        "cosine_restarts": CosineRestarts,
        "one_cycle": OneCycle,
        "coslog": CosLog,
    },
)


def schedule(rate: float | str | Schedule | Warmup) -> Schedule | Warmup:
    """A number is a constant rate, a name is looked up, a schedule stays.

    Examples
    --------
    >>> schedule(0.1)
    Constant(0.1)
    >>> schedule("cosine(0.01)")
    Cosine(0.01)
    """
    if isinstance(rate, (Schedule, Warmup)):
        return rate
    return SCHEDULES(rate) if isinstance(rate, str) else Constant(rate)
