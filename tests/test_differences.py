"""What is said where rows differ from those of training, and what train --json lists."""

from __future__ import annotations

import csv
import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from deltarule.cli import main
from deltarule.preprocessing import Preprocessing, Totals
from deltarule.preprocessing.date_columns import Date
from deltarule.preprocessing.differences import differences, flags
from deltarule.preprocessing.numeric import Numeric

ROWS = [
    f"{30 + i % 50},{'north' if i % 3 else 'south'},{i % 28 + 1}.5.24,{i / 3}" for i in range(80)
]
NEW = "area,town,on\n200,west,1.5.24\n,north,2.5.24\n40,,3.5.24\n30,south,4.5.24\n"


@pytest.fixture
def model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("\n".join(["area,town,on,y", *ROWS]))
    (tmp_path / "new.csv").write_text(NEW)
    quick = ["--epochs", "2", "--hidden", "4", "--no-baselines", "--out", "m"]
    assert main(["train", "t.csv", "--target", "y", *quick, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def predicted(capsys, *options):
    assert main(["predict", "m", "new.csv", *options]) == 0
    return capsys.readouterr()


def test_predict_says_one_line_per_column_and_difference(model, capsys):
    lines = predicted(capsys).err.splitlines()
    assert lines == [
        "warning: column 'area': 1 row holds a number outside the training range, 30 to 79.",
        "warning: column 'area': 1 row has no value, which training always had; it is filled.",
        "warning: column 'town': 1 row holds 1 value not seen in training ('west'); they match no "
        "known level.",
        "warning: column 'town': 1 row has no value, which training always had; it is filled.",
    ]


def test_predict_lists_the_differences_for_machines(model, capsys):
    assert json.loads(predicted(capsys, "--json").out)["differences"] == [
        {"column": "area", "difference": "outside", "rows": 1},
        {"column": "area", "difference": "missing", "rows": 1},
        {"column": "town", "difference": "unseen", "rows": 1, "values": {"west": 1}},
        {"column": "town", "difference": "missing", "rows": 1},
    ]


@pytest.mark.parametrize("memory", [[], ["--memory", "1 GB"]])
def test_flags_name_what_differs_in_each_row(model, capsys, tmp_path, memory):
    predicted(capsys, "--flags", "--out", "p.csv", *memory)
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [row["flags"] for row in rows] == [
        "area outside; town unseen",
        "area missing",
        "town missing",
        "",
    ]


def test_evaluate_says_the_same(model, capsys, tmp_path):
    rows = [f"{row},{y}" for y, row in enumerate(NEW.splitlines()[1:])]
    (tmp_path / "test.csv").write_text("\n".join(["area,town,on,y", *rows]))
    assert main(["evaluate", "m", "test.csv", "--json"]) == 0
    captured = capsys.readouterr()
    assert [each["difference"] for each in json.loads(captured.out)["differences"]] == [
        *("outside", "missing", "unseen", "missing")
    ]
    assert captured.err.count("warning: ") == 4


def test_train_lists_task_columns_and_warnings(model, capsys):
    assert model["task"] == "regression"
    assert [(each["name"], each["kind"]) for each in model["columns"]] == [
        *(("area", "numeric"), ("town", "category"), ("on", "date"))
    ]
    assert model["columns"][2]["reading"] == "%d.%m.%y, years 1970 to 2069"
    assert model["columns"][0]["reading"] == ""
    assert model["warnings"] == []


def test_train_lists_what_it_warns_of(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{'no' if i % 2 else 'yes'}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,sold", *rows, "3,Yes", "4,"]))
    quick = ["--epochs", "2", "--hidden", "4", "--no-baselines", "--json"]
    assert main(["train", "t.csv", "--target", "sold", *quick]) == 0
    captured = capsys.readouterr()
    listed = json.loads(captured.out)["warnings"]
    assert captured.err.splitlines() == [f"warning: {text}" for text in listed]
    assert len(listed) == 3


def test_a_model_file_of_before_knows_no_range():
    fitted = Preprocessing.fit({"x": [1.0, 2.0, 4.0]})
    state = fitted.to_dict()
    del state["columns"][0]["low"], state["columns"][0]["high"]
    frame = pl.DataFrame({"x": [9.0, None]})
    older = Preprocessing.from_dict(state)
    assert [each.what for each in older.differences(frame)] == ["missing"]
    assert [each.what for each in fitted.differences(frame)] == ["outside", "missing"]
    np.testing.assert_array_equal(older.transform(frame), fitted.transform(frame))


def test_the_range_is_that_of_all_rows_of_a_table_in_blocks():
    sample = Numeric.fit(pl.Series("x", [2.0, 3.0]))
    refined = sample.refined(Totals.of(pl.Series([1.0, None])).joined(Totals.of(pl.Series([9.0]))))
    assert (refined.low, refined.high) == (1.0, 9.0)


@pytest.mark.parametrize("cells", [["2024-05-01", "2024-05-28"], ["1.5.24", "28.5.24"]])
def test_dates_outside_the_training_range_are_named(cells):
    fitted = Preprocessing.fit({"on": cells * 3})
    later = "2024-06-01" if "-" in cells[0] else "1.6.24"
    frame = pl.DataFrame({"on": [later, None, cells[0], cells[1]]})
    found = differences(fitted.columns, frame, fitted.reading)
    assert flags(found, 4) == ["on outside", "on missing", "", ""]
    (column,) = fitted.columns
    assert column.bounds == "a date outside the training range, 2024-05-01 to 2024-05-28"
    state = fitted.to_dict()
    assert Preprocessing.from_dict(state) == fitted
    del state["columns"][0]["low"], state["columns"][0]["high"]
    older = Preprocessing.from_dict(state)
    assert [each.what for each in older.differences(frame)] == ["missing"]


def test_the_range_of_dates_is_that_of_all_blocks_or_unknown():
    days = pl.Series("on", [date(2024, 5, 1), date(2024, 5, 3), None])
    sample = Date.fit(days.head(1).append(days.slice(1, 1)))
    refined = sample.refined(Totals.of(days).joined(Totals.of(pl.Series([date(2024, 6, 1)]))))
    assert refined.bounds.endswith("2024-05-01 to 2024-06-01")
    text = sample.refined(Totals.of(pl.Series("on", ["1.5.24", "1.6.24"])))
    assert (text.low, text.high) == (Date.low, Date.high)


def test_text_is_read_before_it_is_compared():
    fitted = Preprocessing.fit({"x": ["1", "2", "4"], "c": ["yes", "no", "yes"]})
    frame = pl.DataFrame({"x": [" 3", "NA", "5"], "c": ["TRUE", "maybe", " no"]})
    found = differences(fitted.columns, frame, fitted.reading)
    assert flags(found, 3) == ["", "x missing; c unseen", "x outside"]


@pytest.mark.parametrize(
    ("numbers", "later", "until"),
    [
        ([20240501, 20240503], 20240601, "2024-06-01"),
        ([45413, 45415], 45444, "2024-06-01"),
        ([1_714_521_600, 1_714_694_400], 1_717_200_000, "2024-06-01"),
        ([5.2024, 6.2024], 1.2025, None),  # whose numbers do not rise with time
    ],
)
def test_the_range_of_dates_as_numbers_is_that_of_all_blocks(numbers, later, until):
    sample = Date.fit(pl.Series("date", numbers))
    refined = sample.refined(Totals.of(pl.Series("date", [numbers[0], later])))
    if until is None:
        assert (refined.low, refined.high) == (Date.low, Date.high)
    else:
        assert refined.bounds.endswith(f"2024-05-01 to {until}")
