"""Targets, fitted: labels or units to what a network is trained on, and back."""

from __future__ import annotations

import math
import reprlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import CellError, DataError, SettingError, ShapeError, require
from deltarule.preprocessing.cells import (
    Coded,
    coded,
    is_numeric,
    numbers_of,
    text_of,
)
from deltarule.preprocessing.decision import Decision, positive_class
from deltarule.preprocessing.kinds import refuse_strays
from deltarule.preprocessing.number_targets import refuse_numbers
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.target_columns import (
    TASKS,
    as_classification,
    as_regression,
    check_present,
    check_recur,
    check_there,
    check_varies,
    classes_of,
    inferred_task,
    target_names,
)
from deltarule.preprocessing.totals import Totals
from deltarule.registry import nearest

if TYPE_CHECKING:
    import polars as pl

_BLOCK = 1 << 16  # rows worked on together, which need little memory


@dataclass(frozen=True)
class Targets:
    """One or several target columns, fitted.

    Attributes
    ----------
    names : tuple of str
    task : str
        ``"classification"`` or ``"regression"``.
    reason : str
        Why that task, as a sentence.
    classes : tuple
        The labels in order, as they stand in the table: text, whole numbers or booleans.
    means, stds : tuple of float
        Of each target of a regression, over the training rows.
    decision : Decision, optional
        Of two classes: from which probability on one of them is predicted.
    columns : tuple of str
        What the columns of predictions are called; ``predicted_NAME`` by default.

    Examples
    --------
    >>> import polars as pl
    >>> targets = Targets.fit(pl.DataFrame({"y": ["no", "yes", "no"]}), ["y"])
    >>> targets.task, targets.classes, targets.outputs
    ('classification', ('no', 'yes'), 1)
    >>> targets.decode(np.array([[0.2], [0.7]]))["y"].to_list()
    ['no', 'yes']
    """

    names: tuple[str, ...]
    task: str
    reason: str
    classes: tuple[Any, ...] = ()
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    decision: Decision | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        default = tuple(f"predicted_{name}" for name in self.names)
        object.__setattr__(self, "columns", self.columns or default)

    @classmethod
    def fit(
        cls,
        frame: pl.DataFrame,
        names: Sequence[str],
        *,
        task: str | None = None,
        weights: Array | None = None,
    ) -> Targets:
        """Infer the task and learn from the training rows, none of whose targets is missing.

        Parameters
        ----------
        frame : polars.DataFrame
        names : sequence of str
            The target columns.
        task : str, optional
            Overrides the inferred task.
        weights : array, shape (m,), optional
            Of the rows, in means and standard deviations.

        Raises
        ------
        DataError
            For a target that is not there, has one value, is missing in some row, or does not
            fit the task.
        SettingError
            For an unknown task.
        """
        names = target_names(names)
        check_there(frame, names)
        if task is not None and task not in TASKS:
            raise SettingError(f"task must be one of {', '.join(TASKS)}; got {task!r}.")
        for name in names:
            check_varies(frame[name])
            if task is None and not is_numeric(frame[name]):
                _refuse_text(name, coded(frame[name]))
        inferred, reason = inferred_task(frame, names) if task is None else (task, "as requested")
        if inferred == "classification":
            return cls(tuple(names), inferred, reason, classes=classes_of(frame, names))
        means, stds = zip(*(_scale(frame[name], weights) for name in names), strict=True)
        return cls(tuple(names), inferred, reason, means=means, stds=stds)

    def refined(self, totals: Mapping[str, Totals]) -> Targets:
        """The same with means and standard deviations of more rows than it was fitted on.

        Parameters
        ----------
        totals : mapping of str to Totals
            Of each target, numbers in a regression.
        """
        own = [totals[name] for name in self.names] if self.task == "regression" else []
        scales = [(each.mean, math.sqrt(each.variance)) for each in own]
        if not all(math.isfinite(std) and std > 0 for _, std in scales):
            return self
        means, stds = zip(*scales, strict=True) if scales else ((), ())
        return replace(self, means=means, stds=stds)

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one for two classes, else one a class or target."""
        if self.task == "regression":
            return len(self.names)
        return 1 if len(self.classes) == 2 else len(self.classes)

    def encode(self, frame: pl.DataFrame) -> Array:
        """What the network is trained on, float32 ``(m, outputs)``.

        0 and 1 for two classes, one-hot for more, standardized values for a regression.

        Raises
        ------
        DataError
            For a class that training had not, or a missing target.
        """
        check_there(frame, self.names)
        if self.task == "regression":
            values = self.raw(frame).reshape(len(frame), -1)
            encoded = np.empty(values.shape, dtype=np.float32)
            for first in range(0, len(values), _BLOCK):
                rows = slice(first, first + _BLOCK)
                with np.errstate(over="ignore"):
                    encoded[rows] = (values[rows] - self.means) / self.stds
            return encoded
        codes = self._codes(frame[self.names[0]])
        if self.outputs == 1:
            return codes[:, None].astype(np.float32)
        return np.eye(len(self.classes), dtype=np.float32)[codes]

    def decode(self, outputs: Array) -> pl.DataFrame:
        """Predictions as labels or in the target's units: one column a target.

        Parameters
        ----------
        outputs : array, shape (m, outputs)
            The network's.

        Raises
        ------
        ShapeError
            For another number of columns.
        """
        polars = require("polars", "table", "reading tables", threads=False)
        outputs = self._checked(outputs)
        if self.task == "regression":
            values = self.values(outputs)
            return polars.DataFrame(
                [polars.Series(name, values[:, i]) for i, name in enumerate(self.names)]
            )
        labels = self._labels()[self.codes(outputs)].tolist()
        return polars.DataFrame([polars.Series(self.names[0], labels)])

    def positive(self, codes: Array) -> Any:
        """The positive one of two classes; where nothing is decided, by the rows of each.

        Parameters
        ----------
        codes : int array, shape (m,)
            The number of each row's class.
        """
        if self.decision is not None:
            return self.decision.positive
        return positive_class(self.classes, np.bincount(codes, minlength=2).tolist())

    @property
    def cut(self) -> float:
        """The probability of the second of two classes from which on it is predicted."""
        if self.decision is None:
            return 0.5
        own = self.decision.threshold
        return own if self.decision.positive == self.classes[1] else 1.0 - own

    def codes(self, outputs: Array) -> Array:
        """The number of each row's predicted class: of two by the decision, else the likeliest.

        Parameters
        ----------
        outputs : array, shape (m, outputs)

        Examples
        --------
        >>> decision = Decision("yes", threshold=0.1)
        >>> targets = Targets(("y",), "classification", "", ("no", "yes"), decision=decision)
        >>> targets.codes(np.array([[0.05], [0.2]]))
        array([0, 1])
        """
        if self.outputs > 1:
            return outputs.argmax(axis=1)
        return (outputs[:, 0] >= self.cut).astype(np.int64)

    def values(self, outputs: Array) -> Array:
        """Predictions of a regression in the targets' units, float64 ``(m, targets)``.

        Parameters
        ----------
        outputs : array, shape (m, outputs)

        Raises
        ------
        ShapeError
            For another number of columns.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # of an absurd scale
            values: Array = self._checked(outputs).astype(np.float64) * self.stds + self.means
        return values

    def raw(self, frame: pl.DataFrame) -> Array:
        """The targets as they stand: labels ``(m,)``, or float64 ``(m,)`` or ``(m, targets)``."""
        if self.task == "classification":
            return np.array(self._labels()[self._codes(frame[self.names[0]])].tolist())
        columns = [_numbers(frame[name]).to_numpy() for name in self.names]
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` needs, of plain JSON values."""
        return {
            "names": list(self.names),
            "task": self.task,
            "reason": self.reason,
            "classes": list(self.classes),
            "means": list(self.means),
            "stds": list(self.stds),
            **({} if self.decision is None else {"decision": self.decision.to_dict()}),
        }

    @classmethod
    def from_dict(cls, state: Any) -> Targets:
        """The targets that :meth:`to_dict` wrote.

        Raises
        ------
        DataError
            For anything else.
        """
        good = isinstance(state, dict) and state.get("task") in TASKS
        good = good and isinstance(state.get("reason"), str)
        for key, kinds in (
            ("names", (str,)),
            ("classes", (str, int, bool)),
            ("means", (int, float)),
            ("stds", (int, float)),
        ):
            values = state.get(key) if good else None
            good = isinstance(values, list) and all(type(v) in kinds for v in values)
        if good:
            n = len(state["names"]) if state["task"] == "regression" else 0
            classes = 0 if n else len(state["classes"])
            good = len(state["means"]) == len(state["stds"]) == n and (n > 0 or classes > 1)
            numbers = (*state["means"], *state["stds"])
            good = good and all(abs(v) <= sys.float_info.max for v in numbers)
            good = good and all(std > 0 for std in state["stds"]) and bool(state["names"])
            good = good and all(
                len(set(state[key])) == len(state[key]) for key in ("names", "classes")
            )
            good = good and len({type(label) for label in state["classes"]}) < 2
        if not good:
            raise DataError(f"the record of the targets is damaged: {reprlib.repr(state)}")
        stored = state.get("decision")
        return cls(
            tuple(state["names"]),
            state["task"],
            state["reason"],
            tuple(state["classes"]),
            tuple(map(float, state["means"])),
            tuple(map(float, state["stds"])),
            None if stored is None else Decision.from_dict(stored, state["classes"]),
        )

    def _checked(self, outputs: Array) -> Array:
        outputs = np.asarray(outputs)
        if outputs.ndim != 2 or outputs.shape[1] != self.outputs:
            raise ShapeError(
                f"outputs: expected shape (rows, {self.outputs}), got {outputs.shape}."
            )
        return outputs

    def _labels(self) -> Array:
        """The classes as an array of objects."""
        labels = np.empty(len(self.classes), dtype=object)
        labels[:] = self.classes
        return labels

    def _codes(self, column: pl.Series) -> Array:
        """The number of each row's class."""
        polars = require("polars", "table", "reading tables")
        check_present(column)
        levels = [_label_text(label) for label in self.classes]
        text = text_of(column)
        strange = ~text.is_in(levels)
        if strange.any():  # "<=50K." for "<=50K": a full stop is not another class
            text = text.str.strip_chars(" .")
            levels = [level.strip(" .") for level in levels]
            strange = ~text.is_in(levels)
        if strange.any():
            known = ", ".join(map(repr, levels[:10]))
            row = int(strange.arg_max() or 0)
            raise CellError(
                f"target {column.name!r}: holds {text[row]!r}",
                row,
                f", a class that training did not have.{nearest(text[row], levels)} Expected one "
                f"of {known}.",
            )
        codes = text.replace_strict(levels, list(range(len(levels))), return_dtype=polars.Int64)
        return codes.to_numpy()


def _refuse_text(name: str, found: Coded) -> None:
    """Refuse text whose task is not certain: numbers with other cells among them, and names."""
    refuse_strays(name, found, as_classification())
    refuse_numbers(name, found)
    check_recur(name, len(found.levels), len(found.codes))


def _numbers(column: pl.Series) -> pl.Series:
    """A target of a regression as Float64, none missing."""
    check_present(column)
    if column.dtype.base_type().__name__ != "Boolean" and not is_numeric(column):
        text = text_of(column)
        odd = text.cast(float, strict=False).is_null()
        if odd.any():
            row = int(odd.arg_max() or 0)
            raise CellError(
                f"target {column.name!r}: holds {text[row]!r}",
                row,
                "; expected numbers for a regression. For classes name one target column, without "
                f"{as_regression()}.",
            )
    numbers = numbers_of(column)
    if numbers.null_count():
        raise DataError(f"target {column.name!r}: holds NaN; expected a number in each row.")
    return numbers


def _scale(column: pl.Series, weights: Array | None) -> tuple[float, float]:
    """Mean and standard deviation of a target of a regression, which may not be 0."""
    numbers = _numbers(column)  # none missing, all finite
    counts = None if weights is None or not weights.any() else weights > 0
    plain = Numeric.fit(column if counts is None else numbers.filter(counts))
    if weights is None or counts is None:
        return plain.mean, plain.std
    values = (numbers.to_numpy()[counts] - plain.mean) / plain.std  # their squares are in range
    mean = float(np.average(values, weights=weights[counts]))
    std = math.sqrt(float(np.average((values - mean) ** 2, weights=weights[counts])))
    return plain.mean + mean * plain.std, (std or 1.0) * plain.std


def _label_text(label: Any) -> str:
    """A label as :func:`text_of` would write it."""
    return str(label).lower() if isinstance(label, bool) else str(label)
