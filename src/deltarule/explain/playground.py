"""The playground: one HTML file in which a network is chosen, trained, looked at and exported.

The page trains by the equations on its own: what activations, costs and optimizers compute comes
from their rows, as expressions. Nothing of a table is in the file; data are drawn or pasted there.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any

from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.explain.page import ENGINE_SCRIPTS
from deltarule.explain.page_plan import described_plan
from deltarule.layers import Dense
from deltarule.modelfile import FORMAT, KIND, network_to_dict
from deltarule.network import Network
from deltarule.optimizers import OPTIMIZERS
from deltarule.system.markup import asset, filled
from deltarule.system.storage import write_whole

_SCRIPTS = (
    *(*ENGINE_SCRIPTS, "notation.js", "formulas.js", "terms.js", "layer_arithmetic.js"),
    *("arithmetic.js", "matrices.js", "roving.js", "drawing.js"),
    *("playground_data.js", "playground_table.js", "playground_run.js", "playground_views.js"),
    *("playground_numbers.js", "playground_files.js", "playground_export.js"),
    *("playground_address.js", "playground.js"),
)
_CLASSES = 3
"""Outputs of the costs that are traced; what a row computes of one does not depend on others."""

_SMALLEST = Network(2, [Dense(1)])


def playground() -> str:
    """The playground as a page.

    Returns
    -------
    str
        HTML that asks nothing of any network.

    Examples
    --------
    >>> "<title>Playground" in playground()
    True
    """
    read = partial(asset, "deltarule.explain")
    parts = {
        "style": read("page.css") + read("playground.css"),
        "data": json.dumps(rows(), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"),
        "script": "\n".join(map(read, _SCRIPTS)),
    }
    return filled(read("playground.html"), parts)


def save_playground(path: str | os.PathLike[str]) -> None:
    """Write the playground to a file, atomically.

    Parameters
    ----------
    path : path

    Raises
    ------
    FileError
        Where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_playground(Path(folder) / "playground.html")
    ...     (Path(folder) / "playground.html").stat().st_size < 2_000_000
    True
    """
    write_whole(path, playground().encode())


# ---------------------------------------------------------------------------- what it holds


def rows() -> dict[str, Any]:
    """Every activation, cost and optimizer as JSON values, as the page's script reads them."""
    return {
        "layers": {name: _layer(name) for name in ACTIVATIONS},
        "costs": {name: _cost(name) for name in COSTS},
        "optimizers": {
            name: _optimizer(name)
            for name in OPTIMIZERS
            if not OPTIMIZERS(name).full_batch  # it drives whole costs and takes no steps
        },
        "rules": _described(_SMALLEST)["rules"],
        "file": {"key": KIND.key, "format": FORMAT, "network": network_to_dict(_SMALLEST)},
    }


def _described(network: Network, optimizer: str = "gradient_descent") -> dict[str, Any]:
    described, untraced = described_plan(Plan(network, optimizer, dtype="float64"))
    assert not untraced
    return described


def _layer(activation: str) -> dict[str, Any]:
    """A layer of an activation, its initializer, and the layer as a model file has it."""
    layer = Dense(_CLASSES, activation)
    network = Network(2, [layer, Dense(1)])
    return {
        "layer": _described(network)["layers"][0],
        "initializer": layer.g.initializer,
        "stored": network_to_dict(network)["layers"][0],
    }


def _cost(name: str) -> dict[str, Any]:
    """A cost as it is, and fused with output activations; which of those it goes with."""
    row = COSTS(name)
    plain: dict[str, Any] = {}
    fused: dict[str, Any] = {}
    outputs = []
    for activation in ACTIVATIONS:
        try:
            network = Network(2, [Dense(_CLASSES, activation)], row)
        except SettingError:  # its outputs are not those the cost takes
            continue
        outputs.append(activation)
        if network.pair is not None:
            fused[activation] = _described(network)["cost"]
        elif not plain:
            plain = _described(network)["cost"]
    return {
        "plain": plain,
        "fused": fused,
        "outputs": outputs,
        "group": row.group,
        "is_of_classes": row.uniform is not None,
    }


def _optimizer(name: str) -> dict[str, Any]:
    """An optimizer with its defaults; the page chooses the rate."""
    row = OPTIMIZERS(name)
    rate = row.learning_rate
    assert isinstance(rate, float)
    described: dict[str, Any] = _described(_SMALLEST, name)["optimizer"]
    return {"row": described, "learning_rate": rate}
