"""The coordinator: a small process beside process 0 that knows which processes are there.

It speaks lines of JSON with each of them over TCP: gathers what they give, and tells all where
one has gone: its connection has ended without a farewell, or nothing was heard of it for too long.
It outlives process 0, so that whose end it was can be said of that one too.

Run as ``python -m deltarule.system.processes.coordinator SETTINGS``; the first line it prints is
``ready`` or what went wrong.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from typing import Any, NamedTuple

from deltarule.system.processes.backend import started_service

_TICK = 0.5  # seconds between two looks at the clock
_LAST = 30.0  # seconds, at most, between the news of a loss and the end of the coordinator
_LATE = 5.0  # seconds, at least, for those that had not come yet
_SENDING = 10.0  # seconds that a process may take no news


class Settings(NamedTuple):
    """Settings of the coordinator.

    Attributes
    ----------
    host : str
        As the others reach it.
    port : int
    processes : int
        How many processes there are to be.
    wait, silence : float
        Seconds: for all to come; after which a silent one is dead.
    """

    host: str
    port: int
    processes: int
    wait: float
    silence: float

    @property
    def bind(self) -> str:
        """The address to listen at: this machine alone is not to be reached from others."""
        local = self.host == "localhost" or self.host.startswith("127.")
        return "127.0.0.1" if local else ""


class Peer:
    """A connection, and who is at its other end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.settimeout(_SENDING)
        self.heard = time.monotonic()
        self.name: str | None = None
        self._rest = b""

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message; of one that is gone, nothing: its end is seen elsewhere."""
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.heard = -float("inf")

    def messages(self) -> list[dict[str, Any]] | None:
        """What has come; None at the end."""
        try:
            found = self.connection.recv(2**16)
        except OSError:
            return None
        if not found:
            return None
        self.heard = time.monotonic()
        *lines, self._rest = (self._rest + found).split(b"\n")
        return [json.loads(line) for line in lines]


class Coordinator:
    """The processes of a group, as they come, speak and go.

    Parameters
    ----------
    settings : Settings
    listening : socket
    service : str
        The address of JAX's own service.
    """

    def __init__(self, settings: Settings, listening: socket.socket, service: str) -> None:
        self._settings, self._service = settings, service
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ, None)
        self._peers: dict[int, Peer] = {}
        self._begun = self._looked = time.monotonic()
        self._complete = False
        self._lost: float | None = None  # when
        self._news = ""
        self._given: dict[int, dict[int, Any]] = {}

    def run(self) -> None:
        """Until the last has gone."""
        while not self._over():
            for key, _ in self._selector.select(_TICK):
                if key.data is None:
                    self._welcome()
                else:
                    self._hear(key.data)
            if time.monotonic() - self._looked >= _TICK:
                self._look()

    def _over(self) -> bool:
        since = 0.0 if self._lost is None else self._now() - self._lost
        return since > _LAST or (not self._peers and (self._complete or since > _LATE))

    def _now(self) -> float:
        return time.monotonic() - self._begun

    # ----------------------------------------------------------------------- who is there

    def _welcome(self) -> None:
        connection, _ = self._listening.accept()
        self._selector.register(connection, selectors.EVENT_READ, Peer(connection))

    def _hear(self, peer: Peer) -> None:
        try:
            messages = peer.messages()
            if messages is None:
                self._part(peer)
                self._lose(peer, "ended without a word (killed, crashed, or out of memory)")
                return
            for message in messages:
                self._answer(peer, message)
        except (ValueError, KeyError, TypeError):  # some other program
            self._part(peer)

    def _answer(self, peer: Peer, message: dict[str, Any]) -> None:
        if "hello" in message:
            self._come(peer, **message["hello"])
        elif "failed" in message:
            self._lose(peer, f"ended: {message['failed']}")
        elif "farewell" in message:
            self._part(peer)
            peer.name = None
        elif "round" in message:
            self._gather(self._index(peer), int(message["round"]), message["value"])

    def _come(self, peer: Peer, process: int, processes: int, machine: str) -> None:
        taken = self._peers.get(process)
        peer.name = f"process {process} on {machine}"
        if self._lost is not None:
            peer.tell({"lost": self._news})
        elif processes != self._settings.processes:
            self._tell_lost(
                f"{peer.name} was started as one of {processes} processes, and process 0 as one of "
                f"{self._settings.processes}. Pass all of them the same number of processes.",
                peer,
            )
        elif taken is not None:
            self._tell_lost(
                f"two processes came as process {process}: {taken.name} and {peer.name}. Pass each "
                "another number, from 0.",
                peer,
            )
        else:
            self._peers[process] = peer
            if len(self._peers) == self._settings.processes:
                self._complete = True
                self._tell({"begin": self._service})

    def _index(self, peer: Peer) -> int:
        return next(i for i, each in self._peers.items() if each is peer)

    def _part(self, peer: Peer) -> None:
        self._selector.unregister(peer.connection)
        peer.connection.close()
        self._peers = {i: each for i, each in self._peers.items() if each is not peer}

    def _look(self) -> None:
        """Tell all that it is still here, and look who else is."""
        self._looked = time.monotonic()
        self._tell({"here": True})
        for peer in list(self._peers.values()):
            if self._looked - peer.heard > self._settings.silence:
                self._lose(peer, f"has not been heard of for {self._settings.silence:g} s")
        if not self._complete and self._lost is None and self._now() > self._settings.wait:
            absent = [i for i in range(self._settings.processes) if i not in self._peers]
            self._tell_lost(
                f"of {self._settings.processes} processes, {listed(absent)} did not come within "
                f"{self._settings.wait:g} s. See that all are started and reach "
                f"{self._settings.host}:{self._settings.port}, or wait longer."
            )

    def _lose(self, peer: Peer, how: str) -> None:
        if peer.name is not None and self._lost is None:
            self._tell_lost(f"{peer.name} {how}")

    def _tell_lost(self, message: str, also: Peer | None = None) -> None:
        self._lost, self._news = self._now(), message
        self._tell({"lost": message})
        if also is not None:
            also.tell({"lost": message})

    def _tell(self, message: dict[str, Any]) -> None:
        for peer in self._peers.values():
            peer.tell(message)

    # --------------------------------------------------------------------- what they give

    def _gather(self, index: int, number: int, value: Any) -> None:
        given = self._given.setdefault(number, {})
        given[index] = value
        if len(given) == self._settings.processes:
            del self._given[number]
            self._tell({"round": number, "values": [given[i] for i in sorted(given)]})


def listed(numbers: list[int]) -> str:
    """Processes by number, for people.

    Examples
    --------
    >>> listed([2]), listed([1, 3])
    ('process 2', 'processes 1, 3')
    """
    return f"process{'es' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def free_port(bind: str) -> int:
    """A port that nobody listens at."""
    with socket.create_server((bind, 0)) as probe:
        return int(probe.getsockname()[1])


def main(settings: Settings) -> None:
    """Serve a group."""
    with socket.create_server((settings.bind, settings.port)) as listening:
        port = free_port(settings.bind)
        bind = f"{settings.bind or '0.0.0.0'}:{port}"
        service = started_service(bind, settings.processes, settings.silence)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        Coordinator(settings, listening, f"{settings.host}:{port}").run()
        del service


if __name__ == "__main__":
    try:
        main(Settings(*json.loads(sys.argv[1])))
    except OSError as failure:
        sys.stdout.write(f"{failure.strerror or failure}\n")
        sys.stdout.flush()
    os._exit(0)  # JAX's service would wait for those that are gone
