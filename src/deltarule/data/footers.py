"""What the end of a Parquet file says of its row groups: how many rows each has, how many bytes.

polars reads row groups, but does not tell where they lie. The footer is a record in Thrift's
compact protocol (Apache Parquet, ``parquet.thrift``: FileMetaData); the few fields that matter
are taken from it, all others passed over.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from deltarule.errors import FileError

_MAGIC = b"PAR1"
_ROW_GROUPS, _BYTES, _ROWS = 4, 2, 3  # fields of FileMetaData and of RowGroup
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 32


class RowGroup(NamedTuple):
    """Rows that lie together in a file, and their bytes before compression."""

    rows: int
    size: int


class Footer(NamedTuple):
    """A file's row groups, in order, and a digest of all that its footer says."""

    groups: tuple[RowGroup, ...]
    digest: str


def footer(path: Path) -> Footer:
    """The footer of a Parquet file.

    Raises
    ------
    FileError
        For a file that is not a whole Parquet file.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(end - 8, 0))
            tail = file.read(8)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != _MAGIC or not 0 < length <= end - 12:
                raise ValueError("its footer is missing")
            file.seek(end - 8 - length)
            content = file.read(length)
        found = _Compact(content).struct(0)
        groups = tuple(RowGroup(int(each[_ROWS]), int(each[_BYTES])) for each in found[_ROW_GROUPS])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"{path}: cannot be read: {reason}.") from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise FileError(
            f"{path}: begins like Parquet but cannot be read ({error}). "
            "It may be truncated: write it again."
        ) from None
    return Footer(groups, hashlib.blake2b(content, digest_size=16).hexdigest())


class _Compact:
    """A reader of Thrift's compact protocol: structs as dictionaries of their fields' numbers."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def struct(self, depth: int) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            kind = head & 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):  # of a list: a byte each
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == _MAP:
            return self._map(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        return self._whole()

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        count = self._varint()
        kinds = self._byte() if count else 0
        return [
            (self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1))
            for _ in range(count)
        ]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._content):
            raise ValueError("its footer ends too early")
        return self._content[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _whole(self) -> int:
        """A whole number, its sign in the lowest bit."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
