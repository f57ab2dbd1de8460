"""The options that commands share, each said once: its name, its type, its help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines import ENGINES
from deltarule.errors import SettingError
from deltarule.optimizers import OPTIMIZERS
from deltarule.schedules import SCHEDULES


def _names(table: Iterable[str]) -> Callable[[str], list[str]]:
    """Shell completion from a table's names."""
    known = list(table)
    return lambda incomplete: [name for name in known if name.startswith(incomplete)]


_READING = "Reading the file"
_COLUMNS = "Columns"
_NETWORK = "Network"
_TRAINING = "Training"
_JUDGING = "Judging"
_OUTPUT = "Output"

# -------------------------------------------------------------------------------- arguments

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="CSV, TSV or Parquet files, globs, or the name of a built-in set: digits, iris, "
        "wine, breast_cancer, diabetes.",
        show_default=False,
    ),
]
ModelPath = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A file written by train --out.", show_default=False),
]

# ---------------------------------------------------------------------------------- reading

Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="TEXT",
        help="Text that means a missing value, beside empty, NA and ?. Repeat for more.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="What separates columns; detected unless given.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the columns; detected unless given.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Of the text, as utf-8 or latin-1; detected unless given.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]
DecimalComma = Annotated[
    bool | None,
    typer.Option(
        "--decimal-comma/--decimal-point",
        help="How numbers are written; detected unless given.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]
Quote = Annotated[
    str | None,
    typer.Option(
        "--quote",
        metavar="CHAR",
        help="What encloses text; detected unless given.",
        rich_help_panel=_READING,
        show_default=False,
    ),
]

# ---------------------------------------------------------------------------------- columns

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="What to predict; several with commas. A built-in set knows its own.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="classification or regression; told from the target unless given.",
        autocompletion=_names(("classification", "regression")),
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        metavar="COLUMNS",
        help="Columns to leave out, with commas.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Overrule what a column is taken for, as age=category. Repeat for more.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="COLUMN",
        help="How much each row counts, in training and in the figures.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="COLUMN",
        help="Rows with one value here are never on both sides of a split.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="Train on the past, judge by what came later.",
        rich_help_panel=_COLUMNS,
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse rows whose target is missing instead of dropping them.",
        rich_help_panel=_COLUMNS,
    ),
]

# ---------------------------------------------------------------------------------- network

Hidden = Annotated[
    str,
    typer.Option(
        "--hidden",
        metavar="UNITS",
        help="Units of the hidden layers, with commas; none for a linear model.",
        rich_help_panel=_NETWORK,
    ),
]
ActivationName = Annotated[
    str,
    typer.Option(
        "--activation",
        metavar="NAME",
        help=f"Of the hidden layers: {', '.join(ACTIVATIONS)}.",
        autocompletion=_names(ACTIVATIONS),
        rich_help_panel=_NETWORK,
    ),
]
CostName = Annotated[
    str | None,
    typer.Option(
        "--cost",
        metavar="NAME",
        help=f"By the task unless given: {', '.join(COSTS)}; with numbers as 'huber(2)'.",
        autocompletion=_names(COSTS),
        rich_help_panel=_NETWORK,
        show_default=False,
    ),
]
Dropout = Annotated[
    float,
    typer.Option(
        "--dropout",
        metavar="SHARE",
        help="Share of each hidden layer's outputs dropped in training.",
        rich_help_panel=_NETWORK,
    ),
]

# --------------------------------------------------------------------------------- training

OptimizerName = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME",
        help=f"Adam with decay unless given: {', '.join(OPTIMIZERS)}.",
        autocompletion=_names(OPTIMIZERS),
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="RATE",
        help="The schedule's peak; the optimizer's own unless given.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
ScheduleName = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help=f"Cosine unless given: {', '.join(SCHEDULES)}.",
        autocompletion=_names(SCHEDULES),
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="ROWS",
        help="Rows a step; 32 to 256 by the number of rows unless given.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="At most so many passes over the rows; 20 to 100 unless given.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        help="Stop after so many epochs without a better validation cost.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
L1 = Annotated[
    float,
    typer.Option("--l1", metavar="X", help="Penalty on |W|.", rich_help_panel=_TRAINING),
]
L2 = Annotated[
    float,
    typer.Option("--l2", metavar="X", help="Penalty on W²/2.", rich_help_panel=_TRAINING),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        "--weight-decay",
        metavar="X",
        help="Decoupled decay; chosen unless given.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        "--label-smoothing",
        metavar="SHARE",
        help="Share of each target spread over all classes; chosen unless given.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(
        "--clip-norm",
        metavar="X",
        help="Scale gradients back to this norm.",
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="RULE",
        help="balanced: every class counts alike in training.",
        autocompletion=_names(("balanced",)),
        rich_help_panel=_TRAINING,
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Of everything random: the same seed gives the same numbers.",
        rich_help_panel=_TRAINING,
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help=f"auto, {', '.join(ENGINES)}.",
        autocompletion=_names(("auto", *ENGINES)),
        rich_help_panel=_TRAINING,
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="float32 or float64.",
        autocompletion=_names(("float32", "float64")),
        rich_help_panel=_TRAINING,
    ),
]

# ---------------------------------------------------------------------------------- judging

Test = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Judge by this file instead of rows held out. Repeat for more.",
        rich_help_panel=_JUDGING,
        show_default=False,
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--test-share",
        metavar="SHARE",
        help="Of the rows, held out to judge by.",
        rich_help_panel=_JUDGING,
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--cv",
        metavar="K",
        help="Judge by K-fold cross-validation; the model is then trained on all rows.",
        rich_help_panel=_JUDGING,
        show_default=False,
    ),
]
Baselines = Annotated[
    bool,
    typer.Option(
        "--baselines/--no-baselines",
        help="Whether to fit simple models to compare with.",
        rich_help_panel=_JUDGING,
    ),
]

# ----------------------------------------------------------------------------------- output

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Where to write it, whole or not at all.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a report of the training: one HTML page that needs nothing else.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object for machines.", rich_help_panel=_OUTPUT),
]
Probabilities = Annotated[
    bool,
    typer.Option(
        "--probabilities",
        help="Beside the predicted class, the probability of each.",
        rich_help_panel=_OUTPUT,
    ),
]


# ------------------------------------------------------------------------ text to settings


def listed(values: Iterable[str] | None) -> tuple[str, ...]:
    """Names from options that take commas and may be repeated.

    Examples
    --------
    >>> listed(["boat, body", "name"])
    ('boat', 'body', 'name')
    """
    parts = (part.strip() for value in values or () for part in value.split(","))
    return tuple(part for part in parts if part)


def units(text: str) -> tuple[int, ...]:
    """The hidden layers' sizes.

    Raises
    ------
    SettingError
        For text that is no list of whole numbers.

    Examples
    --------
    >>> units("128,64"), units("none")
    ((128, 64), ())
    """
    if text.strip().lower() in ("none", ""):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--hidden: expected whole numbers with commas, as 128,64, or none; got {text!r}."
        ) from None


def kinds(values: Iterable[str] | None) -> dict[str, str]:
    """Columns and their kinds.

    Raises
    ------
    SettingError
        For text without an equals sign.

    Examples
    --------
    >>> kinds(["age=category", "zip code=category"])
    {'age': 'category', 'zip code': 'category'}
    """
    found = {}
    for value in values or ():
        name, equals, kind = value.rpartition("=")
        if not equals or not name or not kind:
            raise SettingError(f"--kind: expected COLUMN=KIND, as age=category; got {value!r}.")
        found[name] = kind
    return found
