"""A problem trained and judged: the model, its held-out figures, the baselines, the verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import deltarule.baselines as bl
from deltarule.arrays import Array, checked_dtype, columns
from deltarule.checkpoints import Checkpoints
from deltarule.engines import choose
from deltarule.engines.memory import check_memory
from deltarule.engines.native import cores
from deltarule.engines.plan import Plan
from deltarule.events import Callback, Event
from deltarule.modelfile import Model
from deltarule.network import feed_forward
from deltarule.preprocessing import Targets
from deltarule.processes import group
from deltarule.rng import generator
from deltarule.tabular.bins import edges
from deltarule.tabular.calibration import Calibration, kept_residuals, temperature
from deltarule.tabular.ensembles import combined
from deltarule.tabular.problems import Problem, inputs_of, labels_of, weights_of
from deltarule.tabular.recipes import BINS, Recipe, recipe
from deltarule.tabular.settings import Roles, Settings
from deltarule.threads import each_in_threads
from deltarule.training import Examples, Result, train
from deltarule.training.interruption import signals_shared

_ROWS_AT_ONCE = 8192
_WORTH_THREADS = 1e8  # products a step; below, threads wait longer for each other than they work


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about.

    Attributes
    ----------
    model : Model
        Of several networks their average, as one.
    recipe : Recipe
    results : tuple of Result
        Of each network.
    calibration : Calibration
    seconds : float
        What the training took.
    """

    model: Model
    recipe: Recipe
    results: tuple[Result, ...]
    calibration: Calibration
    seconds: float

    @property
    def result(self) -> Result:
        """That of the first network."""
        return self.results[0]


def chosen(problem: Problem, settings: Settings) -> Recipe:
    """The recipe for a problem."""
    return _recipe(problem, settings, problem.preprocessing.transform(_inputs(problem)))


def _recipe(problem: Problem, settings: Settings, X: Array) -> Recipe:
    kept, held = problem.validation
    X = X[kept]
    linear = settings.hidden is not None and not settings.hidden
    found = None if linear else edges(X, BINS if settings.bins is None else settings.bins)
    rows = problem.rows - len(held)
    return recipe(settings, problem.task, X.shape[1], problem.targets.outputs, rows, found)


def _inputs(problem: Problem) -> Any:
    return inputs_of(problem.train, problem.roles)


def fit(
    problem: Problem,
    settings: Settings,
    callbacks: Sequence[Callback] = (),
    checkpoints: Checkpoints | None = None,
) -> Fitted:
    """Train the networks of a problem, restore their best epochs, calibrate what they predict.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    callbacks : sequence of callables
        Called with every event of the first network's training.
    checkpoints : Checkpoints, optional
        Where the training is kept; of several networks each in a folder of its own.

    Raises
    ------
    SettingError
        For settings that do not go together.
    OutOfMemoryError
        Where memory will not hold the numbers, the parameters or a batch.
    DivergenceError
        Where the cost stops being finite.
    """
    begun = time.perf_counter()
    X = problem.preprocessing.transform(_inputs(problem))
    Y = problem.targets.encode(problem.train)
    plan = _recipe(problem, settings, X)
    _check_memory(problem, settings, plan)
    examples = Examples(X, Y, training_weights(problem, settings))
    results = _trained(plan, problem, examples, settings, callbacks, checkpoints)
    calibration = _calibration(problem, results, examples)
    network, parameters = combined(
        plan.network, [result.parameters for result in results], calibration.temperature
    )
    model = Model(network, parameters, problem.preprocessing, problem.targets)
    return Fitted(model, plan, results, calibration, time.perf_counter() - begun)


def _trained(
    plan: Recipe,
    problem: Problem,
    examples: Examples,
    settings: Settings,
    callbacks: Sequence[Callback],
    checkpoints: Checkpoints | None,
) -> tuple[Result, ...]:
    """Every network of the ensemble, side by side: a network a thread."""
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
        return train(
            plan.network,
            kept.X,
            kept.Y,
            optimizer=plan.optimizer,
            batch_size=plan.batch_size,
            validation=held,
            weights=kept.weights,
            regularisation=plan.regularisation,
            stopping=plan.stopping,
            engine=settings.engine,
            options=options,
            dtype=settings.dtype,
            seed=settings.seed if k == 0 else member_seed(settings.seed, k),
            checkpoints=checkpoints if alone or checkpoints is None else _kept_in(checkpoints, k),
            callbacks=(*(callbacks if k == 0 else ()), watch),
        )

    small = plan.batch_size * plan.network.parameter_count < _WORTH_THREADS
    with bl.few_threads(small or not alone):
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
    steps = Plan(plan.network, plan.optimizer, plan.regularisation, settings.dtype, settings.seed)
    return choose(steps, settings.engine, settings.options).name == "native"


def _kept_in(checkpoints: Checkpoints, k: int) -> Checkpoints:
    return replace(checkpoints, folder=Path(checkpoints.folder) / f"network-{k + 1}")


def member_seed(seed: int, k: int) -> int:
    """The seed of a further network: as far from the seeds people choose as from its fellows'."""
    return int(generator(seed, "member", k).integers(2**62))


def _calibration(problem: Problem, results: Sequence[Result], examples: Examples) -> Calibration:
    """What each network's own validation rows say."""
    network, X, parts = results[0].network, np.asarray(examples.X), []
    for result, (_, held) in zip(results, problem.validations, strict=True):
        for first in range(0, len(held), _ROWS_AT_ONCE):
            some = held[first : first + _ROWS_AT_ONCE]
            output = feed_forward(network, result.parameters, columns(X[some]))[-1]
            parts.append((output.Z.T, output.A.T, some))
    Z, A, held = (np.concatenate(column) for column in zip(*parts, strict=True))
    Y, s = examples.Y[held], None if examples.weights is None else examples.weights[held]
    if problem.task == "regression":
        unit = np.array(problem.targets.stds)
        return Calibration(len(held), residuals=kept_residuals((Y - A.astype(np.float64)) * unit))
    return Calibration(len(held), temperature(Z, Y, s))


def _check_memory(problem: Problem, settings: Settings, plan: Recipe) -> None:
    """Refuse what memory will not hold, before any training."""
    dtype = checked_dtype(settings.dtype)
    numbers = len(problem.train) * (plan.network.inputs + plan.network.outputs)
    check_memory(
        plan.network,
        plan.optimizer,
        dtype,
        settings.engine,
        settings.options,
        batch_size=plan.batch_size,
        data=4 * numbers,  # float32, once more in two parts
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
