"""Every error this package raises.

::

    DeltaruleError
    ├── SettingError            ValueError       a size, rate or combination that cannot be
    │   └── UnknownNameError    LookupError      a name that no table holds
    │       └── UnknownKeywordError TypeError    a keyword that a callable does not take
    ├── ShapeError              ValueError       an array whose shape does not fit
    ├── TypeMismatchError       TypeError        an array or object of the wrong type
    ├── DataError               ValueError       unusable data: NaN, no rows, a missing column
    │   └── CellError                            a cell of a table, by its row
    ├── FileError               OSError          a file missing, foreign, truncated, unwritable
    ├── DeviceError             RuntimeError     a device that is not there
    │   └── DeviceMemoryError   MemoryError      a device whose memory is too small
    ├── ResourceError           RuntimeError     threads or workers that are refused, or have died
    │   └── OutOfMemoryError    MemoryError      a training that needs more memory than there is
    ├── PeerError               RuntimeError     another process of a run that is gone
    ├── MissingExtraError       ImportError      an optional dependency that is not installed
    ├── ExportError             RuntimeError     an exported model that predicts something else
    ├── InterruptionError       RuntimeError     a run that a signal ended; it can be resumed
    └── DivergenceError         ArithmeticError  training whose numbers stopped being finite

Each message says what was wrong, what was expected, what was got, and what to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from deltarule.forks import has_threads


class DeltaruleError(Exception):
    """The root: ``except DeltaruleError`` catches whatever this package raises on purpose.

    Examples
    --------
    >>> import deltarule
    >>> try:
    ...     deltarule.Dense(-3)
    ... except deltarule.DeltaruleError as error:
    ...     print(error)
    Dense(units=-3): units must be a whole number, at least 1; got -3.
    """


class SettingError(DeltaruleError, ValueError):
    """A size, rate, option, or combination of them, that cannot be.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [[0.0]], [1.0], batch_size=0)
    ... except dr.SettingError as error:
    ...     print(error)
    train(batch_size=0): batch_size must be ...
    """


class UnknownNameError(SettingError, LookupError):
    """A name that no table holds; the message suggests the nearest.

    Examples
    --------
    >>> import deltarule as dr
    >>> try:
    ...     dr.OPTIMIZERS("adm")
    ... except dr.UnknownNameError as error:
    ...     print(error)
    unknown optimizer 'adm'. Did you mean 'adam'? Known: ...
    """


class UnknownKeywordError(UnknownNameError, TypeError):
    """A keyword that a function or class does not take; the message says what to write.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [[0.0]], [1.0], epoch=3)
    ... except dr.UnknownKeywordError as error:
    ...     print(error)
    train has no parameter 'epoch'. Did you mean 'epochs'?
    """


class SlowerEngineWarning(UserWarning):
    """What is trained runs on a slower engine than it could; the message says why.

    Examples
    --------
    Make it an error, so that no training runs on a slower engine unnoticed:

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SlowerEngineWarning)
    ...     try:
    ...         warnings.warn("engine 'jax' is used", SlowerEngineWarning)
    ...     except SlowerEngineWarning as warning:
    ...         print(warning)
    engine 'jax' is used
    """


class ShapeError(DeltaruleError, ValueError):
    """An array whose shape does not fit the network or its fellow arrays.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [[0.0, 1.0]], [1.0])
    ... except dr.ShapeError as error:
    ...     print(error)
    X: expected shape (rows, 1), got (1, 2). Put one example in each row.
    """


class TypeMismatchError(DeltaruleError, TypeError):
    """An array or object of the wrong type.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [["a"]], [1.0])
    ... except dr.TypeMismatchError as error:
    ...     print(error)
    X: expected numbers, got dtype <U1. Turn text and categories into numbers first.
    """


class DataError(DeltaruleError, ValueError):
    """Data that cannot be used: NaN, a column that is not there, no rows.

    Attributes
    ----------
    parameters : Parameters or None
        Where data that streams ended a training: those after its last step.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [[float("nan")]], [1.0])
    ... except dr.DataError as error:
    ...     print(error)
    X: expected finite numbers, got nan in row 0, column 0 (1 such in all). Fill or drop them first.
    """

    parameters: Any = None


class CellError(DataError):
    """A cell of a table that cannot be used, by its row.

    The message counts rows of a file as the file does: from 1, with the header. Rows of a table in
    memory are counted from 0, as by NumPy and pandas.

    Parameters
    ----------
    before, after : str
        The message on both sides of the row.
    row : int
        The cell's row in the table, counted from 0.
    place : str
        The row in the table's file, where it has one.

    Examples
    --------
    >>> error = CellError("column 'age' holds inf", 2, "; expected finite numbers.")
    >>> print(error)
    column 'age' holds inf in row 2 of the table, counted from 0; expected finite numbers.
    >>> error.row
    2
    """

    def __init__(self, before: str, row: int, after: str, place: str = "") -> None:
        super().__init__(f"{before} in {place or f'row {row} of the table, counted from 0'}{after}")
        self.before = before
        self.row = row
        self.after = after
        self.place = place


@contextmanager
def rows_of(table_rows: Sequence[int]) -> Iterator[None]:
    """Within it, a :class:`CellError` about some rows of a table names the row of that table.

    Parameters
    ----------
    table_rows : sequence of int
        The number of each of those rows, counted from 0.

    Examples
    --------
    >>> try:
    ...     with rows_of([0, 1, 5]):
    ...         raise CellError("column 'a' holds inf", 2, ".")
    ... except CellError as error:
    ...     print(error)
    column 'a' holds inf in row 5 of the table, counted from 0.
    """
    try:
        yield
    except CellError as error:
        if error.place:
            raise
        raise CellError(error.before, int(table_rows[error.row]), error.after) from None


class FileError(DeltaruleError, OSError):
    """A file that is missing, empty, foreign, truncated or cannot be written.

    Attributes
    ----------
    parameters : Parameters or None
        Where a file that streams ended a training: those after its last step.

    Examples
    --------
    >>> import deltarule as dr
    >>> try:
    ...     dr.load("missing.safetensors")
    ... except dr.FileError as error:
    ...     print(error)
    missing.safetensors: cannot be read: no such file or directory.
    """

    parameters: Any = None


class DeviceError(DeltaruleError, RuntimeError):
    """A device that is asked for and not there.

    Examples
    --------
    >>> issubclass(DeviceError, RuntimeError)
    True
    """


class DeviceMemoryError(DeviceError, MemoryError):
    """A device whose memory is too small for what was asked; the message says what to change.

    Examples
    --------
    >>> issubclass(DeviceMemoryError, MemoryError)
    True
    """


class ResourceError(DeltaruleError, RuntimeError):
    """Something of the machine's that is refused or gone: a thread, a worker.

    Examples
    --------
    >>> issubclass(ResourceError, RuntimeError)
    True
    """


class OutOfMemoryError(ResourceError, MemoryError):
    """A training or a table that needs more memory than there is: told before it begins.

    Examples
    --------
    >>> issubclass(OutOfMemoryError, MemoryError)
    True
    """


class PeerError(DeltaruleError, RuntimeError):
    """Another process of the same run that is gone, or never came; the message names it.

    Examples
    --------
    >>> issubclass(PeerError, RuntimeError)
    True
    """


class MissingExtraError(DeltaruleError, ImportError):
    """An optional dependency that is not installed; the message names the extra.

    Examples
    --------
    >>> try:
    ...     require("a_missing_package", "report", "a report")
    ... except MissingExtraError as error:
    ...     print(error)
    a report needs the package "a_missing_package", which is not installed. Run: pip install ...
    """


class ExportError(DeltaruleError, RuntimeError):
    """An exported model that does not predict what the model does; nothing was written.

    Examples
    --------
    >>> issubclass(ExportError, RuntimeError)
    True
    """


class InterruptionError(DeltaruleError, RuntimeError):
    """A run that a signal ended after a step; it resumes from its checkpoint.

    Parameters
    ----------
    message : str
        What happened and how to resume.
    signal : int
        Its number: 2 for Ctrl-C, 15 for SIGTERM, 1 for SIGHUP.
    checkpoint : str
        The file that was written.

    Examples
    --------
    >>> error = InterruptionError("stopped by Ctrl-C", signal=2, checkpoint="run/checkpoint")
    >>> error.signal, error.checkpoint
    (2, 'run/checkpoint')
    """

    def __init__(self, message: str, *, signal: int, checkpoint: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.checkpoint = checkpoint


class DivergenceError(DeltaruleError, ArithmeticError, ValueError):
    """A training run whose numbers stopped being finite.

    Parameters
    ----------
    message : str
        What happened and what to do.
    step : int
        The first step (counted from 1) whose cost was not finite.
    layer : int or None
        The first layer (1 to L) that holds a number that is not finite; None for the cost.
    quantity : str
        What was not finite there: ``"W"``, ``"b"``, ``"Z"``, ``"A"`` or ``"cost"``.

    Attributes
    ----------
    parameters : Parameters or None
        Those after the last good epoch.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> try:
    ...     dr.train(network, [[1e3]], [1.0], optimizer=dr.GradientDescent(1e3))
    ... except dr.DivergenceError as error:
    ...     print(error.quantity, error.step, len(error.parameters))
    cost 2 1
    """

    parameters: Any = None

    def __init__(self, message: str, *, step: int, layer: int | None, quantity: str) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        self.quantity = quantity


_spoken = {"options": False}


def setting(keyword: str, option: str) -> str:
    """A setting as whoever reads a message gives it: by keyword, or on the command line by option.

    Parameters
    ----------
    keyword : str
        In Python.
    option : str
        On the command line.

    Examples
    --------
    >>> setting("resume=True", "--resume")
    'resume=True'
    >>> with options_named():
    ...     setting("resume=True", "--resume")
    '--resume'
    """
    return option if _spoken["options"] else keyword


@contextmanager
def options_named() -> Iterator[None]:
    """Within it, messages name the options of the command line."""
    before, _spoken["options"] = _spoken["options"], True
    try:
        yield
    finally:
        _spoken["options"] = before


def require(module: str, extra: str, purpose: str, *, threads: bool = True) -> ModuleType:
    """Import an optional dependency, or raise :class:`MissingExtraError` that names its extra.

    Parameters
    ----------
    module : str
        The module to import.
    extra : str
        The extra of this package that installs it.
    purpose : str
        What needs it, for the message.
    threads : bool
        Whether the module is going to compute in its own threads.

    Raises
    ------
    MissingExtraError
        Where the module cannot be found.
    ResourceError
        Where it is there and cannot be loaded, for example for lack of memory; in a forked process,
        where the module's threads have stayed in the parent.

    Examples
    --------
    >>> require("numpy", "all", "arithmetic").__name__
    'numpy'
    """
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).split(".")[0]
        raise MissingExtraError(
            f'{purpose} needs the package "{missing}", which is not installed. '
            f'Run: pip install "deltarule[{extra}]"'
        ) from error
    except (ImportError, MemoryError, SystemError) as error:
        raise ResourceError(unloadable(purpose, error)) from error
    if threads and not has_threads(module):
        raise ResourceError(
            f"{purpose} needs the threads of {module}, and this process was forked from one that "
            f"had started them: a fork does not copy threads. Start workers by "
            '"spawn" or "forkserver" (multiprocessing.get_context), or do this before the fork. '
            "Predictions need no threads."
        )
    return found


def unloadable(purpose: str, error: Exception) -> str:
    """The message for a library that is installed and cannot be loaded.

    Parameters
    ----------
    purpose : str
        What needs it.
    error : Exception
        What its import raised.

    Examples
    --------
    >>> unloadable("a report", ImportError("x.so: failed to map segment"))
    'a report needs a library that cannot be loaded: x.so: failed to map segment. Check ...'
    """
    what = str(error) or type(error).__name__
    return (
        f"{purpose} needs a library that cannot be loaded: {what}. Check its installation, and "
        "that the process may use enough memory and addresses (ulimit -v)."
    )
