"""A worksheet as a spreadsheet of live formulas: change what is given, and all the rest follows.

Two sheets of one layout. On *Worksheet* the given numbers stand and the answers are typed; beside
each box a formula says whether it is right. *Answers*, hidden at first, computes every entry from
the given numbers, cell by cell, as one would on paper.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from deltarule.errors import require
from deltarule.explain.worksheet import TOLERANCE, Quantity, Worksheet
from deltarule.explain.worksheet_page import name_of

ANSWERS, WORK = "Answers", "Worksheet"


class Place(NamedTuple):
    """Where a quantity stands: the row and column of its first entry, from 0."""

    row: int
    column: int


def places(sheet: Worksheet) -> dict[str, Place]:
    """Where each quantity stands, by its key: one below the other, a line of text above each."""
    found, row = {}, 3
    for quantity in sheet.quantities:
        found[quantity.key] = Place(row + 1, 1)
        row += 2 + len(quantity.values)
    return found


def spreadsheet(sheet: Worksheet) -> bytes:
    """A worksheet as an .xlsx file.

    Parameters
    ----------
    sheet : Worksheet

    Returns
    -------
    bytes
        Every formula also carries its value, for readers that do not compute.

    Raises
    ------
    MissingExtraError
        Where XlsxWriter is not installed.

    Examples
    --------
    >>> from deltarule.explain.worksheet import worksheet
    >>> spreadsheet(worksheet(7))[:2]
    b'PK'
    """
    xlsxwriter: Any = require("xlsxwriter", "report", "a spreadsheet")
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    book.set_properties({"title": f"Worksheet {sheet.seed}"})
    work, answers = book.add_worksheet(WORK), book.add_worksheet(ANSWERS)
    _write(book, work, answers, sheet)
    answers.hide()
    book.close()
    return file.getvalue()


def _write(book: Any, work: Any, answers: Any, sheet: Worksheet) -> None:
    bold, muted = book.add_format({"bold": True}), book.add_format({"font_color": "#666666"})
    box = book.add_format({"border": 1, "bg_color": "#FFF9DB"})
    given, told = book.add_format({"border": 1}), book.add_format({"font_color": "#666666"})
    mark = book.add_format({"bold": True})
    where = places(sheet)
    sizes = "-".join(map(str, sheet.network.sizes))
    asked = f"Fill in the {sheet.asked} yellow cells; each is checked beside it."
    for page, text in ((work, asked), (answers, "Every cell is computed from the given ones.")):
        page.write_string(0, 0, f"Worksheet {sheet.seed}: one step of a network {sizes}", bold)
        page.write_string(1, 0, text, muted)
        page.set_column(0, 0, 12)
        page.freeze_panes(2, 0)
    for quantity in sheet.quantities:
        row, column = where[quantity.key]
        title = name_of(quantity)
        formula = quantity.formula if quantity.entry is None else f"= {quantity.formula}"
        equation = f"   (Eq. {quantity.equation})" if quantity.equation else ""
        for page in (work, answers):
            page.write_string(row - 1, 0, title, bold)
            page.write_string(row - 1, column, formula + equation, muted)
        for (i, j), value in _entries(quantity):
            at = (row + i, column + j)
            if quantity.entry is None:
                work.write_number(*at, value, given)
                answers.write_formula(*at, f"={WORK}!{_cell(*at)}", None, value)
                continue
            text = quantity.entry(
                i, j, lambda key, r, c: _cell(where[key].row + r, where[key].column + c)
            )
            answers.write_formula(*at, f"={text.replace(' ', '')}", None, value)
            if quantity.shown[i, j]:
                work.write_formula(*at, f"={ANSWERS}!{_cell(*at)}", told, value)
                continue
            work.write_blank(*at, None, box)
            own, right = _cell(*at), f"{ANSWERS}!{_cell(*at)}"
            check = f'=IF({own}="","",IF(ABS({own}-{right})<={TOLERANCE},"right","not yet"))'
            work.write_formula(row + i, column + j + quantity.values.shape[1] + 1, check, mark, "")


def _entries(quantity: Quantity) -> list[tuple[tuple[int, int], float]]:
    rows, width = quantity.values.shape
    return [((i, j), float(quantity.values[i, j]) + 0.0) for i in range(rows) for j in range(width)]


def _cell(row: int, column: int) -> str:
    return f"{chr(ord('A') + column)}{row + 1}"
