"""Columns to numbers: kinds told apart, missing values filled and flagged, categories, scale.

Fitted on training rows only, stored in the model, printable.
"""

from deltarule.preprocessing.columns import KINDS
from deltarule.preprocessing.leaks import suspicious
from deltarule.preprocessing.table import Preprocessing
from deltarule.preprocessing.targets import TASKS, Targets, with_targets

__all__ = ["KINDS", "TASKS", "Preprocessing", "Targets", "suspicious", "with_targets"]
