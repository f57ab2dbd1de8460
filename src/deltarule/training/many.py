"""Many networks of one shape, trained at once: one network per thread, or all in one program.

Members of an ensemble, folds of a cross validation, learning rates to compare: each member is
what :func:`~deltarule.training.train` makes of its seed, rate and rows, and costs far less.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deltarule.engines import choose, native
from deltarule.engines.footprint import check_memory
from deltarule.engines.plan import EngineOptions
from deltarule.errors import SettingError, ShapeError
from deltarule.network import Network, Parameters
from deltarule.optimizers import OPTIMIZERS, Optimizer
from deltarule.registry import Registry
from deltarule.regularization import Regularization
from deltarule.rng import checked_seed, generator
from deltarule.spec import keywords_checked
from deltarule.training.examples import Examples, checked_examples, data_memory
from deltarule.training.member_costs import MemberCosts
from deltarule.training.members import Many
from deltarule.training.predictions import Labels
from deltarule.training.run import Order, Run

_MANY: Registry[str] = Registry(
    "engine for many networks",
    str,
    {"native": "deltarule.engines.native.many", "jax": "deltarule.engines.jax.many"},
)


@keywords_checked
def train_many(
    network: Network | Run,
    X: Any,
    Y: Any,
    *,
    seeds: int | Sequence[int] = 0,
    learning_rates: Sequence[Any] | None = None,
    rows: Sequence[Any] | None = None,
    validation: Sequence[Any] | None = None,
    parameters: Sequence[Parameters] | None = None,
    optimizer: Optimizer | str = "adam",
    epochs: int = 100,
    batch_size: int | None = 32,
    weights: Any = None,
    regularization: Regularization | None = None,
    shuffle: bool | Sequence[Order] = True,
    engine: str = "auto",
    options: EngineOptions | None = None,
    dtype: Any = "float32",
) -> Many:
    """Train many networks of one shape at once.

    What has one entry a member says how many there are; the rest they share.

    Parameters
    ----------
    network : Network or Run
        A run brings its own optimizer, epochs, batch size, regularization, engine and dtype.
    X, Y : array_like, shapes (m, n[0]) and (m, n[L])
        As :func:`~deltarule.training.train` takes them; or one such table a member, stacked:
        ``(members, m, n[0])`` and ``(members, m, n[L])``.
    seeds : int or sequence of int
        Of initial parameters, order and dropout.
    learning_rates : sequence, optional
        Numbers or schedules, in place of the optimizer's.
    rows : sequence of int arrays, optional
        The rows that each member learns from: folds, bootstrap samples, the rows of a key.
    validation : sequence of int arrays, optional
        The rows that each member is evaluated on after every epoch; it keeps the parameters of its
        best.
    parameters : sequence of Parameters, optional
        To begin from, in place of the initializers'.
    optimizer : str or Optimizer
        A name of :data:`~deltarule.optimizers.OPTIMIZERS`, or an optimizer that steps by batches.
    epochs : int
        Number of epochs.
    batch_size : int or None
        None for all of a member's rows at once.
    weights : array_like, shape (m,), optional
        Of the examples, or ``(members, m)`` where data is stacked.
    regularization : Regularization, optional
        Penalties, clipping and limits. Default: none.
    shuffle : bool or sequence of callables
        Or for each member a function from the epoch to the order of its rows, as ``train``
        takes one.
    engine : str
        ``"native"``: one network per thread, each bit for bit what ``train`` makes of it;
        ``"jax"``: all in one program; ``"auto"``: native where it covers the plan, else jax.
    options : EngineOptions, optional
        The device, how precisely it multiplies, how many threads it uses.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Many

    Raises
    ------
    SettingError
        Where numbers of members disagree, or the optimizer does not step.
    ShapeError, TypeMismatchError, DataError, OutOfMemoryError
        As :func:`~deltarule.training.train`.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> rates = [1e-3, 1e-2, 1e-1]
    >>> many = dr.train_many(network, X, 2 * X, learning_rates=rates, optimizer="sgd", epochs=9)
    >>> many.stacked[0]["W"].shape, int(many.costs[:, -1].argmin())
    ((3, 1, 1), 2)
    """
    if isinstance(network, Run):
        run = network
    else:
        run = Run.of(
            network,
            optimizer=_stepping(optimizer),
            epochs=epochs,
            batch_size=batch_size,
            regularization=regularization,
            engine=engine,
            options=options,
            dtype=dtype,
        )
    _stepping(run.plan.optimizer_row)
    per_member = {
        "seeds": seeds if isinstance(seeds, Sequence) else None,
        "learning_rates": learning_rates,
        "rows": rows,
        "validation": validation,
        "parameters": parameters,
        "shuffle": None if isinstance(shuffle, bool) else shuffle,
        "X": X if np.ndim(X) == 3 else None,
    }
    count = _members(per_member)
    labels = Labels.of(run.plan.network, Y)
    Y = Y if labels is None else labels.codes(Y)
    data = _data(run, X, Y, weights, count)
    m = data.X.shape[-2]
    own_seeds = list(seeds) if isinstance(seeds, Sequence) else [seeds] * count
    own_rows = _rows_of("rows", rows, m) if rows else [np.arange(m)] * count
    held = None if validation is None else _held(data, _rows_of("validation", validation, m))
    batch = _batch_rows(run, own_rows)
    for seed in own_seeds:
        checked_seed("train_many", seed)
    starts = parameters or [
        run.plan.network.initial_parameters(seed, run.plan.dtype) for seed in own_seeds
    ]
    rates = _Rates(run, learning_rates, [-(-len(own) // batch) for own in own_rows])
    runner = _runner(run, starts, own_seeds)
    orders = _orders(shuffle, own_rows, own_seeds, batch)
    return _trained(run, runner, data, held, own_rows, orders, rates, batch, labels)


def _stepping(optimizer: Optimizer | str) -> Optimizer:
    """An optimizer that steps: one that takes all data at once drives one network."""
    row = OPTIMIZERS(optimizer)
    if row.full_batch:
        raise SettingError(
            f"train_many: {type(row).__name__} drives one network; choose an optimizer that steps."
        )
    return row


def _trained(
    run: Run,
    runner: Any,
    data: Examples,
    held: list[Examples] | None,
    rows: Sequence[np.ndarray],
    orders_of: Sequence[Order | None],
    rates: _Rates,
    batch: int,
    labels: Labels | None,
) -> Many:
    """The members after all epochs; with validation rows each as at its best."""
    epochs, placed = run.stopping.epochs, runner.placed(data)
    costs, evaluated = np.empty((len(rows), epochs)), np.full((len(rows), epochs), np.nan)
    means = MemberCosts(data, rates.steps, batch)
    for epoch in range(epochs):
        orders = [
            own if order is None else own[order(epoch + 1)]
            for own, order in zip(rows, orders_of, strict=True)
        ]
        found = runner.train(placed, orders, batch, rates.of(epoch), epoch)
        costs[:, epoch] = means.of(found, orders)
        if held is not None:
            own = np.where(runner.diverged, np.nan, runner.evaluate(held))
            evaluated[:, epoch] = own
            runner.keep(own < np.fmin.reduce(evaluated[:, :epoch], axis=1, initial=np.inf))
    if held is not None:
        runner.restore()
    known = None if held is None else evaluated
    parameters = runner.parameters()
    return Many(
        *(run.plan.network, parameters, costs, runner.diverged, known, runner),
        _steps=tuple(rates.steps),
        labels=labels,
    )


def _data(run: Run, X: Any, Y: Any, weights: Any, members: int) -> Examples:
    """Checked data, once memory is known to hold it and the members."""
    plan, stacked = run.plan, np.ndim(X) == 3
    height, copies = data_memory(plan.network, X, Y, plan.dtype, splits=stacked)
    check_memory(
        *(plan.network, plan.optimizer_row, plan.dtype, run.engine, run.options),
        batch_size=run.batch_rows(height),
        data=copies,
        copies=1,
        networks=members,
    )
    return _checked(plan.network, X, Y, weights, plan.dtype, members if stacked else None)


def _batch_rows(run: Run, rows: Sequence[np.ndarray]) -> int:
    """How many rows every member's batches have."""
    least = min(map(len, rows))
    if run.batch_size is None and any(len(own) != least for own in rows):
        raise SettingError("train_many: batch_size=None needs as many rows of every member.")
    return run.batch_rows(max(map(len, rows)))


class _Rates:
    """Every member's learning rates: a schedule for each rate and number of steps.

    Parameters
    ----------
    run : Run
    rates : sequence or None
        Each member's own.
    steps : sequence of int
        Each member's, per epoch.
    """

    def __init__(self, run: Run, rates: Sequence[Any] | None, steps: Sequence[int]) -> None:
        row, epochs = run.plan.optimizer_row, run.stopping.epochs
        self.steps = steps
        self._keys = [(0 if rates is None else k, count) for k, count in enumerate(steps)]
        self._schedules = {
            (k, count): replace(row, learning_rate=row.learning_rate if rates is None else rates[k])
            .bound(count * epochs)
            .schedule
            for k, count in set(self._keys)
        }

    def of(self, epoch: int) -> list[np.ndarray]:
        """Each member's rates in an epoch, from 0."""
        found = {
            (k, count): schedule(epoch * count + np.arange(count))
            for (k, count), schedule in self._schedules.items()
        }
        return [found[key] for key in self._keys]


def _runner(run: Run, starts: Sequence[Parameters], seeds: Sequence[int]) -> Any:
    """The members on an engine that trains many."""
    engine = run.engine
    if engine == "auto":
        engine = "native" if native.refusal(run.plan, run.options) is None else "jax"
    module = str(_MANY.entry(engine))
    choose(run.plan, engine, run.options)
    return importlib.import_module(module).ManyRunner(run.plan, starts, seeds, run.options)


def _members(given: dict[str, Any]) -> int:
    """How many members there are, by whatever has one entry for each."""
    counts = {name: len(values) for name, values in given.items() if values is not None}
    if not counts:
        raise SettingError(
            "train_many: the members do not differ; expected a sequence of seeds, "
            "learning_rates, rows or parameters, or stacked data."
        )
    if len(set(counts.values())) > 1 or 0 in counts.values():
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise SettingError(f"train_many: expected one number of members throughout; got {told}.")
    return next(iter(counts.values()))


def _checked(
    network: Network, X: Any, Y: Any, weights: Any, dtype: np.dtype[Any], members: int | None
) -> Examples:
    if members is None:
        return checked_examples(network, X, Y, weights, dtype)
    if np.ndim(Y) < 2 or len(Y) != members or (weights is not None and len(weights) != members):
        raise ShapeError(f"train_many: expected X, Y and weights of {members} members each.")
    own = [
        checked_examples(network, X[k], Y[k], None if weights is None else weights[k], dtype)
        for k in range(members)
    ]
    stacks = (None if arrays[0] is None else np.stack(arrays) for arrays in zip(*own, strict=True))
    return Examples(*stacks)


def _rows_of(name: str, rows: Sequence[Any], m: int) -> list[np.ndarray]:
    """Row numbers of every member, checked."""
    found = [np.asarray(own) for own in rows]
    for own in found:
        if own.ndim != 1 or len(own) == 0 or own.dtype.kind not in "iu":
            raise ShapeError(f"train_many: {name}: expected a vector of row numbers a member.")
        if own.min() < 0 or own.max() >= m:
            raise ShapeError(f"train_many: {name}: expected row numbers 0 to {m - 1}.")
    return found


def _held(data: Examples, rows: Sequence[np.ndarray]) -> list[Examples]:
    """Every member's validation examples."""
    if data.Y.ndim == 2:
        return [data.take(own) for own in rows]
    X, Y, weights = data
    assert isinstance(X, np.ndarray)  # stacked
    return [
        Examples(X[k][own], Y[k][own], None if weights is None else weights[k][own])
        for k, own in enumerate(rows)
    ]


def _orders(
    shuffle: bool | Sequence[Order], rows: Sequence[np.ndarray], seeds: Sequence[int], batch: int
) -> list[Order | None]:
    """Of every member the order of an epoch, None for that of its rows: as a separate run has."""

    def drawn(m: int, seed: int) -> Order:
        return lambda epoch: generator(seed, "order", epoch).permutation(m)

    if isinstance(shuffle, bool):
        draws = [drawn(len(own), seed) for own, seed in zip(rows, seeds, strict=True)]
    else:
        draws = list(shuffle)
    return [
        draw if shuffle and len(own) > batch else None
        for own, draw in zip(rows, draws, strict=True)
    ]
