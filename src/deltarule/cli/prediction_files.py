"""The files that predictions are written to: a format for each extension, whole or in blocks."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deltarule.errors import SettingError, require

DIGITS = 6
"""Significant digits of predictions in text and in workbooks."""

_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_SHEET = 1_048_576, 16_384  # rows with the header, and columns: what Excel opens
_WHOLE = 10**15 - 1  # Excel keeps 15 digits,
_LONGEST = 32_767  # characters of a cell, at most;
_FIRST_YEAR = 1900  # and no date before


class Format(NamedTuple):
    """How a table becomes the bytes of a file.

    Attributes
    ----------
    encoded : callable
        Of the table, and whether its first rows are the file's first.
    in_blocks : bool
        Whether the bytes of several blocks of rows, one after the other, are a file.
    is_exact : bool
        Whether numbers keep all their digits.
    """

    encoded: Callable[[Any, bool], bytes]
    in_blocks: bool
    is_exact: bool

    def content(self, frame: Any, copied: Sequence[str], first: bool = True) -> bytes:
        """The bytes of a table of which some columns are copies, which keep all their digits."""
        return self.encoded(frame if self.is_exact else rounded(frame, copied), first)


def csv(frame: Any, header: bool = True) -> str:
    """A table as CSV in which no text is a formula: a class may be called ``=HYPERLINK(…)``.

    Examples
    --------
    >>> import polars as pl
    >>> print(csv(pl.DataFrame({"a": ["=1", "-1"]})), end="")
    a
    '=1
    -1
    """
    import polars as pl

    frame, text = _joined(frame), pl.col(pl.String)
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    safe = frame.with_columns(pl.when(runs).then(pl.lit("'") + text).otherwise(text).name.keep())
    names = pl.Series(frame.columns, dtype=pl.String)
    odd = names.str.contains(_FORMULA) & ~names.str.contains(_NUMBER)
    safe.columns = [f"'{name}" if is_odd else name for name, is_odd in zip(names, odd, strict=True)]
    return str(safe.write_csv(include_header=header))


def _joined(frame: Any) -> Any:
    """The same with the entries of lists, such as sets of classes, as one text."""
    import polars as pl

    return frame.with_columns(pl.col(pl.List).cast(pl.List(pl.String)).list.join("; "))


def _written(method: str) -> Callable[[Any, bool], bytes]:
    """What a method of polars writes."""

    def encoded(frame: Any, first: bool) -> bytes:
        buffer = io.BytesIO()
        getattr(frame, method)(buffer)
        return buffer.getvalue()

    return encoded


def _excel(frame: Any, first: bool) -> bytes:
    """A workbook of one sheet; no text in it is a formula or a link."""
    xlsxwriter: Any = require("xlsxwriter", "formats", "a workbook of predictions")
    rows, width = _SHEET
    if frame.height >= rows or frame.width > width:
        raise SettingError(
            f"--out: a sheet of a workbook has room for {rows - 1:,} rows and {width:,} columns; "
            f"got {frame.height:,} and {frame.width:,}. Name a .csv or .parquet file."
        )
    columns = [_as_cells(column) for column in _joined(frame).get_columns()]
    buffer = io.BytesIO()
    options = {
        **dict.fromkeys(("in_memory", "nan_inf_to_errors", "remove_timezone"), True),
        **dict.fromkeys(("strings_to_formulas", "strings_to_urls"), False),
    }
    with xlsxwriter.Workbook(buffer, options | {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet, hours = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, frame.columns)
        for place, column in enumerate(columns):
            has_hours = column.dtype.base_type().__name__ == "Datetime"
            sheet.write_column(1, place, column.to_list(), *([hours] if has_hours else []))
        sheet.autofit()
    return buffer.getvalue()


def _as_cells(column: Any) -> Any:
    """A column as a sheet holds it whole: as text where Excel would lose digits or dates."""
    import polars as pl

    kind = column.dtype
    if kind == pl.String and (column.str.len_chars().max() or 0) > _LONGEST:
        raise SettingError(
            f"--out: column {column.name!r} holds a text of {column.str.len_chars().max():,} "
            f"characters; a cell of a workbook has room for {_LONGEST:,}. Name a .csv or .parquet "
            "file."
        )
    if kind.is_integer() and not column.is_between(-_WHOLE, _WHOLE).all():
        return column.cast(pl.String)
    if kind in (pl.Date, pl.Datetime) and (column.dt.year() < _FIRST_YEAR).any():
        return column.dt.to_string("%Y-%m-%d" if kind == pl.Date else "%Y-%m-%d %H:%M:%S")
    return column


_CSV = Format(lambda frame, first: csv(frame, first).encode(), in_blocks=True, is_exact=False)
_LINES = Format(_written("write_ndjson"), in_blocks=True, is_exact=False)
_ARROW = Format(_written("write_ipc"), in_blocks=False, is_exact=True)

FORMATS: dict[str, Format] = {
    ".csv": _CSV,
    ".xlsx": Format(_excel, in_blocks=False, is_exact=False),
    ".parquet": Format(_written("write_parquet"), in_blocks=False, is_exact=True),
    ".jsonl": _LINES,
    ".ndjson": _LINES,
    ".arrow": _ARROW,
    ".feather": _ARROW,
    ".ipc": _ARROW,
}
"""The formats by extension; a file with any other is CSV."""

_NOT_WRITTEN = frozenset({".xls", ".xlsm", ".xlsb", ".ods", ".json", ".pdf", ".html"})


def format_of(out: Path | None) -> Format:
    """The format of a file, by its extension; CSV where it is not given.

    Raises
    ------
    SettingError
        For an extension that names a format which is not written.
    MissingExtraError
        Where a package is missing that writes it.

    Examples
    --------
    >>> format_of(Path("rents.parquet")).is_exact, format_of(None).is_exact
    (True, False)
    """
    suffix = "" if out is None else out.suffix.lower()
    if suffix in _NOT_WRITTEN:
        raise SettingError(
            f"--out {out}: predictions are not written as {suffix}. Expected a name that ends in "
            f"{', '.join(FORMATS)}."
        )
    if suffix == ".xlsx":
        require("xlsxwriter", "formats", "a workbook of predictions")
    return FORMATS.get(suffix, _CSV)


def rounded(frame: Any, copied: Sequence[str]) -> Any:
    """A table whose predictions have :data:`DIGITS` significant digits; copies keep all of theirs.

    Examples
    --------
    >>> import polars as pl
    >>> rounded(pl.DataFrame({"size": [12.3456789], "rent": [1234.56789]}), ["size"]).rows()
    [(12.3456789, 1234.57)]
    """
    import polars as pl

    numbers = pl.selectors.float() - pl.selectors.by_name(copied)
    return frame.with_columns(numbers.cast(pl.Float64).round_sig_figs(DIGITS))
