"""A run as a value: everything that decides its numbers, apart from the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

from deltarule.arrays import Array, checked_number
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import TypeMismatchError
from deltarule.network import Network
from deltarule.optimizers import Optimizer
from deltarule.regularization import Regularization
from deltarule.spec import Spec
from deltarule.training.averaging import Averaging
from deltarule.training.stopping import Stopping, StoppingRule

Metric: TypeAlias = Callable[[Array, Array], float]
"""Of targets and predictions, both ``(m, n[L])``, to a figure of which more is better."""

Order: TypeAlias = Callable[[int], Array]
"""Of an epoch, from 1, to the order of its rows: each row's number once."""


@dataclass(frozen=True)
class RunnerMetric:
    """A metric that asks the runner itself, such as a scorer of a whole estimator.

    Parameters
    ----------
    of : callable
        Of the runner to a figure of which more is better.
    """

    of: Callable[[Runner], float]


@dataclass(frozen=True)
class Run(Spec):
    """What :func:`~deltarule.train` does with data: the plan of a step, and all that goes round it.

    Parameters
    ----------
    plan : Plan
        Network, optimizer, regularization, dtype and seed.
    batch_size : int or None
        Examples per step; None for all at once.
    stopping : StoppingRule
        *Converged?*
    metric : callable, optional
        Evaluates the validation data in place of the cost.
    shuffle : bool or function
        A new order every epoch; or a function of the epoch, from 1, to the order of the rows.
    averaging : float or Averaging
        Horizon of the moving mean of the parameters, in epochs; 1 for none.
    engine : str
        ``"auto"`` or the name of an engine.
    options : EngineOptions
        The device, how precisely it multiplies, how many threads it uses.
    statistics : bool
        Whether each epoch's event carries gradient norms, update ratios and dead units.

    Raises
    ------
    SettingError, UnknownNameError
        For settings that cannot be.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from deltarule import Dense, Network, Stopping
    >>> run = Run(Plan(Network(2, [Dense(1)]), "adam"), stopping=Stopping(epochs=50))
    >>> replace(run, batch_size=None).batch_rows(1000), run.steps_per_epoch(1000)
    (1000, 32)
    """

    plan: Plan
    batch_size: int | None = 32
    stopping: StoppingRule = field(default_factory=Stopping)
    metric: Metric | RunnerMetric | None = None
    shuffle: bool | Order = True
    averaging: Averaging | float = 1.0
    engine: str = "auto"
    options: EngineOptions = field(default_factory=EngineOptions)
    statistics: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            checked_number("train", "batch_size", self.batch_size, low=1, whole=True)
        averaging = self.averaging
        if not isinstance(averaging, Averaging):
            averaging = Averaging(averaging)
        averaging.check(self.plan.optimizer_row)
        object.__setattr__(self, "averaging", averaging)

    @classmethod
    def of(
        cls,
        network: Network,
        *,
        optimizer: Optimizer | str = "adam",
        regularization: Regularization | None = None,
        stopping: StoppingRule | None = None,
        epochs: int | None = None,
        options: EngineOptions | None = None,
        dtype: Any = "float32",
        seed: int = 0,
        **settings: Any,
    ) -> Self:
        """A run from the keywords of :func:`~deltarule.train`.

        Parameters
        ----------
        network : Network
        optimizer, regularization, stopping, epochs, options, dtype, seed
            As of :func:`~deltarule.train`.
        **settings
            The run's other fields.
        """
        if not isinstance(network, Network):
            raise TypeMismatchError(f"network: expected a Network, got {type(network).__name__}.")
        plan = Plan(network, optimizer, regularization or Regularization(), dtype, seed)
        rule: Any = stopping or Stopping()
        if epochs is not None:
            rule = replace(rule, epochs=epochs)
        return cls(plan, stopping=rule, options=options or EngineOptions(), **settings)

    @property
    def mean(self) -> Averaging:
        """How parameters are averaged."""
        assert isinstance(self.averaging, Averaging)
        return self.averaging

    def batch_rows(self, rows: int) -> int:
        """The batch size for a number of rows."""
        whole = self.batch_size is None or self.plan.optimizer_row.full_batch
        return rows if whole else min(self.batch_size or rows, rows)

    def steps_per_epoch(self, rows: int) -> int:
        """The number of steps per epoch for a number of rows; the last may be short."""
        return -(-rows // self.batch_rows(rows))

    def bound(self, rows: int) -> Self:
        """The run with its schedule bound to the steps that a number of rows gives."""
        row = self.plan.optimizer_row
        bound = row.bound(self.steps_per_epoch(rows) * self.stopping.epochs)
        return self if bound is row else replace(self, plan=replace(self.plan, optimizer=bound))
