"""The estimators beside scikit-learn's, and what they do beyond."""

import ast
import copy
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import deltarule as dr
import deltarule.estimators
from deltarule import MLPClassifier, MLPRegressor, NetworkOptions, RegularizationOptions
from deltarule import StoppingOptions as Stopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_iris, y_iris = load_iris(return_X_y=True)
X_iris = (X_iris - X_iris.mean(0)) / X_iris.std(0)
X_reg, Y_reg = make_regression(n_samples=37, n_features=4, n_targets=3, random_state=5)
Y_reg = Y_reg / Y_reg.std()
X_labels, Y_labels = make_multilabel_classification(60, n_classes=4, random_state=2)


def distance(ours, theirs):
    arrays = [(a, b) for o, t in zip(ours, theirs, strict=True) for a, b in [(o, t)]]
    return max(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12) for a, b in arrays)


def parameters(model):
    return [*model.coefs_, *model.intercepts_]


TASKS = {
    "one_output": (MLPRegressor, TheirRegressor, X_reg, Y_reg[:, 0], {}),
    "three_outputs": (MLPRegressor, TheirRegressor, X_reg, Y_reg, {}),
    "poisson": (MLPRegressor, TheirRegressor, X_reg, np.abs(Y_reg), {"loss": "poisson"}),
    "two_classes": (MLPClassifier, TheirClassifier, X_iris, y_iris > 0, {}),
    "three_classes": (MLPClassifier, TheirClassifier, X_iris, y_iris, {}),
    "labels": (MLPClassifier, TheirClassifier, X_labels / 9, Y_labels, {}),
}
SOLVERS = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "heavy_ball": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("task", TASKS)
def test_the_path_is_scikit_learns(task, solver, activation):
    """Same generator, so same initial weights and same order: at least ten steps stay together."""
    Ours, Theirs, X, y, more = TASKS[task]
    settings = {
        "hidden_layer_sizes": (7, 5),
        "activation": activation,
        "alpha": 0.02,
        "batch_size": 11,
    }
    settings |= {"max_iter": 4, "random_state": 3, **SOLVERS[solver], **more}
    ours, theirs = Ours(**settings).fit(X, y), Theirs(**settings).fit(X, y)
    assert distance(parameters(ours), parameters(theirs)) < 1e-6
    # of several outputs, the penalty's share is the mean of an epoch's begin and end
    rtol = 1e-2 if task == "three_outputs" else 1e-5
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=rtol)
    assert (ours.n_iter_, ours.t_, ours.out_activation_) == (4, theirs.t_, theirs.out_activation_)


@pytest.mark.parametrize("task", ["one_output", "three_classes", "labels"])
def test_early_stopping_is_scikit_learns(task):
    Ours, Theirs, X, y, more = TASKS[task]
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "random_state": 1,
        "max_iter": 60,
    }
    settings |= {"learning_rate_init": 0.01, "n_iter_no_change": 5, **more}
    ours, theirs = Ours(**settings).fit(X, y), Theirs(**settings).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-9)
    assert distance(parameters(ours), parameters(theirs)) < 1e-6


def test_every_parameter_default_and_attribute_of_scikit_learns_is_there():
    for Ours, Theirs in ((MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)):
        ours, theirs = Ours().get_params(), Theirs().get_params()
        assert {name: ours.get(name, "missing") for name in theirs} == theirs
        y = y_iris
        ours, theirs = Ours(max_iter=2).fit(X_iris, y), Theirs(max_iter=2).fit(X_iris, y)
        public = {name for name in vars(theirs) if name.endswith("_") and name[0] != "_"}
        assert public <= set(vars(ours))


def test_patience_counts_epochs():
    for epochs in (2, 7):
        model = MLPClassifier(5, n_iter_no_change=epochs, tol=1e3, random_state=0)
        model.fit(X_iris, y_iris)
        assert (model.n_iter_, model.stopped_because_) == (epochs + 2, "patience")
    model = MLPClassifier(5, n_iter_no_change=np.inf, tol=1e3, max_iter=30).fit(X_iris, y_iris)
    assert model.n_iter_ == 30


def test_learning_rates_go_as_scikit_learns():
    settings = {
        "solver": "sgd",
        "hidden_layer_sizes": 3,
        "random_state": 0,
        "learning_rate_init": 0.1,
    }
    model = MLPClassifier(**settings, learning_rate="invscaling", max_iter=2, power_t=0.25)
    assert model.fit(X_iris, y_iris).learning_rate_ == pytest.approx(0.1 / (300 + 1) ** 0.25)
    model = MLPClassifier(**settings, learning_rate="adaptive", tol=0.5, max_iter=3000)
    model.fit(X_iris, y_iris)
    assert model.learning_rate_ < 1e-6
    assert model.stopped_because_ == "patience"


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_single_epochs_are_one_fit(solver, dtype):
    """Bit for bit: by warm start and partial_fit, pickled between, with dropout and a schedule."""
    X = X_iris.astype(dtype)
    settings = {
        "hidden_layer_sizes": (9, 6),
        "solver": solver,
        "batch_size": 16,
        "random_state": 4,
        "learning_rate": "invscaling",
        "regularization": RegularizationOptions(dropout=0.3),
    }
    whole = MLPClassifier(**settings, max_iter=6).fit(X, y_iris)
    warm = MLPClassifier(**settings, max_iter=1, warm_start=True)
    single = MLPClassifier(**settings)
    for _ in range(6):
        warm = pickle.loads(pickle.dumps(warm.fit(X, y_iris)))
        single.partial_fit(X, y_iris, classes=[0, 1, 2])
    for model in (warm, single):
        for a, b in zip(parameters(whole), parameters(model), strict=True):
            np.testing.assert_array_equal(a, b)
        assert model.loss_curve_ == whole.loss_curve_
        assert model.t_ == whole.t_


def test_pickles_do_not_grow():
    model = MLPClassifier(20, random_state=0, warm_start=True, max_iter=3).fit(X_iris, y_iris)
    first = len(pickle.dumps(model))
    for _ in range(5):
        model.fit(X_iris, y_iris)
    assert len(pickle.dumps(model)) < first + 1000
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X_iris), model.predict_proba(X_iris))
    assert copy.deepcopy(model).fit(X_iris, y_iris).t_ == model.t_ + 450


def test_what_coefs_hold_predicts():
    model = MLPRegressor(hidden_layer_sizes=4, random_state=0, max_iter=5).fit(X_reg, Y_reg)
    model.coefs_[1][:] = 0.0
    np.testing.assert_array_equal(model.predict(X_reg), np.tile(model.intercepts_[1], (37, 1)))
    model.intercepts_[1] = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(model.predict(X_reg[:1]), [[1.0, 2.0, 3.0]])


def test_options_are_reached_by_set_params_and_searches():
    model = MLPClassifier(8, max_iter=5, random_state=0)
    model.set_params(regularization__dropout=0.2, optimizer=dr.AdamW(1e-2), stopping__patience=3)
    model.set_params(optimizer__weight_decay=0.1)
    assert model.regularization == RegularizationOptions(dropout=0.2)
    assert model.get_params()["optimizer__weight_decay"] == 0.1
    assert clone(model).get_params() == model.get_params()
    grid = {"regularization__dropout": [0.0, 0.5], "optimizer__learning_rate": [1e-4, 3e-2]}
    search = GridSearchCV(model, grid, cv=2).fit(X_iris, y_iris)
    assert search.best_params_["optimizer__learning_rate"] == 3e-2
    for wrong in ({"dropuot": 1}, {"stopping__patiense": 2}, {"alpha__x": 1}):
        with pytest.raises(ValueError, match="Invalid parameter"):
            model.set_params(**wrong)


def test_layers_costs_and_starts_of_ones_own():
    network = NetworkOptions(cost="quantile(0.9)", weights="he_normal")
    model = MLPRegressor(
        hidden_layer_sizes=(8, 6), activation=["mish", "tanh"], network=network, random_state=0
    )
    model.set_params(max_iter=300, learning_rate_init=0.01).fit(X_reg, Y_reg[:, 0])
    assert 0.8 < np.mean(model.predict(X_reg) >= Y_reg[:, 0] - 1e-3) <= 1
    assert [A.shape for A in model.activations(X_reg)] == [(37, 8), (37, 6), (37, 1)]
    start = NetworkOptions(coefs=[np.ones((4, 1))], intercepts=[np.zeros(1)])
    linear = MLPRegressor(hidden_layer_sizes=(), network=start, max_iter=1, learning_rate_init=1e-9)
    np.testing.assert_allclose(linear.fit(X_reg, Y_reg[:, 0]).coefs_[0], 1.0, atol=1e-6)
    with pytest.raises(ValueError, match=r"a network of 4-7-1 needs shapes .* hidden_layer_sizes"):
        clone(linear).set_params(hidden_layer_sizes=7).fit(X_reg, Y_reg[:, 0])
    with pytest.raises(ValueError, match="expected one for each of 1 hidden layers, got 2"):
        MLPRegressor(activation=["relu", "tanh"]).fit(X_reg, Y_reg)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalized_hidden_layers(kind):
    """The network is the one written out; warm starts, pickles and changed coefs_ go with it."""
    network = NetworkOptions(normalization=kind)
    settings = {"batch_size": 16, "random_state": 0, "warm_start": True, "network": network}
    model = MLPClassifier((6, 5), "tanh", max_iter=3, **settings)
    model.fit(X_iris, y_iris)
    layers = model._fitted.plan.network.layers
    assert [layer.kind for layer in layers] == [*["dense", f"{kind}_norm"] * 2, "dense"]
    assert [layer.g.name for layer in layers[:2]] == ["identity", "tanh"]
    assert (model.n_layers_, len(model.coefs_), len(model.normalizations_)) == (4, 3, 2)
    assert np.abs(model.normalizations_[0]["gain"] - 1).max() > 1e-4
    assert [A.shape for A in model.activations(X_iris)] == [(150, 6), (150, 5), (150, 3)]
    P = model.predict_proba(X_iris)
    np.testing.assert_allclose(model.activations(X_iris)[-1], P, rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X_iris), P)

    whole = clone(model).set_params(max_iter=6, tol=0).fit(X_iris, y_iris)
    model.set_params(tol=0).fit(X_iris, y_iris)
    np.testing.assert_array_equal(model.predict_proba(X_iris), whole.predict_proba(X_iris))
    gain = model.normalizations_[0]["gain"]
    model.coefs_[0][:] = 0.0
    assert not np.allclose(model.predict_proba(X_iris), whole.predict_proba(X_iris))
    np.testing.assert_array_equal(model._fitted.normalizations()[0]["gain"], gain)
    with pytest.raises(ValueError, match="normalization"):
        model.set_params(network=None).fit(X_iris, y_iris)


def test_partial_fit_knows_the_labels_by_name():
    model = MLPClassifier(5, random_state=0)
    names = ["a", "b", "c", "d"]
    for _ in range(2):
        model.partial_fit(X_labels, Y_labels, classes=names)
    assert list(model.classes_) == names
    assert model.predict_proba(X_labels).shape == (60, 4)
    for y, text in ((Y_labels[:, :3], "4 columns of labels"), (Y_labels[:, 0], "4 columns")):
        with pytest.raises(ValueError, match=text):
            model.partial_fit(X_labels, y)
    with pytest.raises(ValueError, match="3 columns of labels"):
        MLPClassifier(5).partial_fit(X_labels, Y_labels, classes=names[:3])
    with pytest.raises(ValueError, match="a vector"):
        MLPClassifier(5, max_iter=2).fit(X_iris, y_iris).partial_fit(X_iris, np.eye(3)[y_iris])


def test_threads_are_the_engine_options():
    one, two = (
        MLPClassifier(5, max_iter=3, random_state=0, engine_options=dr.EngineOptions(n_threads=n))
        for n in (1, 2)
    )
    found = (parameters(model.fit(X_iris, y_iris)) for model in (one, two))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert two._fitted.runner.n_threads == 2


def test_metadata_is_routed():
    """A search passes weights, and data to evaluate by, on to the fit that asked for them."""
    weights = np.where(y_iris == 2, 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = MLPClassifier(5, max_iter=5, random_state=0)
        model.set_fit_request(sample_weight=True, X_val=True, y_val=True)
        model.set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"alpha": [1e-4]}, cv=2)
        search.fit(X_iris, y_iris, sample_weight=weights, X_val=X_iris, y_val=y_iris)
    own = clone(model).fit(X_iris, y_iris, weights, X_iris, y_iris)
    best = search.best_estimator_
    assert all(np.array_equal(a, b) for a, b in zip(parameters(best), parameters(own), strict=True))
    assert best.validation_loss_curve_ == own.validation_loss_curve_


def test_decision_function_is_before_the_activation():
    for y in (y_iris, y_iris > 0):
        model = MLPClassifier(6, random_state=0, max_iter=20).fit(X_iris, y)
        Z, P = model.decision_function(X_iris), model.predict_proba(X_iris)
        if Z.ndim == 1:
            np.testing.assert_allclose(1 / (1 + np.exp(-Z)), P[:, 1])
        else:
            np.testing.assert_allclose(np.exp(Z) / np.exp(Z).sum(1, keepdims=True), P)


def test_validation_data_of_ones_own():
    new, labels = X_iris[::3], y_iris[::3]
    model = MLPClassifier(6, random_state=0, max_iter=12).fit(
        X_iris, y_iris, X_val=new, y_val=labels
    )
    P = model.predict_proba(new)[np.arange(len(new)), labels]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(P).mean())
    assert model.validation_scores_ is None
    for metric in ("loss", "roc_auc_ovr", None, lambda est, X, y: est.score(X, y)):
        model.set_params(stopping=Stopping(metric=metric, validation=(new, labels), patience=3))
        model.fit(X_iris, y_iris)
        assert model.best_validation_score_ == max(model.validation_scores_)
    model.set_params(stopping=None).partial_fit(X_iris, y_iris, X_val=new, y_val=labels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_rows_are_never_made_dense_as_a_whole(dtype, monkeypatch):
    """The fit, its validation and its predictions are the dense ones; only batches are dense."""
    rng = np.random.default_rng(5)
    X = scipy.sparse.random(61, 7, density=0.3, format="csr", dtype=dtype, rng=rng)
    y = rng.integers(0, 3, 61)
    settings = {"max_iter": 4, "batch_size": 13, "early_stopping": True, "random_state": 0}
    for metric in (None, "neg_log_loss"):
        model = MLPClassifier((5,), stopping=Stopping(metric=metric), **settings)
        dense = clone(model).fit(X.toarray(), y)
        with monkeypatch.context() as patched:
            for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
                patched.setattr(kind, "toarray", None)
                fitted = clone(model).fit(kind(X), y)
                assert distance(parameters(fitted), parameters(dense)) < 1e-6
                P = fitted.predict_proba(kind(X))
                assert distance([P], [dense.predict_proba(X)]) < 1e-5
        assert [A.shape for A in fitted.activations(X)] == [(61, 5), (61, 3)]


@pytest.mark.parametrize("Kind", [MLPClassifier, MLPRegressor])
def test_ensembles_are_the_mean_of_their_members(Kind):
    model = Kind(hidden_layer_sizes=5, n_estimators=3, random_state=0, max_iter=9)
    model.fit(X_iris, y_iris)
    answer = "predict_proba" if Kind is MLPClassifier else "predict"
    members = [getattr(member, answer)(X_iris) for member in model.estimators_]
    np.testing.assert_allclose(getattr(model, answer)(X_iris), np.mean(members, axis=0))
    assert not np.allclose(members[0], members[1])
    seed = model.estimators_[1].random_state
    alone = clone(model).set_params(n_estimators=1, random_state=seed).fit(X_iris, y_iris)
    np.testing.assert_array_equal(getattr(alone, answer)(X_iris), members[1])
    before = model.t_
    assert model.partial_fit(X_iris, y_iris).t_ == before + 150
    assert pickle.loads(pickle.dumps(model)).score(X_iris, y_iris) == model.score(X_iris, y_iris)


def test_class_weights_are_example_weights():
    weights = {0: 1.0, 1: 4.0, 2: 0.5}
    a = MLPClassifier(5, random_state=0, max_iter=7, class_weight=weights).fit(X_iris, y_iris)
    b = MLPClassifier(5, random_state=0, max_iter=7)
    b.fit(X_iris, y_iris, sample_weight=np.array([weights[label] for label in y_iris]))
    np.testing.assert_array_equal(a.coefs_[0], b.coefs_[0])
    c = MLPClassifier(5, random_state=0, class_weight={0: 1.0, 2: 0.5})
    c.partial_fit(X_iris[:100], y_iris[:100], classes=[0, 1, 2])  # a batch may lack a class
    P = np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 1.0], [1.0, 1.0]])
    d, e = (MLPClassifier(5, random_state=0, max_iter=3) for _ in range(2))
    d.set_params(class_weight=[dict(enumerate(own)) for own in P]).fit(X_labels, Y_labels)
    of_each = np.prod([own[column] for own, column in zip(P, Y_labels.T, strict=True)], axis=0)
    np.testing.assert_array_equal(
        d.coefs_[0], e.fit(X_labels, Y_labels, sample_weight=of_each).coefs_[0]
    )
    both = clone(a).fit(X_iris, y_iris, sample_weight=np.linspace(0, 1, 150))
    assert not np.array_equal(both.coefs_[0], a.coefs_[0])


def test_callbacks_ours_and_scikit_learns():
    events = []

    def stop(event):
        events.append(event)
        return dr.StopTraining("enough") if len(events) == 4 else None

    model = MLPClassifier(5, callbacks=stop, max_iter=50).fit(X_iris, y_iris)
    assert (model.n_iter_, model.stopped_because_) == (3, "callback")

    class Third:
        """scikit-learn's protocol: stop after three epochs, by the score of then."""

        def __init__(self):
            self.scores = []

        def setup(self, estimator, context):
            self.open = 1

        def teardown(self, estimator, context):
            self.open -= 1

        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            if fitted_estimator is not None:
                self.scores.append(fitted_estimator.score(X, y))
            return len(self.scores) == 3

    if hasattr(model, "set_callbacks"):
        watch = Third()
        model = MLPClassifier(5, max_iter=50, random_state=0).set_callbacks(watch)
        model.fit(X_iris, y_iris)
        assert model.n_iter_ == 3
        assert watch.scores[-1] == model.score(X_iris, y_iris)
        assert watch.open == 0
        for others in (model.partial_fit, clone(model).set_params(n_estimators=2).fit):
            watch.open = "untouched"
            others(X_iris, y_iris)
            assert watch.open == "untouched"


def test_divergence_is_raised_or_reduced_and_loses_nothing():
    wild = {"hidden_layer_sizes": (), "solver": "sgd", "learning_rate_init": 50.0, "max_iter": 200}
    wild |= {"random_state": 0, "tol": 0.0, "n_iter_no_change": np.inf}
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=3).fit(X_reg, Y_reg)
    before = model.predict(X_reg)
    for how in ("stop", "raise"):
        model.set_params(**wild, stopping=Stopping(on_divergence=how))
        with pytest.raises(dr.DivergenceError, match="non-finite parameter weights"):
            model.fit(X_reg, Y_reg)
        np.testing.assert_array_equal(model.predict(X_reg), before)
    model.set_params(stopping__on_divergence="reduce").fit(X_reg, Y_reg)
    assert model.learning_rate_ < 50
    assert np.isfinite(model.coefs_[0]).all()


def test_averaged_parameters_and_the_limits_of_weights():
    rules = RegularizationOptions(average=0.5, max_norm=0.5, clip_norm=1.0, l1=1e-3)
    model = MLPClassifier(5, random_state=0, max_iter=4, regularization=rules)
    model.fit(X_iris, y_iris)
    assert np.linalg.norm(model.coefs_[0], axis=0).max() <= 0.5 + 1e-9
    last = clone(model).set_params(regularization__average=None).fit(X_iris, y_iris)
    assert not np.allclose(last.coefs_[0], model.coefs_[0])


def test_a_learning_rate_is_found():
    found = MLPClassifier(16, random_state=0).find_learning_rate(X_iris, y_iris)
    assert 1e-4 < found.suggestion < 1
    assert len(found.rates) == len(found.costs)
    with pytest.raises(ValueError, match="no learning rate to find"):
        MLPClassifier(solver="lbfgs").find_learning_rate(X_iris, y_iris)


def test_the_ecosystem():
    model = MLPClassifier(8, max_iter=60, random_state=0, learning_rate_init=0.01)
    pipeline = make_pipeline(StandardScaler(), model).fit(X_iris, y_iris)
    assert pipeline.score(X_iris, y_iris) > 0.9
    calibrated = CalibratedClassifierCV(model, cv=2).fit(X_iris, y_iris)
    assert calibrated.score(X_iris, y_iris) > 0.9
    model.fit(X_iris, y_iris)
    with joblib.parallel_config("threading", n_jobs=2):  # one estimator in several threads
        importance = permutation_importance(model, X_iris, y_iris, n_repeats=2)
    assert importance.importances_mean[2:].max() > importance.importances_mean[:2].max()
    assert "MLPClassifier" in model._repr_html_()
    names = ["a", "b", "c", "d"]
    for frame in (pd.DataFrame(X_iris, columns=names), pl.DataFrame(X_iris, schema=names)):
        assert list(model.fit(frame, y_iris).feature_names_in_) == names
        shuffled = frame[names[::-1]]
        with pytest.raises(ValueError, match="feature names"):
            model.predict(shuffled)


TWO = [[0.0], [1.0]], [0, 1]
BAD = {
    "inf": (MLPRegressor(), np.array([[np.inf], [1.0]]), [1, 2], {}, "infinity"),
    "nan_y": (MLPRegressor(), [[0.0], [1.0]], [np.nan, 2], {}, "NaN"),
    "nan_weight": (MLPRegressor(), [[0.0], [1.0]], [1, 2], {"w": [np.nan, 1]}, "NaN"),
    "negative": (MLPRegressor(), [[0.0], [1.0]], [1, 2], {"w": [-1, 1]}, "none below zero"),
    "zero": (MLPRegressor(), [[0.0], [1.0]], [1, 2], {"w": [0, 0]}, "all are zero"),
    "class": (MLPClassifier(class_weight={7: 1.0}), [[0.0], [1.0]], [0, 1], {}, "7 is not among"),
    "class_below": (MLPClassifier(class_weight={0: -2}), *TWO, {}, "at least 0, for class 0; got"),
    "class_text": (MLPClassifier(class_weight={0: "a"}), *TWO, {}, "finite number, at least 0"),
    "classes_zero": (MLPClassifier(class_weight={0: 0, 1: 0}), *TWO, {}, "all classes weigh 0"),
    "class_list": (MLPClassifier(class_weight=[{0: 1}]), *TWO, {}, "a list is for several labels"),
    "label_dict": (
        MLPClassifier(class_weight={0: 1.0, 1: 1.0}),
        *(np.eye(3), np.eye(3, dtype=int), {}, "3 columns of labels; expected a list"),
    ),
    "none": (MLPClassifier(), [[0.0], [1.0]], ["a", None], {}, "got None in row 1"),
    "na": (MLPClassifier(), [[0.0], [1.0]], pd.Series([pd.NA, "a"]), {}, "contains NaN"),
    "nan_class": (MLPClassifier(), [[0.0], [1.0]], pd.Series(["a", np.nan]), {}, "contains NaN"),
    "continuous": (MLPClassifier(), [[0.0], [1.0]], [0.5, 1.5], {}, "Unknown label type: cont"),
    "text": (MLPClassifier(), pd.DataFrame({"a": ["x", "y"]}), [0, 1], {}, "X: expected numbers"),
    "text_y": (MLPRegressor(), [[0.0], [1.0]], ["x", "y"], {}, "X or y: expected numbers"),
    "callback": (MLPClassifier(callbacks=[5]), *TWO, {}, "callbacks: expected functions"),
    "no_share": (
        MLPClassifier(early_stopping=True, validation_fraction=0.0),
        *(*TWO, {}, "holds nothing out"),
    ),
    "size": (MLPRegressor(hidden_layer_sizes=(3, 0)), [[0.0]], [1], {}, "must be > 0"),
    "alpha": (MLPRegressor(alpha=-1), [[0.0]], [1], {}, "'alpha' parameter of MLPRegressor"),
    "name": (MLPRegressor(activation="rleu"), [[0.0]], [1], {}, "'activation' parameter"),
    "poisson": (MLPRegressor(loss="poisson"), [[0.0]], [-1], {}, "needs targets in"),
    "metric": (
        MLPRegressor(stopping=Stopping(metric="neg_log_loss")),
        *(np.zeros((30, 1)), np.zeros(30), {}, "needs predict_proba"),
    ),
    "scorer": (
        MLPRegressor(stopping=Stopping(metric="acuracy")),
        *(np.zeros((30, 1)), np.zeros(30), {}, "no scorer has that name"),
    ),
    "figure": (
        MLPClassifier(stopping=Stopping(metric="roc_auc")),
        *(X_iris, y_iris, {}, "'roc_auc': expected a finite number .* got ValueError.*multi_class"),
    ),
    "nothing": (
        MLPClassifier(stopping=Stopping(metric=lambda estimator, X, y: None)),
        *(X_iris, y_iris, {}, "expected a finite number for the validation data, got None"),
    ),
    "nan_figure": (
        MLPClassifier(stopping=Stopping(metric=lambda estimator, X, y: np.nan)),
        *(X_iris, y_iris, {}, "got nan"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    model, X, y, more, text = BAD[case]
    with pytest.raises(ValueError, match=text):
        clone(model).fit(X, y, sample_weight=more.get("w"))


def test_bad_input_loses_nothing():
    model = MLPClassifier(4, max_iter=3, random_state=0).fit(X_iris, y_iris)
    before = model.predict_proba(X_iris)
    for X, y in ((np.full((4, 2), np.nan), [0, 1, 0, 1]), (np.ones((4, 2)), [0.5, 1.5, 2.5, 1.0])):
        with pytest.raises(ValueError):
            model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X_iris), before)
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X_iris, y_iris + 1)
    for bad, text in (
        ({"X_val": X_iris}, "go together"),
        ({"sample_weight_val": np.ones(150)}, "go together"),
        ({"X_val": X_iris * np.nan, "y_val": y_iris}, "validation data: Input X contains NaN"),
        ({"X_val": X_iris, "y_val": y_iris + 1}, "validation data: y: has 3, which is not among"),
        (
            {"X_val": X_iris, "y_val": y_iris, "sample_weight_val": np.zeros(150)},
            "sample_weight_val: all are zero",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            model.fit(X_iris, y_iris, **bad)


STEPS = {"gradients", "step", "step_from", "delta", "dA_prev", "backward", "jacobian", "grad"}


def test_the_estimators_compute_no_derivative_and_walk_over_no_batch():
    """What trains is deltarule.training's: no module asks a runner or a layer for a step."""
    asked = {}
    for path in Path(dr.estimators.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked.setdefault(node.func.attr, path.name)
    assert "finish" in asked  # calls are found
    assert {name: asked[name] for name in STEPS & set(asked)} == {}


def test_nothing_warns_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor(solver="lbfgs", hidden_layer_sizes=3, max_iter=2000).fit(X_reg, Y_reg[:, 0])


SIZES = (1.0, 1e39, 1e-46, 1e300, 5e-324 * 2**60)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_any_size_are_proportions(dtype):
    X, y = X_iris.astype(dtype), y_iris
    weights = np.arange(150) % 3 + 1.0
    settings = {"alpha": 0.0, "max_iter": 3, "random_state": 0}
    found = [
        MLPClassifier((4,), **settings).fit(X, y, size * weights).predict_proba(X) for size in SIZES
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-5)
    doubled = 2.0**200 * weights
    again = MLPClassifier((4,), **settings).fit(X, y, doubled)
    np.testing.assert_array_equal(again.predict_proba(X), found[0])


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.ones((150, 1)), r"sample_weight: .*shape \(150,\), got \(150, 1\)"),
        (np.zeros(150), "sample_weight: all are zero"),
        (np.full(150, -1e-46), "sample_weight: expected none below zero"),
        (np.full(150, np.inf), "infinity"),
        (np.full(150, np.nan), "NaN"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier((4,), max_iter=1).fit(X_iris.astype("float32"), y_iris, weights)


DAYS = np.datetime64("2024-01-01") + np.arange(40)
WAITS = np.arange(40).astype("m8[s]")
TIMES = {
    "days": DAYS,
    "waits": WAITS,
    "objects": DAYS.astype(object),
    "timestamps": np.array(list(pd.to_datetime(DAYS)), dtype=object),
    "list": DAYS.astype(object).tolist(),
    "pandas": pd.Series(pd.to_datetime(DAYS)),
    "zone": pd.Series(pd.date_range("2024", periods=40, tz="UTC")),
    "arrow": pd.Series(pd.to_datetime(DAYS)).astype("timestamp[s][pyarrow]"),
}


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_dates_and_durations_are_no_numbers(estimator, kind):
    times = TIMES[kind]
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    frame = pd.DataFrame({"a": X[:, 0], "when": times})
    mixed = [[a, when] for a, when in zip(X[:, 0].tolist(), times, strict=True)]
    ours = estimator(hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    message = r": expected numbers, got .*\(t - t0\) / numpy.timedelta64"
    for bad in (frame, np.array(mixed, dtype=object), mixed):
        with pytest.raises(dr.TypeMismatchError, match="X" + message):
            ours.fit(bad, y)
    with pytest.raises(dr.TypeMismatchError, match="y" + message):
        ours.fit(X, times)
    with pytest.raises(dr.TypeMismatchError, match="X" + message):
        ours.partial_fit(frame, y, **({"classes": [0, 1]} if estimator is MLPClassifier else {}))
    ours.fit(X, y)
    for call in (ours.predict, lambda bad: ours.score(bad, y)):
        with pytest.raises(dr.TypeMismatchError, match="X" + message):
            call(np.array(mixed, dtype=object))
