"""Columns with values far from all others, as normal scores: fitted, stored, exported."""

import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from tests.test_export_c import compiled, needs_compiler, ran
from tests.test_export_c_table import Rows

import deltarule as dr
from deltarule.cli import main
from deltarule.errors import DataError
from deltarule.export import c_file, checked, feeds, onnx_bytes
from deltarule.modelfile import Model, load_model, save_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.numeric import ENOUGH, Numeric
from deltarule.preprocessing.scores import MOST_KNOTS, Scores, is_far, knots

M = 500


def tailed(m=M, seed=0, gaps=0):
    """A column with a heavy tail, and one that is to be learned from it."""
    rng = np.random.default_rng(seed)
    x = np.exp(2.0 * rng.normal(size=m)).round(4)
    cells = [None if i < gaps else float(v) for i, v in enumerate(x)]
    return pl.DataFrame({"x": cells, "plain": rng.normal(size=m), "y": np.log(x)})


def column_of(values, **kinds):
    (found,) = Preprocessing.fit(pl.DataFrame({"x": values}), kinds=kinds).columns
    return found


def made(column, values):
    return Preprocessing((column,)).transform(pl.DataFrame({"x": values}, strict=False))


# ------------------------------------------------------------------------------ which columns


def test_a_column_with_far_values_becomes_scores_and_says_so():
    found = Preprocessing.fit(tailed(gaps=7))
    assert [column.kind for column in found.columns] == ["scores", "numeric", "numeric"]
    assert found.describe()[0].startswith("x: scores, as normal scores, 7 missing filled with ")
    assert found.names[:2] == ("x", "x is missing")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([float(i) for i in range(40)], "numeric"),
        ([float(i) for i in range(40)] + [1e4], "scores"),
        ([-float(i) for i in range(40)] + [-1e4], "scores"),
        ([float(i % 10) for i in range(400)] + [1e4], "scores"),
        ([float(i % 9) for i in range(400)] + [1e4], "numeric"),  # ten different values
        ([float(i % 9) for i in range(400)] + [1e4, None], "numeric"),
    ],
)
def test_it_is_far_and_has_enough_different_values(values, kind):
    assert column_of(values).kind == kind


def test_the_kind_can_be_asked_for_and_turned_off():
    far = tailed()["x"].to_list()
    assert column_of(far, x="numeric").kind == "numeric"
    assert column_of([1.0, 2.0, 3.0, 4.0], x="scores").kind == "scores"
    texts = column_of(["1", "2", "3"] * 9, x="scores")
    assert texts.knots == knots(np.array([1.0, 2.0, 3.0] * 9))


@pytest.mark.parametrize("values", [[3.0] * 30, [3.0] * 29 + [None]])
def test_one_value_has_no_scores(values):
    with pytest.raises(DataError, match="'x': holds one value; expected at least two for scores"):
        column_of(values, x="scores")


def test_what_a_sample_does_not_show_decides_nothing():
    """Of very many rows a few are looked at: a dozen far values may be none of them."""
    values = np.zeros(4 * ENOUGH)
    values[np.arange(12) * 8 + 1] = 1e6 + np.arange(12)
    assert not is_far(Numeric.fit(pl.Series("x", values)), pl.Series("x", values))
    assert column_of(values).kind == "numeric"


# ------------------------------------------------------------------------------ the equation


@pytest.mark.parametrize("m", [2, 11, 64, 65, 66, 1000, 100_000])
def test_knots_ascend_are_few_and_have_the_ends(m):
    values = np.random.default_rng(m).standard_cauchy(m)
    at, scores = np.transpose(knots(values))
    assert len(at) <= MOST_KNOTS
    assert (np.diff(at) > 0).all()
    assert (np.diff(scores) > 0).all()
    assert (at[0], at[-1]) == (values.min(), values.max())
    normal = NormalDist()
    for value, score in zip(at, scores, strict=True):
        below = (values < value).mean() + (values == value).mean() / 2
        assert score == pytest.approx(normal.inv_cdf(below))


def test_ties_have_the_score_of_their_middle():
    values = np.array([0.0] * 80 + [5.0] * 10 + [7.0] * 10)
    expected = [(v, NormalDist().inv_cdf(p)) for v, p in ((0.0, 0.4), (5.0, 0.85), (7.0, 0.95))]
    assert knots(values) == tuple(expected)


def test_what_it_makes_is_interpolated_filled_and_constant_beyond():
    frame = tailed(gaps=20)
    column = Preprocessing.fit(frame).columns[0]
    x = frame["x"].drop_nulls().to_numpy()
    at, scores = np.transpose(column.knots)
    rows = [*x[:100], None, *np.linspace(x.min(), x.max(), 50), -1e300, 1e300]
    X = made(column, rows)
    filled = [column.fill if v is None else v for v in rows]
    assert column.fill == np.median(x)
    np.testing.assert_array_equal(X[:, 0], np.interp(filled, at, scores).astype("f"))
    assert X[:, 1].tolist() == [float(v is None) for v in rows]
    assert X[-2:, 0].tolist() == np.float32([scores[0], scores[-1]]).tolist()


def test_scores_of_the_training_rows_are_normal():
    column = column_of(tailed(5000)["x"])
    X = made(column, tailed(5000)["x"])[:, 0]
    probabilities = np.arange(0.05, 1.0, 0.05)
    expected = [NormalDist().inv_cdf(p) for p in probabilities]
    np.testing.assert_allclose(np.quantile(X, probabilities), expected, atol=0.02)


def test_a_warning_is_of_values_beyond_the_range_alone():
    found = Preprocessing.fit(tailed())
    highest = tailed()["x"].max()
    beyond = tailed().with_columns(x=pl.Series([highest] * 499 + [2 * highest]))
    assert found.beyond(tailed()) == {}
    assert found.beyond(beyond) == {"x": 1}


# ------------------------------------------------------------------------------ model files


def fitted(**settings):
    settings = {"epochs": 3, "hidden": (8,), "random_state": 0, **settings}
    frame = tailed(gaps=9)
    return dr.TabularRegressor(**settings).fit(frame.drop("y"), frame["y"])


def test_a_model_file_keeps_them(tmp_path):
    model = fitted().model_
    save_model(tmp_path / "m", model)
    again = load_model(tmp_path / "m")
    assert again.preprocessing == model.preprocessing
    assert isinstance(again.preprocessing.columns[0], Scores)
    X = tailed(seed=1).drop("y")
    np.testing.assert_array_equal(again.predict(X)["y"], model.predict(X)["y"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        [],
        [[1.0, 0.0]],
        [[1.0, 0.0], [1.0, 1.0]],
        [[1.0, 0.0], [2.0, 0.0]],
        [[2.0, 0.0], [1.0, 1.0]],
        [[1.0, 0.0], [2.0, float("inf")]],
        [[1.0, 0.0], [2.0]],
        [[1.0, 0.0], ["2", 1.0]],
        [[True, 0.0], [2.0, 1.0]],
    ],
)
def test_damaged_records_are_refused(value):
    state = json.loads(json.dumps(Preprocessing.fit(tailed()).to_dict()))
    state["columns"][0]["knots"] = value
    with pytest.raises(DataError, match="column's record is damaged: knots is"):
        Preprocessing.from_dict(state)


def test_a_record_without_them_is_refused():
    state = json.loads(json.dumps(Preprocessing.fit(tailed()).to_dict()))
    del state["columns"][0]["knots"]
    with pytest.raises(DataError, match="damaged"):
        Preprocessing.from_dict(state)


# ------------------------------------------------------------------------------ exports


def bare(preprocessing):
    """A model whose outputs are what its columns become."""
    network = dr.Network(preprocessing.width, [dr.Scale()])
    return Model(network, network.initial_parameters(), preprocessing)


def strange():
    """Cells of every sort: seen, missing, at and beyond the ends of the range."""
    x = tailed(gaps=9)["x"]
    ends = pl.Series("x", [x.min(), x.max(), -1e300, 1e300, 0.0, None])
    return pl.DataFrame({"x": pl.concat([x[:60], ends])}).with_columns(plain=pl.lit(0.5))


def test_a_graph_makes_the_same():
    onnxruntime = pytest.importorskip("onnxruntime")
    model = fitted().model_
    for rows in (None, strange()):
        assert checked(onnx_bytes(model), model, rows).deviation < 1e-5
    session = onnxruntime.InferenceSession(onnx_bytes(bare(model.preprocessing)))
    (X,) = session.run(None, feeds(model.preprocessing, strange()))
    np.testing.assert_allclose(X, model.preprocessing.transform(strange()), atol=2e-6)


@needs_compiler
def test_c_makes_the_same(tmp_path):
    model = fitted().model_
    text = c_file(model, rows=strange())
    assert ran(compiled(tmp_path, text, "-DDELTARULE_TEST"))[0] == 0
    prepared = Rows(tmp_path, model).prepared(strange())
    np.testing.assert_allclose(
        prepared, model.preprocessing.transform(strange()), rtol=2e-7, atol=1e-12
    )


@needs_compiler
def test_c_has_a_column_of_few_knots_too(tmp_path):
    column = column_of([1.0, 2.0] * 20, x="scores")
    prepared = Rows(tmp_path, bare(Preprocessing((column,)))).prepared(
        frame := pl.DataFrame({"x": [1.0, 1.25, 2.0, 9.0, None]})
    )
    np.testing.assert_allclose(prepared, made(column, frame["x"]), rtol=2e-7)


# ------------------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("option", "kind"), [([], "scores"), (["x=numeric"], "numeric"), (["plain=scores"], "scores")]
)
def test_the_command_takes_the_kind(option, kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tailed().write_csv("t.csv")
    ask = ["train", "t.csv", "--target", "y", "--epochs", "2", "--hidden", "8", "--no-baselines"]
    kinds = [part for each in option for part in ("--kind", each)]
    assert main([*ask, *kinds, "--out", "m"]) == 0
    columns = {column.name: column.kind for column in load_model("m").preprocessing.columns}
    assert columns[option[0].split("=")[0] if option else "x"] == kind
    capsys.readouterr()
    for name in ("m.onnx", "m.c"):
        assert main(["export", "m", "--out", name, "--check", "t.csv"]) == 0


def test_old_records_of_numbers_load_as_they_were():
    """Columns stay what their model file says, however far their values are."""
    state = Preprocessing.fit(tailed(), kinds={"x": "numeric"}).to_dict()
    again = Preprocessing.from_dict(json.loads(json.dumps(state)))
    column = again.columns[0]
    assert column.kind == "numeric"
    assert not isinstance(column, Scores)
    X = made(replace(column, flagged=False), tailed()["x"])[:, 0]
    np.testing.assert_allclose(X, (tailed()["x"].to_numpy() - column.mean) / column.std, rtol=1e-6)
