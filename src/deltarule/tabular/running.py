"""A recipe's network trained, or several side by side: a network a thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import deltarule.baselines as bl
from deltarule.engines import choose
from deltarule.engines.native import cores
from deltarule.engines.plan import Plan
from deltarule.rng import generator
from deltarule.system.processes import group
from deltarule.system.threads import each_in_threads
from deltarule.tabular.problems import Problem
from deltarule.tabular.recipes import Recipe
from deltarule.tabular.settings import Settings
from deltarule.training import Examples, Result, train
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback, Event
from deltarule.training.interruption import signals_shared

_WORTH_THREADS = 1e8  # products a step; below, threads wait longer for each other than they work


def is_small(plan: Recipe) -> bool:
    """Whether NumPy's products of a batch are done before threads could share them."""
    return plan.batch_size * plan.network.parameter_count < _WORTH_THREADS


def run(plan: Recipe, settings: Settings, kept: Examples, held: Examples, **further: Any) -> Result:
    """Train on the kept rows; the held ones find the best epoch.

    Parameters
    ----------
    plan : Recipe
    settings : Settings
    kept, held : Examples
    further : any
        What of :func:`deltarule.train` is to be otherwise.
    """
    asked: dict[str, Any] = {
        "stopping": plan.stopping,
        "averaging": plan.averaging,
        "engine": settings.engine,
        "options": settings.options,
        "dtype": settings.dtype,
        "seed": settings.seed,
    }
    return train(
        plan.network,
        kept.X,
        kept.Y,
        optimizer=plan.optimizer,
        batch_size=plan.batch_size,
        validation=held,
        weights=kept.weights,
        regularization=plan.regularization,
        **{**asked, **further},
    )


def trained(
    plan: Recipe,
    problem: Problem,
    examples: Examples,
    settings: Settings,
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
    settings : Settings
    callbacks : sequence of callables
        Called with every event of the first network's training.
    checkpoints : Checkpoints, optional
        Where the training is kept; of several networks each in a folder of its own.
    """
    validations = problem.validations
    alone, options = len(validations) == 1, settings.options
    if not alone and _runs_natively(plan, settings):
        options = replace(options, n_threads=1)  # the cores are taken by the network's fellows

    halt = threading.Event()

    def watch(event: Event) -> None:
        if halt.is_set():
            raise CancelledError

    def member(k: int) -> Result:
        kept, held = (examples.take(rows) for rows in validations[k])
        if problem.stream is not None:
            kept = Examples(problem.stream, None, None)
        return run(
            plan,
            settings,
            kept,
            held,
            options=options,
            seed=settings.seed if k == 0 else member_seed(settings.seed, k),
            checkpoints=checkpoints if alone or checkpoints is None else _kept_in(checkpoints, k),
            callbacks=(*(callbacks if k == 0 else ()), watch),
        )

    with bl.few_threads(is_small(plan) or not alone):
        if alone:
            return (member(0),)
        # What several devices share, they share in one order: a network after another.
        shared = group().count > 1 or options.devices not in (None, 1)
        threads = 1 if shared else settings.n_threads or cores()
        sharing = nullcontext(list[int]()) if checkpoints is None else signals_shared()
        with sharing as heard:
            # a network that has heard a signal ends by itself, with a checkpoint
            return tuple(
                each_in_threads(
                    member,
                    range(len(validations)),
                    threads,
                    stop=lambda: None if heard else halt.set(),
                )
            )


def _runs_natively(plan: Recipe, settings: Settings) -> bool:
    steps = Plan(plan.network, plan.optimizer, plan.regularization, settings.dtype, settings.seed)
    return choose(steps, settings.engine, settings.options).name == "native"


def _kept_in(checkpoints: Checkpoints, k: int) -> Checkpoints:
    return replace(checkpoints, folder=Path(checkpoints.folder) / f"network-{k + 1}")


def member_seed(seed: int, k: int) -> int:
    """The seed of a further network: as far from the seeds people choose as from its fellows'."""
    return int(generator(seed, "member", k).integers(2**62))
