"""*Converged?*: the question of the source's training figure, as one explicit object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from deltarule.arrays import checked_number
from deltarule.errors import SettingError
from deltarule.spec import Spec
from deltarule.training.events import EpochEnded, Event, ScaleRate

ON_DIVERGENCE = ("raise", "stop", "reduce", "ignore")
"""What a run may do where its numbers stop being finite."""


class Verdict(NamedTuple):
    """Which rule ended a run, by name and as a sentence."""

    reason: str
    text: str


class Decision(NamedTuple):
    """What a stopping rule answers to the end of an epoch.

    Attributes
    ----------
    best : bool
        Whether the epoch is the best so far.
    verdict : Verdict or None
        Why the run ends; None where it continues.
    rate_scale : float
        What the schedule's rates are multiplied by from now on.
    """

    best: bool
    verdict: Verdict | None = None
    rate_scale: float = 1.0


class StoppingRule(ABC):
    """When a run ends, and which epoch is its best: a pure function from epoch to epoch.

    What it remembers is a named tuple of numbers, which checkpoints keep.

    Attributes
    ----------
    epochs : int
        Limit of epochs.
    seconds : float or None
        Limit of time; an epoch under way is left at the next chance.
    on_divergence : str
        One of :data:`ON_DIVERGENCE`.
    restores_best : bool
        Whether the parameters of the best epoch are kept, and restored.

    Examples
    --------
    A rule that ends a run once the cost is small enough:

    >>> from dataclasses import dataclass
    >>> import deltarule as dr
    >>> from deltarule.training.stopping import Decision, Verdict
    >>> @dataclass(frozen=True)
    ... class SmallEnough(dr.StoppingRule):
    ...     cost: float
    ...     epochs: int = 1000
    ...     seconds: float | None = None
    ...     on_divergence: str = "raise"
    ...     @property
    ...     def decides(self):
    ...         return {"cost": self.cost, "epochs": self.epochs}
    ...     def start(self, earlier=None):
    ...         return ()
    ...     def after_epoch(self, memory, event):
    ...         return memory, Decision(False, self.verdict(memory, event))
    ...     def verdict(self, memory, event):
    ...         if event.cost < self.cost:
    ...             return Verdict("tolerance", "the cost is small enough")
    ...         return Verdict("epochs", "all done") if event.epoch == self.epochs else None
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> result = dr.train(
    ...     network, [[0.0], [1.0]], [1.0, 3.0], optimizer="sgd(0.1)", stopping=SmallEnough(0.1)
    ... )
    >>> result.stopped_text, result.history[-1].cost < 0.1
    ('the cost is small enough', True)
    """

    epochs: int
    seconds: float | None
    on_divergence: str
    restores_best: bool = True

    @property
    @abstractmethod
    def decides(self) -> Mapping[str, Any]:
        """What of the rule decides the numbers of a run: a checkpoint must agree with it."""

    @property
    def wants(self) -> frozenset[str]:
        """What it needs of an epoch's event: ``gradient_norm``, ``penalty``, ``validation``."""
        return frozenset()

    @abstractmethod
    def start(self, earlier: Any = None) -> Any:
        """What it remembers before the first epoch.

        Parameters
        ----------
        earlier : named tuple, optional
            At the end of the run that this one continues.
        """

    @abstractmethod
    def after_epoch(self, memory: Any, event: EpochEnded) -> tuple[Any, Decision]:
        """What it remembers after an epoch, and what it decides.

        Parameters
        ----------
        memory : named tuple
        event : EpochEnded
            `best` is not known yet.
        """

    @abstractmethod
    def verdict(self, memory: Any, event: EpochEnded) -> Verdict | None:
        """Why the run ends after an epoch that it remembers; asked again where a run is resumed."""

    def after_recovery(self, memory: Any) -> Any:
        """What it remembers where a run goes back to the end of a good epoch, as it was then."""
        return memory


class Progress(NamedTuple):
    """What :class:`Stopping` remembers.

    Attributes
    ----------
    best_epoch : int
        0 before there is one.
    best_figure : float
        Of the validation data; higher is better.
    least_cost : float
        Of the training data.
    flat : int
        How many epochs in a row have not improved on it.
    """

    best_epoch: int = 0
    best_figure: float = 0.0
    least_cost: float = float("inf")
    flat: int = 0


@dataclass(frozen=True)
class Stopping(Spec, StoppingRule):
    """When a run has converged: the first rule that holds after an epoch ends it.

    Parameters
    ----------
    epochs : int
        Limit of epochs.
    seconds : float, optional
        Limit of time; an epoch under way is left at the next chance.
    gradient_norm : float, optional
        The norm of the gradient over all training data falls below this.
    tolerance : float, optional
        The training cost has not improved on its best by more than this ...
    tolerance_epochs : int
        ... for this many consecutive epochs.
    patience : int, optional
        Number of consecutive epochs without a better validation metric. Needs validation data.
    improvement : float
        A validation figure is better where it beats the best by more than this.
    on_divergence : str
        Where the cost stops being finite, or runs away: ``"raise"`` ends the run with
        :class:`~deltarule.DivergenceError`; ``"stop"`` ends it with the best epoch's parameters
        where validation data chose one, and raises otherwise; ``"reduce"`` goes back to the end
        of the last good epoch and on from there at half the rate, up to 20 times in a row;
        ``"ignore"`` leaves out batches whose cost is not finite.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> rule = Stopping(epochs=100, tolerance=1e-3, tolerance_epochs=2)
    >>> memory = rule.start()
    >>> for epoch, cost in enumerate([0.5, 0.4, 0.3999, 0.3998], 1):
    ...     memory, decision = rule.after_epoch(memory, EpochEnded(epoch, epoch, cost))
    >>> decision.verdict.reason
    'tolerance'
    """

    epochs: int = 100
    seconds: float | None = None
    gradient_norm: float | None = None
    tolerance: float | None = None
    tolerance_epochs: int = 10
    patience: int | None = None
    improvement: float = 0.0
    on_divergence: str = "raise"

    def __post_init__(self) -> None:
        checked_divergence("Stopping", self.on_divergence)
        checked_number("Stopping", "epochs", self.epochs, low=1, whole=True)
        checked_number("Stopping", "tolerance_epochs", self.tolerance_epochs, low=1, whole=True)
        checked_number("Stopping", "improvement", self.improvement, low=0)
        for name in ("seconds", "gradient_norm", "tolerance"):
            if getattr(self, name) is not None:
                checked_number("Stopping", name, getattr(self, name), low=0)
        if self.patience is not None:
            checked_number("Stopping", "patience", self.patience, low=1, whole=True)

    @property
    def wants(self) -> frozenset[str]:
        """The gradient's norm where it has a limit, validation data where patience needs them."""
        limits = {"gradient_norm": self.gradient_norm, "validation": self.patience}
        return frozenset(name for name, limit in limits.items() if limit is not None)

    @property
    def decides(self) -> Mapping[str, Any]:
        """Limits may be others when a run is resumed; these may not."""
        return {"improvement": self.improvement, "on_divergence": self.on_divergence}

    def start(self, earlier: Any = None) -> Progress:
        """Nothing: each run counts for itself."""
        return Progress()

    def after_epoch(self, memory: Progress, event: EpochEnded) -> tuple[Progress, Decision]:
        """What it remembers after an epoch, and what it decides."""
        figure = event.figure
        if figure is None and event.validation_cost is not None:
            figure = -event.validation_cost
        epoch, best_figure, least, flat = memory
        best = figure is not None and (not epoch or figure > best_figure + self.improvement)
        if best:
            epoch, best_figure = event.epoch, figure or 0.0
        tolerance = self.tolerance or 0.0
        flat = 0 if event.cost < least - tolerance else flat + 1
        memory = Progress(epoch, best_figure, min(least, event.cost), flat)
        return memory, Decision(best, self.verdict(memory, event))

    def verdict(self, memory: Progress, event: EpochEnded) -> Verdict | None:
        """The first rule that ends the run, or None where it continues."""
        norm, limit = event.gradient_norm, self.gradient_norm
        if norm is not None and limit is not None and norm < limit:
            return Verdict("gradient_norm", f"gradient norm {norm:.3g} below {limit:g}")
        if self.tolerance is not None and memory.flat >= self.tolerance_epochs:
            return Verdict(
                "tolerance",
                f"cost improved by at most {self.tolerance:g} in {self.tolerance_epochs} epochs",
            )
        if self.patience is not None and event.epoch - memory.best_epoch >= self.patience:
            return Verdict("patience", f"no better validation metric for {self.patience} epochs")
        if self.seconds is not None and event.seconds >= self.seconds:
            return Verdict("seconds", f"time limit of {self.seconds:g} s reached")
        if event.epoch >= self.epochs:
            return Verdict("epochs", f"epoch limit {self.epochs} reached")
        return None


class ReduceOnPlateau:
    """A callback that scales the learning rate down where progress has stopped.

    Parameters
    ----------
    factor : float
        What the rate is multiplied by, between 0 and 1.
    patience : int
        Epochs without a better validation cost (training cost, where there is none).
    improvement : float
        Better means by more than this.
    floor : float
        The rate is not scaled below this share of what the schedule says.

    Examples
    --------
    >>> plateau = ReduceOnPlateau(factor=0.5, patience=2)
    >>> [plateau(EpochEnded(i, i, cost)) for i, cost in enumerate([1.0, 1.0, 1.0], 1)]
    [None, None, ScaleRate(0.5)]
    """

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 5,
        improvement: float = 1e-4,
        floor: float = 1e-3,
    ) -> None:
        owner = "ReduceOnPlateau"
        checked_number(owner, "factor", factor, low=0, high=1, open_low=True, open_high=True)
        checked_number(owner, "patience", patience, low=1, whole=True)
        checked_number(owner, "improvement", improvement, low=0)
        checked_number(owner, "floor", floor, low=0, high=1)
        self.factor, self.patience = factor, patience
        self.improvement, self.floor = improvement, floor
        self.best, self.waited, self.scale = float("inf"), 0, 1.0

    def state(self) -> dict[str, float | None]:
        """What it remembers, for a checkpoint; JSON values."""
        best = None if self.best == float("inf") else self.best
        return {"best": best, "waited": self.waited, "scale": self.scale}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        self.best = float("inf") if state["best"] is None else float(state["best"])
        self.waited, self.scale = int(state["waited"]), float(state["scale"])

    def __call__(self, event: Event) -> ScaleRate | None:
        """Listen to the end of an epoch; answer with a smaller rate where it is due."""
        if not isinstance(event, EpochEnded):
            return None
        cost = event.cost if event.validation_cost is None else event.validation_cost
        if cost < self.best - self.improvement:
            self.best, self.waited = cost, 0
            return None
        self.waited += 1
        if self.waited < self.patience or self.scale * self.factor < self.floor:
            return None
        self.waited, self.scale = 0, self.scale * self.factor
        return ScaleRate(self.factor)


def checked_divergence(owner: str, word: Any) -> None:
    """Refuse what is none of :data:`ON_DIVERGENCE`.

    Raises
    ------
    SettingError
        With those there are.
    """
    if not isinstance(word, str) or word not in ON_DIVERGENCE:
        raise SettingError(
            f"{owner}(on_divergence={word!r}): expected one of {', '.join(ON_DIVERGENCE)}."
        )


def needs_validation(rule: StoppingRule, given: bool) -> None:
    """Refuse patience without validation data.

    Raises
    ------
    SettingError
        With what to pass.
    """
    if "validation" in rule.wants and not given:
        patience = getattr(rule, "patience", "")
        raise SettingError(
            f"Stopping(patience={patience}): needs validation data, got none. "
            "Pass validation=0.1, or a pair (X, Y)."
        )
