"""Alternating rounds: whatever else a shared machine does, it does to all peers alike."""

import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

_REST = 0.25  # seconds: threads that the last run left spinning go to sleep


def measured(runs, rounds):
    """Seconds of each round of each run, the runs taking turns; the first round warms up.

    Parameters
    ----------
    runs : dict of str to (callable, steps)
    rounds : int

    Returns
    -------
    dict of str to array
        Seconds a step, one a round.
    """
    for run, _ in runs.values():
        run()
    seconds = {name: [] for name in runs}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(runs)):  # none always follows the same other
            time.sleep(_REST)
            run, steps = runs[name]
            begun = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - begun) / steps)
    return {name: np.array(own) for name, own in seconds.items()}


def summary(seconds, baseline):
    """Medians, quartiles, and the median over rounds of the ratio to the baseline."""
    return {
        name: {
            "median_us": float(np.median(own) * 1e6),
            "quartiles_us": [float(q * 1e6) for q in np.percentile(own, [25, 75])],
            "least_us": float(own.min() * 1e6),
            "baseline_over_it": float(np.median(seconds[baseline] / own)),
        }
        for name, own in seconds.items()
    }


def machine():
    """What was measured on, and with which versions."""
    packages = {}
    for name in ("deltarule", "jax", "jaxlib", "optax", "torch", "scikit-learn", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "packages": packages,
    }


def markdown(results, baseline):
    """A table: a workload a row, a peer a column, microseconds a step and how many times faster."""
    peers = list(next(iter(results.values()))["peers"])
    lines = [
        "| workload | " + " | ".join(peers) + " |",
        "|---|" + "---|" * len(peers),
    ]
    for name, result in results.items():
        cells = []
        for peer in peers:
            own = result["peers"].get(peer)
            if own is None:
                cells.append("–")
                continue
            low, high = own["quartiles_us"]
            text = f"{_short(own['median_us'])} ({_short(low)}–{_short(high)})"
            if peer != baseline:
                text += f", ×{1 / own['baseline_over_it']:.2f}"
            cells.append(text)
        lines.append(f"| {name}: {result['workload']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def written(out, found, table):
    """Write ``OUT.json`` and ``OUT.md``."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    out.with_suffix(".md").write_text(table)


def _short(microseconds):
    return f"{microseconds:.1f}" if microseconds < 100 else f"{microseconds:.0f}"


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
