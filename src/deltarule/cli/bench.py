"""``deltarule bench``: the speed of this machine, without peers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from deltarule.cli.command import command
from deltarule.cli.options import Json
from deltarule.cli.terminal import Terminal, print_json
from deltarule.engines.benchmark import WORKLOADS, CallTime, StepTime, call_times, step_time
from deltarule.errors import SettingError
from deltarule.tabular import Settings
from deltarule.tabular.options import option, option_group

ALL = "".join(WORKLOADS)


@option_group("Options")
class BenchOptions:
    """What is timed, and for how long."""

    workloads: str = option(
        "LETTERS", "; ".join(f"{name}: {row}" for name, row in WORKLOADS.items()) + ".", ALL
    )
    rounds: int = option("N", "Rounds of each workload.", 5, limits={"low": 1, "whole": True})
    seconds: float = option(
        "S", "About how long a round takes.", 0.3, limits={"low": 0.001, "high": 60}
    )


@command
def bench(
    timed: BenchOptions,
    settings: Annotated[Settings, ("engine", "mixed", "n_threads")],
    json: Json = False,
) -> None:
    """Time training steps and single calls on this machine.

    Noise of the workloads' shapes, float32, a fresh permutation a round. Shares are of the most
    that fmas alone reach on as many threads as a workload keeps busy. Times of a busy machine
    are not worth keeping.

    \b
    Examples:
      deltarule bench
      deltarule bench --workloads XR --threads 1 --json
    """  # noqa: D301 - typer keeps the lines after it
    letters = list(dict.fromkeys(timed.workloads.upper()))
    unknown = [letter for letter in letters if letter not in WORKLOADS]
    if unknown or not letters:
        raise SettingError(f"--workloads: expected letters out of {ALL}, got {timed.workloads!r}.")
    terminal = Terminal(quiet=json)
    engine, options = settings.engine, settings.options
    steps = []
    for letter in letters:
        with terminal.waiting(f"timing {WORKLOADS[letter]}"):
            steps.append(step_time(WORKLOADS[letter], engine, options, timed.rounds, timed.seconds))
    with terminal.waiting("timing single calls"):
        calls = list(call_times(engine, options, int(20_000 * min(1.0, timed.seconds / 0.3))))
    peaks: dict[int, float] = {}  # by threads, the best of all times
    for found in steps:
        if found.peak is not None:
            peaks[found.threads] = max(found.peak, peaks.get(found.threads, 0.0))
    steps = [found._replace(peak=peaks.get(found.threads)) for found in steps]
    if json:
        print_json({"steps": list(map(_step, steps)), "calls": [call._asdict() for call in calls]})
        return
    limits = (
        f", {peaks[n] / 1e9:.0f} GFLOP/s in fmas on {n} thread{'s'[: n > 1]}" for n in sorted(peaks)
    )
    products = ", products of bfloat16" if options.mixed else ""
    title = f"Engine {steps[0].engine}, float32{products}{''.join(limits)}."
    terminal.say(title, style="bold")
    terminal.table(
        "",
        ["training step", "µs", "quartiles", "GFLOP/s", "threads", "share"],
        [_step_row(found) for found in steps],
    )
    terminal.table(
        "",
        ["call on 8-64-64-4", "rows", "µs (p50)", "p99.9"],
        [_call_row(found) for found in calls],
    )


def _step(found: StepTime) -> dict[str, Any]:
    workload = {"description": str(found.workload), **asdict(found.workload)}
    return found._asdict() | {"workload": workload, "share": found.share}


def _step_row(found: StepTime) -> list[str]:
    return [
        f"{found.workload.name}: {found.workload}",
        _shown(found.median_us),
        f"{_shown(found.low_us)} – {_shown(found.high_us)}",
        f"{found.flop_per_second / 1e9:.1f}",
        str(found.threads),
        "–" if found.share is None else f"{found.share:.0%}",
    ]


def _call_row(found: CallTime) -> list[str]:
    return [found.name, f"{found.rows:,}", _shown(found.p50_us), _shown(found.p999_us)]


def _shown(microseconds: float) -> str:
    return f"{microseconds:,.{0 if microseconds >= 100 else 1 if microseconds >= 10 else 2}f}"
