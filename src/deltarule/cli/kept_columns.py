"""Columns of a table that are copied beside its predictions, so that each row can be recognized."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from deltarule.cli.terminal import Terminal
from deltarule.cli.texts import names_among
from deltarule.errors import SettingError
from deltarule.preprocessing.cells import check_type
from deltarule.preprocessing.columns import Column, Dropped
from deltarule.registry import nearest

_SHOWN = 10


def identifiers(columns: Iterable[Column]) -> list[str]:
    """The columns that training left out since they identify a row.

    Examples
    --------
    >>> identifiers([Dropped("id", "identifier: row numbers"), Dropped("note", "as requested")])
    ['id']
    """
    return [
        column.name for column in columns if isinstance(column, Dropped) and column.is_identifier
    ]


def kept_columns(
    asked: str | None, usual: Iterable[str], there: Sequence[str], terminal: Terminal
) -> list[str]:
    """The columns to copy: those asked for, or the usual ones that the table has, which are noted.

    Parameters
    ----------
    asked : str or None
        What ``--keep`` was given: names separated by commas.
    usual : iterable of str
        Identifiers and keys.
    there : sequence of str
        The table's columns.
    terminal : Terminal

    Raises
    ------
    SettingError
        For a column that the table lacks.
    """
    if asked is None:
        found = [name for name in usual if name in there]
        if found:
            named = ", ".join(map(repr, found))
            terminal.note(f"Copied beside the predictions: {named} (--keep '' to leave out).")
        return found
    names = list(dict.fromkeys(names_among(there, [asked])))
    absent = [name for name in names if name not in there]
    if absent:
        known = ", ".join([*map(repr, there[:_SHOWN]), *["…"] * (len(there) > _SHOWN)])
        raise SettingError(
            f"--keep: the table has no column {absent[0]!r}.{nearest(absent[0], list(there))} "
            f"Expected some of its columns: {known}."
        )
    return names


def beside(frame: Any, names: Sequence[str], predicted: Any) -> Any:
    """Predictions behind columns of the table they are of.

    Parameters
    ----------
    frame : polars.DataFrame
        The table.
    names : sequence of str
        Which of its columns.
    predicted : polars.DataFrame

    Raises
    ------
    SettingError
        For a column that has the same name as a column of the predictions.
    DataError
        For a column of lists, records or bytes.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"id": [7], "area": [50.0]})
    >>> beside(table, ["id"], pl.DataFrame({"predicted_rent": [900.0]})).rows()
    [(7, 900.0)]
    """
    import polars as pl

    taken = [name for name in names if name in predicted.columns]
    if taken:
        raise SettingError(
            f"--keep: the column {taken[0]!r} has the same name as a column of the predictions. "
            "Rename it, or keep others (--keep '' for none)."
        )
    kept = frame.select(names)
    for column in kept.get_columns():
        check_type(column)
    kept = kept.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    return pl.DataFrame([*kept.get_columns(), *predicted.get_columns()])
