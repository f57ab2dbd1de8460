"""Reading and preprocessing a large CSV, beside polars reading it.

    python benchmarks/reading.py [--rows 1000000] [--repeats 3]

makes the file in a temporary folder: 20 columns of numbers, some missing, 8 of text, one of dates
and a target. Time is the median ratio over alternating runs; memory is the peak of a process of
its own, less what importing takes, over the file's size.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from deltarule.data import read
from deltarule.preprocessing import Preprocessing, Targets

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


def ours(path: Path) -> tuple[float, float]:
    """Seconds to read, and to preprocess."""
    begun = time.perf_counter()
    frame = read(path)
    read_at = time.perf_counter()
    Targets.fit(frame, ["target"]).encode(frame)
    Preprocessing.fit(frame, kinds={"target": "dropped"}).transform(frame)
    return read_at - begun, time.perf_counter() - read_at


def polars_alone(path: Path) -> float:
    """Seconds that polars needs to read the file."""
    begun = time.perf_counter()
    pl.read_csv(path)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Reading beside polars.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write_table(path, options.rows)
        size = path.stat().st_size
        print(f"{options.rows} rows, {size / 1e6:.0f} MB")
        ratios = []
        for _ in range(options.repeats):
            alone = polars_alone(path)
            reading, preparing = ours(path)
            ratios.append((reading + preparing) / alone)
            print(f"polars {alone:.2f} s; read {reading:.2f} s, prepare {preparing:.2f} s")
        probe = [sys.executable, "-c", PROBE, str(path)]
        peak = int(subprocess.run(probe, capture_output=True, text=True, check=True).stdout)
    print(f"time {statistics.median(ratios):.2f} × polars, memory {peak / size:.2f} × the file")


if __name__ == "__main__":
    main()
