"""The workloads, what times them, and the command that prints it."""

import json

import numpy as np
import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.engines import native
from deltarule.engines.benchmark import WORKLOADS, call_times, latencies, step_time


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_workload_counts_the_operations_of_its_products(workload):
    m, sizes = workload.batch, workload.sizes
    flop = 0
    for l in range(1, len(sizes)):
        forward = 2 * m * sizes[l] * sizes[l - 1]
        flop += forward + forward + (forward if l > 1 else 0)  # Eq. 1a, 11b, 11d
    assert workload.flop == flop
    assert workload.network.sizes == sizes


def test_orders_are_fresh_permutations_one_after_another():
    workload, rng = WORKLOADS["X"], np.random.default_rng(0)
    steps = workload.rows // workload.batch
    order = workload.order(rng, 2 * steps)
    first, second = order.reshape(2, -1)
    for turn in (first, second):
        np.testing.assert_array_equal(np.sort(turn), np.arange(workload.rows))
    assert (first != second).any()
    assert len(workload.order(rng, 3)) == 3 * workload.batch


def test_data_is_the_workloads():
    for workload in (WORKLOADS["X"], WORKLOADS["M"]):
        X, Y = workload.data()
        assert X.shape == (workload.rows, workload.sizes[0])
        assert Y.shape == (workload.rows, workload.sizes[-1])
        assert X.dtype == Y.dtype == np.float32
        if workload.classes:
            np.testing.assert_array_equal(Y.sum(axis=1), 1)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_step_is_timed_on_the_engine_asked_for(engine):
    found = step_time(WORKLOADS["X"], engine, rounds=3, seconds=0.005)
    assert found.engine == engine
    assert 0 < found.low_us <= found.median_us <= found.high_us
    np.testing.assert_allclose(found.flop_per_second, WORKLOADS["X"].flop / found.median_us * 1e6)
    assert (found.share is None) == (engine == "reference")


def test_calls_are_counted_and_all_timed():
    made = []
    assert latencies(lambda: made.append(0), 250).shape == (250,)
    assert len(made) == 250 + 100
    for found in call_times(calls=10):
        assert 0 < found.p50_us <= found.p999_us
        assert found.calls == 10


def test_a_peak_is_measured_in_both_precisions():
    assert native.fma_peak(2, 0.005) > 0
    assert native.fma_peak(1, 0.0, "float64") > 0


@pytest.mark.parametrize(("threads", "seconds"), [(0, 0.1), (1025, 0.1), (1, -1), (1, np.nan)])
def test_a_peak_of_no_threads_or_of_no_time_is_refused(threads, seconds):
    with pytest.raises(dr.SettingError):
        native.fma_peak(threads, seconds)


def test_the_command_prints_a_table_and_json(capsys):
    short = ["bench", "--workloads", "xt", "--rounds", "2", "--seconds", "0.002"]
    assert main(short) == 0
    table = capsys.readouterr().out
    assert "T: 20-64-64-1 relu, batch 32" in table
    assert "predict_into" in table
    assert main([*short, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["workload"]["name"] for step in found["steps"]] == ["X", "T"]
    assert all(step["share"] > 0 for step in found["steps"])
    assert {call["name"] for call in found["calls"]} >= {"jacobian", "step, SGD", "step, Adam"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(["--workloads", "XQ"], "XFSTRMHL, got 'XQ'"), (["--threads", "0"], "--threads: expected")],
)
def test_wrong_options_are_one_clear_error(wrong, said, capsys):
    assert main(["bench", *wrong]) == 2
    assert said in capsys.readouterr().err
