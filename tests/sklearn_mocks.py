"""This package's estimators in the place of the mocks of scikit-learn's own callback tests.

A pytest plugin (``-p tests.sklearn_mocks``): it is loaded before those tests import their mocks.
"""

import warnings

from sklearn.callback.tests import _utils
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning

from deltarule import MLPClassifier, MLPRegressor

X, Y = make_regression(n_samples=100, n_features=2, random_state=0)


def in_place_of(mock, base, target):
    """An estimator with a mock's name and parameters that runs all its epochs."""

    def __init__(self, max_iter=20, computation_intensity=0.001):
        every_epoch = {"max_iter": max_iter, "n_iter_no_change": 10**6, "tol": 0.0}
        base.__init__(self, hidden_layer_sizes=(3,), random_state=0, **every_epoch)
        self.computation_intensity = computation_intensity

    def fit(self, X=None, y=None, sample_weight=None):
        X, y = (globals()["X"], target) if X is None else (X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return base.fit(self, X, y, sample_weight=sample_weight)

    made = type(mock, (base,), {"__init__": __init__, "fit": fit, "__module__": __name__})
    setattr(_utils, mock, made)
    return made


MaxIterEstimator = in_place_of("MaxIterEstimator", MLPRegressor, Y)
ThirdPartyEstimator = in_place_of("ThirdPartyEstimator", MLPClassifier, Y > 0)


def pytest_collection_modifyitems(items):
    """Expect this package's name of a task where the mock's is expected."""
    from sklearn.callback.tests import test_scoring_monitor as theirs

    expected = theirs._make_expected_output_MaxIterEstimator

    def renamed(max_iter, scoring, as_pandas, X, y, root_task_id=0):
        rows = expected(max_iter, scoring, False, X, y, root_task_id)
        for row in rows[1:]:
            row["task_name"] = "epoch"
        if as_pandas:
            import pandas

            return pandas.DataFrame(rows)
        return rows

    theirs._make_expected_output_MaxIterEstimator = renamed
