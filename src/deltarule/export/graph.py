"""An ONNX graph while it is written: nodes, constants, inputs and outputs, each name once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.errors import require

OPSET, ML_OPSET, IR_VERSION = 18, 3, 8
"""Versions that ONNX Runtime reads from 1.14 (2023) on."""

SINCE = {"StringConcat": 20, "StringSplit": 20}
"""Operators of a later version, which a graph has only where it holds one: Runtime 1.17 (2024)."""

_ML = "ai.onnx.ml"
_ML_OPERATORS = ("LabelEncoder",)


class Graph:
    """Nodes in order, each value by its name.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the network's numbers.
    kept : iterable of str
        Names that nothing but an input may take.
    """

    def __init__(self, dtype: np.dtype[Any], kept: Iterable[str] = ()) -> None:
        self.dtype = dtype
        self._onnx = require("onnx", "onnx", "export to ONNX")
        self._taken = set(kept)
        self._opset = OPSET
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def node(self, operator: str, *values: str, outputs: int = 1, **attributes: Any) -> str:
        """The value that an operator makes of others: the first, where it makes several."""
        made = self._fresh(operator)
        self._opset = max(self._opset, SINCE.get(operator, OPSET))
        domain = _ML if operator in _ML_OPERATORS else ""
        names = [made, *(self._fresh(operator) for _ in range(1, outputs))]
        node = self._onnx.helper.make_node(
            operator, list(values), names, made, domain=domain, **attributes
        )
        self._nodes.append(node)
        return made

    def constant(self, values: Any, dtype: Any = None) -> str:
        """An array, of the network's dtype unless said; text as an array of objects."""
        array = np.asarray(values, dtype=self.dtype if dtype is None else dtype)
        name = self._fresh("constant")
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """The value as another dtype."""
        return self.node("Cast", value, to=self._type(dtype))

    def taken(self, value: str, places: Sequence[int] | Array, axis: int = 1) -> str:
        """Columns of a value (or rows) by their places."""
        return self.node("Gather", value, self.constant(places, np.int64), axis=axis)

    def input(self, name: str, dtype: Any, shape: Sequence[Any], about: str) -> str:
        """What the caller passes, under that very name."""
        self._inputs.append(self._info(name, dtype, shape, about))
        return name

    def output(self, value: str, name: str, dtype: Any, shape: Sequence[Any], about: str) -> None:
        """What the caller gets, under that name where no input has it."""
        free = self._fresh(name)
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [free], free))
        self._outputs.append(self._info(free, dtype, shape, about))

    def encoded(self, about: str, version: str, properties: Mapping[str, str]) -> bytes:
        """The whole as the bytes of a file, with properties that a program may ask for."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "deltarule", self._inputs, self._outputs, self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid("", self._opset),
                helper.make_opsetid(_ML, ML_OPSET),
            ],
            ir_version=IR_VERSION,
            producer_name="deltarule",
            producer_version=version,
            doc_string=about,
        )
        helper.set_model_props(model, dict(properties))
        self._onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    def _info(self, name: str, dtype: Any, shape: Sequence[Any], about: str) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), shape, about)

    def _type(self, dtype: Any) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _fresh(self, hint: str) -> str:
        """A name that nothing has."""
        name, count = hint, 1
        while name in self._taken:
            count += 1
            name = f"{hint}_{count}"
        self._taken.add(name)
        return name
