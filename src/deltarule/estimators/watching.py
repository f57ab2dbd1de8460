"""Whoever watches a fit: lines for ``verbose``, and scikit-learn's own callbacks (from 1.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from deltarule.estimators.course import Rules
from deltarule.estimators.fitting import Fit

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks
    Method = TypeVar("Method", bound=Callable[..., Any])

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for what there is not."""

    def with_callbacks(method: Method) -> Method:
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "Lines", "Tasks", "become", "with_callbacks"]

_UNDER_WAY = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


def become(estimator: Any, draft: Any) -> None:
    """Take over all that a draft holds; but not scikit-learn's notes of whom to tear down."""
    kept = {name: vars(estimator)[name] for name in _UNDER_WAY if name in vars(estimator)}
    estimator.__dict__ = vars(draft) | kept


class Lines:
    """``verbose``: a line an epoch, as scikit-learn prints it."""

    def __call__(self, fit: Fit, runner: Any) -> None:
        """Print an epoch's figures, and why a fit ends."""
        course = fit.course
        print(f"Iteration {fit.epochs}, loss = {course.losses[-1]:.8f}")
        if fit.task.score is not None:
            print(f"Validation score: {course.scores[-1]:f}")
        if fit.ending is not None:
            print(fit.ending)

    def finish(self, fitted: Any) -> None:
        """Nothing is open."""


class Tasks:
    """scikit-learn's callback protocol: the fit is a task, each epoch one within.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is, with its callbacks set.
    rules : Rules
        Of the fit.
    X, y : array_like
        The raw training data.
    metadata : dict
        What was passed beside them.
    attributes : function
        Of a fit and a runner to the fitted attributes of an estimator whose fit had ended there.
    """

    def __init__(
        self,
        estimator: Any,
        rules: Rules,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        attributes: Callable[[Fit, Any], dict[str, Any]],
    ) -> None:
        self._estimator, self._attributes, self._epochs = estimator, attributes, rules.epochs
        self._data = {"X": X, "y": y, "metadata": metadata}
        most = None if rules.on_divergence == "reduce" else rules.epochs  # epochs may be repeated
        self._whole = estimator._init_callback_context(max_subtasks=most)
        self._whole.call_on_fit_task_begin(estimator=estimator, **self._data)
        self._epoch = self._begun()

    def __call__(self, fit: Fit, runner: Any) -> bool:
        """End an epoch's task and begin the next; whether a callback wants the fit to stop."""
        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._attributes(fit, runner),
            **self._data,
        )
        over = stop or fit.ending is not None or fit.epochs >= self._epochs
        self._epoch = None if over else self._begun()
        return bool(stop)

    def finish(self, fitted: Any) -> None:
        """End the task of the whole fit, as the fitted estimator stands; an error leaves it open.

        scikit-learn tears its callbacks down in any case.
        """
        if self._epoch is not None:  # it was begun, and the fit ended before it
            self._epoch.call_on_fit_task_end(estimator=self._estimator, **self._data)
        self._whole.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: dict(vars(fitted)),
            **self._data,
        )

    def _begun(self) -> Any:
        task = self._whole.subcontext(task_name="epoch")
        return task.call_on_fit_task_begin(estimator=self._estimator, **self._data)
