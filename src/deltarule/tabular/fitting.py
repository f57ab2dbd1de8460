"""A problem trained and judged: the model, its held-out figures, the baselines, the verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import deltarule.baselines as bl
from deltarule.arrays import Array, checked_dtype
from deltarule.checkpoints import Checkpoints
from deltarule.engines.memory import check_memory
from deltarule.events import Callback
from deltarule.modelfile import Model
from deltarule.preprocessing import Targets
from deltarule.tabular.problems import Problem, inputs_of, labels_of, weights_of
from deltarule.tabular.recipes import Recipe, recipe
from deltarule.tabular.settings import Roles, Settings
from deltarule.training import Result, train

_WORTH_THREADS = 1e8  # products a step; below, threads wait longer for each other than they work


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about.

    Attributes
    ----------
    model : Model
    recipe : Recipe
    result : Result
    seconds : float
        What the training took.
    """

    model: Model
    recipe: Recipe
    result: Result
    seconds: float


def chosen(problem: Problem, settings: Settings) -> Recipe:
    """The recipe for a problem."""
    return recipe(
        settings,
        problem.task,
        problem.preprocessing.width,
        problem.targets.outputs,
        len(problem.validation.kept),
    )


def fit(
    problem: Problem,
    settings: Settings,
    callbacks: Sequence[Callback] = (),
    checkpoints: Checkpoints | None = None,
) -> Fitted:
    """Train the network of a problem and restore its best epoch.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    callbacks : sequence of callables
        Called with every event of the training.
    checkpoints : Checkpoints, optional
        Where the training is kept.

    Raises
    ------
    SettingError
        For settings that do not go together.
    OutOfMemoryError
        Where memory will not hold the numbers, the parameters or a batch.
    DivergenceError
        Where the cost stops being finite.
    """
    plan = chosen(problem, settings)
    _check_memory(problem, settings, plan)
    X = problem.preprocessing.transform(inputs_of(problem.train, problem.roles))
    Y = problem.targets.encode(problem.train)
    s = training_weights(problem, settings)
    kept, held = problem.validation
    begun = time.perf_counter()
    with bl.few_threads(plan.batch_size * plan.network.parameter_count < _WORTH_THREADS):
        result = train(
            plan.network,
            X[kept],
            Y[kept],
            optimizer=plan.optimizer,
            batch_size=plan.batch_size,
            validation=(X[held], Y[held], None if s is None else s[held]),
            weights=None if s is None else s[kept],
            regularisation=plan.regularisation,
            stopping=plan.stopping,
            engine=settings.engine,
            options=settings.options,
            dtype=settings.dtype,
            seed=settings.seed,
            checkpoints=checkpoints,
            callbacks=callbacks,
        )
    seconds = time.perf_counter() - begun
    model = Model(result.network, result.parameters, problem.preprocessing, problem.targets)
    return Fitted(model, plan, result, seconds)


def _check_memory(problem: Problem, settings: Settings, plan: Recipe) -> None:
    """Refuse what memory will not hold, before the columns become numbers."""
    dtype = checked_dtype(settings.dtype)
    numbers = len(problem.train) * (plan.network.inputs + plan.network.outputs)
    check_memory(
        plan.network,
        plan.optimizer,
        dtype,
        settings.engine,
        settings.options,
        batch_size=plan.batch_size,
        data=2 * 4 * numbers,  # float32, whole and once more in two parts
        copies=2,
    )


def training_weights(problem: Problem, settings: Settings) -> Array | None:
    """The rows' weights in training: the column's, times the classes' where they are balanced."""
    s = weights_of(problem.train, problem.roles)
    if settings.class_weight is None or problem.task == "regression":
        return s
    labels = labels_of(problem.targets, problem.train)
    own = np.ones(len(labels)) if s is None else s
    share = np.bincount(labels, weights=own)
    used = share > 0
    return own * (own.sum() / (used.sum() * np.where(used, share, 1.0)))[labels]


def judge(model: Model, frame: Any, roles: Roles) -> tuple[dict[str, float], Array]:
    """A model's figures on rows with targets, and its errors row by row.

    Parameters
    ----------
    model : Model
        With preprocessing and targets.
    frame : polars.DataFrame
    roles : Roles

    Returns
    -------
    tuple
        Figures by name, and :func:`deltarule.baselines.errors_by_row`.
    """
    assert model.targets is not None
    task = str(model.targets.task)
    targets = figure_targets(model.targets, frame)
    P = predictions(model, frame)
    weights = weights_of(frame, roles)
    return bl.figures(task, targets, P, weights), bl.errors_by_row(task, targets, P)


def judged_network(fitted: Fitted, problem: Problem) -> bl.Judged:
    """The network on the test rows, as the baselines are judged."""
    found, errors = judge(fitted.model, problem.test, problem.roles)
    return bl.Judged("network", found, fitted.seconds, errors)


def figure_targets(targets: Targets, frame: Any) -> Array:
    """What figures compare with: class numbers ``(m,)``, or values ``(m, targets)``."""
    if targets.task == "classification":
        return labels_of(targets, frame)
    return np.asarray(targets.raw(frame), dtype=np.float64).reshape(len(frame), -1)


def predictions(model: Model, frame: Any) -> Array:
    """What figures judge: probabilities ``(m, classes)``, or values ``(m, targets)``."""
    assert model.targets is not None
    if model.targets.task == "classification":
        return model.probabilities(frame)
    found = model.predict(frame)
    return np.column_stack([np.asarray(found[name], float) for name in model.targets.names])


def baselines(problem: Problem, settings: Settings) -> list[bl.Judged]:
    """Every baseline of the task, fitted on the training rows and judged on the test rows."""
    columns, targets = problem.preprocessing, problem.targets
    train_rows = bl.Examples(
        columns.transform(inputs_of(problem.train, problem.roles)),
        figure_targets(targets, problem.train),
        training_weights(problem, settings),
    )
    test_rows = bl.Examples(
        columns.transform(problem.test),
        figure_targets(targets, problem.test),
        weights_of(problem.test, problem.roles),
    )
    classes = len(targets.classes) if problem.task == "classification" else 0
    return [
        bl.judge_baseline(row, problem.task, classes, train_rows, test_rows, settings.seed)
        for row in bl.BASELINES[problem.task]
    ]
