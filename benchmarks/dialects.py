"""CSV files as found in the wild: is the delimiter right, does any of them end in a foreign error?

    python benchmarks/dialects.py SNIFFER DUCKDB [--docs]

SNIFFER is a copy of the public repository ws-garcia/CSVsniffer, whose ``python`` folder has files
with their dialects as people annotated them; annotated files that the copy lacks are not counted.
DUCKDB is the folder ``data/csv`` of the public repository duckdb/duckdb: files that test a reader
of CSV, most of them odd and many of them broken on purpose. Each is read as a table or refused with
an error of this package; anything else is foreign.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from deltarule.data import Reading, read
from deltarule.data.content import Text, content_of
from deltarule.data.layout.detection import detected
from deltarule.errors import DeltaruleError
from sections import ROOT, write_section

SETS = {
    "Pollock": ("POLLOCK-dialect_annotations.txt", "CSV"),
    "W3C": ("W3C-CSVW-dialect_annotations.txt", "W3C-CSVW"),
    "CSV wrangling": ("CCSV-manual_Dialect_Annotation.txt", "CSV_Wrangling"),
}
DELIMITERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "space": " ",
    "vslash": "|",
    "nsign": "#",
}
SLOW = 10.0  # seconds of a processor

HEAD = """\
## Dialects of CSV files

The annotated files of CSVsniffer (ws-garcia/CSVsniffer): how often the delimiter is right. The CSV
files that test DuckDB (duckdb/duckdb, data/csv): how many are read, and how many refused with an
error that names what is wrong. Made by `python benchmarks/dialects.py SNIFFER DUCKDB`."""


def delimiter_of(path: Path) -> str:
    """The detected delimiter; why there is none, where detection is refused."""
    try:
        content = content_of(path, Reading())
        if not isinstance(content, Text):
            return "no text"
        layout = detected(path, content.pieces, content.reading)
    except DeltaruleError as error:
        return str(error).partition(": ")[2]
    blanks = any(b"[ \\t]" in pattern and new == b"\t" for pattern, new in layout.fixes)
    return " " if blanks else layout.delimiter


def annotated(folder: Path, annotations: str, files: str) -> tuple[int, int]:
    """How many files there are, and in how many the delimiter is right; prints the others."""
    lines = (folder / "python" / "ground truth" / annotations).read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines if not line.startswith(("#", "file_name|"))]
    found = right = 0
    for name, _, delimiter, *_ in rows:
        path = folder / "python" / files / name
        if not path.exists():
            continue
        found += 1
        own = delimiter_of(path)
        right += own == DELIMITERS[delimiter]
        if own != DELIMITERS[delimiter]:
            print(f"{files}/{name}: expected {delimiter}, got {own!r}")
    return found, right


def outcome(path: Path) -> str:
    """What becomes of a file."""
    begun = time.process_time()
    try:
        read(path)
        end = "read"
    except DeltaruleError as error:
        print(f"{path.name}: {str(error).partition(': ')[2]}")
        end = "refused"
    except Exception as error:  # what is counted here
        print(f"{path}: foreign: {type(error).__name__}: {error}")
        end = "foreign"
    passed = time.process_time() - begun
    if passed > SLOW:
        print(f"{path}: {passed:.1f} seconds")
        end = "slow"
    return end


def main() -> None:
    """Read all files and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sniffer", type=Path)
    parser.add_argument("duckdb", type=Path)
    parser.add_argument("--docs", action="store_true", help="the tables into docs/results.md")
    options = parser.parse_args()
    counts = {name: annotated(options.sniffer, *where) for name, where in SETS.items()}
    counts["all"] = (sum(n for n, _ in counts.values()), sum(k for _, k in counts.values()))
    files = sorted(path for path in options.duckdb.rglob("*") if path.is_file())
    ends = Counter(map(outcome, files))
    text = "\n".join(
        [
            "| annotated files of | files | delimiter right | % |",
            "|---|---|---|---|",
            *(f"| {name} | {n} | {k} | {100 * k / n:.1f} |" for name, (n, k) in counts.items()),
            "",
            f"| DuckDB's files | read | refused | foreign errors | over {SLOW:g} seconds |",
            "|---|---|---|---|---|",
            f"| {len(files)} | {ends['read']} | {ends['refused']} | {ends['foreign']} "
            f"| {ends['slow']} |",
        ]
    )
    print(text)
    if options.docs:
        write_section(ROOT / "docs" / "results.md", "dialects", f"{HEAD}\n\n{text}")


if __name__ == "__main__":
    main()
