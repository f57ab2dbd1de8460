"""Reference rows: what a prediction is compared with, from training or as given.

The default is a typical row: training medians and most frequent levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.data import frame_of
from deltarule.errors import DataError, DeltaruleError, SettingError, UnknownNameError, setting
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.columns import Boolean
from deltarule.preprocessing.text_columns import Text
from deltarule.registry import nearest
from deltarule.tabular.metadata import roles_of

_PRESENT = "present"  # of a column of which only that is told
_NO_WORD = "no known word"


@dataclass(frozen=True)
class Reference:
    """A row that predictions are compared with.

    Attributes
    ----------
    name : str
        What it is, in a phrase.
    row : mapping of str to value
        By column, as people read it.
    encoded : float32 array, shape (width,)
    """

    name: str
    row: Mapping[str, Any]
    encoded: Array


def reference(model: Model, given: Any = None) -> Reference:
    """The training medians and most frequent levels, or a given row.

    Parameters
    ----------
    model : Model
        Of a table.
    given : mapping or table of one row, optional
        Values by column; a column that it lacks has the training's.

    Raises
    ------
    SettingError, UnknownNameError
        For a row that does not fit the model: what cannot be read, an unknown column or level.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = {"area": [50.0, 60.0, 80.0] * 8, "town": ["A", "B", "A"] * 8}
    >>> fitted = dr.TabularRegressor(epochs=1, n_ensemble=1).fit(X, X["area"])
    >>> dict(reference(fitted.model_, {"town": "B"}).row)
    {'area': 60.0, 'town': 'B'}
    """
    assert model.preprocessing is not None
    cells = {} if given is None else _cells(model, given)
    typical = {c.name: _TYPICAL[c.kind](c) for c in model.preprocessing.used if c.name not in cells}
    undated = [name for name, cell in typical.items() if cell is None]
    if undated:
        example = setting("baseline={{{!r}: '2024-05-31'}}", "--baseline {}=2024-05-31")
        raise SettingError(
            f"{_option()}: the model file is of a version that stored no median of dates. Expected "
            f"a date for {' and '.join(map(repr, undated))}; pass {example.format(undated[0])}."
        )
    names = [column.name for column in model.preprocessing.used]
    row = {name: {**typical, **cells}[name] for name in names}
    name = "training medians and most frequent levels"
    if cells:
        name = "the given row" if len(cells) == len(row) else f"the given values, else {name}"
    return Reference(name, row, _encoded(model.preprocessing, row))


def middle(model: Model) -> Reference:
    """The middle of the encoded columns: means, shares of a yes, and no category.

    Such a row could not exist; beside another reference it shows what the choice does.
    """
    assert model.preprocessing is not None
    made = [
        [c.fill if isinstance(c, Boolean) and not i else 0.0 for i in range(len(c.outputs))]
        for c in model.preprocessing.used
    ]
    encoded = np.array([value for own in made for value in own], np.float32)
    return Reference("training means and no category", {}, encoded)


def _cells(model: Model, given: Any) -> dict[str, Any]:
    """The cells of a given row, by column."""
    if isinstance(given, Mapping):
        given = [{str(name): cell for name, cell in given.items()}]
    try:
        frame = frame_of(given)
    except DeltaruleError as error:
        raise SettingError(f"{_option()}: {error}") from None
    if len(frame) != 1:
        raise SettingError(
            f"{_option()}: expected one row, or a mapping of columns to values; got a table of "
            f"{len(frame):,} rows. Pass one of them."
        )
    assert model.preprocessing is not None
    others = {name for _, name in roles_of(model).named}
    known = [column.name for column in model.preprocessing.columns]
    unknown = [name for name in frame.columns if name not in known and name not in others]
    if unknown:
        raise UnknownNameError(
            f"{_option()}: the model has no column {unknown[0]!r}.{nearest(unknown[0], known)} "
            f"Expected of: {', '.join(known[:20])}."
        )
    used = {column.name for column in model.preprocessing.used}
    return {name: frame[name][0] for name in frame.columns if name in used}


def _encoded(preprocessing: Preprocessing, row: Mapping[str, Any]) -> Array:
    """A row in encoded space, once it is known to fit."""
    frame = frame_of({name: [cell] for name, cell in row.items()})
    texts = [c for c in preprocessing.used if isinstance(c, Text) and row[c.name] == _NO_WORD]
    frame = frame.with_columns(frame[c.name].clear(1).alias(c.name) for c in texts)
    try:
        encoded: Array = preprocessing.transform(frame)[0]
        unseen = preprocessing.unseen(frame)
    except DataError as error:
        message = str(error).replace(" in row 0 of the table, counted from 0", "")
        raise SettingError(f"{_option()}: {message}") from None
    for column in (c for c in preprocessing.used if c.name in unseen):
        levels = list(getattr(column, "levels", ()))
        if levels:
            raise SettingError(
                f"{_option()}: column {column.name!r} holds {row[column.name]!r}, which training "
                f"did not have.{nearest(str(row[column.name]), levels)} Expected one of "
                f"{', '.join(map(repr, levels[:10]))}."
            )
    at = 0
    for column in preprocessing.used:
        width = len(column.outputs)
        if column in texts:
            encoded[at : at + width] = 0.0
        at += width
    return encoded


def _day(column: Any) -> Any:
    """The median of dates, a moment where they have hours; None where the file does not say."""
    if column.median is None:
        return None
    moment = datetime(1970, 1, 1) + timedelta(days=column.median)
    return moment if column.hours else moment.date()


_TYPICAL: Mapping[str, Callable[[Any], Any]] = {
    "numeric": lambda column: column.fill,
    "scores": lambda column: column.fill,
    "boolean": lambda column: column.levels[column.fill > 0.5],
    "category": lambda column: column.levels[0] if column.levels else _PRESENT,
    "embedding": lambda column: column.levels[0],
    "date": _day,
    "text": lambda column: _NO_WORD,
}
"""By kind, the typical cell of a column."""


def _option() -> str:
    return setting("baseline", "--baseline")
