"""Threads: one that fails is told and leaves nothing hanging; many at once give one's numbers."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait

import numpy as np
import pytest

import deltarule as dr
from deltarule.system.threads import each_in_threads

NETWORK = dr.Network(6, [dr.Dense(9, "tanh", dropout=0.1), dr.Dense(2)])
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 6)).astype(np.float32)
Y = np.stack([X[:, 0] * X[:, 1], X[:, 2:].sum(axis=1)], axis=1)
y = (Y[:, 0] > 0).astype(int)


class Broken(Exception):
    pass


def threads_now():
    return {thread.name for thread in threading.enumerate()}


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    before = threads_now()
    yield
    assert threads_now() == before


# ------------------------------------------------------------------------ what fails


def test_the_error_of_the_first_item_is_raised_and_no_further_one_begins():
    begun = []

    def work(k):
        begun.append(k)
        if k == 3:
            raise Broken(f"item {k}")
        time.sleep(0.002)

    with pytest.raises(Broken, match="item 3"):
        each_in_threads(work, range(1000), threads=2)
    assert len(begun) < 500


@pytest.mark.parametrize("threads", [1, 4])
def test_without_failure_the_order_is_the_items(threads):
    assert each_in_threads(lambda k: k * k, range(50), threads) == [k * k for k in range(50)]


def test_what_is_under_way_is_told_to_end_and_its_own_end_is_no_error():
    from concurrent.futures import CancelledError

    halt = threading.Event()

    def work(k):
        if k == 1:
            raise Broken
        assert halt.wait(60)  # else it would run for ever
        raise CancelledError

    with pytest.raises(Broken):
        each_in_threads(work, range(2), threads=2, stop=halt.set)


@pytest.fixture
def hears_signals():
    """Python's own handler of Ctrl-C: a shell's background jobs ignore it from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs a signal to a thread")
@pytest.mark.usefixtures("hears_signals")
def test_a_signal_that_came_to_another_thread_is_heard(monkeypatch):
    halt, waits, told = threading.Event(), threading.Event(), []

    def waiting(*arguments):
        waits.set()
        return wait(*arguments)

    def item(k):
        assert waits.wait(60)
        if k == 0:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        told.append(halt.wait(60))

    monkeypatch.setattr("deltarule.system.threads.wait", waiting)
    with pytest.raises(KeyboardInterrupt):
        each_in_threads(item, range(2), threads=2, stop=halt.set)
    assert told == [True, True]


def test_an_interruption_of_the_caller_ends_the_items(monkeypatch):
    halt = threading.Event()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("deltarule.system.threads.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        each_in_threads(lambda _: halt.wait(60), range(4), threads=2, stop=halt.set)


@pytest.fixture
def no_more_threads(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def lbfgs():
    return dr.train(NETWORK_OF_TABLES, X, Y, optimizer="lbfgs", epochs=3)


def many():
    return dr.train_many(
        NETWORK, X, Y, seeds=range(3), epochs=2, options=dr.EngineOptions(n_threads=3)
    )


def ensemble(**settings):
    settings = {"n_estimators": 3, "max_iter": 4, "random_state": 0} | settings
    return dr.MLPClassifier((5,), **settings).fit(X, y)


def columns():
    from deltarule.preprocessing import Preprocessing

    table = {f"c{k}": np.arange(70_000.0) for k in range(4)}
    return Preprocessing.fit(table)


NETWORK_OF_TABLES = dr.Network(6, [dr.Dense(2)])


@pytest.mark.parametrize("work", [lbfgs, many, ensemble, columns], ids=lambda work: work.__name__)
def test_a_thread_that_the_system_refuses_is_a_clear_error(no_more_threads, monkeypatch, work):
    monkeypatch.setattr("deltarule.estimators.ensemble.cores", lambda: 3)
    monkeypatch.setattr("deltarule.data.parallel._MOST_THREADS", 3)
    monkeypatch.setattr("polars.thread_pool_size", lambda: 3)
    with pytest.raises(dr.ResourceError, match=r"the system refuses a thread: .* Ask for fewer"):
        work()


REFUSED = """
import resource
import numpy as np
import deltarule as dr
network = dr.Network(50, [dr.Dense(60), dr.Dense(2)])
runner = dr.start(network, engine="native", options=dr.EngineOptions(n_threads=900))
X, Y, rows = np.ones((40_000, 50), "f4"), np.ones((40_000, 2), "f4"), np.arange(40_000)
before = runner.parameters()
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 5 * 10**8,) * 2)  # few stacks of threads fit in
try:
    runner.train(X, Y, rows, 20_000, np.full(2, 1e-3))
except dr.ResourceError as error:
    print(error)
print(all((a == b).all() for p, q in zip(before, runner.parameters()) for a, b in
          zip(p.values(), q.values())))
runner.n_threads = 1
print(np.isfinite(runner.train(X, Y, rows, 20_000, np.full(2, 1e-3)).costs).all())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of the address space")
def test_the_compiled_core_without_its_threads_says_so_and_stays_whole():
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    said, unharmed, goes_on = done.stdout.splitlines()
    assert said.startswith("the system refuses a thread")
    assert (unharmed, goes_on) == ("True", "True")


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_a_member_that_diverges_names_itself_and_leaves_the_ensemble_as_it_was(monkeypatch):
    model = ensemble()
    before = model.predict_proba(X)
    real = type(model)._fit_draft

    def third_fails(self, *arguments):
        if self.random_state == model.estimators_[2].random_state:
            raise dr.DivergenceError("diverged", step=1, layer=None, quantity="cost")
        return real(self, *arguments)

    monkeypatch.setattr(type(model), "_fit_draft", third_fails)
    with pytest.raises(dr.DivergenceError) as caught:
        model.fit(X, y)
    assert caught.value.__notes__ == ["in member 3 of 3"]
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_member_that_fails_ends_its_fellows(monkeypatch):
    """They would train for a million epochs."""
    monkeypatch.setattr("deltarule.estimators.ensemble.cores", lambda: 3)
    begun = threading.Barrier(3, timeout=60)
    first = threading.Lock()

    def fail_in_one(event):
        if isinstance(event, dr.Started):
            begun.wait()
            if first.acquire(blocking=False):
                raise Broken

    with pytest.raises(Broken):
        ensemble(callbacks=fail_in_one, max_iter=10**6, n_iter_no_change=10**6)


def test_a_failure_among_many_ends_the_others(monkeypatch):
    from deltarule.engines.native.runner import NativeRunner

    stopped = []
    monkeypatch.setattr(NativeRunner, "stop", lambda self: stopped.append(self))

    def fail(self, *arguments, **more):
        raise Broken

    monkeypatch.setattr(NativeRunner, "train", fail)
    with pytest.raises(Broken):
        many()
    assert len(stopped) == 3


# ----------------------------------------------------------------- many threads of Python


def fitted(k):
    """A network and an estimator of a seed, and what they predict."""
    own = dr.train(NETWORK, X, Y, seed=k, epochs=8)
    model = dr.MLPClassifier((7,), max_iter=8, tol=0, random_state=k, n_iter_no_change=99)
    model.fit(X, y)
    return own.predict(X), own.history[-1].cost, model.predict_proba(X), model.loss_curve_


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_eight_threads_fitting_and_predicting_give_the_numbers_of_one():
    alone = [fitted(k) for k in range(8)]
    together = each_in_threads(fitted, [*range(8)] * 3, threads=8)
    for k, found in enumerate(together):
        for value, expected in zip(found, alone[k % 8], strict=True):
            np.testing.assert_array_equal(value, expected)


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_eight_threads_share_an_estimator():
    model = dr.MLPRegressor(hidden_layer_sizes=(9,), max_iter=5, random_state=0).fit(X, Y)
    parts = [X[k : k + 50] for k in range(0, 150, 3)]
    expected = [model.predict(part) for part in parts]
    for _ in range(3):
        for own, right in zip(each_in_threads(model.predict, parts, 8), expected, strict=True):
            np.testing.assert_array_equal(own, right)
