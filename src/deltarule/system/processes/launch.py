"""Which process of how many this is: from arguments, or from a launcher's variables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from deltarule.errors import SettingError, setting


class Place(NamedTuple):
    """A process among its fellows.

    Attributes
    ----------
    host : str
    port : int
        Where the coordinator is.
    process, processes : int
        Which process of how many.
    accelerator : int or None
        The number of the one accelerator of this machine that is this process's own; None for
        all it sees.
    """

    host: str
    port: int
    process: int
    processes: int
    accelerator: int | None = None


def place(
    coordinator: str | None = None,
    process: int | None = None,
    processes: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Place:
    """The place of this process.

    Parameters
    ----------
    coordinator, process, processes
        All three or none: then the variables say it.
    environ : mapping, optional
        Default: ``os.environ``.

    Raises
    ------
    SettingError
        For a place that cannot be, or what is missing.

    Examples
    --------
    >>> place("node-a:29400", process=1, processes=4)
    Place(host='node-a', port=29400, process=1, processes=4, accelerator=None)
    >>> slurm = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}
    >>> place(environ={**slurm, "SLURM_JOB_NODELIST": "gpu[08-09,12]"}).host
    'gpu08'
    """
    given = {"coordinator": coordinator, "process": process, "processes": processes}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return _checked(_of_launcher(os.environ if environ is None else environ))
    if coordinator is None or process is None or processes is None:
        raise SettingError(
            f"{_places()} go together; {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing."
        )
    host, colon, port = coordinator.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise SettingError(
            f"coordinator: expected HOST:PORT of process 0, such as node-a:29400; got "
            f"{coordinator!r}."
        )
    return _checked(Place(host.strip("[]"), int(port), process, processes))


def _checked(here: Place) -> Place:
    if here.processes < 1:
        raise SettingError(f"processes: expected at least 1; got {here.processes}.")
    if not 0 <= here.process < here.processes:
        raise SettingError(
            f"process: expected 0 to {here.processes - 1}, of {here.processes} processes; got "
            f"{here.process}."
        )
    return here


# ------------------------------------------------------------------------- the launchers


class Launcher(NamedTuple):
    """What starts processes, the variables it sets, and what they mean."""

    name: str
    needs: tuple[tuple[str, ...], ...]  # each under one of these names
    place: Callable[[Mapping[str, str]], Place]


def _of_torchrun(found: Mapping[str, str]) -> Place:
    port, own = int(found["MASTER_PORT"]), int(found.get("LOCAL_WORLD_SIZE", 1)) > 1
    if found.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        port += 1  # the launcher itself listens at the port it names
    return Place(
        found["MASTER_ADDR"],
        port,
        int(found["RANK"]),
        int(found["WORLD_SIZE"]),
        int(found["LOCAL_RANK"]) if own else None,
    )


def _of_slurm(found: Mapping[str, str]) -> Place:
    nodes = _first(found, _SLURM_NODES)
    return Place(
        first_node(nodes),
        61440 + int(found["SLURM_JOB_ID"]) % 4096,  # the jobs of a node at ports of their own
        int(found["SLURM_PROCID"]),
        int(_first(found, _SLURM_COUNT)),
    )


_SLURM_NODES = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")
_SLURM_COUNT = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")

LAUNCHERS = (
    Launcher(
        "torchrun",
        (("RANK",), ("WORLD_SIZE",), ("MASTER_ADDR",), ("MASTER_PORT",)),
        _of_torchrun,
    ),
    Launcher(
        "Slurm's srun",
        (("SLURM_PROCID",), _SLURM_COUNT, _SLURM_NODES, ("SLURM_JOB_ID",)),
        _of_slurm,
    ),
)
"""The first variable tells that a launcher is there; of two, the one that the other started."""


def _of_launcher(environ: Mapping[str, str]) -> Place:
    for launcher in LAUNCHERS:
        if launcher.needs[0][0] not in environ:
            continue
        missing = [
            " or ".join(names)
            for names in launcher.needs
            if not any(name in environ for name in names)
        ]
        if missing:
            raise SettingError(
                f"distributed: of the variables of {launcher.name}, {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing. Set what is missing, or pass "
                f"{_places()}."
            )
        try:
            return launcher.place(environ)
        except (ValueError, KeyError) as error:
            raise SettingError(
                f"distributed: the variables of {launcher.name} do not say which process of how "
                f"many this is ({error}). Pass {_places()}."
            ) from None
    expected = "; ".join(
        f"{', '.join(names[0] for names in launcher.needs)} ({launcher.name})"
        for launcher in LAUNCHERS
    )
    raise SettingError(
        f"distributed: no launcher has said which process this is: expected {expected}. Start it "
        f"with one of these, or pass {_places()}."
    )


def _places() -> str:
    return setting(
        "coordinator, process and processes",
        "--coordinator HOST:PORT, --process I and --processes N",
    )


def _first(found: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next(found[name] for name in names if name in found)


def first_node(nodes: str) -> str:
    """The first of Slurm's list of nodes.

    Examples
    --------
    >>> [first_node(nodes) for nodes in ("a", "a-1,b", "n[3,5-7],m", "r[01-04]c[2-3]-x")]
    ['a', 'a-1', 'n3', 'r01c2-x']
    """
    first = re.match(r"(?:\[[^]]*\]|[^,\[])*", nodes)
    assert first is not None  # it matches nothing at all, too
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", first.group())
