"""An option: a field of a settings class, with all that is said of it in one place.

The class takes an option's default and limits from it, its docstring the help, and the command line
its flag, its place in the help and its completion.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform

from deltarule.arrays import checked_number

Class = TypeVar("Class")


@dataclass(frozen=True)
class Option:
    """What is known of a setting beside its name, type and default.

    Attributes
    ----------
    metavar : str
        What stands for its value in help.
    help : str
        A noun phrase, or an imperative.
    flag : str
        On the command line, by default the field's name with dashes; with a slash, the two that
        switch it on and off; with a space, a long one and a short one.
    names : tuple of str
        Known values, for completion.
    common : bool
        Whether most people need it.
    panel : str
        The heading that it is listed under.
    limits : mapping
        Of a number, as :func:`~deltarule.arrays.checked_number` takes them.
    """

    metavar: str
    help: str
    flag: str
    names: tuple[str, ...]
    common: bool
    panel: str
    limits: Mapping[str, Any]


def option(
    metavar: str,
    help: str,
    default: Any = None,
    *,
    flag: str = "",
    names: Iterable[str] = (),
    common: bool = False,
    panel: str = "",
    limits: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """A field that is an option.

    The attributes of an :class:`Option` are its parameters. A `help` without a full stop is
    followed by the names. A default may be ``MISSING``, or ``dict`` for an empty one.
    """
    known = tuple(names)
    text = help if help.endswith(".") else f"{help}: {', '.join(known)}."
    about = {"option": Option(metavar, text, flag, known, common, panel, limits)}
    kind = "default_factory" if default is dict else "default"
    return field(**{kind: default}, metadata=about)


@dataclass_transform(frozen_default=True)
def option_group(panel: str) -> Callable[[type[Class]], type[Class]]:
    """Make a frozen dataclass of options, which its docstring lists as parameters.

    Parameters
    ----------
    panel : str
        The heading of those options that name no other.

    Examples
    --------
    >>> @option_group("Engine")
    ... class Bench:
    ...     '''What computes.'''
    ...     n_threads: int | None = option("N", "Number of threads.", flag="threads")
    >>> Bench(n_threads=2)
    Bench(n_threads=2)
    >>> options_of(Bench)["n_threads"].flag.lstrip("-")
    'threads'
    >>> "n_threads : int | None" in Bench.__doc__
    True
    """

    def decorated(cls: type[Class]) -> type[Class]:
        for name, value in list(vars(cls).items()):
            if isinstance(value, Field):
                own: Option = value.metadata["option"]
                flag = own.flag or name.replace("_", "-")
                flag = "/".join(each if each[0] == "-" else f"--{each}" for each in flag.split("/"))
                completed = replace(own, flag=flag, panel=own.panel or panel)
                value.metadata = {"option": completed}  # type: ignore[assignment]
        made = dataclass(frozen=True)(cls)
        made.__doc__ = documented(made.__doc__ or "", made, options_of(made))
        return made

    return decorated


def options_of(group: type) -> dict[str, Option]:
    """The options of a class that :func:`option_group` made, by field."""
    return {each.name: each.metadata["option"] for each in fields(group)}


def check_limits(owner: str, group: Any) -> None:
    """Refuse a number out of its option's limits.

    Raises
    ------
    SettingError
        With the name of the first.
    """
    for name, own in options_of(type(group)).items():
        value = getattr(group, name)
        if own.limits and value is not None:
            checked_number(owner, name, value, **own.limits)


def documented(text: str, group: type, names: Iterable[str]) -> str:
    """A docstring with some options of a class as parameters: its first, or before what it raises.

    Parameters
    ----------
    text : str
    group : type
    names : sequence of str
    """
    known = {each.name: each for each in fields(group)}
    helps = {name: known[name].metadata["option"].help.replace("|", r"\|") for name in names}
    listed = "\n".join(f"{name} : {known[name].type}\n    {told}" for name, told in helps.items())
    heading = "\n\nParameters\n----------\n"
    if heading in (text := inspect.cleandoc(text)):
        return text.replace(heading, f"{heading}{listed}\n")
    head, raises, rest = text.partition("\n\nRaises\n")
    return f"{head}{heading}{listed}{raises}{rest}"
