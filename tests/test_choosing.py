"""The recipe of each network: how numbers enter it, what a trial finds, where none is made."""

import numpy as np
import polars as pl
import pytest

from deltarule import tabular
from deltarule.errors import DivergenceError
from deltarule.tabular import choosing

M = 600


def problem_of(target, settings, m=M, decimals=2):
    X = np.random.default_rng(0).uniform(0, 1, (m, 4)).round(decimals)
    frame = pl.DataFrame({f"x{i}": x for i, x in enumerate(X.T)}).with_columns(y=target(X))
    whole = tabular.table(frame, tabular.Roles(("y",)), task="regression")
    return tabular.problem(whole, settings, np.arange(len(frame)), frame[:0])


def saw(X):
    """What bins show, and periodic features hardly."""
    return (8 * X[:, 0]) % 1.0


def waves(X):
    """What periodic features show, and bins only roughly."""
    return np.sin(12 * X[:, 0]) * np.cos(6 * X[:, 1])


def embedding(recipe):
    """The name of what a network begins with."""
    first = recipe.network.layers[0]
    if first.kind == "parallel":
        return "periodic" if first.parts[-1].layers[0].kind == "periodic" else "oblique"
    return "bins" if first.kind == "piecewise_linear" else "none"


def embeddings(problem, settings):
    return [embedding(recipe) for recipe in tabular.chosen(problem, settings)]


@pytest.fixture
def without_trials(monkeypatch):
    monkeypatch.setattr(choosing, "finished", None)


# ------------------------------------------------------------------------------ several networks


@pytest.mark.usefixtures("without_trials")
def test_several_networks_alternate_and_none_is_tried():
    settings = tabular.Settings()
    expected = ["periodic", "bins", "periodic", "bins", "periodic"]
    assert embeddings(problem_of(saw, settings), settings) == expected


@pytest.mark.usefixtures("without_trials")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"embedding": "none"}, "none"),
        ({"embedding": "bins"}, "bins"),
        ({"embedding": "periodic"}, "periodic"),
        ({"bins": 8}, "bins"),
        ({"bins": 0}, "none"),
        ({"hidden": ()}, "none"),
    ],
)
def test_what_is_asked_for_all_of_them_have(asked, expected):
    one, two = tabular.Settings(**asked), tabular.Settings(**asked, n_ensemble=2)
    assert embeddings(problem_of(saw, one), one) == [expected]
    assert embeddings(problem_of(saw, two), two) == [expected] * 2


@pytest.mark.usefixtures("without_trials")
def test_they_are_equal_where_no_column_has_many_values():
    settings = tabular.Settings()
    recipes = tabular.chosen(problem_of(lambda X: X.sum(axis=1), settings, decimals=0), settings)
    assert [embedding(recipe) for recipe in recipes] == ["none"] * 5
    assert all(recipe == recipes[0] for recipe in recipes)
    assert tabular.lines(recipes)[0].startswith("5 networks, averaged: 5 of ")


# ------------------------------------------------------------------------------ one network alone


@pytest.mark.parametrize(("target", "expected"), [(saw, "bins"), (waves, "periodic")])
def test_of_one_network_alone_validation_rows_decide(target, expected):
    settings = tabular.Settings(quality="fast")
    assert embeddings(problem_of(target, settings), settings) == [expected]


def test_the_fit_is_of_what_was_chosen_and_repeats_no_trial(monkeypatch):
    settings = tabular.Settings(epochs=4, hidden=(8,))
    problem = problem_of(saw, settings)
    recipes = tabular.chosen(problem, settings)
    expected = tabular.fit(problem, settings)
    monkeypatch.setattr(choosing, "finished", None)
    fitted = tabular.fit(problem, settings, recipes=recipes)
    assert fitted.recipes == expected.recipes == recipes
    assert fitted.recipe == recipes[0]
    for own, other in zip(fitted.model.parameters, expected.model.parameters, strict=True):
        for name, values in own.items():
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.usefixtures("without_trials")
def test_of_many_rows_all_have_bins(monkeypatch):
    monkeypatch.setattr(choosing, "EMBEDDED_FROM", 400)
    settings = tabular.Settings(n_ensemble=3)
    assert embeddings(problem_of(saw, settings), settings) == ["bins"] * 3


@pytest.mark.usefixtures("without_trials")
def test_no_trial_of_many_rows():
    settings = tabular.Settings(quality="fast")
    assert embeddings(problem_of(saw, settings, 12_600), settings) == ["bins"]


def test_what_diverges_is_not_chosen_and_both_are_the_training_s_to_report():
    settings = tabular.Settings(optimizer="gradient_descent", learning_rate=1e30, epochs=4)
    problem = problem_of(saw, settings)
    assert embeddings(problem, settings) == ["bins"]
    with pytest.raises(DivergenceError, match="Lower the learning rate"):
        tabular.fit(problem, settings)
