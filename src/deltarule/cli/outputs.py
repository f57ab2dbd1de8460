"""What a command writes: checked before it computes, and named where the command then fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deltarule.cli.terminal import Terminal
from deltarule.data import BUILT_IN
from deltarule.data.files import paths_of
from deltarule.errors import InterruptionError, SettingError
from deltarule.modelfile import check_writable
from deltarule.training.interruption import signal_of


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | Sequence[str] | None]
) -> None:
    """Refuse an output that cannot be written, that the command reads, or that is another output.

    Parameters
    ----------
    outputs : mapping of str to path
        By the option that names it; None where it was not given.
    inputs : mapping of str to path or sequence of str
        By what it is: a file or folder; or files, globs, folders, a built-in name.

    Raises
    ------
    FileError
        Where it cannot be written.
    SettingError
        Where writing it would lose something.

    Examples
    --------
    >>> check_outputs({"--out": Path("rents.csv")}, {"the data": ["flats.csv"]})
    >>> check_outputs({"--out": Path("flats.csv")}, {"the data": ["./flats.csv"]})
    Traceback (most recent call last):
        ...
    deltarule.errors.SettingError: --out flats.csv: is the data, which it would replace. ...
    """
    taken = {path.resolve(): what for what, given in inputs.items() for path in _paths(given)}
    for option, path in outputs.items():
        if path is None:
            continue
        check_writable(path)
        if path.exists() and not path.is_file():  # a terminal, /dev/null
            continue
        own = path.resolve()
        what = taken.get(own) or _within(own, taken)
        if what:
            raise SettingError(
                f"{option} {path}: is {what}, which it would replace. Name another file."
            )
        taken[own] = f"what {option} names too"


@contextmanager
def after_saving(terminal: Terminal, path: Path | None) -> Iterator[None]:
    """Within it, what fails or interrupts is reported together with the file that is saved.

    Parameters
    ----------
    terminal : Terminal
    path : Path or None
        The file; None where there is none.

    Raises
    ------
    InterruptionError
        Instead of ``KeyboardInterrupt``, where there is a file.
    OutputError
        Where standard output has failed, also before.
    """
    try:
        yield
        terminal.finish()
    except KeyboardInterrupt as error:
        if path is None:
            raise
        raise InterruptionError(
            f"interrupted; {path} is saved.", signal=signal_of(error), checkpoint=str(path)
        ) from None
    except Exception:
        if path is not None:
            terminal.note(f"Saved before the error: {path}")
        raise


def say_written(terminal: Terminal, files: Mapping[str, Path | None]) -> None:
    """Name the files that were written, by what they are."""
    for what, path in files.items():
        if path is not None:
            terminal.say(f"{what}: {path}")


def _paths(given: Path | Sequence[str] | None) -> Iterable[Path]:
    if isinstance(given, Path):
        return [given]
    named = [name for name in given or () if name not in BUILT_IN]
    return paths_of(named) if named else []


def _within(path: Path, taken: Mapping[Path, str]) -> str | None:
    """The folder's name among the inputs, where a file that is there already lies in it."""
    if not path.exists():
        return None
    return next((f"in {taken[folder]}" for folder in path.parents if folder in taken), None)
