"""Preprocessing and targets as nodes of an ONNX graph: one input a column, under its name.

Numbers come in as float64, NaN where missing; text as text, empty where missing; dates as days
since 1970. Columns of one kind are worked on together, so a wide table needs few nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from deltarule.errors import SettingError
from deltarule.export.graph import Graph
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.preprocessing.assembly import FARTHEST
from deltarule.preprocessing.category_columns import Category
from deltarule.preprocessing.columns import Boolean
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.embedded_columns import EmbeddedCategory
from deltarule.preprocessing.numeric import Numeric
from deltarule.preprocessing.scores import Scores
from deltarule.preprocessing.text_columns import Text

Place = tuple[str, int]
"""A column and which of its outputs."""

Block = tuple[str, list[Place]]
"""A value of the graph, ``(m, k)`` of float32, and what its k columns are."""

_SHORTEST = 1e-6  # of a row of words: they weigh over 1 each, and none has length 0
_MOST_SPELLINGS = 1024  # of a word: every case of ten letters

ABOUT = {
    "numeric": "a number, NaN where missing",
    "scores": "a number, NaN where missing",
    "boolean": "text ({levels}, upper or lower case), empty where missing",
    **dict.fromkeys(
        ("category", "embedding"), "text, as training read it (1 for 1.0), empty where missing"
    ),
    "text": "words in lower case with a space between, letters and digits only; empty where none",
    "date": "days since 1970-01-01 with their fraction (UTC), NaN where missing",
}
"""By kind, what a column's input is."""


def table_nodes(g: Graph, preprocessing: Preprocessing) -> str:
    """The prepared inputs of the network, float32 ``(m, n[0])``, from one input a column.

    Raises
    ------
    SettingError
        For a column whose name or levels no graph can hold, by its name.
    """
    used = preprocessing.used
    blocks: list[Block] = []
    for kinds, write in _WRITERS:
        columns = [column for column in used if type(column) in kinds]
        if columns:
            blocks += write(g, columns)
    made = [place for _, places in blocks for place in places]
    where = {place: i for i, place in enumerate(made)}
    order = [where[c.name, i] for c in used for i in range(len(c.outputs))]
    joined = g.node("Concat", *(value for value, _ in blocks), axis=1)
    return g.taken(joined, order)


def _inputs(g: Graph, columns: Sequence[Any], dtype: Any) -> list[str]:
    for column in columns:
        if not column.name:
            raise SettingError("export: a column has no name; expected one for each. Name it.")
    return [g.input(column.name, dtype, ["rows"], _about(column)) for column in columns]


def _about(column: Any) -> str:
    levels = " or ".join(getattr(column, "levels", ())) if column.kind == "boolean" else ""
    return ABOUT[column.kind].format(levels=levels)


def _side_by_side(g: Graph, values: Sequence[str]) -> str:
    """Vectors ``(m,)`` as ``(m, k)``."""
    axis = g.constant([1], np.int64)
    return g.node("Concat", *(g.node("Unsqueeze", value, axis) for value in values), axis=1)


# ---------------------------------------------------------------------------------- columns


def _numbers(g: Graph, columns: Sequence[Numeric]) -> list[Block]:
    """Filled, standardized, moved within reach; and flags."""
    X = _side_by_side(g, _inputs(g, columns, np.float64))
    fill, mean, std = (
        g.constant([getattr(column, name) for column in columns], np.float64)
        for name in ("fill", "mean", "std")
    )
    missing = g.node("IsNaN", X)
    scaled = g.node("Div", g.node("Sub", g.node("Where", missing, fill, X), mean), std)
    blocks = [(g.cast(_near(g, scaled), np.float32), [(column.name, 0) for column in columns])]
    flagged = [i for i, column in enumerate(columns) if column.flagged]
    if flagged:
        flags = g.taken(g.cast(missing, np.float32), flagged)
        blocks.append((flags, [(columns[i].name, 1) for i in flagged]))
    return blocks


def _scores(g: Graph, columns: Sequence[Scores]) -> list[Block]:
    """Filled, and a straight line between knots: from the first score, what each span adds."""
    found, flags = [], []
    inputs = _inputs(g, columns, np.float64)
    for column, value in zip(columns, inputs, strict=True):
        x = g.node("Unsqueeze", value, g.constant([1], np.int64))
        missing = g.node("IsNaN", x)
        filled = g.node("Where", missing, g.constant(column.fill, np.float64), x)
        values, scores = np.transpose(column.knots)
        share = g.node(
            "Div",
            g.node("Sub", filled, g.constant(values[:-1], np.float64)),
            g.constant(np.diff(values), np.float64),
        )
        share = g.node("Max", share, g.constant(0.0, np.float64))
        share = g.node("Min", share, g.constant(1.0, np.float64))
        risen = g.node("MatMul", share, g.constant(np.diff(scores)[:, None], np.float64))
        found.append(g.cast(g.node("Add", risen, g.constant(scores[0], np.float64)), np.float32))
        flags.append(g.cast(missing, np.float32))
    blocks = [(value, [(column.name, 0)]) for column, value in zip(columns, found, strict=True)]
    return blocks + [
        (flag, [(column.name, 1)])
        for column, flag in zip(columns, flags, strict=True)
        if column.flagged
    ]


def _near(g: Graph, scaled: str) -> str:
    """Standardized values, moved within reach."""
    above = g.node("Max", scaled, g.constant(-FARTHEST, np.float64))
    return g.node("Min", above, g.constant(FARTHEST, np.float64))


def _levels(g: Graph, columns: Sequence[Boolean | Category]) -> list[Block]:
    """Each text as the number of its level, then 1 in the column of that number."""
    codes: list[str] = []
    values: list[tuple[str, Place]] = []
    ones: list[tuple[int, int, Place]] = []  # column, code, output
    blocks = []
    for k, (column, text) in enumerate(zip(columns, _inputs(g, columns, object), strict=True)):
        if isinstance(column, Boolean):
            codes.append(_encoded(g, column, text, _spelled(column), absent=2, other=3))
            value = g.constant([0.0, 1.0, column.fill, column.fill], np.float32)
            values.append((g.node("Gather", value, codes[-1]), (column.name, 0)))
            ones += [(k, 2, (column.name, 1))] if column.missing else []
        else:
            known = {level: i for i, level in enumerate(column.levels)}
            absent, other = column.codes
            codes.append(_encoded(g, column, text, known, absent=absent, other=other))
            ones += [(k, i, (column.name, i)) for i in range(column.width)]
            blocks += _statistics(g, column, text)
    if values:
        blocks.append((_side_by_side(g, [v for v, _ in values]), [place for _, place in values]))
    if ones:
        whose = g.taken(_side_by_side(g, codes), [k for k, _, _ in ones])
        hit = g.node("Equal", whose, g.constant([code for _, code, _ in ones], np.int64))
        blocks.append((g.cast(hit, np.float32), [place for *_, place in ones]))
    return blocks


def _codes(g: Graph, columns: Sequence[EmbeddedCategory]) -> list[Block]:
    """Each text as the code of its level."""
    blocks = []
    for column, text in zip(columns, _inputs(g, columns, object), strict=True):
        known = {level: i for i, level in enumerate(column.levels, 1)}
        absent, other = column.codes
        code = g.cast(_encoded(g, column, text, known, absent=absent, other=other), np.float32)
        blocks.append((_side_by_side(g, [code]), [(column.name, 0)]))
        blocks += _statistics(g, column, text)
    return blocks


def _statistics(g: Graph, column: Category, text: str) -> list[Block]:
    """The statistics of each text's level, by its number."""
    if column.statistics is None:
        return []
    n, first = len(column.known), column.width
    place = _encoded(g, column, text, column.numbers, absent=n, other=n + 1)
    table = g.constant(column.statistics.table, np.float32)
    places = [(column.name, first + i) for i in range(len(column.statistics.names))]
    return [(g.node("Gather", table, place, axis=0), places)]


def _spelled(column: Boolean) -> dict[str, int]:
    """Every text that is one of the two values, in any case; of a long one, in the usual cases.

    They are listed because runtimes disagree on StringNormalizer: on empty text, on accents, on
    letters beyond ASCII.
    """
    words = [*column.spellings.items(), *((level, i) for i, level in enumerate(column.levels))]
    return {text: i for word, i in words for text in _written(word)}


def _written(word: str) -> Iterator[str]:
    """How a word is written that reads the same in lower case."""
    letters = [[c, *_capitals().get(c, ())] for c in word.lower()]
    if math.prod(map(len, letters)) <= _MOST_SPELLINGS:
        yield from map("".join, product(*letters))
    for text in (word, word.lower(), word.upper(), word.capitalize(), word.title()):
        if text.lower() == word.lower():
            yield text


@cache
def _capitals() -> dict[str, list[str]]:
    """By small letter, every letter that it is the small one of: of k also the sign for kelvin."""
    found: dict[str, list[str]] = {}
    for capital in map(chr, range(0x20000)):  # no later letter has two cases
        if capital.lower() != capital:
            found.setdefault(capital.lower(), []).append(capital)
    return found


def _encoded(
    g: Graph, column: Boolean | Category, text: str, known: dict[str, int], absent: int, other: int
) -> str:
    if "" in known:
        raise SettingError(
            f"export: column {column.name!r} has the empty text as a level, which in a graph is a "
            "missing value. Train with empty cells as missing ones."
        )
    return g.node(
        "LabelEncoder",
        text,
        keys_strings=[*known, ""],
        values_int64s=[*known.values(), absent],
        default_int64=other,
    )


def _dates(g: Graph, columns: Sequence[Date]) -> list[Block]:
    """Time elapsed and points of circles, 0 where missing; and flags."""
    axis = g.constant([1], np.int64)
    blocks = []
    for column, vector in zip(columns, _inputs(g, columns, np.float64), strict=True):
        days = g.node("Unsqueeze", vector, axis)

        def number(value: float) -> str:
            return g.constant(value, np.float64)

        day = g.node("Floor", g.node("Add", days, number(3.0)))
        turns = [g.node("Div", days, number(365.2425)), g.node("Div", day, number(7.0))]
        turns += [days] if column.hours else []
        parts = [
            _near(g, g.node("Div", g.node("Sub", days, number(column.mean)), number(column.std)))
        ]
        for turn in turns:
            angle = g.node("Mul", turn, number(2.0 * np.pi))
            parts += [g.node("Sin", angle), g.node("Cos", angle)]
        joined, missing = g.node("Concat", *parts, axis=1), g.node("IsNaN", days)
        filled = g.cast(g.node("Where", missing, number(0.0), joined), np.float32)
        blocks.append((filled, [(column.name, i) for i in range(len(parts))]))
        if column.missing:
            blocks.append((g.cast(missing, np.float32), [(column.name, len(parts))]))
    return blocks


def _texts(g: Graph, columns: Sequence[Text]) -> list[Block]:
    """Counts of the vocabulary's words times their weights, rows of length 1; and flags."""
    blocks = []
    for column, text in zip(columns, _inputs(g, columns, object), strict=True):
        n = len(column.words)
        ended = g.node("StringConcat", text, g.constant(" .", object))  # no row without a word
        entries = g.node(
            "TfIdfVectorizer",
            g.node("StringSplit", ended, outputs=2),
            mode="TFIDF",
            min_gram_length=1,
            max_gram_length=1,
            max_skip_count=0,
            ngram_counts=[0],
            ngram_indexes=list(range(n)),
            pool_strings=list(column.words),
            weights=list(column.weights),
        )
        length = g.node("ReduceL2", entries, g.constant([1], np.int64))
        length = g.node("Max", length, g.constant(_SHORTEST, np.float32))
        blocks.append((g.node("Div", entries, length), [(column.name, i) for i in range(n)]))
        if column.missing:
            flag = g.node(
                "LabelEncoder", text, keys_strings=[""], values_int64s=[1], default_int64=0
            )
            blocks.append((_side_by_side(g, [g.cast(flag, np.float32)]), [(column.name, n)]))
    return blocks


_WRITERS: tuple[tuple[Any, Callable[[Graph, Any], list[Block]]], ...] = (
    ((Scores,), _scores),
    ((Numeric,), _numbers),
    ((Boolean, Category), _levels),
    ((EmbeddedCategory,), _codes),
    ((Date,), _dates),
    ((Text,), _texts),
)


# ---------------------------------------------------------------------------------- targets


def target_nodes(g: Graph, targets: Targets, A: str, threshold: float | None = None) -> None:
    """Outputs of the graph: labels, probabilities and sets, or values in the targets' units."""
    if targets.task == "regression":
        values = g.node("Mul", g.cast(A, np.float64), g.constant(targets.stds, np.float64))
        values = g.node("Add", values, g.constant(targets.means, np.float64))
        for i, (name, column) in enumerate(zip(targets.names, targets.columns, strict=True)):
            g.output(
                g.node("Gather", values, g.constant(i, np.int64), axis=1),
                column,
                np.float64,
                ["rows"],
                f"{name}, in its own units",
            )
        return
    if targets.outputs == 1:
        P = g.node("Concat", g.node("Sub", g.constant(1.0), A), A, axis=1)
        codes = g.cast(g.node("GreaterOrEqual", A, g.constant(targets.cut)), np.int64)
        codes = g.node("Squeeze", codes, g.constant([1], np.int64))
    else:
        P, codes = A, g.node("ArgMax", A, axis=1, keepdims=0)
    is_text = isinstance(targets.classes[0], str)
    labels = np.array(targets.classes, dtype=object if is_text else None)
    label = g.node("Gather", g.constant(labels, labels.dtype), codes, axis=0)
    name = targets.names[0]
    g.output(label, targets.columns[0], labels.dtype, ["rows"], f"{name}")
    classes = ", ".join(map(str, targets.classes))
    shape = ["rows", len(targets.classes)]
    g.output(P, "probabilities", g.dtype, shape, f"of the classes, in order: {classes}")
    if threshold is not None:
        numbers = g.constant(range(len(targets.classes)), np.int64)
        predicted = g.node("Equal", g.node("Unsqueeze", codes, g.constant([1], np.int64)), numbers)
        likely = g.node("GreaterOrEqual", P, g.constant(threshold))
        held = g.node("Or", likely, predicted)
        g.output(held, f"set_{name}", np.bool_, shape, f"whether it holds each class: {classes}")
