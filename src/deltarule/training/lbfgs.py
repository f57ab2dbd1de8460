"""All the data at once: L-BFGS drives cost and gradients, and each iteration is an epoch."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np

from deltarule.engines.plan import Runner
from deltarule.network import Parameters
from deltarule.optimizers import LBFGS
from deltarule.training.examples import Examples


class Search:
    """One search for the least cost.

    SciPy works in a thread, so that its iterations are events as they happen. It asks for costs and
    gradients, which are computed in the caller's thread: there Ctrl-C interrupts them.

    Parameters
    ----------
    optimizer : LBFGS
    runner : Runner
        What computes cost and gradients; its parameters are the start.
    data : Examples
    iterations : int
        The maximum number of iterations.

    Attributes
    ----------
    why : str
        In SciPy's words why it ended, once it has.
    """

    def __init__(self, optimizer: LBFGS, runner: Runner, data: Examples, iterations: int) -> None:
        self._optimizer, self._runner, self._data = optimizer, runner, data
        self._most = iterations
        self.why = ""

    def iterations(self, over: Callable[[], bool]) -> Generator[None]:
        """Yield after each iteration, at least once; the runner then holds its parameters.

        Parameters
        ----------
        over : function
            To whether to end after an iteration.
        """
        import queue  # with threads, a share of the package's import time; only this needs them
        from concurrent.futures import ThreadPoolExecutor

        from deltarule.system.threads import submitted

        template, count = self._runner.parameters(), 0
        questions: queue.SimpleQueue[tuple[bool, np.ndarray] | None] = queue.SimpleQueue()
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def ask(iterated: bool, vector: np.ndarray) -> Any:
            questions.put((iterated, vector.copy()))
            if (answer := answers.get()) is None:
                raise StopIteration
            return answer

        with ThreadPoolExecutor(1) as pool:
            work = submitted(
                pool,
                lambda: self._optimizer.minimise(
                    partial(ask, False), _flattened(template), self._most, partial(ask, True)
                ),
            )
            work.add_done_callback(lambda _: questions.put(None))
            try:
                while (question := questions.get()) is not None:
                    iterated, vector = question
                    self._runner.set_parameters(_unflattened(vector, template))
                    if iterated:
                        count += 1
                        yield
                    answers.put(self._answer() if not iterated else None if over() else True)
            finally:
                answers.put(None)  # also where whoever listens has left
            last, self.why = work.result()
        self._runner.set_parameters(_unflattened(last, template))
        if not count:
            yield

    def _answer(self) -> tuple[float, np.ndarray]:
        """Cost and gradient of the runner's parameters."""
        return self._runner.cost(*self._data), _flattened(self._runner.gradients(*self._data))


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
