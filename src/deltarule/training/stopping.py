"""*Converged?*: the question of the source's training figure, as one explicit object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from deltarule.arrays import checked_number
from deltarule.errors import SettingError
from deltarule.training.events import EpochEnded, Event, ScaleRate

ON_DIVERGENCE = ("raise", "stop", "reduce", "ignore")
"""What a run may do where its numbers stop being finite."""


class Verdict(NamedTuple):
    """Which rule ended a run, by name and as a sentence."""

    reason: str
    text: str


@dataclass(frozen=True)
class Stopping:
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
        ... for so many epochs in a row.
    patience : int, optional
        So many epochs in a row without a better validation figure. Needs validation data.
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
    >>> costs = [0.5, 0.4, 0.3999, 0.3998]
    >>> rule.verdict([EpochEnded(i, i, cost) for i, cost in enumerate(costs, 1)]).reason
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

    def verdict(self, history: Sequence[EpochEnded]) -> Verdict | None:
        """The rule that ends a run with this history, or None where it goes on.

        Parameters
        ----------
        history : sequence of EpochEnded
            All epochs so far.
        """
        last = history[-1]
        norm, limit = last.gradient_norm, self.gradient_norm
        if norm is not None and limit is not None and norm < limit:
            return Verdict("gradient_norm", f"gradient norm {norm:.3g} below {limit:g}")
        if self.tolerance is not None and self._flat(history):
            return Verdict(
                "tolerance",
                f"cost improved by at most {self.tolerance:g} in {self.tolerance_epochs} epochs",
            )
        if self.patience is not None:
            best = max((entry.epoch for entry in history if entry.best), default=0)
            if last.epoch - best >= self.patience:
                return Verdict(
                    "patience", f"no better validation metric for {self.patience} epochs"
                )
        if self.seconds is not None and last.seconds >= self.seconds:
            return self.out_of_time()
        if last.epoch >= self.epochs:
            return Verdict("epochs", f"epoch limit {self.epochs} reached")
        return None

    def out_of_time(self) -> Verdict:
        """The verdict of the time limit."""
        return Verdict("seconds", f"time limit of {self.seconds:g} s reached")

    def _flat(self, history: Sequence[EpochEnded]) -> bool:
        assert self.tolerance is not None
        best, waited = float("inf"), 0
        for entry in history:
            waited = 0 if entry.cost < best - self.tolerance else waited + 1
            best = min(best, entry.cost)
        return waited >= self.tolerance_epochs


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
    [None, None, ScaleRate(factor=0.5)]
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


def needs_validation(stopping: Stopping, given: bool) -> None:
    """Refuse patience without validation data.

    Raises
    ------
    SettingError
        With what to pass.
    """
    if stopping.patience is not None and not given:
        raise SettingError(
            f"Stopping(patience={stopping.patience}): needs validation data, got none. "
            "Pass validation=0.1, or a pair (X, Y)."
        )
