"""Reading tables: what is detected, what overrules it, and every way in which a file is bad."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import hypothesis.strategies as st
import numpy as np
import polars as pl
import polars.testing as polars_testing
import pytest
from hypothesis import given

from deltarule.data import (
    BUILT_IN,
    Reading,
    built_in,
    frame_of,
    parallel,
    pieces,
    read,
    sampling,
    stream,
    tidied,
    values,
)
from deltarule.errors import DataError, FileError, MissingExtraError, SettingError

from .fuzz.examples import examples

LATE = 60_000
"""Rows enough that detection does not see the one in the middle."""


@pytest.fixture
def table(tmp_path):
    """Write text or bytes to a file, and read it back as a table."""

    def read_back(content, name="table.csv", **reading):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, Reading(**reading))

    return read_back


def late(line, lines=("1,2",)):
    """A long file whose one odd line is between the pieces that detection looks at."""
    body = [*lines] * (LATE // len(lines))
    return "\n".join(["a,b", *body, line, *body, *body, ""])


# ----------------------------------------------------------------------------- what is detected

TABLES = {
    "commas": ("a,b\n1,x\n2,y\n", [(1, "x"), (2, "y")]),
    "tabs": ("a\tb\n1\tx\n", [(1, "x")]),
    "semicolons": ("a;b\n1;x\n", [(1, "x")]),
    "bars": ("a|b\n1|x\n", [(1, "x")]),
    "runs of blanks": ("  1.0   2.0\n  3.0  4.5 \n", [(1.0, 2.0), (3.0, 4.5)]),
    "one column": ("a\nx\ny\n", [("x",), ("y",)]),
    "no header": ("1,x\n2,y\n", [(1, "x"), (2, "y")]),
    "no header, all text": (
        "yes,rome\nno,oslo\nyes,bonn\n",
        [("yes", "rome"), ("no", "oslo"), ("yes", "bonn")],
    ),
    "decimal commas": ("a;b\n1,5;2\n3;4\n", [(1.5, 2), (3.0, 4)]),
    "decimal commas, no header": ("1,5;2,5\n3,1;4,2\n", [(1.5, 2.5), (3.1, 4.2)]),
    "thousands with points": ("a;b\n1.234,5;2\n3;4\n", [(1234.5, 2), (3.0, 4)]),
    "single quotes": ("a,b\n'1,2',3\n", [("1,2", 3)]),
    "inches": ('a,b\n5" pipe,2\n6" rod,3\n', [('5" pipe', 2), ('6" rod', 3)]),
    "inches beside quotes": ('a,b\n5" pipe,2\n"6 rod",3\n', [('5" pipe', 2), ("6 rod", 3)]),
    "line breaks in cells": ('a,b\n"x\ny",2\n"p""q",\n', [("x\ny", 2), ('p"q', None)]),
    "blanks before quotes": ('a, b\n1, "x, y"\n3, "p"\n', [(1, "x, y"), (3, "p")]),
    "blanks around cells": ("a, b\n1, 2.5\n3,? \n", [(1, 2.5), (3, None)]),
    "old line ends": ("a,b\r1,2\r3,x\r", [(1, "2"), (3, "x")]),
    "other line ends": ("a,b\r\n1,2\r\n\r\n3,x\r\n\r\n", [(1, "2"), (3, "x")]),
    "blank lines": ("a,b\n\n1,2\n  \n3,\n\n", [(1, 2), (3, None)]),
    "a row all missing stays": ("a,b\n1,2\n?,?\n3,4\n\n", [(1, 2), (None, None), (3, 4)]),
    "blanks in one column": ("a\n1\n\n3\n\n", [(1,), (None,), (3,)]),
    "an index": (",a\n0,1.5\n1,2.5\n", [(0, 1.5), (1, 2.5)]),
    "a delimiter at each end": ("a,b,\n1,2,\n3,4,\n", [(1, 2), (3, 4)]),
    "codes keep zeros": ("a,b\n007,1\n010,2\n", [("007", 1), ("010", 2)]),
    "signs and exponents": ("a,b\n+1,.5\n-2,5.\n1e5,1E-3\n", [(1, 0.5), (-2, 5), (1e5, 1e-3)]),
    "infinity is a number": ("a,b\n1.5,2\ninf,3\n", [(1.5, 2), (np.inf, 3)]),
    "very large numbers": ("a,b\n9223372036854775808,2\n", [(9.223372036854775808e18, 2)]),
    "dates": ("a,b\n2020-01-02,1\n2020-01-03,2\n", [(date(2020, 1, 2), 1), (date(2020, 1, 3), 2)]),
    "moments": (
        "a,b\n2020-01-02 10:00,1\n2020-01-02T10:00:00+02:00,2\n2020-01-02T10:00:00Z,3\n",
        [(datetime(2020, 1, 2, h), i) for i, h in enumerate((10, 8, 10), 1)],
    ),
    "a column all missing": ("a,b\n,1\n,2\n", [(None, 1), (None, 2)]),
    "no line end": ("a,b\n1,2", [(1, 2)]),
}


@pytest.mark.parametrize(("content", "rows"), TABLES.values(), ids=TABLES)
def test_detected(table, content, rows):
    assert table(content).rows() == rows


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a, b \n1,2\n", ["a", "b"]),
        ("1,2\n3,4\n", ["column_1", "column_2"]),
        (",b\n1,2\n", ["column_1", "b"]),
        ("id,2019,2020\nx,1,2\ny,3,4\n", ["id", "2019", "2020"]),
        ("2019,2020\n2018,2021\n", ["column_1", "column_2"]),
        ("1,2,3\n4,5,6\n", ["column_1", "column_2", "column_3"]),
        ("0,1,2\n0.5,1.5,2.5\n3.5,4.5,5.5\n", ["0", "1", "2"]),
        ("a,b,a\n1,2,3\n", ["a", "b", "a_2"]),
        ("a,column_3,\n1,2,3\n", ["a", "column_3", "column_3_2"]),
        ('"a,b",c\n1,2\n', ["a,b", "c"]),
    ],
)
def test_names(table, content, names):
    assert table(content).columns == names


@pytest.mark.parametrize("marker", ["", "?", "NA", "N/A", "NaN", "null", " ? "])
def test_missing_markers(table, marker):
    frame = table(f"a,b\n1.5,x\n{marker},{marker}\n2,y\n")
    assert frame.rows() == [(1.5, "x"), (None, None), (2.0, "y")]


def test_missing_markers_of_ones_own(table):
    frame = table("a,b\n-999,x\n3,unknown\n", missing=("-999", "unknown"))
    assert frame.rows() == [(None, "x"), (3, None)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(table, encoding):
    assert table("a,b\n1,café\n".encode(encoding)).rows() == [(1, "café")]


@pytest.mark.parametrize(
    ("reading", "rows"),
    [
        ({"delimiter": ";"}, [("1,x",)]),
        ({"header": False}, [("a", "b"), ("1", "x")]),
        ({"encoding": "utf-8"}, [(1, "x")]),
        ({"quote": ""}, [(1, "x")]),
    ],
)
def test_options_overrule(table, reading, rows):
    assert table("a,b\n1,x\n", **reading).rows() == rows


def test_header_overruled(table):
    assert table("1,2\n3,4\n", header=True).columns == ["1", "2"]


def test_decimal_comma_within_quotes(table):
    assert table('a,b\n"1,5",2\n"2,5",3\n', decimal_comma=True).rows() == [(1.5, 2), (2.5, 3)]


def test_encoding_overruled(table):
    assert table("a,b\n1,Ж\n".encode("koi8-r"), encoding="koi8-r").rows() == [(1, "Ж")]


@pytest.mark.parametrize(
    ("line", "dtype", "value"),
    [
        ("x,2", pl.Enum(["1", "x"]), "x"),
        ("1.5,2", pl.Float64, 1.5),
        ("NA,2", pl.Int64, None),
        ("inf,2", pl.Float64, np.inf),
        ('"1",2', pl.Int64, 1),
    ],
)
def test_what_a_late_cell_contradicts_is_read_again(table, line, dtype, value):
    frame = table(late(line))
    assert frame.schema == {"a": dtype, "b": pl.Int64}
    assert (frame["a"][LATE], frame["b"].sum(), len(frame)) == (value, 6 * LATE + 2, 3 * LATE + 1)


def test_many_contradictions(table):
    lines = ["a,b,c,d,e,f", *["1,2,3,4,5,6"] * LATE, "p,q,r,s,t,u", *["1,2,3,4,5,6"] * LATE]
    frame = table("\n".join(lines))
    assert frame.row(LATE) == (*"pqrstu",)


def test_a_late_letter_outside_ascii(table):
    assert "é" in table(late("1,é").encode("cp1252"))["b"][LATE]


def test_parquet(tmp_path):
    frame = pl.DataFrame({"a": [1, None], "b": ["x ", "?"]})
    frame.write_parquet(tmp_path / "table.parquet")
    assert read(tmp_path / "table.parquet").rows() == [(1, "x"), (None, None)]


def test_several_files_and_globs(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n1,x\n")
    (tmp_path / "two.csv").write_text("b,a\ny,2.5\n")
    expected = [(1.0, "x"), (2.5, "y")]
    assert read([tmp_path / "one.csv", str(tmp_path / "two.csv")]).rows() == expected
    assert read(str(tmp_path / "*.csv")).rows() == expected


def test_several_files_whose_types_differ(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n1,x\n2,x\n3,x\n")
    (tmp_path / "two.csv").write_text("a,b\nold,y\nold,y\nnew,y\n")
    frame = read(str(tmp_path / "*.csv"))
    assert frame["a"].to_list() == ["1", "2", "3", "old", "old", "new"]
    assert frame["b"].to_list() == [*"xxxyyy"]


CELLS = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6),
    st.text(st.sampled_from("a,\"'\n ;1.-?"), min_size=1, max_size=6),
)


@examples(60)
@given(rows=st.lists(st.tuples(CELLS, CELLS, st.integers(-9, 9)), min_size=2, max_size=6))
def test_any_text_comes_back(tmp_path, rows):
    columns = [*zip(*rows, strict=True)]
    frame = pl.DataFrame(dict(zip("pqr", columns, strict=True)), {"p": str, "q": str, "r": int})
    frame.write_csv(tmp_path / "table.csv", quote_style="non_numeric")
    back = read(tmp_path / "table.csv", Reading(delimiter=",", header=True, quote='"'))
    expected = tidied(frame)
    for name in frame.columns:
        assert back[name].to_list() == expected[name].to_list()


@examples(60)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error_of_this_package(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError, FileError):
        assert isinstance(read(path), pl.DataFrame)


@examples(60)
@given(content=st.text(st.sampled_from("a1,;\t\"' \n.?"), max_size=40))
def test_any_text_is_a_table_or_an_error_of_this_package(tmp_path, content):
    test_any_bytes_are_a_table_or_an_error_of_this_package.hypothesis.inner_test(
        tmp_path, content.encode()
    )


# ----------------------------------------------------------------------------- bad files

ONE_LATE = late("1,2,3")
BAD = {
    "empty": ("", FileError, "the file is empty; expected a table."),
    "blank": ("\n \n", FileError, "the file is empty; expected a table."),
    "header only": (
        "a,b\n",
        DataError,
        "has a header but no rows; expected at least one row below it.",
    ),
    "header only, quoted": (
        '"a","b"',
        DataError,
        "has a header but no rows; expected at least one row below it.",
    ),
    "a row too short": (
        "a,b,c\n1,2,3\n4,5\n6,7,8\n",
        DataError,
        "row 3 of the file has 2 cells; expected 3, as in the header. Correct that line, leave "
        'out such rows with bad_rows="skip", or pass the right delimiter.',
    ),
    "a row too long": (
        "a,b,c\n1,2,3\n4,5,6,7\n6,7,8\n",
        DataError,
        "row 3 of the file has 4 cells; expected 3, as in the header. Correct that line, leave "
        'out such rows with bad_rows="skip", or pass the right delimiter.',
    ),
    "a short row, no header": (
        "1,2,3\n4,5\n6,7,8\n",
        DataError,
        "row 2 of the file has 2 cells; expected 3, as in the first line. Correct that line, "
        'leave out such rows with bad_rows="skip", or pass the right delimiter.',
    ),
    "a long row, late": (
        ONE_LATE,
        DataError,
        f"row {LATE + 2} of the file has 3 cells; expected 2, as in the header. Correct that "
        'line, leave out such rows with bad_rows="skip", or pass the right delimiter.',
    ),
    "a quote that does not close": (
        'a,b,c\n1,"2,3\n4,5,6\n6,7,8\n',
        DataError,
        'a quote that opens in line 2 does not close; expected another " before the end of the '
        'cell. Close it, leave out such rows with bad_rows="skip", or pass another quote.',
    ),
    "a quote that does not close, in the header": (
        'a,"b\n1,2\n3,4\n',
        DataError,
        'a quote that opens in line 1 does not close; expected another " before the end of the '
        'cell. Close it, leave out such rows with bad_rows="skip", or pass another quote.',
    ),
    "a quote that does not close, late": (
        late('1,"2'),
        DataError,
        f'a quote that opens in line {LATE + 2} does not close; expected another " before the end '
        'of the cell. Close it, leave out such rows with bad_rows="skip", or pass another quote.',
    ),
    "a quote within quotes": (
        'a,b\n"5" pipe,2\n"6 x",3\n',
        DataError,
        "line 2 has text behind a closing quote; expected ',' or the end of the line. Write a \" "
        'within a cell twice, leave out such rows with bad_rows="skip", or pass another quote.',
    ),
    "zero bytes": (
        b"a,b\n1,\x00\x01\n",
        FileError,
        "holds bytes that are not text; expected CSV, TSV or Parquet. If it is text, pass its "
        "encoding.",
    ),
    "bytes that are not text": (
        bytes(range(1, 32)) * 30 + b"\xff\xfe",
        FileError,
        "holds bytes that are not text; expected CSV, TSV or Parquet. If it is text, pass its "
        "encoding.",
    ),
    "bytes that are not text, late": (
        late("1,\x81").encode("latin-1"),
        FileError,
        "holds bytes that are not text; expected CSV, TSV or Parquet. If it is text, pass its "
        "encoding.",
    ),
    "a picture": (
        b"\x89PNG\r\n\x1a\n1234",
        FileError,
        "this is a PNG picture. Expected CSV, TSV or Parquet.",
    ),
    "gzip": (
        b"\x1f\x8b\x08\x00",
        FileError,
        "is gzip data and cannot be unpacked (Compressed file ended before the end-of-stream "
        "marker was reached). It may be damaged or truncated: copy it again.",
    ),
    "a spreadsheet": (
        b"PK\x03\x04\x00",
        FileError,
        "is zip data and cannot be unpacked (File is not a zip file). It may be damaged or "
        "truncated: copy it again.",
    ),
}


@pytest.mark.parametrize(("content", "error", "message"), BAD.values(), ids=BAD)
def test_bad_files(table, tmp_path, content, error, message):
    with pytest.raises(error) as caught:
        table(content)
    assert str(caught.value) == f"{tmp_path / 'table.csv'}: {message}"


def test_another_encoding_than_asked_for(table):
    with pytest.raises(FileError, match=r"is not utf-8: invalid .* Pass its encoding"):
        table("a,b\n1,café\n".encode("cp1252"), encoding="utf-8")


def test_truncated_parquet(tmp_path):
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": [*range(1000)]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileError, match=r"begins like Parquet but cannot be read .* truncated"):
        read(path)


def test_parquet_without_rows(tmp_path):
    pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}).write_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match="has no rows; expected at least one"):
        read(tmp_path / "table.parquet")


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "flats.csv").write_text("a\n1\n")
    with pytest.raises(FileError) as caught:
        read(tmp_path / "falts.csv")
    assert str(caught.value) == (
        f"{tmp_path / 'falts.csv'}: there is no such file. Did you mean 'flats.csv'?"
    )


def test_a_folder(tmp_path):
    with pytest.raises(FileError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: is a folder; expected a file. For its files write {tmp_path}/*.csv, or use "
        "stream, which reads folders in blocks."
    )


def test_a_pattern_that_matches_nothing(tmp_path):
    with pytest.raises(FileError, match=r"\*\.csv: no file matches this pattern\."):
        read(tmp_path / "*.csv")


def test_no_file():
    with pytest.raises(DataError, match="no file was given; expected at least one"):
        read([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    with pytest.raises(FileError, match="cannot be read: Permission denied"):
        read(path)


def test_files_that_disagree(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n1,x\n")
    (tmp_path / "two.csv").write_text("a,c\n1,x\n")
    with pytest.raises(DataError) as caught:
        read(str(tmp_path / "*.csv"))
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert str(caught.value) == (
        f"{two}: its columns are not those of {one}; they differ in 'b', 'c'. Expected the same "
        "names in each file."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ",,"}, "delimiter: expected one ASCII character, got ',,'."),
        ({"delimiter": ""}, "delimiter: expected one ASCII character, got ''."),
        ({"quote": "«"}, "quote: expected one ASCII character, got '«'."),
        (
            {"delimiter": "'", "quote": "'"},
            'delimiter and quote: expected different characters, got "\'" for both.',
        ),
        (
            {"encoding": "klingon"},
            "encoding: Python knows none named 'klingon'. Common ones are utf-8, latin-1, cp1252, "
            "utf-16.",
        ),
        ({"missing": "NA"}, "missing: expected a tuple of text markers, got 'NA'."),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SettingError) as caught:
        Reading(**options)
    assert str(caught.value) == message


def test_without_polars(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r'pip install "deltarule\[table\]"'):
        read(tmp_path / "table.csv")


# ----------------------------------------------------------------------------- tables in memory


def test_missing_values_among_objects():
    pandas = pytest.importorskip("pandas")
    cells = ["a", np.nan, None, pandas.NA, pandas.NaT, np.float64("nan"), "NaN"]
    for held in (cells, np.array(cells, dtype=object), pandas.Series(cells)):
        assert frame_of({"x": held})["x"].to_list() == ["a", *[None] * 5, "NaN"]
    mixed = pandas.DataFrame({"town": ["x", None, "y"], "area": [1.5, 2.5, None]}).to_numpy()
    assert frame_of(mixed).rows() == [("x", 1.5), (None, 2.5), ("y", None)]


def test_frames_from_memory():
    X = np.array([[1.0, np.nan], [3.0, 4.0]])
    expected = [(1.0, None), (3.0, 4.0)]
    frame = frame_of(X)
    assert (frame.columns, frame.rows()) == (["column_1", "column_2"], expected)
    assert frame_of({"a": X[:, 0], "b": X[:, 1]}).rows() == expected
    assert frame_of(frame) is frame
    assert frame_of(frame.lazy()).equals(frame)
    named = np.array([(1, "x")], dtype=[("a", int), ("b", "U1")])
    assert frame_of(named).to_dicts() == [{"a": 1, "b": "x"}]
    mixed = np.array([[1, "x"], [2, None]], dtype=object)
    assert frame_of(mixed).rows() == [(1, "x"), (2, None)]


def test_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    assert frame_of(sparse.csr_array([[0.0, 2.0]])).rows() == [(0.0, 2.0)]


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = frame_of(pandas.DataFrame({"a": [1.0, None], "b": ["x", None], 3: [True, False]}))
    assert frame.rows() == [(1.0, "x", True), (None, None, False)]
    assert frame.columns == ["a", "b", "3"]


def test_arrow():
    arrow = pytest.importorskip("pyarrow")
    assert frame_of(arrow.table({"a": [1, None]})).rows() == [(1,), (None,)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "table: expected a data frame, an array (rows, columns), a sparse matrix or a mapping"),
        (np.ones(3), "table: expected an array of shape (rows, columns), got (3,)."),
        ({"a": [1, 2], "b": [1]}, "column 'b' has 1 rows and 'a' 2; expected as many in each."),
        ({"a": 3}, "column 'a': expected numbers, text, booleans or dates; got values that"),
    ],
)
def test_bad_tables_in_memory(value, message):
    with pytest.raises(DataError) as caught:
        frame_of(value)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "shape", "target"),
    [
        ("digits", (1797, 65), "digit"),
        ("iris", (150, 5), "species"),
        ("wine", (178, 14), "target"),
        ("breast_cancer", (569, 31), "diagnosis"),
        ("diabetes", (442, 11), "target"),
    ],
)
def test_built_in_sets(name, shape, target):
    frame, found = built_in(name)
    assert (frame.shape, found, frame.columns[-1]) == (shape, target, target)
    assert name in BUILT_IN


def test_no_built_in_set():
    expected = r"'irsi' is not a built-in set\. Did you mean 'iris'\? There"
    with pytest.raises(FileError, match=expected):
        built_in("irsi")


TABLES_OF_MANY_LINES = {
    "plain": "a,b,c\n" + "".join(f"{i},{i / 4},level {i % 3}\n" for i in range(400)),
    "without an end": "a,b\n" + "\n".join(f"{i},x{i}" for i in range(400)),
    "with blank lines": "a,b\n" + "".join(f"{i},y{i}\n" + "\n" * (i % 7 == 0) for i in range(400)),
    "missing": "a,b\n" + "".join(f"{i},{'' if i % 5 else i}\n" for i in range(400)),
    "a late text": "a,b\n" + "".join(f"{i},{i if i < 390 else 'late'}\n" for i in range(400)),
    "breaks in quotes": "a,b\n" + "".join(f'{i},"two\nlines {i}"\n' for i in range(400)),
    "a late quote": "a,b\n" + "".join(f"{i},{i}\n" for i in range(400)) + '7,"8\n9"\n',
    "Windows": "a,b\r\n" + "".join(f"{i},level {i % 3}\r\n" for i in range(400)),
    "no header": "".join(f"{i},{i % 7}\n" for i in range(400)),
}


@pytest.mark.parametrize("name", TABLES_OF_MANY_LINES)
@pytest.mark.parametrize("size", [60, 1000])
def test_a_table_in_pieces_is_the_table(name, size, tmp_path, monkeypatch):
    """Wherever a large file is cut, its table is the same."""
    path = tmp_path / "table.csv"
    path.write_bytes(TABLES_OF_MANY_LINES[name].encode())
    whole = read(path)
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(pieces, "PIECE", size)
    monkeypatch.setattr(parallel, "_WORTH_THREADS", 1)
    polars_testing.assert_frame_equal(read(path), whole)


@pytest.mark.parametrize("rows", [1, 3, 1 << 16])
def test_a_level_is_found_in_whatever_row_it_begins(rows, monkeypatch):
    """Levels are looked for some rows at a time."""
    cells = ["a", "a", None, "b"] * 10 + ["c", "a", "?"]
    monkeypatch.setattr(values, "_BLOCK", rows)
    found = tidied(pl.DataFrame({"x": cells}, schema={"x": pl.Categorical}))["x"]
    assert found.dtype == pl.Enum(["a", "b", "c"])
    assert found.to_list() == [*cells[:-1], None]


def test_a_ragged_row_of_a_late_piece_is_told_by_its_line(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "1,2\n" * 300 + "3\n" + "1,2\n" * 30)
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(pieces, "PIECE", 100)
    with pytest.raises(DataError, match=r"row 302 of the file has 1 cell; expected 2"):
        read(path)


def through_pipe(tmp_path, content, use):
    """What `use` makes of a pipe into which a thread writes some bytes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(pipe.write_bytes, content)
        found = use(pipe)
        written.result()
    return found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", ["csv", "long", "latin", "quoted", "ragged blanks", "parquet"])
def test_a_pipe_is_read_as_its_file(tmp_path, kind):
    path = tmp_path / "table"
    rows = "".join(f"{i},{i / 3},town {i % 4}\n" for i in range(40_000))
    contents = {
        "csv": b"a,b\n1,x\n2,y\n",
        "long": ("i,x,town\n" + rows).encode(),
        "latin": "ort;x\nKöln;3,5\nZürich;1,0\n".encode("latin-1"),
        "quoted": b'a,b\n"1\n2",x\n3,"y, z"\n',
        "ragged blanks": b"a  b\n1   2\n 3 4\n",
    }
    if kind == "parquet":
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}).write_parquet(path)
    else:
        path.write_bytes(contents[kind])
    polars_testing.assert_frame_equal(through_pipe(tmp_path, path.read_bytes(), read), read(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_read_in_blocks(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match=r"pipe, which can be read only once.*or use read"):
        stream(tmp_path / "pipe")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_header_may_be_longer_than_what_is_looked_at_first(tmp_path, ends):
    names = [f"ENSG{i:011d}" for i in range(20_000)]
    lines = [names, *([str((i * k) % 7) for i in range(20_000)] for k in (1, 2, 3))]
    path = tmp_path / "genes.csv"
    path.write_text(ends.join(map(",".join, lines)) + ends, newline="")
    frame = read(path)
    assert frame.columns == names
    assert frame.row(1)[:5] == (0, 2, 4, 6, 1)


def test_a_first_line_that_does_not_end_is_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "LONGEST_HEAD", 1 << 19)
    path = tmp_path / "line.csv"
    path.write_bytes(b"ab," * (1 << 18))
    with pytest.raises(FileError, match="its first line does not end within 524,288 bytes"):
        read(path)
