"""From a file: a safetensors file of this package's, every size and shape checked beforehand.

The file may stand within a page (:mod:`~deltarule.system.storage.pages`): then its bytes are read.

Nothing in a file is executed, and nothing is allocated that is larger than the file itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import FileError
from deltarule.system.storage import pages

_TAIL = ', "digest": "{}"}}'  # how a signed JSON text ends
_TAIL_LENGTH = len(_TAIL.format("0" * 32))
_HEADER_LIMIT = 32_000_000  # bytes, of the file and of its text in memory
_MOST_LISTS = 300_000  # lists and records of a JSON text: a table of 100,000 columns has fewer
_MOST_VALUES = 1_200_000  # with all that they hold
_DEEPEST = 100  # one within another
_LONGEST = 400  # characters of what is said of a file, some of which it says itself
_DTYPES = {"F32": "float32", "F64": "float64", "BOOL": "bool", "U8": "uint8"}
_CODES = {name: code for code, name in _DTYPES.items()}


class Tensor(NamedTuple):
    """What a header says of a tensor: its dtype by NumPy's name, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: Array) -> Tensor:
        """Of an array."""
        return cls(array.dtype.name, tuple(array.shape))

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class FileKind:
    """A kind of file, and what its errors say.

    Parameters
    ----------
    key : str
        The entry of the header's metadata that holds its JSON.
    noun : str
        As ``"model file"``.
    newest : int
        The newest version that this code reads.
    digested_from : int
        The first version whose files carry a digest.
    advice : str
        What to do about a file that is broken.
    """

    key: str
    noun: str
    newest: int
    digested_from: int
    advice: str

    def broken(self, name: str, what: str) -> FileError:
        """The error for a file that cannot be used."""
        what = what if len(what) <= _LONGEST else f"{what[:_LONGEST]}…"
        return FileError(
            f"{name}: {what}. Expected a {self.noun} written by deltarule; {self.advice}"
        )


_ANY = FileKind("", "file", 0, 0, "")


@dataclass(frozen=True)
class Opened:
    """A file whose header is read and makes sense; its numbers are still on the disk.

    Attributes
    ----------
    name : str
        Of the file.
    kind : FileKind
    version : int
    metadata : dict
    tensors : mapping of str to Tensor
    text, digest : str
        The JSON as it was signed, and its signature.
    available : int
        How many bytes of numbers the file has.
    carried : bytes or None
        The file's own bytes where it stands within a page.
    """

    name: str
    kind: FileKind
    version: int
    metadata: dict[str, Any]
    tensors: Mapping[str, Tensor]
    text: str
    digest: str
    available: int
    carried: bytes | None = None

    def broken(self, what: str) -> FileError:
        """The error for this file."""
        return self.kind.broken(self.name, what)

    def expect(self, expected: Mapping[str, Tensor], whose: str) -> None:
        """Refuse tensors other than these.

        Parameters
        ----------
        expected : mapping of str to Tensor
        whose : str
            What they should fit, for the message: ``"its network"``.

        Raises
        ------
        FileError
            With the first that is missing, too many, or of another shape or dtype.
        """
        if set(self.tensors) != set(expected):
            wrong = min(set(self.tensors) ^ set(expected))
            state = "is missing" if wrong in expected else "is one too many"
            raise self.broken(f"its tensors do not fit {whose}: {wrong!r} {state}")
        for name, tensor in expected.items():
            got = self.tensors[name]
            if got.shape != tensor.shape:
                raise self.broken(
                    f"tensor {name!r} should have shape {list(tensor.shape)}, "
                    f"it has {list(got.shape)}"
                )
            if got.dtype != tensor.dtype:
                raise self.broken(
                    f"tensor {name!r} should be of {tensor.dtype}, it is of {got.dtype}"
                )
        needed = sum(tensor.nbytes for tensor in expected.values())
        if needed != self.available:
            state = "truncated" if needed > self.available else "too long"
            raise self.broken(
                f"the file is {state}: its numbers need {needed} bytes, it has {self.available}"
            )

    def load(self) -> dict[str, Array]:
        """The numbers, as they were written.

        Raises
        ------
        FileError
            Where they cannot be read, or differ from what the digest says.
        """
        import safetensors.numpy  # only a file needs it

        try:
            if self.carried is None:
                arrays = safetensors.numpy.load_file(self.name)
            else:
                arrays = safetensors.numpy.load(self.carried)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise self.broken(f"its tensors cannot be read ({error})") from error
        if {name: Tensor.of(array) for name, array in arrays.items()} != self.tensors:
            raise self.broken("its header contradicts itself")
        sealed = self.version >= self.kind.digested_from
        if sealed and self.digest != digest_of(self.text, self.tensors, arrays):
            raise self.broken("its contents have changed since they were written")
        return arrays


def digest_of(text: str, tensors: Mapping[str, Tensor], arrays: Mapping[str, Array]) -> str:
    """BLAKE2b, 16 bytes, of the JSON text, and of name, dtype, shape and bytes of every tensor.

    The tensors go in the order of their names; the parts of the head of each are separated by
    spaces, the numbers of a shape by commas, and every head and the text end with a newline.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(b"\n")
    for name in sorted(tensors):
        tensor = tensors[name]
        shape = ",".join(map(str, tensor.shape))
        digest.update(f"{name} {_CODES[tensor.dtype]} {shape}\n".encode())
        values: Any = np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8)
        digest.update(values)
    return digest.hexdigest()


def signed(text: str, tensors: Mapping[str, Tensor], arrays: Mapping[str, Array]) -> str:
    """A JSON object's text with the digest as its last entry."""
    return text[:-1] + _TAIL.format(digest_of(text, tensors, arrays))


def open_tensors(path: str | os.PathLike[str], kind: FileKind) -> Opened:
    """Read the header of a file, and check it against the file's size.

    Parameters
    ----------
    path : path
    kind : FileKind
        What the file should be.

    Raises
    ------
    FileError
        For a file that is missing, empty, truncated, foreign, too long, or of a newer version.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = _within_page(kind, name, file)
            size = os.fstat(file.fileno()).st_size if content is None else len(content)
            source = file if content is None else io.BytesIO(content)
            header, start = _header(kind, name, source, size)
    except FileError:
        raise
    except (OSError, ValueError) as error:  # a name with a null character
        raise FileError(f"{name}: cannot be read: {reason(error)}.") from error
    entries = header.pop("__metadata__", None)
    text = entries.get(kind.key) if isinstance(entries, dict) else None
    if not isinstance(text, str):
        raise kind.broken(name, f"a safetensors file, but not one of deltarule's {kind.noun}s")
    metadata, version = _metadata(kind, name, text)
    tensors = {tensor: _tensor(kind, name, tensor, stored) for tensor, stored in header.items()}
    digest = str(metadata.pop("digest", ""))
    unsigned = text[:-_TAIL_LENGTH] + "}"
    return Opened(name, kind, version, metadata, tensors, unsigned, digest, size - start, content)


def stored_kind(path: str | os.PathLike[str]) -> str | None:
    """The key of the :class:`FileKind` that a safetensors file is of; None for any other file.

    Nothing but the names in its header is looked at: whoever opens the file checks it.
    """
    try:
        with open(path, "rb") as file:
            header, _ = _header(_ANY, os.fspath(path), file, os.fstat(file.fileno()).st_size)
    except (OSError, ValueError):
        return None
    entries = header.get("__metadata__")
    known = entries if isinstance(entries, dict) else {}
    return next((key for key in known if key.startswith("deltarule")), None)


def reason(error: OSError | ValueError) -> str:
    """What the system says of an error, for the middle of a sentence."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _within_page(kind: FileKind, name: str, file: BinaryIO) -> bytes | None:
    """The bytes that a page holds; None for a file that is not a page, read from its beginning."""
    head = file.read(len(pages.BEGINS))
    if head != pages.BEGINS:
        file.seek(0)
        return None
    content = head + file.read()
    version = pages.page_version(content)
    if version > pages.FORMAT:
        raise _too_new(f"{name}: a page", version, pages.FORMAT)
    try:
        return pages.carried(content)
    except ValueError as error:
        raise kind.broken(name, str(error)) from None


def _too_new(what: str, version: int, newest: int) -> FileError:
    return FileError(
        f"{what} written by a newer deltarule: its format is {version!s:.20}, this version reads "
        f"up to {newest}. Upgrade with pip install --upgrade deltarule."
    )


def _header(kind: FileKind, name: str, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and where its numbers begin."""
    if size == 0:
        raise kind.broken(name, "the file is empty")
    if size < 8:
        raise kind.broken(name, f"no {kind.noun}: it has only {size} bytes")
    begins = file.read(8)
    if begins.startswith(b"<"):
        raise kind.broken(name, f"no {kind.noun}: it is a page in HTML that carries none")
    (length,) = struct.unpack("<Q", begins)
    start, first = 8 + length, file.read(1)
    if first != b"{" or length > _HEADER_LIMIT:
        raise kind.broken(name, f"no {kind.noun}: it does not begin like a safetensors file")
    if start > size:
        raise kind.broken(
            name, f"the file is truncated: its header needs {start} bytes, it has {size}"
        )
    try:
        text = (first + file.read(length - 1)).decode("utf-8")
    except UnicodeDecodeError:
        raise kind.broken(name, f"no {kind.noun}: its header is not text") from None
    return _parsed(kind, name, "header", text), start


def _metadata(kind: FileKind, name: str, text: str) -> tuple[dict[str, Any], int]:
    """The JSON object of ours, and its version."""
    metadata = _parsed(kind, name, "metadata", text)
    version = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise kind.broken(name, "its metadata has no format version")
    if version > kind.newest:
        raise _too_new(f"{name}:", version, kind.newest)
    return metadata, version


def _parsed(kind: FileKind, name: str, what: str, text: str) -> Any:
    """A JSON text that is counted before anything is built of it: what it costs is bounded."""
    size = sys.getsizeof(text)
    if size > _HEADER_LIMIT + 100:
        raise kind.broken(name, f"its {what} takes {size:,} bytes of memory")
    lists = text.count("[") + text.count("{")
    for count, most, of in (
        (lists, _MOST_LISTS, "lists and records"),
        (lists + text.count(","), _MOST_VALUES, "values"),
    ):
        if count > most:
            raise kind.broken(name, f"its {what} holds {count:,} {of}; expected at most {most:,}")
    try:
        tree = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise kind.broken(name, f"its {what} is not JSON of finite numbers") from None
    level, depth = [tree], 0
    while level:
        if depth == _DEEPEST:
            raise kind.broken(name, f"its {what} is nested more than {_DEEPEST} deep")
        level, depth = [item for node in level for item in _within(node)], depth + 1
    return tree


def _within(node: Any) -> list[Any]:
    """The lists and records directly within one."""
    items = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [item for item in items if isinstance(item, (dict, list))]


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _tensor(kind: FileKind, name: str, tensor: str, stored: Any) -> Tensor:
    """A tensor's entry, well formed: no size is trusted that the file could not hold."""
    entry = stored if isinstance(stored, dict) else {}
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        known = " or ".join(_DTYPES.values())
        raise kind.broken(
            name, f"tensor {tensor!r:.80} should be of {known}, it is of {dtype!s:.80}"
        )
    sizes: list[Any] = shape if isinstance(shape, list) else [None]
    if len(sizes) > 3 or not all(type(n) is int and 0 <= n < 2**48 for n in sizes):
        raise kind.broken(name, f"tensor {tensor!r:.80} has no usable shape: {shape!r:.80}")
    return Tensor(_DTYPES[dtype], tuple(sizes))
