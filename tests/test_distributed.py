"""Several devices and processes give the one-process numbers, and end together."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from tests import process_of_a_group as run

import deltarule as dr
from deltarule.system.processes import group
from deltarule.system.processes.coordinator import Settings
from deltarule.system.processes.launch import LAUNCHERS, Place, place
from deltarule.system.processes.member import Member, _start_coordinator

SCRIPT = pathlib.Path(run.__file__)
WITHIN = 60  # seconds: what a process may outlive another that was killed
TORCHRUN = {"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "node-a", "MASTER_PORT": "29500"}
SLURM = {
    "SLURM_PROCID": "1",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "gpu[08-09,12],cpu1",
    "SLURM_JOB_ID": "4097",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Started:
    """Processes of a group, ended where a test ends before they do."""

    def __init__(self, count, **given):
        port = free_port()
        environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
        self.processes = [
            subprocess.Popen(
                [
                    *(sys.executable, str(SCRIPT)),
                    json.dumps({"process": i, "processes": count, "port": port, **given}),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for i in range(count)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.kill()
            process.communicate()

    def ended(self, which=None):
        """Exit status, output and errors of each."""
        chosen = self.processes if which is None else [self.processes[i] for i in which]
        found = [process.communicate(timeout=200) for process in chosen]
        return [(process.returncode, *texts) for process, texts in zip(chosen, found, strict=True)]


@pytest.fixture(scope="module")
def unbroken():
    """What one process computes, by the reference."""
    return run.arrays(run.trained("reference").parameters)


def read(path):
    with np.load(path) as found:
        return list(found.values())


def assert_near(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert np.linalg.norm(a - b) <= 1e-6 * np.linalg.norm(b)


# ------------------------------------------------------------------------- the same numbers


def test_eight_devices_give_the_numbers_of_one(tmp_path, unbroken):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps({"out": str(tmp_path / "of")})],
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(SCRIPT.parent.parent)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, eight = (read(tmp_path / f"of-{devices}.npz") for devices in (1, 8))
    assert_near(eight[: len(unbroken)], unbroken)
    assert_near(eight, one)
    assert "DeviceError: device 'auto', 9 devices: JAX finds 8 of this kind here" in done.stdout
    assert "a batch of 7 cannot be shared by 8 devices: expected at least one" in done.stdout


@pytest.mark.parametrize("count", [2, 4])
def test_processes_give_the_numbers_of_one(count, tmp_path, unbroken):
    with Started(count, out=str(tmp_path / "of")) as group:
        for status, _, errors in group.ended():
            assert status == 0, errors
    for i in range(count):
        assert_near(read(tmp_path / f"of-{i}.npz"), unbroken)


# ---------------------------------------------------------------------- one of them is gone


@pytest.mark.parametrize(
    ("count", "struck", "resumed_on"),
    [
        pytest.param(3, 1, 2, id="one of three, resumed on two"),
        pytest.param(2, 0, 1, id="the first, resumed on one"),
    ],
)
def test_others_name_a_killed_process_and_the_run_resumes(
    count, struck, resumed_on, tmp_path, unbroken
):
    settings = {"folder": str(tmp_path / "run"), "out": str(tmp_path / "of")}
    with Started(count, signal="SIGKILL", struck=struck, epoch=9, **settings) as group:
        assert group.ended([struck])[0][0] == -signal.SIGKILL
        killed = time.monotonic()
        others = group.ended([i for i in range(count) if i != struck])
        assert time.monotonic() - killed < WITHIN
    for status, _, errors in others:
        assert status == 1
        assert f"PeerError: process {struck} on {socket.gethostname()} ended without" in errors
    assert not list(tmp_path.glob("of-*"))
    if resumed_on == 1:
        kept = dr.Checkpoints(settings["folder"], resume=True)
        result = run.trained(checkpoints=kept)
        assert_near(run.arrays(result.parameters), unbroken)
        return
    with Started(resumed_on, resume=True, **settings) as group:
        for status, _, errors in group.ended():
            assert status == 0, errors
    assert_near(read(tmp_path / "of-0.npz"), unbroken)


def test_others_name_a_process_that_hangs(tmp_path):
    settings = {"out": str(tmp_path / "of"), "silence": 8}
    with Started(2, signal="SIGSTOP", struck=1, epoch=2, **settings) as group:
        assert group.processes[1].stdout.readline() == "struck\n"
        stopped = time.monotonic()
        ((status, _, errors),) = group.ended([0])
        assert time.monotonic() - stopped < WITHIN
    assert status == 1
    assert f"process 1 on {socket.gethostname()} has not been heard of for 8 s" in errors


def test_a_signal_to_one_ends_all_with_a_checkpoint(tmp_path):
    settings = {"folder": str(tmp_path / "run"), "out": str(tmp_path / "of")}
    with Started(2, signal="SIGTERM", struck=1, epoch=3, **settings) as group:
        for status, _, errors in group.ended():
            assert status == 1
            assert "InterruptionError: interrupted; the run is saved in" in errors
    assert (tmp_path / "run" / "checkpoint-0000000012.safetensors").exists()


# ------------------------------------------------------------------------------ bad input


def test_a_group_refuses_what_its_processes_disagree_on():
    with Started(2, refusals=True) as group:
        ended = group.ended()
    for i, (status, output, errors) in enumerate(ended):
        assert status == 0, errors
        rate, data, rows, engine = output.splitlines()
        assert rate == (
            "SettingError: the processes disagree on optimizer.learning_rate: 0.02 in process 0, "
            "0.03 in process 1. Give every process the same settings and the same data."
        )
        assert data.startswith("SettingError: the processes disagree on data.X: '"), i
        assert rows.startswith(
            "SettingError: a batch of 1 cannot be shared by 2 devices of 2 processes: expected"
        )
        assert "engine 'reference' computes in one process, and this is one of 2" in engine


def test_a_coordinator_that_cannot_be_reached_is_waited_for_no_longer_than_told():
    port = free_port()
    begun = time.monotonic()
    with pytest.raises(dr.PeerError, match=f"coordinator at localhost:{port} cannot be reached"):
        Member(Place("localhost", port, 1, 2), Settings("localhost", port, 2, 0.5, 5.0))
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "of 3 processes, processes 1, 2 did not come within"),
        ([(0, 3)], "two processes came as process 0"),
        ([(1, 4)], "was started as one of 4 processes, and process 0 as one of 3"),
    ],
)
def test_a_group_that_does_not_come_together_ends(others, message):
    settings = Settings("localhost", free_port(), 3, 4.0 if not others else 100.0, 30.0)
    _start_coordinator(settings)
    told = []

    def come(process, processes):
        here = Place("localhost", settings.port, process, processes)
        with pytest.raises(dr.PeerError) as error:
            Member(here, settings)
        told.append(str(error.value))

    come_first = threading.Thread(target=come, args=(0, 3))
    come_first.start()
    for other in others:
        come(*other)
    come_first.join()
    assert len(told) == 1 + len(others)
    assert all(message in each for each in told)


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(dr.PeerError, match=f"no coordinator at port {port} of this machine"):
            _start_coordinator(Settings("localhost", port, 2, 5.0, 5.0))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (TORCHRUN, Place("node-a", 29500, 2, 4)),
        (
            {
                **TORCHRUN,
                "LOCAL_RANK": "1",
                "LOCAL_WORLD_SIZE": "2",
                "TORCHELASTIC_USE_AGENT_STORE": "True",
            },
            Place("node-a", 29501, 2, 4, 1),
        ),
        (SLURM, Place("gpu08", 61441, 1, 3)),
        ({**SLURM, **TORCHRUN}, Place("node-a", 29500, 2, 4)),
    ],
)
def test_a_launchers_variables_say_the_place(variables, expected):
    assert place(environ=variables) == expected


@pytest.mark.parametrize("name", [*TORCHRUN, *SLURM])
def test_a_missing_variable_is_named(name):
    variables = {n: v for n, v in (TORCHRUN if name in TORCHRUN else SLURM).items() if n != name}
    marks = {launcher.needs[0][0] for launcher in LAUNCHERS}
    named = "no launcher has said which process this is" if name in marks else name
    with pytest.raises(dr.SettingError, match=named):
        place(environ=variables)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("node:1", 2, 2), "process: expected 0 to 1, of 2 processes; got 2"),
        (("node:1", -1, 2), "process: expected 0 to 1, of 2 processes; got -1"),
        (("node:1", 0, 0), "processes: expected at least 1; got 0"),
        (("node", 0, 2), "coordinator: expected HOST:PORT"),
        (("node:0", 0, 2), "coordinator: expected HOST:PORT"),
        (("node:1", None, 2), "process is missing"),
        ((None, 1, None), "coordinator and processes are missing"),
    ],
)
def test_a_place_that_cannot_be_is_refused(given, message):
    with pytest.raises(dr.SettingError, match=message):
        place(*given)


def test_variables_that_are_no_numbers_are_refused():
    with pytest.raises(dr.SettingError, match="do not say which process of how many"):
        place(environ={**TORCHRUN, "RANK": "two"})


def test_without_jax_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with (
        pytest.raises(dr.MissingExtraError, match=r'pip install "deltarule\[jax\]"'),
        dr.distributed("localhost:1", process=0, processes=2),
    ):
        pass


def test_jax_in_use_cannot_join_any_more():
    dr.start(run.NETWORK, engine="jax")
    with (
        pytest.raises(dr.SettingError, match="JAX is in use in this process"),
        dr.distributed("localhost:1", process=0, processes=2),
    ):
        pass


def test_one_process_is_a_group_by_itself():
    with dr.distributed("localhost:1", process=0, processes=1) as alone:
        assert alone is group()
        assert (alone.gathered("one"), alone.agreed(3.5), alone.first) == (["one"], 3.5, True)


@pytest.mark.parametrize("devices", [0, -1, 1.5, "both"])
def test_a_number_of_devices_that_cannot_be_is_refused(devices):
    with pytest.raises(dr.DeltaruleError, match="devices"):
        dr.EngineOptions(devices=devices)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_other_engines_refuse_several_devices(engine):
    with pytest.raises(dr.SettingError, match="computes on one device, not on 2; engine 'jax' can"):
        dr.start(run.NETWORK, engine=engine, options=dr.EngineOptions(devices=2))


# ------------------------------------------------------------------------ the command line


def test_one_process_of_a_command_prints_and_writes(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(60, 2)), rng.integers(0, 2, 60)])
    table = tmp_path / "table.csv"
    np.savetxt(table, rows, delimiter=",", header="a,b,y", comments="", fmt="%.3f")
    port = free_port()

    def started(i):
        command = (
            f"-m deltarule train {table} --target y --hidden 3 --epochs 2 --no-baselines --json"
        )
        where = f"--out {tmp_path / f'model-{i}.safetensors'} --coordinator localhost:{port}"
        return subprocess.Popen(
            [sys.executable, *f"{command} {where} --process {i} --processes 2".split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first, second = map(started, range(2))
    (output, errors), (other_output, other_errors) = first.communicate(), second.communicate()
    assert (first.returncode, second.returncode) == (0, 0), errors + other_errors
    assert "fit_seconds" in json.loads(output)
    assert other_output == ""
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model-0.safetensors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--distributed", "no launcher has said which process this is"),
        ("--coordinator localhost:1 --process 2 --processes 2", "process: expected 0 to 1"),
        ("--process 1", "coordinator and processes are missing"),
        ("--devices two", "--devices: expected a number, or all; got 'two'"),
    ],
)
def test_the_command_says_what_is_wrong(options, message, capsys, monkeypatch):
    from deltarule.cli import main

    for name in (*TORCHRUN, *SLURM):
        monkeypatch.delenv(name, raising=False)
    assert main(["train", "iris", *options.split()]) == 2
    assert message in capsys.readouterr().err
