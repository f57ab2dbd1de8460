"""Worksheets as pages: printable, and checking themselves; and the key to a class's sheets."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Any, NamedTuple

from deltarule.explain.worksheet import RATE, TOLERANCE, Quantity, Worksheet, plain
from deltarule.report.pages import rendered

_NAMES = {"delta": "δ", "W_new": "new W", "b_new": "new b"}


class Entry(NamedTuple):
    """One entry of a matrix on the page."""

    text: str
    label: str
    spelled: str
    blank: bool
    place: int


class Matrix(NamedTuple):
    """A quantity on the page."""

    name: str
    formula: str
    equation: str
    given: bool
    width: int
    entries: list[Entry]


def worksheet_page(sheet: Worksheet) -> str:
    """A sheet to work on: on paper, or in a browser, where it says what is right.

    Parameters
    ----------
    sheet : Worksheet

    Returns
    -------
    str
        A page of HTML that needs nothing else.

    Examples
    --------
    >>> from deltarule.explain.worksheet import worksheet
    >>> page = worksheet_page(worksheet(7))
    >>> page.count("<input ") == worksheet(7).asked
    True
    """
    return _page([sheet], key=False)


def key_page(sheets: Sequence[Worksheet]) -> str:
    """The answers to all sheets, each entry with its arithmetic: for who marks them."""
    return _page(sheets, key=True)


def _page(sheets: Sequence[Worksheet], *, key: bool) -> str:
    answers: list[tuple[float, str]] = []
    shown = [_shown(sheet, answers) for sheet in sheets]
    return rendered(
        "worksheet.html",
        title="Answer key" if key else f"Worksheet {sheets[0].seed}",
        version=version("deltarule"),
        key=key,
        sheets=shown,
        rate=f"{RATE:g}",
        tolerance=TOLERANCE,
        answers=_turned(answers),
    )


def _turned(answers: list[tuple[float, str]]) -> str:
    """Answers that nobody reads by chance."""
    text = json.dumps(answers, ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()[::-1]


def _shown(sheet: Worksheet, answers: list[tuple[float, str]]) -> dict[str, Any]:
    """A sheet for the template; what is to be found is noted in `answers`."""
    hidden = [layer.g.name for layer in sheet.network.layers[:-1]]
    g = hidden[0].partition("(")[0] if hidden else ""
    activations = f"{g} in its hidden layers" if hidden else "without a hidden layer"
    return {
        "seed": sheet.seed,
        "sizes": "-".join(map(str, sheet.network.sizes)),
        "activations": activations,
        "examples": len(sheet.X),
        "asked": sheet.asked,
        "parts": [
            {"title": part, "quantities": [_matrix(sheet, each, answers) for each in together]}
            for part, together in groupby(sheet.quantities, key=lambda each: each.part)
        ],
    }


def name_of(quantity: Quantity) -> str:
    """What a quantity is called: ``"δ[1]"``."""
    symbol = _NAMES.get(quantity.symbol, quantity.symbol)
    return symbol if symbol in ("Y", "C") else f"{symbol}[{quantity.layer}]"


def _matrix(sheet: Worksheet, quantity: Quantity, answers: list[tuple[float, str]]) -> Matrix:
    entries = []
    rows, width = quantity.values.shape
    for i in range(rows):
        for j in range(width):
            blank = not quantity.shown[i, j]
            place = len(answers)
            spelled = sheet.spelled(quantity, i, j)
            value = float(quantity.values[i, j]) + 0.0
            if blank:
                answers.append((value, spelled))
            label = f"{name_of(quantity)}, row {i + 1}, column {j + 1}"
            text = plain(value).replace("-", "−")
            entries.append(Entry(text, label, spelled, blank, place))
    given = quantity.entry is None
    return Matrix(name_of(quantity), quantity.formula, quantity.equation, given, width, entries)
