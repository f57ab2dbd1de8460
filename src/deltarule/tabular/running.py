"""A recipe's network trained, or several side by side: one per thread."""

from __future__ import annotations

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
from deltarule.training import Examples, Result, Run, Training
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback
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
    plan: Recipe,
    problem: Problem,
    examples: Examples,
    threads: int | None,
    callbacks: Sequence[Callback],
    checkpoints: Checkpoints | None,
) -> tuple[Result, ...]:
    """Every network of the ensemble, each with its own validation rows.

    Parameters
    ----------
    plan : Recipe
    problem : Problem
    examples : Examples
        Of all training rows.
    threads : int or None
        How many networks at once.
    callbacks : sequence of callables
        Called with every event of the first network's training.
    checkpoints : Checkpoints, optional
        Where the training is kept; of several networks each in a folder of its own.
    """
    run, alone = plan.run, len(problem.validations) == 1
    if not alone and choose(run.plan, run.engine, run.options).name == "native":
        # the cores are taken by the network's fellows
        run = replace(run, options=replace(run.options, n_threads=1))

    def member(k: int, watch: Callback) -> Result:
        train, validation = (examples.take(rows) for rows in problem.validations[k])
        if problem.stream is not None:
            train = Examples(problem.stream, None, None)
        seed = run.plan.seed if k == 0 else member_seed(run.plan.seed, k)
        own = replace(run, plan=replace(run.plan, seed=seed))
        kept = checkpoints if alone else below(checkpoints, f"network-{k + 1}")
        start = plan.starts[k] if plan.starts else None
        listeners = (*(callbacks if k == 0 else ()), watch)
        return finished(own, train, validation, listeners, kept, start)

    # What several devices share, they share in one order: a network after another.
    shared = alone or group().count > 1 or run.options.devices not in (None, 1)
    with few_threads(is_small(run) or not alone):
        count = 1 if shared else threads or cores()
        return tuple(each_run(member, range(len(problem.validations)), count, checkpoints))


def member_seed(seed: int, k: int) -> int:
    """The seed of a further network: as far from the seeds people choose as from its fellows'."""
    return int(generator(seed, "member", k).integers(2**62))
