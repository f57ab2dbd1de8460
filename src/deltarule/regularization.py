"""Regularization: what a plan adds to the cost, and what it does to gradients and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltarule.arrays import Array, checked_number, namespace
from deltarule.spec import Spec


@dataclass(frozen=True)
class Regularization(Spec):
    """Penalties, clipping, and limits; nothing by default. Biases are never penalised.

    Parameters
    ----------
    l1 : float
        Adds ``l1 Σ|W|`` to the cost, so ``l1 sign(W)`` to dW.
    l2 : float
        Adds ``(l2/2) Σ W²`` to the cost, so ``l2 W`` to dW. Nielsen's λ is ``l2 = λ/n``, n the
        number of training examples.
    over_batch : bool
        Whether the penalties are divided by the batch's weight, as scikit-learn's ``alpha`` is.
    decay : float
        Decoupled weight decay: ``W − α·decay·W`` before the optimizer's update, with the rate
        before any layer's multiplier. Added to the optimizer's own. Weights whose multiplier
        is 0 are excluded from this, penalties and `max_norm`.
    max_norm : float, optional
        After each update, a unit's incoming weights are scaled back to at most this norm.
    clip_norm : float, optional
        Gradients are scaled back together so that their norm over all parameters is at most this,
        exactly: the factor is ``clip_norm / max(norm, clip_norm)``. PyTorch's ``clip_grad_norm_``
        adds 1e-6 to the norm, so its result is slightly shorter. Keras' ``clipnorm`` limits each
        array separately; its ``global_clipnorm`` clips as here.
    clip_value : float, optional
        Every derivative is clipped to ±this, before `clip_norm`.
    label_smoothing : float
        Share of the target that is spread evenly over the classes, while training.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> import numpy as np
    >>> rule = Regularization(l2=0.5)
    >>> float(rule.penalty(np.array([[2.0]]))), rule.penalty_gradient(np.array([[2.0]]))
    (1.0, array([[1.]]))
    """

    l1: float = 0.0
    l2: float = 0.0
    over_batch: bool = False
    decay: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l1", "l2", "decay"):
            checked_number("Regularization", name, getattr(self, name), low=0)
        for name in ("max_norm", "clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                checked_number("Regularization", name, getattr(self, name), low=0, open_low=True)
        checked_number(
            "Regularization", "label_smoothing", self.label_smoothing, low=0, high=1, open_high=True
        )

    @property
    def penalised(self) -> bool:
        """Whether the cost has a penalty."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, W: Array) -> Array:
        """What one weight array adds to the cost (before `over_batch`)."""
        return self.l1 * abs(W).sum() + 0.5 * self.l2 * (W * W).sum()

    def penalty_gradient(self, W: Array) -> Array:
        """What it adds to dW, of W's shape (before `over_batch`); ``sign(0) = 0``."""
        return self.l1 * namespace(W).sign(W) + self.l2 * W

    def clipped(
        self, gradients: tuple[Mapping[str, Array], ...]
    ) -> tuple[Mapping[str, Array], ...]:
        """All gradients, clipped by value and then by their common norm."""
        if self.clip_value is not None:
            limit = self.clip_value
            gradients = tuple(
                {name: namespace(d).clip(d, -limit, limit) for name, d in layer.items()}
                for layer in gradients
            )
        arrays = [d for layer in gradients for d in layer.values()]
        if self.clip_norm is not None and arrays:  # a network may have nothing to learn
            norm = namespace(arrays[0]).sqrt(sum((d * d).sum() for d in arrays))
            scale = self.clip_norm / namespace(norm).maximum(norm, self.clip_norm)
            gradients = tuple({name: d * scale for name, d in layer.items()} for layer in gradients)
        return gradients

    def limited(self, W: Array) -> Array:
        """Weights ``(n, n_prev)`` with each unit's norm at most `max_norm`."""
        if self.max_norm is None:
            return W
        xp = namespace(W)
        norm = xp.sqrt((W * W).sum(axis=1, keepdims=True))
        return W * (self.max_norm / xp.maximum(norm, self.max_norm))
