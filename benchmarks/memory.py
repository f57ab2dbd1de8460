"""Peak memory of training, a process a peer: ``python benchmarks/memory.py`` (Linux).

MiB by which the process's peak exceeds what it had once everything was imported and the data was
there: parameters, optimizer state, activations, copies of the data, compiled programs. What the
imports take stands beside it. It is compared with what the arithmetic needs: parameters with their
optimizer state, and a batch's activations and deltas.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from deltarule.engines.benchmark import WORKLOADS
from peers import PEERS
from rounds import machine, short, told, written
from sections import command, write_section

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
IMPORTS = {
    "deltarule jax": ("jax",),
    "jax.grad + optax": ("jax", "optax"),
    "PyTorch": ("torch",),
    "scikit-learn": ("sklearn.neural_network",),
}
COMPARED = (
    *("deltarule native", "deltarule jax", "jax.grad + optax"),
    *("PyTorch eager, 1 thread", "scikit-learn"),
)


def of_process(field):
    """Bytes, of this process alone; ru_maxrss would begin with its parent's."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s+(\d+)", text)[1])


def one(name, letter):
    """What a training of some steps adds, in this process."""
    begun = of_process("VmRSS")
    peer, workload = PEERS[name], WORKLOADS[letter]
    for module in IMPORTS.get(peer.family or name, ()):
        __import__(module)
    imported = of_process("VmRSS")
    data = sum(array.nbytes for array in workload.data())
    run = peer.make(workload, "cpu", workload.rows // workload.batch)  # an epoch
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    run(), run()
    added = of_process("VmHWM") - imported - data
    print(json.dumps({"imports": imported - begun, "data": data, "added": added}))


def needed(workload):
    """Bytes of parameters with their optimizer state, and of a batch's activations and deltas."""
    kept = 3 if workload.optimizer == "adam" else 1
    parameters = 4 * kept * workload.network.parameter_count
    return parameters + 4 * workload.batch * (workload.sizes[0] + 2 * sum(workload.sizes[1:]))


def table(results):
    """Markdown: a workload a row, a peer a column, MiB beyond imports and data."""
    names = list(dict.fromkeys(name for own in results.values() for name in own["peers"]))
    lines = ["| workload | needed | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for letter, own in results.items():
        cells = [
            f"{short(of['added'] / 2**20)} (imports {short(of['imports'] / 2**20)})"
            for of in (own["peers"][name] for name in names)
        ]
        needs = short(own["needed"] / 2**20)
        lines.append(f"| {letter}: {own['workload']} | {needs} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="SML", help="letters")
    parser.add_argument("--peers", nargs="+", default=list(COMPARED), choices=list(PEERS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", default="benchmarks/results/memory", help="of .json and .md")
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    if chosen.one:
        one(*chosen.one)
        return
    results = {}
    for letter in chosen.workloads:
        workload, found = WORKLOADS[letter], {}
        for name in chosen.peers:
            program = [sys.executable, __file__, "--one", name, letter]
            run = subprocess.run(program, capture_output=True, text=True, check=False)
            if run.returncode:
                print(f"{name}: left out, {run.stderr.strip().splitlines()[-1]}")
                continue
            found[name] = json.loads(run.stdout)
            print(f"{letter}: {name}: {found[name]['added'] / 2**20:.1f} MiB", flush=True)
        needs = needed(workload)
        results[letter] = {"workload": str(workload), "needed": needs, "peers": found}
    about, text = machine(), table(results)
    written(chosen.out, {"machine": about, "results": results}, text)
    print(f"written: {chosen.out}.json and .md")
    if chosen.docs:
        write_section(PAGE, "memory", f"{text}\n{told(about, command())}")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
