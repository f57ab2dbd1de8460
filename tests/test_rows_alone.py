"""A row has the same prediction alone and among others: the same bits on the compiled engine."""

import numpy as np
import pandas as pd
import pytest

import deltarule as dr
from deltarule import modelfile
from deltarule.engines import Choice

SIZES = (1, 7, 64)


def table(m=150):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({f"x{k}": rng.normal(size=m) for k in range(5)})
    X["town"] = rng.choice(["north", "south", "west"], m)
    X.loc[::9, "x0"] = np.nan
    return X, X["x1"] * X["x2"] + (X["town"] == "west") + rng.normal(0, 0.1, m)


def fitted(kind):
    X, y = table()
    quick = {"epochs": 2, "random_state": 0, "hidden": (128, 128)}
    if kind == "regression":
        return dr.TabularRegressor(**quick).fit(X, y).predict
    if kind == "two classes":
        return dr.TabularClassifier(**quick).fit(X, y > 0).predict_proba
    if kind == "ensemble":
        return dr.TabularRegressor(**quick, n_ensemble=2).fit(X, y).predict
    if kind == "members, float64":
        return dr.TabularRegressor(**quick, n_members=4, dtype="float64").fit(X, y).predict
    return dr.TabularClassifier(**quick).fit(X, np.digitize(y, [-1, 0, 1])).predict_proba


def in_parts(predict, X, rows):
    return np.concatenate([predict(X[i : i + rows]) for i in range(0, len(X), rows)])


@pytest.mark.parametrize(
    "kind", ["regression", "two classes", "classes", "ensemble", "members, float64"]
)
def test_a_row_has_the_same_bits_alone_and_in_a_table(kind, monkeypatch):
    X, _ = table()
    predict = fitted(kind)
    whole = predict(X)
    for threads in ("1", "3"):
        monkeypatch.setenv("DELTARULE_NUM_THREADS", threads)
        for rows in (*SIZES, len(X)):
            np.testing.assert_array_equal(in_parts(predict, X, rows), whole)
    np.testing.assert_array_equal(predict(X[::-1])[::-1], whole)


@pytest.mark.parametrize("kind", ["regression", "classes"])
def test_the_reference_engine_rounds_by_the_rows_beside(kind, monkeypatch):
    """NumPy takes other products for other shapes: within rounding, as documented."""
    monkeypatch.setattr(modelfile, "choose", lambda plan: Choice("reference", "asked for"))
    X, _ = table()
    predict = fitted(kind)
    whole = predict(X)
    for rows in SIZES:
        error = np.linalg.norm(in_parts(predict, X, rows) - whole) / np.linalg.norm(whole)
        assert error < 1e-6, error
