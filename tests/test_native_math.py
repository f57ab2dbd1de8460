"""The core's own exp, log, tanh, erf, sin and cos: error bounds in units of the last place."""

import numpy as np
import pytest
from scipy import special

from deltarule.engines.native.core import chosen

CORE = chosen()

# name: exact function, intervals of arguments, bound in units of the last place of the result
BOUNDS = {
    "exp": (np.exp, [(-87, 88.7)], 2),
    "expm1": (np.expm1, [(-30, 88), (-1e-3, 1e-3)], 3),
    "log": (np.log, [(1e-30, 1e30), (0.5, 2)], 2),
    "log1p": (np.log1p, [(1e-9, 1e-3), (1e-3, 1e10)], 4),
    "tanh": (np.tanh, [(-12, 12), (-1e-3, 1e-3)], 4),
    "sigmoid": (special.expit, [(-80, 80), (-1, 1)], 4),
    "erf": (special.erf, [(-6, 6), (-1e-3, 1e-3)], 4),
    "sin": (np.sin, [(-1e-3, 1e-3), (-0.8, 0.8)], 2),
    "cos": (np.cos, [(-1e-3, 1e-3), (-0.8, 0.8)], 2),
}


def apply(name, values):
    out = np.empty_like(values)
    (CORE.math32 if values.dtype == np.float32 else CORE.math64)(name, values, out)
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOUNDS)
def test_error_bounds(name, dtype):
    exact, intervals, bound = BOUNDS[name]
    rng = np.random.default_rng(0)
    for low, high in intervals:
        x = rng.uniform(low, high, 100_000)
        if low > 0:
            x = np.exp(rng.uniform(np.log(low), np.log(high), 100_000))
        x = x.astype(dtype)
        true = exact(x.astype(np.float64))
        ulp = np.spacing(np.abs(true).astype(dtype)).astype(np.float64)
        found = apply(name, x).astype(np.float64)
        # in float64 the oracle errs by an ulp or two of its own
        assert (np.abs(found - true) / ulp).max() <= bound + 2 * (dtype == "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOUNDS)
def test_special_values(name, dtype):
    x = np.array([0.0, np.inf, np.nan, -0.0, 1000.0], dtype)
    if name == "log1p":  # its argument is an e^(−|x|)
        x = x[[0, 2, 3, 4]]
    elif name != "log":
        x = np.concatenate([x, np.array([-np.inf, -1000.0], dtype)])
    with np.errstate(all="ignore"):
        expected = BOUNDS[name][0](x)
    np.testing.assert_allclose(apply(name, x), expected, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize(("dtype", "farthest"), [("float32", 12e3), ("float64", 8e8)])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_far_angles_err_by_the_last_place_of_1(name, dtype, farthest):
    """On every scale, beyond where the core reduces angles itself too, and at multiples of π/2."""
    rng = np.random.default_rng(1)
    for size in (1.0, 30.0, 1e3, farthest, 50 * farthest):
        x = rng.uniform(-size, size, 20_000)
        x[:100] = np.arange(100) * np.pi / 2
        x = x.astype(dtype)
        true = BOUNDS[name][0](x.astype(np.float64))
        assert abs(apply(name, x) - true).max() <= 1.5 * np.finfo(dtype).eps


def test_denormal_numbers_have_a_logarithm():
    x = np.array([1e-40, 1e-45], np.float32)
    np.testing.assert_allclose(apply("log", x), np.log(x.astype(np.float64)), rtol=1e-6)
