"""Held-out rows put to a second use: calibrated probabilities, intervals and sets of classes.

Temperature: Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, 2017.
Intervals: split conformal prediction, Vovk, Gammerman and Shafer 2005; each end separately, so that
they need not be symmetric. Sets: all classes above a probability, Sadinle, Lei and Wasserman,
*Least ambiguous set-valued classifiers with bounded error levels*, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.errors import FileError, SettingError, setting
from deltarule.modelfile import Model
from deltarule.training.predictions import class_sets, probabilities

_TEMPERATURES = (0.1, 10.0)
_ERRORS = 3.0  # standard errors that a temperature is from 1, at least
_STEPS = 60  # of the golden section: far below what float64 tells apart
_KEPT = 2001  # residuals that a model stores, at most


@dataclass(frozen=True)
class Calibration:
    """What held-out rows have taught about a model's predictions.

    Attributes
    ----------
    rows : int
        How many there were; of weighted rows, how many of equal weights tell as much.
    temperature : float
        What the outputs are divided by before they become probabilities; 1 for a regression. The
        model's last layer holds it already.
    residuals : tuple of tuples of float
        Of each target, ascending: true value less prediction, in the target's unit, over the row's
        relative width where the model has a network of widths; all of them or quantiles. Empty for
        a classification.
    true_probabilities : tuple of float
        Of a classification, ascending: the probability of each row's true class; all of them or
        quantiles. Empty for a regression, and in files of before.
    set_rows : int
        As `rows`, where rows count as in the table: not by their class.
    """

    rows: int
    temperature: float = 1.0
    residuals: tuple[tuple[float, ...], ...] = ()
    true_probabilities: tuple[float, ...] = ()
    set_rows: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as a model file keeps them."""
        residuals = [list(own) for own in self.residuals]
        found = {"rows": self.rows, "temperature": self.temperature, "residuals": residuals}
        if self.true_probabilities:
            found["true_probabilities"] = list(self.true_probabilities)
            found["set_rows"] = self.set_rows
        return found

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """What :meth:`to_dict` wrote."""
        residuals = tuple(tuple(map(float, own)) for own in stored["residuals"])
        P = tuple(map(float, stored.get("true_probabilities", ())))
        rows, set_rows = int(stored["rows"]), int(stored.get("set_rows", 0))
        return cls(rows, float(stored["temperature"]), residuals, P, set_rows)

    def interval(self, share: float) -> tuple[Array, Array]:
        """The ends of an interval of width 1, less its prediction, ``(targets,)`` each.

        Parameters
        ----------
        share : float
            Of the true values that are to lie between the ends.

        Raises
        ------
        SettingError
            For a share out of range, a classification model, or too few held-out rows.

        Examples
        --------
        >>> residuals = tuple(float(r) for r in range(-50, 51))
        >>> low, high = Calibration(101, residuals=(residuals,)).interval(0.8)
        >>> low.round(1), high.round(1)
        (array([-40.8]), array([40.8]))
        """
        checked_number("intervals", "share", share, low=0, high=1, open_low=True, open_high=True)
        if not self.residuals:
            raise SettingError(
                f"{_option()}: expected a regression model; this one predicts classes. Leave "
                "it out."
            )
        out = (1.0 - share) / 2.0
        places = _places(np.array([out, 1.0 - out]), self.rows, share, 2, _option())
        low, high = np.stack([np.quantile(own, places) for own in self.residuals], axis=1)
        return low, high

    def threshold(self, coverage: float) -> float:
        """The least probability of a class that belongs to a prediction set.

        Parameters
        ----------
        coverage : float
            Share of the rows whose true class is to be in their set.

        Raises
        ------
        SettingError
            For a coverage out of range, a regression model, too few held-out rows, or a model
            trained before there were sets.

        Examples
        --------
        >>> P = tuple(k / 100 for k in range(1, 100))
        >>> round(Calibration(99, true_probabilities=P, set_rows=99).threshold(0.8), 6)
        0.2
        """
        checked_number("sets", "coverage", coverage, low=0, high=1, open_low=True, open_high=True)
        if self.residuals:
            raise SettingError(
                f"{_set_option()}: expected a classification model; this one predicts numbers. Use "
                f"{_option()}."
            )
        if not self.true_probabilities:
            raise SettingError(
                f"{_set_option()}: the model was trained before there were sets. Train it again."
            )
        out = np.array([1.0 - coverage])
        (place,) = _places(out, self.set_rows, coverage, 1, _set_option())
        return float(np.quantile(self.true_probabilities, place))


def _places(below: Array, rows: int, share: float, ends: int, option: str) -> Array:
    """Where among sorted rows the numbers are that have these shares below them.

    The k-th of n rows has k/(n + 1) below it, on average.
    """
    if (1.0 - share) * (rows + 1) < ends:
        most = math.floor(1000 * (1.0 - ends / (rows + 1))) / 1000
        raise SettingError(
            f"{option}: a coverage of {share:g} needs more than {rows} held-out rows; "
            f"expected at most {most:g}. Lower it, or train with more rows."
        )
    places: Array = (below * (rows + 1) - 1.0) / max(rows - 1, 1)
    return places


def interval_ends(model: Model, frame: Any, share: float) -> tuple[Array, Array, Array]:
    """Predictions and both ends of their intervals, ``(m, targets)`` each, in the targets' units.

    Parameters
    ----------
    model : Model
        Of a table.
    frame : data frame
    share : float
        Of the true values that are to lie between the ends.

    Raises
    ------
    SettingError
        As :meth:`Calibration.interval`.
    """
    low, high = calibration_of(model).interval(share)
    A, scale = model.outputs_and_widths(frame)
    assert model.targets is not None
    found = model.targets.values(A)
    return found, found + scale * low, found + scale * high


def prediction_sets(model: Model, frame: Any, coverage: float) -> tuple[Array, Array]:
    """Probabilities, and which classes are in the set of each row, ``(m, classes)`` each.

    The predicted class always is.

    Parameters
    ----------
    model : Model
        Of a table.
    frame : data frame
    coverage : float
        Share of the rows whose true class is to be in their set.

    Raises
    ------
    SettingError
        As :meth:`Calibration.threshold`.
    """
    threshold = calibration_of(model).threshold(coverage)
    assert model.targets is not None
    outputs = model.outputs(frame)
    P = probabilities(outputs)
    return P, class_sets(P, model.targets.codes(outputs), threshold)


def calibration_of(model: Model) -> Calibration:
    """What held-out rows have taught about a model, as its file keeps it.

    Raises
    ------
    SettingError
        For a model that was trained without.
    FileError
        For what is damaged.
    """
    stored = model.about.get("calibration")
    if stored is None:
        raise SettingError(
            f"{setting('intervals and sets', '--intervals and --sets')}: the model has no held-out "
            "rows to calibrate them on. Train it again with deltarule train."
        )
    try:
        found = Calibration.from_dict(stored)
        targets = model.targets.names if model.targets and not model.targets.classes else ()
        numbers = np.concatenate([[found.rows], *found.residuals, found.true_probabilities])
        fits = len(found.residuals) == len(targets) and all(found.residuals)
        if not (fits and min(found.rows, found.set_rows) >= 0 and np.isfinite(numbers).all()):
            raise ValueError("it does not fit the targets")
    except Exception as error:  # whatever a foreign hand may have put there
        raise FileError(
            f"the model file's calibration cannot be read ({error}). Restore the file from a copy, "
            "or train and save the model again."
        ) from error
    return found


def temperature(Z: Array, Y: Array, s: Array | None = None) -> float:
    """What outputs are best divided by: the smallest cross entropy of held-out rows.

    It stays 1 where the rows do not tell it from 1: where its logarithm is less than three standard
    errors from 0. Few rows would make probabilities worse more often than better. Targets are drawn
    together as if one row more had been seen, of every class a share (after Platt 1999): rows that
    are all told right do not make a model certain.

    Parameters
    ----------
    Z : array, shape (m, outputs)
        Before sigmoid (one output) or softmax.
    Y : array, shape (m, outputs)
        0 and 1.
    s : array, shape (m,), optional
        Weights of the rows, as in training: with balanced classes, the probabilities stay those of
        balanced classes.

    Examples
    --------
    >>> Z = np.array([[4.0], [4.0], [4.0], [-4.0]] * 50)  # 98 % sure, 75 % right
    >>> Y = np.array([[1.0], [1.0], [0.0], [0.0]] * 50)
    >>> 1.0 < temperature(Z, Y) < 10.0
    True
    >>> temperature(Z[:4], Y[:4])
    1.0
    """
    if Z.shape[1] == 1:
        Z, Y = np.hstack([np.zeros_like(Z), Z]), np.hstack([1.0 - Y, Y])
    Z, Y = Z.astype(np.float64), Y.astype(np.float64)
    m, classes = Z.shape
    Y = (Y * m + 1.0 / classes) / (m + 1.0)
    weights = np.ones(m) if s is None else s
    if not weights.any():
        return 1.0

    def cost(log_temperature: float) -> float:
        scaled = Z / math.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        losses = np.log(np.exp(scaled).sum(axis=1)) - (Y * scaled).sum(axis=1)
        return float(np.average(losses, weights=weights))

    found = _least(cost, *map(math.log, _TEMPERATURES))
    told = abs(found) > _ERRORS * _standard_error(Z / math.exp(found), Y, weights)
    return math.exp(found) if told else 1.0


def _standard_error(Z: Array, Y: Array, s: Array) -> float:
    """Of the logarithm of the temperature that Z is divided by, whatever the model is worth.

    Each row's derivative of the loss, and the second derivative of all together, which is the
    spread of Z under its own probabilities (White's estimate, 1982).
    """
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    first = s * ((P - Y) * Z).sum(axis=1)
    second = float(s @ ((P * Z**2).sum(axis=1) - (P * Z).sum(axis=1) ** 2))
    return float(np.sqrt(first @ first)) / second if second > 0 else math.inf


def _least(cost: Any, low: float, high: float) -> float:
    """Where a function with one valley is least, by golden section."""
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    cost_a, cost_b = cost(a), cost(b)
    for _ in range(_STEPS):
        if cost_a < cost_b:
            high, b, cost_b = b, a, cost_a
            a = high - ratio * (high - low)
            cost_a = cost(a)
        else:
            low, a, cost_a = a, b, cost_b
            b = low + ratio * (high - low)
            cost_b = cost(b)
    return (low + high) / 2.0


def kept_residuals(residuals: Array, s: Array | None = None) -> tuple[tuple[float, ...], ...]:
    """Residuals ``(m, targets)`` as a :class:`Calibration` keeps them: ascending, not too many.

    Of weighted rows they are weighted quantiles: each residual is in the middle of its weight.
    """
    places = np.linspace(0.0, 1.0, min(len(residuals), _KEPT))
    if s is None or not s.any():
        return tuple(tuple(map(float, np.quantile(own, places))) for own in residuals.T)
    residuals, s = residuals[s > 0], s[s > 0]
    found = []
    for own in residuals.T:
        order = np.argsort(own)
        middle = np.cumsum(s[order]) - s[order] / 2
        at = middle[0] + places * (middle[-1] - middle[0])
        found.append(tuple(map(float, np.interp(at, middle, own[order]))))
    return tuple(found)


def effective_rows(m: int, s: Array | None) -> int:
    """How many rows of equal weights tell as much as `m` weighted ones (Kish 1965).

    Examples
    --------
    >>> effective_rows(4, np.array([1.0, 1.0, 0.0, 0.0])), effective_rows(4, None)
    (2, 4)
    """
    return m if s is None or not s.any() else round(float(s.sum() ** 2 / (s @ s)))


def _option() -> str:
    return setting("intervals", "--intervals")


def _set_option() -> str:
    return setting("prediction sets", "--sets")
