"""Published tables from the folder that the environment variable DELTARULE_DATA names.

Each is a row: its unchanged file, the target, columns that would give the target away, and how
its rows are split. A set with published splits has one a seed; of the others a seed draws its own,
as ``deltarule train --seed`` does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from deltarule import tabular
from deltarule.data import Reading, read

MOST_SPLITS = 20


@dataclass(frozen=True)
class TableSet:
    """One data set.

    ``unit`` is what an RMSE is divided by. ``about`` is what the page says of it.
    """

    name: str
    files: tuple[str, ...]
    target: str
    task: str
    drop: tuple[str, ...] = ()
    test: str | None = None
    reading: Reading = field(default_factory=Reading)
    test_share: float = 0.2
    unit: float = 1.0
    splits: Callable[[Path, int], tuple[np.ndarray, np.ndarray]] | None = None
    about: str = ""

    def split(self, settings: tabular.Settings) -> tabular.Problem:
        """The problem of a seed: the training rows with a validation part, and the test rows."""
        roles = tabular.Roles((self.target,), drop=self.drop)
        whole = tabular.table(self._read(*self.files), roles, task=self.task)
        if self.test is not None:
            test, _ = tabular.test_rows(
                whole.targets, roles, self._read(self.test), False, "test table"
            )
            return tabular.problem(whole, settings, np.arange(len(whole.frame)), test)
        if self.splits is not None:
            kept, held = self.splits(folder() / self.files[0], settings.seed)
        else:
            kept, held = tabular.split(whole, settings)
        return tabular.problem(whole, settings, kept, whole.frame[held])

    def _read(self, *files: str) -> pl.DataFrame:
        return read([folder() / name for name in files], self.reading)


def folder() -> Path:
    """Where the data are."""
    if "DELTARULE_DATA" not in os.environ:
        sys.exit("DELTARULE_DATA is not set; expected the folder of the published data sets.")
    return Path(os.environ["DELTARULE_DATA"])


def published(data: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of a published split of a UCI set."""
    kept, held = (
        np.loadtxt(data.parent / f"index_{part}_{seed}.txt").astype(np.int64)
        for part in ("train", "test")
    )
    return kept, held


def uci(name: str, target: int) -> TableSet:
    """A UCI regression with twenty published splits; the columns are numbers without names."""
    return TableSet(
        name,
        (f"uci/{name}/data.txt",),
        f"column_{target}",
        "regression",
        reading=Reading(header=False),
        splits=published,
    )


_NO_HEADER = Reading(header=False)

SETS = {
    row.name: row
    for row in (
        TableSet(
            "adult",
            ("adult/adult-train.csv",),
            "column_15",
            "classification",
            test="adult/adult-test.csv",
            reading=_NO_HEADER,
        ),
        TableSet(
            "california",
            ("california_housing/housing.csv",),
            "median_house_value",
            "regression",
            unit=1e5,
        ),
        TableSet(
            "churn",
            ("churn_modelling/Churn_Modelling.csv",),
            "Exited",
            "classification",
            drop=("RowNumber", "CustomerId", "Surname"),
        ),
        TableSet(
            "titanic",
            ("titanic/titanic_openML.csv",),
            "survived",
            "classification",
            drop=("boat", "body"),
        ),
        TableSet(
            "telco",
            ("telco_churn/Telco-Customer-Churn.csv",),
            "Churn",
            "classification",
            drop=("customerID",),
        ),
        TableSet(
            "higgs",
            ("higgs_sample/binary.train",),
            "column_1",
            "classification",
            test="higgs_sample/binary.test",
            reading=_NO_HEADER,
        ),
        TableSet(
            "higgs-splits",
            ("higgs_sample/binary.train", "higgs_sample/binary.test"),
            "column_1",
            "classification",
            reading=_NO_HEADER,
            about="The two files of the same sample together, with one split per seed: the 500 "
            "published test rows give an accuracy only to within 0.02.",
        ),
        TableSet(
            "vowel",
            ("vowel/vowel.train",),
            "y",
            "classification",
            drop=("row.names",),
            test="vowel/vowel.test",
        ),
        TableSet("abalone", ("abalone/abalone.csv",), "column_9", "regression", reading=_NO_HEADER),
        uci("concrete", 9),
        uci("power-plant", 5),
        uci("wine-quality-red", 12),
        uci("yacht", 7),
    )
}
