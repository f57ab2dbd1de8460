"""First-order methods: each steps by the derivatives of one batch.

The equations stand in each class as its paper writes them; where libraries differ, an option
says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from deltarule import equations
from deltarule.arrays import Array, namespace
from deltarule.optimizers.base import Optimizer, Rate, State, Updated


def _bias_correction(beta: float, t: Array) -> Array:
    """``1 − β^t``, to full precision also in float32, where β^t is close to 1."""
    if beta == 0.0:
        return t / t
    return -namespace(t).expm1(t * math.log(beta))


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """Eq. 3: ``W − α dW``, and nothing else.

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW = np.array([1.0]), np.array([0.5])
    >>> GradientDescent(0.1).update(W, dW, (), np.float64(1), np.float64(0.1))
    (array([0.95]), ())
    """

    learning_rate: Rate = 0.1

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        return equations.descend(W, dW, alpha), ()


@dataclass(frozen=True)
class SGD(Optimizer):
    """Momentum (Polyak 1964), or Nesterov's (1983): the velocity contains the rate.

    ``V = μV − α dW``; ``W + V``, or with `nesterov` ``W + μV − α dW``.

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    momentum : float
        μ, the share of the velocity that each step keeps: at least 0, below 1.
    nesterov : bool
        Whether the step looks ahead along the new velocity.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, V = np.array([1.0]), np.array([0.5]), np.array([-0.1])
    >>> SGD(0.1, momentum=0.9).update(W, dW, (V,), np.float64(1), np.float64(0.1))
    (array([0.86]), (array([-0.14]),))
    """

    learning_rate: Rate = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    slots: ClassVar[tuple[str, ...]] = ("V",)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        (V,) = state
        V = self.momentum * V - alpha * dW
        return W + (self.momentum * V - alpha * dW if self.nesterov else V), (V,)


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """``G = G + dW²``; ``W − α dW / (√G + ε)`` (Duchi, Hazan, Singer 2011).

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, G = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> AdaGrad(0.1).update(W, dW, (G,), np.float64(1), np.float64(0.1))[0]
    array([0.9])
    """

    learning_rate: Rate = 0.01
    epsilon: float = 1e-10
    slots: ClassVar[tuple[str, ...]] = ("G",)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        (G,) = state
        G = G + dW * dW
        return W - alpha * dW / (namespace(W).sqrt(G) + self.epsilon), (G,)


@dataclass(frozen=True)
class AdaDelta(Optimizer):
    """``W − α dW √(D + ε) / √(G + ε)`` (Zeiler 2012).

    G and D are running means of the squares of dW and of the step.

    Parameters
    ----------
    learning_rate : float, str or schedule
        α, which multiplies the step; 1 is the paper's method. A number, a schedule, or a schedule's
        name with its rate.
    rho : float
        ρ, the decay rate of the running means: at least 0, below 1.
    epsilon : float
        ε, added below both roots; it sets the size of the first steps.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> AdaDelta().update(W, dW, (zero, zero), np.float64(1), np.float64(1.0))[0].round(5)
    array([0.99553])
    """

    learning_rate: Rate = 1.0
    rho: float = 0.95
    epsilon: float = 1e-6
    slots: ClassVar[tuple[str, ...]] = ("G", "D")

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        G, D = state
        xp = namespace(W)
        G = self.rho * G + (1 - self.rho) * dW * dW
        step = dW * xp.sqrt(D + self.epsilon) / xp.sqrt(G + self.epsilon)
        D = self.rho * D + (1 - self.rho) * step * step
        return W - alpha * step, (G, D)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """``G = ρG + (1−ρ) dW²``; ``W − α dW / (√G + ε)`` (Hinton's lecture 6e, 2012).

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    rho : float
        ρ, the decay rate of the mean of squared derivatives: at least 0, below 1.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, G = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> RMSprop(0.1).update(W, dW, (G,), np.float64(1), np.float64(0.1))[0].round(4)
    array([0.6838])
    """

    learning_rate: Rate = 1e-3
    rho: float = 0.9
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("G",)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        (G,) = state
        G = self.rho * G + (1 - self.rho) * dW * dW
        return W - alpha * dW / (namespace(W).sqrt(G) + self.epsilon), (G,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """``M = β₁M + (1−β₁) dW``, ``V = β₂V + (1−β₂) dW²``; ``W − α M̂ / (√V̂ + ε)`` (Kingma, Ba 2015).

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    beta_1 : float
        β₁, the decay rate of the mean of derivatives: at least 0, below 1.
    beta_2 : float
        β₂, the decay rate of the mean of squared derivatives: at least 0, below 1.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.
    epsilon_inside : bool
        False: ε is added to √V̂, after bias correction (algorithm 1, PyTorch, optax). True: to
        √V, before it (the paper's ε̂ of section 2, scikit-learn, Keras).

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Adam(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.9])
    """

    learning_rate: Rate = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_inside: bool = False
    slots: ClassVar[tuple[str, ...]] = ("M", "V")

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
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

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    beta_1 : float
        β₁, the decay rate of the mean of derivatives: at least 0, below 1.
    beta_2 : float
        β₂, the decay rate of the mean of squared derivatives: at least 0, below 1.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.
    epsilon_inside : bool
        Where ε is added, as of :class:`Adam`.
    weight_decay : float
        λ, which a step multiplies by its learning rate: at least 0.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> AdamW(1e-3).decay
    0.01
    """

    weight_decay: float = 0.01


@dataclass(frozen=True)
class Adamax(Optimizer):
    """``U = max(β₂U, |dW|)``; ``W − α M̂ / (U + ε)`` (Kingma and Ba 2015, algorithm 2).

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    beta_1 : float
        β₁, the decay rate of the mean of derivatives: at least 0, below 1.
    beta_2 : float
        β₂, the decay rate of the largest derivative so far: at least 0, below 1.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Adamax(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.9])
    """

    learning_rate: Rate = 2e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("M", "U")

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        M, U = state
        M = self.beta_1 * M + (1 - self.beta_1) * dW
        U = namespace(W).maximum(self.beta_2 * U, abs(dW))
        M_hat = M / _bias_correction(self.beta_1, t)
        return W - alpha * M_hat / (U + self.epsilon), (M, U)


@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's look-ahead in M̂ (Dozat 2016, with a constant β₁).

    ``M̂ = β₁ M / (1 − β₁^(t+1)) + (1−β₁) dW / (1 − β₁^t)``.

    β₁ is the same at every step. Keras and PyTorch instead raise it from about β₁/2 towards β₁ by
    a schedule (PyTorch's ``momentum_decay``), so their first steps differ from these; the
    ``nadam`` of optax keeps β₁ constant too.

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    beta_1 : float
        β₁, the decay rate of the mean of derivatives: at least 0, below 1.
    beta_2 : float
        β₂, the decay rate of the mean of squared derivatives: at least 0, below 1.
    epsilon : float
        ε, which keeps the denominator above zero: at least 0.
    epsilon_inside : bool
        Where ε is added, as of :class:`Adam`.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> NAdam(0.1).update(W, dW, (zero, zero), np.float64(1), np.float64(0.1))[0].round(6)
    array([0.852632])
    """

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        M, V = self._moments(dW, state)
        ahead = self.beta_1 * M / _bias_correction(self.beta_1, t + 1)
        M_hat = ahead + (1 - self.beta_1) * dW / _bias_correction(self.beta_1, t)
        return W - alpha * self._step(M_hat, V, t), (M, V)


@dataclass(frozen=True)
class Lion(Optimizer):
    """``W − α sign(β₁M + (1−β₁) dW)``; ``M = β₂M + (1−β₂) dW`` (Chen and others 2023).

    Parameters
    ----------
    learning_rate : float, str or schedule
        α: a number, a schedule, or a schedule's name with its rate, such as ``"cosine(0.01)"``.
    beta_1 : float
        β₁, the share of the mean in the direction of a step: at least 0, below 1.
    beta_2 : float
        β₂, the decay rate of the mean of derivatives: at least 0, below 1.
    weight_decay : float
        Decoupled weight decay, as of :class:`AdamW`; weights only.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> W, dW, zero = np.array([1.0]), np.array([0.5]), np.array([0.0])
    >>> Lion(0.1).update(W, dW, (zero,), np.float64(1), np.float64(0.1))[0]
    array([0.9])
    """

    learning_rate: Rate = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.0
    slots: ClassVar[tuple[str, ...]] = ("M",)

    def update(self, W: Array, dW: Array, state: State, t: Array, alpha: Array) -> Updated:
        (M,) = state
        direction = namespace(W).sign(self.beta_1 * M + (1 - self.beta_1) * dW)
        return W - alpha * direction, (self.beta_2 * M + (1 - self.beta_2) * dW,)
