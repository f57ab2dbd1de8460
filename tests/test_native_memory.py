"""What the compiled engine keeps in memory: no copy of the data, no allocation in a hot loop."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import deltarule as dr

MIB = 2**20

# Peak of a process of its own, less what it had before: ru_maxrss would begin with its parent's.
PROGRAM = """
import re, sys
from pathlib import Path
import numpy as np
import deltarule as dr

def resident(field):
    return 1024 * int(re.search(rf"{field}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

dtype, optimizer, m, hidden = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
second = dr.Dense(1100, "tanh") if hidden == "dense" else dr.Shared(1500, 2, "tanh")
network = dr.Network(250, [dr.Dense(1500, "relu"), second, dr.Dense(3)])
X, Y = np.ones((m, 250), dtype), np.ones((m, 3), dtype)
order = np.arange(m)
small = dr.start(dr.Network(250, [dr.Dense(3)]), engine="native", dtype=dtype)
small.train(X, Y, order[:64], 64, np.full(1, 1e-6))
before = resident("VmRSS")
options = dr.EngineOptions(n_threads=2)
runner = dr.start(network, optimizer=optimizer, engine="native", dtype=dtype, options=options)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
runner.train(X, Y, order[:320], 64, np.full(5, 1e-6))
print(resident("VmHWM") - before, network.parameter_count, sum(network.sizes[1:]))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="Linux's own accounts")
@pytest.mark.parametrize(("optimizer", "slots"), [("gradient_descent", 0), ("adam", 2)])
@pytest.mark.parametrize(
    ("dtype", "hidden"), [("float32", "dense"), ("float64", "dense"), ("float64", "shared")]
)
def test_training_keeps_parameters_state_and_a_batch_and_does_not_copy_the_data(
    dtype, hidden, optimizer, slots
):
    size = np.dtype(dtype).itemsize
    m = 150 * MIB // (250 * size)  # more than everything else that is allowed
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, dtype, optimizer, str(m), hidden],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(MIB)},  # what is freed goes back at once
    )
    peak, parameters, units = map(int, found.stdout.split())
    batch = 64 * (250 + 2 * units)
    rest = 8 * MIB  # huge pages begun, threads, the interpreter's own
    allowed = size * ((2 + slots) * parameters + batch) + rest
    assert peak < allowed
    assert peak > size * (1 + slots) * parameters  # else nothing was measured


@pytest.mark.parametrize("rows", [1, 7])
def test_calls_of_a_hot_loop_leave_and_take_no_memory_of_pythons(rows):
    network = dr.Network(8, [dr.Dense(64, "relu"), dr.Dense(64, "relu"), dr.Dense(4)])
    runner = dr.start(network, optimizer="adam", engine="native")
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((rows, n)).astype(np.float32) for n in (8, 4))
    out = np.empty_like(y)
    calls = {
        "predict_into": lambda: runner.predict_into(x, out),
        "step": lambda: runner.step(x, y),
        "step_from": lambda: runner.step_from(x, y),
    }
    for name, call in calls.items():
        call()
        tracemalloc.start()
        for _ in range(300):
            call()
        left, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1024, name  # frames and floats; an array alone is more than a hundred
        assert left < 512, name
