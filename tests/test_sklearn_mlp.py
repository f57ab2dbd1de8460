"""scikit-learn's own tests of its two estimators, run on ours; and its checks of any estimator."""

import inspect
from types import SimpleNamespace

import pytest
from sklearn.neural_network.tests import test_mlp as theirs
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from deltarule import MLPClassifier, MLPRegressor

PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs; tests/test_gradients.py checks every gradient",
}
"""Theirs that reach into private methods, and why they are not run."""


class Revealed:
    """Private attributes of theirs that tests read, by what says the same here."""

    @property
    def _optimizer(self):
        return SimpleNamespace(learning_rate=self.learning_rate_)

    @property
    def _no_improvement_count(self):
        return self._continuation.state.rule.waited


REVEALED = {
    "test_learning_rate_warmstart",
    "test_adaptive_learning_rate",
    "test_n_iter_no_change",
    "test_n_iter_no_change_inf",
}
"""Theirs that read such an attribute: run with it lent."""

SUBSTITUTES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
THEIRS = {type_ for name, type_ in vars(theirs).items() if name in SUBSTITUTES}


def cases():
    """Each test of theirs with each combination of its parameters."""
    for name, test in vars(theirs).items():
        if not name.startswith("test_") or name in PRIVATE or not inspect.isfunction(test):
            continue
        marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
        combinations = [{}]
        for mark in marks:
            names = [part.strip() for part in mark.args[0].split(",")]
            combinations = [
                {**known, **dict(zip(names, values if len(names) > 1 else [values], strict=True))}
                for known in combinations
                for values in mark.args[1]
            ]
        for number, arguments in enumerate(combinations):
            yield pytest.param(test, arguments, id=f"{name}-{number}")


def test_the_private_ones_are_there():
    """A test that scikit-learn drops or renames leaves the list."""
    assert all(inspect.isfunction(getattr(theirs, name)) for name in {*PRIVATE, *REVEALED})


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("test", "arguments"), list(cases()))
def test_theirs(test, arguments, monkeypatch, request):
    for name, ours in SUBSTITUTES.items():
        lent = type(name, (Revealed, ours), {}) if test.__name__ in REVEALED else ours
        monkeypatch.setattr(theirs, name, lent)
    arguments = {
        name: SUBSTITUTES[value.__name__] if inspect.isclass(value) and value in THEIRS else value
        for name, value in arguments.items()
    }
    for name in inspect.signature(test).parameters:
        if name == "global_random_seed":
            arguments[name] = 42
        elif name not in arguments:
            arguments[name] = request.getfixturevalue(name)
    test(**arguments)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_checks_that_are_not_in_the_list(kind, check):
    check(kind.__name__, kind())
