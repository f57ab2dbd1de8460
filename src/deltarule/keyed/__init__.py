"""One model per key: a small network for every store, sensor or customer of a table, all at once.

:func:`train_by_key` is all of it in one call. The steps are pure: :func:`problem` checks the table
and fits what the keys share, :func:`run` trains blocks of keys over workers, :class:`KeyedModels`
predicts by key and is one file.
"""

from deltarule.keyed.contributions import explain_by_key
from deltarule.keyed.figures import FIGURES, LABELS, Summary
from deltarule.keyed.models import FALLBACKS, FILE, KIND, KeyedModels, load_keyed
from deltarule.keyed.problems import KeyedProblem, check_settings, problem, recipe_of
from deltarule.keyed.running import KEYS_A_BLOCK, run, train_by_key
from deltarule.keyed.stacks import Stack
from deltarule.keyed.training import FEWEST_ROWS, Work, train_block

__all__ = [
    "FALLBACKS",
    "FEWEST_ROWS",
    "FIGURES",
    "FILE",
    "KEYS_A_BLOCK",
    "KIND",
    "LABELS",
    "KeyedModels",
    "KeyedProblem",
    "Stack",
    "Summary",
    "Work",
    "check_settings",
    "explain_by_key",
    "load_keyed",
    "problem",
    "recipe_of",
    "run",
    "train_block",
    "train_by_key",
]
