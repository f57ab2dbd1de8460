"""A process that fits and predicts a thousand times keeps the memory that it had."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, re, warnings
from pathlib import Path
import numpy as np
import deltarule as dr

warnings.simplefilter("ignore")  # a few epochs are not a converged fit
rng = np.random.default_rng(0)
X = rng.standard_normal((120, 6))
Y, y = X[:, :2] * X[:, 2:4], (X[:, 0] > 0).astype(int)
network = dr.Network(6, [dr.Dense(12, "relu", dropout=0.1), dr.Dense(2)])

def by_train(k):
    found = dr.train(network, X, Y, seed=k, epochs=2, validation=0.2)
    found.predict(X)

def by_estimator(k):
    settings = {"max_iter": 2, "random_state": k, "early_stopping": bool(k % 2)}
    model = dr.MLPClassifier((9,), **settings).fit(X, y)
    model.predict_proba(X)

def by_many(k):
    two = dr.EngineOptions(n_threads=2)
    dr.train_many(network, X, Y, seeds=[k, k + 1], epochs=1, options=two).predict(X[:9])

def step_by_step(k):
    runner = dr.start(network, optimizer="adam", seed=k)
    x, t = X[:8].astype("f4"), Y[:8].astype("f4")
    for _ in range(5):
        runner.step(x, t)
    runner.predict(x)

def failing(k):
    try:
        dr.train(network, X, Y, optimizer=dr.SGD(1e30), epochs=2)
    except dr.DivergenceError:
        pass

def resident():
    return 1024 * int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

kinds = (by_train, by_train, by_estimator, by_many, step_by_step, failing)
sizes = []
for k in range(1300):
    kinds[k % len(kinds)](k)
    if k >= 300 and k % 100 == 99:
        sizes.append(resident())
print(json.dumps(sizes))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux's own accounts")
def test_a_thousand_fits_and_predictions_take_no_more_memory():
    """After three hundred to warm up: below 5 MB more, however fits are made, or fail."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
        env={**os.environ, "DELTARULE_NUM_THREADS": "1"},
    )
    sizes = json.loads(done.stdout)
    assert len(sizes) == 10
    assert max(sizes) - sizes[0] < 5e6
