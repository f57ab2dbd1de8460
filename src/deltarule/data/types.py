"""The types of a table's columns, from what each of its blocks is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltarule.errors import require

if TYPE_CHECKING:
    import polars as pl


class Types:
    """What the columns of some blocks are.

    Examples
    --------
    >>> import polars as pl
    >>> types = Types()
    >>> types.meet(pl.DataFrame({"a": [1], "b": ["x"]}))
    >>> types.meet(pl.DataFrame({"a": [0.5], "b": [2]}))
    >>> types.common("a"), types.common("b")
    (Float64, String)
    """

    def __init__(self) -> None:
        self._of: dict[str, set[str]] = {}

    def meet(self, frame: pl.DataFrame) -> None:
        """Note those of a block."""
        for column in frame.iter_columns():
            types = self._of.setdefault(column.name, set())
            if column.null_count() < len(column):
                types.add(str(column.dtype.base_type()))

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._of)

    def is_empty(self, name: str) -> bool:
        """Whether a column had no value in any block."""
        return not self._of[name]

    def common(self, name: str) -> Any:
        """The type of all of a column's values; of one without any, text."""
        polars = require("polars", "table", "reading tables")
        types = self._of.get(name, set())
        if types and types <= {"Int64", "Float64"}:
            return polars.Int64 if types == {"Int64"} else polars.Float64
        if types in ({"Date"}, {"Datetime"}):
            return polars.Date if types == {"Date"} else polars.Datetime("us")
        return polars.String
