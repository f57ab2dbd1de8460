"""Symbolic arrays: a row's function runs on them as on any array, and leaves its expression.

Where a function does what an expression cannot say (it branches on values, mixes units, asks for
a number), the array raises :class:`UntraceableError` with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.expressions.nodes import Node, apply, as_number, constant


class UntraceableError(Exception):
    """What a function does that an expression cannot say, as the end of "it …"."""


class _Unknown:
    """A length that an expression must not depend on: every use is refused."""

    def __init__(self, of: str) -> None:
        self.of = of

    def _refuse(self, *_: Any) -> Any:
        raise UntraceableError(f"asks how many {self.of} there are")

    __int__ = __index__ = __float__ = __bool__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __pow__ = __rpow__ = __neg__ = __abs__ = __hash__ = __array__ = _refuse


class SymbolicArray:
    """An array of which only the expression of an entry is known.

    Parameters
    ----------
    node : Node
        What an entry is. Of an array that was summed over units, ``(m,)``: a summand.
    dtype : dtype
    ndim : int
        2 for ``(units, examples)``, 1 for a sum over units, 0 for a number of the step.
    units : int, optional
        Where the function may know how many there are; it may never know how many examples.
    given : bool
        Whether it is an argument, which the function may not change.

    Examples
    --------
    >>> from deltarule.expressions.nodes import entry
    >>> Z = SymbolicArray(entry("z"), np.dtype("float32"))
    >>> np.maximum(Z, 0).node
    maximum(z, 0.0)
    """

    def __init__(
        self,
        node: Node,
        dtype: np.dtype[Any],
        ndim: int = 2,
        units: int | None = None,
        given: bool = False,
    ) -> None:
        self.node, self.number_dtype, self.ndim, self.units = node, dtype, ndim, units
        self.given = given

    def like(self, node: Node) -> SymbolicArray:
        """Another array of the same shape."""
        return SymbolicArray(node, self.number_dtype, self.ndim, self.units)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Boolean for a mask."""
        return np.dtype(bool) if self.node.is_mask else self.number_dtype

    @property
    def shape(self) -> tuple[Any, ...]:
        """Units, where they are known, and examples, of which nothing is."""
        if self.ndim == 0:
            return ()
        units: tuple[Any, ...] = (self.units or _Unknown("units"),) if self.ndim == 2 else ()
        return (*units, _Unknown("examples"))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return NAMESPACE

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise UntraceableError(f"calls {ufunc.__name__} with {method} or with options")
        return getattr(NAMESPACE, ufunc.__name__)(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return getattr(NAMESPACE, function.__name__)(*args, **kwargs)

    # ------------------------------------------------------------------------- of one entry

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        """A mask as numbers; numbers only as what they are."""
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        if np.dtype(dtype) == np.dtype(bool) and not self.node.is_mask:
            return NAMESPACE.not_equal(self, 0)
        if np.dtype(dtype) not in (self.dtype, self.number_dtype):
            raise UntraceableError(
                f"computes in {np.dtype(dtype)}, with arrays of {self.number_dtype}"
            )
        node = self.node if np.dtype(dtype) == bool else as_number(self.node)
        return self.like(node)

    def copy(self, order: str = "C") -> SymbolicArray:
        """Another array of the same entries."""
        return self.like(self.node)

    def clip(self, min: Any = None, max: Any = None) -> Array:
        """Kept within limits."""
        return _clip(self, min, max)

    def __abs__(self) -> Array:
        return _applied("abs", self)

    def __neg__(self) -> Array:
        return _applied("negative", self)

    def __pos__(self) -> SymbolicArray:
        return self.copy()

    def __invert__(self) -> Array:
        return _applied("not", self)

    # ----------------------------------------------------------------------- over the units

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> SymbolicArray:
        """Over the units of each example: what a loss ends with."""
        if axis not in (0, (0,)) or keepdims or self.ndim != 2:
            raise UntraceableError(
                "sums other than over the units of an example, axis 0, as the last thing it does"
            )
        return SymbolicArray(as_number(self.node), self.number_dtype, 1)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        """Likewise."""
        return _applied("divide", self.sum(axis, dtype, keepdims), self.shape[0])

    # ------------------------------------------------------------------- what cannot be said

    def any(self, *args: Any, **kwargs: Any) -> bool:
        """What a function branches on."""
        return bool(self)

    all = any

    def __bool__(self) -> bool:
        raise UntraceableError(
            "branches on the values of an array; write xp.where(condition, a, b)"
        )

    def __iter__(self) -> Any:
        raise UntraceableError("loops over an array; write operations of whole arrays")

    def __len__(self) -> int:
        raise UntraceableError("asks for an array's length; write operations of whole arrays")

    def __getitem__(self, key: Any) -> Any:
        raise UntraceableError("takes single entries of an array; write xp.where(condition, a, b)")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise UntraceableError("writes single entries of an array; write xp.where(condition, a, b)")

    def __float__(self) -> float:
        raise UntraceableError("makes a number of an array; write operations of whole arrays")

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise UntraceableError("makes a NumPy array of its argument; use it as it is")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UntraceableError(f"uses .{name} of an array, which an expression of one entry lacks")

    __hash__ = None  # type: ignore[assignment]


def _applied(name: str, *operands: Any) -> Array:
    """An operation, element-wise; of sums what stays a sum."""
    arrays = [operand for operand in operands if isinstance(operand, SymbolicArray)]
    like = max(arrays, key=lambda array: array.ndim)
    if {array.ndim for array in arrays} >= {1, 2}:
        raise UntraceableError("combines sums over units with single units")
    if like.ndim == 1 and not _stays_a_sum(name, operands):
        raise UntraceableError(
            f"computes {name} of a sum over units; only multiples and sums of such sums are traced"
        )
    nodes = (o.node if isinstance(o, SymbolicArray) else constant(_number(o)) for o in operands)
    return like.like(apply(name, *nodes))


def _stays_a_sum(name: str, operands: tuple[Any, ...]) -> bool:
    """Whether an operation of sums is the sum of the operation: whether it is linear."""
    sums = [isinstance(operand, SymbolicArray) and operand.ndim == 1 for operand in operands]
    if name in ("negative", "add", "subtract"):
        return all(sums)
    if name == "multiply":
        return sums.count(True) == 1
    return name == "divide" and sums == [True, False]


def _number(value: Any) -> float | bool:
    """A constant that stands in an expression."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    try:
        array = np.asarray(value)
        if array.shape == () and array.dtype.kind in "biuf":
            return float(array)
    except (TypeError, ValueError):
        pass
    raise UntraceableError(f"uses {type(value).__name__} {value!r:.60}, no single number")


def _method(name: str, swapped: bool = False) -> Callable[[SymbolicArray, Any], SymbolicArray]:
    function = getattr(NAMESPACE, name)

    def method(self: SymbolicArray, other: Any) -> SymbolicArray:
        found: SymbolicArray = function(other, self) if swapped else function(self, other)
        return found

    return method


def _in_place(name: str) -> Callable[[SymbolicArray, Any], SymbolicArray]:
    function = getattr(NAMESPACE, name)

    def method(self: SymbolicArray, other: Any) -> SymbolicArray:
        if self.given:
            raise UntraceableError("changes its argument in place; make a new array")
        self.node = function(self, other).node
        return self

    return method


# --------------------------------------------------------------------------- the namespace


def _clip(x: Array, min: Any = None, max: Any = None) -> Array:
    if min is not None:
        x = _applied("maximum", x, min)
    return x if max is None else _applied("minimum", x, max)


def _like(value: float) -> Callable[..., SymbolicArray]:
    def filled(x: SymbolicArray, dtype: Any = None) -> SymbolicArray:
        return x.like(constant(value))

    return filled


def _full_like(x: SymbolicArray, value: Any, dtype: Any = None) -> SymbolicArray:
    return x.like(constant(_number(value)))


def _swapped(name: str) -> Callable[[Any, Any], Array]:
    return lambda x, y: _applied(name, y, x)


def _logaddexp(x: Array, y: Array) -> Array:
    far = abs(x - y)
    tail = _applied("log1p", _applied("exp", -far))
    most = _applied("maximum", x, y)
    same = _applied("equal", x, y)  # also where both are infinite
    return _applied("where", same, most + math.log(2.0), most + tail)


def _sigmoid(x: Array) -> Array:
    e = _applied("exp", -abs(x))
    return _applied("where", x >= 0, 1.0, e) / (1.0 + e)


def _log_sigmoid(x: Array) -> Array:
    return _applied("minimum", x, 0.0) - _applied("log1p", _applied("exp", -abs(x)))


def _xlogy(x: Array, y: Array) -> Array:
    none = NAMESPACE.logical_and(NAMESPACE.equal(x, 0.0), NAMESPACE.equal(y, y))
    return _applied("where", none, 0.0, x * _applied("log", y))


class _Namespace:
    """What ``namespace(Z)`` is of a symbolic array: the functions that expressions have."""

    __name__ = "symbolic"
    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = _FUNCTIONS.get(name)
        if known is None:
            raise UntraceableError(f"calls {name}, which is not among the functions of expressions")
        return known

    def __dir__(self) -> list[str]:
        return sorted({*_FUNCTIONS} - {"any", "all"})  # which only say why not


def _plain(name: str) -> Callable[..., Any]:
    def function(*operands: Any) -> Any:
        if not any(isinstance(operand, SymbolicArray) for operand in operands):
            return apply(name, *(constant(_number(o)) for o in operands)).value
        return _applied(name, *operands)

    return function


_PLAIN = (
    *("add", "subtract", "multiply", "divide", "minimum", "maximum", "power", "negative", "abs"),
    *("sign", "floor", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "arctan"),
    *("erf", "less", "less_equal", "equal", "where"),
)
_FUNCTIONS: dict[str, Callable[..., Any]] = {name: _plain(name) for name in _PLAIN}
_FUNCTIONS |= {
    "absolute": _FUNCTIONS["abs"],
    "fabs": _FUNCTIONS["abs"],
    "atan": _FUNCTIONS["arctan"],
    "pow": _FUNCTIONS["power"],
    "float_power": _FUNCTIONS["power"],
    "true_divide": _FUNCTIONS["divide"],
    "positive": lambda x: +x,
    "logical_and": _plain("and"),
    "logical_or": _plain("or"),
    "logical_not": _plain("not"),
    "bitwise_and": _plain("and"),
    "bitwise_or": _plain("or"),
    "invert": _plain("not"),
    "bitwise_invert": _plain("not"),
    "greater": _swapped("less"),
    "greater_equal": _swapped("less_equal"),
    "not_equal": lambda x, y: _applied("not", _applied("equal", x, y)),
    "isnan": lambda x: _applied("not", _applied("equal", x, x)),
    "isfinite": lambda x: _applied("less", abs(x), math.inf),
    "isinf": lambda x: _applied("equal", abs(x), math.inf),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1.0 / x,
    "exp2": lambda x: _applied("exp", x * math.log(2.0)),
    "log2": lambda x: _applied("log", x) / math.log(2.0),
    "log10": lambda x: _applied("log", x) / math.log(10.0),
    "tan": lambda x: _applied("sin", x) / _applied("cos", x),
    "sinh": lambda x: 0.5 * (_applied("expm1", x) - _applied("expm1", -x)),
    "cosh": lambda x: 0.5 * (_applied("exp", x) + _applied("exp", -x)),
    "ceil": lambda x: -_applied("floor", -x),
    "erfc": lambda x: 1.0 - _applied("erf", x),
    "expit": _sigmoid,
    "log_expit": _log_sigmoid,
    "xlogy": _xlogy,
    "logaddexp": _logaddexp,
    "clip": _clip,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "full_like": _full_like,
    "asarray": lambda x, dtype=None: x,
    "astype": lambda x, dtype, copy=True: x.astype(dtype),
    "any": lambda x, *args, **kwargs: bool(x),
    "all": lambda x, *args, **kwargs: bool(x),
    "sum": lambda x, axis=None, dtype=None, keepdims=False: x.sum(axis, dtype, keepdims),
    "mean": lambda x, axis=None, dtype=None, keepdims=False: x.mean(axis, dtype, keepdims),
}

NAMESPACE = _Namespace()

_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
    "and": "logical_and",
    "or": "logical_or",
}
_COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
for _name, _function in _OPERATORS.items():
    setattr(SymbolicArray, f"__{_name}__", _method(_function))
    setattr(SymbolicArray, f"__r{_name}__", _method(_function, swapped=True))
    setattr(SymbolicArray, f"__i{_name}__", _in_place(_function))
for _name, _function in _COMPARISONS.items():
    setattr(SymbolicArray, f"__{_name}__", _method(_function))
