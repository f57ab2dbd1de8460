"""Reading and preprocessing a large CSV, beside polars reading it.

    python benchmarks/reading.py [--rows 1000000] [--rounds 5] [--docs]

makes the file in a temporary folder: 20 columns of numbers, some missing, 8 of text, one of dates
and a target. Time is the median over alternating rounds: seconds that pass, seconds of all
processors, and of these the kernel's, most of which provide memory; memory is the peak of a process
of its own, less what importing takes, over the file's size.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import polars as pl

from deltarule.data import read
from deltarule.preprocessing import Preprocessing, Targets
from rounds import machine, told
from sections import ROOT, command, write_section

PROBE = r"""
import re, sys
import polars, numpy, deltarule.data, deltarule.preprocessing as p

def peak():  # of this process alone; ru_maxrss would begin with its parent's
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])

before = peak()
frame = deltarule.data.read(sys.argv[1])
targets = p.Targets.fit(frame, ["target"])
Y = targets.encode(frame)
X = p.Preprocessing.fit(frame, kinds={"target": "dropped"}).transform(frame)
print(peak() - before)
"""


NAMES = ("polars reads", "read and preprocessed")

HEAD = [
    "| | seconds | of all processors | of these the kernel's |",
    "|---|---|---|---|",
]


def write_table(path: Path, rows: int) -> None:
    """A table of 30 columns with numbers, text, dates, missing values."""
    rng = np.random.default_rng(0)
    numbers = {f"x{i}": rng.normal(i, 1 + i, rows).round(4) for i in range(16)}
    counts = {f"n{i}": rng.integers(0, 10**i, rows) for i in range(1, 5)}
    levels = [np.array([f"level {j}" for j in range(k)]) for k in (2, 3, 5, 10, 20, 50, 100, 1000)]
    text = {f"c{i}": rng.choice(values, rows) for i, values in enumerate(levels)}
    days = np.datetime64("2020-01-01") + rng.integers(0, 1500, rows).astype("timedelta64[D]")
    frame = pl.DataFrame(numbers | counts | text | {"day": days})
    missing = pl.Series(rng.random(rows) < 0.05)
    frame = frame.with_columns(
        pl.when(missing).then(None).otherwise(pl.col(name)).alias(name) for name in ("x0", "x1")
    )
    frame.with_columns(target=pl.Series(rng.normal(size=rows).round(4))).write_csv(path)


def ours(path: Path) -> None:
    """Read and preprocess."""
    frame = read(path)
    Targets.fit(frame, ["target"]).encode(frame)
    Preprocessing.fit(frame, kinds={"target": "dropped"}).transform(frame)


def timed(function: Callable[[Path], object], path: Path) -> list[float]:
    """Seconds that pass, seconds of all processors, and of these the kernel's."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    function(path)
    passed, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    kernel = after.ru_stime - before.ru_stime
    return [passed, after.ru_utime - before.ru_utime + kernel, kernel]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write_table(path, options.rows)
        size = path.stat().st_size
        rounds = []
        for _ in range(options.rounds):
            rounds.append([timed(function, path) for function in (pl.read_csv, ours)])
            print(*(row(name, own) for name, own in zip(NAMES, rounds[-1], strict=True)), sep="\n")
        probe = [sys.executable, "-c", PROBE, str(path)]
        peaks = [
            int(subprocess.run(probe, capture_output=True, text=True, check=True).stdout)
            for _ in range(3)
        ]
    found = np.array(rounds)
    times = np.median(found, axis=0)
    ratios = np.median(found[:, 1] / found[:, 0], axis=0)
    text = "\n".join(
        [
            *HEAD,
            *(row(name, own) for name, own in zip(NAMES, times, strict=True)),
            row("ratio", ratios[:2]) + " |",
            "",
            f"{options.rows} rows, a file of {size / 1e6:.0f} MB; memory "
            f"{statistics.median(peaks) / size:.2f} × the file.",
        ]
    )
    print(text)
    if options.docs:
        page = ROOT / "docs" / "performance.md"
        write_section(page, "reading", f"{text}\n\n{told(machine(), command())}")


def row(name: str, figures: Iterable[float]) -> str:
    """A row of the table."""
    return " | ".join([f"| {name}", *(f"{figure:.2f}" for figure in figures)]) + " |"


if __name__ == "__main__":
    main()
