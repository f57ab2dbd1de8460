"""TabularClassifier and TabularRegressor: the command's recipe with scikit-learn's interface."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.modelfile import load_model
from deltarule.report import sections

QUICK = {"hidden": (16,), "epochs": 15, "learning_rate": 0.05, "random_state": 0}


def flats(m=300, seed=0):
    rng = np.random.default_rng(seed)
    area, town = rng.uniform(20, 120, m), rng.choice(["north", "south"], m)
    rent = 8 * area + 200 * (town == "south") + rng.normal(0, 20, m)
    area[::17] = np.nan
    frame = pd.DataFrame({"area": area, "town": town, "block": np.arange(m) // 10})
    return frame, pd.Series(rent, name="rent")


@pytest.fixture(scope="module")
def regressor():
    return dr.TabularRegressor(**QUICK).fit(*flats())


@pytest.fixture(scope="module")
def classifier():
    X, y = flats()
    return dr.TabularClassifier(**QUICK).fit(X, np.where(y > 600, "dear", "cheap"))


def test_categories_and_missing_values_as_they_are(regressor, classifier):
    X, y = flats()
    assert regressor.score(X, y) > 0.9
    assert classifier.score(X, np.where(y > 600, "dear", "cheap")) > 0.9
    assert classifier.classes_.tolist() == ["cheap", "dear"]
    P = classifier.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-5)
    assert (classifier.predict(X) == classifier.classes_[P.argmax(axis=1)]).all()


def test_the_command_trains_the_same_model(tmp_path, monkeypatch):
    """Equal rows, equal settings, equal seed: equal parameters, bit for bit."""
    X, y = flats()
    frame = pl.from_pandas(X).with_columns(rent=pl.from_pandas(y))
    settings = tabular.Settings(seed=0)
    whole = tabular.table(frame, tabular.Roles(("rent",)))
    kept = tabular.split(whole, settings).kept
    monkeypatch.chdir(tmp_path)
    frame.write_csv("flats.csv")
    quick = ["--hidden", "16", "--epochs", "15", "--learning-rate", "0.05", "--no-baselines"]
    assert main(["train", "flats.csv", "--target", "rent", *quick, "--out", "m"]) == 0
    own = dr.TabularRegressor(**QUICK).fit(X.iloc[kept], y.iloc[kept])
    theirs = load_model("m")
    for one, other in zip(own.model_.parameters, theirs.parameters, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda X: X[X.columns[::-1]], dict])
def test_any_kind_of_table(regressor, kind):
    X, _ = flats()
    np.testing.assert_array_equal(regressor.predict(X), regressor.predict(kind(X)))


def test_arrays_and_sparse_matrices():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) * (rng.uniform(size=(200, 5)) < 0.5)
    y = X[:, 0] - 2 * X[:, 1]
    dense, few = (
        dr.TabularRegressor(**QUICK).fit(kind(X), y) for kind in (np.array, sparse.csr_array)
    )
    np.testing.assert_array_equal(dense.predict(X), few.predict(sparse.csr_array(X)))
    np.testing.assert_array_equal(dense.predict(X), dense.predict(X.tolist()))
    assert dense.score(X, y) > 0.9


def test_several_targets():
    X, y = flats()
    Y = np.stack([y, -2 * y], axis=1)
    fitted = dr.TabularRegressor(**QUICK).fit(X, Y)
    assert fitted.predict(X).shape == (300, 2)
    assert fitted.predict_interval(X, 0.5).shape == (300, 2, 2)
    assert fitted.score(X, Y) > 0.9
    named = dr.TabularRegressor(**QUICK).fit(X, pd.DataFrame(Y, columns=["rent", "area"]))
    assert named.model_.targets.names == ("rent", "area_")  # X has an area already
    one = dr.TabularRegressor(**QUICK).fit(X, Y[:, :1])
    assert one.predict(X).shape == (300, 1)


def test_weights_count():
    """Every other row is spoilt, which no column tells: only the weights do."""
    X, y = flats()
    s = np.where(np.arange(300) % 2, 1.0, 0.0)
    spoilt = y.where(s > 0, 0.0)
    weighted = dr.TabularRegressor(**QUICK).fit(X, spoilt, sample_weight=s)
    assert weighted.score(X[s > 0], y[s > 0]) > 0.8
    assert dr.TabularRegressor(**QUICK).fit(X, spoilt).score(X[s > 0], y[s > 0]) < 0.5


@pytest.mark.parametrize("rule", ["balanced", {0: 0.2, 1: 5.0}])
def test_class_weights_count(rule):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = (x[:, 0] + rng.normal(size=400) > 1.5).astype(int)
    plain, weighted = (
        dr.TabularClassifier(**QUICK, class_weight=w).fit(x, y).predict(x) for w in (None, rule)
    )
    assert weighted[y == 1].mean() > plain[y == 1].mean() + 0.1


def test_groups_stay_together_and_time_comes_last(monkeypatch):
    X, y = flats()
    seen = []
    real = tabular.fitting.trained

    def spied(plan, problem, *rest):
        seen.append(problem.validations)
        return real(plan, problem, *rest)

    monkeypatch.setattr(tabular.fitting, "trained", spied)
    block = X.pop("block").to_numpy()
    dr.TabularRegressor(**QUICK, n_ensemble=2).fit(X, y, groups=block)
    dr.TabularRegressor(**QUICK).fit(X, y, time=np.arange(300)[::-1])
    for kept, held in seen[0]:
        assert not set(block[kept]) & set(block[held])
    assert set(seen[0][0].held) != set(seen[0][1].held)
    (parts,) = seen[1]
    assert parts.held.max() < parts.kept.min()


def test_an_ensemble_is_the_average_of_its_members():
    """Outputs before the last activation are averaged, then divided by the temperature."""
    X, y = flats()
    frame = pl.from_pandas(X).with_columns(dear=pl.Series(y > 600))
    settings = tabular.Settings(hidden=(16, 16), epochs=6, n_ensemble=3, dtype="float64")
    whole = tabular.table(frame, tabular.Roles(("dear",)))
    problem = tabular.problem(whole, settings, np.arange(300), frame[:0])
    fitted = tabular.fit(problem, settings)
    Z = [
        np.log(p / (1 - p))
        for p in (result.predict(problem.preprocessing.transform(X)) for result in fitted.results)
    ]
    expected = 1 / (1 + np.exp(-np.mean(Z, axis=0) / fitted.calibration.temperature))
    np.testing.assert_allclose(fitted.model.outputs(frame.drop("dear")), expected, rtol=1e-6)
    assert len({result.parameters[-1]["W"].tobytes() for result in fitted.results}) == 3
    assert fitted.calibration.rows == len({*np.concatenate([p.held for p in problem.validations])})


def test_an_ensemble_is_the_same_for_any_number_of_threads():
    X, y = flats()
    one, two = (
        dr.TabularRegressor(**QUICK, n_ensemble=3, n_threads=n).fit(X, y).predict(X) for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("networks", [1, 3])
def test_files_hold_all(tmp_path, networks):
    X, y = flats()
    fitted = dr.TabularRegressor(**QUICK, n_ensemble=networks).fit(X, y)
    fitted.save(tmp_path / "m")
    loaded = dr.TabularRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(loaded.predict_interval(X), fitted.predict_interval(X))
    assert loaded.n_features_in_ == 3
    with pytest.raises(dr.SettingError, match="holds a model of a regression; expected a classif"):
        dr.TabularClassifier.load(tmp_path / "m")


def test_a_model_of_the_command_is_an_estimator(tmp_path, monkeypatch):
    X, y = flats()
    monkeypatch.chdir(tmp_path)
    pl.from_pandas(X).with_columns(rent=pl.from_pandas(y)).write_csv("flats.csv")
    quick = ["--hidden", "8", "--epochs", "3", "--no-baselines", "--out", "m"]
    assert main(["train", "flats.csv", "--target", "rent", *quick]) == 0
    assert dr.TabularRegressor.load("m").predict(X).shape == (300,)


def test_pickles_and_clones(classifier):
    X, _ = flats()
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    for unfitted in (clone(classifier), dr.TabularRegressor()):
        with pytest.raises(NotFittedError):
            unfitted.predict(X)


def test_searches_and_pipelines_of_scikit_learn():
    X, y = flats(120)
    search = GridSearchCV(dr.TabularRegressor(**QUICK), {"dropout": [0.0, 0.9]}, cv=2).fit(X, y)
    assert search.best_params_ == {"dropout": 0.0}
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: X[["area", "town"]]), search.best_estimator_
    )
    assert (cross_val_score(pipeline, X, y, cv=2) > 0.5).all()


def test_callbacks_hear_of_the_training():
    heard = []
    dr.TabularRegressor(**QUICK, callbacks=heard.append).fit(*flats())
    assert isinstance(heard[0], dr.Started)
    assert sum(isinstance(event, dr.EpochEnded) for event in heard) == 15


# ------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_ensemble": 400}, dr.SettingError, "n_ensemble=400: more networks than .* rows"),
        ({"n_ensemble": 0}, dr.SettingError, "n_ensemble must be a whole number, at least 1"),
        ({"bins": -1}, dr.SettingError, "bins must be a whole number, at least 0"),
        ({"kinds": {"twn": "category"}}, dr.DataError, r"no column 'twn' \(kinds\)"),
        ({"validation_share": 1.5}, dr.SettingError, "validation_share must be"),
        ({"activation": "rulu"}, dr.UnknownNameError, "Did you mean"),
    ],
)
def test_parameters_that_cannot_be(change, error, message):
    with pytest.raises(error, match=message):
        dr.TabularRegressor(**QUICK | change).fit(*flats())


def test_tables_that_cannot_be():
    X, y = flats()
    make = dr.TabularRegressor(**QUICK)
    with pytest.raises(dr.DataError, match="target is missing in 1 of 300 rows"):
        make.fit(X, y.where(np.arange(300) != 5))
    with pytest.raises(
        dr.DataError, match=r"sample_weight|weights: expected a value for each of the 300"
    ):
        make.fit(X, y, sample_weight=np.ones(3))
    with pytest.raises(
        dr.DataError, match="expected a value for each of the 300 rows of X, got 299"
    ):
        make.fit(X, y[1:])
    with pytest.raises(dr.DataError, match="expected at least 10"):
        make.fit(X[:9], y[:9])
    with pytest.raises(dr.DataError, match="holds inf"):
        make.fit(X.assign(area=np.inf), y)
    with pytest.raises(dr.DataError, match="requires y to be passed, but the target y is None"):
        make.fit(X, None)
    with pytest.raises(dr.DataError, match="one value, 'a', in every row"):
        dr.TabularClassifier(**QUICK).fit(X, ["a"] * 300)


def test_a_column_of_another_type_than_in_training(regressor):
    X, _ = flats()
    with pytest.raises(
        dr.DataError,
        match=r"'area' holds text in row 0 of the table, counted from 0 .'large'.; exp",
    ):
        regressor.predict(X.assign(area="large"))
    with pytest.raises(dr.DataError, match="lacks the column: 'area'"):
        regressor.predict(X.drop(columns="area"))
    with pytest.raises(
        dr.ShapeError, match="X has 2 features, but TabularRegressor is expecting 3"
    ):
        regressor.predict(np.ones((4, 2)))


def test_a_level_that_training_has_not_seen(regressor):
    X, _ = flats()
    unseen = regressor.predict(X.assign(town="east"))
    assert np.isfinite(unseen).all()
    seen = [regressor.predict(X.assign(town=town)) for town in ("north", "south")]
    assert (unseen != seen[0]).any()
    assert (unseen != seen[1]).any()


UNLIKE = {
    "check_sample_weight_equivalence_on_dense_data": "other rows are other batches",
    "check_sample_weight_equivalence_on_sparse_data": "other rows are other batches",
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [dr.TabularClassifier(epochs=30), dr.TabularRegressor(epochs=30)],
    expected_failed_checks=lambda _: UNLIKE,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_a_failed_fit_leaves_the_fitted_as_it_was():
    X, y = flats()
    fitted = dr.TabularRegressor(**QUICK).fit(X, y)
    before = fitted.predict(X)
    with pytest.raises(dr.DataError):
        fitted.fit(X[:5], np.c_[y[:5], y[:5]])
    np.testing.assert_array_equal(fitted.predict(X), before)


def test_parameters_as_numpy_draws_them_can_be_saved(tmp_path):
    X, y = flats()
    drawn = {
        "epochs": np.int64(2),
        "hidden": np.array([8, 8]),
        "bins": np.int32(4),
        "batch_size": np.int64(32),
        "dropout": np.float32(0.25),
        "learning_rate": np.float64(0.01),
        "n_ensemble": np.int64(2),
    }
    fitted = dr.TabularRegressor(**drawn, random_state=0).fit(X, y)
    fitted.save(tmp_path / "m")
    plain = {name: value.tolist() for name, value in drawn.items()}
    expected = dr.TabularRegressor(**plain, random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(dr.TabularRegressor.load(tmp_path / "m").predict(X), expected)


def test_columns_that_are_left_out_are_named():
    X, y = flats()
    X["name"] = [f"flat {i} of many" for i in range(len(X))]
    with pytest.warns(UserWarning, match="columns left out: 'name' .free text") as told:
        dr.TabularRegressor(**QUICK).fit(X, y)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dr.TabularRegressor(**QUICK, kinds={"name": "dropped"}).fit(X, y)


def test_an_array_for_a_frame_goes_by_its_order():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    fitted = dr.TabularRegressor(**QUICK).fit(X, X["a"] + X["b"])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found = fitted.predict(X.to_numpy())
    np.testing.assert_array_equal(found, fitted.predict(X))


def test_what_has_names_goes_by_them():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    fitted = dr.TabularRegressor(**QUICK).fit(X, X["a"] + X["b"])
    records = np.zeros(60, dtype=[(name, "f8") for name in "cba"])
    for name in "abc":
        records[name] = X[name]
    for other in ({name: X[name].to_numpy() for name in "cba"}, records, X[["b", "c", "a"]]):
        np.testing.assert_array_equal(fitted.predict(other), fitted.predict(X))


@pytest.mark.parametrize(
    ("estimator", "parameters", "given", "message"),
    [
        (dr.TabularRegressor, {"hidden": 16}, {}, "hidden must be a sequence of whole numbers"),
        (dr.TabularRegressor, {"callbacks": 5}, {}, "callbacks: expected a callable"),
        (
            dr.TabularRegressor,
            {},
            {"sample_weight": 1.0},
            "sample_weight: expected a value for each",
        ),
        (dr.TabularRegressor, {}, {"groups": 3}, "groups: expected a value for each"),
        (dr.TabularRegressor, {}, {"y": 3}, "target: expected a value for each of the 300 rows"),
        (
            dr.TabularClassifier,
            {"class_weight": {1: 2.0}},
            {"y": None},
            "fit requires y to be passed",
        ),
        (dr.TabularClassifier, {}, {"y": np.linspace(0, 1, 300)}, "Unknown label type: continuous"),
        (
            dr.TabularClassifier,
            {"class_weight": {1: 2.0}},
            {"y": np.arange(300) % 2, "sample_weight": np.ones(7)},
            "sample_weight: expected a value for each of the 300 rows of X, got 7",
        ),
        (
            dr.TabularClassifier,
            {"class_weight": {1: 2.0}},
            {"y": np.arange(300) % 2, "sample_weight": [2.0]},
            "sample_weight: expected a value for each of the 300 rows of X, got 1",
        ),
        (
            dr.TabularClassifier,
            {"class_weight": {"a": 2.0}},
            {"y": np.array(["a", "b", pd.NA] * 100, dtype=object)},
            "the target is missing in 100 of 300 rows",
        ),
    ],
)
def test_what_fit_refuses_in_its_own_words(estimator, parameters, given, message):
    X, y = flats()
    with pytest.raises((dr.DataError, dr.SettingError), match=message):
        estimator(**(QUICK | parameters)).fit(X, **({"y": y} | given))


@pytest.mark.parametrize("size", [1e39, 1e-46, 1e300])
@pytest.mark.parametrize("estimator", [dr.TabularClassifier, dr.TabularRegressor])
def test_weights_of_any_size_are_proportions(estimator, size):
    frame, rent = flats()
    y = rent > 600 if estimator is dr.TabularClassifier else rent
    weights = np.arange(len(frame)) % 3 + 1.0
    one, other = (
        estimator(**QUICK).fit(frame, y, scale * weights) for scale in (1.0, 2.0 ** np.log2(size))
    )
    proba = [getattr(e, "predict_proba", e.predict)(frame) for e in (one, other)]
    np.testing.assert_allclose(proba[1], proba[0], rtol=1e-4)


def test_booleans_are_weights():
    frame, rent = flats()
    counts = np.arange(len(frame)) % 4 > 0
    one, other, third = (
        dr.TabularRegressor(**QUICK).fit(frame, rent, weights)
        for weights in (counts, counts.astype(float), pd.array(counts, dtype="boolean"))
    )
    np.testing.assert_array_equal(one.predict(frame), other.predict(frame))
    np.testing.assert_array_equal(third.predict(frame), other.predict(frame))


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.ones((300, 1)), r"sample_weight: .*shape \(300,\), got \(300, 1\)"),
        (np.zeros(300), "sample_weight: all are zero"),
        (np.full(300, -1e-46), "sample_weight: expected none below zero, got -1e-46 in row 0"),
        (np.full(300, np.inf), "sample_weight: expected finite numbers, got inf"),
        ([None] + [1.0] * 299, "sample_weight: expected finite numbers, got nan in row 0"),
        (["a"] * 300, "sample_weight: expected numbers"),
        (np.ones(7), "sample_weight: expected a value for each of the 300 rows"),
        (2.0, "sample_weight: expected a value for each of the 300 rows"),
    ],
)
def test_weights_that_cannot_be_are_refused_by_their_name(weights, match):
    frame, rent = flats()
    with pytest.raises(ValueError, match=match):
        dr.TabularRegressor(**QUICK).fit(frame, rent, weights)


@pytest.mark.parametrize("unit", ["s", "m", "h"])
def test_dates_in_any_unit_are_the_same_dates(unit):
    frame, rent = flats()
    hours = np.datetime64("2024-01-01T00", "h") + np.arange(len(frame)) * 7
    frame["day"] = pd.Series(hours.astype("M8[us]"))
    frame["wait"] = (np.arange(len(frame)) * 3600).astype("m8[s]").astype("m8[us]")
    model = dr.TabularRegressor(**QUICK).fit(frame, rent)
    columns = {name: frame[name].to_numpy() for name in frame}
    columns["day"], columns["wait"] = hours.astype(f"M8[{unit}]"), columns["wait"].astype("m8[s]")
    zoned = frame.assign(day=pd.Series(columns["day"]).astype("M8[s]").dt.tz_localize("UTC"))
    for table in (columns, frame.assign(day=frame["day"].astype("M8[s]")), zoned):
        np.testing.assert_array_equal(model.predict(table), model.predict(frame))
        np.testing.assert_array_equal(
            dr.TabularRegressor(**QUICK).fit(table, rent).predict(frame), model.predict(frame)
        )


def test_masked_cells_are_missing():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(200, 2))
    hidden = rng.random(X.shape) < 0.05
    masked = np.ma.masked_array(np.where(hidden, 1e6, X), mask=hidden)
    holed = masked.filled(np.nan)
    one, other = (dr.TabularRegressor(**QUICK).fit(table, X[:, 0]) for table in (masked, holed))
    np.testing.assert_array_equal(one.predict(masked), other.predict(holed))
    for targets in (masked[:, 0], masked):
        with pytest.raises(dr.DataError, match="the target is missing"):
            one.fit(X, targets)
    for call in (
        lambda: dr.train(dr.Network(2, [dr.Dense(1)]), X, masked[:, :1], epochs=1),
        lambda: dr.MLPRegressor().fit(masked, X[:, 0]),
        lambda: dr.MLPRegressor().fit(X, masked[:, 0]),
    ):
        with pytest.raises(dr.DataError, match="masked"):
            call()


def test_kinds_go_by_the_names_of_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({0: rng.integers(0, 5, 90), 1: rng.normal(size=90)})
    model = dr.TabularRegressor(**QUICK, kinds={0: "category"}).fit(frame, frame[1])
    assert model.model_.preprocessing.columns[0].kind == "category"
    with pytest.raises(dr.SettingError, match="kinds: expected a mapping"):
        dr.TabularRegressor(**QUICK, kinds=["category"]).fit(frame, frame[1])


# ------------------------------------------------------- what the command takes, and what it tells


def test_blanks_in_a_column_of_numbers_are_missing():
    """As in a CSV file, at fit and at prediction; of a data frame of text."""
    X, y = flats()
    text = X.assign(area=[" " if np.isnan(v) else f"{v}" for v in X["area"]])
    one, other = (dr.TabularRegressor(**QUICK).fit(table, y) for table in (X, text))
    assert one.model_.preprocessing.describe() == other.model_.preprocessing.describe()
    np.testing.assert_array_equal(one.predict(X), other.predict(text))


def test_values_are_read_as_the_command_reads_them():
    X, y = flats()
    text = X.assign(area=[f"{v:.2f}".replace(".", ",") for v in X["area"]])
    text.loc[3, "area"] = "unknown"
    text["area"] = text["area"].replace("nan", "")
    fitted = dr.TabularRegressor(**QUICK, missing=("unknown",), decimal_comma=True).fit(text, y)
    assert fitted.model_.preprocessing.columns[0].kind == "numeric"
    assert fitted.score(text, y) > 0.9
    with pytest.raises(dr.SettingError, match="missing: expected a tuple of text markers, got 'x'"):
        dr.TabularRegressor(**QUICK, missing="x").fit(X, y)


def test_columns_of_X_have_roles_as_columns_of_a_file_have(tmp_path, monkeypatch):
    X, y = flats()
    X["w"] = np.where(np.arange(300) % 3, 1.0, 2.0)
    X["junk"] = np.arange(300) * 1.5
    monkeypatch.chdir(tmp_path)
    frame = pl.from_pandas(X).with_columns(rent=pl.from_pandas(y))
    frame.write_csv("flats.csv")
    quick = "--hidden 16 --epochs 15 --learning-rate 0.05 --no-baselines --out m"
    roles = "--target rent --weights w --drop junk"
    assert main(f"train flats.csv {roles} {quick}".split()) == 0
    named = tabular.Roles(("rent",), weights="w", drop=("junk",))
    kept = tabular.split(tabular.table(frame, named), tabular.Settings()).kept
    own = dr.TabularRegressor(**QUICK, weights="w", drop=["junk"])
    own.fit(X.iloc[kept], y.iloc[kept])
    theirs = load_model("m")
    for one, other in zip(own.model_.parameters, theirs.parameters, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert own.n_features_in_ == 5
    np.testing.assert_array_equal(own.predict(X), own.predict(X[["town", "area", "block"]]))
    by_block = dr.TabularRegressor(**QUICK, groups="block").fit(X, y)
    held = by_block._training.problem.train["block"].to_numpy()
    kept, validation = by_block._training.problem.validation
    assert not set(held[kept]) & set(held[validation])
    assert by_block.feature_names_in_.tolist() == list(X.columns)
    with pytest.raises(dr.SettingError, match="weights='w': expected no such column of X beside"):
        own.fit(X, y, sample_weight=X["w"])
    with pytest.raises(dr.DataError, match=r"no column 'blok' \(groups\). Did you mean 'block'"):
        dr.TabularRegressor(**QUICK, groups="blok").fit(X, y)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_baselines_and_importance_are_those_of_the_command(kind, tmp_path, monkeypatch):
    """On the same rows: metrics, verdict, and what the training report draws."""
    X, y = flats()
    if kind == "classification":
        y = pd.Series(np.where(y > 600, "dear", "cheap"), name="rent")
    drawn = []
    real = sections.importances

    def spied(*given, **more):
        drawn.extend(real(*given, **more))
        return drawn

    monkeypatch.setattr(sections, "importances", spied)
    monkeypatch.chdir(tmp_path)
    frame = pl.from_pandas(X).with_columns(rent=pl.from_pandas(y))
    frame.write_csv("flats.csv")
    quick = "--hidden 16 --epochs 15 --learning-rate 0.05 --out m --report r.html"
    assert main(f"train flats.csv --target rent {quick}".split()) == 0
    theirs = load_model("m").about
    parts = tabular.split(tabular.table(frame, tabular.Roles(("rent",))), tabular.Settings())
    make = dr.TabularRegressor if kind == "regression" else dr.TabularClassifier
    own = make(**QUICK).fit(X.iloc[parts.kept], y.iloc[parts.kept])
    test = X.iloc[parts.held], y.iloc[parts.held]
    comparison = own.compare(*test)
    assert comparison.metrics == theirs["figures"]
    assert comparison.verdict == theirs["verdict"]
    assert own.importances(*test).rows() == [(each.name, each.rise, each.spread) for each in drawn]


def test_importance_and_baselines_of_the_validation_rows(regressor):
    table = regressor.importances()
    assert table.columns == ["column", "mean", "spread"]
    assert table["mean"].is_sorted(descending=True)
    by_name = dict(zip(regressor.feature_names_in_, regressor.feature_importances_, strict=True))
    assert by_name["area"] > by_name["block"]
    assert table.row(0)[:2] == ("area", by_name["area"])
    network, *others = regressor.baselines_
    assert network == "network"
    assert others == ["mean", "ridge regression", "HistGradientBoosting"]
    assert "on 60 rows." in regressor.verdict_


def test_what_needs_the_training_rows_says_so(regressor):
    X, y = flats()
    again = pickle.loads(pickle.dumps(regressor))
    assert not hasattr(again, "feature_importances_")
    with pytest.raises(NotFittedError, match=r"do not keep the training rows. Call importances"):
        _ = again.baselines_
    assert again.importances(X, y).rows() == regressor.importances(X, y).rows()
    assert not hasattr(dr.TabularRegressor(), "feature_importances_")
    ensemble = dr.TabularRegressor(**QUICK, n_ensemble=2).fit(X, y)
    with pytest.raises(NotFittedError, match=r"Call compare\(X, y\) with rows that fit has not"):
        _ = ensemble.verdict_
    assert ensemble.compare(X, y).metrics.keys() == regressor.baselines_.keys()


def test_the_commands_read_a_model_that_an_estimator_saved(tmp_path, monkeypatch, regressor):
    X, y = flats()
    monkeypatch.chdir(tmp_path)
    regressor.save("m")
    pl.from_pandas(X).with_columns(rent=pl.from_pandas(y)).write_csv("flats.csv")
    for command in ("inspect m", "evaluate m flats.csv", "predict m flats.csv --out p.csv"):
        assert main(command.split()) == 0
    found = pl.read_csv("p.csv")["predicted_rent"]
    np.testing.assert_allclose(found, regressor.predict(X), rtol=1e-5)  # six digits
