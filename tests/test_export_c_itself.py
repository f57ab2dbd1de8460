"""The test within an exported C file: correct files pass it, whatever the network; wrong ones fail.

Networks are drawn at random: every activation, cost, optimizer and kind of layer, of any scale.
"""

import re
import shutil
import subprocess

import numpy as np
import pytest
from tests.fuzz.examples import TIMES

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.export import c_file
from deltarule.export.c_vectors import targets
from deltarule.modelfile import Model

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed")

OUTPUTS = [(c, g) for c in COSTS for g in ACTIVATIONS if ACTIVATIONS(g).range in COSTS(c).outputs]
RULES = [
    dr.Regularization(),
    dr.Regularization(l1=0.01, l2=0.1),
    dr.Regularization(l2=0.3, over_batch=True, clip_norm=0.5),
    dr.Regularization(decay=0.2, clip_value=0.05),
    dr.Regularization(max_norm=0.8),
    dr.Regularization(label_smoothing=0.1),
]
NUMBERED = {"leaky_relu": "leaky_relu(0.2)", "elu": "elu(0.7)"}


def optimizer_of(rng):
    rate = float(rng.choice([1e-4, 0.003, 0.05, 0.5]))
    return [
        dr.GradientDescent(rate),
        dr.SGD(rate, momentum=0.9),
        dr.SGD(rate, momentum=0.8, nesterov=True),
        dr.SGD(rate, momentum=0.0),
        dr.Adam(rate),
        dr.Adam(rate, beta_1=0.0, epsilon=1e-4, epsilon_inside=True),
        dr.AdamW(rate, weight_decay=0.3),
        dr.AdaGrad(rate),
        dr.AdaDelta(rate),
        dr.RMSprop(rate),
        dr.Adamax(rate),
        dr.NAdam(rate),
        dr.Lion(rate, weight_decay=0.1),
    ][rng.integers(13)]


def hidden_layer(rng, n, first):
    """A layer on n units."""
    g = str(rng.choice([name for name in ACTIVATIONS if name != "exp"]))
    g = NUMBERED.get(g, g)
    units = int(rng.choice([1, 2, 5, 13]))
    kinds = ["dense", "dense", "dense", "layer_norm", "scale", "parametric", "periodic", "grouped"]
    kinds += ["piecewise_linear", "parallel", *(["embedding", "mixed"] if first else [])]
    kind = str(rng.choice(kinds))
    edges = [sorted(rng.choice(np.arange(-3, 10), 3, replace=False) / 1.0) for _ in range(n)]
    part = [dr.Dense(units, g), dr.LayerNorm()]
    return {
        "dense": lambda: dr.Dense(units, g),
        "layer_norm": lambda: dr.LayerNorm(g),
        "scale": lambda: dr.Scale(g, rate=2.0),
        "parametric": lambda: dr.Parametric("tanh" if g == "softmax" else g),
        "periodic": lambda: dr.Periodic(2, spread=0.3),
        "grouped": lambda: dr.Grouped(2, size=n, activation=g),
        "piecewise_linear": lambda: dr.PiecewiseLinear(edges),
        "parallel": lambda: dr.Parallel([(0, n, part), (0, n, [])]),
        "embedding": lambda: dr.Embedding([4] * n, width=2),
        "mixed": lambda: dr.Parallel([(0, n, [dr.Embedding([5] * n, width=2)]), (0, n, part)]),
    }[kind]()


def drawn(seed):
    """A model, an optimizer and rules."""
    rng = np.random.default_rng(seed)
    n = inputs = int(rng.integers(1, 6))
    layers = []
    for depth in range(int(rng.integers(0, 4))):
        layers.append(hidden_layer(rng, n, depth == 0))
        n = layers[-1].units_after(n)
    cost, g = OUTPUTS[int(rng.integers(len(OUTPUTS)))]
    outputs = 3 if cost == "softmax_cross_entropy" else int(rng.integers(1 + (g == "softmax"), 4))
    layers.append(dr.Dense(outputs, NUMBERED.get(g, g)))
    network = dr.Network(inputs, layers, cost)
    dtype = str(rng.choice(["float32", "float64"]))
    scale = float(rng.choice([0.0, 0.0, 0.3, 2.0]))  # beside the initial parameters
    parameters = tuple(
        {name: (W + scale * rng.standard_normal(W.shape)).astype(dtype) for name, W in own.items()}
        for own in network.initial_parameters(seed, "float64")
    )
    smooth = network.cost_row.uniform is not None
    rules = RULES[int(rng.integers(len(RULES) - (not smooth)))]
    return Model(network, parameters), optimizer_of(rng), rules


def ran(folder, text):
    """Whether the program of a file passes its own test, and what it prints."""
    (folder / "model.c").write_text(text)
    options = ["-std=c99", "-O0", "-w", "-DDELTARULE_TEST"]
    command = [COMPILER, *options, "model.c", "-o", "model", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([folder / "model"], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout


FAULTS = {
    "wrong sign": (r"P\[i\] = W ([-+])", lambda m: f"P[i] = W {'+' if m[1] == '-' else '-'}"),
    "wrong rate": ("alpha = rate", lambda m: "alpha = (real)1.5 * rate"),
    "cost without 1/m": ("cost /= m;", lambda m: ""),
    "derivatives without 1/m": (r"D\[i\] /= \(real\)m;", lambda m: ";"),
}
"""What is searched for, and what is put there."""


def faulty(text, fault):
    """The file with a fault in its step."""
    changed = re.sub(*FAULTS[fault], text)
    assert changed != text
    return changed


def changes_nothing(optimizer, rules, fault):
    """Whether a step is the same whatever the derivatives' size."""
    clipped = rules.clip_norm is not None or rules.clip_value is not None
    scaled = not isinstance(optimizer, dr.GradientDescent | dr.SGD)  # by the derivatives' size
    return fault == "derivatives without 1/m" and (scaled or clipped)


@needs_compiler
@pytest.mark.fuzz
@pytest.mark.parametrize("first", range(0, 12 * TIMES, 12))
def test_correct_files_pass_their_own_test(first, tmp_path):
    for seed in range(first, first + 12):
        model, optimizer, rules = drawn(seed)
        passes, said = ran(tmp_path, c_file(model, optimizer=optimizer, regularization=rules).text)
        assert passes, (seed, said)


@needs_compiler
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_step_is_found(fault, tmp_path):
    found = 0
    for seed in range(1000, 1012):
        model, optimizer, rules = drawn(seed)
        if not changes_nothing(optimizer, rules, fault):
            text = c_file(model, optimizer=optimizer, regularization=rules).text
            assert not ran(tmp_path, faulty(text, fault))[0], seed
            found += 1
    assert found >= 2


KINKED = {
    "predictions are all equal": (
        dr.Network(
            1, [dr.LayerNorm(), dr.Dense(3, "tanh"), dr.Dense(1, "relu", biases=[[0.5]])], "mae"
        ),
        dr.SGD(0.05, 0.9),
    ),
    "steps at the optimizer's rate diverge": (
        dr.Network(2, [dr.Dense(1, "elu(0.5)"), dr.Dense(1, "exp")], "poisson"),
        dr.SGD(0.05, 0.9),
    ),
    "a pinball loss at its corner": (dr.Network(1, [dr.Dense(1)], "quantile(0.9)"), dr.SGD(1.0)),
    "edges at whole numbers": (
        dr.Network(2, [dr.Dense(2), dr.PiecewiseLinear([[0, 1, 2, 3]] * 2), dr.Dense(1)], "mae"),
        dr.Adam(0.5),
    ),
}


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", KINKED)
def test_kinks_and_divergence_are_kept_away_from(case, dtype, tmp_path):
    network, optimizer = KINKED[case]
    for seed in range(3):
        model = Model(network, network.initial_parameters(seed, dtype))
        text = c_file(model, optimizer=optimizer).text
        passes, said = ran(tmp_path, text)
        assert passes, said
        assert "step 3: cost" in said
        assert "nan" not in said
        assert "inf" not in said
        assert not ran(tmp_path, faulty(text, "wrong sign"))[0]


@pytest.mark.parametrize("cost", list(COSTS))
def test_targets_are_allowed_and_far_from_predictions(cost):
    row, rng = COSTS(cost), np.random.default_rng(1)
    low, high = np.clip(row.outputs.ends, -5.0, 5.0)
    A = rng.uniform(low, high, (50, 3))
    A = A / A.sum(axis=1, keepdims=True) if row.distribution else A
    Y = targets(row, A)
    assert row.targets.holds(Y).all()
    if row.distribution:
        np.testing.assert_allclose(Y.sum(axis=1), 1.0)
    else:
        assert (abs(Y - A) > 0.02 * abs(A)).all()


def test_a_step_that_cannot_be_compared_is_named():
    """Its cost is infinite at any rate: the logarithm of a probability that rounds to 0."""
    network = dr.Network(1, [dr.Dense(2, "softmax")], "binary_cross_entropy")
    W = np.array([[1e4], [-1e4]], np.float32)
    model = Model(network, ({"W": W, "b": np.ones((2, 1), np.float32)},))
    text = c_file(model, optimizer="sgd", rows=[[1.0], [2.0]]).text
    assert "test_Y" not in text
    assert "the step is not compared" in text
