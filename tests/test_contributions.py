"""Why a prediction: contributions of columns add up, and are what the network's derivative says."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

import deltarule as dr
from deltarule.errors import DataError, SettingError, UnknownNameError
from deltarule.modelfile import load_model
from deltarule.network import Network, feed_forward
from deltarule.preprocessing.numeric import Numeric
from deltarule.tabular import column_effects, explain_rows, explain_table, reference
from deltarule.tabular.contributions import TOLERANCE
from deltarule.tabular.ensembles import combined, summands
from deltarule.tabular.integrated_gradients import (
    Level,
    gauss_legendre,
    integrated_gradients,
    levels,
)
from deltarule.tabular.path_units import cut

pl = pytest.importorskip("polars")


def _table(m=240, seed=0):
    """Numbers with gaps, a yes, towns, dates and notes, and what follows from them."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(20.0, 120.0, m)
    town = rng.choice(["A", "B", "C"], m, p=[0.6, 0.3, 0.1])
    days = rng.integers(0, 900, m)
    frame = pl.DataFrame(
        {
            "area": np.where(rng.random(m) < 0.1, np.nan, area),
            "garden": rng.choice(["yes", "no"], m),
            "town": town,
            "built": [date(2020, 1, 1) + timedelta(int(day)) for day in days],
            "note": rng.choice(["red car", "old car", "red bike", "old bike"], m),
        }
    )
    y = 3.0 * area + 40.0 * (town == "B") + 0.1 * days + rng.normal(0.0, 5.0, m)
    return frame, y


SETTINGS = {"epochs": 8, "n_ensemble": 2, "random_state": 0, "kinds": {"note": "text"}}


@pytest.fixture(scope="module")
def regressor():
    X, y = _table()
    return dr.TabularRegressor(**SETTINGS).fit(X, y)


@pytest.fixture(scope="module")
def classifier():
    X, y = _table()
    return dr.TabularClassifier(**SETTINGS).fit(X, np.digitize(y, [150.0, 270.0]))


@pytest.mark.parametrize("embedding", ["bins", "periodic", "none"])
def test_contributions_add_up_to_the_prediction(embedding):
    X, y = _table(400)
    fitted = dr.TabularRegressor(**{**SETTINGS, "embedding": embedding}).fit(X, y)
    X = X[:40]
    found = fitted.explain_rows(X)
    assert found.columns == ("area", "garden", "town", "built", "note")
    np.testing.assert_allclose(found.predictions[:, 0], fitted.predict(X), rtol=1e-4, atol=1e-3)
    at_reference = found.reference_prediction[0]
    total = at_reference + found.values[:, 0].sum(axis=1) + found.residuals[:, 0]
    np.testing.assert_allclose(total, found.predictions[:, 0])
    assert abs(found.residuals).max() <= TOLERANCE * y.std() * 1.1
    assert found.unit == "units of the target"


def test_the_reference_row_contributes_nothing(regressor):
    row = dict(reference(regressor.model_).row)
    assert row["town"] == "A"
    found = regressor.explain_rows({**{k: [v] for k, v in row.items()}, "note": ["…"]})
    others = [i for i, name in enumerate(found.columns) if name != "note"]
    np.testing.assert_allclose(found.values[0, 0, others], 0.0, atol=1e-9)


def test_a_column_that_alone_differs_has_all_of_the_difference(regressor):
    X, _ = _table()
    rows = pl.concat([X[:1], X[:1].with_columns(area=pl.lit(119.0))])
    found = regressor.explain_rows(rows, baseline=X[:1])
    assert found.reference.name == "the given row"
    change = found.predictions[1, 0] - found.predictions[0, 0]
    np.testing.assert_allclose(found.values[0], 0.0, atol=1e-9)
    assert found.values[1, 0, 0] == pytest.approx(change, abs=TOLERANCE * 100)
    np.testing.assert_allclose(found.values[1, 0, 1:], 0.0, atol=1e-9)


def test_classes_are_in_log_odds_that_are_centered(classifier):
    X, _ = _table()
    found = classifier.explain_rows(X[:20])
    assert found.outputs == ("0", "1", "2")
    assert found.unit == "centered logits"
    np.testing.assert_allclose(found.values.sum(axis=1), 0.0, atol=1e-9)
    P = classifier.predict_proba(X[:20])
    expected = np.log(P) - np.log(P).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.predictions, expected, atol=1e-3)
    assert abs(found.residuals).max() <= TOLERANCE


def test_two_classes_are_in_log_odds_of_the_second():
    X, y = _table()
    fitted = dr.TabularClassifier(**SETTINGS).fit(X, np.where(y > 200.0, "high", "low"))
    found = fitted.explain_rows(X[:20])
    P = fitted.predict_proba(X[:20])
    assert found.outputs == ("low",)
    np.testing.assert_allclose(found.predictions[:, 0], np.log(P[:, 1] / P[:, 0]), atol=1e-3)


def test_several_targets_are_each_in_their_units():
    X, y = _table()
    fitted = dr.TabularRegressor(**SETTINGS).fit(X, np.stack([y, -1000.0 * y], axis=1))
    found = fitted.explain_rows(X[:9])
    assert found.outputs == ("target_1", "target_2")
    np.testing.assert_allclose(found.predictions, fitted.predict(X[:9]), rtol=1e-4)
    assert abs(found.residuals / y.std() / [1.0, 1000.0]).max() < 2 * TOLERANCE
    assert "contribution_target_2_area" in found.frame.columns


def test_contributions_of_one_name_are_refused(regressor):
    X, _ = _table()
    found = replace(
        regressor.explain_rows(X[:2]),
        columns=("b_c", "c"),
        outputs=("a", "a_b"),
        values=np.zeros((2, 2, 2)),
        predictions=np.zeros((2, 2)),
        reference_prediction=np.zeros(2),
    )
    with pytest.raises(
        DataError, match=r"'contribution_a_b_c', the second of column 'c' to .*'a_b'"
    ):
        _ = found.frame
    assert replace(found, columns=("b", "c")).frame.width == 8


def test_a_loaded_model_explains_the_same(regressor, tmp_path):
    X, _ = _table()
    regressor.save(tmp_path / "model.safetensors")
    loaded = dr.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        loaded.explain_rows(X[:5]).values, regressor.explain_rows(X[:5]).values
    )


def test_a_row_is_explained_alike_alone_and_among_others(regressor):
    X, _ = _table()
    alone, among = regressor.explain_rows(X[3:4]), regressor.explain_rows(X[:30])
    np.testing.assert_allclose(alone.values[0], among.values[3], atol=1e-4)


# ------------------------------------------------------------------------------ known truth


@pytest.fixture(scope="module")
def oblique():
    """A model with columns across two, of a chessboard."""
    X = np.random.default_rng(0).uniform(-2.0, 2.0, (6000, 3)).round(3)
    y = np.floor(2 * X[:, :2] + 0.4).sum(axis=1) % 2
    settings = {"epochs": 2, "n_ensemble": 1, "bins": 48, "hidden": (16, 16), "random_state": 0}
    fitted = dr.TabularRegressor(**settings)
    return fitted.fit(X, y).model_, X


def test_parts_are_those_of_a_very_fine_sum_of_derivatives(oblique):
    model, X = oblique
    parameters = [{n: W.astype(float) for n, W in own.items()} for own in model.parameters]
    A = model.preprocessing.transform(X[:5]).astype(float)
    found = integrated_gradients(model.network, parameters, A, np.zeros(3), tolerance=1e-4)
    assert cut(model.network, parameters).units[0].across is not None
    steps = 8_000
    at = (np.arange(steps) + 0.5) / steps
    for row, parts in zip(A, found.parts, strict=True):
        J = dr.network.input_jacobian(model.network, parameters, (at[:, None] * row).T)
        np.testing.assert_allclose(parts[0], J[:, 0].mean(axis=0) * row, atol=1e-3)


def test_a_linear_network_has_weight_times_difference():
    W = ({"W": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.ones((2, 1))},)
    X, X0 = np.array([[2.0, 5.0], [-1.0, 0.0]]), np.array([1.0, 1.0])
    found = integrated_gradients(Network(2, [dr.Dense(2)]), W, X, X0)
    np.testing.assert_allclose(found.parts, W[0]["W"] * (X - X0)[:, None])
    assert set(found.points) == {8}


def test_embeddings_of_categories_go_straight_from_code_to_code():
    network = Network(
        3,
        [
            dr.Parallel([(0, 1, []), (1, 3, [dr.Embedding([4, 3], width=2)])]),
            dr.Dense(6, "tanh"),
            dr.Dense(1),
        ],
    )
    parameters = network.initial_parameters(1, "float64")
    X, X0 = np.array([[0.3, 3.0, 2.0], [0.3, 1.0, 1.0]]), np.array([-1.0, 1.0, 1.0])
    found = integrated_gradients(network, parameters, X, X0, tolerance=1e-6)
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-6)
    assert abs(found.parts[0]).min() > 0
    np.testing.assert_array_equal(found.parts[1, 0, 1:], 0.0)


def test_a_cut_network_is_the_network(oblique):
    model, X = oblique
    A = model.preprocessing.transform(X[:9])
    own = cut(model.network, model.parameters)
    values = np.concatenate([units.values(A) for units in own.units], axis=-1).astype(np.float32)
    np.testing.assert_allclose(
        feed_forward(own.network, own.parameters, values.T)[-1].A,
        feed_forward(model.network, model.parameters, A.T)[-1].A,
        atol=1e-5,
    )


def test_ends_of_pieces_lie_between_points():
    for points in (8, 16, 64):
        rule = gauss_legendre(points)
        assert (rule.ends[:-1] < rule.at).all()
        assert (rule.at < rule.ends[1:]).all()


def test_a_residual_that_stays_is_shown():
    bent = dr.Network(1, [dr.Dense(64, "relu"), dr.Dense(1)])
    parameters = bent.initial_parameters(0, "float64")
    parameters[0]["b"][:] = np.linspace(-3.0, 3.0, 64)[:, None]
    asked = bent, parameters, np.array([[5.0]]), np.zeros(1)
    found = integrated_gradients(*asked, tolerance=1e-12, splits=levels(1e-12)[:1])
    assert found.points.tolist() == [8]
    assert abs(found.residual).max() > 1e-12
    finer = integrated_gradients(*asked, tolerance=1e-12)
    assert abs(finer.residual).max() < abs(found.residual).max() / 10


def test_only_pieces_that_miss_the_change_are_split():
    bent = dr.Network(1, [dr.Dense(1, "relu"), dr.Dense(1)])
    W = (
        {"W": np.ones((1, 1)), "b": np.array([[-0.9]])},
        {"W": np.ones((1, 1)), "b": np.zeros((1, 1))},
    )
    X = np.array([[1.0], [0.5]])  # the second ends before the bend
    found = integrated_gradients(bent, W, X, np.zeros(1), tolerance=1e-5)
    np.testing.assert_allclose(found.parts[:, 0, 0], [0.1, 0.0], atol=2e-4)
    assert found.points[1] == 8
    split = len(levels(1e-5)) - 1
    assert found.points[0] <= 8 + split * 4 * 4  # one piece in four, each time


def test_a_larger_tolerance_takes_fewer_points(regressor):
    X, _ = _table()
    coarse = regressor.explain_rows(X[:30], tolerance=0.1)
    fine = regressor.explain_rows(X[:30], tolerance=1e-4)
    assert coarse.points.mean() < fine.points.mean()
    spread = regressor.model_.targets.stds[0]
    assert abs(coarse.residuals).max() <= 0.1 * spread
    assert abs(fine.residuals).max() <= 1e-4 * spread
    effects = regressor.explain_table(X[:30], tolerance=0.1)
    np.testing.assert_array_equal(effects.rows.values, coarse.values)
    with pytest.raises(SettingError, match="tolerance"):
        regressor.explain_rows(X[:30], tolerance=0)


def test_summands_of_an_average_are_integrated_one_by_one():
    layers = [dr.PiecewiseLinear([np.linspace(-1, 1, 9)] * 2), dr.Dense(6, "gelu"), dr.Dense(2)]
    networks = [dr.Network(2, layers[1:]), dr.Network(2, layers), dr.Network(2, layers)]
    members = [(own, own.initial_parameters(k, "float64")) for k, own in enumerate(networks)]
    whole = combined(members, 2.0)
    assert len(summands(*whole)) == 3
    X, start = np.array([[0.9, -0.7], [-0.2, 0.4]]), np.array([-0.5, 0.5])
    found = integrated_gradients(*whole, X, start, tolerance=1e-6)
    own = [integrated_gradients(*each, X, start, tolerance=1e-6) for each in members]
    np.testing.assert_allclose(found.parts, sum(each.parts for each in own) / 6, atol=1e-5)
    np.testing.assert_allclose(found.outputs, feed_forward(*whole, X.T)[-1].A.T, atol=1e-12)
    assert abs(found.residual).max() < 1e-6


def test_a_jump_between_two_bins_is_found():
    edges = [-1.0, 0.3, 0.3 + 1e-6, 1.0]
    jump = dr.Network(1, [dr.PiecewiseLinear([edges]), dr.Dense(4, "tanh"), dr.Dense(1)])
    parameters = jump.initial_parameters(3, "float64")
    found = integrated_gradients(jump, parameters, np.array([[0.9]]), np.array([-0.8]))
    assert abs(found.residual).max() < 1e-3
    assert found.points[0] < 200


# ----------------------------------------------------------------------------- many rows


def test_effects_say_how_much_and_in_which_direction(regressor):
    X, _ = _table()
    X = X[:60]
    found = regressor.explain_table(X)
    effects = {effect.column: effect for effect in found.effects}
    assert found.effects[0].column == "area"
    assert effects["area"].direction > 0.9
    assert effects["area"].summary.startswith("raises")
    values = [point.value for point in effects["area"].curve]
    assert values == sorted(values)
    assert {point.value for point in effects["town"].curve} == {"A", "B", "C"}
    assert effects["note"].curve == ()
    mean = abs(found.rows.values[:, 0, 0]).mean()
    assert effects["area"].mean_absolute == pytest.approx(mean)


def test_cells_are_read_once_however_many_outputs(classifier, monkeypatch):
    read = []
    monkeypatch.setitem(
        column_effects._NUMBERS,
        Numeric,
        lambda column, cells, reading: read.append(column.name) or cells.to_numpy(),
    )
    X, _ = _table()
    found = explain_table(classifier.model_, X[:30])
    assert read == ["area"]
    assert [effect.output for effect in found.effects] == ["0"] * 5 + ["1"] * 5 + ["2"] * 5


def test_the_same_of_each_class(classifier):
    X, _ = _table()
    effects = explain_table(classifier.model_, X[:30]).effects
    assert [effect.output for effect in effects] == ["0"] * 5 + ["1"] * 5 + ["2"] * 5


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("baseline", "error", "says"),
    [
        ({"twon": "A"}, UnknownNameError, "Did you mean 'town'"),
        ({"town": "D"}, SettingError, "training did not have. Expected one of 'A', 'B', 'C'"),
        ({"area": "large"}, SettingError, "column 'area' holds text .*expected numbers"),
        ({"built": "soon"}, SettingError, "column 'built' holds 'soon'; expected a date"),
        ({"area": float("inf")}, SettingError, "baseline: column 'area'"),
        ([{"area": 1.0}, {"area": 2.0}], SettingError, "expected one row.*a table of 2 rows"),
        (7, SettingError, "baseline: table: expected a data frame"),
    ],
)
def test_a_reference_row_that_does_not_fit(regressor, baseline, error, says):
    X, _ = _table()
    with pytest.raises(error, match=says):
        regressor.explain_rows(X[:2], baseline=baseline)


def test_rows_that_are_none_or_far_outside(regressor):
    X, _ = _table()
    with pytest.raises(DataError, match="no rows; expected at least one to explain"):
        regressor.explain_rows(X[:0])
    with pytest.raises(DataError, match="lacks the column: 'town'"):
        regressor.explain_rows(X.drop("town"))
    far = regressor.explain_rows(X[:1].with_columns(area=pl.lit(1e9), town=pl.lit("Z")))
    assert np.isfinite(far.values).all()
    total = far.reference_prediction + far.values.sum(axis=2) + far.residuals
    np.testing.assert_allclose(total, far.predictions)


def test_a_model_that_stored_no_median_of_dates_says_what_to_pass(regressor):
    model = regressor.model_
    columns = [
        replace(c, median=None) if c.name == "built" else c for c in model.preprocessing.columns
    ]
    old = replace(model, preprocessing=replace(model.preprocessing, columns=tuple(columns)))
    assert "median" not in old.preprocessing.to_dict()["columns"][3]
    X, _ = _table()
    with pytest.raises(SettingError, match=r"pass baseline={'built': '2024-05-31'}"):
        explain_rows(old, X[:1])
    given = {"built": date(2021, 5, 31)}
    assert explain_rows(old, X[:1], given).reference.row["built"] == given["built"]


def test_models_of_before_are_explained():
    from pathlib import Path

    for path in sorted((Path(__file__).parent / "models").glob("*.safetensors")):
        model = load_model(path)
        if model.preprocessing is not None and model.targets is not None:
            kinds = {column.kind for column in model.preprocessing.used}
            if "date" not in kinds:
                assert reference(model).encoded.shape == (model.preprocessing.width,)


def test_units_of_one_columns_bins_are_cut_with_them():
    edges = [np.linspace(-2, 2, 31), [-1.0, 0.0, 1.0], np.linspace(-1, 3, 25)]
    by_column = dr.Parallel(
        [(0, 30, [dr.Dense(4, "relu")]), (30, 32, []), (32, 56, [dr.Dense(5, "relu")])]
    )
    layers = [dr.PiecewiseLinear(edges), by_column, dr.Dense(8, "gelu"), dr.Dense(1)]
    network = Network(3, layers)
    parameters = network.initial_parameters(0, "float64")
    own = cut(network, parameters)
    assert own.units[0].sources.tolist() == [0] * 4 + [1] * 2 + [2] * 5
    assert own.network.sizes == (11, 8, 1)
    x, start = np.array([[1.7, -0.6, 2.9]]), np.array([-1.9, 0.8, -0.9])
    found = integrated_gradients(
        network, parameters, x, start, splits=(Level(1, gauss_legendre(256)),)
    )
    t = (np.arange(40_000) + 0.5) / 40_000
    line = (start + t[:, None] * (x - start)).T
    slopes = dr.network.input_jacobian(network, parameters, line)[:, 0].mean(axis=0)
    np.testing.assert_allclose(found.parts[0, 0], slopes * (x[0] - start), atol=1e-3)
    several = replace(
        network, layers=[layers[0], dr.Parallel([(0, 56, [dr.Dense(3)])]), *layers[2:]]
    )
    assert cut(several, several.initial_parameters(0)).network.sizes[0] == 56


@pytest.mark.parametrize("networks", [1, 2])
def test_learned_embeddings_of_categories_are_explained(networks):
    rng = np.random.default_rng(0)
    m, effect = 900, rng.normal(0, 50, 30)
    street, area = rng.integers(0, 30, m), rng.uniform(20, 120, m)
    X = pl.DataFrame({"street": [f"S{k}" for k in street], "area": area})
    fitted = dr.TabularRegressor(epochs=4, n_ensemble=networks, random_state=0)
    fitted.fit(X, 9 * area + effect[street])
    assert fitted.model_.preprocessing.columns[0].kind == "embedding"
    for baseline in (None, {"street": "S5"}):
        found = fitted.explain_rows(X[:50], baseline=baseline)
        assert abs(found.residuals).max() < 2e-3 * 9 * area.std()
        assert abs(found.values[:, 0, 0]).max() > 0
    assert "street" in dr.tabular.row_page(fitted.model_, X[:1])
