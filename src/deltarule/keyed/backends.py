"""The backends of joblib as workers: threads, processes of this machine, Dask, Ray."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import uuid
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from numbers import Integral
from typing import Any

from deltarule.errors import MissingExtraError, ResourceError, SettingError, require, setting
from deltarule.keyed.grouping import Block
from deltarule.keyed.training import Work
from deltarule.keyed.workers import (
    BEAT,
    JOIN,
    SILENCE,
    Outcome,
    WorkerError,
    Workers,
    in_a_line,
    in_thread,
    outcome,
    outcome_of,
    packed,
)

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows one way


def open_workers(n_jobs: int | None, blocks: int) -> Workers | None:
    """The workers of the joblib backend in force; None where this thread is to train alone.

    Parameters
    ----------
    n_jobs : int, optional
        None for what ``joblib.parallel_config`` says.
    blocks : int
        How many there are to train.

    Raises
    ------
    SettingError
        For an `n_jobs` that is not a number of workers, and for a backend that is not known here.
    ResourceError
        Where no worker can be had.
    MissingExtraError
        Where joblib is needed and not installed.
    """
    if n_jobs == 1 or blocks == 0:
        return None
    try:
        joblib: Any = require("joblib", "sklearn", "several processes")
    except MissingExtraError:
        if n_jobs is None:
            return None
        raise
    backend, usual = joblib.parallel.get_active_backend()
    jobs: Any = (1 if usual is None else usual) if n_jobs is None else n_jobs
    if not isinstance(jobs, Integral) or jobs == 0:
        raise SettingError(
            f"n_jobs={jobs!r}: expected a number of workers, -1 for all processors, or None."
        )
    names = [each.__name__ for each in type(backend).__mro__]
    name = next((name for name in names if name in _OPENERS), None)
    if name is None:
        raise SettingError(
            f"joblib's {names[0]}: keyed training cannot detect there that a worker has died. "
            "Expected the backend loky, multiprocessing, threading, dask or ray, or n_jobs=1."
        )
    try:
        return _OPENERS[name](backend, int(jobs), blocks)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise ResourceError(
            f"joblib's {names[0]} has no workers: {in_a_line(error)}. Use fewer "
            f"({setting('n_jobs', '--jobs')}), or start "
            "the cluster's workers first."
        ) from error


# ------------------------------------------------------------------------------ this machine


class _Threads:
    """Threads of this process; they end with it."""

    def __init__(self, count: int) -> None:
        self.at_once = count

    def submit(self, work: Work, block: Block) -> Future[Outcome]:
        return in_thread(outcome, work, block)

    def check(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Processes:
    """Processes of this machine, each at the end of a pipe: where one dies, its pipe breaks."""

    def __init__(self, context: Any, count: int, threads: int) -> None:
        self.at_once = 2 * count  # the next block is at hand when one is finished
        self._idle: queue.SimpleQueue[tuple[Any, Any] | None] = queue.SimpleQueue()
        self._all: list[Any] = []
        self._lock = threading.Lock()
        try:
            for _ in range(count):
                self._start(context, threads)
        except BaseException:
            self.close()
            raise

    def _start(self, context: Any, threads: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        process = context.Process(target=_serve, args=(theirs, ours, threads), daemon=True)
        with theirs:
            process.start()
        self._all.append(process)
        self._idle.put((process, ours))

    def submit(self, work: Work, block: Block) -> Future[Outcome]:
        return in_thread(self._ask, packed(work, block))

    def _ask(self, content: bytes) -> Outcome:
        worker = self._idle.get()
        if worker is None:
            self._idle.put(None)  # for the next that waits
            raise WorkerError("its workers were stopped")
        process, pipe = worker
        try:
            pipe.send_bytes(content)
            while not pipe.poll(BEAT):
                if not self._lives(process):
                    raise EOFError
            answer = pipe.recv_bytes()
        except (EOFError, OSError):
            ending = "closed its pipe" if self._lives(process, JOIN) else _ending(process.exitcode)
            raise WorkerError(f"process {process.pid} {ending}") from None
        self._idle.put(worker)
        found: Outcome = pickle.loads(answer)
        return found

    def check(self) -> None:
        pass

    def close(self) -> None:
        self._idle.put(None)
        for process in self._all:
            if self._lives(process):
                os.kill(process.pid, _KILL)  # loky's have no kill()
        for process in self._all:
            self._lives(process, JOIN)

    def _lives(self, process: Any, seconds: float = 0.0) -> bool:
        """Whether a process lives, after at most this number of seconds."""
        with self._lock:  # where two threads ask the system, one of them gets no answer
            process.join(seconds)
            return bool(process.is_alive())


def _serve(pipe: Any, parents: Any, threads: int) -> None:
    """What a process does: train what comes through its pipe, until the other end is gone."""
    from threadpoolctl import threadpool_limits

    parents.close()  # a forked process has it too, and would keep its own pipe open
    for name in ("SIGINT", "SIGHUP"):  # the parent's to answer, whose terminal this one shares
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with threadpool_limits(threads), contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(pickle.dumps(outcome_of(pipe.recv_bytes())))


def _ending(code: int | None) -> str:
    """How a process ended."""
    if code is None:
        return "ended"
    if code >= 0:
        return f"ended with status {code}"
    return f"was killed by signal {-code} ({signal.strsignal(-code)})"


# ----------------------------------------------------------------------------------- clusters


class _Dask:
    """The workers of a Dask cluster. Its scheduler gives the block of a dead worker to another.

    Where it does not see that one is dead, the heartbeats it got do not change.
    """

    def __init__(self, backend: Any) -> None:
        self._client = backend.client
        self._options = backend.submit_kwargs
        self._prefix = f"deltarule-{uuid.uuid4().hex}"
        self._futures: weakref.WeakSet[Any] = weakref.WeakSet()
        self._count = 0
        self._seen: dict[str, tuple[Any, int]] = {}
        self._without = 0
        self.at_once = 2 * max(backend.effective_n_jobs(-1), 1)

    def submit(self, work: Work, block: Block) -> Future[Outcome]:
        import dask

        self._count += 1
        key = f"{self._prefix}-{self._count}"
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            # A block travels with its task: scattered, it would be lost with the worker it is on.
            content = packed(work, block)
            future = self._client.submit(outcome_of, content, key=key, **self._options)
        self._futures.add(future)
        return in_thread(future.result)

    def check(self) -> None:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._without = 0 if workers else self._without + 1
        if self._without >= SILENCE:
            raise WorkerError("the Dask cluster has no worker left")
        self._seen = {name: self._beat(name, each["last_seen"]) for name, each in workers.items()}
        silent = [name for name, (_, missed) in self._seen.items() if missed >= SILENCE]
        busy = self._client.processing() if silent else {}
        for name in silent:
            if any(str(key).startswith(self._prefix) for key in busy.get(name, ())):
                raise WorkerError(f"the Dask worker {name} gives no sign of life")

    def _beat(self, name: str, last: Any) -> tuple[Any, int]:
        """A worker's last heartbeat, and how many looks have found no later one."""
        before, missed = self._seen.get(name, (None, 0))
        return last, missed + 1 if last == before else 0

    def close(self) -> None:
        ended = in_thread(self._client.cancel, list(self._futures))
        wait([ended], JOIN)  # what is gone does not answer


class _Ray:
    """The workers of a Ray cluster. Ray itself gives the block of a dead worker to another."""

    def __init__(self, backend: Any, jobs: int) -> None:
        self._ray: Any = require("ray", "ray", "joblib's backend ray")
        if not self._ray.is_initialized():
            self._ray.init()  # the cluster of RAY_ADDRESS, or this machine
        self._task = self._ray.remote(outcome_of)
        if backend.ray_remote_args:
            self._task = self._task.options(**backend.ray_remote_args)
        self._tasks: dict[Future[Outcome], Any] = {}
        self._without = 0
        self.at_once = jobs if jobs > 0 else 2 * max(self._processors(), 1)

    def _processors(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def submit(self, work: Work, block: Block) -> Future[Outcome]:
        task = self._task.remote(packed(work, block))
        future: Future[Outcome] = task.future()
        self._tasks[future] = task
        future.add_done_callback(self._tasks.pop)
        return future

    def check(self) -> None:
        self._without = 0 if self._processors() else self._without + 1
        if self._without >= SILENCE:
            raise WorkerError("the Ray cluster has no processor left")

    def close(self) -> None:
        ended = in_thread(self._cancel, list(self._tasks.values()))
        wait([ended], JOIN)

    def _cancel(self, tasks: list[Any]) -> None:
        for task in tasks:
            self._ray.cancel(task, force=True)


# ----------------------------------------------------------------------------------- backends


def _count(backend: Any, jobs: int, blocks: int) -> int:
    return min(int(backend.effective_n_jobs(jobs)), blocks)


def _threads(backend: Any, jobs: int, blocks: int) -> Workers | None:
    count = _count(backend, jobs, blocks)
    return _Threads(count) if count > 1 else None


def _processes(backend: Any, jobs: int, blocks: int) -> Workers | None:
    """Processes started afresh: a copy of this one by fork may hang, for it has threads."""
    import joblib
    from joblib.externals.loky.backend import get_context

    count = _count(backend, jobs, blocks)
    threads = backend.inner_max_num_threads or max(joblib.cpu_count() // count, 1)
    context = backend.backend_kwargs.get("context") or get_context("loky")
    return _Processes(context, count, threads) if count > 1 else None


_OPENERS: Mapping[str, Callable[[Any, int, int], Workers | None]] = {
    "SequentialBackend": lambda backend, jobs, blocks: None,
    "ThreadingBackend": _threads,
    "LokyBackend": _processes,
    "RayBackend": lambda backend, jobs, blocks: _Ray(backend, jobs),
    "MultiprocessingBackend": _processes,
    "DaskDistributedBackend": lambda backend, jobs, blocks: _Dask(backend),
}
"""By the name of joblib's class, or of one it is made from."""
