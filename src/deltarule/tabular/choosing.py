"""The recipes of a fit: one a network, of which every other one sees numbers in another way.

No trial chooses between them where several are averaged: their average was better than what
validation rows would have chosen. Of one network alone, both ways are trained for an eighth of
their epochs. With the rows that per-feature layers need, all networks have bins: they were better
on every table measured, alone and in an average.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.arrays import Array, columns
from deltarule.errors import DivergenceError
from deltarule.network import feed_forward
from deltarule.system.threads import cores, few_threads
from deltarule.tabular.bins import distinct, edges, sampled
from deltarule.tabular.embeddings import EMBEDDED_FROM, EMBEDDINGS, Columns, beside_codes
from deltarule.tabular.oblique import oblique_features, pairs_of
from deltarule.tabular.problems import Problem
from deltarule.tabular.recipes import Recipe, recipe
from deltarule.tabular.running import finished, is_small
from deltarule.tabular.settings import Settings
from deltarule.training import Examples, Result, Run

_SHARE = 8  # of the epochs: one in so many
_BINS = 48  # of a column, at most
_MANY_VALUES = 11  # from which on a column has periodic features
_FINELY_CUT = 17  # edges from which on columns may be paired
_ALTERNATING = ("periodic", "bins")
_TIMED_ROWS = 20_000  # at most, to tell how long an epoch takes
_TIMED_EPOCHS = 4
_LONG = 0.5  # seconds of an epoch, which one tells
_MARGIN = 0.8  # of a time limit


def chosen_recipes(problem: Problem, settings: Settings, examples: Examples) -> tuple[Recipe, ...]:
    """The recipe of each network of a problem.

    Parameters
    ----------
    problem : Problem
    settings : Settings
        With an embedding or a number of bins there is nothing to choose.
    examples : Examples
        Of all training rows.
    """
    kept, held = problem.validation
    rows = problem.count - len(held)
    targets = np.asarray(examples.Y)[:, : problem.targets.outputs]
    asked = settings.embedding
    if asked is None and (settings.bins == 0 or settings.hidden == ()):
        asked = "none"
    elif asked is None and (settings.bins or rows >= EMBEDDED_FROM):
        asked = "bins"
    found = None
    if asked != "none":
        found = _columns(problem, settings, np.asarray(examples.X)[kept], targets[kept])
    ways = [
        _recipe(problem, settings, rows, embedding, found)
        for embedding in ([asked] if asked is not None else _ALTERNATING)
    ]
    count = len(problem.validations)
    if asked is None and count == 1:
        ways = [_better(ways, problem, examples)]
    recipes = tuple(ways[k % len(ways)] for k in range(count))
    if settings.time_limit is None:
        return recipes
    return within(60.0 * settings.time_limit, recipes, problem, examples)


def within(
    seconds: float, recipes: tuple[Recipe, ...], problem: Problem, examples: Examples
) -> tuple[Recipe, ...]:
    """As many of the recipes as a time limit allows; one network, shortened, where it allows none.

    Parameters
    ----------
    seconds : float
    recipes : tuple of Recipe
    problem : Problem
    examples : Examples
        Of all training rows.
    """
    kept, held = problem.validation
    some, alone = kept[:_TIMED_ROWS], len(recipes) == 1
    parts = examples.take(some), examples.take(held[: len(some)])
    for epochs in (1, _TIMED_EPOCHS):  # the first run alone has to begin with much
        begun = time.monotonic()
        for own in recipes[:2]:
            options = own.run.options if alone else replace(own.run.options, n_threads=1)
            _finished(replace(_of_epochs(own.run, epochs), options=options), *parts)
        spent = (time.monotonic() - begun) / len(recipes[:2]) / epochs
        if spent > _LONG:
            break
    stopping: Any = recipes[0].run.stopping
    each = spent * stopping.epochs * (problem.count - len(held)) / len(some)
    rounds = int(_MARGIN * seconds / each)
    if rounds >= 1:
        return recipes[: rounds * (1 if alone else cores())]
    fewer = max(1, int(stopping.epochs * _MARGIN * seconds / each))
    return (replace(recipes[-1], run=_of_epochs(recipes[-1].run, fewer), is_shortened=True),)


def _better(ways: list[Recipe], problem: Problem, examples: Examples) -> Recipe:
    """The one of two ways that did better in a trial; the second where none is made."""
    if problem.stream is not None or ways[0] == ways[1]:
        return ways[1]
    kept, held = problem.validation
    parts = examples.take(kept), examples.take(held)
    costs = [_cost(way.run, *parts) for way in ways]
    return ways[0] if costs[0] < costs[1] else ways[1]


def trial_losses(problem: Problem, settings: Settings, examples: Examples) -> Array:
    """Each validation row's loss after a short training; infinite where that diverges.

    Columns of numbers enter as they are.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    examples : Examples
        Of all training rows.
    """
    kept, held = problem.validation
    run = _recipe(problem, settings, problem.count - len(held), "none").run
    validation = examples.take(held)
    result = _short(run, examples.take(kept), validation)
    if result is None:
        return np.full(len(held), np.inf)
    network, X = run.plan.network, np.asarray(validation.X)
    A = feed_forward(network, result.parameters, columns(X))[-1].A
    return network.cost_row.loss(A, columns(np.asarray(validation.Y)))


def _columns(problem: Problem, settings: Settings, X: Array, Y: Array) -> Columns:
    """What embeddings need to know of the prepared training rows, in their columns of numbers."""
    numbers = _numbers(problem)
    X = X if len(numbers) == X.shape[1] else X[:, numbers]
    words, values = problem.preprocessing.words[numbers], distinct(X)
    many = tuple(
        len(own) >= _MANY_VALUES and not word for own, word in zip(values, words, strict=True)
    )
    most = settings.bins or _BINS
    cut = edges(X, most, words, values)
    if cut is None:
        return Columns(X.shape[1], many)
    finely = [k for k, own in enumerate(cut) if len(own) >= _FINELY_CUT]
    across = oblique_features(X, Y, np.array(finely, dtype=np.int64))
    between = None if across is None else edges(sampled(X) @ across.T.astype(X.dtype), most)
    if between is None:
        return Columns(X.shape[1], many, cut)
    return Columns(X.shape[1], many, cut + between, across)


def _recipe(
    problem: Problem,
    settings: Settings,
    rows: int,
    embedding: str,
    found: Columns | None = None,
) -> Recipe:
    inputs, outputs = problem.preprocessing.width, problem.targets.outputs
    numbers, codes = _numbers(problem), problem.preprocessing.codes
    layers = EMBEDDINGS[embedding](found or Columns(len(numbers)), rows)
    across = found.oblique if found is not None and embedding == "bins" else None
    pairs = () if across is None else tuple((numbers[a], numbers[b]) for a, b in pairs_of(across))
    layers = beside_codes(codes, layers)
    return recipe(settings, problem.task, inputs, outputs, rows, layers, pairs)


def _numbers(problem: Problem) -> list[int]:
    """The prepared columns that hold numbers, and no codes of levels."""
    return [k for k, size in enumerate(problem.preprocessing.codes) if not size]


def _cost(run: Run, train: Examples, validation: Examples) -> float:
    """The least validation cost of a short training; infinite where it diverges."""
    result = _short(run, train, validation)
    costs = () if result is None else (epoch.validation_cost for epoch in result.history)
    return min((cost for cost in costs if cost is not None), default=math.inf)


def _short(run: Run, train: Examples, validation: Examples) -> Result | None:
    """A training of an eighth of the epochs; None where it diverges."""
    stopping: Any = run.stopping
    return _finished(_of_epochs(run, math.ceil(stopping.epochs / _SHARE)), train, validation)


def _of_epochs(run: Run, epochs: int) -> Run:
    """The same run with fewer epochs, and the average over as large a share of them."""
    stopping: Any = run.stopping
    share = epochs / stopping.epochs
    return replace(
        run,
        stopping=replace(stopping, epochs=epochs),
        averaging=max(1.0, run.mean.horizon * share),
    )


def _finished(run: Run, train: Examples, validation: Examples) -> Result | None:
    try:
        with few_threads(is_small(run)):
            return finished(run, train, validation)
    except DivergenceError:
        return None
