"""Tables as people have them: other encodings, compressed, in workbooks, as JSON; or no table."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from datetime import date, datetime, time

import polars as pl
import polars.testing as polars_testing
import pytest

from deltarule.cli import main
from deltarule.data import (
    Reading,
    content,
    dataset_of,
    encodings,
    read,
    stream,
    unpacking,
    workbooks,
)
from deltarule.errors import DataError, FileError, MissingExtraError

from .test_cli import QUICK, write_flats

xlsxwriter = pytest.importorskip("xlsxwriter")
pytest.importorskip("fastexcel")
pytest.importorskip("chardet")
zstd = pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")

TABLE = "town,rooms,price\nOslo,2,99.5\nRome,3,120\n"
ROWS = [("Oslo", 2, 99.5), ("Rome", 3, 120.0)]


@pytest.fixture
def written(tmp_path):
    """Write bytes or text to a file, whose name says nothing."""

    def write(data, name="table"):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


# --------------------------------------------------------------------------------- encodings

TEXTS = {
    "cp1250": "město,cena\nPlzeň,2\nBřeclav,3\nŘíčany,1\n",
    "cp1251": "город,цена\nМосква,2\nКазань,3\nСочи,1\n",
    "cp1252": "Stadt,Preis\nKöln,1\nMünchen,2\nZürich,3\n",
    "cp1253": "πόλη,τιμή\nΑθήνα,1\nΘεσσαλονίκη,2\nΠάτρα,3\n",
    "cp1254": "şehir,fiyat\nİstanbul,1\nİzmir,2\nDiyarbakır,3\nMuğla,4\n",
    "koi8-r": "город,цена\nМосква,2\nКазань,3\nСочи,1\n",
    "gbk": "城市,价格\n北京,2\n上海,3\n广州,1\n",
    "big5": "城市,價格\n臺北,2\n高雄,3\n臺中,1\n",
    "shift-jis": "都市,価格\n東京,2\n大阪,3\n名古屋,1\n",
    "euc-kr": "도시,가격\n서울,2\n부산,3\n대구,1\n",
    "utf-16-le": "город,цена\nМосква,2\nКазань,3\nСочи,1\n",
    "utf-16-be": "Stadt,Preis\nKöln,1\nMünchen,2\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_is_detected_and_said(written, encoding):
    header, *rows = [line.split(",") for line in TEXTS[encoding].splitlines()]
    found = dataset_of(written(TEXTS[encoding].encode(encoding)))
    assert found.frame.columns == header
    assert found.frame.rows() == [(town, int(price)) for town, price in rows]
    assert len(found.notes) == 1
    assert "read as" in found.notes[0]


def test_one_letter_beyond_ascii_is_no_other_script(written):
    found = dataset_of(written("a,b\n1,café\n2,10€\n".encode("cp1252")))
    assert found.frame["b"].to_list() == ["café", "10€"]
    assert "is not UTF-8; read as cp1252" in found.notes[0]


def test_without_the_library_the_west_is_assumed_and_said(written, monkeypatch):
    monkeypatch.setattr(encodings, "find_spec", lambda name: None)
    found = dataset_of(written("a,b\n1,Köln\n".encode("cp1252")))
    assert found.frame["b"].to_list() == ["Köln"]
    assert 'pip install "deltarule[formats]"' in found.notes[0]


@pytest.mark.parametrize("rows", [4, 60_000])
def test_one_bad_byte_leaves_utf8_what_it_is(written, rows):
    lines = ["town,price", *(f"{'Köln' if i % 2 else 'Malmö'},{i}" for i in range(rows))]
    content = "\n".join(lines).encode() + b"\nK\xf6ln,7\n"
    found = dataset_of(written(content))
    assert set(found.frame["town"]) == {"Köln", "Malmö", "K\ufffdln"}
    (note,) = found.notes
    assert f"not UTF-8, read as \ufffd: line {rows + 2}, 'K\ufffdln,7'" in note


def test_a_bad_byte_and_a_zero_byte_are_both_said(written):
    found = dataset_of(written("town,n\nKöln,1\nKö\0ln,2\nMalmö,3\n".encode() + b"K\xf6ln,7\n"))
    assert found.frame["town"].to_list() == ["Köln", "Köln", "Malmö", "K\ufffdln"]
    assert len(found.notes) == 2


def test_a_bad_byte_in_the_header_is_said(written):
    found = dataset_of(written("größe,preis_ö,gr".encode() + b"\xfc" + b"n\n1,2,3\n"))
    assert found.frame.columns == ["größe", "preis_ö", "gr\ufffdn"]
    assert "in the column name 'gr\ufffdn'" in found.notes[0]


def test_an_encoding_asked_for_is_not_repaired(written):
    path = written("a,b\nKöln,1\nKöln,2\n".encode() + b"K\xf6ln,7\n")
    with pytest.raises(FileError, match=r"is not utf-8: .* at byte"):
        read(path, Reading(encoding="utf-8"))


def test_a_zero_byte_is_left_out_and_said(written):
    found = dataset_of(written(TABLE.replace("Oslo", "Os\0lo").encode()))
    assert found.frame.rows() == ROWS
    assert "has zero bytes, which are left out, the first in line 2" in found.notes[0]


@pytest.mark.parametrize("end", [b"\x007,8\n", b"7,\x008\n"])
def test_a_zero_byte_behind_the_sample_is_left_out_and_said(written, monkeypatch, end):
    monkeypatch.setattr("deltarule.data.sampling.HEAD", 200)
    monkeypatch.setattr("deltarule.data.sampling.PIECE", 20)
    rows = b"1,2\n" * 1000
    found = dataset_of(written(b"a,b\n" + rows + end + rows))
    assert found.frame.rows() == [(1, 2)] * 1000 + [(7, 8)] + [(1, 2)] * 1000
    assert "has zero bytes, which are left out, the first in line 1,002" in found.notes[0]


@pytest.mark.parametrize("row", ["Oslo,1,2,3", "Oslo"])
def test_ragged_rows_of_utf_16_are_refused_or_left_out(written, row):
    content = (TABLE + row + "\n" + TABLE.partition("\n")[2]).encode("utf-16")
    with pytest.raises(DataError, match=r"row 4 of the file has \d cells?; expected 3"):
        read(written(content))
    assert read(written(content), bad_rows="skip").rows() == ROWS * 2


def test_other_encodings_are_read_in_blocks(written):
    text = "город,цена\n" + "Москва,2\nКазань,3\nСочи,1\n" * 50
    found = stream(written(text.encode("cp1251")))
    assert found.read(0)["город"].unique().sort().to_list() == ["Казань", "Москва", "Сочи"]


# ------------------------------------------------------------------------------- compression

COMPRESS = {
    "gzip": gzip.compress,
    "two members of gzip": lambda text: gzip.compress(text[:20]) + gzip.compress(text[20:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "two streams of xz": lambda text: (
        lzma.compress(text[:20]) + bytes(4) + lzma.compress(text[20:])
    ),
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_compressed_table_is_read(written, kind):
    assert read(written(COMPRESS[kind](TABLE.encode()))).rows() == ROWS


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_compressed_data_is_named(written, kind):
    whole = COMPRESS[kind](TABLE.encode() * 100)
    place = 6 if kind == "zstd" else 20
    for damaged in (whole[:-9], whole[:place] + b"????" + whole[place + 4 :]):
        with pytest.raises(FileError, match=rf"is {kind} data and cannot be unpacked"):
            read(written(damaged))


def test_a_compressed_parquet_file_is_read(written):
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1, 2]}).write_parquet(buffer)
    assert read(written(gzip.compress(buffer.getvalue()))).rows() == [(1,), (2,)]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_bomb_is_refused_before_it_is_unpacked(written, monkeypatch, kind):
    monkeypatch.setattr(unpacking, "_SMALL", 1 << 21)
    with pytest.raises(FileError, match=r"unpacks to more than 2 MB; .* Unpack it to a file"):
        read(written(COMPRESS[kind](b"a,b\n" + b"1,2\n" * (1 << 20))))


def test_what_is_compressed_twice_or_a_tar_archive_is_named(written):
    with pytest.raises(FileError, match=r"is compressed twice"):
        read(written(gzip.compress(gzip.compress(TABLE.encode()))))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("t.csv")
        entry.size = len(TABLE)
        archive.addfile(entry, io.BytesIO(TABLE.encode()))
    with pytest.raises(FileError, match=r"this is a tar archive: unpack it first"):
        read(written(buffer.getvalue()))


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_zip_archive_with_one_table_is_read(written):
    assert read(written(zipped(**{"t.csv": TABLE, "__MACOSX/._t.csv": b"\0"}))).rows() == ROWS


ARCHIVES = {
    "several": ({"a.csv": TABLE, "b.csv": TABLE}, r"holds 2 files: 'a.csv', 'b.csv'; expected one"),
    "none": ({}, r"holds 0 files; expected one"),
    "a folder": ({"x/a.csv": TABLE}, r"is under a path: 'x/a.csv'"),
    "a path upwards": ({"../a.csv": TABLE}, r"is under a path: '\.\./a.csv'"),
    "another archive": ({"a.gz": gzip.compress(b"a")}, r"is compressed twice"),
    "a letter": ({"word/document.xml": ""}, r"this is a Word document"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_other_zip_archives_are_named(written, kind):
    files, message = ARCHIVES[kind]
    with pytest.raises(FileError, match=message):
        read(written(zipped(**files)))


def test_a_zip_archive_with_a_password_is_named(written):
    data = bytearray(zipped(**{"t.csv": TABLE}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(magic) + offset] |= 1
    with pytest.raises(FileError, match=r"a zip archive with a password"):
        read(written(bytes(data)))


def test_a_zip_bomb_is_refused(written, monkeypatch):
    monkeypatch.setattr(unpacking, "_SMALL", 1 << 21)
    with pytest.raises(FileError, match=r"unpacks to more than"):
        read(written(zipped(**{"t.csv": b"a,b\n" + b"1,2\n" * (1 << 20)})))


# --------------------------------------------------------------------------------- workbooks


def workbook(fill, *names):
    """An .xlsx workbook whose sheets a function fills."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        fill(book, *(book.add_worksheet(name) for name in names))
    return buffer.getvalue()


def flat_table(book, sheet, *others):
    for i, row in enumerate([("town", "rooms", "price"), *ROWS]):
        sheet.write_row(i + 2, 1, row)


def test_a_workbook_is_read_wherever_its_table_lies(written):
    assert read(written(workbook(flat_table, "flats", "empty"))).rows() == ROWS


def test_cells_of_a_workbook_mean_what_they_say(written):
    def fill(book, sheet):
        sheet.write_row(0, 0, ["day", "moment", "clock", "code", "share", "text"])
        formats = [book.add_format({"num_format": f}) for f in ("yyyy-mm-dd", "hh:mm:ss")]
        for i in (1, 2):
            sheet.write_datetime(i, 0, datetime(2024, 5, i), formats[0])
            sheet.write_datetime(i, 1, datetime(2024, 5, i, 7, 30), formats[0])
            sheet.write_datetime(i, 2, time(10, 20, i), formats[1])
            sheet.write_row(i, 3, [f"00{i}", 0.1 + i, 'a,"b"\nc'])

    frame = read(written(workbook(fill, "s")))
    first = frame.row(0, named=True)
    assert first["moment"] == datetime(2024, 5, 1, 7, 30)
    assert first["day"] in (date(2024, 5, 1), datetime(2024, 5, 1))
    assert (first["code"], first["share"], first["text"]) == ("001", 1.1, 'a,"b"\nc')


def test_numbers_of_a_workbook_keep_their_digits(written):
    numbers = [0.9081661830589, 1e-12, -123456.7891234567, 1e15 + 0.5, 3.0, 1e300]

    def fill(book, sheet):
        sheet.write_row(0, 0, ["number", "code"])
        for i, number in enumerate(numbers):
            sheet.write_row(i + 1, 0, [number, f"00{i}"])

    frame = read(written(workbook(fill, "s")))
    assert frame["number"].to_list() == pytest.approx(numbers, rel=1e-15, abs=0)
    assert frame["code"].to_list() == [f"00{i}" for i in range(len(numbers))]


def test_a_sheet_is_chosen_by_its_name(written):
    def fill(book, one, other):
        flat_table(book, other)
        one.write_row(0, 0, ["a"])
        one.write_row(1, 0, [1])

    path = written(workbook(fill, "notes", "flats & co"))
    with pytest.raises(FileError, match=r"2 sheets: 'notes', 'flats & co'; .* one with sheet"):
        read(path)
    assert read(path, Reading(sheet="flats & co")).rows() == ROWS
    with pytest.raises(FileError, match=r"no sheet 'flat & co'\. Did you mean 'flats & co'\?"):
        read(path, Reading(sheet="flat & co"))


def test_a_formula_without_a_value_is_refused(written):
    def fill(book, sheet):
        flat_table(book, sheet)
        sheet.write_formula("B6", "=B5&B4", value="")

    path = written(workbook(fill, "flats"))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"<v></v>", b"")
    with pytest.raises(DataError, match=r"cell B6 of sheet 'flats' is a formula without a value"):
        read(written(zipped(**parts)))


def test_merged_cells_of_a_header_are_said(written):
    def fill(book, sheet):
        flat_table(book, sheet)
        sheet.merge_range("B3:C3", "town")

    found = dataset_of(written(workbook(fill, "flats")))
    assert "has merged cells in its first rows (B3)" in found.notes[0]


def test_a_workbook_of_far_apart_cells_is_refused(written, monkeypatch):
    def fill(book, sheet):
        sheet.write(0, 0, 1)
        sheet.write(1_048_575, 16_383, 1)

    monkeypatch.setattr(workbooks, "available_memory", lambda: 1 << 34)
    with pytest.raises(FileError, match=r"spans 17,179,869,184 cells, more than fit"):
        read(written(workbook(fill, "s")))


CELL = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'
MANIFEST = "application/vnd.oasis.opendocument.spreadsheet"


def open_workbook(*rows, repeated="", columns=""):
    content = "".join(
        f"<table:table-row{repeated}>{''.join(CELL.format(columns, c) for c in row)}"
        "</table:table-row>"
        for row in rows
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    xml = (
        f"<office:document-content {spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="s">{content}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return {"mimetype": MANIFEST, "content.xml": xml, "META-INF/manifest.xml": MANIFEST}


def test_a_workbook_of_opendocument_is_read(written):
    path = written(zipped(**open_workbook(*(line.split(",") for line in TABLE.split()))))
    assert read(path).rows() == ROWS


def test_other_files_of_opendocument_are_named(written, monkeypatch):
    parts = open_workbook(["a"])
    with pytest.raises(FileError, match=r"a workbook with a password"):
        read(written(zipped(**parts | {"META-INF/manifest.xml": "<encryption-data/>"})))
    with pytest.raises(FileError, match=r"this is a document of OpenDocument"):
        read(written(zipped(**parts | {"META-INF/manifest.xml": "opendocument.text"})))
    monkeypatch.setattr(workbooks, "available_memory", lambda: 1 << 34)
    many = {
        "repeated": ' table:number-rows-repeated="1048576"',
        "columns": ' table:number-columns-repeated="16384"',
    }
    with pytest.raises(FileError, match=r"content.xml spans 17,179,869,184 cells"):
        read(written(zipped(**open_workbook(["a"], **many))))


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("EncryptedPackage", r"a workbook with a password\. Save it without one"),
        ("WordDocument", r"an old document of Microsoft Office and no workbook"),
        ("Other", r"is a workbook that cannot be read"),
    ],
)
def test_old_files_of_office_are_named(written, inside, message):
    with pytest.raises(FileError, match=message):
        read(written(b"\xd0\xcf\x11\xe0" + bytes(600) + inside.encode("utf-16-le")))


def test_a_workbook_needs_its_extra(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(MissingExtraError, match=r'pip install "deltarule\[formats\]"'):
        read(written(workbook(flat_table, "flats")))


# -------------------------------------------------------------------------------------- JSON

RECORDS = [{"a": 1, "b": {"c": "x"}, "d": None}, {"a": 2.5, "b": {"c": "y"}, "e": True}]
FLAT = [
    {"a": 1.0, "b.c": "x", "d": None, "e": None},
    {"a": 2.5, "b.c": "y", "d": None, "e": True},
]

JSON = {
    "lines": "\n".join(map(json.dumps, RECORDS)) + "\n\n",
    "lines of windows": "\r\n".join(map(json.dumps, RECORDS)),
    "records": json.dumps(RECORDS, indent=2),
    "records with a mark": "\ufeff" + json.dumps(RECORDS),
    "an answer of a service": json.dumps({"status": "ok", "rows": RECORDS}),
}


@pytest.mark.parametrize("kind", JSON)
def test_json_is_read(written, kind):
    assert read(written(JSON[kind])).to_dicts() == FLAT


@pytest.mark.parametrize(
    "columns", [{"a": [1, 2]}, {"a": {"0": 1, "1": 2}}], ids=["lists", "index"]
)
def test_json_by_columns_is_read(written, columns):
    assert read(written(json.dumps(columns | {"b": columns["a"]}))).rows() == [(1, 1), (2, 2)]


def test_values_of_json_are_read_as_those_of_other_files(written):
    rows = [{"n": "1", "d": "2024-05-31", "m": "NA", "l": [1]}, {"n": 2, "m": 3}]
    found = read(written("\n".join(map(json.dumps, rows))))
    assert found.rows() == [(1, date(2024, 5, 31), None, "[1]"), (2, None, 3, None)]


BAD_JSON = {
    "broken": ('{"a": 1}\n{"a": \n', FileError, r"line 2 is none: Expecting value at character"),
    "cut off": ('[{"a": 1},\n{"a"', FileError, r"line 2 is none: .* may be truncated"),
    "no records": ('{"a": 1}\n[2]\n', DataError, r"record 2 is \[2\]; expected an object"),
    "no rows": ("[]", DataError, r"has no rows"),
    "unequal columns": ('{"a": [1], "b": [1, 2]}', DataError, r"that is not a table"),
    "another index": ('{"a": {"x": 1}, "b": {"y": 1}}', DataError, r"that is not a table"),
    "deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, DataError, r"nested too deeply"),
    "twice": ('{"a": {"b": 1}, "a.b": 2}', DataError, r"record 1 has two values named 'a.b'"),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_json_that_is_no_table_is_named(written, kind):
    text, error, message = BAD_JSON[kind]
    with pytest.raises(error, match=message):
        read(written(text))


# ------------------------------------------------------------------------- Arrow and the rest


@pytest.mark.parametrize("form", ["file", "stream"])
def test_arrow_is_read(written, form):
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [date(2024, 1, 1)] * 2})
    buffer = io.BytesIO()
    frame.write_ipc(buffer) if form == "file" else frame.write_ipc_stream(buffer)
    polars_testing.assert_frame_equal(
        read(written(buffer.getvalue())), frame, categorical_as_str=True, check_dtypes=False
    )
    with pytest.raises(FileError, match=r"begins like Arrow but cannot be read"):
        read(written(buffer.getvalue()[:40]))


FOREIGN = {
    "a web page": b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
    "a web page in capitals": b"<HTML><BODY></BODY></HTML>",
    "XML": b'<?xml version="1.0"?><rows></rows>',
    "a database": b"SQLite format 3\0" + bytes(100),
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a document": b"%PDF-1.7\n",
}
SAID = {
    "a web page": "a web page: download the file behind it",
    "a web page in capitals": "a web page",
    "XML": "an XML document",
    "a database": "an SQLite database: export a table",
    "a pointer": "a Git LFS pointer and not the file it stands for: run git lfs pull",
    "a document": "a PDF document",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_table_is_named(written, kind):
    for data in (FOREIGN[kind], gzip.compress(FOREIGN[kind])):
        with pytest.raises(FileError, match=f"this is {SAID[kind]}"):
            read(written(data))


def test_text_that_begins_like_something_else_stays_text(written):
    assert read(written("BZh9,b\n1,2\n")).columns == ["BZh9", "b"]
    assert read(written("<5,b\n1,2\n")).columns == ["<5", "b"]


@pytest.mark.parametrize(
    ("data", "kind"), [(JSON["lines"], "JSON"), (gzip.compress(b"a", mtime=0), "gzip")]
)
def test_other_formats_are_not_read_in_blocks(written, data, kind):
    with pytest.raises(FileError, match=rf"is {kind} data, which is not read in blocks"):
        stream(written(data))


# ------------------------------------------------------------------------------- the command


def test_standard_input_and_notes_of_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv", 40)
    packed = gzip.compress((tmp_path / "flats.csv").read_bytes())
    program = "import sys; from deltarule.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "train", "-", "--target", "rent", *QUICK]
    done = subprocess.run(command, input=packed, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    text = "город,цена\n" + "".join(f"Москва,{i % 7}.5\nСочи,{i}\n" for i in range(40))
    (tmp_path / "t.csv").write_bytes(text.encode("cp1251"))
    assert main(["train", "t.csv", "--target", "цена", *QUICK]) == 0
    assert "is not UTF-8; read as cp1251; pass --encoding" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_model_remembers_its_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_flats(tmp_path / "flats.csv", 40)
    frame = pl.read_csv("flats.csv")

    def fill(book, *sheets):
        for sheet in sheets:
            for i, row in enumerate([frame.columns, *frame.rows()]):
                sheet.write_row(i, 0, ["" if cell is None else cell for cell in row])

    (tmp_path / "t.xlsx").write_bytes(workbook(fill, "one", "two"))
    assert main(["train", "t.xlsx", "--target", "rent", *QUICK]) == 2
    given = ["--sheet", "two", "--out", "m"]
    assert main(["train", "t.xlsx", "--target", "rent", *given, *QUICK]) == 0
    assert main(["evaluate", "m", "t.xlsx"]) == 0


def test_a_pipe_larger_than_memory_is_refused(written, monkeypatch):
    monkeypatch.setattr(content, "available_memory", lambda: 100)
    reading, writing = os.pipe()
    os.write(writing, b"a,b\n" * 100)
    os.close(writing)
    with pytest.raises(FileError, match=r"is a pipe that brings more than 0 MB"):
        read(f"/dev/fd/{reading}")
    os.close(reading)
