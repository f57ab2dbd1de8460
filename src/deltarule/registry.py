"""Rows looked up by name: activations, costs, optimizers are tables, not branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast
from weakref import WeakValueDictionary

from deltarule.elsewhere import ROWS
from deltarule.errors import SettingError, TypeMismatchError, UnknownNameError

_LONGEST_NAME = 100

Row = TypeVar("Row")
Numbers = ParamSpec("Numbers")


def numbered(make: Callable[Numbers, Row]) -> Callable[Numbers, Row]:
    """A function of numbers to a row: the same numbers are the same row, while it lives.

    So an engine that does not run Python knows a table's row from one of the caller's own.

    Examples
    --------
    >>> from deltarule.costs import huber
    >>> huber(1.0) is huber(delta=1.0) is huber()
    True
    """
    made: WeakValueDictionary[Any, Any] = WeakValueDictionary()

    @wraps(make)
    def once(*args: Numbers.args, **kwargs: Numbers.kwargs) -> Row:
        row: Any = make(*args, **kwargs)
        key = tuple((type(number), number) for number in row.numbers)
        return cast(Row, made.setdefault(key, row))

    return once


def nearest(name: str, known: list[str]) -> str:
    """A suggestion for a mistyped name: ``" Did you mean 'relu'?"``, or an empty string.

    Examples
    --------
    >>> nearest("rleu", ["relu", "tanh"])
    " Did you mean 'relu'?"
    >>> nearest("xyz", ["relu", "tanh"])
    ''
    """
    import difflib  # only a mistake needs it

    if len(name) > _LONGEST_NAME:  # no name that was mistyped
        return ""
    if (elsewhere := ROWS.get(name.lower(), "")) in known:
        return f" Did you mean {elsewhere!r}?"
    folded = {other.lower(): other for other in reversed(known)}
    swapped = [other for other in folded if sorted(other) == sorted(name.lower())]
    match = swapped or difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.5)
    return f" Did you mean {folded[match[0]]!r}?" if match else ""


class TableRow:
    """What a row of a table has in common: a copy is the row itself, also after pickling.

    So an engine that knows rows by identity knows them again. A custom row is pickled as
    any object: its functions by where they are defined.

    Examples
    --------
    >>> import copy, pickle
    >>> from deltarule.costs import COSTS
    >>> cost = COSTS("quantile(0.9)")
    >>> copy.deepcopy(cost) is cost, pickle.loads(pickle.dumps(cost)) is cost
    (True, True)
    """

    name: str
    numbers: tuple[float, ...] = ()

    @property
    def is_listed(self) -> bool:
        """Whether a table has this row: its name brings it back."""
        table = _TABLES.get(type(self))
        return table is not None and table.made(self._base, self.numbers) is self

    @property
    def _base(self) -> str:
        return self.name.partition("(")[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.is_listed:
            return _restored, (type(self), self._base, self.numbers)
        return super().__reduce_ex__(protocol)


_TABLES: dict[type, Registry[Any]] = {}


def _restored(row_type: type, base: str, numbers: tuple[float, ...]) -> Any:
    return _TABLES[row_type].made(base, numbers)


class Registry(Generic[Row]):
    """Rows of one kind by name.

    An entry is a row, or a function that makes one from numbers: ``"quantile(0.9)"`` calls the
    entry ``quantile`` with 0.9, and ``"quantile"`` calls it with its defaults.

    Parameters
    ----------
    kind : str
        What a row is called in messages: ``"activation"``.
    row_type : type
        The class that every row is an instance of.
    entries : mapping of str to row or function
        The rows, in the order in which they are listed.

    Examples
    --------
    >>> from deltarule.costs import COSTS
    >>> COSTS("quantile(0.9)").name
    'quantile(0.9)'
    >>> COSTS("mes")
    Traceback (most recent call last):
        ...
    deltarule.errors.UnknownNameError: unknown cost 'mes'. Did you mean 'mse'? Known: mse, mae, ...
    """

    def __init__(
        self, kind: str, row_type: type[Row], entries: Mapping[str, Row | Callable[..., Row]]
    ) -> None:
        self.kind = kind
        self.row_type = row_type
        self.entries = dict(entries)
        _TABLES[row_type] = self

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __call__(self, name: str | Row) -> Row:
        """The row of that name; a row is returned as it is.

        Raises
        ------
        UnknownNameError
            Where no entry has the name.
        SettingError
            Where the numbers in its brackets do not fit.
        TypeMismatchError
            Where `name` is neither a string nor a row.
        """
        if isinstance(name, self.row_type):
            return name
        if not isinstance(name, str):
            raise TypeMismatchError(
                f"{self.kind}: expected a name or an instance of {self.row_type.__name__}; "
                f"got {name!r} of type {type(name).__name__}."
            )
        base, bracket, rest = name.strip().partition("(")
        entry = self.entry(base.strip())
        if bracket and not rest.endswith(")"):
            raise SettingError(f"{self.kind} {name!r}: the bracket is not closed.")
        if isinstance(entry, self.row_type):
            if bracket:
                raise SettingError(f"{self.kind} {base!r} takes no numbers; got {name!r}.")
            return entry
        return self._made(name, cast(Callable[..., Row], entry), rest.removesuffix(")"))

    def made(self, base: str, numbers: tuple[float, ...]) -> Row | None:
        """The row of exactly that name with these numbers; None where no entry has the name."""
        entry = self.entries.get(base)
        if entry is None or isinstance(entry, self.row_type):
            return entry
        return cast(Callable[..., Row], entry)(*numbers)

    def entry(self, name: str) -> Row | Callable[..., Row]:
        """The entry of exactly that name: a row, or the function that makes one.

        Raises
        ------
        UnknownNameError, TypeMismatchError
            For a name that no entry has; for what is not a name.
        """
        if not isinstance(name, str):
            raise TypeMismatchError(
                f"{self.kind}: expected a name, got {name!r} of type {type(name).__name__}."
            )
        if name not in self.entries:
            known = list(self.entries)
            raise UnknownNameError(
                f"unknown {self.kind} {name!r}.{nearest(name, known)} Known: {', '.join(known)}."
            )
        return self.entries[name]

    def _made(self, name: str, make: Callable[..., Row], numbers: str) -> Row:
        arguments: list[Any] = []
        for text in filter(None, (part.strip() for part in numbers.split(","))):
            try:
                arguments.append(float(text))
            except ValueError:
                raise SettingError(
                    f"{self.kind} {name!r}: expected numbers in the brackets, got {text!r}."
                ) from None
        try:
            return make(*arguments)
        except TypeError:
            raise SettingError(
                f"{self.kind} {name!r}: {len(arguments)} numbers in the brackets do not fit."
            ) from None
