"""Tables in JSON: a record a line, a list of records, or columns; nested records become columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltarule.data.frames import frame_of
from deltarule.errors import DataError, FileError
from deltarule.system.memory import available_memory, readable_size

if TYPE_CHECKING:
    import polars as pl

_PER_BYTE = 8
"""Bytes of memory that a byte of JSON takes as Python's objects, about at most."""

_EXPECTED = "expected a record a line, a list of records, or an object of columns"


def json_table(path: Path, content: bytes) -> pl.DataFrame:
    r"""A table from JSON, with the types of its values.

    Raises
    ------
    FileError
        For what is not JSON, or takes more memory than there is.
    DataError
        For JSON that is not a table.

    Examples
    --------
    >>> json_table(Path("a.jsonl"), b'{"a": 1, "b": {"c": "x"}}\n{"a": 2}\n').rows(named=True)
    [{'a': 1, 'b.c': 'x'}, {'a': 2, 'b.c': None}]
    """
    free = available_memory()
    if free is not None and _PER_BYTE * len(content) > free:
        raise FileError(
            f"{path}: JSON of {readable_size(len(content))} takes about {_PER_BYTE} times as much "
            f"memory, and {readable_size(free)} are free. Write it as Parquet or CSV."
        )
    try:
        text = content.decode(json.detect_encoding(content[:4])).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: begins like JSON but is not UTF-8: {error.reason} at byte {error.start}. "
            "Write it in UTF-8."
        ) from None
    try:
        return _framed(path, json.loads(text))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _no_json(path, error, 0) from None
    except RecursionError:
        raise DataError(f"{path}: JSON that is nested too deeply; {_EXPECTED}.") from None
    return _of_records(path, _lines(path, text))


def _lines(path: Path, text: str) -> Iterator[Any]:
    """The value of each line that is not blank."""
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise _no_json(path, error, number) from None
            except RecursionError:
                raise DataError(
                    f"{path}: JSON in line {number + 1} is nested too deeply; {_EXPECTED}."
                ) from None


def _framed(path: Path, found: Any) -> pl.DataFrame:
    """A table from a whole document."""
    if isinstance(found, dict):
        lists = [value for value in found.values() if _is_records(value)]
        if len(lists) == 1:  # an answer of a service: records, and what it says about them
            return _of_records(path, iter(lists[0]))
        if not lists and not all(isinstance(value, list | dict) for value in found.values()):
            return _of_records(path, iter([found]))
        rows = {tuple(value) if isinstance(value, dict) else len(value) for value in found.values()}
        if not lists and len(rows) == 1:
            columns = [list(v.values()) if isinstance(v, dict) else v for v in found.values()]
            cells = zip(*columns, strict=True)
            return _of_records(path, (dict(zip(found, row, strict=True)) for row in cells))
        raise DataError(f"{path}: an object in JSON that is not a table; {_EXPECTED}.")
    return _of_records(path, iter(found if isinstance(found, list) else [found]))


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _of_records(path: Path, found: Iterator[Any]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {}
    height = 0
    for record in found:
        if not isinstance(record, dict):
            raise DataError(
                f"{path}: record {height + 1} is {json.dumps(record)[:60]}; expected an object "
                "with a value for each column."
            )
        for name, value in _flat(record, ""):
            column = columns.setdefault(name, [])
            if len(column) > height:
                raise DataError(f"{path}: record {height + 1} has two values named {name!r}.")
            column.extend([None] * (height - len(column)))
            column.append(value)
        height += 1
    if not columns:
        raise DataError(f"{path}: has no rows; expected at least one.")
    for column in columns.values():
        column.extend([None] * (height - len(column)))
    return frame_of(columns)


def _flat(record: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """A record's values; those of a record within it with both names, lists as their text."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield before + name, json.dumps(value, ensure_ascii=False)
        else:
            yield before + name, value


def _no_json(path: Path, error: json.JSONDecodeError, lines_before: int) -> FileError:
    return FileError(
        f"{path}: begins like JSON but line {lines_before + error.lineno} is none: {error.msg} at "
        f"character {error.colno}. Correct that line; the file may be truncated."
    )
