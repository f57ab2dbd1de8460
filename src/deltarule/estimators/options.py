"""What scikit-learn's estimators lack, grouped: a few frozen objects in place of flat parameters.

An estimator takes each as one parameter, None by default; ``set_params`` and searches reach their
fields: ``set_params(regularization__dropout=0.2)``. They need nothing but this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltarule.activations import ACTIVATIONS, Activation
from deltarule.arrays import checked_number
from deltarule.costs import COSTS, Cost
from deltarule.errors import SettingError
from deltarule.initializers import INITIALIZERS, Initializer
from deltarule.layers import BatchNorm, LayerNorm
from deltarule.regularization import Regularization
from deltarule.spec import Spec
from deltarule.training.stopping import checked_divergence

NORMALIZATIONS: Mapping[str, type[BatchNorm | LayerNorm]] = {"batch": BatchNorm, "layer": LayerNorm}
"""What can stand between a hidden layer's weights and its activation."""


@dataclass(frozen=True)
class RegularizationOptions(Spec):
    """Against overfitting, beside the estimator's ``alpha``.

    Parameters
    ----------
    dropout : float or sequence of float
        Share of each hidden layer's outputs dropped in training; one for all, or one a layer.
    input_dropout : float
        Share of the inputs dropped in training.
    l1, l2 : float, optional
        Penalties ``l1 Σ|W| + (l2/2) Σ W²`` on the cost. Where one is given, they take the place
        of ``alpha``.
    over_batch : bool, optional
        Whether the penalties are divided by the batch's weight. By default ``alpha`` is, as in
        scikit-learn, and `l1` and `l2` are not.
    decay, max_norm, clip_norm, clip_value, label_smoothing
        As in :class:`~deltarule.regularization.Regularization`.
    average : float, optional
        The trained parameters are a running mean over epochs, each mean keeping this share of the
        one before: 0.9 averages about the last ten epochs.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> RegularizationOptions(dropout=0.2).shares(2)
    (0.2, 0.2)
    >>> RegularizationOptions(dropout=[0.1, 0.5]).shares(2)
    (0.1, 0.5)
    """

    dropout: float | Sequence[float] = 0.0
    input_dropout: float = 0.0
    l1: float | None = None
    l2: float | None = None
    over_batch: bool | None = None
    decay: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    label_smoothing: float = 0.0
    average: float | None = None

    def __post_init__(self) -> None:
        owner = "RegularizationOptions"
        for name, value in (
            *(("dropout", share) for share in _sequence(self.dropout)),
            ("input_dropout", self.input_dropout),
            *(("average", share) for share in (self.average,) if share is not None),
        ):
            checked_number(owner, name, value, low=0, high=1, open_high=True)
        self.rules(0.0)  # refuses what the rules refuse

    def shares(self, hidden: int) -> tuple[float, ...]:
        """The dropout of each hidden layer.

        Raises
        ------
        SettingError
            Where it names another number of layers.
        """
        if not isinstance(self.dropout, Sequence):
            return (float(self.dropout),) * hidden
        if len(self.dropout) != hidden:
            raise SettingError(
                f"RegularizationOptions(dropout={self.dropout!r}): expected one share for each of "
                f"{hidden} hidden layers, got {len(self.dropout)}."
            )
        return tuple(float(share) for share in self.dropout)

    def rules(self, alpha: float) -> Regularization:
        """All of it that a plan knows, with the estimator's alpha."""
        own = self.l1 is not None or self.l2 is not None
        return Regularization(
            l1=self.l1 or 0.0,
            l2=(self.l2 or 0.0) if own else alpha,
            over_batch=not own if self.over_batch is None else self.over_batch,
            decay=self.decay,
            max_norm=self.max_norm,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            label_smoothing=self.label_smoothing,
        )


@dataclass(frozen=True)
class StoppingOptions(Spec):
    """When a fit has converged, beside ``tol``, ``n_iter_no_change`` and ``early_stopping``.

    Parameters
    ----------
    metric : str or callable, optional
        What evaluates the validation data: ``"loss"``, the name of a scikit-learn scorer
        (``"roc_auc"``, ``"neg_mean_absolute_error"``), or a function of estimator, X and y to a
        figure of which more is better. By default accuracy or R². Asks for early stopping.
    patience : int, optional
        In place of ``n_iter_no_change``.
    improvement : float, optional
        In place of ``tol``: better means by at least this.
    validation : float or tuple, optional
        A share to hold out, in place of ``validation_fraction``, or custom data, ``(X, y)``
        or ``(X, y, sample_weight)``. Asks for early stopping.
    restore_best : bool
        Whether the parameters of the best epoch are restored.
    seconds : float, optional
        Limit of time.
    on_divergence : str
        As of :class:`~deltarule.Stopping`: ``"stop"`` keeps the best epoch where validation data
        chose one, with a warning, and raises otherwise; ``"raise"``, ``"reduce"``, ``"ignore"``.

    Raises
    ------
    SettingError
        For a value out of range.

    Examples
    --------
    >>> StoppingOptions(metric="roc_auc").early, StoppingOptions(patience=3).early
    (True, False)
    """

    metric: str | Callable[..., float] | None = None
    patience: int | None = None
    improvement: float | None = None
    validation: Any = None
    restore_best: bool = True
    seconds: float | None = None
    on_divergence: str = "stop"

    def __post_init__(self) -> None:
        owner = "StoppingOptions"
        if self.metric is not None and not (isinstance(self.metric, str) or callable(self.metric)):
            raise SettingError(
                f"{owner}(metric={self.metric!r}): expected 'loss', the name of a scorer, or a "
                "function of estimator, X and y."
            )
        if self.patience is not None:
            checked_number(owner, "patience", self.patience, low=1, whole=True)
        for name in ("improvement", "seconds"):
            if getattr(self, name) is not None:
                checked_number(owner, name, getattr(self, name), low=0)
        if isinstance(self.validation, (tuple, list)):
            if len(self.validation) not in (2, 3):
                raise SettingError(
                    f"{owner}: validation must be a share, (X, y) or (X, y, sample_weight); got "
                    f"{len(self.validation)} items."
                )
        elif self.validation is not None:
            checked_number(
                *(owner, "validation", self.validation),
                low=0,
                high=1,
                open_low=True,
                open_high=True,
            )
        checked_divergence(owner, self.on_divergence)

    @property
    def early(self) -> bool:
        """Whether it asks for a validation set to stop by."""
        return self.metric is not None or self.validation is not None


@dataclass(frozen=True)
class NetworkOptions(Spec):
    """What a network is made of, beside ``hidden_layer_sizes`` and ``activation``.

    Parameters
    ----------
    output_activation : str or Activation, optional
        By default softmax, sigmoid, identity or exp, as the task needs.
    cost : str or Cost, optional
        Any: ``"huber"``, ``"quantile(0.9)"``, ``"focal"``, or a custom row.
    normalization : str, optional
        ``"batch"`` or ``"layer"``: each hidden layer's units are normalized before their
        activation, :class:`~deltarule.layers.BatchNorm` or :class:`~deltarule.layers.LayerNorm`.
    weights, biases : str or Initializer, optional
        How parameters start; by default as scikit-learn's do.
    coefs, intercepts : sequence of array_like, optional
        Parameters to start from, in the shapes of ``coefs_`` and ``intercepts_``.

    Raises
    ------
    UnknownNameError, SettingError
        For a name no table holds; for `coefs` without `intercepts`.

    Examples
    --------
    >>> NetworkOptions(cost="huber").cost
    'huber'
    """

    output_activation: str | Activation | None = None
    cost: str | Cost | None = None
    normalization: str | None = None
    weights: str | Initializer | None = None
    biases: str | Initializer | None = None
    coefs: Sequence[Any] | None = None
    intercepts: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        tables: tuple[tuple[Callable[[Any], Any], Any], ...] = (
            (_output_activation, self.output_activation),
            (COSTS, self.cost),
            (INITIALIZERS, self.weights),
            (INITIALIZERS, self.biases),
        )
        for row_of, name in tables:
            if name is not None:
                row_of(name)  # refuses an unknown name now, not when it fits
        if self.normalization is not None and self.normalization not in NORMALIZATIONS:
            raise SettingError(
                f"NetworkOptions(normalization={self.normalization!r}): expected one of "
                f"{', '.join(NORMALIZATIONS)}, or None."
            )
        if (self.coefs is None) != (self.intercepts is None):
            raise SettingError(
                "NetworkOptions: coefs and intercepts go together; expected both or neither."
            )


def _output_activation(name: Any) -> Activation:
    return ACTIVATIONS("sigmoid" if name == "logistic" else name)


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) else (value,)
