"""A plan as the page's script reads it: its rules, and what its rows compute, as expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from deltarule.activations import Activation
from deltarule.costs.base import output_error
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.expressions import UntraceableError, mathml, parsed
from deltarule.expressions.javascript import listed
from deltarule.layers import KINDS, Layer, Parallel
from deltarule.network import Network
from deltarule.optimizers import GradientDescent, Optimizer
from deltarule.row_expressions import (
    WRITTEN_BY_HAND,
    activation_expressions,
    cost_expressions,
    derivative_formula_of,
    formula_of,
    initial_state_expressions,
    optimizer_expressions,
)

_Expressions = Callable[[Any, str], dict[str, Any]]


def described_plan(plan: Plan) -> tuple[dict[str, Any], list[str]]:
    """A plan as JSON values, and which rows have no expressions.

    Parameters
    ----------
    plan : Plan
        Of layers of the library's kinds.

    Returns
    -------
    plan : dict
        ``layers``, ``cost``, ``optimizer`` and ``rules``.
    untraced : list of str
        Each custom row that cannot be traced, with the reason.

    Raises
    ------
    SettingError
        For a custom kind of layer: what it computes is not in the page's script.

    Examples
    --------
    >>> from deltarule.explain import worked_trace
    >>> plan, untraced = described_plan(worked_trace().plan)
    >>> plan["layers"][0]["activation"]["g"]["nodes"]
    [['entry', 'z'], ['constant', 0.0], ['maximum', 0, 1]]
    """
    untraced: list[str] = []

    def traced(
        kind: str, name: str, expressions: Callable[..., dict[str, Any]], *given: Any
    ) -> Any:
        try:
            return expressions(*given, plan.dtype.name)
        except UntraceableError as error:
            untraced.append(f"{kind} {name} {error}")
        except SettingError as error:
            untraced.append(str(error).removesuffix("."))
        return {}

    @cache
    def activation(row: Activation) -> dict[str, Any]:
        made: dict[str, Any] = traced("activation", row.name, _activation_expressions, row)
        return _activation(row) | made

    network, optimizer = plan.network, plan.optimizer_row
    cost, kind = network.cost_row, type(optimizer).__name__
    described = {
        "layers": _described_layers(network.layers, network.inputs, activation),
        "cost": _cost(network) | traced("cost", cost.name, _cost_expressions, network),
        "optimizer": _optimizer(optimizer)
        | traced("optimizer", kind, _optimizer_expressions, optimizer),
        "rules": {
            entry.name: getattr(plan.regularization, entry.name) or 0
            for entry in fields(plan.regularization)
        },
    }
    return described, list(dict.fromkeys(untraced))


_Described = Callable[[Activation], dict[str, Any]]


def _described_layers(
    layers: Sequence[Layer], n_prev: int, activation: _Described
) -> list[dict[str, Any]]:
    """Each layer of a chain: its kind, activation, parameters, and what else its kind has."""
    found = []
    for layer in layers:
        if KINDS.entries.get(layer.kind) is not type(layer):
            raise SettingError(
                f"the page's script computes layers of the kinds {', '.join(KINDS)}; "
                f"{type(layer).__name__} is a custom one. Use the trace itself (its arrays, "
                "save_json, save_npz) or explain.text."
            )
        settings = _SETTINGS.get(layer.kind)
        names = [] if isinstance(layer, Parallel) else list(layer.shapes(n_prev))
        found.append(
            {
                "kind": layer.kind,
                "activation": activation(layer.g),
                "parameters": names,
                "running": list(layer.running) if names else [],
                "penalized": list(layer.penalised) if names else [],
                "rates": {name: layer.multiplier(name) for name in names},
                **(settings(layer, activation) if settings else {}),
            }
        )
        n_prev = layer.units_after(n_prev)
    return found


def _parts(layer: Any, activation: _Described) -> dict[str, Any]:
    return {
        "parts": [
            {
                "first": first,
                "last": last,
                "layers": _described_layers(layers, last - first, activation),
            }
            for first, last, layers in layer.parts
        ]
    }


_SETTINGS: dict[str, Callable[[Any, _Described], dict[str, Any]]] = {
    "parametric": lambda layer, activation: {"bend": activation(layer.h)},
    "piecewise_linear": lambda layer, _: {"edges": layer.edges},
    "embedding": lambda layer, _: {"levels": layer.levels},
    "grouped": lambda layer, _: {"size": layer.size},
    "shared": lambda layer, _: {"members": layer.members},
    "layer_norm": lambda layer, _: {"epsilon": layer.epsilon},
    "batch_norm": lambda layer, _: {"epsilon": layer.epsilon, "momentum": layer.momentum},
    "parallel": _parts,
}
"""What the script needs of a kind beside its activation and parameters."""


def _activation(row: Activation) -> dict[str, Any]:
    return {
        "name": row.name,
        "mixes": row.mixed_delta is not None,
        "formula": _shown(formula_of, row),
        "formula_prime": _shown(derivative_formula_of, row),
        "textbook": {"g": _textbook(row.formula), "g_prime": _textbook(row.formula_prime)},
    }


def _shown(formula: Callable[..., str], *given: Any) -> str | None:
    """A formula in MathML; None for a row that has none and cannot be traced."""
    try:
        return mathml(formula(*given))
    except (UntraceableError, SettingError):
        return None


def _textbook(tex: str) -> dict[str, Any] | None:
    """The expression of a row's own formula; None where it has none, or one of other notation."""
    try:
        return listed([parsed(tex)])
    except SettingError:
        return None


def _activation_expressions(row: Activation, dtype: str) -> dict[str, Any]:
    if row.name in WRITTEN_BY_HAND and row.is_listed:
        return {}
    g, g_prime = activation_expressions(row, dtype)
    return {"g": listed([g]), "g_prime": listed([g_prime])}


def _cost(network: Network) -> dict[str, Any]:
    row, units = network.cost_row, network.outputs
    return {
        "name": row.name,
        "formula": _shown(formula_of, row, units),
        "formula_dA": _shown(derivative_formula_of, row, units),
        "textbook": {"loss": _textbook(row.formula), "dA": _textbook(row.formula_dA)},
        "numbers": list(row.numbers),
        "fused": network.pair is not None,
        "output_error": network.pair is not None and network.pair.delta is output_error,
        "by_hand": _by_hand(network),
        "distribution": row.distribution,
        "targets": [float(end) if np.isfinite(end) else None for end in row.targets.ends],
        "uniform": row.uniform(units) if row.uniform else 0.0,
    }


def _cost_expressions(network: Network, dtype: str) -> dict[str, Any]:
    row, by_hand, units = network.cost_row, _by_hand(network), network.outputs
    if by_hand and not network.pair:
        return {}
    loss, dA, _ = cost_expressions(row, None, units, dtype)
    found: dict[str, Any] = {"loss": listed([loss]), "dA": listed([dA])}
    if network.pair and not by_hand:
        pair = cost_expressions(row, network.layers[-1].g, units, dtype)
        found["pair"] = {"loss": listed([pair.loss]), "delta": listed([pair.d])}
    return found


def _by_hand(network: Network) -> str | None:
    """What the script calls a cost, or an output pair, that mixes units; None for any other."""
    row, name = network.cost_row, network.cost_row.name.partition("(")[0]
    if network.pair:
        name = f"{network.layers[-1].g.name} with {name}"
    return name if name in WRITTEN_BY_HAND and row.is_listed else None


def _optimizer(row: Optimizer) -> dict[str, Any]:
    return {
        "name": type(row).__name__,
        "descends": type(row) is GradientDescent,
        "slots": list(row.slots),
        "decay": row.decay,
    }


def _optimizer_expressions(row: Optimizer, dtype: str) -> dict[str, Any]:
    return {
        "init": listed(initial_state_expressions(row, dtype)),
        "update": listed(optimizer_expressions(row, dtype)),
    }
