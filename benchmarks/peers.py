"""The peers: each trains a workload for some steps, gathering a fresh permutation. One row each.

A peer is a function of a workload, a device and the number of steps of a round to a callable
that runs them and returns when they are done. It draws its own order inside: that is timed.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import deltarule as dr
from deltarule.engines.benchmark import training_run


@dataclass(frozen=True)
class Peer:
    """One row: ``share`` of a workload's steps it runs a round; slow ones run fewer.

    Of peers of one ``family`` a table shows the fastest, workload by workload.
    """

    name: str
    make: Any
    share: float = 1.0
    family: str = ""


def deltarule_on(engine, **options):
    """An engine of this package."""

    def make(workload, device, steps):
        return training_run(workload, steps, engine, dr.EngineOptions(device=device, **options))

    return make


def jax_grad(workload, device, steps, precision="highest", half=False):
    """What one would write in JAX: a jitted scan of jax.grad and optax over the same data."""
    import jax
    import jax.numpy as jnp
    import optax

    place = jax.devices(device)[0]
    act = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[workload.hidden]
    tx = (optax.adam if workload.optimizer == "adam" else optax.sgd)(workload.rate)
    X, Y = (jax.device_put(a, place) for a in workload.data())
    initial = workload.network.initial_parameters(0)
    parameters = [jax.device_put((p["W"].T, p["b"][:, 0]), place) for p in initial]

    def loss(parameters, x, y):
        if half:
            parameters, x = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (parameters, x))
        for W, b in parameters[:-1]:
            x = act(x @ W + b)
        W, b = parameters[-1]
        z = (x @ W + b).astype(jnp.float32)
        if workload.classes:
            return optax.softmax_cross_entropy(z, y).mean()
        return (((jax.nn.sigmoid(z) if workload.output == "sigmoid" else z) - y) ** 2).sum(1).mean()

    def epoch(parameters, state, X, Y, order):
        def step(carry, rows):
            parameters, state = carry
            cost, gradients = jax.value_and_grad(loss)(parameters, X[rows], Y[rows])
            updates, state = tx.update(gradients, state, parameters)
            return (optax.apply_updates(parameters, updates), state), cost

        (parameters, state), costs = jax.lax.scan(step, (parameters, state), order)
        return parameters, state, costs

    compiled = jax.jit(epoch, donate_argnums=(0, 1))
    carry, rng = [parameters, tx.init(parameters)], np.random.default_rng(1)

    def run():
        order = workload.order(rng, steps).reshape(steps, workload.batch).astype(np.int32)
        with jax.default_matmul_precision(precision):
            *carry[:], costs = compiled(*carry, X, Y, order)
        np.asarray(costs)

    return run


def scikit_learn(workload, device, steps):
    """MLPRegressor or MLPClassifier, one epoch over as many rows; its outputs are linear."""
    import warnings

    from sklearn.neural_network import MLPClassifier, MLPRegressor

    X, Y = workload.data()
    rows = np.resize(np.arange(len(X)), steps * workload.batch)
    X, Y = X[rows], Y[rows].argmax(1) if workload.classes else Y[rows].squeeze()
    hidden = {"sigmoid": "logistic"}.get(workload.hidden, workload.hidden)
    model = (MLPClassifier if workload.classes else MLPRegressor)(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=hidden,
        solver=workload.optimizer,
        momentum=0.0,
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=workload.rate,
        max_iter=1,
        warm_start=True,
    )

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one epoch is not convergence: so it is meant
            model.fit(X, Y)

    return run


def pytorch(workload, device, steps, compiled=False, half=False, threads=None):
    """An eager loop with a fused optimizer; or its passes compiled, on a GPU with CUDA graphs."""
    import torch
    from torch import nn

    place = {"gpu": "cuda"}.get(device, device)
    kinds = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    layers = []
    for n_prev, n in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        layers += [nn.Linear(n_prev, n), kinds[workload.hidden]()]
    layers[-1:] = [nn.Sigmoid()] if workload.output == "sigmoid" else []
    model = nn.Sequential(*layers).to(place)
    rule = torch.optim.Adam if workload.optimizer == "adam" else torch.optim.SGD
    optimizer = rule(model.parameters(), lr=workload.rate, fused=True)
    X, Y = (torch.tensor(a, device=place) for a in workload.data())
    rng = np.random.default_rng(1)

    def cost_of(x, y):
        with torch.autocast(place, torch.bfloat16, enabled=half):
            z = model(x)
        z = z.float()
        if workload.classes:
            return nn.functional.cross_entropy(z, y)
        return ((z - y) ** 2).sum(1).mean()

    on_gpu = place == "cuda"
    if compiled:  # the forward and the backward pass; on a GPU each as one CUDA graph
        torch.compiler.reset()  # it counts compilations over all networks, and then gives up
        cost_of = torch.compile(cost_of, mode="reduce-overhead" if on_gpu else "default")

    def run():
        if threads is not None:
            torch.set_num_threads(threads)  # of the process: whoever runs next sets its own
        order = torch.from_numpy(workload.order(rng, steps)).to(place)
        for rows in order.split(workload.batch):
            if compiled and on_gpu:
                torch.compiler.cudagraph_mark_step_begin()
            cost = cost_of(X[rows], Y[rows])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        cost.item()  # wait for the device

    return run


def torch_rows(half=False):
    """Eager and compiled, on one thread and on two: what a user might try."""
    for compiled in (False, True):
        for threads in (1, 2):
            name = f"PyTorch {'compiled' if compiled else 'eager'}, {threads} thread"
            make = partial(pytorch, compiled=compiled, threads=threads, half=half)
            yield Peer(name + "s" * (threads > 1), make, 0.125, "PyTorch")


PEERS = {
    row.name: row
    for row in (
        Peer("deltarule native", deltarule_on("native"), share=4.0),
        Peer("deltarule jax", deltarule_on("jax")),
        Peer("jax.grad + optax", jax_grad),
        *torch_rows(),
        Peer("scikit-learn", scikit_learn, share=0.125),
        Peer("deltarule reference", deltarule_on("reference"), share=0.125),
    )
}

BFLOAT16 = {
    row.name: row
    for row in (
        Peer("deltarule native", deltarule_on("native", mixed=True), share=4.0),
        Peer("deltarule native, float32", deltarule_on("native"), share=4.0),
        Peer("deltarule jax", deltarule_on("jax", mixed=True)),
        Peer("jax.grad + optax", partial(jax_grad, half=True)),
        *torch_rows(half=True),
    )
}
"""The same with products of bfloat16 numbers, PyTorch's by its autocast; and float32 beside."""
