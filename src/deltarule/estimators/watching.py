"""Whoever watches a fit: lines for ``verbose``, and scikit-learn's own callbacks (from 1.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from deltarule.training import Training
from deltarule.training.events import EpochEnded, Event, StopTraining

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
    """``verbose``: a line an epoch, as scikit-learn prints it.

    Parameters
    ----------
    training : Training
        Of a :class:`~deltarule.estimators.rules.SklearnRule`.
    """

    def __init__(self, training: Training) -> None:
        self._training = training

    def __call__(self, event: Event) -> None:
        """Print an epoch's figures, and why a fit ends."""
        if not isinstance(event, EpochEnded):
            return
        rule: Any = self._training.run.stopping
        print(f"Iteration {event.epoch}, loss = {rule.loss(event):.8f}")
        score, verdict = rule.score(event), self._training.state.verdict
        if score is not None:
            print(f"Validation score: {score:f}")
        if verdict is not None and verdict.reason == "patience":
            print(verdict.text)

    def finish(self, fitted: Any) -> None:
        """Nothing is open."""


class Tasks:
    """scikit-learn's callback protocol: the fit is a task, each epoch one within.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is, with its callbacks set.
    training : Training
        The fit.
    data : tuple
        X, y and sample weights, raw.
    attributes : function
        To the fitted attributes of an estimator whose fit had ended now.
    """

    def __init__(
        self,
        estimator: Any,
        training: Training,
        data: tuple[Any, Any, Any],
        attributes: Callable[[], dict[str, Any]],
    ) -> None:
        self._estimator, self._training, self._attributes = estimator, training, attributes
        X, y, weights = data
        metadata = {} if weights is None else {"sample_weight": weights}
        self._data = {"X": X, "y": y, "metadata": metadata}
        rule = training.run.stopping
        most = None if rule.on_divergence == "reduce" else rule.epochs  # epochs may be repeated
        self._whole = estimator._init_callback_context(max_subtasks=most)
        self._whole.call_on_fit_task_begin(estimator=estimator, **self._data)
        self._epoch = self._begun()

    def __call__(self, event: Event) -> StopTraining | None:
        """End an epoch's task and begin the next; a callback may want the fit to stop."""
        if not isinstance(event, EpochEnded):
            return None
        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=self._attributes, **self._data
        )
        over = stop or self._training.state.verdict is not None
        self._epoch = None if over else self._begun()
        return StopTraining("a callback asked for it") if stop else None

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
