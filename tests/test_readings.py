"""Numbers as people write them: how a column is read, in training and in prediction alike."""

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deltarule as dr
from deltarule import tabular
from deltarule.data import Reading, dataset_of, read, stream
from deltarule.data.notations import detected
from deltarule.data.readings import ColumnReading, restored_readings
from deltarule.errors import CellError, DataError, FileError
from deltarule.preprocessing import Preprocessing, sentinels
from deltarule.preprocessing.records import restored_reading

from .fuzz.examples import examples

WRITTEN = {
    "thousands": (["1,490", "960", "12,000,000"], [1490, 960, 12_000_000]),
    "thousands and decimals": (["1,490.5", "960"], [1490.5, 960]),
    "points and a decimal comma": (["1.490,5", "960"], [1490.5, 960]),
    "several points": (["1.490.000", "960.000"], [1_490_000, 960_000]),
    "a decimal comma": (["0,82", "1,5"], [0.82, 1.5]),
    "blanks": (["12 150", "1 000 000"], [12_150, 1_000_000]),
    "narrow blanks": (["12\u202f150", "9\u00a0000"], [12_150, 9000]),
    "apostrophes": (["12'150", "9\u2019000"], [12_150, 9000]),
    "Indian groups": (["1,23,456", "12,34,567"], [123_456, 1_234_567]),
    "dollars": (["$1,200.50", "-$3", "$-4", "($5)"], [1200.5, -3, -4, -5]),
    "euros": (["19,99 €", "5 €"], [19.99, 5]),
    "a code of a currency": (["EUR 1.234,50", "EUR 3,20"], [1234.5, 3.2]),
    "percent": (["0.50%", "-1 %"], [0.5, -1]),
    "per mille": (["45 ‰", "3‰"], [45, 3]),
    "signs behind": (["80-", "120", "7.5-"], [-80, 120, -7.5]),
    "parentheses": (["(1,200)", "300"], [-1200, 300]),
    "a minus sign": (["\u22125", "4"], [-5, 4]),
    "magnitudes": (["1.25M", "330K", "12"], [1_250_000, 330_000, 12]),
    "magnitudes with a currency": (["$1.5m", "$300k"], [1.5e6, 3e5]),
    "German magnitudes": (["2 Mio. €", "500 Tsd. €"], [2e6, 5e5]),
    "a unit": (["52 m2", "34m2", "60"], [52, 34, 60]),
    "a unit without a blank": (["20km", "31km"], [20, 31]),
    "metres, no millions": (["1.5m", "2m"], [1.5, 2]),
    "plurals": (["1 star", "5 stars"], [1, 5]),
    "a scale": (["3.4/5", "4/5"], [3.4, 4]),
    "a scale in words": (["3 out of 5", "4 out of 5"], [3, 4]),
    "ranges": (["2100 - 2850", "1000", "900", "1200-1300"], [2475, 1000, 900, 1250]),
    "bounds": (["<5", ">90", "10", "12", "≥ 80", "7", "8"], [2.5, 90, 10, 12, 80, 7, 8]),
    "more": (["10+", "5", "3"], [10, 5, 3]),
    "times": (["0:00", "7:13", "21:39"], [0, 25_980, 77_940]),
    "times with seconds": (["0:07:15", "1:02:03"], [435, 3723]),
    "times with points": (["18.00.00", "07.15.20"], [64_800, 26_120]),
    "minutes": (["58:40", "1:02:15"], [3520, 3735]),
    "times with their word": (["18.30 Uhr", "7.15 Uhr"], [66_600, 26_100]),
    "a unit of a unit": (["€12/m²", "€9.5/m²"], [12, 9.5]),
    "years": (["3 yrs", "1 yr"], [3, 1]),
    "half days": (["7:13 PM", "12:05 am", "12:30 p.m."], [69_180, 300, 45_000]),
    "durations": (["1h 20m", "45m", "2h"], [4800, 2700, 7200]),
    "ISO durations": (["PT1H20M", "PT45M"], [4800, 2700]),
    "footnotes": (["12150*", "9000", "81 [1]", "7 (a)"], [12_150, 9000, 81, 7]),
    "about": (["~50", "60", "ca. 70"], [50, 60, 70]),
}
TEXT = {
    "cabins": ["C85", "D12"],
    "codes": ["007 kg", "012 kg"],
    "two quantities": ["20 km", "500 kg"],
    "flats": ["12A", "13B"],
    "houses": ["12", "12A", "14", "16"],
    "two classes": ["<=50K", ">50K"],
    "telephones": ["555-1234", "555-2345"],
    "bands of age": ["20-29", "30-39"],
    "postal codes": ["12345-6789", "54321-1234"],
    "ordinals": ["1st", "2nd", "3rd"],
    "two currencies": ["$5", "€6"],
    "versions": ["1.2.3", "1.10.2"],
    "blood pressure": ["120/80", "130/85"],
    "contradictions": ["1.490.000", "3.55"],
    "words": ["red", "blue"],
}


@pytest.mark.parametrize(("cells", "values"), WRITTEN.values(), ids=WRITTEN)
def test_numbers_as_people_write_them(cells, values):
    found = dataset_of({"x": cells})
    assert found.frame["x"].to_list() == pytest.approx(values)
    written = found.reading.of("x")
    assert [written.value(f" {cell}") for cell in cells] == pytest.approx(values)  # predictions
    assert dataset_of({"x": cells}, Reading(plain=True)).frame["x"].dtype == pl.String


@pytest.mark.parametrize("cells", TEXT.values(), ids=TEXT)
def test_text_stays_text(cells):
    assert dataset_of({"x": cells * 3}).frame["x"].to_list() == cells * 3


@examples(200)
@given(
    cells=st.lists(
        st.one_of(
            st.sampled_from([cell for cells, _ in WRITTEN.values() for cell in cells]),
            st.text("0123456789.,-– +()$€%kKmMh:/<>*' ", max_size=9),
        ),
        max_size=12,
    ),
    written=st.sampled_from([detected(cells) for cells, _ in WRITTEN.values()]),
)
def test_a_text_is_read_alone_as_in_its_column(cells, written):
    whole = written.values(pl.Series("x", cells, dtype=pl.String)).to_list()
    alone = [written.value(cell) for cell in cells]
    assert whole == pytest.approx([None if v is None or math.isnan(v) else v for v in alone])


def test_one_file_has_one_locale(tmp_path):
    rows = ["0,82;3.150;1,250", "0,9;960;2,500"] * 10
    (tmp_path / "t.csv").write_text("\n".join(["share;price;tons", *rows]))
    assert read(tmp_path / "t.csv").row(0) == (0.82, 3150, 1.25)
    found = dataset_of({"share": ["0,82", "1,5"], "tons": ["1,250", "2,500"]})
    assert found.frame["tons"].to_list() == [1.25, 2.5]


def test_a_comma_before_three_digits_groups_thousands(tmp_path):
    (tmp_path / "t.tsv").write_text("room\tsales\n1\t1,490\n2\t960\n3\t4,460\n")
    found = dataset_of(tmp_path / "t.tsv")
    assert (found.frame["sales"].to_list(), found.notes) == ([1490, 960, 4460], ())
    unsure = dataset_of({"x": ["1,234", "2,345", "9,876"]})
    assert unsure.frame["x"].to_list() == [1234, 2345, 9876]
    assert unsure.notes[0].startswith("column 'x': '1,234' is read as 1234, since a comma stands")
    comma = dataset_of({"x": ["1,234", "2,345"]}, Reading(decimal_comma=True))
    assert comma.frame["x"].to_list() == [1.234, 2.345]


# ------------------------------------------------------------------------------ missing values


@pytest.mark.parametrize("marker", ["None", "n/a", "#N/A", "#DIV/0!", "-", "--", ".", "***"])
@pytest.mark.parametrize("others", [["1", "22"], ["$1,200", "$3"], ["2024-05-31", "2024-06-01"]])
def test_known_markers_are_missing_among_numbers_and_dates(marker, others):
    frame = dataset_of({"x": [marker, *others]}).frame
    assert frame["x"].null_count() == 1
    assert frame["x"].dtype != pl.String


def test_markers_stay_text_among_text():
    assert dataset_of({"x": ["None", "red", "-"]}).frame["x"].to_list() == ["None", "red", "-"]


def test_one_word_that_recurs_among_numbers_is_a_marker():
    cells = ["sold"] * 30 + [str(i) for i in range(10)]
    found = dataset_of({"x": cells})
    assert found.frame["x"].null_count() == 30
    assert found.notes == (
        "column 'x': 'sold' in 30 rows is read as missing, since all else is numbers or dates. "
        "Pass missing=('sold',) to confirm it, or plain=True to read the column as text.",
    )
    for few in (["1", "2", "many", "many"], ["2", "3", "4", "5", "6", "5more", "5more"]):
        assert dataset_of({"x": few}).frame["x"].dtype == pl.String


def test_a_few_strange_cells_are_refused_where_numbers_have_units():
    cells = [f"${i},500" for i in range(1, 60)] + ["on request"]
    with pytest.raises(CellError, match=r"text in row 59 of the table, counted from 0 \('on req"):
        Preprocessing.fit({"price": cells})


def test_sentinels():
    numbers = [float(i) for i in range(40)]
    assert sentinels(pl.DataFrame({"x": [*numbers, *[-9999.0] * 4], "y": range(44)})) == [
        ("x", -9999, 4)
    ]
    assert not sentinels(pl.DataFrame({"x": [*range(950, 1000), 999, 999], "s": ["-999"] * 52}))
    assert not sentinels(pl.DataFrame({"x": [-999] * 4, "empty": [None] * 4}))


# -------------------------------------------------------------------------- kept with the model

M = 60
AREAS = [20 + i for i in range(M)]
FRAME = {
    "area": [f"{a} m2" if i % 7 else "-" for i, a in enumerate(AREAS)],
    "price": [f"{a * 1000:,} €" for a in AREAS],
}


def test_a_model_reads_as_its_training_did(tmp_path):
    data = dataset_of(FRAME)
    fitted = Preprocessing.fit(data.with_frame(data.frame.select("area")))
    assert fitted.describe() == [
        "area: numeric, standardized, 9 missing filled with 50 and flagged; read as numbers with "
        "'m2' behind, '-' as missing"
    ]
    restored = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored == fitted
    expected = fitted.transform({"area": [52.0, None, 34.0]})
    for cells in (["52 m2", "-", "34"], ["52", "n/a", " 34 m2"]):
        np.testing.assert_array_equal(restored.transform({"area": cells}), expected)
        read_again = dataset_of({"area": cells}, restored.reading)
        np.testing.assert_array_equal(restored.transform(read_again.frame), expected)
    for source in ({"area": ["5 acres"]}, dataset_of(FRAME).frame.select(area=pl.lit("5 acres"))):
        with pytest.raises(
            CellError, match=r"row 0 of .*\('5 acres'\); expected numbers with 'm2'"
        ):
            restored.transform(source)
    with pytest.raises(CellError, match=r"row 0 of .*\('5 acres'\); expected numbers with 'm2'"):
        dataset_of({"area": ["5 acres"]}, restored.reading)


def test_numbers_with_a_unit_are_no_classes():
    whole = tabular.table(
        {"area": AREAS, "stars": [f"{i % 5 + 1} stars" for i in range(M)]},
        tabular.Roles(("stars",)),
    )
    assert whole.targets.task == "regression"
    assert whole.targets.reason == "its cells are numbers with 'stars' behind"


def test_an_estimator_reads_and_warns():
    x = {"area": ["sold"] * 9 + [str(a) for a in AREAS[9:]], "n": AREAS[::-1]}
    settings = {"epochs": 2, "hidden": (4,), "random_state": 0}
    with pytest.warns(UserWarning, match="'sold' in 9 rows is read as missing"):
        fitted = dr.TabularRegressor(**settings).fit(x, AREAS)
    assert fitted.predict({"area": ["sold", "7"], "n": [1, 2]}).shape == (2,)
    plain = dr.TabularRegressor(**settings, plain=True, kinds={"area": "category"}).fit(x, AREAS)
    assert plain.model_.about["reading"]["plain"]


def test_a_prediction_file_of_other_looks_is_read_as_in_training(tmp_path):
    """Alone, 960.000 would be 960: the model knows that points group thousands."""
    (tmp_path / "t.csv").write_text("a;b\n" + "1.490.000;1\n960.000;2\n" * 10)
    (tmp_path / "p.csv").write_text("a;b\n960.000;1\n12;2\n")
    known = dataset_of(tmp_path / "t.csv").reading
    assert dataset_of(tmp_path / "p.csv", known.values).frame["a"].to_list() == [960_000, 12]
    assert read(tmp_path / "p.csv")["a"].to_list() == [960, 12]


def test_blocks_are_read_as_the_whole(tmp_path):
    frame = pl.DataFrame({**FRAME, "odd": ["5 m"] * (M - 1) + ["5 acres"]})
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=7)
    frame.write_csv(tmp_path / "t.csv")
    for path in (tmp_path / "t.parquet", tmp_path / "t.csv"):
        whole, blocks = dataset_of(path), stream(path)
        found = pl.concat([blocks.read(k) for k in range(len(blocks.blocks))])
        assert found.rows() == whole.frame.rows()
        assert blocks.reading.columns == whole.reading.columns
        metres = {"odd": ColumnReading("number", suffix="m")}
        with pytest.raises(
            DataError, match=r"t\.\w+: column 'odd' holds text in row 6[01] of the file "
        ):
            stream(path, Reading(columns=metres))
        assert stream(path, Reading(plain=True)).schema["area"] == pl.String


def test_damaged_records_are_refused(tmp_path):
    good = {"missing": [], "decimal_comma": False}
    assert restored_reading(good).columns == {}  # of models from before
    for columns in (
        [],
        {"a": 1},
        {"a": {"form": "poem"}},
        {"a": {"group": "x"}},
        {"a": {"markers": [1]}},
        {"a": {"suffix": "x" * 99}},
        {"a": {"strange": 1}},
    ):
        assert restored_readings(columns) is None
        with pytest.raises(DataError, match="the record of the reading is damaged"):
            restored_reading({**good, "columns": columns})
    area = {"area": ColumnReading("number", suffix="m2")}
    about = {"reading": tabular.reading_record(Reading(columns=area))}
    assert tabular.recorded_reading(json.loads(json.dumps(about))).columns == area
    with pytest.raises(FileError, match="the reading of its columns"):
        tabular.recorded_reading({"reading": {**about["reading"], "columns": {"area": 1}}})


def test_blocks_and_their_whole_are_the_same_task(tmp_path):
    pl.DataFrame({"n": AREAS, "stars": [f"{i % 5 + 1} stars" for i in range(M)]}).write_csv(
        tmp_path / "t.csv"
    )
    settings = tabular.Settings(epochs=1, hidden=(4,))
    roles = tabular.Roles(("stars",))
    found = tabular.survey(stream(tmp_path / "t.csv"), roles, settings, memory=1 << 30)
    assert found.whole.targets.task == "regression"
    assert found.whole.targets.reason == "its cells are numbers with 'stars' behind"


@pytest.mark.parametrize("first", [12345678901234567, 12345678901234567890, 10**25 + 1])
def test_whole_numbers_that_no_float_holds_are_never_rounded(tmp_path, first):
    numbers = [first + 2 * i for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *(f"{n},{n % 7}" for n in numbers)]))
    for source in (
        tmp_path / "t.csv",
        pl.DataFrame({"a": pl.Series([str(n) for n in numbers]), "b": range(60)}),
        pl.DataFrame({"a": pl.Series(numbers, dtype=pl.Int128), "b": range(60)}),
    ):
        data = dataset_of(source)
        assert data.frame["a"].cast(pl.String).to_list() == [str(n) for n in numbers]
        fitted = Preprocessing.fit(data)
        assert fitted.describe()[0].startswith("a: dropped, identifier")
    few = pl.DataFrame({"a": [str(n) for n in numbers[:2] * 30]})
    assert Preprocessing.fit(dataset_of(few)).columns[0].kind in ("boolean", "category")
    grouped = pl.DataFrame({"a": [f"{n:,}" for n in numbers]})
    assert dataset_of(grouped).frame["a"].to_list() == grouped["a"].to_list()


@pytest.mark.parametrize("digits", [308, 309, 400, 50_000])
@pytest.mark.parametrize("form", ["{}", "${}"])
def test_whole_numbers_beyond_the_largest_float_are_text(digits, form):
    cells = [form.format("1" * digits + str(k % 9)) for k in range(60)]
    data = dataset_of(pl.DataFrame({"a": cells, "b": range(60)}))
    assert data.frame["a"].to_list() == cells
    assert Preprocessing.fit(data).columns[0].kind == "category"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("7" * 310, "7" * 50_000),
        ("see page 7", "see page 7" + ", page 7" * 5_000),
        ("7 pages", "7 pages" + ", 7 pages" * 500),
        ("0.33 m2", f"0.{'3' * 600} m2"),
    ],
    ids=["whole number", "text", "other unit", "decimals"],
)
def test_a_long_cell_is_read_as_a_short_one(short, long):
    sizes = [f"{k} m2" for k in range(100)]
    assert detected([*sizes, long]) == detected([*sizes, short])
    assert detected([long, *sizes]) == detected([short, *sizes])


def test_whole_numbers_that_floats_hold_stay_numbers():
    frame = pl.DataFrame({"a": [str(2**53 * k) for k in (1, 2, 4, 8)], "b": ["1", "2", "3", "5"]})
    assert dataset_of(frame).frame["a"].dtype == pl.Int64
    much = pl.DataFrame({"a": ["100000000000000000000", "300000000000000000000"]})
    assert dataset_of(much).frame["a"].to_list() == [1e20, 3e20]
