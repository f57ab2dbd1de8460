"""What a frame holds by the roles of its columns: inputs, labels, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array, proportions
from deltarule.errors import CellError, DataError, setting
from deltarule.preprocessing import Targets
from deltarule.registry import nearest
from deltarule.tabular.settings import Roles


def inputs_of(frame: Any, roles: Roles) -> Any:
    """The columns to learn from: all that have no other role."""
    return frame.drop([name for _, name in roles.named], strict=False)


def labels_of(targets: Targets, frame: Any) -> Array:
    """Class numbers ``(m,)``, in the order of ``targets.classes``."""
    Y = targets.encode(frame)
    labels = Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)
    return labels.astype(np.int64)


def weights_of(frame: Any, roles: Roles) -> Array | None:
    """The rows' weights ``(m,)``, or None where no column gives them.

    Their proportions matter: far from 1 they are scaled.

    Raises
    ------
    DataError
        For weights that are missing, no numbers, or negative.
    """
    weights = raw_weights(frame, roles)
    return None if weights is None else proportions(weights)


def raw_weights(frame: Any, roles: Roles) -> Array | None:
    """The same as they stand in the table; booleans are 0 and 1."""
    if roles.weights is None:
        return None
    name = roles.weights
    series = frame[name]
    values = np.full(len(frame), np.nan)
    if series.dtype.is_numeric() or series.dtype.base_type().__name__ == "Boolean":
        values = series.cast(float).to_numpy()
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        row = int(wrong[0])
        raise CellError(
            f"column {name!r} ({setting('weights', '--weights')}) holds {series[row]!r}",
            row,
            "; expected numbers, none below zero or missing.",
        )
    return values


def numbered(series: Any) -> Array:
    """Group numbers from 0; a missing group is a group."""
    return np.asarray(series.rank("dense").fill_null(0).to_numpy(), dtype=np.int64)


def check_columns(
    there: list[str], wanted: list[tuple[str, str]], first: Sequence[object] = ()
) -> None:
    """Refuse columns that are asked for, pairs of role and name, and are not there.

    Parameters
    ----------
    there : list of str
        The columns of the table.
    wanted : list of (str, str)
    first : sequence
        The cells of its first column: of a table that lies on its side they are the names.

    Raises
    ------
    DataError
        With the nearest name that is.
    """
    for role, name in wanted:
        if name not in there and name in first:
            raise DataError(
                f"no column {name!r} ({role}), but {name!r} stands in the first column: the table "
                "seems to have a row per column. Expected a row per record: transpose it."
            )
        if name not in there:
            raise DataError(
                f"no column {name!r} ({role}).{nearest(name, there)} "
                f"The table has: {_listed(there)}."
            )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
