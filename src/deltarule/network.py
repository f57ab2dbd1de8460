"""The network: a chain of layers and a cost, and the chain's two passes, forward above backward.

The chain knows layers only through the protocol of :class:`~deltarule.layers.Layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from deltarule.activations import ACTIVATIONS
from deltarule.arrays import (
    Array,
    checked_dtype,
    checked_matrix,
    checked_number,
    namespace,
)
from deltarule.costs import COSTS, Cost, Pair
from deltarule.errors import DataError, SettingError, ShapeError, TypeMismatchError
from deltarule.forks import unforked
from deltarule.layers import KINDS, Batch, Cache, Dense, Layer, LayerParameters
from deltarule.rng import checked_seed, generator
from deltarule.spec import Spec
from deltarule.system.markup import table, text_table

__all__ = [
    "KINDS",
    "Cache",
    "Dense",
    "LayerParameters",
    "Masks",
    "Network",
    "Observer",
    "Parameters",
    "back_propagate",
    "checked_parameters",
    "checked_targets",
    "feed_forward",
    "input_gradient",
    "input_jacobian",
    "output_delta",
    "output_loss",
]

Parameters: TypeAlias = tuple[LayerParameters, ...]
"""The parameters of layer l at index l − 1, by name: ``parameters[0]["W"]`` is W[1]."""

Masks: TypeAlias = Mapping[int, Array]
"""Dropout masks by layer, 0 for the input; layers without dropout have none."""

Observer: TypeAlias = Callable[[str, int, Array], None]
"""Whoever watches a pass: called with a name ("delta"), a layer and the value."""


@dataclass(frozen=True)
class Network(Spec):
    """A chain of layers and a cost.

    Parameters
    ----------
    inputs : int
        n[0], the number of input columns.
    layers : sequence of layers
        Layers 1 to L; the last gives the outputs.
    cost : str or Cost
        A name of :data:`~deltarule.costs.COSTS` or a custom row.
    input_dropout : float
        Share of the inputs dropped in training.

    Raises
    ------
    SettingError
        Where cost and output activation do not fit, or a size or share is out of range.

    Examples
    --------
    >>> network = Network(8, [Dense(64, "relu"), Dense(3, "softmax")], "categorical_cross_entropy")
    >>> network.sizes, network.parameter_count
    ((8, 64, 3), 771)
    """

    inputs: int
    layers: Sequence[Layer]
    cost: Cost | str = "mse"
    input_dropout: float = 0.0

    def __post_init__(self) -> None:
        checked_number("Network", "inputs", self.inputs, low=1, whole=True)
        checked_number(
            "Network", "input_dropout", self.input_dropout, low=0, high=1, open_high=True
        )
        layers = tuple(self.layers) if isinstance(self.layers, Iterable) else (self.layers,)
        if not layers:
            raise SettingError("Network: expected at least one layer, got none.")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeMismatchError(
                    f"Network: expected layers such as Dense(64), got {layer!r}."
                )
        object.__setattr__(self, "inputs", int(self.inputs))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "cost", COSTS(self.cost))
        _check_output(layers[-1], self.outputs, self.cost_row)

    @property
    def cost_row(self) -> Cost:
        """The cost's row."""
        assert isinstance(self.cost, Cost)
        return self.cost

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """n[0] to n[L]."""
        sizes = [self.inputs]
        for layer in self.layers:
            sizes.append(layer.units_after(sizes[-1]))
        return tuple(sizes)

    @property
    def outputs(self) -> int:
        """n[L]."""
        return self.sizes[-1]

    @cached_property
    def shapes(self) -> tuple[dict[str, tuple[int, int]], ...]:
        """The shape of every parameter, layer by layer."""
        return tuple(
            layer.shapes(n_prev) for layer, n_prev in zip(self.layers, self.sizes[:-1], strict=True)
        )

    @cached_property
    def learned_shapes(self) -> tuple[dict[str, tuple[int, int]], ...]:
        """The same without running parameters, which have no derivative."""
        return tuple(
            {name: shape for name, shape in shapes.items() if name not in layer.running}
            for layer, shapes in zip(self.layers, self.shapes, strict=True)
        )

    @property
    def parameter_count(self) -> int:
        """How many numbers training adjusts."""
        return sum(rows * width for layer in self.learned_shapes for rows, width in layer.values())

    @property
    def pair(self) -> Pair | None:
        """The fused output pair, where output activation and cost form one."""
        g = self.layers[-1].g
        is_tabled = ACTIVATIONS.entries.get(g.name) is g  # not a row of one's own of that name
        return self.cost_row.fused.get(g.name) if is_tabled else None

    @property
    def dropout(self) -> dict[int, float]:
        """The layers with dropout, 0 for the input, and their shares."""
        shares = enumerate((self.input_dropout, *(layer.dropout for layer in self.layers)))
        return {layer: share for layer, share in shares if share > 0}

    def initial_parameters(self, seed: int = 0, dtype: Any = "float32") -> Parameters:
        """Parameters drawn by the layers' initializers: the same for the same seed.

        Parameters
        ----------
        seed : int
            From 0 to ``2**63 - 1``.
        dtype : dtype
            float32 or float64; drawn in float64 and then rounded.

        Returns
        -------
        tuple of dict
            Layer l's at index l − 1.
        """
        checked_seed("initial_parameters", seed)
        dtype = checked_dtype(dtype)
        return tuple(
            {
                name: np.ascontiguousarray(values, dtype=dtype)
                for name, values in layer.initial(n_prev, generator(seed, "initial", l)).items()
            }
            for l, (layer, n_prev) in enumerate(zip(self.layers, self.sizes[:-1], strict=True), 1)
        )

    def __call__(self, X: Any) -> Any:
        """Not what a network does: it has no parameters; a trained one predicts."""
        raise TypeMismatchError(
            "a Network holds no parameters, so it cannot be called. Write result = "
            "deltarule.train(network, X, Y), then result.predict(X)."
        )

    def summary(self) -> None:
        """Print the layers with their units and numbers of parameters, as a table.

        Examples
        --------
        >>> Network(8, [Dense(64, "relu"), Dense(1)]).summary()
        Network 8-64-1, 641 parameters, cost mse
        layer  kind   activation  units  parameters
        1      dense  relu           64         576
        2      dense  identity        1          65
        """
        print(f"Network {self._caption}")
        print(text_table(_COLUMNS, self._rows))

    @property
    def _caption(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes}, {self.parameter_count:,} parameters, cost {self.cost_row.name}"

    @property
    def _rows(self) -> list[list[object]]:
        layers = zip(self.layers, self.sizes[1:], self.learned_shapes, strict=True)
        return [
            [l, layer.kind, layer.g.name, n, sum(rows * width for rows, width in shapes.values())]
            for l, (layer, n, shapes) in enumerate(layers, 1)
        ]

    def _repr_html_(self) -> str:
        return table(_COLUMNS, self._rows, self._caption)


_COLUMNS = ("layer", "kind", "activation", "units", "parameters")


def _check_output(last: Layer, outputs: int, cost: Cost) -> None:
    if last.dropout > 0:
        raise SettingError(
            f"Network: the output layer has dropout={last.dropout:g}; expected none there. "
            "Give it to the layer before."
        )
    if last.g.name == "softmax" and outputs == 1:
        raise SettingError(
            "Network: softmax over one output is always 1. Use two outputs, or 'sigmoid' with "
            "'binary_cross_entropy'."
        )
    if outputs % cost.group:
        raise SettingError(
            f"Network: cost {cost.name!r} takes its outputs in groups of {cost.group}; the last "
            f"layer has {outputs}. Expected a multiple of {cost.group}."
        )
    if last.g.range not in cost.outputs:
        fitting = ", ".join(n for n in ACTIVATIONS if ACTIVATIONS(n).range in cost.outputs)
        raise SettingError(
            f"Network: cost {cost.name!r} needs outputs in {cost.outputs}, but the last layer's "
            f"activation {last.g.name!r} gives {last.g.range}. Fitting ones: {fitting}."
        )


# ------------------------------------------------------------------------------- boundary


def checked_parameters(network: Network, parameters: Any, dtype: np.dtype[Any]) -> Parameters:
    """A caller's parameters, copied, of the network's shapes and finite.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        For missing or foreign names, wrong shapes, NaN or infinity.
    """
    if not isinstance(parameters, Sequence) or len(parameters) != len(network.layers):
        raise ShapeError(
            f"parameters: expected a sequence of {len(network.layers)} dictionaries, one a layer."
        )
    checked = []
    for l, (layer, shapes) in enumerate(zip(parameters, network.shapes, strict=True), 1):
        if not isinstance(layer, Mapping) or set(layer) != set(shapes):
            got = sorted(layer) if isinstance(layer, Mapping) else type(layer).__name__
            raise ShapeError(f"parameters of layer {l}: expected {sorted(shapes)}, got {got}.")
        arrays = {}
        for name, shape in shapes.items():
            array = checked_matrix(f"{name}[{l}]", layer[name], width=None, dtype=dtype)
            if array.shape != shape:
                raise ShapeError(f"{name}[{l}]: expected shape {shape}, got {array.shape}.")
            arrays[name] = array.copy()
        checked.append(arrays)
    return tuple(checked)


def checked_targets(network: Network, Y: Any, dtype: np.dtype[Any]) -> Array:
    """A caller's targets as an array ``(m, n[L])``, within what the cost allows.

    Whole numbers in one column count as class labels 0 to n[L]−1 where each example's targets
    are a distribution (categorical cross entropy, focal) over several outputs.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        As :func:`~deltarule.arrays.checked_matrix`; DataError also where the cost forbids a value.
    """
    cost, n = network.cost_row, network.outputs
    if cost.distribution and n > 1 and np.ndim(Y) == 1:
        return _one_hot(np.asarray(Y), n, dtype)
    Y = checked_matrix("Y", Y, width=n, dtype=dtype)
    good = cost.targets.holds(Y)
    if not good.all():
        row, column = (int(i) for i in np.argwhere(~good)[0])
        raise DataError(
            f"Y: cost {cost.name!r} needs targets in {cost.targets}, got {Y[row, column]} in row "
            f"{row}, column {column}."
        )
    if cost.distribution:
        wrong = np.flatnonzero(abs(Y.sum(axis=1) - 1.0) > 1e-4)
        if len(wrong):
            raise DataError(
                f"Y: cost {cost.name!r} needs targets that sum to 1 in each row, got "
                f"{Y[wrong[0]].sum():g} in row {wrong[0]}."
            )
    return Y


def _one_hot(labels: Array, n: int, dtype: np.dtype[Any]) -> Array:
    if labels.dtype.kind not in "biu":
        raise TypeMismatchError(
            f"Y: expected class labels as whole numbers 0 to {n - 1}, or shape (rows, {n}); "
            f"got a vector of dtype {labels.dtype}."
        )
    labels = labels.astype(np.int64)
    if len(labels) == 0:
        raise ShapeError("Y: expected at least one row, got none.")
    if labels.min() < 0 or labels.max() >= n:
        wrong = labels[(labels < 0) | (labels >= n)][0]
        raise DataError(f"Y: expected class labels 0 to {n - 1}, got {wrong}.")
    return np.eye(n, dtype=dtype)[labels]


# ---------------------------------------------------------------------------- the two passes


def feed_forward(
    network: Network,
    parameters: Parameters,
    A0: Array,
    masks: Masks | None = None,
    batch: Batch | None = None,
    observe: Observer | None = None,
) -> tuple[Cache, ...]:
    """Eq. 1 for every layer, from 1 to L.

    Parameters
    ----------
    network : Network
    parameters : Parameters
    A0 : array, shape (n[0], m)
        Examples in columns.
    masks : mapping of int to array, optional
        Dropout masks of shape ``(n[l], m)`` by layer.
    batch : Batch, optional
        In a step of training, the weights of its examples.
    observe : callable, optional
        Called with each ``("Z", l, Z[l])`` and ``("A", l, A[l])``, A before its mask.

    Returns
    -------
    tuple of Cache
        Layer l's A_prev, Z and A at index l − 1.
    """
    caches = []
    A = A0
    for l, (layer, own) in enumerate(zip(network.layers, parameters, strict=True), 1):
        with unforked():
            caches.append(layer.forward(own, _masked(A, masks, l - 1), batch))
        A = caches[-1].A
        if observe is not None:
            observe("Z", l, caches[-1].Z)
            observe("A", l, A)
    return tuple(caches)


def output_loss(network: Network, output: Cache, Y: Array) -> Array:
    """The loss of each example, ``(m,)``: from Z where the output pair is fused."""
    if network.pair is not None:
        return network.pair.loss(output.Z, Y)
    return network.cost_row.loss(output.A, Y)


def output_delta(network: Network, output: Cache, Y: Array, s: Array | None) -> Array:
    """δ[L], ``(n[L], m)``: Eq. 10a, or the fused pair's; scaled by the examples' weights `s`."""
    if network.pair is not None:
        delta = network.pair.delta(output.Z, output.A, Y)
    else:
        delta = network.layers[-1].delta(network.cost_row.dA(output.A, Y), output)
    return delta if s is None else delta * s


def back_propagate(
    network: Network,
    parameters: Parameters,
    caches: tuple[Cache, ...],
    delta: Array,
    m: Array,
    masks: Masks | None = None,
    observe: Observer | None = None,
) -> tuple[Parameters, tuple[Array, ...]]:
    """Eq. 11 for every layer, from L to 1.

    Parameters
    ----------
    network, parameters, caches, masks
        As given to and got from :func:`feed_forward`.
    delta : array, shape (n[L], m)
        δ[L], of the summed loss.
    m : int or scalar
        Number (or weight) of the examples.
    observe : callable, optional
        Called with each ``("delta", l, δ[l])``, ``("dW", …)``, ``("db", …)``, ``("dA", l−1, …)``.

    Returns
    -------
    tuple
        The derivative of the cost by every parameter, in its shape; and every δ, 1 to L.
    """
    gradients: list[LayerParameters] = []
    deltas: list[Array] = []
    for l in range(len(network.layers), 0, -1):
        layer, own, cache = network.layers[l - 1], parameters[l - 1], caches[l - 1]
        own_gradients = layer.gradients(own, delta, cache, m)
        for name, gradient in own_gradients.items():
            assert gradient.shape == own[name].shape, (
                f"d{name}[{l}] has shape {gradient.shape}, {name}[{l}] {own[name].shape}"
            )
        gradients.append(own_gradients)
        deltas.append(delta)
        if observe is not None:
            observe("delta", l, delta)
            for name, gradient in own_gradients.items():
                observe(f"d{name}", l, gradient)
        if l > 1 or observe is not None:
            dA = _masked(layer.dA_prev(own, delta, cache), masks, l - 1)
            if observe is not None:
                observe("dA", l - 1, dA)
        if l > 1:
            delta = network.layers[l - 2].delta(dA, caches[l - 2])
    return tuple(reversed(gradients)), tuple(reversed(deltas))


def input_gradient(
    network: Network, parameters: Parameters, caches: tuple[Cache, ...], delta: Array
) -> Array:
    """dA[0], ``(n[0], m)``: what the summed loss's derivative by the input is, from δ[L]."""
    for l in range(len(network.layers), 0, -1):
        dA = network.layers[l - 1].dA_prev(parameters[l - 1], delta, caches[l - 1])
        if l > 1:
            delta = network.layers[l - 2].delta(dA, caches[l - 2])
    return dA


def input_jacobian(network: Network, parameters: Parameters, A0: Array) -> Array:
    """∂A[L] / ∂A[0] of every example, ``(m, n[L], n[0])``: one backward pass an output."""
    caches = feed_forward(network, parameters, A0)
    xp, output = namespace(A0), caches[-1]
    gradients = []
    for unit in range(network.outputs):
        chosen = xp.eye(network.outputs, dtype=A0.dtype)[:, unit : unit + 1]
        dA = xp.broadcast_to(chosen, output.A.shape)
        delta = network.layers[-1].delta(dA, output)
        gradients.append(input_gradient(network, parameters, caches, delta).T)
    return xp.stack(gradients, axis=1)


def _masked(A: Array, masks: Masks | None, layer: int) -> Array:
    return A * masks[layer] if masks and layer in masks else A
