"""What the page's script needs beside the model file: rows as expressions, the path, patterns.

Numbers stay in the model file: what is said of layers here names its tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from deltarule import tabular
from deltarule.costs import Cost
from deltarule.data import Reading
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.explain.page_plan import described_plan
from deltarule.layers import Layer
from deltarule.model_page.columns import column_facts, reading_facts
from deltarule.model_page.record import record_facts
from deltarule.modelfile import Model, tensor_names
from deltarule.network import Network, Parameters
from deltarule.preprocessing.date_columns import Date
from deltarule.tabular.contributions import TOLERANCE, UNITS, before_probabilities
from deltarule.tabular.integrated_gradients import gauss_legendre
from deltarule.tabular.path_units import Units, cut
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
    names = tensor_names(model)
    return {
        "path": _path(network, model.parameters, names),
        "output": _output(model.network) if classes else None,
        "spread": None if model.spread is None else _chain(*model.spread, names),
        "levels": list(tabular.levels_of(model)),
        "columns": [column_facts(c, reading, start.row[c.name]) for c in preprocessing.used],
        "reading": reading_facts(preprocessing),
        "reference": {"name": start.name, "encoded": start.encoded.tolist()},
        "unit": UNITS["logits" if centered else targets.task][0],
        "tolerance": TOLERANCE / 2 if centered else TOLERANCE,
        "rules": [
            {"at": rule.at.tolist(), "ends": rule.ends.tolist(), "knots": None}
            for rule in map(gauss_legendre, (8, 32, 128, 512))
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
    """The network in two, as :func:`~deltarule.tabular.path_units.cut` cuts it."""
    found = cut(network, parameters)
    return {
        "order": found.order.tolist(),
        "units": [_units(own, names) for own in found.units],
        "rest": _chain(found.network, found.parameters, names),
    }


def _units(own: Units, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "first": own.first,
        "last": own.last,
        "straight": own.straight,
        "sources": own.sources.tolist(),
        "across": None if own.across is None else own.across.tolist(),
        "layers": _layers(own.layers, own.last - own.first),
        "parameters": _named(own.parameters, names),
    }


def _chain(network: Network, parameters: Parameters, names: Mapping[int, str]) -> dict[str, Any]:
    layers = _layers(network.layers, network.inputs)
    return {"layers": layers, "parameters": _named(parameters, names)}


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


def _named(parameters: Parameters, names: Mapping[int, str]) -> list[dict[str, str]]:
    """By parameter of each layer, the tensor of the model file that it is."""
    return [{name: names[id(W)] for name, W in own.items()} for own in parameters]
