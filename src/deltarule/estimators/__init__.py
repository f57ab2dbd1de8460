"""Estimators with scikit-learn's interface: validation and delegation, no mathematics.

:class:`MLPClassifier` and :class:`MLPRegressor` take the place of scikit-learn's, parameter by
parameter, and do what its users have asked for beyond.
"""

from deltarule.errors import require

require("sklearn", "sklearn", "an estimator with scikit-learn's interface")

from deltarule.estimators.classifier import MLPClassifier  # noqa: E402
from deltarule.estimators.options import (  # noqa: E402
    NetworkOptions,
    RegularizationOptions,
    StoppingOptions,
)
from deltarule.estimators.regressor import MLPRegressor  # noqa: E402

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "NetworkOptions",
    "RegularizationOptions",
    "StoppingOptions",
]
