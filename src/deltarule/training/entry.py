"""One call: train a network and have the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deltarule.engines.plan import EngineOptions, RunnerState
from deltarule.network import Network, Parameters
from deltarule.optimizers import Optimizer
from deltarule.regularization import Regularization
from deltarule.spec import keywords_checked
from deltarule.training.checkpoints import Checkpoints
from deltarule.training.events import Callback
from deltarule.training.loop import Training
from deltarule.training.progress import Progress
from deltarule.training.result import Result
from deltarule.training.run import Metric, Order, Run
from deltarule.training.state import TrainingState
from deltarule.training.stopping import StoppingRule


@keywords_checked
def train(
    network: Network,
    X: Any,
    Y: Any = None,
    *,
    optimizer: Optimizer | str = "adam",
    epochs: int | None = None,
    batch_size: int | None = 32,
    validation: Any = None,
    weights: Any = None,
    regularization: Regularization | None = None,
    stopping: StoppingRule | None = None,
    metric: Metric | None = None,
    shuffle: bool | Order = True,
    averaging: float = 1.0,
    engine: str = "auto",
    options: EngineOptions | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    parameters: Parameters | None = None,
    state: RunnerState | TrainingState | None = None,
    statistics: bool = False,
    checkpoints: Checkpoints | None = None,
    callbacks: Sequence[Callback] = (),
    verbose: bool | None = None,
) -> Result:
    """Train a network: the same seed gives the same numbers.

    Parameters
    ----------
    network : Network
        The layers and the cost.
    X : array_like or sparse CSR matrix, shape (m, n[0]), or Blocks
        Examples as rows. A sparse matrix is made dense a batch at a time.
        :class:`~deltarule.Blocks` are read some at a time, for data larger than memory.
    Y : array_like, shape (m, n[L]), or (m,) for one output
        Targets; blocks bring their own. For a cost of classes also labels, shape ``(m,)``: whole
        numbers from 0, booleans or text, which the result predicts in turn.
    optimizer : str or Optimizer
        How parameters are updated: an optimizer, or a name of
        :data:`~deltarule.optimizers.OPTIMIZERS` with or without its rate (``"sgd(0.1)"``).
    epochs : int, optional
        Limit of epochs; 100 unless `stopping` says otherwise.
    batch_size : int or None
        Examples a step: 1 for single examples, None for all at once. The last batch of an epoch
        may be short.
    validation : float, tuple or None
        A share of the rows to hold out, or separate data: ``(X, Y)`` or ``(X, Y, weights)``.
        With it, the parameters of the best epoch are restored.
    weights : array_like, shape (m,), optional
        Of the examples.
    regularization : Regularization, optional
        Penalties, clipping and limits. Default: none.
    stopping : Stopping or another StoppingRule, optional
        *Converged?*
    metric : callable, optional
        Of targets and predictions, ``(m, n[L])`` each, to a metric of which more is better;
        it evaluates the validation data in place of the cost.
    shuffle : bool or function
        A new order every epoch, of blocks by :class:`~deltarule.BlockOrder`; or a function of the
        epoch, from 1, to the order of the rows.
    averaging : float
        Epochs that the parameters are averaged over, by a moving mean; 1 takes the newest as they
        are. The mean is what is evaluated after an epoch (validation, metric, gradient norm) and
        what the run gives; its steps do not use it, and an error carries the newest. Not with an
        optimizer that takes all data at once.
    engine : str
        ``"auto"`` or the name of an engine.
    options : EngineOptions, optional
        The device, how precisely it multiplies, how many threads it uses.
    dtype : dtype
        float32 or float64.
    seed : int
        Of initial parameters, order, dropout and held-out rows.
    parameters : Parameters, optional
        To begin from.
    state : RunnerState or TrainingState, optional
        What the optimizer resumes from, beside `parameters`: ``runner.state()`` of an earlier
        run; or all that ``Training.snapshot()`` gave, parameters included. A schedule resumes too,
        but one whose horizon is a run restarts.
    statistics : bool
        Whether each epoch's event carries gradient norms, update ratios and dead units.
    checkpoints : Checkpoints, optional
        Where the run is kept, so that it resumes after a crash as if there had been none. With
        it, Ctrl-C and SIGTERM finish the step, write a checkpoint and raise; a second one ends
        the process at once.
    callbacks : sequence of callables
        Each is called with every event and may answer with an action.
    verbose : bool, optional
        Whether progress is shown, on the error stream. Default: a bar on a terminal or in a
        notebook once the run has lasted two seconds, and nothing elsewhere.

    Returns
    -------
    Result

    Raises
    ------
    ShapeError, TypeMismatchError, DataError, SettingError
        For data or settings that cannot be.
    OutOfMemoryError
        Where this process has too little memory for it: with what takes how much.
    DivergenceError
        Where the cost stops being finite: with step, layer and advice.
    FileError
        Where a checkpoint cannot be written or read, or is of another plan or other data; where a
        block can no longer be read. The parameters are the error's, and in a checkpoint.
    InterruptionError
        Where a signal ended a run with checkpoints.

    Examples
    --------
    >>> import deltarule as dr
    >>> layers = [dr.Dense(8, "tanh"), dr.Dense(1, "sigmoid")]
    >>> network = dr.Network(2, layers, "binary_cross_entropy")
    >>> X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> result = dr.train(network, X, Y, optimizer=dr.Adam(0.05), epochs=300, batch_size=None)
    >>> result.predict(X).tolist()
    [0, 1, 1, 0]
    """
    run = Run.of(
        network,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        regularization=regularization,
        stopping=stopping,
        metric=metric,
        shuffle=shuffle,
        averaging=averaging,
        engine=engine,
        options=options,
        dtype=dtype,
        seed=seed,
        statistics=statistics,
    )
    training = Training(
        run,
        X,
        Y,
        weights=weights,
        validation=validation,
        parameters=parameters,
        state=state,
        checkpoints=checkpoints,
    )
    with Progress(verbose) as progress:
        return training.finish([*callbacks, progress] if progress.is_shown else callbacks)
