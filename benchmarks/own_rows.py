"""What a custom row costs on engine native: ``python benchmarks/own_rows.py``.

A row that the core has is trained beside a copy of it under another name, which the core does not
know and runs as a program: so both do the same. One alternating run; the time of the copy as a
multiple of the row's, the median over rounds.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deltarule import ACTIVATIONS, COSTS, Activation, Network, engines
from deltarule.engines.benchmark import WORKLOADS
from deltarule.engines.plan import Plan
from deltarule.optimizers import Adam
from rounds import machine, measured, told
from sections import command, write_section

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


@dataclass(frozen=True)
class OwnAdam(Adam):
    """Adam, as a class that the core does not know."""


def own(row, **changes):
    """A copy that the core does not know."""
    return replace(row, name=f"own {row.name}", **changes)


def softsign():
    """An activation that no table has: z / (1 + |z|)."""
    return Activation("softsign", lambda Z: Z / (1.0 + abs(Z)), lambda Z: 1.0 / (1.0 + abs(Z)) ** 2)


def network(workload, hidden, cost):
    """A workload's network with these rows."""
    layers = [replace(layer, activation=hidden) for layer in workload.network.layers[:-1]]
    return Network(workload.sizes[0], [*layers, workload.network.layers[-1]], cost)


def variants(workload):
    """By name, a network and an optimizer: the core's rows, then copies of one or all."""
    hidden, cost = ACTIVATIONS(workload.hidden), COSTS(workload.cost)
    plain = replace(cost, name=f"plain {cost.name}", fused={})
    return {
        "compiled rows": (network(workload, hidden, cost), workload.rule),
        "own activation": (network(workload, own(hidden), cost), workload.rule),
        "softsign": (network(workload, softsign(), cost), workload.rule),
        "own cost": (network(workload, hidden, plain), workload.rule),
        "own optimizer": (network(workload, hidden, cost), OwnAdam(workload.rate)),
        "all three": (network(workload, own(hidden), plain), OwnAdam(workload.rate)),
    }


def training(workload, network, optimizer, steps):
    """A call that makes that number of steps on a fresh permutation."""
    runner = engines.start_plan(Plan(network, optimizer), "native")
    rng, (X, Y) = np.random.default_rng(0), workload.data()
    rates = np.full(steps, workload.rate)
    return lambda: runner.train(X, Y, workload.order(rng, steps), workload.batch, rates)


def main(arguments=None):
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="XTRM", help="letters")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--docs", action="store_true", help="the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    rows, names = [], []
    for letter in chosen.workloads:
        workload = WORKLOADS[letter]
        runs = {
            name: (training(workload, *made, workload.steps), workload.steps)
            for name, made in variants(workload).items()
        }
        seconds = measured(runs, chosen.rounds)
        base, *names = seconds
        ratios = [float(np.median(seconds[name] / seconds[base])) for name in names]
        rows.append((letter, float(np.median(seconds[base])) * 1e6, ratios))
        print(letter, f"{rows[-1][1]:.1f} µs", *map("{}: {:.2f}".format, names, ratios), flush=True)
    head = f"| workload | compiled rows, µs a step | {' | '.join(names)} |"
    table = [head, "| --- | ---: |" + " ---: |" * len(names)]
    table += [
        f"| {letter} | {time:.1f} | {' | '.join(f'× {ratio:.2f}' for ratio in ratios)} |"
        for letter, time, ratios in rows
    ]
    if chosen.docs:
        write_section(PAGE, "own rows", "\n".join([*table, "", told(machine(), command())]))
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
