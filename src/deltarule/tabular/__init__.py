"""From a raw table to a trained, evaluated model: roles, splits, a recipe, honest metrics.

The steps are pure: :func:`table` checks, :func:`split` holds rows out, :func:`problem` fits the
preprocessing on the training rows, :func:`fit` trains, :func:`evaluate` evaluates the model and
:func:`baselines` those beside it.
"""

from deltarule.tabular.alerts import Alert, alerts_of
from deltarule.tabular.calibration import (
    Calibration,
    calibration_of,
    interval_ends,
    prediction_sets,
)
from deltarule.tabular.column_effects import ColumnEffect, CurvePoint
from deltarule.tabular.contributions import (
    Contributions,
    TableContributions,
    effects_of,
    explain_rows,
    explain_table,
    explained,
    explained_inputs,
)
from deltarule.tabular.decisions import check_decision, costs_of, decision_of_costs
from deltarule.tabular.doubts import column_doubts, doubtful_labels, only_class
from deltarule.tabular.ensembles import separated
from deltarule.tabular.evidence import evidence
from deltarule.tabular.fitting import (
    Fitted,
    baselines,
    chosen,
    evaluate,
    evaluated_network,
    figure_targets,
    fit,
    predictions,
)
from deltarule.tabular.interval_network import with_intervals
from deltarule.tabular.metadata import (
    about,
    consequences_as_json,
    fingerprint,
    held_out_again,
    printed,
    roles_of,
    shares_of,
    training_on,
)
from deltarule.tabular.problems import (
    Problem,
    Table,
    cross_validation,
    leaks,
    sentinel_warnings,
    split,
    table,
    table_of_model,
    test_rows,
    validations,
)
from deltarule.tabular.quantiles import (
    QUANTILE_HEADS,
    QuantileMetrics,
    levels_of,
    quantile_metrics,
    quantile_model,
    quantile_tables,
    quantiles_of,
)
from deltarule.tabular.recipes import Recipe, check, lines, recipe
from deltarule.tabular.record import reading_record, record, recorded_reading, rows_named
from deltarule.tabular.references import Reference, middle, reference
from deltarule.tabular.roles import inputs_of, weights_of
from deltarule.tabular.row_page import row_page, save_row_page
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.streamed_rows import Shares, StreamedRows
from deltarule.tabular.streaming import Surveyed, frames, judged_rows, survey
from deltarule.tabular.text_trial import problem
from deltarule.tabular.updating import (
    Update,
    evaluated_before,
    kept_settings,
    update_model,
    updated_problem,
    updated_recipes,
    updated_settings,
)
from deltarule.tabular.word_effects import WordEffect, strongest_words

__all__ = [
    "QUANTILE_HEADS",
    "Alert",
    "Calibration",
    "ColumnEffect",
    "Contributions",
    "CurvePoint",
    "Fitted",
    "Problem",
    "QuantileMetrics",
    "Recipe",
    "Reference",
    "Roles",
    "Settings",
    "Shares",
    "StreamedRows",
    "Surveyed",
    "Table",
    "TableContributions",
    "Update",
    "WordEffect",
    "about",
    "alerts_of",
    "baselines",
    "calibration_of",
    "check",
    "check_decision",
    "chosen",
    "column_doubts",
    "consequences_as_json",
    "costs_of",
    "cross_validation",
    "decision_of_costs",
    "doubtful_labels",
    "effects_of",
    "evaluate",
    "evaluated_before",
    "evaluated_network",
    "evidence",
    "explain_rows",
    "explain_table",
    "explained",
    "explained_inputs",
    "figure_targets",
    "fingerprint",
    "fit",
    "frames",
    "held_out_again",
    "inputs_of",
    "interval_ends",
    "judged_rows",
    "kept_settings",
    "leaks",
    "levels_of",
    "lines",
    "middle",
    "only_class",
    "prediction_sets",
    "predictions",
    "printed",
    "problem",
    "quantile_metrics",
    "quantile_model",
    "quantile_tables",
    "quantiles_of",
    "reading_record",
    "recipe",
    "record",
    "recorded_reading",
    "reference",
    "roles_of",
    "row_page",
    "rows_named",
    "save_row_page",
    "sentinel_warnings",
    "separated",
    "shares_of",
    "split",
    "strongest_words",
    "survey",
    "table",
    "table_of_model",
    "test_rows",
    "training_on",
    "update_model",
    "updated_problem",
    "updated_recipes",
    "updated_settings",
    "validations",
    "weights_of",
    "with_intervals",
]
