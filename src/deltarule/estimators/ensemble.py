"""Several networks as one estimator: seeded independently, trained side by side, averaged."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from deltarule.engines.native import cores
from deltarule.errors import DeltaruleError
from deltarule.training.events import Callback
from deltarule.training.parallel import below, each_run


def fit_members(
    draft: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    validation: tuple[Any, Any, Any],
    incremental: bool,
) -> None:
    """Fit an estimator's members, each on all the data, in threads; keep them in ``estimators_``.

    Each is what a single estimator with its seed becomes, on one thread of the engine: the cores
    are taken by its fellows.
    """
    earlier = getattr(draft, "estimators_", ())
    keep = bool(draft.warm_start) or incremental
    goes_on = keep and len(earlier) == draft.n_estimators
    members = [copy.copy(member) for member in earlier] if goes_on else _new_members(draft)
    _, labels = draft._checked(X, y, reset=not goes_on)
    draft._learn_targets(labels, keep=keep, exactly=not incremental)
    shared = {**draft.get_params(deep=False), **_learned(draft), "n_estimators": 1}
    for k, member in enumerate(members, 1):
        vars(member).update({**shared, "random_state": member.random_state, "_threads": 1})
        member.checkpoints = below(draft.checkpoints, f"member-{k}")

    def fit(member: Any, watch: Callback) -> None:
        member._watchdog = watch
        try:
            member._fit_draft(X, y, sample_weight, validation, incremental, member)
        except DeltaruleError as error:
            error.add_note(f"in member {members.index(member) + 1} of {len(members)}")
            raise
        del member._watchdog

    each_run(fit, members, cores(), draft.checkpoints)
    draft.__dict__ = {
        **{name: value for name, value in vars(draft).items() if name[-1] != "_"},
        **_learned(draft),
        "estimators_": members,
        **{name: getattr(members[0], name) for name in _OF_ANY},
        **{name: max(getattr(member, name) for member in members) for name in _OF_THE_LONGEST},
        "loss_": float(np.mean([member.loss_ for member in members])),
    }


_OF_ANY = ("n_layers_", "n_outputs_", "out_activation_")
_OF_THE_LONGEST = ("n_iter_", "t_")


def _new_members(draft: Any) -> list[Any]:
    generator = check_random_state(draft.random_state)
    seeds = generator.randint(2**31 - 1, size=draft.n_estimators)
    members = [clone(draft).set_params(random_state=int(seed)) for seed in seeds]
    for member in members:  # scikit-learn's callbacks follow one fit, not several at a time
        vars(member).pop("_skl_callbacks", None)
    return members


def _learned(draft: Any) -> dict[str, Any]:
    """What the whole has learned of columns and targets, and its members share."""
    names = ("n_features_in_", "feature_names_in_", "classes_", "_label_binarizer")
    return {name: vars(draft)[name] for name in names if name in vars(draft)}
