"""The kinds of layers: their derivatives, on every engine, in files, in training and prediction."""

import json
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltarule as dr
from deltarule.checks import TOLERANCE, central_difference, check_gradients, kinds
from deltarule.engines.native import ACTIVATION_ROWS
from deltarule.layers import KINDS, Batch
from deltarule.modelfile import Model, load_model, network_to_dict, save_model
from deltarule.network import feed_forward
from deltarule.training import first_infinite

from .layer_cases import CODED, INPUTS, NETWORKS, M, data_of, network_of, parameters_of
from .tolerances import DIFFERENCES, STEP, error

KIND_NAMES = [kind for kind in NETWORKS if kind != "dense"]


def runner_of(kind, engine, dtype="float64", dropout=False, **settings):
    network = network_of(kind, dropout)
    settings = {"optimizer": "sgd"} | settings
    runner = dr.start(network, engine=engine, dtype=dtype, seed=3, **settings)
    runner.set_parameters(parameters_of(network))
    return runner


def arrays(parameters):
    return [layer[name] for layer in parameters for name in sorted(layer)]


# ------------------------------------------------------------------------------ derivatives


def test_the_check_of_every_equation_has_a_case_of_every_kind():
    assert {"dense", *kinds.CASES} == set(KINDS)
    checked = {number for number, _, _ in kinds.check_kinds()}
    assert checked == {equation.number for equation in kinds.KIND_EQUATIONS}


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_derivative_of_a_network_in_training(kind, weighted):
    network = network_of(kind)
    X, Y, weights = data_of(kind)
    rules = dr.Regularization(l2=0.1)
    errors = check_gradients(
        network,
        X,
        Y,
        parameters=parameters_of(network),
        weights=weights if weighted else None,
        regularization=rules,
    )
    names = [f"d{n}[{l}]" for l, own in enumerate(network.learned_shapes, 1) for n in own]
    assert list(errors) == names
    assert max(errors.values()) < DIFFERENCES, errors


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_gradients_and_jacobian_are_those_of_prediction(kind):
    """`gradients` belongs to `cost`, the Jacobian to `predict`: with the running averages."""
    runner = runner_of(kind, "reference", regularization=dr.Regularization(l2=0.1))
    X, Y, weights = data_of(kind)
    before = runner.parameters()
    for l, gradients in enumerate(runner.gradients(X, Y, weights)):
        for name, found in gradients.items():

            def cost(W, l=l, name=name):
                changed = [dict(layer) for layer in before]
                changed[l][name] = W
                runner.set_parameters(changed)
                return runner.cost(X, Y, weights)

            difference = central_difference(cost, before[l][name])
            scale = max(np.linalg.norm(difference), 1e-2)
            assert np.linalg.norm(found - difference) / scale < DIFFERENCES, (l, name)
    runner.set_parameters(before)
    measured = [k for k in range(INPUTS) if k not in CODED.get(kind, ())]
    J = runner.jacobian(X[:3])
    numeric = central_difference(runner.predict, X[:3])
    for j in range(3):
        if measured:
            assert error(J[j][:, measured], numeric[j, :, j][:, measured]) < DIFFERENCES
        assert not J[j][:, list(CODED.get(kind, ()))].any()


def without(name, corrupted):
    return pytest.param(name, corrupted, id=name.rpartition(".")[2])


@pytest.mark.parametrize(
    ("name", "corrupted"),
    [
        without("normalization.normalized_units_dA_prev", lambda dX, kept: dX * kept.scale),
        without("normalization.normalized_batch_dA_prev", lambda dX, kept: dX * kept.scale),
        without("normalization.d_gain", lambda delta, X, m: (delta * X).sum(1, keepdims=True)),
        without("normalization.d_shift", lambda delta, m: -delta.sum(1, keepdims=True) / m),
        without("normalization.gained", lambda X, gain, shift: shift * X + gain),
        without("scaling.d_scale", lambda delta, A, m: (delta * A).sum(1, keepdims=True)),
        without("scaling.scaled_dA_prev", lambda scale, delta: delta / scale),
        without("scaling.d_alpha", lambda h, d, A, m: (d * h.g(A)).sum(1, keepdims=True) / m),
        without("scaling.bent_dA_prev", lambda h, alpha, delta, A: delta * h.g_prime(A)),
        without("numeric.d_frequency", lambda delta, A, m: np.ones((len(delta), 1))),
        without("numeric.angle_dA_prev", lambda f, d, c: (f * d).reshape(c, -1, 7).sum(1)),
        without("numeric.filled_dA_prev", lambda bins, delta, A: np.ones_like(A)),
        without("categories.d_embedding", lambda d, c, levels, m: np.ones((4, sum(levels)))),
        without("grouped.grouped_dW", lambda d, A, size, m: np.ones((len(d), size))),
        without("grouped.grouped_dA_prev", lambda W, delta, groups: np.ones((8, 7))),
        without("shared.shared_dW", lambda d, A, size, m: np.ones((3, size))),
        without("shared.shared_dA_prev", lambda W, delta: np.ones((8, 7))),
        without("parallel.stacked_dA_prev", lambda parts, n: np.ones((n, 7))),
    ],
)
def test_a_corrupted_equation_is_noticed(monkeypatch, name, corrupted):
    monkeypatch.setattr(f"deltarule.layers.{name}", corrupted)
    assert max(found for _, _, found in kinds.check_kinds()) > 1000 * TOLERANCE


# ---------------------------------------------------------------------------------- engines


ENGINE_KINDS = list(product(["jax", "native"], KIND_NAMES))

# Adam divides a derivative by its own size, so that one which is a rounding of 0 (of the biases
# before a batch normalization) would decide the step. With that ε the step changes by at most 1e3
# times what the derivative does.
STEPPING = {"sgd": dr.SGD(0.1, momentum=0.9), "adam": dr.Adam(0.05, epsilon=1e-3)}


def assert_near(theirs, ours):
    for a, b in zip(arrays(theirs), arrays(ours), strict=True):
        assert np.linalg.norm(a - b) < 1e-9 * max(np.linalg.norm(b), 1e-3)


@pytest.mark.parametrize(("engine", "kind"), ENGINE_KINDS)
@pytest.mark.parametrize("optimizer", STEPPING)
def test_every_engine_gives_the_references_numbers(engine, kind, optimizer):
    """Whole steps with weights, dropout, statistics, a short last batch."""
    X, Y, weights = data_of(kind)
    rules = dr.Regularization(l2=0.1, decay=0.1, clip_norm=0.5, max_norm=2.0)
    settings = {"optimizer": STEPPING[optimizer], "regularization": rules, "dropout": True}
    ours, theirs = (runner_of(kind, name, **settings) for name in ("reference", engine))
    args = (X, Y, np.arange(2 * M) % M, 4, np.full(6, 0.1), weights, True)
    one, other = (runner.train(*args) for runner in (ours, theirs))
    np.testing.assert_allclose(other.costs, one.costs, rtol=1e-10)
    for a, b in zip(other.statistics, one.statistics, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    for runner in (ours, theirs):
        runner.step(X, Y, weights)
        runner.step_from(X, Y - 0.3)
    assert_near(*(runner.parameters() for runner in (theirs, ours)))
    for l, slots in enumerate(ours.state().optimizer):
        assert list(theirs.state().optimizer[l]) == list(slots)
    assert [list(layer) for layer in theirs.parameters()] == [
        list(layer) for layer in ours.parameters()
    ]


@pytest.mark.parametrize(("engine", "kind"), ENGINE_KINDS)
def test_every_engine_gives_the_references_passes(engine, kind):
    """Which no optimizer has a part in."""
    X, Y, weights = data_of(kind)
    rules = dr.Regularization(l2=0.1, decay=0.1, clip_norm=0.5, max_norm=2.0)
    settings = {"regularization": rules, "dropout": True}
    ours, theirs = (runner_of(kind, name, **settings) for name in ("reference", engine))
    assert_near(*(runner.gradients(X, Y, weights) for runner in (theirs, ours)))
    assert theirs.cost(X, Y, weights) == pytest.approx(ours.cost(X, Y, weights), rel=1e-10)
    assert error(theirs.predict(X), ours.predict(X)) < STEP["float64"]
    assert error(theirs.jacobian(X), ours.jacobian(X)) < STEP["float64"] or kind == "embedding"


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_compiled_kinds_give_the_same_bits_on_any_number_of_threads(kind, dtype):
    """Batches of 7 leave one of 3 examples: fewer than threads."""
    m = 38
    X, Y, weights = (a.astype(dtype) for a in data_of(kind, m))
    found = []
    for threads in (1, 2, 4):
        options = dr.EngineOptions(n_threads=threads)
        runner = runner_of(kind, "native", dtype, dropout=True, optimizer="adam", options=options)
        costs = runner.train(X, Y, np.arange(m), 7, np.full(6, 0.1), weights).costs
        found.append([costs, runner.predict(X), *arrays(runner.parameters())])
        found[-1] += arrays(runner.gradients(X, Y, weights))
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("m", [11, 300])
def test_the_compiled_kinds_in_float32_err_at_most_four_times_as_much_as_numpy(kind, m):
    X, Y, weights = data_of(kind, m)
    narrow = [a.astype("float32") for a in (X, Y, weights)]
    exact, numpy, native = (
        runner_of(kind, engine, dtype, optimizer=dr.SGD(0.1))
        for engine, dtype in (
            ("reference", "float64"),
            ("reference", "float32"),
            ("native", "float32"),
        )
    )
    exact.set_parameters(
        tuple({n: W.astype("float64") for n, W in p.items()} for p in numpy.parameters())
    )
    wide = [a.astype("float64") for a in narrow]
    found = []
    for runner, (x, y, s) in ((native, narrow), (numpy, narrow), (exact, wide)):
        numbers = [runner.predict(x), *arrays(runner.gradients(x, y, s))]
        runner.step(x, y, s)
        found.append([*numbers, *arrays(runner.parameters())])
    floor = 4 * np.finfo(np.float32).eps  # NumPy is exact at times, by luck
    for a, b, truth in zip(*found, strict=True):
        assert error(a, truth) <= 4 * max(error(b, truth), floor)


@pytest.mark.parametrize("activation", [g for g in ACTIVATION_ROWS if g != "softmax"])
def test_every_activation_bends_on_the_compiled_engine(activation):
    layers = [dr.Parametric(activation, start=0.4), dr.Dense(19), dr.Parametric(activation)]
    network = dr.Network(INPUTS, [*layers, dr.Dense(3)])
    X, Y, _ = data_of("dense")
    ours, theirs = (
        dr.start(network, engine=e, dtype="float64", optimizer=dr.SGD(1e-3), seed=1)
        for e in ("reference", "native")
    )
    for _ in range(2):
        assert theirs.step(X, Y) == pytest.approx(ours.step(X, Y), rel=1e-10)
    for a, b in zip(arrays(theirs.parameters()), arrays(ours.parameters()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert error(theirs.jacobian(X), ours.jacobian(X)) < STEP["float64"]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_float32_is_near_float64(kind):
    X, Y, weights = data_of(kind)
    exact = runner_of(kind, "reference")
    coarse = runner_of(kind, "reference", "float32")
    order, rates = np.arange(M), np.full(3, 0.1)
    exact.train(X, Y, order, 4, rates, weights)
    coarse.train(*(a.astype("float32") for a in (X, Y)), order, 4, rates, weights.astype("float32"))
    for a, b in zip(arrays(coarse.parameters()), arrays(exact.parameters()), strict=True):
        assert a.dtype == np.float32
        assert error(a, b) < 10 * STEP["float32"]


@pytest.mark.parametrize("kind", ["layer_norm", "batch_norm", "embedding", "parallel"])
def test_mixed_precision_leaves_what_cannot_bear_it_in_float32(kind):
    X, Y, _ = (a.astype("float32") for a in data_of(kind))
    mixed = runner_of(kind, "jax", "float32", options=dr.EngineOptions(mixed=True))
    full = runner_of(kind, "reference", "float32")
    for runner in (mixed, full):
        runner.step(X, Y)
    for a, b in zip(arrays(mixed.parameters()), arrays(full.parameters()), strict=True):
        assert a.dtype == np.float32
        assert np.linalg.norm(a - b) < 0.02 * max(np.linalg.norm(b), 0.1)


@pytest.mark.parametrize(
    ("engine", "kind"), list(product(["jax", "native"], ["batch_norm", "parallel"]))
)
def test_members_trained_together_are_those_trained_alone(engine, kind):
    X, Y, _ = data_of(kind)
    settings = {"epochs": 2, "batch_size": 4, "dtype": "float64", "optimizer": dr.SGD(0.1)}
    network = network_of(kind)
    many = dr.train_many(network, X, Y, seeds=[4, 5], engine=engine, **settings)
    alone = dr.train(network, X, Y, seed=5, engine="reference", **settings)
    for layer, own in zip(many.stacked, alone.parameters, strict=True):
        for name, W in own.items():
            np.testing.assert_allclose(layer[name][1], W, rtol=1e-8, atol=1e-12)


# ------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_file_brings_a_network_back(kind, tmp_path):
    network = network_of(kind, dropout=True)
    model = Model(network, parameters_of(network))
    save_model(tmp_path / "a.safetensors", model)
    loaded = load_model(tmp_path / "a.safetensors")
    X, _, _ = data_of(kind)
    np.testing.assert_array_equal(loaded.outputs(X), model.outputs(X))
    assert network_to_dict(loaded.network) == network_to_dict(network)
    assert loaded.network.shapes == network.shapes


@dataclass(frozen=True)
class Squared(dr.Layer):
    """A kind of one's own: ``Z = w ⊙ A_prev²``."""

    activation: str = "identity"

    kind: ClassVar[str] = "squared"

    def units_after(self, n_prev):
        return n_prev

    def shapes(self, n_prev):
        return {"w": (n_prev, 1)}

    def initial(self, n_prev, rng):
        return {"w": rng.standard_normal((n_prev, 1))}

    def forward(self, parameters, A_prev, batch=None):
        return self.activated(A_prev, parameters["w"] * A_prev**2)

    def gradients(self, parameters, delta, cache, m):
        return {"w": (delta * cache.A_prev**2).sum(axis=1, keepdims=True) / m}

    def dA_prev(self, parameters, delta, cache):
        return 2 * parameters["w"] * cache.A_prev * delta


def test_a_kind_of_ones_own_works_wherever_the_tables_do(tmp_path):
    network = dr.Network(
        INPUTS, [dr.Parallel([(0, 5, [Squared("tanh")]), (0, 2, [])]), Squared(), dr.Dense(3)]
    )
    X, Y, _ = data_of("dense")
    assert max(check_gradients(network, X, Y).values()) < DIFFERENCES
    costs = [
        dr.train(network, X, Y, epochs=2, engine=engine, dtype="float64").history[-1].cost
        for engine in ("auto", "jax")
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-10)
    path = tmp_path / "own.safetensors"
    model = Model(network, network.initial_parameters(0, "float64"))
    save_model(path, model)
    with pytest.raises(dr.FileError, match="'kind squared', a row of its author's own"):
        load_model(path)
    loaded = load_model(path, rows=[Squared])
    np.testing.assert_array_equal(loaded.outputs(X), model.outputs(X))


def test_native_refuses_by_name_what_is_not_compiled_in():
    own = dr.Parallel([(0, 5, [Squared("tanh")]), (0, 2, [])])
    network = dr.Network(INPUTS, [dr.Dense(INPUTS), own, dr.Dense(3)])
    with pytest.raises(dr.SettingError, match="layer 2 is of a kind that is not compiled in, Squ"):
        dr.start(network, engine="native")
    assert dr.engines.choose(dr.Plan(network)).name == "reference"


def test_a_file_whose_layers_cannot_be_is_refused(tmp_path):
    network = network_of("piecewise_linear")
    path = tmp_path / "a.safetensors"
    save_model(path, Model(network, network.initial_parameters()))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    inner = header["__metadata__"]["deltarule"]
    header["__metadata__"]["deltarule"] = inner.replace("[-2.0, 0.7]", "[0.7, 0.7]")
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(dr.FileError, match=r"each above the one before; got \[0.7, 0.7\]"):
        load_model(path)


# ----------------------------------------------------------------------- kind by kind


def test_batch_normalization_trains_by_the_batch_and_predicts_by_running_averages():
    layer = dr.BatchNorm(momentum=0.25, epsilon=0.0)
    own = layer.initial(2, np.random.default_rng(0))
    A = np.array([[1.0, 3.0, 5.0], [2.0, 2.0, 8.0]])
    cache = layer.forward(own, A, Batch())
    np.testing.assert_allclose(cache.A.mean(axis=1), 0.0, atol=1e-15)
    np.testing.assert_allclose(cache.A.var(axis=1), 1.0)
    after = layer.averaged(own, cache)
    np.testing.assert_allclose(after["mean"][:, 0], [0.75, 1.0])
    np.testing.assert_allclose(after["variance"][:, 0], 0.75 + 0.25 * A.var(axis=1))
    predicted = layer.forward({**own, **after}, A).A
    mean, variance = after["mean"], after["variance"]
    np.testing.assert_allclose(predicted, (A - mean) / np.sqrt(variance))


@pytest.mark.parametrize(
    ("engine", "kind"), list(product(["reference", "jax", "native"], ["batch_norm", "parallel"]))
)
def test_an_example_that_weighs_nothing_is_as_one_that_is_not_there(engine, kind):
    X, Y, _ = data_of(kind)
    there = np.arange(M) % 3 > 0
    one, other = (runner_of(kind, engine) for _ in range(2))
    cost = one.step(X, Y, there.astype(float))
    assert cost == pytest.approx(other.step(X[there], Y[there]), rel=1e-12)
    for a, b in zip(arrays(one.parameters()), arrays(other.parameters()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("engine", ["reference", "jax", "native"])
def test_a_batch_without_weight_leaves_running_averages_alone(engine):
    X, Y, _ = data_of("batch_norm")
    runner = runner_of("batch_norm", engine)
    before = arrays(runner.parameters())
    assert runner.step(X, Y, np.zeros(M)) == 0.0
    for a, b in zip(arrays(runner.parameters()), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_epochs_running_averages_come_back():
    X, Y, _ = data_of("batch_norm")
    kept = []

    def keep(event):
        if isinstance(event, dr.EpochEnded) and event.best:
            kept.append(training.runner.parameters()[1])

    training = dr.Training(
        network_of("batch_norm"), X, Y, validation=(X, Y), epochs=12, optimizer=dr.SGD(5.0)
    )
    for event in training:
        keep(event)
    for name, values in training.result.parameters[1].items():
        np.testing.assert_array_equal(values, kept[-1][name])
    assert training.result.best_epoch < 12


def test_layer_normalization_does_not_look_at_other_examples():
    layer = dr.LayerNorm(epsilon=0.0)
    A = np.random.default_rng(0).standard_normal((4, 3))
    own = layer.initial(4, np.random.default_rng(0))
    both, alone = layer.forward(own, A).A, layer.forward(own, A[:, 1:2]).A
    np.testing.assert_array_equal(both[:, 1:2], alone)
    np.testing.assert_allclose(both.mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(both.std(axis=0), 1.0)


def test_periodic_pairs_start_as_cosine_and_sine():
    layer = dr.Periodic(4, spread=0.5, pairs=True)
    own = layer.initial(2, np.random.default_rng(0))
    x = np.array([[0.3], [-1.2]])
    A = layer.forward(own, x).A.reshape(2, 2, 2)
    f = own["frequency"].reshape(2, 2, 2)[..., 0]
    np.testing.assert_allclose(A[..., 0], np.cos(2 * np.pi * f * x))
    np.testing.assert_allclose(A[..., 1], np.sin(2 * np.pi * f * x))


def test_a_linear_layer_after_bins_is_any_broken_line():
    """Heights at the edges, straight between: what the embedding is for."""
    edges = [-2.0, -0.5, 0.0, 1.5]
    heights = np.array([1.0, -1.0, 2.0, 0.5])
    x = np.linspace(-2.0, 1.5, 50)
    Z = dr.PiecewiseLinear([edges]).forward({}, x[None, :]).A
    np.testing.assert_allclose(heights[0] + np.diff(heights) @ Z, np.interp(x, edges, heights))


def test_bins_from_quantiles_of_few_values_and_of_one():
    X = np.column_stack([np.repeat([0.0, 1.0], [28, 12]), np.full(40, 7.0), np.arange(40.0)])
    edges = dr.PiecewiseLinear.from_quantiles(X, bins=4).edges
    assert edges[:2] == ((0.0, 1.0), (7.0, 14.0))
    assert edges[2] == pytest.approx((0, 9.75, 19.5, 29.25, 39))


@pytest.mark.parametrize("engine", ["reference", "jax"])
def test_a_level_that_was_not_seen_is_the_reserved_one(engine):
    network = dr.Network(1, [dr.Embedding([4], width=3), dr.Dense(1)])
    runner = dr.start(network, engine=engine, dtype="float64")
    assert not runner.parameters()[0]["E"][:, 0].any()
    known, odd = np.arange(4.0)[:, None], np.array([[0.0], [4.0], [-1.0], [1.5], [1e30]])
    assert len(np.unique(runner.predict(known))) == 4
    np.testing.assert_array_equal(runner.predict(odd), runner.predict(np.zeros((5, 1))))


def test_an_embedding_is_a_dense_layer_on_one_hot_columns():
    layer = dr.Embedding([3, 4], width=2)
    own = layer.initial(2, np.random.default_rng(0))
    codes = np.array([[0.0, 2.0, 1.0], [3.0, 1.0, 0.0]])
    one_hot = [np.eye(n)[:, row.astype(int)] for n, row in zip((3, 4), codes, strict=True)]
    E = own["E"]
    expected = np.concatenate([E[:, :3] @ one_hot[0], E[:, 3:] @ one_hot[1]])
    np.testing.assert_allclose(layer.forward(own, codes).A, expected)


def test_a_grouped_layer_is_dense_layers_side_by_side():
    rng = np.random.default_rng(0)
    layer, dense = dr.Grouped(2, size=3, activation="tanh"), dr.Dense(2, "tanh")
    own, A = layer.initial(6, rng), rng.standard_normal((6, 4))
    parts = [
        dense.forward({"W": own["W"][k : k + 2], "b": own["b"][k : k + 2]}, A[3 * h : 3 * h + 3]).A
        for h, k in ((0, 0), (1, 2))
    ]
    np.testing.assert_allclose(layer.forward(own, A).A, np.concatenate(parts))


@settings(max_examples=30, deadline=None)
@given(
    members=st.integers(1, 5),
    units=st.integers(1, 4),
    size=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_shared_layers_are_dense_layers_of_one_W_side_by_side(members, units, size, seed):
    rng = np.random.default_rng(seed)
    layer, dense = dr.Shared(units, members, "tanh"), dr.Dense(units, "tanh")
    own = layer.initial(members * size, rng)
    own["b"] = rng.standard_normal(own["b"].shape)
    A, delta = (rng.standard_normal((members * n, 7)) for n in (size, units))
    found = layer.forward(own, A)
    caches = [
        dense.forward({"W": own["W"], "b": b}, part)
        for b, part in zip(np.split(own["b"], members), np.split(A, members), strict=True)
    ]
    np.testing.assert_allclose(found.A, np.concatenate([cache.A for cache in caches]))
    gradients, parts = layer.gradients(own, delta, found, 7), np.split(delta, members)
    each = [dense.gradients(own, d, c, 7) for d, c in zip(parts, caches, strict=True)]
    np.testing.assert_allclose(gradients["W"], sum(g["W"] for g in each), atol=1e-14)
    np.testing.assert_allclose(gradients["b"], np.concatenate([g["b"] for g in each]))
    sent = [dense.dA_prev(own, d, c) for d, c in zip(parts, caches, strict=True)]
    np.testing.assert_allclose(layer.dA_prev(own, delta, found), np.concatenate(sent), atol=1e-14)


def test_a_scale_starts_by_a_number_a_rule_or_an_array():
    rng = np.random.default_rng
    assert (dr.Scale(start=0.5).initial(3, rng(0))["scale"] == 0.5).all()
    drawn = dr.Scale(start="normal(2)").initial(3, rng(0))["scale"]
    np.testing.assert_array_equal(drawn, 2 * rng(0).standard_normal((3, 1)))
    own = [[1.0], [-2.0], [3.0]]
    np.testing.assert_array_equal(dr.Scale(start=own).initial(3, rng(0))["scale"], own)


def test_one_part_over_everything_is_the_chain_itself():
    chain = [dr.LayerNorm(), dr.Dense(4, "tanh", rate=0.5, bias_rate=0.1)]
    X, Y, _ = data_of("dense")
    plain = dr.Network(INPUTS, [*chain, dr.Dense(3)])
    within = dr.Network(INPUTS, [dr.Parallel([(0, INPUTS, chain)]), dr.Dense(3)])
    start = parameters_of(plain)
    renamed = {f"1.{d}.{n}": W for d in (1, 2) for n, W in start[d - 1].items()}
    settings = {"optimizer": "adam", "engine": "reference", "dtype": "float64"}
    rules = dr.Regularization(l2=0.1, decay=0.2)
    one = dr.start(plain, parameters=start, regularization=rules, **settings)
    other = dr.start(within, parameters=(renamed, start[2]), regularization=rules, **settings)
    for _ in range(3):
        assert one.step(X, Y) == pytest.approx(other.step(X, Y), rel=1e-13)
    np.testing.assert_allclose(other.parameters()[0]["1.2.b"], one.parameters()[1]["b"], rtol=1e-12)


def test_divergence_names_the_layer():
    network = network_of("batch_norm")
    own = [dict(layer) for layer in parameters_of(network)]
    X, _, _ = data_of("batch_norm")
    assert first_infinite(network, tuple(own), X) == (None, "cost")
    own[1]["gain"] = np.full_like(own[1]["gain"], np.inf)
    assert first_infinite(network, tuple(own), X) == (2, "gain")
    own[1]["gain"] = np.full_like(own[1]["gain"], 1e308)
    own[1]["shift"] = np.full_like(own[1]["shift"], 1.7e308)
    assert first_infinite(network, tuple(own), X) == (2, "Z")


def test_statistics_of_a_layer_without_parameters_are_zero():
    runner = runner_of("piecewise_linear", "reference")
    X, Y, _ = data_of("piecewise_linear")
    found = runner.train(X, Y, np.arange(M), M, np.array([0.1]), statistics=True).statistics
    assert found.gradient_norm[0, 0] == found.update_ratio[0, 0] == 0.0
    assert found.gradient_norm[0, 1] > 0


def test_running_averages_are_no_parameters_to_optimise():
    network = network_of("batch_norm")
    assert network.parameter_count == (5 * 4 + 4) + 8 + (4 * 3 + 3)
    runner = runner_of("batch_norm", "reference", optimizer="adam")
    assert list(runner.state().optimizer[1]) == ["gain", "shift"]
    X, Y, _ = data_of("batch_norm")
    assert list(runner.gradients(X, Y)[1]) == ["gain", "shift"]
    caches = feed_forward(network, runner.parameters(), X.T, batch=Batch())
    before, mean = runner.parameters()[1]["mean"], caches[1].kept.mean
    runner.step(X, Y)
    np.testing.assert_allclose(runner.parameters()[1]["mean"], 0.7 * before + 0.3 * mean)


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: dr.LayerNorm("rleu"), "Did you mean 'relu'"),
        (lambda: dr.LayerNorm(epsilon=-1), "epsilon must be a number, at least 0; got -1"),
        (lambda: dr.BatchNorm(momentum=0), "momentum must be a number, above 0, at most 1"),
        (lambda: dr.Scale(start=np.nan), "start must be a number"),
        (lambda: dr.Parametric("softmax"), "mixes the units of an example"),
        (lambda: dr.Periodic(0), "frequencies must be a whole number, at least 1"),
        (lambda: dr.Periodic(3, pairs=True), "expected an even number"),
        (lambda: dr.PiecewiseLinear(3), "a sequence of numbers for each column, got 3"),
        (lambda: dr.PiecewiseLinear([]), "at least one column"),
        (lambda: dr.PiecewiseLinear([[0, 1], [1, 0]]), "edges of column 1: .* got \\[1.0, 0.0\\]"),
        (lambda: dr.PiecewiseLinear([[0, np.inf]]), "two finite numbers"),
        (lambda: dr.PiecewiseLinear.from_quantiles([[np.nan]]), "finite numbers, got nan"),
        (lambda: dr.Embedding([1]), "levels must be a whole number, at least 2; got 1"),
        (lambda: dr.Embedding([]), "levels must be a whole number"),
        (lambda: dr.Embedding([3], width=0), "width must be a whole number"),
        (lambda: dr.Grouped(2, 0), "size must be a whole number, at least 1"),
        (lambda: dr.Scale(start="nromal"), "Did you mean 'normal'"),
        (lambda: dr.Scale(start="he_normal"), "this rule is one for weights, by a layer's fan-in"),
        (
            lambda: dr.Network(3, [dr.Scale(start=[[1.0], [2.0]])]).initial_parameters(),
            r"initial values: expected shape \(3, 1\), got \(2, 1\)",
        ),
        (lambda: dr.Shared(2, 0), "members must be a whole number, at least 1; got 0"),
        (lambda: dr.Shared(2, 1.5), "members must be a whole number"),
        (lambda: dr.Shared(0, 2), "units must be a whole number, at least 1; got 0"),
        (lambda: dr.Shared(2, 2, weights="he_norml"), "Did you mean 'he_normal'"),
        (lambda: dr.Shared(2, 2, biases="he_normal"), "this rule is one for weights"),
        (lambda: dr.Network(3, [dr.Shared(1, members=2)]), "3 units before do not part into"),
        (lambda: dr.Parallel([]), "at least one part"),
        (lambda: dr.Parallel([(0, 3)]), "parts such as"),
        (lambda: dr.Parallel([(2, 2, [])]), "last must be a whole number, at least 3"),
        (lambda: dr.Parallel([(0, 2, ["relu"])]), "expected layers such as Periodic"),
        (lambda: dr.Parallel([(0, 2, [dr.Dense(2, dropout=0.5)])]), "Give it to the whole"),
        (lambda: dr.Network(3, [dr.Embedding([3, 3])]), "levels of 2 columns, but 3 come in"),
        (lambda: dr.Network(3, [dr.PiecewiseLinear([[0, 1]])]), "1 columns, but 3 come in"),
        (lambda: dr.Network(3, [dr.Grouped(1, size=2)]), "3 units before it, not a multiple of 2"),
        (lambda: dr.Network(3, [dr.Parallel([(0, 4, [])])]), "columns 0 to 4, but there are 3"),
        (lambda: dr.Network(3, [dr.Parallel([(0, 1, []), (2, 3, [])])]), "reads column 1. .*1, 2"),
        (lambda: dr.Network(3, [dr.LayerNorm(dropout=0.5)]), "output layer has dropout"),
        (
            lambda: dr.Plan(dr.Network(3, [dr.BatchNorm()]), "lbfgs"),
            "does not go with running averages",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(dr.DeltaruleError, match=said):
        make()
