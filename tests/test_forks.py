"""Forked children: they answer, or refuse with an error of this package; they never hang."""

import os
import subprocess
import sys

import pytest
from tests.fuzz.examples import TIMES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")

PATIENCE = 120
"""Seconds after which a child counts as hanging: it needs less than one."""

PROGRAM = f"""
import os, signal, sys, tempfile, threading, warnings
warnings.simplefilter("ignore")  # of forks of processes with threads
import numpy as np
import deltarule as dr

def forked(work):
    "The number of a child that does some work and ends with what it returns."
    child = os.fork()
    if child:
        return child
    signal.alarm({PATIENCE})  # which ends the child, wherever it waits
    status = 99
    try:
        status = work()
    except dr.ResourceError as error:
        status = 3 if "spawn" in str(error) and "before the fork" in str(error) else 98
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(status)

def ended(child):
    "How a child ended: its status, or the number of the signal that ended it, below zero."
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""

TABLES = """
import datetime, pandas as pd, polars as pl
rng = np.random.default_rng(2)
n = 150
days = np.datetime64("2024-01-01") + rng.integers(0, 90, n)
columns = {
    "kwh": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
    "rooms": rng.integers(1, 6, n),
    "plan": rng.choice(["day", "night", "flat"], n).tolist(),
    "garden": rng.choice(["yes", "no"], n).tolist(),
    "heated": (rng.random(n) < 0.5),
    "built": days.astype("M8[us]"),
    "sold": [f"{day.day}.{day.month}.{day.year}" for day in days.astype(object)],
    "wait": rng.integers(0, 9999, n).astype("m8[ms]"),
    "paid": [("N/A" if i % 9 == 0 else f" {i * 7 % 50 / 4} ") for i in range(n)],
}
columns["plan"][3] = columns["garden"][5] = None
frame = pd.DataFrame(columns)
frame["shops"] = pd.array([None, *rng.integers(0, 9, n - 1)], dtype="Int64")
frame["opened"] = frame["built"].dt.tz_localize("UTC")
frame["code"] = rng.choice([0.5, 1.25], n)
left, rent = np.where(rng.random(n) < 0.5, "left", "stayed"), rng.normal(size=n)
by_hand = frame.astype(object).where(frame.notna(), None)
tables = [
    frame,
    frame.sample(frac=1, axis=1, random_state=0),
    pl.from_pandas(frame),
    pl.from_pandas(frame).with_columns(
        pl.col("plan").cast(pl.Enum(["flat", "day", "night"])),
        pl.col("garden").cast(pl.Categorical),
    ),
    {name: by_hand[name].tolist() for name in frame.columns},
    by_hand.to_dict("records"),
    frame.convert_dtypes(dtype_backend="pyarrow"),
    frame.astype({"plan": "category", "rooms": "Int8"}),
    {**frame, "rooms": np.ma.array(frame["rooms"], mask=frame["rooms"] == 9)},
    pl.from_pandas(frame).to_arrow().to_pandas(),
]
settings = {"random_state": 0, "epochs": 2, "hidden": (8,), "kinds": {"code": "category"}}
classifier = dr.TabularClassifier(**settings).fit(frame, left)
regressor = dr.TabularRegressor(**settings).fit(frame, rent)
several = dr.TabularRegressor(**settings).fit(frame, np.c_[rent, -rent])
plain = dr.TabularClassifier(random_state=0, epochs=2, hidden=(8,)).fit(np.c_[rent, rent > 0], left)
large = np.repeat(np.c_[rent, rent > 0], 1000, axis=0)  # which several threads take
folder = tempfile.mkdtemp()
classifier.save(folder + "/model")

def answers(k):
    "All kinds of prediction from one of the tables; of one, from far more rows."
    table = tables[k % len(tables)]
    model = dr.TabularClassifier.load(folder + "/model")
    found = [
        classifier.predict_proba(table), classifier.predict(table), model.predict(table),
        regressor.predict(table), several.predict(table), regressor.predict_interval(table, 0.5),
        plain.predict_proba(columns_of_numbers[k % 2]), *model.model_.predict(table).rows(),
    ]
    return [*found, plain.predict_proba(large)] if k % 10 == 0 else found

columns_of_numbers = [np.c_[rent, rent > 0], np.c_[rent, rent > 0].tolist()]
expected = [answers(k) for k in range(10)]

def predicts(k):
    same = map(np.array_equal, answers(k), expected[k % 10])
    return 0 if all(same) else 1
"""


def run(program, patience=280):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program],
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


@pytest.mark.fuzz
def test_forked_children_predict_what_their_parent_does():
    """Also where another thread of the parent is at work while it forks."""
    count = 25 * TIMES
    found = run(
        TABLES
        + f"""
numbers = pl.DataFrame({{"a": rng.normal(size=200_000), "b": rng.integers(0, 99, 200_000)}})
works = {{
    "nothing": None,
    "sorts": lambda: numbers.group_by("b").agg(pl.col("a").sort().first()),
    "predicts": lambda: answers(0),
    "fits": lambda: dr.TabularClassifier(**settings).fit(frame, left),
}}

def keep_at_it(work, over):
    while not over.is_set():
        work()

for name, work in works.items():
    over = threading.Event()
    if work is not None:
        thread = threading.Thread(target=keep_at_it, args=(work, over))
        thread.start()
    children, found = [], []
    for k in range({count}):
        children.append(forked(lambda: predicts(k)))
        if len(children) == 4:
            found.append(ended(children.pop(0)))
    found += map(ended, children)
    over.set()
    if work is not None:
        thread.join()
    print(name, *found)
""",
        patience=280 * TIMES,
    )
    assert found == [
        word for name in ("nothing", "sorts", "predicts", "fits") for word in (name, *["0"] * count)
    ]


WORK = {
    "fit": "dr.TabularClassifier(**settings).fit(frame, left) and 0",
    "read": "len(dr.data.read(folder + '/t.csv')) and 0",
    "stream": "len(dr.data.stream(folder + '/t.csv').blocks) and 0",
    "collect": "len(classifier.predict(tables[2].lazy())) and 0",
    "preprocess": "dr.preprocessing.Preprocessing.fit(frame).width and 0",
    "keys": "dr.train_by_key({'a': rent, 'y': rent, 'k': columns['plan']}, 'y', by='k') and 0",
}


def test_what_needs_polars_threads_is_refused_in_a_forked_child():
    found = run(
        TABLES
        + f"""
import deltarule.data, deltarule.preprocessing
frame.to_csv(folder + "/t.csv", index=False)
works = {{{", ".join(f"{name!r}: lambda: {work}" for name, work in WORK.items())}}}
children = [forked(work) for work in works.values()]
print(*map(ended, children))
"""
    )
    assert dict(zip(WORK, found, strict=True)) == dict.fromkeys(WORK, "3")


def test_it_works_where_the_parent_has_loaded_polars_and_not_used_it():
    found = run(
        """
import polars

def fits():
    rows = np.random.default_rng(0).normal(size=(50, 2))
    model = dr.TabularRegressor(random_state=0, epochs=2, hidden=(4,)).fit(rows, rows[:, 0])
    return 0 if len(model.predict(rows)) == 50 else 1

print(ended(forked(fits)), ended(forked(lambda: ended(forked(fits)))))
"""
    )
    assert found == ["0", "0"]


def test_it_is_refused_where_the_parent_has_used_polars_without_this_package():
    found = run(
        """
import polars

polars.DataFrame({"a": [2, 1]}).lazy().sort("a").collect()
rows = np.random.default_rng(0).normal(size=(50, 2))
print(ended(forked(lambda: dr.TabularRegressor(epochs=2).fit(rows, rows[:, 0]) and 0)))
"""
    )
    assert found == ["3"]


def test_a_child_of_a_forked_child_is_refused_too():
    found = run(
        """
rows = np.random.default_rng(0).normal(size=(50, 2))

def fits():
    return 0 if dr.TabularRegressor(epochs=2).fit(rows, rows[:, 0]) else 1

print(ended(forked(lambda: fits() or ended(forked(fits)))))
"""
    )
    assert found == ["3"]


def test_jax_is_refused_where_the_parent_has_used_it():
    pytest.importorskip("jax")
    program = """
X, Y = np.ones((20, 2), np.float32), np.ones((20, 1), np.float32)
network = dr.Network(2, [dr.Dense(1)])

def train():
    return 0 if dr.train(network, X, Y, engine="jax", epochs=1) else 1

"""
    unused = "import jax\nprint(ended(forked(train)))"
    assert run(program + unused) == ["0"]
    used = """
runner = dr.start(network, engine="jax")
many = dr.train_many(network, X, Y, seeds=[0, 1], engine="jax", epochs=1)
estimator = dr.MLPRegressor(hidden_layer_sizes=(4,), engine="jax", max_iter=1).fit(X, Y[:, 0])
works = [train, lambda: runner.step(X, Y), lambda: many.predict(X), lambda: estimator.predict(X)]
children = [forked(work) for work in works]
print(*map(ended, children))
"""
    assert run(program + used) == ["3"] * 4


def test_networks_train_and_predict_in_forked_children_while_their_parent_does():
    """The parent may hold an estimator's lock, and its runner, at the moment of a fork."""
    count = 20 * TIMES
    found = run(
        f"""
X = np.random.default_rng(0).normal(size=(2000, 20)).astype(np.float32)
y = X[:, 0] > 0
fit = lambda: dr.MLPClassifier((64,), max_iter=2, n_estimators=2, random_state=0).fit(X, y)
estimators = [fit(), dr.MLPClassifier((64,), engine="reference", max_iter=2).fit(X, y)]
expected = [each.predict_proba(X) for each in estimators]
over = threading.Event()

def keep_predicting(k):
    while not over.is_set():
        estimators[k].predict_proba(X)

for k in (0, 0, 1):
    threading.Thread(target=keep_predicting, args=(k,)).start()

def works(k):
    same = [np.array_equal(a.predict_proba(X), b) for a, b in zip(estimators, expected)]
    trained = k % 10 or np.array_equal(fit().predict_proba(X), expected[0])
    return 0 if all(same) and trained else 1

children, found = [], []
for k in range({count}):
    children.append(forked(lambda: works(k)))
    if len(children) == 3:
        found.append(ended(children.pop(0)))
found += map(ended, children)
over.set()
print(*found)
"""
    )
    assert found == ["0"] * count
