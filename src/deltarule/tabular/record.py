"""What a model file remembers of its training, read back: its form is checked before its use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deltarule.data import Reading
from deltarule.data.readings import restored_readings
from deltarule.errors import FileError
from deltarule.modelfile import Model

_ANY = "*"  # every further name of a mapping
_OR_NONE = type(None)
_NUMBER = (int, float)
_TEXT = (str, _OR_NONE)
_FLAG = (bool, _OR_NONE)

_TRAINING = {
    "table": {"fingerprint": str, "rows": int, "dropped": int},
    "settings": {"seed": int, "test_share": _NUMBER, _ANY: object},
    "judged_by": str,
}
FORMS: dict[str, Any] = {
    **_TRAINING,
    "roles": {
        "target": [str],
        **dict.fromkeys(("weights", "groups", "time"), _TEXT),
        "drop": [str],
        "kinds": {_ANY: str},
    },
    "reading": {
        **dict.fromkeys(("delimiter", "encoding", "quote", "comment", "sheet", "dates"), _TEXT),
        **dict.fromkeys(("header", "decimal_comma"), _FLAG),
        "missing": [str],
        "skip_lines": int,
        "bad_rows": str,
        "plain": bool,
        "columns": {_ANY: dict},
    },
    "training": [str],
    "engine": str,
    "epochs": int,
    "best_epoch": (int, _OR_NONE),
    "stopped_because": str,
    "figures": {_ANY: {_ANY: _NUMBER}},
    "judged_rows": int,
    "verdict": str,
    "intervals": {_ANY: {_ANY: [_NUMBER]}},
    "differences": {_ANY: {_ANY: {"value": _NUMBER, "interval": (list, _OR_NONE)}}},
    "consequences": {_ANY: object},
    "alerts": [{"kind": str, "text": str}],
    "versions": {_ANY: str},
    "earlier": [{**_TRAINING, _ANY: object}],
}
"""By entry: a type or several, a list of one form, a mapping of names to forms."""


_ABSENT: Mapping[str, Any] = {
    "earlier": [],
    "intervals": {},
    "differences": {},
    "consequences": {},
    "alerts": [],
}
"""What model files of earlier versions do not have."""


def record(model: Model) -> Mapping[str, Any]:
    """What a model remembers of its training on a table; empty where it had none.

    Raises
    ------
    FileError
        For a record that is damaged, with the entry.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> record(Model(network, network.initial_parameters(), about={"note": "by hand"}))
    {}
    """
    about = {**_ABSENT, **model.about}  # of files of earlier versions
    if isinstance(about.get("reading"), Mapping):  # of earlier versions some options are absent
        about["reading"] = {**reading_record(Reading()), **about["reading"]}
    if "training" not in about:
        return {}
    for name, form in FORMS.items():
        if name not in about or not _fits(about[name], form):
            raise FileError(
                f"the model file's record of its training is damaged: {name} is "
                f"{about.get(name)!r:.80}. Restore the file from a copy, or train and save the "
                "model again."
            )
    return about


def reading_record(reading: Reading) -> dict[str, Any]:
    """How a table was read, as JSON values."""
    columns = {name: asdict(one) for name, one in (reading.columns or {}).items()}
    return {**asdict(reading), "missing": list(reading.missing), "columns": columns}


def recorded_reading(about: Mapping[str, Any]) -> Reading:
    """How a model's table was read, from its :func:`record`; of an empty one, nothing is known.

    Raises
    ------
    FileError
        For columns whose reading is damaged.
    """
    if "reading" not in about:
        return Reading()
    stored = dict(about["reading"])
    columns = restored_readings(stored.pop("columns", {}))
    if columns is None:
        raise FileError(
            "the model file's record of its training is damaged: the reading of its columns. "
            "Restore the file from a copy, or train and save the model again."
        )
    return Reading(**{**stored, "missing": tuple(stored["missing"]), "columns": columns})


def rows_named(judged_by: str) -> str:
    """The evaluated rows of a record's ``judged_by``, to be written after their number.

    Examples
    --------
    >>> rows_named("a test file")
    'rows of a test file'
    """
    names = {
        "held-out rows": "held-out rows",
        "a test file": "rows of a test file",
        "cross-validation": "rows by cross-validation",
    }
    return names.get(judged_by, "rows")


def _fits(value: Any, form: Any) -> bool:
    if isinstance(form, list):
        return isinstance(value, (list, tuple)) and all(_fits(item, form[0]) for item in value)
    if isinstance(form, dict):
        return (
            isinstance(value, dict)
            and form.keys() - {_ANY} <= value.keys()
            and all(_fits(item, form.get(name, form.get(_ANY, ()))) for name, item in value.items())
        )
    return isinstance(value, form)
