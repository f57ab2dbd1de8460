"""Training on more data than memory holds: ``python benchmarks/streaming.py``.

Makes a folder of Parquet, trains on it in a process of its own by ``--memory``, and says what that
process took at most, how many rows a second it trained on, and how long the engine waited for them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from deltarule import tabular
from deltarule.data import stream
from deltarule.training.events import Started
from rounds import machine, told
from sections import command, write_section

COLUMNS = 50
ROWS_A_FILE, ROWS_A_GROUP = 250_000, 50_000
PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"


def made(folder, gigabytes):
    """Write the folder: normal numbers, 8 bytes each, and a target that three of them make."""
    files = max(1, round(gigabytes * 1e9 / (8 * (COLUMNS + 1) * ROWS_A_FILE)))
    for number in range(files):
        X = np.random.default_rng(number).normal(size=(ROWS_A_FILE, COLUMNS))
        Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
        frame = pl.DataFrame({f"x{i}": X[:, i] for i in range(COLUMNS)} | {"y": Y})
        path = Path(folder, f"part-{number:04d}.parquet")
        frame.write_parquet(path, row_group_size=ROWS_A_GROUP, compression="lz4")


class Clock:
    """A callback that adds up the time the engine trains."""

    seconds = 0.0

    def __call__(self, event):
        """Time every call of the runner's ``train``."""
        if isinstance(event, Started):
            train = event.runner.train

            def timed(*arguments):
                begun = time.perf_counter()
                done = train(*arguments)
                self.seconds += time.perf_counter() - begun
                return done

            event.runner.train = timed


def peak():
    """What this process has had in memory at most, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def trained(folder, memory, epochs):
    """Train on the folder; the figures, as JSON."""
    before, begun = peak(), time.perf_counter()
    settings = tabular.Settings(hidden=(64, 64), bins=0, epochs=epochs)
    table = stream(folder)
    found = tabular.survey(table, tabular.Roles(("y",)), settings, memory=int(memory * 1e6))
    surveyed = time.perf_counter()
    clock = Clock()
    fitted = tabular.fit(found.problem, settings, [clock])
    seconds = time.perf_counter() - surveyed
    return {
        "rows": found.problem.count,
        "read": surveyed - begun,
        "rows_per_second": epochs * sum(found.problem.stream.counts) / seconds,
        "waiting": 1.0 - clock.seconds / seconds,
        "before": before,
        "peak": peak(),
        "r2": tabular.evaluated_network(fitted, found.problem).figures["r2"],
        "window": found.problem.stream.window,
    }


def main(arguments=None):
    """Make the data, train in another process, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=5.0, help="of Parquet")
    parser.add_argument("--memory", type=float, default=600, help="MB that rows may take")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--docs", action="store_true", help="the table into docs/scaling.md")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.folder:
        print(json.dumps(trained(chosen.folder, chosen.memory, chosen.epochs)))
        return
    with tempfile.TemporaryDirectory() as folder:
        made(folder, chosen.gb)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        own = [f"--folder={folder}", f"--memory={chosen.memory}", f"--epochs={chosen.epochs}"]
        done = subprocess.run(
            [sys.executable, __file__, *own], check=True, stdout=subprocess.PIPE, text=True
        )
    found = json.loads(done.stdout)
    lines = [
        ("Parquet on disk", f"{size / 1e9:.2f} GB, {found['rows']:,} rows to train on"),
        ("memory for rows (`--memory`)", f"{chosen.memory:,.0f} MB"),
        ("the whole process at most", f"{found['peak'] / 1e6:,.0f} MB resident"),
        ("of that before any data", f"{found['before'] / 1e6:,.0f} MB"),
        ("rows mixed at once", f"{found['window']:,}"),
        ("reading all once, to fit", f"{found['read']:.0f} s"),
        ("training", f"{found['rows_per_second']:,.0f} rows a second"),
        ("of that not in the engine", f"{found['waiting']:.0%}"),
        ("R² on held-out rows", f"{found['r2']:.4f}"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in lines)])
    print(table)
    if chosen.docs:
        write_section(PAGE, "streaming", f"{table}\n\n{told(machine(), command())}")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
