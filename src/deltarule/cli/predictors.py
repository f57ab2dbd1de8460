"""What predicts the rows of a table, and explains them: one model, or one model per key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from deltarule import tabular
from deltarule.cli.by_key import is_by_key, record_of
from deltarule.cli.certainty import CertaintyOptions, certainty_columns, check_certainty
from deltarule.cli.terminal import Terminal
from deltarule.errors import SettingError
from deltarule.keyed import FALLBACKS, KeyedModels, explain_by_key, load_keyed
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.training.predictions import probabilities as of_classes

_SHOWN = 5  # keys


class Predictor(Protocol):
    """What the rows of a table are predicted by.

    Attributes
    ----------
    record : mapping
        The training record.
    preprocessing : Preprocessing
    targets : Targets
    keys : sequence of str
        Columns that say which model a row is for.
    """

    @property
    def record(self) -> Mapping[str, Any]: ...  # noqa: D102 - above

    preprocessing: Preprocessing
    targets: Targets
    keys: Sequence[str]

    def check(self, certainty: CertaintyOptions) -> None:
        """Refuse what cannot be said of predictions, before any rows are read."""

    def encoded(self, frame: Any) -> Any:
        """The rows of a table, encoded once, as the following take them."""

    def predictions(self, rows: Any, probabilities: bool) -> Any:
        """A frame with a row per row of the table, columns named after targets and classes."""

    def certainty(self, rows: Any, asked: CertaintyOptions) -> Mapping[str, Any]:
        """Columns that say how sure the predictions are."""

    def contributions(
        self, rows: Any, baseline: Any, tolerance: float
    ) -> tabular.TableContributions:
        """What each column contributes to the prediction of each row."""

    def model_of(self, frame: Any) -> Model:
        """The model of a row, a table of one row."""

    def warn(self, terminal: Terminal) -> None:
        """Warn of rows without a prediction."""


class OneModel:
    """A model of all rows."""

    keys: Sequence[str] = ()

    def __init__(self, model: Model, path: Path) -> None:
        check_tabular(model, path)
        assert model.preprocessing is not None
        assert model.targets is not None
        self.model, self.preprocessing, self.targets = model, model.preprocessing, model.targets

    @property
    def record(self) -> Mapping[str, Any]:
        """The training record."""
        return record_of(self.model)

    def check(self, certainty: CertaintyOptions) -> None:
        """As :func:`~deltarule.cli.certainty.check_certainty`."""
        check_certainty(self.model, certainty)

    def encoded(self, frame: Any) -> Any:
        """The frame beside its encoded rows."""
        return self.preprocessing.encoded(frame)

    def predictions(self, rows: Any, probabilities: bool) -> Any:
        """The model's, by one pass."""
        outputs = self.model.outputs(rows)
        P = of_classes(outputs) if probabilities else None
        return _named(self.targets, self.targets.decode(outputs), P)

    def certainty(self, rows: Any, asked: CertaintyOptions) -> Mapping[str, Any]:
        """Quantiles, the ends of intervals, sets of classes."""
        return certainty_columns(self.model, rows, asked)

    def contributions(
        self, rows: Any, baseline: Any, tolerance: float
    ) -> tabular.TableContributions:
        """As :func:`~deltarule.tabular.explain_table`."""
        return tabular.explain_table(self.model, rows, baseline, tolerance)

    def model_of(self, frame: Any) -> Model:
        """The model."""
        return self.model

    def warn(self, terminal: Terminal) -> None:
        """Nothing: every row has a prediction."""


class ModelPerKey:
    """One model per key, and what rows of other keys get."""

    def __init__(self, models: KeyedModels, fallback: str) -> None:
        FALLBACKS.entry(fallback)
        self.models, self.fallback = models, fallback
        self.preprocessing, self.targets = models.preprocessing, models.targets
        self.keys: Sequence[str] = (models.by,)
        self.unknown: Counter[str | None] = Counter()

    @property
    def record(self) -> Mapping[str, Any]:
        """The training record."""
        return record_of(self.models)

    def check(self, certainty: CertaintyOptions) -> None:
        """Refuse intervals and sets: a key's held-out rows are too few to tell them.

        Raises
        ------
        SettingError
        """
        for flag, value in (("--intervals", certainty.intervals), ("--sets", certainty.sets)):
            if value is not None:
                raise SettingError(
                    f"{flag}: expected one model of all rows, whose held-out rows show how large "
                    "errors are; those of one key are too few. Leave it out, or train without "
                    f"--by and with --kind {self.models.by}=category."
                )

    def encoded(self, frame: Any) -> Any:
        """The frame: each key's rows are encoded where its model predicts them."""
        return frame

    def predictions(self, rows: Any, probabilities: bool) -> Any:
        """Each row's by the model of its key; rows of unknown keys are counted."""
        outputs = self.models.outputs(rows, self.fallback)
        self.unknown.update(self.models.unknown(rows))
        P = of_classes(outputs) if probabilities else None
        return _named(self.targets, self.models.decoded(outputs), P)

    def certainty(self, rows: Any, asked: CertaintyOptions) -> Mapping[str, Any]:
        """None: :meth:`check` refuses them."""
        return {}

    def contributions(
        self, rows: Any, baseline: Any, tolerance: float
    ) -> tabular.TableContributions:
        """As :func:`~deltarule.keyed.explain_by_key`."""
        return explain_by_key(self.models, rows, baseline, tolerance)

    def model_of(self, frame: Any) -> Model:
        """That of the row's key.

        Raises
        ------
        SettingError
            For a row without a key.
        UnknownNameError
            For a key without a model.
        """
        keys = self.models.row_keys(frame)
        if keys[0] is None:
            raise SettingError(
                f"--why-page: the row has no key in {self.models.by!r}; expected one with a model. "
                "Choose another row."
            )
        return self.models.model_of(keys[0])

    def warn(self, terminal: Terminal) -> None:
        """How many rows have no model, and their keys."""
        if not self.unknown:
            return
        usual = "median" if self.targets.task == "regression" else "most frequent class"
        given = {"missing": "have no prediction", "overall": f"get the {usual} of all rows"}
        first = list(self.unknown)[:_SHOWN]
        named = ", ".join("none" if key is None else repr(key) for key in first)
        more = len(self.unknown) - len(first)
        terminal.warn(
            f"rows whose {self.models.by!r} has no model: {self.unknown.total():,} "
            f"({named}{f' and {more:,} more' if more else ''}); they {given[self.fallback]} "
            "(--fallback)."
        )


def predictor(path: Path, fallback: str = "missing") -> Predictor:
    """What a file or folder holds.

    Parameters
    ----------
    path : Path
    fallback : str
        Prediction for rows whose key has no model.
    """
    if is_by_key(path):
        return ModelPerKey(load_keyed(path), fallback)
    return OneModel(load_model(path), path)


def check_tabular(model: Model, path: Path) -> None:
    """Refuse a model that was not trained on a table.

    Raises
    ------
    SettingError
        For a network without preprocessing.
    """
    if model.preprocessing is None or model.targets is None:
        raise SettingError(
            f"{path}: holds a network without preprocessing, which takes arrays, not tables. "
            "Use load_model in Python, or a file written by train --out."
        )


def _named(targets: Targets, decoded: Any, P: Any) -> Any:
    """Predictions and, where they are wanted, probabilities: null where there is no prediction."""
    import polars as pl

    pairs = zip(targets.columns, targets.names, strict=True)
    columns = {column: decoded[name] for column, name in pairs}
    for k, label in enumerate(targets.classes if P is not None else ()):
        columns[f"probability_{label}"] = pl.Series(P[:, k]).fill_nan(None)
    return pl.DataFrame(columns)
