"""A table's columns and results in a C file: what is known of each, and the functions on rows.

A row is one double per column, its cells: double holds dates, large numbers and small differences
of them, as the table does. The network's inputs and outputs are `real`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import SettingError, setting
from deltarule.export.c_network import Passes, each
from deltarule.export.c_statistics import (
    Measured,
    statistics_defined,
    statistics_read,
    statistics_size,
)
from deltarule.export.c_text import array, quoted
from deltarule.export.table_rows import readings
from deltarule.expressions.c import number
from deltarule.modelfile import Model
from deltarule.preprocessing.assembly import FARTHEST
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.columns import Boolean, Column
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.embedded_columns import EmbeddedCategory
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import MOST_KNOTS, Scores
from deltarule.training.predictions import probabilities

_LONGEST = 40  # letters of a column's name within a name of C
_LONGEST_CLASS = 200  # bytes of a class's name: a compiler need take no more than 4,095
_POINTER = 4  # bytes
_DOUBLE = np.dtype("float64")


@dataclass(frozen=True)
class Kind:
    """A kind of column in C.

    Attributes
    ----------
    name : str
        Of the array of its columns.
    fields : str
        Of the structure that holds one; its cell and its first input are the last.
    size : int
        Bytes of that structure.
    row : function of a column
        The fields' values, but for the last two.
    statements : str
        They write the column's inputs at `out`, where zeros are, from its cell `v`.
    cell : function of a column
        What its cell is, for people.
    """

    name: str
    fields: str
    size: int
    row: Callable[[Any], Sequence[str]]
    statements: str
    cell: Callable[[Any], Iterator[str]]


def _real(value: float) -> str:
    return number(value, _DOUBLE)


# ----------------------------------------------------------------------------------- the kinds


def _numeric_row(column: Numeric) -> list[str]:
    return [*map(_real, (column.fill, column.mean, column.std)), str(int(column.flagged))]


def _numeric_cell(column: Numeric) -> Iterator[str]:
    yield "a number; NaN where missing"


def _scores_row(column: Scores) -> list[str]:
    padded = [*column.knots, *[(0.0, 0.0)] * (MOST_KNOTS - len(column.knots))]
    values, scores = (", ".join(map(_real, each)) for each in zip(*padded, strict=True))
    parts = [f"{{{values}}}", f"{{{scores}}}", str(len(column.knots)), str(int(column.flagged))]
    return [_real(column.fill), *parts]


def _boolean_row(column: Boolean) -> list[str]:
    return [number(column.fill, np.dtype("float32")), str(int(column.missing > 0))]


def _boolean_cell(column: Boolean) -> Iterator[str]:
    yield "0 or 1; NaN where missing, -1 where neither"
    yield from _listed(column.levels)


def _category_row(column: Category) -> list[str]:
    places = (code if code < column.width else -1 for code in column.codes)
    return [str(len(column.levels)), *map(str, places)]


def _embedded_row(column: EmbeddedCategory) -> list[str]:
    return [str(len(column.levels)), *map(str, column.codes)]


def _category_cell(column: Category) -> Iterator[str]:
    yield "the number of its level; NaN where missing, -1 where none of these"
    yield from _listed(column.known)


def _listed(levels: Sequence[str]) -> Iterator[str]:
    return (f"  {i} = {level}" for i, level in enumerate(levels))


def _date_row(column: Date) -> list[str]:
    turns = 3 if column.hours else 2
    return [_real(column.mean), _real(column.std), str(turns), str(int(column.missing > 0))]


def _date_cell(column: Date) -> Iterator[str]:
    yield "days since 1970-01-01 with their fraction (UTC); NaN where missing"


_NEAR = f"(float)fmax({-FARTHEST}, fmin({{}}, {FARTHEST}))"

KINDS: dict[type[Column], Kind] = {
    Numeric: Kind(
        "numbers",
        "double fill, mean, std; int flagged, cell, at;",
        40,
        _numeric_row,
        f"""\
double filled_in = isnan(v) ? numbers[i].fill : v;
out[0] = {_NEAR.format("(filled_in - numbers[i].mean) / numbers[i].std")};
if (numbers[i].flagged && isnan(v)) out[1] = 1;""",
        _numeric_cell,
    ),
    Scores: Kind(
        "scores",
        f"double fill, values[{MOST_KNOTS}], scores[{MOST_KNOTS}]; int count, flagged, cell, at;",
        8 + 16 * MOST_KNOTS + 16,
        _scores_row,
        """\
const double *values = scores[i].values, *made = scores[i].scores;
double filled_in = isnan(v) ? scores[i].fill : v;
int k = 0;
while (k < scores[i].count - 2 && filled_in > values[k + 1]) k++;
double share = (filled_in - values[k]) / (values[k + 1] - values[k]);
out[0] = (float)(made[k] + fmax(0, fmin(1, share)) * (made[k + 1] - made[k]));
if (scores[i].flagged && isnan(v)) out[1] = 1;""",
        _numeric_cell,
    ),
    Boolean: Kind(
        "booleans",
        "float fill; int flagged, cell, at;",
        16,
        _boolean_row,
        """\
out[0] = v == 0 || v == 1 ? (float)v : booleans[i].fill;
if (booleans[i].flagged && isnan(v)) out[1] = 1;""",
        _boolean_cell,
    ),
    Category: Kind(
        "categories",
        "int levels, missing, other, cell, at;",
        20,
        _category_row,
        """\
int level = isnan(v) ? categories[i].missing : categories[i].other;
if (v >= 0 && v < categories[i].levels && v == floor(v)) level = (int)v;
if (level >= 0) out[level] = 1;""",
        _category_cell,
    ),
    EmbeddedCategory: Kind(
        "embedded",
        "int levels, missing, other, cell, at;",
        20,
        _embedded_row,
        """\
int code = isnan(v) ? embedded[i].missing : embedded[i].other;
if (v >= 0 && v < embedded[i].levels && v == floor(v)) code = 1 + (int)v;
out[0] = (real)code;""",
        _category_cell,
    ),
    Date: Kind(
        "dates",
        "double mean, std; int turns, flagged, cell, at;",
        32,
        _date_row,
        f"""\
double turns[3] = {{v / 365.2425, floor(v + 3) / 7, v}}; /* of years, weeks, days */
if (!isfinite(v)) {{
    if (dates[i].flagged) out[1 + 2 * dates[i].turns] = 1;
    continue;
}}
out[0] = {_NEAR.format("(v - dates[i].mean) / dates[i].std")};
for (int k = 0; k < dates[i].turns; k++) {{
    out[1 + 2 * k] = (float)sin({2 * np.pi} * turns[k]);
    out[2 + 2 * k] = (float)cos({2 * np.pi} * turns[k]);
}}""",
        _date_cell,
    ),
}
"""By kind of column, what C holds of it and does with it; inputs are float in every model."""


# ------------------------------------------------------------------------------------ the table


@dataclass(frozen=True)
class TablePart:
    """What a model's table adds to its C file: nothing, where it has none.

    Attributes
    ----------
    sizes : dict of str to int
        Numbers of cells and results, by what the name ends in.
    declarations, definitions, about : list of str
        Prototypes and positions, arrays, lines of the file's comment.
    functions : list of tuple
        Head and statements of each.
    flash : int
        Bytes of the constants.
    columns : dict of str to str
        By column, the name of its cell's position.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    declarations: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    functions: list[tuple[str, list[str]]] = field(default_factory=list)
    flash: int = 0
    columns: dict[str, str] = field(default_factory=dict)


def table_part(
    model: Model, name: str, passes: Passes, threshold: float | None = None
) -> TablePart:
    """What a model's table adds to its C file.

    Parameters
    ----------
    model : Model
    name : str
        What the functions' names begin with.
    passes : Passes
        Takes the buffers that are needed.
    threshold : float, optional
        Of a classification: also the set of the classes that are at least so probable, and the
        predicted one.
    """
    if model.preprocessing is None:
        return TablePart()
    _check(model.preprocessing.used)
    table = _Table(model, name, threshold)
    return TablePart(
        table.sizes,
        table.declarations(),
        list(table.definitions()),
        list(table.about()),
        list(table.functions(passes)),
        table.flash,
        table.positions,
    )


def _check(columns: Sequence[Column]) -> None:
    """Refuse a kind of column that C does not have."""
    for column in columns:
        if type(column) not in KINDS:
            raise SettingError(
                f"export: column {column.name!r} is free text, which C does not have; expected "
                f"columns of {', '.join(kind.name for kind in KINDS.values())}. Export to ONNX, or "
                f"train without it ({setting('drop', '--drop')})."
            )


@dataclass(frozen=True)
class _Table:
    """The same while it is written.

    Attributes
    ----------
    model : Model
        With preprocessing.
    name : str
        What the functions' names begin with.
    threshold : float or None
        The least probability of a class in a set.
    """

    model: Model
    name: str
    threshold: float | None

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that are cells, in order."""
        assert self.model.preprocessing is not None
        return self.model.preprocessing.used

    @cached_property
    def positions(self) -> dict[str, str]:
        """By column, the name of its cell's position."""
        names = [column.name for column in self.columns]
        labels = (f"{self.name.upper()}_COLUMN_{label}" for label in distinct(names))
        return dict(zip(names, labels, strict=True))

    @property
    def starts(self) -> list[int]:
        """The first input of each column."""
        widths = (len(column.outputs) for column in self.columns)
        return [int(at) for at in np.cumsum([0, *widths])[:-1]]

    @property
    def measured(self) -> list[Measured]:
        """The categories with statistics of the targets."""
        return [
            Measured(column, self.positions[column.name], at)
            for column, at in zip(self.columns, self.starts, strict=True)
            if isinstance(column, Category) and column.statistics is not None
        ]

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels of a classification."""
        return () if self.model.targets is None else self.model.targets.classes

    @property
    def sizes(self) -> dict[str, int]:
        """How many cells and results a row has."""
        results = len(self.classes) or self.model.network.outputs
        return {"COLUMNS": len(self.columns), "RESULTS": results}

    @property
    def flash(self) -> int:
        """Bytes of the constants."""
        size = sum(KINDS[type(column)].size for column in self.columns)
        size += statistics_size(self.measured)
        size += sum(len(_class_bytes(label)) + 1 + _POINTER for label in self.classes)
        scales = () if self.model.targets is None else self.model.targets.means
        return size + 2 * _DOUBLE.itemsize * len(scales)

    def declarations(self) -> list[str]:
        """The cells' positions by name, and the prototypes."""
        places = (f"    {name} = {i}," for i, name in enumerate(self.positions.values()))
        lines = ["", "enum { /* where each column's cell lies */", *places, "};", ""]
        lines.append(f"void {self.name}_prepare(const double *cells, real *x);")
        lines.append(f"void {self.name}_predict_row(const double *cells, double *results);")
        if self.classes:
            lines.append(f"extern {self._class_names};")
        if self.threshold is not None:
            lines.append(f"{self._set_head};")
        return lines

    def definitions(self) -> Iterator[str]:
        """An array for each kind of column, and what results need."""
        for kind, own in KINDS.items():
            rows = [
                f"    {{{', '.join([*own.row(column), self.positions[column.name], str(at)])}}},"
                for column, at in zip(self.columns, self.starts, strict=True)
                if type(column) is kind
            ]
            if rows:
                head = f"static const struct {{ {own.fields} }} {own.name}"
                yield "\n".join([f"{head}[{len(rows)}] = {{", *rows, "};"])
        yield from statistics_defined(self.measured)
        if self.classes:
            names = (f"    {quoted(_class_bytes(label))}," for label in self.classes)
            yield "\n".join([f"{self._class_names} = {{", *names, "};"])
        elif self.model.targets is not None:
            for which in ("means", "stds"):
                scales = np.array(getattr(self.model.targets, which))
                yield array("static const double", f"target_{which}", scales, _DOUBLE)

    def functions(self, passes: Passes) -> Iterator[tuple[str, list[str]]]:
        """Heads and statements of the functions that read a row."""
        yield f"void {self.name}_prepare(const double *cells, real *x)", list(self._prepared())
        network = self.model.network
        x, y = passes.buffer("prepared", network.inputs), passes.buffer("outputs", network.outputs)
        lines = [f"{self.name}_prepare(cells, {x});", f"{self.name}_predict({x}, {y});"]
        head = f"void {self.name}_predict_row(const double *cells, double *results)"
        yield head, [*lines, *self._results(y)]
        if self.threshold is not None:
            yield self._set_head, list(self._held(self.threshold))

    def about(self) -> Iterator[str]:
        """The cells and the results, for people."""
        yield from ("", f"{self.name}_predict_row reads the cells of a row and writes its results,")
        yield from (f"{self.name}_prepare makes the prepared inputs of them.", "", "Cells:")
        assert self.model.preprocessing is not None
        read = readings(self.model.preprocessing)
        for i, column in enumerate(self.columns):
            first, *more = KINDS[type(column)].cell(column)
            yield f"  {i}  {self.positions[column.name]}: {column.name}: {first}"
            if column.name in read:
                yield "     read as {reading}; unit: {unit}".format(**read[column.name])
            yield from (f"     {line}" for line in more)
        yield from ("", "Results:")
        targets = self.model.targets
        names = [f"the probability of {label}" for label in self.classes]
        if targets is None:
            names = ["an output, as it is"] * self.model.network.outputs
        elif not names:
            names = [f"{name}, in its own unit" for name in targets.names]
        yield from (f"  {i}  {name}" for i, name in enumerate(names))
        if self.threshold is not None:
            yield from ("", f"{self.name}_set writes 1 for the classes that are at least")
            yield f"{self.threshold:.6g} probable by these results, and the predicted one; else 0."

    @property
    def _class_names(self) -> str:
        return f"const char *const {self.name}_classes[{len(self.classes)}]"

    @property
    def _set_head(self) -> str:
        return f"void {self.name}_set(const double *results, int *held)"

    def _held(self, threshold: float) -> Iterator[str]:
        """Which classes are in the set of a row, by its probabilities."""
        least, count = number(threshold, self.model.dtype), len(self.classes)
        if self.model.network.outputs == 1:
            assert self.model.targets is not None
            cut = number(self.model.targets.cut, self.model.dtype)
            yield f"int predicted = results[1] >= (double){cut};"
        else:
            yield "int predicted = 0;"
            yield each(count, "if (results[i] > results[predicted]) predicted = i;")
        yield each(count, f"held[i] = results[i] >= (double){least} || i == predicted;")

    def _prepared(self) -> Iterator[str]:
        yield each(self.model.network.inputs, "x[i] = 0;")
        for kind, own in KINDS.items():
            count = sum(type(column) is kind for column in self.columns)
            if count:
                yield f"for (int i = 0; i < {count}; i++) {{"
                yield f"    double v = cells[{own.name}[i].cell];"
                yield f"    real *out = x + {own.name}[i].at;"
                yield from (f"    {line}" for line in own.statements.splitlines())
                yield "}"
        yield from statistics_read(self.measured)

    def _results(self, y: str) -> list[str]:
        targets, n = self.model.targets, self.model.network.outputs
        if len(self.classes) == 2:
            return [f"results[0] = (double)(1 - {y}[0]);", f"results[1] = (double){y}[0];"]
        value = f"(double){y}[i]"
        if targets is not None and not self.classes:
            value = f"target_means[i] + target_stds[i] * {value}"
        return [each(n, f"results[i] = {value};")]


def results_of(model: Model, A: Array) -> Array:
    """What ``NAME_predict_row`` makes of outputs, float64 ``(m, results)``.

    Examples
    --------
    >>> import deltarule as dr
    >>> from deltarule.preprocessing import Targets
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> targets = Targets(("y",), "regression", "as requested", (), (10.0,), (2.0,))
    >>> model = Model(network, network.initial_parameters(), targets=targets)
    >>> results_of(model, np.array([[0.5]]))
    array([[11.]])
    """
    A = A.astype(np.float64)
    if model.targets is None:
        return A
    return probabilities(A) if model.targets.classes else model.targets.values(A)


def scales_of(model: Model) -> tuple[Array, Array]:
    """What each result's own scale is: mean and standard deviation of a target, else 0 and 1."""
    targets = model.targets
    if targets is None or targets.classes:
        count = model.network.outputs if targets is None else len(targets.classes)
        return np.zeros(count), np.ones(count)
    return np.array(targets.means), np.array(targets.stds)


def _class_bytes(label: Any) -> bytes:
    """A class's name; of a very long one the beginning."""
    text = str(label).encode(errors="replace")[:_LONGEST_CLASS]
    return text.decode(errors="ignore").encode()  # no half of a letter


def distinct(names: Sequence[str]) -> list[str]:
    """Names of C for any texts, all different: letters without accents, digits, underscores.

    Examples
    --------
    >>> distinct(["age", "a b", "A  B", "ä", "1st", "*/", "class"])
    ['AGE', 'A_B', 'A_B_2', 'A', '1ST', 'X', 'CLASS']
    """
    made: dict[str, int] = {}  # and the number that its next namesake has
    for name in names:
        plain = unicodedata.normalize("NFKD", name)
        plain = "".join(c for c in plain if not unicodedata.combining(c)).upper()
        label = re.sub(r"[^A-Z0-9]+", "_", plain).strip("_")[:_LONGEST] or "X"
        unique = label
        while unique in made:
            made[label] += 1
            unique = f"{label}_{made[label]}"
        made[unique] = 1
    return list(made)
