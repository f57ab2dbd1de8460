"""Tables from files: CSV and its kin, Parquet, several files as one."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deltarule.data.detection import HEAD, MISSING, Reading, Text, detected
from deltarule.errors import DataError, FileError, require
from deltarule.tables import nearest

if TYPE_CHECKING:
    import polars as pl

_CHUNK = 1 << 24
_SAMPLE = 10_000
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\x1f\x8b": "gzip data",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"%PDF": "a PDF document",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}


def read(source: str | Path | Sequence[str | Path], reading: Reading | None = None) -> pl.DataFrame:
    r"""A table from one or several files.

    Parameters
    ----------
    source : path, glob or sequence of them
        CSV, TSV (any delimiter) or Parquet. Several files are put one below the other and must
        have the same columns.
    reading : Reading, optional

    Returns
    -------
    polars.DataFrame
        Text stripped of spaces around it, missing markers as nulls, numbers as numbers. Without a
        header the columns are ``column_1``, ``column_2`` …

    Raises
    ------
    FileError
        For a file that is missing, empty, unreadable, or no text.
    DataError
        For no rows, ragged rows, an unclosed quote, repeated names, files that disagree.
    MissingExtraError
        Where polars is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flats.csv")
    ...     _ = path.write_text("area;rent\n52;660,5\n34;\n")
    ...     read(path).rows()
    [(52, 660.5), (34, None)]
    """
    polars = require("polars", "table", "reading tables")
    reading = reading or Reading()
    frames = [(path, _read_one(path, reading)) for path in _paths(source)]
    (first, frame), *rest = frames
    for path, other in rest:
        if other.columns != frame.columns:
            odd = sorted(set(other.columns) ^ set(frame.columns)) or other.columns
            raise DataError(
                f"{path}: its columns are not those of {first}; expected the same names in the "
                f"same order, they differ in {', '.join(odd[:5])}."
            )
    if not rest:
        return frame
    return polars.concat([f for _, f in frames], how="vertical_relaxed")


def _paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    entries = [source] if isinstance(source, (str, Path)) else list(source)
    if not entries:
        raise DataError("no file was given; expected at least one.")
    return [path for entry in entries for path in _expanded(Path(entry))]


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not found:
        raise FileError(f"{path}: no file matches this pattern.")
    return found


def _read_one(path: Path, reading: Reading) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    head = _head(path)
    if head.startswith(b"PAR1"):
        return _parquet(path)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileError(f"{path}: this is {what}; expected CSV, TSV or Parquet.")
    text = detected(path, head, reading)
    frame = _parsed(path, text, reading)
    if frame.height == 0:
        raise DataError(f"{path}: has a header but no rows; expected at least one row below it.")
    if frame.width > 1 and frame[:, 0].null_count():  # a blank line is no row
        frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
    return tidied(frame, decimal_comma=text.decimal_comma)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise FileError(f"{path}: is a folder; expected a file. For its files write {path}/*.csv")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        hint = nearest(path.name, siblings)
        raise FileError(f"{path}: there is no such file.{hint}") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}.") from None
    if not head.strip():
        raise FileError(f"{path}: the file is empty; expected a table.")
    return head


def _parquet(path: Path) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    try:
        frame = polars.read_parquet(path, glob=False)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(f"{path}: begins like Parquet but cannot be read: {reason}") from None
    if frame.height == 0:
        raise DataError(f"{path}: has no rows; expected at least one.")
    return frame


def _parsed(path: Path, text: Text, reading: Reading) -> pl.DataFrame:
    polars = require("polars", "table", "reading tables")
    options = {
        "has_header": text.header,
        "new_columns": list(text.names),
        "separator": text.delimiter,
        "quote_char": text.quote,
        "null_values": [marker for marker in (*MISSING, *reading.missing) if marker],
        "decimal_comma": text.decimal_comma,
        "glob": False,
    }
    for rows in (10_000, None):  # a late surprise in a column costs a second, full look
        try:
            frame = polars.read_csv(_utf8(path, text), infer_schema_length=rows, **options)
        except polars.exceptions.NoDataError:
            raise FileError(f"{path}: the file is empty; expected a table.") from None
        except polars.exceptions.PolarsError as error:
            if "utf-8" in str(error).lower() or "utf8" in str(error).lower():
                raise FileError(
                    f"{path}: holds bytes that are not {text.encoding}. Name its encoding with "
                    "--encoding."
                ) from None
            reason = str(error).splitlines()[0]
        else:
            if frame.width > 1 and frame[:, -1].null_count():  # short rows end in nulls
                _check_shape(path, text)
            return frame
    _find_ragged(path, text)
    raise DataError(f"{path}: cannot be read as a table: {reason}")


def _utf8(path: Path, text: Text) -> Path | io.BytesIO:
    """The file itself, or its text turned into UTF-8."""
    if text.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii"):
        return path
    try:
        return io.BytesIO(path.read_bytes().decode(text.encoding).encode())
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: is not {text.encoding}: {error.reason} at byte {error.start}. "
            "Name its encoding with --encoding."
        ) from None


def _check_shape(path: Path, text: Text) -> None:
    """Refuse ragged rows and unclosed quotes: counted in bytes first, looked for if they differ."""
    if text.encoding == "utf-16":
        suspicious = True
    else:
        delimiters = quotes = lines = 0
        last = b"\n"
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                delimiters += chunk.count(text.delimiter.encode())
                quotes += chunk.count(text.quote.encode())
                lines += chunk.count(b"\n")
                last = chunk[-1:]
        lines += last != b"\n"
        expected = lines * (len(text.names) - 1)
        plain = quotes == 0 and delimiters == expected
        suspicious = not plain and (quotes % 2 == 1 or quotes == 0 or delimiters < expected)
    if suspicious:
        _find_ragged(path, text)


def _find_ragged(path: Path, text: Text) -> None:
    width = len(text.names)
    with path.open(encoding=text.encoding, errors="replace", newline="") as file:
        rows = csv.reader(
            file, delimiter=text.delimiter, quotechar=text.quote, skipinitialspace=True
        )
        begun = 1
        try:
            for row in rows:
                if row and len(row) != width and not (width > 1 and row == [""]):
                    if rows.line_num - begun > 100:
                        raise DataError(
                            f"{path}: a quote that opens in line {begun} is not closed; expected "
                            f"{text.quote} again. Close it, or choose another --quote."
                        )
                    raise DataError(
                        f"{path}: line {rows.line_num} has {len(row)} cells; expected {width}, as "
                        "in the first line. Correct it, or name the --delimiter."
                    )
                begun = rows.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}: line {rows.line_num}: {error}.") from None


def tidied(frame: pl.DataFrame, *, decimal_comma: bool = False) -> pl.DataFrame:
    """Text columns stripped of spaces, missing markers as nulls, and numbers where all are.

    Parameters
    ----------
    frame : polars.DataFrame
    decimal_comma : bool
        Whether ``3,5`` is a number.

    Examples
    --------
    >>> import polars as pl
    >>> tidied(pl.DataFrame({"a": [" 1", "? "], "b": [" x ", "y"]})).rows()
    [(1, 'x'), (None, 'y')]
    """
    polars = require("polars", "table", "reading tables")
    text = [name for name, dtype in frame.schema.items() if dtype == polars.String]
    return frame.with_columns([_tidied(frame[name], decimal_comma) for name in text])


def _tidied(column: pl.Series, decimal_comma: bool) -> pl.Series:
    """One column of text: numbers, or text as an enumeration where its values recur."""
    polars = require("polars", "table", "reading tables")
    sample = column.head(_SAMPLE)
    if sample.n_unique() > len(sample) / 2 and len(column) > _SAMPLE:
        return _numbers_if_all(_cleaned(column), decimal_comma)
    levels = column.drop_nulls().unique().sort()
    cleaned = _cleaned(levels)
    numbers = _numbers_if_all(cleaned, decimal_comma)
    plain = cleaned.null_count() == 0 and bool((cleaned == levels).all())
    codes = column.cast(polars.Enum(levels)).to_physical()
    if numbers.dtype.is_numeric():
        return numbers.gather(codes).alias(column.name)
    kept = cleaned.drop_nulls().unique().sort()
    named = (levels if plain else cleaned).cast(polars.Enum(kept))
    return named.gather(codes).alias(column.name)


def _cleaned(column: pl.Series) -> pl.Series:
    """Text without spaces around it, markers of missing values as nulls."""
    polars = require("polars", "table", "reading tables")
    text = column.str.strip_chars()
    return text.set(text.is_in(polars.Series(MISSING, dtype=polars.String).implode()), None)


def _numbers_if_all(column: pl.Series, decimal_comma: bool) -> pl.Series:
    polars = require("polars", "table", "reading tables")
    present = column.drop_nulls()
    if present.len() == 0:
        return column
    pattern = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?$"
    if not present.head(100).str.contains(pattern).all():
        return column
    cells = column.str.replace(",", ".", literal=True) if decimal_comma else column
    for dtype in (polars.Int64, polars.Float64):
        numbers = cells.cast(dtype, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    return column
