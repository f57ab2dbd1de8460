"""What a file is, by how its content begins: kinds that hold a table, and those that hold none."""

from __future__ import annotations

import re

KINDS = {
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\xd0\xcf\x11\xe0": "old workbook",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""How files begin that are not text and may hold a table."""

FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document: copy its table into a spreadsheet",
    b"SQLite format 3": "an SQLite database: export a table, as with sqlite3 -header -csv",
    b"version https://git-lfs.github.com/spec/": (
        "a Git LFS pointer and not the file it stands for: run git lfs pull"
    ),
    b"\x89HDF": "an HDF5 file: write its table as Parquet or CSV",
    b"FEA1": "a Feather file of version 1: write it again as version 2",
    b"ORC": "an ORC file: write it as Parquet",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"\x93NUMPY": "an array of NumPy: load it with numpy.load and pass the array",
    b"MATLAB 5.0 MAT": "a MATLAB file: write its table as CSV",
    b"<stata_dta>": "a Stata file: write its table as CSV",
    b"$FL2": "an SPSS file: write its table as CSV",
    b"HEADER RECORD*******LIBRARY": "a SAS file: write its table as CSV",
    b"RDX": "an R file: write its table as CSV, with write.csv",
    b"RDA": "an R file: write its table as CSV, with write.csv",
    b"7z\xbc\xaf": "a 7-Zip archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"{\\rtf": "a text document: save its table as CSV",
    b"\x7fELF": "a program",
}
"""How files begin that people mistake for tables, what they are, and how to get a table."""

_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body|table)\b", re.I | re.S)
_ARFF = re.compile(rb"(?:[ \t\r]*(?:%[^\n]*)?\n)*[ \t]*@relation\b", re.I)
_JSON = re.compile(rb'\s*(\[\s*[\[{]|\[\s*\]|\{\s*("[^"\n]*"\s*:|\}))')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def kind_of(head: bytes) -> str:
    r"""What kind of file begins like this: a name of :data:`KINDS`, ``"JSON"`` or ``"text"``.

    Examples
    --------
    >>> kind_of(b"PAR1..."), kind_of(b'{"a": 1}\n'), kind_of(b"a,b\n1,2\n")
    ('Parquet', 'JSON', 'text')
    """
    for magic, kind in KINDS.items():
        if head.startswith(magic):
            # bzip2 writes a digit next, which text may do as well, and then a sign of six bytes
            return kind if kind != "bzip2" or head[4:10] in _BZIP2 else "text"
    return "JSON" if _JSON.match(head.removeprefix(_BYTE_ORDER_MARK)) else "text"


_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")


def foreign(head: bytes) -> str | None:
    """What a file is that holds no table to be read; None for all others.

    Examples
    --------
    >>> foreign(b"<!DOCTYPE html><html>")
    'a web page: download the file behind it, or save its table as CSV'
    """
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            return what
    text = head[:4096].removeprefix(_BYTE_ORDER_MARK)
    if _PAGE.match(text):
        return "a web page: download the file behind it, or save its table as CSV"
    if text.lstrip().startswith(b"<?xml"):
        if b"<html" in text.lower():
            return "a web page: download the file behind it, or save its table as CSV"
        return "an XML document: save its table as CSV"
    if _ARFF.match(text):
        return "an ARFF file: load it with scipy.io.arff, or write its table as CSV"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    return None
