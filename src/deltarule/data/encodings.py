"""The encoding of a text file: UTF-8 even where a byte is damaged, UTF-16 without a mark, others.

What a library detects is a guess from statistics; what it may be, and what counts as UTF-8, is
decided here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from deltarule.errors import FileError, require, setting

FALLBACK = "cp1252"
"""What a text is taken for that is not UTF-8, where nothing better is known."""

_MARKS = {  # that of UTF-16 begins the other
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r"})
_BEYOND_ASCII = re.compile(rb"[^\n\r]*[\x80-\xff][^\n\r]*[\n\r]*")
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_TWO_BEYOND = re.compile(rb"[\x80-\xff][\x40-\x7e]?[\x80-\xff]")
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
_ENOUGH = 1 << 16  # bytes of lines beyond ASCII tell an encoding


class Encoding(NamedTuple):
    """How bytes become text.

    Attributes
    ----------
    name : str
    notes : tuple of str
        What people should know of it, each to be written behind the file's name.
    """

    name: str
    notes: tuple[str, ...] = ()


def encoding_of(path: Path, pieces: Sequence[bytes], asked: str | None = None) -> Encoding:
    r"""The encoding of a text of which some pieces are known: its beginning, then others.

    Parameters
    ----------
    path : Path
        For messages.
    pieces : sequence of bytes
    asked : str, optional
        The encoding, where nothing is to be detected.

    Raises
    ------
    FileError
        For bytes that are not text.

    Examples
    --------
    >>> encoding_of(Path("a.csv"), ["a,b\n1,café\n".encode()]).name
    'utf-8'
    >>> encoding_of(Path("a.csv"), ["a,b\n1,2\n".encode("utf-16-le")]).name
    'utf-16-le'
    """
    if asked is not None:
        return Encoding(asked)
    for mark, name in _MARKS.items():
        if pieces[0].startswith(mark):
            return Encoding(name)
    unmarked = _without_mark(pieces[0])
    if unmarked is not None:
        return Encoding(unmarked, (f"has no byte order mark; read as {unmarked}",))
    sample = b"\n".join(pieces)
    controls = len(sample) - len(sample.translate(None, delete=_CONTROLS))
    if controls > max(1, len(sample) / 100):
        raise no_text(path)
    whole = len(pieces) == 1
    if all(_is_utf8(piece, whole) for piece in pieces) or is_damaged_utf8(sample):
        return Encoding("utf-8")
    return _guessed(sample)


def is_damaged_utf8(content: bytes) -> bool:
    r"""Whether most of what is beyond ASCII is UTF-8: its characters outnumber all other bytes.

    Examples
    --------
    >>> is_damaged_utf8("Köln, Malmö, ".encode() + b"K\xf6ln"), is_damaged_utf8(b"K\xf6ln")
    (True, False)
    """
    rest, characters = _SEQUENCE.subn(b"", content)
    bad = len(rest) - len(rest.translate(None, delete=bytes(range(128, 256))))
    return characters > bad


def repaired(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    r"""Damaged UTF-8 with its bad bytes replaced, and a note of where they are.

    Examples
    --------
    >>> repaired(b"town\nK\xf6ln\n")[1]
    ("has bytes that are not UTF-8, read as �: line 2, 'K�ln'",)
    """
    lines = content.decode("utf-8", "replace").split("\n")
    before = content.split(b"\n")
    odd = [i for i, line in enumerate(lines) if "\ufffd" in line and not _is_utf8(before[i], True)]
    if not odd:
        return content, ()
    note = f"has bytes that are not UTF-8, read as \ufffd: line {odd[0] + 1}, "
    note += repr(lines[odd[0]].strip()[:60])
    if len(odd) > 1:
        note += f" and {len(odd) - 1:,} more"
    return "\n".join(lines).encode(), (note,)


def decoded(path: Path, piece: bytes, encoding: str, errors: str = "strict") -> str:
    """Text without the mark that may stand before it.

    Raises
    ------
    FileError
        For bytes that are not of the encoding, where `errors` is strict.
    """
    try:
        return piece.decode(encoding, errors).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise not_of(path, encoding, error) from None


def is_by_bytes(encoding: str) -> bool:
    """Whether a line ends with one byte that is nothing else.

    Examples
    --------
    >>> is_by_bytes("gb18030"), is_by_bytes("utf-16")
    (True, False)
    """
    name = codecs.lookup(encoding).name
    stateful = name.startswith(("utf-7", "hz", "iso2022"))
    return not stateful and "\n".encode(encoding) == b"\n"


def no_text(path: Path) -> FileError:
    """The error for a file that is not text."""
    return FileError(
        f"{path}: holds bytes that are not text; expected CSV, TSV or Parquet. "
        f"If it is text, pass its {setting('encoding', '--encoding')}."
    )


def not_of(path: Path, encoding: str, error: UnicodeDecodeError) -> FileError:
    """The error for a file that is not of an encoding."""
    return FileError(
        f"{path}: is not {encoding}: {error.reason} at byte {error.start}. "
        f"Pass its {setting('encoding', '--encoding')}."
    )


def _without_mark(head: bytes) -> str | None:
    """UTF-16 where zero bytes stand at one parity only, and all of it is text."""
    if b"\x00" not in head:
        return None
    head = head[: len(head) // 2 * 2]
    zeros = [head[parity::2].count(0) for parity in (0, 1)]
    if max(zeros) < max(2, len(head) / 50) or min(zeros) > max(zeros) / 50:
        return None
    name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    text = head.decode(name, "ignore")
    odd = sum(text.count(chr(control)) for control in _CONTROLS)
    is_text = odd <= len(text) / 100 and ("\n" in text or "\r" in text)
    return name if is_text and len(text.encode(name)) >= len(head) - 2 else None


def _is_utf8(piece: bytes, whole: bool) -> bool:
    """Whether bytes are UTF-8; a piece may begin and end within a character."""
    begins = 0
    while not whole and begins < 3 and piece[begins : begins + 1] and 0x80 <= piece[begins] < 0xC0:
        begins += 1
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece[begins:], final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _guessed(sample: bytes) -> Encoding:
    """What a library finds in the lines beyond ASCII, else what Windows wrote in the west."""
    override = f"pass {setting('encoding', '--encoding')} if that is wrong"
    if find_spec("chardet") is None:
        override += ', or run pip install "deltarule[formats]" to detect others'
        return Encoding(FALLBACK, (f"is not UTF-8; read as {FALLBACK}; {override}",))
    chardet = require("chardet", "formats", "detecting an encoding", threads=False)
    lines = b"".join(_first_lines(sample))
    found = chardet.detect(
        lines,
        encoding_era=chardet.EncodingEra.MODERN_WEB,
        prefer_superset=True,
        # other scripts have several letters beyond ASCII in a row
        include_encodings=None if _TWO_BEYOND.search(lines) else _LATIN,
    )
    name = codecs.lookup(found["encoding"] or FALLBACK).name
    if name in _LATIN and not _has_letters_of(name, lines):
        name = FALLBACK
    return Encoding(name, (f"is not UTF-8; read as {name}; {override}",))


def _first_lines(sample: bytes) -> Iterator[bytes]:
    """Lines that tell an encoding, each once."""
    seen: set[bytes] = set()
    size = 0
    for found in _BEYOND_ASCII.finditer(sample):
        line = found[0]
        if line not in seen:
            seen.add(line)
            size += len(line)
            yield line
        if size > _ENOUGH:
            return


def _has_letters_of(name: str, lines: bytes) -> bool:
    """Whether letters of a Latin encoding stand where the fallback has something else."""
    one, other = (lines.decode(encoding, "replace") for encoding in (name, FALLBACK))
    return any(a != b and a.isalpha() for a, b in zip(one, other, strict=True))
