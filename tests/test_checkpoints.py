"""Checkpoints: a run that was killed goes on as if it had not been, bit for bit."""

import copy
import os
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.training.checkpoints import Checkpoints, pack
from deltarule.training.checkpoints.snapshot import opened

NETWORK = dr.Network(3, [dr.Dense(5, "relu", dropout=0.2), dr.Dense(2)], "mse")


def data(m=47, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((m, 3))
    return X, np.stack([X.sum(1), X[:, 0] * X[:, 1]], 1)


def fit(folder=None, callbacks=(), network=NETWORK, m=47, **settings):
    X, Y = data(m)
    kept = settings.pop("kept", {})
    checkpoints = None if folder is None else Checkpoints(folder, **{"every_steps": 3} | kept)
    settings = {"optimizer": dr.Adam("cosine(0.01)"), "epochs": 6, "batch_size": 7} | settings
    settings = {"validation": 0.2, "engine": "reference", "seed": 3} | settings
    return dr.train(network, X, Y, checkpoints=checkpoints, callbacks=callbacks, **settings)


def state_of(result):
    arrays = [W for layer in result.parameters for W in layer.values()]
    history = [replace(event, seconds=0.0, statistics=None) for event in result.history]
    return [W.tobytes() for W in arrays], history, result.best_epoch


class Stop(Exception):
    pass


def stop_after(count):
    seen = []

    def listen(event):
        seen.append(event)
        if len(seen) > count:
            raise Stop

    return listen


@pytest.mark.parametrize("averaging", [1, 2.5])
@pytest.mark.parametrize("engine", ["reference", "native", "jax"])
@pytest.mark.parametrize("optimizer", [dr.Adam("cosine(0.01)"), dr.SGD(0.01, nesterov=True)])
def test_resumed_anywhere_equals_unbroken(tmp_path, engine, optimizer, averaging):
    """Mid-epoch too: the checkpoints are three steps apart, an epoch has six."""
    settings = {"engine": engine, "optimizer": optimizer, "averaging": averaging}
    unbroken = fit(**settings)
    for count in (2, 5, 8, 11):
        folder = tmp_path / str(count)
        with pytest.raises(Stop):
            fit(folder, [stop_after(count)], **settings)
        resumed = fit(folder, kept={"resume": True}, **settings)
        assert state_of(resumed) == state_of(unbroken)


def test_callbacks_go_on_with_what_they_remember(tmp_path):
    settings = {"optimizer": dr.SGD(0.05), "epochs": 12}
    unbroken = fit(callbacks=[dr.ReduceOnPlateau(patience=1, improvement=1.0)], **settings)
    plateau = dr.ReduceOnPlateau(patience=1, improvement=1.0)
    with pytest.raises(Stop):
        fit(tmp_path, [plateau, stop_after(9)], **settings)
    plateau = dr.ReduceOnPlateau(patience=1, improvement=1.0)
    resumed = fit(tmp_path, [plateau], kept={"resume": True}, **settings)
    assert state_of(resumed) == state_of(unbroken)
    assert resumed.history[-1].learning_rate < 0.05


def test_a_finished_run_is_its_result_again(tmp_path):
    done = fit(tmp_path)
    events = []
    again = fit(tmp_path, [events.append], kept={"resume": True})
    assert state_of(done) == state_of(again)
    assert [type(event).__name__ for event in events] == ["Started", "Resumed", "Ended"]


def test_more_epochs_go_on_from_the_end(tmp_path):
    settings = {"optimizer": dr.Adam(0.01)}
    fit(tmp_path, epochs=4, **settings)
    longer = fit(tmp_path, epochs=7, kept={"resume": True}, **settings)
    assert state_of(longer) == state_of(fit(epochs=7, **settings))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seed": 4}, "seed"),
        ({"batch_size": 8}, "batch_size"),
        ({"dtype": "float64"}, "dtype"),
        ({"optimizer": dr.Adam(0.5)}, "optimizer.learning_rate"),
        ({"network": dr.Network(3, [dr.Dense(4), dr.Dense(2)])}, "network.layers.1.units"),
        ({"m": 46}, "data.X"),
        ({"engine": "native"}, "engine"),
        ({"regularization": dr.Regularization(l2=0.1)}, "regularization.l2"),
        ({"averaging": 2.0}, "averaging"),
    ],
)
def test_another_run_is_refused_by_field(tmp_path, change, field):
    fit(tmp_path)
    with pytest.raises(dr.FileError, match=f"to another run: {field} was"):
        fit(tmp_path, kept={"resume": True}, **change)


def test_a_folder_in_use_is_refused(tmp_path):
    X, Y = data()
    first = dr.Training(NETWORK, X, Y, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(dr.FileError, match="another run writes its checkpoints there"):
        dr.Training(NETWORK, X, Y, checkpoints=Checkpoints(tmp_path, resume=True))
    list(first)


def test_an_earlier_run_is_not_overwritten(tmp_path):
    fit(tmp_path)
    with pytest.raises(dr.SettingError, match=r"holds checkpoints.*resume=True"):
        fit(tmp_path)


def test_foreign_and_partial_files_are_passed_over(tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(8)])
    newest = sorted(tmp_path.glob("checkpoint-*"))[-1]
    newest.write_bytes(newest.read_bytes()[:-9])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".checkpoint-0000000099.safetensors.abc").write_text("half")
    events = []
    resumed = fit(tmp_path, [events.append], kept={"resume": True})
    assert state_of(resumed) == state_of(fit())
    assert "truncated" in events[1].notes[0]
    assert (tmp_path / "notes.txt").exists()
    assert not list(tmp_path.glob(".checkpoint*"))


def test_what_is_no_folder_for_checkpoints_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for name, said in (("file", "file exists"), ("a\0b", "embedded null")):
        with pytest.raises(dr.FileError, match=f"no folder for checkpoints: {said}"):
            fit(tmp_path / name)
    with pytest.raises(dr.TypeMismatchError, match=r"expected Checkpoints\(folder\), got str"):
        dr.train(NETWORK, *data(), checkpoints="run")
    (tmp_path / "run" / ".checkpoint-0000000001.safetensors.a").mkdir(parents=True)
    fit(tmp_path / "run")


def test_the_last_and_the_best_are_kept(tmp_path):
    fit(tmp_path, kept={"keep": 2}, epochs=20, optimizer=dr.SGD(0.05))
    assert 2 <= len(list(tmp_path.glob("checkpoint-*"))) <= 3


def test_another_instruction_set_is_told(tmp_path, monkeypatch):
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(5)])
    monkeypatch.setattr("platform.machine", lambda: "abacus")
    events = []
    fit(tmp_path, [events.append], kept={"resume": True})
    (note,) = next(event.notes for event in events if isinstance(event, dr.Resumed))
    assert re.search(r"was written on \w+, and this is abacus: .* not bit for bit", note)


def test_engine_options_belong_to_a_run(tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(5)], engine="jax")
    high = dr.EngineOptions(precision="high")
    with pytest.raises(dr.FileError, match=r"options\.precision"):
        fit(tmp_path, kept={"resume": True}, options=high, engine="jax")


def test_threads_may_change_within_a_run(tmp_path):
    one, two = (dr.EngineOptions(n_threads=n) for n in (1, 2))
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(5)], options=one, engine="native")
    resumed = fit(tmp_path, kept={"resume": True}, options=two, engine="native")
    assert state_of(resumed) == state_of(fit(engine="native"))


def test_a_given_start_and_order_belong_to_a_run(tmp_path):
    begun = fit(epochs=2)
    start = {"parameters": begun.parameters, "state": begun.runner.state()}
    unbroken = fit(**start)
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(5)], **start)
    with pytest.raises(dr.FileError, match=r"start\."):
        fit(tmp_path, kept={"resume": True})
    with pytest.raises(dr.FileError, match=r"shuffle|data\.order"):
        fit(tmp_path, kept={"resume": True}, shuffle=lambda epoch: np.arange(38)[::-1], **start)
    assert state_of(fit(tmp_path, kept={"resume": True}, **start)) == state_of(unbroken)


def test_every_epochs_own_order_belongs_to_a_run(tmp_path):
    def order(epoch):
        return np.random.default_rng(epoch).permutation(38)

    def other(epoch):
        return order(epoch if epoch < 3 else epoch + 1)

    other.__qualname__ = order.__qualname__
    unbroken = fit(shuffle=order)
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(11)], shuffle=order)
    with pytest.raises(dr.FileError, match=r"data\.order, what shuffle gives for epoch 3"):
        fit(tmp_path, kept={"resume": True}, shuffle=other)
    assert state_of(fit(tmp_path, kept={"resume": True}, shuffle=order)) == state_of(unbroken)


def test_a_listeners_arrays_are_kept(tmp_path):
    class Counting:
        def __init__(self):
            self.seen = np.zeros(0)

        def __call__(self, event):
            if isinstance(event, dr.EpochEnded):
                self.seen = np.append(self.seen, event.cost)

        def state(self):
            return {"seen": self.seen, "name": "costs"}

        def set_state(self, state):
            self.seen, self.name = state["seen"], state["name"]

    whole, first, second = Counting(), Counting(), Counting()
    fit(callbacks=[whole])
    with pytest.raises(Stop):
        fit(tmp_path, [first, stop_after(8)])
    fit(tmp_path, [second], kept={"resume": True})
    np.testing.assert_array_equal(second.seen, whole.seen)
    assert second.name == "costs"


def test_a_run_that_is_left_lets_the_folder_go(tmp_path):
    """Though somebody holds on to the error, as a notebook does."""
    with pytest.raises(Stop) as held:
        fit(tmp_path, [stop_after(5)])
    assert state_of(fit(tmp_path, kept={"resume": True})) == state_of(fit())
    assert held.value.__traceback__ is not None


def test_divergence_reduces_the_rate_of_a_given_start_too():
    begun = fit(network=dr.Network(3, [dr.Dense(2)]), validation=None, optimizer="sgd", epochs=1)
    result = wild("reduce", parameters=begun.parameters, state=begun.runner.state())
    assert [event.epoch for event in result.history] == list(range(1, 13))


def test_sparse_examples_have_an_identity(tmp_path):
    from scipy.sparse import csr_array

    X, Y = data()
    settings = {"epochs": 2, "engine": "reference"}
    dr.train(NETWORK, csr_array(X), Y, checkpoints=Checkpoints(tmp_path), **settings)
    X[0, 0] += 1
    kept = Checkpoints(tmp_path, resume=True)
    with pytest.raises(dr.FileError, match=r"data\.X"):
        dr.train(NETWORK, csr_array(X), Y, checkpoints=kept, **settings)


def test_lbfgs_is_refused_clearly(tmp_path):
    network = dr.Network(3, [dr.Dense(2)])
    with pytest.raises(dr.SettingError, match="cannot be resumed"):
        fit(tmp_path, network=network, optimizer="lbfgs")


def test_a_full_disk_leaves_the_earlier_ones(tmp_path, monkeypatch):
    with pytest.raises(Stop):
        fit(tmp_path, [stop_after(5)])
    before = {path: path.read_bytes() for path in tmp_path.glob("checkpoint-*")}

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(dr.FileError, match="no space left on device"):
            fit(tmp_path, kept={"resume": True})
    assert before == {path: path.read_bytes() for path in tmp_path.glob("checkpoint-*")}
    assert state_of(fit(tmp_path, kept={"resume": True})) == state_of(fit())


FULL = """
import glob, resource, sys
from tests.test_checkpoints import fit
import deltarule as dr
from deltarule.modelfile import Model, save_model

folder, saved = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a disk that is full after a kilobyte
for write in (
    lambda: fit(folder, kept={"resume": True}),
    lambda: save_model(saved, Model(network, network.initial_parameters())),
):
    network = dr.Network(30, [dr.Dense(40), dr.Dense(1)])
    try:
        write()
    except dr.FileError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_a_disk_that_takes_no_more_is_a_clear_error(tmp_path):
    """The system's own refusal, in a folder whose name has spaces and letters of any kind."""
    folder, saved = tmp_path / "läuft 漢字 run", tmp_path / "ein Modell.safetensors"
    with pytest.raises(Stop):
        fit(folder, [stop_after(5)])
    saved.write_bytes(b"what was there")
    before = {path: path.read_bytes() for path in folder.glob("checkpoint-*")}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder), str(saved)],
        capture_output=True,
        text=True,
        check=True,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    first, second = done.stdout.splitlines()
    assert "cannot be written: file too large. What was there before is as it was." in first
    assert "ein Modell.safetensors: cannot be written" in second
    assert saved.read_bytes() == b"what was there"
    assert before == {path: path.read_bytes() for path in folder.glob("checkpoint-*")}
    assert sorted(os.listdir(tmp_path)) == sorted([folder.name, saved.name])
    assert state_of(fit(folder, kept={"resume": True})) == state_of(fit())


def test_mutated_checkpoints_are_refused_or_whole(tmp_path):
    unbroken = state_of(fit(tmp_path))
    (path,) = sorted(tmp_path.glob("checkpoint-*"))[-1:]
    for other in tmp_path.glob("checkpoint-*"):
        if other != path:
            other.unlink()
    content = path.read_bytes()
    rng = random.Random(5)
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 4))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            again = fit(tmp_path, kept={"resume": True})
        except dr.DeltaruleError:
            refused += 1
        else:
            assert state_of(again) == unbroken
        for other in tmp_path.glob("checkpoint-*"):
            if other != path:
                other.unlink()
    assert refused > 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 3},
        {"first": 99, "costs": np.ones(99)},
        {"first": -1, "costs": np.ones(1)},
        {"first": 2, "costs": np.ones((2, 2))},
        {"rate_scale": float("nan")},
        {"rate_scale": -1.0},
        {"reductions": -1},
        {"seconds": -5.0},
    ],
    ids=lambda wrong: " ".join(wrong),
)
def test_a_sealed_checkpoint_that_no_run_wrote_is_refused(tmp_path, wrong):
    run = dr.Training(NETWORK, *data(), checkpoints=Checkpoints(tmp_path, every_steps=2))
    events = iter(run)
    while not list(tmp_path.glob("checkpoint-*")):
        next(events)
    (path,) = tmp_path.glob("checkpoint-*")
    run.close()
    identity = opened(path).metadata["identity"]
    path.write_bytes(pack(replace(run.snapshot(), **wrong), identity))
    kept = Checkpoints(tmp_path, resume=True, every_steps=2)
    with pytest.raises(dr.FileError, match="do not fit each other"):
        dr.train(NETWORK, *data(), checkpoints=kept)


# ------------------------------------------------------------------------- killed processes

SERVER = """
import os, signal, stat, sys
from tests.test_checkpoints import fit, state_of
from deltarule.system import storage

def die_in(name, number, half):
    real, left = getattr(os, name), [number]
    def call(*arguments, **more):
        left[0] -= 1
        if left[0] == 0:
            about = os.fstat(arguments[0]) if half else None
            if half and stat.S_ISREG(about.st_mode):
                os.truncate(arguments[0], about.st_size // 2)  # as far as a write had come
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **more)
    setattr(os, name, call)

print("ready", flush=True)
for line in sys.stdin:  # a fork each, so that a run costs no import
    folder, out, name, number, half = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child:
        print(child, flush=True)
        sys.stdin.readline()  # until then the child's number is nobody else's
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    if name:
        die_in(name, int(number), bool(half))
    result = fit(folder, kept={"resume": True, "every_steps": 2}, epochs=150, engine="native")
    storage.write_whole(out, repr(state_of(result)).encode())
    os._exit(0)
"""

WRITING = (("fsync", "half"), ("fsync", ""), ("replace", ""), ("unlink", ""))
"""Where a write may end: its file half there, unsynced, unnamed; the files before it unremoved."""


class Runs:
    """Runs in processes of their own, one after another."""

    def __init__(self, folder, out):
        self.folder, self.out = folder, out
        root = os.path.dirname(os.path.dirname(__file__))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=root, **pipes)
        assert self.server.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.communicate()

    def killed_after(self, seconds):
        """Start a run and kill it then; false where it had ended before."""
        child = self._begun()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        return self._ended() == -signal.SIGKILL

    def killed_in(self, name, number, half):
        """Start a run that dies in the so-manieth call of a function of the system's."""
        self._begun(name, number, half)
        return self._ended() == -signal.SIGKILL

    def finished(self):
        """A run to its end."""
        self._begun()
        return self._ended() == 0

    def _begun(self, name="", number=0, half=""):
        return int(self._told(f"{self.folder}\t{self.out}\t{name}\t{number}\t{half}\n"))

    def _ended(self):
        return int(self._told("go on\n"))

    def _told(self, line):
        self.server.stdin.write(line)
        self.server.stdin.flush()
        return self.server.stdout.readline()


def test_killed_at_random_moments(tmp_path):
    """SIGKILL, thirty times, half of them while a checkpoint is written: each run goes on.

    And whatever bears a checkpoint's name is a whole one at every moment.
    """
    rng = random.Random(11)
    folder, out = tmp_path / "run", tmp_path / "out"
    unbroken = repr(state_of(fit(epochs=150, engine="native")))

    def killed(turn):
        if turn % 2:
            return runs.killed_after(rng.uniform(0.0, 0.1))
        name, half = WRITING[turn // 2 % len(WRITING)]
        return runs.killed_in(name, 2 * rng.randrange(12) + 1, half)

    with Runs(folder, out) as runs:
        for turn in range(30):
            had = list(folder.glob("checkpoint-*"))
            for _ in range(9):
                if killed(turn):
                    break
                assert out.read_text() == unbroken  # it was done before: begin another
                for path in [out, *folder.iterdir()]:
                    path.unlink()
                had = []
            else:
                pytest.fail(f"nothing ends a run in {WRITING[turn // 2 % len(WRITING)]}")
            there = list(folder.glob("checkpoint-*"))
            assert there or not had
            for path in there:
                opened(path).load()
        assert runs.finished()
    assert out.read_text() == unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_step_and_says_how_to_resume(tmp_path, number):
    def send(event):
        if isinstance(event, dr.EpochEnded) and event.epoch == 2:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(dr.InterruptionError, match="resume=True") as caught:
        fit(tmp_path, [send])
    assert caught.value.signal == number
    assert signal.getsignal(number) is before
    assert os.path.exists(caught.value.checkpoint)
    assert state_of(fit(tmp_path, kept={"resume": True})) == state_of(fit())


SLOW = """
import sys, time
from deltarule import cli
from deltarule.cli import progress
listen = progress.Watcher.listen
def slowly(self, event):
    print("heard", flush=True)
    time.sleep(float(sys.argv[1]))
    return listen(self, event)
progress.Watcher.listen = slowly
sys.exit(cli.main(sys.argv[2:]))
"""


def interrupted(folder, seconds, *numbers):
    """The command, told by signals once it trains; each of its events takes so many seconds."""
    table, run = folder / "t.csv", folder / "run"
    np.savetxt(table, data(150)[0], delimiter=",", header="a,b,y", comments="")
    options = ["--target", "y", "--no-baselines", "--quality", "fast", "--json"]
    options += ["--checkpoint-dir", str(run)]
    command = [sys.executable, "-c", SLOW, str(seconds), "train", str(table), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "heard\n"
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.3)
        _, said = process.communicate(timeout=280)
    return process.returncode, said


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_command_ends_with_the_status_of_its_signal(tmp_path, number, status):
    returned, said = interrupted(tmp_path, 0.05, number)
    assert returned == status
    assert "--resume" in said
    assert "Traceback" not in said
    assert list(tmp_path.glob("run/checkpoint-*"))


def test_a_second_signal_ends_the_process_at_once(tmp_path):
    returned, said = interrupted(tmp_path, 60, signal.SIGINT, signal.SIGINT)
    assert returned == -signal.SIGINT
    assert not said
    assert not list(tmp_path.glob("run/checkpoint-*"))


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permission there")
def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    """By the system; and for root, whom it refuses nothing, by the same answer."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() == 0:
        real = os.open

        def refusing(path, *arguments, **more):
            if str(path).startswith(str(locked)):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *arguments, **more)

        monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(dr.FileError, match=r"permission denied. Name one that can be written"):
        fit(locked)
    assert not list(locked.iterdir())


# ------------------------------------------------------------------------------- divergence


def wild(on_divergence, rate=1e4, folder=None, callbacks=(), **start):
    stopping = dr.Stopping(epochs=12, on_divergence=on_divergence)
    settings = {"epochs": None, "stopping": stopping, "optimizer": dr.SGD(rate, momentum=0.0)}
    network = dr.Network(3, [dr.Dense(2)])
    return fit(folder, callbacks, network=network, validation=None, **settings, **start)


def test_divergence_leaves_the_last_good_parameters():
    with pytest.raises(dr.DivergenceError) as caught:
        wild("raise")
    good = dr.Network(3, [dr.Dense(2)]).initial_parameters(3, "float32")
    np.testing.assert_array_equal(caught.value.parameters[0]["W"], good[0]["W"])


def test_divergence_reduces_the_rate_and_says_so():
    events = []
    result = wild("reduce", callbacks=[events.append])
    said = [event for event in events if isinstance(event, dr.RateReduced)]
    assert said
    assert said[0].factor == 0.5
    assert "resumes from the end of epoch" in said[0].text
    assert len(result.history) == 12
    assert result.history[-1].cost < result.history[0].cost


def late(on_divergence, folder=None, resume=False, validation=0.2):
    """Two good epochs, then a rate that nothing survives."""

    def explode(event):
        late = isinstance(event, dr.EpochEnded) and event.epoch == 2
        return dr.ScaleRate(1e9) if late else None

    stopping = dr.Stopping(epochs=9, on_divergence=on_divergence)
    settings = {"epochs": None, "stopping": stopping, "validation": validation}
    settings |= {"optimizer": dr.SGD(0.01, momentum=0.0), "network": dr.Network(3, [dr.Dense(2)])}
    return fit(folder, [explode], kept={"resume": resume, "every_steps": 6}, **settings)


def test_divergence_stops_with_the_best_epoch(tmp_path):
    result = late("stop", tmp_path)
    assert result.stopped_because == "diverged"
    assert "training diverged at step" in result.stopped_text
    assert result.best_epoch in (1, 2, 3)
    assert np.isfinite(result.parameters[0]["W"]).all()
    assert state_of(late("stop", tmp_path, resume=True)) == state_of(result)
    with pytest.raises(dr.DivergenceError):
        late("stop", validation=None)
    with pytest.raises(dr.DivergenceError):
        late("raise")


def test_divergence_ignored_leaves_out_batches():
    result = wild("ignore")
    assert len(result.history) == 12
    assert np.isfinite([event.cost for event in result.history]).all()


def test_a_wrong_word_for_divergence():
    with pytest.raises(dr.SettingError, match="expected one of raise, stop, reduce, ignore"):
        dr.Stopping(on_divergence="halve")


# ------------------------------------------------------------------------------- estimators


def classifier(folder=None, resume=False, callbacks=None, **settings):
    X, Y = data(150)
    kept = None if folder is None else Checkpoints(folder, resume=resume, every_steps=4)
    settings = {"max_iter": 9, "batch_size": 32, "tol": 0.0, "random_state": 3} | settings
    model = dr.MLPClassifier((8,), checkpoints=kept, callbacks=callbacks, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nine epochs are few
        return model.fit(X, (Y[:, 1] > 0).astype(int))


def figures_of(model):
    members = getattr(model, "estimators_", [model])
    return [
        (
            [W.tobytes() for W in (*member.coefs_, *member.intercepts_)],
            (member.loss_curve_, member.validation_scores_, member.validation_loss_curve_),
            (member.n_iter_, member.t_, member.learning_rate_, member.stopped_because_),
        )
        for member in members
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True},
        {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 1.0},
        {"regularization": dr.RegularizationOptions(average=0.9, dropout=0.1)},
        {"n_estimators": 2},
        {"callbacks": dr.ReduceOnPlateau(patience=1, improvement=1.0)},
    ],
    ids=["adam", "early stopping", "adaptive", "average and dropout", "ensemble", "callback"],
)
def test_a_resumed_fit_of_an_estimator_equals_the_unbroken_one(tmp_path, settings):
    own = settings.pop("callbacks", None)

    def listeners():
        return [] if own is None else [copy.deepcopy(own)]

    unbroken = classifier(callbacks=listeners(), **settings)
    for count in (4, 11):
        folder = tmp_path / str(count)
        with pytest.raises(Stop):
            classifier(folder, callbacks=[*listeners(), stop_after(count)], **settings)
        for _ in range(2):  # what is over is its result again
            resumed = classifier(folder, resume=True, callbacks=listeners(), **settings)
            assert figures_of(resumed) == figures_of(unbroken)


def test_a_plateau_lowers_the_rate_of_an_estimator():
    plateau = dr.ReduceOnPlateau(factor=0.5, patience=1, improvement=1e9)
    assert classifier(callbacks=plateau).learning_rate_ < 1e-3 / 2


def test_an_estimator_goes_back_and_on_at_a_lower_rate():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 3))
    stopping = dr.StoppingOptions(on_divergence="reduce")
    settings = {"solver": "sgd", "learning_rate_init": 1e4, "max_iter": 12, "batch_size": 16}
    events = []
    model = dr.MLPRegressor(
        hidden_layer_sizes=(), stopping=stopping, tol=0.0, random_state=0, alpha=0.0,
        callbacks=events.append, n_iter_no_change=99, momentum=0.0, **settings
    )  # fmt: skip
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, X @ [1.0, 2.0, 3.0])
    reduced = [event for event in events if isinstance(event, dr.RateReduced)]
    assert reduced
    assert model.learning_rate_ == 1e4 * reduced[-1].factor
    assert (len(model.loss_curve_), model.n_iter_, model.t_) == (12, 12, 12 * 64)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"random_state": None}, r"random_state=None\. Pass a whole number"),
        ({"random_state": 4}, "to another run: seed was"),
        ({"alpha": 0.5}, r"to another run: regularization\.l2 was"),
        ({"solver": "lbfgs"}, "cannot be resumed"),
    ],
)
def test_a_fit_that_cannot_be_resumed_says_so(tmp_path, settings, message):
    classifier(tmp_path, max_iter=2)
    with pytest.raises(dr.DeltaruleError, match=message):
        classifier(tmp_path, resume=True, **{"max_iter": 2} | settings)


def test_partial_fit_keeps_no_checkpoints(tmp_path):
    X, Y = data()
    model = dr.MLPRegressor(random_state=0, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(dr.SettingError, match="partial_fit does not go with checkpoints"):
        model.partial_fit(X, Y)


def test_a_signal_keeps_a_fit_of_an_estimator(tmp_path):
    def send(event):
        if isinstance(event, dr.EpochEnded) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(dr.InterruptionError, match="resume=True"):
        classifier(tmp_path, callbacks=send)
    resumed = classifier(tmp_path, resume=True)
    assert figures_of(resumed) == figures_of(classifier())


def test_a_signal_keeps_every_network_of_an_ensemble(tmp_path):
    """Also those that have not begun: each thread's run ends after its step, with a checkpoint."""

    def send(event):
        if isinstance(event, dr.EpochEnded) and event.epoch == 2 and not sent:
            sent.append(os.kill(os.getpid(), signal.SIGTERM))

    sent = []
    settings = {"n_estimators": 3, "max_iter": 60, "n_iter_no_change": 60}
    with pytest.raises(dr.InterruptionError, match=r"member-\d.*resume=True") as caught:
        classifier(tmp_path, callbacks=send, **settings)
    assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    resumed = classifier(tmp_path, resume=True, **settings)
    assert figures_of(resumed) == figures_of(classifier(**settings))


def test_a_signal_keeps_every_network_of_a_table(tmp_path):
    X, Y = data(150)
    settings = tabular.Settings(epochs=40, patience=40, n_ensemble=3, hidden=(4,), n_threads=2)
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y[:, 1]})
    whole = tabular.table(frame, tabular.Roles(("y",)))
    problem = tabular.problem(whole, settings, np.arange(150), whole.frame[:0])

    def fitted(callbacks=(), kept=None):
        return tabular.fit(problem, settings, callbacks, kept).results

    def send(event):
        if isinstance(event, dr.EpochEnded) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(dr.InterruptionError, match=r"network-\d"):
        fitted([send], Checkpoints(tmp_path))
    ended = [state_of(result) for result in fitted((), Checkpoints(tmp_path, resume=True))]
    assert ended == [state_of(result) for result in fitted()]


# ----------------------------------------------------------------------------- command line


def command(*arguments):
    options = ["train", "iris", "--epochs", "4", "--no-baselines", "--json", "--seed", "5"]
    return [sys.executable, "-m", "deltarule", *options, *map(str, arguments)]


def test_the_command_goes_on_where_it_was(tmp_path, capsys):
    """In another process than the first."""
    from deltarule.cli import main

    kept = ["--checkpoint-dir", tmp_path / "ein Lauf ü", "--checkpoint-every", "2"]
    assert main(command()[3:]) == 0
    plain = capsys.readouterr().out
    assert main(command(*kept)[3:]) == 0
    first = capsys.readouterr().out
    assert main(command(*kept)[3:]) == 2
    assert "--resume" in capsys.readouterr().err
    resumed = subprocess.run(command(*kept, "--resume"), capture_output=True, text=True, check=True)

    def figures(shown):
        return re.search(r'"figures": .*?"judged_rows"', shown, re.DOTALL).group()

    assert figures(plain) == figures(first) == figures(resumed.stdout)


def test_the_command_says_what_divergence_does(capsys):
    from deltarule.cli import main

    wild = [*command()[3:], "--optimizer", "gradient_descent", "--learning-rate", "1e9"]
    assert main(wild) == 1
    assert "training diverged at step" in capsys.readouterr().err
    assert main([*wild, "--on-divergence", "reduce"]) in (0, 1)  # as far as 20 halvings reach
    assert "the scheduled learning rate" in capsys.readouterr().err
    assert main([*wild, "--on-divergence", "halve"]) == 2
    assert "expected one of raise, stop, reduce, ignore" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--resume"], ["--checkpoint-dir", "d", "--checkpoint-every", "x"]]
)
def test_wrong_options_are_told(arguments, capsys):
    from deltarule.cli import main

    assert main(command(*arguments)[3:]) == 2
    assert "expected" in capsys.readouterr().err
