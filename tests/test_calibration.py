"""Probabilities that mean what they say, and intervals that cover what they promise."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.tabular.bins import edges
from deltarule.tabular.calibration import (
    Calibration,
    effective_rows,
    kept_residuals,
    temperature,
)


def cross_entropy(Z, Y):
    return float(np.mean(np.logaddexp(0, Z) - Y * Z))


def noisy(m, seed=0):
    """Outputs three times too large for what they know."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(0, 2, (m, 1))
    return 3 * Z, (rng.uniform(size=(m, 1)) < 1 / (1 + np.exp(-Z))).astype(float)


def test_the_temperature_is_the_best_one():
    Z, Y = noisy(4000)
    found = minimize_scalar(lambda t: cross_entropy(Z / t, Y), bounds=(0.1, 10), method="bounded")
    assert temperature(Z, Y) == pytest.approx(found.x, rel=0.01)
    assert temperature(Z, Y) == pytest.approx(3.0, rel=0.1)


def test_two_outputs_are_one_output():
    Z, Y = noisy(500)
    both = temperature(np.hstack([-Z / 2, Z / 2]), np.hstack([1 - Y, Y]))
    assert both == pytest.approx(temperature(Z, Y))


def test_rows_without_weight_do_not_count():
    Z, Y = noisy(1000)
    s = (np.arange(1000) < 500).astype(float)
    spoilt = np.where(s[:, None] > 0, Y, 1 - Y)
    assert temperature(Z, spoilt, s) == pytest.approx(temperature(Z[:500], Y[:500]), rel=0.01)
    assert temperature(Z, spoilt, 0 * s) == 1.0


def test_a_temperature_that_few_rows_do_not_tell_from_1_stays_1():
    """Of probabilities that are right, nearly always; of those too sure, once rows suffice."""
    rng = np.random.default_rng(0)
    scaled = []
    for _ in range(300):
        Z = rng.normal(0, 2, (200, 1))
        Y = (rng.uniform(size=(200, 1)) < 1 / (1 + np.exp(-Z))).astype(float)
        scaled.append(temperature(Z, Y) != 1.0)
    assert np.mean(scaled) < 0.02  # three standard errors; two would be some 0.05
    assert temperature(*noisy(200)) > 2.0


def test_many_classes_told_right_stay_told():
    """One row more was seen, however many the classes."""
    labels = np.arange(100) % 10
    Y = np.eye(10)[labels]
    assert temperature(6.0 * Y, Y) < 1.1


def test_a_few_rows_that_are_all_right_do_not_make_certain():
    Z = np.array([[2.0]] * 10 + [[-2.0]] * 10)
    few, many = (temperature(np.tile(Z, (n, 1)), np.tile(Z > 0, (n, 1))) for n in (1, 100))
    assert many < few < 2.0


def test_scaled_probabilities_are_closer_to_what_happens():
    """Scaling is in the model itself: its probabilities beat those it would give without."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 8))
    y = X[:, 0] + rng.normal(size=4000) > 0
    frame = pl.DataFrame(X).with_columns(y=pl.Series(y))
    settings = tabular.Settings(hidden=(16,), epochs=20, label_smoothing=0.4)  # not sure enough
    whole = tabular.table(frame, tabular.Roles(("y",)))
    parts = tabular.split(whole, settings)
    problem = tabular.problem(whole, settings, parts.kept, frame[parts.held])
    fitted = tabular.fit(problem, settings)
    P = fitted.model.predict_proba(problem.test)[:, 1]
    truth = problem.test["y"].to_numpy()
    Z = np.log(P / (1 - P))
    assert fitted.calibration.temperature < 0.8
    assert cross_entropy(Z, truth) < cross_entropy(Z * fitted.calibration.temperature, truth)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_intervals_cover_their_share(share, draw):
    """Over many draws of held-out rows, on average exactly: within a point here."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        residuals = getattr(rng, draw)(size=(100, 1))
        low, high = Calibration(100, residuals=kept_residuals(residuals)).interval(share)
        fresh = getattr(rng, draw)(size=1000)
        covered.append(((fresh >= low) & (fresh <= high)).mean())
    assert np.mean(covered) == pytest.approx(share, abs=0.015)


def problem_and_fit(n_ensemble, time):
    """Of 200 rows, with their validation rows and what these say."""
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"x": rng.uniform(-1, 1, 200), "day": np.arange(200)})
    frame = frame.with_columns(y=pl.col("x") ** 2 + rng.normal(0, 0.1, 200))
    settings = tabular.Settings(hidden=(8,), epochs=4, bins=0, n_ensemble=n_ensemble)
    roles = tabular.Roles(("y",), time="day" if time else None)
    whole = tabular.table(frame, roles, task="regression")
    problem = tabular.problem(whole, settings, np.arange(200), frame[:0])
    return problem, tabular.fit(problem, settings)


@pytest.mark.parametrize(
    ("n_ensemble", "time", "rows"), [(1, True, 40), (5, True, 40), (5, False, 200), (7, False, 200)]
)
def test_a_row_that_several_networks_hold_counts_once(n_ensemble, time, rows):
    problem, fitted = problem_and_fit(n_ensemble, time)
    assert fitted.calibration.rows == rows == len(fitted.calibration.residuals[0])
    if time:  # held by all, so that the residuals are the average's own
        held = problem.train[problem.validations[0].held]
        told = fitted.model.predict(held)["y"].to_numpy()
        found = np.sort(held["y"].to_numpy() - told)
        np.testing.assert_allclose(fitted.calibration.residuals[0], found, rtol=1e-4, atol=1e-5)


def test_equal_weights_are_none():
    residuals = np.random.default_rng(1).normal(size=(101, 1))
    kept = kept_residuals(residuals, np.full(101, 0.3))
    np.testing.assert_allclose(kept, kept_residuals(residuals), rtol=1e-12)
    assert effective_rows(101, np.full(101, 0.3)) == 101


@pytest.mark.parametrize("little", [0.0, 1e-6])
def test_rows_that_hardly_count_do_not_widen_intervals(little):
    rng = np.random.default_rng(2)
    residuals = np.concatenate([rng.normal(0, 0.1, 300), rng.normal(0, 10.0, 300)])[:, None]
    s = np.repeat([1.0, little], 300)
    rows = effective_rows(600, s)
    assert rows == 300
    low, high = Calibration(rows, residuals=kept_residuals(residuals, s)).interval(0.9)
    fresh = rng.normal(0, 0.1, 10_000)
    assert np.mean((fresh > low) & (fresh < high)) == pytest.approx(0.9, abs=0.03)


def test_weights_count_in_intervals_and_scales_of_a_fit():
    """Half of the rows are far off and count nothing: as if they were not there."""
    rng = np.random.default_rng(4)
    x, s = rng.uniform(-1, 1, 600), np.repeat([1.0, 0.0], 300)
    y = x + rng.normal(0, 0.1, 600) + np.where(s > 0, 0.0, 1e4)
    fitted = dr.TabularRegressor(hidden=(16,), epochs=40, bins=0, random_state=0)
    fitted.fit(x[:, None], y, sample_weight=s)
    assert fitted.score(x[:300, None], y[:300]) > 0.9
    low, high = fitted.predict_interval(x[:300, None], 0.9).T
    assert np.mean((y[:300] > low) & (y[:300] < high)) == pytest.approx(0.9, abs=0.07)
    assert np.mean(high - low) < 0.6


def test_many_residuals_are_kept_as_quantiles():
    residuals = np.random.default_rng(0).normal(size=(50_000, 2))
    kept = kept_residuals(residuals)
    assert [len(own) for own in kept] == [2001, 2001]
    low, high = Calibration(50_000, residuals=kept).interval(0.9)
    np.testing.assert_allclose(low, np.quantile(residuals, 0.05, axis=0), atol=1e-2)
    np.testing.assert_allclose(high, np.quantile(residuals, 0.95, axis=0), atol=1e-2)


@pytest.mark.parametrize(
    ("calibration", "share", "message"),
    [
        (Calibration(100, residuals=((0.0,) * 100,)), 1.0, "share must be"),
        (Calibration(9, residuals=((0.0,) * 9,)), 0.9, "0.9 needs more than 9 held-out rows"),
        (Calibration(100, 1.3), 0.9, "expected a regression model"),
    ],
)
def test_intervals_that_cannot_be(calibration, share, message):
    with pytest.raises(dr.SettingError, match=message):
        calibration.interval(share)


def test_the_command_prints_intervals(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 2000)
    frame = pl.DataFrame({"x": x, "y": 3 * x + rng.normal(0, 0.3, 2000), "z": -x})
    frame[:400].write_csv("t.csv")
    frame[400:].write_csv("new.csv")
    quick = ["--hidden", "16", "--epochs", "20", "--no-baselines", "--out", "m"]
    assert main(["train", "t.csv", "--target", "y,z", *quick]) == 0
    capsys.readouterr()
    assert main(["predict", "m", "new.csv", "--intervals", "0.8"]) == 0
    told = pl.read_csv(capsys.readouterr().out.encode())
    assert told.columns == ["predicted_y", "predicted_z", "low_y", "high_y", "low_z", "high_z"]
    y = frame["y"][400:]
    covered = ((y >= told["low_y"]) & (y <= told["high_y"])).mean()
    assert covered == pytest.approx(0.8, abs=0.08)  # 64 held-out rows: ± 0.05
    assert main(["predict", "m", "new.csv", "--intervals", "0.999"]) == 2
    assert "needs more than 64 held-out rows" in capsys.readouterr().err
    assert main(["inspect", "m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["about"]["calibration"]["rows"] == 64


# ------------------------------------------------------------------------------------- bins


def test_a_value_that_fills_a_bin_has_an_edge_and_the_rest_share_the_others():
    column = np.concatenate([np.zeros(900), np.linspace(1, 2, 100)])[:, None]
    (found,) = edges(column, 10)
    assert found[:2] == (0.0, 1.0)
    np.testing.assert_allclose(np.diff(found[1:]), 1 / 9, rtol=1e-6)
    assert len(np.unique(np.quantile(column, np.linspace(0, 1, 11)))) == 3  # what quantiles give


def test_few_values_are_all_edges():
    column = np.tile([0.0, 1.0, 5.0, 7.0], 20)[:, None]
    assert edges(column, 10) == ((0.0, 1.0, 5.0, 7.0),)


@pytest.mark.parametrize(
    ("X", "most"),
    [
        (np.tile([[0.0], [1.0]], (50, 1)), 48),  # zeros and ones
        (np.random.default_rng(0).normal(size=(100, 1)), 1),
        (np.random.default_rng(0).normal(size=(1000, 1)), 48),  # none recurs, and rows are few
        (np.tile(np.arange(4.0), 3)[:, None], 48),  # too few rows
        (np.random.default_rng(0).integers(0, 19, (900, 61)), 48),  # too many columns
        (np.ones((100, 1)), 48),
    ],
)
def test_columns_that_are_not_cut(X, most):
    assert edges(X, most) is None


def test_bins_grow_with_rows_and_shrink_with_columns():
    rng = np.random.default_rng(0)
    grid = (rng.integers(0, 60, shape) for shape in ((4000, 2), (150, 2), (4000, 40)))
    assert [len(edges(X / 60, 48)[0]) - 1 for X in grid] == [48, 11, 10]
    smooth = rng.normal(size=(5120, 1))
    assert len(edges(smooth, 48)[0]) - 1 == 10
    assert edges(np.hstack([smooth, rng.integers(0, 9, smooth.shape)])[:1000], 48)[0] == (0.0, 1.0)
