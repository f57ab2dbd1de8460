"""A run's state at a step: to tensors and JSON, and back with every size checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import OptimizerState, RunnerState, Statistics
from deltarule.network import Parameters
from deltarule.system.storage import FileKind, Opened, Tensor, open_tensors, tensor_bytes
from deltarule.training.events import EpochEnded

KIND = FileKind(
    "deltarule_checkpoint",
    "checkpoint",
    1,
    1,
    "remove it, or begin anew in another folder.",
)

_COLUMNS = tuple(entry.name for entry in fields(EpochEnded) if entry.name != "statistics")
_WHOLE = ("epoch", "step")
_FREE = ("history", "history_known", "costs", "shares", "statistics", "listeners")  # of any shape


@dataclass(frozen=True)
class Snapshot:
    """All that a run needs to go on.

    Attributes
    ----------
    parameters : Parameters
    state : RunnerState
        The runner's step, and the optimizer's arrays.
    history : tuple of EpochEnded
    first : int
        Steps of the epoch under way that are done.
    costs, shares : float64 arrays, shape (first,)
        Their costs, and what each weighs in the epoch's.
    statistics : Statistics or None
        Theirs, where asked for.
    rate_scale : float
        What callbacks made of the schedule's rate.
    seconds : float
        How long the run has worked.
    best : tuple or None
        Figure, epoch and parameters of the best epoch.
    listeners : tuple of dict or None
        What each callback remembers, where it has a ``state()``: JSON values, and arrays of
        float32, float64 or bool.
    good : tuple or None
        Parameters and state at the end of the last good epoch, where divergence goes back there.
    reductions : int
        How often the rate was halved since then.
    verdict : tuple of two str, or None
        Why a run that is over ended, where a callback or the driver ended it.
    instruction_set : str
        What computed it: on another the numbers agree to rounding only.
    orders : tuple of str
        A digest of each epoch's order so far, where that is the caller's own.
    average : tuple or None
        Of averaged parameters, how many epochs have gone into them, and what they are.
    """

    parameters: Parameters
    state: RunnerState
    history: tuple[EpochEnded, ...] = ()
    first: int = 0
    costs: Array = ()
    shares: Array = ()
    statistics: Statistics | None = None
    rate_scale: float = 1.0
    seconds: float = 0.0
    best: tuple[float, int, Parameters] | None = None
    listeners: tuple[dict[str, Any] | None, ...] = ()
    good: tuple[Parameters, RunnerState] | None = None
    reductions: int = 0
    verdict: tuple[str, str] | None = None
    instruction_set: str = ""
    orders: tuple[str, ...] = ()
    average: tuple[int, Parameters] | None = None

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose parameters are kept as the best."""
        return None if self.best is None else self.best[1]


def pack(snapshot: Snapshot, identity: Mapping[str, Any]) -> bytes:
    """A snapshot as the bytes of a checkpoint.

    Parameters
    ----------
    snapshot : Snapshot
    identity : mapping
        What it belongs to, JSON values.
    """
    tensors: dict[str, Array] = {}
    tensors |= named_arrays("parameters", snapshot.parameters)
    tensors |= _named_state("state", snapshot.state.optimizer)
    if snapshot.good is not None:
        tensors |= named_arrays("good", snapshot.good[0])
        tensors |= _named_state("good_state", snapshot.good[1].optimizer)
    if snapshot.best is not None:
        tensors |= named_arrays("best", snapshot.best[2])
    if snapshot.average is not None:
        tensors |= named_arrays("average", snapshot.average[1])
    rows = [[getattr(event, name) for name in _COLUMNS] for event in snapshot.history]
    known = np.array([[value is not None for value in row] for row in rows], dtype=bool)
    filled = [[0.0 if value is None else float(value) for value in row] for row in rows]
    tensors["history"] = np.array(filled, dtype=np.float64).reshape(-1, len(_COLUMNS))
    tensors["history_known"] = known.reshape(-1, len(_COLUMNS))
    tensors["costs"] = np.asarray(snapshot.costs, dtype=np.float64)
    tensors["shares"] = np.asarray(snapshot.shares, dtype=np.float64)
    for place, own in enumerate([*(e.statistics for e in snapshot.history), snapshot.statistics]):
        if own is not None:
            tensors |= {f"statistics.{place}.{name}": a for name, a in own._asdict().items()}
    remembered: list[dict[str, Any] | None] = []
    for place, memory in enumerate(snapshot.listeners):
        of_arrays = {n: v for n, v in (memory or {}).items() if isinstance(v, np.ndarray)}
        tensors |= {f"listeners.{place}.{name}": values for name, values in of_arrays.items()}
        rest = {n: v for n, v in (memory or {}).items() if n not in of_arrays}
        remembered.append(None if memory is None else rest)
    best = snapshot.best
    metadata = {
        "format": KIND.newest,
        "identity": dict(identity),
        "step": snapshot.state.step,
        "first": snapshot.first,
        "rate_scale": snapshot.rate_scale.hex(),
        "seconds": snapshot.seconds,
        "best": None if best is None else [float(best[0]).hex(), best[1]],
        "average": None if snapshot.average is None else snapshot.average[0],
        "listeners": remembered,
        "orders": list(snapshot.orders),
        "good": None if snapshot.good is None else snapshot.good[1].step,
        "reductions": snapshot.reductions,
        "verdict": None if snapshot.verdict is None else list(snapshot.verdict),
        "instruction_set": snapshot.instruction_set,
    }
    return tensor_bytes(KIND.key, tensors, metadata)


def opened(path: Any) -> Opened:
    """A checkpoint's header, read and checked.

    Raises
    ------
    FileError
        For what is no checkpoint.
    """
    return open_tensors(path, KIND)


def unpack(found: Opened, like: Snapshot) -> Snapshot:
    """The snapshot that a file holds.

    Parameters
    ----------
    found : Opened
    like : Snapshot
        Of the run it is for: arrays of the right shapes and dtypes.

    Raises
    ------
    FileError
        Where the file's contents do not fit.
    """
    metadata = found.metadata
    expected = {
        name: Tensor.of(array)
        for name, array in (
            named_arrays("parameters", like.parameters)
            | _named_state("state", like.state.optimizer)
        ).items()
    }
    for prefix in ("best", "average"):
        if metadata.get(prefix) is not None:
            expected |= {n: Tensor.of(a) for n, a in named_arrays(prefix, like.parameters).items()}
    if metadata.get("good") is not None:
        good = named_arrays("good", like.parameters) | _named_state(
            "good_state", like.state.optimizer
        )
        expected |= {name: Tensor.of(array) for name, array in good.items()}
    for name, tensor in found.tensors.items():
        if name.partition(".")[0] in _FREE:
            expected[name] = tensor
    found.expect(expected, "its plan")
    arrays = found.load()
    try:
        return _built(metadata, arrays, like)
    except Exception as error:  # whatever a foreign hand may have put there
        raise found.broken(f"its contents do not fit each other ({error})") from error


def _built(metadata: dict[str, Any], arrays: dict[str, Array], like: Snapshot) -> Snapshot:
    history, known = arrays["history"], arrays["history_known"]
    if history.shape != known.shape or history.shape[1:] != (len(_COLUMNS),):
        raise ValueError("its history has no usable shape")
    parameters = parameters_in(arrays, "parameters", like.parameters)
    if not all(np.isfinite(W).all() for layer in parameters for W in layer.values()):
        raise ValueError("its parameters are not finite")
    found = [_statistics(place, arrays) for place in range(len(history) + 1)]
    best = None
    if metadata["best"] is not None:
        figure, epoch = metadata["best"]
        best = (float.fromhex(figure), int(epoch), parameters_in(arrays, "best", like.parameters))
    average = None
    if metadata.get("average") is not None:
        averaged = parameters_in(arrays, "average", like.parameters)
        average = (int(metadata["average"]), averaged)
    good = None
    if metadata["good"] is not None:
        state = _read_state("good_state", int(metadata["good"]), like, arrays)
        good = (parameters_in(arrays, "good", like.parameters), state)
    first, reductions = int(metadata["first"]), int(metadata["reductions"])
    rate_scale = float.fromhex(metadata["rate_scale"])
    seconds = float(metadata["seconds"])
    if arrays["costs"].shape != (first,) or min(reductions, seconds) < 0:
        raise ValueError("its counts are not those of its arrays")
    if not 0 < rate_scale < math.inf:
        raise ValueError(f"its rate is multiplied by {rate_scale}")
    verdict = metadata["verdict"]
    return Snapshot(
        parameters,
        _read_state("state", int(metadata["step"]), like, arrays),
        tuple(
            _event(row, mask, own)
            for row, mask, own in zip(history, known, found[:-1], strict=True)
        ),
        first,
        arrays["costs"],
        arrays["shares"],
        found[-1],
        rate_scale,
        seconds,
        best,
        _listeners(metadata["listeners"], arrays),
        good,
        reductions,
        None if verdict is None else (str(verdict[0]), str(verdict[1])),
        str(metadata["instruction_set"]),
        tuple(str(digest) for digest in metadata["orders"]),
        average,
    )


def _event(row: Array, known: Array, statistics: Statistics | None) -> EpochEnded:
    values: dict[str, Any] = {}
    for name, value, given in zip(_COLUMNS, row.tolist(), known.tolist(), strict=True):
        values[name] = (int(value) if name in _WHOLE else value) if given else None
    values["best"] = bool(values["best"])
    return EpochEnded(**values, statistics=statistics)


def _listeners(
    stored: list[dict[str, Any] | None], arrays: dict[str, Array]
) -> tuple[dict[str, Any] | None, ...]:
    """What each callback remembers, its arrays beside the rest."""
    found: list[dict[str, Any] | None] = [None if m is None else dict(m) for m in stored]
    for name, values in arrays.items():
        kind, _, rest = name.partition(".")
        if kind == "listeners":
            place, _, own = rest.partition(".")
            memory = found[int(place)]
            if memory is None:
                raise ValueError(f"{name} belongs to no callback")
            memory[own] = values
    return tuple(found)


def _statistics(place: int, arrays: dict[str, Array]) -> Statistics | None:
    names = [f"statistics.{place}.{name}" for name in Statistics._fields]
    return Statistics(*(arrays[name] for name in names)) if names[0] in arrays else None


def named_arrays(prefix: str, parameters: Parameters) -> dict[str, Array]:
    """Parameters as arrays by name, ``prefix.1.W``."""
    return {
        f"{prefix}.{l}.{name}": values
        for l, layer in enumerate(parameters, 1)
        for name, values in layer.items()
    }


def _named_state(prefix: str, state: OptimizerState) -> dict[str, Array]:
    return {
        f"{prefix}.{l}.{name}.{slot}": values
        for l, layer in enumerate(state, 1)
        for name, slots in layer.items()
        for slot, values in enumerate(slots)
    }


def parameters_in(arrays: Mapping[str, Array], prefix: str, like: Parameters) -> Parameters:
    """Parameters from arrays by name, as :func:`named_arrays` names them.

    Parameters
    ----------
    arrays : mapping of str to array
    prefix : str
    like : Parameters
        Of the same network.
    """
    return tuple(
        {name: arrays[f"{prefix}.{l}.{name}"] for name in layer} for l, layer in enumerate(like, 1)
    )


def _read_state(prefix: str, step: int, like: Snapshot, arrays: dict[str, Array]) -> RunnerState:
    optimizer = tuple(
        {
            name: tuple(arrays[f"{prefix}.{l}.{name}.{slot}"] for slot in range(len(slots)))
            for name, slots in layer.items()
        }
        for l, layer in enumerate(like.state.optimizer, 1)
    )
    return RunnerState(step, optimizer)
