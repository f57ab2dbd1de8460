"""The regressor: numbers to targets, and outputs to numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from deltarule.arrays import Array
from deltarule.estimators.base import BaseMLP, steps_by_batches
from deltarule.estimators.options import NetworkOptions
from deltarule.estimators.parameters import REGRESSOR
from deltarule.estimators.rules import Scale, half_deviance_constant
from deltarule.estimators.watching import with_callbacks
from deltarule.spec import keywords_checked
from deltarule.training.examples import Examples

_TASKS = {
    "squared_error": ("identity", "half_squared_error"),
    "poisson": ("exp", "poisson"),
}


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A dense network that predicts numbers, with scikit-learn's interface.

    Every parameter, attribute and default of ``sklearn.neural_network.MLPRegressor``, with the
    same meaning; those from `optimizer` on are its own. Attributes are as of
    :class:`MLPClassifier`, except those of classes.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        Half the squared error, with identity outputs; or half the Poisson deviance, with outputs
        above zero. For others see ``network=NetworkOptions(cost=...)``.
    hidden_layer_sizes : int or array_like of int
        n[1] to n[L−1]; an empty sequence is no hidden layer: linear regression.
    activation : str, Activation or sequence of them
        Of the hidden layers: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, any name of
        :data:`~deltarule.activations.ACTIVATIONS`, a custom row; or one per layer.
    solver : {"adam", "sgd", "lbfgs"}
        How the network is trained: Adam, gradient descent with momentum, or L-BFGS on all rows at
        once, for small data.
    alpha : float
        L2 penalty, divided by the batch's weight.
    batch_size : int or "auto"
        ``"auto"`` is 200, or all rows where they are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        With ``"sgd"`` or an `optimizer`: constant; over ``(t_ + 1) ** power_t`` after each epoch;
        divided by 5 each time patience runs out, until it is below 1e-6.
    learning_rate_init : float
        The learning rate of ``"adam"`` and ``"sgd"``, above 0.
    power_t : float
        The exponent of ``"invscaling"``.
    max_iter : int
        Limit of epochs.
    shuffle : bool
        Whether each epoch has a different order.
    random_state : int, RandomState or None
        Of initial parameters, order and validation split.
    tol, n_iter_no_change : float, int
        The fit ends once the training loss (with `early_stopping` the validation score) has not
        improved by `tol` in more than `n_iter_no_change` epochs in a row.
    verbose : bool or int
        Whether the loss is printed after each epoch, and the validation score with early stopping.
    warm_start : bool
        Whether ``fit`` continues from the last one: parameters, optimizer, order and patience.
    momentum, nesterovs_momentum : float, bool
        Of ``"sgd"``.
    early_stopping, validation_fraction : bool, float
        Whether part of the rows is held out to stop by, and which share.
    beta_1, beta_2, epsilon : float
        Of ``"adam"``.
    max_fun : int
        Of ``"lbfgs"``: limit of cost evaluations.
    optimizer : str or Optimizer, optional
        In place of `solver`: ``dr.AdamW(1e-3)``, ``"lion"``, with a schedule where wanted.
    regularization : RegularizationOptions, optional
        Dropout, penalties, clipping, averaging. Default: `alpha` alone.
    stopping : StoppingOptions, optional
        Metric, patience and what a diverged fit does, beyond the parameters above.
    network : NetworkOptions, optional
        Cost, output activation, initial parameters.
    callbacks : callable or sequence of callables, optional
        Each is called with every event of the training and may answer with an action.
    checkpoints : Checkpoints, optional
        Where a fit is kept, so that it resumes after a crash, bit for bit; of several networks
        each in a separate folder below. Needs a whole number as `random_state`.
    n_estimators : int
        Number of networks with different seeds whose predictions are averaged.
    engine : str
        What computes: ``"auto"``, ``"native"``, ``"reference"``, ``"jax"``.
    engine_options : EngineOptions, optional
        The device, how precisely it multiplies, how many threads it uses.

    Examples
    --------
    >>> import numpy as np
    >>> from deltarule import MLPRegressor
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit(X, 2 * X[:, 0] + 1)
    >>> model.predict([[0.5]]).round(3)
    array([2.])
    """

    _parameter_constraints = BaseMLP._parameter_constraints | REGRESSOR
    _numeric_targets = True

    @keywords_checked
    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        optimizer: Any = None,
        regularization: Any = None,
        stopping: Any = None,
        network: Any = None,
        callbacks: Any = None,
        checkpoints: Any = None,
        n_estimators: int = 1,
        engine: str = "auto",
        engine_options: Any = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.optimizer = optimizer
        self.regularization = regularization
        self.stopping = stopping
        self.network = network
        self.callbacks = callbacks
        self.checkpoints = checkpoints
        self.n_estimators = n_estimators
        self.engine = engine
        self.engine_options = engine_options

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on rows and targets.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)
        y : array_like, shape (m,) or (m, n_outputs)
        sample_weight : array_like, shape (m,), optional
        X_val, y_val, sample_weight_val : optional
            Custom validation data: their cost fills ``validation_loss_curve_``, and with
            early stopping they take the place of held-out rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For data or parameters that cannot be used, with what was expected and got.
        DivergenceError
            Where the numbers stop being finite.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(steps_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """One more epoch, on these rows.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As of :meth:`fit`.

        Returns
        -------
        self
        """
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, incremental=True)

    def predict(self, X: Any) -> Array:
        """The prediction of each row.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)

        Returns
        -------
        array, shape (m,) or (m, n_outputs)
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    # ---------------------------------------------------------------------- what a task says

    def _learn_targets(self, y: Array, *, keep: bool, exactly: bool = False) -> None:
        """Numbers hold nothing to learn."""

    def _encoded(self, y: Array, dtype: Any) -> Array:
        return np.ascontiguousarray(y.reshape(len(y), -1), dtype)

    def _task(self) -> tuple[str, str]:
        return _TASKS[self.loss]

    def _scale(self, data: Examples) -> Scale:
        if (self.network or NetworkOptions()).cost is not None:
            return Scale()
        if self.loss == "poisson":
            return Scale(constant=half_deviance_constant(data.Y, data.weights))
        return Scale(outputs=data.Y.shape[1])

    def _score_outputs(self, outputs: Array, y: Array, weights: Array | None) -> float:
        return float(r2_score(y, outputs, sample_weight=weights))
