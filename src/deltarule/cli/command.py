"""From groups of options to a command: the parameters that typer asks for, and the two helps.

A command is a function of settings classes; :func:`command` gives it the signature that typer
reads, one option per field. Two libraries that build commands from dataclasses were tried in place
of this file: cyclopts and tyro bring four packages more, word errors and show values their own way,
and have no second help.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, cleandoc, signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from deltarule.cli import texts
from deltarule.tabular.options import Option, check_limits, options_of

_MOST = 34  # options that one help shows; of more, only the common ones

_TEXTS: Mapping[Any, tuple[Any, Callable[[str, Any], Any]]] = {
    tuple[str, ...]: (list[str] | None, lambda flag, given: tuple(given or ())),
    Mapping[str, str]: (list[str] | None, texts.kinds),
    tuple[int, ...] | None: (str | None, texts.units),
    tuple[float, ...] | None: (str | None, texts.levels),
    int | str | None: (str | None, texts.number_or_all),
    texts.Bytes | None: (str | None, texts.size),
}
"""Types that typer does not know: what it asks for instead, and what reads that."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """The same function with an option for every field of its settings classes.

    ``Annotated[Settings, ("seed",)]`` is a class of which only the named options are the command's.
    Parameters of other types are as typer takes them.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: _group(hint) for name, hint in hints.items() if is_dataclass(_group(hint)[0])}
    parameters: list[Parameter] = []
    for name, own in signature(function).parameters.items():
        if name in groups:
            group, chosen = groups[name]
            parameters.extend(_option(group, field) for field in chosen)
        else:
            parameters.append(own.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))
    rare = {
        name
        for group, chosen in groups.values()
        for name, own in options_of(group).items()
        if name in chosen and not own.common
    }
    is_long = len(parameters) > _MOST
    if is_long:
        parameters.append(_HELP_ALL)

    @wraps(function)
    def called(help_all: bool = False, **given: Any) -> None:
        made = {}
        for name, (group, chosen) in groups.items():
            made[name] = _made(group, {field: given.pop(field) for field in chosen})
            check_limits(function.__name__, made[name])
        function(**given, **made)

    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    called.__doc__ = _joined(cleandoc(function.__doc__ or ""))
    called.rare = rare if is_long else set()  # type: ignore[attr-defined]
    return called


def _group(hint: Any) -> tuple[Any, tuple[str, ...]]:
    """A settings class and the names of its options that a command takes."""
    group, *chosen = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if chosen or not is_dataclass(group):
        return group, chosen[0] if chosen else ()
    return group, tuple(options_of(group))  # type: ignore[arg-type]


def _option(group: Any, name: str) -> Parameter:
    """The parameter of typer's for one option."""
    own, hint = options_of(group)[name], get_type_hints(group)[name]
    default = next(each for each in fields(group) if each.name == name).default
    taken, _ = _TEXTS.get(hint, (hint, None))
    if default is MISSING or default == ():
        default = None if hint in _TEXTS else Parameter.empty
    option = typer.Option(
        *own.flag.split(),
        metavar=own.metavar,
        help=own.help,
        autocompletion=_completion(own) if own.names else None,
        rich_help_panel=own.panel,
        show_default=default not in (None, Parameter.empty),
    )
    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[taken, option]
    )


def _completion(own: Option) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in own.names if name.startswith(incomplete)]


def _made(group: Any, given: dict[str, Any]) -> Any:
    """A settings object from what was given; a text is read as its field's type asks."""
    hints, own = get_type_hints(group), options_of(group)
    for name, value in given.items():
        is_left_out = value is None and type(None) in get_args(hints[name])
        if hints[name] in _TEXTS and not is_left_out:
            given[name] = _TEXTS[hints[name]][1](own[name].flag, value)
    return group(**given)


# ------------------------------------------------------------------------------------- help


def _show_all(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.meta[__name__] = "all"
        typer.echo(context.get_help())
        raise typer.Exit


_HELP_ALL = Parameter(
    "help_all",
    Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--help-all", metavar="", help="Show every option.", is_eager=True, callback=_show_all
        ),
    ],
)


_PHRASE_END = re.compile(r"\. |; | \(")


class Command(TyperCommand):
    """A command whose help shows the common options only, where there are many."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: all of it where ``--help-all`` asks."""
        rare = getattr(self.callback, "rare", ())
        shown = copy.copy(self)
        if rare and ctx.meta.get(__name__) != "all":
            hidden = rare | {_HELP_ALL.name}
            shown.params = [_brief(own) for own in self.params if own.name not in hidden]
            shown.add_help_option = False
            shown.epilog = f"{len(rare)} more options: {ctx.command_path} --help-all"
        TyperCommand.format_help(shown, ctx, formatter)


def _brief(parameter: Any) -> Any:
    """A parameter as the short help shows it: in one panel, in one phrase."""
    found = copy.copy(parameter)
    found.required = False
    if found.param_type_name == "option":
        found.opts = [f"{parameter.opts[0]} {parameter.metavar or ''}".rstrip()]
        found.metavar, found.rich_help_panel, found.show_default = "", None, False
        found.help = f"{_PHRASE_END.split(parameter.help)[0].rstrip('.')}."
    return found


def _joined(text: str) -> str:
    """A docstring each of whose paragraphs is one line, wrapped by whoever shows it."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(p if p.startswith("\b") else p.replace("\n", " ") for p in paragraphs)
