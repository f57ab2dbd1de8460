"""Columns of free text: their vocabulary, when they are used, and where they go."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import deltarule as dr
from deltarule import export
from deltarule.cli import app
from deltarule.errors import DataError, SettingError
from deltarule.modelfile import load_model, save_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.text_columns import MOST_WORDS, Text, recurring, words_of
from deltarule.tabular import strongest_words

PLACES = ["sea", "lake", "park", "wood", "hill"]


def notes(m=400, seed=0):
    """Flats whose rent depends on a word of the note beside their area."""
    rng = np.random.default_rng(seed)
    fillers = ["Bright", "quiet", "old", "new", "large", "small"]
    near = rng.choice(PLACES, m)
    note = [
        f"{' '.join(rng.choice(fillers, 3))} flat near the {place}, no. {i}"
        for i, place in enumerate(near)
    ]
    area = rng.uniform(20, 100, m)
    rent = 10 * area + 400 * (near == "sea") - 300 * (near == "wood") + rng.normal(0, 20, m)
    return pl.DataFrame({"area": area, "note": note, "rent": rent})


def kind_of(model, name="note"):
    return next(c for c in model.preprocessing.columns if c.name == name)


# --------------------------------------------------------------------------- the vocabulary


def test_entries_are_those_of_scikit_learn():
    vectorizers = pytest.importorskip("sklearn.feature_extraction.text")
    texts = notes()["note"]
    fitted = Text.fit(texts)
    X = Preprocessing((fitted,)).transform({"note": texts})
    expected = vectorizers.TfidfVectorizer(token_pattern=r"[^\W_]+", vocabulary=fitted.words)
    np.testing.assert_allclose(X, expected.fit_transform(texts).toarray(), atol=1e-6)


@pytest.mark.parametrize("m", [7, 3000])
def test_missing_text_is_flagged_and_wordless_text_with_it(m):
    texts = ["red car", None, "old car", "!!", "red bike", "old bike", "unknown"] * m
    fitted = Text.fit(pl.Series("note", texts))
    assert fitted.missing == 2 * m
    assert fitted.outputs[-1] == "note is missing"
    X = Preprocessing((fitted,)).transform({"note": ["red", None, "", "Red RED", "never seen"]})
    assert X[:, -1].tolist() == [0, 1, 1, 0, 0]
    assert X[0].tolist() == X[3].tolist()
    assert not X[4].any()


def test_a_vocabulary_is_capped_and_words_of_few_rows_are_left_out():
    rng = np.random.default_rng(0)
    words = [f"word{i}x" for i in range(1000)]
    texts = [" ".join(rng.choice(words, 20)) for _ in range(2000)]
    fitted = Text.fit(pl.Series("note", [*texts, "single"]))
    assert len(fitted.words) == len(fitted.weights) == MOST_WORDS
    assert "single" not in fitted.words


def test_a_column_without_words_that_vary_is_refused():
    with pytest.raises(DataError, match="column 'note': no word tells its rows apart"):
        Text.fit(pl.Series("note", ["same words", "same words"]))


@pytest.mark.parametrize(
    "texts",
    [
        [f"ORD-{i:06}" for i in range(500)],
        [f"{i * 2654435761 % 2**32:08x}-{i:04x}" for i in range(500)],
        [f"{i % 7}/{i}" for i in range(500)],
        [None] * 30,
    ],
    ids=["numbered", "hexadecimal", "digits", "missing"],
)
def test_keys_are_no_text(texts):
    assert not recurring(pl.Series("key", texts, dtype=pl.String))


def test_words_are_letters_and_digits_of_any_script():
    assert words_of("Köln-Süd, 2. OG; naïve_x: цена!") == [
        *("köln", "süd", "2", "og", "naïve", "x", "цена")
    ]


# ----------------------------------------------------------------------------- when it is used


def fitted_on(frame, **settings):
    settings = {"random_state": 0, **settings}
    return dr.TabularRegressor(**settings).fit(frame.drop("rent"), frame["rent"])


def test_text_is_used_where_it_helps():
    frame = notes()
    found = fitted_on(frame)
    assert kind_of(found.model_).kind == "text"
    fresh = notes(seed=1)
    assert found.score(fresh.drop("rent"), fresh["rent"]) > 0.95
    effects = strongest_words(found.model_)["note"]
    assert {effects[0].word, effects[1].word} == {"sea", "wood"}
    by_word = {effect.word: effect.change for effect in effects}
    assert by_word["sea"] > 0 > by_word["wood"]
    assert {row[0] for row in found.importances().rows()} == {"area", "note"}


def test_text_that_says_nothing_is_dropped_and_that_is_said():
    frame = notes()
    other = frame.with_columns(note=notes(seed=5)["note"])
    with pytest.warns(UserWarning, match="its words did not help on validation rows"):
        found = fitted_on(other)
    assert kind_of(found.model_).kind == "dropped"


@pytest.mark.filterwarnings("ignore:columns left out")
def test_text_can_be_required_and_forbidden():
    frame = notes(100)
    assert kind_of(fitted_on(frame, text="off", epochs=2).model_).kind == "dropped"
    assert kind_of(fitted_on(frame, text="on", epochs=2).model_).kind == "text"
    by_column = fitted_on(frame, text="off", kinds={"note": "text"}, epochs=2)
    assert kind_of(by_column.model_).kind == "text"
    with pytest.raises(SettingError, match="text: expected auto, on, off; got 'maybe'"):
        fitted_on(frame, text="maybe")


def test_a_table_of_one_text_is_learned():
    frame = notes().drop("area")
    assert kind_of(fitted_on(frame, epochs=2).model_).kind == "text"


@pytest.mark.filterwarnings("ignore:columns left out")
def test_a_key_stays_dropped():
    frame = notes(100).with_columns(note=pl.Series([f"ORD-{i}" for i in range(100)]))
    assert kind_of(fitted_on(frame, text="on", epochs=2).model_).why.startswith("identifier")


# ---------------------------------------------------------------------------------- where it goes


@pytest.fixture(scope="module")
def model():
    frame = notes(200)
    some = frame.with_columns(note=pl.when(pl.arange(200) % 9 > 0).then("note"))
    return fitted_on(some, kinds={"note": "text"}, epochs=4).model_


def test_a_model_file_holds_the_vocabulary(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model)
    again = load_model(path)
    assert again.preprocessing == model.preprocessing
    table = notes(50, seed=2)
    assert (again.outputs(table) == model.outputs(table)).all()


@pytest.mark.parametrize(
    "damage",
    [
        {"words": ["a", "a"]},
        {"words": ["a"]},
        {"weights": [1.0, -1.0]},
        {"weights": "11"},
        {"missing": -1},
    ],
    ids=str,
)
def test_a_damaged_vocabulary_is_refused(damage):
    column = {"kind": "text", "name": "n", "words": ["a", "b"], "weights": [1, 2.0], "missing": 0}
    assert Preprocessing.from_dict({"columns": [column]}).width == 2
    with pytest.raises(DataError, match="a column's record is damaged"):
        Preprocessing.from_dict({"columns": [{**column, **damage}]})


def test_onnx_has_the_same_words(model):
    pytest.importorskip("onnxruntime")
    content = export.onnx_bytes(model)
    table = notes(60, seed=3)
    odd = table.with_columns(note=pl.Series(["", "!!", None, "SEA sea", "Sea-lake"] * 12))
    for rows in (None, table, odd, odd[:2]):
        assert export.checked(content, model, rows).deviation < 1e-5


def test_c_refuses_the_column_by_name(model):
    with pytest.raises(SettingError, match="column 'note' is free text, which C does not have"):
        export.c_file(model)


def test_the_command_line(tmp_path):
    frame, path, out = notes(), tmp_path / "flats.csv", tmp_path / "flats.safetensors"
    frame.write_csv(path)

    def run(*arguments):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        return result.output

    quick = ("--target", "rent", "--no-baselines", "--epochs", 6)
    assert "text, TF-IDF of" in run("train", path, *quick, "--text", "on", "--out", out)
    assert "strongest words" in run("inspect", out)
    words = json.loads(run("inspect", out, "--json"))["words"]["note"]
    assert words[0]["word"] in PLACES
    assert "free text: 9 words" in run("train", path, *quick, "--text", "off")
    assert "text, TF-IDF of" in run("train", path, *quick, "--text", "on", "--memory", "200MB")


def test_keyed_training_refuses_the_setting():
    from deltarule import keyed

    with pytest.raises(SettingError, match="text must be its default, 'auto', beside by"):
        keyed.problems.check_settings(dr.tabular.Settings(text="on"), dr.tabular.Roles(("y",)))
