"""What a model's errors mean for whoever uses it: alarms and misses, errors in a target's unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from deltarule.arrays import Array


class Consequences(Protocol):
    """Of one set of rows."""

    def joined(self, parts: Sequence[Any]) -> Self:
        """The same of the rows of several folds."""

    def sentences(self) -> list[str]:
        """For people."""

    def as_json(self) -> dict[str, Any]:
        """For machines."""


class Alarms(NamedTuple):
    """How often one of two classes is there, predicted, and both.

    Attributes
    ----------
    target : str
    label : str
        Of the positive class.
    found, present, predicted, rows : int

    Examples
    --------
    >>> for sentence in Alarms("churn", "yes", 190, 374, 292, 1409).sentences():
    ...     print(sentence)
    Finds 190 of the 374 rows with churn 'yes' (recall 51 %); 190 of 292 alarms are right \
(precision 65 %).
    """

    target: str
    label: str
    found: int
    present: int
    predicted: int
    rows: int

    @classmethod
    def of(cls, target: str, label: Any, is_present: Array, is_predicted: Array) -> Alarms:
        """Counted, of a class that is or is not in each row."""
        found, present = int((is_present & is_predicted).sum()), int(is_present.sum())
        return cls(target, str(label), found, present, int(is_predicted.sum()), len(is_present))

    def joined(self, parts: Sequence[Alarms]) -> Alarms:
        """Added up, of one class."""
        assert all(part.label == self.label for part in parts)
        totals: Array = np.sum([part[2:] for part in parts], axis=0)
        return Alarms(self.target, self.label, *totals.tolist())

    @property
    def missed(self) -> int:
        """Rows of the class that are not found."""
        return self.present - self.found

    @property
    def false(self) -> int:
        """Alarms that are wrong."""
        return self.predicted - self.found

    @property
    def recall(self) -> float | None:
        """The share of the class's rows that are found."""
        return self.found / self.present if self.present else None

    @property
    def precision(self) -> float | None:
        """The share of the alarms that are right."""
        return self.found / self.predicted if self.predicted else None

    def cost(self, miss: float, alarm: float) -> float:
        """The mean cost of a row where a miss and a false alarm cost so much."""
        return (miss * self.missed + alarm * self.false) / max(self.rows, 1)

    def sentences(self) -> list[str]:
        """For people: of a class in no row, nothing is found."""
        if self.recall is None:
            finds = f"No row has {self.target} {self.label!r}"
        else:
            finds = (
                f"Finds {self.found:,} of the {self.present:,} rows with {self.target} "
                f"{self.label!r} (recall {100 * self.recall:.0f} %)"
            )
        if self.precision is None:
            return [f"{finds}; no row is predicted to have it."]
        return [
            f"{finds}; {self.found:,} of {self.predicted:,} alarms are right (precision "
            f"{100 * self.precision:.0f} %)."
        ]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "class": self.label,
            "found": self.found,
            "present": self.present,
            "predicted": self.predicted,
            "recall": self.recall,
            "precision": self.precision,
        }


class TypicalErrors(NamedTuple):
    """The mean absolute error of each target, in its unit and beside its median.

    Attributes
    ----------
    names, units : tuple of str
        Units are empty where they are not known.
    errors : tuple of float
    medians : tuple of float
        Of the true values.
    positive : tuple of bool
        Whether no true value is below zero: only then an error is a share of the median.

    Examples
    --------
    >>> print(*TypicalErrors(("rent",), ("EUR",), (62.3,), (1210.0,), (True,)).sentences())
    Typical error of rent: 62.3 EUR, which is 5.1 % of its median (1,210 EUR).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    errors: tuple[float, ...]
    medians: tuple[float, ...]
    positive: tuple[bool, ...]

    @classmethod
    def of(
        cls, names: Sequence[str], units: Sequence[str], Y: Array, P: Array, s: Array | None
    ) -> TypicalErrors | None:
        """Of targets and predictions ``(m, targets)``; None where predictions overflow."""
        with np.errstate(all="ignore"):
            errors = np.average(abs(Y - P), axis=0, weights=s).tolist()
        if not np.isfinite(errors).all():
            return None
        medians, positive = np.median(Y, axis=0).tolist(), (Y >= 0).all(axis=0).tolist()
        return cls(tuple(names), tuple(units), tuple(errors), tuple(medians), tuple(positive))

    def joined(self, parts: Sequence[TypicalErrors]) -> TypicalErrors:
        """The mean over folds."""
        return TypicalErrors(
            self.names,
            self.units,
            tuple(np.mean([part.errors for part in parts], axis=0).tolist()),
            tuple(np.mean([part.medians for part in parts], axis=0).tolist()),
            tuple(np.all([part.positive for part in parts], axis=0).tolist()),
        )

    @property
    def shares(self) -> tuple[float | None, ...]:
        """Each error by the median; None where values are negative or the median is 0."""
        triples = zip(self.errors, self.medians, self.positive, strict=True)
        return tuple(
            error / median if positive and median > 0 else None
            for error, median, positive in triples
        )

    def sentences(self) -> list[str]:
        """For people, one a target."""
        found = []
        columns = zip(*self[:4], self.shares, strict=True)
        for name, unit, error, median, share in columns:
            size = f"Typical error of {name}: {_with_unit(error, unit)}"
            middle = f"its median ({_with_unit(median, unit)})"
            of = "" if share is None else f", which is {100 * share:.2g} % of {middle}"
            found.append(f"{size}{of}.")
        return found

    def as_json(self) -> dict[str, Any]:
        """For machines, by target."""
        columns = zip(*self[:4], self.shares, strict=True)
        return {
            name: {"mae": error, "unit": unit, "median": median, "share_of_median": share}
            for name, unit, error, median, share in columns
        }


def _with_unit(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
