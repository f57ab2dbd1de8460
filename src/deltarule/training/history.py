"""The epochs of a run: a tuple of events that is also a table of columns."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, SupportsIndex, overload

import numpy as np

from deltarule.errors import UnknownNameError
from deltarule.registry import nearest
from deltarule.training.events import EpochEnded

_COLUMNS = tuple(each.name for each in fields(EpochEnded) if each.name != "statistics")
_ELSEWHERE = {
    "accuracy": "figure",
    "loss": "cost",
    "lr": "learning_rate",
    "train_loss": "cost",
    "val_accuracy": "figure",
    "val_loss": "validation_cost",
}


class History(tuple[EpochEnded, ...]):
    """The events of a run's epochs, in order.

    ``history[0]`` is the first epoch's event, ``history["cost"]`` the cost of every epoch, and
    ``pandas.DataFrame(history)`` a table of them.

    Parameters
    ----------
    iterable : iterable of EpochEnded
        The events, in order.

    Examples
    --------
    >>> history = History([EpochEnded(1, 4, cost=0.5), EpochEnded(2, 8, cost=0.25)])
    >>> history["cost"].tolist(), history[-1].step
    ([0.5, 0.25], 8)
    """

    __slots__ = ()

    @overload
    def __getitem__(self, at: SupportsIndex) -> EpochEnded: ...
    @overload
    def __getitem__(self, at: slice) -> History: ...
    @overload
    def __getitem__(self, at: str) -> np.ndarray: ...
    def __getitem__(self, at: Any) -> Any:
        """An epoch's event by its place, some of them by a slice, or a column by its name.

        A column is an array ``(epochs,)``; NaN where there is no value.

        Raises
        ------
        UnknownNameError
            For a column that there is not.
        """
        if isinstance(at, slice):
            return History(super().__getitem__(at))
        if not isinstance(at, str):
            return super().__getitem__(at)
        if at not in _COLUMNS:
            known = _ELSEWHERE.get(at)
            hint = f" Write history[{known!r}]." if known else nearest(at, list(_COLUMNS))
            raise UnknownNameError(
                f"history: no column {at!r}.{hint} Known: {', '.join(_COLUMNS)}."
            )
        values = [getattr(event, at) for event in self]
        return np.array([np.nan if value is None else value for value in values])

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return _COLUMNS

    def __repr__(self) -> str:
        if not self:
            return "History(0 epochs)"
        return f"History({len(self)} epochs, cost {self[0].cost:.4g} to {self[-1].cost:.4g})"
