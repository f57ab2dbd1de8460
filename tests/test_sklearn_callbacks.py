"""scikit-learn's callbacks: what they hear of a fit, and scikit-learn's own tests of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from tests.fuzz.examples import TIMES

import deltarule as dr
from deltarule import MLPClassifier, MLPRegressor, StoppingOptions

callback = pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9 on

ROOT = Path(__file__).parents[1]
X, Y = make_regression(40, 2, random_state=0)


class Heard:
    """A callback that notes its hooks: whose task begins and ends, and how a fitted one scores."""

    def __init__(self, fail_at=None):
        self.fail_at, self.hooks, self.scores = fail_at, [], []

    def _note(self, hook, context):
        self.hooks.append((hook, context.task_name))
        if hook == self.fail_at:
            raise ValueError(f"failed at {hook}")

    def setup(self, estimator, context):
        self._note("setup", context)

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        if fitted_estimator is not None:
            self.scores.append((context.task_name, fitted_estimator.score(X, y)))
        self._note("end", context)


def fitted(estimator, heard, y=Y):
    """An estimator fitted with a callback, whatever it says of convergence."""
    with pytest.warns(ConvergenceWarning):
        return estimator.set_callbacks(heard).fit(X, y)


@pytest.mark.parametrize(
    ("kind", "y", "scoring"), [(MLPRegressor, Y, "r2"), (MLPClassifier, Y > 0, "accuracy")]
)
def test_a_monitor_has_a_row_for_the_whole_fit(kind, y, scoring):
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = fitted(kind(hidden_layer_sizes=(3,), max_iter=3, random_state=0), monitor, y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", "epoch", "epoch", "epoch"]
    assert [row["task_id_path"] for row in rows] == [(0,), (0, 0), (0, 1), (0, 2)]
    assert rows[0][scoring] == rows[-1][scoring] == model.score(X, y)


def test_the_whole_fit_is_scored_with_the_parameters_that_it_keeps():
    """Those of its best epoch, of which the last one's row knows nothing."""
    heard = Heard()
    settings = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.3}
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0, **settings)
    model.set_callbacks(heard).fit(X, Y)
    assert heard.scores[-1] == ("fit", model.score(X, Y))
    assert heard.scores[-2][0] == "epoch"
    assert heard.scores[-2][1] != heard.scores[-1][1]


def test_every_task_that_begins_ends():
    heard = Heard()
    fitted(MLPRegressor(hidden_layer_sizes=(3,), max_iter=4, random_state=0), heard)
    epochs = [("begin", "epoch"), ("end", "epoch")] * 4
    whole = [("setup", "fit"), ("begin", "fit"), *epochs, ("end", "fit"), ("teardown", "fit")]
    assert heard.hooks == whole


def stopping_after_two(event):
    done = isinstance(event, dr.EpochEnded) and event.epoch == 2
    return dr.StopTraining("enough") if done else None


@pytest.mark.parametrize("settings", [{"solver": "lbfgs"}, {"callbacks": stopping_after_two}])
def test_a_fit_that_ends_by_itself_ends_its_tasks(settings):
    heard = Heard()
    MLPRegressor(hidden_layer_sizes=(), max_iter=500, **settings).set_callbacks(heard).fit(X, Y)
    assert heard.hooks.count(("begin", "epoch")) == heard.hooks.count(("end", "epoch"))
    assert heard.hooks[-2:] == [("end", "fit"), ("teardown", "fit")]


@pytest.mark.parametrize("hook", ["setup", "begin", "end", "teardown"])
def test_a_callback_that_fails_is_torn_down_and_called_no_more(hook):
    heard = Heard(fail_at=hook)
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    with pytest.raises(ValueError, match=f"failed at {hook}"):
        model.set_callbacks(heard).fit(X, Y)
    assert [name for name, _ in heard.hooks].count("setup") == 1
    assert heard.hooks[-1] == ("teardown", "fit")
    if hook in ("begin", "end"):
        assert [name for name, _ in heard.hooks].count(hook) == 1
        assert not hasattr(model, "coefs_")


def test_epochs_that_are_repeated_are_tasks_too():
    """A rate that is reduced after a divergence undoes epochs: there are more than max_iter."""
    heard = Heard()
    model = MLPRegressor(
        hidden_layer_sizes=(),
        solver="sgd",
        learning_rate_init=3.0,
        max_iter=30,
        n_iter_no_change=np.inf,
        tol=0.0,
        random_state=0,
        stopping=StoppingOptions(on_divergence="reduce"),
    )
    fitted(model, heard)
    assert model.n_iter_ == 30
    assert heard.hooks.count(("end", "epoch")) > 30


def test_clones_and_searches_share_a_callback():
    monitor = callback.ScoringMonitor(scoring="r2")
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    model.set_callbacks(monitor)
    for _ in range(2):
        with pytest.warns(ConvergenceWarning):
            clone(model).fit(X, Y)
    assert [len(log.data) for log in monitor.get_logs(select="all")] == [3, 3]


SLOW = [
    "processes",
    "loky",
    "2-",
    "meta_estimator",
    "no_callback_support",
    "fresh_process",
    "main_",
]


@pytest.mark.fuzz
def test_scikit_learns_own_tests_pass_with_these_estimators():
    """All but one, which looks for its mock's tasks by their name; quick ones in the suite."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"]
    command += ["-p", "tests.sklearn_mocks", "-W", "ignore", "--pyargs", "sklearn.callback.tests"]
    command += ["-k", " and not ".join(["not score_after_fit", *(SLOW if TIMES == 1 else [])])]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50
