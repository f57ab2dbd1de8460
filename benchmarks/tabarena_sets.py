"""The data sets of a folder such as TabArena's, their splits and their errors.

The folder's ``index.csv`` names each set's target, kind of problem and categorical columns. A fold
is one of three, stratified by class and shuffled with seed 0; ``inner`` holds out a quarter of the
first fold's training rows, and is what choices are made on.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from deltarule import metrics, tabular
from deltarule.data import read

FOLDS = ("0", "1", "2")
INNER = "inner"

ERRORS = {
    "binary": ("1 − AUC", lambda figures: 1.0 - figures["auc"]),
    "multiclass": ("log loss", lambda figures: figures["log_loss"]),
    "regression": ("RMSE", lambda figures: figures["rmse"]),
}
"""Of each kind of problem: the error's name, and the error by the figures of predictions."""


@dataclass(frozen=True)
class ArenaSet:
    """One data set: a row of the index."""

    path: Path
    target: str
    kind: str
    rows: int
    categorical: tuple[str, ...]

    @property
    def name(self) -> str:
        """That of its file."""
        return self.path.stem

    @cached_property
    def table(self) -> tabular.Table:
        """All rows."""
        kinds = dict.fromkeys(self.categorical, "category")
        task = "regression" if self.kind == "regression" else "classification"
        return tabular.table(read(self.path), tabular.Roles((self.target,), kinds=kinds), task=task)

    def split(self, fold: str) -> tuple[np.ndarray, np.ndarray]:
        """The row numbers to train and to test on."""
        y, rows = self._labels, np.arange(len(self.table.frame))
        shape = {"n_splits": len(FOLDS), "shuffle": True, "random_state": 0}
        folds = KFold(**shape) if y is None else StratifiedKFold(**shape)
        kept, held = list(folds.split(rows, y))[0 if fold == INNER else FOLDS.index(fold)]
        if fold == INNER:
            strata = None if y is None else y[kept]
            kept, held = train_test_split(kept, test_size=0.25, stratify=strata, random_state=0)
        return np.sort(kept), np.sort(held)

    def error(self, problem: tabular.Problem, predictions: np.ndarray) -> float:
        """The error of predictions of the test rows."""
        truth = tabular.figure_targets(problem.targets, problem.test)
        return float(ERRORS[self.kind][1](metrics.figures(problem.task, truth, predictions)))

    @property
    def _labels(self) -> np.ndarray | None:
        whole = self.table
        return None if self.kind == "regression" else whole.labels(whole.frame)


def sets_of(folder: Path) -> dict[str, ArenaSet]:
    """The sets of a folder's index, by name."""
    return {
        row["dataset"]: ArenaSet(
            folder / f"{row['dataset']}.csv",
            row["target"],
            row["problem_type"],
            int(row["rows"]),
            tuple(filter(None, row["categorical"].split("|"))),
        )
        for row in rows_of(folder / "index.csv")
    }


def stored_errors(folder: Path) -> dict[str, dict[str, float]]:
    """Errors published with the sets, by set and model: from other splits, so called "stored"."""
    path = folder / "errors.csv"
    prefix = "stored: "
    return {
        row["dataset"]: {
            column.removeprefix(prefix): float(value)
            for column, value in row.items()
            if column.startswith(prefix) and value
        }
        for row in (rows_of(path) if path.exists() else [])
    }


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
