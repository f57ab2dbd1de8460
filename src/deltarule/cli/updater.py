"""``train --from MODEL``: a saved model trained further on new rows, and compared with itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import typer

from deltarule import baselines as bl
from deltarule import tabular
from deltarule.arrays import Array
from deltarule.cli.by_key import is_by_key
from deltarule.cli.differences import Tally
from deltarule.cli.options import EvaluationOptions, ProcessOptions
from deltarule.cli.predictors import check_tabular
from deltarule.cli.sources import Source
from deltarule.cli.tables import TrainingTable, say_size
from deltarule.cli.terminal import Terminal
from deltarule.cli.trainer import Trained, Trainer
from deltarule.data import Reading, Stream
from deltarule.errors import SettingError
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing.table import FAR
from deltarule.tabular.options import option, option_group, options_of
from deltarule.tabular.settings import Roles, Settings

_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(options_of(Roles), "the columns and their roles are the model's"),
    **dict.fromkeys(("by", "jobs"), "one model is updated, not one per key"),
    **dict.fromkeys(options_of(ProcessOptions), "one process updates a model"),
    "cv": "the model is updated once, with held-out rows",
    "memory": "new rows are read whole",
}
"""Options that do not go with ``--from``, and why."""


@option_group("Training")
class UpdateOptions:
    """What a training starts from."""

    start: Path | None = option(
        "MODEL",
        "Train this model further on DATA. Its columns, classes, network and settings stay; the "
        "default learning rate is a quarter of the model's. Prints its metrics before and after; "
        "--out may name the same file.",
        flag="from",
        common=True,
    )

    def model(self, context: typer.Context) -> Model | None:
        """The model to start from; None where none was named.

        Raises
        ------
        SettingError
            For a folder of models, a model of no table, and options that do not go with it.
        """
        path = self.start
        if path is None:
            return None
        for parameter in context.command.params:
            why = _REFUSED.get(str(parameter.name))
            if why and _is_given(context, str(parameter.name)):
                raise SettingError(
                    f"{parameter.opts[0]} and --from: they cannot be combined; {why}. Leave "
                    f"{parameter.opts[0]} out."
                )
        if is_by_key(path):
            raise SettingError(
                f"{path}: holds one model per key, which --from does not update. Train it again "
                "with --by."
            )
        model = load_model(path)
        check_tabular(model, path)
        return model


def started(
    context: typer.Context,
    model: Model | None,
    settings: Settings,
    evaluation: EvaluationOptions,
) -> tuple[Settings, EvaluationOptions]:
    """The settings of a training; of an update the model's, and what is given beside them."""
    if model is None:
        tabular.check(settings)
        return settings, evaluation
    names = [each.name for each in fields(settings) if _is_given(context, each.name)]
    own = tabular.updated_settings(model, {name: getattr(settings, name) for name in names})
    return own, replace(evaluation, baselines=False)


def _is_given(context: typer.Context, name: str) -> bool:
    source: Any = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def updating_table(
    terminal: Terminal, source: Source | Stream, model: Model, reading: Reading, strict: bool
) -> TrainingTable:
    """Check the new rows of a model, and say what was read and how it differs from its training."""
    assert isinstance(source, Source)  # --memory does not go with --from
    whole = tabular.table_of_model(model, source.data, tabular.roles_of(model), strict=strict)
    say_size(terminal, source)
    if whole.dropped:
        terminal.warn(
            f"rows without a target were dropped: {whole.dropped:,} (--strict refuses them)."
        )
    assert model.preprocessing is not None
    with whole.cells():
        far = model.preprocessing.beyond(whole.frame)
        tally = Tally.of(model.preprocessing, whole.frame, ["unseen", "missing"])
    tally.warn(terminal)
    for name, rows in far.items():
        terminal.warn(
            f"column {name!r}: {rows:,} row{'s' * (rows != 1)} hold{'s' * (rows == 1)} a number "
            f"more than {FAR:g} standard deviations from the mean of training. It is encoded on "
            "the same scale."
        )
    return TrainingTable(source, whole, [], reading, strict)


@dataclass(frozen=True)
class Updater(Trainer):
    """A training that starts from a model.

    Parameters
    ----------
    model : Model
    path : Path
        Its file.
    """

    model: Model | None = None
    path: Path | None = None

    @property
    def _own(self) -> Model:
        assert self.model is not None
        return self.model

    def _origin(self) -> list[tuple[str, str]]:
        return [("starts from", f"the parameters of {self.path}; the optimizer starts afresh")]

    def save(self, trained: Trained, out: Path | None) -> dict[str, Any]:
        """What is known about the update, written with its model where it is to be kept."""
        if out is None:
            self.terminal.warn(f"the update is not saved; --out {self.path} replaces the model.")
        settings = tabular.kept_settings(self._own, self.settings)
        return replace(self, settings=settings)._save(trained, out, self._own)

    def _problem(self, kept: Array, test: Any) -> tabular.Problem:
        return tabular.updated_problem(self._own, self.table.whole, self.settings, kept, test)

    def _recipes(self, problem: tabular.Problem) -> tuple[tabular.Recipe, ...]:
        return tabular.updated_recipes(self._own, problem, self.settings)

    def _evaluations(self, fitted: tabular.Fitted, problem: tabular.Problem) -> list[bl.Evaluation]:
        network = tabular.evaluated_network(fitted, problem)
        return [network, tabular.evaluated_before(self._own, problem)]

    def _verdict(self, problem: tabular.Problem, evaluations: list[bl.Evaluation]) -> str:
        return bl.update_verdict(problem.task, *evaluations)
