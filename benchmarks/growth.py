"""How a step grows with width, depth, batch and rows: ``python benchmarks/growth.py``.

One size grows while the others stay. Engines gather a fresh permutation inside the timer and
take turns; figures are microseconds a step, medians over rounds, beside JAX and PyTorch.
"""

import argparse
from pathlib import Path

from deltarule.engines.benchmark import CCE, Workload
from peers import PEERS
from rounds import fastest, machine, markdown, measured, summary, told, written
from sections import command, write_section

BASELINE = "deltarule native"
COMPARED = (BASELINE, "jax.grad + optax", "PyTorch eager, 1 thread", "PyTorch eager, 2 threads")
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def classifier(name, width=128, depth=2, batch=64, rows=20000):
    """A network on 64 inputs, with Adam: what one size of it is, the others being usual."""
    sizes = (64, *[width] * depth, 10)
    flop = Workload(name, sizes, "relu", "softmax", batch, CCE, "adam", rows, 1).flop
    steps = max(4, min(1024, int(5e9 / flop)))  # some tenths of a second
    return Workload(name, sizes, "relu", "softmax", batch, CCE, "adam", rows, steps)


GROWING = {
    "width": (16, 64, 256, 1024, 2048),
    "depth": (1, 2, 4, 8, 16, 32),
    "batch": (1, 8, 64, 512, 4096),
    "rows": (1_000, 10_000, 100_000, 1_000_000),
}


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=list(GROWING), choices=list(GROWING))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--share", type=float, default=1.0, help="of a round's steps: rehearsals")
    parser.add_argument("--out", default="benchmarks/results/growth", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)

    results, families = {}, {name: PEERS[name].family for name in COMPARED}
    for size in chosen.sizes:
        for value in GROWING[size]:
            name = f"{size} {value:,}"
            workload = classifier(name, **{size: value})
            runs = {}
            for peer in COMPARED:
                steps = max(2, round(workload.steps * PEERS[peer].share * chosen.share))
                try:
                    runs[peer] = (PEERS[peer].make(workload, "cpu", steps), steps)
                except ImportError as error:
                    print(f"{peer}: left out, {error}")
            found = summary(measured(runs, chosen.rounds), BASELINE)
            found = fastest(found, families, BASELINE)
            results[name] = {"workload": str(workload), "flop": workload.flop, "peers": found}
            line = ", ".join(f"{peer} {own['median_us']:.1f}" for peer, own in found.items())
            print(f"{name}: {line}", flush=True)
    about, table = machine(), markdown(results, BASELINE)
    written(chosen.out, {"machine": about, "results": results}, table)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        write_section(PAGE, "growth", f"{table}\n{told(about, command())}")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
