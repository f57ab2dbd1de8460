"""The ``deltarule`` command: one file a command, and here what turns errors into exit codes.

0 is success, 2 a mistake in the command or its input, 130 an interruption (143 by SIGTERM, 129 by
SIGHUP), 1 anything else.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from deltarule.cli.bench import bench
from deltarule.cli.command import Command
from deltarule.cli.equations import equations
from deltarule.cli.evaluate import evaluate
from deltarule.cli.explain import explain
from deltarule.cli.export import export
from deltarule.cli.inspection import inspect
from deltarule.cli.predict import predict
from deltarule.cli.streams import OutputError, standard_streams
from deltarule.cli.terminal import Terminal
from deltarule.cli.train import train
from deltarule.cli.tune import tune
from deltarule.cli.version import print_version
from deltarule.cli.worksheet import worksheet
from deltarule.errors import (
    DeltaruleError,
    DivergenceError,
    InterruptionError,
    MissingExtraError,
    PeerError,
    ResourceError,
    SettingError,
    options_named,
    unloadable,
)
from deltarule.system.storage import reason
from deltarule.training.interruption import signals_raised

app = typer.Typer(
    name="deltarule",
    help="Dense networks for tables: train, evaluate, predict; and the equations behind them.",
    epilog="Begin with: deltarule train digits",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for command in (
    *(train, tune, predict, evaluate, explain, worksheet, inspect, export),
    *(equations, bench),
):
    app.command(cls=Command)(command)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="The version, and what its engines can do.",
            callback=print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Dense networks for tables: train, evaluate, predict; and the equations behind them."""


_CLICK_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What the parser raises for a wrong command line, wherever this version of typer keeps it."""

_NOT_THE_INPUT = (DivergenceError, MissingExtraError, PeerError, ResourceError)


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    int
        The exit status.

    Examples
    --------
    >>> main(["inspect", "no-such.safetensors"])
    2
    """
    given = list(arguments)
    with standard_streams() as output, signals_raised() as signals, options_named():
        terminal = Terminal()
        try:
            with _warnings_shown(terminal):
                status = app(given, prog_name="deltarule", standalone_mode=False, obj=given)
                output.finish()
        except _CLICK_ERROR as error:
            return _wrong_usage(terminal, error)
        except (KeyboardInterrupt, typer.Abort):
            status = 130
        except BaseException as error:
            if (status := _say_failure(terminal, error, given)) is None:
                raise
            return status
        if status == 130:
            terminal.fail("interrupted; nothing was written.")
            return 128 + (signals[0] if signals else signal.SIGINT)
    return status if isinstance(status, int) else 0


@contextmanager
def _warnings_shown(terminal: Terminal) -> Iterator[None]:
    """Within it, Python's warnings are shown as a command's own."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: terminal.warn(str(message))
        yield


def _say_failure(terminal: Terminal, error: BaseException, given: Sequence[str]) -> int | None:
    """Say what ended a command, and return its status; None for a fault of this package."""
    if isinstance(error, OutputError) and isinstance(error.failure, BrokenPipeError):
        return 1  # whoever read the output has had enough
    message = _message(error, given)
    if message is None:
        return None
    terminal.fail(message)
    if isinstance(error, OSError) and _has_no_working_folder():
        terminal.note("The working folder no longer exists. Change to one that does.")
    if isinstance(error, InterruptionError):
        return 128 + error.signal
    return 2 if isinstance(error, DeltaruleError) and not isinstance(error, _NOT_THE_INPUT) else 1


def _message(error: BaseException, given: Sequence[str]) -> str | None:
    if isinstance(error, DeltaruleError):
        return _named_as_options(error, given)
    if isinstance(error, OutputError):
        return f"the output: {reason(error.failure)}."
    if isinstance(error, MemoryError):
        return "out of memory. Use fewer rows, or a machine with more."
    if isinstance(error, ImportError):
        return unloadable("the command", error)
    if isinstance(error, OSError):
        return f"{error.filename}: {reason(error)}." if error.filename else f"{reason(error)}."
    if type(error).__module__ == "pyo3_runtime":  # a panic in Rust, for which it has no class
        return f"a library failed: {error}. Check the memory and threads this process may use."
    return None


def _has_no_working_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


_SETTING = re.compile(r"(?:\w+\()?(\w+)=.*?\)?: (?:\1 must be |expected )")
_ADVICE = re.compile(r"\b[A-Z]\w+\((\w+)=([^()]*)\)")  # Regularization(clip_norm=1)
_PARAMETER_OF = {"units": "hidden", "rate": "learning_rate", "decay": "weight_decay"}
"""Keywords of the library that settings are called otherwise than."""


def _named_as_options(error: DeltaruleError, given: Sequence[str]) -> str:
    """An error's message, the keywords of Python in it named as the command's own options."""
    message, options = str(error), _options_of(given)

    def option(found: re.Match[str]) -> str | None:
        return options.get(_PARAMETER_OF.get(found[1], found[1]))

    setting = _SETTING.match(message) if isinstance(error, SettingError) else None
    named = setting and option(setting)
    if setting and named and any(argument.split("=")[0] == named for argument in given):
        return f"{named}: expected {message[setting.end() :]}"
    return _ADVICE.sub(lambda f: f"{option(f)} {f[2]}" if option(f) else f[0], message)


def _options_of(given: Sequence[str]) -> dict[str, str]:
    """The options of the command that was given, by its parameters."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    command = next((commands[argument] for argument in given if argument in commands), None)
    named = [] if command is None else [p for p in command.params if p.opts[0].startswith("--")]
    return {parameter.name: parameter.opts[0] for parameter in named}


def _wrong_usage(terminal: Terminal, error: Any) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if message:  # without one, the help has been printed
        terminal.fail(message)
        if context is not None:
            terminal.note(f"Try: {context.command_path} --help")
    return int(error.exit_code) or 2


def run() -> None:
    """The entry point: the command line of this process."""
    sys.exit(main(sys.argv[1:]))
