"""One row of a table from a dict, beside peers: ``python benchmarks/rows.py``.

What a server pays for a row: a dict with ten numbers, four categories and a date goes in, a Python
number comes out; every call is timed alone, in alternating blocks of calls of each peer.
Microseconds: the median (p50), and what one call in a thousand exceeds (p99.9). ONNX Runtime runs
the same network with its preprocessing, exported; what makes arrays of a dict is plain Python, as
one writes it.
"""

import argparse
import time
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from deltarule.engines.benchmark import latencies
from deltarule.export.onnx_file import onnx_bytes
from deltarule.tabular.estimators import TabularRegressor
from rounds import machine, short, told, written
from sections import command, write_section

PAGE = Path(__file__).parent.parent / "docs" / "serving.md"
BEGIN = datetime(1970, 1, 1)
NUMBERS = [f"number {i}" for i in range(10)]
CATEGORIES = [f"category {i}" for i in range(4)]
DATE = "sold at"


def table(rows, seed=0):
    """A table and its target: rows of which no two are equal."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(i, 1 + i, rows) for i, name in enumerate(NUMBERS)}
    for i, name in enumerate(CATEGORIES):
        columns[name] = rng.choice([f"level {k}" for k in range(4 + 6 * i)], rows)
    minutes = rng.integers(0, 2_000_000, rows).tolist()
    columns[DATE] = [datetime(2020, 1, 1) + timedelta(minutes=m) for m in minutes]
    own = np.char.count(columns["category 0"], "1")
    y = columns["number 0"] * 2 + np.sin(columns["number 1"]) + own + rng.normal(0, 0.1, rows)
    return pl.DataFrame(columns), y


def days(moment):
    """Days since 1970."""
    return (moment - BEGIN) / timedelta(days=1)


def ours(estimator, X, y):
    """The prepared predictor."""
    return estimator.row_predictor()


def of_a_table(estimator, X, y):
    """``predict`` of a table of one row."""
    return lambda row: estimator.predict([row])[0]


def network_alone(estimator, X, y):
    """The network's own time: a row that is numbers already."""
    model = estimator.model_
    runner, out = model._runner(), np.empty((1, 1), np.float32)
    prepared = model.preprocessing.transform(X)[:1].copy()
    return lambda row: runner.predict_into(prepared, out)


def onnx_runtime(estimator, X, y):
    """The same model, exported with its preprocessing, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        onnx_bytes(estimator.model_), options, providers=["CPUExecutionProvider"]
    )
    (output,) = (each.name for each in session.get_outputs())

    def call(row):
        feeds = {name: np.array([row[name]]) for name in NUMBERS}
        feeds |= {name: np.array([row[name]], object) for name in CATEGORIES}
        feeds[DATE] = np.array([days(row[DATE])])
        return session.run([output], feeds)[0].item()

    return call


def lightgbm(estimator, X, y):
    """A booster of 100 trees on numbers, codes of categories and days, on one thread."""
    import lightgbm as library

    codes = {name: {level: k for k, level in enumerate(X[name].unique())} for name in CATEGORIES}

    def numbers(row):
        return [
            *(row[name] for name in NUMBERS),
            *(codes[name].get(row[name], -1) for name in CATEGORIES),
            days(row[DATE]),
        ]

    data = library.Dataset(
        np.array([numbers(row) for row in X.to_dicts()]),
        y,
        categorical_feature=list(range(len(NUMBERS), len(NUMBERS) + len(CATEGORIES))),
    )
    booster = library.train({"verbose": -1, "num_threads": 1}, data, 100)
    return lambda row: booster.predict(np.array([numbers(row)]), num_threads=1).item()


def scikit_learn(estimator, X, y):
    """A pipeline: scaler and one-hot encoder of a data frame, then ``MLPRegressor``."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def frame(rows):
        found = pd.DataFrame(rows)
        found[DATE] = (found[DATE] - BEGIN) / pd.Timedelta(days=1)
        return found

    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [*NUMBERS, DATE]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        ]
    )
    pipeline = make_pipeline(columns, MLPRegressor(hidden_layer_sizes=(128, 128), max_iter=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two epochs are not convergence: its time is the same
        pipeline.fit(frame(X.to_dicts()), y)
    return lambda row: pipeline.predict(frame([row])).item()


PEERS = {
    "deltarule, row_predictor": ours,
    "its network alone": network_alone,
    "deltarule, predict of a table": of_a_table,
    "ONNX Runtime, preprocessing in the graph": onnx_runtime,
    "LightGBM": lightgbm,
    "scikit-learn, pipeline": scikit_learn,
}
"""A name, and what makes the call: from the estimator, the table and its target."""


def timed(estimator, X, y, rounds, seconds):
    """Seconds of every call, by peer, in alternating blocks of about this many seconds."""
    rows, calls, found = table(1000, seed=1)[0].to_dicts(), {}, {}
    for name, make in PEERS.items():
        try:
            call = make(estimator, X, y)
        except ImportError as error:
            print(f"{name}: left out, {error}")
            continue
        places = iter(range(1 << 62))
        calls[name] = lambda call=call, places=places: call(rows[next(places) % len(rows)])
        found[name] = []
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(calls)):
            once = np.median(latencies(calls[name], 5))
            time.sleep(0.05)
            found[name].append(latencies(calls[name], max(20, min(5000, int(seconds / once)))))
    return {name: np.concatenate(own) for name, own in found.items()}


def markdown(results):
    """A form of the model a column, a peer a row: p50 / p99.9."""
    lines = ["| one row from a dict | " + " | ".join(results) + " |"]
    lines.append("|---|" + "---|" * len(results))
    for name in PEERS:
        own = [found.get(name) for found in results.values()]
        if any(own):
            cells = (f"{short(e['p50_us'])} / {short(e['p999_us'])}" if e else "–" for e in own)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a block of calls")
    parser.add_argument("--rows", type=int, default=5000, help="of the table to train on")
    parser.add_argument("--out", default="benchmarks/results/rows", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/serving.md")
    chosen = parser.parse_args(arguments)

    X, y = table(chosen.rows)
    results = {}
    for label, networks in (("one network", 1), ("average of five", 5)):
        estimator = TabularRegressor(epochs=2, n_ensemble=networks, random_state=0).fit(X, y)
        found = timed(estimator, X, y, chosen.rounds, chosen.seconds)
        results[label] = {
            name: {
                "p50_us": float(np.median(own) * 1e6),
                "p999_us": float(np.percentile(own, 99.9) * 1e6),
                "calls": len(own),
            }
            for name, own in found.items()
        }
        print(f"{label}: " + ", ".join(f"{n} {o['p50_us']:.1f}" for n, o in results[label].items()))
    about, text = machine(), markdown(results)
    written(chosen.out, {"machine": about, "results": results}, text)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        write_section(PAGE, "rows", f"{text}\n{told(about, command())}")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
