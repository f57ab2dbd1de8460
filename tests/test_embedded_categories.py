"""Categories of many levels that can be learned: one column of codes, and a learned embedding."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.test_export_c import compiled, needs_compiler, ran

import deltarule as dr
from deltarule import tabular
from deltarule.baselines import BASELINES
from deltarule.data import dataset_of, stream
from deltarule.errors import DataError
from deltarule.export import c_file, cells, checked, feeds, onnx_bytes
from deltarule.layers import Embedding
from deltarule.layers.parallel import Part
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.cells import coded
from deltarule.preprocessing.embedded_columns import EmbeddedCategory, category_of
from deltarule.report.evidence import importances
from deltarule.tabular import Roles, Settings, update_model
from deltarule.tabular.embeddings import Columns, beside_codes, bins, periodic
from deltarule.tabular.evidence import evidence

M, LEVELS = 1600, 40
QUICK = {"epochs": 3, "hidden": (16,), "random_state": 0, "n_ensemble": 1}


def stores(m=M, levels=LEVELS, seed=0):
    """Numbers around a category of levels that have about 40 rows each, some of them missing."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, levels, m)
    x, z, slope = rng.normal(size=m), rng.normal(size=m), rng.normal(size=levels)
    y = slope[level] * x + 0.3 * z + 0.2 * rng.normal(size=m)
    store = [f"store {k}" if k else None for k in level]
    store[:3] = ["tiny 1", "tiny 2", "tiny 3"]
    return pl.DataFrame({"x": x, "store": store, "z": z, "y": y})


def problem_of(frame, settings=None, **roles):
    whole = tabular.table(dataset_of(frame), Roles(target=("y",), **roles))
    return tabular.problem(whole, settings or Settings(), np.arange(len(frame)), frame[:5])


def fitted(frame=None, model=dr.TabularRegressor, **settings):
    frame = stores() if frame is None else frame
    return model(**{**QUICK, **settings}).fit(frame.drop("y"), frame["y"])


def embeddings_in(layers):
    """Every embedding of a chain, also within parts of it."""
    found = []
    for layer in layers:
        if isinstance(layer, Embedding):
            found.append(layer)
        for part in getattr(layer, "parts", ()):
            found += embeddings_in(Part(*part).layers)
    return found


# ------------------------------------------------------------------------------ the column


def test_a_code_is_the_number_of_the_level():
    frame = stores()
    found = Preprocessing.fit(frame.drop("y"))
    column = found.columns[1]
    assert found.names == ("x", "store: code", "z")
    assert found.codes == (0, LEVELS - 1 + 3, 0)  # 39 levels, unseen, rare, missing
    assert column.describe() == "39 levels, 3 rare levels merged, " + (
        f"{frame['store'].null_count()} missing as a level"
    )
    rows = pl.DataFrame({"x": [0.0] * 5, "z": [0.0] * 5})
    rows = rows.with_columns(
        store=pl.Series([column.levels[0], column.levels[-1], "tiny 1", "new", None])
    )
    assert found.transform(rows)[:, 1].tolist() == [1, 39, 40, 40, 41]
    assert "new" not in found.unseen(rows).get("store", ())  # rare ones are not kept


def test_an_unseen_level_is_0_where_none_is_rare():
    levels = [f"L{k}" for k in range(30)]
    found = Preprocessing.fit({"c": levels * 20})
    assert found.codes == (31,)
    assert found.transform({"c": ["L3", "new", None]})[1:].tolist() == [[0], [0]]
    assert found.unseen({"c": ["L3", "new"]}) == {"c": {"new": 1}}


@pytest.mark.parametrize(("levels", "rows", "kind"), [(24, 50, "category"), (25, 20, "embedding")])
def test_up_to_24_levels_stay_one_hot(levels, rows, kind):
    column = category_of("c", coded(pl.Series([f"L{k}" for k in range(levels)] * rows)))
    assert column.kind == kind
    few = category_of("c", coded(pl.Series([f"L{k}" for k in range(200)] * 19)))
    assert few.kind == "category"


def test_kinds_that_are_asked_for():
    frame = pl.DataFrame({"zip": np.arange(M) % 50, "town": ["A", "B"] * (M // 2)})
    found = Preprocessing.fit(frame, kinds={"zip": "category", "town": "embedding"})
    assert [column.kind for column in found.columns] == ["embedding"] * 2
    assert found.codes == (51, 3)
    assert found.one_hot().names[-2:] == ("town = A", "town = B")


def test_levels_with_a_code_have_a_limit(monkeypatch):
    monkeypatch.setattr("deltarule.preprocessing.embedded_columns._MOST_CODED", 30)
    found = Preprocessing.fit(stores().drop("y"))
    assert found.codes[1] == 30 + 3
    assert found.columns[1].rare == 9 + 3


def test_one_hot_columns_are_those_without_embeddings(monkeypatch):
    frame = pl.concat([stores(3200, 400), stores(3200, 30)])
    codes = problem_of(frame)
    monkeypatch.setattr("deltarule.preprocessing.embedded_columns._LEARNED", len(frame))
    plain = problem_of(frame)
    assert plain.preprocessing.columns[1].kind == "category"
    assert codes.preprocessing.measured == ["store"]
    assert codes.one_hot().preprocessing == plain.preprocessing
    np.testing.assert_array_equal(codes.one_hot().X, plain.X)
    assert plain.one_hot() is plain
    at = [name.startswith("store: ") for name in plain.preprocessing.names]
    np.testing.assert_array_equal(codes.X[:, 2:4], plain.X[:, at])


def test_other_models_get_one_hot_columns():
    from deltarule.preprocessing import TableTransformer

    frame = stores()
    names = TableTransformer().fit(frame.drop("y")).get_feature_names_out().tolist()
    assert names[-3:] == ["store is rare", "store is missing", "z"]
    assert 2 + 2 < len(names) <= 2 + 24 + 2
    keyed = frame.with_columns(key=pl.Series(["a", "b"] * (M // 2)))
    models = dr.train_by_key(keyed, "y", "key", epochs=2)
    assert not any(models.preprocessing.codes)
    assert set(fitted(frame).baselines_) >= {row.name for row in BASELINES["regression"][1:]}


def test_a_model_file_keeps_codes_and_refuses_damage():
    found = problem_of(stores(3200, 300, seed=1).vstack(stores(3200, 30))).preprocessing
    state = json.loads(json.dumps(found.to_dict()))
    assert Preprocessing.from_dict(state) == found
    assert state["columns"][1]["kind"] == "embedding"
    for common in (-1, 1.5, 10_000, "3"):
        damaged = json.loads(json.dumps(state))
        damaged["columns"][1]["common"] = common
        with pytest.raises(DataError, match="record is damaged: common is"):
            Preprocessing.from_dict(damaged)


# ------------------------------------------------------------------------------ the network


def test_numbers_are_put_before_codes():
    edges = ((0.0, 1.0, 2.0), (0.0, 1.0))
    for numbers in ([], bins(Columns(2, edges=edges), 100), periodic(Columns(2, (True, True)), 9)):
        layers = beside_codes([0, 3, 0, 5], numbers)
        network = dr.Network(4, [*layers, dr.Scale()])
        alone = dr.Network(2, [*numbers, dr.Scale()])
        parameters = network.initial_parameters(0)
        X = np.array([[0.5, 1.0, 0.7, 4.0], [1.5, 0.0, 0.1, 9.0]]).T
        E = next(values for name, values in parameters[1].items() if name == "2.1.E")
        A = dr.network.feed_forward(network, parameters, X[[0, 1, 2, 3]])[-1].A
        own = {n.removeprefix("1.1."): v for n, v in parameters[1].items() if n[0] == "1"}
        if not numbers or not own:
            expected = dr.network.feed_forward(alone, alone.initial_parameters(0), X[[0, 2]])[-1].A
            np.testing.assert_allclose(A[: alone.outputs], expected)
        np.testing.assert_allclose(A[-16:, 0], [*E[:, 1], *E[:, 3 + 4]])
        np.testing.assert_allclose(A[-16:, 1], 0)


def test_codes_alone_and_codes_behind_numbers_need_no_order():
    assert [layer.kind for layer in beside_codes([3, 4], [])] == ["embedding"]
    assert len(beside_codes([0, 0, 4], [])) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"embedding": "none"},
        {"embedding": "bins"},
        {"embedding": "periodic"},
        {"n_ensemble": 2},
        {"n_members": 2},
        {"hidden": ()},
        {"optimizer": "adam"},
        {"engine": "reference"},
    ],
)
def test_every_form_of_network_learns_the_embedding(settings, tmp_path):
    frame = stores(800, 30)
    model = fitted(frame, **settings)
    found = embeddings_in(model.model_.network.layers)
    assert {layer.levels for layer in found} == {(max(model.model_.preprocessing.codes),)}
    assert len(found) == settings.get("n_ensemble", 1)
    model.save(tmp_path / "m.safetensors")
    again = dr.TabularRegressor.load(tmp_path / "m.safetensors")
    X = frame.drop("y")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_codes_are_not_cut_into_bins_made_periodic_or_paired():
    frame = stores(13_000, 100)
    found = problem_of(frame)
    assert found.preprocessing.codes[1] > 48
    for recipe in tabular.chosen(found, Settings(n_ensemble=2)):
        (ordered, apart, *_) = recipe.network.layers
        assert [part[:2] for part in ordered.parts] == [(0, 1), (2, 3), (1, 2)]
        assert [part[:2] for part in apart.parts] == [(0, 2), (2, 3)]
        assert {1}.isdisjoint(k for pair in recipe.pairs for k in pair)


def test_pairs_are_named_after_the_columns_that_they_lie_between():
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-2, 2, (2, 14_000))
    shop = [f"s{k}" for k in rng.integers(0, 30, 14_000)]
    frame = pl.DataFrame({"shop": shop, "x": x, "z": z, "y": (x**2 + z**2 < 2) * 1.0})
    found = problem_of(frame)
    recipe = tabular.chosen(found, Settings(n_ensemble=2))[1]
    names = found.preprocessing.names
    assert [tuple(names[k] for k in pair) for pair in recipe.pairs] == [("x", "z")]


def test_an_interaction_is_learned_that_one_hot_columns_need_more_rows_for():
    frame = stores(4000, 60)
    train, test = frame[:3000], frame[3000:]
    settings = {"epochs": 40, "hidden": (64, 64)}
    model = fitted(train, **settings)
    assert model.score(test.drop("y"), test["y"]) > 0.7


def test_levels_that_say_nothing_gain_nothing():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = x + rng.normal(size=2000)
    frame = pl.DataFrame({"x": x, "c": [f"L{k}" for k in rng.integers(0, 50, 2000)], "y": y})
    errors = []
    for own in (frame, frame.drop("c")):
        model = fitted(own[:1400], epochs=15)
        errors.append(np.sqrt(np.mean((model.predict(own[1400:].drop("y")) - y[1400:]) ** 2)))
    assert errors[0] < errors[1] + 0.08


# ------------------------------------------------------------------------------ what is around


@pytest.mark.parametrize("target", ["classes", "two targets", "weights"])
def test_classes_several_targets_and_weights(target):
    frame = stores(1200, 30)
    X, y = frame.drop("y"), frame["y"]
    if target == "classes":
        labels = (y > 0).cast(str)
        model = dr.TabularClassifier(**QUICK).fit(X, labels)
        assert model.predict_proba(X).shape == (1200, 2)
        return
    weights = np.arange(1200) % 3 + 1.0 if target == "weights" else None
    Y = pl.DataFrame({"a": y, "b": -y}) if target == "two targets" else y
    model = dr.TabularRegressor(**QUICK).fit(X, Y, sample_weight=weights)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("networks", [1, 2])
def test_a_table_of_codes_alone(networks):
    frame = stores(1200, 30).select("store", "y")
    model = fitted(frame, n_ensemble=networks)
    assert np.isfinite(model.predict(frame.drop("y"))).all()


def test_importances_count_the_column_once():
    frame = stores(4200, 30)
    model = fitted(frame, epochs=20)
    assert set(model.importances()["column"]) == {"x", "store", "z"}
    frame = frame[:300]
    rows = evidence(model.model_, Roles(target=("y",)), frame, np.arange(300))
    by_name = {each.name: each for each in importances(rows)}
    assert by_name["store"].rise > 0
    assert by_name["store"].gradient == 0
    assert by_name["x"].gradient > 0


def test_an_update_goes_on_with_the_models_codes():
    frame = stores()
    model = fitted(frame[:1200])
    later = frame[1200:].with_columns(store=pl.Series(["new"] + [None] * 5 + ["store 3"] * 394))
    made = update_model(model.model_, later, epochs=2).model
    assert made.preprocessing == model.model_.preprocessing
    assert made.network.layers[:2] == model.model_.network.layers[:2]


def test_a_stream_of_blocks_has_codes_too(tmp_path):
    stores(3000, 30).write_parquet(tmp_path / "t.parquet", row_group_size=300)
    settings = Settings(hidden=(16,), epochs=2)
    found = tabular.survey(stream(tmp_path), Roles(("y",)), settings, memory=10**8).problem
    model = tabular.fit(found, settings).model
    assert model.preprocessing.columns[1].kind == "embedding"
    assert embeddings_in(model.network.layers)


# ------------------------------------------------------------------------------ exports


def strange(frame):
    """Levels of every sort: with a code, rare, unseen, missing."""
    some = frame[:60].drop("y")
    return pl.concat([some, some[:3].with_columns(store=pl.Series(["new", None, "tiny 2"]))])


@pytest.mark.parametrize("statistics", [False, True])
def test_a_graph_looks_the_codes_up(statistics):
    onnxruntime = pytest.importorskip("onnxruntime")
    frame = stores() if statistics else stores(4200, 30)
    model = fitted(frame).model_
    assert bool(model.preprocessing.measured) == statistics
    for rows in (None, strange(frame)):
        assert checked(onnx_bytes(model), model, rows).deviation < 1e-5
    same = dr.Network(model.preprocessing.width, [dr.Scale()])
    bare = Model(same, same.initial_parameters(), model.preprocessing)
    session = onnxruntime.InferenceSession(onnx_bytes(bare))
    (X,) = session.run(None, feeds(model.preprocessing, strange(frame)))
    np.testing.assert_allclose(X, model.preprocessing.transform(strange(frame)), atol=1e-6)


@needs_compiler
@pytest.mark.parametrize("statistics", [False, True])
def test_c_looks_the_codes_up(statistics, tmp_path):
    frame = stores() if statistics else stores(4200, 30)
    model = fitted(frame, n_ensemble=2).model_
    made = c_file(model, rows=strange(frame))
    assert ran(compiled(tmp_path, made, "-DDELTARULE_TEST"))[0] == 0
    column = model.preprocessing.columns[1]
    assert f"{len(column.known) - 1} = {column.known[-1]}" in made.text
    found = cells(model.preprocessing, strange(frame)[-3:])[:, 1]
    expected = column.numbers.get("tiny 2", -1)
    np.testing.assert_array_equal(found, [-1, np.nan, expected])


def test_of_a_level_a_row_nothing_is_learned():
    asked = problem_of(
        stores(400).with_columns(store=pl.Series([f"K{i}" for i in range(400)])),
        kinds={"store": "category"},
    )
    assert not isinstance(asked.preprocessing.columns[1], EmbeddedCategory)


def test_a_category_with_the_same_levels_is_another_column():
    column = category_of("c", coded(pl.Series([f"L{k}" for k in range(30)] * 20)))
    assert column != column.one_hot()
    assert replace(column, common=3).one_hot().levels == column.levels[:3]
    assert column.one_hot().levels == column.levels[:24] or column.common != 24
