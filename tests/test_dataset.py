"""One entrance for tables: whatever holds the same values is the same table to a model."""

import datetime as dt
import json
import warnings
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deltarule as dr
from deltarule import keyed, tabular
from deltarule.data import Dataset, Reading, column_of, dataset_of, frame_of, read
from deltarule.data.values import number_read, texts_read, tidied
from deltarule.errors import DataError
from deltarule.modelfile import load_model, save_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.cells import numbered

from .fuzz.examples import examples

pandas = pytest.importorskip("pandas")

# ------------------------------------------------------------------ the same from any container

NUMBERS = st.one_of(
    st.integers(-99, 99).map(str),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}"),
    st.sampled_from([" 12 ", "1e3", "+4", ".5", "7."]),
)
OTHERS = {
    "numbers": NUMBERS,
    "thousands": st.integers(1000, 9999).map("{:,}.5".format),
    "codes": st.sampled_from(["007", "012", "3"]),
    "digits": st.sampled_from("012"),
    "dates": st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1)).map(str),
    "moments": st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2030, 1, 1)).map(
        lambda moment: moment.strftime("%Y-%m-%d %H:%M")
    ),
    "flags": st.sampled_from(["yes", "no", "Yes"]),
    "words": st.sampled_from(["a", " a", "b ", "ä b", "A"]),
    "mixed": st.one_of(NUMBERS, st.sampled_from(["-", "x"])),
}
MARKERS = st.sampled_from(["", "?", "NA", "N/A", " null ", "nan", None])


@st.composite
def columns(draw, rows=24):
    cells = OTHERS[draw(st.sampled_from([*OTHERS]))]
    gaps = draw(st.sampled_from([0, 0, 4]))
    cells = st.one_of(*[cells] * 4, MARKERS) if gaps else cells
    return draw(st.lists(cells, min_size=rows, max_size=rows))


def containers(table):
    rows = [*zip(*table.values(), strict=True)]
    return {
        "pandas of text": pandas.DataFrame(table, dtype="str"),
        "pandas of objects": pandas.DataFrame(table, dtype=object),
        "polars": pl.DataFrame(table, schema=dict.fromkeys(table, pl.String)),
        "arrow": pl.DataFrame(table, schema=dict.fromkeys(table, pl.String)).to_arrow(),
        "mapping": table,
        "records": [dict(zip(table, row, strict=True)) for row in rows],
        "structured": np.array(rows, dtype=[(name, object) for name in table]),
    }


def learned(source):
    """The description and the numbers that a model gets, or the error."""
    data = dataset_of(source, Reading(delimiter=",", header=True, quote='"'))
    try:
        fitted = Preprocessing.fit(data)
    except DataError as error:
        return str(error), None, None
    return fitted.describe(), fitted.transform(source_of(source, data)), fitted


def source_of(source, data):
    """What a prediction is given: a file's frame is read, all else comes as it is."""
    return data.frame if isinstance(source, str) else source


@examples(60)
@given(table=st.fixed_dictionaries({"x": columns(), "y": columns()}))
def test_the_same_table_is_the_same_wherever_it_comes_from(tmp_path, table):
    path = str(tmp_path / "table.csv")
    text = pl.DataFrame(table, schema=dict.fromkeys(table, pl.String))
    text.write_csv(path, quote_style="always")
    described, inputs, fitted = learned(path)
    for name, held in {**containers(table), "object array": None}.items():
        if held is None:  # which has no names
            held = frame_of(np.array([*table.values()], dtype=object).T).rename(
                dict(zip(["column_1", "column_2"], table, strict=True))
            )
        told, made, other = learned(held)
        assert told == described, name
        if inputs is not None:
            np.testing.assert_array_equal(made, inputs, err_msg=name)
            assert fitted.filled(held) == other.filled(dataset_of(held).frame), name
            assert fitted.unseen(held) == other.unseen(dataset_of(held).frame), name


@examples(40)
@given(cells=columns())
def test_parquet_and_its_blocks_are_read_as_text_files_are(tmp_path, cells):
    frame = pl.DataFrame({"x": cells, "n": range(len(cells))}, schema={"x": str, "n": int})
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=10)
    frame.write_csv(tmp_path / "t.csv", quote_style="always")
    whole = read(tmp_path / "t.parquet")
    csv = read(tmp_path / "t.csv", Reading(delimiter=",", header=True, quote='"'))
    assert whole.rows() == csv.rows() == dataset_of(frame).frame.rows()
    blocks = dr.data.stream(tmp_path / "t.parquet")
    found = [row for k in range(len(blocks.blocks)) for row in blocks.read(k).rows()]
    assert found == whole.rows()


@examples(100)
@given(cell=st.one_of(NUMBERS, MARKERS.filter(bool), st.text("1.,- eEinfNA", max_size=6)))
@pytest.mark.parametrize("comma", [False, True])
def test_a_text_is_read_alone_as_in_its_column(comma, cell):
    """Predictions read text by text what training read by columns."""
    reading = Reading(decimal_comma=comma)
    (whole,) = tidied(pl.DataFrame({"x": [cell]}), decimal_comma=comma)["x"]
    number = number_read(cell, reading)
    (text,) = texts_read([cell], reading)
    assert (text is None) == (number is not None and np.isnan(number))
    if isinstance(whole, int | float):
        assert number == pytest.approx(whole)
    elif text is not None and not text.startswith("0"):  # codes are not numbers
        assert number is None
        assert text == str(whole)


def test_a_reading_passes_on_to_predictions(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60).round(2)
    y = 3 * x
    rows = [f"{a:.2f};{b:.3f}".replace(".", ",") for a, b in zip(x, y, strict=True)]
    rows[3] = "unknown;0,5"
    (tmp_path / "t.csv").write_text("\n".join(["x;y", *rows]))
    data = dataset_of(tmp_path / "t.csv", Reading(missing=("unknown",)))
    assert data.reading.decimal_comma
    fitted = Preprocessing.fit(data.with_frame(data.frame.select("x")))
    again = Preprocessing.from_dict(fitted.to_dict())
    assert again == fitted
    given = {"x": ["1.000,5", "unknown", " -2,5 "]}
    expected = fitted.transform({"x": [1000.5, None, -2.5]})
    np.testing.assert_array_equal(again.transform(given), expected)


def test_models_from_before_take_text_as_it_is():
    fitted = Preprocessing.fit({"town": ["A", "B", "A", "B"]})
    state = json.loads(json.dumps(fitted.to_dict()))
    del state["reading"]
    before = Preprocessing.from_dict(state)
    assert before.reading is None
    given = {"town": [" A", "A"]}
    assert before.transform(given).tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert fitted.transform(given).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert before.to_dict().keys() == state.keys()


@pytest.mark.parametrize(
    "damaged",
    [[], {"missing": []}, {"missing": "a", "decimal_comma": False}, {"missing": [], "quote": 1}],
)
def test_a_damaged_reading_is_refused(damaged):
    state = {**Preprocessing.fit({"a": [1.0, 2.0]}).to_dict(), "reading": damaged}
    with pytest.raises(DataError, match="record of the reading is damaged"):
        Preprocessing.from_dict(state)


def test_a_dataset_is_read_once():
    data = dataset_of({"a": ["1", "2"]})
    assert dataset_of(data) is data
    text = Dataset(pl.DataFrame({"a": ["1", "2", "1"]}), Reading())
    assert Preprocessing.fit(text).describe() == ["a: category, 2 levels"]


def test_all_users_of_tables_read_alike(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=120).round(3)
    cells = [("N/A" if i % 10 == 0 else f" {v} ") for i, v in enumerate(x)]
    frame = pandas.DataFrame({"x": cells, "z": rng.normal(size=120), "k": ["a", " b"] * 60})
    frame["y"] = [("up" if v > 0 else "down ") for v in x]
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = dataset_of(tmp_path / "t.csv")
    expected = Preprocessing.fit(data.with_frame(data.frame.drop("y"))).describe()
    assert expected[0].startswith("x: numeric, standardized, 12 missing")
    assert dr.preprocessing.TableTransformer().fit(frame.drop(columns="y")).preprocessing_ == (
        Preprocessing.fit(frame.drop(columns="y"))
    )
    whole = tabular.table(frame, tabular.Roles(("y",)))
    assert whole.targets.classes == ("down", "up")
    for source in (frame, tmp_path / "t.csv"):
        again = tabular.table(source, tabular.Roles(("y",)))
        assert tabular.fingerprint(again.frame) == tabular.fingerprint(whole.frame)
    model = dr.TabularClassifier(epochs=2, random_state=0).fit(frame.drop(columns="y"), frame["y"])
    assert model.model_.preprocessing.describe() == expected
    save_model(tmp_path / "m", model.model_)
    loaded = load_model(tmp_path / "m")
    raw, clean = frame.drop(columns="y"), data.frame
    np.testing.assert_array_equal(loaded.outputs(raw), loaded.outputs(clean))
    models = keyed.train_by_key(frame, "y", "k")
    assert models.keys == ("a", "b")
    np.testing.assert_array_equal(models.outputs(frame), models.outputs(clean))


# ------------------------------------------------------------------ what containers may hold

N = 40
WHICH = np.arange(N) % 3
ABC = np.array(["a", "b", "c"], dtype=object)[WHICH]

SAME = {
    "nullable": (pandas.array([None, 1, 2, 3], dtype="Int64"), [None, 1, 2, 3]),
    "nullable booleans": (pandas.array([None, True], dtype="boolean"), [None, True]),
    "arrow in pandas": (pandas.array([None, 1], dtype="int64[pyarrow]"), [None, 1]),
    "categorical": (pandas.Categorical(["b", None, "a"]), ["b", None, "a"]),
    "categorical of numbers": (pandas.Categorical([2, 1, 2]), [2, 1, 2]),
    "sparse": (pandas.arrays.SparseArray([0, 0, 1]), [0, 0, 1]),
    "index": (pandas.Index([1, 2]), [1, 2]),
    "masked": (np.ma.array([1, 2], mask=[True, False]), [None, 2]),
    "masked booleans": (np.ma.array([True, False], mask=[True, False]), [None, False]),
    "masked text": (np.ma.array(["a", "b"], mask=[True, False]), [None, "b"]),
    "masked objects": (np.ma.array(["a", 1], mask=[True, False], dtype=object), [None, 1]),
    "masked durations": (
        np.ma.array(np.array([5, 7], "m8[s]"), mask=[True, False]),
        [None, dt.timedelta(seconds=7)],
    ),
    "decimals": ([Decimal(1), None, Decimal("2.0")], [1, None, 2]),
    "decimals with fractions": ([Decimal("1.5"), 2], [1.5, 2.0]),
    "dates and moments": (
        [dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5)],
        [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 5)],
    ),
    "time zones": (
        [
            pandas.Timestamp("2024-01-01 12:00", tz="UTC"),
            pandas.Timestamp("2024-01-01 12:00", tz="Asia/Tokyo"),
        ],
        [dt.datetime(2024, 1, 1, 12), dt.datetime(2024, 1, 1, 3)],
    ),
    "nanoseconds": (
        np.array([np.datetime64("2024-01-01", "ns"), None], dtype=object),
        [dt.datetime(2024, 1, 1), None],
    ),
    "numbers and text": ([1, "x", 2.5, True], ["1", "x", "2.5", "true"]),
    "dates and numbers": ([dt.date(2024, 1, 1), 1], ["2024-01-01", "1"]),
    "huge numbers": ([10**30, 1], [1e30, 1.0]),
    "long doubles": (np.array([1.5], dtype=np.longdouble), [1.5]),
    "range": (range(2), [0, 1]),
}


@pytest.mark.parametrize("name", SAME)
def test_a_column_of_any_container(name):
    values, expected = SAME[name]
    assert column_of("a", values).to_list() == expected
    assert frame_of({"a": values})["a"].null_count() == expected.count(None)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({1: [1], "1": [2]}, "the column name '1' stands 2 times"),
        ({"a": np.zeros((2, 2))}, r"column 'a': expected one value for each row, got an array of"),
        ({"a": "text"}, "column 'a': expected numbers, text, booleans or dates"),
        ([[1, 2], [1]], "a list whose rows differ in length"),
        ("table.csv", "got str"),
        ([1, 2], "Reshape your data"),
    ],
)
def test_what_holds_no_table_is_refused(table, message):
    with pytest.raises(DataError, match=message):
        frame_of(table)


@pytest.mark.parametrize(
    ("values", "type_"),
    [([{1}], "set"), ([[1], [2]], "List"), ([b"a"], "Binary"), ([{"a": 1}], "dict")],
)
def test_cells_that_are_no_values_are_refused_by_their_type(values, type_):
    with pytest.raises(DataError, match=f"column 'a' holds cells of type {type_}"):
        Preprocessing.fit({"a": values * 5})


@pytest.mark.parametrize("digits", [True, False])
def test_a_categorical_stays_a_category(digits):
    cells = [str(i * 7 % 90) for i in range(120)] if digits else [1.0, 2.0] * 60
    frame = pandas.DataFrame({"zip": pandas.Categorical(cells)})
    for held in (
        frame,
        pl.DataFrame(
            {"zip": pl.Series([f"{float(cell):g}" for cell in cells], dtype=pl.Categorical)}
        ),
    ):
        (column,) = Preprocessing.fit(held).columns
        assert column.kind == "category"
    assert "1" in column.levels or digits


@pytest.mark.parametrize("held", ["polars", "pandas"])
def test_durations_are_numbers_everywhere(held):
    rng = np.random.default_rng(2)
    spans = rng.integers(0, 99, 60).astype("m8[s]")
    frame = pl.DataFrame({"wait": spans.astype("m8[us]"), "x": rng.normal(size=60)})
    frame = frame.with_columns(y=pl.Series(spans.astype(int) > 50), k=pl.Series(["a", "b"] * 30))
    source = frame if held == "polars" else pandas.DataFrame(frame.to_dict(as_series=False))
    whole = tabular.table(source, tabular.Roles(("y",)))
    assert whole.frame["wait"].dtype == pl.Float64
    tabular.leaks(whole)
    tabular.table(source, tabular.Roles(("wait",), time="x"))
    tabular.table(source, tabular.Roles(("y",), time="wait"))
    tabular.table(source, tabular.Roles(("y",), groups="wait"))
    assert keyed.train_by_key(source, "y", "k").keys == ("a", "b")
    fitted = Preprocessing.fit(source, kinds={"wait": "category"})
    levels = fitted.columns[0].levels
    np.testing.assert_array_equal(fitted.transform(source), fitted.transform(whole.frame))
    assert all(float(level) == int(level) for level in levels)


def test_levels_that_are_numbers_are_found_however_they_are_written():
    fitted = Preprocessing.fit({"zip": [1, 2, 1, 2]}, kinds={"zip": "category"})
    made = fitted.transform({"zip": ["1.0", " 2", "+1", "NA"]})
    assert made.tolist() == [[1, 0], [0, 1], [1, 0], [0, 0]]
    text = Preprocessing.fit({"zip": ["1", "x", "1", "x"]})
    assert text.transform({"zip": ["1.0"]}).tolist() == [[0, 0]]
    levels, codes = numbered(pl.Series(["01", "?"]), Reading(), ["1"])
    assert (levels, codes.tolist()) == (["01"], [0, 1])


# ------------------------------------------------------------------ labels and what goes with them

X = np.random.default_rng(3).normal(size=(N, 2))


def classes(y, **more):
    return dr.TabularClassifier(epochs=1, random_state=0).fit(X, y, **more).classes_.tolist()


@pytest.mark.parametrize(
    "values",
    [[1, "1", 2], [1, "a", 2.5], [True, "a", False], [True, 1, 0], [dt.date(2024, 1, 1), "a", 1]],
)
@pytest.mark.parametrize(
    "held", [list, tuple, lambda y: np.array(y, dtype=object), pandas.Series, pandas.Categorical]
)
def test_labels_of_several_types_are_refused(held, values):
    y = held([values[i] for i in WHICH])
    with pytest.raises(DataError, match="y: Unknown label type: mixed, such as"):
        classes(y)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([Decimal(int(i)) for i in WHICH], [0, 1, 2]),
        (pl.Series([Decimal(int(i)) for i in WHICH]), [0, 1, 2]),
        (pandas.Categorical(ABC), ["a", "b", "c"]),
        (pandas.Categorical(WHICH), [0, 1, 2]),
        (pandas.Series([str(i) for i in WHICH], dtype="category"), ["0", "1", "2"]),
        (pandas.array(WHICH, dtype="Int64"), [0, 1, 2]),
        (pandas.DataFrame({0: WHICH}), [0, 1, 2]),
        (pl.DataFrame({"y": ABC.tolist()}), ["a", "b", "c"]),
        (pl.Series(ABC.tolist(), dtype=pl.Enum(["c", "b", "a"])), ["a", "b", "c"]),
        (pandas.Index(WHICH), [0, 1, 2]),
        (tuple(WHICH.tolist()), [0, 1, 2]),
        (WHICH[:, None].tolist(), [0, 1, 2]),
        (np.array([" a", "a ", "NA"])[WHICH], [" a", "NA", "a "]),  # labels are not read
    ],
)
def test_labels_of_any_container(y, expected, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = dr.TabularClassifier(epochs=1, random_state=0).fit(X, y)
    assert model.classes_.tolist() == expected
    model.save(tmp_path / "m")
    assert 0 <= model.score(X, y) <= 1


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([Decimal("1.5"), Decimal(2)] * 20, "Unknown label type: continuous, such as 1.5"),
        (np.array([1.5, 2.5] * 20, dtype=object), "Unknown label type: continuous"),
        (WHICH.astype("m8[s]"), "Unknown label type: durations"),
        ([dt.timedelta(int(i)) for i in WHICH], "Unknown label type: durations"),
        (np.ma.array(WHICH, mask=WHICH == 1), "the target is missing in 13 of 40 rows"),
        (pandas.array([None, *WHICH[1:]], dtype="Int64"), "the target is missing in 1 of 40"),
        (np.zeros((N, 1, 1)), "expected a value for each row of X, got an array of shape"),
        ("text", "expected a value for each row of X, got 'text' alone"),
    ],
)
def test_labels_that_cannot_be(y, message):
    with pytest.raises(DataError, match=message):
        classes(y)


@pytest.mark.parametrize("role", ["groups", "time"])
@pytest.mark.parametrize(
    "held",
    [
        lambda v: v,
        lambda v: v[:, None],
        lambda v: [[int(i)] for i in v],
        lambda v: list(map(str, v)),
        lambda v: pandas.DataFrame({"a": v}),
        pandas.Categorical,
        lambda v: pandas.array(v, dtype="Int64"),
        lambda v: v.astype("m8[s]"),
        lambda v: pl.Series(v),
    ],
)
def test_groups_and_times_of_any_container_split_alike(role, held):
    values = np.arange(N) // 4
    found = [
        dr.TabularClassifier(epochs=2, random_state=0).fit(X, X[:, 0] > 0, **{role: v})
        for v in (values, held(values))
    ]
    np.testing.assert_array_equal(*(model.predict_proba(X) for model in found))


@pytest.mark.parametrize("role", ["groups", "time"])
@pytest.mark.parametrize("odd", [np.zeros((N, 2)), 3, "text", {"a": 1}, np.zeros(3), [(1, 2)] * N])
def test_groups_and_times_of_odd_shapes_are_refused(role, odd):
    with pytest.raises(DataError, match=f"{role}: expected a value for each of the {N} rows"):
        classes(X[:, 0] > 0, **{role: odd})


def test_masked_weights_are_not_learned_from():
    weights = np.ma.array(np.ones(N), mask=WHICH == 0)
    for rule in (None, {False: 1, True: 2}):
        model = dr.TabularClassifier(epochs=1, class_weight=rule)
        with pytest.raises(DataError, match="sample_weight: expected finite numbers"):
            model.fit(X, X[:, 0] > 0, sample_weight=weights)


def test_columns_named_by_whole_numbers():
    frame = pandas.DataFrame({0: WHICH, 1: X[:, 0]})
    fitted = Preprocessing.fit(frame, kinds={0: "category"})
    assert [column.kind for column in fitted.columns] == ["category", "numeric"]
