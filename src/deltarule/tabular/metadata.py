"""What a model file remembers of its training, and how its held-out rows are found again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.baselines import Evaluation, differences
from deltarule.bootstrap import ConfidenceInterval
from deltarule.data import Dataset, Reading
from deltarule.errors import FileError
from deltarule.modelfile import Model
from deltarule.tabular.alerts import Alert
from deltarule.tabular.fitting import Fitted
from deltarule.tabular.problems import Table, split, table_of_model
from deltarule.tabular.recipes import lines
from deltarule.tabular.record import record
from deltarule.tabular.settings import Roles, Settings
from deltarule.tabular.streamed_rows import Shares, StreamedRows


def about(
    whole: Table,
    settings: Settings,
    fitted: Fitted,
    evaluations: Sequence[Evaluation],
    *,
    mark: str,
    judged_by: str,
    reading: Mapping[str, Any],
    verdict: str,
    alerts: Sequence[Alert] = (),
    stream: StreamedRows | None = None,
    updated: Model | None = None,
) -> dict[str, Any]:
    """What is known about a training, as JSON values; no times, so that equal runs write equal.

    Parameters
    ----------
    whole : Table
    settings : Settings
    fitted : Fitted
    evaluations : sequence of Evaluation
        The network first.
    mark : str
        The :func:`fingerprint` of the table as it was read.
    judged_by : str
        ``"held-out rows"``, ``"a test file"`` or ``"cross-validation"``.
    reading : mapping
        How the file was read.
    verdict : str
    alerts : sequence of Alert
    stream : StreamedRows, optional
        Where the table was read in blocks.
    updated : Model, optional
        What the training started from; its record is kept.
    """
    result = fitted.result
    rows = len(whole.frame) if stream is None else stream.stream.rows - whole.dropped
    return {
        "table": {"fingerprint": mark, "rows": rows, "dropped": whole.dropped},
        **({} if stream is None else {"held_out": list(stream.shares)}),
        "roles": asdict(whole.roles),
        "settings": _changed(replace(settings, n_ensemble=len(fitted.results))),
        "reading": dict(reading),
        "training": lines(fitted.recipes),
        "engine": result.engine,
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "stopped_because": result.stopped_because,
        "calibration": fitted.calibration.to_dict(),
        "judged_by": judged_by,
        "figures": {each.name: each.figures for each in evaluations},
        "intervals": {each.name: _lists(each.intervals) for each in evaluations},
        "differences": {each.name: _differences(evaluations[0], each) for each in evaluations[1:]},
        "consequences": consequences_as_json(evaluations),
        "alerts": [alert._asdict() for alert in alerts],
        "judged_rows": evaluations[0].rows if evaluations else 0,
        "verdict": verdict,
        **({} if updated is None else {"earlier": _earlier(updated)}),
        "versions": {
            "deltarule": version("deltarule"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _lists(intervals: Mapping[str, ConfidenceInterval]) -> dict[str, list[float]]:
    return {name: list(interval) for name, interval in intervals.items()}


def _differences(network: Evaluation, other: Evaluation) -> dict[str, Any]:
    """Each figure of the network less the other's, with the interval where there is one."""
    return {
        name: {"value": found.value, "interval": found.interval and list(found.interval)}
        for name, found in differences(network, other).items()
    }


def consequences_as_json(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """What the errors of the first model are, for people and for machines."""
    found = evaluations[0].consequences if evaluations else None
    return {} if found is None else {"sentences": found.sentences(), "values": found.as_json()}


def _earlier(model: Model) -> list[dict[str, Any]]:
    """What an updated model keeps of the trainings before: their tables and held-out rows."""
    kept = ("table", "held_out", "settings", "judged_by")
    return [{name: own[name] for name in kept if name in own} for own in trainings(model)]


def printed(about: Mapping[str, Any]) -> dict[str, Any]:
    """What ``--json`` prints of :func:`about`: all but each held-out row's residual or probability.

    Examples
    --------
    >>> printed({"epochs": 3, "calibration": {"rows": 2, "residuals": [[-0.1, 0.3]]}})
    {'epochs': 3, 'calibration': {'rows': 2}}
    """
    by_row = ("residuals", "true_probabilities")
    kept = {name: v for name, v in about["calibration"].items() if name not in by_row}
    return {**about, "calibration": kept}


def _changed(settings: Settings) -> dict[str, Any]:
    """The settings that are not the defaults, and the seed and share that the split needs."""
    plain = Settings()
    always = ("seed", "test_share")
    return {
        entry.name: getattr(settings, entry.name)
        for entry in fields(settings)
        if entry.name in always or getattr(settings, entry.name) != getattr(plain, entry.name)
    }


def roles_of(model: Model) -> Roles:
    """The roles of the columns of the table that a model was trained on."""
    stored = dict(record(model).get("roles", {}))
    for name in ("target", "drop"):
        stored[name] = tuple(stored.get(name, ()))
    return Roles(**stored)


def fingerprint(frame: Any) -> str:
    """A digest of a table's names and values: the same table, however it was stored, the same.

    Examples
    --------
    >>> import polars as pl
    >>> one, other = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 3]})
    >>> fingerprint(one) == fingerprint(one.clone()), fingerprint(one) == fingerprint(other)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for series in frame:
        digest.update(series.name.encode() + b"\x1f")
        if series.dtype.base_type().__name__ == "Duration":  # which polars does not write as text
            series = series.to_physical()
        if series.dtype.is_numeric():
            values = series.cast(float).fill_null(float("nan")).to_numpy()
            digest.update(np.ascontiguousarray(values).tobytes())
        else:
            texts = series.cast(str).fill_null("\x00").to_list()
            digest.update("\x1f".join(texts).encode())
    return digest.hexdigest()


def trainings(model: Model) -> list[Mapping[str, Any]]:
    """The records of a model's trainings: the newest, and those that updates have kept."""
    newest = record(model)
    return [newest, *newest["earlier"]] if newest else []


def training_on(model: Model, frame: Any) -> Mapping[str, Any] | None:
    """The record of the training on just this table; None where the model had none."""
    mark = fingerprint(frame)
    return next((own for own in trainings(model) if own["table"]["fingerprint"] == mark), None)


def shares_of(model: Model, mark: str) -> Shares | None:
    """Which rows of a table in blocks a model has not seen, where it was trained on that table.

    Parameters
    ----------
    model : Model
    mark : str
        The digest of the table.

    Raises
    ------
    FileError
        For a record that is damaged.
    """
    own = (each for each in trainings(model) if each["table"]["fingerprint"] == mark)
    about = next(own, {})
    if "held_out" not in about:
        return None
    stored = about["held_out"]
    whole = isinstance(stored, list) and all(type(number) is int for number in stored)
    if not whole or len(stored) != len(Shares._fields) or min(stored) < 0:
        raise FileError(
            f"the model file's record of its training is damaged: held_out is {stored!r:.80}. "
            "Restore the file from a copy, or train and save the model again."
        )
    return Shares(*stored)


def held_out_again(model: Model, frame: Any) -> tuple[Any, Array]:
    """The rows of a training table that a model has not seen, and their numbers in it.

    Parameters
    ----------
    model : Model
        Evaluated on held-out rows.
    frame : polars.DataFrame
        A table it was trained on, as it was read.
    """
    training = training_on(model, frame) or {}
    stored = training["settings"]
    settings = Settings(seed=stored["seed"], test_share=stored["test_share"])
    whole = table_of_model(model, Dataset(frame, Reading()), roles_of(model))
    held = split(whole, settings).held
    return whole.frame[held], whole.rows[held]
