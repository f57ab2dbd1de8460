"""How a table is to be read: what people set in place of what is detected."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deltarule.data.readings import MARKERS, ColumnReading
from deltarule.errors import SettingError, setting

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null")
"""What counts as a missing value in a text file, beside the custom ones."""

ORDERS = ("day-first", "month-first")
"""Of day and month in a date."""

BAD_ROWS = ("error", "skip")
"""What may be done with a row that has another number of cells, or whose quotes are broken."""


@dataclass(frozen=True)
class Reading:
    """How a text file is to be read; what is None is detected.

    Parameters
    ----------
    delimiter : str, optional
        One character.
    header : bool, optional
        Whether the first line names the columns.
    encoding : str, optional
        A name that Python knows, such as ``"latin-1"``.
    decimal_comma : bool, optional
        Whether ``3,5`` is a number.
    quote : str, optional
        The quoting character; empty where nothing is quoted.
    missing : tuple of str
        Markers of missing values, beside :data:`MISSING`.
    skip_lines : int
        How many lines at the beginning are left out.
    comment : str, optional
        What a line begins with that is left out. Lines of notes above the header are detected.
    bad_rows : str
        What is done with a row that has too many or too few cells or broken quotes: ``"error"``
        or ``"skip"``.
    sheet : str, optional
        Which sheet of a workbook; needed where several hold something.
    plain : bool
        Whether only plain numbers are read: no units, currencies, thousands and the like.
    dates : str, optional
        The order of day and month in dates such as 1/2/2024: ``"day-first"`` or
        ``"month-first"``.
    columns : mapping of str to ColumnReading, optional
        How text columns that hold numbers are read, as in an earlier table; None detects it.

    Raises
    ------
    SettingError
        For a delimiter or quote that is not one character, or an unknown encoding.

    Examples
    --------
    >>> Reading(delimiter=";", missing=("unknown",)).missing
    ('unknown',)
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    decimal_comma: bool | None = None
    quote: str | None = None
    missing: tuple[str, ...] = ()
    skip_lines: int = 0
    comment: str | None = None
    bad_rows: str = "error"
    sheet: str | None = None
    plain: bool = False
    dates: str | None = None
    columns: Mapping[str, ColumnReading] | None = None

    def __post_init__(self) -> None:
        _check_character("delimiter", self.delimiter)
        _check_character("quote", self.quote or None)
        if self.delimiter is not None and self.delimiter == self.quote:
            raise SettingError(
                f"delimiter and quote: expected different characters, got {self.quote!r} for both."
            )
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except (LookupError, TypeError, ValueError):
                raise SettingError(
                    f"{setting('encoding', '--encoding')}: Python knows none named "
                    f"{self.encoding!r}. Common ones are utf-8, latin-1, cp1252, utf-16."
                ) from None
        missing: Any = self.missing
        if isinstance(missing, str) or not all(isinstance(marker, str) for marker in missing):
            raise SettingError(f"missing: expected a tuple of text markers, got {self.missing!r}.")
        lines: Any = self.skip_lines
        if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
            named = setting("skip_lines", "--skip-lines")
            raise SettingError(f"{named}: expected a number of lines, got {lines!r}.")
        if self.comment is not None and not self.comment.strip():
            named = setting("comment", "--comment")
            raise SettingError(f"{named}: expected what a line begins with, got {self.comment!r}.")
        if self.bad_rows not in BAD_ROWS:
            named = setting("bad_rows", "--bad-rows")
            raise SettingError(f"{named}: expected error or skip, got {self.bad_rows!r}.")
        if self.dates not in (None, *ORDERS):
            named = setting("dates", "--dates")
            raise SettingError(f"{named}: expected {' or '.join(ORDERS)}, got {self.dates!r}.")

    @property
    def values(self) -> Reading:
        """What of it is about values, and not about the layout of a file; nothing to detect."""
        comma = bool(self.decimal_comma)
        return Reading(missing=self.missing, decimal_comma=comma, columns=self.columns or {})

    def of(self, name: str) -> ColumnReading:
        """How a column's text is read."""
        return (self.columns or {}).get(name, _PLAIN)

    def markers_of(self, name: str) -> frozenset[str]:
        """Every marker of a missing value in a column."""
        known = MARKERS if name in (self.columns or {}) else ()
        return frozenset((*self.markers, *self.of(name).markers, *known))

    @property
    def markers(self) -> tuple[str, ...]:
        """Every marker of a missing value."""
        return (*MISSING, *self.missing)


_PLAIN = ColumnReading()


def _check_character(name: str, value: str | None) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n":
        named = setting(name, f"--{name}")
        raise SettingError(f"{named}: expected one ASCII character, got {value!r}.")
