"""Kinds of column and of table that people export, each as a few made-up rows."""

import json

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule.cli import main
from deltarule.data import Reading, dataset_of
from deltarule.data.readings import ColumnReading, restored_readings
from deltarule.data.values import texts_read
from deltarule.errors import CellError, SettingError
from deltarule.export import c_file, feeds, onnx_bytes
from deltarule.export.table_rows import readings
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.preprocessing.columns import Boolean
from deltarule.preprocessing.date_columns import Date, are_dates, days_of
from deltarule.preprocessing.dates import format_of, milliseconds
from deltarule.preprocessing.leaks import suspicious

# ------------------------------------------------------------------------------ numbers in text

NUMBERS = {
    "days and a clock": (["2 days 03:00:00", "0 days 00:30:00", "1 days 00:00:00"], 86400, 2.125),
    "days of Python": (["1 day, 3:00:00", "3 days, 0:30:00", "3:15:00"], 3600, 27.0),
    "one unit each": (["90 min", "2 h", "45 min"], 60, 90.0),
    "ISO minutes": (["PT45M", "PT5M", "PT8M"], 60, 45.0),
    "fractions": (["1 1/2", "3/4", "2", "1/2"], 1, 1.5),
    "fractions as characters": (["1\u00bd", "\u00be", "2", "\u00bd"], 1, 1.5),
    "feet and inches": (["5'11\"", "6'0\"", "5'4\""], 1, 71.0),
    "feet and inches in words": (["5 ft 11 in", "6 ft", "5 ft 4 in"], 1, 71.0),
    "powers of ten": (["1.5 x 10^3", "2.5 x 10^2", "3.1 x 10^3"], 1, 1500.0),
    "powers alone": (["10^3", "10^2", "10^4"], 1, 1000.0),
    "counts of cells": (["1.5\u00d710^9/L", "2\u00d710^9/L", "3\u00d710^9/L"], 1e9, 1.5),
    "kg and g": (["2.5 kg", "900 g", "1,200 g"], 1, 2500.0),
    "km and m": (["20 km", "500 m", "1.5 km"], 1, 20000.0),
    "Celsius and Fahrenheit": (["21.5 \u00b0C", "70.7 \u00b0F", "19 \u00b0C"], 1, 21.5),
    "sizes of files": (["1.5 MB", "900 KB", "12 B"], 1e6, 1.5),
    "ages": (["3 years", "6 months", "2 years"], 1, 3.0),
    "pounds": (["7 lb 8 oz", "6 lb", "8 lb 1 oz"], 1, 7.5),
    "minutes of arc": (["48\u00b030'N", "47\u00b015'N", "12\u00b000'S"], 1, 48.5),
    "both hemispheres": (["48.5\u00b0 N", "12.25\u00b0 S", "3.5\u00b0 N"], 1, 48.5),
    "apostrophes of text": (["'1490", "'960", "'1700"], 1, 1490.0),
    "formulas of text": (['="1490"', '="960"', '="1700"'], 1, 1490.0),
    "a dash for the cents": (["149,- kr", "96,- kr", "170,- kr"], 1, 149.0),
    "prices from": (["from 149 \u20ac", "96 \u20ac", "from 170 \u20ac"], 1, 149.0),
    "money a unit": (["14 \u20ac/m\u00b2", "9 \u20ac/m\u00b2", "17 \u20ac/m\u00b2"], 1, 14.0),
    "uncertain numbers": (["4.5 \u00b1 0.3", "3.9 \u00b1 0.2", "5.1 +/- 0.2"], 1, 4.5),
    "Arabic digits": (["\u0661\u0662", "\u0663\u0664", "\u0665"], 1, 12.0),
    "full-width digits": (["\uff11\uff12\uff0e\uff15", "\uff13", "\uff14"], 1, 12.5),
    "invisible characters": (["1\u200b2", "3\u200b4", "56"], 1, 12.0),
    "spaces of HTML": (["12&nbsp;\u20ac", "34&nbsp;\u20ac", "56&nbsp;\u20ac"], 1, 12.0),
    "a bound in words": (["10 or more", "3", "4", "7"], 1, 10.0),
    "a bound below": (["under 10", "13", "24", "17"], 1, 5.0),
}


@pytest.mark.parametrize(("cells", "unit", "first"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_in_text(cells, unit, first):
    found = dataset_of({"x": cells})
    values = found.frame["x"].to_list()
    assert values[0] == pytest.approx(first * unit)
    written = found.reading.of("x")
    assert [written.value(cell) for cell in cells] == pytest.approx(values)  # one at a time
    state = {
        "x": {**vars(ColumnReading()), **{k: getattr(written, k) for k in vars(ColumnReading())}}
    }
    assert restored_readings(state) == {"x": written}
    assert dataset_of({"x": cells}, Reading(plain=True)).frame["x"].to_list()[1] != values[1]


def test_both_hemispheres_and_scales_of_temperature():
    south = dataset_of({"x": NUMBERS["both hemispheres"][0]}).frame["x"].to_list()
    assert south == pytest.approx([48.5, -12.25, 3.5])
    warm = dataset_of({"x": NUMBERS["Celsius and Fahrenheit"][0]}).frame["x"].to_list()
    assert warm == pytest.approx([21.5, 21.5, 19.0])


TEXTS = {
    "playing cards": ["10h", "9d", "2s", "4d"],
    "seats": ["12C", "14F", "3C"],
    "first of two": ["1/2", "2/2", "3/3", "1/3"],
    "padded codes": ["'00123", "'00450", "'01700"],
    "pressures": ["120/80", "135/70", "118/76"],
    "addresses": ["192.168.0.1", "10.0.0.7", "172.16.1.1"],
}


@pytest.mark.parametrize("cells", TEXTS.values(), ids=TEXTS)
def test_what_only_looks_like_numbers(cells):
    assert dataset_of({"x": cells}).frame["x"].to_list() == cells


def test_several_words_for_missing_are_each_told():
    cells = [*map(str, range(20)), "unknown", "not provided"]
    found = dataset_of({"x": cells})
    assert found.frame["x"].null_count() == 2
    assert [note.split("'")[3] for note in found.notes] == ["not provided", "unknown"]
    strange = dataset_of({"x": [*cells, "later", "never"]})
    assert strange.frame["x"].dtype in (pl.String, pl.Enum)


# --------------------------------------------------------------------------------------- dates

DATES = {
    "months": (["2024-05", "2024-06", "2023-12"], "%Y-%m", "2024-05-01"),
    "months of Excel": (["May-24", "Jun-24", "Dec-23"], "%B-%y", "2024-05-01"),
    "months in words": (["May 2024", "June 2024", "Dec 2023"], "%B %Y", "2024-05-01"),
    "months behind": (["05/2024", "06/2024", "12/2023"], "%m/%Y", "2024-05-01"),
    "weeks": (["2024-W05", "2024-W06", "2023-W52"], "%Y-W%V", "2024-01-29"),
    "quarters": (["Q3 2024", "Q4 2024", "Q1 2023"], "Q%q %Y", "2024-07-01"),
    "quarters behind": (["2024Q3", "2024Q4", "2023Q1"], "%YQ%q", "2024-07-01"),
    "SAS": (["05JAN2024", "06FEB2024", "31DEC2023"], "%d %B %Y", "2024-01-05"),
    "moments of SAS": (["05JAN2024:10:30:00", "31DEC2023:00:00:00"], "%d%B%Y:%H:%M:%S", None),
    "basic ISO": (["20240105T103000", "20231231T000000"], "%Y%m%dT%H%M%S", None),
    "American dashes": (["05-31-2024", "12-01-2024"], "%m-%d-%Y", "2024-05-31"),
    "weekdays": (["Fri, 05 Jan 2024", "Sun, 31 Dec 2023"], "%d %B %Y", "2024-01-05"),
    "long": (["Friday, January 5, 2024", "Sunday, December 31, 2023"], "%B %d, %Y", "2024-01-05"),
    "Chinese": (
        ["2024\u5e741\u67085\u65e5", "2023\u5e7412\u670831\u65e5"],
        "%Y\u5e74%m\u6708%d\u65e5",
        "2024-01-05",
    ),
}


@pytest.mark.parametrize(("texts", "form", "first"), DATES.values(), ids=DATES)
def test_dates_as_people_write_them(texts, form, first):
    assert format_of(texts) == form
    day = milliseconds(texts, form)[0] / 86_400_000
    first = first or "2024-01-05"
    assert np.datetime64(first) == np.datetime64("1970-01-01") + np.timedelta64(int(day), "D")


def test_seasons_are_no_months():
    assert format_of(["2009-10", "2010-11", "2011-12"]) is None


@pytest.mark.parametrize(
    ("name", "numbers", "form"),
    [
        ("date", [20240131, 20240201, 20231231], "YYYYMMDD"),
        ("date", [45321, 45322, 45290], "days of Excel"),
    ],
)
def test_numbers_that_are_dates(name, numbers, form):
    column = Date.fit(pl.Series(name, numbers))
    assert column.format == form
    days = days_of(pl.Series(name, [*numbers, None]), form)
    assert days[:2].tolist() == ([19753, 19754] if form == "YYYYMMDD" else [19752, 19753])
    assert np.isnan(days[-1])
    assert not are_dates(pl.Series("price", numbers))


def test_a_number_that_no_calendar_has_is_refused():
    with pytest.raises(CellError, match="column 'date' holds 20240231 in row 1 "):
        days_of(pl.Series("date", [20240131, 20240231]), "YYYYMMDD")


@pytest.mark.parametrize("mark", ["/", "-"])
def test_the_order_of_day_and_month(mark):
    table = {"on": [f"1{mark}2{mark}2024", f"3{mark}4{mark}2024", f"5{mark}6{mark}2024"]}
    for dates, form in (("day-first", "%d/%m/%Y"), ("month-first", "%m/%d/%Y")):
        data = dataset_of(table, Reading(dates=dates))
        assert Preprocessing.fit(data).columns[0].format == form.replace("/", mark)
    with pytest.raises(SettingError, match="expected day-first or month-first, got 'iso'"):
        Reading(dates="iso")


def written(tmp_path, **columns):
    path = tmp_path / "table.csv"
    pl.DataFrame(columns).write_csv(path)
    return str(path)


def trained(capsys, path, target, *options):
    """What ``train --json`` prints of a tiny run, or its error."""
    tiny = ["--epochs", "1", "--no-baselines", "--hidden", "2", "--json"]
    status = main(["train", path, "--target", target, *tiny, *options])
    output, errors = capsys.readouterr()
    return json.loads(output) if status == 0 else errors


ROOMS = [1 + i % 5 for i in range(30)]
PRICES = [900 * r + 31 * (i % 7) for i, r in enumerate(ROOMS)]


def test_days_that_mark_missing_ones_are_told(tmp_path, capsys):
    days = [f"2024-01-{1 + i:02d}" if i % 6 else "1900-01-01" for i in range(30)]
    path = written(tmp_path, on=days, room=ROOMS, price=PRICES)
    (warning,) = trained(capsys, path, "price")["warnings"]
    assert "1900-01-01 in 5 rows stands apart" in warning
    found = trained(capsys, path, "price", "--missing", "1900-01-01")
    assert found["warnings"] == []
    assert "missing flagged" in found["columns"][0]["encoding"]


def test_dates_of_another_calendar_are_told(tmp_path, capsys):
    days = [f"{1 + i % 29:02d}.{1 + i % 12:02d}.1445" for i in range(30)]
    found = trained(capsys, written(tmp_path, on=days, room=ROOMS, price=PRICES), "price")
    assert "most dates lie in the years 1445 to 1445" in found["warnings"][0]


def test_ambiguous_dates_name_the_option(tmp_path, capsys):
    days = [f"{1 + i % 12:02d}-{1 + i * 5 % 12:02d}-2024" for i in range(30)]
    path = written(tmp_path, on=days, room=ROOMS, price=PRICES)
    (warning,) = trained(capsys, path, "price")["warnings"]
    assert warning.endswith("pass --dates month-first.")
    found = trained(capsys, path, "price", "--dates", "month-first")
    assert (found["warnings"], found["columns"][0]["reading"]) == ([], "%m-%d-%Y")


# ------------------------------------------------------------------------------------- exports


def exported():
    """A model of columns that are read, and its table."""
    table = {
        "area": ["52 m2", "34 m2", "61 m2"] * 9,
        "on": ["1.5.2024", "2.5.2024", "9.6.2024"] * 9,
    }
    data = dataset_of({**table, "price": ["$1,490", "$960", "$1,700"] * 9})
    preprocessing = Preprocessing.fit(data.with_frame(data.frame.drop("price")))
    network = dr.Network(preprocessing.width, [dr.Dense(1)])
    targets = Targets.fit(data.frame, ["price"], task="regression")
    return Model(network, network.initial_parameters(), preprocessing, targets), table


READINGS = {
    "area": {"reading": "numbers with 'm2' behind", "unit": "m2"},
    "on": {"reading": "%d.%m.%Y", "unit": "days since 1970-01-01"},
}


def test_a_graph_names_reading_and_unit_and_feeds_applies_them():
    onnx = pytest.importorskip("onnx")
    model, table = exported()
    graph = onnx.load_model_from_string(onnx_bytes(model))
    (found,) = [each.value for each in graph.metadata_props if each.key == "readings"]
    price = {"reading": "numbers with ',' between thousands, '$' in front", "unit": "$"}
    assert json.loads(found) == {**READINGS, "price": price}
    given = feeds(model.preprocessing, table)
    assert given["area"][:2].tolist() == [52.0, 34.0]
    assert given["on"][:2].tolist() == [19844.0, 19845.0]
    assert readings(model.preprocessing) == READINGS


def test_comments_of_c_name_reading_and_unit():
    model, _ = exported()
    content = c_file(model).text
    assert "read as numbers with 'm2' behind; unit: m2" in content
    assert "read as %d.%m.%Y; unit: days since 1970-01-01" in content


# ---------------------------------------------------------------- what only people can decide


@pytest.mark.parametrize(
    "cells",
    [
        [f"${20 + i}" if i % 2 else f"{20 + i} \u20ac" for i in range(60)],
        [f"{110 + i}/{70 + i % 7}" for i in range(60)],
        [f"{10 + i} x {20 + i % 7} cm" for i in range(60)],
    ],
    ids=["two currencies", "two numbers", "dimensions"],
)
def test_amounts_that_are_left_out_are_told(tmp_path, capsys, cells):
    path = written(tmp_path, x=cells, room=ROOMS * 2, price=PRICES * 2)
    (warning,) = trained(capsys, path, "price")["warnings"]
    assert f"column 'x' is left out, though cells such as {cells[0]!r} look like" in warning


@pytest.mark.parametrize(
    "cells",
    [
        [f"192.168.1.{i}" for i in range(30)],
        [f"+49 170 {1000 + 37 * i}" for i in range(30)],
        [f"INV-{i:04}" for i in range(30)],
        [f"{i} {'abcdefghijklmno'[i % 15]}ain street" for i in range(30)],
    ],
    ids=["addresses", "phones", "invoices", "streets"],
)
def test_keys_are_left_out_without_a_word(tmp_path, capsys, cells):
    found = trained(capsys, written(tmp_path, x=cells, room=ROOMS, price=PRICES), "price")
    assert found["warnings"] == []


def test_labels_of_merged_cells_are_told(tmp_path, capsys):
    regions = [["North", "South", "East"][i // 10] if i % 10 == 0 else None for i in range(30)]
    found = trained(capsys, written(tmp_path, region=regions, room=ROOMS, price=PRICES), "price")
    (warning,) = found["warnings"]
    assert warning.startswith("column 'region': each of its 3 labels stands in one row")


def test_a_yes_and_a_no_in_several_spellings():
    column = Boolean.fit(pl.Series("x", ["Yes", "no", "YES", "yes", "yes", "No", "No", None]))
    assert (column.levels, column.fill) == (("No", "yes"), 4 / 7)
    made = Preprocessing((column,)).transform({"x": ["YES", "FALSE", "1"]})
    assert made[:, 0].tolist() == [1, 0, 1]


def test_invisible_characters_around_labels():
    cells = ["yes\u200b", "yes", "\ufeffno", "no\u00a0", "\u202ano\u202c"]
    found = dataset_of({"x": cells})
    assert found.frame["x"].to_list() == ["yes", "yes", "no", "no", "no"]
    assert texts_read(cells, Reading()) == ["yes", "yes", "no", "no", "no"]


# -------------------------------------------------------------------------------------- layouts

PRINTED = {
    "psql": (" room | side | price\n------+------+------\n", " {} | {} | {}\n", "(30 rows)\n"),
    "MySQL": ("+---+---+---+\n| room | side | price |\n+---+---+---+\n", "| {} | {} | {} |\n", ""),
    "Markdown": ("| room | side | price |\n|---|:--|--:|\n", "| {} | {} | {} |\n", ""),
    "SQL Server": ("room  side  price\n----- ----- -----\n", "{}     {}     {}\n", ""),
}


@pytest.mark.parametrize(("head", "row", "foot"), PRINTED.values(), ids=PRINTED)
def test_tables_that_a_client_printed(tmp_path, head, row, foot):
    path = tmp_path / "table.txt"
    rows = [
        (room, "ns"[i % 2] * 3, price)
        for i, (room, price) in enumerate(zip(ROOMS, PRICES, strict=True))
    ]
    path.write_text(head + "".join(row.format(*each) for each in rows) + foot)
    found = dataset_of(path).frame
    assert found.select("room", "side", "price").rows() == rows


def test_subtotals_are_left_out_and_told(tmp_path):
    lines = ["region,room,price"]
    for k, name in enumerate(["North", "South", "East"]):
        part = slice(10 * k, 10 * k + 10)
        lines += [f"{name},{r},{p}" for r, p in zip(ROOMS[part], PRICES[part], strict=True)]
        lines.append(f"{name} total,{sum(ROOMS[part])},{sum(PRICES[part])}")
    lines.append(f"Grand total,{sum(ROOMS)},{sum(PRICES)}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    found = dataset_of(path)
    assert found.frame["price"].to_list() == PRICES
    assert found.frame["region"].unique().sort().to_list() == ["East", "North", "South"]
    (note,) = found.notes
    assert note.endswith(
        "and 3 such rows above it, the first in row 12 of the file ('North total')."
    )


def test_a_table_on_its_side_is_named(tmp_path, capsys):
    path = tmp_path / "table.csv"
    names = ",".join(f"r{i}" for i in range(30))
    rooms, prices = (",".join(map(str, each)) for each in (ROOMS, PRICES))
    path.write_text(f"record,{names}\nroom,{rooms}\nprice,{prices}\n")
    errors = trained(capsys, str(path), "price")
    assert "stands in the first column" in errors
    assert "transpose it" in " ".join(errors.split())


def test_names_of_two_lines_or_with_odd_blanks(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('room,"price\n(EUR)",\u200bside,floor\u00a0no\n1,2,a,3\n2,3,b,4\n')
    assert dataset_of(path).frame.columns == ["room", "price (EUR)", "side", "floor no"]


def test_marks_between_files_that_were_joined(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("room,price\n1,2\n2,3\n\ufeffroom,price\n3,4\n\ufeff4,5\n")
    assert dataset_of(path).frame.rows() == [(1, 2), (2, 3), (3, 4), (4, 5)]


def test_the_target_in_another_unit_is_a_leak():
    celsius = [round(i * 37 % 100 / 3, 1) for i in range(80)]
    table = {"fahrenheit": [round(c * 1.8 + 32, 2) for c in celsius], "celsius": celsius}
    assert suspicious(pl.DataFrame(table), "celsius") == [("fahrenheit", 1.0)]


@pytest.mark.parametrize("name", ["monat", "date", "invoice_month"])
def test_months_with_a_year_are_dates(name):
    months = pl.Series(name, [1.2024, 12.2023, 10.2020])
    column = Date.fit(months)
    assert are_dates(months)
    assert column.format == "MM.YYYY"
    expected = np.array(["2024-01-01", "2023-12-01", "2020-10-01"], "datetime64[D]").astype(float)
    assert days_of(months, "MM.YYYY").tolist() == expected.tolist()
    for others in ([1.5, 2.25], [13.2024, 1.2024], [0.2024]):
        assert not are_dates(pl.Series(name, others))
    assert not are_dates(pl.Series("price", [1.2024]))
    with pytest.raises(CellError, match=r"holds 13\.2024 in row 1 .*; expected MM\.YYYY"):
        days_of(pl.Series(name, [1.2024, 13.2024]), "MM.YYYY")
