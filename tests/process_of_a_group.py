"""One process of a group: what tests/test_distributed.py starts several of.

Its only argument is a JSON object: place, settings, what is to befall it, where results go.
"""

import json
import os
import signal
import sys

import numpy as np

import deltarule as dr

ROWS, STEPS, BATCH = 43, 100, 12
LAYERS = [dr.Dense(5, "tanh", 0.2), dr.Dense(2, "softmax")]
NETWORK = dr.Network(3, LAYERS, "categorical_cross_entropy")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, 3))
Y = np.eye(2)[(X.sum(axis=1) > 0).astype(int)]
WEIGHTS = RNG.uniform(0, 2, ROWS)  # the last batch of an epoch has 7 examples, of 12


def trained(engine="jax", rate=0.02, rows=ROWS, shift=0.0, **settings):
    """25 epochs of 4 steps."""
    return dr.train(
        NETWORK,
        X[:rows] + shift,
        Y[:rows],
        weights=WEIGHTS[:rows],
        optimizer=dr.Adam(rate),
        batch_size=BATCH,
        epochs=STEPS // -(-ROWS // BATCH),
        engine=engine,
        dtype="float64",
        seed=11,
        **settings,
    )


def arrays(parameters):
    return [W for layer in parameters for W in layer.values()]


def befalls(event, epoch, number):
    """What sends this process a signal after an epoch."""

    def callback(found):
        if isinstance(found, dr.EpochEnded) and found.epoch == epoch:
            print("struck", flush=True)
            os.kill(os.getpid(), signal.Signals[number])

    return callback


def refusals():
    """What a group refuses: each process says the same."""
    here = dr.EngineOptions(devices=None)
    mine = int(GIVEN["process"])
    for settings in (
        {"rate": 0.02 + 0.01 * mine},
        {"shift": 0.5 * mine},
        {"rows": 1},
        {"engine": "reference"},
    ):
        try:
            trained(**settings, **({} if "engine" in settings else {"options": here}))
        except dr.DeltaruleError as error:
            print(f"{type(error).__name__}: {error}")


def work(group):
    if GIVEN.get("refusals"):
        refusals()
        return
    settings = {}
    if GIVEN.get("folder"):
        settings["checkpoints"] = dr.Checkpoints(
            GIVEN["folder"], resume=GIVEN.get("resume", False), every_steps=6
        )
    if GIVEN.get("signal") and GIVEN["struck"] == group.index:
        settings["callbacks"] = [befalls(dr.EpochEnded, GIVEN["epoch"], GIVEN["signal"])]
    result = trained(**settings)
    np.savez(f"{GIVEN['out']}-{group.index}.npz", *arrays(result.parameters))


def eight():
    """Eight devices of one process: a run, and what a caller steps through with arrays of his."""
    for devices in (1, 8):
        options = dr.EngineOptions(devices=devices)
        found = arrays(trained(options=options).parameters)
        runner = dr.start(
            NETWORK, optimizer="adam", engine="jax", dtype="float64", options=options, seed=3
        )
        rates = np.full(-(-ROWS // BATCH), 0.01)
        runner.train(X.copy(), Y.copy(), np.arange(ROWS)[::-1], BATCH, rates, WEIGHTS)
        runner.step(X[:9], Y[:9])
        runner.step_from(X[:9], Y[:9] - 0.5)
        found += arrays(runner.parameters())
        found += [runner.predict(X), np.array(runner.cost(X, Y, WEIGHTS))]
        np.savez(f"{GIVEN['out']}-{devices}.npz", *found)
    for options in ({"devices": 9}, {"devices": 8}):
        try:
            trained(rows=7, options=dr.EngineOptions(**options))
        except dr.DeltaruleError as error:
            print(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    GIVEN = json.loads(sys.argv[1])
    if "processes" in GIVEN:
        with dr.distributed(
            f"localhost:{GIVEN['port']}",
            process=GIVEN["process"],
            processes=GIVEN["processes"],
            wait=120,
            silence=GIVEN.get("silence", 30),
        ) as member:
            work(member)
    else:
        eight()
