"""From task, rows and settings to a network and how it is trained: the defaults live here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deltarule.arrays import checked_number
from deltarule.costs import COSTS, Cost
from deltarule.engines import choose
from deltarule.engines.plan import Plan
from deltarule.errors import SettingError
from deltarule.layers import Dense, Layer, Scale
from deltarule.network import Network, Parameters
from deltarule.optimizers import OPTIMIZERS, Adam, Optimizer
from deltarule.regularization import Regularization
from deltarule.schedules import SCHEDULES, Schedule
from deltarule.tabular.members import averaged, in_members
from deltarule.tabular.quantiles import in_quantiles
from deltarule.tabular.settings import Settings
from deltarule.training import Run
from deltarule.training.stopping import Stopping

_BATCH_SIZES = ((1_000, 32), (4_000, 64), (10_000, 128))  # up to so many rows; then the largest
_LARGEST_BATCH = 256
_FEW_ROWS = 4_000
_STEPS = {  # about what a run of few, and of more rows may take,
    "regression": (2_500, 5_000),
    "classification": (1_500, 1_500),
}
_EPOCHS = {"regression": (16, 256), "classification": (32, 128)}  # within these limits,
_EXAMPLES = 8e6  # of very many rows, epochs times rows are at most this,
_FEWEST_EPOCHS = 4  # but this many epochs at least
_FAST = 0.6  # of these epochs with quality "fast",
_MANY_ROWS = 10_000  # from this number of rows on: fewer need all epochs
_HIDDEN = (128, 128, 128)
_RATE = 0.02  # peak, of a weight that one input has
_SCALE_RATE = 6.0  # times that, of the inputs' scales
_BIAS_RATE = 0.1
_BETA_2 = 0.95
_DROPOUT = 0.1
_DECAY = 0.1  # times the rate
_AVERAGED = 0.05  # of the epochs: what parameters are averaged over

_COSTS = {"regression": "mse", "two classes": "binary_cross_entropy"}
_OUTPUTS = {"regression": "identity", "two classes": "sigmoid", "classes": "softmax"}
_ACTIVATION = "gelu"


@dataclass(frozen=True)
class Recipe:
    """A network for a table, and the run that trains it.

    Attributes
    ----------
    run : Run
    single : Network
        What one member of the run's network is: the same, where there are none.
    pairs : tuple of (int, int)
        The columns that oblique features combine.
    start : Parameters, optional
        What an update starts from; drawn by the seed otherwise.
    is_shortened : bool
        Whether it has fewer epochs than usual, because of a time limit.
    quantiles : tuple of float
        The levels, where outputs are quantiles: then the run's network has a layer more.
    """

    run: Run
    single: Network
    pairs: tuple[tuple[int, int], ...] = ()
    start: Parameters | None = None
    is_shortened: bool = False
    quantiles: tuple[float, ...] = ()

    @property
    def network(self) -> Network:
        """What is trained."""
        return self.run.plan.network

    def predicting(self, parameters: Parameters) -> tuple[Network, Parameters]:
        """What predicts, of what is trained: the members' average; quantiles, not their pairs."""
        if self.network is self.single:
            return self.network, parameters
        if self.quantiles:
            return self.single, parameters[:-1]
        return averaged(self.network, self.single, parameters)

    def lines(self) -> list[str]:
        """The network, and how it is trained, for people."""
        network, single = self.network, self.single
        activations = [layer.g.name for layer in single.layers]
        members = 1 if self.quantiles else network.outputs // single.outputs
        together = "" if members == 1 else f", summed over {members} members"
        horizon = self.run.mean.horizon
        over = f", parameters averaged over {horizon:.1f} epochs" if horizon > 1 else ""
        shortened = ", fewer than usual to keep the time limit" if self.is_shortened else ""
        shared = "" if members == 1 else f"{members} members with shared weights, each "
        return [
            f"{shared}{'-'.join(map(str, single.sizes))} ({', '.join(activations)}), "
            f"{network.parameter_count:,} parameters, {single.cost_row.name}{together}",
            f"{_described(self.run.plan.optimizer_row)}, batches of {self.run.batch_size}, "
            f"at most {self.run.stopping.epochs} epochs{shortened}{over}",
        ]


def lines(recipes: Sequence[Recipe]) -> list[str]:
    """The networks of a fit, and how they are trained, for people: a line each.

    Examples
    --------
    >>> one = recipe(Settings(hidden=(8,)), "regression", 4, 1, 150)
    >>> other = recipe(Settings(hidden=(16,)), "regression", 4, 1, 150)
    >>> print(lines([one, other, one])[0])
    3 networks, averaged: 2 of 4-4-8-1 (identity, gelu, identity), 53 parameters, mse; 1 of 4-4-16-1
    (identity, gelu, identity), 101 parameters, mse
    """
    network, training = recipes[0].lines()
    if len(recipes) == 1:
        return [network, training]
    counts = Counter(own.lines()[0] for own in recipes)
    parts = "; ".join(f"{count} of {told}" for told, count in counts.items())
    return [f"{len(recipes)} networks, averaged: {parts}", training]


def recipe(
    settings: Settings,
    task: str,
    inputs: int,
    outputs: int,
    rows: int,
    embedding: Sequence[Layer] = (),
    pairs: tuple[tuple[int, int], ...] = (),
) -> Recipe:
    """The network for a number of columns and rows, and its training.

    Parameters
    ----------
    settings : Settings
        Whatever it leaves None is chosen here.
    task : str
        ``"classification"`` or ``"regression"``.
    inputs, outputs : int
        n[0] and n[L].
    rows : int
        To train on.
    embedding : sequence of Layer
        Of the columns, by :mod:`deltarule.tabular.embeddings`.
    pairs : tuple of (int, int)
        The columns that the embedding's oblique features combine.

    Raises
    ------
    SettingError, UnknownNameError
        For unknown names, or what does not go together.

    Examples
    --------
    >>> chosen = recipe(Settings(hidden=(32,)), "classification", 4, 3, 150)
    >>> print(chosen.lines()[0])
    4-4-32-3 (identity, gelu, softmax), 263 parameters, categorical_cross_entropy
    """
    case = task if task == "regression" else "two classes" if outputs == 1 else "classes"
    cost = COSTS(settings.cost or _COSTS.get(case, "categorical_cross_entropy"))
    width = Network(inputs, embedding).outputs if embedding else inputs
    last = Dense(outputs, _output(cost, case))
    learned = _learned(settings, settings.activation or _ACTIVATION, last, width)
    single = Network(inputs, [*embedding, *learned], cost)
    levels, network = settings.quantiles or (), single
    if levels:
        single, network = in_quantiles(single, levels)
    elif settings.n_members > 1:
        network = in_members(single, settings.n_members)
    return Recipe(run_of(settings, network, task, rows), single, pairs, quantiles=levels)


def run_of(settings: Settings, network: Network, task: str, rows: int) -> Run:
    """How a network is trained on a number of rows.

    Parameters
    ----------
    settings : Settings
    network : Network
    task : str
        ``"classification"`` or ``"regression"``.
    rows : int

    Examples
    --------
    >>> run_of(Settings(), Network(1, [Dense(1)]), "regression", 5_000).batch_size
    128
    """
    batch_size = batch_size_of(settings, rows)
    epochs = epochs_of(settings, task, rows)
    plan = Plan(
        network, optimizer_of(settings), _regularization(settings), settings.dtype, settings.seed
    )
    return Run(
        plan,
        min(batch_size, rows),
        Stopping(epochs=epochs, patience=settings.patience, on_divergence=settings.on_divergence),
        averaging=1.0 if settings.optimizer else max(1.0, _AVERAGED * epochs),
        engine=settings.engine,
        options=settings.options,
    )


def _learned(settings: Settings, activation: str, last: Dense, width: int) -> list[Layer]:
    """The layers that learn, after `width` units; the last of them is `last`.

    With the recipe's own optimizer they are RealMLP's: factors of the inputs, weights N(0, 1/n)
    whose rate falls with √n as if they were N(0, 1) over √n, and a last layer that begins at 0.
    """
    units = _HIDDEN if settings.hidden is None else settings.hidden
    dropout = dropout_of(settings)
    if settings.optimizer is not None or not units:
        hidden = [Dense(n, activation, dropout=dropout) for n in units]
        return [*hidden, last]
    layers: list[Layer] = [Scale(rate=_SCALE_RATE)]
    for n in units:
        layers.append(Dense(n, activation, dropout, "lecun_normal", "normal", **_rates(width)))
        width = n
    return [*layers, Dense(last.units, last.g, weights="zeros", **_rates(width))]


def dropout_of(settings: Settings) -> float:
    """The dropout rate of the hidden layers."""
    if settings.dropout is not None:
        return settings.dropout
    return 0.0 if optimizer_of(settings).full_batch else _DROPOUT


def _rates(width: int) -> dict[str, float]:
    """The rates of a layer after `width` units: of its weights, and on top of that its biases."""
    return {"rate": width**-0.5, "bias_rate": _BIAS_RATE * width**0.5}


def _output(cost: Cost, case: str) -> str:
    """The output activation: the one the cost is fused with where it fits, else the task's."""
    usual = _OUTPUTS[case]
    if cost.group > 1:
        raise SettingError(
            f"cost {cost.name} is of outputs before softmax, in groups; expected one of a table's "
            "target. For classes take categorical_cross_entropy."
        )
    if usual in cost.fused or not cost.fused:
        return usual
    return next(iter(cost.fused))


def batch_size_of(settings: Settings, rows: int) -> int:
    """The batch size."""
    if settings.batch_size is None:
        return next((size for limit, size in _BATCH_SIZES if rows <= limit), _LARGEST_BATCH)
    checked_number("Settings", "batch_size", settings.batch_size, low=1, whole=True)
    return settings.batch_size


def epochs_of(settings: Settings, task: str, rows: int) -> int:
    """How many epochs a training has at most."""
    if settings.epochs is not None:
        return settings.epochs
    low, high = _EPOCHS[task]
    low = max(min(low, int(_EXAMPLES / max(rows, 1))), _FEWEST_EPOCHS)
    steps = _STEPS[task][rows > _FEW_ROWS]
    epochs = min(max(steps * batch_size_of(settings, rows) // max(rows, 1), low), high)
    return round(_FAST * epochs) if settings.quality == "fast" and rows >= _MANY_ROWS else epochs


def optimizer_of(settings: Settings) -> Optimizer:
    """The optimizer with its rate and schedule; without a word, Adam on a cosine."""
    own = OPTIMIZERS(settings.optimizer) if settings.optimizer else Adam(_RATE, beta_2=_BETA_2)
    if own.full_batch:
        return own
    rate = own.schedule.rate if settings.learning_rate is None else settings.learning_rate
    return replace(own, learning_rate=_schedule(settings, rate))


def _schedule(settings: Settings, rate: float) -> Schedule:
    """The schedule by name; a rate in its brackets stands unless one is given beside it."""
    name = settings.schedule or "cosine"
    found = SCHEDULES(name)
    if "(" in name and settings.learning_rate is None:
        return found
    return replace(found, rate=rate)


def _regularization(settings: Settings) -> Regularization:
    decay = settings.weight_decay
    if decay is None:
        decay = 0.0 if settings.optimizer else _DECAY
    members, clip_norm = settings.n_members, settings.clip_norm  # their costs are added up
    return Regularization(
        l1=members * settings.l1,
        l2=members * settings.l2,
        decay=decay,
        clip_norm=None if clip_norm is None else members * clip_norm,
        label_smoothing=settings.label_smoothing or 0.0,
    )


def _described(optimizer: Optimizer) -> str:
    if optimizer.full_batch:
        return type(optimizer).__name__
    rate = optimizer.schedule
    return f"{type(optimizer).__name__}, learning rate {rate.rate:g} ({type(rate).__name__})"


def check(settings: Settings) -> None:
    """Refuse settings that no table could make good, before any table is read.

    Raises
    ------
    SettingError, UnknownNameError
        As :func:`recipe`.
    """
    if settings.cost is not None:
        COSTS(settings.cost)
    if settings.task not in (None, "classification", "regression"):
        raise SettingError(f"task must be 'classification' or 'regression'; got {settings.task!r}.")
    for task, outputs in (("regression", 1), ("classification", 1), ("classification", 3)):
        run = recipe(replace(settings, cost=None), task, 2, outputs, 100).run
        choose(run.plan, run.engine, run.options)
