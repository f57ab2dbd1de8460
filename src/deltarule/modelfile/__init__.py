"""One safetensors file a model: parameters as tensors, all the rest as JSON in its header.

A tensor ``2.W`` is W[2]; ``spread.2.W`` is that of the network of interval widths, where there is
one. The header's metadata has one entry, ``deltarule``: the format's version, the network, the
preprocessing of the columns, the targets, and what is known about the training. Nothing in a file
is ever executed. A file is written atomically, and every number in it is checked before it
becomes a model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule.arrays import DTYPES, Array, checked_matrix
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import Plan, Runner
from deltarule.errors import DeltaruleError, SettingError, TypeMismatchError
from deltarule.modelfile.networks import Row, network_in, network_to_dict, row_name
from deltarule.network import Network, Parameters, checked_parameters
from deltarule.system.storage import (
    FileKind,
    Opened,
    Tensor,
    check_writable,
    open_tensors,
    tensor_bytes,
    write_whole,
)
from deltarule.training.examples import checked_examples
from deltarule.training.predictions import (
    Labels,
    checked_probabilities,
    class_count,
    evaluated,
    probabilities,
)

if TYPE_CHECKING:
    from deltarule.modelfile.rows import RowPredictor
    from deltarule.preprocessing import Preprocessing, Targets

FORMAT = 3
"""The version of the metadata that this code writes, and the newest that it reads.

1 had no digest of its contents; 2 no decisions, embedded categories and networks of widths.
"""

KIND = FileKind(
    "deltarule",
    "model file",
    FORMAT,
    2,
    "restore it from a copy, or train and save it again.",
)
_ROWS_AT_ONCE = 8192
_SPREAD = "spread."  # what the names of that network's tensors begin with

__all__ = [
    "FORMAT",
    "KIND",
    "Model",
    "Row",
    "check_writable",
    "load_model",
    "model_bytes",
    "network_to_dict",
    "save_model",
    "tensor_names",
    "write_whole",
]


@dataclass(frozen=True, repr=False)
class Model:
    """A trained network with all it needs to predict from a raw table.

    Parameters
    ----------
    network : Network
        The layers and the cost.
    parameters : Parameters
        Those of each layer by name: ``parameters[0]["W"]`` is ``(n[1], n[0])``.
    preprocessing : Preprocessing, optional
        Columns to numbers. Without it, examples are arrays ``(m, n[0])``.
    targets : Targets, optional
        Outputs to labels or units. Without it, predictions are A[L].
    about : mapping
        What is known about the training: figures, settings, split, versions; JSON values only.
    spread : (Network, Parameters), optional
        Of a regression: from prepared inputs and outputs, side by side, to the width of each
        output's interval in this row, relative to the usual one.

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
    spread: tuple[Network, Parameters] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, of all parameters."""
        return _dtype_of(self.parameters)

    def outputs(self, frame: Any) -> Array:
        """A[L] as rows ``(m, n[L])``.

        Parameters
        ----------
        frame : data frame, mapping, records or array
            As the training's table, its text read as there; columns in any order, further ones are
            ignored.

        Raises
        ------
        DataError, ShapeError, TypeMismatchError
            For a table or array that does not fit.
        """
        return _predicted(self._runner(), self._prepared(frame))

    def outputs_and_widths(self, frame: Any) -> tuple[Array, Array]:
        """A[L] as :meth:`outputs`, and the relative width of each output's interval, as large.

        Widths are 1 where the model has no network of them.

        Parameters
        ----------
        frame : data frame, mapping, records or array
            As of :meth:`outputs`.
        """
        X = self._prepared(frame)
        A = _predicted(self._runner(), X)
        if self.spread is None:
            return A, np.ones_like(A)
        return A, _predicted(_runner(*self.spread, self.dtype), np.hstack([X, A]))

    @property
    def labels(self) -> Labels | None:
        """The classes of a network that was trained on labels, without a table."""
        classes = self.about.get("classes")
        return None if classes is None or self.targets is not None else Labels(np.array(classes))

    def predict(self, frame: Any) -> Any:
        """Predictions in the target's own labels or units, one a row, in order.

        A data frame where the model has targets; else an array: labels ``(m,)`` of a network that
        was trained on labels, or A[L].
        """
        A = self.outputs(frame)
        if self.targets is not None:
            return self.targets.decode(A)
        return A if self.labels is None else self.labels.decoded(A)

    def predict_proba(self, frame: Any) -> Array:
        """The probability of each class, ``(m, classes)``, in the order of the classes.

        Raises
        ------
        TypeMismatchError
            Where the model is none of classification.
        """
        if self.targets is None:
            return checked_probabilities(self.network, self.outputs(frame))
        if self.targets.task != "classification":
            raise TypeMismatchError(
                "predict_proba: expected a model that was trained on classes; this one predicts "
                "numbers. Use predict."
            )
        return probabilities(self.outputs(frame))

    def row_predictor(self) -> RowPredictor:
        """What predicts one row at a time, in microseconds: for a server, or a loop.

        Raises
        ------
        SettingError
            For a model of arrays, without a table's columns.
        """
        from deltarule.modelfile.rows import RowPredictor  # a network alone needs no tables

        roles = self.about.get("roles")
        return RowPredictor(self.preprocessing, self.targets, self._runner(), roles)

    def predict_row(self, row: Mapping[str, Any]) -> Any:
        """The prediction of one row: a label, a number, or of several targets a dict of numbers.

        Parameters
        ----------
        row : mapping of str to cell
            As :class:`~deltarule.modelfile.rows.RowPredictor` takes it.
        """
        return self._row_predictor(row)

    def predict_proba_row(self, row: Mapping[str, Any]) -> dict[Any, float]:
        """The probability of each class for one row, by class.

        Parameters
        ----------
        row : mapping of str to cell
        """
        return self._row_predictor.predict_proba(row)

    def evaluate(self, X: Any, Y: Any, weights: Any = None) -> dict[str, float]:
        """The cost and the metrics of a network of arrays; as :meth:`deltarule.Result.evaluate`.

        Raises
        ------
        SettingError
            For a model of a table: its estimator and ``deltarule evaluate`` know its metrics.
        """
        if self.preprocessing is not None:
            raise SettingError(
                "evaluate: expected a model of arrays; this one is of a table. Load it with "
                "deltarule.load, or run deltarule evaluate."
            )
        if self.labels is not None:
            Y = self.labels.codes(Y)
        return evaluated(self._runner(), checked_examples(self.network, X, Y, weights, self.dtype))

    def save(self, path: str | os.PathLike[str]) -> None:
        """As :func:`save_model`."""
        save_model(path, self)

    @cached_property
    def _row_predictor(self) -> RowPredictor:
        return self.row_predictor()

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: a copy or another process prepares its own predictor of rows."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _prepared(self, frame: Any) -> Array:
        """The network's inputs, ``(m, n[0])``."""
        X = frame if self.preprocessing is None else self.preprocessing.transform(frame)
        return checked_matrix("X", X, width=self.network.inputs, dtype=self.dtype)

    def _runner(self) -> Runner:
        return _runner(self.network, self.parameters, self.dtype)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.network.sizes))
        of = (
            "arrays" if self.preprocessing is None else f"{len(self.preprocessing.columns)} columns"
        )
        return f"Model({sizes}, {self.network.parameter_count:,} parameters, of {of})"


def _runner(network: Network, parameters: Parameters, dtype: Any) -> Runner:
    """A new one for each call: several threads may predict."""
    plan = Plan(network, dtype=dtype)
    return start_plan(plan, choose(plan).name, parameters)


def _predicted(runner: Runner, X: Array) -> Array:
    """A[L] of rows, some at a time."""
    some = (X[first : first + _ROWS_AT_ONCE] for first in range(0, len(X), _ROWS_AT_ONCE))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.concatenate([runner.predict(rows) for rows in some])


# --------------------------------------------------------------------------------- to a file


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a model to one safetensors file, atomically.

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
    ShapeError, TypeMismatchError, DataError
        For parameters that are not the network's, or not finite; for `about` that is not JSON.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from deltarule import Dense
    >>> network = Network(2, [Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     save_model(path, Model(network, network.initial_parameters()))
    ...     load_model(path).network.sizes
    (2, 1)
    """
    write_whole(path, model_bytes(model))


def model_bytes(model: Model) -> bytes:
    """The bytes of the file that :func:`save_model` writes.

    Parameters
    ----------
    model : Model
    """
    tensors = {
        f"{prefix}{l}.{name}": values
        for prefix, (network, parameters) in _networks(model).items()
        for l, layer in enumerate(checked_parameters(network, parameters, model.dtype), 1)
        for name, values in layer.items()
    }
    metadata = {
        "format": FORMAT,
        "network": network_to_dict(model.network),
        **({} if model.spread is None else {"spread": network_to_dict(model.spread[0])}),
        "preprocessing": None if model.preprocessing is None else model.preprocessing.to_dict(),
        "targets": None if model.targets is None else model.targets.to_dict(),
        "about": dict(model.about),
    }
    return tensor_bytes(KIND.key, tensors, metadata)


def tensor_names(model: Model) -> dict[int, str]:
    """By the ``id`` of each parameter's array, the name of its tensor in the model's file.

    Parameters
    ----------
    model : Model
        Which keeps the arrays.
    """
    return {
        id(values): f"{prefix}{l}.{name}"
        for prefix, (_, parameters) in _networks(model).items()
        for l, layer in enumerate(parameters, 1)
        for name, values in layer.items()
    }


def _networks(model: Model) -> dict[str, tuple[Network, Parameters]]:
    """The model's networks by what the names of their tensors begin with."""
    own = {"": (model.network, model.parameters)}
    return own if model.spread is None else own | {_SPREAD: model.spread}


# ------------------------------------------------------------------------------- from a file


def load_model(path: str | os.PathLike[str], rows: Iterable[Row] = ()) -> Model:
    """Read a model; whatever the file holds is checked before it is used.

    Parameters
    ----------
    path : path
    rows : iterable of Activation, Cost or type
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
    opened = open_tensors(path, KIND)
    custom = {row_name(row): row for row in rows}
    networks = {"": network_in(opened, custom)}
    if opened.metadata.get("spread") is not None:
        networks[_SPREAD] = network_in(opened, custom, "spread")
    opened.expect(_expected(opened, networks), "its network")
    tensors = opened.load()
    network, spread = networks[""], networks.get(_SPREAD)
    parameters = _parameters(opened, network, tensors)
    preprocessing = part_in(opened, "preprocessing", preprocessing_from)
    targets = part_in(opened, "targets", targets_from)
    for what, own, width in (
        ("columns", preprocessing and preprocessing.width, network.inputs),
        ("targets", targets and targets.outputs, network.outputs),
        ("widths", spread and spread.outputs, network.outputs),
        ("outputs", spread and spread.inputs - network.inputs, network.outputs),
    ):
        if own not in (None, width):
            raise opened.broken(f"its {what} make {own} where its network has {width}")
    about = part_in(opened, "about", _mapping) or {}
    if not _are_classes(about.get("classes"), class_count(network)):
        raise opened.broken("its classes are not those of its network's outputs")
    if spread is None:
        return Model(network, parameters, preprocessing, targets, about)
    widths = spread, _parameters(opened, spread, tensors, _SPREAD)
    return Model(network, parameters, preprocessing, targets, about, widths)


def _are_classes(classes: Any, count: int) -> bool:
    """Whether these are as many different labels of one type, or none at all."""
    if classes is None:
        return True
    kinds = {type(label) for label in classes} if isinstance(classes, list) else set()
    return (
        len(kinds) == 1 and kinds <= {str, int, bool} and len(set(classes)) == count == len(classes)
    )


def _expected(opened: Opened, networks: Mapping[str, Network]) -> dict[str, Tensor]:
    """The tensors that networks have, all of the first one's dtype."""
    dtypes = (opened.tensors[name].dtype for name in sorted(opened.tensors))
    dtype = next((name for name in dtypes if name in DTYPES), DTYPES[0])
    return {
        f"{prefix}{l}.{part}": Tensor(dtype, tuple(shape))
        for prefix, network in networks.items()
        for l, shapes in enumerate(network.shapes, 1)
        for part, shape in shapes.items()
    }


def _parameters(
    opened: Opened, network: Network, tensors: Mapping[str, Array], prefix: str = ""
) -> Parameters:
    """The tensors, finite and of the network's shapes."""
    parameters = tuple(
        {part: tensors[f"{prefix}{l}.{part}"] for part in shapes}
        for l, shapes in enumerate(network.shapes, 1)
    )
    try:
        return checked_parameters(network, parameters, _dtype_of(parameters))
    except DeltaruleError as error:
        raise opened.broken(f"its parameters cannot be used ({error})") from error


def _dtype_of(parameters: Parameters) -> np.dtype[Any]:
    """That of the first array; a network may begin with layers that have none."""
    arrays = (values for layer in parameters for values in layer.values())
    return next((values.dtype for values in arrays), np.dtype(np.float64))


def preprocessing_from(stored: dict[str, Any]) -> Preprocessing:
    """The preprocessing that a file's metadata describes."""
    from deltarule.preprocessing import Preprocessing  # a network alone needs no tables

    return Preprocessing.from_dict(stored)


def targets_from(stored: dict[str, Any]) -> Targets:
    """The targets that a file's metadata describes."""
    from deltarule.preprocessing import Targets

    return Targets.from_dict(stored)


def _mapping(stored: Any) -> dict[str, Any]:
    if not isinstance(stored, dict):
        raise ValueError(f"it is a {type(stored).__name__}")
    return stored


def part_in(opened: Opened, part: str, build: Any) -> Any:
    """A further part of the metadata, built; None where there is none."""
    stored = opened.metadata.get(part)
    if stored is None:
        return None
    try:
        return build(stored)
    except Exception as error:  # whatever a foreign hand may have put there
        raise opened.broken(f"its {part} cannot be read ({error})") from error
