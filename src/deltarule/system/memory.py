"""How much memory there still is for this process: the machine's, its group's, its own limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_UNLIMITED = 1 << 60  # what version 1 of control groups writes for "no limit", and more


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, swap included; None where the system does not say.

    The least of what the machine has (Linux: ``MemAvailable``), what each control group above the
    process leaves (containers), and what the limit of its address space leaves (``ulimit -v``).

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` are.

    Examples
    --------
    >>> found = available_memory()
    >>> found is None or found > 0
    True
    """
    found = [*_of_the_machine(root), *_of_groups(root), *_of_the_process(root)]
    return max(min(found), 0) if found else None


def address_space(root: Path = Path("/")) -> int | None:
    """Bytes of addresses that ``ulimit -v`` leaves to this process; None where it sets no limit.

    Parameters
    ----------
    root : path
        As of :func:`available_memory`.

    Examples
    --------
    >>> found = address_space()
    >>> found is None or found > 0
    True
    """
    return next(_of_the_process(root), None)


def readable_size(size: int) -> str:
    """Bytes for people.

    Examples
    --------
    >>> readable_size(3_500_000_000), readable_size(12)
    ('3.5 GB', '0 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def _of_the_machine(root: Path) -> Iterator[int]:
    fields = _fields(root / "proc/meminfo")
    if "MemAvailable" in fields:
        yield 1024 * (fields["MemAvailable"] + fields.get("SwapFree", 0))
        return
    with suppress(AttributeError, ValueError, OSError):  # not every system has these names
        yield os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_groups(root: Path) -> Iterator[int]:
    """What is left to the process's control groups, of both versions, and to those above them."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, names = "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base = "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        own = Path(path.lstrip("/"))
        for group in (own, *own.parents):
            folder = root / base / group
            limit, used = (_number(folder / name) for name in names)
            if limit is not None and used is not None and limit < _UNLIMITED:
                # files read before are given back when memory is short
                yield limit - used + _fields(folder / "memory.stat").get("inactive_file", 0)


def _of_the_process(root: Path) -> Iterator[int]:
    with suppress(ImportError):  # Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        taken = _fields(root / "proc/self/status").get("VmSize")
        if limit != resource.RLIM_INFINITY and taken is not None:
            yield limit - 1024 * taken


def _fields(path: Path) -> dict[str, int]:
    """Names and numbers, a line each; other lines are passed over."""
    found = {}
    for line in _lines(path):
        name, *rest = line.replace(":", " ").split()
        if rest and rest[0].isdecimal():
            found[name] = int(rest[0])
    return found


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError):  # not on this system, or not for us
        return []
