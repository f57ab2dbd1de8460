"""Too little memory is told before a training begins, with what takes how much."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import deltarule as dr
from deltarule.engines.footprint import needed_memory
from deltarule.system.memory import available_memory
from deltarule.training import data_memory

GB = 10**9


@pytest.fixture
def left(monkeypatch):
    """Let the machine have so many bytes left."""

    def have(size):
        monkeypatch.setattr("deltarule.engines.footprint.available_memory", lambda: size)

    return have


WIDE = dr.Network(2000, [dr.Dense(3000, "relu"), dr.Dense(4)])  # 6,015,004 parameters
X, Y = np.zeros((90, 2000), np.float32), np.zeros((90, 4), np.float32)


@pytest.mark.parametrize(
    ("settings", "most", "advice"),
    [
        ({"optimizer": "adam"}, "120 MB for 6,015,004 parameters with the state of Adam", "narrow"),
        ({"dtype": "float64"}, "241 MB for 6,015,004 parameters", r"dtype float32 takes half\.$"),
        ({"optimizer": "sgd", "batch_size": None}, "3 MB for a batch of 90", "narrower layers"),
    ],
)
def test_a_network_too_large_is_refused_with_what_to_change(left, settings, most, advice):
    left(64_000_000)
    with pytest.raises(dr.OutOfMemoryError, match=most) as caught:
        dr.train(WIDE, X, Y, **settings)
    assert isinstance(caught.value, MemoryError)
    assert "64 MB are left. Use" in str(caught.value)
    with pytest.raises(dr.OutOfMemoryError, match=advice):
        dr.train(WIDE, X, Y, **settings)


def test_a_batch_too_large_is_refused(left):
    left(GB)
    long = np.broadcast_to(np.float32(0), (60_000, 1))  # a view: there is no such data
    with pytest.raises(dr.OutOfMemoryError, match=r"batch of 60,000; 1\.0 GB are left\. Use a sma"):
        dr.train(dr.Network(1, [dr.Dense(9000), dr.Dense(1)]), long, long, batch_size=None)


def test_copies_of_the_data_are_counted(left):
    left(GB)
    long = np.broadcast_to(np.float64(0), (300_000, 1000))
    with pytest.raises(dr.OutOfMemoryError, match=r"2\.4 GB for copies of the data.*stay where"):
        dr.train(dr.Network(1000, [dr.Dense(1)]), long, long[:, 0], validation=0.1)


@pytest.mark.parametrize(
    "start",
    [
        lambda: dr.start(WIDE, optimizer="adam"),
        lambda: dr.train_many(WIDE, X, Y, seeds=[1, 2, 3]),
        lambda: dr.MLPRegressor(hidden_layer_sizes=(3000,)).fit(X, Y),
        lambda: dr.MLPRegressor(hidden_layer_sizes=(3000,), n_estimators=3).fit(X, Y),
        lambda: dr.find_rate(WIDE, X, Y),
    ],
    ids=["start", "train_many", "estimator", "ensemble", "find_rate"],
)
def test_whatever_trains_asks_first(left, start):
    left(64_000_000)
    with pytest.raises(dr.OutOfMemoryError, match=r"needs at least \d+ MB"):
        start()


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_a_fit_that_is_refused_leaves_the_estimator_as_it_was(left):
    model = dr.MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0, tol=0).fit(
        X[:, :3], Y
    )
    before = model.predict(X[:, :3])
    left(1000)
    with pytest.raises(dr.OutOfMemoryError):
        model.set_params(hidden_layer_sizes=(9_000_000,)).fit(X[:, :3], Y)
    np.testing.assert_array_equal(model.predict(X[:, :3]), before)


def test_what_fits_is_not_refused(left):
    left(2 * 10**8)
    assert dr.start(WIDE, optimizer="adam").plan.network is WIDE


def test_the_command_says_so_with_status_1(left, capsys, tmp_path):
    from deltarule.cli import main

    left(64_000_000)
    out = tmp_path / "model.safetensors"
    assert main(["train", "iris", "--hidden", "4000,4000", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "needs at least" in error
    assert "narrower layers" in error
    assert not out.exists()


LIMITED = """
import resource, sys
import numpy as np
import deltarule as dr
network = dr.Network(100, [dr.Dense(10), dr.Dense(1)])
dr.train(network, np.ones((9, 100)), np.ones(9), epochs=1)
resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))
try:
    dr.start(dr.Network(20_000, [dr.Dense(20_000)]), optimizer="sgd")
except dr.OutOfMemoryError as error:
    print(error)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux's own accounts")
def test_the_limit_of_the_process_is_heeded():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True, timeout=280
    )
    assert "4.8 GB for 400,020,000 parameters" in done.stdout


TABLE = """
import resource, sys
from deltarule.cli import main
resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))
sys.exit(main(["train", "iris"]))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux's own accounts")
def test_too_few_addresses_for_a_table_are_told_before_it_is_read():
    done = subprocess.run(
        [sys.executable, "-c", TABLE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: reading tables and the baselines: expected at least \d\.\d GB of addresses, .*"
        r"leaves \d+ MB.*\n",
        done.stderr,
    )


# -------------------------------------------------------------------------- what there is


def accounts(folder, **files):
    """A tree such as the system shows."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MACHINE = "MemTotal: 900 kB\nMemAvailable:  500 kB\nSwapFree: 100 kB\n"


def test_the_machines_memory(tmp_path):
    accounts(tmp_path, proc__meminfo=MACHINE)
    assert available_memory(tmp_path) == 600 * 1024


@pytest.mark.parametrize(
    ("line", "base", "limit", "used"),
    [
        ("0::/a/b\n", "sys/fs/cgroup", "memory.max", "memory.current"),
        (
            "4:cpu,memory:/a/b\n",
            "sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
)
def test_the_least_that_a_control_group_leaves(tmp_path, line, base, limit, used):
    files = {"proc/meminfo": MACHINE, "proc/self/cgroup": "9:pids:/x\n" + line}
    files |= {f"{base}/a/b/{limit}": "max\n", f"{base}/a/b/{used}": "7\n"}
    files |= {f"{base}/a/{limit}": "200000", f"{base}/a/{used}": "90000"}
    files |= {f"{base}/a/memory.stat": "anon 5\ninactive_file 4000\n"}
    files |= {f"{base}/{limit}": "9223372036854771712", f"{base}/{used}": "1"}
    accounts(tmp_path, **{name.replace("/", "__"): text for name, text in files.items()})
    assert available_memory(tmp_path) == 200000 - 90000 + 4000


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path):
    files = {"proc__self__cgroup": "0::/\n", "proc__meminfo": MACHINE}
    files |= {"sys__fs__cgroup__memory.max": "10", "sys__fs__cgroup__memory.current": "20"}
    accounts(tmp_path, **files)
    assert available_memory(tmp_path) == 0


def test_this_machines_memory():
    found = available_memory()
    assert found is None or found > 10**6


# ---------------------------------------------------------------------- what is needed


def test_what_is_needed_grows_with_state_copies_and_networks():
    network, single = dr.Network(5, [dr.Dense(7), dr.Dense(3)]), np.dtype("float32")
    plain = needed_memory(network, dr.SGD(momentum=0.0), single, batch_size=2)
    count = 5 * 7 + 7 + 7 * 3 + 3
    assert plain.batch == 4 * 2 * (5 + 2 * (7 + 3))
    adam = needed_memory(network, dr.Adam(), single, batch_size=2)
    assert adam.parameters == 4 * count * (2 + 2)
    more = needed_memory(network, dr.Adam(), single, batch_size=2, copies=2, networks=3)
    assert more.parameters == 3 * 4 * count * (2 + 2 + 2)
    away = needed_memory(network, dr.Adam(), single, batch_size=2, copies=1, accelerated=True)
    assert (away.parameters, away.batch) == (4 * count, 0)


@pytest.mark.parametrize(
    ("X", "splits", "numbers"),
    [
        (np.zeros((6, 5), np.float32), False, 0),
        (np.zeros((6, 5), np.float32), True, 6 * 5),
        (np.zeros((6, 5)), False, 6 * 5),
        (np.zeros((5, 6), np.float32).T, True, 2 * 6 * 5),
        (np.zeros((6, 5)).tolist(), False, 6 * 5),
    ],
    ids=["fits", "splits", "dtype", "order", "list"],
)
def test_copies_of_x(X, splits, numbers):
    network, Y = dr.Network(5, [dr.Dense(2)]), np.zeros((6, 2), np.float32)
    found = data_memory(network, X, Y, np.dtype("float32"), splits=splits)
    assert found == (6, 4 * (numbers + splits * 12))


def test_copies_of_a_sparse_x_are_of_its_entries():
    from scipy.sparse import csr_array

    X = csr_array(np.eye(6, 50))
    network, Y = dr.Network(50, [dr.Dense(1)]), np.zeros((6, 1), np.float32)
    assert data_memory(network, X, Y, np.dtype("float32"), splits=False) == (6, 4 * 6)
