"""Training speed on the CPU, beside peers: ``python benchmarks/speed.py``.

Every engine gathers a fresh permutation inside the timer; rounds alternate; figures are
microseconds a step: the median over rounds, its quartiles, and the median over rounds of how
many times the baseline's the peer's time is.
"""

import argparse

from peers import PEERS
from rounds import machine, markdown, measured, summary, written
from workloads import WORKLOADS

BASELINE = "deltarule jax"


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="".join(WORKLOADS), help="letters, such as XST")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", default="benchmarks/results/speed", help="of .json and .md")
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
    written(chosen.out, {"machine": machine(), "results": results}, markdown(results, BASELINE))
    print(f"written: {chosen.out}.json and .md")


if __name__ == "__main__":
    main()
