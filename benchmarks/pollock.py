"""Pollock: how well polluted CSV files are loaded, without being told how they are written.

    python benchmarks/pollock.py FOLDER [--docs] [--worst 20]

FOLDER is a copy of the public repository HPI-Information-Systems/Pollock (Vitagliano et al., VLDB
2023), whose own metrics measure what is loaded; they need chardet, joblib, multiset, price-parser
and python-dateutil. Each file is read by ``read(path, plain=True, bad_rows="skip")``. Its score is
the sum of success and of precision, recall and F1 of header, records and cells: 10 is perfect. The
simple score is the mean over the files, the weighted one counts a pollution by how often it occurs
in practice.
"""

from __future__ import annotations

import argparse
import csv
import functools
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from deltarule.data import read
from deltarule.errors import DeltaruleError
from sections import ROOT, write_section

HEAD = """\
## Loading of polluted CSV files

Pollock's 2,290 files and metrics (HPI-Information-Systems/Pollock), 10 is perfect.
Made by `python benchmarks/pollock.py FOLDER`. The layout is detected; rows of another width are
skipped. The others are published figures."""
PUBLISHED = """\
| DuckDB 1.2, automatic | 9.075 | 8.439 |
| pandas, with each file's parameters | 9.895 | 9.431 |
| DuckDB 1.2, with each file's parameters | 9.961 | 9.599 |"""


def loaded(source: Path, target: Path) -> bool:
    """Whether a file can be read; its table is written as the benchmark expects it."""
    try:
        frame = read(source, plain=True, bad_rows="skip")
    except DeltaruleError as error:
        print(f"{source.name}: {str(error).partition(': ')[2]}")
        return False
    is_named = frame.columns != [f"column_{i}" for i in range(1, frame.width + 1)]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([frame.columns] * is_named)
        writer.writerows(frame.rows())
    return True


def score(metrics: Any, files: Path, name: str, target: Path) -> float:
    """A file's score, 0 to 10."""
    if not loaded(files / "csv" / name, target):
        return 0.0
    return 1.0 + sum(metrics.header_record_cell_measures_csv(files / "clean" / name, target))


def main() -> None:
    """Read all files and print both scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=20, help="files to list")
    parser.add_argument("--docs", action="store_true", help="the table into docs/results.md")
    options = parser.parse_args()
    sys.path.insert(0, str(options.folder))
    metrics = importlib.import_module("pollock.metrics")
    metrics.normalize_cell = functools.cache(metrics.normalize_cell)  # the same cells recur
    weights = json.loads((options.folder / "pollock_weights.json").read_text())
    files = options.folder / "polluted_files"
    names = sorted(path.name for path in (files / "csv").iterdir())
    with tempfile.TemporaryDirectory() as folder:
        scores = {name: score(metrics, files, name, Path(folder, "table.csv")) for name in names}
    for name in sorted(scores, key=scores.__getitem__)[: options.worst]:
        print(f"{scores[name]:6.3f} {name}")
    simple = sum(scores.values()) / len(scores)
    counted = {name: weights[name] for name in names if name in weights}
    weighted = sum(scores[name] * counted[name] for name in counted) / sum(counted.values())
    text = "\n".join(
        [
            "| | simple | weighted |",
            "|---|---|---|",
            f"| deltarule, detected | {simple:.3f} | {weighted:.3f} |",
            PUBLISHED,
        ]
    )
    print(text)
    if options.docs:
        page = ROOT / "docs" / "results.md"
        write_section(page, "pollock", f"{HEAD}\n\n{text}")


if __name__ == "__main__":
    main()
