"""How the numbers of one text column are written, and what they are worth.

A :class:`ColumnReading` is found once per column, kept with the model and applied again at
prediction. It is a list of substitutions: they turn a cell into one or several plain numbers, whose
weighted sum is the value. Training applies them to whole columns with polars, a prediction to one
text at a time with ``re``; both take the same patterns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from deltarule.data.forms import (
    APPROXIMATELY,
    ASCII,
    FORMS,
    MARK,
    PLAINER,
    UNITS,
    Rule,
    plainly,
    replaced,
)
from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl

MARKERS = frozenset(
    (
        *("None", "none", "NONE", "n/a", "na", "Na", "n.a.", "N.A.", "nil", "NIL", "<NA>", "Null"),
        *("#N/A", "#N/A N/A", "#NA", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"),
        *("-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "NaT", "nat", "NAN"),
        *(
            "-",
            "--",
            "---",
            "–",
            "—",
            ".",
            "..",
            "...",
            "*",
            "**",
            "***",
            "\\N",
            "(null)",
            "(none)",
        ),
        *("?", "??", "???", "x.x", "./.", "#", "########", "0000-00-00", "0000-00-00 00:00:00"),
    )
)
"""Markers of missing values in a column that otherwise holds numbers or dates."""

WORDS_FOR_MISSING = frozenset(
    (
        *("unknown", "not known", "unk", "not provided", "not available", "not applicable"),
        *("not reported", "not recorded", "not stated", "not specified", "not measured", "missing"),
        *("refused", "declined", "no answer", "no data", "no response", "don't know", "dont know"),
        *(
            "pending",
            "tbd",
            "tba",
            "tbc",
            "withheld",
            "undisclosed",
            "on request",
            "blank",
            "empty",
        ),
        *("n/d", "nd", "n.d.", "ns", "n.s.", "no value", "not detected", "not done", "error"),
        *("k.a.", "k. a.", "keine angabe", "unbekannt", "fehlt", "inconnu", "non renseigné"),
        *("desconocido", "sin datos", "s/d", "sconosciuto", "desconhecido", "onbekend", "okänd"),
    )
)
"""The same in words, in lower case; each that is found is warned of."""

MAGNITUDES: Mapping[str, int] = {
    **dict.fromkeys(("k", "tsd", "tsd.", "thousand", "thousands"), 3),
    **dict.fromkeys(("m", "mio", "mio.", "mn", "mln", "million", "millions"), 6),
    **dict.fromkeys(("b", "bn", "mrd", "mrd.", "billion", "billions"), 9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions"), 12),
    **dict.fromkeys(("lakh", "lac", "lakhs"), 5),
    **dict.fromkeys(("crore", "cr", "crores"), 7),
}
"""Words behind a number that multiply it, in lower case, and by which power of ten."""

GROUPS: Mapping[str, str] = {
    ",": ",",
    ".": r"\.",
    " ": "[ \u00a0\u202f\u2009]",
    "'": "['\u2019]",
    "_": "_",
}
"""Marks between groups of digits, and the characters that each stands for."""


@dataclass(frozen=True)
class ColumnReading:
    """How the cells of one text column are read.

    Attributes
    ----------
    form : str
        One of :data:`FORMS`; ``"plain"`` is what every column is read as: plain numbers or dates.
    decimal : str
        The decimal mark.
    group : str
        The mark between groups of digits, of :data:`GROUPS`; empty for none.
    prefix, suffix : str
        What may stand in front and behind, such as a currency or a unit.
    magnitudes : bool
        Whether words of :data:`MAGNITUDES` multiply.
    marks : bool
        Whether footnote marks are left out.
    markers : tuple of str
        What marks a missing value, beside what does everywhere.
    foreign : bool
        Whether characters of :data:`ASCII` are written as there first.

    Examples
    --------
    >>> price = ColumnReading("number", group=",", prefix="$", markers=("ask",))
    >>> price.value("$1,490.5"), price.value("(1,490)"), price.value("ask"), price.value("1,49")
    (1490.5, -1490.0, nan, None)
    >>> ColumnReading("range").value("<5"), ColumnReading("clock").value("1:30 pm")
    (2.5, 48600.0)
    """

    form: str = "plain"
    decimal: str = "."
    group: str = ""
    prefix: str = ""
    suffix: str = ""
    magnitudes: bool = False
    marks: bool = False
    markers: tuple[str, ...] = ()
    foreign: bool = False

    sizes: ClassVar[Mapping[str, int]] = {"decimal": 1, "group": 1, "prefix": 16, "suffix": 24}
    """How long a text may be."""

    @property
    def is_measured(self) -> bool:
        """Whether cells are numbers with something beside digits: then they are not labels."""
        return self.form != "plain"

    def describe(self) -> str:
        """What cells are, in a phrase."""
        beside = [
            *([f"{self.group!r} between thousands"] if self.group else []),
            *(["a decimal comma"] if self.decimal == "," else []),
            *([f"{self.prefix!r} in front"] if self.prefix else []),
            *([f"{self.suffix!r} behind"] if self.suffix else []),
            *(["K, M, B and the like multiplied out"] if self.magnitudes else []),
            *(["footnote marks left out"] if self.marks else []),
        ]
        if self.form == "number" and not beside:
            beside = ["signs behind, as parentheses, or other minus signs"]
        return FORMS[self.form].says + (f" with {', '.join(beside)}" if beside else "")

    @property
    def unit(self) -> str:
        """What the numbers count: seconds of a clock, else what stands in front and behind.

        Examples
        --------
        >>> ColumnReading("clock").unit, ColumnReading("number", prefix="$", suffix="/h").unit
        ('seconds', '$ /h')
        """
        beside = " ".join(filter(None, (self.prefix, self.suffix)))
        return FORMS[self.form].unit or beside

    @property
    def summary(self) -> str:
        """The same with its markers; empty where nothing unusual was done."""
        read = f"read as {self.describe()}" if self.is_measured else ""
        missing = f"{', '.join(map(repr, self.markers))} as missing" if self.markers else ""
        return ", ".join(filter(None, (read, missing)))

    def value(self, text: str) -> float | None:
        """The number that a text is, NaN for a marker of missing values; None for other text."""
        text = text.strip()
        if text in self.markers:
            return math.nan
        cut, clean = self.rules
        text = plainly(text).strip() if self.foreign else text
        parts = replaced(text, cut).split("|")
        weights = FORMS[self.form].weights
        if len(parts) != len(weights):
            return None
        numbers = [replaced(part, clean) for part in parts]
        if not all(re.search(self.number_pattern, number) for number in numbers):
            return None
        return sum(w * float(self._plain(n)) for w, n in zip(weights, numbers, strict=True))

    def values(self, column: pl.Series) -> pl.Series:
        """The same of a whole column as Float64: null for markers and for other text.

        Examples
        --------
        >>> import polars as pl
        >>> ColumnReading("number", suffix="m2").values(pl.Series(["52 m2", "7", "big"])).to_list()
        [52.0, 7.0, None]
        """
        polars = require("polars", "table", "reading tables")
        cut, clean = self.rules
        cell = polars.col(column.name).str.strip_chars()
        if self.foreign:
            cell = cell.str.replace_many([*ASCII], [*ASCII.values()]).str.strip_chars()
        for pattern, new in cut:
            cell = cell.str.replace(pattern, new)
        weights = FORMS[self.form].weights
        parts = cell.str.split_exact("|", len(weights))
        total = polars.when(parts.struct.field(f"field_{len(weights)}").is_null()).then(0.0)
        for i, weight in enumerate(weights):
            part = parts.struct.field(f"field_{i}")
            for pattern, new in clean:
                part = part.str.replace(pattern, new)
            part = polars.when(part.str.contains(self.number_pattern)).then(part)
            if self.group:
                part = part.str.replace_all(GROUPS[self.group], "")
            part = part.str.replace(",", ".", literal=True) if self.decimal == "," else part
            total = total + weight * part.cast(polars.Float64, strict=False)
        absent = polars.col(column.name).str.strip_chars().is_in(list(self.markers))
        frame = column.to_frame()
        return frame.select_seq(polars.when(~absent).then(total).alias(column.name)).to_series()

    @cached_property
    def rules(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        """What cuts a cell into parts, and what makes a plain number of a part."""
        prefix, suffix = re.escape(self.prefix), _spelled(self.suffix)
        mark: list[Rule] = [
            (rf"^(.*[0-9].*?)\s*{MARK}$", "${1}"),
            (r"^(.*[0-9])[\u00b9\u00b2\u00b3]$", "${1}"),
        ]
        clean: list[Rule] = [
            *(PLAINER if self.form in ("number", "range", "uncertain") else ()),
            *([(r"^(-?)0+([0-9])", "${1}${2}")] if self.form in UNITS else []),
            (rf"^{APPROXIMATELY}\s*", ""),
            (r"^([^0-9]*)[\u2212\u2013]", "${1}-"),
            (r"^([^0-9()]*)\((.*)\)([^0-9()]*)$", "-${1}${2}${3}"),
            (r"^([^-]*[0-9][^-]*)[-\u2212]$", "-${1}"),
            *([(rf"^([-+]?)\s*(?i:{prefix})\s*", "${1}")] if prefix else []),
            *([(rf"([0-9.,])\s*(?i:{suffix})$", "${1}")] if suffix and not self.magnitudes else []),
            *([(rf"\s*(?i:{suffix})$", "")] if suffix and self.magnitudes else []),
            (r"^\+\s*", ""),
            (r"^-\s+", "-"),
        ]
        if self.magnitudes:
            for power in sorted(set(MAGNITUDES.values())):
                words = [re.escape(word) for word, p in MAGNITUDES.items() if p == power]
                clean.append((rf"([0-9])\s*(?i:{'|'.join(words)})$", f"${{1}}e{power}"))
        return ((*(mark if self.marks else ()), *FORMS[self.form].cut), tuple(clean))

    @cached_property
    def number_pattern(self) -> str:
        """What a number looks like, once all that stands around it is gone."""
        point = re.escape(self.decimal)
        whole, fraction = "[0-9]+", f"(?:{point}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
        if self.group:
            mark = GROUPS[self.group]
            whole = f"(?:[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|[0-9]+)"
        return f"^-?(?:{whole}{fraction}|{point}[0-9]+(?:[eE][+-]?[0-9]+)?)$"

    def _plain(self, number: str) -> str:
        number = re.sub(GROUPS[self.group], "", number) if self.group else number
        return number.replace(",", ".") if self.decimal == "," else number


def restored_readings(state: Any) -> dict[str, ColumnReading] | None:
    """The readings of columns from what a model file holds; None for what no reading wrote.

    Examples
    --------
    >>> restored_readings({"area": {"form": "number", "suffix": "m2"}})["area"].describe()
    "numbers with 'm2' behind"
    >>> restored_readings({"area": {"form": "poem"}}) is None
    True
    """
    if not isinstance(state, dict):
        return None
    found = {name: _restored(each) for name, each in state.items()}
    if not all(isinstance(name, str) and each is not None for name, each in found.items()):
        return None
    return {name: each for name, each in found.items() if each is not None}


def _restored(state: Any) -> ColumnReading | None:
    default = ColumnReading()
    if not isinstance(state, dict) or not set(state) <= {each.name for each in fields(default)}:
        return None
    state = dict(state)
    if isinstance(state.get("markers"), list | tuple):
        state["markers"] = tuple(state["markers"])
    good = all(type(value) is type(getattr(default, name)) for name, value in state.items())
    good = good and all(len(state.get(name, "")) <= n for name, n in ColumnReading.sizes.items())
    good = good and all(isinstance(marker, str) for marker in state.get("markers", ()))
    good = good and state.get("form", "plain") in FORMS and state.get("decimal", ".") in (".", ",")
    good = good and state.get("group", "") in ("", *GROUPS)
    return ColumnReading(**state) if good else None


def _spelled(unit: str) -> str:
    """A unit as a pattern: blanks do not count, nor does the s of a plural."""
    words = r"\s*".join(map(re.escape, unit.split()))
    return f"{words}s?" if unit.isalpha() and len(unit) > 1 else words
