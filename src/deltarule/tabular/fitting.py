"""A problem trained and evaluated: the model, its held-out metrics, the baselines, the verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import deltarule.baselines as bl
from deltarule.arrays import Array, columns
from deltarule.consequences import Alarms, Consequences, TypicalErrors
from deltarule.data import unit_of
from deltarule.engines.footprint import check_memory
from deltarule.layers import Layer
from deltarule.modelfile import Model
from deltarule.network import Network, Parameters, feed_forward
from deltarule.preprocessing import Targets
from deltarule.tabular.calibration import (
    Calibration,
    effective_rows,
    kept_residuals,
    temperature,
)
from deltarule.tabular.choosing import chosen_recipes
from deltarule.tabular.decisions import chosen_decision
from deltarule.tabular.ensembles import combined
from deltarule.tabular.members import targets_of_all
from deltarule.tabular.problems import Problem
from deltarule.tabular.quantiles import central, targets_of_quantiles
from deltarule.tabular.recipes import Recipe
from deltarule.tabular.roles import labels_of, numbered, weights_of
from deltarule.tabular.running import trained
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.splits import Keys, Parts
from deltarule.tabular.spread import widths
from deltarule.training import Examples, Result, Run
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback
from deltarule.training.predictions import probabilities

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about.

    Attributes
    ----------
    model : Model
        Of several networks their average, as one.
    recipes : tuple of Recipe
    results : tuple of Result
        Of each network, as the recipes.
    calibration : Calibration
    seconds : float
        What the training took.
    """

    model: Model
    recipes: tuple[Recipe, ...]
    results: tuple[Result, ...]
    calibration: Calibration
    seconds: float

    @property
    def recipe(self) -> Recipe:
        """That of the first network."""
        return self.recipes[0]

    @property
    def result(self) -> Result:
        """That of the first network."""
        return self.results[0]


def chosen(problem: Problem, settings: Settings) -> tuple[Recipe, ...]:
    """The recipe of each network of a problem."""
    return chosen_recipes(problem, settings, examples_of(problem, settings))


def examples_of(problem: Problem, settings: Settings) -> Examples:
    """All training rows of a problem, in numbers."""
    Y = problem.targets.encode(problem.train)
    levels = settings.quantiles
    Y = targets_of_quantiles(Y, levels) if levels else targets_of_all(Y, settings.n_members)
    return Examples(problem.X, Y, training_weights(problem, settings))


def fit(
    problem: Problem,
    settings: Settings,
    callbacks: Sequence[Callback] = (),
    checkpoints: Checkpoints | None = None,
    recipes: Sequence[Recipe] = (),
) -> Fitted:
    """Train the networks of a problem, restore their best epochs, calibrate what they predict.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    callbacks : sequence of callables
        Called with every event of the first network's training.
    checkpoints : Checkpoints, optional
        Where the training is kept; of several networks each in a separate folder.
    recipes : sequence of Recipe, optional
        By :func:`chosen`, where they are known already; of an update by
        :func:`~deltarule.tabular.updating.updated_recipes`.

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
    examples = examples_of(problem, settings)
    recipes = tuple(recipes) or chosen_recipes(problem, settings, examples)
    validations = problem.validations[: len(recipes)]
    _check_memory(problem, recipes[0].run)
    results = trained(recipes, problem, examples, settings, callbacks, checkpoints)
    made = [own.predicting(result.parameters) for own, result in zip(recipes, results, strict=True)]
    levels = settings.quantiles
    predicting = [central(*own, levels) for own in made] if levels else made
    Z, held = _validation_outputs(validations, predicting, np.asarray(examples.X))
    last = predicting[0][0].layers[-1]
    calibration, spread = _calibration(problem, Z, held, last, examples, settings)
    targets = _decided(problem, last.g.g(Z.T / calibration.temperature).T, held, settings)
    network, parameters = combined(made, calibration.temperature)
    if levels:
        network, parameters = central(network, parameters, levels)
    model = Model(network, parameters, problem.preprocessing, targets, spread=spread)
    return Fitted(model, recipes, results, calibration, time.perf_counter() - begun)


def _validation_outputs(
    validations: Sequence[Parts], made: Sequence[tuple[Network, Parameters]], X: Array
) -> tuple[Array, Array]:
    """Outputs before the last activation, each of the networks that a row is held out from."""
    parts = []
    for (network, parameters), (_, held) in zip(made, validations, strict=True):
        for first in range(0, len(held), _ROWS_AT_ONCE):
            some = held[first : first + _ROWS_AT_ONCE]
            parts.append((feed_forward(network, parameters, columns(X[some]))[-1].Z.T, some))
    return _mean_of_each(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _calibration(
    problem: Problem, Z: Array, held: Array, last: Layer, examples: Examples, settings: Settings
) -> tuple[Calibration, tuple[Network, Parameters] | None]:
    """What validation rows say, each once.

    Of a regression also the network of interval widths, where they follow the row.
    """
    Y = problem.targets.encode(problem.train[held])
    s = None if examples.weights is None else examples.weights[held]
    rows = effective_rows(len(held), s)
    if problem.task == "classification":
        by = temperature(Z, Y, s)
        return _of_classes(problem, rows, by, last.g.g(Z.T / by).T, Y, held), None
    A = last.g.g(Z.T).T.astype(np.float64)
    residuals = (Y - A) * np.array(problem.targets.stds)
    keys = _group_keys(problem).take(held)
    X = np.asarray(examples.X)[held]
    spread, scale = widths(X, A, residuals, s, keys, settings)
    return Calibration(rows, residuals=kept_residuals(residuals / scale, s)), spread


def _of_classes(
    problem: Problem, rows: int, temperature: float, A: Array, Y: Array, held: Array
) -> Calibration:
    """That of a classification: sets are calibrated on rows as they are, not by their class."""
    P, Y = probabilities(A), probabilities(Y)
    s = weights_of(problem.train, problem.roles)
    s = None if s is None else s[held]
    (true,) = kept_residuals((P * Y).sum(axis=1, keepdims=True), s)
    return Calibration(rows, temperature, (), true, effective_rows(len(held), s))


def _group_keys(problem: Problem) -> Keys:
    """What folds of validation rows go by: whole groups, where there are some."""
    name = problem.roles.groups
    return Keys(groups=None if name is None else numbered(problem.train[name]))


def _decided(problem: Problem, A: Array, held: Array, settings: Settings) -> Targets:
    """The targets, of two classes with the threshold that validation rows choose."""
    targets = problem.targets
    if targets.task == "regression" or targets.outputs > 1:
        return targets
    frame = problem.train[held]
    labels, weights = labels_of(targets, frame), weights_of(frame, problem.roles)
    decision = chosen_decision(targets, labels, probabilities(A), weights, settings)
    return replace(targets, decision=decision)


def _mean_of_each(Z: Array, rows: Array) -> tuple[Array, Array]:
    """The mean output of each row that is there, and the rows, ascending: as the average tells.

    By time, or of more networks than folds, several hold the same rows: one row told several
    times is still one.
    """
    found, place, times = np.unique(rows, return_inverse=True, return_counts=True)
    total = np.zeros((len(found), Z.shape[1]), Z.dtype)
    np.add.at(total, place, Z)
    return total / times[:, None].astype(Z.dtype), found


def _check_memory(problem: Problem, run: Run) -> None:
    """Refuse what memory will not hold, before the networks are trained."""
    plan = run.plan
    check_memory(
        *(plan.network, plan.optimizer_row, plan.dtype, run.engine, run.options),
        batch_size=run.batch_rows(len(problem.train)),
        data=4 * len(problem.train) * (plan.network.inputs + plan.network.outputs),  # float32
        copies=2 + run.mean.on,
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


def evaluate(model: Model, frame: Any, roles: Roles) -> bl.Evaluation:
    """A model's figures on rows with targets.

    Parameters
    ----------
    model : Model
        With preprocessing and targets.
    frame : polars.DataFrame
    roles : Roles
    """
    assert model.targets is not None
    rows, P = _examples(model.targets, frame, roles, np.empty(0)), predictions(model, frame)
    found = _consequences(model, rows, P)
    return bl.evaluated("network", str(model.targets.task), rows, P, 0.0, found)


def _consequences(model: Model, rows: bl.Examples, P: Array) -> Consequences | None:
    """What a model's errors are in plain words; nothing of more than two classes."""
    targets, preprocessing = model.targets, model.preprocessing
    assert targets is not None
    if targets.task == "regression":
        reading = None if preprocessing is None else preprocessing.reading
        units = [unit_of(name, reading) for name in targets.names]
        return TypicalErrors.of(targets.names, units, rows.targets, P, rows.weights)
    if targets.outputs > 1:
        return None
    label = targets.positive(rows.targets)
    k = targets.classes.index(label)
    return Alarms.of(targets.names[0], label, rows.targets == k, targets.codes(P[:, 1:]) == k)


def evaluated_network(fitted: Fitted, problem: Problem) -> bl.Evaluation:
    """The network on the test rows, evaluated as the baselines are."""
    found = evaluate(fitted.model, problem.test, problem.roles)
    return found._replace(seconds=fitted.seconds)


def _examples(targets: Targets, frame: Any, roles: Roles, X: Array) -> bl.Examples:
    """Rows to evaluate a model on."""
    groups = frame[roles.groups] if roles.groups in frame.columns else None
    return bl.Examples(
        X,
        figure_targets(targets, frame),
        weights_of(frame, roles),
        None if groups is None else numbered(groups),
        tuple(targets.names) if targets.task == "regression" else (),
    )


def figure_targets(targets: Targets, frame: Any) -> Array:
    """What figures compare with: class numbers ``(m,)``, or values ``(m, targets)``."""
    if targets.task == "classification":
        return labels_of(targets, frame)
    return np.asarray(targets.raw(frame), dtype=np.float64).reshape(len(frame), -1)


def predictions(model: Model, frame: Any) -> Array:
    """What metrics evaluate: probabilities ``(m, classes)``, or values ``(m, targets)``."""
    assert model.targets is not None
    if model.targets.task == "classification":
        return model.predict_proba(frame)
    found = model.predict(frame)
    return np.column_stack([np.asarray(found[name], float) for name in model.targets.names])


def baselines(problem: Problem, settings: Settings) -> list[bl.Evaluation]:
    """Every baseline of the task, fitted on the training rows and evaluated on the test rows."""
    problem = problem.one_hot()
    columns, targets = problem.preprocessing, problem.targets
    train_rows = bl.Examples(
        problem.X,
        figure_targets(targets, problem.train),
        training_weights(problem, settings),
    )
    X = columns.transform(problem.test)
    test_rows = _examples(targets, problem.test, problem.roles, X)
    classes = len(targets.classes) if problem.task == "classification" else 0
    plain = train_rows._replace(weights=weights_of(problem.train, problem.roles))
    guess, *others = bl.BASELINES[problem.task]  # a guess knows how many rows each class has
    return [
        bl.judge_baseline(row, problem.task, classes, rows, test_rows, settings.seed)
        for row, rows in [(guess, plain), *((other, train_rows) for other in others)]
    ]
