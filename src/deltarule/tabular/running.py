"""A recipe's network trained, or several side by side: one per thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deltarule.engines import choose
from deltarule.engines.native import cores
from deltarule.network import Parameters
from deltarule.rng import generator
from deltarule.system.processes import group
from deltarule.system.threads import few_threads
from deltarule.tabular.problems import Problem
from deltarule.tabular.recipes import Recipe
from deltarule.tabular.settings import Settings
from deltarule.training import Examples, Result, Run, Training
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import (
    Action,
    Callback,
    EpochEnded,
    Event,
    NetworkEpochEnded,
    StopTraining,
)
from deltarule.training.parallel import below, each_run

_WORTH_THREADS = 1e8  # products a step; below, threads wait longer for each other than they work


def is_small(run: Run) -> bool:
    """Whether NumPy's products of a batch are done before threads could share them."""
    return (run.batch_size or 1) * run.plan.network.parameter_count < _WORTH_THREADS


def finished(
    run: Run,
    train: Examples,
    validation: Examples,
    callbacks: Sequence[Callback] = (),
    checkpoints: Checkpoints | None = None,
    start: Parameters | None = None,
) -> Result:
    """Train to the end; validation examples find the best epoch.

    Of a training that starts from given parameters these are epoch 0: they stay where no epoch
    has a lower validation cost.
    """
    training = Training(
        *(run, train.X, train.Y),
        weights=train.weights,
        validation=validation,
        parameters=start,
        checkpoints=checkpoints,
    )
    result = training.finish(callbacks)
    return result if start is None else _or_start(result, start, training.validation)


def _or_start(result: Result, start: Parameters, validation: Any) -> Result:
    """The result, or what it started from, by the validation cost."""
    runner, best = result.runner, result.best_epoch
    runner.set_parameters(start)
    X, Y, weights = validation
    cost = runner.cost(X, Y, weights, penalised=False)
    found = result.history[best - 1].validation_cost if best else None
    if found is None or not found < cost:
        return replace(result, parameters=runner.parameters(), best_epoch=0)
    runner.set_parameters(result.parameters)
    return result


def trained(
    recipes: Sequence[Recipe],
    problem: Problem,
    examples: Examples,
    settings: Settings,
    callbacks: Sequence[Callback],
    checkpoints: Checkpoints | None,
) -> tuple[Result, ...]:
    """Every network of the ensemble, each with its own validation rows.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of each network.
    problem : Problem
    examples : Examples
        Of all training rows.
    settings : Settings
        How many networks at once, and the time limit: where it is reached, trainings end.
    callbacks : sequence of callables
        Called with every event of the first network's training, and every epoch of the others.
    checkpoints : Checkpoints, optional
        Where the training is kept; of several networks each in a separate folder.
    """
    run, alone = recipes[0].run, len(recipes) == 1
    minutes = settings.time_limit
    deadline = math.inf if minutes is None else time.monotonic() + 60.0 * minutes

    def in_time(event: Event) -> StopTraining | None:
        late = isinstance(event, EpochEnded) and time.monotonic() > deadline
        return StopTraining("the time limit was reached") if late else None

    lock = threading.Lock()  # a callback hears one network at a time
    # the cores are taken by the network's fellows
    one_thread = not alone and choose(run.plan, run.engine, run.options).name == "native"

    def member(k: int, watch: Callback) -> Result:
        run = recipes[k].run
        options = replace(run.options, n_threads=1) if one_thread else run.options
        train, validation = (examples.take(rows) for rows in problem.validations[k])
        if problem.stream is not None:
            train = Examples(problem.stream, None, None)
        seed = run.plan.seed if k == 0 else member_seed(run.plan.seed, k)
        own = replace(run, plan=replace(run.plan, seed=seed), options=options)
        kept = checkpoints if alone else below(checkpoints, f"network-{k + 1}")
        heard = (_heard(each, k, len(recipes), lock) for each in callbacks)
        listeners = (*heard, watch, in_time)
        return finished(own, train, validation, listeners, kept, recipes[k].start)

    # What several devices share, they share in one order: a network after another.
    shared = alone or group().count > 1 or run.options.devices not in (None, 1)
    with few_threads(is_small(run) or not alone):
        count = 1 if shared else settings.n_threads or cores()
        return tuple(each_run(member, range(len(recipes)), count, checkpoints))


def _heard(callback: Callback, k: int, networks: int, lock: threading.Lock) -> Callback:
    """What a callback hears of the k-th network."""

    def hear(event: Event) -> Action | None:
        if k > 0:
            if not isinstance(event, EpochEnded):
                return None
            event = NetworkEpochEnded(k + 1, networks, event.epoch)
        with lock:
            return callback(event)

    return hear


def member_seed(seed: int, k: int) -> int:
    """The seed of a further network: as far from the seeds people choose as from its fellows'."""
    return int(generator(seed, "member", k).integers(2**62))
