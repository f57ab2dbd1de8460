"""Examples in columns in the equations, in rows in the machine, where that is faster.

XLA keeps a matrix the way it is written. Which way its products and sums are fast depends on
their sizes, not on the mathematics; so a traced function can be read with every matrix turned:
each operation is replaced by the one that does the same to transposed matrices. What is computed
stays what the equations say, and every function can be turned: an operation without a rule is
given its matrices upright.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import Literal

from deltarule.arrays import Array

_ELEMENTWISE = frozenset(
    """
    abs add add_any and ceil clamp convert_element_type copy cos div eq erf erf_inv erfc exp exp2
    expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg nextafter
    not or pow rem round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign
    sin sqrt square stop_gradient sub tan tanh xor
    """.split()  # noqa: SIM905
)
_REDUCTIONS = frozenset(
    """
    reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or argmax argmin
    """.split()  # noqa: SIM905
)


def turned(values: Any) -> Any:
    """Every matrix of a tree, transposed."""
    return jax.tree.map(lambda a: a.T if a.ndim == 2 else a, values)


def over_turned(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of and to trees of arrays whose matrices are transposed.

    ``over_turned(f)(turned(x))`` is ``turned(f(x))``.
    """

    def over(*arguments: Any) -> Any:
        upright = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(a.shape[::-1] if a.ndim == 2 else a.shape, a.dtype),
            arguments,
        )
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*upright)
        leaves = _evaluated(closed.jaxpr, turned(closed.consts), jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), leaves)

    return over


def _evaluated(jaxpr: Any, consts: Sequence[Array], arguments: Sequence[Array]) -> list[Array]:
    """The results of a traced function; every matrix in it is held transposed."""
    values: dict[Any, Array] = {}

    def read(atom: Any) -> Array:
        return atom.val if isinstance(atom, Literal) else values[atom]  # literals are scalars

    values.update(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        values.update(zip(equation.outvars, _applied(equation, operands), strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _applied(equation: Any, operands: list[Array]) -> Sequence[Array]:
    """One operation on transposed matrices."""
    name, params = equation.primitive.name, dict(equation.params)
    before = [len(atom.aval.shape) for atom in equation.invars]
    after = [len(atom.aval.shape) for atom in equation.outvars]
    if name in ("jit", "pjit"):
        return _evaluated(params["jaxpr"].jaxpr, turned(params["jaxpr"].consts), operands)
    if name == "custom_jvp_call":
        return _evaluated(params["call_jaxpr"].jaxpr, turned(params["call_jaxpr"].consts), operands)
    flat = max(before + after, default=0) < 2
    if not flat:
        if name == "dot_general" and before == after * 2 == [2, 2]:
            (left, right), batched = params["dimension_numbers"]
            if len(left) == len(right) == 1 and batched == ((), ()):  # (AB)ᵀ = BᵀAᵀ
                params["dimension_numbers"] = (((1 - right[0],), (1 - left[0],)), batched)
                operands = operands[::-1]
                flat = True
        elif name == "broadcast_in_dim" and before[0] <= 2 == after[0] and len(before) == 1:
            params["shape"] = params["shape"][::-1]
            if before[0] == 1:
                (axis,) = params["broadcast_dimensions"]
                params["broadcast_dimensions"] = (1 - axis,)
            flat = True
        elif name in _REDUCTIONS and before == [2]:
            params["axes"] = tuple(1 - axis for axis in params["axes"])
            flat = True
        elif name in _ELEMENTWISE or (name == "transpose" and after == [2]):
            flat = max(before + after) == 2
    if flat:
        return _bound(equation.primitive, operands, params)
    return turned(_bound(equation.primitive, turned(operands), params))  # type: ignore[no-any-return]


def _bound(primitive: Any, operands: Sequence[Array], params: dict[str, Any]) -> list[Array]:
    own = primitive.get_bind_params(params)  # of JAX 0.10; earlier ones gave functions beside it
    functions, params = own if isinstance(own, tuple) else ((), own)
    found = primitive.bind(*functions, *operands, **params)
    return list(found) if primitive.multiple_results else [found]
