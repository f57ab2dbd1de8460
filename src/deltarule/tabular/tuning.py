"""Search: settings drawn at random from the recipe's ranges, the worse ones given up early.

Trial 0 is the recipe itself. Every trial is trained on the same rows and evaluated on the same
validation rows; one that at an eighth, a quarter or half of its epochs is behind the median of
those before it is given up. What trial k tries depends on the seed and k alone, so that a search
resumes where it was left.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from deltarule.errors import DivergenceError, FileError
from deltarule.optimizers import OPTIMIZERS
from deltarule.rng import generator
from deltarule.system.storage import holds_none, read_json, write_whole
from deltarule.tabular.fitting import fit
from deltarule.tabular.problems import Problem
from deltarule.tabular.settings import EMBEDDINGS, Settings
from deltarule.training.events import EpochEnded, Event, Started, StopTraining

Draw = Callable[[np.random.Generator], Any]


def _one_of(*values: Any) -> Draw:
    return lambda rng: values[int(rng.integers(len(values)))]


def _log_uniform(low: float, high: float) -> Draw:
    return lambda rng: float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def _uniform(low: float, high: float) -> Draw:
    return lambda rng: float(f"{rng.uniform(low, high):.3g}")


RANGES: Mapping[str, Draw] = {
    "hidden": _one_of(*((width,) * depth for width in (64, 128, 192, 256) for depth in (1, 2, 3))),
    "activation": _one_of("relu", "selu", "mish", "gelu"),
    "bins": _one_of(8, 16, 32, 48, 96),
    "dropout": _uniform(0.0, 0.5),
    "learning_rate": _log_uniform(0.004, 0.06),
    "weight_decay": _log_uniform(0.003, 1.0),
    "embedding": _one_of(*EMBEDDINGS),
}
"""What a search varies, and how a value is drawn; what the caller has set is left as it is."""

_OF_STEPS = frozenset({"dropout", "learning_rate", "weight_decay"})  # which full batches lack
_RUNGS = (0.125, 0.25, 0.5)  # shares of the epochs after which a trial may be given up
_FEWEST = 4  # trials to compare with, before any is

COMPLETE, GIVEN_UP, OUT_OF_TIME, DIVERGED = "complete", "given up", "out of time", "diverged"


@dataclass(frozen=True)
class Trial:
    """One choice of settings, tried.

    Attributes
    ----------
    number : int
    chosen : mapping
        The settings that are not the recipe's.
    outcome : str
        ``"complete"``, ``"given up"``, ``"out of time"`` or ``"diverged"``.
    figure : float or None
        The least validation cost so far; None where there was none.
    rungs : tuple of float
        That figure at each rung that was reached.
    seconds : float
    """

    number: int
    chosen: Mapping[str, Any]
    outcome: str
    figure: float | None
    rungs: tuple[float, ...]
    seconds: float


def chosen_settings(settings: Settings, number: int) -> dict[str, Any]:
    """What trial `number` changes: nothing for trial 0.

    Examples
    --------
    >>> chosen_settings(Settings(), 0), sorted(chosen_settings(Settings(dropout=0.1), 1))
    ({}, ['activation', 'bins', 'embedding', 'hidden', 'learning_rate', 'weight_decay'])
    """
    if number == 0:
        return {}
    rng = generator(settings.seed, "search", number)
    drawn = {name: draw(rng) for name, draw in RANGES.items()}
    without_steps = settings.optimizer is not None and OPTIMIZERS(settings.optimizer).full_batch
    fixed = _OF_STEPS if without_steps else frozenset()
    if settings.bins is not None:
        fixed |= {"embedding"}
    return {
        name: value
        for name, value in drawn.items()
        if getattr(settings, name) is None and name not in fixed
    }


def search(
    problem: Problem,
    settings: Settings,
    seconds: float,
    earlier: Sequence[Trial] = (),
    most: int | None = None,
) -> Iterator[Trial]:
    """Try settings until the time is up: every trial that ends before.

    Parameters
    ----------
    problem : Problem
    settings : Settings
        What it leaves None is varied.
    seconds : float
        For all trials of this call together.
    earlier : sequence of Trial
        Of a search that is resumed.
    most : int, optional
        Trials in all.
    """
    problem = replace(problem, validations=problem.validations[:1])
    trials = list(earlier)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (most is None or len(trials) < most):
        trial = _tried(problem, settings, len(trials), trials, deadline)
        if trial.outcome == OUT_OF_TIME:
            return  # it can be tried again
        trials.append(trial)
        yield trial


def best(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the least validation cost; None where none is complete.

    Examples
    --------
    >>> found = [Trial(0, {}, COMPLETE, 0.5, (), 1.0), Trial(1, {}, GIVEN_UP, 0.4, (), 0.1)]
    >>> best(found).number, best(found[1:])
    (0, None)
    """
    complete = [t for t in trials if t.outcome == COMPLETE and t.figure is not None]
    return min(complete, key=lambda t: t.figure, default=None)  # type: ignore[arg-type,return-value]


def applied(settings: Settings, trial: Trial | None, networks: int) -> Settings:
    """The settings of a trial for a number of networks; unchanged where there is no trial.

    Parameters
    ----------
    settings : Settings
        The caller's.
    trial : Trial, optional
    networks : int
        By the caller's settings: that a trial found hidden layers does not make it one network.
    """
    if trial is None or not trial.chosen:
        return settings
    return replace(settings, **trial.chosen, n_ensemble=networks)


class _Evaluator:
    """A callback that follows a trial and gives it up where it is behind, or the time is up."""

    def __init__(self, earlier: Sequence[Trial], deadline: float) -> None:
        self.earlier, self.deadline = earlier, deadline
        self.outcome, self.figure, self.rungs = COMPLETE, math.inf, list[float]()
        self.at: list[int] = []

    def __call__(self, event: Event) -> StopTraining | None:
        if isinstance(event, Started):
            self.at = [max(1, round(share * event.epochs)) for share in _RUNGS]
        if not isinstance(event, EpochEnded) or event.validation_cost is None:
            return None
        self.figure = min(self.figure, event.validation_cost)
        while len(self.rungs) < len(self.at) and event.epoch >= self.at[len(self.rungs)]:
            self.rungs.append(self.figure)
            if self._behind():
                self.outcome = GIVEN_UP
                return StopTraining("behind the median of the trials before it")
        if time.monotonic() > self.deadline:
            self.outcome = OUT_OF_TIME
            return StopTraining("the time is up")
        return None

    def _behind(self) -> bool:
        rung = len(self.rungs) - 1
        others = [trial.rungs[rung] for trial in self.earlier if len(trial.rungs) > rung]
        return len(others) >= _FEWEST and self.rungs[rung] > float(np.median(others))


def _tried(
    problem: Problem, settings: Settings, number: int, earlier: Sequence[Trial], deadline: float
) -> Trial:
    chosen = chosen_settings(settings, number)
    evaluator = _Evaluator(earlier, deadline)
    begun = time.monotonic()
    single = replace(settings, n_ensemble=1, **chosen)
    try:
        fit(problem, single, [evaluator])
    except DivergenceError:
        evaluator.outcome = DIVERGED
    figure = evaluator.figure if math.isfinite(evaluator.figure) else None
    seconds = time.monotonic() - begun
    return Trial(number, chosen, evaluator.outcome, figure, tuple(evaluator.rungs), seconds)


# ---------------------------------------------------------------------------------- on disk


def save_trials(path: str | os.PathLike[str], identity: str, trials: Sequence[Trial]) -> None:
    """Write a search to a file, atomically.

    Parameters
    ----------
    path : path
    identity : str
        What tells this search from others: table, roles, settings.
    trials : sequence of Trial

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    kept = [
        asdict(trial) | {"rungs": [x if math.isfinite(x) else None for x in trial.rungs]}
        for trial in trials
    ]
    record = {"search": identity, "trials": kept}
    write_whole(path, json.dumps(record, indent=1, allow_nan=False).encode())


def load_trials(path: str | os.PathLike[str], identity: str, settings: Settings) -> list[Trial]:
    """The trials of a search that is to be continued; none where there is no file.

    Parameters
    ----------
    path : path
    identity : str
        As it was saved with.
    settings : Settings
        The search's: what each trial changes follows from them.

    Raises
    ------
    FileError
        For a file that holds no search, or another one.
    """
    if not Path(path).exists():
        return []
    record = read_json(path, "search")
    is_search = isinstance(record, dict) and set(record) == {"search", "trials"}
    if not is_search or not isinstance(record["trials"], list):
        raise holds_none(path, "search", "expected an object of a search and its trials")
    if record["search"] != identity:
        raise FileError(
            f"{path}: holds a search of other data or other settings. Give the same table, target "
            "and options as before, or name another file."
        )
    trials = [_trial(number, each, settings) for number, each in enumerate(record["trials"])]
    wrong = next((number for number, trial in enumerate(trials) if trial is None), None)
    if wrong is not None:
        raise holds_none(path, "search", f"trial {wrong} is not what this version writes")
    return [trial for trial in trials if trial is not None]


def _trial(number: int, stored: Any, settings: Settings) -> Trial | None:
    """A trial as it was saved; None where it cannot have been."""
    chosen = chosen_settings(settings, number)
    if not isinstance(stored, dict) or set(stored) != {each.name for each in fields(Trial)}:
        return None
    outcome, figure, rungs = stored["outcome"], stored["figure"], stored["rungs"]
    good = (
        _is_number(stored["number"])
        and stored["number"] == number
        and stored["chosen"] == json.loads(json.dumps(chosen))
        and outcome in (COMPLETE, GIVEN_UP, DIVERGED)
        and (figure is None or _is_number(figure))
        and isinstance(rungs, list)
        and len(rungs) <= len(_RUNGS)
        and all(rung is None or _is_number(rung) for rung in rungs)
        and _is_number(stored["seconds"])
    )
    if not good:
        return None
    reached = tuple(math.inf if rung is None else float(rung) for rung in rungs)
    return Trial(number, chosen, outcome, figure, reached, float(stored["seconds"]))


def _is_number(value: Any) -> bool:
    """Whether a JSON value is a number that a float holds."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max
