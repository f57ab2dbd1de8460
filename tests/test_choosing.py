"""Whether columns of numbers are cut: what a short trial finds, and where none is made."""

import numpy as np
import polars as pl
import pytest

from deltarule import tabular
from deltarule.tabular import choosing

M = 600


def problem_of(target, settings, x=None):
    x = np.random.default_rng(0).uniform(0, 1, M).round(2) if x is None else x
    frame = pl.DataFrame({"x": x, "y": target(x)})
    whole = tabular.table(frame, tabular.Roles(("y",)), task="regression")
    return tabular.problem(whole, settings, np.arange(len(frame)), frame[:0])


def saw(x):
    """What bins show and a small network without them does not."""
    return (30 * x) % 1.0


def noise(x):
    """Nothing that bins could show, and much that they could mistake for it."""
    return x + np.random.default_rng(1).normal(0, 1.0, len(x))


def cuts(plan):
    return any(layer.kind == "piecewise_linear" for layer in plan.network.layers)


@pytest.mark.parametrize(("target", "expected"), [(saw, True), (noise, False)])
def test_validation_rows_tell_whether_columns_are_cut(target, expected):
    settings = tabular.Settings(epochs=40)
    assert cuts(tabular.chosen(problem_of(target, settings), settings)) is expected


def test_the_fit_is_of_what_was_chosen_and_repeats_no_trial(monkeypatch):
    settings = tabular.Settings(epochs=4, hidden=(8,))
    problem = problem_of(saw, settings)
    plan = tabular.chosen(problem, settings)
    expected = tabular.fit(problem, settings)
    monkeypatch.setattr(choosing, "run", None)
    fitted = tabular.fit(problem, settings, plan=plan)
    assert fitted.recipe == expected.recipe == plan
    for own, other in zip(fitted.model.parameters, expected.model.parameters, strict=True):
        for name, values in own.items():
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.parametrize(
    ("asked", "cut"), [({"bins": 8}, True), ({"bins": 0}, False), ({"hidden": ()}, False)]
)
def test_no_trial_where_there_is_nothing_to_choose(asked, cut, monkeypatch):
    monkeypatch.setattr(choosing, "run", None)
    settings = tabular.Settings(**asked)
    assert cuts(tabular.chosen(problem_of(saw, settings), settings)) is cut


def test_no_trial_of_many_rows(monkeypatch):
    monkeypatch.setattr(choosing, "run", None)
    x = np.random.default_rng(2).uniform(0, 1, 12_600).round(3)
    settings = tabular.Settings()
    assert cuts(tabular.chosen(problem_of(saw, settings, x), settings))


def test_what_diverges_is_not_chosen_and_both_are_the_training_s_to_report():
    settings = tabular.Settings(optimizer="gradient_descent", learning_rate=1e30, epochs=4)
    assert cuts(tabular.chosen(problem_of(saw, settings), settings))
