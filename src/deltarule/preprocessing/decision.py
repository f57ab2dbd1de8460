"""The decision between two classes: the positive one, and from which probability on it is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_AFFIRMED = frozenset({"1", "true", "yes", "y", "positive", "pos", "present", "+"})


@dataclass(frozen=True)
class Decision:
    """How the probability of one of two classes becomes a class.

    Attributes
    ----------
    positive : str, int or bool
        The positive class.
    threshold : float
        The probability from which on it is predicted.
    reason : str
        Why that threshold, in a phrase; empty for the likelier class.
    """

    positive: Any
    threshold: float = 0.5
    reason: str = ""

    def describe(self) -> str:
        """For people.

        Examples
        --------
        >>> Decision("yes", 0.231, "validation recall of at least 0.8").describe()
        "'yes' from a probability of 0.231 on (validation recall of at least 0.8)"
        >>> Decision("yes").describe()
        "'yes' from a probability of 0.5 on"
        """
        why = f" ({self.reason})" if self.reason else ""
        return f"{str(self.positive)!r} from a probability of {self.threshold:.3g} on{why}"

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as a model file keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any, classes: Sequence[Any]) -> Decision:
        """What :meth:`to_dict` wrote.

        Raises
        ------
        ValueError
            For anything else.
        """
        good = isinstance(stored, Mapping) and stored.keys() == {"positive", "threshold", "reason"}
        good = good and len(classes) == 2 and isinstance(stored["reason"], str)
        good = good and stored["positive"] in classes
        good = good and type(stored["threshold"]) is float and 0.0 <= stored["threshold"] <= 1.0
        if not good:
            raise ValueError("its decision does not fit its classes")
        return cls(**stored)


def positive_class(classes: Sequence[Any], counts: Sequence[float]) -> Any:
    """The positive class: the one that affirms, such as yes or 1, else the rarer one.

    Parameters
    ----------
    classes : sequence of two labels
    counts : sequence of two numbers
        How many rows each has.

    Examples
    --------
    >>> positive_class(("no", "yes"), (30, 70)), positive_class(("bad", "good"), (30, 70))
    ('yes', 'bad')
    """
    affirmed = [label for label in classes if str(label).strip().casefold() in _AFFIRMED]
    return affirmed[0] if len(affirmed) == 1 else classes[int(counts[1] <= counts[0])]
