"""Speed on this machine: workloads, steps of an epoch, single calls; without any peer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from deltarule.arrays import Array
from deltarule.engines import choose, start
from deltarule.engines.native import cores, fma_peak
from deltarule.engines.plan import EngineOptions, Plan
from deltarule.layers import Dense
from deltarule.network import Network
from deltarule.optimizers import Adam, GradientDescent, Optimizer


@dataclass(frozen=True)
class Workload:
    """One row: a network, its data, how it is trained.

    Parameters
    ----------
    name : str
    sizes : tuple of int
        Inputs, then the units of every layer.
    hidden, output : str
        Activations; a softmax output has classes as targets.
    batch : int
    cost, optimizer : str
        The optimizer is ``"adam"`` or ``"sgd"``.
    rows : int
        Examples of the data.
    steps : int
        What a round of a fast engine runs: some tenths of a second.

    Examples
    --------
    >>> print(WORKLOADS["X"])
    4-16-16-1 tanh, batch 16, mse, adam
    >>> WORKLOADS["X"].flop
    30208
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    output: str
    batch: int
    cost: str
    optimizer: str
    rows: int
    steps: int

    @property
    def network(self) -> Network:
        """The network."""
        *widths, last = self.sizes[1:]
        layers = [Dense(n, self.hidden) for n in widths]
        return Network(self.sizes[0], [*layers, Dense(last, self.output)], self.cost)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return 1e-3 if self.optimizer == "adam" else 1e-2

    @property
    def rule(self) -> Optimizer:
        """The optimizer."""
        return Adam(self.rate) if self.optimizer == "adam" else GradientDescent(self.rate)

    @property
    def classes(self) -> bool:
        """Whether its targets are classes."""
        return self.output == "softmax"

    @property
    def flop(self) -> int:
        """Floating-point operations of a step's products: Eq. 1a, 11b, and 11d but of layer 1."""
        products = [a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True)]
        return 2 * self.batch * (2 * sum(products) + sum(products[1:]))

    def data(self, dtype: str = "float32") -> tuple[Array, Array]:
        """Read-only rows: noise, with targets a network could learn something of."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.sizes[0]), dtype=np.float32).astype(dtype)
        if self.classes:
            Y = np.eye(self.sizes[-1], dtype=dtype)[rng.integers(0, self.sizes[-1], self.rows)]
        else:
            Y = (0.5 + 0.4 * np.tanh(X[:, : self.sizes[-1]])).astype(dtype)
        for array in (X, Y):
            array.flags.writeable = False
        return X, Y

    def order(self, rng: np.random.Generator, steps: int) -> Array:
        """Row numbers of a number of steps: fresh permutations, one after another."""
        needed = steps * self.batch
        turns = -(-needed // self.rows)
        return np.concatenate([rng.permutation(self.rows) for _ in range(turns)])[:needed]

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes} {self.hidden}, batch {self.batch}, {self.cost}, {self.optimizer}"


CCE = "categorical_cross_entropy"

WORKLOADS = {
    row.name: row
    for row in (
        Workload("X", (4, 16, 16, 1), "tanh", "identity", 16, "mse", "adam", 4096, 4096),
        Workload("F", (4, 32, 16, 4), "tanh", "identity", 10000, "mse", "adam", 10000, 128),
        Workload("S", (784, 30, 10), "sigmoid", "sigmoid", 10, "mse", "sgd", 20000, 2048),
        Workload("T", (20, 64, 64, 1), "relu", "identity", 32, "mse", "adam", 20000, 2048),
        Workload("R", (8, 64, 64, 4), "relu", "identity", 64, "mse", "adam", 20000, 1024),
        Workload("M", (784, 256, 128, 10), "relu", "softmax", 128, CCE, "adam", 20000, 64),
        Workload("H", (28, *[300] * 5, 1), "tanh", "identity", 100, "mse", "sgd", 20000, 64),
        Workload("L", (784, 1024, 1024, 10), "relu", "softmax", 512, CCE, "adam", 20000, 6),
    )
}
"""Networks from tiny to large, by the letters their figures go by. F takes all rows at once, the
ground of SimpleChains.jl."""


class StepTime(NamedTuple):
    """What a step of a workload takes.

    Attributes
    ----------
    workload : Workload
    engine : str
    median_us, low_us, high_us : float
        Microseconds: the median over rounds, and the quartiles.
    flop_per_second : float
        At the median.
    threads : int
        How many it kept busy: processor time by time.
    peak : float or None
        Peak floating-point operations per second of these threads in fmas, measured right after;
        None without the compiled core.
    """

    workload: Workload
    engine: str
    median_us: float
    low_us: float
    high_us: float
    flop_per_second: float
    threads: int
    peak: float | None

    @property
    def share(self) -> float | None:
        """The share of `peak`."""
        return None if self.peak is None else self.flop_per_second / self.peak


class CallTime(NamedTuple):
    """What a single call from Python takes.

    Attributes
    ----------
    name : str
    rows : int
    p50_us, p999_us : float
        Microseconds: the median, and what one call in a thousand exceeds.
    calls : int
        How many were timed.
    """

    name: str
    rows: int
    p50_us: float
    p999_us: float
    calls: int


def training_run(
    workload: Workload, steps: int, engine: str = "auto", options: EngineOptions | None = None
) -> Callable[[], None]:
    """What trains a workload for a number of steps each time it is called, on fresh permutations.

    Examples
    --------
    >>> run = training_run(WORKLOADS["X"], 3)
    >>> run(), run()
    (None, None)
    """
    runner = start(workload.network, optimizer=workload.rule, engine=engine, options=options)
    X, Y = workload.data()
    rng, rates = np.random.default_rng(1), np.full(steps, workload.rate)

    def run() -> None:
        runner.train(X, Y, workload.order(rng, steps), workload.batch, rates)

    return run


def step_time(
    workload: Workload,
    engine: str = "auto",
    options: EngineOptions | None = None,
    rounds: int = 5,
    seconds: float = 0.3,
) -> StepTime:
    """Train a workload for some rounds of about `seconds`, each on a fresh permutation.

    Examples
    --------
    >>> found = step_time(WORKLOADS["X"], rounds=2, seconds=0.01)
    >>> found.low_us <= found.median_us <= found.high_us
    True
    """
    chosen = choose(Plan(workload.network, workload.rule), engine, options or EngineOptions()).name
    probe = 2
    run = training_run(workload, probe, chosen, options)
    run()  # memory is touched, programs are compiled
    each = min(_timed(run) for _ in range(3)) / probe
    steps = max(1, int(seconds / each))
    run = training_run(workload, steps, chosen, options)
    run()
    times: list[float] = []
    threads = threads_used(lambda: times.extend(_timed(run) / steps for _ in range(rounds)))
    peaks = (fma_peak(threads, min(0.1, seconds)) for _ in range(rounds))
    low, median, high = (float(us) for us in np.percentile(times, [25, 50, 75]) * 1e6)
    rate = workload.flop / median * 1e6
    peak = max(peaks) if chosen == "native" else None
    return StepTime(workload, chosen, median, low, high, rate, threads, peak)


def threads_used(run: Callable[[], Any]) -> int:
    """How many threads something keeps busy: processor time by time, the median of five runs.

    Examples
    --------
    >>> threads_used(lambda: sum(range(100_000)))
    1
    """
    busy = []
    for _ in range(5):
        begun = time.process_time()
        seconds = _timed(run)
        busy.append((time.process_time() - begun) / seconds)
    return min(max(1, round(float(np.median(busy)))), cores())


def call_times(
    engine: str = "auto", options: EngineOptions | None = None, calls: int = 20_000
) -> Iterator[CallTime]:
    """Single calls on workload R's network, 8-64-64-4, in float32, as a control loop makes them.

    Examples
    --------
    >>> [found.name for found in call_times(calls=10) if found.rows == 1]
    ['predict_into', 'jacobian', 'step, SGD', 'step, Adam']
    """
    row = WORKLOADS["R"]
    X, Y = row.data()
    for name, rows, optimizer in CALLS:
        own = replace(row, optimizer=optimizer)
        runner = start(own.network, optimizer=own.rule, engine=engine, options=options)
        x, y = X[:rows].copy(), Y[:rows].copy()
        times = latencies(_call(name, runner, x, y), max(10, calls // rows))
        p50, p999 = np.percentile(times, [50, 99.9]) * 1e6
        yield CallTime(name, rows, float(p50), float(p999), len(times))


CALLS = (
    *(("predict_into", 1, "sgd"), ("jacobian", 1, "sgd")),
    *(("step, SGD", 1, "sgd"), ("step, Adam", 1, "adam")),
    *(("predict_into", 32, "sgd"), ("step, Adam", 32, "adam"), ("predict_into", 5000, "sgd")),
)
"""Single calls: their name, rows and optimizer."""


def latencies(call: Callable[[], Any], calls: int) -> Array:
    """Seconds of each of a number of calls, after up to a hundred that are not timed."""
    for _ in range(min(calls, 100)):
        call()
    return np.array([_timed(call) for _ in range(calls)])


def _call(name: str, runner: Any, x: Array, y: Array) -> Callable[[], Any]:
    out = np.empty_like(y)
    return {
        "predict_into": lambda: runner.predict_into(x, out),
        "jacobian": lambda: runner.jacobian(x),
        "step": lambda: runner.step(x, y),
    }[name.partition(",")[0]]


def _timed(run: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
