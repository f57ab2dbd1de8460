"""Engine jax: what is its own beside parity, against jax.grad, jax.jacfwd and the reference."""

import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.engines import AUTO, choose
from deltarule.engines.jax import device, feed, programs
from deltarule.engines.jax import runner as runner_module
from deltarule.engines.jax.orientation import over_turned, turned
from deltarule.engines.plan import EngineOptions, Plan
from deltarule.engines.step import cost_of, masks_of, smoothed, weight_of
from deltarule.network import feed_forward

from .test_parity import OPTIMIZERS_THAT_STEP, arrays, assert_close, data_of, network_of, pairs
from .tolerances import STEP, error

M = 11


def start(network, engine="jax", **settings):
    return dr.start(network, engine=engine, **({"dtype": "float64", "optimizer": "sgd"} | settings))


def read_only(*data):
    for array in data:
        array.flags.writeable = False
    return data


def same(one, other):
    for a, b in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)


def near(one, other, steps=3):
    assert_close(arrays(one), arrays(other), "float64", steps=steps)


@pytest.fixture
def polished(monkeypatch):
    """Programs compiled as users have them compiled: see conftest.py."""
    options = device.compiler_options("cpu") | {
        "xla_backend_optimization_level": 3,
        "xla_cpu_use_fusion_emitters": True,
        "xla_cpu_parallel_codegen_split_count": 32,
    }
    monkeypatch.setattr(device, "compiler_options", lambda *_: options)
    monkeypatch.setattr(runner_module, "programs_of", programs.Programs)


# ------------------------------------------------------------------- independent oracles


def grad_of(network, parameters, X, Y, s, rules):
    """The cost's gradient by automatic differentiation: nothing of the backward pass is used."""
    plan = Plan(network, "sgd", rules, "float64")

    def cost(own):
        A0 = X.T
        output = feed_forward(network, own, A0)[-1]
        return cost_of(plan, own, output, smoothed(plan, Y.T), s, weight_of(A0, s))

    with jax.enable_x64(True):
        X, Y, s = jnp.asarray(X), jnp.asarray(Y), jnp.asarray(s)
        return jax.tree.map(np.asarray, jax.grad(cost)(jax.tree.map(jnp.asarray, parameters)))


@pytest.mark.parametrize(
    ("engine", "hidden", "output", "cost"),
    [("reference", "tanh", output, cost) for cost, output in pairs()]
    + [("jax", hidden, "identity", "mse") for hidden in ACTIVATIONS],
    ids=lambda name: name,
)
def test_gradients_are_those_of_jax_grad(engine, hidden, output, cost):
    """Of every pair those of the reference, to which parity holds engine jax pair by pair."""
    network = network_of(hidden, cost, output)
    X, Y, s = data_of(network, weighted=True)
    rules = dr.Regularization(l1=0.01, l2=0.02)
    runner = start(network, engine, regularization=rules)
    expected = grad_of(network, runner.parameters(), X, Y, s, rules)
    for a, b in zip(arrays(runner.gradients(X, Y, s)), arrays(expected), strict=True):
        assert error(a, b) < STEP["float64"]


@pytest.mark.parametrize("output", ["tanh", "softmax"])
def test_jacobian_is_that_of_jax_jacfwd(output):
    network = network_of("gelu", "mse", output)
    X, _, _ = data_of(network)
    runner = start(network)
    with jax.enable_x64(True):
        own = jax.tree.map(jnp.asarray, runner.parameters())
        forward = jax.jacfwd(lambda x: feed_forward(network, own, x[:, None])[-1].A[:, 0])
        expected = np.asarray(jax.vmap(forward)(jnp.asarray(X)))
    assert error(runner.jacobian(X), expected) < STEP["float64"]


# ---------------------------------------------------------------------- masks and batches


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 3])
def test_masks_are_the_references_to_the_bit(seed):
    plan = Plan(network_of(dropout=0.3), seed=seed)
    positions = np.arange(M, dtype=np.uint32)
    from deltarule.rng import seed_words

    traced = jax.jit(lambda step, seed: masks_of(plan, jnp, step, jnp.asarray(positions), seed))
    for step in (0, 3, 2**31):
        ours = masks_of(plan, np, step, positions)
        theirs = traced(np.uint32(step), seed_words(seed))
        assert list(ours) == list(theirs) == [1]
        for layer in ours:
            np.testing.assert_array_equal(ours[layer], theirs[layer])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("staying", [False, True])
def test_short_batches_and_weights(polished, staying, weighted):
    """Padding shows nowhere, whether data stays on the device or is sent chunk by chunk."""
    network = network_of("tanh", "mse", "sigmoid", dropout=0.3)
    X, Y, weights = data_of(network, weighted)
    if staying:
        read_only(*(a for a in (X, Y, weights) if a is not None))
    ours, theirs = (start(network, engine, optimizer="adam") for engine in ("reference", "jax"))
    rng = np.random.default_rng(0)
    for rows, batch in ((11, 4), (11, 4), (7, 4), (3, 4), (8, 4)):
        order = rng.permutation(M)[:rows]
        rates = rng.random(-(-rows // batch)) * 0.1
        one, other = (r.train(X, Y, order, batch, rates, weights, True) for r in (ours, theirs))
        np.testing.assert_allclose(other.costs, one.costs, rtol=1e-12)
        for a, b in zip(other.statistics, one.statistics, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    near(theirs.parameters(), ours.parameters(), steps=12)
    assert theirs.state().step == ours.state().step


def test_a_batch_without_weight_changes_nothing():
    network = network_of()
    X, Y, _ = data_of(network)
    rules = dr.Regularization(l2=0.1, decay=0.1)
    runner = start(network, optimizer="adam", regularization=rules)
    before, state = runner.parameters(), runner.state()
    weights = np.zeros(M)
    assert runner.step(X, Y, weights) == 0.0
    assert runner.train(X, Y, np.arange(M), 4, np.ones(3), weights).costs.tolist() == [0, 0, 0]
    same(runner.parameters(), before)
    same(runner.state().optimizer, state.optimizer)


@pytest.mark.parametrize("turn", range(13))
def test_turned_or_upright_the_numbers_are_the_same(monkeypatch, turn):
    """Every activation, over costs and optimizers, with every matrix held transposed."""
    hidden, optimizer = list(ACTIVATIONS)[turn], list(OPTIMIZERS_THAT_STEP)[turn % 12]
    cost, output = pairs()[5 * turn % len(pairs())]
    network = network_of(hidden, cost, output, dropout=0.3 * (turn % 3 > 0))
    X, Y, weights = data_of(network, weighted=turn % 2 > 0)
    rules = dr.Regularization(l1=0.01, clip_norm=1.0, max_norm=2.0)
    settings = {"optimizer": OPTIMIZERS_THAT_STEP[optimizer], "regularization": rules, "seed": turn}
    ours = start(network, "reference", **settings)
    monkeypatch.setattr(runner_module, "programs_of", programs.Programs)
    monkeypatch.setattr(programs.Programs, "turns", lambda self, batch: True)
    theirs = start(network, **settings)
    args = (X, Y, np.arange(M), 4, np.full(3, 0.01), weights, True)
    one, other = (runner.train(*args) for runner in (ours, theirs))
    np.testing.assert_allclose(other.costs, one.costs, rtol=1e-10)
    for a, b in zip(other.statistics, one.statistics, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    near(theirs.parameters(), ours.parameters())


def test_any_function_can_be_turned():
    """What has no rule of its own is done upright."""

    def odd(A, v):
        B = jnp.sort(jnp.cumsum(A, axis=0), axis=1) @ A.T + v[:, None]
        C = jnp.stack([B, 2 * B]).reshape(-1, B.shape[1])[: B.shape[0] + 1]
        return {"C": C, "most": B.argmax(axis=1), "scalar": jnp.linalg.norm(jax.nn.relu(C))}

    rng = np.random.default_rng(0)
    A, v = jnp.asarray(rng.standard_normal((3, 5))), jnp.asarray(rng.standard_normal(3))
    expected, found = odd(A, v), over_turned(odd)(A.T, v)
    for name, value in found.items():
        np.testing.assert_allclose(turned(value), expected[name], rtol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "batch", "turns"),
    [
        ((20, 64, 64, 1), 32, True),
        ((28, 300, 300, 300, 300, 300, 1), 100, True),
        ((784, 30, 10), 10, False),
        ((784, 256, 128, 10), 128, False),
        ((8, 64, 64, 4), 64, False),
    ],
)
def test_which_steps_are_turned(sizes, batch, turns):
    network = dr.Network(sizes[0], [dr.Dense(n) for n in sizes[1:]])
    assert programs.Programs(Plan(network), EngineOptions()).turns(batch) == turns


def test_step_and_step_from_are_the_references():
    network = network_of("tanh", "mse", "sigmoid", dropout=0.3)
    X, Y, weights = data_of(network, weighted=True)
    schedule = dr.StepDecay(0.1, factor=0.5, every=1)
    ours, theirs = (
        start(network, engine, optimizer=dr.SGD(schedule), seed=3)
        for engine in ("reference", "jax")
    )
    for _ in range(2):
        for s in (None, weights):
            assert theirs.step(X, Y, s) == pytest.approx(ours.step(X, Y, s), rel=1e-12)
        for runner in (ours, theirs):
            runner.step_from(X, 2 * (runner.predict(X) - Y))
    near(theirs.parameters(), ours.parameters(), steps=6)


def test_long_runs_are_cut_into_calls(monkeypatch):
    monkeypatch.setattr(feed, "_STEPS", 4)
    monkeypatch.setattr(feed, "_BYTES", 2 * 3 * 8 * 8)  # two batches of three rows of eight
    network = network_of("tanh", "mse", "sigmoid", dropout=0.3)
    order = np.random.default_rng(1).integers(0, M, 40)
    for staying in (False, True):
        X, Y, _ = data_of(network)
        if staying:
            read_only(X, Y)
        ours, theirs = (start(network, engine, optimizer="adam") for engine in ("reference", "jax"))
        args = (X, Y, order, 3, np.full(14, 0.01))
        np.testing.assert_allclose(theirs.train(*args).costs, ours.train(*args).costs, rtol=1e-10)
        near(theirs.parameters(), ours.parameters(), steps=14)


def test_data_that_may_change_is_read_anew():
    network = network_of()
    X, Y, _ = data_of(network)
    runner = start(network, optimizer=dr.GradientDescent(0.0))
    args = (X, Y, np.arange(M), M, np.zeros(1))
    first = runner.train(*args).costs[0]
    X[...] = 0
    assert runner.train(*args).costs[0] != first


def test_data_that_does_not_fit_is_sent_in_chunks(monkeypatch):
    monkeypatch.setattr(feed, "room", lambda device: 0)
    X, Y, _ = data_of(network_of())
    settings = {"epochs": 2, "batch_size": 4, "dtype": "float64"}
    ours, theirs = (
        dr.train(network_of(), X, Y, engine=engine, **settings) for engine in ("reference", "jax")
    )
    near(theirs.parameters, ours.parameters)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_200_steps_as_users_have_them_compiled(polished, dtype):
    network = network_of("gelu", "categorical_cross_entropy", "softmax", dropout=0.3)
    X, Y, _ = data_of(network)
    own = X.astype(dtype), Y.astype(dtype)
    settings = {"optimizer": "adam", "seed": 2}
    ours = start(network, "reference", **settings)
    theirs = start(network, dtype=dtype, **settings)
    theirs.set_parameters(ours.parameters())
    args = (np.tile(np.arange(M), 73)[:800], 4, np.full(200, 1e-3))
    one, other = ours.train(X, Y, *args).costs, theirs.train(*own, *args).costs
    assert abs(other - one).max() < {"float64": 1e-8, "float32": 1e-4}[dtype]


# --------------------------------------------------------------------- runs, resumption


def counting_row(traces):
    def g(Z):
        traces.append(Z.shape)
        return Z * Z

    return dr.Activation("square", g, lambda Z: 2 * Z)


def test_rows_of_ones_own_and_one_compilation_for_a_run():
    traces = []
    layers = [dr.Dense(4, counting_row(traces)), dr.Dense(3)]
    fourth = dr.Cost(
        "fourth", lambda A, Y: ((A - Y) ** 4).sum(axis=0), lambda A, Y: 4 * (A - Y) ** 3
    )
    network = dr.Network(5, layers, fourth)
    X, Y, _ = data_of(network_of())
    results, counts = [], []
    for engine in ("reference", "jax"):
        traces.clear()
        results.append(
            dr.train(network, X, Y, engine=engine, epochs=9, batch_size=2, dtype="float64")
        )
        counts.append(len(traces))
    near(results[1].parameters, results[0].parameters, steps=9)
    assert counts[0] == 9 * 6 + 2  # tried out twice before
    whole_and_short_batches = 2
    assert counts[1] == whole_and_short_batches
    dr.train(network, X, Y, engine="jax", epochs=2, batch_size=2, dtype="float64", seed=5)
    assert len(traces) == counts[1], "another seed is not another program"


def test_resumes_bit_for_bit():
    network = network_of("relu", dropout=0.3)
    X, Y, _ = data_of(network)
    whole, first = (start(network, optimizer="nadam", seed=1) for _ in range(2))
    for runner in (whole, first):
        runner.train(X, Y, np.arange(M), 4, np.full(3, 0.01))
    second = start(network, optimizer="nadam", seed=1, parameters=first.parameters())
    second.set_state(first.state())
    for runner in (whole, second):
        runner.train(X, Y, np.arange(M), 4, np.full(3, 0.01))
    same(second.parameters(), whole.parameters())
    same(second.state().optimizer, whole.state().optimizer)


def test_another_engine_goes_on():
    network = network_of("tanh", dropout=0.3)
    X, Y, _ = data_of(network)
    ours = start(network, "reference", optimizer="adam")
    ours.step(X, Y)
    theirs = start(network, optimizer="adam")
    theirs.set_parameters(ours.parameters())
    theirs.set_state(ours.state())
    assert theirs.step(X, Y) == pytest.approx(ours.step(X, Y), rel=1e-12)
    near(theirs.parameters(), ours.parameters())


def test_what_a_runner_returns_and_takes_is_a_copy():
    network = network_of()
    X, Y, _ = data_of(network)
    given = network.initial_parameters(0, "float64")
    before = [W.copy() for W in arrays(given)]
    runner = start(network, optimizer="adam", parameters=given)
    runner.set_parameters(given)
    for _ in range(3):
        runner.step(X, Y)
    for a, b in zip(arrays(given), before, strict=True):
        np.testing.assert_array_equal(a, b)
    kept = runner.parameters()
    held = [W.copy() for W in arrays(kept)]
    for _ in range(3):
        runner.step(X, Y)
    for a, b in zip(arrays(kept), held, strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(kept[0]) == ["W", "b"]
    assert all(type(W) is np.ndarray for W in arrays(kept))


def test_divergence_is_told_as_on_every_engine():
    network = network_of()
    X, Y, _ = data_of(network)
    errors = []
    for engine in ("reference", "jax"):
        with pytest.raises(dr.DivergenceError) as caught:
            dr.train(network, 1e3 * X, Y, engine=engine, optimizer=dr.SGD(1e30), epochs=9)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_lbfgs_drives_it():
    network = network_of()
    X, Y, _ = data_of(network)
    costs = [
        dr.train(network, X, Y, engine=engine, optimizer="lbfgs", epochs=5, dtype="float64")
        .history[-1]
        .cost
        for engine in ("reference", "jax")
    ]
    assert costs[1] == pytest.approx(costs[0], rel=1e-8)


# ------------------------------------------------------------------------- JAX's settings


@pytest.mark.parametrize("wide", [False, True])
def test_a_users_64_bit_setting_is_neither_needed_nor_touched(wide):
    network = network_of()
    with jax.enable_x64(wide):
        for dtype in ("float64", "float32"):
            X, Y, _ = (None if a is None else a.astype(dtype) for a in data_of(network))
            runner = start(network, dtype=dtype, optimizer="adam")
            runner.step(X, Y)
            runner.train(X, Y, np.arange(M), 4, np.full(3, 0.01))
            for array in arrays(runner.parameters()) + arrays(runner.state().optimizer):
                assert array.dtype == dtype
            assert runner.predict(X).dtype == dtype
        assert jnp.zeros(1, float).dtype == ("float64" if wide else "float32")


def test_mixed_precision_keeps_float32_parameters_and_comes_close():
    network = network_of("tanh", "categorical_cross_entropy", "softmax", dropout=0.2)
    X, Y, _ = (None if a is None else a.astype("float32") for a in data_of(network))
    args = (X, Y, np.tile(np.arange(M), 20), 4, np.full(55, 0.01))
    full, mixed = (
        start(network, dtype="float32", optimizer="adam", options=EngineOptions(mixed=flag))
        for flag in (False, True)
    )
    one, other = full.train(*args).costs, mixed.train(*args).costs
    assert all(W.dtype == np.float32 for W in arrays(mixed.parameters()))
    for a, b in zip(arrays(mixed.gradients(X, Y)), arrays(full.gradients(X, Y)), strict=True):
        assert error(a, b) < 0.2
    assert 0 < abs(other - one).max() < 0.05
    assert mixed.jacobian(X).dtype == mixed.predict(X).dtype == np.float32


@pytest.mark.parametrize("precision", ["high", "default"])
def test_precision_is_a_setting(precision):
    X, Y, _ = data_of(network_of())
    runner = start(network_of(), options=EngineOptions(precision=precision))
    assert np.isfinite(runner.step(X, Y))


def test_programs_are_kept_on_disk(tmp_path, monkeypatch):
    folder = tmp_path / "programs"
    monkeypatch.setenv(device.CACHE_VARIABLE, str(folder))
    network = dr.Network(5, [dr.Dense(9, "mish"), dr.Dense(8, "gelu"), dr.Dense(3)])
    X, Y, _ = data_of(network_of())
    before = jax.config.jax_compilation_cache_dir
    start(network, optimizer="nadam").train(X, Y, np.arange(M), 4, np.full(3, 0.01))
    assert list(folder.iterdir())
    assert jax.config.jax_compilation_cache_dir == before


def network_by(name):
    """The same program under another name: compiled anew in a process, found on disk."""
    row = replace(dr.ACTIVATIONS("elu"), name=name)
    return dr.Network(5, [dr.Dense(2, row), dr.Dense(3)])


@pytest.mark.parametrize("kind", ["a file in its place", "damaged programs"])
def test_a_folder_of_programs_never_fails_a_run(tmp_path, monkeypatch, kind):
    folder = tmp_path / "programs"
    monkeypatch.setenv(device.CACHE_VARIABLE, str(folder))
    X, Y, _ = data_of(network_of())
    args = (X, Y, np.arange(M), 4, np.full(3, 0.01))
    if kind == "a file in its place":
        folder.write_text("")
    else:
        start(network_by("one name")).train(*args)
        for file in folder.rglob("*"):
            file.write_bytes(b"damaged")
    costs = start(network_by("another")).train(*args).costs
    assert np.isfinite(costs).all()


# --------------------------------------------------------------------------------- errors


def test_auto_does_not_choose_it():
    assert "jax" not in AUTO
    assert choose(Plan(network_of())).name != "jax"


def test_devices_that_are_not_there():
    with pytest.raises(dr.DeviceError, match=r"device 'tpu': JAX finds 0 .* it has cpu"):
        start(network_of(), options=EngineOptions(device="tpu"))
    with pytest.raises(dr.DeviceError, match="device 'cpu:7': JAX finds 1"):
        start(network_of(), options=EngineOptions(device="cpu:7"))
    for wrong in ("npu", "gpu:x", "auto:1", "gpu:"):
        with pytest.raises(dr.SettingError, match="device must be one of auto, cpu, gpu, tpu"):
            EngineOptions(device=wrong)
    with pytest.raises(dr.SettingError, match="precision must be one of highest, high, default"):
        EngineOptions(precision="exact")
    with pytest.raises(dr.SettingError, match="not on device 'gpu'; engine 'jax' can"):
        start(network_of(), "reference", options=EngineOptions(device="gpu"))
    with pytest.raises(dr.SettingError, match="mixed=True keeps its parameters in float32"):
        start(network_of(), options=EngineOptions(mixed=True))


def test_a_device_out_of_memory_says_what_to_change(monkeypatch):
    network = network_of()
    X, Y, _ = data_of(network)
    runner = start(network, optimizer="adam")
    runner.step(X, Y)
    before = runner.parameters()

    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    with monkeypatch.context() as patched:
        patched.setattr(runner._programs, "step", full)
        with pytest.raises(dr.DeviceMemoryError) as caught:
            runner.step(X, Y)
    for part in ("5-7-6-3", "11 examples", "smaller batch", "narrower", "float32", "9 bytes"):
        assert part in str(caught.value)
    same(runner.parameters(), before)
    assert np.isfinite(runner.step(X, Y))


def test_shapes_and_dtypes_are_checked():
    network = network_of()
    X, Y, _ = data_of(network)
    runner = start(network)
    with pytest.raises(dr.TypeMismatchError, match="X: expected an array of float64, got float32"):
        runner.step(X.astype("float32"), Y)
    with pytest.raises(dr.TypeMismatchError, match="X: expected an array of float64, got list"):
        runner.predict([[0.0] * 5])
    with pytest.raises(dr.ShapeError, match=r"Y: expected shape \(11, 3\), got \(11, 2\)"):
        runner.gradients(X, Y[:, :2])
    with pytest.raises(dr.ShapeError, match=r"dA: expected shape \(11, 3\)"):
        runner.step_from(X, Y[:4])
    with pytest.raises(dr.ShapeError, match=r"out: expected shape \(11, 3\)"):
        runner.predict_into(X, np.empty((2, 3)))
    with pytest.raises(dr.ShapeError, match="learning_rates: expected one a batch, 3, got 1"):
        runner.train(X, Y, np.arange(M), 4, np.ones(1))
    with pytest.raises(dr.ShapeError, match="order: expected row numbers 0 to 10"):
        runner.train(X, Y, np.array([0, 11]), 4, np.ones(1))
    assert len(runner.train(X, Y, np.arange(0), 4, np.ones(0)).costs) == 0


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (
            "sys.modules['jax'] = None",
            "engine 'jax' needs the package \"jax\", which is not installed. "
            'Run: pip install "deltarule[jax]"',
        ),
        (
            "sys.modules['jax'] = types.SimpleNamespace(__version__='0.4.31')",
            "engine 'jax' needs JAX 0.10 or newer; version 0.4.31 is installed. "
            'Run: pip install --upgrade "deltarule[jax]"',
        ),
    ],
    ids=["missing", "too old"],
)
def test_without_jax_one_error_names_the_extra(setup, message):
    code = f"""
import sys, types
{setup}
import deltarule as dr
network = dr.Network(2, [dr.Dense(1)])
for use in (
    lambda: dr.start(network, engine="jax"),
    lambda: dr.train(network, [[0, 1]], [1], engine="jax"),
    lambda: dr.train_many(network, [[0, 1]], [1], seeds=[0, 1], engine="jax"),
):
    try:
        use()
    except dr.MissingExtraError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [message] * 3
