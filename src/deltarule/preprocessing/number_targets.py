"""Targets of text that looks like numbers: refused, so that no number becomes a class."""

from __future__ import annotations

import re

import numpy as np

from deltarule.errors import CellError
from deltarule.preprocessing.cells import Coded, as_missing, is_number
from deltarule.preprocessing.target_columns import are_many, as_classification

_MOSTLY = 0.5  # of the rows
_DIGITS = r"(?!0\d)\d+(?:[.,'’\s]\d+)*"
_UNIT = r"\s?(?:[^\w\s]{1,3}|[^\W\d_]{1,5}\.?[23²³]?(?:/[^\W\d_]{1,4})?)?"
_BEFORE = r"(?:[A-Z]{3}\s|(?:US|AU|CA|R)\$|Rs\.?\s?|kr\.?\s?|[^\w\s]{1,2}\s?)*"
_ONE = re.compile(rf"{_BEFORE}{_DIGITS}(?:/\d+)?{_UNIT}")
_RANGE = re.compile(rf"{_BEFORE}{_DIGITS}{_UNIT}\s?(?:-|–|to)\s?{_BEFORE}{_DIGITS}{_UNIT}")
_BOUND = tuple("<>≤≥")
_AMOUNT = re.compile(r"\d[.,'’\s]\d|[%‰$€£¥₹]|\d-$")  # and SAP's minus


def refuse_numbers(name: str, found: Coded) -> None:
    """Refuse a target of text whose cells, were they read as numbers, would be a regression.

    Amounts, percentages and numbers beside other marks look so. Few whole numbers and ranges, each
    in several rows, are classes.

    Parameters
    ----------
    name : str
    found : Coded
        The target's cells.

    Raises
    ------
    CellError
        With the cells in the way and what to pass.

    Examples
    --------
    >>> import polars as pl
    >>> from deltarule.preprocessing.cells import coded
    >>> refuse_numbers("income", coded(pl.Series(["<=50K", ">50K"] * 9)))
    >>> try:
    ...     refuse_numbers("price", coded(pl.Series(["12 EUR", "9,5 EUR", "70 EUR"] * 3)))
    ... except CellError as error:
    ...     print(error)
    target 'price' holds '12 EUR' in row 0 of the table, counted from 0; expected numbers: 9 of 9 \
cells look like them. Not read as numbers: '12 EUR', '70 EUR', '9,5 EUR' (3 different). Write them \
as plain numbers, or pass task="classification" for classes.
    """
    levels, codes, counts = found
    single = np.array([_ONE.fullmatch(level) is not None for level in levels])
    alike = single | [_RANGE.fullmatch(level) is not None for level in levels]
    rows, total = int(counts[alike].sum()), int(counts.sum())
    if rows < _MOSTLY * total:
        return
    amounts = (levels[i] for i in np.flatnonzero(single) if not levels[i].startswith(_BOUND))
    if not any(map(_AMOUNT.search, amounts)) and not are_many(int(alike.sum()), rows):
        return
    odd = [i for i, level in enumerate(levels) if not is_number(level)]
    row = int(np.isin(codes, odd).argmax())
    often = sorted(odd, key=lambda i: -counts[i])
    shown = ", ".join([*(repr(levels[i]) for i in often[:3]), *["…"] * (len(odd) > 3)])
    marks = [levels[i] for i in often if not re.search(r"\d", levels[i])]
    raise CellError(
        f"target {name!r} holds {levels[codes[row]]!r}",
        row,
        f"; expected numbers: {rows:,} of {total:,} cells look like them. Not read as numbers: "
        f"{shown} ({len(odd):,} different). {f'{as_missing(marks[0])}. ' if marks else ''}Write "
        f"them as plain numbers, or pass {as_classification()} for classes.",
    )
