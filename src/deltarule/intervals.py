"""Intervals of the real line: where an activation's values lie, and a cost's arguments must."""

from __future__ import annotations

from dataclasses import dataclass

from deltarule.arrays import Array


@dataclass(frozen=True)
class Interval:
    """An interval of the real line.

    Parameters
    ----------
    text : str
        As one writes it: ``"[0, inf)"``; a square bracket includes the end.

    Examples
    --------
    >>> Interval("(0, 1)") in Interval("[0, 1]"), Interval("[0, inf)") in Interval("(0, inf)")
    (True, False)
    """

    text: str

    @property
    def ends(self) -> tuple[float, float]:
        """The lower and the upper end."""
        low, high = self.text[1:-1].split(",")
        return float(low), float(high)

    @property
    def _open(self) -> tuple[bool, bool]:
        return self.text[0] == "(", self.text[-1] == ")"

    def __contains__(self, inner: Interval) -> bool:
        """Whether the whole of another interval lies within this one."""
        (low, high), (inner_low, inner_high) = self.ends, inner.ends
        (open_low, open_high), (inner_open_low, inner_open_high) = self._open, inner._open
        return (inner_low > low or (inner_low == low and (inner_open_low or not open_low))) and (
            inner_high < high or (inner_high == high and (inner_open_high or not open_high))
        )

    def holds(self, values: Array) -> Array:
        """Elementwise: whether a value lies within."""
        (low, high), (open_low, open_high) = self.ends, self._open
        above = values > low if open_low else values >= low
        below = values < high if open_high else values <= high
        return above & below

    def __str__(self) -> str:
        return self.text


REALS = Interval("(-inf, inf)")
