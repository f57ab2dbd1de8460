"""Write erf_coefficients.inc: a Taylor series near 0 and a Chebyshev fit of e^(x²) erfc(x)."""

import math
import pathlib

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from scipy.special import erfcx

SHIFT = 3.75


def near(terms: int) -> list[float]:
    """erf(x)/x in powers of x²."""
    scale = 2.0 / math.sqrt(math.pi)
    return [scale * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(terms)]


def far(degree: int) -> list[float]:
    """The fit of e^(x²) erfc(x) for x ≥ 1, in powers of t = (x − SHIFT)/(x + SHIFT)."""
    low, high = (1 - SHIFT) / (1 + SHIFT), 1.0
    nodes = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    t = low + (high - low) * (nodes + 1) / 2
    x = SHIFT * (1 + t) / (1 - t)
    fit = chebyshev.chebfit(nodes, erfcx(x), degree)
    in_nodes = chebyshev.cheb2poly(fit)  # in u = 2 (t − low)/(high − low) − 1
    slope = 2 / (high - low)
    u = np.array([-1 - slope * low, slope])
    total = np.zeros(1)
    for c in in_nodes[::-1]:
        total = polynomial.polyadd(polynomial.polymul(total, u), [c])
    return total.tolist()


def row(name: str, numbers: list[float]) -> str:
    """One array of coefficients in C++."""
    return (
        f"inline constexpr double {name}[] = {{\n    "
        + ",\n    ".join(f"{number!r}" for number in numbers)
        + "};\n"
    )


path = pathlib.Path(__file__).parent.parent / "erf_coefficients.inc"
path.write_text(
    "// Written by native/tests/fit_erf.py.\n"
    + row("erf_near_float", near(11))
    + row("erf_near_double", near(20))
    + row("erf_far_float", far(9))
    + row("erf_far_double", far(22))
)
