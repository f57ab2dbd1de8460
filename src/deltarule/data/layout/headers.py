"""Where the rows of a table begin, and what its columns are called: notes, header, units."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from deltarule.data.layout.records import BLANKS

_ROWS_BELOW = 300  # tell whether the first row is a header
_MOST_ABOVE = 30  # rows of notes
_YEARS = range(1800, 2101)
_ODD_BLANKS = re.compile(r"[^\S ]+|\u200b|\ufeff")  # line breaks, and what looks like a blank
_NO_UNITS = ("none", "missing", "unknown", "null", "na", "n/a", "nan", "nil", "error", "invalid")

Rows = Sequence[Sequence[str]]
"""The cells of some rows, without blanks around them."""


@dataclass(frozen=True)
class Cells:
    """How single cells are read: what is a number, what is missing."""

    is_number: Callable[[str], object]
    missing: frozenset[str]

    def are_numbers(self, cells: Sequence[str]) -> bool:
        """Whether nearly all cells that are not missing are numbers, and some are."""
        present = [cell for cell in cells if cell not in self.missing]
        numbers = sum(map(bool, map(self.is_number, present)))
        return bool(numbers) and numbers > 0.9 * len(present)

    def is_text(self, cell: str) -> bool:
        """Whether a cell is neither missing nor a number."""
        return cell not in self.missing and not self.is_number(cell)


@dataclass(frozen=True)
class Heading:
    """What is above the rows of a table.

    Attributes
    ----------
    above : int
        How many rows of notes are above the header, or above the first row.
    rows : int
        How many rows the header has: none, one, or two with a row of units or a second of names.
    names : tuple of str
        Of the columns, each once.
    labels : tuple of str
        The cells of the header as they are; none where there is none.
    notes : tuple of str
        What was left out, or named otherwise than the file does.
    """

    above: int
    rows: int
    names: tuple[str, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def body(self) -> int:
        """The place of the first row of data."""
        return self.above + self.rows

    def repeats(self, row: Sequence[str]) -> bool:
        """Whether a row is the header again."""
        return bool(self.labels) and tuple(cell.strip(BLANKS) for cell in row) == self.labels


def heading(rows: Rows, cells: Cells, header: bool | None = None, lenient: bool = False) -> Heading:
    """The heading of a table, from its first rows.

    Parameters
    ----------
    rows : sequence of sequence of str
        Those that are not blank.
    cells : Cells
    header : bool, optional
        Whether the first of them names the columns, where this is known.
    lenient : bool
        Whether rows of another width than most may be left out.

    Examples
    --------
    >>> cells = Cells(str.isdigit, frozenset([""]))
    >>> rows = [["Flats"], ["rooms", "rent", ""], ["", "net", "gross"], *[["3", "8", "9"]] * 3]
    >>> found = heading(rows, cells)
    >>> found.above, found.rows, found.names
    (1, 2, ('rooms', 'rent net', 'rent gross'))
    """
    width = _usual_width(rows)
    rows = [row if any(row[width:]) else row[:width] for row in rows]
    above = _notes_above(rows, width, cells, header, lenient)
    first, body = rows[above], rows[above + 1 :]
    notes = [f"{counted(above, 'line')} of notes above the table left out"] if above else []
    if header is not False and _lacks_a_name(rows, above, width, cells):
        is_last = not any(row[-1] for row in body if len(row) == width)
        first = [*first, ""] if is_last else ["", *first]
        header = True
        if not is_last:
            notes.append("the first column, which the header does not name, is called column_1")
    if header is None:
        header = _has_header(first, body, cells)
    if not header:
        return Heading(above, 0, _each_once([""] * len(first), notes), (), tuple(notes))
    names, height = list(first), 1
    if _are_groups(first, body, cells):
        names, height = _joined(first, body[0]), 2
        notes.append("the column names were joined from two lines")
    elif _are_units(body, cells):
        height = 2
        notes.append(f"the line of units below the header left out ({', '.join(body[0])})")
    found = _each_once(names, notes)
    return Heading(above, height, found, tuple(first), tuple(notes))


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "line"), counted(2000, "line")
    ('1 line', '2,000 lines')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _usual_width(rows: Rows) -> int:
    """How many cells most rows have; of several such numbers, that which comes first."""
    return Counter(map(len, rows)).most_common(1)[0][0]


def _notes_above(rows: Rows, width: int, cells: Cells, header: bool | None, lenient: bool) -> int:
    """How many of the first rows are notes: of another width, empty but for a cell, or comments.

    They are left out where a header follows, and rows below it that are nearly all of one width.
    """
    place = 0
    while place < min(_MOST_ABOVE, len(rows) - 1) and _is_note(rows, place, width, cells):
        place += 1
    body = rows[place:]
    if not place or sum(len(row) == width for row in body) < max(2, 0.8 * len(body)) or width < 2:
        return 0
    if header or _has_header(body[0], body[1:], cells):
        return place
    if header is None and _lacks_a_name(rows, place - 1, width, cells):
        return place - 1
    return place if lenient else 0


def _is_note(rows: Rows, place: int, width: int, cells: Cells) -> bool:
    row, below = rows[place], rows[place + 1 :]
    if len(row) != width or (width > 2 and sum(map(bool, row)) < 2):
        return True
    return row[0].startswith("#") and _has_header(below[0], below[1:], cells)


def _lacks_a_name(rows: Rows, place: int, width: int, cells: Cells) -> bool:
    """Whether a header has a name fewer than all rows have cells, the first or an empty last."""
    first, body = rows[place], [row for row in rows[place + 1 :] if len(row) == width]
    if len(first) != width - 1 or len(body) < max(2, len(rows) - place - 2):
        return False
    if not all(map(cells.is_text, first)):
        return False
    keys = [row[0] for row in body]
    return not any(row[-1] for row in body) or len({*keys}) == len(keys)


def _has_header(first: Sequence[str], body: Rows, cells: Cells) -> bool:
    """Whether a row names columns.

    Each column votes: against, where the first cell is a number; for, where it is text above
    numbers. Without votes, the row is a header unless its cells return below; where some do, more
    others must be above text that recurs.
    """
    columns = _columns(body[:_ROWS_BELOW], len(first))
    if _is_series(first, columns, cells):
        return True
    votes = 0
    for cell, column in zip(first, columns, strict=True):
        if cells.is_number(cell):
            votes -= 1
        elif cell not in cells.missing and cells.are_numbers([c for c in column if c != cell]):
            votes += 1
    if votes:
        return votes > 0
    named = [cell for cell in first if cell]
    if len(set(named)) < len(named) and not body:
        return False
    columns = _without_repeats(first, body, columns)
    returned = sum(cell in column for cell, column in zip(first, columns, strict=True) if cell)
    recurring = sum(
        cell not in column and len({*column}) <= len(column) / 3
        for cell, column in zip(first, columns, strict=True)
        if cell
    )
    return not returned or recurring > returned


def _without_repeats(first: Sequence[str], body: Rows, columns: Rows) -> Rows:
    """The columns below a row without the rows that repeat it, where these are few beside others.

    They are few where some column's values recur three times as often.
    """
    others = [row for row in body[:_ROWS_BELOW] if list(row) != list(first)]
    repeats = min(len(body), _ROWS_BELOW) - len(others)
    rest = _columns(others, len(first))
    recur = (len(column) >= 3 * repeats * len({*column}) for column in rest if column)
    return rest if repeats and len(first) > 1 and any(recur) else columns


def _is_series(first: Sequence[str], columns: Rows, cells: Cells) -> bool:
    """Whether a header's numbers go up by ones from 0 or 1, or are years, and those below not."""
    places = [i for i, cell in enumerate(first) if cells.is_number(cell)]
    if not places or not all(first[i].isdecimal() for i in places) or not columns[0]:
        return False
    numbers = [int(first[i]) for i in places]
    steps = {after - before for before, after in pairwise(numbers)}
    below = [[cell for cell in columns[i] if cell not in cells.missing] for i in places]
    if not all(map(cells.are_numbers, below)):
        below = [column for column in below if cells.are_numbers(column)]
    if first[0] == "" and numbers[0] == 0 and steps <= {1}:  # pandas, an array with its index
        return all(int(c) == i if c.isdecimal() else False for i, c in enumerate(columns[0]))
    if len(steps) != 1 or 0 in steps:
        return False
    if all(number in _YEARS for number in numbers):
        are_years = len(numbers) > 2 or steps <= {1, -1}
        years = [c for column in below for c in column if c.isdecimal() and int(c) in _YEARS]
        return are_years and not years
    whole = all(cell.lstrip("-").isdecimal() for column in below for cell in column)
    return numbers[0] in (0, 1) and steps == {1} and len(numbers) > (4 if whole else 2)


def _are_groups(first: Sequence[str], body: Rows, cells: Cells) -> bool:
    """Whether the row below a header has the names, and the header what several have in common."""
    if not body or len(body[0]) != len(first) or not first[0] + body[0][0]:
        return False
    named = [cell for cell in first if cell]
    is_common = len({*named}) < len(named) or not all(first[1:])
    return is_common and all(body[0][1:]) and _is_above_numbers(body, cells) > 0


def _are_units(body: Rows, cells: Cells) -> bool:
    """Whether the first of the rows holds units: text above numbers, alone or in all its cells."""
    units = _is_above_numbers(body, cells)
    if not units:
        return False
    others = sum(map(bool, body[0])) - units
    return units > 1 or not others or all(c[0] + c[-1] in ("()", "[]") for c in body[0] if c)


def _is_above_numbers(body: Rows, cells: Cells) -> int:
    """In how many columns the first cell is text above numbers; 0 where any speaks against it."""
    if len(body) < 4:
        return 0
    above = 0
    for i, cell in enumerate(body[0]):
        if cell.casefold() in _NO_UNITS:
            return 0
        column = [row[i] for row in body[1:] if i < len(row)]
        if any(letter.isalpha() or letter in "%°" for letter in cell) and cells.are_numbers(column):
            above += cells.is_text(cell)
        elif cell and (cells.is_number(cell) or cell in column):
            return 0
    return above


def _columns(rows: Rows, width: int) -> Rows:
    if rows and all(len(row) == width for row in rows):
        return list(zip(*rows, strict=True))
    return [[row[i] for row in rows if i < len(row)] for i in range(width)]


def _joined(groups: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of two rows, a group's name before each of its columns."""
    joined, group = [], ""
    for own, name in zip(groups, names, strict=True):
        group = own or group
        joined.append(f"{group} {name}".strip())
    return joined


def _each_once(names: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Names for columns without one; repeated ones numbered, which is noted."""
    found: dict[str, None] = {}
    taken = {*names}
    for place, name in enumerate(names, start=1):
        name = _ODD_BLANKS.sub(" ", name)
        own, number = name or f"column_{place}", 1
        while own in found or (own != name and own in taken):
            number += 1
            own = f"{name or f'column_{place}'}_{number}"
        if name and own != name:
            notes.append(f"the column name {name!r} is repeated: column {place} is called {own!r}")
        found[own] = None
    return tuple(found)
