"""How close is close: one table of norm-wise relative tolerances for all tests."""

import numpy as np

STEP = {"float64": 1e-10, "float32": 2e-5}
"""One step or one gradient against an exact reference of the same mathematics."""

DIFFERENCES = 1e-7
"""Against central differences in float64, off kinks."""


def error(a, b):
    """``‖a − b‖ / ‖b‖``, over the whole array; shapes must agree."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape, f"{a.shape} against {b.shape}"
    return float(np.linalg.norm((a - b).ravel()) / (np.linalg.norm(b.ravel()) or 1.0))
