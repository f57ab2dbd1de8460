"""Several processes that train one network: how they find, tell and outlive each other.

Each process has the whole table and the same settings; of every batch each computes its share.
A *coordinator*, a small process beside process 0, knows who is there: whoever ends, ends the
others, with a message that names it. It also carries what processes must agree on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deltarule.errors import SettingError
from deltarule.system.processes.peers import ALONE, Group

__all__ = ["ALONE", "Group", "distributed", "group"]

_current = ALONE


def group() -> Group:
    """The group that this process is in.

    Examples
    --------
    >>> group().index, group().count
    (0, 1)
    """
    return _current


@contextmanager
def distributed(
    coordinator: str | None = None,
    process: int | None = None,
    processes: int | None = None,
    *,
    wait: float = 300.0,
    silence: float = 30.0,
) -> Iterator[Group]:
    """Join the processes that train together; within it, ``engine="jax"`` uses all of them.

    Every process runs the same program on the same data. The gradients of a batch are summed
    over all devices of all processes; process 0 alone writes checkpoints, and what it says of
    clocks and callbacks counts for all.

    Parameters
    ----------
    coordinator : str, optional
        ``"HOST:PORT"`` of process 0, as the others reach it. Without the first three, a launcher's
        variables say who this is: torchrun's (``MASTER_ADDR``, ``MASTER_PORT``, ``RANK``,
        ``WORLD_SIZE``) or Slurm's (of ``srun``).
    process : int, optional
        Which process this is, from 0.
    processes : int, optional
        How many there are.
    wait : float
        Seconds for all to come.
    silence : float
        Seconds without a word after which a process counts as dead. One that is killed is missed
        at once.

    Yields
    ------
    Group

    Raises
    ------
    SettingError
        For a place that cannot be, variables that are missing, or JAX already in use.
    MissingExtraError
        Without JAX.
    PeerError
        Where the coordinator cannot be reached or the others do not come in time; and from
        within, where another process ends before its work is done. A process that is caught in
        a computation then ends with exit status 1, after the same message.

    Examples
    --------
    In each of two terminals, with process 0 and 1 (here there is one alone):

    >>> import deltarule as dr
    >>> with dr.distributed("localhost:29400", process=0, processes=1) as group:
    ...     print(f"process {group.index} of {group.count}")
    process 0 of 1
    """
    from deltarule.system.processes.launch import place

    global _current
    if _current is not ALONE:
        raise SettingError("distributed: this process is in a group already. Leave that one first.")
    here = place(coordinator, process, processes)
    if here.processes == 1:
        yield ALONE
        return
    from deltarule.system.processes.member import joined

    with joined(here, wait, silence) as member:
        _current = member
        try:
            yield member
        finally:
            _current = ALONE
