"""Arrays, of NumPy or JAX alike, and the one boundary where a caller's arrays are checked.

Outside, examples are rows, as everywhere in Python; inside, they are columns, as the equations
write them. :func:`columns` and :func:`rows` are the only places where the two meet.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from deltarule.errors import DataError, SettingError, ShapeError, TypeMismatchError

Array: TypeAlias = Any
"""An array of NumPy or of JAX: the mathematics is written once for both."""

DTYPES = ("float32", "float64")

_SUMMED = {"float32": 64, "float64": 500}  # powers of two up to which sums and squares are finite


def namespace(array: Array) -> Any:
    """The module that an array's functions come from: ``numpy`` or ``jax.numpy``.

    Examples
    --------
    >>> namespace(np.zeros(3)).__name__
    'numpy'
    """
    return array.__array_namespace__()


def erf(Z: Array) -> Array:
    """The error function of each entry, for whatever array `Z` is.

    Examples
    --------
    >>> float(erf(np.array(0.5)).round(6))
    0.5205
    """
    return _erf_of(namespace(Z))(Z)


@lru_cache(maxsize=4)
def _erf_of(xp: Any) -> Callable[[Array], Array]:
    """The namespace's own, JAX's or SciPy's; without these the standard library's, one by one."""
    if xp.__name__.startswith("jax"):
        from jax.scipy.special import erf as found
    elif xp is not np:
        found = xp.erf
    else:
        try:
            from scipy.special import erf as found
        except ModuleNotFoundError:
            slow = np.vectorize(math.erf, otypes=[np.float64])
            return lambda Z: slow(Z).astype(Z.dtype)
    own: Callable[[Array], Array] = found
    return own


def columns(X: Array) -> Array:
    """Examples as rows, ``(m, n)``, to examples as columns, ``(n, m)``: a view, no copy."""
    return X.T


def rows(A: Array) -> Array:
    """Examples as columns, ``(n, m)``, back to examples as rows, ``(m, n)``: a view, no copy."""
    return A.T


def all_finite(values: np.ndarray) -> bool:
    """Whether all entries are; their squares' sum, which is quick to have, mostly shows it.

    Examples
    --------
    >>> all_finite(np.ones(3)), all_finite(np.array([1.0, np.nan])), all_finite(np.full(9, 1e300))
    (True, False, True)
    """
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64 as a NumPy dtype.

    Raises
    ------
    SettingError
        For any other dtype.
    """
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.name not in DTYPES:
        raise SettingError(f"dtype must be one of {', '.join(DTYPES)}; got {dtype!r}.")
    return found


def checked_matrix(
    name: str, values: Any, *, width: int | None, dtype: np.dtype[Any], finite: bool = True
) -> Array:
    """A caller's table of numbers as an array ``(m, width)`` of `dtype`, copied only if need be.

    A vector counts as one column where `width` is 1.

    Parameters
    ----------
    name : str
        What the caller calls it, for messages.
    values : array_like, shape (m, width)
        Numbers or booleans.
    width : int or None
        How many columns there must be; None for any number.
    dtype : numpy.dtype
        float32 or float64.
    finite : bool
        Whether NaN and infinity are refused.

    Raises
    ------
    TypeMismatchError
        For text, objects, complex numbers.
    ShapeError
        For the wrong number of dimensions or columns, or no rows.
    DataError
        For NaN or infinity, with the first place.

    Examples
    --------
    >>> checked_matrix("X", [[1, 2], [3, 4]], width=2, dtype=np.dtype("float32")).shape
    (2, 2)
    """
    array = _numeric(name, values)
    if array.ndim == 1 and width == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        wanted = "(rows, columns)" if width is None else f"(rows, {width})"
        hint = " Put one example in each row."
        if array.ndim == 1:
            hint += f" For a single example write {name}[None, :]."
        raise ShapeError(f"{name}: expected shape {wanted}, got {_shape(array)}.{hint}")
    if array.shape[0] == 0:
        raise ShapeError(f"{name}: expected at least one row, got shape {_shape(array)}.")
    with np.errstate(over="ignore"):
        array = np.asarray(array, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum() if finite else 0.0
    if not np.isfinite(total):  # as a number that is not makes it, but so does overflow
        _refuse_infinite(name, array)
    return array


def checked_weights(weights: Any, m: int, dtype: np.dtype[Any], name: str = "weights") -> Array:
    """Example weights ``(m,)``: finite, none negative, not all zero; None stays None.

    Of any size: they are scaled as :func:`proportions` does before they are cast to `dtype`.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        As :func:`checked_matrix`, and DataError for weights that are negative or all zero.

    Examples
    --------
    >>> weights = checked_weights([1e39, 2e39], 2, np.dtype("float32"))
    >>> float(weights[1] / weights[0])
    2.0
    """
    if weights is None:
        return None
    array = _numeric(name, weights)
    if array.shape != (m,):
        raise ShapeError(
            f"{name}: expected one number per example, shape ({m},), got {_shape(array)}."
        )
    wide = dtype if array.dtype == dtype else np.dtype(np.float64)
    array = checked_matrix(name, array, width=1, dtype=wide)[:, 0]
    if array.min() < 0:
        raise DataError(
            f"{name}: expected none below zero, got {array.min()} in row {int(array.argmin())}."
        )
    if not array.any():
        raise DataError(f"{name}: all are zero, so there is nothing to learn from.")
    return np.asarray(proportions(array, dtype), dtype=dtype)


def proportions(weights: Array, dtype: Any = "float32", largest: float | None = None) -> Array:
    """Weights times a power of two, where they are too large or too small to be summed in `dtype`.

    Only their proportions matter; others stay as they are.

    Parameters
    ----------
    weights : float array
    dtype : dtype
        float32 or float64.
    largest : float, optional
        Of all weights, where these are some of them.

    Examples
    --------
    >>> scaled = proportions(np.array([1e300, 5e299]))
    >>> float(scaled[0] / scaled[1]), bool(scaled[0] < 2**64), proportions(np.array([3.0, 1.0]))
    (2.0, True, array([3., 1.]))
    """
    most = float(weights.max(initial=0.0)) if largest is None else largest
    exponent = math.frexp(most)[1] if math.isfinite(most) else 0
    limit = _SUMMED[np.dtype(dtype).name]
    within = min(max(exponent, -limit), limit)
    return weights if within == exponent else np.ldexp(weights, within - exponent)


def checked_number(
    owner: str,
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    whole: bool = False,
) -> None:
    """Refuse a setting that is not a finite number, not whole where it must be, or out of range.

    Raises
    ------
    SettingError
        With a message that says what is expected.

    Examples
    --------
    >>> checked_number("SGD", "momentum", 0.9, low=0, high=1, open_high=True)
    >>> checked_number("SGD", "momentum", 1.5, low=0, high=1, open_high=True)
    Traceback (most recent call last):
        ...
    deltarule.errors.SettingError: SGD(momentum=1.5): momentum must be a number, at least 0, ...
    """
    kind = numbers.Integral if whole else numbers.Real
    good = isinstance(value, kind) and not isinstance(value, (bool, np.bool_))
    if good:
        number = value if whole else _as_float(value)  # a float does not hold every whole number
        good = (
            (whole or math.isfinite(number))
            and (low < number if open_low else low <= number)
            and (number < high if open_high else number <= high)
        )
    if good:
        return
    wanted = ["a whole number" if whole else "a number"]
    if low > -math.inf:
        wanted.append(f"{'above' if open_low else 'at least'} {low:g}")
    if high < math.inf:
        wanted.append(f"{'below' if open_high else 'at most'} {high:g}")
    raise SettingError(
        f"{owner}({name}={value!r}): {name} must be {', '.join(wanted)}; got {value!r}."
    )


def _as_float(value: Any) -> float:
    """A number as a float; infinite where it is a whole one that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _numeric(name: str, values: Any) -> Array:
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise TypeMismatchError(f"{name}: a sparse matrix is not read here; pass {name}.toarray().")
    if np.ma.is_masked(values):
        raise DataError(
            f"{name}: expected a number in each cell, got masked ones. Fill them first."
        )
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ShapeError(
            f"{name}: expected a rectangular table of numbers, got rows of unequal length."
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeMismatchError(
            f"{name}: expected numbers, got dtype {array.dtype}. "
            "Turn text and categories into numbers first."
        )
    return array


def _refuse_infinite(name: str, array: Array) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        raise DataError(
            f"{name}: expected finite numbers, got {array[row, column]} in row {row}, "
            f"column {column} ({len(bad)} such in all). Fill or drop them first."
        )


def _shape(array: Array) -> str:
    return str(tuple(int(n) for n in array.shape))
