"""Training speed on the CPU, beside peers: ``python benchmarks/speed.py``.

Every engine gathers a fresh permutation inside the timer; rounds alternate, each after an
untimed one of the same peer; figures are microseconds a step: the median over rounds, its
quartiles, and the median over rounds of how many times the baseline's the peer's time is. Shares
are of what the threads that a workload keeps busy do in fmas that touch no memory, measured between
the rounds; the best matrix product of any library here is measured beside it. With ``--bfloat16``
the products are of bfloat16 numbers.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from deltarule.engines.benchmark import WORKLOADS, threads_used
from deltarule.engines.native import cores, fma_peak
from peers import BFLOAT16, PEERS
from rounds import fastest, machine, markdown, measured, summary, told, written
from sections import command, write_section

BASELINE = "deltarule native"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def products(n=2048):
    """Products of large float32 matrices, by library, each on all cores: callables."""
    A, B = np.random.default_rng(0).standard_normal((2, n, n)).astype(np.float32)
    found = {"NumPy": lambda: A @ B}
    try:
        import torch
    except ImportError:
        pass
    else:
        At, Bt = torch.from_numpy(A), torch.from_numpy(B)

        def with_torch():
            torch.set_num_threads(cores())
            return At @ Bt

        found["PyTorch"] = with_torch
    try:
        import jax
    except ImportError:
        pass
    else:
        Aj, Bj = jax.device_put((A, B), jax.devices("cpu")[0])
        found["JAX"] = lambda: (Aj @ Bj).block_until_ready()
    return found, 2 * n**3


class Ceilings:
    """The most operations a second of fmas, by threads, and of a matrix product on all cores."""

    def __init__(self):
        self.runs, self.flop = products()
        self.peaks, self.product, self.library = {}, 0.0, ""

    def measure(self, threads):
        """Once more, for this many threads and for as many as there are cores."""
        for count in {threads, cores()}:
            self.peaks[count] = max(self.peaks.get(count, 0.0), fma_peak(count, 0.2))
        for library, run in self.runs.items():
            run()
            time.sleep(0.25)
            begun = time.perf_counter()
            run()
            rate = self.flop / (time.perf_counter() - begun)
            if rate > self.product:
                self.product, self.library = rate, library

    def told(self):
        """One sentence."""
        fmas = ", ".join(
            f"{peak / 1e9:.0f} on {_threads(count)}" for count, peak in sorted(self.peaks.items())
        )
        return (
            f"Ceilings in GFLOP/s: fmas {fmas}; {self.product / 1e9:.0f} in a matrix product "
            f"({self.library})."
        )


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="".join(WORKLOADS), help="letters, such as XST")
    known = list(dict.fromkeys([*PEERS, *BFLOAT16]))
    parser.add_argument("--peers", nargs="+", choices=known, help="some, of all")
    parser.add_argument("--bfloat16", action="store_true", help="products of bfloat16 numbers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--share", type=float, default=1.0, help="of a round's steps: rehearsals")
    parser.add_argument("--out", default="benchmarks/results/speed", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)

    results, ceilings = {}, Ceilings()
    peers = BFLOAT16 if chosen.bfloat16 else PEERS
    families = {name: peer.family for name, peer in peers.items()}
    for letter in chosen.workloads:
        workload = WORKLOADS[letter]
        runs = {}
        for name in [each for each in peers if each in (BASELINE, *(chosen.peers or peers))]:
            steps = max(2, round(workload.steps * peers[name].share * chosen.share))
            try:
                runs[name] = (peers[name].make(workload, "cpu", steps), steps)
            except ImportError as error:
                print(f"{name}: left out, {error}")
        every = summary(measured(runs, chosen.rounds), BASELINE)
        threads = threads_used(runs[BASELINE][0])
        ceilings.measure(threads)
        found = fastest(every, families, BASELINE)
        results[letter] = {"workload": str(workload), "flop": workload.flop, "peers": found}
        results[letter] |= {"variants": every, "threads": threads}
        line = ", ".join(
            f"{name} {own['median_us']:.1f} (×{1 / own['baseline_over_it']:.2f})"
            for name, own in found.items()
        )
        print(f"{letter}: {line}", flush=True)
    for result in results.values():
        own, threads = result["peers"][BASELINE], result["threads"]
        rate = result["flop"] / own["median_us"] * 1e6
        own["shares"] = {f"the fmas of {_threads(threads)}": rate / ceilings.peaks[threads]}
    about, table = machine(), markdown(results, BASELINE)
    about["ceilings"] = {"fma_peaks": ceilings.peaks, "product": ceilings.product}
    about["ceilings"]["product_by"] = ceilings.library
    written(chosen.out, {"machine": about, "results": results}, table)
    print(f"{ceilings.told()}\nwritten: {chosen.out}.json and .md")
    if chosen.docs:
        section = "speed-bfloat16" if chosen.bfloat16 else "speed"
        write_section(PAGE, section, f"{table}\n{ceilings.told()} {told(about, command())}")
        print(f"written: {PAGE}")


def _threads(count):
    return "1 thread" if count == 1 else f"{count} threads"


if __name__ == "__main__":
    main()
