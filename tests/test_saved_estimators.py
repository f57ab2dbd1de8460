"""Estimators in model files: what comes back predicts the same, and bad files are refused."""

import json

import numpy as np
import pytest

import deltarule as dr
from deltarule.modelfile import Model, load_model, save_model

pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")
rng = np.random.default_rng(0)
X = rng.standard_normal((60, 4))
FITTED = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "validation_scores_", "validation_loss_curve_"),
    *("best_loss_", "best_validation_score_", "learning_rate_", "stopped_because_", "n_layers_"),
    *("n_outputs_", "out_activation_", "n_features_in_"),
)
CLASSES = {
    "numbers": np.resize([3, 7], 60),
    "text": np.resize(["a", "b", "ü"], 60),
    "booleans": np.resize([True, False], 60),
    "floats": np.resize([1.0, 2.0], 60),
    "one class": np.zeros(60, int),
    "labels": rng.integers(0, 2, (60, 3)),
}


def equal(one, other):
    for name in FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for W, V in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(W, V)
        assert W.dtype == V.dtype
    assert one.get_params() == other.get_params()


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_classifier_comes_back(tmp_path, kind, dtype):
    path, y = tmp_path / "ein Modell ü.safetensors", CLASSES[kind]
    model = dr.MLPClassifier((5, 3), max_iter=4, random_state=0, early_stopping=kind != "labels")
    model.fit(X.astype(dtype), y).save(path)
    back = dr.MLPClassifier.load(path)
    equal(model, back)
    np.testing.assert_array_equal(back.classes_, model.classes_)
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert back.predict(X).dtype == model.predict(X).dtype
    back.fit(X, y)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_comes_back_with_its_columns(tmp_path, outputs):
    import pandas as pd

    frame, path = pd.DataFrame(X, columns=list("abcd")), tmp_path / "model.safetensors"
    model = dr.MLPRegressor(
        hidden_layer_sizes=(5,),
        max_iter=4,
        random_state=1,
        network=dr.NetworkOptions(normalization="batch", cost="huber"),
    ).fit(frame, X[:, 0] if outputs == 1 else X[:, :2])
    model.save(path)
    back = dr.MLPRegressor.load(path)
    equal(model.set_params(network=None), back)
    np.testing.assert_array_equal(back.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        back.predict(frame[["b", "a", "c", "d"]])


def test_other_readers_know_the_classes(tmp_path):
    path = tmp_path / "model.safetensors"
    model = dr.MLPClassifier((5,), max_iter=4, random_state=0).fit(X, CLASSES["text"])
    model.save(path)
    found = load_model(path)
    assert found.targets.classes == ("a", "b", "ü")
    np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=1e-12)


def test_rows_of_ones_own_are_asked_for(tmp_path):
    from dataclasses import replace

    path = tmp_path / "model.safetensors"
    own = replace(dr.ACTIVATIONS("tanh"), name="mine")
    model = dr.MLPRegressor(hidden_layer_sizes=(3,), activation=own, max_iter=3, random_state=0)
    model.fit(X, X[:, 0]).save(path)
    with pytest.raises(dr.FileError, match="uses 'mine', a row of its author's own"):
        dr.MLPRegressor.load(path)
    back = dr.MLPRegressor.load(path, rows=[own])
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_an_ensemble_is_saved_member_by_member(tmp_path):
    model = dr.MLPClassifier((3,), n_estimators=2, max_iter=3, random_state=0)
    model.fit(X, CLASSES["numbers"])
    with pytest.raises(dr.SettingError, match=r"an ensemble of 2\. Save each of its members"):
        model.save(tmp_path / "model.safetensors")
    model.estimators_[1].save(tmp_path / "second.safetensors")
    back = dr.MLPClassifier.load(tmp_path / "second.safetensors")
    np.testing.assert_array_equal(back.predict(X), model.estimators_[1].predict(X))


def test_what_is_not_fitted_or_of_another_kind_is_refused(tmp_path):
    from sklearn.exceptions import NotFittedError

    path = tmp_path / "model.safetensors"
    with pytest.raises(NotFittedError):
        dr.MLPRegressor().save(path)
    assert not path.exists()
    dr.MLPRegressor(hidden_layer_sizes=(), max_iter=3).fit(X, X[:, 0]).save(path)
    with pytest.raises(dr.FileError, match="holds 'MLPRegressor'; expected a MLPClassifier"):
        dr.MLPClassifier.load(path)
    network = dr.Network(2, [dr.Dense(1)])
    save_model(path, Model(network, network.initial_parameters()))
    with pytest.raises(dr.FileError, match="holds 'no estimator'"):
        dr.MLPRegressor.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"features": 9},
        {"names": ["a"]},
        {"classes": ["a", "b", "c"]},
        {"classes": ["a", "a"]},
        {"classes": [[]]},
        {"labels": True},
        {"parameters": {"no_such": 1}},
        {"parameters": {"__class__": "x"}},
        {"parameters": None},
        {"parameters": {"engine": "../x"}},
        {"curves": {}},
        {"epochs": "many"},
        {"rate": None},
    ],
    ids=json.dumps,
)
def test_records_that_do_not_fit_are_refused(tmp_path, change):
    path = tmp_path / "model.safetensors"
    dr.MLPClassifier((3,), max_iter=3, random_state=0).fit(X, CLASSES["numbers"]).save(path)
    found = load_model(path)
    about = {"estimator": found.about["estimator"] | change}
    save_model(path, Model(found.network, found.parameters, about=about))
    with pytest.raises(dr.FileError, match="its estimator cannot be restored"):
        dr.MLPClassifier.load(path)
