"""Alternating rounds: whatever else a shared machine does, it does to all peers alike.

A timed round follows an untimed one of the same peer: as in a long training, its data are in the
caches that hold them, its threads where they belong, and no core has to wake up.
"""

import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from deltarule.engines.native import capabilities, cores

_PACKAGES = ["deltarule", "jax", "jaxlib", "optax", "torch", "onnxruntime", "scikit-learn", "numpy"]
_REST = 0.25  # seconds: threads that the last run left spinning go to sleep


def measured(runs, rounds):
    """Seconds of each round of each run, the runs taking turns, after two calls that warm it up.

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
        run(), run()  # JAX compiles anew for what its first call returned
    seconds = {name: [] for name in runs}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(runs)):  # none always follows the same other
            time.sleep(_REST)
            run, steps = runs[name]
            run()
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


def fastest(found, families, baseline):
    """Of peers of one family, only that of the least median, under the family's name.

    ``families`` has the family of each peer; ``variant`` says which peer it was.
    """
    kept = {}
    for name, own in found.items():
        family = families.get(name) or name
        own = own | {"variant": name.removeprefix(family).strip()}
        if family not in kept or own["median_us"] < kept[family]["median_us"]:
            kept[family] = own
    return {baseline: kept.pop(baseline), **kept}


def machine():
    """What was measured on, and with which versions."""
    packages = {}
    for name in (
        "deltarule",
        "jax",
        "jaxlib",
        "optax",
        "torch",
        "onnxruntime",
        "scikit-learn",
        "numpy",
    ):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "isa": capabilities().isa,
        "cores": cores(),
        "python": platform.python_version(),
        "packages": packages,
    }


def markdown(results, baseline):
    """A table: a workload a row, a peer a column, microseconds a step and how many times faster.

    A peer that is faster than the baseline is in bold. Beside the baseline's, its ``shares`` of
    ceilings by name, where it has any.
    """
    peers = list(dict.fromkeys(peer for result in results.values() for peer in result["peers"]))
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
            text = f"{short(own['median_us'])} ({short(low)}–{short(high)})"
            if peer != baseline:
                times = 1 / own["baseline_over_it"]
                text += f", ×{times:.2f}" if times >= 1 else f", **×{times:.2f}**"
            if own.get("variant"):
                text += f" ({own['variant']})"
            if peer == baseline:
                shares = own.get("shares", {}).items()
                text += "".join(f", {share:.0%} of {ceiling}" for ceiling, share in shares)
            cells.append(text)
        lines.append(f"| {name}: {result['workload']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def written(out, found, table):
    """Write ``OUT.json`` and ``OUT.md``."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    out.with_suffix(".md").write_text(table)


def short(microseconds):
    """A figure of three digits or so."""
    digits = 0 if microseconds >= 100 else 1 if microseconds >= 10 else 2
    return f"{microseconds:.{digits}f}"


def told(about, command):
    """A sentence that says how a table was made, and on what."""
    versions = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    return f"`{command}`: {processor_of(about)}; {versions}."


def processor_of(about):
    """Cores, processor and instruction set."""
    return f"{about['cores']} cores, {about['processor']} ({about['isa']})"


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
