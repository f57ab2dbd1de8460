"""A run's state at a step: to tensors and JSON, and back with every size checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.engines.plan import OptimizerState, RunnerState, Statistics
from deltarule.network import Parameters
from deltarule.system.storage import FileKind, Opened, Tensor, open_tensors, tensor_bytes
from deltarule.training.averaging import Average
from deltarule.training.events import EpochEnded
from deltarule.training.state import Best, TrainingState
from deltarule.training.stopping import Verdict

KIND = FileKind(
    "deltarule_checkpoint",
    "checkpoint",
    2,
    2,
    "remove it, or restart in another folder.",
)

Memory = dict[str, Any]
"""What a callback remembers: JSON values, and arrays of float32, float64 or bool."""

_COLUMNS = tuple(entry.name for entry in fields(EpochEnded) if entry.name != "statistics")
_WHOLE = ("epoch", "step")
_FREE = ("history", "history_known", "costs", "shares", "statistics", "listeners")  # of any shape


@dataclass(frozen=True)
class Surroundings:
    """What a checkpoint keeps of a run beside its state.

    Attributes
    ----------
    listeners : sequence of dict or None
        What each callback remembers, where it has a ``state()``.
    instruction_set : str
        What computed it: on another the numbers agree to rounding only.
    orders : sequence of str
        A digest of each epoch's order so far, where that is the caller's own.
    """

    listeners: Sequence[Memory | None] = ()
    instruction_set: str = ""
    orders: Sequence[str] = ()

    def give_back(self, listeners: Sequence[object]) -> None:
        """Give callbacks what they remembered, where they have a ``set_state()``."""
        for listener, memory in zip(listeners, self.listeners, strict=False):
            if memory is not None and hasattr(listener, "set_state"):
                listener.set_state(memory)


def pack(
    state: TrainingState, identity: Mapping[str, Any], around: Surroundings | None = None
) -> bytes:
    """A run's state as the bytes of a checkpoint.

    Parameters
    ----------
    state : TrainingState
        With the optimizer's.
    identity : mapping
        What it belongs to, JSON values.
    around : Surroundings, optional
    """
    around = around or Surroundings()
    tensors = _tensors("", state)
    if state.good is not None and state.good.optimizer is not None:
        tensors |= _tensors("good.", state.good)
    rows = [[getattr(event, name) for name in _COLUMNS] for event in state.history]
    known = np.array([[value is not None for value in row] for row in rows], dtype=bool)
    filled = [[0.0 if value is None else float(value) for value in row] for row in rows]
    tensors["history"] = np.array(filled, dtype=np.float64).reshape(-1, len(_COLUMNS))
    tensors["history_known"] = known.reshape(-1, len(_COLUMNS))
    tensors["costs"] = np.asarray(state.costs, dtype=np.float64)
    tensors["shares"] = np.asarray(state.shares, dtype=np.float64)
    for place, own in enumerate([*(e.statistics for e in state.history), state.statistics]):
        if own is not None:
            tensors |= {f"statistics.{place}.{name}": a for name, a in own._asdict().items()}
    remembered: list[Memory | None] = []
    for place, memory in enumerate(around.listeners):
        of_arrays = {n: v for n, v in (memory or {}).items() if isinstance(v, np.ndarray)}
        tensors |= {f"listeners.{place}.{name}": values for name, values in of_arrays.items()}
        rest = {n: v for n, v in (memory or {}).items() if n not in of_arrays}
        remembered.append(None if memory is None else rest)
    good = state.good
    metadata = {
        "format": KIND.newest,
        "identity": dict(identity),
        **_numbers(state),
        "good": None if good is None or good.optimizer is None else _numbers(good),
        "first": state.first,
        "seconds": state.seconds,
        "verdict": None if state.verdict is None else list(state.verdict),
        "listeners": remembered,
        "orders": list(around.orders),
        "instruction_set": around.instruction_set,
    }
    return tensor_bytes(KIND.key, tensors, metadata)


def _tensors(prefix: str, state: TrainingState) -> dict[str, Array]:
    """The arrays of a state."""
    assert state.optimizer is not None
    tensors = named_arrays(f"{prefix}parameters", state.parameters)
    tensors |= _named_state(f"{prefix}state", state.optimizer.optimizer)
    if state.best is not None and state.best.parameters is not None:
        tensors |= named_arrays(f"{prefix}best", state.best.parameters)
    if state.average is not None:
        tensors |= named_arrays(f"{prefix}average", state.average.parameters)
    return tensors


def _numbers(state: TrainingState) -> dict[str, Any]:
    """The numbers of a state, as JSON values."""
    assert state.optimizer is not None
    best, average = state.best, state.average
    return {
        "step": state.optimizer.step,
        "epochs": state.epochs,
        "rule": [float(number).hex() for number in state.rule],
        "best": None if best is None else [best.epoch, best.parameters is not None],
        "average": None if average is None else average.epochs,
        "reductions": state.reductions,
        "rate_scale": state.rate_scale.hex(),
        "rule_scale": state.rule_scale.hex(),
    }


def opened(path: Any) -> Opened:
    """A checkpoint's header, read and checked.

    Raises
    ------
    FileError
        For what is not a checkpoint.
    """
    return open_tensors(path, KIND)


def unpack(found: Opened, like: TrainingState) -> tuple[TrainingState, Surroundings]:
    """The state that a file holds, and what it holds beside.

    Parameters
    ----------
    found : Opened
    like : TrainingState
        Of the run it is for: arrays of the right shapes and dtypes, the rule's memory.

    Raises
    ------
    FileError
        Where the file's contents do not fit.
    """
    try:
        expected = _expected("", found.metadata, like)
        if found.metadata["good"] is not None:
            expected |= _expected("good.", found.metadata["good"], like)
    except Exception as error:  # whatever a foreign hand may have put there
        raise found.broken(f"its contents do not fit each other ({error})") from error
    for name, tensor in found.tensors.items():
        if name.partition(".")[0] in _FREE:
            expected[name] = tensor
    found.expect(expected, "its plan")
    arrays = found.load()
    try:
        return _built(found.metadata, arrays, like), _around(found.metadata, arrays)
    except Exception as error:
        raise found.broken(f"its contents do not fit each other ({error})") from error


def _expected(prefix: str, numbers: Mapping[str, Any], like: TrainingState) -> dict[str, Tensor]:
    """The tensors that a state of such numbers has."""
    best = None if numbers["best"] is None or not numbers["best"][1] else like.parameters
    average = None if numbers["average"] is None else Average(0, like.parameters)
    full = replace(like, best=Best(0, best), average=average)
    return {name: Tensor.of(array) for name, array in _tensors(prefix, full).items()}


def _built(
    metadata: dict[str, Any], arrays: dict[str, Array], like: TrainingState
) -> TrainingState:
    history, known = arrays["history"], arrays["history_known"]
    if history.shape != known.shape or history.shape[1:] != (len(_COLUMNS),):
        raise ValueError("its history has no usable shape")
    found = [_statistics(place, arrays) for place in range(len(history) + 1)]
    events = [
        _event(row, mask, own) for row, mask, own in zip(history, known, found[:-1], strict=True)
    ]
    first, seconds, verdict = metadata["first"], float(metadata["seconds"]), metadata["verdict"]
    if arrays["costs"].shape != (first,) or not seconds >= 0:
        raise ValueError("its counts are not those of its arrays")
    good = metadata["good"]
    return replace(
        _state("", metadata, arrays, events, like),
        good=None if good is None else _state("good.", good, arrays, events, like),
        first=int(first),
        costs=arrays["costs"],
        shares=arrays["shares"],
        statistics=found[-1],
        seconds=seconds,
        verdict=None if verdict is None else Verdict(str(verdict[0]), str(verdict[1])),
    )


def _state(
    prefix: str,
    numbers: dict[str, Any],
    arrays: dict[str, Array],
    events: list[EpochEnded],
    like: TrainingState,
) -> TrainingState:
    """A state from its numbers and arrays."""
    parameters = parameters_in(arrays, f"{prefix}parameters", like.parameters)
    if not all(np.isfinite(W).all() for layer in parameters for W in layer.values()):
        raise ValueError("its parameters are not finite")
    best, average = numbers["best"], numbers["average"]
    if best is not None:
        kept = parameters_in(arrays, f"{prefix}best", like.parameters) if best[1] else None
        best = Best(int(best[0]), kept)
    if average is not None:
        mean = parameters_in(arrays, f"{prefix}average", like.parameters)
        average = Average(int(average), mean)
    epochs, reductions = int(numbers["epochs"]), int(numbers["reductions"])
    if reductions < 0 or not 0 <= epochs <= len(events):
        raise ValueError("its counts are not those of its arrays")
    rate_scale, rule_scale = (float.fromhex(numbers[n]) for n in ("rate_scale", "rule_scale"))
    if not (0 < rate_scale < math.inf and 0 < rule_scale < math.inf):
        raise ValueError(f"its rate is multiplied by {rate_scale} and {rule_scale}")
    memory = [float.fromhex(number) for number in numbers["rule"]]
    return TrainingState(
        parameters,
        _read_state(f"{prefix}state", int(numbers["step"]), like, arrays),
        epochs,
        events,
        type(like.rule)(*(type(x)(y) for x, y in zip(like.rule, memory, strict=True))),
        best,
        average,
        None,
        reductions,
        rate_scale,
        rule_scale,
    )


def _around(metadata: dict[str, Any], arrays: dict[str, Array]) -> Surroundings:
    return Surroundings(
        _listeners(metadata["listeners"], arrays),
        str(metadata["instruction_set"]),
        tuple(str(digest) for digest in metadata["orders"]),
    )


def _event(row: Array, known: Array, statistics: Statistics | None) -> EpochEnded:
    values: dict[str, Any] = {}
    for name, value, given in zip(_COLUMNS, row.tolist(), known.tolist(), strict=True):
        values[name] = (int(value) if name in _WHOLE else value) if given else None
    values["best"] = bool(values["best"])
    return EpochEnded(**values, statistics=statistics)


def _listeners(stored: list[Memory | None], arrays: dict[str, Array]) -> tuple[Memory | None, ...]:
    """What each callback remembers, its arrays beside the rest."""
    found: list[Memory | None] = [None if m is None else dict(m) for m in stored]
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


def _read_state(
    prefix: str, step: int, like: TrainingState, arrays: dict[str, Array]
) -> RunnerState:
    assert like.optimizer is not None
    optimizer = tuple(
        {
            name: tuple(arrays[f"{prefix}.{l}.{name}.{slot}"] for slot in range(len(slots)))
            for name, slots in layer.items()
        }
        for l, layer in enumerate(like.optimizer.optimizer, 1)
    )
    return RunnerState(step, optimizer)
