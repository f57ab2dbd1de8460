"""The report's feature importance: in comparable units, and what a missing value counts."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.report.evidence import evidence_of, importances, input_gradients

from .test_report import checked


def test_input_gradients_do_not_depend_on_the_unit():
    """A column counted in other units, with weights to match, has the same bar."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    unit = np.array([1.0, 7e7])
    network = dr.Network(2, [dr.Dense(8, "tanh"), dr.Dense(1)])
    result = dr.train(network, X, X[:, 0] + 0.1 * X[:, 1], epochs=40, dtype="float64")
    sizes = {each.name: each.gradient for each in importances(evidence_of(result, X, X[:, :1]))}
    first, *others = result.parameters
    parameters = [{**first, "W": first["W"] / unit}, *others]
    scaled = replace(result, parameters=parameters)
    evidence = evidence_of(scaled, X * unit, X[:, :1])
    again = {each.name: each.gradient for each in importances(evidence)}
    assert again == pytest.approx(sizes, rel=1e-9)
    raw = abs(input_gradients(evidence)).mean(axis=0)
    assert raw[0] > 1e6 * raw[1]  # in raw units the second column would not be seen


def test_the_training_rows_spreads_count_where_they_are_known():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    result = dr.train(dr.Network(2, [dr.Dense(1)]), X, X[:, :1] + X[:, 1:], epochs=5)
    evidence = evidence_of(result, X, X[:, :1])
    own = {each.name: each.gradient for each in importances(evidence)}
    spreads = np.array([1e3, 1e-3]) * evidence.X.std(axis=0, dtype=float)
    found = {e.name: e.gradient for e in importances(replace(evidence, spreads=spreads))}
    assert own["x1"] / own["x2"] < 2
    assert found["x1"] / found["x2"] > 1e5


def page_of(tmp_path, by_absence):
    """The report on a table whose target depends on whether income is missing, or on its value."""
    rng = np.random.default_rng(0)
    m = 600
    income, absent = rng.standard_normal(m), rng.random(m) < 0.4
    noise = 0.1 * rng.standard_normal(m)
    y = np.where(absent, 3.0, 0.0) + noise if by_absence else np.where(absent, 0.0, income) + noise
    columns = {"income": pl.Series(income).set(pl.Series(absent), None), "other": noise**2, "y": y}
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")
    path = tmp_path / "r.html"
    arguments = ["train", str(tmp_path / "t.csv"), "--target", "y", "--epochs", "20"]
    assert main([*arguments, "--no-baselines", "--report", str(path)]) == 0
    return checked(path.read_text(encoding="utf-8")).text


def test_a_missing_value_that_counts_is_named(tmp_path, capsys):
    page = page_of(tmp_path, by_absence=True)
    assert "Part of the importance is whether a value is missing" in page
    assert "income (mostly whether it is missing)" in page


def test_one_that_does_not_count_is_not(tmp_path, capsys):
    page = page_of(tmp_path, by_absence=False)
    assert "whether a value is missing" not in page
    assert "Most important first: income." in page


def test_dates_do_not_hide_other_columns(tmp_path, monkeypatch, capsys):
    """Weekdays fall upon ends of bins that hardly differ: there derivatives are about 1e8."""
    rng = np.random.default_rng(0)
    days, x = rng.integers(0, 2000, 400), rng.standard_normal(400)
    dates = [date(2018, 1, 1) + timedelta(int(day)) for day in days]
    frame = pl.DataFrame({"on": dates, "x": x * 1e6, "y": x + days / 1000})
    frame.write_csv(tmp_path / "t.csv")
    seen = []

    def kept(*given, **settings):
        seen.extend(importances(*given, **settings))
        return seen

    monkeypatch.setattr("deltarule.report.sections.importances", kept)
    arguments = ["train", str(tmp_path / "t.csv"), "--target", "y", "--epochs", "20"]
    assert main([*arguments, "--no-baselines", "--report", str(tmp_path / "r.html")]) == 0
    sizes = {each.name: each.gradient for each in seen}
    assert 0.05 < sizes["on"] / sizes["x"] < 20
