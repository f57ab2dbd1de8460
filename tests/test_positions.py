"""Rows in messages: counted as in the file, from 1, with the header and all that was left out."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.data import (
    FileRows,
    Reading,
    cells_of,
    dataset_of,
    row_named,
    row_names,
    stream,
    texts,
)
from deltarule.keyed import train_by_key

GOOD = "".join(f"{i},{i / 4}\n" for i in range(30))
FILES = {
    "a header": (f"a,b\n{GOOD}oops,1\n", "row 32"),
    "no header": (f"{GOOD}oops,1\n", "row 31"),
    "notes above": (f"Flats\n\na,b\n{GOOD}oops,1\n", "row 34"),
    "sep=": (f"sep=;\na;b\n{GOOD.replace(',', ';')}oops;1\n", "row 33"),
    "blank lines": (f"a,b\n\n{GOOD}\noops,\n", "row 34"),
    "comments": (f"a,b\n1,2\n# checked\n{GOOD}oops,1\n", "row 34"),
    "the header again": (f"a,b\n1,2\na,b\n{GOOD}oops,1\n", "row 34"),
    "a row left out": (f"a,b\n1,2,3\n{GOOD}oops,1\n", "row 33"),
    "a line break in the header": (f'"a","b\nc"\n{GOOD}oops,1\n', "row 32"),
    "a line break in a cell": (f'a,b\n1,"x\ny"\n{GOOD}oops,1\n', "row 33"),
    "subtotals": ("a,b\nn,1\nn,2\nn total,3\noops,5\ns,6\ns total,11\nTotal,14\n", "row 5"),
    "a ruler": (f"a|b\n---|---\n{GOOD.replace(',', '|')}oops|1\n", "row 33"),
    "lines in quotes": (f"a,b\n{GOOD}oops,1".replace("\n", '"\n"').join('""'), "row 32"),
    "a zero byte": (f"a,b\n\x00{GOOD}oops,1\n", "row 32"),
    "both": (f'a,b\n1,"x\ny"\n# checked\n{GOOD}oops,1\n', "row 34 (line 35)"),
}


@pytest.mark.parametrize(("content", "place"), FILES.values(), ids=FILES)
def test_a_row_is_counted_as_in_its_file(tmp_path, content, place):
    path = tmp_path / "t.csv"
    path.write_text(content)
    data = dataset_of(path, Reading(bad_rows="skip"))
    row = data.frame[:, 0].to_list().index("oops")
    with pytest.raises(dr.CellError) as caught, cells_of(data.files):
        raise dr.CellError("it holds oops", row, "!")
    assert str(caught.value) == f"{path}: it holds oops in {place} of the file!"
    assert caught.value.row == row


def test_a_bad_row_is_counted_so_too(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'Flats\n\na,b\n"1\n2",2\n{GOOD}1,2,3\n1,2\n')
    with pytest.raises(dr.DataError, match=r"row 35 \(line 36\) of the file has 3 cells; exp"):
        dataset_of(path)


def test_the_row_of_a_sheet_is_that_of_the_workbook(tmp_path):
    import xlsxwriter

    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(3, 1, ["a", "b"])
        for i in range(30):
            sheet.write_row(4 + i, 1, ["oops" if i == 20 else i, i / 4])
    with pytest.raises(dr.CellError, match=r"'a' holds text in row 25 of the file \('oops'\)"):
        tabular.table(dataset_of(path), tabular.Roles(("b",)))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv.gz"])
def test_rows_of_other_files_are_counted_from_their_first(tmp_path, form):
    frame = pl.DataFrame({"a": ["oops" if i == 20 else str(i) for i in range(30)], "b": range(30)})
    path = tmp_path / f"t.{form}"
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "jsonl":
        frame.write_ndjson(path)
    else:
        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    row = 22 if form == "csv.gz" else 21
    with pytest.raises(dr.CellError, match=rf"t\.\S+: .* in row {row} of the file \('oops'\)"):
        tabular.table(dataset_of(path), tabular.Roles(("b",)))


def test_of_several_files_that_of_the_row_is_named(tmp_path):
    for name, last in (("a", "7,7"), ("b", "oops,1")):
        (tmp_path / f"{name}.csv").write_text(f"a,b\n{GOOD}{last}\n")
    with pytest.raises(dr.CellError, match=r"b\.csv: column 'a' holds text in row 32 of the file"):
        tabular.table(dataset_of(tmp_path / "*.csv"), tabular.Roles(("b",)))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict, np.array])
def test_a_table_in_memory_is_counted_as_numpy_and_pandas_do(make):
    columns = {"a": [1.0] * 20 + [np.inf] + [2.0] * 9, "column_1": range(30)}
    table = np.column_stack(list(columns.values())[::-1]) if make is np.array else make(columns)
    with pytest.raises(dr.CellError, match="holds inf in row 20 of the table, counted from 0;"):
        tabular.table(dataset_of(table), tabular.Roles(("column_1",)))


def test_blocks_are_counted_on(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 60)
    path = tmp_path / "t.csv"
    lines = f'note\na,b\n"1\n1",2\n# checked\n{GOOD}\noops,1\n'
    path.write_text(lines)
    found, whole = stream(path), dataset_of(path)
    assert len(found.blocks) > 3
    assert [int(row) for file in found.files for row in file.rows] == list(whole.files[0].rows)
    last = len(found.blocks) - 1
    with (
        pytest.raises(dr.CellError, match=r"it is odd in row 36 .*of the file"),
        found.cells_of(last),
    ):
        raise dr.CellError("it is odd", found.blocks[last].rows - 1, "")
    path.write_text(f"{lines}1,2,3\n1,1\n")
    with pytest.raises(dr.DataError, match=r"row 37 \(line 38\) of the file has 3 cells"):
        stream(path)


def test_a_failing_key_names_the_row_of_the_file(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{'xyz'[i % 3]},{'inf' if i == 30 else i},{i * 1.5}" for i in range(90)]
    path.write_text("\n".join(["key,a,b", *rows, ""]))
    models = train_by_key(path, "b", by="key", epochs=1)
    assert models.failures == {"x": f"{path}: column 'a' holds inf in row 32 of the file"}


def test_every_command_counts_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(f"a,b\n{GOOD}")
    (tmp_path / "bad.csv").write_text(f"Notes\na,b\n{GOOD}oops,1\n")
    quick = ["--target", "b", "--epochs", "1", "--hidden", "4", "--no-baselines"]
    assert main(["train", "good.csv", *quick, "--out", "m.safetensors"]) == 0
    commands = [
        ["train", "bad.csv", *quick],
        ["train", "good.csv", "--test", "bad.csv", *quick],
        ["train", "bad.csv", "--from", "m.safetensors"],
        ["tune", "bad.csv", "--target", "b", "--trials", "1"],
        ["predict", "m.safetensors", "bad.csv"],
        ["predict", "m.safetensors", "bad.csv", "--memory", "1GB", "--out", "p.csv"],
        ["evaluate", "m.safetensors", "bad.csv"],
        ["explain", "m.safetensors", "bad.csv", "--rows", "28:31"],
        ["export", "m.safetensors", "--out", "m.onnx", "--check", "bad.csv"],
    ]
    for command in commands:
        capsys.readouterr()
        assert main(command) == 2, command
        said = capsys.readouterr().err
        place = "bad.csv: column 'a' holds text in row 33 of the file ('oops')"
        assert place in " ".join(said.split()), (command, said)


@pytest.mark.parametrize("row", range(50, 54))
def test_a_target_of_a_table_in_blocks_is_counted_so(tmp_path, row):
    path = tmp_path / "t.csv"
    cells = ["oops" if i == row else f"{i % 40}.5" for i in range(60)]
    path.write_text("".join(["a,b\n", *(f"{i},{cell}\n" for i, cell in enumerate(cells))]))
    with pytest.raises(dr.CellError, match=rf"'b' holds text in row {row + 2} of the file"):
        tabular.survey(
            stream(path), tabular.Roles(("b",)), tabular.Settings(epochs=1), memory=10**9
        )


# ------------------------------------------------- one number for a row, wherever it is named


def test_reports_and_pages_call_a_row_by_its_number_in_the_file(tmp_path, monkeypatch):
    """Notes above the header and rows without a target count, as they do in a spreadsheet."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{x:.6f},{'' if i % 7 == 0 else 5 * x:}" for i, x in enumerate(rng.random(120))]
    rows[60] = "0.777777,900"
    lines = ["# made today", "x,y", *rows]
    Path("t.csv").write_text("\n".join([*lines, ""]))
    odd = lines.index("0.777777,900") + 1
    quick = ["--epochs", "2", "--ensemble", "1", "--no-baselines", "--hidden", "4"]
    arguments = ["train", "t.csv", "--target", "y", *quick, "--out", "m", "--report", "r.html"]
    Path("odd.csv").write_text("\n".join([*lines[:2], *rows[50:70], ""]))
    assert main([*arguments[:-2], "--test", "odd.csv", "--report", "test.html"]) == 0
    at = 2 + 10 + 1
    page = Path("test.html").read_text()
    first = page[page.index("Largest errors</h2>") :].partition("<tbody>")[2]
    assert re.search(r"<td[^>]*>([^<]*)<", first)[1] == str(at)
    for table, row in (("t.csv", odd), ("odd.csv", at)):
        assert main(["predict", "m", table, "--why-page", "row.html", "--why-row", str(row)]) == 0
        page = Path("row.html").read_text()
        assert f"<h1>Row {row} of {table}</h1>" in page
        assert "0.777777" in page
    both = ["predict", "m", "t.csv", "odd.csv", "--out", "p.csv", "--why-page", "row.html"]
    assert main([*both, "--why-row", f"odd.csv:{at}"]) == 0
    assert f"<h1>Row odd.csv:{at}</h1>" in Path("row.html").read_text()
    assert main([*both, "--why-row", "9"]) == 2


@pytest.mark.parametrize("files", [0, 1, 2])
def test_every_row_has_a_name_and_is_found_by_it(files):
    stand = [FileRows(Path(f"{k}.csv"), np.array([2, 3, 7 + k])) for k in range(files)]
    count = 3 * files or 5
    names = row_names(stand, range(count))
    assert len(set(names)) == count
    assert [row_named(stand, name, count) for name in names] == list(range(count))
    for name in ("0", "1" if files else "6", "5.csv:2", "x", "-1", ""):
        assert row_named(stand, name, count) is None
