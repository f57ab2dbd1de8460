"""Training on a GPU, beside peers: ``python benchmarks/gpu.py``; without a GPU it says so.

First the engine is checked against the float64 reference; then M, L, a network 4096 wide and
1000 small networks at once are timed beside PyTorch (eager; compiled with CUDA graphs) and
jax.grad with optax, at the same precision, in alternating rounds. Shares are of what this device
reaches in a large matrix product and in copying memory, both measured here.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import deltarule as dr
from deltarule.engines.benchmark import CCE, WORKLOADS, Workload
from peers import deltarule_on, jax_grad, pytorch
from rounds import machine, markdown, measured, summary, told, written
from sections import command, write_section

BASELINE = "deltarule jax"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TIMED = {
    "M": WORKLOADS["M"],
    "L": WORKLOADS["L"],
    "W": Workload("W", (784, *[4096] * 3, 10), "relu", "softmax", 1024, CCE, "adam", 20000, 32),
}
STEPS = {"M": 512, "L": 64, "W": 32}
MEMBERS, MEMBER = 1000, WORKLOADS["X"]


def gpu():
    """The first GPU that JAX finds, or None."""
    try:
        import jax

        return jax.devices("gpu")[0]
    except (ImportError, RuntimeError):
        return None


def checked(device):
    """Errors beside the float64 reference: of gradients, and of the cost after 200 steps."""
    found = {}
    for dtype, limit in (("float64", 1e-8), ("float32", 1e-3)):
        layers = [dr.Dense(37, "tanh", dropout=0.2), dr.Dense(29, "gelu"), dr.Dense(5, "softmax")]
        network = dr.Network(13, layers, CCE)
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal((103, 13)), np.eye(5)[rng.integers(0, 5, 103)]
        reference = dr.start(network, optimizer="adam", engine="reference", dtype="float64")
        options = dr.EngineOptions(device=device)
        runner = dr.start(network, optimizer="adam", engine="jax", options=options, dtype=dtype)
        runner.set_parameters(reference.parameters())
        own = X.astype(dtype), Y.astype(dtype)
        gradients = zip(runner.gradients(*own), reference.gradients(X, Y), strict=True)
        errors = [
            np.linalg.norm(a[name] - b[name]) / np.linalg.norm(b[name])
            for a, b in gradients
            for name in b
        ]
        order = np.concatenate([rng.permutation(103) for _ in range(50)])  # the last are short
        steps = -(-len(order) // 32)
        args = (order, 32, np.full(steps, 1e-3))
        costs = [r.train(*data, *args).costs for r, data in ((runner, own), (reference, (X, Y)))]
        found[dtype] = {"gradients": max(errors), "cost": abs(costs[0] - costs[1]).max()}
        if not max(found[dtype].values()) < limit:
            raise SystemExit(f"{dtype}: wrong beside the reference: {found[dtype]}")
    return found


def ceilings(place, n):
    """FLOP/s of products of `n` rows by precision, and bytes/s of memory moved: the best times."""
    import jax
    import jax.numpy as jnp

    def best(function, *arguments):
        jax.block_until_ready(function(*arguments))
        seconds = []
        for _ in range(10):
            begun = time.perf_counter()
            jax.block_until_ready(function(*arguments))
            seconds.append(time.perf_counter() - begun)
        return min(seconds)

    turns, found = 8, {}
    for name, dtype in (("highest", jnp.float32), ("mixed", jnp.bfloat16)):
        A = jax.device_put(jnp.ones((n, n), dtype), place)

        def products(A):
            return jax.lax.fori_loop(0, turns, lambda _, B: (A @ B) * (1.0 / n), A)

        with jax.default_matmul_precision("highest"):
            found[name] = 2 * n**3 * turns / best(jax.jit(products), A)
    large = jax.device_put(jnp.ones(4 * n * n, jnp.float32), place)
    found["memory"] = 2 * large.nbytes / best(jax.jit(lambda a: a + 1), large)
    return found


def work(workload, itemsize):
    """Floating-point operations of a step, and the bytes it cannot but move."""
    weights = workload.network.parameter_count
    slots = 3 if workload.optimizer == "adam" else 1
    activations = 6 * workload.batch * sum(workload.sizes) * itemsize
    return workload.flop, 2 * slots * 4 * weights + activations


def many(device, steps):
    """1000 networks at once, an epoch a call: this package, and jax.vmap of jax.grad."""
    import jax
    import jax.numpy as jnp
    import optax

    from deltarule.engines.jax.many import ManyRunner
    from deltarule.engines.jax.programs import Data
    from deltarule.engines.plan import Plan

    network, rule, (X, Y) = MEMBER.network, MEMBER.rule, MEMBER.data()
    starts = [network.initial_parameters(k) for k in range(MEMBERS)]
    options = dr.EngineOptions(device=device)
    runner = ManyRunner(Plan(network, rule), starts, range(MEMBERS), options)
    placed, rng = runner.placed(Data(X, Y, None)), np.random.default_rng(1)
    rates = [np.full(steps, MEMBER.rate)] * MEMBERS

    rows = np.tile(MEMBER.order(rng, steps), (MEMBERS, 1))

    def orders():
        return rng.permuted(rows, axis=1)  # of all at once: NumPy is not what is timed

    def ours():
        runner.train(placed, orders(), MEMBER.batch, rates, 0)

    place = jax.devices(device)[0]
    stacked = jax.tree.map(lambda *a: jax.device_put(np.stack(a), place), *starts)
    tx = optax.adam(MEMBER.rate)
    Xd, Yd = jax.device_put((X, Y), place)

    def loss(parameters, x, y):
        for layer in parameters[:-1]:
            x = jnp.tanh(x @ layer["W"].T + layer["b"][:, 0])
        last = parameters[-1]
        return ((x @ last["W"].T + last["b"][:, 0] - y) ** 2).sum(1).mean()

    def one(parameters, state, rows):
        cost, gradients = jax.value_and_grad(loss)(parameters, Xd[rows], Yd[rows])
        updates, state = tx.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state, cost

    def epoch(parameters, state, order):
        def step(carry, rows):
            *carry, cost = jax.vmap(one)(*carry, rows)
            return tuple(carry), cost

        return jax.lax.scan(step, (parameters, state), order)

    compiled = jax.jit(epoch, donate_argnums=(0, 1))
    carry = [stacked, jax.vmap(tx.init)(stacked)]

    def theirs():
        order = orders().reshape(MEMBERS, steps, MEMBER.batch).swapaxes(0, 1)
        with jax.default_matmul_precision("highest"):
            carry[:], costs = compiled(*carry, order.astype(np.int32))
        np.asarray(costs)

    return {BASELINE: (ours, steps), "jax.grad + optax": (theirs, steps)}


def runs_of(workload, device, steps, half):
    """What is timed, at one precision."""
    makers = {
        BASELINE: lambda: deltarule_on("jax", mixed=half)(workload, device, steps),
        "jax.grad + optax": lambda: jax_grad(workload, device, steps, half=half),
        "PyTorch": lambda: pytorch(workload, device, steps, half=half),
        "PyTorch compiled": lambda: pytorch(workload, device, steps, compiled=True, half=half),
    }
    runs = {}
    for name, make in makers.items():
        try:
            run = make()
            run()
        except ImportError as error:
            print(f"{name}: left out, {error}")
        except Exception as error:  # a peer that cannot run here is not a reason to end
            if name == BASELINE:
                raise
            print(f"{name}: left out, {type(error).__name__}: {str(error).splitlines()[0]}")
        else:
            runs[name] = (run, steps)
    return runs


def main(arguments=None):
    """Check, measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", default="benchmarks/results/gpu", help="of .json and .md")
    parser.add_argument("--device", default="gpu", help="cpu: a rehearsal of a few steps")
    parser.add_argument("--timed", default="".join(TIMED), help="letters, such as ML")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    if chosen.device == "gpu" and gpu() is None:
        print("no GPU that JAX can use here: nothing to measure")
        return
    rehearsal = chosen.device != "gpu"

    import jax

    place = jax.devices(chosen.device)[0]
    print("beside the float64 reference:", checked(chosen.device), flush=True)
    limits = ceilings(place, n=256 if rehearsal else 8192)
    results = {}
    for half in (False, True):
        for letter in chosen.timed:
            workload = TIMED[letter]
            name = f"{letter}, bfloat16" if half else letter
            steps = 2 if rehearsal else STEPS[letter]
            seconds = measured(runs_of(workload, chosen.device, steps, half), chosen.rounds)
            found = summary(seconds, BASELINE)
            flop, moved = work(workload, 2 if half else 4)
            for own in found.values():
                rate = 1e6 / own["median_us"]
                own["shares"] = {
                    "products": flop * rate / limits["mixed" if half else "highest"],
                    "copying": moved * rate / limits["memory"],
                }
            results[name] = {"workload": str(workload), "peers": found}
            print(name, found, flush=True)
    found = summary(measured(many(chosen.device, 2 if rehearsal else 64), chosen.rounds), BASELINE)
    results[f"{MEMBERS} of X"] = {"workload": f"{MEMBERS} times {MEMBER}", "peers": found}
    print(f"{MEMBERS} of X", found)
    table = markdown(results, BASELINE)
    if rehearsal:
        print(table)
        return
    about = machine() | {"gpu": place.device_kind, "ceilings": limits}
    written(chosen.out, {"machine": about, "results": results}, table)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        high, low = (limits[name] / 1e12 for name in ("highest", "mixed"))
        write_section(
            PAGE,
            "gpu",
            f"{table}\nCeilings on {place.device_kind}: {high:.1f} TFLOP/s in a float32 product, "
            f"{low:.1f} in a bfloat16 one, {limits['memory'] / 1e9:.0f} GB/s copied. "
            f"{told(about, command())}",
        )
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
    sys.exit(0)
