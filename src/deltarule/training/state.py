"""Where a run stands: a value, which checkpoints keep and a further run may continue from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import RunnerState, Statistics
from deltarule.network import Parameters
from deltarule.spec import OneLine
from deltarule.training.averaging import Average
from deltarule.training.events import EpochEnded
from deltarule.training.stopping import StoppingRule, Verdict

_NONE = np.zeros(0)


Value = TypeVar("Value")


def changed(value: Value, **changes: Any) -> Value:
    """As :func:`dataclasses.replace`, of fields that need no check: a run does it often."""
    new = object.__new__(type(value))
    vars(new).update(vars(value), **changes)
    return new


class Best(NamedTuple):
    """The best epoch so far; 0 is of an earlier run. Without parameters where none are kept."""

    epoch: int
    parameters: Parameters | None


@dataclass(frozen=True)
class TrainingState(OneLine):
    """All that a run knows at a step, beside its data.

    Attributes
    ----------
    parameters : Parameters
        At the end of the newest epoch; of a :attr:`Training.snapshot`, now.
    optimizer : RunnerState or None
        The runner's step, and the optimizer's arrays; None while they are the runner's alone.
    epochs : int
        How many are done.
    events : list of EpochEnded
        Theirs first of all. Successive states share the list, which only grows.
    rule : named tuple
        What the stopping rule remembers.
    best : Best or None
        The best epoch.
    average : Average or None
        The moving mean of the parameters.
    good : TrainingState or None
        Of a snapshot: the end of the last good epoch, to which a run goes back that diverges.
    reductions : int
        How often the rate was halved since then.
    rate_scale : float
        What callbacks and divergence have made of the schedule's rate.
    rule_scale : float
        What the stopping rule has, beside that.
    verdict : Verdict or None
        Why the run is over.
    first : int
        Of a snapshot: steps of the epoch under way that are done.
    costs, shares : float64 arrays, shape (first,)
        Their costs, and what each weighs in the epoch's.
    statistics : Statistics or None
        Theirs, where asked for.
    seconds : float
        How long the run had worked when it was resumed; of a snapshot, until now.

    Examples
    --------
    A run that continues where another one stood:

    >>> import deltarule as dr
    >>> network, data = dr.Network(1, [dr.Dense(1)]), ([[0.0], [1.0]], [1.0, 3.0])
    >>> run = dr.Training(network, *data, epochs=2)
    >>> first = run.finish()
    >>> state = run.snapshot()
    >>> state.epochs, dr.train(network, *data, epochs=2, state=state).history[-1].epoch
    (2, 2)
    """

    parameters: Parameters
    optimizer: RunnerState | None = None
    epochs: int = 0
    events: list[EpochEnded] = field(default_factory=list)
    rule: Any = None
    best: Best | None = None
    average: Average | None = None
    good: TrainingState | None = None
    reductions: int = 0
    rate_scale: float = 1.0
    rule_scale: float = 1.0
    verdict: Verdict | None = None
    first: int = 0
    costs: Array = field(default_factory=lambda: _NONE)
    shares: Array = field(default_factory=lambda: _NONE)
    statistics: Statistics | None = None
    seconds: float = 0.0

    @property
    def history(self) -> tuple[EpochEnded, ...]:
        """The events of all epochs that are done."""
        return tuple(self.events[: self.epochs])

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of this run, where there is one."""
        return None if self.best is None or not self.best.epoch else self.best.epoch

    @property
    def trained(self) -> Parameters:
        """What the run gives: the best epoch's parameters, else the mean, else the newest."""
        if self.best is not None and self.best.parameters is not None:
            return self.best.parameters
        return self.parameters if self.average is None else self.average.parameters

    def but(self, **changes: Any) -> Self:
        """A copy with some changes."""
        return changed(self, **changes)

    def at_epoch_end(self, **changes: Any) -> Self:
        """Without what only a snapshot has, and with some other changes."""
        return self.but(
            optimizer=None,
            good=None,
            first=0,
            costs=_NONE,
            shares=_NONE,
            statistics=None,
            **changes,
        )

    def begun(self, parameters: Parameters, memory: Any) -> Self:
        """As the start of a further run, which continues from it.

        Parameters
        ----------
        parameters : Parameters
            To begin from.
        memory : named tuple
            What the stopping rule remembers.
        """
        return self.at_epoch_end(
            parameters=parameters,
            epochs=0,
            events=[],
            rule=memory,
            best=None if self.best is None else Best(0, self.best.parameters),
            reductions=0,
            verdict=None,
            seconds=0.0,
        )

    def with_epoch(
        self,
        rule: StoppingRule,
        event: EpochEnded,
        parameters: Parameters,
        average: Average | None,
        evaluated: Parameters,
    ) -> Self:
        """After an epoch, which the stopping rule decides on.

        Parameters
        ----------
        rule : StoppingRule
        event : EpochEnded
        parameters : Parameters
            At its end.
        average : Average or None
            The moving mean, with them.
        evaluated : Parameters
            What is kept where the epoch is the best.
        """
        memory, decision = rule.after_epoch(self.rule, event)
        best = self.best
        if decision.best:
            event = changed(event, best=True)
            best = Best(event.epoch, evaluated if rule.restores_best else None)
        self.events.append(event)
        return self.but(
            parameters=parameters,
            epochs=self.epochs + 1,
            rule=memory,
            best=best,
            average=average,
            rule_scale=decision.rate_scale,
            verdict=decision.verdict,
        )

    def recovered(self, good: TrainingState, memory: Any) -> TrainingState:
        """Back at the end of the last good epoch, at half the rate.

        Parameters
        ----------
        good : TrainingState
            There.
        memory : named tuple
            What the stopping rule remembers there.
        """
        return good.but(
            optimizer=None,
            events=list(good.history),
            rule=memory,
            average=None,  # what diverged may be in it
            reductions=self.reductions + 1,
            rate_scale=0.5 * self.rate_scale,
            seconds=self.seconds,
        )
