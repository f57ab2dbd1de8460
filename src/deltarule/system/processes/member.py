"""A process in its group: its line to the coordinator, and its end where another has ended."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from deltarule.errors import InterruptionError, PeerError, setting
from deltarule.system.processes import backend
from deltarule.system.processes.coordinator import Settings
from deltarule.system.processes.launch import Place
from deltarule.system.processes.peers import Group

_BEAT = 1.0  # seconds between two signs of life
_GRACE = 5.0  # seconds to leave in good order, once another is lost
_RETRY = 0.2


@contextmanager
def joined(here: Place, wait: float, silence: float) -> Iterator[Member]:
    """The process in its group, JAX included, until the work is done or one of them ends."""
    backend.check_unused()
    settings = Settings(here.host, here.port, here.processes, wait, silence)
    if here.process == 0:
        _start_coordinator(settings)
    member = Member(here, settings)
    try:
        with member.watched():
            leave = backend.connected(
                member.service, here.process, here.processes, silence, here.accelerator
            )
            yield member
            member.gathered("done")  # JAX's farewell is for all at once
            leave()
        member.part()
    except InterruptionError:  # a signal, heard by all of them
        member.gathered("done")
        leave()
        member.part()
        raise
    except BaseException as error:
        member.fail(error)
        backend.forget()
        raise


class Member(Group):
    """A process among the others.

    Parameters
    ----------
    here : Place
    settings : Settings

    Raises
    ------
    PeerError
        Where the coordinator cannot be reached, or the others do not come.
    """

    def __init__(self, here: Place, settings: Settings) -> None:
        self.index, self.count = here.process, here.processes
        self._settings = settings
        self._at = f"{here.host}:{here.port}"
        self._line = self._reached()
        self._line.settimeout(settings.silence)
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._round = 0
        self._lost = ""
        self._news = threading.Event()
        self._out = threading.Event()
        machine = socket.gethostname()
        self._tell(
            {"hello": {"process": here.process, "processes": here.processes, "machine": machine}}
        )
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"deltarule {work.__name__}", daemon=True).start()
        try:
            self.service: str = self._next()["begin"]
        except PeerError:
            self._out.set()
            self._line.close()
            raise

    def _reached(self) -> socket.socket:
        """A line to the coordinator."""
        until = time.monotonic() + self._settings.wait
        while True:
            left = until - time.monotonic()
            try:
                return socket.create_connection(
                    (self._settings.host, self._settings.port), timeout=max(left, _RETRY)
                )
            except OSError as error:
                if time.monotonic() + _RETRY > until:
                    raise PeerError(
                        f"the coordinator at {self._at} cannot be reached: tried for "
                        f"{self._settings.wait:g} s ({error.strerror or error}). See that process "
                        "0 runs there, that the address is right, and that no firewall is between."
                    ) from None
                time.sleep(_RETRY)

    # --------------------------------------------------------------------------- what is said

    def gathered(self, value: Any) -> list[Any]:
        """What each process gives, in their order."""
        self._round += 1
        self._tell({"round": self._round, "value": value})
        return list(self._next()["values"])

    def _next(self) -> dict[str, Any]:
        """What the coordinator answers, unless a process is lost first."""
        message = self._inbox.get()
        if "lost" in message:
            self._inbox.put(message)  # for whoever asks again
            raise PeerError(message["lost"])
        return message

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within it, an error that another process's end brings about names that process."""
        try:
            yield
        except PeerError:
            raise
        except Exception as error:
            # Where a process ends, its fellows' sums fail a moment before it is missed.
            if _of_connection(error) and self._news.wait(2 * self._settings.silence):
                raise PeerError(self._lost) from error
            raise

    def _tell(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._sending, suppress(OSError):  # whoever listens will see that the line is dead
            self._line.sendall(line)

    # ------------------------------------------------------------------------------- watching

    def _beat(self) -> None:
        while not self._out.wait(_BEAT):
            self._tell({"here": True})

    def _listen(self) -> None:
        rest = b""
        while True:
            try:
                found = self._line.recv(2**16)
            except OSError:
                found = b""
            if self._out.is_set():
                return
            if not found:
                self._lose(
                    f"the coordinator at {self._at}, beside process 0, ended or is out of reach"
                )
                return
            *lines, rest = (rest + found).split(b"\n")
            for message in map(json.loads, lines):
                if "lost" in message:
                    self._lose(message["lost"])
                    return
                if "here" not in message:
                    self._inbox.put(message)

    def _lose(self, message: str) -> None:
        """Another has ended, so this one ends: by an error if it can, else at once."""
        advice = (
            ""
            if message.endswith(".")
            else (
                f"; process {self.index} of {self.count} ends too. A run with checkpoints resumes "
                f"from the newest ({setting('resume=True', '--resume')}), on as many processes or "
                "others."
            )
        )
        self._lost = message + advice
        self._news.set()
        self._inbox.put({"lost": self._lost})
        if not self._out.wait(_GRACE):
            with suppress(OSError, ValueError):
                sys.stderr.write(f"error: {self._lost}\n")
                sys.stderr.flush()
            os._exit(1)

    # -------------------------------------------------------------------------------- leaving

    def part(self) -> None:
        """Leave, the work being done."""
        self._tell({"farewell": True})
        self._out.set()
        self._line.close()

    def fail(self, error: BaseException) -> None:
        """Leave with an error. The line stays open to the process's end: JAX needs its service."""
        if not isinstance(error, PeerError):
            first = (str(error).splitlines() or [""])[0]
            self._tell({"failed": f"{type(error).__name__}: {first}"})
        self._out.set()


def _of_connection(error: Exception) -> bool:
    """Whether an error of JAX's may come of another process's end."""
    return any(word in str(error) for word in ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED"))


def _start_coordinator(settings: Settings) -> None:
    """Start it beside this process, which it may outlive.

    Raises
    ------
    PeerError
        Where it cannot listen.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "deltarule.system.processes.coordinator", json.dumps(settings)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for the processes, not for it
    )
    assert child.stdout is not None
    with child.stdout as told:
        said = told.readline().strip()
    if said != "ready":
        child.wait()
        raise PeerError(
            f"no coordinator at port {settings.port} of this machine: {said or 'it did not start'}."
            " Choose a port that nobody uses."
        )
    child.returncode = 0  # nobody waits for it: it ends after the last process
