"""What the page's script needs beside the model file: rows as expressions, the path, patterns.

Numbers stay in the model file: what is said of layers here names its tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from deltarule import tabular
from deltarule.arrays import Array
from deltarule.costs import Cost
from deltarule.data import Reading
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.explain.page_plan import described_plan
from deltarule.layers import Layer
from deltarule.model_page.columns import column_facts, reading_facts
from deltarule.model_page.order import form_order
from deltarule.model_page.record import record_facts
from deltarule.modelfile import Model, tensor_names
from deltarule.network import Network, Parameters
from deltarule.preprocessing.date_columns import Date
from deltarule.tabular.contributions import TOLERANCE, UNITS, before_probabilities
from deltarule.tabular.ensembles import summands
from deltarule.tabular.integrated_gradients import levels
from deltarule.tabular.path_units import Cut, Units, cut
from deltarule.tabular.references import reference


def facts(model: Model) -> dict[str, Any]:
    """What the script reads, as JSON values.

    Parameters
    ----------
    model : Model
        Of a table.

    Raises
    ------
    SettingError
        For a custom layer, or a custom activation that cannot be traced.
    """
    preprocessing, targets = model.preprocessing, model.targets
    assert preprocessing is not None
    assert targets is not None
    start, reading = reference(model, _undated(model)), preprocessing.reading or Reading()
    classes = bool(targets.classes)
    network = before_probabilities(model.network) if classes else model.network
    centered = classes and model.network.outputs > 1
    tolerance = TOLERANCE / 2 if centered else TOLERANCE
    names = tensor_names(model)
    return {
        "path": _path(network, model.parameters, names),
        "output": _output(model.network) if classes else None,
        "spread": None if model.spread is None else _whole(*model.spread, names),
        "levels": list(tabular.levels_of(model)),
        "columns": [column_facts(c, reading, start.row[c.name]) for c in preprocessing.used],
        "order": form_order(model, network, start),
        "reading": reading_facts(preprocessing),
        "reference": {"name": start.name, "encoded": start.encoded.tolist()},
        "unit": UNITS["logits" if centered else targets.task][0],
        "tolerance": tolerance,
        "splits": [
            {
                "pieces": level.pieces,
                "at": level.rule.at.tolist(),
                "ends": level.rule.ends.tolist(),
                "sides": level.sides,
            }
            for level in levels(tolerance)
        ],
        "record": record_facts(model),
    }


def _undated(model: Model) -> dict[str, date] | None:
    """The mean day of columns of dates whose median an older model file lacks; None without any."""
    assert model.preprocessing is not None
    dates = (column for column in model.preprocessing.used if isinstance(column, Date))
    found = {c.name: date(1970, 1, 1) + timedelta(c.mean // 1) for c in dates if c.median is None}
    return found or None


def _path(network: Network, parameters: Parameters, names: Mapping[int, str]) -> dict[str, Any]:
    """The networks that a network averages, each in two as ``cut`` cuts it, and their average.

    A network that is not an average is the only one, and its average has no layers.
    """
    cuts = [cut(*own) for own in summands(network, parameters)]
    averaging = int(len(cuts) > 1)  # how many layers a network's share in the average is
    found, at = [], 0
    for own in cuts:
        outputs = own.network.sizes[-1 - averaging]
        found.append(_network(own, averaging, names) | {"first": at, "last": at + outputs})
        at += outputs
    depth = len(network.layers) - averaging
    average = _chain(network.layers[depth:], at, parameters[depth:], names)
    return {"networks": found, "average": average}


def _network(own: Cut, averaging: int, names: Mapping[int, str]) -> dict[str, Any]:
    layers, depth = own.network.layers, len(own.network.layers) - averaging
    return {
        "units": [_units(units, own.order, names) for units in own.units],
        **_chain(layers[:depth], own.network.inputs, own.parameters[:depth], names),
    }


def _units(own: Units, order: Array, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "inputs": order[own.first : own.last].tolist(),
        "straight": own.straight,
        "sources": own.sources.tolist(),
        "across": None if own.across is None else own.across.tolist(),
        **_chain(own.layers, own.last - own.first, own.parameters, names),
    }


def _whole(network: Network, parameters: Parameters, names: Mapping[int, str]) -> dict[str, Any]:
    return _chain(network.layers, network.inputs, parameters, names)


def _chain(
    layers: Sequence[Layer], inputs: int, parameters: Parameters, names: Mapping[int, str]
) -> dict[str, Any]:
    """Layers, and by parameter of each the tensor of the model file that it is."""
    named = [{name: names[id(W)] for name, W in own.items()} for own in parameters]
    return {"layers": _layers(layers, inputs), "parameters": named}


def _output(network: Network) -> dict[str, Any]:
    """The activation of the last layer, which makes probabilities."""
    (last,) = _layers(network.layers[-1:], network.sizes[-2], network.cost_row)
    return dict(last["activation"])


def _layers(layers: Sequence[Layer], inputs: int, cost: Cost | str = "mse") -> list[dict[str, Any]]:
    """Layers as the page's engine takes them."""
    if not layers:
        return []
    plan, untraced = described_plan(Plan(Network(inputs, layers, cost)))
    if untraced:
        raise SettingError(
            f"export: {untraced[0]}. Expected rows of the library, or custom ones that can be "
            "traced into expressions. Predict in Python."
        )
    return list(plan["layers"])
