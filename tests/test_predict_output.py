"""What ``deltarule predict`` writes: copied columns, probabilities, digits, formats."""

import io
import json
import zipfile
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from deltarule.cli import main
from deltarule.cli import prediction_files as files
from deltarule.modelfile import load_model

QUICK = ["--epochs", "1", "--hidden", "2", "--no-baselines"]
N = 60


def customers():
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "customer id": [f"C-{i:04}" for i in range(N)],
            "spent": rng.uniform(1, 1000, N),
            "since": [date(2020, 1, 1) + timedelta(days=13 * i) for i in range(N)],
            "town": rng.choice(["Oslo", "Rome", "=1+1"], N),
            "churned": rng.choice(["no", "yes"], N),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("customers")
    table = customers()
    table.write_csv(here / "t.csv")
    for name, target, other in (("churn", "churned", "spent"), ("spent", "spent", "churned")):
        arguments = ["train", str(here / "t.csv"), "--target", target, "--drop", other, *QUICK]
        assert main([*arguments, "--out", str(here / name)]) == 0
    return here


@pytest.fixture
def here(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    customers().write_csv("t.csv")
    capsys.readouterr()
    return folder


def predicted(capsys, *arguments):
    assert main(["predict", *map(str, arguments)]) == 0
    shown = capsys.readouterr()
    return pl.read_csv(shown.out.encode(), infer_schema_length=None), shown.err


def fails(capsys, *arguments):
    assert main(["predict", *map(str, arguments)]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_identifiers_and_probabilities_stand_beside_the_class(here, capsys):
    table, told = predicted(capsys, here / "churn", "t.csv")
    assert table.columns == [
        "customer id",
        "predicted_churned",
        "probability_no",
        "probability_yes",
    ]
    assert table["customer id"].to_list() == customers()["customer id"].to_list()
    assert told.count("Copied beside the predictions: 'customer id' (--keep '' to leave out).") == 1
    likeliest = np.where(table["probability_yes"] >= 0.5, "yes", "no")
    assert (table["predicted_churned"].to_numpy() == likeliest).all()
    table, told = predicted(capsys, here / "churn", "t.csv", "--keep", "", "--no-probabilities")
    assert table.columns == ["predicted_churned"]
    assert told == ""
    customers().drop("customer id").write_csv("new.csv")
    table, told = predicted(capsys, here / "spent", "new.csv", "--no-probabilities")
    assert table.columns == ["predicted_spent"]
    assert told == ""


def test_columns_are_copied_in_the_order_that_is_asked_for(here, capsys):
    asked = "since, town,since,churned"
    table, told = predicted(capsys, here / "spent", "t.csv", "--keep", asked)
    assert table.columns == ["since", "town", "churned", "predicted_spent"]
    assert table["since"].to_list() == [str(day) for day in customers()["since"]]
    assert set(table["town"]) == {"Oslo", "Rome", "'=1+1"}  # no formula
    assert told == ""


def test_what_keep_says_to_a_column_that_cannot_be_copied(here, capsys):
    told = fails(capsys, here / "spent", "t.csv", "--keep", "customer-id", "--out", "p.csv")
    assert "--keep: the table has no column 'customer-id'. Did you mean 'customer id'?" in told
    assert "Expected some of its columns: 'customer id', 'spent', 'since', 'town'" in told
    customers().with_columns(predicted_spent=1.0, flags=2.0).write_csv("back.csv")
    told = fails(capsys, here / "spent", "back.csv", "--keep", "predicted_spent")
    assert "the column 'predicted_spent' has the same name as a column of the predictions" in told
    told = fails(capsys, here / "spent", "back.csv", "--keep", "flags", "--flags")
    assert "the column 'flags' has the same name as" in told
    customers().with_columns(tags=pl.Series([["a"]] * N)).write_parquet("lists.parquet")
    told = fails(capsys, here / "spent", "lists.parquet", "--keep", "tags")
    assert "column 'tags' holds cells of type List(String)" in told
    assert "--probabilities: expected a classification model" in fails(
        capsys, here / "spent", "t.csv", "--probabilities"
    )


@pytest.mark.parametrize("memory", [[], ["--memory", "1GB"]])
@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.xlsx", "p.parquet", "p.arrow", "p.txt"])
def test_every_format_holds_the_same_rows(here, tmp_path, capsys, name, memory):
    (tmp_path / "parts").mkdir()
    for k, some in enumerate(customers().iter_slices(25)):
        some.write_csv(f"parts/{k}.csv")
    arguments = [here / "spent", "parts/*.csv", "--keep", "customer id,since,town", *memory]
    assert main(["predict", *map(str, arguments), "--out", name]) == 0
    suffix = name.partition(".")[2]
    content = io.BytesIO((tmp_path / name).read_bytes())
    reader = {"jsonl": pl.read_ndjson, "parquet": pl.read_parquet, "arrow": pl.read_ipc}
    found = reader.get(suffix, pl.read_excel if suffix == "xlsx" else pl.read_csv)(content)
    assert found.columns == ["customer id", "since", "town", "predicted_spent"]
    assert found["customer id"].to_list() == customers()["customer id"].to_list()
    assert found["since"].cast(pl.String)[1] == "2020-01-14"
    marked = "'=1+1" if suffix in ("csv", "txt") else "=1+1"
    assert marked in found["town"].to_list()
    values = found["predicted_spent"].to_numpy()
    exact = load_model(here / "spent").predict(customers())["spent"].to_numpy()
    if suffix in ("parquet", "arrow"):
        np.testing.assert_allclose(values, exact, rtol=1e-6)
        assert (values != np.array([float(f"{value:.6g}") for value in values])).any()
    else:
        np.testing.assert_allclose(values, exact, rtol=1e-5)
        assert values.tolist() == [float(f"{value:.6g}") for value in values]


def test_json_holds_copied_dates_and_gaps(here, capsys):
    table = customers().with_columns(gap=pl.Series([float("inf"), float("nan")] * (N // 2)))
    table.write_parquet("t.parquet")
    assert main(["predict", str(here / "spent"), "t.parquet", "--json", "--keep", "since,gap"]) == 0
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert list(found) == ["since", "gap", "predicted_spent"]
    assert found["since"][0] == "2020-01-01"
    assert set(found["gap"]) == {None}


def test_intervals_have_six_digits_too(here, capsys):
    table, _ = predicted(capsys, here / "spent", "t.csv", "--intervals", "0.5", "--keep", "spent")
    assert table.columns == ["spent", "predicted_spent", "low_spent", "high_spent"]
    assert table["spent"].to_list() == customers()["spent"].to_list()  # a copy: all its digits
    for name in table.columns[1:]:
        assert table[name].to_list() == [float(f"{value:.6g}") for value in table[name]]


def test_a_workbook_holds_no_formula_and_no_link_and_refuses_too_many_rows():
    hostile = pl.DataFrame({"=A1": ['=HYPERLINK("http://x","y")', "http://example.org", ""]})
    book = zipfile.ZipFile(io.BytesIO(files.FORMATS[".xlsx"].encoded(hostile, True)))
    sheet = book.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet
    many = pl.DataFrame({"a": pl.int_range(1_048_576, eager=True)})
    with pytest.raises(files.SettingError, match="room for 1,048,575 rows and 16,384 columns; got"):
        files.FORMATS[".xlsx"].encoded(many, True)


def test_a_workbook_loses_no_digits_no_dates_and_no_text():
    table = pl.DataFrame(
        {
            "card": [4556737586899855123, None],
            "small": [-(10**15) + 1, 7],
            "born": [date(1899, 12, 31), date(1950, 1, 2)],
            "at": [datetime(1850, 1, 2, 3, 4, 5), None],
        }
    )
    found = pl.read_excel(io.BytesIO(files.FORMATS[".xlsx"].encoded(table, True)))
    assert found["card"].to_list() == ["4556737586899855123", None]
    assert found["small"].to_list() == table["small"].to_list()
    assert found["born"].cast(pl.String).to_list() == ["1899-12-31", "1950-01-02"]
    assert str(found["at"][0]) == "1850-01-02 03:04:05"
    long = pl.DataFrame({"note": ["a", "b" * 32_768]})
    with pytest.raises(files.SettingError, match=r"'note' holds a text of 32,768 .* or \.parquet"):
        files.FORMATS[".xlsx"].encoded(long, True)


def test_without_its_package_a_workbook_is_refused_before_anything_is_computed(
    here, capsys, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    assert main(["predict", "no-model", "t.csv", "--out", "p.xlsx"]) == 1
    assert 'pip install "deltarule[formats]"' in capsys.readouterr().err


def test_the_header_of_a_copied_column_is_no_formula():
    table = pl.DataFrame({"=1+1": [1], "-2": [2], "y": ["a"]})
    assert files.csv(table) == "'=1+1,-2,y\n1,2,a\n"


def test_kept_cells_are_those_of_the_file(tmp_path, monkeypatch, capsys):
    """Identifiers keep every digit; amounts and moments are copied as they are written."""
    monkeypatch.chdir(tmp_path)
    lines = [
        f'{12345678901234567 + i};{98765432109876543210 + i};"${1000 + 7 * i:,}.50";{i} %;'
        f"2024-05-{i % 28 + 1:02d}T10:00Z;{i % 28 + 1:02d}.05.2024;{0.5 * i}"
        for i in range(40)
    ]
    head = "id;long;price;share;seen;day;y"
    (tmp_path / "t.csv").write_text("\n".join([head, *lines, ""]))
    quick = ["--epochs", "1", "--ensemble", "1", "--no-baselines", "--hidden", "4"]
    assert main(["train", "t.csv", "--target", "y", *quick, "--out", "m", "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [each for each in columns if "id:" in str(each) or "long" in str(each)]
    assert main(["predict", "m", "t.csv", "--keep", "id,long,price,share,seen,day"]) == 0
    told = capsys.readouterr().out.splitlines()
    first = '12345678901234567,98765432109876543210,"$1,000.50",0 %,2024-05-01T10:00Z,01.05.2024,'
    assert told[1].startswith(first)
    assert main(["predict", "m", "t.csv", "--out", "p.xlsx"]) == 0
    usual = pl.read_excel("p.xlsx", infer_schema_length=0)
    assert usual.columns[:2] == ["id", "long"]
    assert usual["id"][1] == "12345678901234568"
