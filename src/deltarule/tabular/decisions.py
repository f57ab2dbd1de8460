"""The threshold between two classes, chosen on rows that no network has learned from.

For stated costs it is where a miss and a false alarm cost the same on average, cost of an alarm /
(cost of an alarm + cost of a miss) (Elkan, *The foundations of cost-sensitive learning*, 2001),
unless the validation rows clearly show lower costs elsewhere: probabilities of balanced classes are
no shares of rows. For a stated recall it is the highest that reaches it, for a stated precision the
lowest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import SettingError, setting
from deltarule.preprocessing import Targets
from deltarule.preprocessing.decision import Decision
from deltarule.tabular.settings import DECISION, Settings

_ERRORS = 3.0  # standard errors by which costs are lower elsewhere, at least


class _Thresholds(NamedTuple):
    """Every threshold that differs on some rows, descending, and what it does to them.

    Attributes
    ----------
    at : array, shape (k,)
        Between two probabilities of rows that follow each other.
    found, alarms : array, shape (k,)
        The weight of the rows of the positive class from there on, and of all rows.
    """

    at: Array
    found: Array
    alarms: Array

    @classmethod
    def of(cls, p: Array, is_positive: Array, s: Array) -> _Thresholds:
        """Of the probabilities of rows, first none of them predicted, then the most probable …"""
        values, place = np.unique(-p, return_inverse=True)
        ends = np.concatenate([[1.0], -values, [0.0]])
        found, alarms = (
            np.concatenate([[0.0], np.cumsum(np.bincount(place, weights=own))])
            for own in (s * is_positive, s)
        )
        return cls((ends[:-1] + ends[1:]) / 2.0, found, alarms)


def check_decision(targets: Targets, settings: Settings) -> None:
    """Refuse settings of the decision between two classes for any other target.

    Raises
    ------
    SettingError
        With the setting, and for a positive class that is none of the two.
    """
    given = next((name for name in DECISION if getattr(settings, name) is not None), None)
    if given is None:
        return
    name = setting(given, f"--{given.replace('_', '-')}")
    if targets.outputs != 1 or targets.task != "classification":
        what = "is a number" if targets.task == "regression" else f"has {len(targets.classes)}"
        raise SettingError(
            f"{name}: expected a target of two classes; {targets.names[0]!r} {what}. Leave it out."
        )
    labels = list(map(str, targets.classes))
    if settings.positive is not None and str(settings.positive) not in labels:
        own = setting("positive", "--positive")
        raise SettingError(
            f"{own}: expected one of the classes {labels[0]!r} and {labels[1]!r}; got "
            f"{settings.positive!r}. Name one of them."
        )


def chosen_decision(
    targets: Targets, labels: Array, P: Array, s: Array | None, settings: Settings
) -> Decision:
    """The decision between two classes, from rows that no network has learned from.

    Parameters
    ----------
    targets : Targets
        Of two classes.
    labels : int array, shape (m,)
        The classes' numbers.
    P : array, shape (m, 2)
        Their probabilities.
    s : array, shape (m,), optional
        The rows' weights.
    settings : Settings

    Examples
    --------
    >>> targets = Targets(("y",), "classification", "", ("no", "yes"))
    >>> p = np.array([0.1, 0.3, 0.5, 0.9])
    >>> given = np.array([0, 1, 0, 1]), np.stack([1 - p, p], axis=1), None
    >>> round(chosen_decision(targets, *given, Settings(min_recall=1.0)).threshold, 2)
    0.2
    >>> chosen_decision(targets, *given, Settings(cost_of_miss=9)).threshold
    0.1
    """
    s = np.ones(len(labels)) if s is None else s
    positive = _positive(targets, labels, settings)
    k = targets.classes.index(positive)
    threshold, reason = _chosen(P[:, k].astype(float), labels == k, s, settings)
    return Decision(positive, float(threshold), reason)


def decision_of_costs(targets: Targets, labels: Array, settings: Settings) -> Decision:
    """The decision where no rows are held out to choose it by: what stated costs imply.

    Parameters
    ----------
    targets : Targets
        Of two classes.
    labels : int array, shape (m,)
        The classes' numbers, of all rows.
    settings : Settings
        With costs; 0.5 without any.

    Examples
    --------
    >>> targets = Targets(("y",), "classification", "", ("no", "yes"))
    >>> decision_of_costs(targets, np.array([0, 1]), Settings(cost_of_miss=4)).describe()
    "'yes' from a probability of 0.2 on (a miss costs 4, a false alarm 1)"
    """
    positive = _positive(targets, labels, settings)
    if settings.cost_of_miss is None and settings.cost_of_alarm is None:
        return Decision(positive)
    costs = costs_of(settings)
    return Decision(positive, _of_costs(*costs), _reason(*costs))


def _positive(targets: Targets, labels: Array, settings: Settings) -> Any:
    """The positive class: as given, else by the classes and the rows of each."""
    if settings.positive is None:
        return targets.positive(labels)
    return next(each for each in targets.classes if str(each) == str(settings.positive))


def _chosen(p: Array, is_positive: Array, s: Array, settings: Settings) -> tuple[float, str]:
    """The threshold, and why that one."""
    of = _Thresholds.of(p, is_positive, s)
    if settings.min_recall is not None:
        enough = of.found >= settings.min_recall * of.found[-1] * (1.0 - 1e-12)
        return of.at[enough.argmax()], f"validation recall of at least {settings.min_recall:g}"
    if settings.min_precision is not None:
        return _precise(of, settings.min_precision)
    if settings.cost_of_miss is None and settings.cost_of_alarm is None:
        return 0.5, ""
    costs = costs_of(settings)
    miss, alarm = costs
    expected = _of_costs(*costs)
    best = of.at[(miss * (of.found[-1] - of.found) + alarm * (of.alarms - of.found)).argmin()]
    lower = [_cost(p >= at, is_positive, *costs) for at in (expected, best)]
    gain = s * (lower[0] - lower[1])
    clear = gain.sum() > _ERRORS * np.sqrt((gain**2).sum())
    return best if clear else expected, _reason(*costs)


def _of_costs(miss: float, alarm: float) -> float:
    """The probability from which on an alarm costs less than a miss, on average."""
    return alarm / (alarm + miss)


def _reason(miss: float, alarm: float) -> str:
    return f"a miss costs {miss:g}, a false alarm {alarm:g}"


def costs_of(settings: Settings) -> tuple[float, float]:
    """The costs of a miss and of a false alarm."""
    return settings.cost_of_miss or 1.0, settings.cost_of_alarm or 1.0


def _precise(of: _Thresholds, wanted: float) -> tuple[float, str]:
    """The lowest threshold that reaches a precision; where none does, that of the highest."""
    precision = of.found[1:] / np.maximum(of.alarms[1:], 1e-300)
    enough = np.flatnonzero(precision >= wanted * (1.0 - 1e-12))
    if len(enough):
        return of.at[1:][enough[-1]], f"validation precision of at least {wanted:g}"
    best = precision.argmax()
    return of.at[1:][best], (
        f"no threshold has a validation precision of {wanted:g}; this one has the highest, "
        f"{precision[best]:.2g}"
    )


def _cost(is_alarm: Array, is_positive: Array, miss: float, alarm: float) -> Array:
    """What each row costs."""
    return miss * (is_positive & ~is_alarm) + alarm * (is_alarm & ~is_positive)
