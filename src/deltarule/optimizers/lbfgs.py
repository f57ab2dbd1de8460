"""L-BFGS: a quasi-Newton method, which SciPy runs on all the data at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deltarule.arrays import Array, checked_number
from deltarule.errors import SettingError, require
from deltarule.optimizers.base import Optimizer, Rate, State, Updated


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS through SciPy (Byrd, Lu, Nocedal, Zhu 1995): for small data.

    It drives cost and gradients of all the data at once and has no learning rate; an epoch is
    one of its iterations. Dropout, clipping, decoupled decay and max-norm do not go with it.

    Parameters
    ----------
    learning_rate : float, str or schedule
        Has no effect: the line search chooses the length of each step.
    history : int
        How many past steps its curvature estimate remembers.
    gradient_tolerance : float
        It ends where no derivative is larger.
    cost_tolerance : float
        It ends where the cost falls by a smaller share of itself.
    max_evaluations : int
        Limit of cost evaluations.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> LBFGS(history=5).full_batch
    True
    """

    learning_rate: Rate = 1.0
    history: int = 10
    gradient_tolerance: float = 1e-5
    cost_tolerance: float = 1e-9
    max_evaluations: int = 15000
    full_batch: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_number("LBFGS", "history", self.history, low=1, whole=True)
        checked_number("LBFGS", "max_evaluations", self.max_evaluations, low=1, whole=True)
        checked_number("LBFGS", "gradient_tolerance", self.gradient_tolerance, low=0)
        checked_number("LBFGS", "cost_tolerance", self.cost_tolerance, low=0)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        raise SettingError(
            "LBFGS does not step by batches: it drives the cost of all the data. Use train(), or "
            "choose an optimizer that steps, such as Adam."
        )

    def minimise(
        self,
        cost_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
        start: np.ndarray,
        iterations: int,
        after_each: Callable[[np.ndarray], None],
    ) -> tuple[np.ndarray, str]:
        """Drive a function of a flat float64 vector down to a minimum.

        Parameters
        ----------
        cost_and_gradient : function
            Of a vector to the cost and its gradient.
        start : float64 array, shape (p,)
        iterations : int
            Maximum number of iterations.
        after_each : function
            Called with the vector after each iteration; it may raise StopIteration to end.

        Returns
        -------
        tuple
            The last vector, and in SciPy's words why it ended.

        Raises
        ------
        MissingExtraError
            Where SciPy is not installed.
        """
        scipy_optimize: Any = require("scipy.optimize", "sklearn", "L-BFGS")
        found = scipy_optimize.minimize(
            cost_and_gradient,
            start,
            method="L-BFGS-B",
            jac=True,
            callback=lambda vector: after_each(vector),
            options={
                "maxiter": iterations,
                "maxfun": self.max_evaluations,
                "maxcor": self.history,
                "gtol": self.gradient_tolerance,
                "ftol": self.cost_tolerance,
            },
        )
        return found.x, str(found.message)
