"""From a row's function to the expressions of its results, checked against the function itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.expressions.nodes import Node, as_number, constant, entry, evaluated, of_step
from deltarule.expressions.symbolic import SymbolicArray, UntraceableError

_CLOSE = {"float32": 2e-4, "float64": 1e-9}  # another order of rounding, and no more


def traced(
    function: Callable[..., Any],
    entries: Sequence[str],
    *,
    step: Sequence[str] = (),
    units: int | None = None,
    dtype: Any = "float32",
    summed: bool = False,
) -> tuple[Node, ...]:
    """The expressions of a function's results.

    Parameters
    ----------
    function : function
        Of arrays to one array, or to arrays in a tuple (nested ones are flattened).
    entries : sequence of str
        Its first arguments, arrays ``(units, examples)``: what an entry of each is called.
    step : sequence of str
        The arguments after these, numbers of the step.
    units : int, optional
        Where it may know how many.
    dtype : dtype
        float32 or float64.
    summed : bool
        Whether the result is summed over units, ``(m,)``: its expression is then a summand.

    Raises
    ------
    UntraceableError
        With what the function does that no expression says.

    Examples
    --------
    >>> traced(lambda Z: Z / (1 + abs(Z)), ["z"])
    (divide(z, add(1.0, abs(z))),)
    """
    kind = np.dtype(dtype)
    given = [SymbolicArray(entry(name), kind, 2, units, given=True) for name in entries]
    given += [SymbolicArray(of_step(name), kind, 0, given=True) for name in step]
    try:
        found = function(*given)
    except UntraceableError:
        raise
    except Exception as error:
        raise UntraceableError(f"ends in {type(error).__name__}: {error}") from error
    return tuple(_entry_of(result, summed) for result in flattened(found))


def flattened(results: Any) -> list[Any]:
    """Arrays within nested tuples, in order.

    Examples
    --------
    >>> flattened((1, (2, 3)))
    [1, 2, 3]
    """
    if isinstance(results, (tuple, list)):
        return [each for one in results for each in flattened(one)]
    return [results]


def _entry_of(result: Any, summed: bool) -> Node:
    """What an entry of a result is."""
    if isinstance(result, (bool, int, float)) and not summed:
        return constant(float(result))
    if not isinstance(result, SymbolicArray):
        raise UntraceableError(f"returns {type(result).__name__}, no array made of its argument")
    if (result.ndim == 1) is not summed:
        raise UntraceableError(
            "returns single units; expected a sum over units"
            if summed
            else "returns a sum over units; expected single units"
        )
    return as_number(result.node)


def deviation(
    function: Callable[..., Any],
    nodes: Sequence[Node],
    arguments: Mapping[str, Array],
    *,
    dtype: Any,
    summed: bool = False,
) -> str | None:
    """What a function's own numbers have against its expressions; None where they agree.

    Parameters
    ----------
    function : function
    nodes : sequence of Node
        From :func:`traced`.
    arguments : mapping of str to array
        What it is tried on.
    dtype : dtype
    summed : bool
        As for :func:`traced`.

    Examples
    --------
    >>> Z = np.ones((2, 3), np.float32)
    >>> deviation(np.exp, traced(np.exp, ["z"]), {"z": Z}, dtype="float32")
    >>> deviation(np.exp, traced(np.tanh, ["z"]), {"z": Z}, dtype="float32")
    'computes other numbers than its operations say'
    """
    kind = np.dtype(dtype)
    given = [np.asarray(values, kind) for values in arguments.values()]
    shape = next(values.shape for values in given if values.ndim)
    with np.errstate(all="ignore"):
        own = [np.asarray(result) for result in flattened(function(*given))]
    for result, said in zip(own, evaluated(nodes, arguments, np.float64), strict=True):
        expected = np.broadcast_to(said, shape)
        if summed:
            with np.errstate(all="ignore"):
                expected = expected.sum(axis=0)
        scale = np.maximum(1.0, abs(expected))
        with np.errstate(all="ignore"):
            apart = abs(np.broadcast_to(result, expected.shape) - expected) / scale
            settled = ~np.isfinite(expected.astype(kind)) | np.isnan(result)
        if (apart[~settled] > _CLOSE[kind.name]).any():
            return "computes other numbers than its operations say"
    return None
