"""The benchmark on a folder of sets such as TabArena's: splits, results, tables and the adapter."""

import csv
import importlib
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from deltarule import tabular

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ROWS = 120


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def bench():
    names = ("tabarena", "tabarena_page", "tabarena_results", "tabarena_sets", "table_models")
    return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture
def folder(tmp_path):
    """Three sets: two classes with categories that look like numbers, three classes, numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    code = rng.integers(3, size=ROWS)
    where = tmp_path / "sets"
    where.mkdir()
    gap = np.where(rng.random(ROWS) < 0.1, np.nan, x)
    score = x + (code == 1) + 0.3 * rng.normal(size=ROWS)
    targets = {
        "two": np.where(score > 0.3, "yes", "no"),
        "three": np.array(["low", "mid", "top"])[np.digitize(score, [-0.3, 0.7])],
        "amount": score.round(3),
    }
    kinds = {"two": "binary", "three": "multiclass", "amount": "regression"}
    for name, y in targets.items():
        frame = pandas.DataFrame({"x": gap.round(4), "code": code + 100, "y": y})
        frame.to_csv(where / f"{name}.csv", index=False)
    with (where / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["dataset", "target", "problem_type", "rows", "features", "categorical"])
        rows.writerows([name, "y", kind, ROWS, 2, "code"] for name, kind in kinds.items())
    (where / "errors.csv").write_text("dataset,CatBoost,stored: CatBoost\ntwo,0.2,0.1234\n")
    return where


@pytest.fixture
def models(bench, monkeypatch):
    made = bench.table_models

    def broken(problem, settings):
        raise ValueError("Too many\n levels.")

    own = {
        "default": made.deltarule("deltarule", epochs=2, hidden=(8,)),
        "lightgbm": made.deltarule("LightGBM", epochs=1, hidden=()),
        "forest": made.peer("Random Forest", made.forest, made.native),
        "catboost": made.Model("CatBoost", broken),
        "tabm": made.Model("TabM", broken, library="absent_library"),
    }
    variants = {"relu": made.deltarule("ReLU", epochs=2, hidden=(8,), activation="relu")}
    monkeypatch.setattr(bench.tabarena, "MODELS", own)
    monkeypatch.setattr(bench.tabarena, "VARIANTS", variants)
    return own


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def problem_of(row):
    kept, held = row.split("0")
    return tabular.problem(row.table, tabular.Settings(), kept, row.table.frame[held])


def record(model, name="s", fold="0", error=1.0, cpu=1.0):
    return {"set": name, "fold": fold, "model": model, "error": error, "cpu_seconds": cpu}


def errors_of(bench, *records):
    keyed = {bench.tabarena_results.Key(r["set"], r["fold"], r["model"]): r for r in records}
    return bench.tabarena_results.Errors(keyed)


# ----------------------------------------------------------------------------- sets and splits


def test_folds_are_stratified_and_shuffled_with_seed_0(bench, folder):
    sets = bench.tabarena_sets.sets_of(folder)
    assert [row.kind for row in sets.values()] == ["binary", "multiclass", "regression"]
    for row in sets.values():
        y = row.table.frame["y"].cast(str).to_numpy()
        folds = (KFold if row.kind == "regression" else StratifiedKFold)(
            3, shuffle=True, random_state=0
        )
        for fold, (kept, held) in enumerate(folds.split(y, y)):
            ours = row.split(str(fold))
            assert (ours[0] == kept).all()
            assert (ours[1] == held).all()


def test_the_inner_split_has_training_rows_alone(bench, folder):
    for row in bench.tabarena_sets.sets_of(folder).values():
        kept, held = row.split("inner")
        assert len(held) == len(row.split("0")[0]) // 4
        assert set(kept) | set(held) == set(row.split("0")[0])


def test_categories_that_look_like_numbers_are_categories(bench, folder):
    row = bench.tabarena_sets.sets_of(folder)["two"]
    problem = problem_of(row)
    assert [column.kind for column in problem.preprocessing.columns] == ["numeric", "category"]
    assert problem.roles.target == ("y",)


def test_peers_get_numbers_with_gaps_and_levels_of_the_training_rows(bench, folder):
    row = bench.tabarena_sets.sets_of(folder)["two"]
    problem = problem_of(row)
    new = problem.test.with_columns(problem.test["code"] + 50)
    X = bench.table_models.native(problem, problem.train)
    T = bench.table_models.native(problem, new)
    assert X["c0"].isna().any()
    assert not bench.table_models.filled(problem, problem.train)["c0"].isna().any()
    assert X["c1"].dtype == T["c1"].dtype == pandas.CategoricalDtype(["", "100", "101", "102"])
    assert set(T["c1"]) == {""}


def test_errors_are_those_of_the_protocol(bench, folder):
    sets = bench.tabarena_sets.sets_of(folder)
    for name, expected in {"two": 0.0, "three": -np.log(0.8), "amount": 0.5}.items():
        problem = problem_of(sets[name])
        truth = tabular.figure_targets(problem.targets, problem.test)
        P = truth + 0.5 if name == "amount" else np.eye(truth.max() + 1)[truth] * 0.7 + 0.1
        assert sets[name].error(problem, P) == pytest.approx(expected, rel=1e-6)


# ----------------------------------------------------------------------------- results


def test_a_run_continues_records_failures_and_writes_tables(
    bench, folder, models, tmp_path, capsys, monkeypatch
):
    results = tmp_path / "results.jsonl"
    given = [str(results), "--folder", str(folder), "--folds", "0"]
    bench.tabarena.main([*given, "--sets", "two"])
    first = lines(results)
    assert [r["model"] for r in first] == ["default", "lightgbm", "forest", "catboost"]
    assert "absent_library is not installed" in capsys.readouterr().out
    assert first[-1]["failed"] == "ValueError: Too many levels."
    assert all(r["cpu_seconds"] >= 0 and r["seconds"] > 0 and r["error"] < 1 for r in first[:3])

    with results.open("a") as file:
        file.write('{"set": "two", "fold"')  # as an interrupted run may leave it
    bench.tabarena.main(given)
    assert results.read_text().count('{"set"') == 1 + 3 * 4
    bench.tabarena.main(given)
    bench.tabarena.main([*given, "--models", "catboost", "--sets", "two", "--retry"])
    assert results.read_text().count('{"set"') == 1 + 3 * 4 + 1

    bench.tabarena.main([*given, "--ablation"])
    _docs_to(bench, tmp_path, monkeypatch)
    bench.tabarena.main([*given, "--docs"])
    page = (tmp_path / "results.md").read_text()
    assert "| deltarule | 3 | " in page
    assert "| Random Forest | 3 | " in page
    assert "- CatBoost on two, three, amount: ValueError: Too many levels." in page
    assert "- TabM on any set: not yet fitted" in page
    assert "from other splits" in page
    assert "| two | 0.1234 |" in page
    assert "| ReLU | " in (tmp_path / "tables.md").read_text()


def _docs_to(bench, where, monkeypatch):
    monkeypatch.setattr(bench.tabarena, "DOCS", where)
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "tabarena.py"), "results.jsonl", "--docs"])
    for name in ("results.md", "tables.md"):
        (where / name).write_text("# A page\n")


def test_further_files_are_read_and_not_written(bench, folder, models, tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    chosen = ["--folder", str(folder), "--sets", "two", "--folds", "1", "--models", "forest"]
    bench.tabarena.main([str(first), *chosen])
    bench.tabarena.main([str(second), str(first), *chosen])
    assert len(lines(first)) == 1
    assert not second.exists()


@pytest.mark.parametrize("option", ["--sets", "--models", "--folds"])
def test_unknown_names_are_refused(bench, folder, tmp_path, option, capsys):
    with pytest.raises(SystemExit):
        bench.tabarena.main([str(tmp_path / "r"), "--folder", str(folder), option, "odd"])
    assert "'odd' is unknown; expected some of" in capsys.readouterr().err


def test_too_large_sets_are_left_out(bench, folder, models, tmp_path):
    path = tmp_path / "results.jsonl"
    bench.tabarena.main([str(path), "--folder", str(folder), "--most-rows", "10"])
    assert not path.exists()


# ----------------------------------------------------------------------------- comparisons


def test_comparisons_are_made_on_common_folds(bench):
    errors = errors_of(
        bench,
        record("a", fold="0", error=1.0, cpu=2.0),
        record("a", fold="1", error=9.0),
        record("b", fold="0", error=2.0, cpu=8.0),
    )
    assert errors.wins("a", "b", "s") == 1
    assert errors.wins("a", "a", "s") == 0.5
    assert errors.ratios("b", "a").tolist() == [2.0]
    assert errors.ratios("b", "a", "cpu_seconds").tolist() == [4.0]
    assert errors.over_best("b", ["a"], "s") == 2.0
    assert errors.over_best("a", ["b"], "s") is None  # b lacks a fold of a
    assert errors.over_best("b", ["a"], "other") is None


def test_failed_fits_and_other_folds_do_not_count(bench):
    failed = {"set": "s", "fold": "1", "model": "a", "failed": "ValueError: no"}
    errors = errors_of(bench, record("a"), record("a", fold="inner"), failed)
    assert errors.folds("a", "s") == {"0"}


def test_elo_is_that_of_the_scores(bench):
    """Nine wins of ten and one draw more: 400 log10 of the odds."""
    sets = [f"s{k}" for k in range(10)]
    records = [record("forest", name, error=1.0) for name in sets]
    records += [record("a", name, error=2.0 if name == "s0" else 0.5) for name in sets]
    ratings = errors_of(bench, *records).elo("forest")
    assert ratings["forest"] == pytest.approx((1000, 0), abs=1e-9)
    assert ratings["a"][0] == pytest.approx(1000 + 400 * np.log10(9.5 / 1.5))
    assert 0 < ratings["a"][1] < 300


def test_a_summary_has_wins_ratio_and_cost(bench):
    made = bench.table_models.Model
    models = {n: made(n, None) for n in ("default", "lightgbm")}
    errors = errors_of(
        bench,
        record("default", "s", error=1.0, cpu=2.0),
        record("default", "t", error=4.0, cpu=2.0),
        record("lightgbm", "s", error=2.0, cpu=1.0),
        record("lightgbm", "t", error=2.0, cpu=1.0),
    )
    found = bench.tabarena_page.summary(errors, models, ["lightgbm"])
    assert found[2] == "| default | 2 | 1.000 | 1 of 2 | 2 | 1 |"
    assert found[3] == "| lightgbm | 2 | 1.000 | – | 1 | 0.5 |"


def test_the_least_error_of_a_set_is_bold_and_fewer_folds_have_a_star(bench, folder):
    sets = bench.tabarena_sets.sets_of(folder)
    models = {name: bench.table_models.Model(name, None) for name in ("a", "b", "c", "d")}
    records = [record("a", "two", fold, 0.25) for fold in "012"]
    records += [record("b", "two", fold, 1234.5) for fold in "012"] + [record("c", "two")]
    found = bench.tabarena_page.per_set(errors_of(bench, *records), sets, models)
    assert found[2] == "| two | 120 | 1 − AUC | **0.25** | 1,234 | 1* |"
    assert found[3] == "| three | 120 | log loss | – | – | – |"


def test_an_ablation_says_what_is_within_error(bench, monkeypatch):
    made = bench.table_models.Model
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "tabarena.py")])
    records = []
    for k, change in enumerate((1.09, 1.10, 1.11)):
        noise = (0.9, 1.0, 1.1)[k]
        for model, error in (("default", 1.0), ("worse", change), ("noise", noise)):
            records.append(record(model, f"s{k}", "inner", error))
    keyed = {bench.tabarena_results.Key(r["set"], r["fold"], r["model"]): r for r in records}
    models = {name: made(name, None) for name in ("default", "worse", "noise")}
    text = bench.tabarena_page.ablation(keyed, models)
    assert "| worse | +10.0 ± 0.6 | worse | 0 of 3 | 1 |" in text
    assert "| noise | +0.0 ± 5.8 | within error | 1 of 3 | 1 |" in text


# ----------------------------------------------------------------------------- the adapter


class FakeAbstractModel:
    """What the adapter uses of AutoGluon's."""

    def __init__(self, problem_type, **hyperparameters):
        self.problem_type, self.hyperparameters = problem_type, hyperparameters

    def preprocess(self, X, **_):
        return X

    def _get_model_params(self):
        return self.hyperparameters

    def _get_default_auxiliary_params(self):
        return {"max_memory": 1, "valid_raw_types": None}


@pytest.fixture
def adapter(monkeypatch):
    """The adapter with AutoGluon's parent class in its place."""
    for name in ("autogluon", "autogluon.core", "autogluon.core.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["autogluon.core.models"].AbstractModel = FakeAbstractModel
    monkeypatch.delitem(sys.modules, "tabarena_adapter", raising=False)
    yield importlib.import_module("tabarena_adapter")
    sys.modules.pop("tabarena_adapter")


def test_the_adapter_is_importable_without_autogluon(monkeypatch):
    monkeypatch.setitem(sys.modules, "autogluon", None)
    monkeypatch.delitem(sys.modules, "tabarena_adapter", raising=False)
    found = importlib.import_module("tabarena_adapter")
    assert found.DeltaruleModel.__bases__ == (object,)
    del sys.modules["tabarena_adapter"]


@pytest.mark.parametrize("problem_type", ["binary", "multiclass", "regression"])
def test_the_adapter_fits_what_autogluon_passes(adapter, problem_type):
    rng = np.random.default_rng(0)
    X = pandas.DataFrame({"x": rng.normal(size=90), "code": rng.integers(3, size=90)})
    X["code"] = X["code"].astype("category")
    y = {"binary": X["x"] > 0, "multiclass": X["code"], "regression": X["x"]}[problem_type]
    y = y.astype(float if problem_type == "regression" else int)
    assert problem_type in adapter.DeltaruleModel.supported_problem_types()
    made = adapter.DeltaruleModel(problem_type, epochs=2, hidden=(4,))
    made._fit(X=X, y=y, X_val=X, y_val=y, time_limit=60.0, num_cpus=1, num_gpus=0)
    assert made.model.kinds == {"code": "category"}
    assert made.model.random_state == 0
    kept = pickle.loads(pickle.dumps(made.model))
    if problem_type == "regression":
        assert kept.predict(X).shape == (90,)
    else:
        assert kept.predict_proba(X).shape == (90, y.nunique())


def test_the_adapter_takes_categories_as_such(adapter):
    found = adapter.DeltaruleModel("binary")._get_default_auxiliary_params()
    assert found == {"max_memory": 1, "valid_raw_types": ["int", "float", "category"]}


def test_experiments_are_what_tabarena_generates(adapter, monkeypatch):
    class ConfigGenerator:
        def __init__(self, **given):
            self.given = given

        def generate_all_bag_experiments(self, **given):
            assert given["num_random_configs"] == 0
            return self.given["manual_configs"]

    for name in ("tabarena.utils", "tabarena.utils.config_utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["tabarena.utils.config_utils"].ConfigGenerator = ConfigGenerator
    assert adapter.experiments() == [*adapter.CONFIGURATIONS]
