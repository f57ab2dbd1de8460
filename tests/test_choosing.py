"""Whether columns of numbers are cut: what a short trial finds, and where none is made."""

import numpy as np
import polars as pl
import pytest

from deltarule import tabular
from deltarule.tabular import choosing

M = 600


def problem_of(target, settings, m=M):
    X = np.random.default_rng(0).uniform(0, 1, (m, 4)).round(2)
    frame = pl.DataFrame({f"x{i}": x for i, x in enumerate(X.T)}).with_columns(y=target(X))
    whole = tabular.table(frame, tabular.Roles(("y",)), task="regression")
    return tabular.problem(whole, settings, np.arange(len(frame)), frame[:0])


def saw(X):
    """What bins show and a network without them does not see in so short a time."""
    return (8 * X[:, 0]) % 1.0


def noise(X):
    """Nothing that bins could show, and much that they could mistake for it."""
    return X.sum(axis=1) + np.random.default_rng(1).normal(0, 1.0, len(X))


def cuts(plan):
    return any(layer.kind == "piecewise_linear" for layer in plan.network.layers)


@pytest.mark.parametrize(("target", "expected"), [(saw, True), (noise, False)])
def test_validation_rows_tell_whether_columns_are_cut(target, expected):
    settings = tabular.Settings()
    assert cuts(tabular.chosen(problem_of(target, settings), settings)) is expected


def test_the_fit_is_of_what_was_chosen_and_repeats_no_trial(monkeypatch):
    settings = tabular.Settings(epochs=4, hidden=(8,))
    problem = problem_of(saw, settings)
    plan = tabular.chosen(problem, settings)
    expected = tabular.fit(problem, settings)
    monkeypatch.setattr(choosing, "finished", None)
    fitted = tabular.fit(problem, settings, plan=plan)
    assert fitted.recipe == expected.recipe == plan
    for own, other in zip(fitted.model.parameters, expected.model.parameters, strict=True):
        for name, values in own.items():
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.parametrize(
    ("asked", "cut"), [({"bins": 8}, True), ({"bins": 0}, False), ({"hidden": ()}, False)]
)
def test_no_trial_where_there_is_nothing_to_choose(asked, cut, monkeypatch):
    monkeypatch.setattr(choosing, "finished", None)
    settings = tabular.Settings(**asked)
    assert cuts(tabular.chosen(problem_of(saw, settings), settings)) is cut


def test_no_trial_of_many_rows(monkeypatch):
    monkeypatch.setattr(choosing, "finished", None)
    settings = tabular.Settings()
    assert cuts(tabular.chosen(problem_of(saw, settings, 12_600), settings))


def test_what_diverges_is_not_chosen_and_both_are_the_training_s_to_report():
    settings = tabular.Settings(optimizer="gradient_descent", learning_rate=1e30, epochs=4)
    assert cuts(tabular.chosen(problem_of(saw, settings), settings))
