"""What stands around and between the rows of a text file: notes, headers, footers, bad rows."""

import json

import polars as pl
import pytest

from deltarule.cli import main
from deltarule.data import Reading, dataset_of, read, stream, texts
from deltarule.errors import DataError, FileError, SettingError

ROWS = "3,north,900\n2,south,600\n2,north,615\n4,south,1200\n5,north,1595\n"
TABLE = "room,side,price\n" + ROWS
VALUES = [
    (3, "north", 900),
    (2, "south", 600),
    (2, "north", 615),
    (4, "south", 1200),
    (5, "north", 1595),
]


@pytest.fixture
def found(tmp_path):
    """Write text to a file, and read it as a dataset."""

    def read_back(content, **reading):
        path = tmp_path / "table.csv"
        path.write_text(content, newline="")
        return dataset_of(path, Reading(**reading))

    return read_back


def notes(data):
    """Without the name of the file."""
    return [note.partition(": ")[2] for note in data.notes]


AROUND = {
    "comments above": ("# one\n# two\n" + TABLE, ["2 lines of notes above the table left out."]),
    "a title": ("Flats of May\n\n" + TABLE, ["1 line of notes above the table left out."]),
    "a padded title": (
        "Flats of May,,\n,,\n" + TABLE,
        ["2 lines of notes above the table left out."],
    ),
    "a comment as wide as the table": (
        "# a, b, c\n" + TABLE,
        ["1 line of notes above the table left out."],
    ),
    "units": (
        TABLE.replace("price\n", "price\n,,EUR\n"),
        ["the line of units below the header left out (, , EUR)."],
    ),
    "units in brackets": (
        TABLE.replace("price\n", "price\n[1],,[EUR]\n"),
        ["the line of units below the header left out ([1], , [EUR])."],
    ),
    "a footer": (TABLE + "Source: the city\n", ["1 line of notes below the table left out."]),
    "a short total": (TABLE + "Total,4910\n", ["1 line of notes below the table left out."]),
    "a total": (
        TABLE + ",Total,4910\n",
        ["the last row left out: a total ('Total'; 'price' is 4,910)."],
    ),
    "a mean": (
        TABLE + ",Average:,982\n",
        ["the last row left out: a total ('Average:'; 'price' is 982)."],
    ),
    "the header again": (
        TABLE + TABLE.replace(ROWS, "") * 2,
        ["2 lines that repeat the header left out."],
    ),
    "comments between": (
        TABLE.replace("2,south", "# checked\n2,south"),
        ["1 comment line left out."],
    ),
    "Excel's own line": ("sep=;\n" + TABLE.replace(",", ";"), []),
    "delimiters at ends": (TABLE.replace("\n", ",\n"), []),
    "delimiters at ends of rows": (TABLE.replace("0\n", "0,\n").replace("5\n", "5,\n"), []),
    "a delimiter at the end of the header": (TABLE.replace("price\n", "price,\n"), []),
    "carets": (TABLE.replace(",", "^"), []),
    "colons": (TABLE.replace(",", ":"), []),
    "two colons": (TABLE.replace(",", "::"), []),
    "aligned": (TABLE.replace(",", "   "), []),
    "aligned, with blanks": (
        TABLE.replace("north", "north").replace(",", "    ") + "  3    north    900\n",
        [],
    ),
    "blanks before quotes": (TABLE.replace("north", '"north"').replace(",", ", "), []),
}


@pytest.mark.parametrize(("content", "said"), AROUND.values(), ids=AROUND)
def test_the_table_is_found_and_what_was_left_out_is_said(found, content, said):
    data = found(content)
    assert data.frame.columns == ["room", "side", "price"]
    assert data.frame.rows()[:5] == VALUES
    assert notes(data) == said


def test_names_of_rows(found):
    data = found("room,price\na,3,900\nb,2,600\nc,4,1200\n")
    assert data.frame.columns == ["column_1", "room", "price"]
    assert notes(data) == ["the first column, which the header does not name, is called column_1."]


def test_two_lines_of_names(found):
    data = found(",2023,,2024,\ncity,sold,let,sold,let\n" + "Rome,1,2,3,4\nOslo,5,6,7,8\n" * 3)
    assert data.frame.columns == ["city", "2023 sold", "2023 let", "2024 sold", "2024 let"]
    assert data.frame.height == 6


def test_repeated_names_are_numbered(found):
    data = found("bath,bath,price\n1,2,3\n2,1,4\n")
    assert data.frame.columns == ["bath", "bath_2", "price"]
    assert notes(data) == ["the column name 'bath' is repeated: column 2 is called 'bath_2'."]


@pytest.mark.parametrize(
    ("content", "is_header"),
    [
        (",0,1\n0,0.5,1.5\n1,2.5,3.5\n", True),  # an array and its index, as pandas writes it
        ("0,1,2,y\n0.5,1.5,2.5,b\n3.5,4.5,5.5,a\n", True),
        ("0,1,2\n3,4,5\n6,7,8\n", False),
        ("city,1990,2000,2010\nRome,1,2,3\nOslo,4,5,6\n", True),
        ("2001,2002\n2003,2001\n", False),
        ("1900,2100\n3150,790\n", False),
        ("kind,other\na,other\nb,this\na,this\nb,other\n" * 1, False),
        ("kind,other,sold\n" + "a,other,no\nb,this,yes\n" * 3, True),
        ("a,other,no\nb,this,yes\na,this,yes\n", False),
        ("name,city\nAnn,Rome\nBen,Oslo\n", True),
        ("Rome,yes\nOslo,no\n" * 9, False),  # a row that recurs as often as others
    ],
)
def test_a_header_of_numbers_or_of_words_that_return(found, content, is_header):
    lines = content.count("\n")
    assert found(content).frame.height == lines - is_header


def test_a_first_row_that_is_no_unit_stays(found):
    data = found("name,price\nAnn,much\n" + "Ben,3\nCid,4\nDan,5\nEva,6\n")
    assert data.frame.height == 5
    assert found("a,b\nnone,missing\n" + "1,3\n2,4\n3,5\n4,6\n").frame.height == 5


def test_a_last_row_that_is_no_total_stays(found):
    data = found(TABLE + "1,Total,700\n")
    assert data.frame.height == 6
    assert not data.notes


# ----------------------------------------------------------------------------- quotes

QUOTES = {
    "within quoted cells": ('a,b\n"x",1\n"the "old" one",2\n', [("x", 1), ('the "old" one', 2)]),
    "at the end of a quoted cell": ('a,b\n"Flat "B"",1\n"x",2\n', [('Flat "B"', 1), ("x", 2)]),
    "within bare cells": ('a,b\n"x",1\nFlat "9" rear,2\n', [("x", 1), ('Flat "9" rear', 2)]),
    "apostrophes": ("a,b\n'won't, ever',1\n'x',2\n", [("won't, ever", 1), ("x", 2)]),
    "escaped": ('a,b\n"5\\" pipe",1\n"x, y",2\n', [('5" pipe', 1), ("x, y", 2)]),
    "JSON": ('a,b\n"{""k"": 1, ""l"": ""x""}",1\nz,2\n', [('{"k": 1, "l": "x"}', 1), ("z", 2)]),
    "alone at the end of each line": ('"a";"b";"\n"1";"2";"\n"3";"4";"\n', [(1, 2), (3, 4)]),
}


@pytest.mark.parametrize(("content", "rows"), QUOTES.values(), ids=QUOTES)
def test_stray_quotes(found, content, rows):
    assert found(content).frame.rows() == rows


@pytest.mark.parametrize("town", ['"Oslo"west', '"Oslo'])
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_broken_quote_is_refused_or_its_row_left_out(found, town, place):
    rows = ['"Rome",4', '"Oslo",3', '"Rome",2', '"Oslo",6', '"Rome",7']
    content = "\n".join(["town,room", *rows[:place], f"{town},1", *rows[place:], ""])
    what = "text behind a closing quote" if town.endswith("west") else "does not close"
    with pytest.raises(DataError, match=rf"line {place + 2} .*{what}"):
        found(content)
    data = found(content, bad_rows="skip")
    assert data.frame["room"].to_list() == [4, 3, 2, 6, 7]
    assert f"left out (bad_rows=skip): line {place + 2}." in data.notes[0]


# ----------------------------------------------------------------------------- bad rows, options


@pytest.mark.parametrize("bad", ["3,north, rear,900", "3", "3,north", "Rome,4", "Rome,north"])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_bad_rows_are_refused_or_left_out(found, bad, place):
    lines = ROWS.splitlines()
    content = "\n".join(["room,side,price", *lines[:place], bad, *lines[place:], ""])
    with pytest.raises(DataError, match=rf"row {place + 2} of the file has \d cells?; expected 3"):
        found(content)
    data = found(content, bad_rows="skip")
    assert data.frame.rows() == VALUES
    assert "1 row with too many or too few cells or broken quotes left out" in data.notes[0]


def test_a_row_that_is_cut_off_is_no_footer(found):
    with pytest.raises(DataError, match=r"row 7 of the file has 2 cells"):
        found(TABLE + "3,nor")
    with pytest.raises(DataError, match=r"row 7 of the file has 2 cells"):
        found(TABLE.replace("room,side", "side,room") + "nor,3")


def test_a_delimiter_between_quoted_names(found):
    frame = found('"name";"rent, net";"size, net"\n"a, b";"3, 5";"5";"\n"\n').frame
    assert frame.columns == ["name", "rent, net", "size, net"]


def test_lines_to_skip(found):
    assert found("x,1,2\ny,3,4\n" + TABLE, skip_lines=2).frame.rows() == VALUES


def test_comments_of_ones_own(found):
    content = "% x\n" + TABLE.replace("2,south", "% 1,2,3\n2,south")
    data = found(content, comment="%")
    assert data.frame.rows() == VALUES
    assert notes(data) == ["1 comment line left out."]


def test_plain_gives_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,? \n,x\n")
    assert read(path, plain=True).rows() == [("1", "? "), ("", "x")]
    path.write_text("a,b\n")
    assert read(path, plain=True).schema == {"a": pl.String, "b": pl.String}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip_lines": -1}, "skip_lines: expected a number of lines, got -1."),
        ({"comment": ""}, "comment: expected what a line begins with, got ''."),
        ({"bad_rows": "mend"}, "bad_rows: expected error or skip, got 'mend'."),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SettingError) as caught:
        Reading(**options)
    assert str(caught.value) == message


def test_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 64)
    path = tmp_path / "table.csv"
    path.write_text("# notes\n" + TABLE + ROWS + "1,2\n" + ROWS * 2 + "Source: the city\n")
    with pytest.raises(DataError, match="has 2 cells"):
        stream(path)
    whole = stream(path, Reading(bad_rows="skip"))
    assert whole.rows == 20
    assert [row for k in range(len(whole.blocks)) for row in whole.read(k).rows()] == VALUES * 4
    assert len(whole.notes) == 3


def test_notes_and_readings_are_listed_for_machines(tmp_path, capsys):
    path = tmp_path / "flats.csv"
    rows = "".join(f"{20 + i % 7} m2,{i % 3},{900 + 31 * i}\n" for i in range(40))
    path.write_text(f"# of 2024\n# in EUR\narea,rooms,rent\n{rows}")
    out = ["--out", str(tmp_path / "m"), "--epochs", "1", "--no-baselines", "--json"]
    assert main(["train", str(path), "--target", "rent", *out]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["warnings"] == [f"{path}: 2 lines of notes above the table left out."]
    assert {c["name"]: c["reading"] for c in about["columns"]} == {
        "area": "read as numbers with 'm2' behind",
        "rooms": "",
    }


# ------------------------------------------------------------------------------- no single table


def lines_of(form, count=20):
    return "".join(form.format(i % 4, "ns"[i % 2], 100 + i) for i in range(count))


@pytest.mark.parametrize("cut", [",", " ", ";", "\t"])
def test_pairs_of_names_and_values_are_named(tmp_path, cut):
    path = tmp_path / "table.csv"
    path.write_text(lines_of(cut.join(["room={}", "side={}", "price={}\n"])))
    with pytest.raises(DataError, match=r"a pair of a name and a value \('room=0'\).*Convert the"):
        read(path)


@pytest.mark.parametrize("gap", ["\n", ",,\n", "\n\n"])
def test_a_second_table_is_named(tmp_path, gap):
    path = tmp_path / "table.csv"
    second = "town,kind,area\n" + lines_of("Oslo {},{},{}\n")
    path.write_text("room,side,price\n" + lines_of("{},{},{}\n") + gap + second)
    line = 22 + gap.count("\n")
    with pytest.raises(DataError, match=rf"line {line}, below a blank one, .*town, kind, area"):
        read(path)
    assert read(path, bad_rows="skip").width == 3


def test_a_row_of_text_is_no_second_table(tmp_path):
    path = tmp_path / "table.csv"
    rows = lines_of("{},{},{}\n")
    path.write_text(f"room,side,price\n{rows}\nroom,side,price\n{rows}\n?,n,NA\n{rows}")
    assert read(path).height == 61


@pytest.mark.parametrize("header", ['"room;side;price"', "room;side;price"])
def test_lines_quoted_as_a_whole_are_read_from_within(tmp_path, header):
    path = tmp_path / "table.csv"
    path.write_text(f'{header}\r\n"1;""n; s """"x"""""";3"\r\n"2;;"""""\r\n', newline="")
    table = dataset_of(path)
    assert table.frame.rows() == [(1, 'n; s "x"', 3), (2, None, None)]
    assert "each line is quoted as a whole" in " ".join(table.notes)


def test_a_column_of_quoted_text_stays_one(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"name, first"\n"Hansen, Ida"\n"Olsen, Per"\n')
    assert read(path).columns == ["name, first"]
    path.write_text('"name"\n"Hansen, Ida"\n"Olsen, Per"\n')
    assert read(path).columns == ["name"]


def test_an_arff_file_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("% flats\n\n@RELATION flats\n@ATTRIBUTE room NUMERIC\n@DATA\n1\n")
    with pytest.raises(FileError, match=r"an ARFF file: load it with scipy\.io\.arff"):
        read(path)
