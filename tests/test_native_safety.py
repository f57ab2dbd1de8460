"""Whatever Python hands over, and whenever a call ends: the compiled engine stays whole."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.sparse as sp

import deltarule as dr

NETWORK = dr.Network(6, [dr.Dense(16, "relu"), dr.Dense(3)])


def python(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


CHANGING = """
import sys, threading
import numpy as np, scipy.sparse as sp, deltarule as dr
array, threads = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
network = dr.Network(6, [dr.Dense(16, "relu"), dr.Dense(3)])
options = dr.EngineOptions(n_threads=threads)
seen = 0
for attempt in range(200):
    X, Y = rng.random((500, 6), np.float32), rng.random((500, 3), np.float32)
    S = sp.random(500, 6, 0.5, "csr", np.float32, random_state=attempt)
    order, weights = np.tile(np.arange(500), 40), np.ones(500, np.float32)
    changing = {"order": order, "indices": S.indices, "indptr": S.indptr,
                "data": S.data, "X": X, "Y": Y, "weights": weights}[array]
    done = threading.Event()
    def change():
        while not done.is_set():
            changing[rng.integers(0, len(changing), 20)] = rng.choice([0, -1, 2**30, 7])
    thread = threading.Thread(target=change)
    rates = np.full(2_000, 1e-6)
    runner = dr.start(network, engine="native", options=options)
    inputs = S if array in ("indices", "indptr", "data") else X
    thread.start()
    try:
        runner.train(inputs, Y, order, 10, rates, weights)
        runner.gradients(inputs, Y, weights), runner.predict(inputs), runner.jacobian(inputs)
    except dr.ShapeError:
        pass  # it changed before the call began
    except dr.SettingError as error:
        seen += "another thread wrote" in str(error)
    finally:
        done.set()
        thread.join()
    if seen or array in ("data", "X", "Y", "weights"):
        break
print("whole", seen)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("array", ["order", "indices", "indptr"])
def test_indices_that_change_under_a_call_lead_nowhere(array, threads):
    done = python(CHANGING, array, threads)
    assert (done.returncode, done.stdout) == (0, "whole 1\n"), done.stderr


@pytest.mark.parametrize("array", ["X", "Y", "weights", "data"])
def test_numbers_that_change_under_a_call_do_not_part_a_team(array):
    done = python(CHANGING, array, 2)
    assert (done.returncode, done.stdout) == (0, "whole 0\n"), done.stderr


def test_an_output_that_shares_memory_with_what_is_read_is_refused():
    runner = dr.start(NETWORK, engine="native")
    memory = np.zeros(200, np.float32)
    X, out = memory[:60].reshape(10, 6), memory[50:80].reshape(10, 3)
    with pytest.raises(dr.SettingError, match=r"out: expected memory of its own.*shares it with X"):
        runner.predict_into(X, out)
    with pytest.raises(dr.SettingError, match="shares it with X"):
        runner._core.jacobian_into(X[:2], memory[2:38].reshape(2, 3, 6))
    S = sp.random(10, 6, 0.9, "csr", np.float32, random_state=0)
    for part in (S.data, S.indices):
        with pytest.raises(dr.SettingError, match="shares it with X"):
            runner.predict_into(S, part.view(np.float32)[:30].reshape(10, 3))


def test_the_costs_of_a_call_share_memory_with_nothing_that_it_reads():
    runner = dr.start(NETWORK, engine="native", dtype="float64")
    X, Y, s = np.ones((6, 6)), np.ones((6, 3)), np.ones(6)
    order, rates, costs = np.arange(6), np.full(3, 1e-3), np.zeros(3)
    figures = np.zeros((3, 3, 2))
    for name, out in {
        "X": X[0, :3],
        "Y": Y[0, :3],
        "weights": s[:3],
        "order": order[:3].view(float),
        "rates": rates,
    }.items():
        with pytest.raises(dr.SettingError, match=f"costs: .* shares it with {name}"):
            runner._core.train(X, Y, order, 2, rates, s, out, figures, 1)
    with pytest.raises(dr.SettingError, match=r"statistics: .* shares it with costs"):
        runner._core.train(X, Y, order, 2, rates, s, figures.reshape(-1)[:3], figures, 1)
    assert runner._core.train(X, Y, order, 2, rates, s, costs, figures, 1) == 3


def test_columns_of_one_array_may_be_read_and_written():
    """Neighbours within each row, backwards, and every other row: no number is in both."""
    runner = dr.start(NETWORK, engine="native")
    memory = np.random.default_rng(0).random((40, 9), np.float32)
    for rows in (slice(None), slice(None, None, -1), slice(0, 20)):
        X, out = memory[rows, :6], memory[rows, 6:]
        expected = runner.predict(X.copy())
        runner.predict_into(X, out)
        np.testing.assert_array_equal(out, expected)
    runner.predict_into(memory[::2, :6], memory[1::2, :3])


CALLS = {
    "train": "runner.train(X, Y, order, 64, np.full(-(-len(order) // 64), 1e-6))",
    "predict": "runner.predict(big)",
    "cost": "runner.cost(big, big[:, :10])",
    "gradients": "runner.gradients(few, few[:, :10])",
    "jacobian": "runner._core.jacobian_into(few, np.empty((15_000, 10, 64), np.float32))",
}
LONG = """
import os, sys, threading, time
import numpy as np, deltarule as dr
from numpy.lib.stride_tricks import as_strided
layers = [dr.Dense(2048, "tanh"), dr.Dense(2048, "tanh"), dr.Dense(10)]
network = dr.Network(64, layers)
X, Y = np.ones((2000, 64), np.float32), np.ones((2000, 10), np.float32)
few = as_strided(X, (15_000, 64), (0, 4))  # rows that are one row in memory
big = as_strided(X, (40_000_000, 64), (0, 4))
order = np.tile(np.arange(2000), 3000)
runner = dr.start(network, engine="native", options=dr.EngineOptions(n_threads=int(sys.argv[1])))
runner.predict = lambda X: runner._core.predict_into(
    X, as_strided(np.empty((1, 10), np.float32), (len(X), 10), (0, 4)), runner.n_threads)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_the_interpreter_ends_while_a_daemon_thread_computes(call, threads):
    program = (
        LONG
        + f"""
def work():
    print("begun", flush=True)
    {CALLS[call]}
    print("finished before the interpreter")
threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
"""
    )
    done = python(program, threads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_control_c_ends_every_call_within_a_second(call, threads):
    """A second a thread of the process's own time: what else the machine does is not counted."""
    program = (
        LONG
        + f"""
print("ready", flush=True)
begun = time.process_time()
try:
    {CALLS[call]}
except KeyboardInterrupt:
    used = time.process_time() - begun
    runner.step(X[:5], Y[:5])
    print(used, flush=True)
"""
    )
    used, before = interrupted([sys.executable, "-c", program, str(threads)])
    assert used < threads * (before + 1.5)  # all of it would take many times as long


def interrupted(command):
    """Processor seconds that a command says it used, and how long it was let run."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        begun = time.perf_counter()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        before = time.perf_counter() - begun
        return float(process.stdout.readline()), before


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_control_c_ends_a_run_of_lbfgs_in_the_middle_of_its_derivatives():
    program = (
        LONG
        + """
rows = np.ones((15_000, 64), np.float32)
print("ready", flush=True)
begun = time.process_time()
try:
    dr.train(network, rows, rows[:, :10], optimizer="lbfgs", epochs=1000, shuffle=False)
except KeyboardInterrupt:
    print(time.process_time() - begun, flush=True)
"""
    )
    used, before = interrupted([sys.executable, "-c", program, "2"])
    assert used < 2 * (before + 1.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_below_the_normal_ones_are_zero_in_both_passes_but_not_in_the_cost(dtype):
    """Where a network saturates, they would make a step many times as slow."""
    tiny = np.sqrt(np.finfo(dtype).tiny) / 8  # its square is not a normal number
    network = dr.Network(1, [dr.Dense(1), dr.Dense(1)])
    runner = dr.start(network, engine="native", dtype=dtype)
    small, zero = np.full((1, 1), tiny, dtype), np.zeros((1, 1), dtype)
    assert (small * small > 0).all()
    parameters = [{"W": small, "b": zero}, {"W": small, "b": zero}]
    runner.set_parameters(parameters)
    assert runner.predict(small) == 0.0
    assert runner.jacobian(small) == 0.0  # W[2] W[1]
    assert runner.gradients(small, zero + 1)[0]["W"] == 0.0  # W[2] δ x
    assert runner.cost(zero, small) > 0.0
    assert (small * small > 0).all()  # the caller's own arithmetic is as it was
