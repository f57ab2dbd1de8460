"""The processes of a run, as one of them sees them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

_Value = TypeVar("_Value")


class Group:
    """The processes of a run, as one of them sees them; a single process is a group of one.

    Attributes
    ----------
    index : int
        Which of them this is, from 0.
    count : int
        How many there are.
    """

    index = 0
    count = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.index == 0

    def gathered(self, value: Any) -> list[Any]:
        """What each process gives, in their order; all have to call it, in the same order.

        Parameters
        ----------
        value : JSON value
        """
        return [value]

    def agreed(self, value: _Value) -> _Value:
        """What process 0 gives: of clocks, of figures, of a caller's wishes."""
        return value if self.count == 1 else self.gathered(value)[0]

    def watched(self) -> AbstractContextManager[None]:
        """Within it, an error that another process's end brings about names that process."""
        return nullcontext()


ALONE = Group()
