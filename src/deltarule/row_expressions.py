"""What the rows of the tables compute, as expressions: for engines, exports and pages alike.

A row stays a function of arrays; here it runs on symbolic ones. Rows that mix the units of an
example otherwise than in a loss's sum stay written by hand in each dialect:
:data:`WRITTEN_BY_HAND`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from deltarule.activations import Activation
from deltarule.arrays import Array
from deltarule.costs import Cost
from deltarule.errors import SettingError
from deltarule.expressions import Node, UntraceableError, deviation, tex, traced
from deltarule.expressions.tracing import flattened
from deltarule.intervals import Interval
from deltarule.optimizers import OPTIMIZERS, Optimizer

WRITTEN_BY_HAND = (
    "softmax",
    "softmax with categorical_cross_entropy",
    "softmax with focal",
    "softmax_cross_entropy",
    "lbfgs",
)
"""What each dialect has written by hand; an activation and a cost together are a fused pair."""

_PROBES = 7  # examples


class CostExpressions(NamedTuple):
    """A cost as expressions of one unit.

    Attributes
    ----------
    loss, d : Node
        Of ``a`` and ``y``: its share of the loss, and dA. Of ``z``, ``a`` and ``y`` for a fused
        pair: the same share, and δ.
    is_delta : bool
        Whether `d` is δ.
    """

    loss: Node
    d: Node
    is_delta: bool


def activation_expressions(row: Activation, dtype: Any = "float32") -> tuple[Node, Node]:
    """Expressions of g and g' in ``z``.

    Raises
    ------
    UntraceableError
        With what the row does that no expression says.
    SettingError
        For a row that changes its argument or returns another shape or dtype.

    Examples
    --------
    >>> from deltarule.activations import ACTIVATIONS
    >>> activation_expressions(ACTIVATIONS("relu"))
    (maximum(z, 0.0), where(less(0.0, z), 1.0, 0.0))
    """
    if row.mixed_delta is not None or row.g_prime is None:
        raise UntraceableError("mixes the units of an example")
    g, g_prime = (_expressions(row, one, dtype)[0] for one in _of_activation(row))
    return g, g_prime


def cost_expressions(
    row: Cost, output: Activation | None = None, units: int = 3, dtype: Any = "float32"
) -> CostExpressions:
    """Expressions of a loss and its derivative, fused with an output activation where it can be.

    Parameters
    ----------
    row : Cost
    output : Activation, optional
        Of the last layer.
    units : int
        How many outputs there are.
    dtype : dtype

    Raises
    ------
    UntraceableError, SettingError
        As :func:`activation_expressions`.

    Examples
    --------
    >>> from deltarule.costs import COSTS
    >>> cost_expressions(COSTS("half_squared_error")).d
    subtract(a, y)
    """
    loss, d = (_expressions(row, one, dtype)[0] for one in _of_cost(row, output, units))
    return CostExpressions(loss, d, output is not None and output.name in row.fused)


def optimizer_expressions(optimizer: Optimizer, dtype: Any = "float32") -> tuple[Node, ...]:
    """Expressions of the new parameter, then of each slot.

    In ``W``, ``dW``, the slots as ``slot_M`` and so on, and of the step ``t`` and ``alpha``.

    Raises
    ------
    UntraceableError, SettingError
        As :func:`activation_expressions`.

    Examples
    --------
    >>> from deltarule.optimizers import SGD
    >>> optimizer_expressions(SGD(0.1, momentum=0.5))[1]
    subtract(multiply(0.5, slot_V), multiply(alpha, dW))
    """
    if optimizer.full_batch:
        raise UntraceableError("drives cost and gradients of all the data instead of stepping")
    found = _expressions(optimizer, _of_optimizer(optimizer), dtype)
    if len(found) != 1 + len(optimizer.slots):
        raise SettingError(
            f"{type(optimizer).__name__}: update returned {len(found)} arrays; expected the "
            f"parameter and a state of {len(optimizer.slots)}, one a slot."
        )
    return found


def initial_state_expressions(optimizer: Optimizer, dtype: Any = "float32") -> tuple[Node, ...]:
    """Expressions of each slot before the first step, in ``W``.

    Raises
    ------
    UntraceableError, SettingError
        As :func:`activation_expressions`.

    Examples
    --------
    >>> from deltarule.optimizers import Adam
    >>> initial_state_expressions(Adam())
    (0.0, 0.0)
    """
    return _expressions(optimizer, _Tried("init", optimizer.init, {"W": _numbers()}), dtype)


# ----------------------------------------------------------------------------- formulas

_UNITS = {"a": "a_i", "y": "y_i"}


def formula_of(row: Activation | Cost | Optimizer, units: int = 3) -> str:
    r"""What a row computes, in TeX: its own formula, else what its functions were traced to.

    Parameters
    ----------
    row : Activation, Cost or Optimizer
        g of ``z``; the loss of ``a_i`` and ``y_i``; the update of ``W`` and the state.
    units : int
        Number of outputs, for a cost.

    Raises
    ------
    UntraceableError, SettingError
        As :func:`activation_expressions`, for a row without a formula.

    Examples
    --------
    >>> from deltarule.activations import ACTIVATIONS
    >>> print(formula_of(ACTIVATIONS("silu")))
    z\, \sigma(z)
    >>> print(formula_of(Activation("softsign", lambda Z: Z / (1 + abs(Z)), np.ones_like)))
    \frac{z}{1 + \lvert z \rvert}
    """
    if isinstance(row, Optimizer):
        return _update(row)
    if row.formula:
        return row.formula
    if isinstance(row, Activation):
        return tex({"": activation_expressions(row)[0]})
    return tex({r"\sum_i": cost_expressions(row, None, units).loss}, _UNITS, "i")


def derivative_formula_of(row: Activation | Cost, units: int = 3) -> str:
    r"""The derivative in TeX, likewise: g' of ``z``, or dA of ``a_i`` and ``y_i``.

    Raises
    ------
    UntraceableError, SettingError
        As :func:`formula_of`.

    Examples
    --------
    >>> from deltarule.costs import COSTS
    >>> print(derivative_formula_of(COSTS("mse")))
    2 (a_i - y_i)
    """
    if isinstance(row, Cost):
        return row.formula_dA or tex({"": cost_expressions(row, None, units).d}, _UNITS, "i")
    return row.formula_prime or tex({"": activation_expressions(row)[1]})


def _update(optimizer: Optimizer) -> str:
    """The new parameter and the new state, each behind an arrow."""
    made = optimizer_expressions(optimizer)
    slots = {f"slot_{slot}": _letters(slot) for slot in optimizer.slots}
    symbols = {"dW": _letters("dW"), "alpha": r"\alpha", **slots}
    leads = (rf"{symbol} \leftarrow" for symbol in ("W", *slots.values()))
    return tex(dict(zip(leads, made, strict=True)), symbols)


def _letters(name: str) -> str:
    """A name as one symbol: letters side by side would be a product."""
    return name if len(name) == 1 else rf"\operatorname{{{name}}}"


# ------------------------------------------------------------------------------ tracing


class _Tried(NamedTuple):
    """A function of a row, and what it is tried out on: arrays by the names of their entries."""

    name: str
    function: Callable[..., Any]
    given: Mapping[str, Array]
    summed: bool = False
    units: int | None = None


def _of_activation(row: Activation) -> list[_Tried]:
    given = {"z": _numbers(row.kinks)}
    own = [_Tried("g", row.g, given)]
    return own if row.g_prime is None else [*own, _Tried("g_prime", row.g_prime, given)]


def _of_cost(row: Cost, output: Activation | None, units: int) -> list[_Tried]:
    y = _within(row.targets, units, 1)
    pair = row.fused.get(output.name) if output is not None else None
    if pair is None or output is None:
        given = {"a": _within(row.outputs, units), "y": y}
        loss = _Tried("loss", row.loss, given, True, units)
        return [loss, _Tried("dA", row.dA, given, units=units)]
    z = _numbers(units=units)
    loss = _Tried("loss", pair.loss, {"z": z, "y": y}, True, units)
    a = np.asarray(output.g(z))
    return [loss, _Tried("delta", pair.delta, {"z": z, "a": a, "y": y}, units=units)]


def _of_optimizer(optimizer: Optimizer) -> _Tried:
    values = _numbers()
    given = {"W": values, "dW": values[::-1]}
    given |= {f"slot_{slot}": abs(values) for slot in optimizer.slots}
    given |= {"t": np.array(3.0), "alpha": np.array(0.01)}

    def update(W: Array, dW: Array, *rest: Array) -> Any:
        *state, t, alpha = rest
        return optimizer.update(W, dW, tuple(state), t, alpha)

    return _Tried("update", update, given)


def check_rows(
    activations: Iterable[Activation], cost: Cost, units: int, optimizer: Optimizer, dtype: Any
) -> None:
    """Try out the custom rows of a plan: what would make wrong numbers is refused.

    Parameters
    ----------
    activations : iterable of Activation
        Of all layers; the last is the output's.
    cost : Cost
    units : int
        How many outputs there are.
    optimizer : Optimizer
    dtype : dtype

    Raises
    ------
    SettingError
        Where a function changes its argument or returns another shape or dtype.

    Examples
    --------
    >>> from deltarule.activations import ACTIVATIONS
    >>> from deltarule.costs import COSTS
    >>> from deltarule.optimizers import SGD
    >>> check_rows([ACTIVATIONS("relu")], COSTS("mse"), 2, SGD(), "float32")
    """
    own = list(activations)
    tried: list[tuple[Any, _Tried]]
    tried = [(row, one) for row in own if not row.is_listed for one in _of_activation(row)]
    if not cost.is_listed:
        tried += [(cost, one) for one in _of_cost(cost, own[-1], units)]
    if not is_listed(optimizer) and not optimizer.full_batch:
        tried.append((optimizer, _of_optimizer(optimizer)))
    for row, one in tried:
        with suppress(UntraceableError):  # random numbers are an engine's that asks each time
            _try_out(row, one, np.dtype(dtype))


def is_listed(row: Activation | Cost | Optimizer) -> bool:
    """Whether a table has the row, or the optimizer's class."""
    if isinstance(row, Optimizer):
        return type(row) in OPTIMIZERS.entries.values()
    return row.is_listed


def _expressions(row: Any, one: _Tried, dtype: Any) -> tuple[Node, ...]:
    """Traced; a custom row is also tried out."""
    kind, entries = np.dtype(dtype), [key for key, values in one.given.items() if values.ndim]
    step = [key for key in one.given if key not in entries]
    if not is_listed(row):
        _try_out(row, one, kind)
    found = traced(one.function, entries, step=step, units=one.units, dtype=kind, summed=one.summed)
    if not is_listed(row):
        why = deviation(one.function, found, one.given, dtype=kind, summed=one.summed)
        if why is not None:
            raise UntraceableError(why)
    return found


def _try_out(row: Any, one: _Tried, dtype: np.dtype[Any]) -> None:
    """Call a function twice on small arrays, and refuse what it may not do.

    Raises
    ------
    SettingError
        Where it changes an argument or returns another shape or dtype.
    UntraceableError
        Where it returns other numbers the second time.
    """
    name = getattr(row, "name", "")
    owner = (
        f"{type(row).__name__}({name!r}): {one.name}"
        if name
        else f"{type(row).__name__}: {one.name}"
    )
    given = [values.astype(dtype) for values in one.given.values()]
    copies = [values.copy() for values in given]
    shape = given[0].shape[1:] if one.summed else given[0].shape
    with np.errstate(all="ignore"):
        first = flattened(one.function(*copies))
        if not all(map(_equal, given, copies)):
            raise SettingError(
                f"{owner} changes its argument in place; expected it as it was. Make a new array."
            )
        second = flattened(one.function(*copies))
    for found in map(np.asarray, first):
        if found.shape != shape:
            raise SettingError(f"{owner} returned shape {found.shape}; expected {shape}.")
        if found.dtype != dtype:
            raise SettingError(
                f"{owner} returned {found.dtype} for {dtype}; expected {dtype}. Write constants as "
                "plain numbers, and masks as .astype(Z.dtype)."
            )
    if not all(map(_equal, first, second)):
        raise UntraceableError("returns other numbers for the same argument")


def _equal(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def _numbers(kinks: tuple[float, ...] = (), units: int = 3) -> Array:
    """Numbers of all sizes, ``(units, examples)``, and the kinks."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(units, _PROBES)) * 10.0 ** rng.integers(-3, 2, (units, _PROBES))
    found.flat[: len(kinks)] = kinks
    return found


def _within(interval: Interval, units: int, seed: int = 0) -> Array:
    """Numbers within an interval, none at its ends."""
    share = np.random.default_rng(seed).uniform(0.05, 0.95, (units, _PROBES))
    low, high = interval.ends
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * share
    if np.isfinite(low):
        return low + 4.0 * share
    if np.isfinite(high):
        return high - 4.0 * share
    return 8.0 * share - 4.0
