"""What callbacks wish of a run: another learning rate, an end."""

from __future__ import annotations

from deltarule.arrays import checked_number
from deltarule.errors import TypeMismatchError
from deltarule.system.processes import Group
from deltarule.training.events import Action, ScaleRate, StopTraining
from deltarule.training.state import TrainingState
from deltarule.training.stopping import Verdict


class Wishes:
    """What a run's callbacks have answered.

    Parameters
    ----------
    group : Group
        In a group of processes, what process 0's callbacks wish counts for all.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._end: str | None = None

    def after_action(self, action: Action | None, state: TrainingState) -> TrainingState:
        """Where a run stands after an answer; an end waits for :meth:`resolved`.

        Raises
        ------
        TypeMismatchError
            For an answer that is not an action.
        """
        if isinstance(action, ScaleRate):
            checked_number("ScaleRate", "factor", action.factor, low=0, open_low=True)
            return state.but(rate_scale=state.rate_scale * action.factor)
        if isinstance(action, StopTraining):
            self._end = action.text
        elif action is not None:
            raise TypeMismatchError(
                f"callback: expected None, StopTraining or ScaleRate, got {action!r}."
            )
        return state

    def resolved(self, state: TrainingState) -> TrainingState:
        """Where a run stands once all callbacks have answered: over, where one wished so."""
        self._end, scale = self._group.agreed((self._end, state.rate_scale))
        verdict = state.verdict
        if self._end is not None and state.epochs:
            verdict = verdict or Verdict("callback", self._end)
        if verdict is state.verdict and scale == state.rate_scale:
            return state
        return state.but(verdict=verdict, rate_scale=scale)
