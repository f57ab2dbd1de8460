"""A trained model of a table trained further on new rows: same columns, same classes, same network.

An update is a problem with the model's encodings, and a recipe that starts from its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np

import deltarule.baselines as bl
from deltarule.arrays import Array
from deltarule.errors import FileError, SettingError, setting
from deltarule.layers import Layer
from deltarule.modelfile import Model
from deltarule.network import Network, Parameters
from deltarule.spec import unknown_keyword
from deltarule.tabular.calibration import calibration_of
from deltarule.tabular.decisions import check_decision
from deltarule.tabular.ensembles import separated
from deltarule.tabular.fitting import Fitted, evaluate, evaluated_network, fit
from deltarule.tabular.members import members_again
from deltarule.tabular.metadata import about, fingerprint, roles_of
from deltarule.tabular.problems import Problem, Table, split, table_of_model, validations
from deltarule.tabular.recipes import Recipe, dropout_of, optimizer_of, run_of
from deltarule.tabular.record import reading_record, record
from deltarule.tabular.settings import Settings
from deltarule.training.events import Callback

RATE = 0.25
"""Times the learning rate that a model was trained with: the default of an update."""

BEFORE = "before the update"
"""What the model is called that an update starts from."""


@dataclass(frozen=True)
class Update:
    """An updated model, and whether the update helped.

    Attributes
    ----------
    model : Model
    fitted : Fitted
        How it was trained.
    after, before : evaluations of :mod:`deltarule.baselines`
        The metrics of both models on the same held-out rows of the new table.
    """

    model: Model
    fitted: Fitted
    after: bl.Evaluation
    before: bl.Evaluation

    @property
    def verdict(self) -> str:
        """Both in a sentence."""
        assert self.model.targets is not None
        return bl.update_verdict(str(self.model.targets.task), self.after, self.before)


_FIXED = frozenset(
    {
        "hidden",
        "activation",
        "bins",
        "embedding",
        "n_ensemble",
        "n_members",
        "cost",
        "dtype",
        "task",
    }
)


def update_model(
    model: Model,
    table: Any,
    *,
    test: Any = None,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> Update:
    """Train a saved model of a table further, on new rows of such a table.

    Columns, encodings, classes and the network stay those of the model; the optimizer starts
    afresh. Every network of an ensemble is updated. Where no epoch predicts the validation rows
    better than the model did, its parameters stay.

    Parameters
    ----------
    model : Model
        By ``deltarule train --out`` or an estimator's ``save``.
    table : data frame, path, mapping or records
        The new rows, with the model's columns and its target.
    test : the same, optional
        Rows to evaluate on; by default the model's share of the new rows is held out.
    callbacks : sequence of callables
        Called with every event of the first network's training.
    **settings
        Of :class:`~deltarule.tabular.Settings`, such as ``epochs`` and ``learning_rate``; the
        others are those the model was trained with.

    Raises
    ------
    SettingError
        For a model that was not trained on a table, and settings that are the model's own.
    DataError
        For columns that the table lacks, classes that the model does not know, and cells that its
        columns cannot read.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from deltarule import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularRegressor(epochs=20, random_state=0).fit(X[:200], y[:200]).model_
    >>> update = update_model(model, X[200:].assign(target=y + 100))  # all values have risen
    >>> update.verdict.partition(":")[0], sorted(update.after.figures)
    ('The update helped', ['mae', 'r2', 'rmse'])
    """
    known = [each.name for each in fields(Settings)]
    for name in (each for each in settings if each not in known):
        raise unknown_keyword("update_model", name, known)
    chosen = updated_settings(model, settings)
    roles = roles_of(model)
    whole = table_of_model(model, table, roles)
    if test is None:
        kept, held = split(whole, chosen)
        rows = whole.frame[held]
    else:
        kept, rows = np.arange(len(whole.frame)), table_of_model(model, test, roles).frame
    problem = updated_problem(model, whole, chosen, kept, rows)
    fitted = fit(problem, chosen, callbacks, recipes=updated_recipes(model, problem, chosen))
    after, before = evaluated_network(fitted, problem), evaluated_before(model, problem)
    own = about(
        whole,
        kept_settings(model, chosen),
        fitted,
        [after, before],
        mark=fingerprint(whole.frame),
        judged_by="held-out rows" if test is None else "a test file",
        reading=reading_record(whole.reading),
        verdict=bl.update_verdict(problem.task, after, before),
        updated=model,
    )
    return Update(replace(fitted.model, about=own), fitted, after, before)


def updated_settings(model: Model, given: Mapping[str, Any]) -> Settings:
    """The settings that a model was trained with, and what else is given for an update.

    Epochs are by default those of a table of as many rows; the learning rate is :data:`RATE` times
    the model's.

    Parameters
    ----------
    model : Model
    given : mapping of str to object
        By the names of :class:`~deltarule.tabular.Settings`.

    Raises
    ------
    SettingError
        For a model without the record of its training on a table, and for settings that are the
        model's own.
    FileError
        For a record that is damaged.
    """
    stored = record(model).get("settings")
    if stored is None or model.preprocessing is None or model.targets is None:
        raise SettingError(
            "the model to update: holds no record of a training on a table. Expected one that "
            f"{setting('TabularClassifier, TabularRegressor or deltarule train', 'train --out')} "
            "saved; train it on a table first."
        )
    for name in (each for each in given if each in _FIXED):
        raise SettingError(
            f"{name}={given[name]!r}: expected no such setting beside a model to update, which has "
            "its own. Leave it out."
        )
    try:
        own = Settings(**{"n_ensemble": 1, **stored, "dtype": model.dtype.name})
    except (TypeError, ValueError) as error:
        raise FileError(
            f"the model file's record of its training is damaged: settings: {error}. Restore the "
            "file from a copy, or train and save the model again."
        ) from error
    if own.quantiles:
        raise SettingError(
            "the model to update predicts quantiles, which cannot be trained further. Train it "
            "again on all rows."
        )
    return replace(own, **{"epochs": None, "learning_rate": _lower_rate(own), **given})


def _lower_rate(own: Settings) -> float | None:
    """The default rate of an update; None where the optimizer has none."""
    optimizer = optimizer_of(own)
    return None if optimizer.full_batch else RATE * optimizer.schedule.rate


def kept_settings(model: Model, settings: Settings) -> Settings:
    """An update's settings as its model's record keeps them: with the first training's rate.

    Parameters
    ----------
    model : Model
        That was updated.
    settings : Settings
        By :func:`updated_settings`.
    """
    stored = record(model)["settings"]
    first = {name: stored.get(name) for name in ("epochs", "learning_rate")}
    return replace(settings, **first)


def updated_problem(
    model: Model, whole: Table, settings: Settings, kept: Array, test: Any
) -> Problem:
    """New rows encoded as the model encodes them, some of them set aside for validation.

    Parameters
    ----------
    model : Model
    whole : Table
        By :func:`~deltarule.tabular.problems.table_of_model`.
    settings : Settings
    kept : array
        The rows to train on.
    test : polars.DataFrame
        The rows to evaluate on.

    Raises
    ------
    DataError
        For columns that the table lacks, and for cells that the model's columns cannot read.
    """
    check_decision(whole.targets, settings)
    assert model.preprocessing is not None
    with whole.cells():
        model.preprocessing.transform(whole.frame)
    parts = validations(whole.keys.take(kept), len(kept), settings, str(whole.targets.task))
    train = whole.frame[kept]
    return Problem(whole.roles, model.preprocessing, whole.targets, train, test, parts)


def updated_recipes(model: Model, problem: Problem, settings: Settings) -> tuple[Recipe, ...]:
    """The model's networks, each to be trained further from its own parameters.

    Parameters
    ----------
    model : Model
    problem : Problem
        By :func:`updated_problem`.
    settings : Settings
        By :func:`updated_settings`.

    Raises
    ------
    FileError
        Where the network is not what the model's record says.
    """
    try:
        found = _networks(model, settings)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, StopIteration) as error:
        raise FileError(
            f"the model's network is not the one that its record describes ({error}). Restore the "
            "file from a copy, or train and save the model again."
        ) from error
    rows = problem.count - len(problem.validation.held)
    return tuple(
        Recipe(run_of(settings, network, problem.task, rows), single, start=start)
        for network, single, start in found
    )


def evaluated_before(model: Model, problem: Problem) -> bl.Evaluation:
    """The model that an update starts from, on the same test rows.

    Parameters
    ----------
    model : Model
    problem : Problem
        By :func:`updated_problem`.
    """
    return evaluate(model, problem.test, problem.roles)._replace(name=BEFORE)


def _networks(model: Model, settings: Settings) -> list[tuple[Network, Network, Parameters]]:
    """What was trained, each of the ensemble: the network, one member of it, its parameters.

    The temperature is taken out of the last layer; of an ensemble, it was in the averaging one.
    """
    if settings.n_ensemble == 1:
        temperature = calibration_of(model).temperature
        *before, last = model.parameters
        scaled = {
            name: (values * temperature).astype(values.dtype) for name, values in last.items()
        }
        trained = [(model.network, (*before, scaled))]
    else:
        trained = separated(model.network, model.parameters)
        if len(trained) != settings.n_ensemble:
            raise ValueError(f"{len(trained)} networks, not {settings.n_ensemble}")
        rate = dropout_of(settings)
        trained = [(_with_dropout(network, rate), own) for network, own in trained]
    if settings.n_members == 1:
        return [(network, network, own) for network, own in trained]
    return [members_again(network, own, settings.n_members) for network, own in trained]


def _with_dropout(network: Network, rate: float) -> Network:
    """The network of an ensemble's member with the dropout of its hidden layers back."""
    *hidden, last = network.layers
    dropped: list[Layer] = [
        replace(cast(Any, layer), dropout=rate) if layer.kind in ("dense", "shared") else layer
        for layer in hidden
    ]
    return Network(network.inputs, [*dropped, last], network.cost)
