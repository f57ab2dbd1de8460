"""The models of all keys: one file, and a prediction for every row by its key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deltarule.arrays import DTYPES, Array
from deltarule.data import frame_of
from deltarule.errors import (
    DataError,
    FileError,
    TypeMismatchError,
    UnknownNameError,
    require,
    setting,
)
from deltarule.keyed.figures import Summary, summary
from deltarule.keyed.stacks import Stack
from deltarule.keyed.training import outputs, scaled
from deltarule.layers import Dense
from deltarule.modelfile import Model, part_in, preprocessing_from, targets_from
from deltarule.modelfile.networks import network_in, network_to_dict
from deltarule.network import Network
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.preprocessing.cells import numbered
from deltarule.registry import Registry, nearest
from deltarule.system.storage import FileKind, open_tensors, tensor_bytes, write_whole
from deltarule.training.predictions import probabilities

FORMAT = 1
"""The version of the file that this code writes, and the newest that it reads."""

FILE = "models.safetensors"
"""The name of the file in the folder of a training."""

KIND = FileKind(
    "deltarule-keys",
    "keyed model file",
    FORMAT,
    1,
    "restore it from a copy, or train again.",
)

FALLBACKS: Registry[str] = Registry(
    "fallback",
    str,
    {
        "missing": "no prediction",
        "overall": "the median of all rows, or their most frequent class",
        "refuse": "an error",
    },
)
"""What a row gets whose key has no model."""


@dataclass(frozen=True)
class KeyedModels:
    """A small network for every key.

    Attributes
    ----------
    by : str
        The column of keys.
    network : Network
        What they all are.
    stack : Stack
        Their parameters, scales and figures.
    preprocessing : Preprocessing
        Columns to numbers, the same for all keys.
    targets : Targets
        Outputs to labels or units.
    about : mapping
        What is known about the training; JSON values.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> x, store = np.linspace(-1, 1, 100), np.repeat(["north", "south"], 50)
    >>> table = {"x": x, "store": store, "sales": np.where(store == "north", 3 * x, 9 - x)}
    >>> models = dr.train_by_key(table, "sales", by="store", epochs=2)
    >>> len(models), models.keys, models.unknown({"x": [0.0], "store": ["west"]})
    (2, ('north', 'south'), {'west': 1})
    """

    by: str
    network: Network
    stack: Stack
    preprocessing: Preprocessing
    targets: Targets
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stack.keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """Those with a model, in order, as text."""
        return self.stack.keys

    @property
    def failures(self) -> Mapping[str, str]:
        """The keys of the training without a model, and why."""
        return self.stack.failures

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return str(self.targets.task)

    @cached_property
    def summary(self) -> Summary:
        """What the keys' held-out figures come to."""
        return summary(self.task, self.keys, self.stack.figures)

    def unknown(self, table: Any) -> dict[str | None, int]:
        """The keys of a table that have no model, and how many rows each has; None: no key.

        Parameters
        ----------
        table : data frame or mapping of columns
        """
        frame = frame_of(table)
        levels, codes = self._keys_of(frame)
        *counts, missing = np.bincount(codes, minlength=len(levels) + 1).tolist()
        known = set(self.keys)
        found: dict[str | None, int] = {
            level: count
            for level, count in sorted(zip(levels, counts, strict=True))
            if count and level not in known
        }
        return found | ({None: missing} if missing else {})

    def outputs(self, table: Any, fallback: str = "missing") -> Array:
        """Probabilities or values, float64 ``(m, n[L])``; NaN where there is no prediction.

        Parameters
        ----------
        table : data frame or mapping of columns
            With the training's columns and the keys, in any order.
        fallback : str
            What a row gets whose key has no model: ``"missing"``, ``"overall"`` or ``"refuse"``.

        Raises
        ------
        DataError
            For a table that lacks a column; for a key without a model, where it is to be refused.
        """
        FALLBACKS.entry(fallback)
        frame = frame_of(table)
        places = self.places(frame)
        known = np.flatnonzero(places >= 0)
        if fallback == "refuse" and len(known) < len(frame):
            key, rows = next(iter(self.unknown(frame).items()))
            named = "rows without a key" if key is None else f"key {key!r}"
            raise DataError(
                f"column {self.by!r}: {named} ({rows} row{'s' * (rows != 1)}) has no model. Leave "
                "those rows out, or choose another fallback: missing or overall."
            )
        order = known[np.argsort(places[known], kind="stable")]
        own, stack = places[order], self.stack
        X = scaled(self.preprocessing.transform(frame)[order], own, stack.shift, stack.factor)
        A = outputs(self.network, stack.parameters, X, np.bincount(own, minlength=len(self)))
        found = np.full((len(frame), A.shape[1]), np.nan)
        if fallback == "overall":
            found[:] = self.about["fallback"]
        found[order] = A * stack.std[own] + stack.mean[own]
        return found

    def places(self, table: Any) -> Array:
        """The number of each row's key among :attr:`keys`, int64 ``(m,)``; -1 for one without.

        Parameters
        ----------
        table : data frame or mapping of columns
        """
        levels, codes = self._keys_of(frame_of(table))
        numbers = [*(self._numbers.get(own, -1) for own in levels), -1]
        found: Array = np.array(numbers, np.int64)[codes]
        return found

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The number of each key among :attr:`keys`."""
        return {key: k for k, key in enumerate(self.keys)}

    def row_keys(self, table: Any) -> list[str | None]:
        """The key of each row, as text; None where it has none.

        Parameters
        ----------
        table : data frame or mapping of columns
        """
        levels, codes = self._keys_of(frame_of(table))
        return [levels[code] if code < len(levels) else None for code in codes.tolist()]

    def model_of(self, key: str) -> Model:
        """The model of one key as a single model, to explain, export or save.

        Its first layer scales the inputs as the key's rows have them. Parameters are float64, so
        that its predictions are those of :meth:`predict` up to the rounding of float32.

        Parameters
        ----------
        key : str
            One of :attr:`keys`.

        Raises
        ------
        UnknownNameError
            For a key without a model, with the reason where training had one.
        """
        if key not in self._numbers:
            why = self.failures.get(key)
            reason = f" ({why})" if why else ""
            raise UnknownNameError(
                f"key {key!r} of {self.by!r} has no model{reason}."
                f"{nearest(key, list(self.keys))} Expected one of its {len(self):,} keys."
            )
        k, stack = self._numbers[key], self.stack
        factor = stack.factor[k].astype(np.float64)
        scales = {"W": np.diag(factor), "b": -(stack.shift[k] * factor)[:, np.newaxis]}
        own = [
            {name: W[k].astype(np.float64) for name, W in layer.items()}
            for layer in stack.parameters
        ]
        scaling = Dense(self.network.inputs, weights="zeros", rate=0.0)
        network = Network(
            self.network.inputs, [scaling, *self.network.layers], self.network.cost_row
        )
        targets = self.targets
        if self.task == "regression":
            means, stds = (tuple(scale[k].tolist()) for scale in (stack.mean, stack.std))
            targets = replace(targets, means=means, stds=stds)
        kept = {name: self.about[name] for name in ("roles", "reading") if name in self.about}
        about = {**kept, "by": self.by, "key": key}
        return Model(network, (scales, *own), self.preprocessing, targets, about)

    def predict(self, table: Any, fallback: str = "missing") -> Any:
        """A frame of predictions in the target's own labels or units, one a row, in order.

        Parameters
        ----------
        table, fallback
            As :meth:`outputs`. Where there is no prediction it is null.
        """
        return self.decoded(self.outputs(table, fallback))

    def decoded(self, outputs: Array) -> Any:
        """Outputs as a frame of labels or units; null where there is no prediction."""
        polars = require("polars", "table", "predictions", threads=False)
        there = np.isfinite(outputs).all(axis=1)
        absent = polars.Series(~there)
        decoded = self.targets.decode(np.nan_to_num(outputs))
        return decoded.with_columns(
            polars.when(absent).then(None).otherwise(polars.col(name)).alias(name)
            for name in decoded.columns
        )

    def predict_proba(self, table: Any, fallback: str = "missing") -> Array:
        """The probability of each class, ``(m, classes)``; NaN where there is no prediction.

        Raises
        ------
        TypeMismatchError
            Where the models are none of classification.
        """
        if self.task != "classification":
            raise TypeMismatchError(
                "predict_proba: expected classification models; these predict numbers. Use predict."
            )
        return probabilities(self.outputs(table, fallback))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all models to one file, atomically; the same models give the same bytes.

        Raises
        ------
        FileError
            Where it cannot be written; what was there before is as it was.
        """
        metadata = {
            "format": FORMAT,
            "by": self.by,
            "dtype": next(iter(self.stack.parameters[0].values())).dtype.name,
            "network": network_to_dict(self.network),
            "preprocessing": self.preprocessing.to_dict(),
            "targets": self.targets.to_dict(),
            "about": dict(self.about),
        }
        write_whole(path, tensor_bytes(KIND.key, self.stack.tensors(), metadata))

    def _keys_of(self, frame: Any) -> tuple[list[str], Array]:
        """Texts, among them all keys of some rows, and each row's number."""
        if self.by not in frame.columns:
            raise DataError(
                f"the table lacks the column {self.by!r}, which says which model a row is for."
            )
        return numbered(frame[self.by], self.preprocessing.reading, self.keys)


def load_keyed(path: str | os.PathLike[str]) -> KeyedModels:
    """The models that ``train --by`` wrote; whatever the file holds is checked before it is used.

    Parameters
    ----------
    path : path
        The folder, or the file in it.

    Raises
    ------
    FileError
        For a file that is missing, truncated, foreign, changed, or of a newer version; for a folder
        whose training is not finished.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / FILE).exists():
            raise FileError(
                f"{path}: holds no {FILE}. Expected a folder that keyed training wrote (out); if "
                f"it was interrupted, finish it with {setting('resume=True', '--resume')}."
            )
        path = path / FILE
    opened = open_tensors(path, KIND)
    network = network_in(opened, {})
    preprocessing = part_in(opened, "preprocessing", preprocessing_from)
    targets = part_in(opened, "targets", targets_from)
    by, dtype, about = (opened.metadata.get(name) for name in ("by", "dtype", "about"))
    good = (
        isinstance(by, str)
        and dtype in DTYPES
        and _is_about(about, network.outputs)
        and None not in (preprocessing, targets)
        and (preprocessing.width, targets.outputs) == (network.inputs, network.outputs)
    )
    if not good:
        raise opened.broken("its parts do not fit each other")
    stack = Stack.of_file(opened, network, str(dtype))
    return KeyedModels(str(by), network, stack, preprocessing, targets, about or {})


def _is_about(about: Any, outputs: int) -> bool:
    """Whether a record holds what predicting and showing need."""
    known = about if isinstance(about, dict) else {}
    fallback, training = known.get("fallback"), known.get("training")
    return (
        isinstance(fallback, list)
        and len(fallback) == outputs
        and all(type(value) is float for value in fallback)
        and isinstance(training, list)
        and [type(line) for line in training] == [str, str]
    )
