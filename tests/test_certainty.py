"""How sure predictions are: interval widths that follow the row, sets of classes, unlike rows."""

import json
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.export import save_c
from deltarule.modelfile import load_model, save_model
from deltarule.tabular.calibration import Calibration
from deltarule.tabular.splits import Keys
from deltarule.tabular.spread import widths

QUICK = {"hidden": (16,), "epochs": 12, "bins": 0, "random_state": 0}


def noisy(m, seed=0, targets=1):
    """A table whose noise is from 0.1 to 1, by its second column."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (m, 3))
    scale = 0.1 + 0.9 * abs(x[:, 1])
    y = x[:, 0] + rng.normal(size=(targets, m)) * scale
    return x, y.T if targets > 1 else y[0]


@pytest.fixture(scope="module")
def fitted():
    x, y = noisy(2000)
    return dr.TabularRegressor(n_ensemble=2, validation_share=0.5, **QUICK).fit(x, y)


def mean_score(y, ends, share):
    return dr.metrics.interval_score(y, *ends.T, share).mean()


def test_widths_follow_the_noise_and_cover_it(fitted):
    x, y = noisy(4000, 1)
    ends = fitted.predict_interval(x, 0.9)
    width = ends[:, 1] - ends[:, 0]
    quiet, loud = abs(x[:, 1]) < 0.25, abs(x[:, 1]) > 0.75
    assert 2 < width[loud].mean() / width[quiet].mean() < 6
    for part in (quiet, loud, slice(None)):
        held = dr.metrics.interval_coverage(y[part], *ends[part].T)
        assert held == pytest.approx(0.9, abs=0.09)
    low, high = tabular.calibration_of(fitted.model_).interval(0.9)
    constant = fitted.predict(x)[:, None] + [low[0], high[0]]  # of width 1
    assert mean_score(y, ends, 0.9) < 0.9 * mean_score(y, constant, 0.9)


def test_predictions_do_not_depend_on_widths(fitted):
    x, _ = noisy(200, 2)
    A, S = fitted.model_.outputs_and_widths(fitted._framed(x))
    np.testing.assert_array_equal(A, fitted.model_.outputs(fitted._framed(x)))
    assert S.min() >= 1 / 20
    assert S.max() <= 20
    far = fitted.predict_interval(x * 1e6, 0.9)
    assert np.isfinite(far).all()


def test_a_saved_model_has_the_same_intervals(fitted, tmp_path):
    x, _ = noisy(50, 3)
    fitted.save(tmp_path / "m")
    again = dr.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_interval(x, 0.8), fitted.predict_interval(x, 0.8))


def test_equal_noise_keeps_one_width():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    fitted = dr.TabularRegressor(n_ensemble=2, **QUICK).fit(x, x[:, 0] + rng.normal(size=600))
    assert fitted.model_.spread is None
    ends = fitted.predict_interval(x, 0.8)
    assert np.ptp(ends[:, 1] - ends[:, 0]) < 1e-6


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_same_seed_gives_the_same_widths(engine):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 2)).astype(np.float32)
    residuals = rng.normal(size=(300, 1)) * np.exp(2 * X[:, :1])
    settings = tabular.Settings(engine=engine, seed=3)
    (first, S), (second, again) = (
        widths(X, 0 * X[:, :1], residuals, None, Keys(), settings) for _ in range(2)
    )
    np.testing.assert_array_equal(S, again)
    for own, other in zip(first[1], second[1], strict=True):
        assert all(np.array_equal(own[name], other[name]) for name in own)


def test_several_targets_have_their_own_widths():
    x, y = noisy(1500, 4, targets=2)
    y[:, 1] = x[:, 0] + np.random.default_rng(1).normal(size=1500) * (0.1 + abs(x[:, 2]))
    fitted = dr.TabularRegressor(n_ensemble=1, validation_share=0.5, **QUICK).fit(x, y)
    ends = fitted.predict_interval(x, 0.8)
    width = ends[:, :, 1] - ends[:, :, 0]
    first, second = (np.corrcoef(abs(x[:, k + 1]), width[:, k])[0, 1] for k in range(2))
    assert min(first, second) > 0.6


def test_rows_without_weight_and_whole_groups_are_respected():
    x, y = noisy(900, 5)
    s = np.repeat([1.0, 0.0], [600, 300])
    y = y + np.where(s > 0, 0, 1e3)
    groups = np.arange(900) // 6
    fitted = dr.TabularRegressor(n_ensemble=2, **QUICK)
    fitted.fit(x, y, sample_weight=s, groups=groups)
    ends = fitted.predict_interval(x[:600], 0.9)
    assert dr.metrics.interval_coverage(y[:600], *ends.T) == pytest.approx(0.9, abs=0.06)
    assert np.median(ends[:, 1] - ends[:, 0]) < 5


@pytest.mark.parametrize(
    ("m", "residuals"),
    [
        (60, lambda rng, X: rng.normal(size=X.shape)),  # too few
        (300, lambda rng, X: np.zeros(X.shape)),
        (300, lambda rng, X: np.full(X.shape, np.inf)),
    ],
)
def test_residuals_that_tell_no_width(m, residuals):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, 1)).astype(np.float32)
    found, S = widths(X, X, residuals(rng, X), None, Keys(), tabular.Settings())
    assert found is None
    assert (S == 1).all()


def test_few_groups_tell_no_width():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 1)).astype(np.float32)
    residuals = rng.normal(size=X.shape) * np.exp(2 * X)
    keys = Keys(groups=np.arange(300) % 4)
    assert widths(X, X, residuals, None, keys, tabular.Settings())[0] is None


# ------------------------------------------------------------------------------------- sets


def classes(m, seed=0):
    """Three classes that overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, m)
    return labels[:, None] + rng.normal(0, 0.7, (m, 2)), np.array(["a", "b", "c"])[labels]


@pytest.mark.parametrize("settings", [{"n_ensemble": 1}, {"n_ensemble": 2, "n_members": 2}])
def test_sets_cover_their_share_with_few_classes(settings):
    fitted = dr.TabularClassifier(**settings, **QUICK).fit(*classes(1500))
    x, y = classes(4000, 1)
    sizes = []
    for coverage in (0.6, 0.8, 0.95):
        sets = fitted.predict_set(x, coverage)
        assert sets[np.arange(4000), np.searchsorted(fitted.classes_, y)].mean() == pytest.approx(
            max(coverage, fitted.score(x, y)), abs=0.04
        )
        assert sets[np.arange(4000), fitted.predict_proba(x).argmax(axis=1)].all()
        sizes.append(sets.sum(axis=1).mean())
    assert sizes == sorted(sizes)
    assert sizes[-1] < 2.9


def test_balanced_classes_do_not_change_whose_share_is_covered():
    rng = np.random.default_rng(0)
    rare = rng.uniform(size=3000) < 0.1
    x = rare[:, None] + rng.normal(0, 0.5, (3000, 1))
    fitted = dr.TabularClassifier(n_ensemble=2, class_weight="balanced", **QUICK).fit(x, rare)
    sets = fitted.predict_set(x, 0.95)
    assert sets[np.arange(3000), rare.astype(int)].mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("calibration", "coverage", "message"),
    [
        (Calibration(9, 1.0, (), (0.5,) * 9, 9), 1.0, "coverage must be"),
        (Calibration(9, 1.0, (), (0.5,) * 9, 9), 0.95, "0.95 needs more than 9 held-out rows"),
        (Calibration(9, residuals=((0.0,) * 9,)), 0.5, "expected a classification model"),
        (Calibration(9), 0.5, "trained before there were sets"),
    ],
)
def test_sets_that_cannot_be(calibration, coverage, message):
    with pytest.raises(dr.SettingError, match=message):
        calibration.threshold(coverage)


# ------------------------------------------------------------------------------ the command


def test_the_command_adds_what_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x, y = classes(400)
    frame = pl.DataFrame({"u": x[:, 0], "v": x[:, 1], "=kind": y})
    frame.write_csv("t.csv")
    quick = ["--hidden", "8", "--epochs", "5", "--no-baselines", "--ensemble", "1", "--out", "m"]
    assert main(["train", "t.csv", "--target", "=kind", *quick]) == 0
    frame[:2].with_columns(u=pl.Series([1e9, 0.0])).write_csv("new.csv")
    capsys.readouterr()
    asked = ["predict", "m", "new.csv", "--sets", "0.9", "--unlike-training", "--no-probabilities"]
    assert main(asked) == 0
    told = pl.read_csv(capsys.readouterr().out.encode())
    assert told.columns == ["predicted_=kind", "set_=kind", "unlike_training"]
    assert told["unlike_training"].to_list() == [1, 0]
    for kind, kinds, _ in told.rows():
        assert kind in kinds.split("; ")
    assert main([*asked, "--out", "p.parquet"]) == 0
    assert pl.read_parquet("p.parquet")["set_=kind"].dtype == pl.List(pl.String)
    capsys.readouterr()
    assert main([*asked, "--memory", "100MB", "--out", "p.csv"]) == 0
    assert pl.read_csv("p.csv").equals(told)
    capsys.readouterr()
    assert main(["predict", "m", "new.csv", "--intervals", "0.9"]) == 2
    assert "--intervals: expected a regression model" in capsys.readouterr().err
    assert main(["predict", "m", "new.csv", "--sets", "1.5"]) == 2
    assert "coverage must be" in capsys.readouterr().err


# ---------------------------------------------------------------------------------- the file


def test_a_file_without_probabilities_of_true_classes_predicts_and_says_so(tmp_path):
    fitted = dr.TabularClassifier(n_ensemble=1, **QUICK).fit(*classes(200))
    calibration = fitted.model_.about["calibration"]
    del calibration["true_probabilities"], calibration["set_rows"]
    fitted.save(tmp_path / "m")
    again = dr.load(tmp_path / "m")
    x, _ = classes(10)
    np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))
    with pytest.raises(dr.SettingError, match="Train it again"):
        again.predict_set(x)


def test_a_network_of_widths_that_does_not_fit_is_refused(fitted, tmp_path):
    from dataclasses import replace

    network = dr.Network(2, [dr.Dense(1, "exp")])
    wrong = replace(fitted.model_, spread=(network, network.initial_parameters(0, "float32")))
    save_model(tmp_path / "m", wrong)
    with pytest.raises(dr.FileError, match="its outputs make"):
        load_model(tmp_path / "m")


# ------------------------------------------------------------------------------- the exports


def trained_on_file(tmp_path, targets="y,z"):
    """A model file of a table with a category, whose noise follows a column; and the table."""
    x, y = noisy(800, 6)
    kinds = np.array(["p", "q"])[np.arange(800) % 2]
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "kind": kinds, "y": y, "z": -y})
    frame.write_csv(tmp_path / "t.csv")
    quick = ["--hidden", "8", "--epochs", "8", "--bins", "0", "--no-baselines", "--ensemble", "2"]
    quick += ["--validation-share", "0.5", "--out", str(tmp_path / "m")]
    assert main(["train", str(tmp_path / "t.csv"), "--target", targets, *quick]) == 0
    return load_model(tmp_path / "m"), frame


def test_the_network_of_intervals_gives_their_ends(tmp_path):
    model, frame = trained_on_file(tmp_path)
    assert model.spread is not None
    values, low, high = tabular.interval_ends(model, frame, 0.8)
    found = tabular.with_intervals(model, 0.8).predict(frame)
    assert found.columns == ["y", "z", "low_y", "low_z", "high_y", "high_z"]
    np.testing.assert_array_equal(found[:, :2].to_numpy(), values)
    np.testing.assert_array_equal(found[:, :2].to_numpy(), model.predict(frame).to_numpy())
    np.testing.assert_allclose(found[:, 2:].to_numpy(), np.hstack([low, high]), atol=1e-5)


def test_inspect_says_whether_widths_follow_the_row(tmp_path, capsys):
    trained_on_file(tmp_path, "y")
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "m")]) == 0
    assert "widths follow the row" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "m"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["widths_follow_rows"] is True


def test_exported_intervals_are_those_of_the_model(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    model, frame = trained_on_file(tmp_path, "y")
    export = ["export", str(tmp_path / "m"), "--intervals", "0.9", "--out"]
    assert main([*export, str(tmp_path / "m.onnx"), "--check", str(tmp_path / "t.csv")]) == 0
    import onnxruntime

    from deltarule.export import feeds

    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    names = ["predicted_y", "low_y", "high_y"]
    assert [each.name for each in session.get_outputs()] == names
    capsys.readouterr()
    assert (
        main(["predict", str(tmp_path / "m"), str(tmp_path / "t.csv"), "--intervals", "0.9"]) == 0
    )
    assert capsys.readouterr().out.splitlines()[0].endswith(",".join(names))
    outputs = session.run(None, feeds(model.preprocessing, frame))
    ends = [end[:, 0] for end in tabular.interval_ends(model, frame, 0.9)]
    np.testing.assert_allclose(outputs, ends, atol=1e-5)
    assert main([*export, str(tmp_path / "m.c")]) == 0
    capsys.readouterr()
    assert main([*export, str(tmp_path / "m.c"), "--with-training"]) == 2
    assert "a step cannot train intervals" in capsys.readouterr().err


def test_intervals_in_c_pass_their_own_test(tmp_path):
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler")
    model, _ = trained_on_file(tmp_path, "y")
    save_c(tmp_path / "m.c", tabular.with_intervals(model, 0.9))
    program, flags = tmp_path / "m.exe", ["-std=c99", "-DDELTARULE_TEST"]
    subprocess.run([compiler, *flags, tmp_path / "m.c", "-lm", "-o", program], check=True)
    assert "passed" in subprocess.run([program], capture_output=True, text=True, check=True).stdout
