"""X, y and what goes with them as one table with roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_weights
from deltarule.data import Dataset, Reading, column_of, dataset_of, frame_of
from deltarule.data.values import computable
from deltarule.errors import DataError, SettingError, ShapeError
from deltarule.tabular.problems import FEWEST_ROWS
from deltarule.tabular.settings import Roles


def one_table(
    X: Any,
    y: Any,
    given: Mapping[str, Any],
    roles: Mapping[str, str | None],
    reading: Reading,
    names: Sequence[str] | None = None,
) -> tuple[Dataset, Roles]:
    """One table of inputs, targets and what else there is a value of for each row, and its roles.

    Parameters
    ----------
    X, y : as of :meth:`TabularRegressor.fit`
    given : mapping of str to array_like or None
        A value for each row, by role: ``weights``, ``groups``, ``time``.
    roles : mapping of str to str or None
        Columns of X that have these roles.
    reading : Reading
        How the values of X are read.
    names : sequence of str, optional
        What the targets are called, as in an earlier table; their columns in X are replaced.

    Raises
    ------
    DataError, ShapeError
        For what makes no table.
    SettingError
        For a role that is given twice.
    """
    data = dataset_of(frame_of(X), reading)
    frame = data.frame if names is None else data.frame.drop(names, strict=False)
    if not frame.width:
        raise DataError(f"X: 0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if len(frame) == 1:
        raise DataError(f"X: got one sample; expected at least {FEWEST_ROWS} rows.")
    m = len(frame)
    targets = list(targets_of(y, m).items())
    if names is not None:
        if len(names) != len(targets):
            raise DataError(f"y: expected {len(names)} targets, as in fit; got {len(targets)}.")
        targets = [(name, column) for name, (_, column) in zip(names, targets, strict=True)]
    frame, placed = _with_columns(frame, targets)
    further = _further(given, roles, m)
    frame, others = _with_columns(frame, further)
    found = {**roles, **dict(zip((role for role, _ in further), others, strict=True))}
    weights, groups, time = (found.get(name) for name in ("weights", "groups", "time"))
    return data.with_frame(frame), Roles(tuple(placed), weights, groups, time)


def _with_columns(frame: Any, columns: Sequence[tuple[str, Any]]) -> tuple[Any, list[str]]:
    """A frame with further columns, and the names under which there was room for them."""
    placed = []
    for name, column in columns:
        while name in frame.columns:
            name += "_"
        placed.append(name)
        frame = frame.with_columns(column.alias(name))
    return frame, placed


def _further(
    given: Mapping[str, Any], roles: Mapping[str, str | None], m: int
) -> list[tuple[str, Any]]:
    """What is given for each row beside X and y, as columns by role."""
    found = []
    for role, values in given.items():
        if values is None:
            continue
        if roles.get(role) is not None:
            raise SettingError(
                f"{role}={roles[role]!r}: expected no such column of X beside an array of {role}. "
                "Leave one out."
            )
        read = column_of(role, weights_of_rows(values, m)) if role == "weights" else None
        found.append((role, _read(role, values, m) if read is None else read))
    return found


def targets_of(y: Any, m: int | None = None) -> dict[str, Any]:
    """Targets by name, as polars columns of the values that they are: ``target`` without a name.

    Raises
    ------
    DataError
        For no targets, a single value, an array of more than two dimensions; for other than `m`
        rows.
    """
    if y is None:
        raise DataError("fit requires y to be passed, but the target y is None.")
    if hasattr(y, "columns") or rank_of(y) == 2:
        columns = [_counted("target", computable(column), m) for column in frame_of(y)]
        if hasattr(y, "columns"):
            return {column.name: column for column in columns}
        if len(columns) == 1:
            return {"target": columns[0]}
        return {f"target_{i}": column for i, column in enumerate(columns, 1)}
    return {str(getattr(y, "name", None) or "target"): computable(_vector("target", y, m))}


def _read(role: str, values: Any, m: int) -> Any:
    """What rows are split by, as a column whose values are read as those of a table are."""
    return dataset_of(frame_of({role: _vector(role, values, m)})).frame[role]


def _vector(role: str, values: Any, m: int | None) -> Any:
    """One value for each row; a table or array of one column is one, too."""
    rank = rank_of(values)
    if hasattr(values, "columns") or rank == 2:
        frame = frame_of(values)
        if frame.width == 1:
            return _counted(role, frame.to_series().alias(role), m)
    if rank != 1:
        got = f"an array of shape {np.shape(values)}" if rank else f"{values!r} alone"
        raise DataError(f"{role}: expected a value for {_rows(m)}, got {got}.")
    return _counted(role, column_of(role, values), m)


def _counted(role: str, column: Any, m: int | None) -> Any:
    if m is not None and len(column) != m:
        raise DataError(f"{role}: expected a value for {_rows(m)}, got {len(column)}.")
    return column


def _rows(m: int | None) -> str:
    return "each row of X" if m is None else f"each of the {m} rows of X"


def rank_of(values: Any) -> int:
    """The number of dimensions; of a list what its first entry has, and one more.

    Examples
    --------
    >>> rank_of([[1], [2]]), rank_of("ab")
    (2, 0)
    """
    if isinstance(values, list | tuple):
        return 1 + (rank_of(values[0]) if values else 0)
    known = values if hasattr(values, "ndim") else np.asarray(values)
    return int(known.ndim)


def weights_of_rows(sample_weight: Any, m: int) -> Array | None:
    """Weights as numbers, of booleans 0 and 1; None stays None.

    Raises
    ------
    ShapeError, DataError
        For what is not a finite number from 0 for each of `m` rows.
    """
    if sample_weight is None:
        return None
    if rank_of(sample_weight) > 1:
        raise ShapeError(
            f"sample_weight: expected one number per row of X, shape ({m},), got "
            f"{np.shape(sample_weight)}."
        )
    column = _vector("sample_weight", sample_weight, m)
    if not column.dtype.is_numeric() and column.dtype.base_type().__name__ != "Boolean":
        raise DataError(f"sample_weight: expected numbers, got {column.dtype}.")
    return checked_weights(column.cast(float).to_numpy(), m, np.dtype(float), "sample_weight")
