"""Categories of many levels: statistics of the targets, from no row's own target."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.test_export_c import compiled, needs_compiler, ran

import deltarule as dr
from deltarule import tabular
from deltarule.data import dataset_of
from deltarule.errors import DataError
from deltarule.export import c_file, cells, checked, feeds, onnx_bytes
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.category_columns import MOST_LEVELS, Category, frequent
from deltarule.preprocessing.target_statistics import Outcomes, cross_fitted, smoothed, statistics
from deltarule.tabular import Roles, Settings

M = 1200
QUICK = {"epochs": 4, "hidden": (16,), "random_state": 0}


def many_levels(m=M, levels=200, seed=0):
    """A column of many levels, whose effects are half of what there is to know."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, levels, m)
    x, effect = rng.normal(size=m), rng.normal(size=levels)
    y = x + effect[level] + 0.3 * rng.normal(size=m)
    shop = [f"shop {k}" if k else None for k in level]
    return pl.DataFrame({"x": x, "shop": shop, "y": y})


def problem_of(frame, seed=0, **roles):
    roles = Roles(target=("y",), **roles)
    settings = Settings(seed=seed)
    whole = tabular.table(dataset_of(frame), roles)
    return tabular.problem(whole, settings, np.arange(len(frame)), frame[:0])


def shop_of(problem):
    """The column of shops, and its statistics of the training rows."""
    column = next(c for c in problem.preprocessing.columns if c.name == "shop")
    names = problem.preprocessing.names
    at = [i for i, name in enumerate(names) if name.startswith("shop: ")]
    return column, problem.X[:, at]


# ------------------------------------------------------------------------------ the equation


def test_a_mean_is_drawn_to_the_mean_of_all_the_more_the_fewer_its_rows():
    rng = np.random.default_rng(0)
    counts = np.array([2, 5, 20, 200, 40])
    codes = np.repeat(np.arange(5), counts)
    y = rng.normal(size=5)[codes] + rng.normal(size=len(codes))
    found = smoothed(codes, 6, Outcomes(("y",), y[:, None]))
    mean, m = y.mean(), len(y)
    means = np.array([y[codes == k].mean() for k in range(5)])
    inner = ((y - means[codes]) ** 2).sum() / (m - 5)
    between = (counts * (means - mean) ** 2).sum()
    spread = (between - 4 * inner) / (m - (counts**2).sum() / m)
    share = counts * spread / (counts * spread + inner)
    np.testing.assert_allclose(found[:5, 0], share * (means - mean) / y.std())
    np.testing.assert_allclose(found[:5, 1], np.log1p(counts))
    assert np.all(found[5] == 0)
    assert np.all(np.diff(share[np.argsort(counts)]) > 0)


def test_a_weight_of_two_is_two_rows():
    rng = np.random.default_rng(1)
    codes, Y = rng.integers(0, 7, 60), rng.normal(size=(60, 2))
    Y += 10.0 * rng.normal(size=(7, 2))[codes]
    twice = rng.integers(1, 3, 60)
    weighted = smoothed(codes, 7, Outcomes(("a", "b"), Y, twice * 1.0))
    repeated = smoothed(np.repeat(codes, twice), 7, Outcomes(("a", "b"), np.repeat(Y, twice, 0)))
    np.testing.assert_allclose(weighted[:, :2], repeated[:, :2], rtol=0.01, atol=0.01)
    ones = smoothed(codes, 7, Outcomes(("a", "b"), Y, np.full(60, 3.0)))
    np.testing.assert_allclose(ones, smoothed(codes, 7, Outcomes(("a", "b"), Y)))


@pytest.mark.parametrize("case", ["a level a row", "one level", "a constant target", "no row"])
def test_levels_that_tell_nothing(case):
    m = 0 if case == "no row" else 40
    codes = np.arange(m) if case == "a level a row" else np.zeros(m, int)
    y = np.ones(m) if case == "a constant target" else np.arange(m) % 3.0
    found = smoothed(codes, 40, Outcomes(("y",), y[:, None]))
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-12)
    assert np.all(np.isfinite(found))


# ------------------------------------------------------------------------------ no leak


def test_no_rows_own_target_is_among_its_inputs():
    frame = many_levels().with_columns(y=pl.Series((many_levels()["y"] > 0).cast(int)))
    found = problem_of(frame)
    _, before = shop_of(found)
    for row in (0, 17, 600):
        y = frame["y"].to_numpy().copy()
        y[row] = 1 - y[row]
        changed = replace(found, train=frame.with_columns(y=pl.Series(y)))
        _, after = shop_of(changed)
        np.testing.assert_array_equal(after[row], before[row])
        assert np.any(after != before) or frame["shop"][row] is None


def test_a_level_of_a_new_row_is_as_frequent_as_in_training():
    """Counts of a part of the rows would be smaller, and new rows outside all bins of them."""
    rng = np.random.default_rng(0)
    codes = rng.choice(4, 4000, p=[0.55, 0.3, 0.1, 0.05])
    outcomes = Outcomes(("mean of y",), rng.normal(size=(4000, 1)))
    part = rng.integers(5, size=4000)
    folds = [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(5)]
    trained = cross_fitted(codes, 4, outcomes, folds)[:, -1]
    new = statistics(codes, 4, (), outcomes).table[codes, -1]
    np.testing.assert_allclose(trained, new, atol=0.1)  # ln(5/4) is 0.22


def test_random_levels_gain_nothing():
    """Encodings of training rows say of their targets what chance says; nor does a fit lose."""
    correlations, errors = [], {"with": [], "without": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=M)
        y = x + rng.normal(size=M)
        shop = [f"shop {k}" for k in rng.integers(0, 200, M)]
        frame = pl.DataFrame({"x": x, "shop": shop, "y": y})
        _, X = shop_of(problem_of(frame, seed))
        if X[:, 0].std() > 0:
            correlations.append(np.corrcoef(X[:, 0], y)[0, 1])
        for name in errors:
            own = frame if name == "with" else frame.drop("shop")
            model = dr.TabularRegressor(epochs=20, random_state=seed)
            model.fit(own[:800].drop("y"), y[:800])
            rest = model.predict(own[800:].drop("y")) - y[800:]
            errors[name].append(np.sqrt(np.mean(rest**2)))
    assert abs(np.mean(correlations or [0.0])) < 2.5 / np.sqrt(M)
    apart = np.array(errors["with"]) - np.array(errors["without"])
    assert apart.mean() < 0.05


def test_whole_groups_encode_each_other():
    frame = many_levels().with_columns(firm=pl.Series(np.arange(M) % 40))
    found = problem_of(frame, groups="firm")
    groups = frame["firm"].to_numpy()
    assert sum(len(parts.held) for parts in found.folds) == M
    assert all(not set(groups[p.kept]) & set(groups[p.held]) for p in found.folds)


def test_with_time_only_earlier_rows_count():
    frame = many_levels().with_columns(day=pl.Series(np.arange(M)[::-1].copy()))
    found = problem_of(frame, time="day")
    day = frame["day"].to_numpy()
    assert all(day[p.kept].max() < day[p.held].min() for p in found.folds)
    _, X = shop_of(found)
    first = day < min(day[p.held].min() for p in found.folds)
    assert first.any()
    assert np.all(X[first, 0] == 0)
    two = frame.with_columns(day=pl.Series(np.arange(M) % 2))  # not enough times to fold by
    assert problem_of(two, time="day").folds == ()


# ------------------------------------------------------------------------------ in a table


def test_what_a_row_of_a_table_to_predict_becomes():
    frame = many_levels()
    found = problem_of(frame)
    column, _ = shop_of(found)
    assert column.describe().endswith(f"target statistics of {len(column.known)} levels")
    assert column.outputs[-2:] == ["shop: mean of y", "shop: rows"]
    rows = pl.DataFrame({"x": [0.0] * 4, "shop": [column.known[0], column.known[-1], None, "new"]})
    made = found.preprocessing.transform(rows)[:, -2:]
    table = column.statistics.table
    np.testing.assert_array_equal(made, table[[0, -3, -2, -1]])
    assert table[-1, 0] == 0
    assert table[-1, 1] == table[:, 1].min()
    assert found.preprocessing.unseen(rows) == {"shop": {"new": 1}}


def test_levels_beyond_the_most_frequent_count_as_unseen(monkeypatch):
    monkeypatch.setattr("deltarule.preprocessing.category_columns.MOST_KNOWN", 120)
    frame = many_levels()
    column, X = shop_of(problem_of(frame))
    assert len(column.known) == len(column.statistics.values) - 2 == 120
    beyond = ~frame["shop"].is_in(column.known).fill_null(True).to_numpy()
    assert beyond.any()
    assert np.all(X[beyond] == column.statistics.table[-1])
    assert column.knows("new")  # of levels that are not kept nothing is known


def test_classes_and_targets_each_have_their_mean():
    frame = many_levels()
    classes = frame.with_columns(y=pl.col("y").round().clip(-1, 1).cast(int).cast(str))
    column, _ = shop_of(problem_of(classes))
    assert column.statistics.names == ("share of -1", "share of 0", "share of 1", "rows")
    many = frame.with_columns(y=pl.Series([f"c{i % 12}" for i in range(M)]))
    assert len(shop_of(problem_of(many))[0].statistics.names) == 9
    both = frame.with_columns(z=-pl.col("y"))
    whole = tabular.table(dataset_of(both), Roles(target=("y", "z")))
    column, X = shop_of(tabular.problem(whole, Settings(), np.arange(M), both[:0]))
    assert column.statistics.names == ("mean of y", "mean of z", "rows")
    np.testing.assert_allclose(X[:, 0], -X[:, 1], atol=1e-5)


@pytest.mark.parametrize("levels", [20, 26])
def test_few_levels_have_columns_alone_and_rows_are_as_before(levels):
    """Statistics of 26, of which two rare ones share a column, would say nothing more."""
    found = problem_of(many_levels(levels=levels))
    assert found.folds == ()
    assert all(getattr(c, "statistics", None) is None for c in found.preprocessing.columns)
    np.testing.assert_array_equal(found.X, found.preprocessing.transform(found.train))
    assert "statistics" not in json.dumps(found.preprocessing.to_dict())


@pytest.mark.parametrize("levels", [30, MOST_LEVELS])
def test_levels_as_frequent_as_others_are_not_pooled(levels):
    counts = np.full(levels, 1_000_000 // levels)
    assert len(frequent(counts, 1_000_000)) == levels
    for rows in (40, 4000):
        more = np.array([2 * rows] * 3 + [rows] * (2 * MOST_LEVELS))
        assert sorted(frequent(more, more.sum()).tolist()) == [0, 1, 2]


def test_beyond_the_few_a_level_needs_rows_to_learn_from():
    counts = np.array([500] * 10 + [200] * 20 + [90, 80, 70])
    assert len(frequent(counts, counts.sum())) == 30
    counts = np.arange(90, 30, -1)
    assert frequent(counts, counts.sum()).tolist() == [*range(24)]


def test_kinds_that_are_declared_are_kept():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 400, M)
    columns = {
        "numbers": (pl.Series("shop", codes), {"shop": "category"}),
        "text": (pl.Series("shop", [f"K{k}" for k in codes], dtype=pl.Categorical), {}),
        "enum": (pl.Series("shop", [f"K{k}" for k in codes]), {}),
    }
    levels = sorted({f"K{k}" for k in codes})
    columns["enum"] = (columns["enum"][0].cast(pl.Enum(levels)), {})
    for shop, kinds in columns.values():
        frame = pl.DataFrame({"x": rng.normal(size=M), "shop": shop, "y": rng.normal(size=M)})
        column, _ = shop_of(problem_of(frame, kinds=kinds))
        assert isinstance(column, Category)
        assert len(column.known) == len(set(codes.tolist()))


def test_a_level_a_row_stays_an_identifier():
    frame = many_levels().with_columns(shop=pl.Series([f"K{i}" for i in range(M)]))
    found = problem_of(frame)
    assert found.preprocessing.columns[1].kind == "dropped"
    assert found.folds == ()
    asked = problem_of(frame, kinds={"shop": "category"})
    column, X = shop_of(asked)
    assert np.all(X[:, 0] == 0)
    assert np.all(column.statistics.table[:, 0] == 0)


# ------------------------------------------------------------------------------ what is around


def fitted(frame=None, model=dr.TabularRegressor, **settings):
    frame = many_levels() if frame is None else frame
    return model(**{**QUICK, **settings}).fit(frame.drop("y"), frame["y"])


def test_statistics_help_where_levels_matter():
    frame, settings = many_levels(3000, 300), {"epochs": 30, "random_state": 0}
    train, test = frame[:2000], frame[2000:]
    X = test.drop("y")
    score = dr.TabularRegressor(**settings).fit(train.drop("y"), train["y"]).score(X, test["y"])
    top = train["shop"].value_counts(sort=True)["shop"][:24].to_list()
    pooled = frame.with_columns(
        pl.when(pl.col("shop").is_in(top)).then(pl.col("shop")).otherwise(pl.lit("rare"))
    )
    train, X = pooled[:2000], pooled[2000:].drop("y")
    other = dr.TabularRegressor(**settings).fit(train.drop("y"), train["y"]).score(X, test["y"])
    assert score > other + 0.2


def test_a_column_counts_once_and_validation_rows_are_not_known():
    model = fitted(epochs=20)
    assert set(model.importances()["column"]) == {"x", "shop"}
    assert model.feature_importances_.shape == (2,)
    training = model._training
    part = training.problem.parted(training.problem.validation)
    y = training.problem.train["y"].to_numpy().copy()
    y[training.problem.validation.held] += 5.0
    changed = replace(training.problem, train=training.problem.train.with_columns(y=pl.Series(y)))
    other = changed.parted(changed.validation)
    same = [a.preprocessing.columns[1].statistics.table for a in (part, other)]
    np.testing.assert_allclose(*same, atol=1e-6)
    assert "HistGradientBoosting" in model.baselines_


@pytest.mark.parametrize("settings", [{"n_ensemble": 2}, {"n_members": 2}, {}])
def test_a_model_file_keeps_them(settings, tmp_path):
    frame = many_levels()
    model = fitted(frame, **settings)
    model.save(tmp_path / "m.safetensors")
    again = dr.TabularRegressor.load(tmp_path / "m.safetensors")
    assert again.model_.preprocessing == model.model_.preprocessing
    X = frame.drop("y")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    one = [again.predict(X[i : i + 1])[0] for i in range(5)]
    np.testing.assert_array_equal(one, again.predict(X[:5]))


def test_an_update_keeps_the_models_statistics():
    frame = many_levels()
    model = fitted(frame[:800])
    before = model.model_.preprocessing
    model.partial_fit(frame[800:].drop("y"), frame["y"][800:])
    assert model.model_.preprocessing == before
    assert model._training.problem.folds == ()


def test_a_damaged_record_is_refused():
    state = problem_of(many_levels()).preprocessing.to_dict()
    for change in (
        lambda s: s["values"].pop(),
        lambda s: s["values"].__setitem__(0, [1.0]),
        lambda s: s["values"].__setitem__(0, [1.0, float("nan")]),
        lambda s: s["further"].__setitem__(0, s["further"][1]),
        lambda s: s.pop("names"),
        lambda s: s.__setitem__("further", 3),
    ):
        damaged = json.loads(json.dumps(state))
        change(damaged["columns"][1]["statistics"])
        with pytest.raises(DataError, match="record is damaged"):
            Preprocessing.from_dict(damaged)


def test_rows_that_nothing_encodes_are_as_unseen():
    Y = np.arange(6.0)[:, None]
    folds = [(np.arange(3), np.array([3, 4]))]
    made = cross_fitted(np.array([0, 0, 1, 0, 1, 1]), 2, Outcomes(("y",), Y), folds)
    assert np.all(made[[0, 1, 2, 5], 0] == 0)
    assert made[3, 0] < 0


# ------------------------------------------------------------------------------ exports


def strange(frame):
    """Levels of every sort: with a column, with statistics alone, missing, unseen."""
    return pl.concat([frame[:60], frame[:2].with_columns(shop=pl.lit("new"))]).drop("y")


def test_a_graph_looks_the_statistics_up():
    onnxruntime = pytest.importorskip("onnxruntime")
    frame = many_levels()
    model = fitted(frame).model_
    for rows in (None, strange(frame)):
        assert checked(onnx_bytes(model), model, rows).deviation < 1e-5
    same = dr.Network(model.preprocessing.width, [dr.Scale()])
    bare = Model(same, same.initial_parameters(), model.preprocessing)
    session = onnxruntime.InferenceSession(onnx_bytes(bare))
    (X,) = session.run(None, feeds(model.preprocessing, strange(frame)))
    np.testing.assert_allclose(X, model.preprocessing.transform(strange(frame)), atol=1e-6)


@needs_compiler
def test_c_looks_the_statistics_up(tmp_path):
    frame = many_levels()
    model = fitted(frame).model_
    made = c_file(model, rows=strange(frame))
    assert ran(compiled(tmp_path, made, "-DDELTARULE_TEST"))[0] == 0
    column = model.preprocessing.columns[1]
    assert f"{len(column.known) - 1} = {column.known[-1]}" in made.text
    bare = replace(column, statistics=None)
    columns = replace(model.preprocessing, columns=(model.preprocessing.columns[0], bare))
    network = dr.Network(columns.width, [dr.Scale()])
    plain = Model(network, network.initial_parameters(), columns)
    network = dr.Network(model.preprocessing.width, [dr.Scale()])
    full = Model(network, network.initial_parameters(), model.preprocessing)
    more = 4 * 2 * (len(column.known) + 2) + 20 + 2 * 4  # and two scales
    assert c_file(full).flash - c_file(plain).flash == more


def test_cells_number_all_levels_that_are_told_apart():
    column, _ = shop_of(found := problem_of(many_levels()))
    rows = pl.DataFrame({"x": [0.0] * 3, "shop": [column.known[-1], None, "new"]})
    made = cells(found.preprocessing, rows)[:, 1]
    np.testing.assert_array_equal(made, [len(column.known) - 1, np.nan, -1])
