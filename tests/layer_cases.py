"""A network for each kind of layer, with data: what the tests of kinds walk."""

import numpy as np

import deltarule as dr
from deltarule.layers import KINDS

M, INPUTS = 11, 5  # examples and columns; no width below is one of them

EDGES = [[-1.0, 0.1, 1.3], [-2.0, 0.7], [-0.4, 0.2, 0.9, 2.1], [-1.1, 1.2], [0.3, 0.8]]

NETWORKS = {
    "dense": [dr.Dense(4, "tanh")],
    "layer_norm": [dr.Dense(4), dr.LayerNorm("tanh", dropout=0.25)],
    "batch_norm": [dr.Dense(4), dr.BatchNorm("tanh", momentum=0.3)],
    "scale": [dr.Scale("softplus", rate=3.0), dr.Dense(4, "tanh")],
    "parametric": [dr.Dense(4), dr.Parametric("silu", start=0.7, rate=0.5)],
    "periodic": [dr.Periodic(6, spread=0.3), dr.Dense(4, "tanh")],
    "piecewise_linear": [dr.PiecewiseLinear(EDGES), dr.Dense(4, "tanh")],
    "embedding": [dr.Embedding([3, 4, 2, 6, 5], width=2), dr.Dense(4, "tanh")],
    "grouped": [dr.Periodic(6, pairs=True), dr.Grouped(2, size=6, activation="elu"), dr.Dense(4)],
    "shared": [
        dr.Parallel([(0, 5, [dr.Scale(start="normal")])] * 3),
        dr.Shared(6, 3, "tanh", dropout=0.3, biases="normal(0.5)", rate=0.5, bias_rate=2.0),
        dr.Shared(18, 3, "elu"),
        dr.Grouped(2, size=18, activation="tanh"),
    ],
    "parallel": [
        dr.Parallel(
            [
                (0, 2, []),
                (0, 3, [dr.Periodic(4, spread=0.4), dr.Grouped(3, size=4, activation="tanh")]),
                (1, 3, [dr.Dense(3, "tanh"), dr.BatchNorm(momentum=0.5)]),
                (3, 5, [dr.Embedding([6, 5], width=2, weights="normal(0.5)")]),
            ],
            dropout=0.2,
        ),
        dr.Dense(4, "tanh"),
    ],
}
"""Of each kind the layers before the output layer: a kind of one's own needs an entry here."""

CODED = {"embedding": range(5), "parallel": range(3, 5)}
"""Which columns hold codes."""


def network_of(kind, dropout=False):
    layers = NETWORKS[kind]
    if not dropout:
        layers = [without_dropout(layer) for layer in layers]
    return dr.Network(INPUTS, [*layers, dr.Dense(3, "softmax")], "categorical_cross_entropy")


def without_dropout(layer):
    from dataclasses import replace

    return replace(layer, dropout=0.0) if layer.dropout else layer


def data_of(kind, m=M, seed=1):
    """X and Y as rows, example weights of which some are 0, float64."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((m, INPUTS))
    for column in CODED.get(kind, ()):
        X[:, column] = rng.integers(0, 6, m)  # some beyond the levels
    Y = rng.uniform(0.1, 1.0, (m, 3))
    weights = rng.uniform(0.5, 2.0, m)
    weights[2] = 0.0
    return X, Y / Y.sum(axis=1, keepdims=True), weights


def parameters_of(network, seed=2):
    """Parameters of which none is where it starts: gains, shifts, running averages too."""
    rng = np.random.default_rng(seed)
    return tuple(
        {
            name: abs(W + 0.3 * rng.standard_normal(W.shape))
            if name.endswith("variance")
            else W + 0.3 * rng.standard_normal(W.shape)
            for name, W in layer.items()
        }
        for layer in network.initial_parameters(seed, "float64")
    )


def test_every_kind_has_a_case():
    assert list(NETWORKS) == list(KINDS)
