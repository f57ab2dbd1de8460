"""Whether columns of numbers are cut into bins: by a short trial, which validation rows judge.

Bins show a network the detail of a column, and of few rows they show their noise too. Which counts
for more is nothing that a table's size tells: where rows are few, both recipes are trained for an
eighth of their epochs. From so many rows on that columns get units of their own, cutting them was
better on every table measured, and no trial is made.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.errors import DivergenceError
from deltarule.network import feed_forward
from deltarule.system.threads import few_threads
from deltarule.tabular.bins import Edges, edges, sampled
from deltarule.tabular.problems import Problem
from deltarule.tabular.recipes import BINS, EMBEDDED_FROM, Recipe, recipe
from deltarule.tabular.running import finished, is_small
from deltarule.tabular.settings import Settings
from deltarule.tabular.slants import slants
from deltarule.training import Examples, Result, Run

_SHARE = 8  # of the epochs: one in so many
_FINE = 16  # edges; columns that have more may be paired


def chosen_recipe(problem: Problem, settings: Settings, examples: Examples) -> Recipe:
    """The recipe for a problem: of two that may fit, the one that did better in a trial.

    Parameters
    ----------
    problem : Problem
    settings : Settings
        With a number of bins there is nothing to choose.
    examples : Examples
        Of all training rows.
    """
    kept, held = problem.validation
    rows = problem.count - len(held)
    targets = np.asarray(examples.Y)[:, : problem.targets.outputs]
    words = problem.preprocessing.words
    found, across = _detail(settings, np.asarray(examples.X)[kept], targets[kept], words)
    cut = _recipe(problem, settings, rows, found, across)
    if found is None or settings.bins is not None or problem.stream is not None:
        return cut
    if rows >= EMBEDDED_FROM:
        return cut
    plain = _recipe(problem, settings, rows)
    parts = examples.take(kept), examples.take(held)
    costs = [_cost(plan.run, *parts) for plan in (cut, plain)]
    return plain if costs[1] < costs[0] else cut


def trial_losses(problem: Problem, settings: Settings, examples: Examples) -> Array:
    """Each validation row's loss after a short training; infinite where that diverges.

    Columns are not cut into bins.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    examples : Examples
        Of all training rows.
    """
    kept, held = problem.validation
    run = _recipe(problem, settings, problem.count - len(held)).run
    validation = examples.take(held)
    result = _short(run, examples.take(kept), validation)
    if result is None:
        return np.full(len(held), np.inf)
    network, X = run.plan.network, np.asarray(validation.X)
    A = feed_forward(network, result.parameters, columns(X))[-1].A
    return network.cost_row.loss(A, columns(np.asarray(validation.Y)))


def _detail(
    settings: Settings, X: Array, Y: Array, words: Array
) -> tuple[Edges | None, Array | None]:
    """Where columns are cut, the slanted ones behind the others, and the slanted ones' weights."""
    most = BINS if settings.bins is None else settings.bins
    linear = settings.hidden is not None and not settings.hidden
    found = None if linear else edges(X, most, words)
    if found is None:
        return None, None
    finely = [k for k, own in enumerate(found) if len(own) > _FINE]
    across = slants(X, Y, np.array(finely, dtype=np.int64))
    cut = None if across is None else edges(sampled(X) @ across.T.astype(X.dtype), most)
    return (found, None) if cut is None else (found + cut, across)


def _recipe(
    problem: Problem,
    settings: Settings,
    rows: int,
    found: Edges | None = None,
    across: Array | None = None,
) -> Recipe:
    inputs, outputs = problem.preprocessing.width, problem.targets.outputs
    return recipe(settings, problem.task, inputs, outputs, rows, found, across)


def _cost(run: Run, train: Examples, validation: Examples) -> float:
    """The least validation cost of a short training; infinite where it diverges."""
    result = _short(run, train, validation)
    costs = () if result is None else (epoch.validation_cost for epoch in result.history)
    return min((cost for cost in costs if cost is not None), default=math.inf)


def _short(run: Run, train: Examples, validation: Examples) -> Result | None:
    """A training of an eighth of the epochs; None where it diverges."""
    stopping: Any = run.stopping
    short = replace(
        run,
        stopping=replace(stopping, epochs=math.ceil(stopping.epochs / _SHARE)),
        averaging=max(1.0, run.mean.horizon / _SHARE),
    )
    try:
        with few_threads(is_small(short)):
            return finished(short, train, validation)
    except DivergenceError:
        return None
