"""Single calls beside peers: ``python benchmarks/calls.py``.

What a control loop pays: one call from Python at a time, each timed by itself, peers taking turns
in blocks. Microseconds: the median (p50), and what one call in a thousand exceeds (p99.9).
Prediction at 1, 32 and 5000 rows of workloads R and M; one row's Jacobian and steps on R.
"""

import argparse
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

import deltarule as dr
from deltarule.engines.benchmark import WORKLOADS, latencies
from rounds import machine, short, told, written
from sections import command, write_section

BASELINE = "deltarule native"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def ours(kind, workload, x, y):
    """The compiled engine's runner."""
    runner = dr.start(workload.network, optimizer=workload.rule, engine="native")
    out = np.empty_like(y)
    return {
        "predict": lambda: runner.predict_into(x, out),
        "jacobian": lambda: runner.jacobian(x),
        "step": lambda: runner.step(x, y),
    }[kind]


def onnx_model(workload):
    """A file's bytes: Gemm and activation, layer by layer."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, arrays, name = [], [], "X"
    names = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}
    network = workload.network
    for l, (layer, p) in enumerate(zip(network.layers, network.initial_parameters(0), strict=True)):
        own = {"W": p["W"].astype(np.float32), "b": p["b"][:, 0].astype(np.float32)}
        arrays += [numpy_helper.from_array(own[k], f"{k}{l}") for k in own]
        nodes.append(helper.make_node("Gemm", [name, f"W{l}", f"b{l}"], [f"Z{l}"], transB=1))
        name = f"Z{l}"
        if layer.g.name in names:
            nodes.append(helper.make_node(names[layer.g.name], [name], [f"A{l}"]))
            name = f"A{l}"
    put, get = (
        helper.make_tensor_value_info(of, TensorProto.FLOAT, [None, n])
        for of, n in (("X", network.inputs), (name, network.outputs))
    )
    graph = helper.make_graph(nodes, "network", [put], [get], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString(), name


def onnx_runtime(threads):
    """A session of ONNX Runtime on so many threads; it only predicts."""

    def make(kind, workload, x, y):
        if kind != "predict":
            return None
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        model, name = onnx_model(workload)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda: session.run([name], {"X": x})

    return make


def pytorch(kind, workload, x, y):
    """PyTorch, eager; how many threads it has is its process's."""
    import torch
    from torch import nn

    kinds = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    layers = []
    for n_prev, n in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        layers += [nn.Linear(n_prev, n), kinds[workload.hidden]()]
    layers[-1:] = [nn.Softmax(1)] if workload.classes else []
    model, (xt, yt) = nn.Sequential(*layers), map(torch.from_numpy, (x, y))
    rule = torch.optim.Adam if workload.optimizer == "adam" else torch.optim.SGD
    optimizer = rule(model.parameters(), lr=workload.rate, fused=True)
    derivative = torch.func.vmap(torch.func.jacrev(model))

    def predict():
        with torch.inference_mode():
            return model(xt).numpy()

    def step():
        cost = ((model(xt) - yt) ** 2).sum(1).mean()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        return cost.item()

    def jacobian():
        return derivative(xt).numpy(force=True)

    return {"predict": predict, "step": step, "jacobian": jacobian}[kind]


def jax_jitted(kind, workload, x, y):
    """Jitted functions of JAX on arrays of NumPy; results come back as NumPy's."""
    import jax
    import jax.numpy as jnp
    import optax

    act = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[workload.hidden]
    own = [(p["W"].T, p["b"][:, 0]) for p in workload.network.initial_parameters(0)]
    parameters = jax.device_put(own, jax.devices("cpu")[0])
    tx = (optax.adam if workload.optimizer == "adam" else optax.sgd)(workload.rate)

    def model(parameters, x):
        for W, b in parameters[:-1]:
            x = act(x @ W + b)
        W, b = parameters[-1]
        return jax.nn.softmax(x @ W + b) if workload.classes else x @ W + b

    @jax.jit
    def step(parameters, state, x, y):
        def cost(parameters):
            return ((model(parameters, x) - y) ** 2).sum(1).mean()

        found, gradients = jax.value_and_grad(cost)(parameters)
        updates, state = tx.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state, found

    predict = jax.jit(model)
    jacobian = jax.jit(jax.vmap(jax.jacrev(model, argnums=1), in_axes=(None, 0)))
    carry = [parameters, tx.init(parameters)]

    def one_step():
        *carry[:], cost = step(*carry, x, y)
        return float(cost)

    return {
        "predict": lambda: np.asarray(predict(parameters, x)),
        "jacobian": lambda: np.asarray(jacobian(parameters, x)),
        "step": one_step,
    }[kind]


def scikit_learn(kind, workload, x, y):
    """MLPRegressor or MLPClassifier: predict or predict_proba, partial_fit."""
    if kind == "jacobian":
        return None
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    hidden = {"sigmoid": "logistic"}.get(workload.hidden, workload.hidden)
    model = (MLPClassifier if workload.classes else MLPRegressor)(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=hidden,
        solver=workload.optimizer,
        momentum=0.0,
        alpha=0.0,
        batch_size=len(x),
        learning_rate_init=workload.rate,
        max_iter=1,
    )
    X, Y = workload.data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch is not convergence: so it is meant
        model.fit(X[:200], Y[:200].argmax(1) if workload.classes else Y[:200])
    model.batch_size = len(x)
    predict = model.predict_proba if workload.classes else model.predict
    return (lambda: predict(x)) if kind == "predict" else (lambda: model.partial_fit(x, y))


# A name, what makes the call, and how many threads PyTorch gets for it.
PEERS = (
    (BASELINE, ours, None),
    ("ONNX Runtime, 1 thread", onnx_runtime(1), None),
    ("ONNX Runtime, 2 threads", onnx_runtime(2), None),
    ("JAX", jax_jitted, None),
    ("PyTorch, 1 thread", pytorch, 1),
    ("PyTorch, 2 threads", pytorch, 2),
    ("scikit-learn", scikit_learn, None),
)

# What is timed: the call, the workload, its optimizer, the rows.
ROWS = (
    *(("predict", letter, "sgd", rows) for letter in "RM" for rows in (1, 32, 5000)),
    *(("jacobian", "R", "sgd", 1), ("step", "R", "sgd", 1), ("step", "R", "adam", 1)),
    ("step", "R", "adam", 32),
)


def timed(kind, workload, rows, rounds, seconds):
    """Seconds of every call, by peer: blocks of about so many seconds take turns."""
    X, Y = workload.data()
    x, y = X[:rows].copy(), Y[:rows].copy()
    calls, found = {}, {}
    for name, make, threads in PEERS:
        try:
            call = make(kind, workload, x, y)
        except ImportError as error:
            print(f"{name}: left out, {error}")
            continue
        if call is not None:
            set_threads(threads)
            once = np.median(latencies(call, 5))
            calls[name] = (call, threads, max(5, min(5000, int(seconds / once))))
            found[name] = []
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(calls)):
            call, threads, count = calls[name]
            set_threads(threads)
            time.sleep(0.05)
            found[name].append(latencies(call, count))
    return {name: np.concatenate(own) for name, own in found.items()}


def set_threads(threads):
    """Of PyTorch, for the whole process, where a peer asks for a number."""
    if threads is not None:
        sys.modules["torch"].set_num_threads(threads)


def table(results):
    """Markdown: a call a row, a peer a column: p50 / p99.9, and p50 as a multiple of ours."""
    names = [name for name, *_ in PEERS if any(name in own for own in results.values())]
    lines = ["| call, rows | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for label, own in results.items():
        cells = []
        for name in names:
            if name not in own:
                cells.append("–")
                continue
            text = f"{short(own[name]['p50_us'])} / {short(own[name]['p999_us'])}"
            times = own[name]["p50_us"] / own[BASELINE]["p50_us"]
            cells.append(text if name == BASELINE else f"{text}, ×{times:.2f}")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a block of calls")
    parser.add_argument("--out", default="benchmarks/results/calls", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)

    results = {}
    for kind, letter, optimizer, rows in ROWS:
        workload = replace(WORKLOADS[letter], optimizer=optimizer)
        how = f"step, {optimizer}" if kind == "step" else kind
        label = f"{letter}: {how}, {rows}"
        found = timed(kind, workload, rows, chosen.rounds, chosen.seconds)
        results[label] = {
            name: {
                "p50_us": float(np.median(own) * 1e6),
                "p999_us": float(np.percentile(own, 99.9) * 1e6),
                "calls": len(own),
            }
            for name, own in found.items()
        }
        line = ", ".join(f"{name} {own['p50_us']:.2f}" for name, own in results[label].items())
        print(f"{label}: {line}", flush=True)
    about, text = machine(), table(results)
    written(chosen.out, {"machine": about, "results": results}, text)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        write_section(PAGE, "calls", f"{text}\n{told(about, command())}")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
