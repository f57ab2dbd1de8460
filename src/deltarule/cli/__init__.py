"""The ``deltarule`` command: one file a command, and here what turns errors into exit codes.

0 is success, 2 a mistake in the command or its input, 130 an interruption (143 by SIGTERM), 1
anything else.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from deltarule.cli.bench import bench
from deltarule.cli.equations import equations
from deltarule.cli.evaluate import evaluate
from deltarule.cli.explain import explain
from deltarule.cli.export import export
from deltarule.cli.inspection import inspect
from deltarule.cli.predict import predict
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
)
from deltarule.storage import reason

app = typer.Typer(
    name="deltarule",
    help="Dense networks from tables: train, judge, predict; and the equations they learn by.",
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
    app.command()(command)


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
    """Dense networks from tables: train, judge, predict; and the equations they learn by."""


_CLICK_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What the parser raises for a wrong command line, wherever this version of typer keeps it."""


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
    terminal = Terminal()
    given = list(arguments)
    try:
        status = app(given, prog_name="deltarule", standalone_mode=False, obj=given)
        sys.stdout.flush()
    except _CLICK_ERROR as error:
        return _wrong_usage(terminal, error)
    except (DivergenceError, MissingExtraError, PeerError, ResourceError) as error:
        terminal.fail(str(error))
        return 1
    except InterruptionError as error:
        terminal.fail(str(error))
        return 128 + error.signal
    except SettingError as error:
        terminal.fail(_named_as_option(str(error), given))
        return 2
    except DeltaruleError as error:
        terminal.fail(str(error))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        terminal.fail("interrupted; nothing was written.")
        return 130
    except MemoryError:
        terminal.fail("out of memory. Use fewer rows, or a machine with more.")
        return 1
    except BrokenPipeError:  # whoever read the output has had enough
        _give_up_output()
        return 1
    except OSError as error:
        if error.filename is None:
            _give_up_output()
        terminal.fail(f"{error.filename or 'the output'}: {reason(error)}.")
        return 1
    if status == 130:
        terminal.fail("interrupted; nothing was written.")
    return status if isinstance(status, int) else 0


def _give_up_output() -> None:
    """Let what is still to be written go nowhere: else the interpreter fails again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_SETTING = re.compile(r"\w+\((\w+)=.*?\): \1 must be ")
_OPTION_OF = {
    "units": "hidden",
    "rate": "learning-rate",
    "n_ensemble": "ensemble",
    "n_members": "members",
    "n_threads": "threads",
}


def _named_as_option(message: str, given: Sequence[str]) -> str:
    """What is wrong with a setting, the setting named as the option that was given, if it was."""
    found = _SETTING.match(message)
    if found is None:
        return message
    option = "--" + _OPTION_OF.get(found[1], found[1].replace("_", "-"))
    if not any(argument.split("=")[0] == option for argument in given):
        return message
    return f"{option}: expected {message[found.end() :]}"


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
