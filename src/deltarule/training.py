"""The training process: batches, steps, *converged?* (the source's last figure).

Forward, cache, back propagation and gradient descent run in the engine; here is what goes round
them: the order of the examples, the validation data, the question whether to go on. The loop
yields typed events and holds no mathematics of the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from deltarule.arrays import (
    Array,
    checked_dtype,
    checked_matrix,
    checked_number,
    checked_weights,
    columns,
)
from deltarule.engines import choose, start_plan
from deltarule.engines.plan import EngineOptions, Plan, Runner, RunnerState
from deltarule.errors import DivergenceError, SettingError, ShapeError, TypeMismatchError
from deltarule.events import (
    Action,
    Callback,
    Ended,
    EpochEnded,
    Event,
    Progressed,
    ScaleRate,
    Started,
    StopTraining,
)
from deltarule.network import Network, Parameters, checked_targets, feed_forward
from deltarule.optimizers import LBFGS, OPTIMIZERS, Optimizer
from deltarule.regularisation import Regularisation
from deltarule.rng import checked_seed, generator
from deltarule.schedules import Schedule, Warmup
from deltarule.stopping import Stopping, Verdict, needs_validation

Metric: TypeAlias = Callable[[Array, Array], float]
"""Of targets and predictions, both ``(m, n[L])``, to a figure of which more is better."""

Order: TypeAlias = Callable[[int], Array]
"""Of an epoch, from 1, to the order of its rows: each row's number once."""

_CHUNK_SECONDS = 0.5  # how long the engine may work before the loop looks at the clock
_FIRST_CHUNK = 1024  # steps; later chunks are powers of two, so that a compiler sees few lengths


class Examples(NamedTuple):
    """Checked data: ``X`` ``(m, n[0])``, ``Y`` ``(m, n[L])``, ``weights`` ``(m,)`` or None."""

    X: Array
    Y: Array
    weights: Array | None

    def take(self, chosen: Array) -> Examples:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return Examples(self.X[chosen], self.Y[chosen], weights).frozen()

    def frozen(self) -> Examples:
        """Read-only views: a run's data stays as it is, and an engine may rely on it."""
        views = [None if array is None else array.view() for array in self]
        for view in views:
            if view is not None:
                view.flags.writeable = False
        return Examples(*views)


@dataclass(frozen=True, repr=False)
class Result:
    """A trained network.

    Attributes
    ----------
    network : Network
    parameters : Parameters
        Of the best epoch where there was validation data, else of the last.
    history : tuple of EpochEnded
        Epoch by epoch.
    stopped_because : str
        The name of the rule that ended the run; see :class:`~deltarule.events.Ended`.
    stopped_text : str
        The same as a sentence.
    best_epoch : int or None
    engine : str
    runner : Runner
        To go on with: it holds the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> result = dr.train(dr.Network(1, [dr.Dense(1)]), X, 2 * X + 1, optimizer=dr.SGD(0.1))
    >>> result.predict([[0.5]]).round(2), result.stopped_because
    (array([[2.]], dtype=float32), 'epochs')
    """

    network: Network
    parameters: Parameters
    history: tuple[EpochEnded, ...]
    stopped_because: str
    stopped_text: str
    best_epoch: int | None
    engine: str
    runner: Runner

    def predict(self, X: Any) -> Array:
        """A[L] as rows, ``(m, n[L])``, from rows ``(m, n[0])``.

        Raises
        ------
        ShapeError, TypeMismatchError, DataError
            As :func:`~deltarule.arrays.checked_matrix`.
        """
        dtype = self.runner.plan.dtype
        return self.runner.predict(
            np.ascontiguousarray(checked_matrix("X", X, width=self.network.inputs, dtype=dtype))
        )

    def __repr__(self) -> str:
        last = self.history[-1]
        sizes = "-".join(map(str, self.network.sizes))
        figures = f"cost {last.cost:.4g}"
        if self.best_epoch is not None:
            best = self.history[self.best_epoch - 1].validation_cost
            figures += f", validation cost {best:.4g} of epoch {self.best_epoch}"
        return f"Result({sizes}, {last.epoch} epochs, {figures}; {self.stopped_text})"


class Training:
    """One run, to be iterated over: ``for event in Training(...)``; then :attr:`result`.

    The parameters are those of :func:`train`.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: Any,
        *,
        optimizer: Optimizer | str = "adam",
        epochs: int | None = None,
        batch_size: int | None = 32,
        validation: Any = None,
        weights: Any = None,
        regularisation: Regularisation | None = None,
        stopping: Stopping | None = None,
        metric: Metric | None = None,
        shuffle: bool | Order = True,
        engine: str = "auto",
        options: EngineOptions | None = None,
        dtype: Any = "float32",
        seed: int = 0,
        parameters: Parameters | None = None,
        state: RunnerState | None = None,
        statistics: bool = False,
    ) -> None:
        if not isinstance(network, Network):
            raise TypeMismatchError(f"network: expected a Network, got {type(network).__name__}.")
        checked_seed("train", seed)
        dtype = checked_dtype(dtype)
        if batch_size is not None:
            checked_number("train", "batch_size", batch_size, low=1, whole=True)
        self.stopping = stopping or Stopping()
        if epochs is not None:
            self.stopping = replace(self.stopping, epochs=epochs)
        needs_validation(self.stopping, validation is not None)
        self.network, self.metric, self.statistics = network, metric, statistics
        self.seed, self.shuffle = seed, shuffle
        data = checked_examples(network, X, Y, weights, dtype)
        self.data, self.validation = _split(network, data, validation, seed, dtype)

        m = len(self.data.X)
        optimizer = OPTIMIZERS(optimizer)
        self.batch_size = m if batch_size is None or optimizer.full_batch else min(batch_size, m)
        self.steps_per_epoch = -(-m // self.batch_size)
        begins_anew = state is None or optimizer.schedule.horizon
        optimizer = optimizer.bound(self.steps_per_epoch * self.stopping.epochs)
        self.plan = Plan(network, optimizer, regularisation or Regularisation(), dtype, seed)
        self.engine = choose(self.plan, engine, options)
        self.runner = start_plan(self.plan, self.engine.name, parameters, options)
        self._steps_before = 0 if state is None or begins_anew else state.step
        if state is not None:
            self.runner.set_state(state)

        self.history: list[EpochEnded] = []
        self.rate_scale = 1.0
        self._wish: str | None = None
        self._best: tuple[float, int, Parameters] | None = None
        self._verdict: Verdict | None = None
        self._chunk = _FIRST_CHUNK

    def act(self, action: Action | None) -> None:
        """Do what a callback answered.

        Raises
        ------
        TypeMismatchError
            For an answer that is no action.
        """
        if isinstance(action, ScaleRate):
            checked_number("ScaleRate", "factor", action.factor, low=0, open_low=True)
            self.rate_scale *= action.factor
        elif isinstance(action, StopTraining):
            self._wish = action.text
        elif action is not None:
            raise TypeMismatchError(
                f"callback: expected None, StopTraining or ScaleRate, got {action!r}."
            )

    def __iter__(self) -> Iterator[Event]:
        self._begun = time.perf_counter()
        yield Started(
            self.plan,
            *self.engine,
            rows=len(self.data.X),
            validation_rows=0 if self.validation is None else len(self.validation.X),
            batch_size=self.batch_size,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.stopping.epochs,
        )
        if isinstance(self.plan.optimizer_row, LBFGS):
            yield from self._drive(self.plan.optimizer_row)
        else:
            yield from self._step_by_batches()
        if self._best is not None:
            self.runner.set_parameters(self._best[2])
        assert self._verdict is not None
        best = None if self._best is None else self._best[1]
        yield Ended(*self._verdict, len(self.history), best, self._seconds())

    @property
    def result(self) -> Result:
        """The result, once the iteration is over."""
        if self._verdict is None:
            raise SettingError("Training.result: the run is not over; iterate over it first.")
        return Result(
            self.network,
            self.runner.parameters(),
            tuple(self.history),
            self._verdict.reason,
            self._verdict.text,
            None if self._best is None else self._best[1],
            self.engine.name,
            self.runner,
        )

    # -------------------------------------------------------------------- batches and steps

    def _step_by_batches(self) -> Iterator[Event]:
        while self._verdict is None:
            epoch = len(self.history) + 1
            costs: list[np.ndarray] = []
            found: list[Any] = []
            order = self._order(epoch)
            for first, rates in self._chunks():
                last = first + len(rates)
                rows = order[first * self.batch_size : last * self.batch_size]
                done = self.runner.train(
                    self.data.X,
                    self.data.Y,
                    rows,
                    self.batch_size,
                    rates,
                    self.data.weights,
                    self.statistics,
                )
                costs.append(done.costs)
                found.append(done.statistics)
                if not np.isfinite(done.costs[-1]):
                    failed = first + len(done.costs) - 1
                    batch = order[failed * self.batch_size : (failed + 1) * self.batch_size]
                    self._raise_diverged(epoch, failed, batch, float(rates[len(done.costs) - 1]))
                if self._out_of_time():
                    break
                if last < self.steps_per_epoch:
                    yield Progressed(epoch, last, self.steps_per_epoch, float(done.costs.mean()))
            if not all(np.isfinite(W).all() for p in self.runner.parameters() for W in p.values()):
                self._raise_diverged(epoch, last - 1, rows[-self.batch_size :], float(rates[-1]))
            statistics = _joined(found) if self.statistics else None
            cost = self._epoch_cost(np.concatenate(costs), order)
            step = (epoch - 1) * self.steps_per_epoch + last
            yield self._ended(epoch, step, cost, float(rates[-1]), statistics)

    def _order(self, epoch: int) -> np.ndarray:
        m = len(self.data.X)
        if not self.shuffle or self.batch_size == m:
            return np.arange(m)
        if callable(self.shuffle):
            return np.asarray(self.shuffle(epoch))
        return generator(self.seed, "order", epoch).permutation(m)

    def _chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The epoch's steps in runs of about half a second: first step, learning rates."""
        schedule: Schedule | Warmup = self.plan.optimizer_row.schedule
        offset = self._steps_before + len(self.history) * self.steps_per_epoch
        first = 0
        while first < self.steps_per_epoch:
            count = min(self._chunk, self.steps_per_epoch - first)
            begun = time.perf_counter()
            rates = np.asarray(schedule(offset + np.arange(first, first + count)))
            yield first, rates * self.rate_scale
            seconds = max(time.perf_counter() - begun, 1e-6)
            wanted = max(count * _CHUNK_SECONDS / seconds, 1.0)
            self._chunk = 2 ** int(np.log2(wanted))
            first += count

    def _epoch_cost(self, costs: np.ndarray, order: np.ndarray) -> float:
        """The mean of the batches' costs, by the weight of each."""
        weights = np.ones(len(order)) if self.data.weights is None else self.data.weights[order]
        starts = np.arange(len(costs)) * self.batch_size
        used = weights[: len(costs) * self.batch_size].astype(np.float64)
        share = np.add.reduceat(used, starts)
        return float(np.average(costs, weights=share)) if share.any() else 0.0

    # --------------------------------------------------------------- the end of an epoch

    def _ended(
        self, epoch: int, step: int, cost: float, rate: float, statistics: Any
    ) -> EpochEnded:
        validation_cost = figure = norm = None
        best = False
        if self.validation is not None:
            validation_cost = self.runner.cost(*self.validation, penalised=False)
            if self.metric is not None:
                figure = float(
                    self.metric(self.validation.Y, self.runner.predict(self.validation.X))
                )
            best = self._keep_if_best(-validation_cost if figure is None else figure, epoch)
        if self.stopping.gradient_norm is not None:
            gradients = self.runner.gradients(*self.data)
            norm = float(np.sqrt(sum((d * d).sum() for layer in gradients for d in layer.values())))
        event = EpochEnded(
            epoch,
            step,
            cost,
            validation_cost,
            figure,
            rate,
            norm,
            self._seconds(),
            best,
            statistics,
        )
        self.history.append(event)
        self._verdict = self.stopping.verdict(self.history)
        return event

    def resolve_wish(self) -> None:
        """End the run where a callback wished so; :func:`train` calls it after each event."""
        if self._wish is not None and self.history:
            self._verdict = self._verdict or Verdict("callback", self._wish)

    def _keep_if_best(self, figure: float, epoch: int) -> bool:
        if self._best is not None and not figure > self._best[0] + self.stopping.improvement:
            return False
        self._best = (figure, epoch, self.runner.parameters())
        return True

    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    def _out_of_time(self) -> bool:
        return self.stopping.seconds is not None and self._seconds() >= self.stopping.seconds

    def _raise_diverged(self, epoch: int, failed: int, batch: Array, rate: float) -> None:
        step = (epoch - 1) * self.steps_per_epoch + failed + 1
        layer, quantity = first_infinite(self.network, self.runner.parameters(), self.data.X[batch])
        where = "the cost" if layer is None else f"{quantity} of layer {layer}"
        raise DivergenceError(
            f"training diverged at step {step} (epoch {epoch}): {where} is not finite. Lower the "
            f"learning rate (it was {rate:g}), standardise the inputs, or clip the gradients "
            "(Regularisation(clip_norm=1)).",
            step=step,
            layer=layer,
            quantity=quantity,
        )

    # ------------------------------------------------------------------------ all the data

    def _drive(self, optimizer: LBFGS) -> Iterator[Event]:
        """L-BFGS: SciPy works in a thread, so that its iterations are events as they happen."""
        import queue  # with threads, a share of the package's import time; only this needs them
        from concurrent.futures import ThreadPoolExecutor

        template = self.runner.parameters()
        iterates: queue.Queue[np.ndarray | None] = queue.Queue()
        go_on: queue.Queue[bool] = queue.Queue()

        def cost_and_gradient(vector: np.ndarray) -> tuple[float, np.ndarray]:
            self.runner.set_parameters(_unflattened(vector, template))
            return self.runner.cost(*self.data), _flattened(self.runner.gradients(*self.data))

        def after_each(vector: np.ndarray) -> None:
            iterates.put(vector.copy())
            if not go_on.get():
                raise StopIteration

        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(
                optimizer.minimise,
                cost_and_gradient,
                _flattened(template),
                self.stopping.epochs,
                after_each,
            )
            work.add_done_callback(lambda _: iterates.put(None))
            try:
                while (vector := iterates.get()) is not None:
                    yield self._iterated(_unflattened(vector, template))
                    go_on.put(self._verdict is None)
            finally:
                go_on.put(False)  # also where whoever listens has left
            last, why = work.result()
        self.runner.set_parameters(_unflattened(last, template))
        if not self.history:
            yield self._iterated(self.runner.parameters())
        if self._verdict is None or (self._verdict.reason == "epochs" and "CONVERGENCE" in why):
            self._verdict = Verdict("driver", f"L-BFGS: {why.capitalize()}")

    def _iterated(self, parameters: Parameters) -> EpochEnded:
        """The event of one iteration over all the data."""
        self.runner.set_parameters(parameters)
        epoch = len(self.history) + 1
        cost = self.runner.cost(*self.data)
        if not np.isfinite(cost):
            self._raise_diverged(epoch, 0, np.arange(len(self.data.X)), 1.0)
        return self._ended(epoch, epoch, cost, 1.0, None)


def train(
    network: Network,
    X: Any,
    Y: Any,
    *,
    optimizer: Optimizer | str = "adam",
    epochs: int | None = None,
    batch_size: int | None = 32,
    validation: Any = None,
    weights: Any = None,
    regularisation: Regularisation | None = None,
    stopping: Stopping | None = None,
    metric: Metric | None = None,
    shuffle: bool = True,
    engine: str = "auto",
    options: EngineOptions | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    parameters: Parameters | None = None,
    state: RunnerState | None = None,
    statistics: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Train a network: the same seed gives the same numbers.

    Parameters
    ----------
    network : Network
    X : array_like, shape (m, n[0])
        Examples as rows.
    Y : array_like, shape (m, n[L]), or (m,) for one output
        Targets. For categorical cross entropy also class labels 0 to n[L]−1, shape ``(m,)``.
    optimizer : str or Optimizer
    epochs : int, optional
        Limit of epochs; 100 unless `stopping` says otherwise.
    batch_size : int or None
        Examples a step: 1 for single examples, None for all at once. The last batch of an epoch
        may be short.
    validation : float, tuple or None
        A share of the rows to hold out, or data of one's own: ``(X, Y)`` or ``(X, Y, weights)``.
        With it, the parameters of the best epoch are restored.
    weights : array_like, shape (m,), optional
        Of the examples.
    regularisation : Regularisation, optional
    stopping : Stopping, optional
        *Converged?*
    metric : callable, optional
        Of targets and predictions, ``(m, n[L])`` each, to a figure of which more is better; judges
        the validation data in place of the cost.
    shuffle : bool or function
        A new order every epoch; or a function of the epoch, from 1, to the order of the rows.
    engine : str
        ``"auto"`` or the name of an engine.
    options : EngineOptions, optional
        The device, and how precisely it multiplies.
    dtype : dtype
        float32 or float64.
    seed : int
        Of initial parameters, order, dropout and held-out rows.
    parameters : Parameters, optional
        To begin from.
    state : RunnerState, optional
        What the optimizer goes on from, beside `parameters`: ``runner.state()`` of an earlier
        run. A schedule goes on too, but one whose horizon is a run begins anew.
    statistics : bool
        Whether each epoch's event carries gradient norms, update ratios and dead units.
    callbacks : sequence of callables
        Each is called with every event and may answer with an action.

    Returns
    -------
    Result

    Raises
    ------
    ShapeError, TypeMismatchError, DataError, SettingError
        For data or settings that cannot be.
    DivergenceError
        Where the cost stops being finite: with step, layer and advice.

    Examples
    --------
    >>> import deltarule as dr
    >>> layers = [dr.Dense(8, "tanh"), dr.Dense(1, "sigmoid")]
    >>> network = dr.Network(2, layers, "binary_cross_entropy")
    >>> X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> result = dr.train(network, X, Y, optimizer=dr.Adam(0.05), epochs=300, batch_size=None)
    >>> result.predict(X).round().ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    training = Training(
        network,
        X,
        Y,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        validation=validation,
        weights=weights,
        regularisation=regularisation,
        stopping=stopping,
        metric=metric,
        shuffle=shuffle,
        engine=engine,
        options=options,
        dtype=dtype,
        seed=seed,
        parameters=parameters,
        state=state,
        statistics=statistics,
    )
    for event in training:
        for callback in callbacks:
            training.act(callback(event))
        training.resolve_wish()
    return training.result


def checked_examples(
    network: Network, X: Any, Y: Any, weights: Any, dtype: np.dtype[Any]
) -> Examples:
    """A caller's data, checked against a network, C-ordered; copied only where need be.

    Raises
    ------
    ShapeError, TypeMismatchError, DataError
        With what was expected and got.
    """
    X = np.ascontiguousarray(checked_matrix("X", X, width=network.inputs, dtype=dtype))
    Y = np.ascontiguousarray(checked_targets(network, Y, dtype))
    if len(X) != len(Y):
        raise ShapeError(f"X has {len(X)} rows and Y {len(Y)}; expected as many.")
    return Examples(X, Y, checked_weights(weights, len(X), dtype)).frozen()


def first_infinite(network: Network, parameters: Parameters, X: Array) -> tuple[int | None, str]:
    """The first layer that holds a number that is not finite, and what it is: W, b, Z or A."""
    for l, layer in enumerate(parameters, 1):
        for name, values in layer.items():
            if not np.isfinite(values).all():
                return l, name
    with np.errstate(all="ignore"):
        caches = feed_forward(network, parameters, columns(X))
    for l, cache in enumerate(caches, 1):
        for name in ("Z", "A"):
            if not np.isfinite(getattr(cache, name)).all():
                return l, name
    return None, "cost"


def _split(
    network: Network, data: Examples, validation: Any, seed: int, dtype: np.dtype[Any]
) -> tuple[Examples, Examples | None]:
    """Training and validation data."""
    if validation is None:
        return data, None
    if isinstance(validation, (tuple, list)):
        if len(validation) not in (2, 3):
            raise ShapeError(
                "validation: expected a share, (X, Y) or (X, Y, weights); "
                f"got {len(validation)} items."
            )
        X, Y, *weights = validation
        return data, checked_examples(network, X, Y, weights[0] if weights else None, dtype)
    checked_number("train", "validation", validation, low=0, high=1, open_low=True, open_high=True)
    m = len(data.X)
    held = round(validation * m)
    if not 0 < held < m:
        raise SettingError(
            f"validation={validation:g} of {m} rows leaves {m - held} to train on and {held} to "
            "judge by; expected at least one each."
        )
    shuffled = generator(seed, "split").permutation(m)
    return data.take(np.sort(shuffled[held:])), data.take(np.sort(shuffled[:held]))


def _flattened(parameters: Parameters) -> np.ndarray:
    return np.concatenate(
        [W.ravel() for layer in parameters for W in layer.values()], dtype=np.float64
    )


def _unflattened(vector: np.ndarray, template: Parameters) -> Parameters:
    parameters, at = [], 0
    for layer in template:
        own = {}
        for name, W in layer.items():
            own[name] = vector[at : at + W.size].reshape(W.shape)
            at += W.size
        parameters.append(own)
    return tuple(parameters)


def _joined(found: list[Any]) -> Any:
    """Statistics of several chunks as one."""
    return type(found[0])(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
