"""Keyed training on real clusters of two workers, by the recipes of the page; workers are killed.

The machines of the recipes are addresses of the loopback interface. `make clusters` runs this where
Dask and Ray must be there; elsewhere it is skipped without them.
"""

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from deltarule import keyed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scaling.md"
MACHINES = {"node-a": "127.0.0.2", "node-b": "127.0.0.3"}
UP = re.compile(r"Scheduler at|Starting established connection|Ray runtime started")
SMALL = ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
SMALL += ["--object-store-memory=100000000"]
STARTS = 60  # seconds within which a program is up, or the test fails

BEFORE = """
import os, signal
import numpy as np
import polars as pl
import deltarule as dr
from deltarule.keyed import running, workers
from deltarule.tabular import Settings

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 30, 3))
frame = pl.DataFrame({
    "store": np.repeat([f"s{k}" for k in range(300)], 30),
    **{name: X[:, :, i].ravel() for i, name in enumerate("abc")},
    "sold": X.sum(axis=2).ravel(),
})
running.KEYS_A_BLOCK = 20
train_by_key = dr.train_by_key
dr.train_by_key = lambda *a, **k: train_by_key(*a, settings=Settings(epochs=5, hidden=(5,)), **k)

class Deadly:
    def __init__(self, X):
        self.X = X

    def __reduce__(self):
        return end, (self.X, how)

def end(X, how):
    "What a worker does to itself when it unpacks the block; `once` by the first of them alone."
    if how == "once":
        try:
            os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return X
    if how == "with its parent":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGSTOP if how == "freeze" else signal.SIGKILL)

how, flag = os.environ.get("HOW"), os.path.abspath("flag")
plain, save = running._block, running._Folder.save

def block_of(whole, place):
    block = plain(whole, place)
    return block._replace(X=Deadly(block.X)) if place == 7 else block

def saved(*arguments):
    save(*arguments)
    os.kill(int(os.environ["SCHEDULER"]), signal.SIGKILL)

if how == "scheduler":
    running._Folder.save = saved
elif how:
    running._block = block_of
if how in ("with its parent", "freeze"):
    workers.BEAT = 0.5
"""


def section(name):
    """A part of the page, its ports free ones, its machines here."""
    text = PAGE.read_text(encoding="utf-8").split(f"### On a {name} cluster\n")[1]
    text = text.split("\n#")[0]
    for machine, address in MACHINES.items():
        text = text.replace(machine + "$", machine.upper() + "$").replace(machine, address)
    (port,) = set(re.findall(r"(?:--port[= ]|:)(\d{4})\b", text))
    return re.sub(rf"\b{port}\b", str(free_port()), text)


def free_port():
    with socket.socket() as probe:
        probe.bind((MACHINES["node-a"], 0))
        return probe.getsockname()[1]


def code(text, language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


@contextlib.contextmanager
def cluster(name, head_processors=1):
    """Everything that the recipe starts, and its Python; all of it is gone afterwards."""
    required = os.environ.get("DELTARULE_CLUSTERS") == "required"
    try:
        import psutil

        __import__(name.lower())
    except ModuleNotFoundError:
        if required:
            raise
        pytest.skip(f"not installed: pip install 'deltarule[clusters]' ({name})")
    text, begun, folder = section(name), [], tempfile.mkdtemp(prefix="dr")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RAY_AUTH_TOKEN": os.urandom(32).hex(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": folder,
    }
    try:
        for line in code(text, "console").splitlines():
            words = shlex.split(line.split("$ ", 1)[1])
            if words[0] == "export":
                environment.update([words[1].split("=")])
                continue
            if words[0] == "ray":
                words += SMALL
            if "--head" in words:
                words.append(f"--num-cpus={head_processors}")
            log = Path(tempfile.mkstemp(dir=folder)[1])
            with log.open("wb") as output:
                begun.append(
                    subprocess.Popen(
                        words,
                        env=environment,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                    )
                )
            wait_until_up(begun[-1], log)
        yield code(text, "python"), {**environment, "SCHEDULER": str(begun[0].pid)}
    finally:
        end_all(psutil, begun)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_up(program, log):
    deadline = time.monotonic() + STARTS
    while not UP.search(log.read_text()):
        up = program.poll() is None and time.monotonic() < deadline
        assert up, f"{shlex.join(program.args)}: is not up\n{log.read_text()}"
        time.sleep(0.05)


def end_all(psutil, begun):
    """The programs and all that they have started: what is of their sessions."""
    sessions, ours = {program.pid for program in begun}, []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in sessions:
                process.kill()
                ours.append(process)
    psutil.wait_procs(ours, timeout=STARTS)
    for program in begun:
        program.wait()


def run(recipe, folder, environment=os.environ, how=""):
    """What the recipe prints to stderr, run with workers that end as `how` says."""
    script = folder / "recipe.py"
    script.write_text(BEFORE + recipe, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env={**environment, "HOW": how},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (folder / "stores" / keyed.FILE).exists(), done.stderr
    return done.stderr


def models(folder):
    return (folder / "stores" / keyed.FILE).read_bytes()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The models' file of a run in one process."""
    folder = tmp_path_factory.mktemp("unbroken")
    run('dr.train_by_key(frame, "sold", "store", out="stores")\n', folder)
    return models(folder)


@pytest.mark.parametrize("name", ["Dask", "Ray"])
def test_the_recipe_trains_the_same_bytes_also_where_workers_are_killed(name, unbroken, tmp_path):
    with cluster(name) as (recipe, environment):
        (folder := tmp_path / "once").mkdir()
        run(recipe, folder, environment, "once")
        assert models(folder) == unbroken
        assert (folder / "flag").exists()
        (folder := tmp_path / "always").mkdir()
        told = run(recipe, folder, environment, "always")
        found = re.search(r"errors\.ResourceError: keyed training ended: a worker failed: .*", told)
        assert found, told
        assert "keys are saved in stores; resume=True trains the rest." in found[0]
        assert any((folder / "stores").glob("part-*"))
        assert not (folder / "stores" / "part-000007.safetensors").exists()
        run(recipe, folder, environment)
        assert models(folder) == unbroken


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("Dask", "with its parent", "the Dask cluster has no worker left"),
        ("Dask", "freeze", r"the Dask worker tcp://\S+ gives no sign of life"),
        ("Dask", "scheduler", "a worker failed: .*"),
        ("Ray", "with its parent", "(the Ray cluster has no processor left|a worker failed: .*)"),
    ],
)
def test_a_cluster_that_is_gone_ends_the_run_and_what_finished_is_kept(
    name, how, message, unbroken, tmp_path
):
    with cluster(name, head_processors=0) as (recipe, environment):
        told = run(recipe, tmp_path, environment, how)
    found = re.search(rf"errors\.ResourceError: keyed training ended: {message}\. Expected", told)
    assert found, told
    assert any((tmp_path / "stores").glob("part-*"))
    run('dr.train_by_key(frame, "sold", "store", out="stores", resume=True)\n', tmp_path)
    assert models(tmp_path) == unbroken
