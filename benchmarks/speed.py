"""Training speed on the CPU, beside peers: ``python benchmarks/speed.py``.

Every engine gathers a fresh permutation inside the timer; rounds alternate; figures are
microseconds a step: the median over rounds, its quartiles, and the median over rounds of how
many times the baseline's the peer's time is.
"""

import argparse
from pathlib import Path

from peers import PEERS
from rounds import machine, markdown, measured, summary, written
from sections import command, write_section
from workloads import WORKLOADS

BASELINE = "deltarule jax"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="".join(WORKLOADS), help="letters, such as XST")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", default="benchmarks/results/speed", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)

    results = {}
    for letter in chosen.workloads:
        workload = WORKLOADS[letter]
        runs = {}
        for name in dict.fromkeys([BASELINE, *chosen.peers]):
            steps = max(2, round(workload.steps * PEERS[name].share))
            try:
                runs[name] = (PEERS[name].make(workload, "cpu", steps), steps)
            except ImportError as error:
                print(f"{name}: left out, {error}")
        found = summary(measured(runs, chosen.rounds), BASELINE)
        results[letter] = {"workload": str(workload), "peers": found}
        told = ", ".join(
            f"{name} {own['median_us']:.1f} (×{1 / own['baseline_over_it']:.2f})"
            for name, own in found.items()
        )
        print(f"{letter}: {told}", flush=True)
    about, table = machine(), markdown(results, BASELINE)
    written(chosen.out, {"machine": about, "results": results}, table)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        versions = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
        text = f"{table}\n`{command()}`: {about['cores']} cores, {about['processor']}; {versions}."
        write_section(PAGE, "speed", text)
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
