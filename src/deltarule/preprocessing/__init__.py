"""Columns to numbers: column types inferred, missing values filled and flagged, categories, scale.

Fitted on training rows only, stored in the model, printable. ``TableTransformer`` is the same as
a step of a scikit-learn pipeline; it is imported when asked for, since it needs scikit-learn.
"""

from typing import Any

from deltarule.preprocessing.columns import KINDS
from deltarule.preprocessing.leaks import suspicious
from deltarule.preprocessing.sentinels import sentinels
from deltarule.preprocessing.table import Preprocessing, check_table
from deltarule.preprocessing.target_columns import TASKS, has_targets, with_targets
from deltarule.preprocessing.targets import Targets
from deltarule.preprocessing.totals import Totals

__all__ = [
    "KINDS",
    "TASKS",
    "Preprocessing",
    "Targets",
    "Totals",
    "check_table",
    "has_targets",
    "sentinels",
    "suspicious",
    "with_targets",
]


def __getattr__(name: str) -> Any:
    if name == "TableTransformer":
        from deltarule.preprocessing.transformer import TableTransformer

        return TableTransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
