"""All the data at once: L-BFGS drives cost and gradients, and each iteration is an epoch."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np

from deltarule.engines.plan import Runner
from deltarule.network import Parameters
from deltarule.optimizers import LBFGS
from deltarule.training.examples import Examples


def minimising(
    optimizer: LBFGS, runner: Runner, data: Examples, iterations: int
) -> Generator[Parameters, bool, tuple[Parameters, str]]:
    """The parameters after each iteration; whoever listens sends back whether to continue.

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

    Returns
    -------
    tuple
        The last parameters, and in SciPy's words why it ended.
    """
    import queue  # with threads, a share of the package's import time; only this needs them
    from concurrent.futures import ThreadPoolExecutor

    from deltarule.system.threads import submitted

    template = runner.parameters()
    questions: queue.SimpleQueue[tuple[bool, np.ndarray] | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask(iterated: bool, vector: np.ndarray) -> Any:
        questions.put((iterated, vector.copy()))
        if (answer := answers.get()) is None:
            raise StopIteration
        return answer

    def cost_and_gradient(parameters: Parameters) -> tuple[float, np.ndarray]:
        runner.set_parameters(parameters)
        return runner.cost(*data), _flattened(runner.gradients(*data))

    with ThreadPoolExecutor(1) as pool:
        work = submitted(
            pool,
            lambda: optimizer.minimise(
                partial(ask, False), _flattened(template), iterations, partial(ask, True)
            ),
        )
        work.add_done_callback(lambda _: questions.put(None))
        try:
            while (question := questions.get()) is not None:
                iterated, vector = question
                parameters = _unflattened(vector, template)
                if not iterated:
                    answers.put(cost_and_gradient(parameters))
                else:
                    answers.put((yield parameters) or None)
        finally:
            answers.put(None)  # also where whoever listens has left
        last, why = work.result()
    return _unflattened(last, template), why


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
