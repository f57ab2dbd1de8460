"""From a table as it came to a trained, judged model: roles, splits, a recipe, honest figures.

The steps are pure: :func:`table` checks, :func:`split` holds rows out, :func:`problem` fits the
preprocessing on the training rows, :func:`fit` trains, :func:`judge` and :func:`baselines` judge.
"""

from deltarule.tabular.calibration import Calibration, calibration_of
from deltarule.tabular.fitting import (
    Fitted,
    baselines,
    chosen,
    figure_targets,
    fit,
    judge,
    judged_network,
    predictions,
)
from deltarule.tabular.metadata import (
    about,
    fingerprint,
    held_out_again,
    is_training_table,
    printed,
    roles_of,
    shares_of,
)
from deltarule.tabular.problems import (
    Problem,
    Table,
    cross_validation,
    leaks,
    problem,
    split,
    table,
    test_rows,
    validations,
)
from deltarule.tabular.recipes import Recipe, check, recipe
from deltarule.tabular.record import record, rows_named
from deltarule.tabular.roles import inputs_of, weights_of
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.streamed_rows import Shares, StreamedRows
from deltarule.tabular.streaming import Surveyed, frames, judged_rows, survey

__all__ = [
    "Calibration",
    "Fitted",
    "Problem",
    "Recipe",
    "Roles",
    "Settings",
    "Shares",
    "StreamedRows",
    "Surveyed",
    "Table",
    "about",
    "baselines",
    "calibration_of",
    "check",
    "chosen",
    "cross_validation",
    "figure_targets",
    "fingerprint",
    "fit",
    "frames",
    "held_out_again",
    "inputs_of",
    "is_training_table",
    "judge",
    "judged_network",
    "judged_rows",
    "leaks",
    "predictions",
    "printed",
    "problem",
    "recipe",
    "record",
    "roles_of",
    "rows_named",
    "shares_of",
    "split",
    "survey",
    "table",
    "test_rows",
    "validations",
    "weights_of",
]
