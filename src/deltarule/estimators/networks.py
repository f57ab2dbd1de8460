"""From an estimator's parameters to the network, the optimizer and the stopping rule of a fit."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array
from deltarule.costs import Cost
from deltarule.errors import SettingError
from deltarule.estimators.fitted import blocks, untrained
from deltarule.estimators.options import (
    NORMALIZATIONS,
    NetworkOptions,
    RegularizationOptions,
    StoppingOptions,
)
from deltarule.estimators.parameters import SKLEARN_NAMES
from deltarule.estimators.rules import SklearnRule
from deltarule.layers import Dense, Layer
from deltarule.network import Network, Parameters
from deltarule.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer
from deltarule.training.checkpoints import Checkpoints

_LBFGS_COST_TOLERANCE = 2.220446049250313e-09  # SciPy's own, which scikit-learn leaves as it is


def hidden_sizes(sizes: Any) -> list[int]:
    """``hidden_layer_sizes`` as a list: a number is one layer, an empty sequence none.

    Raises
    ------
    SettingError
        For a size that is not a whole number above zero.
    """
    found = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in found)
    if not whole or any(n <= 0 for n in found):
        raise SettingError(
            f"hidden_layer_sizes must be > 0, got {found}. Expected whole numbers, one a layer."
        )
    return [int(n) for n in found]


def named(activation: str | Activation) -> str | Activation:
    """An activation by the name it has here."""
    return SKLEARN_NAMES.get(activation, activation) if isinstance(activation, str) else activation


def build_network(
    estimator: Any, inputs: int, outputs: int, output: str | Activation, cost: str | Cost
) -> Network:
    """The network an estimator's parameters describe, for a number of inputs and outputs.

    Raises
    ------
    SettingError
        For parameters that do not go together.
    """
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    options = estimator.network or NetworkOptions()
    regularization = estimator.regularization or RegularizationOptions()
    activations = estimator.activation
    if not isinstance(activations, (list, tuple)):
        activations = [activations] * len(sizes)
    if len(activations) != len(sizes):
        raise SettingError(
            f"activation={estimator.activation!r}: expected one for each of {len(sizes)} hidden "
            f"layers, got {len(activations)}."
        )
    shares = regularization.shares(len(sizes))
    starts: dict[str, Any] = {"weights": options.weights, "biases": options.biases or "zeros"}
    layers: list[Layer] = []
    for n, g, share in zip(sizes, activations, shares, strict=True):
        if options.normalization is None:
            layers.append(Dense(n, named(g), dropout=share, **starts))
        else:
            normalized = NORMALIZATIONS[options.normalization]
            layers += [Dense(n, **starts), normalized(named(g), dropout=share)]
    layers.append(Dense(outputs, named(options.output_activation or output), **starts))
    return Network(inputs, layers, options.cost or cost, input_dropout=regularization.input_dropout)


def initial_parameters(
    network: Network, options: NetworkOptions, generator: np.random.RandomState, dtype: Any
) -> Parameters:
    """Weights and biases, drawn as scikit-learn draws them, or by the initializers asked for."""
    if options.weights is not None or options.biases is not None:
        seed = int(generator.randint(2**31 - 1))
        return network.initial_parameters(seed, dtype)
    first = blocks(network)[0][-1]
    parameters = []
    for layer, n_prev in zip(network.layers, network.sizes[:-1], strict=True):
        if isinstance(layer, Dense):
            W, b = _uniform(first, n_prev, layer.units, generator)
            start = {"W": W.T, "b": b[:, np.newaxis]}
        else:
            start = untrained(layer, n_prev)
        parameters.append({k: np.ascontiguousarray(v, dtype) for k, v in start.items()})
    return tuple(parameters)


def _uniform(
    first: Layer, n_prev: int, n: int, generator: np.random.RandomState
) -> tuple[Array, Array]:
    """U(−r, r) for weights and biases: r² is 6/(n_prev+n), and with logistic units 2/(n_prev+n)."""
    bound = np.sqrt((2.0 if first.g.name == "sigmoid" else 6.0) / (n_prev + n))
    W = generator.uniform(-bound, bound, (n_prev, n))
    return W, generator.uniform(-bound, bound, n)


def optimizer_of(estimator: Any) -> Optimizer:
    """The optimizer asked for, else the solver's with scikit-learn's conventions."""
    if estimator.optimizer is not None:
        return OPTIMIZERS(estimator.optimizer)
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "lbfgs":
        return LBFGS(
            gradient_tolerance=float(estimator.tol),
            cost_tolerance=_LBFGS_COST_TOLERANCE,
            max_evaluations=int(estimator.max_fun),
        )
    if estimator.solver == "sgd":
        return SGD(rate, float(estimator.momentum), bool(estimator.nesterovs_momentum))
    return Adam(
        rate,
        float(estimator.beta_1),
        float(estimator.beta_2),
        float(estimator.epsilon),
        epsilon_inside=True,
    )


def rule_of(estimator: Any, *, full_batch: bool, incremental: bool) -> SklearnRule:
    """When a fit ends; its rows and its scale are not known yet."""
    stopping = estimator.stopping or StoppingOptions()
    steers = estimator.solver == "sgd" or estimator.optimizer is not None
    patience, improvement = stopping.patience, stopping.improvement
    return SklearnRule(
        epochs=1 if incremental else int(estimator.max_iter),
        tolerance=float(estimator.tol if improvement is None else improvement),
        patience=patience or float(estimator.n_iter_no_change),
        early=validates(estimator) and not full_batch and not incremental,
        rate=estimator.learning_rate if steers else "constant",
        power=float(estimator.power_t),
        steps=not full_batch,
        restores_best=stopping.restore_best,
        on_divergence=stopping.on_divergence,
        seconds=stopping.seconds,
    )


def checkpoints_of(estimator: Any, *, incremental: bool) -> Checkpoints | None:
    """Where a fit is kept.

    Raises
    ------
    SettingError
        Where a fit could not be taken up again.
    """
    kept: Checkpoints | None = estimator.checkpoints
    if kept is None:
        return None
    if incremental:
        raise SettingError(
            "partial_fit does not go with checkpoints: each call is a separate fit. Leave "
            "checkpoints=None, and save the estimator between calls."
        )
    if not isinstance(estimator.random_state, Integral):
        raise SettingError(
            f"checkpoints: a fit can be resumed only where it begins with the same numbers again; "
            f"got random_state={estimator.random_state!r}. Pass a whole number."
        )
    return kept


def validates(estimator: Any) -> bool:
    """Whether an estimator's parameters ask for a validation set to stop by."""
    return bool(estimator.early_stopping) or (estimator.stopping or StoppingOptions()).early
