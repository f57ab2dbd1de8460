"""What a report's look into the layers costs: runs with and without, in turn, by CPU time.

    python benchmarks/watching.py

CPU time, so that what else a machine does counts little; one thread, so that waiting does not.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("DELTARULE_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import deltarule as dr
from deltarule.explain import Watch

ROUNDS = 7
WORKLOADS = (
    (1_000, 20, (128, 64), 32, 200),
    (20_000, 20, (128, 64), 128, 40),
    (1_000, 4, (16,), 32, 200),
    (5_000, 784, (256, 128), 128, 20),
)


def seconds(network, X, Y, batch_size, epochs, callbacks):
    """CPU seconds of one training."""
    begun = time.process_time()
    settings = {"batch_size": batch_size, "epochs": epochs, "validation": 0.1}
    dr.train(network, X, Y, callbacks=callbacks, **settings)
    return time.process_time() - begun


def main():
    """Print the table."""
    print("rows    network            looks  without s  with s  ratio")
    for m, n, hidden, batch_size, epochs in WORKLOADS:
        X = np.random.default_rng(0).standard_normal((m, n))
        Y = (X[:, 0] * X[:, 1] > 0).astype(float)
        layers = [*(dr.Dense(k, "relu") for k in hidden), dr.Dense(1, "sigmoid")]
        network = dr.Network(n, layers, "binary_cross_entropy")
        plain, watched = [], []
        for _ in range(ROUNDS):
            plain.append(seconds(network, X, Y, batch_size, epochs, []))
            watch = Watch()
            watched.append(seconds(network, X, Y, batch_size, epochs, [watch]))
        a, b = min(plain), min(watched)
        sizes = "-".join(map(str, network.sizes))
        looks = len(watch.diagnostics.epochs)
        print(f"{m:<7} {sizes:<18} {looks:>5}  {a:9.3f}  {b:6.3f}  {b / a:5.3f}")


if __name__ == "__main__":
    main()
