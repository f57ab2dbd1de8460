"""All the data at once: L-BFGS drives cost and gradients, and each iteration is an epoch."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from deltarule.engines.plan import Runner
from deltarule.network import Parameters
from deltarule.optimizers import LBFGS
from deltarule.training.examples import Examples


def minimising(
    optimizer: LBFGS, runner: Runner, data: Examples, iterations: int
) -> Generator[Parameters, bool, tuple[Parameters, str]]:
    """The parameters after each iteration; whoever listens sends back whether to go on.

    SciPy works in a thread, so that its iterations are events as they happen.

    Parameters
    ----------
    optimizer : LBFGS
    runner : Runner
        What computes cost and gradients; its parameters are where it begins.
    data : Examples
    iterations : int
        At most so many.

    Returns
    -------
    tuple
        The last parameters, and in SciPy's words why it ended.
    """
    import queue  # with threads, a share of the package's import time; only this needs them
    from concurrent.futures import ThreadPoolExecutor

    from deltarule.threads import submitted

    template = runner.parameters()
    iterates: queue.Queue[np.ndarray | None] = queue.Queue()
    go_on: queue.Queue[bool] = queue.Queue()

    def cost_and_gradient(vector: np.ndarray) -> tuple[float, np.ndarray]:
        runner.set_parameters(_unflattened(vector, template))
        return runner.cost(*data), _flattened(runner.gradients(*data))

    def after_each(vector: np.ndarray) -> None:
        iterates.put(vector.copy())
        if not go_on.get():
            raise StopIteration

    with ThreadPoolExecutor(1) as pool:
        work = submitted(
            pool,
            lambda: optimizer.minimise(
                cost_and_gradient, _flattened(template), iterations, after_each
            ),
        )
        work.add_done_callback(lambda _: iterates.put(None))
        try:
            while (vector := iterates.get()) is not None:
                go_on.put((yield _unflattened(vector, template)))
        finally:
            go_on.put(False)  # also where whoever listens has left
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
