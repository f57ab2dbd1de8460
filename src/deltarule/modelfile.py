"""One safetensors file a model: parameters as tensors, all the rest as JSON in its header.

A tensor ``2.W`` is W[2]. The header's metadata has one entry, ``deltarule``: the format's
version, the network, the preprocessing of the columns, the targets, and what is known about the
training. Nothing in a file is ever executed. A file is written whole or not at all, and every
number in it is checked before it becomes a model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import safetensors
import safetensors.numpy

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import DTYPES, Array, checked_matrix, columns, rows
from deltarule.costs import COSTS, Cost
from deltarule.errors import DeltaruleError, FileError, TypeMismatchError
from deltarule.initialisers import Initialiser
from deltarule.layers import KINDS, Layer
from deltarule.network import Network, Parameters, checked_parameters, feed_forward
from deltarule.tables import Table

if TYPE_CHECKING:
    from deltarule.preprocessing import Preprocessing, Targets

FORMAT = 1
"""The version of the metadata that this code writes, and the newest that it reads."""

_KEY = "deltarule"
_HEADER_LIMIT = 100_000_000  # bytes, safetensors' own
_DTYPES = {"F32": "float32", "F64": "float64"}
_ROWS_AT_ONCE = 8192

Row = Activation | Cost | type[Layer]


@dataclass(frozen=True)
class Model:
    """A trained network with all it needs to predict from a table as it came.

    Parameters
    ----------
    network : Network
    parameters : Parameters
    preprocessing : Preprocessing, optional
        Columns to numbers. Without it, examples are arrays ``(m, n[0])``.
    targets : Targets, optional
        Outputs to labels or units. Without it, predictions are A[L].
    about : mapping
        What is known about the training: figures, settings, split, versions; JSON values only.

    Examples
    --------
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(1)])
    >>> model = Model(network, ({"W": np.array([[1.0, 2.0]]), "b": np.array([[0.5]])},))
    >>> model.outputs(np.array([[1.0, 1.0], [0.0, 2.0]]))
    array([[3.5],
           [4.5]])
    """

    network: Network
    parameters: Parameters
    preprocessing: Preprocessing | None = None
    targets: Targets | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, of all parameters."""
        return _dtype_of(self.parameters)

    def outputs(self, frame: Any) -> Array:
        """A[L] as rows ``(m, n[L])``.

        Parameters
        ----------
        frame : polars.DataFrame or array
            As the training's table; columns in any order, further ones are left alone.

        Raises
        ------
        DataError, ShapeError, TypeMismatchError
            For a table or array that does not fit.
        """
        X = frame if self.preprocessing is None else self.preprocessing.transform(frame)
        X = checked_matrix("X", X, width=self.network.inputs, dtype=self.dtype)
        chunks = []
        with np.errstate(over="ignore", under="ignore"):
            for first in range(0, len(X), _ROWS_AT_ONCE):
                A0 = columns(X[first : first + _ROWS_AT_ONCE])
                chunks.append(rows(feed_forward(self.network, self.parameters, A0)[-1].A))
        return np.concatenate(chunks)

    def predict(self, frame: Any) -> Any:
        """Predictions in the target's own labels or units, one a row, in order."""
        A = self.outputs(frame)
        return A if self.targets is None else self.targets.decode(A)

    def probabilities(self, frame: Any) -> Array:
        """The probability of each class, ``(m, classes)``, in the order of ``targets.classes``.

        Raises
        ------
        TypeMismatchError
            Where the model is none of classification.
        """
        if self.targets is None or self.targets.task != "classification":
            raise TypeMismatchError(
                "probabilities: expected a model that was trained on classes; this one predicts "
                "numbers. Use predict."
            )
        A = self.outputs(frame)
        return np.hstack([1.0 - A, A]) if A.shape[1] == 1 else A


# --------------------------------------------------------------------------------- to a file


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a model to one safetensors file, whole or not at all.

    The same model gives the same bytes.

    Parameters
    ----------
    path : path
        A file that exists is replaced, once the new one is complete.
    model : Model

    Raises
    ------
    FileError
        Where the file cannot be written; what was there before is as it was.

    Examples
    --------
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     save_model(path, Model(network, network.initial_parameters()))
    ...     load_model(path).network.sizes
    (2, 1)
    """
    tensors = {
        f"{l}.{name}": np.ascontiguousarray(values)
        for l, layer in enumerate(model.parameters, 1)
        for name, values in layer.items()
    }
    metadata = {
        "format": FORMAT,
        "network": network_to_dict(model.network),
        "preprocessing": None if model.preprocessing is None else model.preprocessing.to_dict(),
        "targets": None if model.targets is None else model.targets.to_dict(),
        "about": dict(model.about),
    }
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    write_whole(path, safetensors.numpy.save(tensors, {_KEY: text}))


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that it is the old one or the new one at every moment, never half of it.

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe
            target.write_bytes(content)
            return
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, _mode_of(target))
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written: {_reason(error)}. What was there before is as it was."
        ) from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot become a file, before work is spent on what would go there.

    Raises
    ------
    FileError
        For a folder, or a folder that is missing or not writable.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileError(f"{path}: is a folder; expected the name of a file.")
    if not target.parent.is_dir():
        raise FileError(
            f"{path}: cannot be written: there is no folder {str(target.parent)!r}. Make it first."
        )
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise FileError(f"{path}: cannot be written: permission denied.")


def network_to_dict(network: Network) -> dict[str, Any]:
    """A network as JSON values: every field of every layer, rows by their names."""
    return {
        "inputs": network.inputs,
        "input_dropout": network.input_dropout,
        "cost": network.cost_row.name,
        "layers": [_stored(layer) for layer in network.layers],
        "own_rows": sorted(
            {_name(row) for row in _rows_in([network.cost_row, *network.layers]) if _is_own(row)}
        ),
    }


def _fields(layer: Layer) -> dict[str, Any]:
    """What a layer was made of; every kind is a dataclass."""
    return {
        entry.name: getattr(layer, entry.name) for entry in dataclasses.fields(cast(Any, layer))
    }


def _stored(value: Any) -> Any:
    """A field of a layer, or a layer, as JSON values."""
    if isinstance(value, Layer):
        return {"kind": value.kind} | {name: _stored(own) for name, own in _fields(value).items()}
    if isinstance(value, (tuple, list)):
        return [_stored(item) for item in value]
    return value.name if isinstance(value, (Activation, Cost, Initialiser)) else value


def _rows_in(value: Any) -> Iterator[Row]:
    """Every row that a field, a layer, or a list of them holds; of a layer its kind too."""
    if isinstance(value, Layer):
        yield type(value)
        yield from _rows_in(list(_fields(value).values()))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _rows_in(item)
    elif isinstance(value, (Activation, Cost)):
        yield value


def _name(row: Row) -> str:
    """What a file calls a row."""
    return f"kind {row.kind}" if isinstance(row, type) else row.name


def _is_own(row: Row) -> bool:
    """Whether a row is the user's, and no name in a file can bring it back."""
    if isinstance(row, type):
        return KINDS.entries.get(row.kind) is not row
    table: Table[Any] = ACTIVATIONS if isinstance(row, Activation) else COSTS
    base = row.name.partition("(")[0]
    entry = table.entries.get(base)
    return entry is None or (isinstance(entry, type(row)) and entry is not row)


def _mode_of(target: Path) -> int:
    """The permissions a file has or would get."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


# ------------------------------------------------------------------------------- from a file


def load_model(path: str | os.PathLike[str], rows: Iterable[Row] = ()) -> Model:
    """Read a model; whatever the file holds is checked before it is used.

    Parameters
    ----------
    path : path
    rows : iterable of Activation, Cost or classes of layers
        The user's own rows that the network was built with: a file stores their names only.

    Returns
    -------
    Model

    Raises
    ------
    FileError
        For a file that is missing, empty, truncated, foreign, too large, of a newer version, or
        whose contents do not fit each other.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header, start = _header(name, file.read(8 + min(size, _HEADER_LIMIT)), size)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{name}: cannot be read: {_reason(error)}.") from error
    metadata = _metadata(name, header)
    network = _network(name, metadata, {_name(row): row for row in rows})
    _check_tensors(name, header, network, size - start)
    return Model(
        network,
        _parameters(path, name, network),
        _part(name, metadata, "preprocessing", _preprocessing),
        _part(name, metadata, "targets", _targets),
        _part(name, metadata, "about", dict) or {},
    )


def _broken(name: str, what: str) -> FileError:
    return FileError(
        f"{name}: {what}. Expected a model file written by deltarule; restore it from a copy, or "
        "train it again with --out."
    )


def _header(name: str, content: bytes, size: int) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and where its numbers begin, from the file's first bytes."""
    if size == 0:
        raise _broken(name, "the file is empty")
    if size < 8:
        raise _broken(name, f"no model file: it has only {size} bytes")
    (length,) = struct.unpack("<Q", content[:8])
    start = 8 + length
    if content[8:9] != b"{" or length > _HEADER_LIMIT:
        raise _broken(name, "no model file: it does not begin like a safetensors file")
    if start > size:
        raise _broken(name, f"the file is truncated: its header needs {start} bytes, it has {size}")
    try:
        header = json.loads(content[8:start].decode("utf-8"))
    except ValueError:
        raise _broken(name, "no model file: its header is no JSON") from None
    if not isinstance(header, dict):
        raise _broken(name, "no model file: its header is no JSON object")
    return header, start


def _metadata(name: str, header: dict[str, Any]) -> dict[str, Any]:
    """Our own entry of the header's metadata; removes the metadata from the header."""
    entries = header.pop("__metadata__", None)
    text = entries.get(_KEY) if isinstance(entries, dict) else None
    if not isinstance(text, str):
        raise _broken(name, "a safetensors file, but not one of deltarule's")
    try:
        metadata = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        raise _broken(name, "its metadata is no JSON") from None
    version = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(version, int):
        raise _broken(name, "its metadata has no format version")
    if version > FORMAT:
        raise FileError(
            f"{name}: written by a newer deltarule: its format is {version}, this version reads "
            f"up to {FORMAT}. Upgrade with pip install --upgrade deltarule."
        )
    assert isinstance(metadata, dict)
    return metadata


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _network(name: str, metadata: dict[str, Any], own: dict[str, Row]) -> Network:
    """The network that the metadata describes."""
    stored = metadata.get("network")
    try:
        assert isinstance(stored, dict)
        missing = [row for row in stored.get("own_rows", []) if row not in own]
        if missing:
            raise FileError(
                f"{name}: the network uses {missing[0]!r}, a row of its author's own, and a file "
                "stores only its name. Load it in Python: load_model(path, rows=[the row])."
            )
        cost = own.get(stored["cost"], stored["cost"])
        assert isinstance(cost, (str, Cost))
        return Network(
            stored["inputs"],
            [_layer(layer, own) for layer in stored["layers"]],
            cost,
            stored["input_dropout"],
        )
    except FileError:
        raise
    except (DeltaruleError, AssertionError, KeyError, TypeError, AttributeError) as error:
        raise _broken(name, f"its network cannot be built ({error})") from error


def _layer(stored: dict[str, Any], own: dict[str, Row]) -> Layer:
    """A layer from its stored fields; a start that no name brings back is left to the kind."""
    settings = dict(stored)
    name = settings.pop("kind")
    kind = cast(Any, own.get(f"kind {name}") or KINDS.entry(name))
    layer: Layer = kind(
        **{
            name: _value(value, own)
            for name, value in settings.items()
            if value != "given" or value in own  # an array of one's own: training replaced it
        }
    )
    return layer


def _value(stored: Any, own: dict[str, Row]) -> Any:
    """A field of a layer from JSON values."""
    if isinstance(stored, dict):
        return _layer(stored, own)
    if isinstance(stored, list):
        return tuple(_value(item, own) for item in stored)
    return own.get(stored, stored) if isinstance(stored, str) else stored


def _check_tensors(name: str, header: dict[str, Any], network: Network, available: int) -> None:
    """Refuse tensors that are not exactly the network's, before any is allocated."""
    expected = {
        f"{l}.{part}": list(shape)
        for l, shapes in enumerate(network.shapes, 1)
        for part, shape in shapes.items()
    }
    if set(header) != set(expected):
        wrong = sorted(set(header) ^ set(expected))[0]
        state = "is missing" if wrong in expected else "is one too many"
        raise _broken(name, f"its tensors do not fit its network: {wrong!r} {state}")
    dtypes = set()
    needed = 0
    for tensor, shape in expected.items():
        stored = header[tensor]
        got = stored.get("shape") if isinstance(stored, dict) else None
        if got != shape:
            raise _broken(name, f"tensor {tensor!r} should have shape {shape}, it has {got}")
        if stored.get("dtype") not in _DTYPES:
            raise _broken(
                name,
                f"tensor {tensor!r} should be of {' or '.join(DTYPES)}, it is of "
                f"{stored.get('dtype')}",
            )
        dtypes.add(stored["dtype"])
        needed += shape[0] * shape[1] * np.dtype(_DTYPES[stored["dtype"]]).itemsize
    if len(dtypes) > 1:
        raise _broken(name, "its tensors are of different dtypes")
    if needed != available:
        state = "truncated" if needed > available else "too long"
        raise _broken(
            name, f"the file is {state}: its parameters need {needed} bytes, it has {available}"
        )


def _parameters(path: str | os.PathLike[str], name: str, network: Network) -> Parameters:
    """The tensors, finite and of the network's shapes."""
    try:
        tensors = safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise _broken(name, f"its tensors cannot be read ({error})") from error
    parameters = tuple(
        {part: tensors[f"{l}.{part}"] for part in shapes}
        for l, shapes in enumerate(network.shapes, 1)
    )
    try:
        return checked_parameters(network, parameters, _dtype_of(parameters))
    except DeltaruleError as error:
        raise _broken(name, f"its parameters cannot be used ({error})") from error


def _dtype_of(parameters: Parameters) -> np.dtype[Any]:
    """That of the first array; a network may begin with layers that have none."""
    arrays = (values for layer in parameters for values in layer.values())
    return next((values.dtype for values in arrays), np.dtype(np.float64))


def _preprocessing(stored: dict[str, Any]) -> Preprocessing:
    from deltarule.preprocessing import Preprocessing  # a network alone needs no tables

    return Preprocessing.from_dict(stored)


def _targets(stored: dict[str, Any]) -> Targets:
    from deltarule.preprocessing import Targets

    return Targets.from_dict(stored)


def _part(name: str, metadata: dict[str, Any], part: str, build: Any) -> Any:
    """A further part of the metadata, built; None where there is none."""
    stored = metadata.get(part)
    if stored is None:
        return None
    try:
        return build(stored)
    except Exception as error:  # whatever a foreign hand may have put there
        raise _broken(name, f"its {part} cannot be read ({error})") from error
