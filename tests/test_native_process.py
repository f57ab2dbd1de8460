"""The compiled engine in its process: threads, signals, forks, instruction sets, the choice."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines import choose, native
from deltarule.engines.native import core
from deltarule.engines.plan import Plan

HEADERS = pathlib.Path(__file__).parent.parent / "native"
SMALL = dr.Network(20, [dr.Dense(64, "relu"), dr.Dense(1)])


def arrays_of(parameters):
    return [W for layer in parameters for W in layer.values()]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def python(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=280,
        check=False,
    )


PROGRAM = """
import os, numpy as np, deltarule as dr
from deltarule.engines import native
network = dr.Network(20, [dr.Dense(64, "relu"), dr.Dense(1)])
runner = dr.start(network, engine="native")
X, Y = np.ones((64, 20), np.float32), np.ones((64, 1), np.float32)

def train(runner, steps):
    runner.train(X, Y, np.arange(32 * steps) % 64, 32, np.full(steps, 1e-6))
"""


@pytest.mark.parametrize("rules", [None, dr.Regularization(l2=0.1, clip_norm=0.1, max_norm=2.0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_threads_gives_the_same_bits(dtype, rules):
    layers = [dr.Dense(150, "tanh", 0.2), dr.Dense(33, "relu"), dr.Dense(3, "softmax")]
    network = dr.Network(70, layers, "categorical_cross_entropy")
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((500, 70)).astype(dtype), rng.dirichlet(np.ones(3), 500)
    Y, s = Y.astype(dtype), rng.uniform(0, 2, 500).astype(dtype)
    order, found = rng.permutation(500), []
    plan = {"optimizer": "adam", "regularization": rules, "engine": "native", "dtype": dtype}
    for threads in (1, 2, 3, 4):
        runner = dr.start(network, **plan, options=dr.EngineOptions(n_threads=threads))
        costs = runner.train(X, Y, order, 67, np.full(8, 1e-2), s).costs
        gradients, parameters = runner.gradients(X, Y), runner.parameters()
        figures = [*costs, runner.cost(X, Y, s), runner.predict(X)]
        found.append([*figures, *arrays_of(parameters), *arrays_of(gradients)])
    for other in found[1:]:
        assert_equal(found[0], other)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are not ours to give")
def test_where_a_team_is_held_up_one_thread_makes_the_steps_with_the_same_bits():
    """Two threads on one core take turns: each waits for the other until it sleeps."""
    done = python(
        """
import os, resource, numpy as np, deltarule as dr
layers = [dr.Dense(100, "relu"), dr.Dense(10, "softmax")]
network = dr.Network(64, layers, "categorical_cross_entropy")
rng = np.random.default_rng(0)
X, Y = rng.random((1000, 64), np.float32), np.eye(10, dtype=np.float32)[rng.integers(0, 10, 1000)]
chosen = dr.start(network, engine="native")
alone = dr.start(network, engine="native", options=dr.EngineOptions(n_threads=1))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    for runner in (chosen, alone):
        runner.train(X, Y, np.arange(20_000) % 1000, 200, np.full(100, 1e-3))
    waits = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
for ours, theirs in zip(chosen.parameters(), alone.parameters()):
    for name in ours:
        assert (ours[name] == theirs[name]).all()
print(waits)
"""
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40  # of two hundred barriers a call


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted there")
def test_a_process_bound_to_one_core_gets_no_team():
    done = python(
        """
import os, threading, numpy as np, deltarule as dr
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
network = dr.Network(256, [dr.Dense(512, "relu"), dr.Dense(10)], "mse")
X, Y = np.ones((1000, 256), np.float32), np.ones((1000, 10), np.float32)
runner, counts, done = dr.start(network, engine="native"), [], threading.Event()
def count():
    while not done.wait(0.001):
        counts.append(len(os.listdir("/proc/self/task")))
watcher = threading.Thread(target=count)
watcher.start()
before = len(os.listdir("/proc/self/task"))
runner.train(X, Y, np.arange(20_000) % 1000, 200, np.full(100, 1e-6))
done.set()
watcher.join()
print(before, max(counts))
"""
    )
    assert done.returncode == 0, done.stderr
    before, most = map(int, done.stdout.split())
    assert most == before


def test_the_number_of_threads_is_the_options_then_the_environments(monkeypatch):
    options = dr.EngineOptions(n_threads=3)
    assert dr.start(SMALL, engine="native").n_threads == 0
    monkeypatch.setenv("DELTARULE_NUM_THREADS", "2")
    assert dr.start(SMALL, engine="native").n_threads == 2
    assert dr.start(SMALL, options=options).n_threads == 3
    X = np.ones((5, 20))
    assert dr.train(SMALL, X, X[:, 0], epochs=1, options=options).runner.n_threads == 3


@pytest.mark.parametrize("wrong", [0, -1, 1025, 1.5, "2", True])
def test_what_is_no_number_of_threads_is_refused(wrong):
    with pytest.raises(dr.SettingError, match="n_threads must be a whole number"):
        dr.EngineOptions(n_threads=wrong)


@pytest.mark.parametrize("engine", ["reference", "jax"])
def test_engines_that_cannot_heed_a_number_of_threads_say_so(engine):
    with pytest.raises(dr.SettingError, match=f"engine '{engine}' .* n_threads=2: .*'native'"):
        dr.start(SMALL, engine=engine, options=dr.EngineOptions(n_threads=2))


def test_runners_of_two_python_threads_work_side_by_side():
    X, Y = np.random.default_rng(0).standard_normal((2, 2000, 20)).astype(np.float32)
    order, rates = np.arange(2000), np.full(63, 1e-3)
    runners = [dr.start(SMALL, engine="native", seed=3) for _ in range(3)]

    def epochs(runner):
        for _ in range(5):
            runner.train(X, Y[:, :1], order, 32, rates)

    epochs(runners[0])
    threads = [threading.Thread(target=epochs, args=(runner,)) for runner in runners[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone, *others = (arrays_of(runner.parameters()) for runner in runners)
    for other in others:
        assert_equal(alone, other)


def test_a_runner_that_is_busy_refuses_a_second_call():
    X, Y = np.ones((64, 20), np.float32), np.ones((64, 1), np.float32)
    runner = dr.start(SMALL, engine="native")
    order, rates = np.arange(32 * 20000) % 64, np.full(20000, 1e-6)
    worker = threading.Thread(target=runner.train, args=(X, Y, order, 32, rates))
    worker.start()
    refused = 0
    while worker.is_alive():
        try:
            runner.parameters()
        except dr.SettingError:
            refused += 1
    worker.join()
    assert refused > 0
    runner.parameters()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_control_c_ends_an_epoch_within_a_second():
    """A second of its own processor time: what else the machine does is not counted."""
    program = (
        PROGRAM
        + """
import time
order, rates = np.arange(32).repeat(2_000_000), np.full(2_000_000, 1e-6)
runner.n_threads = 1
print("ready", flush=True)
begun = time.process_time()
try:
    runner.train(X, Y, order, 32, rates)
except KeyboardInterrupt:
    used = time.process_time() - begun
    finite = all(np.isfinite(W).all() for p in runner.parameters() for W in p.values())
    print(used, 0 < runner.state().step < 2_000_000 and finite, flush=True)
"""
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        begun = time.perf_counter()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        before = time.perf_counter() - begun
        used, intact = process.stdout.readline().split()
        assert float(used) < before + 1.0
        assert intact == "True"


def test_stop_ends_an_epoch_after_a_whole_step():
    X, Y = np.ones((32, 20), np.float32), np.ones((32, 1), np.float32)
    runner, other = (dr.start(SMALL, engine="native") for _ in range(2))
    order, rates = np.arange(32).repeat(500_000), np.full(500_000, 1e-6)
    found = []
    worker = threading.Thread(target=lambda: found.append(runner.train(X, Y, order, 32, rates)))
    worker.start()
    runner.stop()
    worker.join()
    done = len(found[0].costs)
    assert 0 < done == runner.state().step < 500_000
    other.train(X, Y, order[: 32 * done], 32, rates[:done])
    assert_equal(arrays_of(runner.parameters()), arrays_of(other.parameters()))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_ends_many_networks_within_a_second(threads):
    """A second a thread of the process's own time: what else the machine does is not counted."""
    program = (
        PROGRAM
        + f"""
import time
options = dr.EngineOptions(n_threads={threads})
rows = [np.arange(64).repeat(100_000)] * 3
print("ready", flush=True)
begun = time.process_time()
try:
    dr.train_many(network, X, Y, rows=rows, epochs=1000, shuffle=False, engine="native",
                  options=options)
except KeyboardInterrupt:
    print(time.process_time() - begun, flush=True)
"""
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        begun = time.perf_counter()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        before = time.perf_counter() - begun
        used = process.stdout.readline()
        assert float(used) < threads * (before + 1.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_training_goes_on_in_a_forked_child():
    program = (
        PROGRAM
        + """
runner.n_threads = 2
train(runner, 4)
child = os.fork()
train(runner, 4)
if child:  # it speaks first: of two at once, one may cut the other's line in two
    ended = os.waitpid(child, 0)[1]
print(float(runner.parameters()[0]["W"].sum()), flush=True)
if child:
    print(ended)
"""
    )
    found = python(program)
    childs, parents, ended = found.stdout.split()
    assert (childs, ended) == (parents, "0"), found.stderr


@pytest.mark.parametrize("isa", native.INSTRUCTION_SETS)
def test_the_environment_chooses_an_instruction_set(isa):
    if isa not in native.capabilities().available:
        pytest.skip(f"no {isa} here")
    program = (
        PROGRAM
        + """
reference = dr.start(network, engine="reference")
train(runner, 10), train(reference, 10)
close = np.abs(runner.predict(X) - reference.predict(X)).max() < 1e-5
print(native.capabilities().isa, runner.isa, close)
"""
    )
    found = python(program, DELTARULE_ISA=isa)
    assert found.stdout == f"{isa} {isa} True\n", found.stderr


def test_on_arm_neon_is_all_there_is_and_what_everybody_has(monkeypatch):
    neon = SimpleNamespace(isa="neon", vector_bytes=16, supports=lambda isa: isa == "neon")
    monkeypatch.setattr(core, "_built", lambda: ("neon",))
    monkeypatch.setattr(core, "_module", {"neon": neon}.__getitem__)
    monkeypatch.delenv("DELTARULE_ISA", raising=False)
    core._core.cache_clear()
    try:
        assert native.capabilities() == ("neon", ("neon",), 16)
        monkeypatch.setenv("DELTARULE_ISA", "avx2")
        with pytest.raises(dr.SettingError, match=r"expected one of neon, .*; got 'avx2'"):
            native.capabilities()
    finally:
        core._core.cache_clear()


@pytest.mark.parametrize("name", ["DELTARULE_ISA", "DELTARULE_NUM_THREADS"])
def test_an_unknown_value_in_the_environment_is_one_clear_error(name):
    found = python(PROGRAM, **{name: "mmx"})
    assert re.search(rf"SettingError: .*{name}.*'mmx'", found.stderr)


def test_auto_prefers_the_compiled_engine_and_says_what_else_it_chose():
    assert choose(Plan(SMALL)).name == "native"
    cube = dr.Activation("cube", lambda Z: Z**3, lambda Z: 3 * Z**2)
    assert choose(Plan(dr.Network(2, [dr.Dense(1, cube)]))).name == "native"
    ordered = dr.Activation("ordered", lambda Z: np.sort(Z, axis=0), np.ones_like)
    with pytest.warns(dr.SlowerEngineWarning, match="'ordered' of layer 1 calls sort"):
        chosen = choose(Plan(dr.Network(2, [dr.Dense(1, ordered)])))
    assert chosen.name == "reference"
    assert "'ordered'" in chosen.reason


def test_rows_of_ones_own_are_themselves_even_under_a_tables_name():
    tanh, mse = dr.ACTIVATIONS("tanh"), dr.COSTS("mse")
    own = dr.Activation("relu", tanh.g, tanh.g_prime)
    leaky = dr.Activation("leaky_relu(0.1)", tanh.g, tanh.g_prime, numbers=(0.1,))
    cost = dr.Cost("mae", mse.loss, mse.dA)

    class Mine(dr.SGD):
        def update(self, W, dW, state, t, alpha):
            return W - 0.5 * alpha * dW, state

    X, Y = np.ones((3, 2), np.float32), np.full((3, 1), 0.25, np.float32)
    for network, optimizer in [
        (dr.Network(2, [dr.Dense(1, own)]), "sgd"),
        (dr.Network(2, [dr.Dense(1, leaky)]), "sgd"),
        (dr.Network(2, [dr.Dense(1)], cost), "sgd"),
        (dr.Network(2, [dr.Dense(1)]), Mine()),
    ]:
        runners = [
            dr.start(network, optimizer=optimizer, engine=e) for e in ("native", "reference")
        ]
        costs = [[runner.step(X, Y) for _ in range(3)] for runner in runners]
        assert costs[0] == pytest.approx(costs[1], rel=1e-5)


@pytest.mark.parametrize(
    ("header", "enumeration", "table"),
    [
        ("activations.hpp", "ActivationName", (*native.ACTIVATION_ROWS, "cos")),
        ("plan.hpp", "Kind", (*native.KIND_ROWS, "columns")),
        ("costs.hpp", "CostName", native.COST_ROWS),
        ("optimizers.hpp", "OptimizerName", native.OPTIMIZER_ROWS),
    ],
)
def test_headers_hold_the_tables_rows_in_their_order(header, enumeration, table):
    text = (HEADERS / header).read_text()
    body = re.search(rf"enum class {enumeration} : int {{([^}}]*)}}", text)
    assert re.findall(r"\w+", body[1]) == list(table)
