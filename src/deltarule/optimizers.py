"""Optimizers: one class each, a pure update of one parameter by its derivative.

``update(W, dW, state, t, alpha)`` returns the new parameter and the new state; ``t`` counts
steps from 1 and ``alpha`` is the learning rate of this step for this parameter, both scalars of
the parameter's dtype. The state holds one array for each of the class's ``slots``, in their
order, of the parameter's shape and zero at first. Biases are updated just so, with ``db``.

The equations stand in each class as its paper writes them; where libraries differ, an option
says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from deltarule import equations
from deltarule.arrays import Array, checked_number, namespace
from deltarule.errors import SettingError, require
from deltarule.registry import Registry
from deltarule.schedules import Schedule, Warmup, schedule
from deltarule.spec import Spec

State: TypeAlias = tuple[Array, ...]

_BELOW_ONE = ("momentum", "beta_1", "beta_2", "rho")


@dataclass(frozen=True)
class Optimizer(Spec):
    """What all optimizers share.

    Parameters
    ----------
    learning_rate : float, str or schedule
        A number, a schedule's name with its rate (``"cosine(0.01)"``), or a schedule.

    Attributes
    ----------
    slots : tuple of str
        The names of the state's arrays.
    decay : float
        Decoupled weight decay, applied to weights and not to biases; 0 unless it has its own.
    full_batch : bool
        Whether it drives cost and gradients of all the data instead of stepping by batches.
    """

    learning_rate: float | str | Schedule | Warmup = 1e-2
    slots: ClassVar[tuple[str, ...]] = ()
    full_batch: ClassVar[bool] = False
    always_shown: ClassVar[str] = "learning_rate"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        if not isinstance(self.learning_rate, (str, Schedule, Warmup)):
            checked_number(owner, "learning_rate", self.learning_rate, low=0)
        schedule(self.learning_rate)  # refuses an unknown name now, not when training starts
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in _BELOW_ONE:
                checked_number(owner, entry.name, value, low=0, high=1, open_high=True)
            elif entry.name in ("epsilon", "weight_decay"):
                checked_number(owner, entry.name, value, low=0)

    @property
    def schedule(self) -> Schedule | Warmup:
        """The learning rate as a function of the step."""
        return schedule(self.learning_rate)

    @property
    def decay(self) -> float:
        """Decoupled weight decay: 0 unless the optimizer has a ``weight_decay``."""
        return float(getattr(self, "weight_decay", 0.0))

    def bound(self, steps: int) -> Self:
        """The optimizer with its schedule bound to a run of that many steps."""
        rate = self.schedule
        return replace(self, learning_rate=rate.bound(steps)) if rate.horizon else self

    def init(self, W: Array) -> State:
        """The state before the first step: zeros of the parameter's shape, one a slot."""
        return tuple(namespace(W).zeros_like(W) for _ in self.slots)

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        """The parameter and the state after one step.

        Parameters
        ----------
        W, dW : arrays of one shape
        state : tuple of arrays of that shape, one a slot
        t : scalar
            The number of the step, from 1.
        alpha : scalar
            The learning rate.
        """
        raise NotImplementedError


def _bias_correction(beta: float, t: Array) -> Array:
    """``1 − β^t``, to full precision also in float32, where β^t is close to 1."""
    if beta == 0.0:
        return t / t
    return -namespace(t).expm1(t * math.log(beta))


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """Eq. 3: ``W − α dW``, and nothing else.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW = np.array([1.0]), np.array([0.5])
    >>> GradientDescent(0.1).update(W, dW, (), np.float64(1), np.float64(0.1))
    (array([0.95]), ())
    """

    learning_rate: float | str | Schedule | Warmup = 0.1

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        return equations.descend(W, dW, alpha), ()


@dataclass(frozen=True)
class SGD(Optimizer):
    """Momentum (Polyak 1964), or Nesterov's (1983): the velocity contains the rate.

    ``V = μV − α dW``; ``W + V``, or with `nesterov` ``W + μV − α dW``.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, V = np.array([1.0]), np.array([0.5]), np.array([-0.1])
    >>> SGD(0.1, momentum=0.9).update(W, dW, (V,), np.float64(1), np.float64(0.1))
    (array([0.86]), (array([-0.14]),))
    """

    learning_rate: float | str | Schedule | Warmup = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    slots: ClassVar[tuple[str, ...]] = ("V",)

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        (V,) = state
        V = self.momentum * V - alpha * dW
        return W + (self.momentum * V - alpha * dW if self.nesterov else V), (V,)


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """``G = G + dW²``; ``W − α dW / (√G + ε)`` (Duchi, Hazan, Singer 2011).

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, G = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> AdaGrad(0.1).update(W, dW, (G,), np.float64(1), np.float64(0.1))[0]
    array([0.9])
    """

    learning_rate: float | str | Schedule | Warmup = 0.01
    epsilon: float = 1e-10
    slots: ClassVar[tuple[str, ...]] = ("G",)

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        (G,) = state
        G = G + dW * dW
        return W - alpha * dW / (namespace(W).sqrt(G) + self.epsilon), (G,)


@dataclass(frozen=True)
class AdaDelta(Optimizer):
    """``W − α dW √(D + ε) / √(G + ε)`` (Zeiler 2012).

    G and D are running means of the squares of dW and of the step.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> AdaDelta().update(W, dW, (zero, zero), np.float64(1), np.float64(1.0))[0].round(5)
    array([0.99553])
    """

    learning_rate: float | str | Schedule | Warmup = 1.0
    rho: float = 0.95
    epsilon: float = 1e-6
    slots: ClassVar[tuple[str, ...]] = ("G", "D")

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        G, D = state
        xp = namespace(W)
        G = self.rho * G + (1 - self.rho) * dW * dW
        step = dW * xp.sqrt(D + self.epsilon) / xp.sqrt(G + self.epsilon)
        D = self.rho * D + (1 - self.rho) * step * step
        return W - alpha * step, (G, D)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """``G = ρG + (1−ρ) dW²``; ``W − α dW / (√G + ε)`` (Hinton's lecture 6e, 2012).

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, G = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> RMSprop(0.1).update(W, dW, (G,), np.float64(1), np.float64(0.1))[0].round(4)
    array([0.6838])
    """

    learning_rate: float | str | Schedule | Warmup = 1e-3
    rho: float = 0.9
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("G",)

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        (G,) = state
        G = self.rho * G + (1 - self.rho) * dW * dW
        return W - alpha * dW / (namespace(W).sqrt(G) + self.epsilon), (G,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """``M = β₁M + (1−β₁) dW``, ``V = β₂V + (1−β₂) dW²``; ``W − α M̂ / (√V̂ + ε)`` (Kingma, Ba 2015).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon : float
        As in the paper's algorithm 1.
    epsilon_inside : bool
        False: ε is added to √V̂, after bias correction (algorithm 1, PyTorch, optax). True: to
        √V, before it (the paper's ε̂ of section 2, scikit-learn, Keras).

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Adam(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.9])
    """

    learning_rate: float | str | Schedule | Warmup = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_inside: bool = False
    slots: ClassVar[tuple[str, ...]] = ("M", "V")

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        M, V = self._moments(dW, state)
        return W - alpha * self._step(M / _bias_correction(self.beta_1, t), V, t), (M, V)

    def _moments(self, dW: Array, state: State) -> State:
        M, V = state
        M = self.beta_1 * M + (1 - self.beta_1) * dW
        V = self.beta_2 * V + (1 - self.beta_2) * dW * dW
        return M, V

    def _step(self, M_hat: Array, V: Array, t: Array) -> Array:
        xp = namespace(V)
        correction = xp.sqrt(_bias_correction(self.beta_2, t))
        if self.epsilon_inside:
            return M_hat * correction / (xp.sqrt(V) + self.epsilon)
        return M_hat / (xp.sqrt(V) / correction + self.epsilon)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``W − αλW`` first (Loshchilov and Hutter 2019).

    The decay applies to weights, not to biases; the engine's step takes it from
    ``weight_decay``.

    Examples
    --------
    >>> AdamW(1e-3).decay
    0.01
    """

    weight_decay: float = 0.01


@dataclass(frozen=True)
class Adamax(Optimizer):
    """``U = max(β₂U, |dW|)``; ``W − α M̂ / (U + ε)`` (Kingma and Ba 2015, algorithm 2).

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Adamax(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.9])
    """

    learning_rate: float | str | Schedule | Warmup = 2e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("M", "U")

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        M, U = state
        M = self.beta_1 * M + (1 - self.beta_1) * dW
        U = namespace(W).maximum(self.beta_2 * U, abs(dW))
        M_hat = M / _bias_correction(self.beta_1, t)
        return W - alpha * M_hat / (U + self.epsilon), (M, U)


@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's look-ahead in M̂ (Dozat 2016, with a constant β₁).

    ``M̂ = β₁ M / (1 − β₁^(t+1)) + (1−β₁) dW / (1 − β₁^t)``.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> NAdam(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.852632])
    """

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        M, V = self._moments(dW, state)
        ahead = self.beta_1 * M / _bias_correction(self.beta_1, t + 1)
        M_hat = ahead + (1 - self.beta_1) * dW / _bias_correction(self.beta_1, t)
        return W - alpha * self._step(M_hat, V, t), (M, V)


@dataclass(frozen=True)
class Lion(Optimizer):
    """``W − α sign(β₁M + (1−β₁) dW)``; ``M = β₂M + (1−β₂) dW`` (Chen and others 2023).

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Lion(0.1).update(W, dW, (zero,), np.float64(1), np.float64(0.1))[0]
    array([0.9])
    """

    learning_rate: float | str | Schedule | Warmup = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.0
    slots: ClassVar[tuple[str, ...]] = ("M",)

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
        (M,) = state
        direction = namespace(W).sign(self.beta_1 * M + (1 - self.beta_1) * dW)
        return W - alpha * direction, (self.beta_2 * M + (1 - self.beta_2) * dW,)


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS through SciPy (Byrd, Lu, Nocedal, Zhu 1995): for small data.

    It drives cost and gradients of all the data at once and has no learning rate; an epoch is
    one of its iterations. Dropout, clipping, decoupled decay and max-norm do not go with it.

    Parameters
    ----------
    history : int
        How many past steps its curvature estimate remembers.
    gradient_tolerance : float
        It ends where no derivative is larger.
    cost_tolerance : float
        It ends where the cost falls by a smaller share of itself.
    max_evaluations : int
        Limit of cost evaluations.

    Examples
    --------
    >>> LBFGS(history=5).full_batch
    True
    """

    learning_rate: float | str | Schedule | Warmup = 1.0
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

    def update(
        self, W: Array, dW: Array, state: State, t: Array, alpha: Array
    ) -> tuple[Array, State]:
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
            At most so many.
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


OPTIMIZERS: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    {
        "gradient_descent": GradientDescent,
        "sgd": SGD,
        "adagrad": AdaGrad,
        "adadelta": AdaDelta,
        "rmsprop": RMSprop,
        "adam": Adam,
        "adamw": AdamW,
        "adamax": Adamax,
        "nadam": NAdam,
        "lion": Lion,
        "lbfgs": LBFGS,
    },
)
