"""What a training run says while it runs, and what a listener may answer.

The loop yields these events; progress bars, logs and callbacks consume them. A callback is any
callable of one event; it may return an action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from deltarule.arrays import Array
from deltarule.engines.plan import Plan, Runner, Statistics
from deltarule.spec import OneLine


@dataclass(frozen=True)
class Started(OneLine):
    """The run begins.

    Attributes
    ----------
    plan : Plan
        The network, its optimizer, regularization, dtype and seed.
    engine, engine_reason : str
        What computes it, and why that was chosen.
    rows, validation_rows : int
        Examples to train on and to validate with.
    batch_size, steps_per_epoch : int
        Examples per step, and steps per epoch.
    epochs : int
        Maximum number of epochs.
    runner : Runner or None
        What trains, to be looked at between epochs: its parameters, its state, its predictions;
        the newest, where parameters are averaged, while an epoch's figures are of their mean.
    X, Y : arrays or None, shapes (m, n[0]) and (m, n[L])
        What it trains on, read-only; of blocks some rows of the first.
    weights : array or None, shape (m,)
        The weights of the examples; None where each weighs 1.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> run = dr.Training(network, [[0.0], [1.0]], [1.0, 3.0], epochs=2, engine="reference")
    >>> first = next(iter(run))
    >>> first.rows, first.batch_size, first.epochs, first.engine
    (2, 2, 2, 'reference')
    >>> run.close()
    """

    plan: Plan
    engine: str
    engine_reason: str
    rows: int
    validation_rows: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    runner: Runner | None = field(default=None, repr=False, compare=False)
    X: Array = field(default=None, repr=False, compare=False)
    Y: Array = field(default=None, repr=False, compare=False)
    weights: Array = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Progressed(OneLine):
    """Some steps of an epoch are done.

    Attributes
    ----------
    epoch : int
        From 1.
    step : int
        Steps of this epoch so far.
    steps_per_epoch : int
        Number of steps of an epoch.
    cost : float
        Mean over the steps since the last such event.

    Examples
    --------
    >>> def show(event):
    ...     if isinstance(event, Progressed):
    ...         print(f"epoch {event.epoch}: step {event.step} of {event.steps_per_epoch}")
    >>> show(Progressed(epoch=1, step=20, steps_per_epoch=80, cost=0.5))
    epoch 1: step 20 of 80
    """

    epoch: int
    step: int
    steps_per_epoch: int
    cost: float


@dataclass(frozen=True)
class EpochEnded(OneLine):
    """An epoch is done.

    Attributes
    ----------
    epoch : int
        From 1.
    step : int
        Steps of the run so far.
    cost : float
        Mean of the batches' costs over the epoch, penalties included, each before its update.
    validation_cost : float or None
        Cost on the validation data after the epoch, without penalties; of averaged parameters,
        where they are averaged.
    figure : float or None
        The metric on the validation data, where one is used; higher is better.
    learning_rate : float
        Of the epoch's last step.
    gradient_norm : float or None
        Norm of the gradient over all training data, where a stopping rule needs it; of averaged
        parameters, where they are averaged.
    seconds : float
        Since the run began.
    best : bool
        Whether this epoch is the best so far, by figure or validation cost.
    statistics : Statistics or None
        Per step, where asked for.
    penalty : float or None
        What penalties have added to the cost, by the mean of the weights before and after the
        epoch, where a stopping rule needs it.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> epochs = []
    >>> def listen(event):
    ...     if isinstance(event, dr.EpochEnded):
    ...         epochs.append(event.epoch)
    >>> result = dr.train(network, [[0.0], [1.0]], [1.0, 3.0], epochs=3, callbacks=[listen])
    >>> epochs, result.history[-1].step
    ([1, 2, 3], 3)
    """

    epoch: int
    step: int
    cost: float
    validation_cost: float | None = None
    figure: float | None = None
    learning_rate: float = 0.0
    gradient_norm: float | None = None
    seconds: float = 0.0
    best: bool = False
    statistics: Statistics | None = None
    penalty: float | None = None


@dataclass(frozen=True)
class NetworkEpochEnded(OneLine):
    """One of several networks that are trained side by side, not the first, ended an epoch.

    Attributes
    ----------
    network : int
        Which, from 2.
    networks : int
        How many there are.
    epoch : int
        From 1.

    Examples
    --------
    >>> event = NetworkEpochEnded(network=2, networks=5, epoch=1)
    >>> f"network {event.network} of {event.networks}: epoch {event.epoch}"
    'network 2 of 5: epoch 1'
    """

    network: int
    networks: int
    epoch: int


@dataclass(frozen=True)
class Resumed(OneLine):
    """The run resumes from a checkpoint.

    Attributes
    ----------
    checkpoint : str
        The file.
    epoch, step : int
        Epochs and steps that are done.
    notes : tuple of str
        What is worth knowing: newer files that could not be read, another instruction set.

    Examples
    --------
    >>> event = Resumed("run/checkpoint-0003.safetensors", epoch=3, step=96)
    >>> f"resumed after epoch {event.epoch}"
    'resumed after epoch 3'
    """

    checkpoint: str
    epoch: int
    step: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateReduced(OneLine):
    """The run diverged, went back to the end of the last good epoch, and halves its rate.

    Attributes
    ----------
    epoch, step : int
        Where it diverged.
    factor : float
        Of the schedule's rate, from now on.
    undone : int
        How many whole epochs, of which events have told, are done again.
    text : str
        What happened, as a sentence.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> settings = {"optimizer": "gradient_descent(0.001)", "batch_size": None}
    >>> rule = dr.Stopping(epochs=30, on_divergence="reduce")
    >>> run = dr.Training(network, [[100.0]], [1.0], stopping=rule, **settings)
    >>> [event.factor for event in run if isinstance(event, dr.RateReduced)]
    [0.5, 0.25, 0.125, 0.0625]
    """

    epoch: int
    step: int
    factor: float
    undone: int
    text: str


@dataclass(frozen=True)
class Ended(OneLine):
    """The run is over.

    Attributes
    ----------
    reason : str
        Which rule said *converged*: ``"gradient_norm"``, ``"tolerance"``, ``"patience"``,
        ``"epochs"``, ``"seconds"``, ``"callback"``, ``"diverged"``, or ``"driver"`` (L-BFGS's
        own).
    text : str
        The same as a sentence.
    epochs : int
        How many were done.
    best_epoch : int or None
        The epoch whose parameters were restored; None where there is no validation data.
    seconds : float
        Since the run began.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> for event in dr.Training(network, [[0.0], [1.0]], [1.0, 3.0], epochs=2):
    ...     pass
    >>> event.reason, event.epochs
    ('epochs', 2)
    """

    reason: str
    text: str
    epochs: int
    best_epoch: int | None
    seconds: float


Event: TypeAlias = (
    Started | Resumed | Progressed | EpochEnded | NetworkEpochEnded | RateReduced | Ended
)


@dataclass(frozen=True)
class StopTraining(OneLine):
    """A callback's answer: end after this epoch.

    Attributes
    ----------
    text : str
        Why, for the result.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> def enough(event):
    ...     if isinstance(event, dr.EpochEnded) and event.epoch == 2:
    ...         return dr.StopTraining("two epochs are enough")
    >>> result = dr.train(network, [[0.0], [1.0]], [1.0, 3.0], callbacks=[enough])
    >>> result.stopped_because, len(result.history)
    ('callback', 2)
    """

    text: str


@dataclass(frozen=True)
class ScaleRate(OneLine):
    """A callback's answer: multiply all further learning rates.

    Attributes
    ----------
    factor : float
        Above 0.

    Examples
    --------
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> def halve(event):
    ...     if isinstance(event, dr.EpochEnded):
    ...         return dr.ScaleRate(0.5)
    >>> data = [[0.0], [1.0]], [1.0, 3.0]
    >>> result = dr.train(network, *data, optimizer=dr.SGD(0.1), epochs=3, callbacks=[halve])
    >>> result.history["learning_rate"].tolist()
    [0.1, 0.05, 0.025]
    """

    factor: float


Action: TypeAlias = StopTraining | ScaleRate
Callback: TypeAlias = Callable[[Event], Action | None]
