"""What both estimators share: from checked data to a fitted network.

Nothing here computes a derivative or walks over batches: that is :mod:`deltarule.training`'s and
the engines'.
"""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import validate_data

from deltarule.arrays import Array
from deltarule.engines.footprint import check_memory
from deltarule.engines.plan import EngineOptions, Plan, Runner
from deltarule.errors import DataError, SettingError
from deltarule.estimators.answering import AnsweringMixin
from deltarule.estimators.fitted import Fitted, Live, parameters_of
from deltarule.estimators.fitting import Continuation, Curves, Orders, Outcome, fitted
from deltarule.estimators.metrics import metric_of
from deltarule.estimators.nested import NestedParameters
from deltarule.estimators.networks import (
    build_network,
    checkpoints_of,
    initial_parameters,
    optimizer_of,
    rule_of,
    validates,
)
from deltarule.estimators.options import NetworkOptions, RegularizationOptions
from deltarule.estimators.parameters import CONSTRAINTS, SKLEARN_NAMES
from deltarule.estimators.rates import find_rate_for
from deltarule.estimators.rows import (
    check_numbers,
    checked_validation,
    held_out,
    rows_of,
    weights_of,
)
from deltarule.estimators.rules import Scale, SklearnRule
from deltarule.estimators.saving import SavingMixin
from deltarule.estimators.watching import CallbackSupportMixin, Lines, Tasks, become
from deltarule.network import Network, Parameters
from deltarule.optimizers import Optimizer
from deltarule.training import Examples, Run, Training, TrainingState
from deltarule.training.averaging import Averaging
from deltarule.training.events import Callback
from deltarule.training.rates import RateSearch

_THEIR_NAMES = {ours: theirs for theirs, ours in SKLEARN_NAMES.items()}

_BATCH_SIZE = 200  # "auto"

Validation = tuple[Any, Any, Any]
"""X, y and example weights for validation, as a caller passes them: each may be None."""


class BaseMLP(CallbackSupportMixin, SavingMixin, AnsweringMixin, NestedParameters):  # type: ignore[misc]
    """The estimators' common part. Not for use alone."""

    _parameter_constraints: dict[str, Any] = CONSTRAINTS
    _numeric_targets: ClassVar[bool]
    _threads = 0  # of a member of an ensemble, whose fellows are trained beside it
    _watchdog: Callback | None = None  # ends a member where a fellow has failed

    # ------------------------------------------------------------- what a kind of task says

    @abstractmethod
    def _learn_targets(self, y: Array, *, keep: bool, exactly: bool = False) -> None:
        """Learn what y holds; to `keep` what was learned, check that y holds none but that."""

    @abstractmethod
    def _encoded(self, y: Array, dtype: Any) -> Array:
        """Checked y as Y, ``(m, n[L])``."""

    @abstractmethod
    def _scale(self, data: Examples) -> Scale:
        """From the cost to scikit-learn's loss."""

    @abstractmethod
    def _score_outputs(self, outputs: Array, y: Array, weights: Array | None) -> float:
        """The default validation score, of A[L]."""

    def _stratified(self, Y: Array) -> Array | None:
        """What a validation split keeps the shares of."""
        return None

    def _weighted(self, y: Array, weights: Array | None, incremental: bool) -> Array | None:
        """The example weights, times the classes' where there are any."""
        return weights

    # ------------------------------------------------------------------------------- fitting

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: Validation,
        *,
        incremental: bool = False,
    ) -> Self:
        """Fit a draft, and take over what it has become: a failure leaves all as it was."""
        if incremental and validates(self):
            raise SettingError(
                "partial_fit does not support early_stopping=True. Pass X_val and y_val to watch "
                "the validation loss, and stop calling it when you like."
            )
        draft = copy.copy(self)
        if self.n_estimators > 1:
            from deltarule.estimators.ensemble import fit_members

            fit_members(draft, X, y, sample_weight, validation, incremental)
        else:
            draft._fit_draft(X, y, sample_weight, validation, incremental, self)
        become(self, draft)
        return self

    def _fit_draft(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: Validation,
        incremental: bool,
        original: Self,
    ) -> None:
        self.__dict__.pop("estimators_", None)
        goes_on = hasattr(self, "coefs_") and (bool(self.warm_start) or incremental)
        data, labels = self._training_data(X, y, sample_weight, goes_on, incremental)
        network = build_network(self, data.X.shape[1], data.Y.shape[1], *self._task())
        optimizer = optimizer_of(self)
        rule = rule_of(self, full_batch=optimizer.full_batch, incremental=incremental)
        self._check_memory(network, optimizer, data)
        kept = self._standing(goes_on)
        parameters = self._start(network, kept, data.X.dtype, goes_on)
        start, seed = kept.start(type(optimizer), parameters), kept.masks()

        held, held_labels = checked_validation(self, validation, data)
        if rule.early and held is None:
            data, labels, held, held_labels = held_out(self, data, labels, kept)
        rule = replace(rule, rows=len(data.X), scale=self._scale(data))
        regularization = self.regularization or RegularizationOptions()
        rules = regularization.rules(float(self.alpha))
        run = Run(
            Plan(network, optimizer, rules, data.X.dtype, seed),
            self._batch_size(len(data.X)),
            rule,
            metric_of(self, rule, held, held_labels),
            Orders(kept, len(data.X)).of_epoch if self.shuffle else False,
            Averaging(keep=regularization.average, evaluated=False),
            self.engine,
            self.engine_options or EngineOptions(),
        )
        checkpoints = checkpoints_of(self, incremental=incremental)
        training = Training(
            *(run, data.X, data.Y),
            weights=data.weights,
            validation=held,
            state=start,
            checkpoints=checkpoints,
        )
        if self._threads and hasattr(training.runner, "n_threads"):
            training.runner.n_threads = self._threads
        follows = getattr(self, "_skl_callbacks", None) and not incremental
        watchers: list[Any] = [Lines(training)] if self.verbose else []
        if follows:
            attributes = partial(self._as_if_stopped, training, kept.curves)
            watchers.append(Tasks(original, training, (X, y, sample_weight), attributes))
        outcome = fitted(training, kept, [*self._listeners(), *watchers])
        self._keep(kept, outcome, incremental)
        for watcher in watchers:
            watcher.finish(self)
        self._warn(outcome, rule, incremental)

    def _training_data(
        self, X: Any, y: Any, sample_weight: Any, goes_on: bool, incremental: bool
    ) -> tuple[Examples, Array]:
        X, y = self._checked(X, y, reset=not goes_on)
        keep = bool(self.warm_start) or incremental
        self._learn_targets(y, keep=keep, exactly=not incremental)
        Y = self._encoded(y, X.dtype)
        weights = weights_of(sample_weight, X)
        return Examples(rows_of(X), Y, self._weighted(y, weights, incremental)), y

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        """Checked X and y; `reset` learns the names of the columns."""
        check_numbers(X=X, y=y)
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                multi_output=True,
                y_numeric=self._numeric_targets,
                dtype=(np.float64, np.float32),
                reset=reset,
            )
            if self._numeric_targets and y.dtype.kind in "US":
                y = y.astype(X.dtype)
        except ValueError as error:
            if "could not convert string" not in str(error):
                raise
            raise DataError(
                f"{'X or y' if self._numeric_targets else 'X'}: expected numbers, got text "
                f"({error}). Encode text first, as with OneHotEncoder in a pipeline, or use a "
                "Tabular estimator, which takes such columns."
            ) from error
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _standing(self, goes_on: bool) -> Continuation:
        """Where an earlier fit stands that this one continues; a new beginning else."""
        earlier: Continuation | None = getattr(self, "_continuation", None) if goes_on else None
        if earlier is None:
            return Continuation(check_random_state(self.random_state))
        kept = replace(earlier)
        if not isinstance(self.random_state, Integral) or kept.generator is None:
            kept.generator = check_random_state(self.random_state)
        return kept

    def _start(self, network: Network, kept: Continuation, dtype: Any, goes_on: bool) -> Parameters:
        """The parameters to begin from."""
        options = self.network or NetworkOptions()
        if goes_on:
            held: Fitted | None = self.__dict__.get("_fitted")
            others = None if held is None else held.parameters
            start = parameters_of(self.coefs_, self.intercepts_, network, dtype, others)
            raw = kept.raw
            if raw is not None and self._fitted.holds(self.coefs_, self.intercepts_):
                return raw
            return start
        if options.coefs is not None:
            return parameters_of(options.coefs, options.intercepts or (), network, dtype)
        return initial_parameters(network, options, kept.generator, dtype)

    def _batch_size(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(_BATCH_SIZE, rows)
        if self.batch_size > rows:
            warnings.warn(
                f"batch_size={self.batch_size} is larger than the {rows} rows to train on; each "
                "batch has them all.",
                stacklevel=4,
            )
        return min(int(self.batch_size), rows)

    def _check_memory(self, network: Network, optimizer: Optimizer, data: Examples) -> None:
        """Refuse what memory will not hold, before the parameters are drawn."""
        options = self.engine_options or EngineOptions()
        check_memory(
            *(network, optimizer, data.X.dtype, self.engine, options),
            batch_size=min(
                _BATCH_SIZE if self.batch_size == "auto" else self.batch_size, len(data.X)
            ),
            copies=2,  # the first ones, the last good ones
        )

    def _listeners(self) -> tuple[Any, ...]:
        callbacks = self.callbacks or ()
        own = (callbacks,) if callable(callbacks) else tuple(callbacks)
        for callback in own:
            if not callable(callback):
                raise SettingError(
                    f"callbacks: expected functions of an event; got {callback!r} of type "
                    f"{type(callback).__name__}."
                )
        return own if self._watchdog is None else (*own, self._watchdog)

    def _as_if_stopped(self, training: Training, curves: Curves) -> dict[str, Any]:
        """The fitted attributes of an estimator whose fit had ended now."""
        runner, state = training.runner, training.state
        view = self._view(runner.plan, runner.parameters(), None)
        rule: Any = training.run.stopping
        curves = curves.with_epochs(rule, state.history)
        view._set_attributes(view._fitted, state, curves, state.epochs, "running")
        return dict(vars(view))

    def _view(self, plan: Plan, parameters: Parameters, runner: Runner | None) -> Self:
        """A copy with a network still in training, for whoever scores it."""
        view = copy.copy(self)
        kind = Fitted if runner is None else Live
        view._fitted = kind(plan, self.engine, self.engine_options, parameters, runner)
        view.coefs_, view.intercepts_ = [], []
        return view

    def _keep(self, kept: Continuation, outcome: Outcome, incremental: bool) -> None:
        """Take over what a fit has come to; what no later fit needs is not kept."""
        mixed = self.engine_options is not None and self.engine_options.mixed
        runner = None if mixed else outcome.runner  # products are mixed in training alone
        self._fitted = Fitted(
            outcome.plan, self.engine, self.engine_options, outcome.parameters, runner
        )
        self._set_attributes(self._fitted, kept.state, kept.curves, outcome.epochs, outcome.reason)
        if not (self.warm_start or incremental):
            kept.forget()
        if not isinstance(self.random_state, Integral):
            kept.generator = None
        self._continuation = kept

    def _set_attributes(
        self, fitted: Fitted, state: TrainingState, curves: Curves, epochs: int, reason: str
    ) -> None:
        network, early = fitted.plan.network, bool(curves.scores)
        g = network.layers[-1].g.name
        self.coefs_, self.intercepts_ = fitted.coefs(), fitted.intercepts()
        self.n_layers_, self.n_outputs_ = len(self.coefs_) + 1, network.outputs
        self.normalizations_ = fitted.normalizations() or None
        self.out_activation_ = _THEIR_NAMES.get(g, g)
        self.n_iter_, self.t_ = epochs, state.rule.samples
        self.loss_ = curves.losses[-1]
        self.loss_curve_ = curves.losses
        self.best_loss_ = None if early else state.rule.best_loss
        self.validation_loss_curve_ = curves.validation_losses or None
        self.validation_scores_ = curves.scores if early else None
        self.best_validation_score_ = state.rule.best_score if early else None
        scale = state.rule_scale * state.rate_scale
        self.learning_rate_ = float(fitted.plan.optimizer_row.schedule.rate) * scale
        self.stopped_because_ = reason

    def _warn(self, outcome: Outcome, rule: SklearnRule, incremental: bool) -> None:
        if incremental:
            return
        if outcome.reason == "epochs":
            text = (
                f"Maximum iterations ({rule.epochs}) reached and the optimization hasn't "
                "converged yet. Raise max_iter, or scale the data."
            )
        elif outcome.reason == "diverged":
            text = f"The fit ended early, with its best epoch's parameters: {outcome.text}"
        elif outcome.reason == "driver" and "convergence" not in outcome.text.lower():
            text = f"The optimization hasn't converged: {outcome.text}"
        else:
            return
        warnings.warn(text, ConvergenceWarning, stacklevel=5)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def find_learning_rate(self, X: Any, y: Any, sample_weight: Any = None) -> RateSearch:
        """Which learning rate suits: see :func:`deltarule.find_rate`. The estimator stays as it is.

        Parameters
        ----------
        X, y, sample_weight
            As of :meth:`fit`.

        Returns
        -------
        RateSearch
        """
        return find_rate_for(self, X, y, sample_weight)


def steps_by_batches(estimator: Any) -> bool:
    """Whether an estimator's optimizer does, which ``partial_fit`` needs.

    Raises
    ------
    AttributeError
        Where it drives all the data at once.
    """
    if optimizer_of(estimator).full_batch:
        raise AttributeError(
            "partial_fit is only available for optimizers that step by batches; "
            f"{estimator.optimizer or estimator.solver!r} drives all the data at once."
        )
    return True
