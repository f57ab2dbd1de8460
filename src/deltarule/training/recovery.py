"""Where a run goes back to that diverges: the end of its last good epoch."""

from __future__ import annotations

from deltarule.engines.plan import Runner
from deltarule.errors import DivergenceError
from deltarule.training.events import RateReduced
from deltarule.training.state import TrainingState
from deltarule.training.stopping import StoppingRule

_GOOD = 10.0  # an epoch this many times worse than the best may be diverging already
_MOST_REDUCTIONS = 20  # in a row: a millionth of the rate


class Recovery:
    """The last good epoch of a run, and the way back.

    Parameters
    ----------
    rule : StoppingRule
        It says whether a run resumes from there, at half the rate.
    state : TrainingState
        Where the run begins, or is resumed.
    runner : Runner
    good : TrainingState, optional
        What a checkpoint knows of the last good epoch; else the run begins with one.

    Attributes
    ----------
    good : TrainingState
        At the end of the last good epoch; with the optimizer's where a run resumes from there.
    """

    def __init__(
        self,
        rule: StoppingRule,
        state: TrainingState,
        runner: Runner,
        good: TrainingState | None = None,
    ) -> None:
        self._rule, self._reduces = rule, rule.on_divergence == "reduce"
        self._least = min((event.cost for event in state.history), default=float("inf"))
        self.good = good or self._kept(state, runner)

    def after_epoch(self, state: TrainingState, runner: Runner) -> TrainingState:
        """Where the run stands after one more epoch, which is kept where it is a good one."""
        cost = state.events[-1].cost
        self._least = min(self._least, cost)
        if cost <= _GOOD * self._least:
            state = state.but(reductions=0) if state.reductions else state
            self.good = self._kept(state, runner)
        return state

    def _kept(self, state: TrainingState, runner: Runner) -> TrainingState:
        return state.but(optimizer=runner.state()) if self._reduces else state

    def back(
        self, state: TrainingState, runner: Runner, epoch: int, error: DivergenceError
    ) -> tuple[TrainingState, RateReduced]:
        """Back at the last good epoch, at half the rate: where the run stands, and its event.

        Parameters
        ----------
        state : TrainingState
            Where the run diverged.
        runner : Runner
            It takes over the parameters of the good epoch, as the error does.
        epoch : int
            Which diverged, from 1.
        error : DivergenceError
            Raised again where the rule or the number of attempts leaves no other way.
        """
        good = self.good
        runner.set_parameters(good.parameters)
        error.parameters = good.parameters
        if good.optimizer is None or state.reductions == _MOST_REDUCTIONS:
            raise error
        runner.set_state(good.optimizer)
        back = state.recovered(good, self._rule.after_recovery(good.rule))
        scale = back.rate_scale
        return back, RateReduced(
            epoch,
            error.step,
            scale,
            state.epochs - back.epochs,
            f"diverged at step {error.step} (epoch {epoch}): resumes from the end of "
            f"epoch {back.epochs} with {scale:g} times the scheduled learning rate",
        )
