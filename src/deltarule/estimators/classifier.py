"""The classifier: labels to targets, and outputs to labels and probabilities."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels
from sklearn.utils.validation import check_is_fitted

from deltarule.activations import ACTIVATIONS
from deltarule.arrays import Array
from deltarule.errors import DataError
from deltarule.estimators.base import BaseMLP, steps_by_batches
from deltarule.estimators.labels import binarizer_for, check_labels, weights_by_class
from deltarule.estimators.networks import named
from deltarule.estimators.parameters import CLASSIFIER
from deltarule.estimators.rules import Scale
from deltarule.estimators.watching import with_callbacks
from deltarule.intervals import Interval
from deltarule.spec import keywords_checked
from deltarule.training.examples import Examples
from deltarule.training.predictions import probabilities


def _gives_probabilities(estimator: Any) -> bool:
    options = estimator.network  # asked for with every prediction
    activation = None if options is None else options.output_activation
    if activation is not None and ACTIVATIONS(named(activation)).range not in Interval("[0, 1]"):
        raise AttributeError(
            f"predict_proba: output activation {activation!r} does not give probabilities."
        )
    return True


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """A dense network for classification, with scikit-learn's interface.

    Every parameter, attribute and default of ``sklearn.neural_network.MLPClassifier``, with the
    same meaning; those from `optimizer` on are its own. From the same `random_state` it draws the
    same initial weights, split and order, and in float64 follows the same path.

    Parameters
    ----------
    hidden_layer_sizes : int or array_like of int
        n[1] to n[L−1]; an empty sequence is no hidden layer: logistic regression.
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
    class_weight : dict, list of dict, "balanced" or None
        Multiplies `sample_weight`, class by class.
    callbacks : callable or sequence of callables, optional
        Each is called with every event of the training and may answer with an action.
    checkpoints : Checkpoints, optional
        Where a fit is kept, so that it resumes after a crash, bit for bit; of several networks
        each in a separate folder below. Needs a whole number as `random_state`.
    n_estimators : int
        Number of networks with different seeds whose probabilities are averaged.
    engine : str
        What computes: ``"auto"``, ``"native"``, ``"reference"``, ``"jax"``.
    engine_options : EngineOptions, optional
        The device, how precisely it multiplies, how many threads it uses.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        The labels, in the order of the probabilities.
    coefs_, intercepts_ : list of array
        ``W[l].T`` and ``b[l]``; whatever they hold is what predicts.
    loss_, best_loss_, loss_curve_ : float, float, list
        The training loss of the last epoch, the lowest one, and that of every epoch.
    validation_scores_, best_validation_score_ : list, float
        With early stopping.
    validation_loss_curve_ : list or None
        The cost of the validation data after each epoch, without penalties, where there is any.
    n_iter_, t_, n_layers_, n_outputs_ : int
        Epochs, training rows seen, layers with the input, and units of the output.
    normalizations_ : list of dict, or None
        Gain, shift and running averages of each hidden layer, where it is normalized.
    out_activation_ : str
        The activation of the output.
    learning_rate_ : float
        After the last epoch.
    stopped_because_ : str
        The rule that ended the fit: ``"patience"``, ``"epochs"``, ``"callback"``, …
    estimators_ : list
        The members, where there are several.
    n_features_in_, feature_names_in_ : int, array of str
        The columns of X: their number, and their names where they have any.

    Examples
    --------
    >>> from deltarule import MLPClassifier
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["no", "yes", "yes", "no"]
    >>> model = MLPClassifier((8,), "tanh", solver="lbfgs", random_state=1).fit(X, y)
    >>> model.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    _parameter_constraints = BaseMLP._parameter_constraints | CLASSIFIER
    _numeric_targets = False

    @keywords_checked
    def __init__(
        self,
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
        class_weight: Any = None,
        callbacks: Any = None,
        checkpoints: Any = None,
        n_estimators: int = 1,
        engine: str = "auto",
        engine_options: Any = None,
    ) -> None:
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
        self.class_weight = class_weight
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
        """Train on rows and labels.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)
        y : array_like, shape (m,), or (m, n_labels) of 0 and 1
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
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """One more epoch, on these rows.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As of :meth:`fit`.
        classes : array_like, shape (n_classes,)
            All there are: needed at the first call, for a batch may lack some. With labels, the
            name of each column of y.

        Returns
        -------
        self
        """
        draft = copy.copy(self)
        if _check_partial_fit_first_call(draft, classes):
            draft._label_binarizer = binarizer_for(y, classes)
        draft._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=True)
        self.__dict__ = draft.__dict__
        return self

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row, or its labels.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)

        Returns
        -------
        array, shape (m,) or (m, n_labels)
        """
        outputs = self._outputs(X)
        return self._label_binarizer.inverse_transform(
            outputs.ravel() if outputs.shape[1] == 1 else outputs
        )

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)

        Returns
        -------
        array, shape (m, n_classes)
        """
        outputs = self._outputs(X)
        return probabilities(outputs)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of :meth:`predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities)

    def decision_function(self, X: Any) -> Array:
        """Z[L]: the outputs before their activation. Of an ensemble, log (odds) of the mean.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (m, n_features)

        Returns
        -------
        array, shape (m,) for two classes, else (m, n_classes)
        """
        check_is_fitted(self)
        if "estimators_" in self.__dict__:
            with np.errstate(divide="ignore"):
                P = self._outputs(X)
                Z = np.log(P) if self.out_activation_ == "softmax" else np.log(P) - np.log1p(-P)
        else:
            holder = self._holder()
            Z = holder.layers(self._rows(X, holder.plan.dtype))[-1][0]
        return Z[:, 0] if Z.shape[1] == 1 else np.ascontiguousarray(Z)

    # ---------------------------------------------------------------------- what a task says

    def _learn_targets(self, y: Array, *, keep: bool, exactly: bool = False) -> None:
        check_labels(y)
        if not keep or not hasattr(self, "classes_"):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        labels = self._label_binarizer.y_type_.startswith("multilabel")
        if labels != (y.ndim == 2) or (labels and y.shape[1] != len(self.classes_)):
            raise DataError(
                f"y: expected {f'{len(self.classes_)} columns of labels' if labels else 'a vector'}"
                f", as at the first fit, got shape {y.shape}."
            )
        if labels:
            return
        classes = unique_labels(y)
        if exactly and set(classes) != set(self.classes_):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        unknown = np.setdiff1d(classes, self.classes_).tolist()
        if unknown:
            raise DataError(
                f"y: has {unknown[0]!r}, which is not among the classes {self.classes_}. Name all "
                "classes at the first call of partial_fit, or call fit."
            )

    def _encoded(self, y: Array, dtype: Any) -> Array:
        if y.ndim == 2:
            return np.ascontiguousarray(self._label_binarizer.transform(y), dtype)
        codes = np.searchsorted(self.classes_, y)
        if len(self.classes_) <= 2:
            return (codes == 1).astype(dtype)[:, np.newaxis]
        Y = np.zeros((len(y), len(self.classes_)), dtype)
        Y[np.arange(len(y)), codes] = 1
        return Y

    def _task(self) -> tuple[str, str]:
        if self._label_binarizer.y_type_ == "multiclass":
            return "softmax", "categorical_cross_entropy"
        return "sigmoid", "binary_cross_entropy"

    def _scale(self, data: Examples) -> Scale:
        return Scale()

    def _score_outputs(self, outputs: Array, y: Array, weights: Array | None) -> float:
        found = self._label_binarizer.inverse_transform(
            outputs.ravel() if outputs.shape[1] == 1 else outputs
        )
        hits = found == y
        return float(np.average(hits if hits.ndim == 1 else hits.all(axis=1), weights=weights))

    def _stratified(self, Y: Array) -> Array | None:
        return Y.astype(bool) if Y.shape[1] == 1 else None

    def _weighted(self, y: Array, weights: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weights
        by_class = weights_by_class(self.class_weight, y, self.classes_, incremental)
        return by_class if weights is None else by_class * weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
