"""What is said of rows that differ from those of training: one line per column, with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from deltarule.cli.terminal import Terminal
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.differences import ColumnDifference
from deltarule.preprocessing.numeric import Numeric

_SHOWN = 3


@dataclass(frozen=True)
class Tally:
    """The differences of a table, also of one that is read in blocks.

    Attributes
    ----------
    preprocessing : Preprocessing
        The model's.
    rows : Counter of (str, str)
        By column and difference, how many rows.
    values : dict of str to Counter
        By column, how many rows hold each value that training had not.
    """

    preprocessing: Preprocessing
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, found: Iterable[ColumnDifference]) -> None:
        """Count the differences of some rows."""
        for each in found:
            self.rows[each.column, each.what] += int(each.rows.sum())
            if each.values:
                self.values.setdefault(each.column, Counter()).update(each.values)

    @classmethod
    def of(cls, preprocessing: Preprocessing, frame: Any, which: Collection[str] = ()) -> Tally:
        """Those of a whole table; `which` as of :meth:`Preprocessing.differences`."""
        tally = cls(preprocessing)
        tally.add(preprocessing.differences(frame, which))
        return tally

    def warn(self, terminal: Terminal) -> None:
        """One line per column and difference."""
        for (name, what), rows in self.rows.items():
            plural = "s" * (rows != 1)
            texts = {"unseen": self._unseen, "outside": self._outside, "missing": self._missing}
            terminal.warn(f"column {name!r}: {rows:,} row{plural} {texts[what](name, rows)}")

    def as_json(self) -> list[dict[str, Any]]:
        """The same for machines."""
        return [
            {"column": name, "difference": what, "rows": rows}
            | ({"values": dict(self.values[name])} if what == "unseen" else {})
            for (name, what), rows in self.rows.items()
        ]

    def _unseen(self, name: str, rows: int) -> str:
        values = self.values[name]
        often = sorted(values, key=lambda value: (-values[value], value))
        shown = ", ".join([*map(repr, often[:_SHOWN]), *["…"] * (len(often) > _SHOWN)])
        return (
            f"hold{'s' * (rows == 1)} {len(values):,} value{'s' * (len(values) != 1)} not seen in "
            f"training ({shown}); they match no known level."
        )

    def _outside(self, name: str, rows: int) -> str:
        column = next(each for each in self.preprocessing.columns if each.name == name)
        assert isinstance(column, Numeric | Date)
        return f"hold{'s' * (rows == 1)} {column.bounds}."

    def _missing(self, name: str, rows: int) -> str:
        return f"ha{'s' if rows == 1 else 've'} no value, which training always had; it is filled."
