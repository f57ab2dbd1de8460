"""A model whose outputs are predictions and both ends of their intervals: one network, for export.

Its targets are ``y``, ``low_y`` and ``high_y``. The network of widths is beside the model's
own, and a last layer adds widths times quantiles of the residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from deltarule.arrays import Array
from deltarule.layers import Dense, Layer, Parallel
from deltarule.modelfile import Model
from deltarule.network import LayerParameters, Network, Parameters
from deltarule.preprocessing import Targets
from deltarule.tabular.calibration import calibration_of

ENDS = ("low", "high")
"""What the names of the ends begin with."""


def with_intervals(model: Model, share: float) -> Model:
    """The model with the ends of its intervals as further targets.

    Parameters
    ----------
    model : Model
        Of a table, a regression.
    share : float
        Of the true values that are to lie between the ends.

    Raises
    ------
    SettingError
        As :meth:`Calibration.interval`.

    Examples
    --------
    >>> from deltarule.tabular import Calibration
    >>> network = Network(1, [Dense(1)])
    >>> targets = Targets(("y",), "regression", "as requested", (), (0.0,), (1.0,))
    >>> residuals = tuple(float(r) for r in range(-50, 51))
    >>> about = {"calibration": Calibration(101, residuals=(residuals,)).to_dict()}
    >>> model = Model(network, ({"W": np.eye(1), "b": np.zeros((1, 1))},), None, targets, about)
    >>> found = with_intervals(model, 0.8).predict(np.array([[7.0]]))
    >>> found.columns, np.round(found.row(0), 6).tolist()
    (['y', 'low_y', 'high_y'], [7.0, -33.8, 47.8])
    """
    offsets = calibration_of(model).interval(share)
    assert model.targets is not None
    ends = [end / np.array(model.targets.stds) for end in offsets]
    network, n, k = model.network, model.network.inputs, model.network.outputs
    one, zero = np.eye(k), np.zeros(k)
    if model.spread is None:  # of one width: the ends are biases
        before, own = list(network.layers), list(model.parameters)
        W, b = np.tile(one, (3, 1)), np.concatenate([zero, *ends])
    else:
        widths, parameters = model.spread
        inner, outer = _undropped(network.layers), _undropped(widths.layers)
        before = [  # of X: X and A; then widths and A
            Parallel([(0, n, []), (0, n, inner)]),
            Parallel([(0, n + k, outer), (n, n + k, [])]),
        ]
        own = [_within(2, model.parameters), _within(1, parameters)]
        W = np.concatenate([np.hstack([np.diag(end), one]) for end in (zero, *ends)])
        b = np.zeros(3 * k)
    last: LayerParameters = {"W": W.astype(model.dtype), "b": b[:, None].astype(model.dtype)}
    whole = Network(n, [*before, Dense(3 * k, weights="zeros")])
    names = [f"{end}_{name}" for end in ENDS for name in model.targets.names]
    former = model.targets
    targets = renamed(former, [*former.names, *names], [*former.columns, *names])
    return replace(model, network=whole, parameters=(*own, last), targets=targets, spread=None)


def _undropped(layers: Sequence[Layer]) -> list[Layer]:
    """Layers as they predict: dropout within parts is refused."""
    return [replace(cast(Any, l), dropout=0.0) if l.dropout > 0 else l for l in layers]


def _within(part: int, parameters: Parameters) -> dict[str, Array]:
    """A chain's parameters as those of a part of a parallel layer."""
    return {
        f"{part}.{d}.{name}": values
        for d, layer in enumerate(parameters, 1)
        for name, values in layer.items()
    }


def renamed(targets: Targets, names: Sequence[str], columns: Sequence[str] = ()) -> Targets:
    """Targets of a regression, several times under other names.

    Parameters
    ----------
    targets : Targets
    names : sequence of str
        As many as some repetitions of the targets have.
    columns : sequence of str
        What their columns of predictions are called; the names by default.
    """
    times = len(names) // len(targets.names)
    return replace(
        targets,
        names=tuple(names),
        means=times * targets.means,
        stds=times * targets.stds,
        columns=tuple(columns or names),
    )
