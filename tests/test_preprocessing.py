"""Columns to numbers: kinds told apart, fitted, applied to other tables, stored; leaks; targets."""

import json
import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from deltarule.data import built_in, parallel
from deltarule.errors import (
    CellError,
    DataError,
    DeltaruleError,
    SettingError,
    ShapeError,
    UnknownNameError,
)
from deltarule.preprocessing import (
    KINDS,
    Preprocessing,
    TableTransformer,
    Targets,
    assembly,
    cells,
    suspicious,
    with_targets,
)
from deltarule.preprocessing.cells import coded, numbers_of
from deltarule.preprocessing.columns import Dropped
from deltarule.preprocessing.dates import DATE_FORMATS, format_of, milliseconds
from deltarule.preprocessing.kinds import fitted as fitted_column

from .fuzz.examples import examples

M = 60
RNG = np.random.default_rng(0)


def described(values, name="x", **kinds):
    """What is done with one column, beside another that keeps the table alive."""
    frame = pl.DataFrame({name: values, "other": pl.Series(RNG.normal(size=len(values)))})
    return Preprocessing.fit(frame, kinds=kinds or None).describe()[0].removeprefix(f"{name}: ")


def people():
    """A table with a column of every kind."""
    ages = [None if i % 10 == 3 else 20.0 + i % 7 for i in range(M)]
    return pl.DataFrame(
        {
            "row": [*range(1, M + 1)],
            "age": ages,
            "town": [("Oslo", "Rome", "Bonn")[i % 3] for i in range(M)],
            "member": [("yes", "no", None)[i % 3] for i in range(M)],
            "born": [date(2000, 1, 1) + timedelta(days=17 * i) for i in range(M)],
            "code": [f"A{i}" for i in range(M)],
            "note": [f"this is note number {i}" for i in range(M)],
            "same": [1] * M,
            "none": pl.Series([None] * M, dtype=pl.Float64),
        }
    )


# ----------------------------------------------------------------------------- kinds

COUNTED = [*range(1, M + 1)]
KINDS_TOLD = {
    "numbers": ([1.5, 2.5] * 30, "x", "numeric, standardized"),
    "numbers, some missing": (
        [1.0, None, 2.0] * 20,
        "x",
        "numeric, standardized, 20 missing filled with 1.5 and flagged",
    ),
    "whole numbers": ([3, 1, 2] * 20, "x", "numeric, standardized"),
    "yes and no": (["no", "yes"] * 30, "x", "boolean, no is 0, yes is 1"),
    "true and false": ([True, False] * 30, "x", "boolean, false is 0, true is 1"),
    "yes, no and missing": (
        ["no", "yes", None] * 20,
        "x",
        "boolean, no is 0, yes is 1, 20 missing filled with 0.50 and flagged",
    ),
    "two words": (["red", "blue"] * 30, "x", "category, 2 levels"),
    "words": (["red", "blue", None] * 20, "x", "category, 2 levels, 20 missing as a level"),
    "rare words": (
        ["red", "blue"] * 29 + ["green", "black"],
        "x",
        "category, 2 levels, 2 rare levels merged",
    ),
    "dates": (
        [date(2020, 1, 1), date(2021, 3, 1)] * 30,
        "x",
        "date, elapsed time, season, weekday",
    ),
    "dates as text": (
        ["31.1.2020", "1.12.2020"] * 30,
        "x",
        "date, elapsed time, season, weekday (written %d.%m.%Y)",
    ),
    "dates with a word": (
        ["Jan 5, 2020", "Dec 24, 2020"] * 30,
        "x",
        "date, elapsed time, season, weekday (written %B %d, %Y)",
    ),
    "dates and hours": (
        ["1/5/2020 3:04 PM", "1/25/2020 3:04 AM"] * 30,
        "x",
        "date, elapsed time, season, weekday, hour (written %m/%d/%Y %I:%M %p)",
    ),
    "moments": (
        [datetime(2020, 1, 1, 10), datetime(2021, 3, 1, 9)] * 30,
        "x",
        "date, elapsed time, season, weekday, hour",
    ),
    "durations": ([timedelta(days=1), timedelta(days=2)] * 30, "x", "numeric, standardized"),
    "times of day": ([time(10), time(11)] * 30, "x", "numeric, standardized"),
    "row numbers": (COUNTED, "x", "dropped, identifier: row numbers"),
    "some of the row numbers": (
        [7 * i // 5 + 1 for i in range(M)],
        "x",
        "dropped, identifier: row numbers",
    ),
    "years": ([*range(1950, 1950 + M)], "x", "numeric, standardized"),
    "other numbers by name": (
        [15_000_000 + 977 * i % 4093 for i in range(M)],
        "customerID",
        "dropped, identifier: a different number in every row",
    ),
    "other numbers": ([977 * i % 4093 for i in range(M)], "income", "numeric, standardized"),
    "keys": (
        [f"K{i}" for i in range(M)],
        "x",
        "dropped, identifier: 60 different values in 60 rows",
    ),
    "keys that recur": (
        [f"K{i // 2}" for i in range(4 * M)],
        "x",
        "dropped, identifier: 120 different values in 240 rows",
    ),
    "keys that most rows lack": (
        [f"K{i}" if i % 3 == 0 else None for i in range(M * 2)],
        "x",
        "category, 40 rare values: encoded as present or missing",
    ),
    "prose": (
        [f"it was a nice day {i}" for i in range(M)],
        "x",
        "dropped, free text: 6 words per row",
    ),
    "one value": (["a"] * M, "x", "dropped, constant: a in every row"),
    "one number": ([2.5] * M, "x", "dropped, constant: 2.5 in every row"),
    "no value": ([None] * M, "x", "dropped, empty: no value in any row"),
    "not a number": ([float("nan")] * M, "x", "dropped, empty: no value in any row"),
    "one value or none": (["a", None] * 30, "x", "category, 1 level, 30 missing as a level"),
}


@pytest.mark.parametrize(("values", "name", "expected"), KINDS_TOLD.values(), ids=KINDS_TOLD)
def test_kinds_told_apart(values, name, expected):
    assert described(values, name) == expected


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2, 3] * 20, "category", "category, 3 levels"),
        ([0, 1] * 30, "boolean", "boolean, 0 is 0, 1 is 1"),
        (COUNTED, "numeric", "numeric, standardized"),
        (COUNTED, "number", "numeric, standardized"),
        (["1", "2"] * 30, "numeric", "numeric, standardized"),
        (["2020-01-01", "2020-01-02"] * 30, "category", "category, 2 levels"),
        ([1.0, 2.0] * 30, "dropped", "dropped, as requested"),
        ([1.0, 2.0] * 30, "identifier", "dropped, as requested"),
        ([f"K{i}" for i in range(M)], "category", "category, 24 levels, 36 rare levels merged"),
    ],
)
def test_kinds_overruled(values, kind, expected):
    assert described(values, x=kind) == expected


def test_a_count_that_is_all_there_is_stays():
    assert Preprocessing.fit({"t": COUNTED}).describe() == ["t: numeric, standardized"]


def test_describes_every_column():
    assert Preprocessing.fit(people()).describe() == [
        "row: dropped, identifier: row numbers",
        "age: numeric, standardized, 6 missing filled with 23 and flagged",
        "town: category, 3 levels",
        "member: boolean, no is 0, yes is 1, 20 missing filled with 0.50 and flagged",
        "born: date, elapsed time, season, weekday",
        "code: dropped, identifier: 60 different values in 60 rows",
        "note: dropped, free text: 5 words per row",
        "same: dropped, constant: 1 in every row",
        "none: dropped, empty: no value in any row",
    ]


# ----------------------------------------------------------------------------- numbers


def test_what_the_numbers_are():
    frame = people()
    fitted = Preprocessing.fit(frame)
    X = fitted.transform(frame)
    assert (X.shape, X.dtype, X.flags.c_contiguous) == ((M, fitted.width), np.float32, True)
    named = dict(zip(fitted.names, X.T, strict=True))
    ages = frame["age"].fill_null(frame["age"].median()).to_numpy()
    np.testing.assert_allclose(named["age"], (ages - ages.mean()) / ages.std(), rtol=1e-5)
    np.testing.assert_array_equal(named["age is missing"], frame["age"].is_null())
    np.testing.assert_array_equal(named["town = Rome"], frame["town"] == "Rome")
    assert named["member = yes"][:3].tolist() == [1.0, 0.0, 0.5]
    assert named["member is missing"][:3].tolist() == [0.0, 0.0, 1.0]
    monday = date(2024, 1, 1)
    week = [monday + timedelta(days=i) for i in range(8)]
    other = frame.head(8).with_columns(born=pl.Series(week))
    named = dict(zip(fitted.names, fitted.transform(other).T, strict=True))
    np.testing.assert_allclose(named["born weekday sin"][[0, 7]], 0, atol=1e-6)
    np.testing.assert_allclose(
        np.diff(named["born elapsed"]), np.diff(named["born elapsed"])[0], rtol=0.01
    )
    circle = named["born season sin"] ** 2 + named["born season cos"] ** 2
    np.testing.assert_allclose(circle, 1, rtol=1e-5)


@pytest.mark.parametrize("form", [form for form in DATE_FORMATS if not re.search("%q|%Y%m", form)])
def test_dates_of_every_form_are_told_from_other_text(form):
    moments = [datetime(2024, month, day, 23, 5, 7) for month, day in [(5, 31), (1, 2), (12, 13)]]
    for written in (form, form.replace("%d", "%-d").replace("%m", "%-m")):
        assert format_of([moment.strftime(written) for moment in moments]) is not None


@pytest.mark.parametrize("texts", [["may", "june"], ["12", "31"], ["31 flats", "30 flats"], []])
def test_what_begins_like_a_date_and_goes_on_otherwise_is_none(texts):
    assert format_of([*texts, "level 1"]) is None
    assert format_of([*texts, "31 flats"]) is None


def test_the_hour_is_a_point_of_a_circle():
    moments = [datetime(2020, 1, 1, hour) for hour in (0, 6, 12, 18)]
    fitted = Preprocessing.fit({"at": moments})
    X = fitted.transform({"at": moments})
    sine = X[:, fitted.names.index("at hour sin")]
    np.testing.assert_allclose(sine, [0, 1, 0, -1], atol=1e-6)


def test_moments_of_another_zone_are_the_same_moments():
    moments = pl.Series("at", [datetime(2020, 1, 1, 10), datetime(2020, 1, 5, 11)])
    zoned = moments.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    fitted = Preprocessing.fit(moments.to_frame())
    np.testing.assert_array_equal(
        fitted.transform(moments.to_frame()), fitted.transform(zoned.to_frame())
    )


def test_more_rows_than_are_done_at_once():
    frame = pl.DataFrame({"x": RNG.normal(size=20_000), "c": [*"abcd"] * 5_000})
    fitted = Preprocessing.fit(frame)
    X = fitted.transform(frame)
    assert abs(X[:, 0].mean()) < 1e-3
    assert (X[:, 1:].sum(axis=0) == 5_000).all()
    assert (X[:, 1:].sum(axis=1) == 1).all()


def test_a_hundred_thousand_levels():
    rare = [f"level {i}" for i in range(100_000)]
    frame = pl.DataFrame({"c": rare * 2 + ["often"] * 100_000, "x": RNG.normal(size=300_000)})
    fitted = Preprocessing.fit(frame)
    assert fitted.describe()[0] == "c: category, 1 level, 100000 rare levels merged"
    assert fitted.transform(frame)[:, :2].sum(axis=0).tolist() == [100_000, 200_000]
    assert described(rare) == "dropped, identifier: 100000 different values in 100000 rows"


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308, 1.7e308, 0.0],
        [1e-320, 2e-320, 0.0, 0.0],
        [1e300, 1e300, 1e300, -1e300],
        [1.0, 1.0 + 2**-52, 1.0, 1.0],
    ],
)
def test_extreme_numbers_stay_finite(values):
    fitted = Preprocessing.fit({"x": values})
    assert np.isfinite(fitted.transform({"x": values})).all()
    assert np.isfinite(fitted.transform({"x": [1.7e308, -1.7e308]})).all()


NUMBERS = st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-(10**6), 10**6))
TEXTS = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["yes", "no", "1", "2020-01-01"]))
DATES = st.one_of(st.none(), st.dates(date(1700, 1, 1), date(2200, 1, 1)))


@st.composite
def tables(draw):
    m = draw(st.integers(1, 30))
    columns = [
        pl.Series(
            f"c{i}",
            draw(st.lists(draw(st.sampled_from([NUMBERS, TEXTS, DATES])), min_size=m, max_size=m)),
            strict=False,
        )
        for i in range(draw(st.integers(1, 3)))
    ]
    return pl.DataFrame(columns)


@examples(150)
@given(tables(), tables())
def test_any_table_is_numbers_or_an_error_of_this_package(frame, other):
    try:
        fitted = Preprocessing.fit(frame)
    except DeltaruleError:
        return
    X = fitted.transform(frame)
    assert X.shape == (frame.height, fitted.width) == (frame.height, len(set(fitted.names)))
    assert np.isfinite(X).all()
    stored = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert stored == fitted
    np.testing.assert_array_equal(stored.transform(frame), X)
    order = np.arange(frame.height)[::-1]
    np.testing.assert_array_equal(fitted.transform(frame[order]), X[order])
    try:
        assert np.isfinite(fitted.transform(other)).all()
    except DeltaruleError:
        return


# ----------------------------------------------------------------------------- other tables


def test_missing_where_training_had_none():
    fitted = Preprocessing.fit({"x": [1.0, 2.0, 6.0], "c": ["a", "b", "a"]})
    other = {"x": [None, 2.0], "c": [None, "b"]}
    X = fitted.transform(other)
    np.testing.assert_allclose(X, [[(2 - 3) / np.std([1, 2, 6]), 0, 0], [X[1, 0], 0, 1]], rtol=1e-6)
    assert X[0, 0] == X[1, 0]  # the median
    assert fitted.filled(other) == ["x", "c"]


def test_unseen_categories():
    common = ["a", "b"] * 10
    fitted = Preprocessing.fit({"c": common})
    assert fitted.transform({"c": ["z"]}).tolist() == [[0, 0]]
    fitted = Preprocessing.fit({"c": [*common, "r"]})
    assert fitted.names == ("c = a", "c = b", "c is rare")
    assert fitted.transform({"c": ["z", "r", "b"]}).tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("trained", "other"),
    [
        ([1, 2, 1], ["1", "2", "1"]),
        ([1, 2, 1], [1.0, 2.0, 1.0]),
        (["1", "2", "1"], [1, 2, 1]),
        ([True, False, True], ["True", "False", "True"]),
        (["yes", "no", "yes"], ["Yes", "NO", "YES"]),
        ([date(2020, 1, 1), date(2020, 5, 1), None], ["2020-01-01", "2020-05-01", None]),
        (["2020/01/01", "2020/05/01", None], [date(2020, 1, 1), date(2020, 5, 1), None]),
        ([datetime(2020, 1, 1), datetime(2020, 5, 1)], ["2020-01-01T00:00:00Z", "2020-05-01"]),
    ],
)
def test_the_same_values_of_another_type(trained, other):
    fitted = Preprocessing.fit({"x": trained})
    np.testing.assert_array_equal(fitted.transform({"x": trained}), fitted.transform({"x": other}))


def test_reordered_and_extra_columns():
    frame = people()
    fitted = Preprocessing.fit(frame)
    mixed = frame.with_columns(extra=pl.lit(1)).select(sorted([*frame.columns, "extra"]))
    np.testing.assert_array_equal(fitted.transform(frame), fitted.transform(mixed))
    used = frame.drop("row", "code", "note", "same", "none")
    np.testing.assert_array_equal(fitted.transform(frame), fitted.transform(used))


def test_no_rows():
    frame = people()
    assert Preprocessing.fit(frame).transform(frame.head(0)).shape == (0, 12)


def test_years_of_two_digits_are_of_our_time():
    born = Preprocessing.fit({"on": ["5/31/24", "6/1/24"] * 10}).columns[0]
    assert (born.format, born.mean) == ("%m/%d/%y", 19874.5)


# ----------------------------------------------------------------------------- bad columns

FRAME = people()
FITTED = Preprocessing.fit(FRAME)
FAR = pl.DataFrame({"income": [*map(float, range(M - 1)), 1e6]})
WITH_TEXT = FITTED.with_text(FRAME, ["note"])
MANY = Preprocessing.fit({"shop": [f"shop {i}" for i in range(30)] * 20})
FURTHER = (*Preprocessing.fit(FAR).columns, *MANY.columns)
EVERY_KIND = replace(WITH_TEXT, columns=(*WITH_TEXT.columns, *FURTHER))
ODD_AGES = ["oops" if i == 16 else str(i % 9) for i in range(M)]
BAD = {
    "text among numbers": (
        lambda: Preprocessing.fit({"age": ODD_AGES}),
        DataError,
        "column 'age' holds text in row 16 of the table, counted from 0 "
        "('oops'); expected numbers. Replace it by None to "
        "make it missing, or pass kinds={'age': 'category'}.",
    ),
    "text among numbers, overruled": (
        lambda: Preprocessing.fit({"age": ODD_AGES}, kinds={"age": "numeric"}),
        DataError,
        "column 'age' holds text in row 16 of the table, counted from 0 "
        "('oops'); expected numbers. Replace it by None to "
        "make it missing.",
    ),
    "text where numbers were": (
        lambda: FITTED.transform(FRAME.with_columns(age=pl.Series(ODD_AGES))),
        DataError,
        "column 'age' holds text in row 16 of the table, counted from 0 "
        "('oops'); expected numbers. Replace it by None to "
        "make it missing.",
    ),
    "text among dates": (
        lambda: Preprocessing.fit({"on": [f"{i}.6.2024" for i in range(1, 30)] + ["to do"]}),
        CellError,
        "column 'on' holds text in row 29 of the table, counted from 0 "
        "('to do'); expected dates, as elsewhere (%d.%m.%Y). "
        "Replace it by None to make it missing, or pass kinds={'on': 'category'}.",
    ),
    "infinity": (
        lambda: Preprocessing.fit({"x": [1.0, np.inf, 2.0]}),
        DataError,
        "column 'x' holds inf in row 1 of the table, counted from 0; "
        "expected finite numbers. Correct it, or leave it empty: "
        "missing inputs are filled.",
    ),
    "infinity, later": (
        lambda: FITTED.transform(FRAME.with_columns(age=-np.inf)),
        DataError,
        "column 'age' holds -inf in row 0 of the table, counted from 0; "
        "expected finite numbers. Correct it, or leave it empty: "
        "missing inputs are filled.",
    ),
    "dates where numbers were": (
        lambda: FITTED.transform(FRAME.with_columns(age=pl.col("born"))),
        DataError,
        "column 'age' holds dates; expected numbers, as in training.",
    ),
    "numbers where dates were": (
        lambda: FITTED.transform(FRAME.with_columns(born=pl.col("row"))),
        DataError,
        "column 'born' holds numbers; expected dates.",
    ),
    "dates of another form": (
        lambda: FITTED.transform(FRAME.with_columns(born=pl.lit("1 May 2020"))),
        DataError,
        "column 'born' holds '1 May 2020' in row 0 of the table, counted from 0; "
        "expected a date (%Y-%m-%d).",
    ),
    "a column lacking": (
        lambda: FITTED.transform(FRAME.rename({"town": "twon"})),
        DataError,
        "the table lacks the column: 'town'. Did you mean 'twon'? Expected the columns of "
        "training.",
    ),
    "columns lacking": (
        lambda: FITTED.transform(FRAME.drop("town", "age")),
        DataError,
        "the table lacks 2 columns: 'age', 'town'. Expected the columns of training.",
    ),
    "an unknown kind": (
        lambda: Preprocessing.fit(FRAME, kinds={"age": "categroy"}),
        UnknownNameError,
        "unknown kind 'categroy' of column 'age'. Did you mean 'category'? Known: numeric, "
        "scores, boolean, category, embedding, date, text, dropped.",
    ),
    "a kind of no column": (
        lambda: Preprocessing.fit(FRAME, kinds={"aeg": "category"}),
        UnknownNameError,
        "kind of 'aeg': the table has no such column. Did you mean 'age'?",
    ),
    "no rows": (
        lambda: Preprocessing.fit(FRAME.head(0)),
        DataError,
        "the table has no rows to learn from; expected at least one.",
    ),
    "lists": (
        lambda: Preprocessing.fit(pl.DataFrame({"x": [[1], [2]]})),
        DataError,
        "column 'x' holds cells of type List(Int64); expected numbers, text, booleans or dates. "
        "Unpack or drop it.",
    ),
    "bytes": (
        lambda: Preprocessing.fit(pl.DataFrame({"x": [b"1", b"2"]})),
        DataError,
        "column 'x' holds cells of type Binary; expected numbers, text, booleans or dates. "
        "Unpack or drop it.",
    ),
    "three values for a boolean": (
        lambda: Preprocessing.fit({"x": [1, 2, 3]}, kinds={"x": "boolean"}),
        DataError,
        "column 'x': holds 3 values; expected two for a boolean. Pass kinds={'x': 'category'}.",
    ),
    "no dates": (
        lambda: Preprocessing.fit({"x": ["a", "b"]}, kinds={"x": "date"}),
        DataError,
        "column 'x': holds 'a'; expected dates such as 2024-05-31.",
    ),
    "no numbers": (
        lambda: Preprocessing.fit({"x": [None, None]}, kinds={"x": "numeric"}),
        DataError,
        "column 'x': has no value in any training row; expected numbers. Drop it (drop).",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_columns(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


# ----------------------------------------------------------------------------- stored


def test_stored_and_restored():
    stored = json.loads(json.dumps(EVERY_KIND.to_dict(), allow_nan=False))
    assert Preprocessing.from_dict(stored) == EVERY_KIND
    assert {column["kind"] for column in stored["columns"]} == set(KINDS)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
RECORDS = [
    FITTED.to_dict(),
    EVERY_KIND.to_dict(),
    Targets.fit(FRAME.with_columns(y=pl.Series(["a", "b", "c"] * 20)), ["y"]).to_dict(),
    Targets.fit(FRAME.with_columns(y=pl.Series(RNG.normal(size=M))), ["y"]).to_dict(),
]


def places(record, path=()):
    """The path of every value in a record."""
    yield path
    if isinstance(record, dict | list):
        for key in record if isinstance(record, dict) else range(len(record)):
            yield from places(record[key], (*path, key))


def changed(record, path, value):
    """The record with another value at that path; without it where the value is ``...``."""
    if not path:
        return value
    copy = dict(record) if isinstance(record, dict) else list(record)
    if len(path) == 1 and value is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


@examples(300)
@given(data=st.data(), which=st.integers(0, 3), value=JSON | st.just(...))
def test_damaged_records_are_refused_or_whole(data, which, value):
    path = data.draw(st.sampled_from([*places(RECORDS[which])][0 if value is not ... else 1 :]))
    record = changed(RECORDS[which], path, value)
    kind = Targets if which > 1 else Preprocessing
    try:
        restored = kind.from_dict(record)
    except DataError:
        return
    json.dumps(restored.to_dict(), allow_nan=False)
    if kind is Targets:
        assert restored.decode(np.zeros((2, restored.outputs))).height == 2
    else:
        assert len(restored.describe()) == len(restored.columns)
        assert restored.width == len(restored.names)


# ----------------------------------------------------------------------------- targets


def targets(values, **settings_):
    frame = pl.DataFrame({"y": values})
    return frame, Targets.fit(frame, ["y"], **settings_)


TOLD = {
    "text": (["no", "yes"] * 5, "classification", ("no", "yes"), "the target is text"),
    "booleans": ([True, False], "classification", (False, True), "the target is boolean"),
    "few whole numbers": (
        [1, 2, 3] * 4,
        "classification",
        (1, 2, 3),
        "the target has 3 distinct whole numbers; up to 20 are treated as classes",
    ),
    "whole numbers as decimals": (
        [1.0, 0.0] * 4,
        "classification",
        (0, 1),
        "the target has 2 distinct whole numbers; up to 20 are treated as classes",
    ),
    "many whole numbers": (
        [*range(21)] * 4,
        "regression",
        (),
        "the target has 21 distinct numbers, more than 20",
    ),
    "whole numbers in few rows": (
        [3, 1, 4, 1, 5, 9, 2, 6],
        "regression",
        (),
        "the target has 7 distinct numbers in 8 rows, too many for classes",
    ),
    "fractions": (
        [0.5, 1.0] * 4,
        "regression",
        (),
        "the target has fractional numbers",
    ),
}


@pytest.mark.parametrize(("values", "task", "classes", "reason"), TOLD.values(), ids=TOLD)
def test_the_task_is_told(values, task, classes, reason):
    if values == [True, False]:
        values = values * 3
    _, found = targets(values)
    assert (found.task, found.classes, found.reason) == (task, classes, reason)


def test_two_classes():
    frame, found = targets(["no", "yes", "no"])
    assert (found.outputs, found.encode(frame).tolist()) == (1, [[0], [1], [0]])
    assert found.decode(np.array([[0.2], [0.5], [0.9]]))["y"].to_list() == ["no", "yes", "yes"]
    assert found.raw(frame).tolist() == ["no", "yes", "no"]


def test_several_classes():
    frame, found = targets([30, 10, 20, 10] * 3)
    assert (found.outputs, found.classes) == (3, (10, 20, 30))
    assert found.encode(frame)[:2].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert found.decode(found.encode(frame))["y"].to_list() == [30, 10, 20, 10] * 3
    assert found.raw(frame)[:4].tolist() == [30, 10, 20, 10]


def test_regression():
    frame, found = targets([1.5, 2.5, 6.5])
    Y = found.encode(frame)
    assert (Y.dtype, Y.shape, found.outputs) == (np.float32, (3, 1), 1)
    np.testing.assert_allclose([Y.mean(), Y.std()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(found.decode(Y)["y"], [1.5, 2.5, 6.5], rtol=1e-6)
    assert found.raw(frame).tolist() == [1.5, 2.5, 6.5]


def test_several_targets():
    frame = pl.DataFrame({"a": [1, 2, 3], "b": [0.5, 0.1, 0.9], "x": [1, 2, 3]})
    found = Targets.fit(frame, ["b", "a"])
    assert (found.task, found.outputs, found.names) == ("regression", 2, ("b", "a"))
    assert found.reason == "2 target columns, a regression with several outputs"
    decoded = found.decode(found.encode(frame))
    assert decoded.columns == ["b", "a"]
    np.testing.assert_allclose(decoded["a"], [1, 2, 3], rtol=1e-6)
    assert found.raw(frame).shape == (3, 2)


def test_the_task_overruled():
    frame, found = targets([1, 2, 1, 2], task="regression")
    assert (found.task, found.reason, found.encode(frame).ravel().tolist()) == (
        "regression",
        "as requested",
        [-1, 1, -1, 1],
    )
    _, found = targets([0.5, 1.5] * 3, task="classification")
    assert found.classes == ("0.5", "1.5")


def test_weighted_rows_scale_the_target_by_their_weights():
    y = np.array([1.0, 3.0, 5.0, 1e6])
    frame = pl.DataFrame({"y": y})
    weights = np.array([1.0, 2.0, 1.0, 0.0])
    found = Targets.fit(frame, ["y"], task="regression", weights=weights)
    assert found.means[0] == pytest.approx(3.0)
    assert found.stds[0] == pytest.approx(np.sqrt(2.0))
    alike = Targets.fit(frame, ["y"], task="regression", weights=np.full(4, 0.7))
    plain = Targets.fit(frame, ["y"], task="regression")
    assert (*alike.means, *alike.stds) == pytest.approx((*plain.means, *plain.stds))
    far = frame.with_columns(y=np.array([1.0, 3.0, 5.0, 1e20]))  # beside which 1 to 5 are alike
    found = Targets.fit(far, ["y"], task="regression", weights=weights)
    assert (*found.means, *found.stds) == pytest.approx((3.0, np.sqrt(2.0)))
    one = Targets.fit(frame, ["y"], task="regression", weights=np.eye(4)[1])
    assert one.means[0] == pytest.approx(3.0)
    assert one.stds[0] > 0


@pytest.mark.parametrize(
    ("trained", "given"),
    [
        ([True, False], [1, 0]),
        ([True, False], [1.0, 0.0]),
        ([True, False], ["1", "0"]),
        ([True, False], ["Yes", "no"]),
        (["y", "n"], [True, False]),
        (["T", "F"], ["true", "FALSE"]),
    ],
)
def test_a_yes_and_a_no_however_they_are_written(trained, given):
    fitted = Preprocessing.fit(pl.DataFrame({"x": trained * 3}))
    made = fitted.transform(pl.DataFrame({"x": [*given, None]}))
    assert made.ravel().tolist() == [1.0, 0.0, 0.5]


def test_a_boolean_that_became_something_else_is_refused():
    fitted = Preprocessing.fit(pl.DataFrame({"garden": [True, False] * 3}))
    with pytest.raises(DataError, match="'garden': holds '7', and nowhere what it held"):
        fitted.transform(pl.DataFrame({"garden": [7, 8]}))
    made = fitted.transform(pl.DataFrame({"garden": ["true", "maybe"]}))
    assert made.ravel().tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"{i / 7:.4f}" for i in range(1, 41)], "numeric"),
        ([f"{3 * (i * 7 % 41)}" for i in range(1, 41)], "numeric"),
        ([f"{i:04d}" for i in range(1, 41)], "dropped"),  # codes
        ([f"{i}" for i in range(1, 41)], "dropped"),  # counts the rows
        ([f"x{i}" for i in range(1, 41)], "dropped"),
    ],
)
def test_numbers_written_as_text(cells, kind):
    frame = pl.DataFrame({"x": cells, "other": [0.5, 1.5] * 20})
    fitted = Preprocessing.fit(frame)
    assert fitted.columns[0].kind == kind
    if kind == "numeric":
        as_numbers = frame.with_columns(pl.col("x").cast(float))
        np.testing.assert_allclose(
            fitted.transform(frame), Preprocessing.fit(as_numbers).transform(as_numbers), rtol=1e-6
        )


def test_labels_written_differently():
    _, found = targets(["<=50K", ">50K"] * 3)
    assert found.encode(pl.DataFrame({"y": [">50K.", "<=50K."]})).tolist() == [[1], [0]]
    _, found = targets([0, 1] * 3)
    assert found.encode(pl.DataFrame({"y": [1.0, 0.0]})).tolist() == [[1], [0]]
    assert found.encode(pl.DataFrame({"y": ["1", "0"]})).tolist() == [[1], [0]]


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_targets_come_back(name):
    frame, target = built_in(name)
    found = Targets.fit(frame, [target])
    back = found.decode(found.encode(frame))
    if found.task == "classification":
        assert back[target].to_list() == frame[target].to_list()
    else:
        np.testing.assert_allclose(back[target], frame[target], rtol=1e-5)
    assert Targets.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_rows_without_a_target_are_dropped():
    frame = pl.DataFrame({"a": [1.0, None, 3.0, float("nan")], "b": ["x", "y", None, "z"]})
    kept, rows = with_targets(frame, ["a"])
    assert (kept["b"].to_list(), rows.tolist()) == (["x", None], [0, 2])
    assert with_targets(frame, ["a", "b"])[1].tolist() == [0]


BAD_TARGETS = {
    "one value": (
        lambda: targets(["a"] * 5),
        DataError,
        "target 'y': has one value, 'a', in every row; expected at least two, classes or numbers.",
    ),
    "one row a class": (
        lambda: targets([f"K{i}" for i in range(9)]),
        DataError,
        "target 'y': has a different class in each of its 9 rows; expected several rows per class. "
        "Name another column.",
    ),
    "a wrong name": (
        lambda: Targets.fit(FRAME, ["tonw"]),
        DataError,
        "no column 'tonw' for the target. Did you mean 'town'? The table has: row, age, town, "
        "member, born, code, note, same, none.",
    ),
    "no name": (
        lambda: Targets.fit(FRAME, []),
        DataError,
        "target columns: expected one or several different names, got [].",
    ),
    "a name twice": (
        lambda: Targets.fit(FRAME, ["row", "row"]),
        DataError,
        "target columns: expected one or several different names, got ['row', 'row'].",
    ),
    "missing": (
        lambda: Targets.fit(FRAME, ["age"]),
        DataError,
        "target 'age': is missing in 6 rows; expected it in each.",
    ),
    "missing, strict": (
        lambda: with_targets(FRAME, ["age"], strict=True),
        DataError,
        "the target is missing in 6 of 60 rows; expected it in each. Fill them, or drop "
        "those rows.",
    ),
    "all missing": (
        lambda: with_targets(FRAME, ["none"]),
        DataError,
        "the target is missing in all 60 rows; expected it in some. Name another column.",
    ),
    "dates": (
        lambda: Targets.fit(FRAME, ["born"]),
        DataError,
        "target 'born': holds dates; expected classes or numbers. Turn them into days since some "
        "day.",
    ),
    "infinity": (
        lambda: targets([1.5, np.inf, 2.5]),
        DataError,
        "column 'y' holds inf in row 1 of the table, counted from 0; "
        "expected finite numbers. Correct it, or leave it empty: "
        "missing inputs are filled.",
    ),
    "a regression of text": (
        lambda: targets(["a", "b", "a"], task="regression"),
        DataError,
        "target 'y': holds 'a' in row 0 of the table, counted from 0; "
        "expected numbers for a regression. For classes name one "
        'target column, without task="regression".',
    ),
    "text among the target's numbers": (
        lambda: targets([f"{i / 4}" for i in range(30)] + ["n.a."]),
        CellError,
        "column 'y' holds text in row 30 of the table, counted from 0 "
        "('n.a.'); expected numbers. Replace it by None to "
        'make it missing, or pass task="classification".',
    ),
    "two targets of text": (
        lambda: Targets.fit(FRAME, ["town", "row"]),
        DataError,
        "target 'town': holds 'Oslo' in row 0 of the table, counted from 0; "
        "expected numbers for a regression. For classes name "
        'one target column, without task="regression".',
    ),
    "two targets to classify": (
        lambda: Targets.fit(FRAME, ["town", "row"], task="classification"),
        DataError,
        "2 target columns cannot be a classification; expected one. Train one model per target.",
    ),
    "an unknown task": (
        lambda: Targets.fit(FRAME, ["town"], task="guess"),
        SettingError,
        "task must be one of classification, regression; got 'guess'.",
    ),
    "an unseen class": (
        lambda: targets(["a", "b", "a"])[1].encode(pl.DataFrame({"y": ["a", "c"]})),
        DataError,
        "target 'y': holds 'c' in row 1 of the table, counted from 0, "
        "a class that training did not have. Expected one of 'a', "
        "'b'.",
    ),
    "outputs of another network": (
        lambda: targets(["a", "b", "a"])[1].decode(np.ones((3, 2))),
        ShapeError,
        "outputs: expected shape (rows, 1), got (3, 2).",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_bad_targets(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


# ----------------------------------------------------------------------------- leaks


def shipwreck(m=900):
    """Who lived has a boat; some who did not have a number; age and fare are honest."""
    rng = np.random.default_rng(1)
    lived = rng.random(m) < 0.4
    boats = [f"{i % 20}" if alive else None for i, alive in enumerate(lived)]
    found = [float(i) if not alive and i % 4 == 0 else None for i, alive in enumerate(lived)]
    ages = [None if i % 5 == 0 else float(a) for i, a in enumerate(rng.normal(30, 10, m))]
    return pl.DataFrame(
        {
            "name": [f"person {i}" for i in range(m)],
            "lived": lived.astype(int),
            "boat": boats,
            "body": found,
            "age": ages,
            "fare": rng.normal(lived * 1.5, 1.0),
            "row": np.arange(m),
        }
    )


def test_what_was_written_down_afterwards_is_suspicious():
    assert suspicious(shipwreck(), "lived") == [("boat", 1.0), ("body", 0.0)]


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
@pytest.mark.parametrize("seed", range(3))
def test_honest_columns_are_not_suspicious(name, seed):
    frame, target = built_in(name)
    assert suspicious(frame.sample(fraction=0.8, seed=seed), target) == []


def test_copies_of_the_target_are_suspicious():
    y = RNG.normal(size=500)
    frame = pl.DataFrame({"y": y, "scaled": 3 * y + 1, "noisy": y + 0.3 * RNG.normal(size=500)})
    assert [name for name, _ in suspicious(frame, "y")] == ["scaled"]
    words = pl.DataFrame({"y": [*"abc"] * 100, "copy": [*"xyz"] * 100, "half": [*"xyxyzz"] * 50})
    assert suspicious(words, "y") == [("copy", 1.0)]


def test_leaks_of_the_task_that_is_asked_for():
    y = np.repeat(np.arange(20), 100)
    near = y + np.random.default_rng(2).normal(0, 0.02, len(y))
    frame = pl.DataFrame({"y": y, "near": near})
    assert suspicious(frame, "y") == []
    for asked in (frame, frame.with_columns(pl.col("y").cast(pl.String))):
        found = suspicious(asked, "y", task="regression")
        assert [name for name, _ in found] == ["near"]


def test_leaks_of_many_rows_and_odd_columns():
    frame = shipwreck(70_000).with_columns(
        pair=pl.Series([[1, 2]] * 70_000), hole=pl.lit(None), nan=pl.lit(float("nan"))
    )
    assert [name for name, _ in suspicious(frame, "lived")] == ["boat", "body"]


def test_few_rows_tell_nothing():
    assert suspicious(pl.DataFrame({"y": [0, 1] * 10, "copy": [0, 1] * 10}), "y") == []


# ----------------------------------------------------------------------------- scikit-learn


def test_in_a_pipeline():
    pipeline_ = pytest.importorskip("sklearn.pipeline")
    linear = pytest.importorskip("sklearn.linear_model")
    frame = shipwreck().select("name", "age", "fare", "lived")
    pipe = pipeline_.make_pipeline(TableTransformer(), linear.LogisticRegression())
    pipe.fit(frame.drop("lived"), frame["lived"].to_numpy())
    assert pipe.score(frame.drop("lived"), frame["lived"].to_numpy()) > 0.7
    names = pipe[0].get_feature_names_out().tolist()
    assert names == ["age", "age is missing", "fare"]
    assert pipe[0].feature_names_in_.tolist() == ["name", "age", "fare"]


def test_the_transformer_alone():
    base = pytest.importorskip("sklearn.base")
    exceptions = pytest.importorskip("sklearn.exceptions")
    transformer = base.clone(TableTransformer(kinds={"row": "numeric"}))
    with pytest.raises(exceptions.NotFittedError):
        transformer.transform(FRAME)
    transformer.set_output(transform="polars")
    out = transformer.fit_transform(FRAME)
    assert out.columns == list(transformer.get_feature_names_out())
    assert out.columns[0] == "row"


def test_numbers_in_pieces_are_those_of_one_piece():
    whole = pl.DataFrame({"x": RNG.normal(size=900), "n": RNG.integers(0, 50, 900)})
    pieces = pl.concat([whole[:300], whole[300:301], whole[301:]], rechunk=False)
    fitted = Preprocessing.fit(whole)
    assert pieces["x"].n_chunks() == 3
    np.testing.assert_array_equal(fitted.transform(pieces), fitted.transform(whole))


def gappy(m):
    """Numbers, levels, booleans and dates with gaps."""
    gap = RNG.random(m) < 0.2
    columns = {
        "x": RNG.normal(size=m),
        "single": RNG.normal(size=m).astype(np.float32),
        "n": RNG.integers(0, 50, m),
        "small": RNG.integers(0, 50, m).astype(np.uint8),
        "level": RNG.choice(["a", "b", "c"], m),
        "member": RNG.choice(["yes", "no"], m),
        "day": np.datetime64("2024-01-01") + RNG.integers(0, 90, m).astype("timedelta64[D]"),
    }
    filled = pl.DataFrame(columns)
    return filled.select(pl.when(pl.Series(~gap)).then(pl.col(name)) for name in columns)


def test_gaps_in_pieces_are_those_of_one_piece(monkeypatch):
    """Blocks end elsewhere than the pieces of a column."""
    whole = gappy(900).rechunk()
    parts = pl.concat([whole[:300], whole[300:301], whole[301:]], rechunk=False)
    fitted = Preprocessing.fit(whole)
    expected = fitted.transform(whole)
    monkeypatch.setattr(assembly, "_BLOCK", 400 * fitted.width)
    np.testing.assert_array_equal(fitted.transform(parts), expected)
    flags = [name.endswith("is missing") for name in fitted.names]
    assert sum(flags) == whole.width
    gaps = np.repeat(whole["x"].is_null().to_numpy()[:, None], whole.width, axis=1)
    np.testing.assert_array_equal(expected[:, flags], gaps)


def test_the_median_of_many_rows_in_pieces_is_that_of_one_piece():
    whole = pl.DataFrame({"x": RNG.normal(size=200_000)}).with_row_index("i")
    whole = whole.select(pl.when(pl.col("i") % 7 != 0).then("x"), n=pl.col("i") % 1001)
    parts = pl.concat([whole[:3], whole[3:70_000], whole[70_000:]], rechunk=False)
    one, other = Preprocessing.fit(whole), Preprocessing.fit(parts)
    assert [c.fill for c in one.columns] == [c.fill for c in other.columns]


CODED = {
    "in order": (pl.Series(["b", "a", "b"]), ["a", "b"], [1, 0, 1], [1, 2]),
    "a gap": (pl.Series(["b", None, "a"]), ["a", "b"], [1, -1, 0], [1, 1]),
    "NaN": (pl.Series([2.0, float("nan"), 1.0]), ["1", "2"], [1, -1, 0], [1, 1]),
    "unused levels": (
        pl.Series(["c", "a", None], dtype=pl.Enum(["a", "b", "c"])),
        *(["a", "c"], [1, 0, -1], [1, 1]),
    ),
    "as many levels as a byte holds": (
        pl.Series([*map(chr, range(300, 555)), None]),
        *([*map(chr, range(300, 555))], [*range(255), -1], [1] * 255),
    ),
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("rows", [1, 1 << 16])
def test_levels_are_numbered_and_counted(name, rows, monkeypatch):
    column, levels, codes, counts = CODED[name]
    monkeypatch.setattr(cells, "_BLOCK", rows)
    found = coded(column)
    assert (found.levels, found.codes.tolist()) == (levels, codes)
    assert (found.counts.tolist(), found.missing) == (counts, len(column) - sum(counts))


def test_numbers_of_128_bits():
    numbers = pl.Series("n", [1, 2, 3] * 20)
    long = Preprocessing.fit(pl.DataFrame(numbers.cast(pl.Int128)))
    short = Preprocessing.fit(pl.DataFrame(numbers))
    assert long == short
    expected = short.transform(pl.DataFrame(numbers))
    np.testing.assert_array_equal(long.transform(pl.DataFrame(numbers.cast(pl.Int128))), expected)


def test_a_late_fraction_makes_a_regression(monkeypatch):
    monkeypatch.setattr("deltarule.preprocessing.targets._BLOCK", 7)
    frame = pl.DataFrame({"y": [1.0, 2.0] * 20 + [2.5]})
    fitted = Targets.fit(frame, ["y"])
    assert fitted.reason == "the target has fractional numbers"
    y = frame["y"].to_numpy()
    expected = ((y - fitted.means[0]) / fitted.stds[0]).astype(np.float32)
    np.testing.assert_array_equal(fitted.encode(frame)[:, 0], expected)


def test_many_levels_of_many_rows_are_a_category():
    often = [f"shop {i}" for i in range(100)] * 30
    assert described(often) == "embedding, 100 levels"


def test_few_dates_in_many_rows_are_those_of_few_rows():
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(30)]
    few = pl.DataFrame({"d": [*days, None, date(1890, 1, 1)]})
    many = pl.DataFrame({"d": [*days, None] * 40})
    fitted = Preprocessing.fit(many)
    np.testing.assert_array_equal(fitted.transform(many)[:31], fitted.transform(few)[:31])


def test_the_transformer_on_pandas():
    pandas = pytest.importorskip("pandas")
    columns = {"age": [20.0, None, 40.0, 30.0], "town": ["Oslo", "Rome", "Oslo", None]}
    ours = TableTransformer().fit_transform(pl.DataFrame(columns))
    theirs = TableTransformer().fit_transform(pandas.DataFrame(columns))
    np.testing.assert_array_equal(theirs, ours)


def test_objects_and_categories_of_pandas():
    pandas = pytest.importorskip("pandas")
    towns = ["Oslo", "Rome", None] * 4
    frame = pandas.DataFrame(
        {
            "scalars": pandas.Series([np.int64(1), np.float32(2.5), None] * 4, dtype=object),
            "mixed": pandas.Series([1, "x", None] * 4, dtype=object),
            "towns": pandas.Series(towns, dtype="category"),
            "whole": pandas.Series([1, 2, None] * 4, dtype="Int64"),
        }
    )
    assert Preprocessing.fit(frame).describe() == [
        "scalars: numeric, standardized, 4 missing filled with 1.75 and flagged",
        "mixed: category, 2 levels, 4 missing as a level",
        "towns: category, 2 levels, 4 missing as a level",
        "whole: numeric, standardized, 4 missing filled with 1.5 and flagged",
    ]


def test_types_of_polars_that_mean_numbers_or_levels():
    frame = pl.DataFrame(
        {
            "decimal": pl.Series(["1.50", "2.50", "4.00"] * 4).cast(pl.Decimal(10, 2)),
            "span": pl.Series([timedelta(hours=i) for i in (1, 2, 5)] * 4),
            "level": pl.Series(["a", "b", "c"] * 4, dtype=pl.Categorical),
        }
    )
    assert Preprocessing.fit(frame).describe() == [
        "decimal: numeric, standardized",
        "span: numeric, standardized",
        "level: category, 3 levels",
    ]


@pytest.mark.parametrize("cells", [1, 60, 1000])
def test_blocks_and_threads_change_nothing(cells, monkeypatch):
    """Wherever a table is cut to be written, its numbers are the same."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "number": rng.normal(size=50),
            "town": rng.choice(["Oslo", "Rome", "Lima"], 50),
            "count": rng.integers(0, 9, 50),
            "holed": [None if i % 4 == 0 else i / 3 for i in range(50)],
            "day": [date(2024, 1, 1) + timedelta(days=i % 11) for i in range(50)],
        }
    )
    fitted = Preprocessing.fit(frame)
    whole = fitted.transform(frame)
    monkeypatch.setattr(assembly, "_BLOCK", cells)
    monkeypatch.setattr(parallel, "_WORTH_THREADS", 1)
    assert np.array_equal(Preprocessing.fit(frame).transform(frame), whole)
    assert whole[:, fitted.names.index("town = Rome")].sum() == frame["town"].eq("Rome").sum()


@pytest.mark.parametrize("form", [f for f in DATE_FORMATS if "%d" in f and "%Y%m" not in f])
def test_dates_in_text_are_those_that_polars_reads(form):
    rng = np.random.default_rng(0)
    seconds = pl.Series(rng.integers(-(2**31), 2**33, 200)) * 1_000_000
    texts = seconds.cast(pl.Datetime("us")).dt.to_string(form)
    texts = [*texts, *(text.replace("0", "", 1) for text in texts), "30.2.2024", "2024-02-30", ""]
    read = pl.Series(texts).str.to_datetime if "%M" in form else pl.Series(texts).str.to_date
    expected = read(form, strict=False).cast(pl.Datetime("ms")).cast(pl.Int64)
    np.testing.assert_array_equal(milliseconds(texts, form), expected.cast(float).to_numpy())


def test_more_columns_than_a_model_file_holds_are_refused_before_training(monkeypatch):
    monkeypatch.setattr("deltarule.preprocessing.table.MOST_COLUMNS", 2)
    Preprocessing.fit({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"has 3 columns; expected at most 2, which a model file"):
        Preprocessing.fit({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]})


def test_a_text_among_numbers_is_named_with_its_row():
    column = pl.Series("a", ["1", None, "NaN", "", "x"])
    with pytest.raises(CellError, match=r"holds text in row 3 of the table, counted from 0 \(''\)"):
        numbers_of(column)


def test_why_a_column_is_left_out_tells_identifiers_from_prose():
    rows = range(40)
    number = fitted_column(pl.Series("id", [7 * i for i in rows]))
    key = fitted_column(pl.Series("key", [f"C-{i}" for i in rows]))
    prose = fitted_column(pl.Series("note", [f"this is row {i} of many" for i in rows]))
    constant = fitted_column(pl.Series("one", [1] * 40))
    found = [number, key, prose, constant]
    assert all(isinstance(column, Dropped) for column in found)
    assert [column.is_identifier for column in found] == [True, True, False, False]
    assert [column.hardly_recurs for column in found] == [True, True, True, False]
